"""Checks of input that several parts of the package share.

scikit-learn validates tables of numbers; what is here are the inputs it does not know: the survival
target, an event and a time per sample, and numbers written with a decimal comma. Messages speak of
row positions, column names and counts, so that a log never holds a patient's data.
"""

import numbers
import re

import numpy as np
import pandas as pd

_POINT_OR_COMMA = re.compile(r"\s*[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)
_SURVIVAL_FIX = (
    "Pass sklearn_medsel.survival.make_survival_y(event, time), or a DataFrame with the two "
    "columns 'event' and 'time'."
)


def list_rows(mask, *, limit=5):
    """Name the positions at which a mask is true, for an error message.

    Parameters
    ----------
    mask : array-like of shape (n_rows,), bool
        Which rows are at fault.
    limit : int, default=5
        How many positions to name before the rest is only counted.

    Returns
    -------
    str
        Such as ``"row 3"`` or ``"rows 0, 1, 2, 3, 4 and 7 more"``, counted from 0.
    """
    positions = np.flatnonzero(np.asarray(mask))
    named = ", ".join(str(position) for position in positions[:limit])
    if positions.size > limit:
        named += f" and {positions.size - limit} more"
    return f"row{'s' if positions.size != 1 else ''} {named}"


def name_columns(values):
    """Give a 2-D array as a DataFrame with the columns x0, x1 and so on."""
    return pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])])


def has_decimal_commas(texts):
    """Tell whether texts are all numbers, and some of them have a decimal comma.

    Parameters
    ----------
    texts : iterable of str

    Returns
    -------
    bool
    """
    texts = list(texts)
    return all(map(_POINT_OR_COMMA.fullmatch, texts)) and any("," in text for text in texts)


def is_survival_y(y):
    """Tell whether a target looks like survival data.

    Parameters
    ----------
    y : object
        Any target.

    Returns
    -------
    bool
        True for a structured array and for a DataFrame whose two columns are named event and time
        (in any case and order). Nothing else is examined: `check_survival_y` does that.
    """
    if isinstance(y, pd.DataFrame):
        return sorted(str(column).lower() for column in y.columns) == ["event", "time"]
    return isinstance(y, np.ndarray) and y.dtype.names is not None


def check_survival_y(y, *, name="y", require_events=True):
    """Split a survival target into events and times, and check both.

    Parameters
    ----------
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        A structured array has two fields: a Boolean one (True = the event was seen, False =
        censored) and a numeric one (the time of the event or of the last follow-up), in any order
        and under any names; if they are named event and time, the event may also be 0 or 1. A
        DataFrame has the two columns event and time, in any order and case; the event is Boolean,
        0 or 1.
    name : str, default="y"
        What error messages call the target.
    require_events : bool, default=True
        Whether a target without a single event is an error.

    Returns
    -------
    event : ndarray of shape (n_samples,), bool
        Whether the event was seen.
    time : ndarray of shape (n_samples,), float64
        Time of the event or of censoring, in the unit of `y`.

    Raises
    ------
    TypeError
        If `y` is neither an array nor a DataFrame.
    ValueError
        If the fields or columns are not an event and a time, an event is missing or not 0 or 1, a
        time is missing, infinite or negative, there are no samples, or there are no events.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_medsel._validation import check_survival_y
    >>> event, time = check_survival_y(pd.DataFrame({"Time": [5.0, 8.0], "Event": [1, 0]}))
    >>> event
    array([ True, False])
    >>> time
    array([5., 8.])
    """
    event, time, event_label, time_label = _split_survival_y(y, name)
    event = check_event(event, name=event_label)
    time = check_time(time, name=time_label)
    if event.size == 0:
        raise ValueError(f"{name} is empty: survival analysis needs at least one sample.")
    if require_events and not event.any():
        raise ValueError(
            f"{name} has no events: all {event.size} samples are censored. Check that "
            f"{event_label} is True (or 1) where the event was seen, and False (or 0) where "
            "follow-up ended without it."
        )
    return event, time


def check_event(event, *, name="event"):
    """Check a column of event indicators.

    Parameters
    ----------
    event : array-like of shape (n_samples,)
        Boolean, or numbers that are 0 or 1.
    name : str, default="event"
        What error messages call it.

    Returns
    -------
    ndarray of shape (n_samples,), bool
        A copy.

    Raises
    ------
    ValueError
        If a value is missing or something else than 0, 1, False and True.
    """
    values = _one_dimensional(event, name)
    missing = pd.isna(values)
    if missing.any():
        raise ValueError(f"{name} is missing at {list_rows(missing)}; remove these samples first.")
    if values.dtype.kind == "b":
        return values.astype(bool)
    as_number = _to_float(values)
    wrong = (as_number != 0) & (as_number != 1)
    if wrong.any():
        raise ValueError(
            f"{name} must be True/False or 1/0 (1 = the event was seen), but holds something else "
            f"at {list_rows(wrong)}; recode it."
        )
    return as_number.astype(bool)


