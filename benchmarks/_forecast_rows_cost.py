"""Row of the forecasting comparison on what it costs: latency, training, memory."""

import pickle
import resource
import time

import numpy as np
import pandas as pd

from benchmarks._forecast_data import as_frame, load_cine_targets
from benchmarks._forecast_images import KNOWN
from benchmarks._forecast_libraries import NeuralForecastModel
from benchmarks._forecast_methods import why_skipped
from benchmarks._forecast_nets import LSTM, OfficialTransformer
from benchmarks._forecast_rows_traces import PACKAGES, PARTS
from benchmarks._runner import Row
from sklearn_medsel import TumourPositionForecaster
from sklearn_medsel.datasets import make_breathing, make_cine_phantom

_HORIZONS = (0.25, 0.5, 1.0)
_PEERS = {
    "LSTM": lambda: LSTM(epochs=1),
    "official NS-Transformer": lambda: OfficialTransformer(epochs=1),
    "neuralforecast NHITS": lambda: NeuralForecastModel("NHITS", max_steps=5),
}
_POSITIONS, _FRAMES = "ours, positions", "ours, three planes of 112 x 112"
_LATENCY = (*_PEERS, _POSITIONS, _FRAMES)
_FITS = ("ours, positions of six persons", "ours, frames of six patients")
_SESSION = "ours, positions, 100,000 updates"


def _tasks(options):
    extra = {"quick": True} if options.quick else {}
    return [
        {"method": method, **extra}
        for method in (*_LATENCY, *_FITS, _SESSION)
        if options.write_only or why_skipped(method) is None
    ]


def measure(method, quick=False):
    """One of the measurements."""
    if method in _PEERS:
        return _latency(_peer_ms(_PEERS[method](), 20 if quick else 200))
    if method == _POSITIONS:
        session, rows = _session(duration=60, n_updates=200 if quick else 2000)
        return _latency([_update(session, t, place) for t, place in rows])
    if method == _FRAMES:
        return _frames_latency(quick)
    if method in _FITS:
        return _fit_cost(method, quick)
    return _memory(5_000 if quick else 100_000)


def _latency(ms, skip=10):
    """Quantiles without the first ones, in which things are loaded."""
    clock, cpu = np.asarray(ms)[skip:].T
    p50, p99 = np.percentile(clock, [50, 99])
    # some kernels count CPU time in steps of 4 ms: no quantiles of it
    return {"n": len(clock), "p50": p50, "p99": p99, "mean_cpu": cpu.mean()}


