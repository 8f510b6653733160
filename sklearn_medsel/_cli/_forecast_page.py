"""The page of the subcommand ``forecast``: errors on patients left out, by method and patient."""

from sklearn_medsel._cli._forecast_job import EXPERTS, LSTM, OURS, RIVALS
from sklearn_medsel._cli._forecast_notes import SAFETY, safety_section, settings_section
from sklearn_medsel._cli._forecast_output import headline, pooled_rmse, verdict
from sklearn_medsel._html import figures, section, table, tag
from sklearn_medsel._page import document

_NAMES = "It names patients as the data do."
_MAX_PATIENTS = 40
_COLUMNS = (
    "“95%”: as far off or less, 95% of the time. “≤ 2 mm”: how often it was at most that far "
    "off. “worst”: RMSE of the worst patient, named below it."
)


_EXPLAINED = {
    EXPERTS["persistence"]: "“persistence”: the target stays where it is.",
    EXPERTS["ridge"]: "“ridge alone”: this expert of the forecaster by itself.",
    EXPERTS["transformer"]: "“ridge + transformer”: a Transformer that corrects the ridge.",
    LSTM: "“LSTM”: a recurrent network on the same history, the same for all patients.",
}


def render(results, pictures, note):
    """Write the page.

    Parameters
    ----------
    results : ForecastResults
    pictures : dict of str to Picture
    note : str
        What became of the model.

    Returns
    -------
    str
        A whole HTML document without scripts and without external resources.
    """
    settings = results.settings
    parts = {
        "done": ("What was done", _done(results, note)),
        "comparison": ("Errors", _comparison(results, pictures)),
        "patients": ("Patients", _patients(results, pictures)),
        "planes": ("Planes", _planes(results, pictures)),
        "safety": ("Safety", safety_section(results)),
        "settings": ("Notes and settings", settings_section(results)),
    }
    parts = {name: part for name, part in parts.items() if part[1] is not None}
    data = settings.names[0] + (f" and {len(settings.names) - 1} more" * (len(settings.names) > 1))
    return document(
        "Tumour position forecasts",
        kicker=f"Forecasts · {data}",
        overview=[
            tag("p", tag("strong", SAFETY), class_="note warn"),
            tag("p", headline(results), class_="lead"),
            _numbers(results),
        ],
        links=[(name, title) for name, (title, _) in parts.items()],
        sections=[part for _, part in parts.values()],
        footer=f"{SAFETY} {_NAMES}",
    )


def _numbers(results):
    """Cards: RMSE by horizon, then what the judged one is like."""
    settings = results.settings
    listed = []
    for horizon in settings.horizons:
        row = results.measure(OURS, horizon=horizon)
        listed.append(
            (f"RMSE {horizon:g} s ahead", f"{row['rmse']:.2f} mm", f"95% within {row['p95']:.1f}")
        )
    row, worst = results.measure(OURS), results.measure(OURS, "worst")
    ahead = f"{settings.judged:g} s ahead"
    listed += [
        ("within 3 mm", f"{row['within_3mm']:.0%}", f"of the time, {ahead}"),
        ("inside the radius", f"{row['coverage']:.0%}", f"of a promised {settings.coverage:.0%}"),
        ("worst patient", f"{worst['rmse']:.2f} mm", f"{worst['worst']}, {ahead}"),
    ]
    return tag(
        "dl",
        [
            tag("div", tag("dt", name), tag("dd", value, tag("small", small)))
            for name, value, small in listed
        ],
        class_="cards",
    )


def _done(results, note):
    settings, motion = results.settings, results.motion
    n_folds = int(results.fold.max())
    what = settings.groups or "patient"
    source = f"frames of the plane(s) {', '.join(motion.planes)}" if motion.planes else "positions"
    left_out = (
        f"Each {what} was left out in turn"
        if n_folds == len(set(motion.groups))
        else f"Every {what} was left out once, in {n_folds} folds"
    )
    experts = ", ".join(list(EXPERTS) if settings.transformer else list(EXPERTS)[:2])
    sentences = [
        f"{left_out}; {OURS} (experts: {experts}) was trained on the {source} of the others. A "
        "forecast is made from the past of its own moment. Errors are distances (coordinates "
        f"{', '.join(motion.axes)}) to the position at the time the forecast is for.",
    ]
    if motion.planes:
        sentences.append(
            f"In the first {settings.warmup:g} s of a recording the known positions are shown to "
            "it, after the forecast of each; forecasts for that time are not counted."
        )
    return section(
        "done",
        "What was done",
        [tag("p", sentence) for sentence in sentences],
        tag("p", note),
        tag("p", "The command that repeats it:", class_="muted"),
        tag("pre", tag("code", settings.command)),
    )


def _comparison(results, pictures):
    methods = list(pooled_rmse(results).index)
    explained = [words for name, words in _EXPLAINED.items() if name in methods]
    if results.motion.planes:
        explained.append(
            "All of them are given the positions that the forecaster finds in the frames. An LSTM "
            "reads no frames and is left out."
        )
    return section(
        "comparison",
        "Errors on patients left out",
        [
            tag("p", words, class_="note" if not i else None)
            for i, words in enumerate(_said(results))
        ],
        [_method_table(results, horizon, methods) for horizon in results.settings.horizons],
        tag("p", f"{_COLUMNS} {' '.join(explained)}", class_="muted") if len(methods) > 1 else None,
        figures(pictures, "errors"),
    )


