"""What the subcommand ``reports`` writes: tables, model, page, and the words on the terminal."""

import math
import warnings

from sklearn_medsel._cli._job import _unique_messages
from sklearn_medsel._cli._reports_job import CONFIDENCE, OURS
from sklearn_medsel._html import p_value
from sklearn_medsel._pictures import _draw

METRICS = {
    "accuracy": "accuracy",
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "auroc": "AUROC",
}
_MARKERS = {"recall": "^", "f1": "o", "auroc": "D"}


def write_reports(results, folder):
    """Write comparison.csv, predictions.csv, comparison.png, model.skops and reports.html.

    Parameters
    ----------
    results : ReportResults
    folder : Path
        An existing, empty folder.

    Returns
    -------
    str
        What became of the model, in words.
    """
    from sklearn_medsel._cli._reports_page import render

    results.comparison.to_csv(folder / "comparison.csv", index=False, float_format="%.6g")
    predictions = results.predictions.drop(columns="threshold")
    predictions.to_csv(folder / "predictions.csv", index=False, float_format="%.6g")
    picture = draw_comparison(results)
    (folder / "comparison.png").write_bytes(picture.light)
    note = save_model(results, folder)
    (folder / "reports.html").write_text(render(results, picture, note), encoding="utf-8")
    return note


def save_model(results, folder):
    """Save the model that was trained on all reports, if it is wanted and can be; say which."""
    if not results.settings.model:
        return "Model: not saved, as asked for with --no-model."
    from sklearn_medsel import persistence

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            persistence.save(results.model, folder / "model.skops")
    except ImportError:
        return 'Model: not saved, which needs skops: pip install "sklearn-medsel[share]".'
    results.warnings += _unique_messages(caught)
    return (
        "Model: model.skops, for persistence.load. It predicts 1 for "
        f"{results.table.names[1]}, and holds words that occur in several reports."
    )


def draw_comparison(results):
    """Draw recall, F1 and AUROC of every classifier.

    Parameters
    ----------
    results : ReportResults

    Returns
    -------
    Picture
    """
    judged = results.settings.judged_by
    table = results.comparison.sort_values(judged, ignore_index=True)
    best = table.iloc[-1]

    def plot(ax):
        for place, (metric, marker) in enumerate(_MARKERS.items()):
            ax.errorbar(
                table[metric],
                table.index + 0.2 * (1 - place),
                xerr=table[f"{metric}_sd"],
                fmt=marker,
                markersize=5,
                elinewidth=1,
                color=f"C{place}",
                label=METRICS[metric],
            )
        ax.set_yticks(table.index, table["classifier"])
        ax.set_ylim(-0.6, len(table) - 0.4)
        low, high = ax.get_xlim()
        ax.set_xlim(max(low, 0.0), min(high, 1.02))  # a bar may reach where no score can
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(_MARKERS))

    return _draw(
        "comparison",
        "Scores on test folds",
        f"Recall, F1 and AUROC of {len(table)} classifiers with their standard deviations; the "
        f"highest mean {METRICS[judged]} is {best[judged]:.3f} by {best['classifier']}.",
        "Mean and standard deviation over the test folds. Further right is better.",
        plot,
        size=(5.6, 1.4 + 0.5 * len(table)),
    )


def summary(results):
    """Write what the terminal shows; it holds no text of a report.

    Parameters
    ----------
    results : ReportResults

    Returns
    -------
    str
    """
    lines = [headline(results), promise(results), *results.table.remarks]
    judged = results.settings.judged_by
    lines += ["", comparison_text(results.comparison, judged)]
    lines += ["", verdict(results.comparison, judged)]
    return "\n".join(lines)


def headline(results):
    """Say how many reports were found, missed and flagged in vain."""
    n_found, n_wrong = results.flagged(important=True), results.flagged(important=False)
    n_important = n_found + results.n_missed
    return (
        f"{n_important:,} of {len(results.predictions):,} reports are important "
        f"({results.table.names[1]}). {n_found:,} of them were flagged and {results.n_missed:,} "
        f"missed; {n_wrong:,} other{' was' if n_wrong == 1 else 's were'} flagged as well. Each "
        "report was judged by a model that had not seen it."
    )


def promise(results):
    """Say what the model that is saved can be expected to do on reports to come."""
    model, target = results.model, results.settings.recall_target
    rate = model.expected_flag_rate_
    flags = "" if math.isnan(rate) else f" It is expected to flag {rate:.0%} of reports to come."
    if target is None:
        chosen = "for the best F1, without a promise on recall (--recall-target)."
    else:
        chosen = (
            f"for a recall of at least {target:g} on reports to come of the same kind, at a "
            f"confidence of {CONFIDENCE:g}."
        )
    return f"The model's threshold, {model.threshold_:.3g}, is chosen {chosen}{flags}"


def verdict(comparison, judged="f1"):
    """Say which classifier has the highest score, and whether a baseline beats ours.

    Parameters
    ----------
    comparison : DataFrame
        As from `compare_report_classifiers`.
    judged : {"f1", "auroc"}, default="f1"
        The score that decides.

    Returns
    -------
    str
    """
    if len(comparison) == 1:
        return "The other methods were left out with --no-compare."
    name, table = METRICS[judged], comparison.set_index("classifier")
    ours, rivals = table.loc[OURS, judged], table.drop(index=OURS)
    rival = rivals[judged].idxmax()
    if ours >= rivals.loc[rival, judged]:
        words = f"{OURS} has the highest mean {name}, {ours:.3f}; next is {rival} with "
    else:
        words = f"A baseline wins: {OURS} has a mean {name} of {ours:.3f}, {rival} "
    p = rivals.loc[rival, f"{judged}_p_value"]
    clear = "a clear difference" if p < 0.05 else "no clear difference"
    words += f"{rivals.loc[rival, judged]:.3f} ({clear}, corrected p {p_value(p)})."
    if judged == "auroc":
        words += (
            " Its threshold is chosen for recall and those of the others are not, so that only "
            "AUROC can be compared."
        )
    return words


def comparison_text(comparison, judged="f1"):
    """Write the comparison as plain text, the best by ``judged`` first; an arrow marks ours."""
    shown = comparison.sort_values(judged, ascending=False)
    columns = {"method": [("> " if name == OURS else "  ") + name for name in shown["classifier"]]}
    for metric, name in METRICS.items():
        columns[name] = [
            mean_and_sd(row[metric], row[f"{metric}_sd"]) for _, row in shown.iterrows()
        ]
    columns[f"p of {METRICS[judged]}"] = [
        p_value(value).replace("–", "-") for value in shown[f"{judged}_p_value"]
    ]
    columns["seconds"] = [f"{value:.1f}" for value in shown["fit_seconds"]]
    widths = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
    lines = []
    for cells in [list(columns), *map(list, zip(*columns.values(), strict=True))]:
        first, *others = zip(cells, widths.values(), strict=True)
        lines.append("  ".join([first[0].ljust(first[1]), *[c.rjust(w) for c, w in others]]))
    return "\n".join(lines)


def mean_and_sd(mean, sd):
    """Write a score with its standard deviation."""
    if math.isnan(mean):
        return "-"
    return f"{mean:.3f}" if math.isnan(sd) else f"{mean:.3f} ± {sd:.3f}"
