"""How far forecasts were from the truth: per patient, over all, and for the worst patient."""

import numpy as np
import pandas as pd

from sklearn_medsel.forecasting._alignment import (
    check_steps,
    row_labels,
    segment_codes,
    truth_at,
)

POOLED, WORST = "all", "worst"


def forecast_errors(
    y,
    forecast,
    *,
    t,
    horizons,
    patient,
    sequence=None,
    radius=None,
    thresholds=(2.0, 3.0, 5.0),
):
    """Measure forecasts against the positions that came true.

    The forecast of row i for horizon h is compared with the position at ``t[i] + h`` of the same
    patient and sequence. Where no position is known at that time, it is interpolated linearly
    between known ones at most three median intervals apart; rows beyond the end of a sequence, or
    with a longer gap there, are left out. The error of a row is the distance between the two in
    all coordinates.

    Parameters
    ----------
    y : array-like of shape (n_steps, n_dims) or (n_steps,), float
        True position at the time of each row in mm; NaN where unknown.
    forecast : array-like of shape (n_steps, n_dims * n_horizons), float
        Forecasts in mm, side by side: all coordinates of the first horizon, then of the second,
        and so on. A row with a NaN in a horizon has no forecast for it.
    t : array-like of shape (n_steps,), float
        Time of each row in s.
    horizons : float or array-like of shape (n_horizons,)
        How far ahead each forecast looks, in s.
    patient : object or array-like of shape (n_steps,)
        Patient of each row, or of all. No patient may be named "all" or "worst".
    sequence : object or array-like of shape (n_steps,), or None, default=None
        Sequence of each row within its patient; None means one per patient.
    radius : float or array-like of shape (n_steps, n_horizons) or (n_horizons,), default=None
        Radius of the ball around each forecast that should hold the truth, in mm; NaN where there
        is none.
    thresholds : sequence of float, default=(2.0, 3.0, 5.0)
        Distances in mm for the columns ``within_...mm``.

    Returns
    -------
    DataFrame
        For each horizon one row per patient in order of first appearance, one of all rows pooled
        (``patient`` "all"), and one that repeats the patient with the largest RMSE ("worst").
        Columns:

        - ``horizon``: in s.
        - ``patient``: its name, "all" or "worst".
        - ``n``: number of rows counted: those with a known truth and a forecast.
        - ``missing``: number of rows with a known truth but without a forecast. These are in no
          other column, so read the others beside this one.
        - ``rmse``, ``p95``, ``max``: root mean square, 95th percentile and maximum of the error
          in mm.
        - ``within_2mm`` and so on: fraction of the counted rows with an error of at most that.
        - ``coverage``: fraction with the truth inside the ball, of the counted rows with a
          radius.
        - ``radius``: mean radius of those rows in mm.
        - ``worst``: in the rows "worst", the name of that patient; else None.

        What cannot be computed is NaN.

    Raises
    ------
    ValueError
        If shapes do not fit, a time or horizon is not finite, a time repeats, a radius is
        negative, a threshold is not positive, or a patient is missing or named "all" or "worst".

    See Also
    --------
    sklearn_medsel.inspection.HorizonErrorDisplay : A picture of such tables.

    Examples
    --------
    Persistence, which says that the target stays where it is:

    >>> import numpy as np
    >>> from sklearn_medsel.forecasting import forecast_errors
    >>> t = np.arange(0, 60, 0.2)
    >>> y = 10 * np.cos(np.pi * t / 4)[:, None] ** 4
    >>> table = forecast_errors(y, np.hstack([y, y]), t=t, horizons=[0.2, 0.4], patient="a")
    >>> table[["horizon", "patient", "n", "rmse", "within_2mm"]].round(2)
       horizon patient    n  rmse  within_2mm
    0      0.2       a  299  1.24         0.9
    1      0.2     all  299  1.24         0.9
    2      0.2   worst  299  1.24         0.9
    3      0.4       a  298  2.43         0.5
    4      0.4     all  298  2.43         0.5
    5      0.4   worst  298  2.43         0.5
    """
    y, t, horizons = check_steps(y, t, horizons)
    forecast = split_horizons(forecast, n_steps=len(y), n_dims=y.shape[1], horizons=horizons)
    radius = check_radius(radius, n_steps=len(y), n_horizons=len(horizons))
    thresholds = _check_thresholds(thresholds)
    patient = row_labels(patient, len(y), "patient")
    codes, names = pd.factorize(patient)
    if set(names) & {POOLED, WORST}:
        raise ValueError(
            f'a patient is named "{POOLED}" or "{WORST}", which are names of rows of the table; '
            "rename the patient."
        )
    truth = truth_at(y, t, segment_codes(patient, sequence, n_steps=len(y)), horizons)
    error = np.linalg.norm(forecast - truth, axis=2)
    known = np.isfinite(truth).all(axis=2)
    table = []
    for index, horizon in enumerate(horizons):
        rows = pd.DataFrame(
            {"known": known[:, index], "error": error[:, index], "radius": radius[:, index]}
        )
        each = [
            {"horizon": horizon, "patient": name, **_measure(rows[codes == code], thresholds)}
            for code, name in enumerate(names)
        ]
        pooled = {"horizon": horizon, "patient": POOLED, **_measure(rows, thresholds)}
        table += [*each, pooled, _worst(each)]
    table = pd.DataFrame(table)
    # labels may be numbers beside "all" and "worst": the same dtype whatever they are
    return table.assign(
        patient=table["patient"].astype(object),
        worst=pd.Series([row if pd.notna(row) else None for row in table["worst"]], dtype=object),
    )


