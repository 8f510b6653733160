"""What is predicted: classes, a number, or survival, as losses of a score per patient.

A score is a log-odds, one score per class (softmax), a number in standard deviations of the
target, or a log hazard. Solvers need the loss of each patient, its slope and its curvature, and
nothing else of the task.
"""

import numpy as np
import torch
from scipy.special import expit, log_softmax, softmax

from sklearn_medsel._validation import is_survival_y
from sklearn_medsel.feature_selection._families import (
    CoxFamily,
    LogisticFamily,
    MultinomialFamily,
    SquaredFamily,
)
from sklearn_medsel.survival._partial_likelihood import PartialLikelihood
from sklearn_medsel.survival._target import make_survival_y

_STEPS = 25


def refuse_survival(y):
    """Raise ValueError if there is survival data where classes or numbers are expected."""
    if is_survival_y(y):
        raise ValueError("y is a survival target, an event and a time; use MultimodalCox.")


class Outcome:
    """What the solvers ask of an outcome of n patients with K scores each.

    Attributes
    ----------
    task : {"classification", "regression", "survival"}
    n_outputs : int
        Number K of scores.
    has_intercept : bool
        Whether a constant added to all scores changes the loss.
    """

    n_outputs = 1
    has_intercept = True
    task = "classification"

    def target(self):
        """Outcome as the estimators of other packages take it."""
        return self.y

    def family(self, like):
        """Outcome as the path solver takes it, in the dtype of the tensor `like`."""
        raise NotImplementedError

    def take(self, rows):
        """Outcome of some patients."""
        raise NotImplementedError

    def parts(self):
        """One outcome per score, for solvers that fit the scores one by one."""
        return [self]

    def strata(self):
        """What folds are to hold in equal shares (n,)."""
        raise NotImplementedError

    def can_teach(self):
        """Whether the patients differ enough in their outcome to learn from.

        Two of several classes are enough: what tells these apart is worth knowing.
        """
        return len(self) > 2 and len(np.unique(self.strata())) > 1

    def row_losses(self, scores):
        """Loss of each patient (n,) at scores (n, K)."""
        raise NotImplementedError

    def deviance(self, scores):
        """Minus twice the log-likelihood, but for a constant."""
        return 2 * self.row_losses(scores).sum()

    def n_told(self):
        """How many patients tell something, in the eyes of an information criterion."""
        return len(self)

    def residual(self, scores):
        """Minus the slope of the loss in the scores (n, K)."""
        raise NotImplementedError

    def intercept(self, scores):
        """Constant (K,) that suits the scores best."""
        constant = np.zeros(self.n_outputs)
        if not self.has_intercept:
            return constant
        for _ in range(_STEPS):
            step = np.clip(self._newton_step(scores + constant), -2, 2)
            constant = constant + step
            if np.abs(step).max() < 1e-8:
                break
        return constant - constant.mean() if self.n_outputs > 1 else constant

    def _newton_step(self, scores):
        """What Newton's method adds to the constant (K,)."""
        raise NotImplementedError


class Binary(Outcome):
    """Two classes; the score is the log-odds of the second one."""

    def __init__(self, y):
        self.y = np.asarray(y, dtype=np.float64)

    def __len__(self):
        return len(self.y)

    def family(self, like):
        """Give the logistic family."""
        return LogisticFamily(torch.as_tensor(self.y).to(like))

    def take(self, rows):
        """Outcome of some patients."""
        return Binary(self.y[rows])

    def strata(self):
        """Give the classes."""
        return self.y

    def row_losses(self, scores):
        """Binary cross entropy."""
        return np.logaddexp(0, scores[:, 0]) - self.y * scores[:, 0]

    def residual(self, scores):
        """Class minus probability."""
        return (self.y - expit(scores[:, 0]))[:, None]

    def hessian(self, X, score):
        """Second derivative of the loss in coefficients of `X`."""
        p = expit(score)
        loud = np.sqrt(p * (1 - p))[:, None] * X  # a matrix times itself costs half of a product
        return loud.T @ loud

    def _newton_step(self, scores):
        p = expit(scores[:, 0])
        return self.residual(scores).sum(0) / max((p * (1 - p)).sum(), 1e-8)


