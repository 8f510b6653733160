"""Rows of the comparison of fusions on what is found: stable factors, and true ones."""

from itertools import combinations

import numpy as np
import pandas as pd

from benchmarks._fusion_data import rosmap, tcga
from benchmarks._fusion_methods import PARTS, fit_fold, make_model
from benchmarks._runner import Row
from benchmarks._tables import mean_and_error
from sklearn_medsel.multimodal._encoding import BlockEncoding

# --- stability ----------------------------------------------------------------------------------

_TOP = 30
_COHORTS = {"rosmap": lambda: rosmap(1), "luad": lambda: tcga("luad")}
_ALONE = "each feature by itself"
_RANKED = ("ours, residual", "ours, concat", f"ours, residual, {_TOP} factors", _ALONE)


def _stability_tasks(options):
    folds = range(2) if options.quick else range(5)
    return [
        {"cohort": cohort, "method": method, "fold": fold}
        for cohort in _COHORTS
        for method in _RANKED
        for fold in folds
    ]


def _measure_stability(cohort, method, fold):
    """Name the features with the largest importance, of all and of each block, and the selected."""
    cohort = _COHORTS[cohort]()
    if method == _ALONE:
        found, result = _found_alone(cohort, fold), {"fit_s": np.nan}
    else:
        model, result = fit_fold(cohort, method, fold)
        found = model.feature_importances_
    names = found["block"] + ": " + found["feature"].astype(str)
    ranked = found.assign(name=names).sort_values("importance", ascending=False, kind="stable")
    of_blocks = {
        block: part["name"][part["importance"] > 0].iloc[:_TOP].tolist()
        for block, part in ranked.groupby("block", sort=False)
        if len(part) >= 2 * _TOP
    }
    return result | {
        "top": ranked["name"].iloc[:_TOP].tolist(),
        "top_of_blocks": of_blocks,
        "selected": names[found["selected"].to_numpy()].tolist(),
    }


def _found_alone(cohort, fold):
    """Correlation of each feature with the outcome, in survival with its martingale residuals."""
    train, _ = cohort.folds[fold]
    model = make_model("ours, residual", cohort)
    outcome = model._read_outcome(cohort.y[train])
    encoding = BlockEncoding(cohort.blocks)
    X = np.hstack(encoding.fit_transform(cohort.X.iloc[train], cohort.y[train]).values)
    nothing = np.zeros((len(train), outcome.n_outputs))
    residual = outcome.residual(nothing + outcome.intercept(nothing))
    size = np.abs(X.T @ residual).max(axis=1) / np.maximum(np.sqrt((X**2).sum(axis=0)), 1e-12)
    found = pd.DataFrame(
        {
            "block": np.repeat([name for name, *_ in cohort.blocks], [*map(len, encoding.names_)]),
            "feature": np.concatenate([np.asarray(one, object) for one in encoding.names_]),
        }
    )
    return found.assign(importance=size, selected=False)


def _jaccard(sets):
    """Mean over pairs of sets of what they share, in relation to what they hold."""
    pairs = [(set(a), set(b)) for a, b in combinations(sets, 2)]
    return float(np.mean([len(a & b) / max(1, len(a | b)) for a, b in pairs]))


def _jaccard_of_blocks(folds):
    """Mean over blocks."""
    return float(np.mean([_jaccard([fold[block] for fold in folds]) for block in folds.iloc[0]]))


def _summarise_stability(records):
    rows = []
    for (cohort, method), part in pd.DataFrame(records).groupby(["cohort", "method"], sort=False):
        if len(part) > 1:
            rows.append(
                {
                    "cohort": cohort,
                    "method": method,
                    "runs": len(part),
                    f"Jaccard of the top {_TOP}": _jaccard(part["top"]),
                    f"of the top {_TOP} of each block": _jaccard_of_blocks(part["top_of_blocks"]),
                    "Jaccard of the selected": _jaccard(part["selected"])
                    if part["selected"].map(len).any()
                    else np.nan,
                    "selected": part["selected"].map(len).mean(),
                    "fit, CPU-s": part["fit_s"].mean(),
                }
            )
    return [("Between the training parts of five folds", pd.DataFrame(rows))]


STABILITY = Row(
    name="stability",
    title="The same factors in every fold",
    text=f"The {_TOP} features with the largest `feature_importances_`, and those called selected, "
    "of models fitted to the training parts of five folds, which share three quarters of their "
    "patients: mean Jaccard index of two of the sets. Of each block: the mean over blocks of at "
    f"least {2 * _TOP} features. Each feature by itself: those that are most correlated with the "
    "outcome, without any model. rosmap: one draw of the folds; luad: the published ones.",
    tasks=_stability_tasks,
    measure=_measure_stability,
    summarise=_summarise_stability,
    page="multimodal",
    parts=PARTS,
)


