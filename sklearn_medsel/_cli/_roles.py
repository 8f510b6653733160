"""From a table to what a selector takes: which columns are target, survival, groups and genes.

The checks of each role's values are in `_columns`.
"""

import difflib
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sklearn_medsel._cli._columns import (
    check_genes,
    check_groups,
    check_pairs,
    check_survival,
    check_target,
)
from sklearn_medsel._cli._tables import InputError, quoted


@dataclass
class Samples:
    """A checked table, split into its roles.

    Attributes
    ----------
    X : DataFrame of shape (n_samples, n_genes), float
    y : ndarray of shape (n_samples,)
        Classes, numbers, or the structured array of event and time.
    task : {"classification", "regression", "survival"}
    outcome : str
        What the genes are selected for, in words.
    groups : ndarray of shape (n_samples,) or None
    survival : structured ndarray of shape (n_samples,) or None
        Present where time and event were given, also beside a target.
    remarks : list of str
        What was done to the table and the user should know.
    """

    X: pd.DataFrame
    y: np.ndarray
    task: str
    outcome: str
    groups: np.ndarray | None = None
    survival: np.ndarray | None = None
    remarks: list = field(default_factory=list)


def assign_roles(frame, settings):
    """Split a table into genes, outcome and groups, and check each of them.

    Parameters
    ----------
    frame : DataFrame
    settings : Settings
        With the names of the columns.

    Returns
    -------
    Samples

    Raises
    ------
    InputError
        Naming the column or the rows, and the fix.
    """
    roles = {
        f"--{role}": getattr(settings, role)
        for role in ("target", "time", "event", "groups")
        if getattr(settings, role) is not None
    }
    for option, name in roles.items():
        _check_present(frame, name, option)
    taken = pd.Series(roles)
    if taken.duplicated().any():
        name = taken[taken.duplicated()].iloc[0]
        raise InputError(
            f"column {name!r} is given twice: {' and '.join(taken.index[taken == name])}"
        )
    dropped = _expand_drop(frame, settings.drop)
    X, remarks = check_genes(frame.drop(columns=[*dict.fromkeys([*roles.values(), *dropped])]))
    survival = None
    if settings.time is not None:
        survival = check_survival(frame[settings.event], frame[settings.time], settings.folds)
    groups = (
        None if settings.groups is None else check_groups(frame[settings.groups], settings.folds)
    )
    if settings.target is None:
        outcome = f"{settings.event} over {settings.time}"
        return Samples(X, survival, "survival", outcome, groups, survival, remarks)
    y, task = check_target(frame[settings.target], settings)
    if groups is not None and task == "classification":
        check_pairs(groups, y, settings.groups)
    return Samples(X, y, task, settings.target, groups, survival, remarks)


def _check_present(frame, name, option):
    if name in frame.columns:
        return
    by_lower = {str(column).lower(): str(column) for column in frame.columns}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if close:
        hint = f"did you mean {' or '.join(repr(by_lower[match]) for match in close)}?"
    elif _is_row_name(frame, name):
        hint = "it is the name of a row: samples must be in rows, so transpose the table"
    else:
        hint = f"the table's columns begin with {quoted(frame.columns[:4])}"
    raise InputError(f"{option}: there is no column {name!r}; {hint}")


def _is_row_name(frame, name):
    first_column = frame.iloc[:, 0] if frame.shape[1] else pd.Series(dtype=object)
    return name in frame.index or (first_column.astype(str) == name).any()


def _expand_drop(frame, patterns):
    """Return the columns to leave out; ``*`` and ``?`` stand for any text and any character."""
    dropped = []
    for pattern in patterns:
        if pattern in frame.columns or not set("*?") & set(pattern):
            _check_present(frame, pattern, "--drop")
            dropped.append(pattern)
            continue
        regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        matches = [name for name in frame.columns if re.fullmatch(regex, str(name))]
        if not matches:
            raise InputError(f"--drop: no column matches {pattern!r}")
        dropped += matches
    return dropped
