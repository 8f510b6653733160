"""The selectors that analysts use today, ready to be compared with."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_selection import SelectFdr, SelectFromModel, SelectorMixin, f_classif
from sklearn.feature_selection import f_regression as f_test
from sklearn.linear_model import LassoCV
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_medsel.feature_selection._baseline_models import LassoLogistic, ResidualForest
from sklearn_medsel.feature_selection._cox_linear import CoxLasso
from sklearn_medsel.survival import cox_univariate

ALL_GENES = "all genes + ridge"
_TASKS = ("classification", "regression", "survival")
_N_TREES = 300
_FDR = 0.1


def baseline_selectors(task="classification", *, n_features=50, random_state=None):
    """Selectors to compare with: LASSO, random forest, one test per gene, and no selection.

    - ``"LASSO"``: L1 penalty chosen by 5-fold cross-validation (logistic, linear or Cox; one
      class against the rest for three or more), every gene with a coefficient.
    - ``"random forest"``: 300 trees, the `n_features` most important genes. For survival the
      trees fit the martingale residuals of a model without genes: no library with a permissive
      licence offers a survival forest, and this is the usual substitute, not the same thing.
    - ``"ANOVA + BH"`` (``"F-test + BH"`` for regression, ``"Cox + BH"`` for survival): one
      test per gene, Benjamini-Hochberg at a false discovery rate of 0.1.
    - ``"all genes + ridge"``: no selection, marked by the string ``"passthrough"``.

    Parameters
    ----------
    task : {"classification", "regression", "survival"}, default="classification"
        What `y` holds.
    n_features : int, default=50
        Number of genes the random forest keeps; it has no cut-off of its own.
    random_state : int, RandomState instance or None, default=None
        Seed of the forest and of the inner folds.

    Returns
    -------
    dict of str to estimator
        For `compare_selectors`. They expect standardised features without missing values,
        which `compare_selectors` sees to.

    Raises
    ------
    ValueError
        If `task` is not one of the three.

    Examples
    --------
    >>> from sklearn_medsel.feature_selection import baseline_selectors
    >>> list(baseline_selectors("classification", random_state=0))
    ['LASSO', 'random forest', 'ANOVA + BH', 'all genes + ridge']
    """
    if task not in _TASKS:
        raise ValueError(f"task must be one of {', '.join(map(repr, _TASKS))}; found {task!r}.")
    lasso, forest, test_name, test = {
        "classification": (
            LassoLogistic(random_state=random_state),
            RandomForestClassifier(_N_TREES, random_state=random_state),
            "ANOVA + BH",
            SelectFdr(anova, alpha=_FDR),
        ),
        "regression": (
            LassoCV(cv=5, alphas=50, max_iter=5000, tol=1e-3, random_state=random_state),
            RandomForestRegressor(_N_TREES, max_features="sqrt", random_state=random_state),
            "F-test + BH",
            SelectFdr(f_regression, alpha=_FDR),
        ),
        "survival": (
            CoxLasso(random_state=random_state),
            ResidualForest(_N_TREES, random_state=random_state),
            "Cox + BH",
            UnivariateCox(_FDR),
        ),
    }[task]
    return {
        "LASSO": SelectFromModel(lasso, threshold=1e-8),
        "random forest": SelectFromModel(
            forest, threshold=-np.inf, max_features=AtMost(n_features)
        ),
        test_name: test,
        ALL_GENES: "passthrough",
    }


class AtMost:
    """Number of features to keep, no more than there are; for ``SelectFromModel``.

    Parameters
    ----------
    n_features : int
        The most to keep.
    """

    def __init__(self, n_features):
        self.n_features = n_features

    def __call__(self, X):
        """Count the features to keep of X."""
        return min(self.n_features, X.shape[1])


def anova(X, y):
    """F statistic and p-value of each column over classes; a constant column has p = 1.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Features.
    y : ndarray of shape (n_samples,)
        Classes.

    Returns
    -------
    statistics, pvalues : ndarray of shape (n_features,)
        Of each column.
    """
    return _test_varying(f_classif, X, y)


def f_regression(X, y):
    """F statistic and p-value of each column against a number; a constant column has p = 1.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Features.
    y : ndarray of shape (n_samples,)
        Values.

    Returns
    -------
    statistics, pvalues : ndarray of shape (n_features,)
        Of each column.
    """
    return _test_varying(f_test, X, y)


def _test_varying(test, X, y):
    varies = np.ptp(X, axis=0) > 0
    statistics = np.zeros(X.shape[1])
    pvalues = np.ones(X.shape[1])
    if varies.any():
        with np.errstate(divide="ignore", invalid="ignore"):
            statistics[varies], pvalues[varies] = test(X[:, varies].astype(np.float64), y)
    return statistics, pvalues


class UnivariateCox(SelectorMixin, BaseEstimator):
    """Features whose one-variable Cox model passes Benjamini-Hochberg.

    Parameters
    ----------
    alpha : float, default=0.1
        False discovery rate.
    """

    def __init__(self, alpha=0.1):
        self.alpha = alpha

    def fit(self, X, y):
        """Test every column.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : structured array of shape (n_samples,) or DataFrame
            Event and time.

        Returns
        -------
        UnivariateCox
            Fitted, with ``pvalues_``.
        """
        X = validate_data(self, X, dtype=np.float64)
        varies = np.ptp(X, axis=0) > 0
        self.pvalues_ = np.ones(X.shape[1])
        if varies.any():
            found = cox_univariate(X[:, varies], y)["pvalue"].to_numpy()
            self.pvalues_[varies] = np.where(np.isnan(found), 1.0, found)
        return self

    def _get_support_mask(self):
        check_is_fitted(self)
        ordered = np.sort(self.pvalues_)
        limits = self.alpha * np.arange(1, len(ordered) + 1) / len(ordered)
        passed = ordered[ordered <= limits]
        return self.pvalues_ <= (passed[-1] if len(passed) else -1.0)
