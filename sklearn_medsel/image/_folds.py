"""Folds of patients, of which each is left out once."""

import warnings

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils.validation import column_or_1d

from sklearn_medsel.survival._folds import check_groups


def make_folds(cv, outcome, groups, random_state):
    """Pairs (train, test) of row positions; every row is in one test part.

    Parameters
    ----------
    cv : int, splitter or iterable of pairs
    outcome : Outcome
    groups : array-like of shape (n,) or None
    random_state : int
        Seed of the splitters that are made here.
    """
    n_rows, strata = len(outcome), outcome.strata
    groups = None if groups is None else check_groups(column_or_1d(groups), n_rows)
    if isinstance(cv, int | np.integer):
        options = {"n_splits": int(cv), "shuffle": True, "random_state": random_state}
        if groups is None:
            cv = StratifiedKFold(**options)
        elif outcome.task == "regression":
            cv = GroupKFold(**options)
        else:
            cv = StratifiedGroupKFold(**options)
    else:
        cv = check_cv(cv)
    with warnings.catch_warnings():
        # a rare class is then missing in some folds, which does no harm here
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        folds = list(cv.split(np.zeros((n_rows, 1)), strata, groups))
    try:
        # folds that a user made may be masks
        folds = [[np.arange(n_rows)[rows] for rows in pair] for pair in folds]
    except IndexError:
        raise ValueError(
            f"cv holds folds of another number of rows than the {n_rows} given. Where an encoder "
            "is fitted on parts of the patients, as in cross-validation, give a number of folds or "
            "a splitter such as KFold."
        ) from None
    times = np.zeros(n_rows, int)
    for train, test in folds:
        np.add.at(times, test, 1)
        if np.isin(train, test).any():
            raise ValueError(
                "cv has rows that are in both parts of a fold: networks would describe patients "
                "that they have seen. Make the parts disjoint, as KFold does."
            )
    if (times != 1).any():
        raise ValueError(
            "cv must leave every row out exactly once, as KFold does; "
            f"{int((times != 1).sum())} of {n_rows} rows are left out more often or never."
        )
    return folds


def check_folds(pairs, outcome, cv):
    """Refuse to train without a fold where then there is nothing to learn from."""
    for train, _ in pairs:
        if lacks := what_lacks(outcome, train):
            name = f"cv={cv!r}" if isinstance(cv, int | np.integer) else f"cv ({type(cv).__name__})"
            raise ValueError(
                f"{name}: without one of the folds there is not {lacks} among the patients with "
                "an image. Use fewer folds, or a splitter that balances them."
            )


def what_lacks(outcome, rows):
    """Say what a network would need to learn from some rows; empty where it can."""
    told = outcome.values[rows]
    if outcome.task == "survival":
        return "" if told[:, 0].any() else "an event"
    return "" if len(told) > 1 and (told != told[0]).any() else "two different values of y"
