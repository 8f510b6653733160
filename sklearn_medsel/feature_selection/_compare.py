"""Selectors judged side by side: same folds, everything learnt inside the fold, one table."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import check_scoring
from sklearn.utils.parallel import Parallel, delayed

from sklearn_medsel.feature_selection._baseline_models import RidgeLogistic
from sklearn_medsel.feature_selection._baselines import ALL_GENES
from sklearn_medsel.feature_selection._compare_fold import Setting, evaluate, summarise
from sklearn_medsel.feature_selection._compare_input import check_outcome, check_table, make_folds
from sklearn_medsel.feature_selection._cox_linear import CoxRidge
from sklearn_medsel.survival import concordance_index


def compare_selectors(
    X,
    y,
    selectors,
    *,
    task="auto",
    cv=5,
    n_repeats=3,
    groups=None,
    estimator="auto",
    scoring="auto",
    baseline=ALL_GENES,
    error_score=np.nan,
    return_folds=False,
    n_jobs=None,
    random_state=None,
    verbose=0,
    progress=None,
):
    """Compare feature selectors by repeated cross-validation of selector + simple model.

    Every selector sees the same folds. Imputation (median), standardisation, selection and the
    model are learnt from the training part of each fold alone.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_samples, n_features)
        Numbers, for instance expression values; missing values (NaN) are allowed.
    y : array-like of shape (n_samples,), structured array or DataFrame
        Classes, values, or event and time.
    selectors : dict of str to estimator, Pipeline or "passthrough"
        What to compare, by the name it has in the table.

        - A selector or other transformer gets imputed and standardised features; its output
          goes to `estimator`.
        - ``"passthrough"`` hands all features to `estimator`.
        - An estimator that predicts and does not select gets imputed and standardised features
          and is judged as it is.
        - A Pipeline gets the rows of `X` as they are. If it ends in a predictor it is judged as
          it is, else its output is imputed, standardised and given to `estimator`.

        ``baseline_selectors(task)`` gives LASSO, random forest, one test per gene, and all
        genes.
    task : {"auto", "classification", "regression", "survival"}, default="auto"
        What `y` holds. "auto" takes event and time for survival, numbers with decimals, or
        more than 20 different whole ones, for regression, anything else for classification.
    cv : int, splitter or iterable of (train, test), default=5
        An int gives stratified folds (survival: by event; regression: plain), which keep the
        samples of a group together where `groups` is given.
    n_repeats : int, default=3
        How often folds are drawn anew when `cv` is an int.
    groups : array-like of shape (n_samples,) or None, default=None
        Patient, pair or study of each sample. Also passed to the `fit` of the selectors that
        take `groups`.
    estimator : "auto" or estimator, default="auto"
        Model that follows the selection. "auto" is ridge regression with the penalty chosen
        inside the fold: logistic with balanced classes, linear, or Cox.
    scoring : "auto", str or callable, default="auto"
        scikit-learn's scorer. "auto" is balanced accuracy, R squared, or Harrell's concordance;
        survival takes "auto" or a callable ``(estimator, X, y) -> float``.
    baseline : str or None, default="all genes + ridge"
        Row with which the others are compared. The default row is added where it is missing.
    error_score : "raise" or float, default=np.nan
        Score of a fit that failed. The first message of a selector stands in the column
        ``error`` in any case.
    return_folds : bool, default=False
        Whether to return the scores of all folds too.
    n_jobs : int or None, default=None
        Number of fits at a time, spread by joblib; the numbers do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds. Seeds of the selectors are their own parameters.
    verbose : int, default=0
        Passed to joblib.
    progress : callable or None, default=None
        Called as ``progress(done, total, name)`` in this process after each fit.

    Returns
    -------
    table : DataFrame
        One row per selector with the columns

        - ``selector``
        - ``score_mean``, ``score_std``, ``n_scores``: over the folds that have a score
        - ``n_features_mean``, ``n_features_std``: features the model
          sees, so the selected ones
        - ``stability``, ``stability_low``, ``stability_high``: `nogueira_stability` of the sets
          of all folds with its 95 % interval; NaN where undefined, as for all genes
        - ``seconds_mean``: preparing, selecting and fitting the model
        - ``difference``, ``p_value``: score minus that of the baseline, and the p-value of the
          corrected resampled t-test of Nadeau and Bengio, two-sided, not adjusted for the
          number of selectors; NaN where a fold failed
        - ``n_empty``: folds in which nothing was selected; the score is then that of a constant
          prediction
        - ``error``: how many fits failed, and the first message; else empty

        ``table.attrs`` holds the task, scoring, baseline and the number of folds.
    folds : DataFrame
        Only with ``return_folds=True``: one row per selector and fold with ``selector``,
        ``fold``, ``score``, ``n_features``, ``seconds``, ``error`` and ``selected``, the
        positions of the selected columns (None where they cannot be told).

    Raises
    ------
    ValueError
        If `X` or `y` cannot be used, a class or the groups are too few for `cv`, or `baseline`
        is not the name of a row. Also whatever a fit raises with ``error_score="raise"``.

    References
    ----------
    C. Nadeau, Y. Bengio. Inference for the generalization error. Machine Learning 52, 2003.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_gene_expression
    >>> from sklearn_medsel.feature_selection import baseline_selectors, compare_selectors
    >>> data = make_gene_expression(80, 200, n_informative=3, random_state=0)
    >>> selectors = {"ANOVA + BH": baseline_selectors()["ANOVA + BH"]}
    >>> table = compare_selectors(data.X, data.y, selectors, n_repeats=1, random_state=0)
    >>> table["selector"].to_list()
    ['ANOVA + BH', 'all genes + ridge']
    """
    if isinstance(error_score, str) and error_score != "raise":
        raise ValueError(f"error_score must be 'raise' or a number, found {error_score!r}.")
    X, has_missing = check_table(X)
    y, task = check_outcome(y, task, len(X))
    selectors = _check_selectors(selectors, baseline)
    groups, folds = make_folds(y, task, cv, n_repeats, groups, random_state)
    model = _model(task) if isinstance(estimator, str) and estimator == "auto" else estimator
    scorer, scoring_name = _scorer(scoring, task, model)

    setting = Setting(X, y, groups, task, model, scorer, error_score, has_missing)
    jobs = [(name, fold) for fold in range(len(folds)) for name in selectors]
    results = Parallel(n_jobs=n_jobs, verbose=verbose, return_as="generator")(
        delayed(evaluate)(selectors[name], folds[fold], setting) for name, fold in jobs
    )
    records = []
    for (name, fold), result in zip(jobs, results, strict=True):
        records.append({"selector": name, "fold": fold, **result})
        if progress is not None:
            progress(len(records), len(jobs), name)

    records = pd.DataFrame(records)
    table = summarise(records, baseline, folds, X.shape[1])
    table.attrs = {
        "task": task,
        "scoring": scoring_name,
        "baseline": baseline,
        "n_folds": len(folds),
    }
    return (table, records) if return_folds else table


def _check_selectors(selectors, baseline):
    if not isinstance(selectors, Mapping) or not selectors:
        raise TypeError(
            "selectors must be a dict from a name to a selector with at least one entry, found "
            f"{type(selectors).__name__}."
        )
    selectors = dict(selectors)
    if baseline == ALL_GENES:
        selectors.setdefault(ALL_GENES, "passthrough")
    if baseline is not None and baseline not in selectors:
        raise ValueError(
            f"baseline={baseline!r} is not among the selectors {list(selectors)}; name one of "
            f"them, or {ALL_GENES!r}, or None."
        )
    for name, selector in selectors.items():
        usable = any(hasattr(selector, attr) for attr in ("get_support", "transform", "predict"))
        if selector != "passthrough" and not (hasattr(selector, "fit") and usable):
            raise TypeError(
                f"selectors[{name!r}] must be a selector, a Pipeline, a predictor or "
                f"'passthrough', found {type(selector).__name__}."
            )
    return selectors


def _model(task):
    if task == "classification":
        return RidgeLogistic()
    if task == "regression":
        return RidgeCV(alphas=np.logspace(-2, 5, 15))
    return CoxRidge()


def _scorer(scoring, task, model):
    if callable(scoring):
        return scoring, getattr(scoring, "__name__", str(scoring))
    if task == "survival":
        if scoring not in ("auto", "concordance"):
            raise ValueError(
                f"scoring={scoring!r} is not for survival; use 'auto' (concordance) or a "
                "callable (estimator, X, y) -> float."
            )
        return concordance_scorer, "concordance"
    if scoring == "auto":
        scoring = "balanced_accuracy" if task == "classification" else "r2"
    return check_scoring(model, scoring=scoring), scoring


def concordance_scorer(estimator, X, y):
    """Harrell's concordance of an estimator's predicted risk.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `predict` higher for riskier samples.
    X : array-like of shape (n_samples, n_features)
        Features.
    y : structured array of shape (n_samples,)
        Event and time.

    Returns
    -------
    float
        Between 0 and 1.
    """
    return concordance_index(y, estimator.predict(X))