# --- planted outcomes ---------------------------------------------------------------------------

_PLANTED = ("mrna", "meth")
_DESIGNS = {
    "pair among the ten": "the pair is among the ten",
    "pair alone": "the pair has no effect of its own",
    "no pair": "no interaction",
    "square": "no interaction, one feature bends",
}
_N_TRUE, _EFFECT = 10, 1.5
_METHODS = ("ours, residual", f"ours, residual, {_N_TRUE} factors")


def plant(design, seed):
    """Draw classes from ten random features of rosmap and a product of two blocks.

    Returns
    -------
    cohort : Cohort
        With the planted classes.
    true : set of str
        Columns with an effect, the pair included.
    """
    cohort = rosmap(1)
    rng = np.random.default_rng(seed)
    names = [column for _, _, columns in cohort.blocks for column in columns]
    X = cohort.X[names].to_numpy(float)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    columns = [np.flatnonzero([n.startswith(f"{block}__") for n in names]) for block in _PLANTED]
    pair = [int(rng.choice(block)) for block in columns]
    others = np.setdiff1d(np.arange(len(names)), pair)
    alone = list(rng.choice(others, _N_TRUE - 2 * (design == "pair among the ten"), replace=False))
    if design == "pair among the ten":
        alone += pair
    signs = rng.permutation(np.resize([1, -1], len(alone)))
    score = _EFFECT * X[:, alone] @ signs
    if design == "square":
        score += _EFFECT * (X[:, pair[0]] ** 2 - 1)
        alone = {*alone, pair[0]}
    elif design != "no pair":
        product = X[:, pair[0]] * X[:, pair[1]]
        score += _EFFECT * (product - product.mean())
        alone = {*alone, *pair}
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-score))).astype(int)
    return cohort._replace(y=y), {names[k] for k in alone}


def _planted_tasks(options):
    return [
        {"design": design, "method": method, "seed": seed}
        for design in _DESIGNS
        for method in _METHODS
        for seed in range(1 if options.quick else 20)
    ]


def _measure_planted(design, method, seed):
    """Tell whether the interaction is found, and how many of the selected features are true."""
    cohort, true = plant(design, seed)
    model = make_model(method, cohort, seed).fit(cohort.X, cohort.y)
    found = model.feature_importances_
    selected = set(found.loc[found["selected"], "feature"])
    pairs = model.interactions_
    is_planted = (pairs["block_a"] == _PLANTED[0]) & (pairs["block_b"] == _PLANTED[1])
    return {
        "n_true": len(true),
        "n_selected": len(selected),
        "n_hits": len(selected & true),
        "pvalue": float(pairs.loc[is_planted, "pvalue"].item()),
        "other_pvalues": pairs.loc[~is_planted, "pvalue"].tolist(),
    }


def _summarise_planted(records):
    rows = []
    for (design, method), part in pd.DataFrame(records).groupby(["design", "method"], sort=False):
        row = {"design": _DESIGNS[design], "method": method, "runs": len(part)}
        row["interaction p < .05"] = float((part["pvalue"] < 0.05).mean())
        others = np.concatenate(part["other_pvalues"].to_list())
        row["other pairs p < .05"] = float((others < 0.05).mean())
        row["selected"] = part["n_selected"].mean()
        power = part["n_hits"] / part["n_true"]
        false = 1 - part["n_hits"] / part["n_selected"].clip(lower=1)
        false = false.where(part["n_selected"] > 0, 0.0)
        for name, values in (("power", power), ("false discovery proportion", false)):
            row[name], row[f"{name}_se"] = mean_and_error(values)
        rows.append(row)
    return [("Planted classes", pd.DataFrame(rows))]


PLANTED = Row(
    name="planted",
    title="Factors and interactions where the truth is known",
    text=f"The features of rosmap with planted classes: {_N_TRUE} drawn at random from all "
    f"blocks with coefficients of {_EFFECT} and -{_EFFECT} on the log-odds, and {_EFFECT} times "
    "the product of an mRNA and a methylation feature, or the square of the mRNA feature (all "
    "standardised). Correlated neighbours of "
    "a true feature count as false. The ten-factor model is told the number.",
    tasks=_planted_tasks,
    measure=_measure_planted,
    summarise=_summarise_planted,
    page="multimodal",
    parts=PARTS,
)
