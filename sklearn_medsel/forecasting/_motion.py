"""What a patient's motion looks like at one moment: the features that forecasts are made from.

`MotionTrace` keeps the recent path of one patient; `MotionBasis` turns it into numbers: where the
position was some time ago, slow averages, and bent (tanh) mixtures of these that follow the
phase of a breath. All are differences from the position now, in units of the patient's own
amplitude: a shifted patient has the same features, and so has a larger one.
"""

from dataclasses import dataclass

import numpy as np

_SLOW = (1.25, 5.0, 15.0)  # time constants of the averages, in histories
# Lags that are mixed and bent, in histories; and which of the averages goes with them.
_BENT_LAGS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9)
_BENT_SLOW = 1
_N_BENT = 128
_STEEPNESS = 2.0
_GAIN = 0.5
_REACH = 2.8  # the longest lag, in histories
_STRIDE_DOUBLES_AFTER = 12  # lags: every step up to here, every second one up to twice as far, ...
_SCALE_PRIOR = 10.0  # s of breathing of usual amplitude, weighed against the patient's own
_FULL = 4096  # most samples kept, whatever the rate


@dataclass(frozen=True)
class MotionBasis:
    """Which features describe a motion; the same for all patients.

    Attributes
    ----------
    interval : float
        Usual time between samples, in s.
    history : float
        How far a forecast looks back closely, in s; slower averages look further.
    lags, bent_lags : ndarray of float
        Times before now, in s, multiples of the interval.
    slow : ndarray of float
        Time constants of averages, in s.
    mixing : ndarray of shape (n_bent_inputs, n_bent)
        Weights of the mixtures, drawn once.
    bias : ndarray of shape (n_bent,)
        Where each mixture bends.
    """

    interval: float
    history: float
    lags: np.ndarray
    bent_lags: np.ndarray
    slow: np.ndarray
    mixing: np.ndarray
    bias: np.ndarray

    @classmethod
    def make(cls, interval, history, rng):
        """Choose lags for an interval and a history (s), and draw the mixtures."""
        n_steps = max(1, round(_REACH * history / interval))
        lags, lag, stride, turn = [], 1, 1, _STRIDE_DOUBLES_AFTER
        while lag <= n_steps:
            lags.append(lag)
            if lag >= turn:
                stride, turn = 2 * stride, 2 * turn
            lag += stride
        bent = np.unique(np.maximum(1, np.round(np.array(_BENT_LAGS) * history / interval)))
        n_inputs = bent.size + 1
        mixing = rng.standard_normal((n_inputs, _N_BENT)) * _STEEPNESS / np.sqrt(n_inputs)
        return cls(
            interval=float(interval),
            history=float(history),
            lags=np.array(lags) * interval,
            bent_lags=bent * interval,
            slow=np.array(_SLOW) * history,
            mixing=mixing,
            bias=rng.standard_normal(_N_BENT),
        )

    @property
    def n_features(self):
        """Number of features per axis."""
        return self.lags.size + self.slow.size + self.bias.size

    @property
    def span(self):
        """How long a path must be remembered, in s."""
        return float(max(self.lags[-1], self.bent_lags[-1]))

    def describe(self, trace):
        """Features of a trace at its last sample, shape (n_features, n_dims), without unit."""
        now, scale = trace.position, trace.scale
        times = np.concatenate([self.lags, self.bent_lags])
        past = (trace.at(trace.t - times) - now) / scale
        slow = (trace.averages - now) / scale
        n_lags = self.lags.size
        mixed = np.concatenate([past[n_lags:], slow[_BENT_SLOW : _BENT_SLOW + 1]])
        bias = self.bias[:, None]
        bent = np.tanh(self.mixing.T @ mixed + bias) - np.tanh(bias)
        return np.concatenate([past[:n_lags], slow, _GAIN * bent])


