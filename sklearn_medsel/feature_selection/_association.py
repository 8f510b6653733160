"""How strongly each feature goes with the outcome by itself, whatever the other features say."""

import numpy as np
import torch
from scipy.stats import chi2, rankdata

_TINY = 1e-12


def null_residuals(family, weight):
    """What a model without features leaves unexplained.

    Parameters
    ----------
    family : one of the classes of `_families`
    weight : Tensor of shape (n_replicates, n_samples)
        Each row sums to one.

    Returns
    -------
    Tensor of shape (n_replicates, n_samples, n_outputs)
        Residuals times weights, in units of the residuals' standard deviation: class indicators
        or numbers without their mean, martingale residuals for survival.
    """
    residual, spread = _residuals(family, weight)
    return residual / spread


def association(X, family, weight):
    """Strength of association of each feature, by its values and by their ranks.

    The mean of two correlations with what a model without features leaves unexplained: of the
    values, which see how far apart outcomes lie, and of their ranks, which a few extreme samples
    cannot make. Over several outputs, the root of the sum of squares.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
    family : one of the classes of `_families`
    weight : Tensor of shape (n_replicates, n_samples)
        Each row sums to one.

    Returns
    -------
    ndarray of shape (n_replicates, n_features)
        Not negative.
    """
    residual = null_residuals(family, weight)
    ranks = torch.as_tensor(rankdata(X.cpu().numpy(), axis=0)).to(X) / len(X) - 0.5
    both = _size(X, residual, weight) + _size(ranks, residual, weight)
    return (both / 2).double().cpu().numpy()


def single_effects(X, family, weight):
    """Effect of each feature in a model of its own, by one Newton step from no effect.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
    family : one of the classes of `_families`
    weight : Tensor of shape (n_samples,)
        Sums to one.

    Returns
    -------
    ndarray of shape (n_features, n_outputs)
        Signed, per standard deviation.
    """
    residual, spread = _residuals(family, weight[None])
    # the square of the residual's spread is the curvature of the loss
    effects = _correlation(X, residual / spread, weight[None]) / spread.mT
    return effects[0].T.double().cpu().numpy()


def share_associated(X, family, weight):
    """Estimated part of the features that are associated with the outcome.

    Features that are not have uniform p-values: twice the part of the p-values above one half
    (Storey 2002).

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
    family : one of the classes of `_families`
    weight : Tensor of shape (n_samples,)
        Sums to one.

    Returns
    -------
    float
        May be a little below zero.
    """
    correlation = _size(X, null_residuals(family, weight[None]), weight[None])[0]
    n_effective = 1 / (weight**2).sum()
    freedom = max(family.n_outputs - family.redundant_outputs, 1)
    statistic = n_effective * correlation**2 * freedom / family.n_outputs
    pvalues = chi2.sf(statistic.double().cpu().numpy(), freedom)
    return float(1 - 2 * np.mean(pvalues > 0.5))


def _residuals(family, weight):
    """Residuals times weights, and the residuals' spread (n_replicates, 1, n_outputs)."""
    n_replicates, n_samples = weight.shape
    start = family.start(weight).expand(n_replicates, n_samples, family.n_outputs)
    residual = -family.gradient(start, weight)
    square = residual**2 / weight[:, :, None].clamp_min(_TINY)
    return residual, square.sum(1, keepdim=True).sqrt().clamp_min(_TINY)


def _size(X, residual, weight):
    """Size of the correlations over the outputs, of shape (n_replicates, n_features)."""
    return torch.linalg.vector_norm(_correlation(X, residual, weight), dim=1)


def _correlation(X, residual, weight):
    """Weighted correlations, of shape (n_replicates, n_outputs, n_features)."""
    mean, square = weight @ X, weight @ X**2
    spread = (square - mean**2).clamp_min(0).sqrt()[:, None]
    product = residual.mT @ X - residual.sum(1)[:, :, None] * mean[:, None]
    return torch.where(spread > 1e-5, product / spread.clamp_min(1e-5), 0.0)
