"""Classifiers of reports judged side by side: same folds, all learnt inside the fold, one table."""

from collections.abc import Mapping

from sklearn.utils.validation import check_consistent_length

from sklearn_medsel.text._baselines import baseline_report_classifiers
from sklearn_medsel.text._classifier import ReportAttentionClassifier
from sklearn_medsel.text._classifier_folds import (
    Setting,
    draw_folds,
    group_reports,
    run_folds,
    summarise,
)
from sklearn_medsel.text._reports import check_reports
from sklearn_medsel.text._targets import encode_target


def compare_report_classifiers(
    X,
    y,
    classifiers=None,
    *,
    cv=5,
    n_repeats=1,
    groups=None,
    pos_label=None,
    n_jobs=None,
    random_state=None,
    return_folds=False,
    progress=None,
):
    """Compare classifiers of reports by cross-validation.

    All see the same folds and learn everything, vocabulary and threshold included, from the
    training part of each.

    Parameters
    ----------
    X : array-like of str of shape (n,), or DataFrame
        Reports, as `ReportAttentionClassifier` takes them.
    y : array-like of shape (n,)
        Classes.
    classifiers : dict of str to estimator or None, default=None
        What to compare, by the name it has in the table; the others are tested against the first.
        None: `ReportAttentionClassifier` and the `baseline_report_classifiers`.
    cv : int, splitter or iterable of (train, test), default=5
        An int gives stratified folds that part no group, and no reports with the same text.
    n_repeats : int, default=1
        How often folds are drawn anew when `cv` is an int.
    groups : array-like of shape (n,) or None, default=None
        Patient of each report. Also passed to the ``fit`` of the classifiers that take it.
    pos_label : object, default=None
        Of two classes the one that recall, precision and F1 are of; None is the second of the
        sorted classes. With more classes these are averages over the classes.
    n_jobs : int or None, default=None
        Number of fits at a time, spread by joblib; the scores do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, and of the classifiers if they are None. Given classifiers have seeds of
        their own.
    return_folds : bool, default=False
        Whether to return the scores and predictions of all folds too.
    progress : callable or None, default=None
        Called as ``progress(done, total, name)`` in this process after each fit.

    Returns
    -------
    table : DataFrame
        One row per classifier with the columns

        - ``classifier``
        - ``accuracy``, ``recall``, ``precision``, ``f1``, ``auroc``: mean over the folds, and
          each with ``_sd``, the standard deviation. AUROC is that of ``predict_proba`` or
          ``decision_function``; NaN without either.
        - ``fit_seconds``: mean time of a fit
        - ``n_folds``: number of fits
        - ``f1_difference``, ``f1_p_value``, ``auroc_difference``, ``auroc_p_value``: minus that
          of the first row, and the p-value of the corrected resampled t-test of Nadeau and
          Bengio, two-sided, not adjusted for the number of classifiers
    folds : DataFrame
        Only with ``return_folds=True``: one row per classifier and fold with ``classifier``,
        ``fold``, the scores, ``fit_seconds``, ``rows`` (positions of the test reports),
        ``predicted`` and ``score`` (n_rows, n_classes).

    Raises
    ------
    TypeError
        If `classifiers` is not a dict of estimators.
    ValueError
        If `X`, `y` or `groups` cannot be used, or a class has too few reports for `cv`. Also
        whatever a fit raises.

    References
    ----------
    C. Nadeau, Y. Bengio. Inference for the generalization error. Machine Learning 52, 2003.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_reports
    >>> from sklearn_medsel.text import baseline_report_classifiers, compare_report_classifiers
    >>> data = make_reports(60, random_state=0)
    >>> classifiers = baseline_report_classifiers(random_state=0)
    >>> del classifiers["TF-IDF + random forest"]
    >>> table = compare_report_classifiers(data.X, data.y, classifiers, random_state=0)
    >>> table["classifier"].to_list()
    ['TF-IDF + logistic regression', 'TF-IDF + linear SVM']
    """
    reports, target = check_reports(X), encode_target(y)
    check_consistent_length(reports.current, target.columns)
    if target.kind == "multilabel":
        raise ValueError("y has several labels per report; compare for one column of y at a time.")
    y = target.classes[target.strata]
    classifiers = _check_classifiers(classifiers, random_state)
    together = group_reports(reports, groups)
    folds = draw_folds(y, together, cv, n_repeats, random_state, groups=groups)
    setting = Setting(
        X,
        y,
        target.classes,
        _positive(pos_label, target.classes),
        groups=None if groups is None else together,
    )
    records = run_folds(classifiers, folds, setting, n_jobs=n_jobs, progress=progress)
    table = summarise(records, folds)
    table.attrs = {"positive": setting.positive, "n_folds": len(folds)}
    return (table, records.drop(columns="estimator")) if return_folds else table


def _check_classifiers(classifiers, random_state):
    if classifiers is None:
        return {
            "ReportAttentionClassifier": ReportAttentionClassifier(random_state=random_state),
            **baseline_report_classifiers(random_state=random_state),
        }
    if not isinstance(classifiers, Mapping) or not classifiers:
        raise TypeError(
            "classifiers must be a dict from a name to a classifier with at least one entry, found "
            f"{type(classifiers).__name__}."
        )
    for name, classifier in classifiers.items():
        if not hasattr(classifier, "fit") or not hasattr(classifier, "get_params"):
            raise TypeError(
                f"classifiers[{name!r}] must be an estimator that classifies, found "
                f"{type(classifier).__name__}."
            )
    return dict(classifiers)


def _positive(pos_label, classes):
    """Return the class that counts, or None where there are more than two."""
    if len(classes) > 2:
        if pos_label is not None:
            raise ValueError(
                f"pos_label is for two classes, and y has {len(classes)}; leave it out, or pass "
                "y == pos_label as y."
            )
        return None
    if pos_label is None:
        return classes[1]
    if pos_label not in classes.tolist():
        raise ValueError(f"pos_label={pos_label!r} is no class of y; these are {classes.tolist()}.")
    return pos_label
