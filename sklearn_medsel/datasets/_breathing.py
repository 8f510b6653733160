"""`make_breathing`: three-dimensional breathing traces whose noise-free positions are known."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_medsel.datasets._breathing_cycles import breathing_cycles, waveform
from sklearn_medsel.datasets._expression import _generator

AXES = ("SI", "AP", "LR")
EVENT_COLUMNS = ["patient", "start", "stop", "kind"]

_GRID = 0.1  # s: slow and small parts are drawn on this grid, so that `rate` only samples a curve
_MARGIN = 3.0  # s before the first and after the last sample, for lags between axes
# Between-patient spread (standard deviation of the logarithm) of the mean amplitude of each axis.
_AMPLITUDE_SPREAD = np.array([0.35, 0.45, 0.45])
_DEPTH = 0.82  # mean depth of a breath as a part of that range, which the deep ones widen
_DRIFT_SHARE = np.array([1.0, 0.5, 0.4])


@validate_params(
    {
        "n_patients": [Interval(Integral, 1, None, closed="left")],
        "duration": [Interval(Real, 0, None, closed="neither")],
        "rate": [Interval(Real, 0, None, closed="neither")],
        "amplitude": ["array-like"],
        "period": [Interval(Real, 1, 30, closed="both")],
        "irregularity": [Interval(Real, 0, 1, closed="both")],
        "drift": [Interval(Real, 0, None, closed="left"), "array-like"],
        "hysteresis": [Interval(Real, 0, 0.25, closed="both")],
        "coughs": [Interval(Real, 0, None, closed="left")],
        "breath_holds": [Interval(Real, 0, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_breathing(
    n_patients=6,
    duration=120.0,
    rate=10.0,
    *,
    amplitude=(14.0, 5.0, 2.5),
    period=4.5,
    irregularity=0.3,
    drift=1.0,
    hysteresis=0.06,
    coughs=0.0,
    breath_holds=0.0,
    noise=0.05,
    random_state=None,
):
    """Make breathing traces of a point in the liver or lung, with exact positions.

    Each breath runs from one end of exhalation to the next as a power of a squared sine [1]_,
    which dwells at exhale, with its peak before or after the middle. Period, depth, shape and
    exhale level change from breath to breath around the patient's own means, as autoregressive
    series whose memory differs between patients; now and then a patient takes a sigh, breathes
    irregularly for a while, or settles into another depth and period. AP and LR follow SI with
    a delay (hysteresis), a shape and a small part of their own. A random-walk baseline, cardiac
    motion and unsteadiness within a breath are added.

    Parameters
    ----------
    n_patients : int, default=6
        Number of patients, one trace each.
    duration : float, default=120.0
        Length of each trace in s.
    rate : float, default=10.0
        Positions per second. With the same `random_state`, another rate samples the same
        curves.
    amplitude : array-like of shape (3,), default=(14.0, 5.0, 2.5)
        Range of the motion along SI, AP and LR in mm, as a median over patients: about that
        from the 2.5th to the 97.5th percentile. Patients differ from it by a factor, mostly
        between 0.5 and 2.
    period : float, default=4.5
        Median over patients of the mean length of a breath, in s; from 1 to 30.
    irregularity : float, default=0.3
        How much breaths of one patient differ, from 0 (all alike, no sigh) to 1. The default
        makes the length of a breath vary by about 13 % (coefficient of variation).
    drift : float or array-like of shape (3,), default=1.0
        Standard deviation of the baseline's random walk after one minute, in mm. One number is
        that of SI; AP and LR then drift 0.5 and 0.4 times as much.
    hysteresis : float, default=0.06
        Standard deviation over patients of the delay of AP and of LR behind SI, as a part of
        the breath; from 0 to 0.25.
    coughs : float, default=0.0
        Expected number of coughs per minute.
    breath_holds : float, default=0.0
        Expected number of breath-holds per minute, at exhale or inhale, of 4 to 12 s.
    noise : float, default=0.05
        Standard deviation of the measurement noise in `X`, in mm.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random here. An int gives the same traces in every call. The global
        generators are never drawn from.

    Returns
    -------
    Bunch
        With the fields

        X : DataFrame of shape (n_steps, 5), float64 and int64
            Columns ``t`` (s), ``patient`` (from 0), ``x``, ``y``, ``z`` (mm): the measured
            position along SI (``x``; grows towards the feet, so inhalation is positive), AP
            (``y``; grows towards the back) and LR (``z``). Patients follow each other, and
            each starts at ``t = 0``.
        y : ndarray of shape (n_steps, 3), float64
            The same positions without noise. 0 is each patient's median on every axis.
        groups : ndarray of shape (n_steps,), int64
            Patient of each row.
        events : DataFrame
            Columns ``patient``, ``start``, ``stop`` (s) and ``kind``: ``"sigh"``,
            ``"irregular"``, ``"cough"`` or ``"breath-hold"``.
        axes : tuple of str
            ``("SI", "AP", "LR")``, the columns of `y`.

    Raises
    ------
    ValueError
        If `amplitude` or `drift` does not hold three numbers of at least 0, or the trace has
        fewer than two positions.

    References
    ----------
    .. [1] Lujan A. E. et al., A method for incorporating organ motion due to breathing into 3D
       dose calculations, Medical Physics 26(5), 1999.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_breathing
    >>> data = make_breathing(2, duration=60.0, coughs=1.0, random_state=0)
    >>> data.X.shape, data.y.shape
    ((1200, 5), (1200, 3))
    >>> list(data.X.columns)
    ['t', 'patient', 'x', 'y', 'z']
    """
    amplitude = three_numbers(amplitude, "amplitude")
    drift = drift * _DRIFT_SHARE if isinstance(drift, Real) else three_numbers(drift, "drift")
    n_steps = number_of_steps(duration, rate)
    t = np.arange(n_steps) / rate
    settings = dict(
        amplitude=amplitude,
        period=period,
        irregularity=irregularity,
        drift=drift,
        hysteresis=hysteresis,
        coughs=coughs,
        breath_holds=breath_holds,
    )
    positions, measured, events = [], [], []
    for patient, rng in enumerate(_generator(random_state).spawn(n_patients)):
        curve, noise_rng = rng.spawn(2)
        y, happened = _trace(curve, t, duration, **settings)
        positions.append(y)
        measured.append(y + noise * noise_rng.standard_normal(y.shape))
        events += [(patient, *event) for event in happened]
    groups = np.repeat(np.arange(n_patients), n_steps)
    X = pd.DataFrame({"t": np.tile(t, n_patients), "patient": groups})
    X[["x", "y", "z"]] = np.concatenate(measured)
    return Bunch(
        X=X,
        y=np.concatenate(positions),
        groups=groups,
        events=events_table(events),
        axes=AXES,
    )


def events_table(events, columns=tuple(EVENT_COLUMNS)):
    """Events as a table, in order of patient and start."""
    table = pd.DataFrame(events, columns=list(columns))
    table = table.astype({"start": np.float64, "stop": np.float64})
    return table.sort_values(["patient", "start"], kind="stable", ignore_index=True)


def number_of_steps(duration, rate):
    """Time steps of a recording."""
    n_steps = int(np.floor(duration * rate + 1e-9))
    if n_steps < 2:
        raise ValueError(
            f"duration={duration} s at rate={rate} gives {n_steps} steps; at least 2 are "
            "needed, so raise one of them."
        )
    return n_steps


def three_numbers(values, name):
    """Three numbers of at least 0, one for each axis."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (3,) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(
            f"{name} must hold three numbers of at least 0, for SI, AP and LR in mm; found an "
            f"array of shape {values.shape}."
        )
    return values