def _ms(call, *arguments, **named):
    """Milliseconds on the clock and of the CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    call(*arguments, **named)
    return 1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - cpu)


def _peer_ms(peer, n_updates):
    data = load_cine_targets()
    track = data.tracks[0]
    peer.fit(data.tracks[1:3], data.steps)
    return [_ms(peer.latest, track.joint[: 40 + row]) for row in range(n_updates)]


def _session(duration, n_updates):
    """A session after training on three patients, and the updates of another one."""
    data = make_breathing(3, duration=duration, rate=5, random_state=0)
    forecaster = TumourPositionForecaster(_HORIZONS, random_state=0, device="cpu")
    new = make_breathing(1, duration=n_updates / 5 + 1, rate=5, random_state=1)
    rows = zip(new.X["t"].to_numpy(), new.X[["x", "y", "z"]].to_numpy(), strict=True)
    return forecaster.fit(data.X).start_session(), list(rows)[:n_updates]


def _update(session, t, place):
    return _ms(session.update, t, position=place)


def _frames_latency(quick):
    duration = 30 if quick else 84
    data = make_cine_phantom(3, duration=duration, size=112, pixel_mm=1.0, random_state=0)
    cine = data.X.with_positions(data.y)
    forecaster = TumourPositionForecaster(_HORIZONS, random_state=0, device="cpu")
    seen = cine.patient < 2
    forecaster.fit(cine[seen])
    own = cine[~seen]
    frames, session = own.frames, forecaster.start_session(pixel_mm=1.0, deadline=60.0)
    ms = []
    for row, t in enumerate(own.t):
        came = {own.planes[k]: frames[row, k] for k in np.flatnonzero(own.mask[row])}
        place = own.positions[row] if t < KNOWN else None
        ms.append(_ms(session.update, t, position=place, **came))
    # with fewer planes an update is quicker
    return _latency(np.array(ms)[own.mask.all(axis=1)])


def _fit_cost(method, quick):
    extra = {"max_epochs": 1} if quick else {}
    forecaster = TumourPositionForecaster(_HORIZONS, random_state=0, device="cpu", **extra)
    if method == _FITS[0]:
        X = as_frame(load_cine_targets().tracks[: 2 if quick else 6])
    else:
        size = {"size": 32, "pixel_mm": 3.5} if quick else {"size": 112, "pixel_mm": 1.0}
        n_patients, duration = (2, 30) if quick else (6, 84)
        data = make_cine_phantom(n_patients, duration=duration, random_state=0, **size)
        X = data.X.with_positions(data.y)
    wall, cpu = _ms(forecaster.fit, X)
    return {"fit_s": wall / 1e3, "fit_cpu_s": cpu / 1e3, "peak_mb": _peak_mb()}


def _memory(n_updates):
    session, rows = _session(duration=60, n_updates=n_updates)
    early, sizes = n_updates // 20, []
    for row, (t, place) in enumerate(rows, start=1):
        session.update(t, position=place)
        if row in (early, n_updates):
            sizes.append((len(pickle.dumps(session.snapshot())) / 1e6, _peak_mb()))
    (state, peak), (last_state, last_peak) = sizes
    return {
        "early": early,
        "state_mb": state,
        "last_state_mb": last_state,
        "peak_mb": peak,
        "last_peak_mb": last_peak,
    }


def _peak_mb():
    """Largest memory of this process so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _summarise(records):
    frame = pd.DataFrame(records)
    captions = {
        "Time per update, ms": {
            "n": "updates",
            "p50": "median",
            "p99": "99th percentile",
            "mean_cpu": "mean CPU time",
        },
        "Training": {"fit_s": "s", "fit_cpu_s": "CPU-s", "peak_mb": "peak memory, MB"},
        "Memory, MB": {
            "early": "updates, early",
            "state_mb": "state, early",
            "last_state_mb": "state, last",
            "peak_mb": "peak of the process, early",
            "last_peak_mb": "peak of the process, last",
        },
    }
    tables = []
    for (caption, columns), key in zip(captions.items(), ("p50", "fit_s", "state_mb"), strict=True):
        if key in frame:
            part = frame.dropna(subset=key)[["method", *columns]]
            tables.append((caption, part.rename(columns=columns)))
    skipped = {method: why_skipped(method) for method in _PEERS}
    failed = [(method, reason) for method, reason in skipped.items() if reason]
    if "error" in frame:
        failed += frame.dropna(subset="error")[["method", "error"]].itertuples(index=False)
    if failed:
        tables.append(("Not measured", pd.DataFrame(failed, columns=["method", "why"])))
    return tables


SPEED = Row(
    name="speed",
    title="Time and memory",
    text="Each measurement in a process of its own, one thread. Ours: `session.update` with the "
    f"default experts and horizons of {', '.join(map(str, _HORIZONS))} s, of made breathing and "
    "of the analytic phantom with three planes at once; learning included. Peers: one forecast of "
    "one history of positions, in 2-D. The clock tells of a machine on which other work may run, "
    "CPU time does not. Six persons: cine_ovgu targets; six patients: phantom of 84 s, three "
    "planes of 112 x 112. State: what `snapshot` holds, pickled.",
    tasks=_tasks,
    measure=measure,
    summarise=_summarise,
    alone=True,
    packages=PACKAGES,
    page="forecasting",
    parts=(*PARTS, "datasets"),
)
