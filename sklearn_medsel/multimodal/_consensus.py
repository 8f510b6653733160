"""Consensus of many k-means clusterings of subsamples, all of them run at the same time.

scikit-learn's KMeans fits one subsample at a time. Consensus clustering needs thousands of small
ones; here a step of all of them is two matrix products.
"""

import numpy as np
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import squareform

_MAX_STEPS = 100
_VALUES_PER_BLOCK = 2**24
_AMBIGUOUS = (0.1, 0.9)


def draw_subsamples(n_samples, n_resamples, share, rng):
    """Draw subsamples without replacement, as a Boolean array (n_resamples, n_samples)."""
    size = max(2, round(share * n_samples))
    order = rng.random((n_resamples, n_samples)).argsort(axis=1)
    member = np.zeros((n_resamples, n_samples), bool)
    np.put_along_axis(member, order[:, :size], True, axis=1)
    return member


def cluster_subsamples(X, member, n_clusters, rng):
    """Cluster all subsamples, in blocks that limit the memory.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Samples, centred.
    member : ndarray of shape (n_resamples, n_samples), bool
        Who is in which subsample.
    n_clusters : int
        Clusters of each k-means.
    rng : Generator
        For the first centres.

    Returns
    -------
    ndarray of shape (n_resamples, n_samples), int16
        Cluster of each sample; -1 where it was not drawn.
    """
    n_blocks = -(-member.size * n_clusters // _VALUES_PER_BLOCK)
    labels = np.concatenate(
        [
            batched_kmeans(X, part, n_clusters, rng)
            for part in np.array_split(member, min(n_blocks, len(member)))
        ]
    )
    return np.where(member, labels, -1).astype(np.int16)


def consensus_matrix(labels):
    """How often two samples are in one cluster, of the subsamples that hold both.

    Parameters
    ----------
    labels : ndarray of shape (n_resamples, n_samples), int
        As from `cluster_subsamples`.

    Returns
    -------
    ndarray of shape (n_samples, n_samples), float32
        Between 0 and 1; 0 for two samples that were never drawn together.
    """
    together = sum(_pairs(labels == cluster) for cluster in range(labels.max() + 1))
    return together / np.maximum(_pairs(labels >= 0), 1)


def dispersion(X, labels):
    """Sum of squares within clusters over that of all, averaged over the subsamples."""
    norms = np.einsum("ij,ij->i", X, X)
    within = total = 0.0
    for cluster in range(-1, labels.max() + 1):
        mask = (labels >= 0) if cluster < 0 else (labels == cluster)
        mask = mask.astype(np.float64)
        # a sum of squares around the mean: that around zero, less the part of the mean
        mean_part = (mask @ X) ** 2
        spread = mask @ norms - mean_part.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
        if cluster < 0:
            total = spread
        else:
            within = within + spread
    return float(np.mean(within / np.maximum(total, np.finfo(float).tiny)))


def _pairs(mask):
    flat = mask.astype(np.float32)
    return flat.T @ flat


def batched_kmeans(X, member, n_clusters, rng):
    """Cluster subsamples of the same samples by Lloyd's algorithm from k-means++ centres.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Samples, centred.
    member : ndarray of shape (n_runs, n_samples), bool
        Samples that each run clusters.
    n_clusters : int
        Number of clusters; no more than the members of a run.
    rng : Generator
        For the first centres.

    Returns
    -------
    ndarray of shape (n_runs, n_samples), int
        Nearest centre of each sample, members or not.
    """
    centres = _first_centres(X, member, n_clusters, rng)
    labels = np.full(member.shape, -1)
    running = np.arange(len(member))
    for _ in range(_MAX_STEPS):
        found = _nearest(X, centres[running])
        moved = (found != labels[running]).any(axis=1)
        labels[running] = found
        running, found = running[moved], found[moved]
        if not running.size:
            break
        one_hot = (found[:, None] == np.arange(n_clusters)[:, None]) & member[running][:, None]
        counts = one_hot.sum(axis=2)
        sums = one_hot.reshape(-1, len(X)).astype(np.float64) @ X
        sums = sums.reshape(*counts.shape, -1)
        filled = counts > 0  # an empty cluster keeps its centre
        means = sums / np.maximum(counts, 1)[..., None]
        centres[running] = np.where(filled[..., None], means, centres[running])
    return labels


def ambiguous_share(consensus):
    """Proportion of ambiguous clustering: pairs that are neither together nor apart."""
    pairs = consensus[np.triu_indices(len(consensus), 1)]
    return float(np.mean((pairs > _AMBIGUOUS[0]) & (pairs < _AMBIGUOUS[1])))


def consensus_labels(consensus, n_clusters):
    """Labels by average linkage on one minus the consensus, the largest cluster first."""
    distance = 1.0 - consensus.astype(np.float64)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    raw = cut_tree(tree, n_clusters=n_clusters)[:, 0]
    _, first, counts = np.unique(raw, return_index=True, return_counts=True)
    rank = np.empty(counts.size, np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(counts.size)
    return rank[raw]


def _first_centres(X, member, n_clusters, rng):
    """k-means++: far points are likely to be drawn; of a few drawn, the best one is taken."""
    n_runs, n_samples = member.shape
    n_tried = 2 + int(np.log(n_clusters))
    norms = np.einsum("ij,ij->i", X, X)
    centres = np.empty((n_runs, n_clusters, X.shape[1]))
    closest = np.where(member, 1.0, 0.0)  # at first, all members are equally likely
    for place in range(n_clusters):
        n_drawn = 1 if place == 0 else n_tried
        odds = closest.cumsum(axis=1)
        spent = odds[:, -1:] <= 0  # all members lie on centres: any of them will do
        odds = np.where(spent, member.cumsum(axis=1), odds)
        aim = rng.random((n_runs, n_drawn)) * odds[:, -1:]
        drawn = (odds[:, None] <= aim[..., None]).sum(axis=2).clip(max=n_samples - 1)
        points = X[drawn]
        apart = norms - 2 * (points.reshape(-1, X.shape[1]) @ X.T).reshape(n_runs, n_drawn, -1)
        apart = np.maximum(apart + norms[drawn][..., None], 0)
        if place:
            apart = np.minimum(apart, closest[:, None])
        apart = np.where(member[:, None], apart, 0.0)
        best = apart.sum(axis=2).argmin(axis=1)
        runs = np.arange(n_runs)
        centres[:, place], closest = points[runs, best], apart[runs, best]
    return centres


def _nearest(X, centres):
    flat = centres.reshape(-1, X.shape[1])
    scores = np.einsum("ij,ij->i", flat, flat)[:, None] - 2 * (flat @ X.T)
    return scores.reshape(*centres.shape[:2], -1).argmin(axis=1)