def _trace(
    rng,
    t,
    duration,
    *,
    amplitude,
    period,
    irregularity,
    drift,
    hysteresis,
    coughs,
    breath_holds,
):
    """Noise-free positions of one patient at times t, and what happened."""
    asked, stop = len(t), t[-1]
    # The median is taken on times of its own, so that it does not depend on the rate.
    t = np.concatenate([t, np.arange(0, duration, _GRID)])
    cycles, events = breathing_cycles(
        rng,
        -_MARGIN,
        duration + _MARGIN,
        period=period,
        irregularity=irregularity,
        breath_holds=breath_holds,
    )
    size = _DEPTH * amplitude * np.exp(_AMPLITUDE_SPREAD * rng.standard_normal(3))
    # On inhalation the liver goes down and, mostly, forward; to the left or the right.
    sign = np.array([1.0, -1.0 if rng.random() < 0.9 else 1.0, rng.choice([-1.0, 1.0])])
    lag = np.append(0.0, hysteresis * rng.standard_normal(2)) * cycles["period"].mean()
    bend = np.append(1.0, np.exp(0.25 * rng.standard_normal(2)))
    own = np.append(0.0, rng.uniform(0.02, 0.3, 2)) * irregularity

    grid = np.arange(-_MARGIN, duration + _MARGIN + _GRID, _GRID)
    unsteady = _smooth_noise(rng, len(grid), width=0.35 / _GRID)
    wander = _smooth_noise(rng, len(grid), width=2.5 / _GRID)
    unsteadiness = irregularity * rng.uniform(0.02, 0.08)
    slow = _drift(rng, len(grid), drift * np.exp(0.4 * rng.standard_normal(3)))
    heart = _heart(rng, t)

    y = np.empty((len(t), 3))
    for axis in range(3):
        level = waveform(cycles, t - np.clip(lag[axis], -_MARGIN, _MARGIN))
        level = np.sign(level) * np.abs(level) ** bend[axis]
        level = level + unsteadiness * np.interp(t, grid, unsteady[:, axis])
        level = level + own[axis] * np.interp(t, grid, wander[:, axis])
        y[:, axis] = sign[axis] * size[axis] * level + np.interp(t, grid, slow[:, axis])
    y += heart * size / np.maximum(size.max(), 1e-12)
    jerks, coughing = _coughs(rng, t, duration, coughs)
    y += jerks * size
    events = [
        (max(start, 0.0), min(end, stop), kind)
        for start, end, kind in events + coughing
        if end > 0 and start < stop
    ]
    return y[:asked] - np.median(y[asked:], axis=0), events


