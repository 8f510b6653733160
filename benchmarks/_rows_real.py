"""Rows of the comparison on real tables: prediction, stability and survival."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, SelectorMixin
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from benchmarks._data import load
from benchmarks._runner import Row
from sklearn_medsel.feature_selection import (
    DeepFeatureSelector,
    baseline_selectors,
    compare_selectors,
    nogueira_stability,
)
from sklearn_medsel.feature_selection._baseline_models import LassoLogistic
from sklearn_medsel.feature_selection._baselines import anova
from sklearn_medsel.survival import concordance_index

_OURS = 'DeepFeatureSelector("auto")'
_COLUMNS = {
    "selector": "selector",
    "n_scores": "runs",
    "score_mean": "score",
    "score_std": "score_sd",
    "n_features_mean": "genes",
    "n_features_std": "genes_sd",
    "stability": "stability",
    "difference": "difference from baseline",
    "p_value": "p",
    "seconds_mean": "seconds",
    "error": "error",
}


def _compare(name, selectors, **parameters):
    X, y = load(name)
    table = compare_selectors(X, y, selectors, random_state=0, **parameters)
    table = table[list(_COLUMNS)].rename(columns=_COLUMNS)
    return {"table": table.to_dict("records")}


def _summarise_comparison(records, score):
    tables = []
    for record in records:
        frame = pd.DataFrame(record["table"]).rename(
            columns={"score": score, "score_sd": f"{score}_sd"}
        )
        if (frame["error"] == "").all():
            frame = frame.drop(columns="error")
        tables.append((record["data"], frame))
    return tables


# --- classification -----------------------------------------------------------------------------

_CLASSIFICATION = ("wpfs_prostate_ge", "dma_alon", "allaml", "wpfs_toxicity_tox171")


def _classification_tasks(options):
    if options.quick:
        return [{"data": "dma_alon", "n_repeats": 1}]
    return [{"data": name, "n_repeats": 2} for name in _CLASSIFICATION]


def measure_classification(data, n_repeats):
    """Compare ours with the ready baselines by repeated cross-validation."""
    selectors = {_OURS: DeepFeatureSelector("auto", random_state=0, device="cpu")}
    selectors |= baseline_selectors("classification", random_state=0)
    return _compare(data, selectors, cv=5, n_repeats=n_repeats, scoring="balanced_accuracy")


CLASSIFICATION = Row(
    name="classification",
    title="Prediction from few genes",
    text="Balanced accuracy over 5 folds, drawn twice, the same for all; selection inside the "
    "folds, then ridge logistic regression. p: corrected resampled t-test against all genes, not "
    "adjusted. Folds overlap: the standard deviation over folds is not that of a new study.",
    tasks=_classification_tasks,
    measure=measure_classification,
    summarise=lambda records: _summarise_comparison(records, "balanced accuracy"),
    spread="standard deviation over folds",
)


# --- stability ----------------------------------------------------------------------------------

_STABILITY = ("dma_alon", "allaml", "dma_shipp", "wpfs_prostate_ge", "wpfs_toxicity_tox171")
_N_TOP = 50


def _rank_lasso(X, y):
    return np.abs(LassoLogistic(random_state=0).fit(X, y).coef_).max(axis=0)


def _rank_forest(X, y):
    return RandomForestClassifier(300, random_state=0).fit(X, y).feature_importances_


def _choose_by(rank):
    def choose(X, y):
        score = rank(X, y)
        best = np.argsort(-score, kind="stable")[:_N_TOP]
        # A gene without a score was not selected, even where that leaves fewer than 50.
        return best[score[best] > 0]

    return choose


_SELECTORS = {
    "DeepFeatureSelector(50)": lambda X, y: (
        DeepFeatureSelector(_N_TOP, random_state=0, device="cpu")
        .fit(X, y)
        .get_support(indices=True)
    ),
    "LASSO-CV": _choose_by(_rank_lasso),
    "random forest": _choose_by(_rank_forest),
    "ANOVA": lambda X, y: SelectKBest(anova, k=_N_TOP).fit(X, y).get_support(indices=True),
}


def _stability_tasks(options):
    names, n_resamples = (("dma_alon",), 3) if options.quick else (_STABILITY, 50)
    return [
        {"data": name, "selector": selector, "n_resamples": n_resamples}
        for name in names
        for selector in _SELECTORS
    ]


def measure_stability(data, selector, n_resamples):
    """Nogueira's stability of the best 50 genes over resamples without replacement."""
    X, y = load(data)
    X = X.to_numpy()
    sets = np.zeros((n_resamples, X.shape[1]), dtype=bool)
    splits = StratifiedShuffleSplit(n_resamples, train_size=0.8, random_state=0).split(X, y)
    for place, (rows, _) in enumerate(splits):
        part = StandardScaler().fit_transform(X[rows])
        sets[place, _SELECTORS[selector](part, y[rows])] = True
    stability = nogueira_stability(sets)
    return {**stability._asdict(), "n_genes": float(sets.sum(axis=1).mean())}


