"""What the subcommand ``forecast`` writes: tables, model, page, and the words on the terminal."""

import json
import warnings
from dataclasses import asdict

import numpy as np
import pandas as pd

from sklearn_medsel._cli._forecast_job import OURS, RIVALS, can_be_saved
from sklearn_medsel._cli._job import _unique_messages

_MARGIN = 1.02  # how much larger an error may be before it is called worse


def write_forecasts(results, folder):
    """Write errors.csv, forecasts.csv, planes.csv, run.json, model.skops, pictures and report.html.

    Parameters
    ----------
    results : ForecastResults
    folder : Path
        An existing, empty folder.

    Returns
    -------
    str
        What became of the model, in words.
    """
    from sklearn_medsel._cli._forecast_figures import draw_pictures
    from sklearn_medsel._cli._forecast_page import render

    results.errors.to_csv(folder / "errors.csv", index=False, float_format="%.6g")
    forecast_table(results).to_csv(folder / "forecasts.csv", index=False, float_format="%.6g")
    if results.planes is not None:
        results.planes.to_csv(folder / "planes.csv", index=False, float_format="%.6g")
    pictures = draw_pictures(results)
    for picture in pictures.values():
        (folder / f"{picture.name}.png").write_bytes(picture.light)
    note = save_model(results, folder)
    run = json.dumps(describe_run(results), indent=2, ensure_ascii=False)
    (folder / "run.json").write_text(run + "\n", encoding="utf-8")
    (folder / "report.html").write_text(render(results, pictures, note), encoding="utf-8")
    return note


def save_model(results, folder):
    """Save the model that was trained on all patients, if it is wanted and can be; say which."""
    if not results.settings.model:
        return "Model: not saved, as asked for with --no-model."
    from sklearn_medsel import persistence

    if results.model is not None and can_be_saved(results.model):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            persistence.save(results.model, folder / "model.skops")
        results.warnings += _unique_messages(caught)
        return "Model: model.skops, trained on all patients, for persistence.load."
    try:
        import skops  # noqa: F401
    except ImportError:
        return 'Model: not saved, which needs skops: pip install "sklearn-medsel[share]".'
    return "Model: not saved, since persistence.load does not know this kind of model."


def forecast_table(results):
    """Put together what was forecast at each step by a model that had not seen its patient.

    Parameters
    ----------
    results : ForecastResults

    Returns
    -------
    DataFrame
        Columns patient, sequence, group, fold, t (s, when the forecast was made), and for each
        horizon the coordinates and the radius in mm.
    """
    motion, settings = results.motion, results.settings
    table = {
        "patient": motion.patient,
        "sequence": motion.sequence,
        "group": motion.groups,
        "fold": results.fold,
        "t": motion.t,
    }
    parts = results.forecasts[OURS].reshape(len(motion.t), len(settings.horizons), -1)
    for number, horizon in enumerate(settings.horizons):
        for axis, values in zip(motion.axes, parts[:, number].T, strict=True):
            table[f"{axis}_in_{horizon:g}s"] = values
        table[f"radius_in_{horizon:g}s"] = results.radius[:, number]
    return pd.DataFrame(table)


def describe_run(results):
    """Describe the run as plain containers: command, versions, settings, data and folds."""
    from sklearn_medsel._cli._report import versions

    settings, motion = results.settings, results.motion
    left_out = [
        {"fold": int(number), "left_out": sorted(set(motion.groups[results.fold == number]))}
        for number in np.unique(results.fold)
    ]
    shown = {
        name: value
        for name, value in asdict(settings).items()
        if name not in ("data", "targets", "positions", "command", "jobs")
    }
    return {
        "command": settings.command,
        "created": f"{results.created:%Y-%m-%dT%H:%M:%S}",
        "data": list(settings.names),
        "sha256": results.digest,
        "steps": len(motion.t),
        "planes": list(motion.planes),
        "settings": shown,
        "folds": left_out,
        "versions": versions(),
        "warnings": results.warnings,
    }


def summary(results):
    """Write what the terminal shows.

    Parameters
    ----------
    results : ForecastResults

    Returns
    -------
    str
    """
    lines = [headline(results), *results.motion.remarks, "", errors_text(results)]
    lines += ["", *verdict(results)]
    return "\n".join(lines)


def headline(results):
    """Say how far off the forecasts were at the judged horizon, for whom."""
    settings, motion = results.settings, results.motion
    ours, worst = results.measure(OURS), results.measure(OURS, "worst")
    counts = len(np.unique(motion.patient)), len(motion.t)
    return (
        f"{settings.judged:g} s ahead, forecasts were off by {ours['rmse']:.2f} mm (root mean "
        f"square), and by {worst['rmse']:.2f} mm for the worst patient ({worst['worst']}). There "
        f"are {counts[0]:,} patients with {counts[1]:,} steps; each forecast comes from a model "
        f"that had not seen its {settings.groups or 'patient'}."
    )


def verdict(results):
    """Say at which horizons the forecaster has the lowest error, and for whom it is worse.

    Parameters
    ----------
    results : ForecastResults

    Returns
    -------
    list of str
    """
    if not results.settings.compare:
        return ["The other methods were left out with --no-compare."]
    wide = pooled_rmse(results)
    words = []
    for horizon in wide.columns:
        ours = wide.loc[OURS, horizon]
        others = wide[horizon].drop(OURS)
        rival = others.idxmin()
        gain = 1 - ours / others[rival]
        if abs(gain) < 0.005:
            words.append(f"{horizon:g} s: as good as {rival}.")
        elif gain > 0:
            words.append(f"{horizon:g} s: {gain:.0%} below the next best, {rival}.")
        else:
            words.append(f"{horizon:g} s: {rival} is better; ours is {-gain:.0%} above it.")
    return [f"RMSE of {OURS}, {words[0]}", *words[1:], *_worse_patients(results)]


def _worse_patients(results):
    """Say for how many patients and horizons a rival is clearly better, by method."""
    table = results.errors[~results.errors["patient"].isin(["all", "worst"])]
    wide = table.pivot(index=["patient", "horizon"], columns="method", values="rmse").dropna()
    if wide.empty:
        return []
    counts = [
        f"{rival} {int((wide[OURS] > _MARGIN * wide[rival]).sum())}"
        for rival in RIVALS
        if rival in wide
    ]
    return [
        f"Pairs of patient and horizon, of {len(wide)}, at which ours is more than 2% worse than: "
        f"{', '.join(counts)}."
    ]


def pooled_rmse(results):
    """RMSE over all patients: methods in rows, the best at the judged horizon first."""
    table = results.errors[results.errors["patient"] == "all"]
    wide = table.pivot(index="method", columns="horizon", values="rmse")
    return wide.sort_values(results.settings.judged, kind="stable")


def errors_text(results):
    """Write the RMSE of every method as plain text; an arrow marks ours."""
    wide = pooled_rmse(results)
    columns = {"RMSE (mm)": [("> " if name == OURS else "  ") + name for name in wide.index]}
    for horizon in wide.columns:
        columns[f"{horizon:g} s"] = [f"{value:.2f}" for value in wide[horizon]]
    columns[f"worst, {results.settings.judged:g} s"] = [
        f"{results.measure(name, 'worst')['rmse']:.2f}" for name in wide.index
    ]
    widths = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
    lines = []
    for cells in [list(columns), *map(list, zip(*columns.values(), strict=True))]:
        first, *others = zip(cells, widths.values(), strict=True)
        lines.append("  ".join([first[0].ljust(first[1]), *[c.rjust(w) for c, w in others]]))
    return "\n".join(lines)
