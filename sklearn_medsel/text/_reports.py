"""What a user may pass as reports, and the checks of it.

Messages name rows and columns and never quote a report.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sklearn_medsel._validation import list_rows

CURRENT, PREVIOUS, CLAIM = "current", "previous", "claim"
_FORMS = (
    "Pass a 1-D array, list or Series of strings, or a DataFrame with the columns 'current' and, "
    "if there is an earlier report, 'previous'"
)


@dataclass(frozen=True)
class Reports:
    """Checked reports.

    Attributes
    ----------
    current : list of str
        The reports themselves.
    previous : list of (str or None) or None
        The report before each; an entry is None for a first examination. None if the user gave
        no such column.
    claims : list of str or None
        A claim for each row that the report is to be held against.
    """

    current: list
    previous: list | None = None
    claims: list | None = None

    def __len__(self):
        """Return the number of reports."""
        return len(self.current)

    def keys(self):
        """Return one integer per row, the same for rows with the same current report."""
        return pd.factorize(pd.Series(self.current, dtype=object))[0]

    def take(self, rows):
        """Return some of the reports, in the order of ``rows``."""
        parts = (
            None if part is None else [part[row] for row in rows]
            for part in (self.current, self.previous, self.claims)
        )
        return Reports(*parts)


def check_reports(X, *, name="X"):
    """Check reports and bring them into one form.

    Parameters
    ----------
    X : list, Series or 1-D array of str, or DataFrame
        A DataFrame has a column ``current``, and may have ``previous`` (missing where there is no
        earlier report) and ``claim``; of a DataFrame or array with one column, whatever its name,
        that column is taken.
    name : str, default="X"
        What error messages call it.

    Returns
    -------
    Reports

    Raises
    ------
    ValueError
        If there are no reports, or a report is missing or not a string.

    Examples
    --------
    >>> from sklearn_medsel.text._reports import check_reports
    >>> check_reports(["No effusion."]).current
    ['No effusion.']
    """
    if isinstance(X, pd.DataFrame) and (X.shape[1] != 1 or X.columns[0] in (PREVIOUS, CLAIM)):
        return _from_columns(X, name)
    if isinstance(X, pd.DataFrame):
        column = X.columns[0]
        return Reports(_texts(X[column], f"column {str(column)!r} of {name}"))
    if isinstance(X, str | bytes):
        raise ValueError(f"{name} is a single {type(X).__name__}. {_FORMS}: [report].")
    values = np.empty(0) if X is None or np.isscalar(X) else X
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise ValueError(f"{name} has the shape {values.shape}. {_FORMS}.")
    if X is None or np.isscalar(X) or isinstance(X, dict | set) or not hasattr(X, "__len__"):
        raise ValueError(f"{name} is a {type(X).__name__}. {_FORMS}.")
    return Reports(_texts(values, name))


def _from_columns(X, name):
    if CURRENT not in X.columns:
        found = ", ".join(repr(str(column)) for column in X.columns[:8]) or "none"
        raise ValueError(f"{name} has no column 'current'; its columns are {found}. {_FORMS}.")
    repeated = X.columns[X.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"{name} has more than one column {str(repeated[0])!r}; keep one.")
    previous = claims = None
    if PREVIOUS in X.columns:
        previous = _texts(X[PREVIOUS], f"column 'previous' of {name}", may_miss=True)
    if CLAIM in X.columns:
        claims = _texts(X[CLAIM], f"column 'claim' of {name}")
    return Reports(_texts(X[CURRENT], f"column 'current' of {name}"), previous, claims)


def _texts(values, name, *, may_miss=False):
    """List of str; with ``may_miss``, missing or blank texts become None."""
    values = list(values)
    if not values:
        raise ValueError(f"{name} is empty: at least one report is needed.")
    is_text = np.array([isinstance(value, str) for value in values])
    missing = np.array([is_missing(value) for value in values])
    wrong = ~is_text & ~missing
    if wrong.any():
        kind = type(values[np.flatnonzero(wrong)[0]]).__name__
        fix = "decode bytes first" if kind == "bytes" else "convert the column to text"
        raise ValueError(f"{name} must hold strings, got {kind} at {list_rows(wrong)}; {fix}.")
    if may_miss:
        return [str(v) if t and v.strip() else None for v, t in zip(values, is_text, strict=True)]
    if missing.any():
        raise ValueError(
            f"{name} is missing at {list_rows(missing)}. Remove these rows, or put '' for a report "
            "without text."
        )
    return [str(value) for value in values]


def is_missing(value):
    """Tell whether a single value stands for a missing one: None, NaN, NA or NaT."""
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def read_column(X):
    """Reports in a column of a table, as a transformer gets it; missing ones taken for empty."""
    column, name = X, "X"
    if isinstance(X, pd.DataFrame):
        if X.shape[1] != 1:
            raise ValueError(
                f"X must be one column of reports, got {X.shape[1]} columns. Give each column an "
                "encoder of its own, or join them to one."
            )
        column = X.iloc[:, 0]
    if isinstance(column, pd.Series) and column.name is not None:
        name = f"column {str(column.name)!r} of X"
    if isinstance(column, np.ndarray) and column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if isinstance(column, list | pd.Series | np.ndarray):
        column = ["" if is_missing(value) else value for value in column]
    return Reports(check_reports(column, name=name).current)
