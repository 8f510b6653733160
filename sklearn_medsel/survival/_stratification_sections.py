"""The sections of a stratification report: ratios, scores, factors, modalities, method."""

from numbers import Real

import numpy as np

from sklearn_medsel._html import number, p_value, section, table, tag
from sklearn_medsel.survival._adjustment import find_model
from sklearn_medsel.survival._stratification_factors import FEWEST, factor_rows, selected_nothing

DISCLAIMER = (
    "This page is for research. It is not a medical device and must not guide the treatment of a "
    "patient. Made with sklearn_medsel."
)
_STRENGTHS = {
    "importance": "importance",
    "unselected": "importance (not selected)",
    "association": "|correlation|",
}
_RULES = {
    "quantile": "quantiles (groups of equal size)",
    "maxstat": "the largest log-rank test",
    "callable": "a function",
}


def ratio_table(stratifier):
    """Hazard ratios of the groups, with their sizes."""
    adjusted = bool(stratifier.base_columns_)
    sizes = [curve["at_risk"].iloc[0] for curve in stratifier.curves_.values()]
    n_events = [curve["events"].sum() for curve in stratifier.curves_.values()]
    kinds = ["", "adjusted_"] if adjusted else [""]
    first = [stratifier.group_names_[0], f"{sizes[0]:,}", f"{n_events[0]:,}"]
    body = [first + ["1 (reference)", "–", "–"] * len(kinds)]
    for place, row in stratifier.hazard_ratios_.iterrows():
        cells = [row["group"], f"{sizes[place + 1]:,}", f"{n_events[place + 1]:,}"]
        for kind in kinds:
            cells += [
                number(row[f"{kind}hazard_ratio"]),
                _limits(row, kind),
                p_value(row[f"{kind}pvalue"]),
            ]
        body.append(cells)
    header = ["group", "patients", "events", "hazard ratio", "95 % interval", "p"]
    header += ["adjusted ratio", "95 % interval", "p"] if adjusted else []
    caption = "Hazard ratios of the held-out groups against the lowest"
    caption += f", alone and adjusted for {base_words(stratifier)}" if adjusted else ""
    return table(header, body, caption=caption, numeric=range(1, len(header)))


def fold_table(stratifier):
    """Scores of each fold and their means."""
    columns = ["concordance", "auc", "brier", "brier_reference"]
    body = [
        [
            str(int(row["fold"]) + 1),
            f"{row['n_patients']:,.0f}",
            f"{row['n_events']:,.0f}",
            *(number(row[column]) for column in columns),
        ]
        for _, row in stratifier.scores_.iterrows()
    ]
    means = [number(stratifier.scores_[column].mean()) for column in columns]
    totals = [f"{stratifier.scores_[name].sum():,}" for name in ("n_patients", "n_events")]
    header = ["fold", "patients", "events", "concordance", "mean AUC", "Brier", "Brier, reference"]
    return table(
        header,
        [*body, [tag("strong", "all"), *totals, *(tag("strong", mean) for mean in means)]],
        caption="Scores of the held-out patients; a Brier score is better the lower it is",
        numeric=range(1, len(header)),
        row_class=lambda place: "ours" if place == len(body) else None,
    )


def factor_section(stratifier, X):
    """What the groups look like."""
    rows, source, n_elsewhere = factor_rows(stratifier, X)
    if not rows:
        words = "No column can be described: none is numeric and none has a few categories."
        return section("factors", "Factors per group", tag("p", words))
    words = _factor_words(stratifier.estimator_, source, n_elsewhere)
    header = ["factor", *stratifier.group_names_, _STRENGTHS[source]]
    return section(
        "factors",
        "Factors per group",
        tag("p", words),
        table(
            header,
            rows,
            caption=(
                "Median [quartiles], or share of the patients, of each held-out group; of "
                "categories, the most frequent"
            ),
            numeric=range(1, len(header)),
        ),
        tag(
            "p",
            "The groups were made from these columns, so a difference between them is no test of "
            f"a factor. Groups and shares of fewer than {FEWEST} patients are left out.",
            class_="muted",
        ),
    )


