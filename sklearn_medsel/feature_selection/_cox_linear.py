"""Penalised linear Cox models of the comparison: ridge to predict, LASSO to select.

Both use the Breslow partial likelihood. They are private: the models offered to users are
`DeepFeatureCox` and `survival.cox_regression`.
"""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import enet_path
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sklearn_medsel._validation import check_survival_y
from sklearn_medsel.survival._partial_likelihood import PartialLikelihood

# Penalties without a smaller loss after which cross-validation stops.
_PATIENCE = 4


def _best_penalty(X, event, time, start_path, penalties, n_splits, seed):
    """Position of the penalty with the smallest loss over held-out folds, and the losses.

    A fold's share is the loss of all samples minus that of its training samples (Verweij and
    van Houwelingen 1993), so that folds with few events count as they should. The paths of all
    folds advance together and stop once the loss has risen long enough, since the smallest
    penalties take longest and overfit most.
    """
    n_splits = min(n_splits, int(event.sum()))
    if n_splits < 2:
        raise ValueError("Choosing a penalty by cross-validation needs two events; y has one.")
    # A handful of censored samples cannot be spread over the folds, and need not be.
    strata = event if np.sum(~event) >= n_splits else np.zeros(len(event), dtype=bool)
    whole = PartialLikelihood(event, time)
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    trains = [train for train, _ in folds.split(X, strata)]
    parts = [PartialLikelihood(event[train], time[train]) for train in trains]
    paths = [
        start_path(X[train], part, penalties) for train, part in zip(trains, parts, strict=True)
    ]
    losses = []
    for coefs in zip(*paths, strict=True):
        etas = [X @ coef for coef in coefs]
        losses.append(
            sum(
                whole.loss(eta) - part.loss(eta[train])
                for eta, train, part in zip(etas, trains, parts, strict=True)
            )
        )
        if len(losses) - 1 - int(np.argmin(losses)) >= _PATIENCE:
            break
    return int(np.argmin(losses)), np.array(losses)


def _last(path):
    for coef in path:
        last = coef
    return last


