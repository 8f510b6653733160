"""Checks of the table, the outcome and the folds of `compare_selectors`."""

from numbers import Integral

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from sklearn_medsel._folds import check_folds, even_folds
from sklearn_medsel._validation import check_survival_y, is_survival_y, list_rows
from sklearn_medsel.survival import make_survival_y
from sklearn_medsel.survival._folds import check_groups

_TASKS = ("auto", "classification", "regression", "survival")


def check_table(X):
    """Table of numbers as a DataFrame with distinct text names.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        As given by the user.

    Returns
    -------
    X : DataFrame of shape (n_samples, n_features)
        float32 where every value came so, else float64.
    has_missing : bool
        Whether any value is NaN.

    Raises
    ------
    ValueError
        If it is not a table, a column is text, a name is there twice, or a value is infinite.
    """
    if sparse.issparse(X):
        X = X.toarray()
    if not isinstance(X, pd.DataFrame):
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(f"X must be a table with two dimensions, found {X.ndim}.")
        X = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    if 0 in X.shape:
        raise ValueError(f"X must have rows and columns, found shape {X.shape}.")
    names = X.columns.astype(str)
    if names.has_duplicates:
        twice = names[names.duplicated()].unique()
        raise ValueError(
            f"X has {len(twice)} column names more than once, such as {twice[0]!r}; rename or "
            "merge them."
        )
    for name, dtype in zip(names, X.dtypes, strict=True):
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
            raise ValueError(
                f"Column {name!r} of X is not numeric (dtype {dtype}); encode it or leave it out."
            )
    single = all(dtype == np.float32 for dtype in X.dtypes)
    values = X.to_numpy(np.float32 if single else np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    if infinite.any():
        column = int(np.flatnonzero(infinite.any(axis=0))[0])
        raise ValueError(
            f"Column {names[column]!r} of X holds infinity in {list_rows(infinite[:, column])}; "
            "replace it by a number or NaN."
        )
    return pd.DataFrame(values, columns=names), bool(np.isnan(values).any())


def check_outcome(y, task, n_samples):
    """Outcome as one array, and the task it stands for.

    Parameters
    ----------
    y : array-like, structured array or DataFrame
        As given by the user.
    task : str
        As given by the user.
    n_samples : int
        Rows of the table.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Classes, float64 values, or a structured array of ``event`` and ``time``.
    task : {"classification", "regression", "survival"}
        Found or given.

    Raises
    ------
    ValueError
        If the outcome does not fit the table or the task, or holds missing values.
    """
    if task not in _TASKS:
        raise ValueError(f"task must be one of {', '.join(map(repr, _TASKS))}; found {task!r}.")
    if len(y) != n_samples:
        raise ValueError(f"y has {len(y)} rows but X has {n_samples}; they must be the same.")
    if task == "survival" or (task == "auto" and is_survival_y(y)):
        return make_survival_y(*check_survival_y(y)), "survival"
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(
            f"y must be one outcome per row, found shape {y.shape}; compare each alone."
        )
    missing = pd.isna(y)
    if missing.any():
        raise ValueError(f"y is missing in {list_rows(missing)}; leave those samples out.")
    if y.dtype.kind == "f" and np.isinf(y).any():
        raise ValueError(f"y is infinite in {list_rows(np.isinf(y))}; leave those samples out.")
    if task == "auto":
        task = "regression" if _is_measurement(y) else "classification"
    if task == "regression":
        try:
            return y.astype(np.float64), task
        except ValueError as error:
            raise ValueError("y holds text, but task='regression' needs numbers.") from error
    if y.dtype.kind == "f" and type_of_target(y) == "continuous":
        raise ValueError("y holds decimal numbers, but task='classification' needs classes.")
    y = y.astype(str) if y.dtype.kind == "O" else y
    if len(np.unique(y)) < 2:
        raise ValueError("y has one class only; classification needs two or more.")
    return y, task


def _is_measurement(y):
    # Whole numbers may be classes or counts; more than 20 different ones are hardly classes.
    return type_of_target(y) == "continuous" or (y.dtype.kind in "iuf" and len(np.unique(y)) > 20)


def make_folds(y, task, cv, n_repeats, groups, random_state):
    """Folds that all selectors share.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Checked outcome.
    task : {"classification", "regression", "survival"}
        What it is.
    cv : int, splitter or iterable
        As given by the user.
    n_repeats : int
        How often to draw folds anew where `cv` is an int.
    groups : array-like of shape (n_samples,) or None
        Rows that must stay together.
    random_state : int, RandomState instance or None
        Seed of the draws.

    Returns
    -------
    groups : ndarray of shape (n_samples,) or None
        As an array.
    folds : list of tuples of two ndarrays
        Training and test rows.

    Raises
    ------
    ValueError
        If there are too few samples of a class, or too few groups, for the folds, or given ones
        hold rows that are not there or the same on both sides.
    """
    groups = check_groups(groups, len(y))
    strata = y["event"] if task == "survival" else y
    if not isinstance(cv, Integral):
        given = check_cv(cv).split(np.zeros((len(y), 1)), strata, groups)
        return groups, check_folds(given, len(y))
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats must be a whole number of at least 1, found {n_repeats!r}.")
    _check_counts(strata, task, cv, groups)
    # A handful of censored samples cannot be spread over the folds, and need not be.
    if task == "regression" or (task == "survival" and np.sum(~strata) < cv):
        strata = np.zeros(len(y))
    folds = []
    for seed in _seeds(random_state, n_repeats):
        folds += even_folds(strata, groups, cv, seed)
    return groups, folds


def _check_counts(strata, task, cv, groups):
    if cv < 2:
        raise ValueError(f"cv must be at least 2, found {cv}.")
    if groups is not None:
        n_groups = len(np.unique(groups))
        if n_groups < cv:
            raise ValueError(f"groups has {n_groups} groups, fewer than cv={cv}; lower cv.")
    if task == "regression":
        if len(strata) < 2 * cv:
            raise ValueError(
                f"{len(strata)} samples are too few for cv={cv}, which needs two per fold; lower "
                "cv."
            )
        return
    if task == "survival":
        if strata.sum() < cv:
            raise ValueError(
                f"y has {strata.sum()} events, fewer than cv={cv}, so that some folds would have "
                "none; lower cv."
            )
        return
    classes, counts = np.unique(strata, return_counts=True)
    rarest = int(np.argmin(counts))
    if counts[rarest] < cv:
        raise ValueError(
            f"y has {counts[rarest]} samples of class {str(classes[rarest])!r}, fewer than "
            f"cv={cv}, so that some folds would have none; lower cv, or leave that class out "
            "(or pass task='regression' if y is a measurement)."
        )


def _seeds(random_state, n_repeats):
    # Without a seed, numpy's global generator stays untouched.
    if random_state is None:
        return np.random.default_rng().integers(2**31, size=n_repeats).tolist()
    return check_random_state(random_state).randint(2**31 - 1, size=n_repeats).tolist()