def check_time(time, *, name="time"):
    """Check a column of follow-up times.

    Parameters
    ----------
    time : array-like of shape (n_samples,)
        Numbers, zero or larger, in any unit.
    name : str, default="time"
        What error messages call it.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        A copy.

    Raises
    ------
    ValueError
        If a value is not a number, missing, infinite or negative.
    """
    values = _one_dimensional(time, name)
    if values.dtype.kind in "mM":
        raise ValueError(
            f"{name} holds dates or durations ({values.dtype}); convert it to numbers, such as "
            "days: (last_seen - start).dt.days."
        )
    missing = pd.isna(values)
    if missing.any():
        raise ValueError(f"{name} is missing at {list_rows(missing)}; remove these samples first.")
    as_number = _to_float(values)
    faults = (
        (np.isnan(as_number), "not a number", "Convert the column to numbers"),
        (np.isinf(as_number), "infinite", "Use the last time each sample was seen"),
        (as_number < 0, "negative", "Count time from the start of follow-up"),
    )
    for fault, what, fix in faults:
        if fault.any():
            raise ValueError(f"{name} is {what} at {list_rows(fault)}. {fix}.")
    return as_number


def _split_survival_y(y, name):
    """Event, time and what to call each of them, from either form of target."""
    if isinstance(y, pd.DataFrame):
        lowered = [str(column).lower() for column in y.columns]
        if sorted(lowered) != ["event", "time"]:
            raise ValueError(
                f"{name} must have exactly the two columns 'event' and 'time', got "
                f"{_quoted(y.columns)}. Select and rename them."
            )
        event_at, time_at = lowered.index("event"), lowered.index("time")
        labels = [f"column {str(column)!r} of {name}" for column in y.columns]
        return y.iloc[:, event_at], y.iloc[:, time_at], labels[event_at], labels[time_at]
    if y is None:
        raise ValueError(f"A survival target is needed, but {name} is None. {_SURVIVAL_FIX}")
    expected = f"{name} must be a survival target, got"
    if not isinstance(y, np.ndarray):
        raise TypeError(f"{expected} {type(y).__name__}. {_SURVIVAL_FIX}")
    if y.dtype.names is None or y.ndim != 1:
        raise ValueError(
            f"{expected} an array of dtype {y.dtype} and shape {y.shape}. {_SURVIVAL_FIX}"
        )
    event_field, time_field = _survival_fields(y.dtype, name)
    return (
        y[event_field],
        y[time_field],
        f"field {event_field!r} of {name}",
        f"field {time_field!r} of {name}",
    )


def _survival_fields(dtype, name):
    """Names of the event field and the time field of a structured dtype."""
    fields = dtype.names
    if len(fields) != 2:
        raise ValueError(
            f"{name} must have two fields, an event and a time, got {_quoted(fields)}. "
            f"{_SURVIVAL_FIX}"
        )
    is_flag = [dtype[field].kind == "b" for field in fields]
    if sum(is_flag) == 1:
        return fields if is_flag[0] else fields[::-1]
    lowered = [field.lower() for field in fields]
    if sorted(lowered) == ["event", "time"]:
        return fields if lowered[0] == "event" else fields[::-1]
    raise ValueError(
        f"Cannot tell event from time in the fields {_quoted(fields)} of {name}: one field must be "
        f"Boolean. {_SURVIVAL_FIX}"
    )


def _one_dimensional(values, name):
    """One-dimensional array of what was given, missing values kept; no conversion."""
    if isinstance(values, pd.Series | pd.Index):
        values = values.to_numpy()
    values = np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got the shape {values.shape}.")
    return values


def _to_float(values):
    """Copy as float64 in which whatever is not a real number becomes NaN.

    Text is not parsed, even where it spells a number: a column of text is a mistake made earlier.
    """
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    accepted = numbers.Real | np.bool_
    return np.array([float(v) if isinstance(v, accepted) else np.nan for v in values], np.float64)


def _quoted(names):
    return ", ".join(repr(str(name)) for name in names) or "none"


def check_labels(labels, n_samples, name, remedy):
    """One label per sample of a survival target, none missing.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        As given by the user.
    n_samples : int
        Expected length.
    name : str
        What error messages call them.
    remedy : str
        What to do about missing ones.

    Returns
    -------
    Series of length n_samples
    """
    series = pd.Series(labels)
    if series.size != n_samples:
        raise ValueError(f"{name} has {series.size} values but y has {n_samples} samples.")
    missing = series.isna().to_numpy()
    if missing.any():
        raise ValueError(f"{name} is missing at {list_rows(missing)}; {remedy}.")
    return series


def encode_labels(labels, name):
    """Distinct labels, sorted, and the place of each label among them.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
    name : str
        What error messages call them.

    Returns
    -------
    distinct : ndarray of shape (n_labels,)
    codes : ndarray of shape (n_samples,), int

    Raises
    ------
    ValueError
        If labels are of kinds that cannot be compared, such as numbers and text.
    """
    try:
        return np.unique(labels, return_inverse=True)
    except TypeError:
        kinds = ", ".join(sorted({type(label).__name__ for label in labels}))
        raise ValueError(
            f"{name} holds values of the types {kinds}, which cannot be compared. Make them one "
            "type, such as str."
        ) from None