def _said(results):
    """The verdict on errors in one paragraph, and that on patients in another."""
    lines = verdict(results)
    n_worse = sum(line.startswith("Pairs of") for line in lines)
    first = " ".join(lines[: len(lines) - n_worse])
    return [first, " ".join(lines[len(lines) - n_worse :])] if n_worse else [first]


def _method_table(results, horizon, methods):
    body = []
    methods = sorted(methods, key=lambda name: results.measure(name, horizon=horizon)["rmse"])
    for position, name in enumerate(methods):
        row = results.measure(name, horizon=horizon)
        worst = results.measure(name, "worst", horizon)
        is_best = position == 0 and len(methods) > 1
        body.append(
            [
                [name, tag("span", "best", class_="badge") if is_best else None],
                *[_mm(row[measure]) for measure in ("rmse", "p95", "max")],
                *[_share(row[f"within_{limit}mm"]) for limit in (2, 3, 5)],
                _two_lines(_mm(row["radius"]), f"{_share(row['coverage'])} in it")
                if row["radius"] == row["radius"]
                else "–",
                _two_lines(_mm(worst["rmse"]), worst["worst"]),
            ]
        )
    return table(
        ["method", "RMSE", "95%", "max", "≤ 2 mm", "≤ 3 mm", "≤ 5 mm", "radius", "worst"],
        body,
        caption=f"{horizon:g} s ahead: errors in mm, the lowest RMSE first",
        numeric=range(1, 9),
        row_class=lambda i: "ours" if methods[i] == OURS else None,
    )


def _patients(results, pictures):
    settings, errors = results.settings, results.errors
    ours = errors[(errors["method"] == OURS) & ~errors["patient"].isin(["all", "worst"])]
    rmse, coverage, p95 = (
        ours.pivot(index="patient", columns="horizon", values=measure)
        for measure in ("rmse", "coverage", "p95")
    )
    order = rmse[settings.judged].sort_values(ascending=False).index
    rivals = [name for name in RIVALS if name in results.forecasts]
    body = [
        [
            patient,
            *[
                _two_lines(
                    _mm(rmse.loc[patient, horizon]),
                    f"{_share(coverage.loc[patient, horizon])} in radius",
                )
                for horizon in settings.horizons
            ],
            _mm(p95.loc[patient, settings.judged]),
            *[_mm(results.measure(name, patient)["rmse"]) for name in rivals],
        ]
        for patient in order[:_MAX_PATIENTS]
    ]
    header = [
        "patient",
        *[f"RMSE {horizon:g} s" for horizon in settings.horizons],
        f"95% {settings.judged:g} s",
        *rivals,
    ]
    n_more = len(order) - len(body)
    return section(
        "patients",
        f"Patients ({len(order):,})",
        table(
            header,
            body,
            caption=f"{OURS} for each patient: errors in mm, the worst {settings.judged:g} s ahead "
            "first",
            numeric=range(1, len(header)),
            row_class=lambda i: "ours" if i == 0 else None,
        ),
        tag(
            "p",
            (f"{n_more:,} more patients are in errors.csv. " if n_more else "")
            + (f"{', '.join(rivals)}: RMSE {settings.judged:g} s ahead. " if rivals else "")
            + f"“in radius”: how often it held the truth, of a promised {settings.coverage:.0%}.",
            class_="muted",
        ),
        figures(pictures, "trajectory_worst", "trajectory_middle"),
    )


def _planes(results, pictures):
    if results.planes is None:
        return None
    wide, worst = (
        results.planes[results.planes["patient"] == who].pivot(
            index="planes", columns="horizon", values="rmse"
        )
        for who in ("all", "worst")
    )
    names = list(dict.fromkeys(results.planes["planes"]))
    horizons = results.settings.horizons
    body = [
        [
            name.replace("+", " + "),
            *[_mm(wide.loc[name, horizon]) for horizon in horizons],
            *[_mm(worst.loc[name, horizon]) for horizon in horizons],
        ]
        for name in names
    ]
    return section(
        "planes",
        "What each plane brings",
        tag(
            "p",
            f"{OURS} trained and judged with the first planes only, and with all "
            f"({', '.join(results.motion.planes)}), on the same folds.",
        ),
        table(
            ["planes", *[f"{h:g} s" for h in horizons], *[f"worst {h:g} s" for h in horizons]],
            body,
            caption="RMSE in mm of all patients together, and of the worst patient",
            numeric=range(1, 1 + 2 * len(horizons)),
        ),
        figures(pictures, "planes"),
    )


def _share(value):
    return "–" if value != value else f"{value:.0%}"


def _mm(value):
    return "–" if value != value else f"{value:.2f}"


def _two_lines(first, second):
    return [first, tag("div", tag("small", second, class_="muted"))]
