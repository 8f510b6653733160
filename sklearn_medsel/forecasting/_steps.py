"""Read what a forecaster is given: rows with times, patients, and positions, signals or frames."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array, validate_data

from sklearn_medsel._validation import list_rows
from sklearn_medsel.forecasting._sequence import CineSequence
from sklearn_medsel.forecasting._sequence_checks import (
    check_labels,
    check_order,
    check_positions,
    check_times,
)

AXES = ("x", "y", "z")
FRAMES_OR_NUMBERS = "X must be frames where training had frames, and numbers elsewhere."


@dataclass(frozen=True)
class Steps:
    """Rows of one or more recordings.

    Attributes
    ----------
    t : ndarray of shape (n_steps,)
        In s.
    patient, sequence : ndarray of shape (n_steps,)
    signal : ndarray of shape (n_steps, n_signals) or None
        Numbers that are the position, or tell of it; NaN where not measured. None with frames.
    cine : CineSequence or None
        Frames.
    first : ndarray of shape (n_steps,), int
        First row of each row's recording.
    in_mm : bool
        Whether the numbers are known to be mm.
    """

    t: np.ndarray
    patient: np.ndarray
    sequence: np.ndarray
    signal: np.ndarray | None
    cine: object
    first: np.ndarray
    in_mm: bool

    def __len__(self):
        return len(self.t)

    def recordings(self):
        """Rows of each recording, as a list of slices."""
        starts = np.unique(self.first)
        return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(self)], strict=True)]

    def interval(self):
        """Median time between rows of a recording, in s; NaN if no recording has two."""
        steps = np.diff(self.t)[self.first[1:] == self.first[:-1]]
        return float(np.median(steps)) if steps.size else np.nan

    def stretches(self, longest_gap):
        """Rows of each recording, cut where time jumps by more than `longest_gap` seconds."""
        parts = []
        for rows in self.recordings():
            cuts = np.flatnonzero(np.diff(self.t[rows]) > longest_gap) + 1
            edges = [rows.start, *(rows.start + cuts), rows.stop]
            parts += [slice(a, b) for a, b in pairwise(edges)]
        return parts


def read_steps(estimator, X, *, reset):
    """Read X: a `CineSequence`, a DataFrame with the column t, or a table of uniform steps.

    Parameters
    ----------
    estimator : TumourPositionForecaster
        Its ``planes`` and ``interval`` are used; it keeps the columns of a table where `reset`.
    X : CineSequence, DataFrame or array-like of shape (n_steps, n_signals)
        As given by the user.
    reset : bool
        Whether this is `fit`.

    Returns
    -------
    Steps
    """
    if isinstance(X, CineSequence):
        return _read_cine(estimator, X, reset)
    if isinstance(X, pd.DataFrame) and "t" in X.columns:
        return _read_frame(X)
    signal = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=np.float64,
        ensure_all_finite="allow-nan",
        ensure_min_samples=2 if reset else 1,
    )
    n_steps = len(signal)
    zeros = np.zeros(n_steps, int)
    times = np.arange(n_steps) * estimator.interval
    return Steps(times, zeros, zeros, signal, None, zeros, False)


def _read_cine(estimator, X, reset):
    if not isinstance(estimator.planes, str):
        X = X.select_planes(tuple(estimator.planes))
    if not len(X):
        raise ValueError("X has no steps.")
    if not reset:
        if estimator.planes_ is None:
            raise ValueError(FRAMES_OR_NUMBERS)
        new = [plane for plane in X.planes if plane not in estimator.planes_]
        if new:
            raise ValueError(
                f"X has the plane(s) {new}, which training never saw; it knows "
                f"{list(estimator.planes_)}. Leave them out by X.select_planes(...)."
            )
    first = check_order(X.t, X.patient, X.sequence)
    return Steps(X.t, X.patient, X.sequence, None, X, first, True)


def _read_frame(X):
    axes = [axis for axis in AXES if axis in X.columns]
    if not axes or axes != list(AXES[: len(axes)]):
        raise ValueError(
            "X must have the columns t (s) and x, y, z (mm; x alone or x and y for fewer axes), "
            f"found {list(map(str, X.columns))[:12]}."
        )
    n_steps = len(X)
    if not n_steps:
        raise ValueError("X has no rows.")
    t = check_times(X["t"].to_numpy(), n_steps)
    labels = [
        check_labels(X[name].to_numpy() if name in X.columns else 0, n_steps, name)
        for name in ("patient", "sequence")
    ]
    first = check_order(t, *labels)
    positions = check_positions(X[axes].to_numpy(dtype=float), first)
    return Steps(t, *labels, positions, None, first, True)


def read_truth(y, steps):
    """Positions to forecast, (n_steps, n_dims) float64, NaN where unknown.

    Parameters
    ----------
    y : array-like of shape (n_steps, n_dims) or (n_steps,), or None
        As given by the user; None takes the positions in X.
    steps : Steps

    Returns
    -------
    ndarray
    """
    if y is None:
        y = steps.signal if steps.cine is None else steps.cine.positions
        if y is None:
            raise ValueError("y is missing, and X has no positions. Give y in mm, NaN if unknown.")
        return _whole_or_unknown(y)
    y = check_array(y, ensure_2d=False, dtype=np.float64, ensure_all_finite=False, input_name="y")
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or len(y) != len(steps):
        raise ValueError(
            f"y must hold one position for each of the {len(steps)} rows of X, found shape "
            f"{y.shape}."
        )
    if np.isinf(y).any():
        raise ValueError(
            f"y is infinity at {list_rows(np.isinf(y).any(axis=1))}; NaN is for unknown."
        )
    return _whole_or_unknown(check_positions(y, steps.first) if steps.in_mm else y)


def _whole_or_unknown(y):
    """Positions with NaN on all axes where one axis is unknown."""
    return np.where(np.isnan(y).any(axis=1, keepdims=True), np.nan, y)
