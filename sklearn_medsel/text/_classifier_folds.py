"""Classifiers of reports on shared folds: the inner half of `compare_report_classifiers`."""

import time
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from sklearn_medsel._folds import even_folds
from sklearn_medsel._groups import joint_groups, pass_groups
from sklearn_medsel.base import draw_seeds
from sklearn_medsel.feature_selection._compare_fold import corrected_paired_ttest

METRICS = ("accuracy", "recall", "precision", "f1", "auroc")
_TESTED = ("f1", "auroc")


@dataclass(frozen=True)
class Setting:
    """What all fits of a comparison share.

    Attributes
    ----------
    X : list, Series, array or DataFrame
        Reports as given.
    y : ndarray of shape (n,)
        Class of each.
    classes : ndarray
        Sorted classes.
    positive : object or None
        Class that recall and precision are of; None averages over all classes.
    groups : ndarray of shape (n,) or None
        Passed to the ``fit`` of the classifiers that take it.
    keep : collection of str
        Names of the classifiers whose fitted copies are wanted.
    """

    X: object
    y: np.ndarray
    classes: np.ndarray
    positive: object
    groups: np.ndarray | None = None
    keep: tuple = ()


def group_reports(reports, groups):
    """Tell which reports may not be parted: those of a group, and those with the same content.

    Parameters
    ----------
    reports : Reports
        Checked reports. Empty ones have nothing in common.
    groups : array-like of shape (n,) or None
        As given by the user.

    Returns
    -------
    ndarray of shape (n,), int
    """
    keys = reports.keys()
    is_blank = np.array([not text.strip() for text in reports.current])
    keys[is_blank] = keys.max() + 1 + np.arange(is_blank.sum())
    if groups is None:
        return keys
    groups = np.asarray(groups)
    if groups.shape != keys.shape:
        raise ValueError(
            f"groups must have one value per report, {len(keys)}; found shape {groups.shape}."
        )
    if pd.isna(groups).any():
        raise ValueError("groups has missing values; give such reports a group of their own.")
    return joint_groups(groups, keys)


def draw_folds(y, together, cv, n_repeats, random_state, *, groups=None):
    """Draw stratified folds that part no group.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Classes.
    together : ndarray of shape (n,), int
        From `group_reports`.
    cv : int, splitter or iterable
        As given by the user.
    n_repeats : int
        How often to draw where `cv` is an int.
    random_state : int, RandomState instance or None
        Seed of the draws.
    groups : array-like of shape (n,) or None, default=None
        What a splitter of the user gets.

    Returns
    -------
    list of tuples of two ndarrays
        Training and test rows.

    Raises
    ------
    ValueError
        If a class is in too few groups.
    """
    if not isinstance(cv, Integral):
        return list(check_cv(cv).split(np.zeros((len(y), 1)), y, groups))
    for name, value, least in (("cv", cv, 2), ("n_repeats", n_repeats, 1)):
        if not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, found {value!r}.")
    for label in np.unique(y):
        n_groups = len(np.unique(together[y == label]))
        if n_groups < cv:
            raise ValueError(
                f"y has {n_groups} different reports (or groups of them) of class {str(label)!r}, "
                f"fewer than cv={cv}; lower cv."
            )
    # groups of one are no groups: plain folds then keep the classes in better proportion
    alone = len(np.unique(together)) == len(together)
    folds = []
    for seed in _seeds(random_state, n_repeats):
        folds += even_folds(y, None if alone else together, cv, seed)
    return folds


def _seeds(random_state, n_repeats):
    # Without a seed, numpy's global generator stays untouched.
    if random_state is None:
        return np.random.default_rng().integers(2**31, size=n_repeats).tolist()
    return draw_seeds(random_state, n_repeats)


def run_folds(classifiers, folds, setting, *, n_jobs=None, progress=None):
    """Fit and score every classifier on every fold.

    Parameters
    ----------
    classifiers : dict of str to estimator
        Cloned here.
    folds : list of tuples of two ndarrays
        Training and test rows.
    setting : Setting
        Data.
    n_jobs : int or None, default=None
        Fits at a time.
    progress : callable or None, default=None
        Called as ``progress(done, total, name)``.

    Returns
    -------
    DataFrame
        One row per classifier and fold: classifier, fold, the metrics, fit_seconds, rows,
        predicted, score, and estimator (None unless kept).
    """
    jobs = [(name, fold) for fold in range(len(folds)) for name in classifiers]
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_evaluate)(classifiers[name], folds[fold], setting, name in setting.keep)
        for name, fold in jobs
    )
    records = []
    for (name, fold), result in zip(jobs, results, strict=True):
        records.append({"classifier": name, "fold": fold, **result})
        if progress is not None:
            progress(len(records), len(jobs), name)
    return pd.DataFrame(records)


