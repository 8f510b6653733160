"""The features that matter: a section of the page of the subcommand ``fuse``."""

from sklearn_medsel._html import number, section, table, tag

_N_SHOWN = 40
_N_LEADING = 20
_DASH = "–"
_NAME = "display:inline-block;min-width:9rem;overflow-wrap:anywhere"


def factors_section(results):
    """Show the selected features, or those that move the score most where none is."""
    model, chosen = results.model, results.selected
    n_chosen, wanted = len(chosen), results.settings.n_features
    if wanted is not None:
        words = f"The {n_chosen} features that were kept, as many as asked for."
        if not chosen["importance"].any():
            words += " None of them moves the score: the fusion found nothing that predicts."
    elif n_chosen:
        words = f"{n_chosen} features pass a false discovery rate of {model.fdr:g} against decoys."
    else:
        words = (
            f"No feature passes a false discovery rate of {model.fdr:g} against decoys: there is "
            "not enough evidence for any single one, which is not evidence that none matters. "
            f"These are the {_N_LEADING} that move the score most."
        )
        chosen = model.feature_importances_.sort_values(
            "importance", ascending=False, kind="stable"
        )
        chosen = chosen[chosen["importance"] > 0].head(_N_LEADING)
    if not len(chosen):
        return section("factors", "Factors", tag("p", "No feature moves the score."))
    shown, highest = chosen.head(_N_SHOWN), chosen["importance"].max() or 1.0
    body = [
        [
            tag("span", row["feature"], style=_NAME),
            row["block"],
            [_bar(row["importance"] / highest), number(row["importance"], 2)],
            f"{row['stability']:.0%}",
            _direction(row["direction"], results),
        ]
        for _, row in shown.iterrows()
    ]
    n_more = len(chosen) - len(shown)
    return section(
        "factors",
        f"Factors ({n_chosen:,} selected)",
        tag("p", words),
        table(
            ["feature", "block", "importance", "stability", "higher values mean"],
            body,
            caption="Features, the most important first",
            numeric={3},
        ),
        tag(
            "p",
            (f"{n_more:,} more are in features.csv. " if n_more else "")
            + "Importance: how far the feature moves the score of patients left out. Stability: "
            "share of the inner folds in which it is a leading one. Words of reports are marked ¬ "
            "where a sentence denies them; features of images are named by region. A factor is "
            "associated with the outcome; whether it causes it, these data cannot say.",
            class_="muted",
        ),
    )


def _direction(direction, results):
    if not direction:
        return _DASH
    up, task = direction > 0, results.patients.task
    if task == "survival":
        return "higher risk" if up else "lower risk"
    if task == "regression":
        return "higher" if up else "lower"
    classes = results.model.classes_
    if len(classes) == 2:
        return f"{results.patients.outcome} = {classes[int(up)]}"
    return f"{results.patients.outcome} {'=' if up else 'other than'} {classes[-1]}"


def _bar(share):
    width = round(100 * min(max(float(share), 0.0), 1.0))
    return tag("span", tag("i", style=f"width:{width}%"), class_="bar", aria_hidden="true")
