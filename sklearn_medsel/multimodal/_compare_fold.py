"""Models on shared folds, their scores and the table of these: inner half of the comparison."""

import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import (
    check_scoring,
    log_loss,
    r2_score,
    roc_auc_score,
)
from sklearn.utils import _safe_indexing

from sklearn_medsel._folds import in_fold
from sklearn_medsel._groups import pass_groups
from sklearn_medsel.feature_selection._compare_fold import corrected_paired_ttest
from sklearn_medsel.multimodal._compare_models import BlockBaseline
from sklearn_medsel.survival import concordance_index


@dataclass(frozen=True)
class Setting:
    """What all fits of a comparison share.

    Attributes
    ----------
    X : DataFrame of shape (n, n_columns)
    y : ndarray of shape (n,)
    groups : ndarray of shape (n,) or None
        Passed to the ``fit`` of the models that take it.
    models : dict of str to estimator
    scorers : dict of str to callable
        From `find_scorers`.
    own : dict of str to array of shape (n, n_columns)
        What models of the user get in the place of `X`, by the name of the model.
    """

    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray | None = None
    models: dict = field(default_factory=dict)
    scorers: dict = field(default_factory=dict)
    own: dict = field(default_factory=dict)


def evaluate(fold, setting, number):
    """Fit and score every model on one fold.

    Parameters
    ----------
    fold : tuple of two ndarrays of int
        Training and test rows.
    setting : Setting
        Data, models and scores.
    number : int
        Of the fold, for messages.

    Returns
    -------
    list of dict
        One per model: ``model``, the scores, ``fit_seconds``, ``n_test``.

    Raises
    ------
    ValueError
        As a fit does, with the fold before it.
    """
    with in_fold(number):
        return _fit_and_score(fold, setting)


def _fit_and_score(fold, setting):
    """Every model on one fold; the simple ones share the encoded blocks."""
    train, test = fold
    y = setting.y[train]
    groups = None if setting.groups is None else setting.groups[train]
    shared, records = None, []
    for name, model in setting.models.items():
        model, given = clone(model), setting.own.get(name, setting.X)
        X, X_test = (_safe_indexing(given, rows) for rows in fold)
        start = time.perf_counter()
        if isinstance(model, BlockBaseline):
            if shared is None:
                shared = model.encode(X, y, groups)
                encoding_seconds = time.perf_counter() - start
                start = time.perf_counter()
            model.fit_encoded(*shared, y)
            seconds = time.perf_counter() - start + encoding_seconds
        else:
            model.fit(X, y, **pass_groups(model, groups))
            seconds = time.perf_counter() - start
        y_test = setting.y[test]
        scores = {
            key: float(score(model, X_test, y_test)) for key, score in setting.scorers.items()
        }
        records.append({"model": name, **scores, "fit_seconds": seconds, "n_test": len(test)})
    return records


def find_scorers(scoring, task, y, model):
    """Give the scores of a task, by the name of their column.

    Parameters
    ----------
    scoring : str, callable or None
        As scikit-learn's; None for the scores of the task.
    task : {"classification", "regression", "survival"}
    y : ndarray of shape (n,)
        Outcomes.
    model : estimator
        One of those to be scored.

    Returns
    -------
    dict of str to callable ``(model, X, y) -> float``
        AUROC for two classes; balanced accuracy and log loss for more; R squared; concordance. NaN
        where it is not defined.

    Raises
    ------
    TypeError
        If `scoring` is neither a name nor a callable.
    ValueError
        If `scoring` is a name and the task is survival.
    """
    if callable(scoring):
        return {getattr(scoring, "__name__", "score"): scoring}
    if scoring is not None:
        if not isinstance(scoring, str):
            raise TypeError(
                f"scoring must be the name of a scorer, a callable (estimator, X, y) -> float or "
                f"None, found {type(scoring).__name__}."
            )
        if task == "survival":
            raise ValueError(
                f"scoring={scoring!r} is not for survival; leave it None (concordance), or pass a "
                "callable (estimator, X, y) -> float."
            )
        return {scoring: check_scoring(model, scoring=scoring)}
    if task == "survival":
        return {"concordance": _concordance}
    if task == "regression":
        return {"r2": _r2}
    classes = np.unique(y)
    if len(classes) == 2:
        return {"auroc": _auroc}
    return {"balanced_accuracy": _balanced_accuracy, "log_loss": _LogLoss(classes)}


def _concordance(model, X, y):
    """Concordance; NaN where no two patients can be compared, as without an event."""
    event, time = y["event"], y["time"]
    first = time[event].min(initial=np.inf)
    if not ((time > first) | ((time == first) & ~event)).any():
        return np.nan
    return concordance_index(y, np.asarray(model.predict(X), dtype=float))


def _r2(model, X, y):
    return r2_score(y, model.predict(X))


def _balanced_accuracy(model, X, y):
    """Mean recall of the classes there are."""
    predicted = np.asarray(model.predict(X))
    return np.mean([np.mean(predicted[y == label] == label) for label in np.unique(y)])


def _auroc(model, X, y):
    """AUROC of the second class; NaN where the rows are all of one class."""
    if len(np.unique(y)) < 2:
        return np.nan
    if hasattr(model, "decision_function"):
        score = model.decision_function(X)
    else:
        score = np.asarray(model.predict_proba(X))[:, 1]
    return roc_auc_score(y, score)


@dataclass(frozen=True)
class _LogLoss:
    """Log loss, also where the training or test rows lack a class."""

    classes: np.ndarray

    def __call__(self, model, X, y):
        found = np.asarray(model.predict_proba(X), dtype=float)
        probabilities = np.full((len(found), len(self.classes)), 1e-12)
        probabilities[:, np.searchsorted(self.classes, model.classes_)] = found
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return log_loss(y, probabilities, labels=self.classes)


def summarise(records, metrics, reference, folds):
    """One row per model from one row per model and fold.

    Parameters
    ----------
    records : DataFrame
        ``model``, ``fold``, the metrics and ``fit_seconds``.
    metrics : list of str
        Names of the scores.
    reference : str
        Model that the others are compared with.
    folds : list of tuples of two ndarrays
        Training and test rows.

    Returns
    -------
    DataFrame
        As documented for `compare_fusions`.
    """
    parts = dict(list(records.groupby("model", sort=False)))
    ratio = float(np.mean([len(test) / len(train) for train, test in folds]))
    table = []
    for name, part in parts.items():
        row = {"model": name}
        for metric in metrics:
            # pandas leaves out what is undefined in a fold
            row[metric], row[f"{metric}_sd"] = part[metric].mean(), part[metric].std()
        row |= {"fit_seconds": part["fit_seconds"].mean(), "n_folds": len(part)}
        for metric in metrics:
            tested = np.nan, np.nan
            if name != reference:
                gain = part[metric].to_numpy() - parts[reference][metric].to_numpy()
                tested = _test(gain[~np.isnan(gain)], ratio)
            row[f"{metric}_difference"], row[f"{metric}_p_value"] = tested
        table.append(row)
    return pd.DataFrame(table)


def _test(differences, ratio):
    return corrected_paired_ttest(differences, ratio) if len(differences) else (np.nan, np.nan)
