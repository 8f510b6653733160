"""Which rows belong together, and the known position at each row's time plus a horizon.

Training, score, measures and pictures all compare a forecast of row i with the truth at
``t[i] + horizon``. They take that truth from `truth_at`, so that they mean the same.
"""

import numpy as np
import pandas as pd

from sklearn_medsel._validation import list_rows

TOLERANCE = 1e-6  # s: times that are this close are the same time
_MAX_GAP = 3.0  # median intervals


def segment_codes(patient, sequence=None, *, n_steps):
    """Number the segments: runs of one patient and sequence, across which nothing is compared.

    Parameters
    ----------
    patient : object or array-like of shape (n_steps,)
        Patient of each row, or of all.
    sequence : object or array-like of shape (n_steps,), or None, default=None
        Sequence of each row, or of all; the same name in two patients means two sequences. None:
        one per patient.
    n_steps : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n_steps,), int64
        Numbers from 0, in order of first appearance.

    Raises
    ------
    ValueError
        If there is neither one name for all rows nor one for each, or a name is missing.

    Examples
    --------
    >>> from sklearn_medsel.forecasting._alignment import segment_codes
    >>> segment_codes(["a", "a", "b"], [1, 2, 1], n_steps=3)
    array([0, 1, 2])
    """
    labels = {"patient": patient, "sequence": 0 if sequence is None else sequence}
    columns = {name: row_labels(value, n_steps, name) for name, value in labels.items()}
    numbers = pd.DataFrame(columns).groupby(list(columns), sort=False).ngroup()
    return numbers.to_numpy(dtype=np.int64)


def row_labels(labels, n_steps, name):
    """Return one label per row, of labels given per row or once for all.

    Parameters
    ----------
    labels : object or array-like of shape (n_steps,)
        The labels.
    n_steps : int
        Number of rows.
    name : str
        What error messages call them.

    Returns
    -------
    ndarray of shape (n_steps,)

    Raises
    ------
    ValueError
        If there is another number of labels, or one is missing.

    Examples
    --------
    >>> from sklearn_medsel.forecasting._alignment import row_labels
    >>> row_labels("a", 2, "patient")
    array(['a', 'a'], dtype='<U1')
    """
    labels = np.asarray(labels)
    if labels.ndim == 0:
        labels = np.repeat(labels, n_steps)
    if labels.shape != (n_steps,):
        raise ValueError(
            f"{name} must be one name, or one for each of the {n_steps} rows; found shape "
            f"{labels.shape}."
        )
    missing = pd.isna(labels)
    if missing.any():
        raise ValueError(f"{name} is missing at {list_rows(missing)}; name it, or drop the rows.")
    return labels


def truth_at(y, t, groups, horizons):
    """Position at the time of each row plus each horizon, as far as it is known.

    At a time whose position is known (to 1e-6 s) it is that position, bit for bit. Between two
    known positions of the same group it is interpolated linearly, unless they are more than three
    median intervals of the group's rows apart. Elsewhere, such as before the first or beyond the
    last known position, it is NaN.

    Parameters
    ----------
    y : array-like of shape (n_steps, n_dims) or (n_steps,), float
        Positions in mm. A row with a NaN counts as unknown in all its coordinates.
    t : array-like of shape (n_steps,), float
        Time of each row in s. Within a group the rows may stand in any order, but no time may
        repeat.
    groups : object or array-like of shape (n_steps,)
        What must not be mixed: patient, or patient and sequence as `segment_codes` numbers them.
    horizons : float or array-like of shape (n_horizons,)
        Seconds ahead; 0 is the position now, negative ones look back.

    Returns
    -------
    ndarray of shape (n_steps, n_horizons, n_dims), float64
        The positions in mm, NaN where unknown.

    Raises
    ------
    ValueError
        If shapes do not fit, a time or horizon is not finite, a group is missing, or a time
        repeats.

    Examples
    --------
    >>> from sklearn_medsel.forecasting._alignment import truth_at
    >>> truth_at([[0.0], [1.0], [4.0]], [0.0, 0.2, 0.4], "a", [0.2, 0.3])[:, :, 0]
    array([[1. , 2.5],
           [4. , nan],
           [nan, nan]])
    """
    y, t, horizons = check_steps(y, t, horizons)
    codes, _ = pd.factorize(row_labels(groups, len(t), "groups"))
    known = np.isfinite(y).all(axis=1)
    order = np.lexsort((t, codes))
    starts = np.flatnonzero(np.diff(codes[order])) + 1
    repeated = (np.diff(t[order]) == 0) & (np.diff(codes[order]) == 0)
    if repeated.any():
        rows = np.isin(np.arange(len(t)), order[1:][repeated])
        raise ValueError(
            f"t repeats within a patient and sequence, at {list_rows(rows)}; keep one row per "
            "time, or tell the sequences apart."
        )
    result = np.full((len(t), len(horizons), y.shape[1]), np.nan)
    for rows in np.split(order, starts):
        if known[rows].any():
            interval = np.median(np.diff(t[rows])) if len(rows) > 1 else 0.0
            source = rows[known[rows]]
            target = t[rows, None] + horizons
            longest = _MAX_GAP * interval + TOLERANCE
            result[rows] = _interpolate(t[source], y[source], target, longest)
    return result


