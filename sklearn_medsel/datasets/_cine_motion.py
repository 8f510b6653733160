"""Motion of `make_cine_phantom`: traces that are given, brought to the phantom's times and size."""

import numpy as np
import pandas as pd

from sklearn_medsel.datasets._breathing import EVENT_COLUMNS

_FARTHEST = 100.0  # mm: no breath moves the liver that far


def given_motion(breathing, *, start, duration):
    """Trace and events of each patient: (label, t (n,), positions (n, 3), events).

    Time 0 is at start; each patient's median over the whole trace is 0.
    """
    generated = not isinstance(breathing, pd.DataFrame)
    table = breathing.get("X") if generated else breathing
    missing = [c for c in ("t", "patient", "x", "y", "z") if c not in getattr(table, "columns", ())]
    if missing:
        raise ValueError(
            f"breathing has no column {', '.join(map(repr, missing))}; give the Bunch of "
            "make_breathing, or a DataFrame with the columns t (s), patient, x, y, z (mm)."
        )
    exact = np.asarray(breathing.y if generated else table[["x", "y", "z"]], dtype=np.float64)
    times = table["t"].to_numpy(np.float64)
    labels = table["patient"].to_numpy()
    if not (np.isfinite(exact).all() and np.isfinite(times).all()):
        raise ValueError("breathing has missing values; drop those rows, or fill them in.")
    events = breathing.events if generated else pd.DataFrame(columns=EVENT_COLUMNS)
    traces = []
    for number, label in enumerate(pd.unique(labels)):
        rows = labels == label
        t = times[rows] - start
        if len(t) < 2 or (np.diff(t) <= 0).any():
            raise ValueError(
                f"breathing: the times of patient number {number} (from 0) do not rise; sort "
                "its rows by t, and give each recording a patient of its own."
            )
        if t[-1] < duration or t[0] > 1e-9:
            raise ValueError(
                f"breathing: the trace of patient number {number} (from 0) covers {t[0]:.1f} to "
                f"{t[-1]:.1f} s after start={start}, but 0 to {duration} s are needed; lower "
                "duration, or change start."
            )
        if np.ptp(exact[rows], axis=0).max() > _FARTHEST:
            raise ValueError(
                f"breathing: patient number {number} (from 0) moves by more than {_FARTHEST:.0f} "
                "mm; positions must be in mm, and free of jumps."
            )
        own = events[events["patient"] == label]
        own = own.assign(start=own["start"] - start, stop=own["stop"] - start)
        own = own[(own["stop"] > 0) & (own["start"] < duration)]
        own = own.assign(start=own["start"].clip(lower=0), stop=own["stop"].clip(upper=duration))
        own = list(own[EVENT_COLUMNS[1:]].itertuples(index=False, name=None))
        traces.append((label, t, exact[rows] - np.median(exact[rows], axis=0), own))
    return traces


def scaled(rng, positions, amplitude):
    """Positions whose 2.5 to 97.5 % range is amplitude times 0.7 to 1.3 on each axis."""
    low, high = np.percentile(positions, [2.5, 97.5], axis=0)
    return positions * (rng.uniform(0.7, 1.3, 3) * amplitude / np.maximum(high - low, 0.5))


def random_drift(rng, t, drift):
    """Baseline at times t (n, 3): a random walk that reaches drift (mm) after a minute."""
    knots = np.append(np.arange(t[0], t[-1], 10.0), t[-1] + 1e-9)
    steps = rng.standard_normal((len(knots), 3)) * np.sqrt(10.0 / 60)
    walk = np.cumsum(steps, axis=0) - steps[0]
    return np.column_stack([np.interp(t, knots, walk[:, k]) for k in range(3)]) * drift


def positions_within(rng, when, t, trace, amplitude, drift):
    """Positions at times when (n_steps, n_exposure) in mm: (n_steps, n_exposure, 3).

    Linear between the samples of the trace; scaled to an amplitude and with a drift added where
    those are not None.
    """
    for_scale, for_drift = rng.spawn(2)
    if amplitude is not None:
        trace = scaled(for_scale, trace, amplitude)
    positions = np.stack([np.interp(when, t, trace[:, k]) for k in range(3)], axis=-1)
    if drift is not None:
        middle = when[:, when.shape[1] // 2]
        positions += random_drift(for_drift, middle, drift)[:, None]
    return positions


def lost_frames(rng, n_steps, rate, planes, lost, bursts):
    """Frames lost one by one and for seconds: mask (n_steps, n_planes) and the bursts.

    A burst is (first step, step after the last, plane).
    """
    mask = rng.random((n_steps, len(planes))) < lost
    gone = []
    for _ in range(bursts):
        plane = int(rng.integers(len(planes)))
        # Not in the first third, where a forecaster gets to know the patient.
        first = int(rng.uniform(n_steps / 3, max(n_steps / 3, n_steps - 8 * rate)))
        after = min(first + max(int(rng.uniform(3, 8) * rate), 1), n_steps)
        mask[first:after, plane] = True
        gone.append((first, after, planes[plane]))
    return mask, gone
