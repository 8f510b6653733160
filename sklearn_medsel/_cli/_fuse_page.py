"""The page of the subcommand ``fuse``: score, modalities, interactions, factors, risk groups."""

from sklearn_medsel._cli._fuse_factors import factors_section
from sklearn_medsel._cli._fuse_notes import disclaimer, done_section, settings_section
from sklearn_medsel._cli._fuse_output import headline, signed, verdict
from sklearn_medsel._html import figures, number, p_value, section, table, tag
from sklearn_medsel._page import document

_PAIRS = 3
_DASH = "–"


def render(results, pictures, note):
    """Write the page.

    Parameters
    ----------
    results : FuseResults
    pictures : dict of str to Picture
    note : str
        What became of the model.

    Returns
    -------
    str
        A whole HTML document without scripts and without external resources; it links to
        stratification.html beside it where there are risk groups.
    """
    parts = {
        "done": ("What was done", done_section(results, note)),
        "comparison": ("Score", _comparison(results, pictures)),
        "modalities": ("Modalities", _modalities(results, pictures)),
        "interactions": ("Interactions", _interactions(results, pictures)),
        "factors": ("Factors", factors_section(results)),
        "risk": ("Risk groups", _risk_groups(results, pictures)),
        "settings": ("Notes and settings", settings_section(results)),
    }
    parts = {name: part for name, part in parts.items() if part[1] is not None}
    patients = results.patients
    return document(
        f"Factors of {patients.outcome}",
        kicker=f"Fusion · {results.settings.table} · {', '.join(patients.names)}",
        overview=[tag("p", headline(results), class_="lead"), _numbers(results)],
        links=[(name, title) for name, (title, _) in parts.items()],
        sections=[part for _, part in parts.values()],
        footer=disclaimer(patients),
    )


def _numbers(results):
    """Cards: the score beside the base and late fusion, and what was found."""
    ours, patients = results.judged(results.ours), results.patients
    events = int(patients.y["event"].sum()) if patients.task == "survival" else None
    listed = [
        (
            "patients",
            f"{patients.n_patients:,}",
            f"{len(patients.blocks)} blocks" if events is None else f"{events:,} events",
        ),
        (results.metric, f"{ours['score']:.3f}", f"± {ours['sd']:.3f} over the folds"),
    ]
    for name in (f"{patients.base} alone", "late fusion"):
        row = results.judged(name)
        if row is not None:
            gain = f"fusion {signed(-row['difference'])}, p {p_value(row['p_value'])}"
            listed.append((name, f"{row['score']:.3f}", gain))
    n_all = len(results.model.feature_importances_)
    listed.append(("selected", f"{len(results.selected):,}", f"of {n_all:,} features"))
    return tag(
        "dl",
        [
            tag("div", tag("dt", name), tag("dd", value, tag("small", small)))
            for name, value, small in listed
        ],
        class_="cards",
    )


def _comparison(results, pictures):
    rows = results.table.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    body = [
        [
            [row["model"], tag("span", "best", class_="badge") if place == 0 else None],
            f"{row['score']:.3f} ± {row['sd']:.3f}",
            signed(row["difference"]),
            p_value(row["p_value"]),
        ]
        for place, row in rows.iterrows()
    ]
    return section(
        "comparison",
        "Score on patients left out",
        tag("p", " ".join(verdict(results)), class_="note"),
        table(
            ["method", results.metric, "minus the fusion", "p"],
            body,
            caption="Mean ± standard deviation over the folds, the best first",
            numeric=range(1, 4),
            row_class=lambda place: "ours" if rows.loc[place, "model"] == results.ours else None,
        ),
        tag(
            "p",
            "All methods learnt from the same training folds, and all they learnt is from there. "
            "Differences are paired by fold; p is corrected for the overlap of the folds, not for "
            "the number of methods. “alone” is a ridge model of the base; “late fusion” the mean "
            "of one ridge model per block.",
            class_="muted",
        ),
        figures(pictures, "comparison"),
    )


