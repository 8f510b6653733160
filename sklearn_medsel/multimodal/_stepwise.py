"""Forward selection: a few features that matter by themselves, fitted freely.

Many shrunken effects leave over much of what main effects explain, and an interaction drowns in
it. Few features fitted freely leave less over where few matter, and tell which ones do.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from sklearn_medsel.multimodal._ridge import INTERCEPT_PENALTY, newton

_MOST = 20  # features per score
_PATIENCE = 3  # steps without a better criterion
_N_TRIED = 20  # features weighed in a step, of those that go with what is left over
_PENALTY = 1.0  # so that classes that features part completely do not run away
_PRIOR = 0.25  # of the extended criterion


@dataclass
class MainEffects:
    """Features that matter by themselves.

    Attributes
    ----------
    features : ndarray of shape (F + 1, p), bool
        Chosen without each fold, then in all patients.
    oof : ndarray of shape (n, K)
        Scores of each patient, by the features chosen and weighed without their fold.
    """

    features: np.ndarray
    oof: np.ndarray


def find_main_effects(X, outcome, folds):
    """Choose features one by one, by the extended Bayesian information criterion.

    Chen and Chen, Biometrika 2008;95:759, with its parameter at 1/4.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Features that count alike.
    outcome : Outcome
    folds : list of (ndarray, ndarray)
        Training and held-out patients.

    Returns
    -------
    MainEffects
    """
    everyone = np.arange(len(X))
    features = np.zeros((len(folds) + 1, X.shape[1]), dtype=bool)
    oof = np.zeros((len(X), outcome.n_outputs))
    for f, (train, held_out) in enumerate([*folds, (everyone, everyone[:0])]):
        learnt = outcome.take(train)
        if not learnt.can_teach():
            continue
        center = X[train].mean(axis=0)
        for k, part in enumerate(learnt.parts()):
            chosen, coef = _choose(X[train] - center, part)
            features[f, chosen] = True
            oof[held_out, k] = (X[np.ix_(held_out, chosen)] - center[chosen]) @ coef
    return MainEffects(features, oof)


def _choose(X, part):
    """Features of a centred matrix (n, p), and their coefficients."""
    p = X.shape[1]
    price = np.log(part.n_told()) + 2 * _PRIOR * np.log(p)
    chosen, model = [], _Model(X[:, []], part, np.zeros(int(part.has_intercept)))
    best, least, since = ([], np.zeros(0)), model.deviance, 0
    while len(chosen) < min(_MOST, p) and since < _PATIENCE:
        slope = np.abs(X.T @ model.rest)
        slope[chosen] = -1
        tried = np.argsort(-slope, kind="stable")[: min(_N_TRIED, p - len(chosen))]
        added = tried[np.argmax(model.gains(X[:, tried]))]
        chosen = [*chosen, int(added)]
        model = _Model(X[:, chosen], part, np.insert(model.coef, len(chosen) - 1, 0.0))
        criterion = model.deviance + len(chosen) * price
        since += 1
        if criterion < least:
            best, least, since = (chosen, model.coef[: len(chosen)]), criterion, 0
    return best


class _Model:
    """A model of some features (n, k), and an intercept where the outcome has one."""

    def __init__(self, X, part, start):
        n, k = X.shape
        self.part = part
        self.rows = np.column_stack([X, np.ones((n, int(part.has_intercept)))])
        self.penalty = np.full(self.rows.shape[1], _PENALTY)
        self.penalty[k:] = INTERCEPT_PENALTY
        self.coef = start
        if len(start):
            self.coef = newton(self.rows, part, np.zeros(n), self.penalty, start)
        self.score = self.rows @ self.coef
        self.rest = part.residual(self.score[:, None])[:, 0]
        self.deviance = part.deviance(self.score[:, None])

    def gains(self, X):
        """How much the likelihood would gain, about, by each of some more features (n, c).

        Rao's score test: the square of the slope over what the model leaves of the curvature.
        """
        k = self.rows.shape[1]
        hessian = self.part.hessian(np.column_stack([self.rows, X]), self.score)
        own = hessian[:k, :k] + np.diag(self.penalty)
        explained = linalg.solve(own, hessian[:k, k:], assume_a="pos") if k else hessian[:k, k:]
        left = np.diag(hessian)[k:] - (hessian[:k, k:] * explained).sum(axis=0)
        return (X.T @ self.rest) ** 2 / (left + _PENALTY)
