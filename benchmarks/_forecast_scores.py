"""How far forecasts were off, a peer on every left-out group, and whether it looks ahead."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd

WITHIN = (2, 3, 5)  # mm


def score_forecasts(track, forecasts, steps):
    """Errors of the forecasts whose moment lies behind the first minute, pooled over objects.

    Parameters
    ----------
    track : Track
    forecasts : ndarray of shape (n_steps, n_horizons, n_objects * n_dims)
        Row t, horizon j: where the objects will be at row ``t + steps[j]``, in mm.
    steps : tuple of int

    Returns
    -------
    list of dict
        Per horizon step, n (forecasts), rmse, p95 and max in mm, and within_2, within_3, within_5,
        shares of the time.
    """
    rows = []
    for place, step in enumerate(steps):
        origin = np.arange(max(0, track.n_first - step), len(track.t) - step)
        miss = forecasts[origin, place] - track.joint[origin + step]
        error = np.linalg.norm(miss.reshape(len(origin), -1, track.n_dims), axis=-1)
        if not np.isfinite(error).all():
            raise ValueError(
                f"track {track.name}: {int((~np.isfinite(error)).any(axis=1).sum())} rows have no "
                f"forecast {step} steps ahead; all peers are to be scored on the same rows."
            )
        entry = {"step": step, "n": error.size, "rmse": float(np.sqrt(np.mean(error**2)))}
        entry |= {"p95": float(np.percentile(error, 95)), "max": float(error.max())}
        rows.append(entry | {f"within_{mm}": float(np.mean(error <= mm)) for mm in WITHIN})
    return rows


def evaluate(peer, data):
    """Fit a peer on all groups but one, and score it on that one, for every group.

    Parameters
    ----------
    peer : object
        With ``fit(train, steps)`` and ``forecast(track)``.
    data : TrackSet

    Returns
    -------
    DataFrame
        One row per track and horizon: group, track, what `score_forecasts` gives, horizon in s, and
        the CPU-s of the fit (of its group) and of all forecasts of the track.
    """
    rows = []
    for group in data.groups:
        train, test = data.split(group)
        start = time.process_time()
        peer.fit(train, data.steps)
        fit_s = time.process_time() - start
        for track in test:
            start = time.process_time()
            forecasts = peer.forecast(track)
            cost = {"fit_s": fit_s, "forecast_s": time.process_time() - start}
            for entry in score_forecasts(track, forecasts, data.steps):
                horizon = entry["step"] * data.period
                rows.append(
                    {"group": group, "track": track.name, "horizon": horizon} | entry | cost
                )
    return pd.DataFrame(rows)


def look_ahead(peer, track, row):
    """Largest change in mm of the forecasts up to a row when everything after it is changed.

    Parameters
    ----------
    peer : object
        Fitted.
    track : Track
    row : int

    Returns
    -------
    float
        0 for a peer that sees the past alone.
    """
    positions = track.positions.copy()
    rng = np.random.default_rng(0)
    positions[row + 1 :] += rng.normal(20.0, 20.0, positions[row + 1 :].shape)
    first = peer.forecast(track)[: row + 1]
    second = peer.forecast(replace(track, positions=positions))[: row + 1]
    if not np.array_equal(np.isnan(first), np.isnan(second)):
        return np.inf
    return float(np.nanmax(np.abs(first - second), initial=0.0))
