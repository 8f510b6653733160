"""TumourPositionForecaster in the place of a peer, on tracks of positions."""

import numpy as np

from benchmarks._forecast_data import as_frame
from sklearn_medsel import TumourPositionForecaster

STUDY = "ours, transformer alone (the study's)"
OURS = {
    "ours": {},
    "ours, ridge alone": {"experts": ("ridge",)},
    "ours, persistence and ridge": {"experts": ("persistence", "ridge")},
    STUDY: {"experts": ("transformer",)},
}


class Ours:
    """The forecaster; every object is a recording of its own.

    Parameters
    ----------
    period : float
        Time between rows, in s.
    parameters : dict
        Of the forecaster.

    Attributes
    ----------
    radius_ : ndarray of shape (n_steps, n_horizons, n_objects)
        Radii in mm that came with the last forecasts.
    """

    def __init__(self, period, parameters):
        self.period, self.parameters = period, {"random_state": 0, "device": "cpu", **parameters}

    def fit(self, train, steps):
        """Train on the other groups."""
        horizons = tuple(step * self.period for step in steps)
        self.model = TumourPositionForecaster(horizons, **self.parameters)
        self.model.fit(as_frame(train))
        return self

    def forecast(self, track):
        """The forecasts of all objects."""
        # what predict and predict_interval give, in one go
        forecasts, radius = self.model._run(as_frame([track]))
        n_objects, n_horizons = len(track.objects), forecasts.shape[1]
        self.radius_ = np.moveaxis(radius.reshape(n_objects, -1, n_horizons), 0, 2)
        forecasts = forecasts.reshape(n_objects, -1, n_horizons, track.n_dims)
        return forecasts.transpose(1, 2, 0, 3).reshape(len(track.t), n_horizons, -1)


def is_ours(task):
    """Whether the source of this package changes a measurement."""
    return task["method"].startswith("ours")
