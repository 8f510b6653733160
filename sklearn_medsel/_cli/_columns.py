"""Checks of a table's columns, each for the role it is to play.

Messages name columns and row positions (counted from 1 below the header), never a patient's values.
"""

import re

import numpy as np
import pandas as pd

from sklearn_medsel._cli._tables import InputError, quoted
from sklearn_medsel._validation import has_decimal_commas

_MAX_CLASSES = 10


def rows(mask, *, limit=5):
    """Write where a mask is true as ``data rows 3, 8 and 2 more``."""
    positions = np.flatnonzero(np.asarray(mask)) + 1
    word = "data row" if len(positions) == 1 else "data rows"
    shown = ", ".join(map(str, positions[:limit]))
    return f"{word} {shown}" + (
        f" and {len(positions) - limit} more" if len(positions) > limit else ""
    )


def check_genes(genes):
    """Return the genes as floats and the remarks; refuse text and infinities."""
    if not genes.shape[1]:
        raise InputError("no gene columns are left beside the target and the dropped columns")
    texts = [
        name
        for name, dtype in genes.dtypes.items()
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_complex_dtype(dtype)
    ]
    if texts:
        _raise_text_columns(genes, texts)
    # One matrix at once: column by column, pandas takes a quarter of a minute for 60,000 of them.
    dtype = np.float32 if (genes.dtypes == np.float32).all() else np.float64
    values, names = genes.to_numpy(dtype, na_value=np.nan), genes.columns.astype(str)
    infinite = np.isinf(values)
    if infinite.any():
        raise InputError(
            f"infinite values in {_columns(names[infinite.any(axis=0)])} "
            f"({rows(infinite.any(axis=1))}); "
            "if they come from a logarithm of zero, use log2(x + 1)"
        )
    missing = np.isnan(values)
    empty = missing.all(axis=0)
    if empty.all():
        raise InputError("every gene column is empty")
    if missing.all(axis=1).any():
        raise InputError(f"{rows(missing.all(axis=1))}: no gene has a value there; remove the rows")
    remarks = []
    if empty.any():
        remarks.append(f"Left out because they hold no value at all: {quoted(names[empty])}.")
        values, names = values[:, ~empty], names[~empty]
    return pd.DataFrame(values, columns=names), remarks


def _columns(names):
    return f"column{'s' if len(names) > 1 else ''} {quoted(names)}"


def _raise_text_columns(genes, texts):
    """Say which columns hold text: a few bad cells are to be mended, whole columns dropped."""
    if all(_is_with_commas(genes[name]) for name in texts[:20]):
        _refuse_decimal_comma(texts[0])
    for name in texts:
        column = genes[name].dropna().astype(str)
        bad = pd.to_numeric(column, errors="coerce").isna()
        if 0 < bad.mean() < 0.5:
            mask = pd.Series(False, index=range(len(genes)))
            mask[np.flatnonzero(genes[name].notna())[bad.to_numpy()]] = True
            raise InputError(
                f"column {name!r} has cells that are not numbers ({rows(mask)}); "
                f"correct them, leave them empty, or --drop {_shell(name)}"
            )
    drop = " ".join(_shell(name) for name in texts[:8]) + (" ..." if len(texts) > 8 else "")
    raise InputError(f"text among the genes in {_columns(texts)}; leave it out with --drop {drop}")


def check_decimal_points(frame, names):
    """Refuse columns with decimal commas, of which each number would be taken for a word."""
    for name in names:
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column) and _is_with_commas(column):
            _refuse_decimal_comma(name)


def _is_with_commas(column):
    return has_decimal_commas(column.dropna().astype(str))


def _refuse_decimal_comma(name):
    raise InputError(
        f"numbers are written with a decimal comma, e.g. in {_columns([name])}; "
        "save the table with decimal points"
    )


def _shell(name):
    return str(name) if re.fullmatch(r"[\w.\-]+", str(name)) else f"'{name}'"


def _check_complete(column, option):
    missing = column.isna()
    if missing.any():
        raise InputError(
            f"{option} column {column.name!r} has no value in {rows(missing)}; "
            "fill them in or remove the rows"
        )


