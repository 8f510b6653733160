"""What a fitted fusion has found, as tidy tables: features, modalities, interactions.

Everything is worked out on patients that the models in question had not seen.
"""

import numpy as np
import pandas as pd

from sklearn_medsel.multimodal._shapley import all_sets, shapley_values
from sklearn_medsel.multimodal._units import summed

_TOP = 30  # features that count as leading where no number was asked for


def feature_table(fused, inputs, names, block_names):
    """Give importance, stability and direction of every feature.

    Parameters
    ----------
    fused : Fused
    inputs : Inputs
        Of the training patients.
    names : list of array of str
        Features of each block.
    block_names : list of str

    Returns
    -------
    DataFrame
        Sorted by importance within nothing: in the order of the features.
    """
    effects = 0.0
    for weight, term in zip(fused.fold_weights, fused.terms, strict=True):
        effect = term.fold_effects(inputs, fused.fold) if weight.any() else None
        if effect is not None:
            effects = effects + weight[:, None, None] * effect
    n_folds, n_features = len(fused.kept) - 1, inputs.X.shape[1]
    effects = np.broadcast_to(effects, (n_folds, n_features, len(fused.constant)))
    effects = effects - effects.mean(axis=2, keepdims=True) * (effects.shape[2] > 1)
    moved = np.zeros((n_folds, n_features))
    for f in range(n_folds):
        left_out = inputs.X[fused.fold == f]
        moved[f] = np.sqrt((left_out**2).mean(axis=0)) * np.abs(effects[f]).max(axis=1)
    mean = effects.mean(axis=0)
    n_top = int(fused.selected.sum()) or min(_TOP, n_features)
    leading = np.zeros((n_folds, n_features), dtype=bool)
    for f in range(n_folds):
        leading[f, np.argsort(-moved[f], kind="stable")[:n_top]] = True
    return pd.DataFrame(
        {
            "block": np.repeat(block_names, inputs.sizes),
            "feature": np.concatenate([np.asarray(n, dtype=object) for n in names]),
            "importance": moved.mean(axis=0),
            "stability": (leading & (moved > 0)).mean(axis=0),
            "selected": fused.selected,
            "direction": np.sign(mean[:, -1]).astype(int),  # towards the last class
        }
    )


def modality_tables(fused, inputs, outcome, block_names, index):
    """Give each block's share of the held-out score, and of every patient's.

    Returns
    -------
    importances : DataFrame
        One row per block.
    contributions : DataFrame of shape (n, B)
    """
    n_blocks = len(block_names)
    scores = {s: fused.fold_scores(inputs.only(s)) for s in all_sets(n_blocks)}
    nothing = np.zeros_like(fused.oof)
    chance = outcome.row_losses(nothing + outcome.intercept(nothing))
    explained = {}
    for blocks, score in scores.items():
        # every set of blocks with the constant that suits it: none of them then explains nothing
        losses = outcome.row_losses(score + outcome.intercept(score))
        saved = summed((chance - losses), fused.fold)
        explained[blocks] = saved / np.maximum(summed(chance, fused.fold), 1e-12)
    by_fold = shapley_values(explained, n_blocks)
    contributions = patient_shares(scores, n_blocks)
    importances = pd.DataFrame(
        {
            "block": block_names,
            "importance": np.mean(by_fold, axis=1),
            "spread": np.std(by_fold, axis=1, ddof=1),
            "mean_abs": np.abs(contributions).mean(axis=0),
            "available": inputs.present.mean(axis=0),
        }
    )
    return importances, pd.DataFrame(contributions, columns=block_names, index=index)


def patient_shares(scores, n_blocks):
    """Shapley value (n, B) of each block for each patient's score.

    With more than two classes, of the class with the highest score.
    """
    whole = scores[tuple(range(n_blocks))]
    chosen = whole.argmax(axis=1)[:, None]
    values = {
        blocks: np.take_along_axis(score - score.mean(axis=1, keepdims=True), chosen, 1)[:, 0]
        if score.shape[1] > 1
        else score[:, 0]
        for blocks, score in scores.items()
    }
    return shapley_values(values, n_blocks).T


def interaction_table(fused, names, block_names):
    """Give strength, p-value and the leading pairs of features for each pair of blocks."""
    features = np.concatenate([np.asarray(n, dtype=object) for n in names])
    rows = [
        {
            "block_a": block_names[found.blocks[0]],
            "block_b": block_names[found.blocks[1]],
            "strength": found.strength,
            "pvalue": found.pvalue,
            "top_pairs": [(features[a], features[b], weight) for a, b, weight in found.top],
        }
        for found in fused.interactions
    ]
    columns = ["block_a", "block_b", "strength", "pvalue", "top_pairs"]
    return pd.DataFrame(rows, columns=columns)
