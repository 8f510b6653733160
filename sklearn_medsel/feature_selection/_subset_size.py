"""``n_features_to_select="auto"``: the fewest features that predict as well as any number does.

Features are ranked on bootstrap samples, a ridge model on the best few is scored on the samples
left out, and the smallest number within one standard error of the best mean score is taken.
"""

import numpy as np
import torch
from sklearn.metrics import r2_score

from ..survival import concordance_index, make_survival_y
from ._cox_linear import CoxRidge
from ._ranking import rank_features

_SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 165, 200)
_MAX_TRIES = 50
# Expected part of the samples that a bootstrap sample leaves out.
_LEFT_OUT = np.exp(-1)


def score_sizes(X, outcome, weight, seeds, blocks):
    """Out-of-bag score of the best 1, 2, ... features.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Standardised.
    outcome : Outcome
    weight : ndarray of shape (n_samples,)
        Sums to one.
    seeds : list of int
        One bootstrap sample each.
    blocks : RowBlocks or None
        Groups are drawn whole.

    Returns
    -------
    sizes : ndarray of shape (n_sizes,), int64
    scores : ndarray of shape (n_repeats, n_sizes)
        Balanced accuracy, R2 or concordance of each repeat; NaN where it is not defined.
    """
    counts = np.array([bootstrap_counts(outcome, seed, blocks) for seed in seeds])
    bag = torch.as_tensor(counts * weight).to(X)
    bag = bag / bag.sum(1, keepdim=True)
    importance = rank_features(X, outcome.family(X), bag, keep_history=False)
    sizes = np.array([size for size in _SIZES if size <= X.shape[1]])
    # order once for the largest size; each smaller set is its beginning
    order = np.argsort(-importance, axis=1, kind="stable")[:, : sizes[-1]]
    columns = X.T.cpu().numpy()
    scores = []
    for best, count in zip(order, counts, strict=True):
        values = columns[best].T.astype(np.float64)
        scores.append([_oob_score(values[:, :size], outcome, count) for size in sizes])
    return sizes, np.array(scores)


def smallest_good_size(sizes, scores, n_samples):
    """Smallest size within one standard error of the best mean score.

    The standard error is that of a score on all samples: bootstrap samples share the data, so
    averaging more of them does not make the estimate any surer. The spread over the repeats is
    that of a score on the left-out part, about 37 % of the samples, and is scaled to all of them.

    Returns
    -------
    size : int
    mean, standard_error : ndarray of shape (n_sizes,)
    """
    scores = scores[~np.isnan(scores).all(axis=1)]
    if not len(scores):
        raise ValueError(
            f"n_features_to_select='auto' found no way to leave samples out of {n_samples}. "
            "Pass the number of features, or a larger n_repeats."
        )
    mean = np.nanmean(scores, axis=0)
    spread = np.nanstd(scores, axis=0, ddof=1) if len(scores) > 1 else np.zeros_like(mean)
    error = spread * np.sqrt(_LEFT_OUT)
    best = int(np.argmax(mean))
    enough = mean >= mean[best] - error[best]
    return int(sizes[np.argmax(enough)]), mean, error


def bootstrap_counts(outcome, seed, blocks):
    """How often each sample is drawn; every stratum keeps its size and is drawn at least once."""
    rng = np.random.default_rng([seed, 2])
    n_samples = len(outcome)
    for _ in range(_MAX_TRIES):
        if blocks is not None:
            drawn = rng.integers(len(blocks.members), size=len(blocks.members))
            counts = np.bincount(drawn, minlength=len(blocks.members))[blocks.codes]
        else:
            counts = np.zeros(n_samples, dtype=np.int64)
            for stratum in np.unique(outcome.strata):
                rows = np.flatnonzero(outcome.strata == stratum)
                np.add.at(counts, rng.choice(rows, size=len(rows)), 1)
        if len(np.unique(outcome.strata[counts > 0])) == len(np.unique(outcome.strata)):
            break
    return counts


def _oob_score(X, outcome, counts):
    """Score on the samples left out of a ridge model trained on the drawn ones."""
    inside, outside = counts > 0, counts == 0
    if outside.sum() < 2:
        return np.nan
    train, test = outcome.take(inside), outcome.take(outside)
    if outcome.task == "survival":
        return _survival_score(X, train, test, counts)
    weight = counts[inside].astype(float)
    if outcome.task == "regression":
        predicted = _ridge(X[inside], X[outside], train.values, weight)
        return r2_score(test.values, predicted)
    present, codes, sizes = np.unique(test.values, return_inverse=True, return_counts=True)
    weight = weight / np.bincount(train.values, weights=weight)[train.values]
    one_hot = np.eye(len(outcome.classes))[train.values]
    correct = _ridge(X[inside], X[outside], one_hot, weight).argmax(axis=1) == test.values
    return np.mean(np.bincount(codes, weights=correct, minlength=len(present)) / sizes)


def _ridge(X_in, X_out, target, weight):
    """Predictions of a weighted ridge regression with intercept, solved in the smaller space."""
    weight = weight * len(weight) / weight.sum()
    mean, offset = np.average(X_in, 0, weight), np.average(target, 0, weight)
    root = np.sqrt(weight)[:, None]
    A, b = (X_in - mean) * root, (target - offset) * root
    n_samples, n_features = A.shape
    if n_features < n_samples:
        coef = np.linalg.solve(A.T @ A + n_features * np.eye(n_features), A.T @ b)
    else:
        coef = A.T @ np.linalg.solve(A @ A.T + n_features * np.eye(n_samples), b)
    return (X_out - mean) @ coef + offset


def _survival_score(X, train, test, counts):
    event, time = test.values.T
    if not event.any():
        return np.nan
    inside = np.repeat(np.arange(len(counts)), counts)
    drawn = np.repeat(np.arange((counts > 0).sum()), counts[counts > 0])
    y = make_survival_y(*train.values[drawn].T)
    model = CoxRidge().fit(X[inside], y)
    return concordance_index(make_survival_y(event, time), model.predict(X[counts == 0]))
