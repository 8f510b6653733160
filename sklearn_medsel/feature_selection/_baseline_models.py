"""Models behind the baselines: LASSO and forest to select with, a tuned ridge to judge them."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import l1_min_c
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_medsel._validation import check_survival_y


class LassoLogistic(BaseEstimator):
    """L1 logistic regression, penalty by cross-validation, one class against the rest.

    scikit-learn's `LogisticRegressionCV` over penalties that are scaled to the data, from just
    below the one that selects nothing.

    Parameters
    ----------
    n_penalties : int, default=8
        Penalties tried, down to a thirtieth of the largest.
    cv : int, default=5
        Folds for choosing among them by log loss.
    random_state : int, RandomState instance or None, default=None
        Seed of the solver.
    """

    def __init__(self, n_penalties=8, *, cv=5, random_state=None):
        self.n_penalties = n_penalties
        self.cv = cv
        self.random_state = random_state

    def fit(self, X, y):
        """Fit one model per class, or one for two classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Standardised features.
        y : array-like of shape (n_samples,)
            Classes.

        Returns
        -------
        LassoLogistic
            Fitted, with ``coef_`` of shape (n_models, n_features).
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        self.classes_, codes = np.unique(y, return_inverse=True)
        positive = [1] if len(self.classes_) == 2 else range(len(self.classes_))
        self.coef_ = np.vstack([self._fit_one(X, codes == k) for k in positive])
        return self

    def _fit_one(self, X, is_class):
        n_splits = _n_splits(self.cv, is_class)
        smallest = l1_min_c(X, is_class, loss="log")
        model = LogisticRegressionCV(
            Cs=smallest * np.geomspace(1.05, 30, self.n_penalties),
            l1_ratios=(1,),
            cv=StratifiedKFold(n_splits, shuffle=True, random_state=0),
            solver="liblinear",
            scoring="neg_log_loss",
            max_iter=1000,
            use_legacy_attributes=False,
            random_state=self.random_state,
        )
        return model.fit(X, is_class).coef_


def _n_splits(cv, y):
    smallest = int(np.unique(y, return_counts=True)[1].min())
    if smallest < 2:
        raise ValueError(
            "Choosing a penalty by cross-validation needs two samples of every class; a class "
            "has one. Use fewer or other folds, or leave that class out."
        )
    return min(cv, smallest)


class ResidualForest(BaseEstimator):
    """Random forest on the martingale residuals of a survival model without features.

    Parameters
    ----------
    n_estimators : int, default=300
        Number of trees.
    random_state : int, RandomState instance or None, default=None
        Seed of the trees.
    """

    def __init__(self, n_estimators=300, *, random_state=None):
        self.n_estimators = n_estimators
        self.random_state = random_state

    def fit(self, X, y):
        """Fit the residuals: event minus the Nelson-Aalen cumulative hazard at the time.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : structured array of shape (n_samples,) or DataFrame
            Event and time.

        Returns
        -------
        ResidualForest
            Fitted, with ``feature_importances_``.
        """
        event, time = check_survival_y(y)
        times = np.unique(time)
        at_risk = len(time) - np.searchsorted(np.sort(time), times, side="left")
        deaths = np.bincount(np.searchsorted(times, time[event]), minlength=len(times))
        hazard = np.cumsum(deaths / at_risk)[np.searchsorted(times, time)]
        forest = RandomForestRegressor(
            self.n_estimators, max_features="sqrt", random_state=self.random_state
        )
        forest.fit(X, event - hazard)
        self.n_features_in_ = forest.n_features_in_
        self.feature_importances_ = forest.feature_importances_
        return self


class RidgeLogistic(ClassifierMixin, BaseEstimator):
    """Ridge logistic regression with balanced classes and a penalty chosen by log loss.

    The features are rotated to the principal components of the samples first, which changes
    nothing in the solution and makes thousands of columns as cheap as a few hundred.

    Parameters
    ----------
    n_penalties : int, default=7
        Penalties tried, from 1,000 to 0.001 times the total variance of the features.
    cv : int, default=5
        Folds for choosing among them.
    """

    def __init__(self, n_penalties=7, *, cv=5):
        self.n_penalties = n_penalties
        self.cv = cv

    def fit(self, X, y):
        """Fit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, best standardised.
        y : array-like of shape (n_samples,)
            Classes.

        Returns
        -------
        RidgeLogistic
            Fitted.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        self.mean_ = X.mean(axis=0)
        _, singular, right = np.linalg.svd(X - self.mean_, full_matrices=False)
        kept = singular > 1e-10 * max(singular[0], 1e-300)
        kept[0] = True
        self.rotation_ = right[kept].T
        total = max(np.sum(singular**2) / len(X), 1e-12)
        folds = StratifiedKFold(_n_splits(self.cv, y), shuffle=True, random_state=0)
        search = LogisticRegressionCV(
            Cs=np.geomspace(1e-3, 1e3, self.n_penalties) / total,
            l1_ratios=(0,),
            cv=folds,
            scoring="neg_log_loss",
            class_weight="balanced",
            max_iter=2000,
            use_legacy_attributes=False,
        )
        # as codes: LogisticRegressionCV takes balanced labels such as "1" for unknown classes
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.model_ = search.fit((X - self.mean_) @ self.rotation_, codes)
        return self

    def _rotate(self, X):
        check_is_fitted(self)
        return (validate_data(self, X, dtype=np.float64, reset=False) - self.mean_) @ self.rotation_

    def decision_function(self, X):
        """Log odds, as scikit-learn's `LogisticRegression`."""
        return self.model_.decision_function(self._rotate(X))

    def predict_proba(self, X):
        """Probability of each class, (n_samples, n_classes)."""
        return self.model_.predict_proba(self._rotate(X))

    def predict(self, X):
        """Most probable class of each sample."""
        return self.classes_[self.model_.predict(self._rotate(X))]
