"""Risk groups of patients from any model of survival, judged on patients it did not see."""

import warnings
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_medsel._validation import check_survival_y
from sklearn_medsel.survival._adjustment import base_risk, encode_base, find_base
from sklearn_medsel.survival._concordance import concordance_index
from sklearn_medsel.survival._cuts import check_shares, to_groups
from sklearn_medsel.survival._folds import check_groups, survival_folds
from sklearn_medsel.survival._held_out import join_folds, judge_groups
from sklearn_medsel.survival._same_patients import fingerprint
from sklearn_medsel.survival._scores import event_quantiles
from sklearn_medsel.survival._stratified_fold import (
    Setting,
    evaluate_fold,
    fit_model,
    predict_risk,
)
from sklearn_medsel.survival._target import make_survival_y


class RiskStratifier(CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator):
    """Sort patients into risk groups, with cut points learnt on other patients.

    Groups that are cut on the same patients they are shown for part by themselves: the model knows
    those patients, and a searched cut point parts even noise. Here, in every fold, the model is
    fitted on the training patients, cut points are learnt from their cross-fitted risks, and both
    are applied to the held-out patients. Curves, tests and scores are those of held-out patients.
    For new patients, the model is refitted on all.

    Parameters
    ----------
    estimator : estimator
        Its ``predict`` gives a risk per patient, higher for an earlier event, such as
        `DeepFeatureCox` or a Pipeline that ends in one. Cloned, not changed. If it has
        ``oof_score_`` after fit, a cross-fitted risk of its training patients, that is used for
        the cut points and spares the inner fits. That of a step of a Pipeline or of a search is
        not: what was done before it may have seen the outcome of all training patients.
    n_groups : int, default=2
        Number of risk groups.
    cut : {"quantile", "maxstat"}, sequence of float, or callable, default="quantile"
        How to learn cut points from risks. ``"quantile"`` makes groups of equal size, as far as
        that does not part patients to whom the model gives the same risk. ``"maxstat"``
        takes the cut with the largest log-rank statistic that leaves at least 10 % of the patients
        on both sides; for more groups it goes on with the group that is best cut again. Numbers
        between 0 and 1, ascending, are the quantiles to cut at. A function is called as
        ``cut(risk, y)`` and returns ``n_groups - 1`` ascending cut points.
    cv : int, splitter or iterable, default=5
        Folds. An int spreads the events evenly over them. Folds of your own hold each patient out
        once and have none on both sides.
    inner_cv : int, splitter, default=3
        Folds within the training patients, for cross-fitted risks.
    base : str, list of str or None, default=None
        Columns of `X` that the hazard ratios are adjusted for, such as age and stage, or the name
        of a table block of the estimator. None takes the estimator's own base block if it has one
        that is a table with columns of `X`.
    n_jobs : int or None, default=None
        Folds fitted at the same time; None means one, -1 all processors.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on all patients.
    group_names_ : list of str
        Names of the groups, the lowest risk first.
    cut_points_ : ndarray of shape (n_groups - 1,), float64
        Cut points for new patients, learnt from the cross-fitted risks of all.
    fold_cut_points_ : ndarray of shape (n_folds, n_groups - 1), float64
        Those of each fold.
    risk_ : ndarray of shape (n_patients,), float64
        Risk of each patient by the model that did not see it, counted from the mean risk of that
        model's training patients.
    group_ : ndarray of shape (n_patients,), int64
        Group of each patient by model and cut points that did not see it; 0 is the lowest risk.
    fold_ : ndarray of shape (n_patients,), int64
        Fold in which a patient was held out.
    curves_ : dict of str to DataFrame
        Kaplan-Meier curve of each held-out group, as from `kaplan_meier`.
    logrank_ : LogrankResult
        Test between the held-out groups. Their cut points come from other patients, so there is
        no search to correct for.
    maxstat_pvalue_ : float
        P-value of the best single cut of `risk_` on all patients, corrected for the search; NaN
        unless ``cut="maxstat"``. It belongs to the groups that `predict` makes.
    hazard_ratios_ : DataFrame
        One row per group but the lowest, which it is compared with: group, n_patients, n_events,
        hazard_ratio, ci_low, ci_high, pvalue, and adjusted_hazard_ratio, adjusted_ci_low,
        adjusted_ci_high, adjusted_pvalue (NaN without a base). The base is one risk of each
        patient, by Cox models of its columns on the other folds.
    base_columns_ : list of str
        Columns that were adjusted for; empty without a base. Columns that do not tell patients
        apart, such as constant ones, are left out.
    scores_ : DataFrame
        One row per fold: fold, n_patients, n_events, concordance, auc (mean over the times), brier
        and brier_reference (integrated Brier scores).
    concordance_ : float
        Mean over the folds.
    auc_ : DataFrame
        Time-dependent AUC of the held-out risks: time, auc (mean over the folds), sd, n_folds.
    integrated_brier_score_ : float
        Mean over the folds, between the 10 % and the 90 % quantile of the event times.
    integrated_brier_score_reference_ : float
        That of the training patients' Kaplan-Meier curve predicted for everybody.

    See Also
    --------
    stratification_report : All of this as one HTML page.
    maxstat_test : The best cut point of one marker.

    Notes
    -----
    Held-out risks of one patient depend on all others through the shared training folds. The
    log-rank p-value is a good guide, and no exact one; only other patients confirm it [1]_.

    Curves, tests and hazard ratios count rows; with `groups`, their intervals and p-values are
    those of rows that depend on each other within a group [3]_, which takes some thirty groups.
    ``maxstat_pvalue_`` is not: of several rows of one patient it is too small.

    What hazard ratios are adjusted for is held out as well. Columns weighed on the very patients
    who are judged would win even if neither they nor the risk said anything, and the groups of
    high risk would seem to live longer.

    Brier scores need survival curves. They are made from the risk by Breslow's baseline hazard,
    after one slope fitted to the cross-fitted risks of the training patients has put its scale
    right; so any risk will do, and not only log hazards.

    References
    ----------
    .. [1] Simon RM, Subramanian J, Li MC, Menezes S. Using cross-validation to evaluate predictive
       accuracy of survival risk classifiers based on high-dimensional data. Brief Bioinform
       2011;12:203-214.
    .. [2] Lausen B, Schumacher M. Maximally selected rank statistics. Biometrics 1992;48:73-85.
    .. [3] Lin DY, Wei LJ. The robust inference for the Cox proportional hazards model. J Am Stat
       Assoc 1989;84:1074-1078.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel import DeepFeatureCox
    >>> from sklearn_medsel.survival import RiskStratifier, make_survival_y
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((150, 10))
    >>> y = make_survival_y(rng.random(150) < 0.7, rng.exponential(np.exp(-X[:, 0])))
    >>> model = DeepFeatureCox(max_epochs=20, random_state=0)
    >>> stratifier = RiskStratifier(model, cv=3, random_state=0).fit(X, y)
    >>> stratifier.logrank_.pvalue < 0.01
    True
    >>> stratifier.predict(X[:4]).shape
    (4,)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "n_groups": [Interval(Integral, 2, None, closed="left")],
        "cut": [StrOptions({"quantile", "maxstat"}), "array-like", callable],
        "cv": ["cv_object"],
        "inner_cv": ["cv_object"],
        "base": [str, "array-like", None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        n_groups=2,
        *,
        cut="quantile",
        cv=5,
        inner_cv=3,
        base=None,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.n_groups = n_groups
        self.cut = cut
        self.cv = cv
        self.inner_cv = inner_cv
        self.base = base
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, groups=None):
        """Stratify the patients fold by fold, then fit on all of them.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Whatever the estimator takes.
        y : structured array of shape (n_patients,) or DataFrame of shape (n_patients, 2)
            Event and time of each patient, see `make_survival_y`.
        groups : array-like of shape (n_patients,) or None, default=None
            Rows of one group, such as several samples of a patient, are never on both sides of a
            fold, and need not be independent in tests and intervals. Passed on to the estimator, to
            steps of a Pipeline, and to the splitter of a search, where they take groups.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        ValueError
            If `y` is not a valid survival target, a fold has no event, splits a group or trains on
            a patient it holds out, the risks of a fold cannot be cut into `n_groups`, or `base`
            names what is not there or cannot be adjusted for.

        Warns
        -----
        UserWarning
            If `base` is None and the base block of the estimator cannot be adjusted for, such as
            where it has more columns than there are events.
        """
        event, time = check_survival_y(y)
        if _num_samples(X) != time.size:
            raise ValueError(f"X has {_num_samples(X)} rows but y has {time.size}.")
        groups = check_groups(groups, time.size)
        if not isinstance(self.cut, str) and not callable(self.cut):
            check_shares(self.cut, self.n_groups)
        # here, so that curves and tests are to be had without loading torch
        from sklearn_medsel.base import draw_seeds, progress

        seed, inner_seed = draw_seeds(self.random_state, 2)
        folds = survival_folds(event, self.cv, groups, seed)
        y = make_survival_y(event, time)
        times = event_quantiles(event, time)
        setting = Setting(
            self.estimator,
            X,
            y,
            groups,
            self.n_groups,
            self.cut,
            self.inner_cv,
            inner_seed,
            times,
        )
        with progress(self, X, y, n_steps=len(folds) + 1, task_name="fold") as step:
            # first, so that a base that is not there is found before the long work
            estimator, own = fit_model(setting, np.arange(time.size))
            base_columns, base = self._encode_base(estimator, X, event)
            stopped = step()
            parallel = Parallel(n_jobs=self.n_jobs, return_as="generator")
            parts = []
            for part in parallel(
                delayed(evaluate_fold)(setting, number, train, test)
                for number, (train, test) in enumerate(folds)
            ):
                parts.append(part)
                # held-out groups need every fold: a callback can watch, but not stop
                stopped = stopped or step()
        joined, tables = join_folds(parts, folds, times)
        known = None if base is None else base_risk(base, y, folds)
        judged, more_tables = judge_groups(
            y, joined["risk_"], joined["group_"], own, known, self.n_groups, self.cut, groups
        )
        # all at once and last: a fit that fails leaves what an earlier one found as it was
        vars(self).update(
            joined,
            **judged,
            estimator_=estimator,
            base_columns_=base_columns,
            _offset=float(own.mean()),
            _cut=_plain(self.cut),
            _fingerprint=fingerprint(estimator, X),
            _tables=tables | more_tables,
        )
        return self

    def _encode_base(self, estimator, X, event):
        """Names of the columns to adjust for, and the columns as numbers."""
        table = find_base(self.base, estimator, X)
        if table is None:
            return [], None
        try:
            encoded, used = encode_base(table, int(event.sum()), self.n_groups)
        except ValueError as error:
            if self.base is not None:
                raise
            # a fusion can start from what a Cox model of few columns cannot take
            warnings.warn(
                f"hazard ratios are not adjusted for the base of the estimator: {error}",
                UserWarning,
                stacklevel=4,
            )
            return [], None
        if used:
            return [str(column) for column in used], encoded
        if self.base is not None:
            raise ValueError(
                f"base={self.base!r} names no column that tells patients apart: each has one value "
                "only, is missing throughout, or has hardly any value twice."
            )
        return [], None

    @property
    def scores_(self):
        """Scores of every fold."""
        return pd.DataFrame(self._found("scores"))

    @property
    def auc_(self):
        """Time-dependent AUC of the held-out risks."""
        return pd.DataFrame(self._found("auc"))

    @property
    def hazard_ratios_(self):
        """Hazard ratio of every group but the lowest, alone and adjusted."""
        return pd.DataFrame(self._found("hazard_ratios"))

    @property
    def curves_(self):
        """Kaplan-Meier curve of every held-out group."""
        return {name: pd.DataFrame(curve) for name, curve in self._found("curves").items()}

    def _found(self, name):
        tables = getattr(self, "_tables", {})
        if name not in tables:
            raise AttributeError(f"{type(self).__name__} is not fitted yet.")
        return tables[name]

    def decision_function(self, X):
        """Predict the risk.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Patients.

        Returns
        -------
        ndarray of shape (n_patients,), float64
            What the estimator predicts, minus its mean over the patients it was fitted on; higher
            means an earlier event. `cut_points_` are on this scale.
        """
        check_is_fitted(self, "cut_points_")
        return predict_risk(self.estimator_, X) - self._offset

    def predict(self, X):
        """Sort patients into risk groups.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Patients.

        Returns
        -------
        ndarray of shape (n_patients,), int64
            Positions in `group_names_`; 0 is the lowest risk.
        """
        return to_groups(self.decision_function(X), self.cut_points_).astype(np.int64)

    def score(self, X, y):
        """Harrell's concordance of the predicted risk.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Patients.
        y : structured array of shape (n_patients,) or DataFrame of shape (n_patients, 2)
            Event and time.

        Returns
        -------
        float
            Between 0 and 1; 0.5 is chance.
        """
        return concordance_index(y, self.decision_function(X))


def _plain(cut):
    """The rule of the cut points as text or numbers, for pages; a function is only called one."""
    if isinstance(cut, str):
        return cut
    return "callable" if callable(cut) else [float(share) for share in cut]
