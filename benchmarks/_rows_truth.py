"""Rows of the comparison on tables whose true genes are known: ranking and false discoveries."""

import numpy as np
import pandas as pd
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import l1_min_c

from benchmarks._data import simulate
from benchmarks._runner import Row
from benchmarks._tables import mean_and_error
from sklearn_medsel.feature_selection import DeepFeatureSelector

_RATES = (0.1, 0.2)
_REAL = ("tcga_ov_surv", "wpfs_toxicity_tox171", "wpfs_prostate_ge")
_DESIGNS = {
    "iid": "iid, n=200, p=5000",
    "lin": "blocks of ten, AR(1) .5, n=200, p=5000",
    "tcga_ov_surv": "tcga_ov_surv, planted outcome, n=357, p=997",
    "wpfs_toxicity_tox171": "wpfs_toxicity_tox171, planted outcome, n=171, p=5748",
    "wpfs_prostate_ge": "wpfs_prostate_ge, planted outcome, n=102, p=5966",
    "null lin": "global null, blocks, n=200, p=5000",
    "null wpfs_prostate_ge": "global null, wpfs_prostate_ge, n=102, p=5966",
}


def _select_at_both(data, seed, **parameters):
    """The selector fitted at each rate; repeats do not depend on the rate and are fitted once."""
    selector = DeepFeatureSelector(random_state=seed, device="cpu", warm_start=True, **parameters)
    results = {}
    for rate in _RATES:
        selector.set_params(fdr=rate).fit(data.X, data.y)
        chosen = selector.support_
        found = selector.interactions_
        results[f"n_selected_{rate}"] = int(chosen.sum())
        results[f"n_true_{rate}"] = int(np.sum(chosen & data.support))
        if rate == _RATES[0]:
            results |= _judge_pairs(found[found["selected"]], data)
    return selector, results


def _judge_pairs(found, data):
    true = {frozenset(f"x{gene}" for gene in pair) for pair in data.pairs}
    found = {frozenset(pair) for pair in found[["feature_1", "feature_2"]].to_numpy()}
    return {"true_pair": bool(found & true), "false_pair": bool(found - true)}


def _proportions(records, rate):
    selected, true = (records[f"{what}_{rate}"] for what in ("n_selected", "n_true"))
    return (selected - true) / selected.clip(lower=1)


# --- ranking ------------------------------------------------------------------------------------


def _ranking_tasks(options):
    sizes = [("lin", 200), ("syn", 200), ("lin", 300), ("syn", 300)]
    n_seeds, n_features = (2, 1000) if options.quick else (options.seeds, 5000)
    return [
        {"design": design, "n_samples": n, "n_features": n_features, "seed": seed}
        for seed in range(n_seeds)
        for design, n in sizes
    ]


def measure_ranking(design, n_samples, n_features, seed):
    """Average precision of three rankings of one table, and what is selected."""
    data = simulate(design, seed, n_samples, n_features)
    selector, results = _select_at_both(data, seed)
    scores = {
        "ours": -selector.ranking_,
        "l1_path": rank_by_l1_path(data.X, data.y),
        "t_test": np.nan_to_num(f_classif(data.X, data.y)[0]),
    }
    for name, score in scores.items():
        results[f"auprc_{name}"] = float(average_precision_score(data.support, score))
    return results | {"nonlinear_used": selector.nonlinear_used_}


def rank_by_l1_path(X, y, fractions=(0.5, 0.3, 0.2)):
    """Mean absolute coefficient of L1 logistic regression at these parts of the largest penalty."""
    X = StandardScaler().fit_transform(X.astype(np.float64))
    largest = l1_min_c(X, y, loss="log")
    # liblinear penalises the intercept too; a large constant for it makes that negligible.
    sizes = [
        np.abs(
            LogisticRegression(
                l1_ratio=1,
                C=largest / fraction,
                solver="liblinear",
                intercept_scaling=10.0,
                max_iter=1000,
                random_state=0,
            )
            .fit(X, y)
            .coef_[0]
        )
        for fraction in fractions
    ]
    return np.mean(sizes, axis=0)


