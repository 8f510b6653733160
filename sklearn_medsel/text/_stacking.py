"""Channels combined: folds, out-of-fold log-odds, and a logistic regression on these."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from sklearn_medsel._folds import even_folds, most_folds

_LEAST_ALONE = 0.01
_LIMIT = 15.0  # a separable training set has log-odds without bounds


def make_folds(strata, groups, n_splits, seed):
    """Split reports into folds, the same text or group never on both sides.

    Parameters
    ----------
    strata : ndarray of shape (n,)
        Classes, each of which should be in every fold.
    groups : ndarray of shape (n,), int
        Reports of one group stay together.
    n_splits : int
        Number of folds wanted; fewer where a class has too few groups.
    seed : int
        Seed of the shuffling.

    Returns
    -------
    list of (ndarray, ndarray)
        Training and held-out reports; empty where a class is in one group only.
    """
    n_splits = min(n_splits, most_folds(strata, groups))
    if n_splits < 2:
        return []
    # groups of one are no groups: plain folds then keep the classes in better proportion
    alone = len(np.unique(groups)) == len(groups)
    return even_folds(strata, None if alone else groups, n_splits, seed)


class Stack:
    """Logistic regression from the channels' log-odds to calibrated ones, one per output.

    Weights are not negative, as in Breiman's stacked regressions (Machine Learning 1996;24:49): a
    channel that did worse than chance out of fold is no use upside down. The weight of a single
    channel is positive, so that its order of the reports stays.

    Attributes
    ----------
    coef : ndarray of shape (n_outputs, n_channels)
    intercept : ndarray of shape (n_outputs,)
    """

    def equal(self, n_outputs, n_channels):
        """Weigh all channels alike, as where there are no folds to learn from; return self."""
        self.coef = np.full((n_outputs, n_channels), 1 / n_channels)
        self.intercept = np.zeros(n_outputs)
        return self

    def fit(self, log_odds, target, weight):
        """Fit on log-odds (n, n_outputs, n_channels), target and weight (n, n_outputs)."""
        self.equal(target.shape[1], log_odds.shape[2])
        for k in range(target.shape[1]):
            used = weight[:, k] > 0
            if len(np.unique(target[used, k])) == 2:
                self.coef[k], self.intercept[k] = _non_negative_logistic(
                    _bounded(log_odds[used, k]), target[used, k], weight[used, k]
                )
        return self

    def combine(self, log_odds):
        """Give log-odds (n, n_outputs) from those of the channels (n, n_outputs, n_channels)."""
        return np.einsum("nkc,kc->nk", _bounded(log_odds), self.coef) + self.intercept


def out_of_fold_log_odds(log_odds, target, weight, folds):
    """Combine out-of-fold log-odds by weights that are learnt out of fold as well."""
    combined = np.full(target.shape, np.nan)
    for train, held_out in folds:
        stack = Stack().fit(log_odds[train], target[train], weight[train])
        combined[held_out] = stack.combine(log_odds[held_out])
    return combined


def probabilities(log_odds, kind):
    """Turn log-odds (n, n_outputs) into what ``predict_proba`` returns for this kind of target."""
    positive = expit(log_odds)
    if kind == "binary":
        return np.hstack([1 - positive, positive])
    if kind == "multiclass":
        return positive / positive.sum(1, keepdims=True)
    return positive


def _non_negative_logistic(X, target, weight):
    """Ridge-penalised logistic regression with coefficients that are not negative."""
    n_channels = X.shape[1]
    least = _LEAST_ALONE if n_channels == 1 else 0.0

    def objective(coef):
        log_odds = coef[0] + X @ coef[1:]
        loss = weight @ (np.logaddexp(0, log_odds) - target * log_odds)
        slope = weight * (expit(log_odds) - target)
        gradient = np.concatenate([[slope.sum()], slope @ X + coef[1:]])
        return loss + coef[1:] @ coef[1:] / 2, gradient

    start = np.concatenate([[0.0], np.full(n_channels, 1 / n_channels)])
    bounds = [(None, None), *[(least, None)] * n_channels]
    options = {"ftol": 1e-14, "gtol": 1e-7}
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return found.x[1:], found.x[0]


def _bounded(log_odds):
    return np.clip(log_odds, -_LIMIT, _LIMIT)
