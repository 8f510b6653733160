"""What has an effect on the outcome of made patients, and the outcome drawn from it."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd

from sklearn_medsel.datasets._patient_tables import BLOCK_SIZE
from sklearn_medsel.datasets._planting import draw_outcome

# What one standard deviation of each block's own part adds to the score. With these, each block
# alone predicts y fairly, and all together well; tests/test_make_patients.py holds the numbers.
_WEIGHTS = {"clin": 1.2, "gene": 1.4, "image": 1.3, "report": 1.3}
# With which factor the first informative gene interacts.
INTERACTIONS = {"gene*image": ("image", "image__ct"), "gene*clin": ("clin", "clin__age")}


def check_genes(n_genes, n_informative, interaction):
    """Raise where the genes do not suffice for what is asked."""
    n_groups = -(-n_genes // BLOCK_SIZE)
    if n_informative > n_groups:
        raise ValueError(
            f"n_informative={n_informative} genes need as many blocks of {BLOCK_SIZE}, but "
            f"n_genes={n_genes} gives {n_groups}; raise n_genes or lower n_informative."
        )
    if interaction is not None and n_informative == 0:
        raise ValueError(
            f"interaction={interaction!r} needs an informative gene; raise n_informative or set "
            "interaction=None."
        )


def by_block(value, name, blocks, other):
    """Spread a number over blocks, or complete and check a dict of them."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(blocks, float(value))
    unknown = [str(block) for block in value if block not in blocks]
    if unknown:
        raise ValueError(
            f"{name} names {', '.join(unknown)}; it can name only {', '.join(blocks)}."
        )
    for block, number in value.items():
        is_number = isinstance(number, Real) and not isinstance(number, bool)
        low, high = (0, 1) if name == "missing" else (np.finfo(float).min, np.inf)
        if not is_number or not low <= number < high:
            allowed = "a number from 0 to below 1" if name == "missing" else "a finite number"
            raise ValueError(f"{name}[{block!r}] must be {allowed}, found {number!r}.")
    return {block: float(value.get(block, other)) for block in blocks}


def coefficients_of(features, effect):
    """Effect of each factor: a block's weight is shared so that its sum keeps its variance."""
    blocks = [feature.split("__")[0] for feature in features]
    values = np.array([_WEIGHTS[block] * effect[block] for block in blocks])
    values /= np.sqrt([blocks.count(block) for block in blocks])
    genes = np.flatnonzero(np.array(blocks) == "gene")
    values[genes[1::2]] *= -1
    values[np.array(blocks) == "report"] *= 2  # the finding is coded as 0.5 or -0.5
    return values


def planted_interaction(interaction, gene_factors, size):
    """Describe the planted product, or return None."""
    if interaction is None:
        return None
    block, feature = INTERACTIONS[interaction]
    return {
        "block_a": "gene",
        "feature_a": f"gene__{gene_factors.columns[0]}",
        "block_b": block,
        "feature_b": feature,
        "effect": float(size),
    }


def draw_y(rng, score, task, n_classes, noise, censoring):
    """Draw the outcome around the score."""
    if task == "survival":
        score = score / 2  # or else the longest times would exceed a life
    if task != "classification" or n_classes == 2:
        return draw_outcome(rng, score, task, noise, censoring, 1.0)
    noisy = score + noise * rng.logistic(size=score.size)
    cuts = np.quantile(noisy, np.arange(1, n_classes) / n_classes)
    return np.searchsorted(cuts, noisy).astype(np.int64)


def truth_table(features, coefficients):
    """List the factors that have an effect of their own."""
    table = pd.DataFrame(
        {
            "block": [feature.split("__")[0] for feature in features],
            "feature": list(features),
            "effect": coefficients,
            "direction": np.sign(coefficients).astype(np.int64),
        }
    )
    return table[table["effect"] != 0].reset_index(drop=True)