class MotionTrace:
    """The recent path of one patient, its slow averages and its amplitude.

    Parameters
    ----------
    basis : MotionBasis
        Says how long to remember.
    n_dims : int
        Axes of a position.
    usual_scale : float
        Amplitude (standard deviation, mm) of other patients, believed until this one's is known.
    reach : float
        How long samples are kept at least, in s.
    """

    def __init__(self, basis, n_dims, usual_scale, reach=0.0):
        self._slow = basis.slow
        self._keep = max(basis.span, reach) + 3 * basis.interval
        self._t = np.empty(2 * _FULL)
        self._path = np.empty((2 * _FULL, n_dims))
        self._observed = np.empty(2 * _FULL, bool)
        self._first = self._last = 0
        self._mean = self.start = None
        self._variance, self._seen = usual_scale**2, 0.0
        self.averages = np.empty((basis.slow.size, n_dims))

    def __len__(self):
        return self._last - self._first

    @property
    def t(self):
        """Time of the last sample."""
        return self._t[self._last - 1]

    @property
    def position(self):
        """Position of the last sample, in mm, shape (n_dims,)."""
        return self._path[self._last - 1]

    @property
    def scale(self):
        """Amplitude, in mm: the standard deviation over the time seen, pooled over the axes."""
        return float(np.sqrt(self._variance))

    @property
    def elapsed(self):
        """Time since the path starts or was broken, in s."""
        return 0.0 if self._mean is None else self.t - self.start

    def add(self, t, position, observed=True):
        """Append a sample; one that was not `observed` fills the path and teaches nothing."""
        position = np.asarray(position, float)
        if self._last == len(self._t):
            self._compact()
        self._t[self._last], self._path[self._last] = t, position
        self._observed[self._last] = observed
        self._last += 1
        if self._mean is None:
            self.start, self._mean = t, position.copy()
            self.averages[:] = position
            return
        step = t - self._t[self._last - 2]
        while self._t[self._first] < t - self._keep and self._t[self._first + 1] <= t - self._keep:
            self._first += 1
        self._first = max(self._first, self._last - _FULL)
        if not observed:
            return
        share = np.maximum(1 - np.exp(-step / self._slow), step / (t - self.start + step))
        self.averages += share[:, None] * (position - self.averages)
        self._mean += step / (t - self.start + step) * (position - self._mean)
        square = np.mean((position - self._mean) ** 2)
        self._variance += step / (self._seen + step + _SCALE_PRIOR) * (square - self._variance)
        self._seen += step

    def at(self, times):
        """Positions at some times (interpolated; before the first one: that), (n_times, n_dims)."""
        kept = slice(self._first, self._last)
        axes = [np.interp(times, self._t[kept], axis) for axis in self._path[kept].T]
        return np.stack(axes, axis=-1)

    def observed_at(self, time, longest_gap):
        """Position at a time, if samples observed on both sides of it are known; else None."""
        t = self._t[self._first : self._last]
        right = int(np.searchsorted(t, time - 1e-6))
        if right == len(t):
            return None
        rows = [right] if abs(t[right] - time) <= 1e-6 else [right - 1, right]
        if rows[0] < 0 or not self._observed[self._first + np.array(rows)].all():
            return None
        if t[rows[-1]] - t[rows[0]] > longest_gap:
            return None
        path = self._path[self._first + np.array(rows)]
        if len(rows) == 1:
            return path[0]
        weight = (time - t[rows[0]]) / (t[rows[1]] - t[rows[0]])
        return path[0] + weight * (path[1] - path[0])

    def correct(self, t, position):
        """Put what turned out to be the true position in place of the sample at time `t`."""
        row = self._first + int(np.searchsorted(self._t[self._first : self._last], t - 1e-6))
        if row < self._last and abs(self._t[row] - t) <= 1e-6:
            self._path[row], self._observed[row] = position, True

    def restart(self):
        """Forget the path, as after a gap; the amplitude stays."""
        self._first = self._last = 0
        self._mean = None

    def _compact(self):
        """Move the kept samples to the front."""
        kept = slice(self._first, self._last)
        n_kept = self._last - self._first
        for array in (self._t, self._path, self._observed):
            array[:n_kept] = array[kept].copy()
        self._first, self._last = 0, n_kept
