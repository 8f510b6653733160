"""Forecasting libraries as peers: neuralforecast and darts, their default nets, shorter training.

Both train one model on all objects of the other groups, in units of each object's first minute.
neuralforecast's models are univariate: an axis is a series of its own. Every row is then forecast
from its own history of 24 steps. Neither library learns from the patient that it follows.
"""

import contextlib
import io
import logging
import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd

from benchmarks._forecast_windows import n_known, spread

LENGTH = 24  # steps of history
_QUIET = {
    "accelerator": "cpu",
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "enable_progress_bar": False,
    "logger": False,
}


class _Library:
    """What the two have in common: units, objects, and the rows with a forecast."""

    def fit(self, train, steps):
        """Train on the other groups."""
        self.steps = steps
        series = [
            _standardise(single.joint, track.n_first)[0]
            for track in train
            for single in track.singles()
        ]
        with _silence():
            self._fit(series)
        return self

    def forecast(self, track):
        """The forecasts of all objects."""
        n_own, places = n_known(track, self.steps), [step - 1 for step in self.steps]
        forecasts = np.full((len(track.t), len(self.steps), track.joint.shape[1]), np.nan)
        for start, single in zip(
            range(0, track.joint.shape[1], track.n_dims), track.singles(), strict=True
        ):
            scaled, centre, scale = _standardise(single.joint, n_own)
            with _silence():
                found = self._forecast(scaled, n_own - 1)[:, places]
            forecasts[n_own - 1 :, :, start : start + track.n_dims] = found * scale + centre
        return forecasts

    def latest(self, scaled):
        """The forecast of the last row alone, in the units of its history."""
        with _silence():
            return self._forecast(scaled[-LENGTH:], LENGTH - 1)[0]


class NeuralForecastModel(_Library):
    """A model of neuralforecast, trained on the squared error.

    Parameters
    ----------
    name : {"NHITS", "NLinear", "PatchTST"}
    max_steps : int
        Batches of 256 windows it trains on, with a learning rate of 1e-3. The defaults, 1000 to
        5000 batches at 1e-3 or 1e-4, take many minutes per fold on one thread.
    random_state : int
    """

    def __init__(self, name, *, max_steps=500, random_state=1):
        self.name, self.max_steps, self.random_state = name, max_steps, random_state

    def _fit(self, series):
        from neuralforecast import NeuralForecast, models
        from neuralforecast.losses.pytorch import MSE

        model = getattr(models, self.name)(
            h=max(self.steps),
            input_size=LENGTH,
            max_steps=self.max_steps,
            learning_rate=1e-3,
            windows_batch_size=256,
            loss=MSE(),
            random_seed=self.random_state,
            alias="forecast",
            **_QUIET,
        )
        columns = [column for positions in series for column in positions.T]
        self.model = NeuralForecast([model], freq=1)
        self.model.fit(_long(columns))

    def _forecast(self, scaled, first):
        # A history is a series of its own, so that one call forecasts from every row.
        view = np.lib.stride_tricks.sliding_window_view(scaled, LENGTH, axis=0)
        histories = view[first - LENGTH + 1 :].reshape(-1, LENGTH)
        found = self.model.predict(_long(histories)).sort_values(["unique_id", "ds"])
        values = found["forecast"].to_numpy(float).reshape(-1, scaled.shape[1], max(self.steps))
        return values.swapaxes(1, 2)


class DartsModel(_Library):
    """A model of darts.

    Parameters
    ----------
    name : {"LinearRegressionModel", "NLinearModel"}
    n_epochs : int
        For the network.
    random_state : int
    """

    def __init__(self, name, *, n_epochs=20, random_state=1):
        self.name, self.n_epochs, self.random_state = name, n_epochs, random_state

    def _fit(self, series):
        from darts import TimeSeries, models

        if self.name == "LinearRegressionModel":
            settings = {"lags": LENGTH}
        else:
            settings = {
                "input_chunk_length": LENGTH,
                "n_epochs": self.n_epochs,
                "batch_size": 64,
                "random_state": self.random_state,
                "pl_trainer_kwargs": _QUIET,
            }
        self.model = getattr(models, self.name)(output_chunk_length=max(self.steps), **settings)
        self.model.fit([TimeSeries.from_values(part.astype("float32")) for part in series])

    def _forecast(self, scaled, first):
        from darts import TimeSeries

        found = self.model.historical_forecasts(
            TimeSeries.from_values(scaled.astype("float32")),
            start=first + 1,
            forecast_horizon=max(self.steps),
            retrain=False,
            last_points_only=False,
            overlap_end=True,
            verbose=False,
        )
        return np.stack([part.values() for part in found])[: len(scaled) - first]


def missing_library(name):
    """Why a library cannot be run, or None."""
    if find_spec(name):
        return None
    return f"{name} is not installed"


def _standardise(positions, n_own):
    centre, scale = positions[:n_own].mean(axis=0), spread(positions, n_own)
    return (positions - centre) / scale, centre, scale


def _long(series):
    """The table that neuralforecast reads."""
    lengths = [len(values) for values in series]
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(len(lengths)), lengths),
            "ds": np.concatenate([np.arange(length) for length in lengths]),
            "y": np.concatenate(series).astype("float32"),
        }
    )


@contextlib.contextmanager
def _silence():
    """Neither warnings nor logs nor prints of the libraries."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
