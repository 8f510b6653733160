"""Decoys: copies of the features whose rows are permuted, and what they calibrate.

A decoy has the distribution of its feature and its place among the other decoys, but says nothing
about the outcome. How often decoys look important is how often features do by chance.
"""

import numpy as np
import torch


class Decoys:
    """Row permutations of one table, a different one in each replicate; no copy of the table.

    Parameters
    ----------
    rows : Tensor of shape (n_replicates, n_samples), int64
        Row of the table that stands in each row of the decoys.
    present : Tensor of shape (n_replicates, n_features), bool
        Which features have a decoy in which replicate.
    """

    def __init__(self, rows, present):
        self.rows, self.present = rows, present

    def apply(self, values):
        """Put rows of `values`, (n_replicates, n_samples, n_outputs), where decoys have them."""
        return values.gather(1, self.rows[:, :, None].expand_as(values))

    def undo(self, values):
        """Reverse of `apply`."""
        rows = self.rows[:, :, None].expand_as(values)
        return torch.empty_like(values).scatter_(1, rows, values)

    def correlate(self, X, gradient):
        """Inner products of all decoys with `gradient`, zero where a decoy is absent.

        A permutation of the columns' rows is undone on the gradient instead: one product with the
        shared table serves all replicates.
        """
        return correlate(X, self.undo(gradient)) * self.present[:, :, None]


def correlate(X, gradient):
    """Inner products of all features with the gradient of each replicate.

    Returns
    -------
    Tensor of shape (n_replicates, n_features, n_outputs)
    """
    n_replicates, n_samples, n_outputs = gradient.shape
    flat = gradient.transpose(0, 1).reshape(n_samples, n_replicates * n_outputs)
    return (X.T @ flat).view(X.shape[1], n_replicates, n_outputs).transpose(0, 1)


def permute_rows(rng, n_samples, blocks):
    """Draw one permutation of the rows that respects the design.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_samples : int
    blocks : RowBlocks or None
        None permutes all rows freely.

    Returns
    -------
    ndarray of shape (n_samples,), int64
    """
    if blocks is None:
        return rng.permutation(n_samples)
    rows = np.arange(n_samples)
    if blocks.within:
        for members in blocks.members:
            rows[members] = rng.permutation(members)
        return rows
    for alike in blocks.same_size:
        shuffled = rng.permutation(len(alike))
        for here, there in zip(alike, shuffled, strict=True):
            rows[blocks.members[here]] = blocks.members[alike[there]]
    return rows


class RowBlocks:
    """How groups of samples restrict what may be exchanged.

    Where the outcome differs inside groups (tumour and normal tissue of one patient), rows are
    exchanged within each group. Where each group has one outcome (several samples of a patient),
    whole groups of equal size change places.

    Parameters
    ----------
    groups : ndarray of shape (n_samples,)
        Group of each sample.
    varies : ndarray of shape (n_groups,), bool
        Whether the outcome differs inside the group, in the order of ``np.unique(groups)``.

    Attributes
    ----------
    within : bool
        Whether rows are exchanged within groups.
    codes : ndarray of shape (n_samples,), int64
        Number of each sample's group.
    members : list of ndarray
        Rows of each group.
    same_size : list of list of int
        Groups of equal size.
    """

    def __init__(self, groups, varies):
        _, self.codes = np.unique(groups, return_inverse=True)
        self.within = bool(np.any(varies))
        self.members = [np.flatnonzero(self.codes == g) for g in range(self.codes.max() + 1)]
        sizes = np.array([len(rows) for rows in self.members])
        self.same_size = [np.flatnonzero(sizes == size).tolist() for size in np.unique(sizes)]


def draw_decoys(seeds, shape, blocks, fraction, device):
    """One `Decoys` with a replicate per seed.

    Parameters
    ----------
    seeds : list of int
        Seed of each replicate; a replicate does not depend on the others.
    shape : tuple (n_samples, n_features)
    blocks : RowBlocks or None
    fraction : float
        Part of the features that gets a decoy in each replicate.
    device : torch.device

    Returns
    -------
    Decoys
    """
    n_samples, n_features = shape
    rows, present = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        rows.append(permute_rows(rng, n_samples, blocks))
        present.append(rng.random(n_features) < fraction)
    return Decoys(
        torch.as_tensor(np.array(rows), device=device),
        torch.as_tensor(np.array(present), device=device),
    )


def pooled_pvalues(statistic, decoys):
    """p-value of each feature: how many of all decoys are at least as important.

    Parameters
    ----------
    statistic : ndarray of shape (n_features,)
        Importance of each feature.
    decoys : ndarray of shape (n_decoys,)
        Importances of the decoys of all replicates.

    Returns
    -------
    ndarray of shape (n_features,)
        ``(1 + #{decoys >= statistic}) / (1 + n_decoys)``, and 1 where the statistic is zero.
    """
    ordered = np.sort(decoys)
    at_least = len(ordered) - np.searchsorted(ordered, statistic, side="left")
    pvalues = (1 + at_least) / (1 + len(ordered))
    return np.where(statistic > 0, pvalues, 1.0)
