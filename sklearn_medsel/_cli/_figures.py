"""The pictures of the gene report."""

import numpy as np
import pandas as pd

from sklearn_medsel._cli._job import OURS
from sklearn_medsel._pictures import _draw

_N_BARS = 20


def draw_all(results):
    """Draw every picture the results allow.

    Parameters
    ----------
    results : Results

    Returns
    -------
    dict of str to Picture
    """
    plans = [_importance(results), _stability(results)]
    if results.selector.path_.size:
        plans.append(_path(results))
    if results.comparison is not None:
        plans.append(_comparison(results))
    if results.signature is not None:
        plans.append(_risk_groups(results))
    return {plan["name"]: _draw(**plan) for plan in plans}


def _importance(results):
    from sklearn_medsel.inspection import FeatureImportanceDisplay

    first = results.genes.iloc[0]
    # The display leaves out genes of importance 0.
    n_shown = int((results.genes["importance"].head(_N_BARS) > 0).sum())
    return {
        "name": "importance",
        "title": "Importance",
        "alt": (
            f"Bar chart of the importance of the {n_shown} best-ranked genes; the first is "
            f"{first['gene']} with {first['importance']:.3g}."
        ),
        "caption": f"The {n_shown} best-ranked genes.",
        "plot": lambda ax: FeatureImportanceDisplay.from_estimator(results.selector, ax=ax),
        "size": (5.6, 5.6),
    }


def _stability(results):
    from sklearn_medsel.inspection import SelectionStabilityDisplay

    n_sure = int(np.sum(results.selector.selection_frequencies_ >= 0.8))
    return {
        "name": "stability",
        "title": "How often each gene is chosen",
        "alt": (
            "Selection frequency of the genes beside that of decoy genes; "
            f"{n_sure} genes are chosen in at least 80 % of the repeats."
        ),
        "caption": "Decoys are genes whose samples were shuffled: what they reach is chance.",
        "plot": lambda ax: SelectionStabilityDisplay.from_estimator(results.selector, ax=ax),
        "size": (5.6, 5.6),
    }


def _path(results):
    from sklearn_medsel.inspection import SelectionPathDisplay

    path = results.selector.path_
    return {
        "name": "path",
        "title": "Order of entry",
        "alt": (
            f"Coefficients of {path.shape[1]} genes against the penalty; as the penalty falls, "
            f"{path.columns[0]} is among the genes that enter."
        ),
        "caption": "From left to right the penalty falls and more genes enter.",
        "plot": lambda ax: SelectionPathDisplay.from_estimator(results.selector, ax=ax),
    }


def _comparison(results):
    table = results.comparison.sort_values("score_mean")
    best = table.iloc[-1]

    def plot(ax):
        positions = np.arange(len(table))
        is_ours = table["selector"].str.startswith(OURS).to_numpy()
        for mask, colour in ((is_ours, "C0"), (~is_ours, "C1")):
            ax.errorbar(
                table["score_mean"][mask],
                positions[mask],
                xerr=table["score_std"][mask],
                fmt="o",
                color=colour,
                capsize=3,
            )
        ax.set_yticks(positions, table["selector"])
        ax.set_xlabel(score_name(results))
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        ax.margins(y=0.12)

    return {
        "name": "comparison",
        "title": "Score of each method",
        "alt": (
            f"{score_name(results)} of {len(table)} methods with the standard deviation over the "
            f"folds; the highest mean is {best['score_mean']:.3f} by {best['selector']}."
        ),
        "caption": "Mean and standard deviation over the test folds. Further right is better.",
        "plot": plot,
        "size": (5.6, 3.2),
    }


def _risk_groups(results):
    from sklearn_medsel.inspection import KaplanMeierDisplay

    signature, survival = results.signature, results.samples.survival
    group = pd.Categorical.from_codes(
        signature.high_risk.astype(int), ["low risk", "high risk"], ordered=True
    )
    n_high = int(signature.high_risk.sum())
    return {
        "name": "kaplan_meier",
        "title": "Survival of the predicted risk groups",
        "alt": (
            f"Kaplan-Meier curves of {n_high} samples predicted at high risk and "
            f"{len(group) - n_high} at low risk by models that never saw them; "
            f"log-rank p {signature.logrank_pvalue:.2g}."
        ),
        "caption": "Each sample's group was predicted by a model fitted without it.",
        "plot": lambda ax: KaplanMeierDisplay.from_survival(
            survival, group, time_unit=results.settings.time, ax=ax
        ),
        "size": (5.6, 4.4),
    }


def score_name(results):
    """Name the score of the comparison in plain words."""
    return {
        "classification": "balanced accuracy",
        "regression": "R²",
        "survival": "concordance",
    }[results.samples.task]
