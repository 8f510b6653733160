"""`LSTMForecaster`: the recurrent network that papers on breathing compare with."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel._training import Rows, train_by_adam
from sklearn_medsel.base import (
    draw_seeds,
    one_thread,
    progress,
    resolve_device,
    seeded,
    to_arrays,
    to_tensor,
    to_tensors,
)
from sklearn_medsel.forecasting._alignment import truth_at
from sklearn_medsel.forecasting._baseline_persistence import PositionBaseline
from sklearn_medsel.forecasting._steps import read_truth
from sklearn_medsel.nn.losses import squared_distance

_LEARNING_RATE = 5e-3
_WEIGHT_DECAY = 1e-4
_BATCH = 128
_MOST_WINDOWS = 20_000  # per pass
_AT_ONCE = 4096  # windows in one call of the network
_MOST_TOKENS = 100  # positions in a window, whatever the rate


class LSTMForecaster(CallbackSupportMixin, PositionBaseline):
    """Forecast displacements from the last seconds by a small LSTM, the same for all patients.

    It reads all axes together, relative to the position now, so that a shifted patient gets
    shifted forecasts; its output is added to the position now.

    Parameters
    ----------
    horizons : sequence of float, default=(0.25, 0.5, 1.0)
        How far ahead to forecast, in s.
    history : float, default=4.0
        How far to look back, in s.
    n_hidden : int, default=32
        Units of the LSTM.
    max_epochs : int, default=20
        Passes over the training windows.
    interval : float, default=0.2
        Time between the rows of a plain array, in s.
    device : str, default="auto"
        Where to train: "auto", "cpu", "cuda", ...
    random_state : int, RandomState instance or None, default=None
        Start weights and order of the windows.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        Weights of the network.
    scale_ : float
        Usual size of the displacements within the history, in mm.
    ages_ : ndarray
        Times before now of what is read, in s.
    interval_ : float
        Usual time between steps, in s.
    n_dims_ : int
        Axes of a position.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_breathing
    >>> from sklearn_medsel.forecasting._baseline_lstm import LSTMForecaster
    >>> breathing = make_breathing(n_patients=2, duration=30, rate=5, random_state=0)
    >>> forecaster = LSTMForecaster((0.4,), max_epochs=2, random_state=0).fit(breathing.X)
    >>> forecaster.predict(breathing.X).shape
    (300, 3)
    """

    _parameter_constraints: dict = {
        "horizons": ["array-like"],
        "history": [Interval(Real, 0, None, closed="neither")],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "interval": [Interval(Real, 0, None, closed="neither")],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        horizons=(0.25, 0.5, 1.0),
        *,
        history=4.0,
        n_hidden=32,
        max_epochs=20,
        interval=0.2,
        device="auto",
        random_state=None,
    ):
        self.horizons = horizons
        self.history = history
        self.n_hidden = n_hidden
        self.max_epochs = max_epochs
        self.interval = interval
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Train on the windows of all rows whose future is known.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_steps, n_dims)
            Positions in mm, as `TumourPositionForecaster` takes them.
        y : array-like of shape (n_steps, n_dims), default=None
            Position to forecast in mm, NaN where unknown; None takes those in X.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        ValueError
            If no row has a position and a known future.
        """
        horizons, steps = self._horizons(), self._learn_steps(X)
        truth = truth_at(read_truth(y, steps), steps.t, steps.first, horizons)
        if truth.shape[2] != self.n_dims_:
            raise ValueError(f"y has {truth.shape[2]} axes, and X has {self.n_dims_}.")
        n_past = max(1, round(self.history / self.interval_))
        n_ages = min(n_past + 1, _MOST_TOKENS)
        self.ages_ = np.linspace(n_past * self.interval_, 0.0, n_ages)
        seed_rows, seed_start, seed_order = draw_seeds(self.random_state, 3)
        past, moves, weight = self._samples(steps, truth, seed_rows)
        device = resolve_device(self.device)
        with seeded(seed_start):
            module = _PositionLSTM(self.n_dims_, len(horizons), self.n_hidden)
        tensors = [to_tensor(part.astype(np.float32), device) for part in (past, moves, weight)]
        with progress(self, X, y, n_steps=self.max_epochs) as tick, one_thread():
            train_by_adam(
                module.to(device),
                squared_distance,
                Rows(*tensors),
                max_epochs=self.max_epochs,
                learning_rate=_LEARNING_RATE,
                weight_decay=_WEIGHT_DECAY,
                batch_size=_BATCH,
                seed=seed_order,
                on_epoch=tick,
            )
        self.weights_ = to_arrays(module)
        return self

    def predict(self, X):
        """Forecast, for each row, from that row's own past.

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
        windows = self._windows(self._read(X, reset=False), self.ages_)
        n_horizons = len(self._horizons())
        forecast = np.full((len(windows), n_horizons, self.n_dims_), np.nan)
        rows = np.flatnonzero(np.isfinite(windows).all(axis=(1, 2)))
        now = windows[rows, -1]
        inputs = to_tensor(((windows[rows] - now[:, None]) / self.scale_).astype(np.float32))
        with seeded(0):
            module = _PositionLSTM(self.n_dims_, n_horizons, self.n_hidden)
        module.load_state_dict(to_tensors(self.weights_))
        with torch.inference_mode(), one_thread():
            moves = [module.eval()(part).numpy() for part in inputs.split(_AT_ONCE)]
        if rows.size:
            moves = self.scale_ * np.concatenate(moves).swapaxes(1, 2).astype(float)
            forecast[rows] = now[:, None] + moves
        return forecast.reshape(len(windows), -1)

    def _samples(self, steps, truth, seed):
        """Windows and moves in units of their usual size, and the weight of each horizon."""
        windows = self._windows(steps, self.ages_)
        has_truth = np.isfinite(truth).all(axis=2).any(axis=1)
        rows = np.flatnonzero(np.isfinite(windows).all(axis=(1, 2)) & has_truth)
        if not rows.size:
            raise ValueError(
                "X has no row with a known position whose future is known as well: the recordings "
                "are shorter than the horizons."
            )
        if rows.size > _MOST_WINDOWS:
            rng = np.random.default_rng(seed)
            rows = np.sort(rng.choice(rows, _MOST_WINDOWS, replace=False))
        now = windows[rows, -1:]
        past = windows[rows] - now
        self.scale_ = float(np.sqrt((past**2).mean())) or 1.0
        moves = ((truth[rows] - now) / self.scale_).swapaxes(1, 2)
        known = np.isfinite(moves).all(axis=1)
        moves = np.where(known[:, None], moves, 0.0)
        # each horizon has the same say, measured by how far the target moves meanwhile
        size = (moves**2).sum(axis=(0, 1)) / known.sum(axis=0).clip(1)
        return past / self.scale_, moves, known / size.clip(1e-6)


class _PositionLSTM(torch.nn.Module):
    """From windows (n, n_ages, n_dims) to displacements (n, n_dims, n_horizons)."""

    def __init__(self, n_dims, n_horizons, n_hidden):
        super().__init__()
        self.read = torch.nn.LSTM(n_dims, n_hidden, batch_first=True)
        self.leave = torch.nn.Linear(n_hidden, n_dims * n_horizons)
        self.shape = (n_dims, n_horizons)

    def forward(self, X):
        hidden, _ = self.read(X)
        return self.leave(hidden[:, -1]).unflatten(-1, self.shape)
