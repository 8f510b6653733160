"""Does a feature add to all the others? A conditional test for the features the decoys let pass.

A decoy shows how important a feature looks that has nothing to do with the outcome. A feature that
is merely *correlated* with a true one looks more important than that. So each candidate is tested
given all other features, as the distilled conditional randomisation test does (Liu, Katsevich,
Janson and Ramdas, Biometrika 109, 2022): a sparse model of the outcome without the candidate, a
sparse model of the candidate, and the correlation of what both leave unexplained.
"""

import math

import numpy as np
import torch
from scipy.stats import chi2

from ._families import SquaredFamily
from ._path import largest_penalty, penalty_grid, solve_paths

# Correlation above which a feature counts as a neighbour of a candidate.
NEIGHBOUR = 0.3
_FEATURE_PENALTY = 0.5
_BATCH = 100


def conditional_pvalues(X, family, weight, candidates, blocks=None):
    """Test candidates given all other features.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Standardised.
    family : one of the classes of `_families`
    weight : Tensor of shape (n_samples,)
        Sample weights, summing to one.
    candidates : ndarray of int
        Columns to test.
    blocks : RowBlocks or None
        How samples depend on each other.

    Returns
    -------
    pvalues : ndarray of shape (n_candidates,)
    n_neighbours : int
        Number of features correlated with a candidate, the candidates included: among these can
        a false discovery of this kind lie.
    """
    near = torch.zeros(X.shape[1], dtype=torch.bool, device=X.device)
    pvalues = []
    for start in range(0, len(candidates), _BATCH):
        chosen = torch.as_tensor(candidates[start : start + _BATCH], device=X.device)
        copies = weight.expand(len(chosen), -1)
        residual = _outcome_residual(X, family, copies, chosen)
        own = _feature_residual(X, copies, chosen)
        pvalues.append(_score_pvalues(own, residual, blocks))
        correlation = X.T @ (X[:, chosen] * weight[:, None])
        near |= (correlation.abs() > NEIGHBOUR).any(1)
        near[chosen] = True
    return np.concatenate(pvalues), int(near.sum())


def _outcome_residual(X, family, weight, chosen):
    """Weighted residual of the outcome without each candidate, (n_candidates, n, n_outputs)."""
    penalties = penalty_grid(largest_penalty(X, family, weight), smallest=0.25, n_steps=7)
    paths = solve_paths(X, family, penalties, weight, excluded=chosen, working_size=150)
    return -family.gradient(paths.predictor, weight)


def _feature_residual(X, weight, chosen):
    """What a LASSO on all other features leaves of each candidate, (n_candidates, n)."""
    target = X[:, chosen].T[:, :, None]
    lowest = _FEATURE_PENALTY * math.sqrt(2 * math.log(X.shape[1] + 1) / X.shape[0])
    penalties = X.new_tensor([3.4, 1.8, 1.0])[:, None] * lowest
    penalties = penalties.expand(-1, len(chosen))
    paths = solve_paths(
        X, SquaredFamily(target), penalties, weight, excluded=chosen, working_size=600, n_iter=16
    )
    return (target - paths.predictor)[:, :, 0]


def _score_pvalues(own, residual, blocks):
    """Chi-squared p-values of the correlation between two residuals.

    Given the outcome and the other features, the candidate's residual is the only thing random:
    its score has mean zero and the variance computed here.
    """
    own = own.double().cpu().numpy()
    residual = residual.double().cpu().numpy()
    own, residual, factor = _respect_blocks(own, residual, blocks)
    score = np.einsum("ki,kio->ko", own, residual)
    spread = np.einsum("kio,kip->kop", residual, residual)
    variance = (own**2).mean(1)[:, None, None] * spread * factor
    pvalues = np.ones(len(score))
    for k in range(len(score)):
        rank = np.linalg.matrix_rank(variance[k], hermitian=True, tol=1e-8 * np.trace(variance[k]))
        if rank:
            inverse = np.linalg.pinv(variance[k], rcond=1e-8, hermitian=True)
            pvalues[k] = chi2.sf(score[k] @ inverse @ score[k], rank)
    return pvalues


def _respect_blocks(own, residual, blocks):
    """Residuals and a variance factor that take account of dependent samples."""
    n_samples = own.shape[1]
    if blocks is None:
        return own - own.mean(1, keepdims=True), residual, n_samples / (n_samples - 1)
    n_groups = len(blocks.members)
    sums = np.zeros((n_groups, n_samples))
    sums[blocks.codes, np.arange(n_samples)] = 1.0
    if blocks.within:  # only differences inside groups were exchanged
        sizes = sums.sum(1)
        own = own - ((own @ sums.T) / sizes)[:, blocks.codes]
        means = np.einsum("gi,kio->kgo", sums / sizes[:, None], residual)
        residual = residual - means[:, blocks.codes]
        return own, residual, n_samples / max(n_samples - n_groups, 1)
    # whole groups were exchanged: a group is one observation
    contributions = np.einsum("gi,kio->kgo", sums, own[:, :, None] * residual)
    ones = np.ones(contributions.shape[:2])
    return ones, contributions, n_groups / max(n_groups - 1, 1)