def check_survival(event, time, cv):
    """Return the structured array (event, time), or refuse with the column and the rows."""
    from sklearn_medsel.survival import make_survival_y

    _check_complete(event, "--event")
    _check_complete(time, "--time")
    if not pd.api.types.is_numeric_dtype(time):
        found = "dates or durations" if time.dtype.kind in "mM" else "text"
        raise InputError(
            f"--time column {time.name!r} must hold numbers, such as days, it holds {found}"
        )
    if np.isinf(time).any():
        raise InputError(f"--time column {time.name!r} is infinite in {rows(np.isinf(time))}")
    if (time < 0).any():
        raise InputError(f"--time column {time.name!r} is negative in {rows(time < 0)}; correct it")
    numbers = _as_zero_one(event)
    if not numbers.any():
        raise InputError(
            f"--event column {event.name!r} has no events: all {len(event)} rows are 0; "
            "1 must stand for 'the event happened'"
        )
    n_events = int(numbers.sum())
    if n_events < cv:
        raise InputError(
            f"--event column {event.name!r} has {n_events} event{'s' if n_events > 1 else ''}, "
            f"fewer than the {cv} folds; "
            + (f"use --cv {n_events}" if n_events > 1 else "add patients who had the event")
        )
    return make_survival_y(numbers.astype(bool), time.to_numpy(dtype=np.float64))


def _as_zero_one(event):
    words = {"true": 1, "false": 0, "1": 1, "0": 0, "1.0": 1, "0.0": 0}
    numbers = event.astype(str).str.strip().str.lower().map(words)
    if numbers.isna().any():
        raise InputError(
            f"--event column {event.name!r} must hold 0 (censored) or 1 (the event happened); "
            f"other values in {rows(numbers.isna())}"
        )
    return numbers.to_numpy(dtype=np.int8)


def check_target(column, settings):
    """Return the target as an array and the task it means."""
    name, n_unique = column.name, column.nunique()
    _check_complete(column, "--target")
    if n_unique < 2:
        raise InputError(f"--target column {name!r} has one value only; nothing can be told apart")
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    whole = is_number and bool(np.all(np.mod(column, 1) == 0))
    task = settings.task
    if task == "auto":
        few = whole and n_unique <= min(_MAX_CLASSES, len(column) // 2)
        task = "classification" if not is_number or few else "regression"
    if task == "survival":
        raise InputError("--task survival needs --time and --event instead of --target")
    if task == "regression":
        if not is_number:
            raise InputError(
                f"--target column {name!r} holds text; --task regression needs numbers"
            )
        if np.isinf(column).any():
            raise InputError(f"--target column {name!r} is infinite in {rows(np.isinf(column))}")
        return column.to_numpy(dtype=np.float64), task
    if is_number and not whole:
        raise InputError(f"--target column {name!r} holds fractions; use --task regression")
    _check_class_sizes(column, n_unique, settings.folds)
    if is_number:
        return column.to_numpy(dtype=np.int64), task
    return column.astype(str).to_numpy(dtype=object), task


def _check_class_sizes(column, n_classes, cv):
    counts = column.value_counts()
    smallest, n_smallest = counts.index[-1], int(counts.iloc[-1])
    if n_classes > len(column) // 2:
        raise InputError(
            f"--target column {column.name!r} has {n_classes} classes in {len(column)} rows; "
            "it looks like an identifier: choose another column"
        )
    if n_smallest < max(2, cv):
        raise InputError(
            f"--target column {column.name!r}: class {str(smallest)!r} has {n_smallest} of "
            f"{len(column)} samples, fewer than the {cv} folds; {_fewer_folds(n_smallest)}"
        )


def _fewer_folds(n_available):
    return f"use --cv {n_available}" if n_available > 1 else "add samples or leave the class out"


def check_groups(column, cv, option="--groups"):
    _check_complete(column, option)
    n_groups = column.nunique()
    if n_groups < cv:
        fix = f"use --cv {n_groups}" if n_groups > 1 else "name a column that tells patients apart"
        raise InputError(
            f"{option} column {column.name!r} has {n_groups} group{'s' if n_groups > 1 else ''}, "
            f"fewer than the {cv} folds; {fix}"
        )
    return pd.factorize(column)[0]


def check_pairs(groups, y, name):
    """Where groups are pairs (one sample of each of two classes), no pair may be broken."""
    if len(np.unique(y)) != 2:
        return
    sizes = np.bincount(groups)
    n_classes = pd.Series(y).groupby(groups).nunique().to_numpy()
    is_pair = (sizes == 2) & (n_classes == 2)
    if is_pair.mean() <= 0.5 or is_pair.all():
        return
    alone = ~is_pair[groups] & (sizes[groups] < 2)
    same = ~is_pair[groups] & (sizes[groups] == 2)
    if alone.any():
        raise InputError(
            f"--groups column {name!r} holds pairs, but the partner is missing in {rows(alone)}; "
            "add the partner or remove the rows"
        )
    if same.any():
        raise InputError(
            f"--groups column {name!r} holds pairs, but both samples are of one class in "
            f"{rows(same)}; correct the group or the class"
        )