class Classes(Outcome):
    """More than two classes: a score for each, compared by softmax."""

    def __init__(self, y, n_classes):
        self.y, self.n_outputs = np.asarray(y), n_classes

    def __len__(self):
        return len(self.y)

    def family(self, like):
        """Give the multinomial family."""
        return MultinomialFamily(torch.as_tensor(np.eye(self.n_outputs)[self.y]).to(like))

    def take(self, rows):
        """Outcome of some patients."""
        return Classes(self.y[rows], self.n_outputs)

    def parts(self):
        """Each class against the others."""
        return [Binary(self.y == k) for k in range(self.n_outputs)]

    def strata(self):
        """Give the classes."""
        return self.y

    def row_losses(self, scores):
        """Cross entropy."""
        return -log_softmax(scores, axis=1)[np.arange(len(self.y)), self.y]

    def residual(self, scores):
        """Indicator minus probability of each class."""
        residual = -softmax(scores, axis=1)
        residual[np.arange(len(self.y)), self.y] += 1
        return residual

    def _newton_step(self, scores):
        # all scores at once: step by step of each alone, two classes would pass each other by
        p = softmax(scores, axis=1)
        curvature = np.diag(p.sum(axis=0)) - p.T @ p
        # the same added to all scores changes nothing: the curvature lacks that direction
        curvature += max(curvature.diagonal().mean(), 1e-8)
        curvature[np.diag_indices_from(curvature)] += 1e-8
        return np.linalg.solve(curvature, self.residual(scores).sum(axis=0))


class Numbers(Outcome):
    """A number, standardised by the caller."""

    task = "regression"

    def __init__(self, y):
        self.y = np.asarray(y, dtype=np.float64)

    def __len__(self):
        return len(self.y)

    def family(self, like):
        """Give the family of squared errors."""
        return SquaredFamily(torch.as_tensor(self.y[:, None]).to(like))

    def take(self, rows):
        """Outcome of some patients."""
        return Numbers(self.y[rows])

    def strata(self):
        """Nothing to keep in shares."""
        return np.zeros(len(self.y))

    def can_teach(self):
        """Whether the numbers differ."""
        return len(self) > 2 and np.ptp(self.y) > 0

    def row_losses(self, scores):
        """Half the squared error."""
        return (self.y - scores[:, 0]) ** 2 / 2

    def deviance(self, scores):
        """Minus twice the log-likelihood, the variance being what the scores leave over."""
        return len(self.y) * np.log(np.mean((self.y - scores[:, 0]) ** 2) + 1e-12)

    def residual(self, scores):
        """Error."""
        return (self.y - scores[:, 0])[:, None]

    def hessian(self, X, score):
        """Second derivative of the loss in coefficients of `X`."""
        return X.T @ X

    def _newton_step(self, scores):
        return self.residual(scores).sum(0) / len(self.y)


class Survival(Outcome):
    """Time to an event, perhaps censored; the score is a log hazard."""

    has_intercept = False
    task = "survival"

    def __init__(self, event, time):
        self.event, self.time = event, time
        self._likelihood = PartialLikelihood(event, time)

    def __len__(self):
        return len(self.time)

    def target(self):
        """Event and time as one array."""
        return make_survival_y(self.event, self.time)

    def family(self, like):
        """Give the family of the partial likelihood."""
        return CoxFamily(self.event, self.time, like)

    def take(self, rows):
        """Outcome of some patients."""
        return Survival(self.event[rows], self.time[rows])

    def strata(self):
        """Whether the event was seen."""
        return self.event.astype(int)

    def can_teach(self):
        """Whether an event was seen."""
        return len(self) > 2 and self.event.any()

    def n_told(self):
        """Count the events (Volinsky and Raftery, Biometrics 2000;56:256)."""
        return int(self.event.sum())

    def row_losses(self, scores):
        """Negative log partial likelihood, shared out to those with an event."""
        return self._likelihood.event_losses(scores[:, 0])

    def residual(self, scores):
        """Martingale residuals."""
        return self._likelihood.residuals(scores[:, 0])[0][:, None]

    def hessian(self, X, score):
        """Second derivative of the loss in coefficients of `X`."""
        return self._likelihood.hessian(X, score)
