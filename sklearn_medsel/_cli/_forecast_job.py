"""The job of the subcommand ``forecast``: judge forecasters on groups of patients left out."""

import tempfile
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_medsel._cli._forecast_folds import (
    EXPERTS,
    LSTM,
    OURS,
    ForecastSettings,
    draw_folds,
    fit,
    make_forecaster,
    run_folds,
)
from sklearn_medsel._cli._job import _unique_messages
from sklearn_medsel._cli._progress import FitProgress
from sklearn_medsel._cli._tables import InputError

RIVALS = (EXPERTS["persistence"], EXPERTS["ridge"], LSTM)
_STEPS = {
    "reading the data": 1,
    "forecasting patients left out": 16,
    "training on all patients": 3,
    "writing the page": 1,
}


@dataclass
class ForecastResults:
    """Everything that the page tells.

    Attributes
    ----------
    settings : ForecastSettings
    motion : Motion
    fold : ndarray of shape (n_steps,), int
        In which fold each row was left out, from 1.
    forecasts : dict of str to ndarray of shape (n_steps, n_dims * n_horizons)
        Of each method, by models that did not see the row's group.
    radius : ndarray of shape (n_steps, n_horizons)
        Of the forecaster, in mm.
    errors : DataFrame
        As from `forecast_errors`, with a column ``method``.
    planes : DataFrame or None
        The same with a column ``planes``, where frames have several.
    seconds : dict of str to float
        Mean time of one fit.
    model : TumourPositionForecaster or None
        Fitted on all patients.
    warnings : list of str
        Warnings that other libraries gave, each once.
    digest : str
        SHA-256 of the data.
    created : datetime
    """

    settings: ForecastSettings
    motion: object
    fold: np.ndarray
    forecasts: dict
    radius: np.ndarray
    errors: pd.DataFrame
    planes: pd.DataFrame | None
    seconds: dict
    model: object = None
    warnings: list = field(default_factory=list)
    digest: str = ""
    created: datetime = field(default_factory=datetime.now)

    def measure(self, method, patient="all", horizon=None):
        """Row of the errors; the horizon is the judged one unless given."""
        horizon = self.settings.judged if horizon is None else horizon
        table = self.errors
        chosen = (table["method"] == method) & (table["horizon"] == horizon)
        return table[chosen & (table["patient"] == patient)].iloc[0]


def plan_steps(settings):
    """Return the steps of the job and the share of time each takes, for `Progress`."""
    absent = [] if settings.model else ["training on all patients"]
    return {name: share for name, share in _STEPS.items() if name not in absent}


def analyse_motion(motion, settings, *, progress):
    """Forecast every group by models trained on the others, and measure.

    Parameters
    ----------
    motion : Motion
    settings : ForecastSettings
    progress : Progress

    Returns
    -------
    ForecastResults
    """
    folds = draw_folds(motion)
    fold = np.zeros(len(motion.t), int)
    for number, (_, test) in enumerate(folds, start=1):
        fold[test] = number
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        with progress.step("forecasting patients left out"), warnings.catch_warnings():
            if settings.jobs not in (None, 1):  # workers would write them into the progress
                warnings.simplefilter("ignore")
            found = run_folds(motion, settings, folds, progress)
        forecasts, radii, planes, seconds = found
        errors = {
            name: _measure(motion, settings, forecast, radii.get(name))
            for name, forecast in forecasts.items()
        }
        results = ForecastResults(
            settings,
            motion,
            fold,
            forecasts,
            radii[OURS],
            _stack(errors, "method"),
            _plane_table(motion, settings, planes, errors[OURS]),
            seconds,
        )
        _check_counted(results.errors)
        if settings.model and can_be_saved(make_forecaster(settings)):
            with progress.step("training on all patients"):
                model = make_forecaster(settings)
                results.model = fit(model, motion.X, FitProgress(progress.update))
    results.warnings = _unique_messages(caught)
    return results


def can_be_saved(estimator):
    """Tell whether `persistence` stores this estimator and would load it again."""
    from sklearn_medsel import persistence

    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("error")
            persistence.save(estimator, Path(folder) / "model.skops")
    except (ImportError, TypeError, ValueError, UserWarning):
        return False
    return True


def _measure(motion, settings, forecast, radius=None):
    from sklearn_medsel.forecasting import forecast_errors

    return forecast_errors(
        motion.counted(settings.warmup),
        forecast,
        t=motion.t,
        horizons=settings.horizons,
        patient=motion.patient,
        sequence=motion.sequence,
        radius=radius,
    )


def _check_counted(errors):
    """Refuse data in which the truth of no forecast is known."""
    pooled = errors[(errors["patient"] == "all") & (errors["method"] == OURS)]
    for row in pooled[pooled["n"] == 0].itertuples():
        raise InputError(
            f"--horizons {row.horizon:g}: no position is known so long after any forecast; the "
            "recordings are too short for it, or positions have gaps"
        )


def _stack(tables, column):
    """Put tables below each other, each with its name in the first column."""
    parts = []
    for name, table in tables.items():
        table = table.copy()
        table.insert(0, column, name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _plane_table(motion, settings, planes, with_all):
    """Errors by set of planes, all of them last."""
    if not planes:
        return None
    tables = {
        "+".join(subset): _measure(motion, settings, forecast)
        for subset, forecast in planes.items()
    }
    return _stack(tables | {"all": with_all}, "planes")
