"""Cells of a table block: which are missing, which are numbers, which are levels.

All that is learnt here is how each column is to be read; cells are read alike at fit and at
predict, whatever the dtype.
"""

import math
import re
from decimal import Decimal
from numbers import Real
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_medsel._validation import has_decimal_commas
from sklearn_medsel.multimodal._blocks import name_rows
from sklearn_medsel.multimodal._grades import learn_grades, read_grades

_MANY_VALUES = 20  # different numbers that make a column numeric, whatever else is in it
_MISSING_WORD = re.compile(r"\s*(?:\[[A-Za-z][A-Za-z /_-]*\]\s*)?")  # blank, "[Not Available]"
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_TRUTH = {"true": 1.0, "false": 0.0}
_NUMERIC, _GRADE, _ORDER, _LEVEL, _EMPTY = "number", "grade", "order", "level", "empty"


class Cells(NamedTuple):
    """Cells of a table, and how its columns were read; a named tuple.

    Attributes
    ----------
    numbers : ndarray of shape (n_patients, n_columns), float64
        NaN where unknown; of no use in columns of levels.
    levels : dict of int to ndarray of shape (n_patients,), object
        Names of levels by the position of their column; None where unknown.
    known : ndarray of shape (n_patients, n_columns), bool
        Which cells hold anything, be it of use or not.
    kinds : list of {"number", "grade", "order", "level", "empty"}
        How each column is read.
    scales : list
        What that needs to know: of grades the scale, of ordered categories their ranks.
    worded : list of bool
        Which columns held words at fit, and no number among them.
    """

    numbers: np.ndarray
    levels: dict
    known: np.ndarray
    kinds: list
    scales: list
    worded: list


def read_cells(X, block, kinds=None, scales=None, worded=None):
    """Read the columns of a block.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_columns)
    block : str
        Name of the block, for error messages.
    kinds, scales, worded : list or None, default=None
        As in `Cells`; None learns them from `X`.

    Returns
    -------
    Cells

    Raises
    ------
    ValueError
        If a cell holds something else than a number, text or a Boolean value, is infinite, or is
        no number in a column of numbers; if a column that held words at fit holds nothing but
        numbers; if numbers are written with a decimal comma.
    """
    learn = kinds is None
    if learn:
        kinds, scales = [_NUMERIC] * X.shape[1], [None] * X.shape[1]
        worded = [False] * X.shape[1]
    is_numeric = _numeric_dtypes(X.dtypes)
    numbers = np.full(X.shape, np.nan)
    if is_numeric.any():
        # by position, as labels are slow for thousands of columns
        part = X if is_numeric.all() else X.iloc[:, np.flatnonzero(is_numeric)]
        numbers[:, is_numeric] = part.to_numpy(dtype=np.float64, na_value=np.nan)
    known, levels = ~np.isnan(numbers), {}
    for at, column in enumerate(X.columns):
        if is_numeric[at] and kinds[at] in (_NUMERIC, _EMPTY):
            continue
        where = f"block {block!r}, column {column!r}"
        words, codes = _different(X.iloc[:, at], where)
        if learn:
            kinds[at], scales[at] = _learn_kind(X.iloc[:, at], words, codes, where)
            numeric = any(_as_number(word) is not None for word in words)
            worded[at] = kinds[at] not in (_NUMERIC, _EMPTY) and not numeric
        elif worded[at]:
            # most likely codes for the words, all of which would be new to the model; one number
            # among words is a new word as any other
            here = codes >= 0
            if here.any() and not any(isinstance(words[k], str) for k in np.unique(codes[here])):
                raise ValueError(
                    f"{where} held words at fit, and numbers at {name_rows(here, X.index)}. "
                    "Write them as at fit, or make them missing."
                )
        known[:, at] = codes >= 0
        if kinds[at] == _LEVEL:
            levels[at] = np.array([*map(_key, words), None], dtype=object)[codes]
        elif kinds[at] != _EMPTY:
            values = _as_numbers(words, kinds[at], scales[at])
            wrong = np.array([*(value is None for value in values), False])[codes]
            if wrong.any():
                raise ValueError(
                    f"{where} held numbers at fit, and words at {name_rows(wrong, X.index)}. "
                    "Convert them, or make them missing."
                )
            # None stands for blank words, which have no code
            numbers[:, at] = np.array([*values, None], dtype=np.float64)[codes]
    infinite = np.isinf(numbers)
    if infinite.any():
        at = int(np.flatnonzero(infinite.any(axis=0))[0])
        raise ValueError(
            f"block {block!r}, column {X.columns[at]!r} is infinite at "
            f"{name_rows(infinite[:, at], X.index)}. Replace it, or make it missing."
        )
    return Cells(numbers, levels, known, kinds, scales, worded)


