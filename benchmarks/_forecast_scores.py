"""How far forecasts were off, a method on a left-out group, and whether it looks ahead."""

import time
from dataclasses import replace

import numpy as np

from sklearn_medsel.forecasting import forecast_errors

MEASURES = ("n", "rmse", "p95", "max", "within_2mm", "within_3mm", "within_5mm")
MEASURES += ("coverage", "radius")
_PEEK = 20  # rows after the first minute from which on positions are changed


def score_forecasts(track, forecasts, data, radius=None):
    """Errors of the forecasts whose moment lies behind the first minute, pooled over objects.

    Parameters
    ----------
    track : Track
    forecasts : ndarray of shape (n_steps, n_horizons, n_objects * n_dims)
        Row t, horizon j: where the objects will be at row ``t + steps[j]``, in mm.
    data : TrackSet
        Has the horizons.
    radius : ndarray of shape (n_steps, n_horizons, n_objects), default=None
        Radius of the ball around each forecast, in mm.

    Returns
    -------
    list of dict
        Per horizon, its steps and what `forecast_errors` says: n (forecasts), rmse, p95, max,
        within_2mm and so on, coverage and radius.

    Raises
    ------
    ValueError
        If a scored row has no forecast: all methods are to be scored on the same rows.
    """
    n_objects, n_horizons = len(track.objects), len(data.steps)
    truth = track.positions.swapaxes(0, 1).copy()
    truth[:, : track.n_first] = np.nan  # what has no truth is not scored
    stacked = forecasts.reshape(len(track.t), n_horizons, n_objects, track.n_dims)
    table = forecast_errors(
        truth.reshape(-1, track.n_dims),
        stacked.transpose(2, 0, 1, 3).reshape(len(track.t) * n_objects, -1),
        t=np.tile(track.t, n_objects),
        horizons=data.horizons,
        patient=track.name,
        sequence=np.repeat(track.objects, len(track.t)),
        radius=None if radius is None else radius.transpose(2, 0, 1).reshape(-1, n_horizons),
    )
    table = table[table["patient"] == "all"]
    if table["missing"].any():
        raise ValueError(
            f"track {track.name}: {table['missing'].max()} rows have no forecast; all methods are "
            "to be scored on the same rows."
        )
    rows = table[list(MEASURES)].astype(float).to_dict("records")
    return [{"step": step} | row for step, row in zip(data.steps, rows, strict=True)]


def measure_group(method, data, group):
    """Fit a method on all groups but one, and score it on that one.

    Parameters
    ----------
    method : object
        With ``fit(train, steps)`` and ``forecast(track)``, and maybe ``radius_``, the radii that
        come with the last forecasts.
    data : TrackSet
    group : str

    Returns
    -------
    dict
        ``fit_s``: CPU-s of the fit. ``looks_ahead_mm``: of `look_ahead`, on the group's first
        track. ``tracks``: per track and horizon, what `score_forecasts` gives, the track's name,
        and ``ms``, the CPU time in ms of the forecasts of one object from one row.
    """
    train, test = data.split(group)
    result = {"fit_s": timed(method.fit, train, data.steps)[1], "tracks": []}
    for track in test:
        forecasts, used = timed(method.forecast, track)
        shared = {"track": track.name, "ms": 1e3 * used / (len(track.t) * len(track.objects))}
        scores = score_forecasts(track, forecasts, data, getattr(method, "radius_", None))
        result["tracks"] += [shared | entry for entry in scores]
    track = test[0].cut(test[0].n_first + 2 * _PEEK)
    result["looks_ahead_mm"] = look_ahead(method, track, track.n_first + _PEEK)
    return result


def timed(call, *arguments):
    """Call something; what it returns, and the CPU-s it took."""
    start = time.process_time()
    result = call(*arguments)
    return result, time.process_time() - start


def look_ahead(method, track, row):
    """Largest change in mm of the forecasts up to a row when everything after it is changed.

    Parameters
    ----------
    method : object
        Fitted.
    track : Track
    row : int

    Returns
    -------
    float
        0 for a method that sees the past alone.
    """
    positions = track.positions.copy()
    rng = np.random.default_rng(0)
    positions[row + 1 :] += rng.normal(5.0, 5.0, positions[row + 1 :].shape)
    first = method.forecast(track)[: row + 1]
    second = method.forecast(replace(track, positions=positions))[: row + 1]
    if not np.array_equal(np.isnan(first), np.isnan(second)):
        return np.inf
    return float(np.nanmax(np.abs(first - second), initial=0.0))
