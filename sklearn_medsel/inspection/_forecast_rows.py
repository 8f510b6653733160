"""Which forecasts a picture shows: the horizon, the patient, and the names of the coordinates."""

import numpy as np
import pandas as pd

from sklearn_medsel.forecasting._alignment import TOLERANCE, check_steps, row_labels
from sklearn_medsel.forecasting._measures import forecast_errors
from sklearn_medsel.inspection._plotting import find_step, shorten

# Rows, then columns of a frame; of a position, the coordinates are SI, AP, LR.
_PLANE_AXES = {"coronal": ("SI", "LR"), "sagittal": ("SI", "AP"), "axial": ("AP", "LR")}
BODY_AXES = ("SI", "AP", "LR")
_LETTERS = {1: ("position",), 2: ("x", "y"), 3: ("x", "y", "z")}


def find_horizon(horizons, horizon):
    """Index of a horizon among those that were forecast; None takes the only one.

    Parameters
    ----------
    horizons : ndarray of shape (n_horizons,)
    horizon : float or None

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is not there, or None and there are several.
    """
    if horizon is None and len(horizons) == 1:
        return 0
    listed = ", ".join(f"{each:g}" for each in horizons)
    if horizon is None:
        raise ValueError(f"horizon must be one of those that were forecast: {listed} s.")
    index = int(np.argmin(np.abs(horizons - horizon)))
    if abs(horizons[index] - horizon) > TOLERANCE:
        raise ValueError(f"horizon={horizon:g} s was not forecast; choose one of {listed} s.")
    return index


def find_steps(X):
    """Times, patients and sequences of the rows of a CineSequence or of a table.

    Parameters
    ----------
    X : CineSequence or DataFrame
        A table has columns ``t`` and, where there are several, ``patient`` and ``sequence``.

    Returns
    -------
    t, patient, sequence : ndarray of shape (n_steps,)

    Raises
    ------
    TypeError
        If `X` does not know its times.
    """
    is_table = isinstance(X, pd.DataFrame)
    known = {
        name: (X[name] if name in X.columns else None) if is_table else getattr(X, name, None)
        for name in ("t", "patient", "sequence")
    }
    if known["t"] is None:
        raise TypeError(
            "X must be a CineSequence, or a DataFrame with a column t (s), so that the forecasts "
            f"have times; found {type(X).__name__}. For other data, use from_predictions."
        )
    t = np.asarray(known["t"], dtype=np.float64)
    patient, sequence = (
        row_labels(0 if known[name] is None else known[name], len(t), name)
        for name in ("patient", "sequence")
    )
    return t, patient, sequence


def find_rows(t, patient, sequence, *, wanted=(None, None)):
    """Rows of one patient and one sequence, in order of time.

    Parameters
    ----------
    t, patient, sequence : ndarray of shape (n_steps,)
    wanted : tuple of two objects, default=(None, None)
        The patient and the sequence; None takes the first of each.

    Returns
    -------
    ndarray of int

    Raises
    ------
    ValueError
        If there is no such patient or sequence.
    """
    rows = np.arange(len(t))
    for name, labels, label in zip(
        ("patient", "sequence"), (patient, sequence), wanted, strict=True
    ):
        label = labels[rows[0]] if label is None else label
        rows = rows[labels[rows] == label]
        if rows.size == 0:
            raise ValueError(f"{name}={label!r} is not in X.")
    return rows[np.argsort(t[rows], kind="stable")]


def _plane_axes(plane):
    """Coordinates along the rows and the columns of a plane such as "sagittal" or "sagittal 2"."""
    return next((axes for name, axes in _PLANE_AXES.items() if plane.startswith(name)), None)


