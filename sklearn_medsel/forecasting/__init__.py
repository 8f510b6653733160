"""Forecast where a tumour will be while the patient breathes."""

from sklearn_medsel.forecasting._forecaster import TumourPositionForecaster
from sklearn_medsel.forecasting._measures import forecast_errors
from sklearn_medsel.forecasting._sequence import CineSequence
from sklearn_medsel.forecasting._session import Forecast, ForecastSession

__all__ = [
    "CineSequence",
    "Forecast",
    "ForecastSession",
    "TumourPositionForecaster",
    "forecast_errors",
]
