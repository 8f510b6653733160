"""Folds: drawn by a seed, in equal shares and without parting groups, or given and checked."""

from contextlib import contextmanager

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold


@contextmanager
def in_fold(number):
    """Name the fold in an error: its patients may lack what all together have."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"Fold {number}: {error}") from error


def even_folds(strata, groups, n_splits, seed):
    """Split rows so that each is held out once.

    Parameters
    ----------
    strata : ndarray of shape (n,)
        Classes, or whether the event was seen, which folds hold in as equal shares as can be. All
        the same where there is nothing to share out.
    groups : ndarray of shape (n,) or None
        Rows of one group stay together.
    n_splits : int
        Number of folds, at most that of rows or groups. With no more than `most_folds`, every fold
        holds out something of each stratum as far as groups allow.
    seed : int
        Seed of the draw.

    Returns
    -------
    list of tuple of two ndarrays of int
        Training and held-out rows.
    """
    is_even = len(np.unique(strata)) > 1
    if groups is None:
        kind = StratifiedKFold if is_even else KFold
    else:
        kind = StratifiedGroupKFold if is_even else GroupKFold
    folds = kind(n_splits, shuffle=True, random_state=seed)
    return list(folds.split(strata, strata, groups))


def most_folds(strata, groups):
    """Count the rows, or groups, of the rarest stratum: more folds than these leave it out."""
    units = np.arange(len(strata)) if groups is None else groups
    return min(len(np.unique(units[strata == stratum])) for stratum in np.unique(strata))


def check_folds(folds, n, *, name="cv"):
    """Check folds that the user gave: rows that exist, and none on both sides.

    Parameters
    ----------
    folds : iterable of tuple of two array-likes
        Training and held-out rows: positions, or Boolean masks.
    n : int
        Number of rows there are.
    name : str, default="cv"
        What error messages call them.

    Returns
    -------
    list of tuple of two ndarrays of int
        Training and held-out positions, neither of them empty.

    Raises
    ------
    ValueError
        If there is no fold, a fold is no such pair, or a row is outside the table or on both sides
        of a fold.
    """
    checked = []
    for number, fold in enumerate(folds):
        called = f"fold {number} of {name}"
        try:
            train, test = fold
        except (TypeError, ValueError) as error:
            raise ValueError(f"{called} must be a pair of training and held-out rows.") from error
        train = _check_part(train, n, f"the training part of {called}")
        test = _check_part(test, n, f"the held-out part of {called}")
        n_both = np.intersect1d(train, test).size
        if n_both:
            raise ValueError(
                f"{called} has {n_both} of its {test.size} held-out rows in its training part too; "
                "leave them out of it, or the model is judged on rows that it has seen."
            )
        checked.append((train, test))
    if not checked:
        raise ValueError(f"{name} has no folds; give at least one, or an int.")
    return checked


def _check_part(rows, n, called):
    """Rows of one side of a fold as positions."""
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or not rows.size:
        raise ValueError(f"{called} must hold one row or more, found the shape {rows.shape}.")
    if rows.dtype.kind not in "iu":
        raise ValueError(
            f"{called} must hold positions of rows, counted from 0, or a Boolean mask of all {n} "
            f"rows; found {rows.size} values of dtype {rows.dtype}."
        )
    if rows.min() < 0 or rows.max() >= n:
        raise ValueError(
            f"{called} must hold positions between 0 and {n - 1}, found {rows.min()} to "
            f"{rows.max()}."
        )
    return rows
