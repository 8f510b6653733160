"""Pairs of features that act together: a screen of all of them by matrix products.

If two features act through their product, then among samples where the outcome is better than the
linear model says, they are correlated in one direction, and elsewhere in the other. So the
correlation of the pair, weighted by the linear model's residual, is computed for all pairs, in
blocks of one matrix product, and compared with the largest that permuted residuals give anywhere.

Real features are not independent: what main effects leave unexplained may look like a product of
two of their neighbours. A pair that passes the screen must therefore hold beside main effects too.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import gumbel_r, norm, rankdata

from ..base import to_tensor
from ._decoys import permute_rows

N_PERMUTATIONS = 24
# Below this no pair of 1,000 or more genes reaches the maximum of the permutations.
MIN_SAMPLES = 250
# Above this the auto mode does not screen: time grows with the square.
MAX_FEATURES = 20_000
_BLOCK = 2048


@dataclass
class PairScreen:
    """The strongest pairs.

    Attributes
    ----------
    pairs : ndarray of shape (n_pairs, 2), int64
        Columns, strongest pair first.
    statistics : ndarray of shape (n_pairs,)
        Size of the weighted correlation; about a standard normal score.
    pvalues : ndarray of shape (n_pairs,)
        Family-wise: the chance that permuted residuals give any pair as strong.
    """

    pairs: np.ndarray
    statistics: np.ndarray
    pvalues: np.ndarray


def screen_pairs(X, residual, rng, *, blocks=None, n_best=20, n_permutations=N_PERMUTATIONS):
    """Screen all pairs of columns.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
    residual : ndarray of shape (n_samples, n_outputs)
        What the linear model leaves unexplained.
    rng : numpy.random.Generator
    blocks : RowBlocks or None
        Which residuals may change places.
    n_best : int
        Number of pairs to return.
    n_permutations : int
        Permutations behind the p-values; a Gumbel distribution is fitted to their maxima.

    Returns
    -------
    PairScreen
    """
    scores = _normal_scores(X)
    statistics, pairs = _strongest(scores, residual, n_best)
    maxima = [
        _strongest(scores, residual[permute_rows(rng, len(residual), blocks)], 1)[0].max(initial=0)
        for _ in range(n_permutations)
    ]
    return PairScreen(pairs, statistics, maximum_pvalues(statistics, np.array(maxima)))


def confirm_pairs(screen, X, response, weight, main_effects):
    """Test each pair beside main effects, and take the larger p-value.

    The product is tested in a linear model that holds the main effects, the square of what they
    predict (a link function bends it), and both features of the pair with their squares. So that
    one true feature cannot bring a false partner, the p-value is multiplied by their number.

    Parameters
    ----------
    screen : PairScreen
    X : Tensor of shape (n_samples, n_features)
    response : ndarray of shape (n_samples, n_outputs)
        What a model without features leaves unexplained.
    weight : ndarray of shape (n_samples,)
        Sums to one.
    main_effects : ndarray of int
        Columns.

    Returns
    -------
    PairScreen
    """
    root = np.sqrt(weight)[:, None]
    main = X[:, main_effects.tolist()].double().cpu().numpy()
    basis = _span(main, weight)
    predicted = basis @ (basis.T @ (response * root)) / np.maximum(root, 1e-12)
    pvalues = screen.pvalues.copy()
    for place in np.flatnonzero(pvalues < 1):
        pair = _normal_scores(X[:, screen.pairs[place].tolist()]).double().cpu().numpy()
        basis = _span(np.hstack([main, predicted**2, pair, pair**2]), weight)
        product, left = (
            root * (values - weight @ values) for values in (pair.prod(1, keepdims=True), response)
        )
        product, left = (values - basis @ (basis.T @ values) for values in (product, left))
        freedom = max(len(X) - basis.shape[1], 1)
        size = np.linalg.norm(left, axis=0) * np.linalg.norm(product)
        z = np.abs(product.T @ left)[0] / np.maximum(size / np.sqrt(freedom), 1e-12)
        one = 2 * norm.sf(z.max()) * response.shape[1] * X.shape[1]
        pvalues[place] = min(1.0, max(pvalues[place], one))
    order = np.argsort(pvalues, kind="stable")
    return PairScreen(screen.pairs[order], screen.statistics[order], pvalues[order])


def _span(columns, weight):
    """Orthonormal basis of weighted, centred columns."""
    centred = (columns - weight @ columns) * np.sqrt(weight)[:, None]
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    return left[:, singular > 1e-6 * max(singular.max(initial=0), 1e-12)]


def _normal_scores(X):
    """Each column by the normal scores of its ranks, so that no outlier makes a pair."""
    columns = X.T.cpu().numpy()
    out = np.empty_like(columns)
    for start in range(0, len(columns), _BLOCK):
        ranks = rankdata(columns[start : start + _BLOCK], axis=1)
        scores = ndtri((ranks - 0.5) / columns.shape[1])
        scores -= scores.mean(axis=1, keepdims=True)
        spread = scores.std(axis=1, keepdims=True)
        out[start : start + _BLOCK] = scores / np.where(spread > 0, spread, 1.0)
    return to_tensor(out, X.device).T


def _strongest(scores, residual, n_best):
    """Statistics and columns of the `n_best` strongest pairs, over all outputs."""
    best = torch.full((n_best,), -1.0, dtype=scores.dtype, device=scores.device)
    where = torch.zeros(n_best, 2, dtype=torch.int64, device=scores.device)
    n_samples, n_features = scores.shape
    outputs = torch.as_tensor(residual - residual.mean(axis=0)).to(scores)
    outputs = outputs / (outputs.std(0, correction=0).clamp_min(1e-12) * n_samples**0.5)
    for start in range(0, n_features, _BLOCK):
        rows = scores[:, start : start + _BLOCK].T
        for other in range(start, n_features, _BLOCK):
            columns = scores[:, other : other + _BLOCK]
            product = ((rows * outputs[:, 0]) @ columns).abs_()
            for output in outputs.T[1:]:  # a pair counts once, for the output it acts on most
                torch.maximum(product, ((rows * output) @ columns).abs_(), out=product)
            if other == start:
                product.triu_(1)
            # most tiles hold nothing: one look at their maximum is enough
            if product.max() <= best[-1]:
                continue
            best, where = _merge(best, where, product, start, other)
    found = best > 0
    return best[found].double().cpu().numpy(), where[found].cpu().numpy()


def _merge(best, where, product, start, other):
    """Best entries of a tile and of what was found before."""
    values, places = product.flatten().topk(min(len(best), product.numel()))
    columns = torch.stack(
        [start + places // product.shape[1], other + places % product.shape[1]], dim=1
    )
    values, columns = torch.cat([best, values]), torch.cat([where, columns])
    top = values.topk(len(best)).indices
    return values[top], columns[top]


def maximum_pvalues(statistics, maxima):
    """Chance of a maximum this large, from a Gumbel distribution with the maxima's moments."""
    if not np.size(statistics):
        return np.empty(0)
    scale = max(maxima.std(ddof=1 if len(maxima) > 1 else 0) * np.sqrt(6) / np.pi, 1e-3)
    location = maxima.mean() - np.euler_gamma * scale
    return gumbel_r.sf(statistics, location, scale)