def _summarise_ranking(records):
    records = pd.DataFrame(records)
    ranking, selection = [], []
    for (design, n), part in records.groupby(["design", "n_samples"], sort=False):
        name = f"{design}, n={n}, p={part['n_features'].iloc[0]}"
        gain = part["auprc_ours"] - part["auprc_l1_path"]
        entry = {"design": name, "runs": len(part)}
        for column, values in [
            ("DeepFeatureSelector", part["auprc_ours"]),
            ("L1 path", part["auprc_l1_path"]),
            ("t-test", part["auprc_t_test"]),
            ("ours minus L1 path", gain),
        ]:
            entry[column], entry[f"{column}_se"] = mean_and_error(values)
        ranking.append(entry)
        entry = {"design": name, "runs": len(part)}
        for rate in _RATES:
            for column, values in [
                (f"true genes of 10, fdr {rate}", part[f"n_true_{rate}"]),
                (f"FDP, fdr {rate}", _proportions(part, rate)),
            ]:
                entry[column], entry[f"{column}_se"] = mean_and_error(values)
        for column in ("true_pair", "false_pair", "nonlinear_used"):
            entry[f"runs with {column.replace('_', ' ')}"] = float(part[column].mean())
        selection.append(entry)
    return [
        ("Area under the precision-recall curve of the ranking", pd.DataFrame(ranking)),
        ("What is selected; pairs at a family-wise error rate of .1", pd.DataFrame(selection)),
    ]


RANKING = Row(
    name="ranking",
    title="Ranking and power where the truth is known",
    text="Ten true genes in blocks of ten with AR(1) correlation .5. `lin`: all act alone; `syn`: "
    "five act alone and five in three pairs. L1 path: mean absolute coefficient of L1 logistic "
    "regression at .5, .3 and .2 of the largest penalty, all samples, standardised genes. Same "
    "tables for all.",
    tasks=_ranking_tasks,
    measure=measure_ranking,
    summarise=_summarise_ranking,
)


# --- false discovery rate -----------------------------------------------------------------------


def _fdr_tasks(options):
    designs = ("iid", "null lin") if options.quick else tuple(_DESIGNS)
    n_sims, n_features = (3, 1000) if options.quick else (options.sims, 5000)
    return [
        {"design": design, "n_features": n_features, "seed": 1000 + sim}
        for sim in range(n_sims)
        for design in designs
    ]


def measure_fdr(design, n_features, seed):
    """How many genes are selected in one simulation and how many of them are true."""
    data = simulate(design, seed, n_features=n_features)
    return _select_at_both(data, seed)[1]


def _summarise_fdr(records):
    records = pd.DataFrame(records)
    rates, nulls = [], []
    for design, part in records.groupby("design", sort=False):
        for rate in _RATES:
            entry = {"design": _DESIGNS[design], "fdr": rate, "runs": len(part)}
            any_selected = part[f"n_selected_{rate}"] > 0
            entry["mean FDP"], entry["mean FDP_se"] = mean_and_error(_proportions(part, rate))
            if design.startswith("null"):
                entry["within"] = _within(entry, rate, n_errors=0)
                nulls.append(entry)
                continue
            power = part[f"n_true_{rate}"]
            entry["true genes of 10"], entry["true genes of 10_se"] = mean_and_error(power)
            entry["runs with any selected"] = float(any_selected.mean())
            entry["within"] = _within(entry, rate)
            rates.append(entry)
    tables = []
    if rates:
        tables.append(("Planted outcomes", pd.DataFrame(rates)))
    if nulls:
        # Without true genes the proportion is 1 in every run that selects anything.
        frame = pd.DataFrame(nulls)
        frame.columns = frame.columns.str.replace("mean FDP", "runs with any selected")
        tables.append(("No gene has an effect", frame))
    return tables


def _within(entry, rate, n_errors=2):
    error = np.nan_to_num(entry["mean FDP_se"])
    return "yes" if entry["mean FDP"] <= rate + n_errors * error else "no"


FDR = Row(
    name="fdr",
    title="False discovery rate",
    text="Mean proportion of false discoveries (FDP; 0 where nothing is selected) of the defaults. "
    "Ten true genes with coefficients of 1.5 and -1.5 on the log-odds; in real tables they are "
    "drawn at random, so their correlated neighbours count as false. `within`: not above the rate "
    "asked for plus two standard errors; where no gene has an effect, not above the rate.",
    tasks=_fdr_tasks,
    measure=measure_fdr,
    summarise=_summarise_fdr,
)