class CoxRidge(BaseEstimator):
    """Cox model with a ridge penalty chosen by cross-validation.

    Parameters
    ----------
    n_penalties : int, default=7
        Penalties tried, from 0.1 to 1,000 times the total variance of the features.
    cv : int, default=5
        Folds for choosing among them.
    """

    def __init__(self, n_penalties=7, *, cv=5):
        self.n_penalties = n_penalties
        self.cv = cv

    def fit(self, X, y):
        """Fit in the span of the samples, so that thousands of columns cost little.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, best standardised.
        y : structured array of shape (n_samples,) or DataFrame
            Event and time.

        Returns
        -------
        CoxRidge
            Fitted.
        """
        X = validate_data(self, X, dtype=np.float64)
        event, time = check_survival_y(y)
        self.mean_ = X.mean(axis=0)
        X = X - self.mean_
        # A ridge solution is a combination of samples: rotate to their principal components.
        left, singular, right = np.linalg.svd(X, full_matrices=False)
        kept = singular > 1e-10 * max(singular[0], 1e-300)
        scores = left[:, kept] * singular[kept]
        total = max(np.sum(singular**2) / len(X), 1e-12)
        penalties = total * np.geomspace(1e3, 0.1, self.n_penalties)
        best, _ = _best_penalty(scores, event, time, ridge_path, penalties, self.cv, seed=0)
        self.penalty_ = float(penalties[best])
        whole = PartialLikelihood(event, time)
        self.coef_ = _last(ridge_path(scores, whole, penalties[: best + 1])) @ right[kept]
        return self

    def predict(self, X):
        """Log hazard ratio against the mean patient.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        ndarray of shape (n_samples,)
            Higher is riskier.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return (X - self.mean_) @ self.coef_


def ridge_path(X, likelihood, penalties):
    """Coefficients for falling penalties of loss plus ``penalty / 2 * |coef|^2``, one by one.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Features; no more columns than samples for speed.
    likelihood : PartialLikelihood
        Of the same samples.
    penalties : ndarray of shape (n_penalties,)
        Penalties, falling.

    Yields
    ------
    ndarray of shape (n_features,)
        Coefficients.
    """
    coef = np.zeros(X.shape[1])
    for penalty in penalties:
        coef = _newton_ridge(X, likelihood, penalty, coef)
        yield coef


def _newton_ridge(X, likelihood, penalty, coef, max_iter=50, tol=1e-8):
    def objective(coef):
        return likelihood.loss(X @ coef) + penalty / 2 * coef @ coef

    value = objective(coef)
    for _ in range(max_iter):
        eta = X @ coef
        gradient = penalty * coef - X.T @ likelihood.residuals(eta)[0]
        hessian = likelihood.hessian(X, eta) + penalty * np.eye(len(coef))
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while objective(coef - size * step) > value and size > 1e-6:
            size /= 2
        if objective(coef - size * step) > value:
            break
        coef = coef - size * step
        previous, value = value, objective(coef)
        if previous - value <= tol * (abs(previous) + 1):
            break
    return coef


class CoxLasso(BaseEstimator):
    """Cox model with an L1 penalty chosen by cross-validation.

    Iteratively reweighted least squares with scikit-learn's coordinate descent inside, on the
    columns that the sequential strong rule keeps; the optimality conditions of the others are
    then checked.

    Parameters
    ----------
    n_alphas : int, default=20
        Penalties tried.
    alpha_min_ratio : float, default=0.1
        Smallest penalty as a fraction of the smallest one that selects nothing.
    cv : int, default=5
        Folds for choosing among them.
    random_state : int or None, default=None
        Seed of the folds.
    """

    def __init__(self, n_alphas=20, *, alpha_min_ratio=0.1, cv=5, random_state=None):
        self.n_alphas = n_alphas
        self.alpha_min_ratio = alpha_min_ratio
        self.cv = cv
        self.random_state = random_state

    def fit(self, X, y):
        """Choose the penalty and fit all samples with it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Standardised features.
        y : structured array of shape (n_samples,) or DataFrame
            Event and time.

        Returns
        -------
        CoxLasso
            Fitted, with ``coef_``.
        """
        X = check_array(X, dtype=np.float64)
        event, time = check_survival_y(y)
        X = np.asfortranarray(X - X.mean(axis=0))
        whole = PartialLikelihood(event, time)
        largest = np.abs(X.T @ whole.residuals(np.zeros(len(X)))[0]).max() / len(X)
        self.n_features_in_ = X.shape[1]
        self.alphas_ = largest * np.geomspace(1, self.alpha_min_ratio, self.n_alphas)
        self.coef_ = np.zeros(X.shape[1])
        self.alpha_ = float(largest)
        if largest == 0:
            return self
        best, self.losses_ = _best_penalty(
            X, event, time, lasso_path, self.alphas_, self.cv, seed=self.random_state
        )
        self.alpha_ = float(self.alphas_[best])
        self.coef_ = _last(lasso_path(X, whole, self.alphas_[: best + 1]))
        return self


def lasso_path(X, likelihood, alphas):
    """Coefficients for falling penalties of mean loss plus ``alpha * |coef|_1``, one by one.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Features, best in Fortran order.
    likelihood : PartialLikelihood
        Of the same samples.
    alphas : ndarray of shape (n_alphas,)
        Penalties, falling.

    Yields
    ------
    ndarray of shape (n_features,)
        Coefficients.
    """
    n_samples = len(X)
    X = np.asfortranarray(X)
    coef = np.zeros(X.shape[1])
    gradient = np.abs(X.T @ likelihood.residuals(np.zeros(n_samples))[0]) / n_samples
    previous = gradient.max()
    for alpha in alphas:
        active = (gradient >= 2 * alpha - previous) | (coef != 0)
        while True:
            kept = np.flatnonzero(active)
            coef[kept] = _lasso_active(X[:, kept], likelihood, alpha, coef[kept])
            residuals = likelihood.residuals(X[:, kept] @ coef[kept])[0]
            gradient = np.abs(X.T @ residuals) / n_samples
            missed = (gradient > alpha * (1 + 1e-6)) & ~active
            if not missed.any():
                break
            active |= missed
        previous = alpha
        yield coef.copy()


def _lasso_active(X, likelihood, alpha, coef, max_iter=100, tol=1e-8):
    if X.shape[1] == 0:
        return coef
    n_samples = len(X)

    def objective(coef):
        return likelihood.loss(X @ coef) / n_samples + alpha * np.abs(coef).sum()

    value = objective(coef)
    for _ in range(max_iter):
        eta = X @ coef
        residuals, curvature = likelihood.residuals(eta)
        curvature = np.maximum(curvature, 1e-6)
        root = np.sqrt(curvature)
        target = root * (eta + residuals / curvature)
        _, solution, _ = enet_path(
            np.asfortranarray(root[:, None] * X),
            target,
            l1_ratio=1.0,
            alphas=[alpha],
            coef_init=coef,
            tol=1e-8,
            max_iter=5000,
            precompute=False,
            check_input=False,
        )
        step = solution[:, 0] - coef
        size = 1.0
        while objective(coef + size * step) > value and size > 1e-4:
            size /= 2
        if objective(coef + size * step) > value:
            break
        coef = coef + size * step
        previous, value = value, objective(coef)
        if previous - value <= tol * max(abs(previous), 1e-3):
            break
    return coef