def split_horizons(forecast, *, n_steps, n_dims, horizons):
    """Check forecasts that stand side by side, and give the horizons an axis of their own.

    Parameters
    ----------
    forecast : array-like of shape (n_steps, n_dims * n_horizons)
        Forecasts in mm.
    n_steps, n_dims : int
        Number of rows, and of coordinates of a position.
    horizons : ndarray of shape (n_horizons,)
        The horizons in s.

    Returns
    -------
    ndarray of shape (n_steps, n_horizons, n_dims), float64

    Raises
    ------
    ValueError
        If the shape does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.forecasting._measures import split_horizons
    >>> split_horizons([[1, 2, 3, 4]], n_steps=1, n_dims=2, horizons=np.array([0.2, 0.4]))
    array([[[1., 2.],
            [3., 4.]]])
    """
    forecast = np.asarray(forecast, dtype=np.float64)
    if forecast.ndim == 1:
        forecast = forecast[:, None]
    if forecast.shape != (n_steps, n_dims * len(horizons)):
        raise ValueError(
            f"forecast must have shape ({n_steps}, {n_dims * len(horizons)}): {n_dims} coordinates "
            f"for each of {len(horizons)} horizons, side by side; found shape {forecast.shape}."
        )
    return forecast.reshape(n_steps, len(horizons), n_dims)


def check_radius(radius, *, n_steps, n_horizons):
    """Give every forecast its radius, NaN where there is none.

    Parameters
    ----------
    radius : float, array-like of shape (n_steps, n_horizons) or (n_horizons,), or None
        Radii in mm. With a single horizon, shape (n_steps,) will do.
    n_steps, n_horizons : int
        Number of rows and of horizons.

    Returns
    -------
    ndarray of shape (n_steps, n_horizons), float64

    Raises
    ------
    ValueError
        If the shape does not fit or a radius is negative.

    Examples
    --------
    >>> from sklearn_medsel.forecasting._measures import check_radius
    >>> check_radius([2.0, 3.0], n_steps=2, n_horizons=2)
    array([[2., 3.],
           [2., 3.]])
    """
    if radius is None:
        return np.full((n_steps, n_horizons), np.nan)
    radius = np.asarray(radius, dtype=np.float64)
    if n_horizons == 1 and radius.shape == (n_steps,):
        radius = radius[:, None]
    if radius.shape not in {(), (n_horizons,), (n_steps, n_horizons)}:
        raise ValueError(
            f"radius must be a number or have shape ({n_horizons},) or ({n_steps}, {n_horizons}): "
            f"one for each horizon; found shape {radius.shape}."
        )
    if (radius < 0).any():
        raise ValueError("radius holds negative numbers; it is a distance in mm.")
    return np.broadcast_to(radius, (n_steps, n_horizons))


def _check_thresholds(thresholds):
    """Thresholds as floats, by the name of their column."""
    values = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if values.ndim != 1 or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"thresholds must be positive numbers of mm, found {values.tolist()}.")
    return {f"within_{value:g}mm": value for value in values}


def _measure(rows, thresholds):
    """Measures of some rows at one horizon, by the name of their column."""
    has_forecast = rows["error"].notna()
    error = rows.loc[has_forecast, "error"].to_numpy()
    radius = rows.loc[has_forecast, "radius"].to_numpy()
    has_radius = ~np.isnan(radius)
    n = error.size
    measures = {
        "n": n,
        "missing": int((rows["known"] & ~has_forecast).sum()),
        "rmse": np.sqrt(np.mean(error**2)) if n else np.nan,
        "p95": np.percentile(error, 95) if n else np.nan,
        "max": error.max() if n else np.nan,
    }
    for column, value in thresholds.items():
        measures[column] = np.mean(error <= value) if n else np.nan
    ball = (error[has_radius] <= radius[has_radius], radius[has_radius])
    for column, values in zip(("coverage", "radius"), ball, strict=True):
        measures[column] = values.mean() if values.size else np.nan
    return {**measures, "worst": None}


def _worst(each):
    """Repeat the row of the patient with the largest RMSE; without any, a row of NaN."""
    known = [row for row in each if row["n"]]
    if not known:
        return {**each[0], "patient": WORST, "missing": sum(row["missing"] for row in each)}
    worst = max(known, key=lambda row: row["rmse"])
    return {**worst, "patient": WORST, "worst": worst["patient"]}
