"""The report's sections on comparison, survival, and settings."""

import math

from sklearn_medsel._cli._figures import score_name
from sklearn_medsel._cli._job import OURS, judged_row
from sklearn_medsel._cli._words import prognosis_words, verdict
from sklearn_medsel._html import figures, number, p_value, section, table, tag

_N_SHOWN = 50


def comparison_section(results, pictures):
    """Show every method beside the selector, and say who wins."""
    if results.comparison is None:
        return section("comparison", "Comparison", tag("p", "Left out with --no-compare."))
    rows = results.comparison.sort_values("score_mean", ascending=False).reset_index(drop=True)
    body = [
        [
            [row["selector"], tag("span", "best", class_="badge") if position == 0 else None],
            f"{row['score_mean']:.3f} ± {row['score_std']:.3f}",
            f"{row['n_features_mean']:,.0f}",
            _interval(row, "stability"),
            _difference(row["difference"], row["p_value"]),
            _difference(row["difference_ours"], row["p_value_ours"]),
            number(row["seconds_mean"], 2),
        ]
        for position, row in rows.iterrows()
    ]
    header = [
        "method",
        score_name(results),
        "genes",
        "stability",
        "vs all genes",
        "vs selector",
        "seconds",
    ]
    settings = results.settings
    failures = [
        tag("li", f"{row['selector']}: {row['error']}")
        for _, row in rows.iterrows()
        if row["error"]
    ]
    return section(
        "comparison",
        "Comparison with other methods",
        tag("p", verdict(results), class_="note"),
        tag(
            "p",
            f"{settings.cv} folds, drawn {_times(settings.repeats)}; every method selects its "
            "genes and fits a ridge model inside each training fold. “vs” is the row's score minus "
            f"that of the model of all genes, and minus that of {judged_row(rows)}; each p is "
            "corrected for the overlap of the folds, not for the number of methods.",
            class_="muted",
        ),
        table(
            header,
            body,
            caption="Scores on test folds, the best first",
            numeric=range(1, 7),
            row_class=lambda i: _row_class(rows.loc[i, "selector"]),
        ),
        tag("ul", failures) if failures else None,
        figures(pictures, "comparison"),
    )


def survival_section(results, pictures):
    """Show the honest risk groups and the check against random genes."""
    signature, check = results.signature, results.prognosis
    if signature is None:
        return None
    low, high = min(signature.n_genes), max(signature.n_genes)
    n_genes = f"{low}" if low == high else f"{low} to {high}"
    fallback = (
        f" In {signature.n_fallback} of {len(signature.n_genes)} folds no gene was selected and "
        "the best-ranked ones were used."
        if signature.n_fallback
        else ""
    )
    pvalue = signature.logrank_pvalue
    clear = "do not differ clearly" if not pvalue < 0.05 else "differ"
    return section(
        "survival",
        "Survival",
        tag(
            "p",
            f"Risk groups were predicted out of fold: genes ({n_genes} of them), model and "
            f"cut point come from the other folds. Concordance {signature.concordance:.3f} ± "
            f"{signature.concordance_std:.3f} (0.5 is chance). The curves {clear}: log-rank p "
            f"{p_value(pvalue)}, a guide only, since the folds share samples.{fallback}",
        ),
        figures(pictures, "kaplan_meier"),
        tag("h3", "Are the genes prognostic one by one?"),
        tag("p", prognosis_words(check)),
        tag("p", _same_samples(results), class_="note warn"),
        _prognostic_rows(check.genes.head(_N_SHOWN)),
    )


def method_section(results, versions):
    """List notes, settings, data and versions."""
    settings, samples = results.settings, results.samples
    notes = [*samples.remarks, *results.selector.notes_]
    listed = [
        ("command", tag("code", settings.command)),
        ("table", settings.table),
        ("SHA-256 of the table", results.digest),
        ("outcome", samples.outcome),
        ("groups", settings.groups or "none"),
        ("columns left out", ", ".join(settings.drop) or "none"),
        ("genes wanted", settings.n_features or "all that pass"),
        ("false discovery rate", f"{settings.fdr:g}"),
        ("cross-validation", f"{settings.cv} folds, drawn {_times(settings.repeats)}"),
        ("seed", settings.seed),
        ("made", f"{results.created:%Y-%m-%d %H:%M}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
    ]
    return section(
        "method",
        "Notes, settings and versions",
        tag("h3", "Notes of the selector"),
        tag("ul", [tag("li", note) for note in notes]) if notes else tag("p", "None."),
        [
            tag("h3", "Warnings of other libraries"),
            tag("ul", [tag("li", warning) for warning in results.warnings]),
        ]
        if results.warnings
        else None,
        table(
            ["setting", "value"],
            [[name, value] for name, value in listed if value != ""],
            caption="Settings and versions",
            wrapped={1},
        ),
    )


def _same_samples(results):
    if results.samples.task == "survival":
        flattery = (
            "The genes were chosen by the survival of these same samples, so this rate flatters "
            "them, and the hazard ratios even more."
        )
    else:
        flattery = (
            f"The genes were chosen for {results.samples.outcome} in these same samples; where "
            "that and survival go together, this rate flatters them."
        )
    return f"{flattery} Repeat the check in another cohort."


def _prognostic_rows(genes):
    body = [
        [
            tag("strong", row["feature"]),
            number(row["hazard_ratio"]),
            f"{number(row['ci_low'])} to {number(row['ci_high'])}",
            p_value(row["cox_pvalue"]),
            p_value(row["cox_qvalue"]),
            p_value(row["logrank_pvalue"]),
            p_value(row["logrank_qvalue"]),
        ]
        for _, row in genes.iterrows()
    ]
    header = [
        "gene",
        "hazard ratio per SD",
        "95 % interval",
        "Cox p",
        "Cox q",
        "log-rank p",
        "log-rank q",
    ]
    caption = "Each gene on its own: Cox model and log-rank test of a median split"
    return table(header, body, caption=caption, numeric=range(1, len(header)))


def _times(n):
    return "once" if n == 1 else f"{n} times"


def _row_class(name):
    return "ours" if name.startswith(OURS) else None


def _difference(value, pvalue):
    if math.isnan(value):
        return "–"
    return [
        f"{value:+.3f} ".replace("-", "−"),
        tag("small", f"p {p_value(pvalue)}", class_="muted"),
    ]


def _interval(row, name):
    if math.isnan(row[name]):
        return "–"
    # Adding zero turns -0.00 into 0.00.
    value, low, high = (round(row[name + end], 2) + 0.0 for end in ("", "_low", "_high"))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]".replace("-", "−")