def _smooth_noise(rng, n, width):
    """Three independent smooth series of standard deviation 1."""
    series = gaussian_filter1d(rng.standard_normal((n, 3)), width, axis=0, mode="wrap")
    return series * np.sqrt(2 * np.sqrt(np.pi) * width)


def _drift(rng, n, size):
    """Baseline: a random walk that reaches `size` after a minute, without sharp corners."""
    walk = np.cumsum(rng.standard_normal((n, 3)), axis=0) * np.sqrt(_GRID / 60)
    return gaussian_filter1d(walk, 1.5 / _GRID, axis=0, mode="nearest") * size


def _heart(rng, t):
    """Cardiac motion in mm, about 0.1 mm and in some patients much more."""
    size = 0.1 * np.exp(0.7 * rng.standard_normal())
    rate = rng.uniform(0.9, 1.5)
    phase = rng.uniform(0, 2 * np.pi, 3)
    return size * np.sin(2 * np.pi * rate * t[:, None] + phase)


def _coughs(rng, t, duration, rate):
    """Jerks of all axes as parts of the amplitude, and their events."""
    jerks, events = np.zeros((len(t), 3)), []
    for start in np.sort(rng.uniform(0, duration, rng.poisson(rate * duration / 60))):
        n_jerks = rng.integers(1, 5)
        times = start + np.cumsum(rng.uniform(0.3, 0.6, n_jerks))
        for at in times:
            width = rng.uniform(0.1, 0.18)
            u = (t - at) / width
            # Out fast and back, further than where it came from.
            pulse = (-np.exp(-0.5 * u**2) + 0.4 * np.exp(-0.5 * (u - 2.2) ** 2))[:, None]
            jerks += pulse * rng.uniform(0.3, 0.8) * rng.normal([0.8, 0.5, 0.5], [0.2, 0.5, 0.7])
        events.append((start, times[-1] + 0.6, "cough"))
    return jerks, events
