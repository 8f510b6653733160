"""The pictures of the subcommand ``forecast``."""

import numpy as np
import pandas as pd

from sklearn_medsel._cli._forecast_job import OURS
from sklearn_medsel._pictures import _draw

_SHOWN = 40.0  # s of a trajectory


def draw_pictures(results):
    """Draw errors by horizon, the trajectories of two patients and the sets of planes.

    Parameters
    ----------
    results : ForecastResults

    Returns
    -------
    dict of str to Picture
    """
    plans = [_errors(results), *_trajectories(results)]
    if results.planes is not None:
        plans.append(_planes(results))
    return {plan["name"]: _draw(**plan) for plan in plans}


def _errors(results):
    from sklearn_medsel.inspection import HorizonErrorDisplay

    tables = {name: part for name, part in results.errors.groupby("method", sort=False)}
    ours = results.measure(OURS)["rmse"]
    return {
        "name": "errors",
        "title": "Error by horizon",
        "alt": (
            f"Root mean square error of {len(tables)} method(s) against the horizon; "
            f"{results.settings.judged:g} s ahead, that of {OURS} is {ours:.2f} mm."
        ),
        "caption": (
            "Lines: all patients together. Bars: from the best to the worst patient. The names of "
            "the worst stand at the right."
        ),
        "plot": lambda ax: HorizonErrorDisplay.from_errors(tables, ax=ax),
        "size": (7.4, 4.8),
    }


def _trajectories(results):
    """Plans for the worst patient and for the one in the middle."""
    judged, table = results.settings.judged, results.errors
    ours = table[(table["method"] == OURS) & (table["horizon"] == judged) & (table["n"] > 0)]
    order = ours[~ours["patient"].isin(["all", "worst"])].sort_values("rmse")["patient"]
    chosen = {"worst": order.iloc[-1]}
    if len(order) > 2:
        chosen["middle"] = order.iloc[(len(order) - 1) // 2]
    return [_trajectory(results, kind, patient) for kind, patient in chosen.items()]


def _trajectory(results, kind, patient):
    from sklearn_medsel.inspection import TrajectoryDisplay

    motion, settings = results.motion, results.settings
    counted = motion.counted(settings.warmup)
    rows = _longest(motion.patient == patient, motion.sequence, counted)
    y, t = counted[rows], motion.t[rows]
    forecast = results.forecasts[OURS][rows]
    known = t[np.isfinite(y).all(axis=1)]
    centre = known.max()
    if kind == "worst":
        centre = _largest_error(t, y, forecast, settings)
    stop = min(max(centre + _SHOWN / 2, known.min() + _SHOWN), known.max())
    start = max(stop - _SHOWN, known.min())
    title, part = {
        "worst": ("The worst patient", "Around the largest error in the longest recording"),
        "middle": ("A patient in the middle", "The end of the longest recording"),
    }[kind]
    n_axes = y.shape[1]

    def plot(ax):
        TrajectoryDisplay.from_predictions(
            t,
            y,
            forecast,
            horizons=settings.horizons,
            horizon=settings.judged,
            radius=results.radius[rows],
            axis_names=motion.axes,
            patient=patient,
            ax=ax,
            start=start,
            stop=stop,
        )

    return {
        "name": f"trajectory_{kind}",
        "title": title,
        "alt": (
            f"True position of patient {patient} over time along {', '.join(motion.axes)}, with "
            f"what was forecast {settings.judged:g} s before and its radius."
        ),
        "caption": (
            f"{part}; each forecast, made {settings.judged:g} s before, stands at the time it is "
            "for."
        ),
        "plot": plot,
        "size": (7.4, 1.9 + 1.25 * n_axes),
    }


def _largest_error(t, y, forecast, settings):
    """Time at which the forecast for the judged horizon is the farthest off."""
    from sklearn_medsel.forecasting._alignment import truth_at

    truth = truth_at(y, t, 0, [settings.judged])[:, 0]
    parts = forecast.reshape(len(t), len(settings.horizons), -1)
    error = np.linalg.norm(parts[:, settings.horizons.index(settings.judged)] - truth, axis=1)
    return t[np.argmax(np.nan_to_num(error))] + settings.judged


def _longest(whose, sequence, y):
    """Rows of the recording with the most known positions, among the rows of a patient."""
    known = pd.Series(sequence[whose & np.isfinite(y).all(axis=1)])
    longest = known.value_counts(sort=False).idxmax()
    return np.flatnonzero(whose & (sequence == longest))


def _planes(results):
    from sklearn_medsel.inspection import PlaneAblationDisplay

    table, judged = results.planes, results.settings.judged
    pooled = table[(table["patient"] == "all") & (table["horizon"] == judged)]
    first, last = pooled["rmse"].iloc[0], pooled["rmse"].iloc[-1]
    n_horizons, n_sets = len(results.settings.horizons), pooled["planes"].nunique()
    return {
        "name": "planes",
        "title": "Error by planes",
        "alt": (
            f"Root mean square error of each patient by the planes used; {judged:g} s ahead, "
            f"{first:.2f} mm with the first plane and {last:.2f} mm with all, over all patients."
        ),
        "caption": "Points: patients, joined by lines. Bars: their mean.",
        "plot": lambda ax: PlaneAblationDisplay.from_table(table, ax=ax),
        "size": (1.2 + n_horizons * max(0.75 + 0.6 * n_sets, 2.7), 4.0),
    }
