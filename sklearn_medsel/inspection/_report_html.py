"""The page of reports: each report in full, its sentences marked by value where they stand.

All markup comes from `tag`, which escapes what it is given; no text of a report or name of a class
can become an element, an attribute or a script. The page loads nothing.
"""

import re

from sklearn_medsel._html import Markup, tag
from sklearn_medsel.inspection._report_rows import GRADES, STATUSES
from sklearn_medsel.inspection._report_style import CSS

RANKS = "①②③"
SYMBOLS = {"new": "+", "kept": "=", "changed": "~", "gone": "−"}
# No line breaks at it: figures and ranks stay with their sentence.
_NARROW_SPACE = "\u202f"
_KANA = re.compile(r"[\u3040-\u30ff\uff66-\uff9f]")
_EXPLAINED = {
    "evidence": "Small figures: evidence that a sentence gives for {name}, from 0 to 1.",
    "attention": (
        "Small figures: attention, which sums to 1 in a report and is shaded relative to its "
        "largest. It says where the model looked, which need not be the reason."
    ),
    "contribution": (
        "Small figures: what a sentence adds to the log-odds of {name}; + and a solid line speak "
        "for it, − and a dashed line against it."
    ),
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(cards, *, kind, name, n_left_out, full_page):
    """Write the page.

    Parameters
    ----------
    cards : list of dict
        Reports, each with number, text, verdicts, panels (pairs of a class and its rows) and
        changes.
    kind : str
        What the values are.
    name : str
        What the values speak for.
    n_left_out : int
        How many reports are not shown.
    full_page : bool
        Whether to write a document of its own, or an element for a notebook.

    Returns
    -------
    str
    """
    body = tag(
        "div",
        # a style sheet is no text: it is ours, and is not escaped
        Markup(f"<style>{CSS}</style>"),
        _legend(kind, name),
        [_card(**card, kind=kind) for card in cards],
        tag("p", f"{n_left_out} more reports are not shown.", class_="medsel-note")
        if n_left_out
        else None,
        class_="medsel-reports",
    )
    if not full_page:
        return str(body)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name_="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", f"Reports: {kind} by sentence"),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, tag("body", tag("main", body)), lang="en")


def _legend(kind, name):
    swatches = [
        [tag("mark", f"{grade / GRADES:.1f}", class_=f"medsel-for-{grade}"), " "]
        for grade in range(1, GRADES + 1)
    ]
    scale = ["Weak to strong: ", swatches] if kind == "evidence" else []
    ranks = f" {RANKS} and bold: the strongest of the report."
    return tag("p", scale, _EXPLAINED[kind].format(name=name), ranks, class_="medsel-legend")


def _card(number, text, verdicts, panels, changes, kind):
    title = f"Report {number}"
    texts = []
    for label, rows in panels:
        if label is not None:
            texts.append(tag("h4", f"Sentences for {label}"))
        texts.append(_marked(text, rows, kind))
    return tag(
        "section",
        tag("h3", title),
        [_verdict(**verdict) for verdict in verdicts],
        None if changes is None else _summary(changes),
        texts if text.strip() else tag("p", "This report is empty.", class_="medsel-note"),
        None if changes is None else _earlier(changes),
        class_="medsel-card",
        aria_label=title,
    )


def _verdict(label, probability, threshold):
    shown = f"{label}: probability {probability:.2f}"
    limit = chip = None
    if threshold is not None:
        is_flagged = probability >= threshold
        # two numbers that round to the same must not seem to contradict the chip
        digits = 2 if f"{probability:.2f}" != f"{threshold:.2f}" else 5
        shown = f"{label}: probability {probability:.{digits}f}, threshold {threshold:.{digits}f}"
        limit = tag("span", class_="medsel-limit", style=f"left:{_percent(threshold)}")
        chip = tag(
            "span",
            "▲ flagged" if is_flagged else "○ not flagged",
            class_="medsel-chip medsel-flagged" if is_flagged else "medsel-chip",
        )
    fill = tag("span", class_="medsel-fill", style=f"width:{_percent(probability)}")
    bar = tag("span", fill, limit, class_="medsel-bar", role="img", aria_label=shown)
    return tag("p", chip, bar, " ", tag("span", shown), class_="medsel-verdict")


def _percent(share):
    return f"{100 * min(max(share, 0.0), 1.0):.1f}%"


def _marked(text, rows, kind):
    """Put the report's text with its line breaks into an element, its sentences marked."""
    # every offset still holds: a carriage return is one character, as is what stands for it
    text = text.replace("\r\n", " \n").replace("\r", "\n")
    pieces, position = [], 0
    for row in rows.itertuples():
        pieces += [text[position : row.start], _sentence(text[row.start : row.end], row, kind)]
        position = row.end
    # browsers drop a line break that opens the element, and so one is given away
    language = "ja" if _KANA.search(text) else None
    return tag("pre", "\n", pieces, text[position:], class_="medsel-text", lang=language)


def _sentence(text, row, kind):
    hint = f"sentence {row.sentence}: {kind} {write_value(row.value, kind, digits=6)}"
    badge = _badge(row.status, short=row.status == "kept") if row.status else None
    if not row.grade:
        return [badge, tag("span", text, title=hint)]
    side, sign = ("for", "") if row.grade > 0 else ("against", " medsel-minus")
    top = " medsel-top" if row.rank == 1 else ""
    mark = tag(
        "mark",
        tag("span", RANKS[row.rank - 1] + _NARROW_SPACE, class_="medsel-rank")
        if row.rank
        else None,
        text,
        tag("sup", _NARROW_SPACE + write_value(row.value, kind), class_="medsel-value"),
        class_=f"medsel-{side}-{abs(row.grade)}{sign}{top}",
        title=hint,
    )
    return [badge, mark]


def write_value(value, kind, digits=2):
    """Write the value of a sentence; a contribution with its sign."""
    sign = "+" if kind == "contribution" else ""
    return f"{value:{sign}.{digits}f}".replace("-", "−")


def _badge(status, short=False):
    symbol = SYMBOLS[status]
    # the space at the end parts the words where a page is shown without its style
    shown = f"{symbol} " if short else f"{symbol} {status.upper()} "
    return tag(
        "span",
        shown,
        class_=f"medsel-badge medsel-{status}",
        title=f"{status}, compared with the previous report",
        aria_label=status if short else None,
        role="img" if short else None,
    )


def _summary(changes):
    """Say how many sentences are new, kept, changed and gone, which explains the symbols too."""
    if not len(changes):
        return tag("p", "No previous report to compare with.", class_="medsel-note")
    counts = changes["status"].value_counts()
    found = [(status, int(counts.get(status, 0))) for status in STATUSES]
    listed = [[_badge(status), f"{count}   "] for status, count in found]
    return tag("p", "Since the previous report:  ", listed, class_="medsel-note")


def _earlier(changes):
    """List what changed sentences said before, and the sentences that are gone."""
    rows = changes[changes["status"].isin(["changed", "gone"])]
    if not len(rows):
        return None
    items = [
        tag("li", _badge("gone"), tag("del", row.text))
        if row.status == "gone"
        else tag(
            "li", _badge("changed"), f"sentence {row.sentence} was: ", tag("q", row.match_text)
        )
        for row in rows.sort_values("status", kind="stable").itertuples()
    ]
    return [
        tag("h4", "In the previous report"),
        tag("ol", items, class_="medsel-earlier", aria_label="changed and gone sentences"),
    ]
