"""The page of the subcommand ``reports``: scores, then flagged and missed reports, marked."""

import math

from sklearn_medsel._cli._reports_job import OURS
from sklearn_medsel._cli._reports_output import METRICS, headline, promise, verdict
from sklearn_medsel._cli._settings_section import notes_and_settings
from sklearn_medsel._html import Markup, p_value, picture_element, section, table, tag
from sklearn_medsel._page import document
from sklearn_medsel.inspection import _report_html

_WARNING = "This page contains report texts: treat it as patient data."
_DISCLAIMER = (
    "This page is for research. It is not a medical device and must not guide the treatment of a "
    "patient."
)
_MODES = {
    "hybrid": "attention over sentences, evidence of single sentences and the words of the report",
    "attention": "attention over sentences alone",
    "evidence": "evidence of single sentences alone",
    "lexical": "the words of the report alone",
}


def render(results, picture, note):
    """Write the page.

    Parameters
    ----------
    results : ReportResults
    picture : Picture
        Of the comparison.
    note : str
        What became of the model.

    Returns
    -------
    str
        A whole HTML document without scripts and without external resources.
    """
    sections = [
        _done(results, note),
        _comparison(results, picture),
        _reports(results, "flagged"),
        _reports(results, "missed"),
        _settings(results),
    ]
    links = [
        ("done", "What was done"),
        ("comparison", "Comparison"),
        ("flagged", "Flagged reports"),
        ("missed", "Missed reports"),
        ("settings", "Notes and settings"),
    ]
    return document(
        "Important reports",
        kicker=f"Reports · {results.settings.table} · {results.table.names[1]}",
        overview=[
            tag("p", tag("strong", _WARNING), class_="note warn"),
            tag("p", headline(results), class_="lead"),
            _numbers(results),
        ],
        links=links,
        sections=sections,
        footer=f"{_WARNING} {_DISCLAIMER}",
    )


def _numbers(results):
    n_found, n_wrong = results.flagged(important=True), results.flagged(important=False)
    n_important = n_found + results.n_missed
    n_flagged = n_found + n_wrong
    listed = [
        ("important", f"{n_important:,}", f"of {len(results.predictions):,} reports"),
        ("flagged", f"{n_flagged:,}", f"{n_flagged / len(results.predictions):.0%} of all"),
        ("found", f"{n_found:,}", f"recall {n_found / n_important:.3f}"),
        ("missed", f"{results.n_missed:,}", "important, not flagged"),
        ("flagged in vain", f"{n_wrong:,}", "flagged, labelled otherwise"),
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
    settings, model = results.settings, results.model
    encoder = "" if model.encoder_name_ == "none" else f" Sentence vectors: {model.encoder_name_}."
    together = (
        f"reports of one {settings.groups} and reports with the same text"
        if settings.groups
        else "reports with the same text"
    )
    return section(
        "done",
        "What was done",
        tag(
            "p",
            f"{OURS} was trained on {len(results.predictions):,} reports, by "
            f"{_MODES[settings.mode]}.{encoder} {promise(results)}",
        ),
        tag(
            "p",
            f"For the scores, reports were divided into {settings.cv} folds, "
            f"{_times(settings.repeats)}; {together} stayed together. All is learnt on the other "
            "folds, the threshold included. What this page and predictions.csv say of a report "
            "comes from the model of the first division that had not seen it.",
        ),
        tag("p", note),
        tag("p", "The command that repeats it:", class_="muted"),
        tag("pre", tag("code", settings.command)),
    )


def _comparison(results, picture):
    judged = results.settings.judged_by
    rows = results.comparison.sort_values(judged, ascending=False, ignore_index=True)
    badge = tag("span", f"best {METRICS[judged]}", class_="badge") if len(rows) > 1 else None
    body = [
        [
            [row["classifier"], None if position else badge],
            *[_score(row[metric], row[f"{metric}_sd"]) for metric in METRICS],
            _difference(row["f1_difference"], row["f1_p_value"]),
            _difference(row["auroc_difference"], row["auroc_p_value"]),
            f"{row['fit_seconds']:.1f}",
        ]
        for position, row in rows.iterrows()
    ]
    return section(
        "comparison",
        "Comparison with other methods",
        tag("p", verdict(results.comparison, judged), class_="note"),
        table(
            ["method", *METRICS.values(), "F1 diff.", "AUROC diff.", "seconds"],
            body,
            caption="Scores on test folds (mean ± standard deviation), the best first",
            numeric=range(1, 9),
            row_class=lambda i: "ours" if rows.loc[i, "classifier"] == OURS else None,
        ),
        tag(
            "p",
            "Recall, precision and F1 are those of the important reports. “diff.” is the row's "
            f"score minus that of {OURS}; each p is corrected for the overlap of the folds, not "
            "for the number of methods. Seconds: one fit; vectors of sentences are kept between "
            "fits.",
            class_="muted",
        ),
        tag("div", picture_element(picture), class_="figures one"),
    )


def _reports(results, kind):
    cards = results.cards[kind]
    n_all = (
        results.n_missed
        if kind == "missed"
        else results.flagged(important=True) + results.flagged(important=False)
    )
    title, words, none = {
        "flagged": (
            "Flagged reports",
            "The most probable first. Probability, threshold and marks come from a model that had "
            "not seen the report; the label is that of the table.",
            "No report was flagged.",
        ),
        "missed": (
            "Missed reports",
            "Important by their label, not flagged. The most probable first. A label may be wrong "
            "too: look at both.",
            "No important report was missed.",
        ),
    }[kind]
    if not cards:
        return section(kind, f"{title} (0)", tag("p", none))
    page = _report_html.render(
        cards,
        kind="attention" if results.settings.mode == "attention" else "evidence",
        name=results.table.names[1],
        n_left_out=n_all - len(cards),
        full_page=False,
    )
    # the display escapes all texts by the same builder as this page
    return section(kind, f"{title} ({n_all:,})", tag("p", words), Markup(page))


def _settings(results):
    settings = results.settings
    listed = [
        ("table", settings.table),
        ("SHA-256 of the table", results.digest),
        ("reports", settings.text),
        ("important", results.table.names[1]),
        ("previous reports", settings.previous or "none"),
        ("groups", settings.groups or "none"),
        ("mode", settings.mode),
        ("encoder", results.model.encoder_name_),
        ("recall target", settings.recall_target or "none: best F1"),
        ("cross-validation", f"{settings.cv} folds, {_times(settings.repeats)}"),
        ("seed", settings.seed),
    ]
    return notes_and_settings(results, results.table.remarks, listed)


def _score(mean, sd):
    return _two_lines(
        "–" if math.isnan(mean) else f"{mean:.3f}", "" if math.isnan(sd) else f"± {sd:.3f}"
    )


def _difference(value, pvalue):
    if math.isnan(value):
        return "–"
    return _two_lines(f"{value:+.3f}".replace("-", "−"), f"p {p_value(pvalue)}")


def _two_lines(first, second):
    return [first, tag("div", tag("small", second, class_="muted"))]


def _times(n):
    return "drawn once" if n == 1 else f"drawn {n} times"
