"""Lasso models for any outcome: few features, where ridge models take a little of all.

All folds are solved at once, as weighted copies, by the path solver of feature selection.
"""

import numpy as np
import torch

from sklearn_medsel.feature_selection._path import largest_penalty, penalty_grid, solve_paths

_SMALLEST = 0.1  # penalty, as a part of the one that lets no feature in
_ITERATIONS = 24


def lasso_paths(X, outcome, offset, teaches, kept, n_penalties):
    """Coefficients of lasso models for falling penalties, for several sets of patients.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Features that count alike.
    outcome : Outcome
    offset : ndarray of shape (n, K)
        Scores to start from.
    teaches : ndarray of shape (F, n), bool
        Patients that each model learns from.
    kept : ndarray of shape (F, p), bool
        Features that each model may use.
    n_penalties : int

    Returns
    -------
    ndarray of shape (F, n_penalties, p, K)
    """
    table = torch.as_tensor(X, dtype=torch.float32)
    family = outcome.family(table)
    weight = torch.as_tensor(teaches / teaches.sum(axis=1, keepdims=True)).to(table)
    shift = np.stack([_constant(outcome.take(rows), offset[rows]) for rows in teaches])
    offset = torch.as_tensor(offset + shift[:, None]).to(table)
    gate = torch.as_tensor(kept).to(table)
    largest = largest_penalty(table, family, weight, gate, offset).clamp_min(1e-12)
    paths = solve_paths(
        table,
        family,
        penalty_grid(largest, smallest=_SMALLEST, n_steps=n_penalties),
        weight,
        gate=gate,
        offset=offset,
        keep_history=True,
        n_screens=1,
        n_iter=_ITERATIONS,
    )
    return torch.stack(paths.history, 1).double().numpy()


def _constant(outcome, offset):
    """What the offset's best intercept is above that of no offset, from which the solver starts."""
    return outcome.intercept(offset) - outcome.intercept(np.zeros_like(offset))
