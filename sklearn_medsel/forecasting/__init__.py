"""Forecast where a tumour will be while the patient breathes."""

from sklearn_medsel.forecasting._baseline_lstm import LSTMForecaster
from sklearn_medsel.forecasting._baseline_persistence import PersistenceForecaster
from sklearn_medsel.forecasting._baselines import baseline_forecasters
from sklearn_medsel.forecasting._forecaster import TumourPositionForecaster
from sklearn_medsel.forecasting._measures import forecast_errors
from sklearn_medsel.forecasting._sequence import CineSequence
from sklearn_medsel.forecasting._session import Forecast, ForecastSession

__all__ = [
    "CineSequence",
    "Forecast",
    "ForecastSession",
    "LSTMForecaster",
    "PersistenceForecaster",
    "TumourPositionForecaster",
    "baseline_forecasters",
    "forecast_errors",
]
