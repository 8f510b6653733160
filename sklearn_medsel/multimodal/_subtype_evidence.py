"""Whether clusters are there at all: patients beside data without clusters, and words for it."""

import numpy as np
import pandas as pd
from scipy import stats

from ._consensus import (
    ambiguous_share,
    cluster_subsamples,
    consensus_matrix,
    dispersion,
)
from ._subtype_references import FlatReference, SkewedReference, rotated

_N_SHORT = 25
_SMALLEST_PAC = 0.005  # differences below half a percent of the pairs decide nothing
_KINDS = FlatReference, SkewedReference
N_KINDS = len(_KINDS)
_SMALLEST_SD = np.array([_SMALLEST_PAC, 1e-6])


def compare_with_null(X, tried, member, n_references, rng, step):
    """Cluster the patients and data without clusters, for each number of clusters.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Patients, centred.
    tried : sequence of int
        Numbers of clusters.
    member : ndarray of shape (n_resamples, n_samples), bool
        Subsamples.
    n_references : int
        Number of data sets without clusters, of each kind.
    rng : Generator
        For centres and references.
    step : callable
        Told of each data set that is done.

    Returns
    -------
    consensus : dict of int to ndarray
        Consensus matrix for each number of clusters.
    table : DataFrame
        The attribute ``pac_`` of `SubtypeClusterer`.
    """
    n_short = min(_N_SHORT, len(member))
    consensus, pac, found = {}, [], np.empty((2, len(tried)))
    cloud = rotated(X)
    for place, k in enumerate(tried):
        labels = cluster_subsamples(cloud, member, k, rng)
        consensus[k] = consensus_matrix(labels)
        pac.append(ambiguous_share(consensus[k]))
        found[:, place] = _measures(cloud, labels[:n_short])
    stopped = step()
    compared = []
    for kind in _KINDS:
        reference, measured = kind(X), np.empty((n_references, 2, len(tried)))
        for row in measured:
            null, drawn = reference.draw(rng), member[rng.permutation(len(member))[:n_short]]
            for place, k in enumerate(tried):
                row[:, place] = _measures(null, cluster_subsamples(null, drawn, k, rng))
            stopped = stopped or step()  # all are needed: a callback can watch, but not stop
        compared.append(_compare(found, measured))
    compared = np.array(compared)
    harder = compared[:, -1].argmax(axis=0)  # of the kinds, for each number of clusters
    reference, gain, reference_dispersion, pvalue = compared[harder, :, np.arange(len(tried))].T
    table = pd.DataFrame(
        {
            "n_clusters": np.array(tried, np.int64),
            "pac": pac,
            "reference": reference,
            "gain": gain,
            "dispersion": found[1],
            "reference_dispersion": reference_dispersion,
            "pvalue": pvalue,
        }
    )
    return consensus, table


def _compare(found, measured):
    """Ambiguity of references, gain over it, their dispersion, and p-values: (4, n_tried).

    Parameters
    ----------
    found : ndarray of shape (2, n_tried)
        Ambiguity and dispersion of the patients' clusters.
    measured : ndarray of shape (n_references, 2, n_tried)
        The same of data without clusters.
    """
    n_references = len(measured)
    mean, sd = measured.mean(axis=0), measured.std(axis=0, ddof=1)
    error = np.maximum(sd, _SMALLEST_SD[:, None]) * np.sqrt(1 + 1 / n_references)
    pvalue = stats.t.sf((mean - found) / error, n_references - 1)
    gain = np.log((mean[0] + _SMALLEST_PAC) / (found[0] + _SMALLEST_PAC))
    # the smaller of the two p-values, corrected for being the smaller; clusters that are tight but
    # no steadier than those of the references are mostly long tails or curved clouds
    pvalue = np.where(gain > 0, np.minimum(2 * pvalue.min(axis=0), 1.0), 1.0)
    return np.stack([mean[0], gain, mean[1], pvalue])


def measure_stability(consensus, labels):
    """How well clusters and patients hold together.

    Parameters
    ----------
    consensus : ndarray of shape (n_samples, n_samples)
        Consensus matrix.
    labels : ndarray of shape (n_samples,), int
        Clusters 0, 1, ...

    Returns
    -------
    of_patients : ndarray of shape (n_samples,), float64
        The attribute ``patient_stability_`` of `SubtypeClusterer`.
    of_clusters : DataFrame
        The attribute ``stability_``.
    """
    n_samples, n_clusters = labels.size, labels.max() + 1
    member = (labels[:, None] == np.arange(n_clusters)).astype(np.float64)
    sizes = member.sum(axis=0)
    to_cluster = consensus @ member
    n_others = sizes[labels] - 1
    own = to_cluster[np.arange(n_samples), labels] - consensus.diagonal()
    # a patient alone in a cluster has no one to be with
    of_patients = np.divide(own, n_others, out=np.full(own.shape, np.nan), where=n_others > 0)
    between = to_cluster.sum(axis=1) - to_cluster[np.arange(n_samples), labels]
    n_pairs, n_apart = sizes * (sizes - 1), sizes * (n_samples - sizes)
    within, between = own @ member, between @ member
    nothing = np.full(sizes.shape, np.nan)
    of_clusters = pd.DataFrame(
        {
            "cluster": np.arange(n_clusters),
            "n_patients": sizes.astype(np.int64),
            "within": np.divide(within, n_pairs, out=nothing.copy(), where=n_pairs > 0),
            "between": np.divide(between, n_apart, out=nothing, where=n_apart > 0),
        }
    )
    return of_patients, of_clusters


def describe_finding(clusterer):
    """Say in words whether there are clusters, from the attributes of a fitted clusterer."""
    if clusterer.n_clusters == 1:
        return "One cluster was asked for."
    if not len(clusterer.pac_):
        return "Too few patients that differ to look for clusters; all are in one."
    tried = clusterer.pac_["n_clusters"]
    several = len(tried) > 1
    if not clusterer.structured_ and clusterer.n_clusters == "auto":
        return (
            f"No clusters found: {tried.min()} to {tried.max()} clusters are not clearly "
            "steadier and tighter than in data without clusters (smallest p "
            f"{clusterer.pvalue_:.2g}, corrected). All patients are in one cluster."
        )
    row = clusterer.pac_[tried == clusterer.n_clusters_].iloc[0]
    shares = (
        f"{row['pac']:.1%} of the pairs of patients are ambiguous, against "
        f"{row['reference']:.1%} in data without clusters; the squares within clusters are "
        f"{row['dispersion']:.0%} of all, against {row['reference_dispersion']:.0%} (p "
        f"{clusterer.pvalue_:.2g}{', corrected' if several else ''})"
    )
    if clusterer.structured_:
        return f"{clusterer.n_clusters_} clusters: {shares}."
    return f"{clusterer.n_clusters_} clusters were asked for, but the data show none: {shares}."


def _measures(X, labels):
    """What is small where there are clusters: ambiguous pairs, and squares within clusters."""
    return ambiguous_share(consensus_matrix(labels)), dispersion(X, labels)