def _evaluate(classifier, fold, setting, keep):
    train, test = fold
    model = clone(classifier)
    groups = None if setting.groups is None else setting.groups[train]
    start = time.perf_counter()
    model.fit(_safe_indexing(setting.X, train), setting.y[train], **pass_groups(model, groups))
    seconds = time.perf_counter() - start
    X_test = _safe_indexing(setting.X, test)
    predicted, score = model.predict(X_test), class_scores(model, X_test, setting.classes)
    return {
        **measure(setting.y[test], predicted, score, setting.classes, setting.positive),
        "fit_seconds": seconds,
        "rows": test,
        "predicted": predicted,
        "score": score,
        "estimator": model if keep else None,
    }


def class_scores(model, X, classes):
    """Ask a fitted classifier for a score of each class.

    Parameters
    ----------
    model : estimator
        With ``predict_proba`` or ``decision_function``.
    X : list, Series, array or DataFrame
        Reports.
    classes : ndarray of shape (n_classes,)
        Order of the columns.

    Returns
    -------
    ndarray of shape (n, n_classes), float64
        NaN where the classifier has no score, or did not see the class.
    """
    score = np.full((len(X), len(classes)), np.nan)
    if hasattr(model, "predict_proba"):
        found = np.asarray(model.predict_proba(X), dtype=float)
    elif hasattr(model, "decision_function"):
        found = np.asarray(model.decision_function(X), dtype=float)
        found = np.column_stack([-found, found]) if found.ndim == 1 else found
    else:
        return score
    score[:, np.searchsorted(classes, model.classes_)] = found
    return score


def measure(y, predicted, score, classes, positive):
    """Score predictions.

    Parameters
    ----------
    y, predicted : ndarray of shape (n,)
        Classes.
    score : ndarray of shape (n, n_classes)
        From `class_scores`.
    classes : ndarray of shape (n_classes,)
        Sorted classes.
    positive : object or None
        Class that counts; None averages over the classes.

    Returns
    -------
    dict of str to float
        One for each of `METRICS`. NaN for what is undefined: recall without a report of the class,
        AUROC with no other. Precision is 0 where nothing is predicted to be positive.
    """
    wanted = classes if positive is None else [positive]
    present = [label for label in wanted if np.any(y == label)]
    found = {"accuracy": float(accuracy_score(y, predicted))}
    precision, recall, f1, _ = precision_recall_fscore_support(
        y, predicted, labels=present or wanted, average="macro", zero_division=0
    )
    if not present:
        recall = f1 = np.nan
    areas = [
        roc_auc_score(y == label, score[:, np.searchsorted(classes, label)])
        for label in present
        if not (y == label).all() and np.isfinite(score[:, np.searchsorted(classes, label)]).all()
    ]
    auroc = np.mean(areas) if areas else np.nan
    return found | {
        "recall": float(recall),
        "precision": float(precision),
        "f1": float(f1),
        "auroc": float(auroc),
    }


def summarise(records, folds):
    """One row per classifier from one row per classifier and fold.

    Parameters
    ----------
    records : DataFrame
        From `run_folds`.
    folds : list of tuples of two ndarrays
        Training and test rows.

    Returns
    -------
    DataFrame
        As documented for `compare_report_classifiers`.
    """
    parts = dict(list(records.groupby("classifier", sort=False)))
    first = next(iter(parts.values()))
    ratio = float(np.mean([len(test) / len(train) for train, test in folds]))
    table = []
    for name, part in parts.items():
        row = {"classifier": name}
        for metric in METRICS:
            # pandas leaves out what is undefined in a fold
            row[metric], row[f"{metric}_sd"] = part[metric].mean(), part[metric].std()
        row |= {"fit_seconds": part["fit_seconds"].mean(), "n_folds": len(part)}
        for metric in _TESTED:
            gain = part[metric].to_numpy() - first[metric].to_numpy()
            tested = (np.nan, np.nan) if part is first else corrected_paired_ttest(gain, ratio)
            row[f"{metric}_difference"], row[f"{metric}_p_value"] = tested
        table.append(row)
    return pd.DataFrame(table)
