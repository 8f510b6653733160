"""The pictures of the subcommand ``fuse``."""

import numpy as np

from sklearn_medsel._pictures import _draw


def draw_pictures(results):
    """Draw the comparison, the modalities, the patients, the interactions and the risk groups.

    Parameters
    ----------
    results : FuseResults

    Returns
    -------
    dict of str to Picture
    """
    plans = [_comparison(results)]
    if (results.model.modality_importances_["mean_abs"] > 0).any():
        plans += [_modalities(results), _patients(results)]
    if len(results.model.interactions_):
        plans.append(_interactions(results))
    if results.stratifier is not None:
        from sklearn_medsel.survival._stratification_pictures import _survival

        plans.append(_survival(results.stratifier, results.settings.time))
    return {plan["name"]: _draw(**plan) for plan in plans}


def _comparison(results):
    table = results.table.sort_values("score", ignore_index=True)
    by_fold = results.by_fold.groupby("model")[results.measure]

    def plot(ax):
        for place, row in table.iterrows():
            colour = "C0" if row["model"] == results.ours else "C1"
            scores = by_fold.get_group(row["model"])
            ax.plot(scores, np.full(len(scores), place), "o", color=colour, alpha=0.35, ms=4)
            ax.errorbar(row["score"], place, xerr=row["sd"], fmt="o", color=colour, capsize=3)
        ax.set_yticks(range(len(table)), table["model"])
        ax.set_xlabel(results.metric)
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        ax.set_ylim(-0.6, len(table) - 0.4)

    best = table.iloc[-1]
    return {
        "name": "comparison",
        "title": "Score on patients left out",
        "alt": (
            f"{results.metric} of {len(table)} methods with the standard deviation over the folds; "
            f"the highest mean is {best['score']:.3f} by {best['model']}."
        ),
        "caption": ("Pale: each fold. Dark: mean and standard deviation. Further right is better."),
        "plot": plot,
        "size": (5.8, 1.0 + 0.38 * len(table)),
    }


def _modalities(results):
    from sklearn_medsel.inspection._modality_importance import ModalityImportanceDisplay

    table = results.model.modality_importances_
    first = table.loc[table["importance"].idxmax()]
    return {
        "name": "modalities",
        "title": "What each modality adds",
        "alt": (
            f"Bar chart of the Shapley shares of {len(table)} modalities; the largest is "
            f"{first['block']} with {first['importance']:.3f}."
        ),
        "caption": (
            "Share of the loss of patients left out that the modality explains, averaged over all "
            "sets of the others. Lines: standard deviation over the folds."
        ),
        "plot": lambda ax: ModalityImportanceDisplay.from_estimator(results.model, ax=ax),
        "size": (5.8, 1.5 + 0.5 * len(table)),
    }


def _patients(results):
    from sklearn_medsel.inspection._modality_importance import ModalityImportanceDisplay

    table = results.model.modality_contributions_

    def plot(ax):
        ModalityImportanceDisplay.from_estimator(results.model, kind="patients", ax=ax)
        ax.set_xticks([])  # few patients are named, and a page names nobody

    return {
        "name": "patients",
        "title": "What each modality says of each patient",
        "alt": (
            f"Stacked bars of the contributions of {table.shape[1]} modalities to the scores of "
            f"{len(table)} patients, sorted by score."
        ),
        "caption": "Each patient by models that had not seen them; upwards raises the score.",
        "plot": plot,
        "size": (5.8, 3.4),
    }


def _interactions(results):
    from sklearn_medsel.inspection._interaction import InteractionDisplay

    table = results.model.interactions_
    least = table.loc[table["pvalue"].idxmin()] if table["pvalue"].notna().any() else table.iloc[0]
    side = len(results.patients.blocks) - 1
    return {
        "name": "interactions",
        "title": "Interactions",
        "alt": (
            f"Strength and p-value of {len(table)} pairs of modalities; the smallest p-value is "
            f"{least['pvalue']:.3g}, of {least['block_a']} and {least['block_b']}."
        ),
        "caption": (
            "How products of features of two modalities go with what their sums leave over, in "
            "patients left out. Right: the pairs of features behind it."
        ),
        "plot": lambda ax: InteractionDisplay.from_estimator(results.model, n_pairs=6, ax=ax),
        "size": (5.0 + 0.6 * max(side, 2), 1.8 + 0.75 * max(side, 2)),
    }