def _modalities(results, pictures):
    found = results.model.modality_importances_.sort_values(
        "importance", ascending=False, kind="stable"
    )
    kinds = {name: (kind, columns) for name, kind, columns in results.patients.blocks}
    body = []
    for _, row in found.iterrows():
        kind, columns = kinds[row["block"]]
        is_base = row["block"] == results.patients.base
        body.append(
            [
                [row["block"], tag("span", "base", class_="badge") if is_base else None],
                kind,
                f"{len(columns):,}",
                f"{row['available']:.0%}",
                f"{row['importance']:.3f} ± {row['spread']:.3f}".replace("-", "−"),
                number(row["mean_abs"], 2),
            ]
        )
    nothing = not (found["mean_abs"] > 0).any()
    availability = [words for words in results.remarks if "whether a patient has" in words]
    return section(
        "modalities",
        "What each modality adds",
        [tag("p", words, class_="note warn") for words in availability],
        tag(
            "p",
            "The model of all patients gives no block any weight: everyone is predicted the same. "
            "Inside the training patients nothing predicted patients left out.",
            class_="note warn",
        )
        if nothing
        else None,
        figures(pictures, "modalities", "patients"),
        table(
            ["block", "modality", "columns", "patients who have it", "share", "per patient"],
            body,
            caption="Modalities, the largest share first",
            numeric=range(2, 6),
        ),
        tag(
            "p",
            "Share: exact Shapley value of the explained loss (0: as good as knowing nothing), on "
            "patients left out of the inner folds. Near or below zero, the modality adds nothing "
            "to the others. Per patient: mean size of its share of a patient's score. A patient "
            "without a block is predicted from the others.",
            class_="muted",
        ),
    )


def _interactions(results, pictures):
    found = results.model.interactions_.sort_values("pvalue", kind="stable")
    if not len(found):
        return None
    body = [
        [
            f"{row['block_a']} × {row['block_b']}",
            f"{row['strength']:.2f}".replace("-", "−"),
            p_value(row["pvalue"]),
            "; ".join(f"{a} × {b}" for a, b, _ in row["top_pairs"][:_PAIRS]) or _DASH,
        ]
        for _, row in found.iterrows()
    ]
    return section(
        "interactions",
        "Interactions between modalities",
        tag(
            "p",
            "Does a feature of one modality matter more, or less, depending on a feature of "
            "another? Strength is the correlation of such products with what the modalities by "
            "themselves leave over, and p comes from permutations, both on patients left out. p "
            f"is not corrected for the {len(found)} pair{'' if len(found) == 1 else 's'}; the "
            "filled circles are.",
        ),
        figures(pictures, "interactions"),
        table(
            ["modalities", "strength", "p", "leading pairs of features"],
            body,
            caption="Pairs of modalities, the smallest p first; all pairs are in interactions.csv",
            numeric={1, 2},
            wrapped={3},
        ),
    )


def _risk_groups(results, pictures):
    stratifier = results.stratifier
    if stratifier is None:
        return None
    from sklearn_medsel.survival._stratification_sections import ratio_table

    differ = "differs" if stratifier.logrank_.pvalue < 0.05 else "does not differ clearly"
    searched = ""
    if stratifier.maxstat_pvalue_ == stratifier.maxstat_pvalue_:
        searched = (
            " The cut for new patients was searched on all of these: its p, corrected for the "
            f"search, is {p_value(stratifier.maxstat_pvalue_)}."
        )
    return section(
        "risk",
        "Risk groups",
        tag(
            "p",
            "Each patient was put into a group by a model and cut points that had not seen them. "
            f"Survival of the groups {differ}: log-rank p {p_value(stratifier.logrank_.pvalue)}, "
            f"a guide only, since the folds share patients.{searched}",
        ),
        figures(pictures, "kaplan_meier"),
        ratio_table(stratifier),
        tag(
            "p",
            "More in ",
            tag("a", "stratification.html", href="stratification.html"),
            ": scores by fold, the AUC over time, and what the groups look like.",
        ),
    )