def name_axes(axis_names, n_dims, planes=()):
    """Names of the coordinates: those given, those that the planes tell, or letters.

    Parameters
    ----------
    axis_names : sequence of str or None
    n_dims : int
    planes : sequence of str, default=()
        Planes of the images, if there are any.

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If the number of names is wrong, or there are none for so many coordinates.
    """
    if axis_names is None:
        if planes and n_dims == len(BODY_AXES):
            return BODY_AXES
        shown = {_plane_axes(plane) for plane in planes}
        if n_dims == 2 and len(shown) == 1 and None not in shown:
            return shown.pop()
        axis_names = _LETTERS.get(n_dims, ())
    names = tuple(str(name) for name in axis_names)
    if len(names) != n_dims:
        raise ValueError(
            f"axis_names must name each of the {n_dims} coordinates, found {len(names)} names."
        )
    return names


def plane_columns(plane, names):
    """Which coordinates run along the rows and along the columns of a plane."""
    known = _plane_axes(plane)
    if known is None or not set(known) <= set(names):
        raise ValueError(
            f"plane {plane!r} does not show the coordinates {', '.join(names)}: y must hold SI, AP "
            "and LR, or the two that all planes show, which are named coronal, sagittal or axial."
        )
    return tuple(names.index(name) for name in known)


def check_origin(origin, shape):
    """Row and column of the position 0 in each plane, in pixels."""
    n_planes, height, width = shape[1:]
    middle = ((height - 1) / 2, (width - 1) / 2)
    origin = np.asarray(middle if origin is None else origin, dtype=float)
    if origin.shape not in {(2,), (n_planes, 2)} or not np.isfinite(origin).all():
        raise ValueError(
            f"origin must hold a row and a column in pixels, for all or for each of {n_planes} "
            f"planes; found shape {origin.shape}."
        )
    return np.broadcast_to(origin, (n_planes, 2))


def predict_patient(estimator, X, y, *, horizon, patient, sequence):
    """Forecasts of a fitted forecaster for one patient and sequence, at all its horizons.

    Parameters
    ----------
    estimator : estimator
        Fitted, with ``horizons`` and perhaps ``predict_interval``.
    X : CineSequence or DataFrame
    y : array-like of shape (n_steps, n_dims)
    horizon : float or None
        The horizon to show.
    patient, sequence : object
        Whose rows to show; None takes the first. Forecasts come from all rows of the patient.

    Returns
    -------
    dict
        What `TrajectoryDisplay.from_predictions` takes: t, y, forecast, horizons, horizon,
        radius (or None), patient.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        As `TrajectoryDisplay.from_estimator` lists them.
    """
    step, before = find_step(estimator, "horizons")
    t, patients, sequences = find_steps(X)
    y, t, horizons = check_steps(y, t, step.horizons)
    index = find_horizon(horizons, horizon)
    shown = find_rows(t, patients, sequences, wanted=(patient, sequence))
    name = patients[shown[0]]
    rows = np.flatnonzero(patients == name)
    part = X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]
    part = part if before is None else before.transform(part)
    place = np.searchsorted(rows, shown)
    has_radius = hasattr(step, "predict_interval")
    return {
        "t": t[shown],
        "y": y[shown],
        "forecast": np.asarray(step.predict(part))[place],
        "horizons": horizons,
        "horizon": horizons[index],
        "radius": np.asarray(step.predict_interval(part))[place] if has_radius else None,
        "patient": name,
    }


def describe(t, truth, forecast, horizon, radius, patient):
    """Say in a line how good the forecasts of a patient are."""
    errors = forecast_errors(truth, forecast, t=t, horizons=horizon, patient=0, radius=radius).iloc[
        0
    ]
    parts = [] if patient is None else [f"patient {shorten(patient)}"]
    parts.append(f"{horizon:g} s ahead")
    if errors["n"]:
        parts.append(f"RMSE {errors['rmse']:.2f} mm")
    if np.isfinite(errors["coverage"]):
        parts.append(f"inside the radius {errors['coverage']:.0%} of the time")
    line = ", ".join(parts)
    return line[0].upper() + line[1:]
