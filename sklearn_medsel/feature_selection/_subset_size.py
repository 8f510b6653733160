"""``n_features_to_select="auto"``: the fewest features that predict as well as any number does.

Features are ranked on bootstrap samples, a ridge model on the best few is scored on the samples
left out, and the smallest number within one standard error of the best mean score is taken.
"""

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning, UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score

from ..survival import concordance_index, make_survival_y
from ._cox_linear import CoxRidge
from ._ranking import rank_features

_SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 165, 200)
_MAX_TRIES = 50


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
    values = X.double().cpu().numpy() if X.numel() < 2_000_000 else X.cpu().numpy()
    scores = [
        [_oob_score(values[:, best[:size]], outcome, count) for size in sizes]
        for best, count in zip(order, counts, strict=True)
    ]
    return sizes, np.array(scores)


def smallest_good_size(sizes, scores):
    """Smallest size within one standard error of the best mean score.

    Returns
    -------
    size : int
    mean, standard_error : ndarray of shape (n_sizes,)
    """
    defined = ~np.isnan(scores).all(axis=1)
    scores = scores[defined]
    mean = np.nanmean(scores, axis=0)
    error = np.nanstd(scores, axis=0, ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else 0 * mean
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
    weight = counts[inside].astype(float)
    train, test = outcome.take(inside), outcome.take(outside)
    if outcome.task == "classification":
        return _classification_score(X[inside], X[outside], train, test, weight)
    if outcome.task == "regression":
        model = Ridge(alpha=0.1 * X.shape[1]).fit(X[inside], train.values, sample_weight=weight)
        return r2_score(test.values, model.predict(X[outside]).reshape(test.values.shape))
    return _survival_score(X, train, test, counts)


def _classification_score(X_in, X_out, train, test, weight):
    with warnings.catch_warnings():
        # one more iteration would not change which class is the likelier
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        model = LogisticRegression(C=1.0 / len(X_in[0]) ** 0.5, class_weight="balanced", max_iter=200)
        model.fit(X_in, train.values, sample_weight=weight)
        return balanced_accuracy_score(test.values, model.predict(X_out))


def _survival_score(X, train, test, counts):
    event, time = test.values.T
    if not event.any():
        return np.nan
    inside = np.repeat(np.arange(len(counts)), counts)
    drawn = np.repeat(np.arange((counts > 0).sum()), counts[counts > 0])
    y = make_survival_y(*train.values[drawn].T)
    model = CoxRidge().fit(X[inside], y)
    return concordance_index(make_survival_y(event, time), model.predict(X[counts == 0]))
