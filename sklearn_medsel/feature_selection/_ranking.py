"""Rank features along a sparse path that is solved three times.

Each time features are scaled by what the last solution gave them, as a selection layer in front of
the penalised weights does: features that mattered get in more easily, and the shrinkage that an L1
penalty puts on large coefficients falls.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ._path import largest_penalty, penalty_grid, solve_paths

_RESCALINGS, _RESCALING_POWER, _RESCALING_FLOOR = 2, 0.5, 0.1


@dataclass
class Ranking:
    """What the path says of every feature, over all samples.

    Attributes
    ----------
    importance : ndarray of shape (n_features,)
    effects : ndarray of shape (n_features, n_outputs)
        Signed coefficients at the last penalty, per standard deviation.
    fractions : ndarray of shape (n_steps,)
        Penalties, as fractions of the largest.
    history : ndarray of shape (n_steps, n_features, n_outputs)
    n_iter : int
    """

    importance: np.ndarray
    effects: np.ndarray
    fractions: np.ndarray
    history: np.ndarray
    n_iter: int


def rank_features(X, family, weight, *, keep_history=True, working_size=200):
    """Solve the path on all samples and rescale.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
    family : one of the classes of `_families`
    weight : Tensor of shape (n_replicates, n_samples)
        Each row sums to one.
    keep_history : bool
        Whether the path itself is wanted; then for one replicate.
    working_size : int
        See `solve_paths`.

    Returns
    -------
    Ranking, or ndarray of shape (n_replicates, n_features) without the history
    """
    gate, total, first = None, 0.0, None
    for stage in range(1 + _RESCALINGS):
        penalties = penalty_grid(largest_penalty(X, family, weight, gate), smallest=0.1)
        paths = solve_paths(
            X,
            family,
            penalties,
            weight,
            gate=gate,
            keep_history=keep_history and stage == 0,
            n_screens=1,
            n_iter=24 if stage == 0 else 16,
            working_size=working_size,
        )
        first = first or paths
        latest = _relative(paths.importance)
        total = total + latest
        gate = _relative((latest + _RESCALING_FLOOR) ** _RESCALING_POWER)
    importance = (total / (1 + _RESCALINGS)).double().cpu().numpy()
    if not keep_history:
        return importance
    return Ranking(
        importance=importance[0],
        effects=first.coef[0].double().cpu().numpy(),
        fractions=(0.9 * penalties[:, 0] / penalties[0, 0]).double().cpu().numpy(),
        history=torch.stack(first.history)[:, 0].double().cpu().numpy(),
        n_iter=(1 + _RESCALINGS) * first.n_iter,
    )


def _relative(importance):
    """Importances as fractions of each replicate's largest."""
    return importance / importance.amax(1, keepdim=True).clamp_min(1e-30)
