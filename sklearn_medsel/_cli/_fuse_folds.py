"""Outer folds of the subcommand ``fuse``: drawn once, and the same for every method."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.parallel import Parallel, delayed

from sklearn_medsel._cli._tables import InputError


def draw_folds(patients, settings):
    """Draw folds with equal shares of classes or events that part no group.

    Parameters
    ----------
    patients : Patients
    settings : FuseSettings

    Returns
    -------
    list of tuple of two ndarrays of int
        Training and held-out rows.

    Raises
    ------
    InputError
        If a class, events or groups are too few.
    """
    from sklearn_medsel.feature_selection._compare_input import make_folds
    from sklearn_medsel.survival._folds import survival_folds

    y, groups, cv, seed = patients.y, patients.groups, settings.cv, settings.seed
    try:
        if patients.task == "survival":
            return survival_folds(y["event"], cv, groups, seed, name="--cv")
        return make_folds(y, patients.task, cv, 1, groups, seed)[1]
    except ValueError as error:
        words = str(error).replace(" cv=", " --cv ").replace("lower cv", "lower --cv")
        raise InputError(words) from error


def held_out(estimator, folds, patients, n_jobs, report):
    """Predict every patient by a model that was fitted without them.

    Parameters
    ----------
    estimator : estimator
        Cloned, not changed.
    folds : list of tuple of two ndarrays of int
    patients : Patients
    n_jobs : int or None
    report : callable
        Called with the share of folds that are done.

    Returns
    -------
    DataFrame of shape (n_patients, 1 or n_classes)
        Log hazards, numbers, or probabilities of the classes.
    """
    parts = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_predict)(estimator, fold, number, patients)
        for number, fold in enumerate(folds, start=1)
    )
    found = []
    for part in parts:
        found.append(part)
        report(len(found) / len(folds))
    return pd.concat(found).loc[patients.X.index]


def compare_methods(name, found, folds, patients, settings, progress):
    """Score the fusion beside simple models on the same folds.

    Parameters
    ----------
    name : str
        What the fusion is called.
    found : DataFrame
        As from `held_out`.
    folds : list of tuple of two ndarrays of int
    patients : Patients
    settings : FuseSettings
    progress : Progress

    Returns
    -------
    comparison : DataFrame
        As from `compare_fusions`, the fusion first, without the seconds.
    by_fold : DataFrame
        One row per method and fold: model, fold, scores, n_test.
    """
    from sklearn_medsel.multimodal._compare_fold import Setting, evaluate, find_scorers, summarise
    from sklearn_medsel.multimodal._compare_models import baseline_fusions

    X, y = patients.X, patients.y
    models = {name: KnownScores(found)} | baseline_fusions(
        patients.blocks,
        base=patients.base,
        task=patients.task,
        image_root=patients.image_root,
        random_state=settings.seed,
    )
    scorers = find_scorers(None, patients.task, y, None)
    setting = Setting(X, y, patients.groups, models, scorers)
    parts = Parallel(n_jobs=settings.jobs, return_as="generator")(
        delayed(evaluate)(fold, setting, number) for number, fold in enumerate(folds, start=1)
    )
    records = []
    for number, part in enumerate(parts, start=1):
        records += [{**record, "fold": number} for record in part]
        progress.update(number / len(folds))
    records = pd.DataFrame(records)
    comparison = summarise(records, list(scorers), name, folds)
    return (
        comparison.drop(columns=["fit_seconds", "n_folds"]),
        records[["model", "fold", *scorers, "n_test"]],
    )


class KnownScores(BaseEstimator):
    """What was predicted for patients left out, where a comparison wants a model.

    Parameters
    ----------
    found : DataFrame of shape (n_patients, 1 or n_classes)
        As from `held_out`.
    """

    def __init__(self, found):
        self.found = found

    def fit(self, X, y):
        """Learn nothing."""
        self.classes_ = self.found.columns.to_numpy()
        return self

    def predict(self, X):
        """Return the log hazards, numbers or most probable classes."""
        found = self.found.loc[X.index].to_numpy()
        return self.classes_[found.argmax(axis=1)] if found.shape[1] > 1 else found[:, 0]

    def predict_proba(self, X):
        """Return the probabilities."""
        return self.found.loc[X.index].to_numpy()


def _predict(estimator, fold, number, patients):
    """Fit on some patients and predict others."""
    from sklearn_medsel._folds import in_fold

    train, test = fold
    groups = None if patients.groups is None else patients.groups[train]
    with in_fold(number):
        fitted = clone(estimator).fit(patients.X.iloc[train], patients.y[train], groups=groups)
    X = patients.X.iloc[test]
    if patients.task == "classification":
        return pd.DataFrame(fitted.predict_proba(X), index=X.index, columns=fitted.classes_)
    return pd.DataFrame({"score": np.asarray(fitted.predict(X))}, index=X.index)
