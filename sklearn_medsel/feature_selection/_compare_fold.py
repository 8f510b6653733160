"""One selector on one fold, and the table of all folds: the inner half of `compare_selectors`."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from sklearn_medsel.feature_selection._stability import Stability, nogueira_stability


@dataclass(frozen=True)
class Setting:
    """What all fits of a comparison share; the fields are those of `compare_selectors`."""

    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray | None
    task: str
    model: object
    scorer: object
    error_score: object
    has_missing: bool


def evaluate(selector, fold, setting):
    """Fit a selector and its model on the training part of a fold, and score the rest.

    Parameters
    ----------
    selector : estimator, Pipeline or "passthrough"
        As given by the user; cloned here.
    fold : tuple of two ndarrays of int
        Training and test rows.
    setting : Setting
        Data and model.

    Returns
    -------
    dict
        ``score``, ``n_features``, ``seconds``, ``error`` (str) and ``selected`` (tuple of column
        positions, or None).
    """
    train, test = fold
    groups = None if setting.groups is None else setting.groups[train]
    result = {"score": np.nan, "n_features": np.nan, "seconds": np.nan, "error": ""}
    result["selected"] = None
    try:
        start = time.perf_counter()
        steps, n_used = fit_steps(
            selector, setting.X.iloc[train], setting.y[train], groups, setting
        )
        seconds = time.perf_counter() - start
        columns = selected_columns(steps[:-1], setting.X.columns) if n_used else ()
        score = float(setting.scorer(make_pipeline(*steps), setting.X.iloc[test], setting.y[test]))
        result |= {
            "score": score,
            "n_features": n_used,
            "seconds": seconds,
            "selected": columns,
        }
    except Exception as error:
        if isinstance(setting.error_score, str):
            raise
        result["score"] = setting.error_score
        result["error"] = f"{type(error).__name__}: {error}"
    return result


def fit_steps(selector, X, y, groups, setting):
    """Fit preparation, selection and model one after the other.

    By hand and not by `Pipeline.fit`, so that `groups` reaches whichever step takes it, with
    metadata routing on or off, and so that an empty selection is found before the model is.

    Parameters
    ----------
    selector : estimator, Pipeline or "passthrough"
        As given by the user; cloned here.
    X : DataFrame of shape (n_samples, n_features)
        Training rows.
    y : ndarray of shape (n_samples,)
        Outcome of the training rows.
    groups : ndarray of shape (n_samples,) or None
        Groups of the training rows.
    setting : Setting
        Task and model.

    Returns
    -------
    steps : list of estimators
        All fitted; the last one predicts.
    n_used : int
        Number of features the last step sees.
    """
    prepare = [SimpleImputer(strategy="median", keep_empty_features=True)] * setting.has_missing
    prepare.append(StandardScaler())
    if isinstance(selector, str):
        plan = [*prepare, setting.model]
    elif isinstance(selector, Pipeline):
        plan = _flatten(selector)
        if not _predicts(plan[-1]):
            plan += [*prepare, setting.model]
    elif _predicts(selector):
        plan = [*prepare, selector]
    else:
        plan = [*prepare, selector, setting.model]

    fitted = []
    for step in plan[:-1]:
        step = clone(step)
        fitted.append(step)
        chosen = _fit_transform(step, X, y, groups)
        if chosen is None:
            return [*fitted[:-1], _constant(X, y, setting.task)], 0
        X = chosen
    last = clone(plan[-1])
    last.fit(X, y, **_accepted(last, groups))
    return [*fitted, last], X.shape[1]


def _flatten(pipeline):
    steps = []
    for _, step in pipeline.steps:
        if isinstance(step, Pipeline):
            steps += _flatten(step)
        elif step is not None and not isinstance(step, str):
            steps.append(step)
    return steps


def _predicts(step):
    return hasattr(step, "predict") and not hasattr(step, "get_support")


def _accepted(step, groups):
    if groups is None or not has_fit_parameter(step, "groups"):
        return {}
    return {"groups": groups}


def _fit_transform(step, X, y, groups):
    """Output of a step fitted here, or None where nothing is selected."""
    if not hasattr(step, "get_support"):
        chosen = step.fit_transform(X, y, **_accepted(step, groups))
        return chosen if chosen.shape[1] else None
    step.fit(X, y, **_accepted(step, groups))
    return step.transform(X) if np.any(step.get_support()) else None


def _constant(X, y, task):
    """Model that gives everyone the same prediction."""
    if task == "classification":
        return DummyClassifier(strategy="prior").fit(X, y)
    return DummyRegressor().fit(X, np.zeros(len(X)) if task == "survival" else y)


def selected_columns(steps, names):
    """Positions of the columns that pass through all steps, found by following their names.

    Parameters
    ----------
    steps : list of estimators
        Fitted, without the model.
    names : sequence of str
        Names of the columns of the table.

    Returns
    -------
    tuple of int or None
        None where a step makes new columns or does not name them.
    """
    position = {name: k for k, name in enumerate(names)}
    names = np.asarray(names, dtype=object)
    for step in steps:
        try:
            names = step.get_feature_names_out(names)
        except (AttributeError, ValueError):
            return None
    if not all(name in position for name in names):
        return None
    return tuple(position[name] for name in names)


def summarise(records, baseline, folds, n_columns):
    """One row per selector from one row per selector and fold.

    Parameters
    ----------
    records : DataFrame
        With ``selector``, ``fold`` and what `evaluate` returns.
    baseline : str or None
        Selector with which the others are compared.
    folds : list of tuples of two ndarrays
        Training and test rows.
    n_columns : int
        Number of columns of the table.

    Returns
    -------
    DataFrame
        As documented for `compare_selectors`.
    """
    by_name = dict(list(records.groupby("selector", sort=False)))
    reference = None if baseline is None else _scores(by_name[baseline])
    ratio = float(np.mean([len(test) / len(train) for train, test in folds]))
    rows = []
    for name, part in by_name.items():
        scores = part["score"].to_numpy(float)
        failed = part["error"] != ""
        stability = _stability(part["selected"], n_columns)
        difference = p_value = np.nan
        if reference is not None and name != baseline:
            difference, p_value = corrected_paired_ttest(_scores(part) - reference, ratio)
        rows.append(
            {
                "selector": name,
                "score_mean": _mean(scores),
                "score_std": _std(scores),
                "n_scores": int(np.sum(~np.isnan(scores))),
                "n_features_mean": _mean(part["n_features"]),
                "n_features_std": _std(part["n_features"]),
                "stability": stability.estimate,
                "stability_low": stability.low,
                "stability_high": stability.high,
                "seconds_mean": _mean(part["seconds"]),
                "difference": difference,
                "p_value": p_value,
                "n_empty": int(np.sum(part["n_features"] == 0)),
                "error": _first_error(part, failed),
            }
        )
    return pd.DataFrame(rows)


def _scores(part):
    # A fold that failed has no score to be paired, whatever error_score puts in the mean.
    return np.where(part["error"] == "", part["score"].to_numpy(float), np.nan)


def _mean(values):
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan


def _std(values):
    values = np.asarray(values, dtype=float)
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def _first_error(part, failed):
    if not failed.any():
        return ""
    return f"{failed.sum()} of {len(part)} fits failed; first: {part.loc[failed, 'error'].iloc[0]}"


def _stability(selected, n_columns):
    sets = [columns for columns in selected if columns is not None]
    if len(sets) < 2:
        return Stability(np.nan, np.nan, np.nan)
    support = np.zeros((len(sets), n_columns), dtype=bool)
    for row, columns in zip(support, sets, strict=True):
        row[list(columns)] = True
    return nogueira_stability(support)


def corrected_paired_ttest(differences, test_train_ratio):
    """Corrected resampled t-test of Nadeau and Bengio.

    Training sets of repeated cross-validation overlap, so the plain paired t-test claims too
    much; adding the ratio of test to training size to 1/J makes up for it approximately.

    Parameters
    ----------
    differences : ndarray of shape (n_folds,)
        Paired differences of the scores.
    test_train_ratio : float
        Size of the test part over that of the training part.

    Returns
    -------
    mean : float
        Mean difference; NaN where any is NaN.
    pvalue : float
        Two-sided; NaN where any difference is NaN or there is only one.
    """
    mean = float(np.mean(differences))
    n_folds = len(differences)
    if np.isnan(mean) or n_folds < 2:
        return mean, np.nan
    variance = (1 / n_folds + test_train_ratio) * float(np.var(differences, ddof=1))
    if variance <= 1e-30:
        return mean, 1.0 if abs(mean) < 1e-15 else 0.0
    return mean, float(2 * stats.t.sf(abs(mean) / np.sqrt(variance), n_folds - 1))