def _summarise_stability(records):
    records = pd.DataFrame(records)
    frame = pd.DataFrame(
        {
            "data": records["data"],
            "selector": records["selector"],
            "runs": records["n_resamples"],
            "stability": records["estimate"],
            "low": records["low"],
            "high": records["high"],
            "genes": records["n_genes"],
        }
    )
    wide = frame.pivot(index="data", columns="selector", values="stability")
    wide = wide.reindex(index=frame["data"].unique(), columns=list(_SELECTORS)).reset_index()
    wide.insert(1, "runs", records.groupby("data")["n_resamples"].first()[wide["data"]].to_numpy())
    return [("Side by side", wide), ("With 95 % intervals", frame)]


STABILITY = Row(
    name="stability",
    title="Would the same genes come out again?",
    text="Nogueira's stability (1: identical, 0: chance) of the best 50 genes over resamples of "
    "80 % of the samples, the same for all. LASSO-CV selects fewer than 50 where it finds fewer. "
    "The interval takes resamples as independent, which they are not.",
    tasks=_stability_tasks,
    measure=measure_stability,
    summarise=_summarise_stability,
    packages=(),
    is_ours=lambda task: task["selector"].startswith("DeepFeature"),
)


# --- survival -----------------------------------------------------------------------------------


class CoxnetGenes(SelectorMixin, BaseEstimator):
    """Elastic-net Cox model of scikit-survival, as a selector whose output sums to the risk.

    Its output is the selected genes times their coefficients. So `compare_selectors` can count
    them, and `SumOfColumns` after it is the elastic net's own prediction.

    Parameters
    ----------
    l1_ratios : tuple of float, default=(0.5, 0.9)
        Mixing parameters tried.
    n_alphas : int, default=30
        Penalties of each path.
    """

    def __init__(self, l1_ratios=(0.5, 0.9), n_alphas=30):
        self.l1_ratios = l1_ratios
        self.n_alphas = n_alphas

    def fit(self, X, y):
        """Choose penalty and mixing by the mean concordance over five inner folds."""
        X = validate_data(self, X, dtype=np.float64)
        best = (-np.inf, None, None)
        for ratio in self.l1_ratios:
            alphas = self._path(ratio).fit(X, y).alphas_
            scores = self._score(X, y, ratio, alphas)
            place = int(np.argmax(scores))
            if scores[place] > best[0]:
                best = (scores[place], ratio, alphas[: place + 1])
        self.coef_ = self._path(best[1], best[2]).fit(X, y).coef_[:, -1]
        return self

    def _path(self, ratio, alphas=None):
        from sksurv.linear_model import CoxnetSurvivalAnalysis

        return CoxnetSurvivalAnalysis(
            l1_ratio=ratio,
            alphas=alphas,
            n_alphas=self.n_alphas,
            alpha_min_ratio=0.05,
            max_iter=10_000,
        )

    def _score(self, X, y, ratio, alphas):
        scores = []
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        for train, test in folds.split(X, y["event"]):
            risks = X[test] @ self._path(ratio, alphas).fit(X[train], y[train]).coef_
            scores.append([concordance_index(y[test], risk) for risk in risks.T])
        return np.mean(scores, axis=0)

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.coef_ != 0

    def transform(self, X):
        """Selected genes times their coefficients."""
        return np.asarray(X)[:, self.coef_ != 0] * self.coef_[self.coef_ != 0]


class SumOfColumns(RegressorMixin, BaseEstimator):
    """Predicts the sum of its columns."""

    def fit(self, X, y):
        """Nothing to learn."""
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        """Sum of the columns."""
        return np.asarray(X).sum(axis=1)


_SURVIVAL = ("surv_gse7390", "tcga_ov_surv", "tcga_paad_surv_pdac")


def _survival_tasks(options):
    if options.quick:
        return [{"data": "surv_gse7390", "n_repeats": 1}]
    return [{"data": name, "n_repeats": 2} for name in _SURVIVAL]


def measure_survival(data, n_repeats):
    """Compare ours followed by a ridge Cox model with a tuned elastic net."""
    steps = [("scale", StandardScaler()), ("genes", CoxnetGenes()), ("risk", SumOfColumns())]
    selectors = {
        "Coxnet, tuned": Pipeline(steps),
        _OURS: DeepFeatureSelector("auto", task="survival", random_state=0, device="cpu"),
        "DeepFeatureSelector(30)": DeepFeatureSelector(
            30, task="survival", random_state=0, device="cpu"
        ),
        "all genes + ridge": "passthrough",
    }
    return _compare(data, selectors, cv=5, n_repeats=n_repeats, baseline="Coxnet, tuned")


SURVIVAL = Row(
    name="survival",
    title="Survival",
    text="Harrell's concordance over 5 folds, drawn twice, the same for all. Ours and all genes "
    "are followed by a ridge Cox model; Coxnet is scikit-survival's elastic net, penalty and "
    "mixing chosen by five inner folds. Differences and p-values are against Coxnet. Clinical "
    "columns are left out.",
    tasks=_survival_tasks,
    measure=measure_survival,
    summarise=lambda records: _summarise_comparison(records, "concordance"),
    spread="standard deviation over folds",
    packages=("scikit-survival",),
)
