"""Which features are kept: as many as asked for, or those that beat their decoys.

Asked for a number, a ridge model of all blocks weighs the features; the weakest are dropped in
steps and the rest fitted anew, until exactly that many are left. A feature counts by its own weight
and by that of its block. Otherwise the tests of `DeepFeatureSelector` tell.
"""

import numpy as np

from sklearn_medsel.base import draw_seeds
from sklearn_medsel.feature_selection._selector import passing_features
from sklearn_medsel.multimodal._ridge import ridge_path

_SHARE_KEPT = 0.8
# Light: features are to be judged beside the others, where a heavy penalty judges each by itself.
_PENALTY = np.array([0.1])
_MIN_PATIENTS = 8  # for p-values
_N_DECOYS = 10


def keep_exactly(inputs, outcome, rows, n_features):
    """Drop features step by step until `n_features` are left.

    Parameters
    ----------
    inputs : Inputs
    outcome : Outcome
    rows : ndarray of int
        Patients to learn from.
    n_features : int

    Returns
    -------
    ndarray of shape (p,), bool
    """
    kept = np.arange(inputs.X.shape[1])
    part = outcome.take(rows)
    nothing = np.zeros((len(rows), outcome.n_outputs))
    while len(kept) > n_features:
        X = _alike(inputs)[np.ix_(rows, kept)]
        coef = ridge_path(X, part, nothing, _PENALTY)[0][0]
        weights = feature_weights(coef, inputs.block[kept])
        n_next = max(n_features, int(_SHARE_KEPT * len(kept)))
        kept = kept[np.sort(np.argsort(-weights, kind="stable")[:n_next])]
    mask = np.zeros(inputs.X.shape[1], dtype=bool)
    mask[kept] = True
    return mask


def _alike(inputs):
    """Features that all count alike, whatever the size of their block."""
    return inputs.X / (inputs.scale * inputs.X.shape[1] ** 0.5)


def feature_weights(coef, block):
    """Weight (p,) of each feature: that of its own coefficients, times that of its block.

    The geometric mean of both is the selection weight that a group lasso with its penalty split
    over features and blocks would give.
    """
    own = np.sqrt((coef**2).sum(axis=1))
    mean_square = np.bincount(block, own**2) / np.maximum(1, np.bincount(block))
    return np.sqrt(own * np.sqrt(mean_square)[block])


def beat_decoys(inputs, outcome, units, seed, *, fdr):
    """Features that tell more than chance and more than what they are correlated with.

    Parameters
    ----------
    inputs : Inputs
    outcome : Outcome
    units : ndarray of shape (n,), int
        Rows of one unit are one patient.
    seed : int
    fdr : float
        Tolerated share of false ones among the features.

    Returns
    -------
    selected : ndarray of shape (p,), bool
    """
    n, p = inputs.X.shape
    if n < _MIN_PATIENTS:
        return np.zeros(p, dtype=bool)
    target, units = _whole_units(outcome, units)
    return passing_features(
        (inputs.X / inputs.scale).astype(np.float32),
        target,
        task=outcome.task,
        fdr=fdr,
        groups=units if len(np.unique(units)) < n else None,
        seeds=draw_seeds(seed, _N_DECOYS),
    )


def _whole_units(outcome, units):
    """Target (n,) that is one for all rows of a unit, and the units (n,) that have one.

    Decoys take each other's places by whole units, which only units with one outcome can. Numbers
    are averaged, and of several follow-ups the longest one counts. A patient with rows of several
    classes becomes one unit for each.
    """
    target = outcome.target()
    _, unit = np.unique(units, return_inverse=True)
    if outcome.task == "regression":
        return (np.bincount(unit, target) / np.bincount(unit))[unit], unit
    if outcome.task == "survival":
        by_time = np.lexsort((outcome.time, unit))
        last = by_time[np.append(np.diff(unit[by_time]) > 0, True)]
        return target[last][unit], unit
    _, label = np.unique(target, return_inverse=True)
    return target, unit * (label.max() + 1) + label
