"""Which features are kept: as many as asked for, or those that beat their decoys.

A ridge model of all blocks weighs the features; a feature counts by its own weight and by that of
its block. Asked for a number, the weakest features are dropped in steps and the rest fitted anew,
until exactly that many are left.
"""

import numpy as np

from sklearn_medsel.multimodal._ridge import ridge_path
from sklearn_medsel.multimodal._units import permuted

_SHARE_KEPT = 0.8
# Light: features are to be judged beside the others, where a heavy penalty judges each by itself.
_PENALTY = np.array([0.1])
_MIN_PATIENTS = 8


def keep_exactly(inputs, outcome, rows, n_features, *, protected=None):
    """Drop features step by step until `n_features` are left.

    Parameters
    ----------
    inputs : Inputs
    outcome : Outcome
    rows : ndarray of int
        Patients to learn from.
    n_features : int
    protected : int or None
        Block that loses features only when no other has any left.

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
        weights[inputs.block[kept] == protected] += weights.max() + 1
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


def beat_decoys(inputs, outcome, penalty, units, rng, *, fdr, n_decoys=10):
    """Features whose weight is larger than chance gives, by Benjamini and Hochberg.

    Decoys are the blocks with the patients in another order: they have the correlations of the
    real features and nothing to do with the outcome. They compete in the same model.

    Parameters
    ----------
    inputs : Inputs
    outcome : Outcome
    penalty : float
    units : ndarray of shape (n,), int
        Rows of one unit change places together.
    rng : RandomState
    fdr : float
        Tolerated share of false ones among the features.
    n_decoys : int, default=10
        Sets of decoys.

    Returns
    -------
    selected : ndarray of shape (p,), bool
    qvalues : ndarray of shape (p,)
    """
    n, p = inputs.X.shape
    if n < _MIN_PATIENTS:
        return np.zeros(p, dtype=bool), np.ones(p)
    real, decoys = np.zeros(p), []
    X, nothing = _alike(inputs), np.zeros((n, outcome.n_outputs))
    for _ in range(n_decoys):
        both = np.hstack([X, X[permuted(units, rng)]])
        coef = ridge_path(both, outcome, nothing, np.array([penalty]))[0][0]
        own = np.sqrt((coef**2).sum(axis=1))
        real += own[:p] / n_decoys
        decoys.append(own[p:])
    decoys = np.array(decoys)
    qvalues = np.ones(p)
    null = np.sort(decoys.ravel())
    above = null.size - np.searchsorted(null, real, side="left")
    pvalues = (1 + above) / (1 + null.size)
    order = np.argsort(pvalues, kind="stable")
    adjusted = pvalues[order] * p / np.arange(1, p + 1)
    qvalues[order] = np.minimum(1, np.minimum.accumulate(adjusted[::-1])[::-1])
    return qvalues <= fdr, qvalues
