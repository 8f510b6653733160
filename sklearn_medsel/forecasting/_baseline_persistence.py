"""`PersistenceForecaster`, and what it shares with the LSTM: past positions and the score."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel.forecasting._alignment import truth_at
from sklearn_medsel.forecasting._sequence import CineSequence
from sklearn_medsel.forecasting._steps import read_steps, read_truth


class PositionBaseline(BaseEstimator):
    """Reading of positions, and the score, which both baselines have."""

    def score(self, X, y=None):
        """Minus the root mean square of the error in mm, averaged over the horizons.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_steps, n_dims)
            As in `predict`.
        y : array-like of shape (n_steps, n_dims), default=None
            True positions in mm, NaN where unknown; None takes those in X.

        Returns
        -------
        float
            At most 0; larger is better. NaN where no truth is known.
        """
        forecast = self.predict(X)
        steps = self._read(X, reset=False)
        truth = truth_at(read_truth(y, steps), steps.t, steps.first, self._horizons())
        square = ((forecast.reshape(truth.shape) - truth) ** 2).sum(axis=2)
        counted = np.isfinite(square)
        mean = np.where(counted, square, 0).sum(axis=0) / np.maximum(counted.sum(axis=0), 1)
        return -float(np.where(counted.any(axis=0), np.sqrt(mean), np.nan).mean())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.multi_output = True
        return tags

    def _learn_steps(self, X):
        """Read training rows, and keep what prediction needs of them."""
        steps = self._read(X, reset=True)
        self.interval_, self.n_dims_ = steps.interval(), steps.signal.shape[1]
        if not np.isfinite(self.interval_):
            raise ValueError(f"X has {len(steps)} sample(s), but no recording with two steps.")
        return steps

    def _read(self, X, *, reset):
        if isinstance(X, CineSequence):
            raise ValueError("X holds frames; baselines take positions, as X.positions has them.")
        steps = read_steps(self, X, reset=reset)
        if not reset and steps.signal.shape[1] != self.n_dims_:
            raise ValueError(
                f"X has {steps.signal.shape[1]} coordinate(s), and training had {self.n_dims_}."
            )
        return steps

    def _horizons(self):
        horizons = np.asarray(self.horizons, dtype=float)
        if horizons.ndim != 1 or not horizons.size or not ((horizons > 0) & (horizons < 1e6)).all():
            raise ValueError(
                f"horizons must be one or more numbers of seconds above 0, found {self.horizons!r}."
            )
        return horizons

    def _windows(self, steps, ages):
        """Past positions at each row, (n_steps, n_ages, n_dims) in mm; `ages` in s before now.

        A row without a position takes the last one known, up to three intervals or a second ago;
        NaN where there is none. What is older than the recording is its first position.
        """
        longest_gap = max(3 * self.interval_, 1.0)
        windows = np.full((len(steps), len(ages), steps.signal.shape[1]), np.nan)
        for rows in steps.stretches(longest_gap):
            t, position = steps.t[rows], steps.signal[rows]
            known = np.isfinite(position).all(axis=1)
            last = np.maximum.accumulate(np.where(known, np.arange(len(t)), -1))
            begun = last >= 0
            if not begun.any():
                continue
            # positions are carried on before they are interpolated: nothing later is looked at
            own, path, seen = t[begun], position[last[begun]], t[last[begun]]
            past = np.stack([np.interp(own[:, None] - ages, own, x) for x in path.T], axis=-1)
            past[own - seen > longest_gap] = np.nan
            windows[np.arange(rows.start, rows.stop)[begun]] = past
        return windows


class PersistenceForecaster(PositionBaseline):
    """Forecast that the target stays where it was seen last.

    Parameters
    ----------
    horizons : sequence of float, default=(0.25, 0.5, 1.0)
        How far ahead to forecast, in s.
    interval : float, default=0.2
        Time between the rows of a plain array, in s.

    Attributes
    ----------
    interval_ : float
        Usual time between steps, in s.
    n_dims_ : int
        Axes of a position.

    Examples
    --------
    >>> from sklearn_medsel.forecasting._baseline_persistence import PersistenceForecaster
    >>> forecaster = PersistenceForecaster((0.2, 0.4)).fit([[0.0], [1.0], [3.0]])
    >>> forecaster.predict([[0.0], [1.0], [3.0]])
    array([[0., 0.],
           [1., 1.],
           [3., 3.]])
    """

    _parameter_constraints: dict = {
        "horizons": ["array-like"],
        "interval": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, horizons=(0.25, 0.5, 1.0), *, interval=0.2):
        self.horizons = horizons
        self.interval = interval

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the input; there is nothing to learn but the usual interval.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_steps, n_dims)
            Positions in mm, as `TumourPositionForecaster` takes them.
        y : array-like, default=None
            Ignored.

        Returns
        -------
        self
            Fitted.
        """
        self._horizons()
        self._learn_steps(X)
        return self

    def predict(self, X):
        """Repeat the last known position.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_steps, n_dims)
            Positions in mm.

        Returns
        -------
        ndarray of shape (n_steps, n_dims * n_horizons), float64
            In mm, all axes of the first horizon, then of the second, and so on; NaN while no
            position is known.
        """
        check_is_fitted(self)
        now = self._windows(self._read(X, reset=False), np.zeros(1))[:, 0]
        return np.tile(now, len(self._horizons()))
