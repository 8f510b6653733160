"""From a table to what a classifier of reports takes: texts, which are important, and groups.

Messages name columns and row positions (counted from 1 below the header), never a report.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sklearn_medsel._cli._columns import rows
from sklearn_medsel._cli._roles import _check_present
from sklearn_medsel._cli._tables import InputError, quoted

_MAX_CLASSES = 10
_LONGEST_NAME = 100  # characters; what is longer may be a report without a header
_LONGEST_CLASS = 30  # characters; what is longer may be a report


@dataclass
class ReportTable:
    """A checked table of reports, the rows without a target left out.

    Attributes
    ----------
    X : Series of str, or DataFrame with the columns current and previous
    y : ndarray of shape (n_reports,), int
        1 for important.
    labels : ndarray of shape (n_reports,), object
        The target as written in the table.
    names : list of two str
        Names of the classes 0 and 1.
    groups : ndarray of shape (n_reports,), int, or None
    rows : ndarray of shape (n_reports,), int
        Row of each report in the table, counted from 1 below the header.
    remarks : list of str
        What was done to the table and the user should know.
    """

    X: pd.Series | pd.DataFrame
    y: np.ndarray
    labels: np.ndarray
    names: list
    groups: np.ndarray | None
    rows: np.ndarray
    remarks: list = field(default_factory=list)

    @property
    def texts(self):
        """The reports, without those before them."""
        return self.X["current"] if isinstance(self.X, pd.DataFrame) else self.X


def assign_report_roles(frame, settings):
    """Split a table into reports, target and groups, and check each of them.

    Parameters
    ----------
    frame : DataFrame
    settings : ReportSettings
        With the names of the columns.

    Returns
    -------
    ReportTable

    Raises
    ------
    InputError
        Naming the column or the rows, and the fix.
    """
    options = {
        f"--{role}": getattr(settings, role)
        for role in ("text", "target", "previous", "groups")
        if getattr(settings, role) is not None
    }
    if any(len(str(name)) > _LONGEST_NAME for name in frame.columns):
        raise InputError(
            "the table's first line has to name the columns, and it looks like a report instead; "
            f"give every column a name of at most {_LONGEST_NAME} characters"
        )
    for option, name in options.items():
        _check_present(frame, name, option)
    taken = pd.Series(options)
    if taken.duplicated().any():
        name = taken[taken.duplicated()].iloc[0]
        raise InputError(
            f"column {name!r} is given twice: {' and '.join(taken.index[taken == name])}"
        )
    labels, kept = _labels(frame[settings.target])
    y, names = _importance(labels[kept], settings)
    current, n_empty = _texts(frame[settings.text], "--text", kept)
    if n_empty == len(current):
        raise InputError(f"--text column {settings.text!r} is empty: no row has a report")
    X, remarks = current, []
    if not kept.all():
        remarks.append(
            f"{_count(int(np.sum(~kept)), 'row')} left out: no value in {settings.target!r}."
        )
    if n_empty:
        remarks.append(
            f"{_count(n_empty, 'report')} without text: predicted by the frequency of the classes."
        )
    if settings.previous is not None:
        previous, n_first = _texts(frame[settings.previous], "--previous", kept)
        X = pd.DataFrame({"previous": previous, "current": current})
        remarks.append(f"{_count(n_first, 'report')} without a previous one: first examinations.")
    return ReportTable(
        X,
        y,
        labels[kept].to_numpy(dtype=object),
        names,
        _groups(frame, settings.groups, kept),
        np.flatnonzero(kept) + 1,
        remarks,
    )


def _texts(column, option, kept):
    """Return the texts of the rows that are kept, "" where there is none, and how many lack one."""
    values = column.to_numpy(dtype=object)
    missing = column.isna().to_numpy()
    wrong = kept & ~missing & ~np.array([isinstance(value, str) for value in values])
    if wrong.any():
        kind = "bytes" if isinstance(values[np.argmax(wrong)], bytes) else "values that are no text"
        raise InputError(
            f"{option} column {column.name!r} holds {kind} in {rows(wrong)}; give text"
        )
    texts = ["" if gone else text for gone, text in zip(missing[kept], values[kept], strict=True)]
    return pd.Series(texts, dtype=object), sum(not text.strip() for text in texts)


def _labels(column):
    """Return the target as text, and which rows have one."""
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    texts = column.map(
        lambda value: f"{value:g}" if is_number else str(value).strip(), na_action="ignore"
    )
    kept = column.notna().to_numpy() & texts.ne("").to_numpy()
    if not kept.any():
        raise InputError(f"--target column {column.name!r} has no value in any row")
    return texts.astype(object), kept


def _importance(labels, settings):
    """Turn labels into 1 for important and 0, and name the two."""
    name, values = settings.target, sorted(labels.unique(), key=_in_order)
    if len(values) > _MAX_CLASSES:
        raise InputError(
            f"--target column {name!r} holds {len(values)} different values; choose a column of "
            f"classes (at most {_MAX_CLASSES})"
        )
    if len(values) < 2:
        raise InputError(f"--target column {name!r} has one value only; nothing can be told apart")
    known = all(len(value) <= _LONGEST_CLASS for value in values)
    listed = f" ({quoted(values, limit=_MAX_CLASSES)})" if known else ""
    positive = settings.positive
    if positive is None and len(values) > 2:
        raise InputError(
            f"--target column {name!r} holds {len(values)} classes{listed}; say with --positive "
            "VALUE which one is important"
        )
    positive = values[1] if positive is None else positive
    if positive not in values:
        raise InputError(f"--positive: no row of column {name!r} has this value{listed}")
    y = (labels == positive).to_numpy(dtype=np.int64)
    for label, n_reports in enumerate(np.bincount(y)):
        if n_reports < settings.cv:
            kind = "important" if label else "other"
            raise InputError(
                f"--target column {name!r}: {_count(int(n_reports), f'{kind} report')}, fewer than "
                f"the {settings.cv} folds; "
                + (f"use --cv {n_reports}" if n_reports > 1 else "more reports are needed")
            )
    return y, [f"{name} other than {positive}", f"{name} = {positive}"]


def _in_order(label):
    """Sort numbers as numbers, before words."""
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _groups(frame, name, kept):
    if name is None:
        return None
    missing = kept & frame[name].isna().to_numpy()
    if missing.any():
        raise InputError(
            f"--groups column {name!r} has no value in {rows(missing)}; "
            "fill them in or remove the rows"
        )
    return pd.factorize(frame[name][kept])[0]


def _count(n, what):
    return f"{n:,} {what}" + ("" if n == 1 else "s")