def _factor_words(estimator, source, n_elsewhere):
    """Say where the factors of the table come from."""
    hidden = ""
    if n_elsewhere:
        hidden = (
            f"{n_elsewhere}{' more' if source == 'importance' else ''} selected "
            f"factor{'' if n_elsewhere == 1 else 's'} (such as words or image regions) cannot be "
            "described by one number per patient."
        )
    if source == "importance":
        first = "The factors that the model, fitted on all patients, relies on most."
        return f"{first} {hidden}" if hidden else first
    if selected_nothing(estimator):
        fdr = getattr(find_model(estimator, "feature_importances_"), "fdr", None)
        why = "The model selected no feature."
        if isinstance(fdr, Real):
            why = f"No feature passed the false-discovery rate of {fdr:g}."
    else:
        why = hidden or "The model names no factors."
    if source == "unselected":
        return f"{why} These are the most important ones of the model; none of them is selected."
    return f"{why} These are the numeric columns whose ranks go most with the groups."


def modality_section(stratifier):
    """Shares of the modalities; None if the estimator has none."""
    model = find_model(stratifier.estimator_, "modality_importances_")
    if model is None:
        return None
    shares = model.modality_importances_
    largest = max(float(shares["importance"].clip(lower=0).max()), 1e-12)
    body = [
        [
            row["block"],
            [_bar(row["importance"] / largest), number(row["importance"], 2)],
            number(row["spread"], 2),
            f"{row['available']:.0%}",
        ]
        for _, row in shares.sort_values("importance", ascending=False).iterrows()
    ]
    return section(
        "modalities",
        "What each modality adds",
        tag(
            "p",
            "Shapley share of each modality in the held-out score above chance: its average gain "
            "over all orders in which the modalities could be added. A share near or below zero "
            "says that the modality adds nothing here.",
        ),
        table(
            ["modality", "share", "± over folds", "patients who have it"],
            body,
            caption="Shares of the modalities, the largest first",
            numeric={2, 3},
        ),
    )


def method_section(stratifier, time_unit):
    """How the numbers were made, and what they do not say."""
    cut = stratifier._cut  # that of fit: the parameter may have been set anew since
    if isinstance(cut, str):
        rule = _RULES[cut]
    else:
        rule = f"quantiles {', '.join(f'{share:g}' for share in cut)}"
    searched = ""
    if not np.isnan(stratifier.maxstat_pvalue_):
        searched = (
            " The best single cut on all patients, which new patients are sorted by, has p "
            f"{p_value(stratifier.maxstat_pvalue_)}, corrected for the search (Lausen and "
            "Schumacher 1992)."
        )
    return section(
        "method",
        "Method",
        tag(
            "p",
            f"In each of {len(stratifier.scores_)} folds, the model was fitted on the training "
            f"patients, and cut points were learnt from their cross-fitted risks by {rule}. Both "
            "were applied to the held-out patients, so no cut point was searched on the patients "
            f"shown.{searched}",
        ),
        tag(
            "p",
            "Held-out risks share their training patients, so the log-rank p is a guide and no "
            "exact test; other patients have to confirm the groups. Time-dependent AUC (Uno 2007) "
            "and integrated Brier score (Graf 1999) are weighted by the inverse probability of "
            "censoring; the reference of the latter is the training patients' Kaplan-Meier curve, "
            f"predicted for everybody. Times are in {time_unit}.",
        ),
        tag("p", DISCLAIMER, class_="note warn"),
    )


def _bar(share):
    width = round(100 * min(max(float(share), 0.0), 1.0))
    return tag("span", tag("i", style=f"width:{width}%"), class_="bar", aria_hidden="true")


def ratio_words(row, lowest, kind=""):
    """Write a hazard ratio as a multiple with its interval; say so where there is none."""
    if np.isnan(row[f"{kind}ci_low"]):
        return f"no finite multiple of that of “{lowest}”, as where a group has no event"
    times = f"{number(row[f'{kind}hazard_ratio'])} times that of “{lowest}”"
    return f"{times} ({interval_words(row, kind)})"


def interval_words(row, kind=""):
    """Name an interval and write it."""
    if np.isnan(row[f"{kind}ci_low"]):
        return "no 95 % interval"
    return f"95 % interval {_limits(row, kind)}"


def _limits(row, kind=""):
    low, high = row[f"{kind}ci_low"], row[f"{kind}ci_high"]
    return number(low) if np.isnan(low) else f"{number(low)} to {number(high)}"


def base_words(stratifier):
    """Name what was adjusted for."""
    names = stratifier.base_columns_
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} base columns"
