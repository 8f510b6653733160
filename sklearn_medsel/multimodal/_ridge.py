"""Ridge regression for any outcome, for falling penalties, in the span of the patients.

Thousands of columns cost what their patients cost: a ridge solution is a combination of rows, so
Newton's method works on the principal components of the rows.
"""

import numpy as np
from scipy import linalg

_MAX_STEPS = 20
_TOLERANCE = 1e-8
_NEAR = 1e-2  # gain of a step, relative to the loss, after which the curvature hardly changes
INTERCEPT_PENALTY = 1e-8
"""Penalty of an intercept, for the sake of the solver."""


def ridge_path(X, outcome, offset, penalties):
    """Coefficients for each penalty of loss + penalty / 2 * |coef|^2, one score at a time.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Features.
    outcome : Outcome
        Of the same patients.
    offset : ndarray of shape (n, K)
        Scores to start from.
    penalties : ndarray of shape (n_penalties,)
        Falling.

    Returns
    -------
    coef : ndarray of shape (n_penalties, p, K)
    intercept : ndarray of shape (n_penalties, K)
    """
    center = X.mean(axis=0)
    components, loadings = principal_components(X - center)
    n, r = components.shape
    if outcome.has_intercept:
        components = np.column_stack([components, np.ones(n)])
    coef = np.empty((len(penalties), X.shape[1], offset.shape[1]))
    intercept = np.empty((len(penalties), offset.shape[1]))
    for k, part in enumerate(outcome.parts()):
        solution = np.zeros(components.shape[1])
        for q, penalty in enumerate(penalties):
            weights = np.full(components.shape[1], penalty)
            weights[r:] = INTERCEPT_PENALTY
            solution = newton(components, part, offset[:, k], weights, solution)
            coef[q, :, k] = loadings @ solution[:r]
            intercept[q, k] = solution[r:].sum() - center @ coef[q, :, k]
    return coef, intercept


def principal_components(X):
    """Scores (n, r) of the rows of a centred matrix (n, p), and loadings (p, r)."""
    n, p = X.shape
    small = X @ X.T if n <= p else X.T @ X
    values, vectors = linalg.eigh(small, check_finite=False)
    kept = values > 1e-10 * max(values[-1], 1e-300)
    scale = np.sqrt(values[kept])
    if n <= p:
        scores = vectors[:, kept] * scale
        return scores, X.T @ (vectors[:, kept] / scale)
    return X @ vectors[:, kept], vectors[:, kept]


def newton(X, part, offset, penalty, start):
    """Minimise loss + sum(penalty * coef^2) / 2 by Newton's method with step halving.

    The curvature, which costs most, is not worked out again near the minimum.

    Parameters
    ----------
    X : ndarray of shape (n, r)
    part : Outcome
        With one score.
    offset : ndarray of shape (n,)
    penalty : ndarray of shape (r,)
    start : ndarray of shape (r,)

    Returns
    -------
    ndarray of shape (r,)
    """

    def objective(coef):
        loss = part.row_losses((X @ coef + offset)[:, None]).sum()
        return loss + (penalty * coef**2).sum() / 2

    coef, value, gain = start, objective(start), np.inf
    for _ in range(_MAX_STEPS):
        score = X @ coef + offset
        slope = X.T @ part.residual(score[:, None])[:, 0] - penalty * coef
        if gain > _NEAR * (abs(value) + 1):
            hessian = part.hessian(X, score)
            hessian[np.diag_indices_from(hessian)] += penalty
            factor = linalg.cho_factor(hessian, overwrite_a=True, check_finite=False)
        step = linalg.cho_solve(factor, slope, check_finite=False)
        new, better = _halved(objective, coef, step, value)
        if better > value:
            break
        gain, coef, value = value - better, new, better
        if gain <= _TOLERANCE * (abs(value) + 1):
            break
    return coef


def _halved(objective, coef, step, value):
    """First of ever shorter steps that does not raise the objective."""
    size = 1.0
    while True:
        new = coef + size * step
        reached = objective(new)
        if reached <= value or size < 1e-3:
            return new, reached
        size /= 2