def has_values(X):
    """Tell which rows of a DataFrame have any value, as `read_cells` sees it."""
    is_numeric = _numeric_dtypes(X.dtypes)
    present = X.iloc[:, np.flatnonzero(is_numeric)].notna().to_numpy().any(axis=1)
    for at in np.flatnonzero(~is_numeric):
        if present.all():
            break
        rows = np.flatnonzero(~present)
        cells = X.iloc[rows, at]
        blank = [_is_blank(cell) for cell in cells.to_numpy(dtype=object)]
        present[rows] = cells.notna().to_numpy() & ~np.array(blank, dtype=bool)
    return present


def _numeric_dtypes(dtypes):
    """Tell which columns have a dtype of real numbers or Boolean values."""
    numeric = {
        dtype: (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype))
        and not isinstance(dtype, pd.CategoricalDtype)
        and not pd.api.types.is_complex_dtype(dtype)
        for dtype in set(dtypes)
    }
    return np.array([numeric[dtype] for dtype in dtypes], dtype=bool)


def _different(series, where):
    """Different values of a column and the code of each cell, -1 where it is missing."""
    values = series.to_numpy(dtype=object)
    if isinstance(series.dtype, pd.PeriodDtype) or series.dtype.kind in "mM":
        raise ValueError(
            f"{where} holds dates or durations ({series.dtype}). Convert them to numbers, such "
            "as days or years."
        )
    fit = (str, Real, Decimal, np.bool_)
    missing = pd.isna(series).to_numpy()
    wrong = np.array([not isinstance(value, fit) for value in values]) & ~missing
    if wrong.any():
        kind = type(values[np.flatnonzero(wrong)[0]]).__name__
        raise ValueError(
            f"{where} holds a value of type {kind} at {name_rows(wrong, series.index)}. A "
            "table block takes numbers, text and Boolean values."
        )
    values = np.where(missing, None, values)
    codes, words = pd.factorize(values)
    codes[np.array([*map(_is_blank, words), True])[codes]] = -1
    return list(words), codes


def _learn_kind(series, words, codes, where):
    """How a column is to be read, and what that needs to know."""
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    if isinstance(series.dtype, pd.CategoricalDtype):
        if series.dtype.ordered:
            ranks = {_key(one): float(k) for k, one in enumerate(series.dtype.categories)}
            return _ORDER, ranks
        return (_LEVEL, None) if counts.any() else (_EMPTY, None)
    used = [(word, count) for word, count in zip(words, counts, strict=True) if count]
    if not used:
        return _EMPTY, None
    numeric = np.array([_as_number(word) is not None for word, _ in used])
    if numeric.all():
        return _NUMERIC, None
    if has_decimal_commas(str(word) for word, _ in used):
        raise ValueError(
            f"{where} holds numbers with a decimal comma. Write them with a decimal point, or read "
            'the file with decimal=",".'
        )
    n_each = np.array([count for _, count in used])
    if numeric.sum() > _MANY_VALUES and n_each[numeric].sum() * 2 > n_each.sum():
        wrong = [_as_number(word) is None for word in words]
        raise ValueError(
            f"{where} holds numbers, and words at "
            f"{name_rows(np.array([*wrong, False])[codes], series.index)}. Convert these, or make "
            "them missing."
        )
    scale = learn_grades([_key(word) for word, _ in used], n_each.tolist())
    return (_LEVEL, None) if scale is None else (_GRADE, scale)


def _as_numbers(words, kind, scale):
    """Numbers that words stand for: None for a word in a column of numbers, NaN if not known."""
    if kind == _NUMERIC:
        return [_as_number(word) for word in words]
    names = [_key(word) for word in words]  # "0" of "0, 1+, 2+" may come as a number
    if kind == _GRADE:
        return read_grades(names, scale)
    return [scale.get(name, np.nan) for name in names]


def _is_blank(cell):
    """Tell whether a cell is text that stands for a missing value."""
    return isinstance(cell, str) and _MISSING_WORD.fullmatch(cell) is not None


def _as_number(word):
    """Number that a cell holds, or None."""
    if not isinstance(word, str):
        return _to_float(word)
    word = word.strip()
    if _NUMBER.fullmatch(word):
        return float(word)
    return _TRUTH.get(word.lower())


def _key(word):
    """Name a level; a whole number has one name as int, float and text."""
    if isinstance(word, str):
        return word.strip()
    if isinstance(word, bool | np.bool_):
        return str(bool(word))
    number = _to_float(word)
    return str(int(number)) if number.is_integer() else repr(number)


def _to_float(number):
    """Number as float; infinite where it is a whole number beyond all floats."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
