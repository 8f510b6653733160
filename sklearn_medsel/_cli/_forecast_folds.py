"""What the subcommand ``forecast`` is asked for, and its fits: forecasters on groups left out."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sklearn_medsel._cli._progress import FitProgress

OURS = "TumourPositionForecaster"
LSTM = "LSTM"
EXPERTS = {  # the forecaster's experts, each by itself
    "persistence": "persistence",
    "ridge": "ridge alone",
    "transformer": "ridge + transformer",
}
_MOST_FOLDS = 10
_FIT_SHARE = 0.8  # of a fold's time


@dataclass(frozen=True)
class ForecastSettings:
    """What the user asked for; the page lists it, with the `command` that repeats it."""

    data: tuple
    horizons: tuple = (0.25, 0.5, 1.0)
    time: str = "t"
    position: tuple = ()
    patient: str | None = None
    sequence: str | None = None
    groups: str | None = None
    planes: tuple = ()
    targets: tuple = ()
    positions: str | None = None
    history: float = 4.0
    coverage: float = 0.9
    warmup: float = 20.0
    transformer: bool = True
    compare: bool = True
    model: bool = True
    seed: int = 0
    jobs: int | None = None
    command: str = ""

    @property
    def names(self):
        """Names of the data, without folders."""
        return tuple(Path(path).name or str(path) for path in self.data)

    @property
    def judged(self):
        """Horizon that the page speaks of first: the middle one."""
        return self.horizons[len(self.horizons) // 2]


def draw_folds(motion):
    """Leave out one group at a time; with more than ten, about a tenth of them."""
    from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

    many = np.unique(motion.groups).size > _MOST_FOLDS
    splitter = GroupKFold(_MOST_FOLDS) if many else LeaveOneGroupOut()
    rows = np.zeros((len(motion.t), 1))
    return list(splitter.split(rows, groups=motion.groups))


def make_forecaster(settings):
    """Make the forecaster that the settings describe."""
    from sklearn_medsel.forecasting import TumourPositionForecaster

    return TumourPositionForecaster(
        settings.horizons,
        history=settings.history,
        experts=tuple(EXPERTS) if settings.transformer else ("persistence", "ridge"),
        coverage=settings.coverage,
        warmup=settings.warmup,
        random_state=settings.seed,
    )


def run_folds(motion, settings, folds, progress):
    """Fit and forecast on every fold.

    Parameters
    ----------
    motion : Motion
    settings : ForecastSettings
    folds : list of tuples of two ndarrays
        Training and test rows.
    progress : Progress

    Returns
    -------
    forecasts : dict of str to ndarray of shape (n_steps, n_dims * n_horizons)
        Of each method, in mm.
    radii : dict of str or tuple to ndarray of shape (n_steps, n_horizons)
        Of what has one, in mm.
    planes : dict of tuple to ndarray of shape (n_steps, n_dims * n_horizons)
        Forecasts of the forecaster with some planes.
    seconds : dict of str or tuple to float
        Mean time of a fit.
    """
    from sklearn.utils.parallel import Parallel, delayed

    tasks = _tasks(motion, settings)
    jobs = [(number, name) for number in range(len(folds)) for name in tasks]
    n_done = 0

    def report(fraction):
        progress.update((n_done + _FIT_SHARE * fraction) / len(jobs))

    outcomes = Parallel(n_jobs=settings.jobs, return_as="generator")(
        delayed(_evaluate)(name, tasks[name], motion.X, *folds[number], FitProgress(report))
        for number, name in jobs
    )
    forecasts, radii, planes, seconds = {}, {}, {}, {}
    n_rows, n_horizons = len(motion.t), len(settings.horizons)
    for (number, name), (found, radius, duration) in zip(jobs, outcomes, strict=True):
        test = folds[number][1]
        target = planes if isinstance(name, tuple) else forecasts
        for method, forecast in found.items():
            whole = target.setdefault(method, np.full((n_rows, forecast.shape[1]), np.nan))
            whole[test] = forecast
        if radius is not None:
            radii.setdefault(name, np.full((n_rows, n_horizons), np.nan))[test] = radius
        seconds[name] = seconds.get(name, 0.0) + duration / len(folds)
        n_done += 1
        progress.update(n_done / len(jobs))
    if not settings.compare:
        forecasts = {OURS: forecasts[OURS]}
    return forecasts, radii, planes, seconds


def _tasks(motion, settings):
    """What is fitted in every fold: by the method's name, or by a tuple of planes."""
    from sklearn_medsel.forecasting._baselines import baseline_forecasters

    forecaster = make_forecaster(settings)
    tasks = {OURS: forecaster}
    if not settings.compare:
        return tasks
    if not motion.planes:
        baselines = baseline_forecasters(settings.horizons, random_state=settings.seed)
        baselines[LSTM].set_params(history=settings.history)
        # the expert persistence carries a lost position on by the forecast; the baseline does not
        return tasks | {name: baselines[name] for name in (EXPERTS["persistence"], LSTM)}
    for n_planes in range(1, min(len(motion.planes), 3)):
        subset = motion.planes[:n_planes]
        tasks[subset] = make_forecaster(settings).set_params(planes=subset)
    return tasks


def _evaluate(name, estimator, X, train, test, notify):
    """Forecasts by method, or by this set of planes; radii or None; seconds of the fit."""
    from sklearn.base import clone
    from sklearn.utils import _safe_indexing

    started = time.perf_counter()
    model = fit(clone(estimator), _safe_indexing(X, train), notify)
    seconds = time.perf_counter() - started
    X_test = _safe_indexing(X, test)
    if not hasattr(model, "predict_interval"):
        return {name: model.predict(X_test)}, None, seconds
    found, radius = follow(model, X_test)
    return found if name == OURS else {name: found[OURS]}, radius, seconds


def fit(model, X, notify):
    """Fit a model in place; `notify` is a callback."""
    if not hasattr(model, "set_callbacks"):
        return model.fit(X)
    model.set_callbacks(notify)
    model.fit(X)
    model.set_callbacks()
    return model


def follow(model, X):
    """Forecast by a fitted forecaster and by each of its experts alone, in one pass.

    Parameters
    ----------
    model : TumourPositionForecaster
    X : DataFrame or CineSequence

    Returns
    -------
    forecasts : dict of str to ndarray of shape (n_steps, n_dims * n_horizons)
        In mm. An expert alone is followed on the same positions as the forecaster.
    radius : ndarray of shape (n_steps, n_horizons)
        Of the forecaster, in mm.
    """
    from sklearn_medsel.base import one_thread
    from sklearn_medsel.forecasting._steps import read_steps
    from sklearn_medsel.forecasting._watch import watch_recording

    steps, asked = read_steps(model, X, reset=False), model._asked
    names = [EXPERTS[name] for name in model.model_.experts]
    shape = (len(steps), len(asked), model.n_dims_)
    forecasts = {name: np.full(shape, np.nan) for name in (OURS, *names)}
    radius = np.full(shape[:2], np.nan)
    with one_thread():
        for rows in steps.recordings():
            watch = model._watch()
            for row, step, _ in watch_recording(watch, steps, rows, model.warmup):
                if step is None:
                    continue
                forecasts[OURS][row], radius[row] = step.forecast[asked], step.radius[asked]
                for name, expert in zip(names, step.experts, strict=True):
                    forecasts[name][row] = expert[asked] + watch.origin
    return {name: each.reshape(len(steps), -1) for name, each in forecasts.items()}, radius
