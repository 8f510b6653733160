"""Cine frames of the forecasting comparison, and how a patient is followed in them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from benchmarks._forecast_data import cine_file
from sklearn_medsel.datasets import make_cine_phantom
from sklearn_medsel.forecasting import CineSequence, forecast_errors

SUBJECTS = ("II29", "KS81", "PS11", "QN76")
KNOWN = 20.0  # s from the start in which positions are known
# One trace per virtual patient: recording and marker.
_TRACES = ((2, "LAC"), (1, "LAC"), (4, "UAC"), (5, "LAC"), (8, "UAC"), (9, "LAC"))
_PATIENT = 60.0  # s that one update may take before the transformer is left out: never


def load_cine_frames():
    """Sagittal cine MR of four persons with the position of a target (SI, AP), in mm."""
    return CineSequence.from_npz(
        [cine_file(f"cine_ovgu_{name}.npz") for name in SUBJECTS],
        planes="sagittal",
        patient=list(SUBJECTS),
        targets=[cine_file(f"target_ovgu_{name}.npz") for name in SUBJECTS],
    )


def make_phantom(planes, acquisition, duration=84.0, n_patients=6, **settings):
    """The phantom on the CT, moved by real traces of markers, 5 steps per second.

    Parameters
    ----------
    planes : tuple of str
    acquisition : {"simultaneous", "interleaved"}
    duration : float
        In s.
    n_patients : int
        At most six.
    **settings
        Of `make_cine_phantom`.

    Returns
    -------
    CineSequence
        With the positions (SI, AP, LR) of the lesion, in mm.
    """
    table = pd.read_parquet(cine_file("markers_10hz.parquet"))
    traces = []
    for patient, (sequence, marker) in enumerate(_TRACES[:n_patients]):
        part = table[(table["sequence"] == sequence) & (table["marker"] == marker)]
        # z runs along the spine
        columns = {"t": "t_s", "x": "z_mm", "y": "y_mm", "z": "x_mm"}
        trace = {name: part[column].to_numpy(float) for name, column in columns.items()}
        traces.append(pd.DataFrame(trace).assign(patient=patient))
    data = make_cine_phantom(
        duration=duration,
        rate=5.0,
        planes=planes,
        acquisition=acquisition,
        anatomy=cine_file("ct4d_118.npz"),
        breathing=pd.concat(traces, ignore_index=True),
        start=5.0,
        amplitude=(14, 5, 2.5),
        drift=(1.5, 0.8, 1.2),
        random_state=0,
        **settings,
    )
    return data.X.with_positions(data.y)


def follow(forecaster, cine, lost=None):
    """Follow one patient live; positions are given in the first seconds alone.

    Parameters
    ----------
    forecaster : TumourPositionForecaster
        Fitted.
    cine : CineSequence
        One recording, with positions.
    lost : ndarray of shape (n_steps, n_planes), bool, default=None
        Frames that do not come.

    Returns
    -------
    SimpleNamespace
        ``now`` (n_steps, n_dims) and ``forecast`` (n_steps, n_horizons * n_dims) in mm, ``radius``
        (n_steps, n_horizons) in mm, ``status`` (n_steps,) and ``ms`` (n_steps,), the latency.
    """
    if not isinstance(forecaster.planes, str):
        cine = cine.select_planes(tuple(forecaster.planes))
    pixel_mm = dict(zip(cine.planes, map(float, cine.pixel_mm[0]), strict=True))
    session = forecaster.start_session(pixel_mm=pixel_mm, deadline=_PATIENT)
    frames, here = cine.frames, cine.mask if lost is None else cine.mask & ~lost
    found = []
    for row, t in enumerate(cine.t):
        position = cine.positions[row] if t - cine.t[0] < KNOWN else None
        came = {cine.planes[k]: frames[row, k] for k in np.flatnonzero(here[row])}
        found.append(session.update(t, position=position, **came))
    return SimpleNamespace(
        now=np.array([one.now for one in found]),
        forecast=np.array([np.concatenate(list(one.position.values())) for one in found]),
        radius=np.array([list(one.radius.values()) for one in found]),
        status=np.array([one.status for one in found]),
        ms=np.array([one.latency_ms for one in found]),
    )


def follow_by_pca(cine, step, known):
    """Principal components of each plane's last frame and a ridge regression, for one patient.

    Parameters
    ----------
    cine : CineSequence
        One recording, with positions.
    step : int
        Horizon in steps; 0 is now.
    known : float
        Time from the start in which positions are known, and from which all is learnt, in s.

    Returns
    -------
    ndarray of shape (n_steps, n_dims)
        Forecasts in mm.
    """
    n_steps, first = len(cine), int(np.searchsorted(cine.t - cine.t[0], known))
    parts = []
    for k in range(len(cine.planes)):
        acquired = cine.mask[:, k]
        flat = cine.frames[:, k].reshape(n_steps, -1) / 255.0
        components = PCA(12, whiten=True, svd_solver="full").fit(flat[:first][acquired[:first]])
        last = np.maximum.accumulate(np.where(acquired, np.arange(n_steps), 0))
        age = np.minimum(cine.t - cine.t[last], 2.0)
        parts.append(np.column_stack([components.transform(flat)[last], age]))
    now = np.hstack(parts)
    X = np.hstack([np.roll(now, lag, axis=0) for lag in range(4)])
    rows = np.arange(4, first - step)
    return Ridge(30.0).fit(X[rows], cine.positions[rows + step]).predict(X)


def errors(cine, forecast, horizons, start, radius=None):
    """What `forecast_errors` says of the rows from a time on, one dict per horizon.

    Parameters
    ----------
    cine : CineSequence
        One recording, with positions.
    forecast : ndarray of shape (n_steps, n_horizons * n_dims)
        In mm.
    horizons : sequence of float
        In s; 0 is the position now.
    start : float
        Time in s from which rows are scored.
    radius : ndarray of shape (n_steps, n_horizons), default=None
        In mm.

    Returns
    -------
    list of dict
    """
    rows = cine.t >= start
    table = forecast_errors(
        cine.positions[rows],
        forecast[rows],
        t=cine.t[rows],
        horizons=horizons,
        patient=cine.patient[rows].astype(str),
        radius=None if radius is None else radius[rows],
    )
    table = table[table["patient"] == "all"].drop(columns=["patient", "worst"])
    return table.astype(float).to_dict("records")