def check_steps(y, t, horizons, *, name="y"):
    """Check positions, times and horizons, and return them as float64 arrays.

    Parameters
    ----------
    y : array-like of shape (n_steps, n_dims) or (n_steps,)
        Positions in mm; NaN is allowed.
    t : array-like of shape (n_steps,)
        Times in s.
    horizons : float or array-like of shape (n_horizons,)
        Horizons in s.
    name : str, default="y"
        What error messages call `y`.

    Returns
    -------
    y : ndarray of shape (n_steps, n_dims), float64
    t : ndarray of shape (n_steps,), float64
    horizons : ndarray of shape (n_horizons,), float64

    Raises
    ------
    ValueError
        If shapes do not fit, there are no rows, or a time or horizon is not finite.

    Examples
    --------
    >>> from sklearn_medsel.forecasting._alignment import check_steps
    >>> [part.shape for part in check_steps([0.0, 1.0], [0.0, 0.2], 0.4)]
    [(2, 1), (2,), (1,)]
    """
    y = np.asarray(y, dtype=np.float64)
    if y.ndim == 1:
        y = y[:, None]
    t = np.asarray(t, dtype=np.float64)
    horizons = np.atleast_1d(np.asarray(horizons, dtype=np.float64))
    if y.ndim != 2 or y.shape[0] == 0 or y.shape[1] == 0:
        raise ValueError(
            f"{name} must hold positions of shape (n_steps, n_dims), found shape {y.shape}."
        )
    if t.shape != (len(y),):
        raise ValueError(
            f"t must hold one time for each of the {len(y)} rows of {name}, found shape {t.shape}."
        )
    if not np.isfinite(t).all():
        raise ValueError(f"t is missing or infinite at {list_rows(~np.isfinite(t))}.")
    if horizons.ndim != 1 or horizons.size == 0 or not np.isfinite(horizons).all():
        raise ValueError(
            f"horizons must be one or more finite numbers of seconds, found {horizons.tolist()}."
        )
    return y, t, horizons


def _interpolate(known_t, known_y, target, longest):
    """Positions at target (n_rows, n_horizons), from known ones in order of time."""
    right = np.searchsorted(known_t, target)
    left = np.maximum(right - 1, 0)
    inside = (right > 0) & (right < len(known_t))
    right = np.minimum(right, len(known_t) - 1)
    before, after = target - known_t[left], known_t[right] - target
    nearest = np.where(np.abs(before) <= np.abs(after), left, right)
    same = np.minimum(np.abs(before), np.abs(after)) <= TOLERANCE
    between = inside & ~same & (before + after <= longest)
    result = np.full((*target.shape, known_y.shape[1]), np.nan)
    result[same] = known_y[nearest[same]]
    low, high = known_y[left[between]], known_y[right[between]]
    weight = before[between] / (before[between] + after[between])
    result[between] = low + weight[:, None] * (high - low)
    return result
