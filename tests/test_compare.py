"""The comparison of selectors: no leak, same folds, honest p-values, failures on record."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from scipy import stats
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectFdr, SelectKBest, SelectorMixin, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from sklearn_medsel.datasets import make_gene_expression
from sklearn_medsel.feature_selection._baseline_models import (
    LassoLogistic,
    ResidualForest,
    RidgeLogistic,
)
from sklearn_medsel.feature_selection._baselines import UnivariateCox, anova, baseline_selectors
from sklearn_medsel.feature_selection._compare import compare_selectors as compare_with_ridge
from sklearn_medsel.feature_selection._compare_fold import corrected_paired_ttest
from sklearn_medsel.feature_selection._cox_linear import (
    CoxLasso,
    CoxRidge,
    lasso_path,
    ridge_path,
)
from sklearn_medsel.survival._partial_likelihood import PartialLikelihood

# The tuned ridge that follows a selector by default takes most of the time; where it does not
# matter, the tests use a plain one.
compare_selectors = partial(compare_with_ridge, estimator=LogisticRegression())

COLUMNS = [
    "selector",
    "score_mean",
    "score_std",
    "n_scores",
    "n_features_mean",
    "n_features_std",
    "stability",
    "stability_low",
    "stability_high",
    "seconds_mean",
    "difference",
    "p_value",
    "n_empty",
    "error",
]


@pytest.fixture(scope="module")
def data():
    return make_gene_expression(
        80, 100, n_informative=3, effect_size=3.0, correlation=0.0, random_state=0
    )


class Recorder(SelectorMixin, BaseEstimator):
    """Selects the first column; says what it was given through the shared list `seen`."""

    seen = []

    def fit(self, X, y, groups=None):
        Recorder.seen.append((validate_data(self, X), y, groups))
        return self

    def _get_support_mask(self):
        return np.arange(self.n_features_in_) == 0


class Broken(SelectorMixin, BaseEstimator):
    """Fails on some folds."""

    def __init__(self, below=1.0):
        self.below = below

    def fit(self, X, y):
        if np.asarray(X)[0, 0] < self.below:
            raise RuntimeError("no luck")
        self.n_features_in_ = X.shape[1]
        return self

    def _get_support_mask(self):
        return np.arange(self.n_features_in_) == 0


@pytest.fixture
def seen():
    Recorder.seen.clear()
    return Recorder.seen


def test_table_and_folds(data):
    table, folds = compare_selectors(
        data.X,
        data.y,
        {"three": SelectKBest(f_classif, k=3)},
        cv=4,
        n_repeats=2,
        random_state=0,
        return_folds=True,
    )
    assert list(table.columns) == COLUMNS
    assert table["selector"].to_list() == ["three", "all genes + ridge"]
    assert len(folds) == 16
    three = folds[folds["selector"] == "three"]
    assert table.loc[0, "score_mean"] == pytest.approx(three["score"].mean())
    assert table.loc[0, "n_features_mean"] == 3
    assert table.loc[1, "n_features_mean"] == 100
    assert np.isnan(table.loc[1, "stability"])
    assert 0.5 < table.loc[0, "stability"] <= 1
    assert table.loc[0, "score_mean"] > table.loc[1, "score_mean"]
    assert table.loc[0, "p_value"] < 0.05
    assert all(len(columns) == 3 for columns in three["selected"])
    assert table.attrs["scoring"] == "balanced_accuracy"
    assert table.attrs["n_folds"] == 8


def test_selection_outside_the_fold_would_look_good_but_is_not_done():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 2000)), np.repeat([0, 1], 30)
    selector = SelectKBest(f_classif, k=20)
    leaked = SelectKBest(f_classif, k=20).fit_transform(X, y)
    assert cross_val_score(LogisticRegression(), leaked, y).mean() > 0.85
    table = compare_selectors(X, y, {"twenty": selector}, random_state=0, baseline=None)
    assert abs(table.loc[0, "score_mean"] - 0.5) < 0.12


def test_preparation_is_learnt_from_the_training_rows(data, seen):
    X = data.X * 50 + 7
    X.iloc[::3, 0] = np.nan
    compare_selectors(X, data.y, {"r": Recorder()}, n_repeats=1, baseline=None, random_state=0)
    assert len(seen) == 5
    for given_X, given_y, _ in seen:
        assert len(given_X) == len(given_y) == 64
        np.testing.assert_allclose(given_X.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(given_X.std(axis=0), 1, atol=1e-4)


def test_same_folds_for_all_and_all_seeds_from_random_state(data, seen):
    def run(**kwargs):
        return compare_selectors(
            data.X, data.y, {"a": Recorder(), "b": Recorder()}, baseline=None, cv=3, **kwargs
        )

    table = run(random_state=0)
    assert table.loc[0, "score_mean"] == table.loc[1, "score_mean"]
    for a, b in zip(seen[0::2], seen[1::2], strict=True):
        np.testing.assert_array_equal(a[0], b[0])
    again = run(random_state=0)
    pd.testing.assert_frame_equal(
        table.drop(columns="seconds_mean"), again.drop(columns="seconds_mean")
    )
    assert run(random_state=1).loc[0, "score_mean"] != table.loc[0, "score_mean"]


def test_groups_stay_together_and_reach_the_selector(seen):
    data = make_gene_expression(60, 40, paired=True, n_informative=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), Recorder())
    table = compare_selectors(
        data.X,
        data.y,
        {"bare": Recorder(), "pipeline": pipeline},
        groups=data.groups,
        n_repeats=2,
        random_state=0,
        baseline=None,
    )
    assert (table["error"] == "").all()
    assert len(seen) == 20
    for _, y, groups in seen:
        assert (np.unique(groups, return_counts=True)[1] == 2).all()
        assert y.mean() == 0.5


def test_number_of_jobs_changes_nothing(data):
    def run(n_jobs):
        with parallel_config(backend="threading"):
            table = compare_selectors(
                data.X, data.y, {"five": SelectKBest(f_classif, k=5)}, n_jobs=n_jobs, random_state=0
            )
        return table.drop(columns="seconds_mean")

    pd.testing.assert_frame_equal(run(1), run(2))


def test_nothing_selected_scores_as_a_constant(data):
    y = np.random.default_rng(1).permutation(np.array(["a", "b"])[data.y])
    table = compare_selectors(
        data.X, y, {"none": SelectFdr(f_classif, alpha=1e-12)}, n_repeats=1, random_state=0
    )
    assert table.loc[0, "n_empty"] == 5
    assert table.loc[0, "score_mean"] == 0.5
    assert table.loc[0, "n_features_mean"] == 0
    assert np.isnan(table.loc[0, "stability"])
    regression = compare_with_ridge(
        data.X,
        data.eta,
        {"none": make_pipeline(SelectFdr(anova_none, alpha=1e-12))},
        n_repeats=1,
        random_state=0,
        baseline=None,
    )
    assert regression.loc[0, "n_empty"] == 5
    assert regression.loc[0, "score_mean"] <= 0


def anova_none(X, y):
    return np.zeros(X.shape[1]), np.ones(X.shape[1])


def test_failures_are_on_record(data):
    table, folds = compare_selectors(
        data.X,
        data.y,
        {"all": Broken(below=np.inf), "some": Broken(below=0.0)},
        n_repeats=2,
        random_state=0,
        return_folds=True,
    )
    assert table.loc[0, "n_scores"] == 0
    assert np.isnan(table.loc[0, "score_mean"])
    assert table.loc[0, "error"] == "10 of 10 fits failed; first: RuntimeError: no luck"
    failed = (folds.loc[folds["selector"] == "some", "error"] != "").sum()
    assert 0 < failed < 10
    assert table.loc[1, "n_scores"] == 10 - failed
    assert np.isnan(table.loc[1, "p_value"])
    assert (table.loc[2, "error"]) == ""
    zero = compare_selectors(
        data.X, data.y, {"all": Broken(below=np.inf)}, n_repeats=1, error_score=0.0
    )
    assert zero.loc[0, "score_mean"] == 0
    with pytest.raises(RuntimeError, match="no luck"):
        compare_selectors(data.X, data.y, {"all": Broken(below=np.inf)}, error_score="raise")


def test_pipelines_predictors_and_transformers(data):
    named = Pipeline([("scale", StandardScaler()), ("best", SelectKBest(f_classif, k=4))])
    table, folds = compare_selectors(
        data.X,
        data.y,
        {
            "pipeline": named,
            "whole": make_pipeline(named, SelectKBest(f_classif, k=2), LogisticRegression()),
            "predictor": LogisticRegression(),
            "new columns": PCA(n_components=5),
        },
        n_repeats=1,
        random_state=0,
        return_folds=True,
    )
    assert (table["error"] == "").all()
    assert table["n_features_mean"].to_list() == [4, 2, 100, 5, 100]
    assert table["stability"].isna().to_list() == [False, False, True, True, True]
    pairs = folds.pivot(index="fold", columns="selector", values="selected")
    assert all(set(w) <= set(p) for w, p in zip(pairs["whole"], pairs["pipeline"], strict=True))
    assert all(columns is None for columns in pairs["new columns"])
    assert not hasattr(named.named_steps["best"], "scores_")


def test_progress_is_told_in_order(data):
    calls = []
    compare_selectors(
        data.X,
        data.y,
        {"two": SelectKBest(f_classif, k=2)},
        cv=2,
        n_repeats=1,
        progress=lambda *call: calls.append(call),
    )
    assert calls == [
        (1, 4, "two"),
        (2, 4, "all genes + ridge"),
        (3, 4, "two"),
        (4, 4, "all genes + ridge"),
    ]


def test_splitter_scoring_and_model_of_ones_own(data):
    groups = np.arange(80) % 8
    table = compare_selectors(
        data.X,
        data.y,
        {"two": SelectKBest(f_classif, k=2)},
        cv=GroupKFold(4),
        groups=groups,
        estimator=RandomForestClassifier(5, random_state=0),
        scoring="roc_auc",
        baseline="two",
    )
    assert table.attrs["n_folds"] == 4
    assert table.attrs["scoring"] == "roc_auc"
    assert len(table) == 1
    assert np.isnan(table.loc[0, "difference"])


def test_metadata_routing_and_pandas_output_change_nothing(seen):
    data = make_gene_expression(40, 30, paired=True, n_informative=2, random_state=0)

    def run():
        seen.clear()
        table = compare_selectors(
            data.X,
            pd.Series(data.y).map({0: "normal", 1: "tumour"}),
            {"r": Recorder(), "p": make_pipeline(StandardScaler(), Recorder())},
            groups=pd.Series(data.groups).astype(str),
            n_repeats=1,
            random_state=0,
        )
        assert all(groups is not None for *_, groups in seen)
        return table.drop(columns="seconds_mean")

    plain = run()
    assert (plain["error"] == "").all()
    with config_context(enable_metadata_routing=True, transform_output="pandas"):
        pd.testing.assert_frame_equal(run(), plain)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"selectors": {}}, TypeError, "dict"),
        ({"selectors": {"x": 3}}, TypeError, "'x'"),
        ({"baseline": "forest"}, ValueError, "baseline='forest'"),
        ({"task": "ranking"}, ValueError, "task"),
        ({"error_score": "skip"}, ValueError, "error_score"),
        ({"cv": 1}, ValueError, "cv must be at least 2"),
        ({"n_repeats": 0}, ValueError, "n_repeats"),
        ({"groups": np.zeros(80)}, ValueError, "1 groups, fewer than cv=5"),
        ({"groups": np.zeros(3)}, ValueError, "one value per patient"),
        ({"groups": [None, *range(79)]}, ValueError, "groups is missing at row 0"),
        (
            {"groups": np.array([1, "a"] * 40, dtype=object)},
            ValueError,
            "groups holds values of the types int, str",
        ),
        ({"y": np.zeros(80)}, ValueError, "one class only"),
        ({"y": np.r_[np.zeros(77), 1, 1, 1]}, ValueError, "3 samples of class"),
        ({"y": np.zeros(79)}, ValueError, "79 rows"),
        ({"y": [None, *["a", "b"] * 39, "a"]}, ValueError, "y is missing in row 0"),
        ({"y": np.r_[np.inf, np.linspace(0, 1, 79)]}, ValueError, "infinite"),
        ({"y": np.zeros((80, 2))}, ValueError, "one outcome per row"),
        ({"y": ["a", "b"] * 40, "task": "regression"}, ValueError, "holds text"),
    ],
)
def test_bad_arguments_are_named(data, change, error, message):
    arguments = {"X": data.X, "y": data.y, "selectors": {"a": SelectKBest()}, **change}
    with pytest.raises(error, match=message):
        compare_selectors(**arguments)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X.assign(note="text"), "Column 'note' of X is not numeric"),
        (lambda X: X.set_axis(["A", "A", *X.columns[2:]], axis=1), "more than once.*'A'"),
        (
            lambda X: X.replace(X.iloc[5, 2], np.inf),
            "Column 'gene_02' of X holds infinity in row 5",
        ),
        (lambda X: X.iloc[:, :0], "rows and columns"),
        (lambda X: X.iloc[:, 0].to_numpy(), "two dimensions"),
    ],
)
def test_bad_tables_are_named(data, spoil, message):
    with pytest.raises(ValueError, match=message):
        compare_selectors(spoil(data.X), data.y, {"a": SelectKBest()})


def test_corrected_t_test_by_hand():
    differences = np.array([0.1, 0.05, 0.02, 0.08, 0.0])
    mean, pvalue = corrected_paired_ttest(differences, 0.25)
    t = differences.mean() / np.sqrt((1 / 5 + 1 / 4) * differences.var(ddof=1))
    assert mean == pytest.approx(0.05)
    assert pvalue == pytest.approx(2 * stats.t.sf(t, 4))
    plain = stats.ttest_1samp(differences, 0).pvalue
    assert corrected_paired_ttest(differences, 0.0)[1] == pytest.approx(plain)
    assert pvalue > plain
    assert corrected_paired_ttest(np.zeros(5), 0.25) == (0.0, 1.0)
    assert corrected_paired_ttest(np.full(5, 0.25), 0.25) == (0.25, 0.0)
    assert np.isnan(corrected_paired_ttest(np.array([0.1, np.nan]), 0.25)[1])


# The baselines


@pytest.mark.parametrize("task", ["classification", "regression", "survival"])
def test_baselines_run_and_find_a_strong_gene(task):
    data = make_gene_expression(
        100, 60, n_informative=2, effect_size=3.0, correlation=0.0, task=task, random_state=1
    )
    X = data.X.assign(constant=1.0)
    X.iloc[3, 5] = np.nan
    baselines = {
        name: _smaller(selector)
        for name, selector in baseline_selectors(task, n_features=5, random_state=0).items()
    }
    table, folds = compare_with_ridge(
        X, data.y, baselines, cv=3, n_repeats=1, random_state=0, return_folds=True
    )
    assert (table["error"] == "").all()
    assert len(table) == 4
    assert (table["score_mean"] > 0.55).all()
    true = set(np.flatnonzero(data.support))
    for columns in folds.loc[folds["selector"] != "all genes + ridge", "selected"]:
        assert true <= set(columns)
        assert 60 not in columns


def _smaller(selector):
    inner = getattr(selector, "estimator", None)
    if inner is not None and hasattr(inner, "n_estimators"):
        selector.set_params(estimator__n_estimators=30)
    return selector


def test_unknown_task_of_the_baselines():
    with pytest.raises(ValueError, match="task"):
        baseline_selectors("ranking")


def test_three_classes_and_constant_columns():
    data = make_gene_expression(120, 50, n_informative=3, n_classes=3, random_state=0)
    X = np.array(data.X, dtype=float)
    assert LassoLogistic(random_state=0).fit(X, data.y).coef_.shape == (3, 50)
    model = RidgeLogistic().fit(X, np.array(["a", "b", "c"])[data.y])
    assert model.predict_proba(X).shape == (120, 3)
    assert set(model.predict(X)) <= {"a", "b", "c"}
    digits = RidgeLogistic().fit(X, np.array(["1", "2", "3"])[data.y])
    np.testing.assert_array_equal(digits.decision_function(X), model.decision_function(X))
    assert set(digits.predict(X)) <= {"1", "2", "3"}
    X[:, 4] = 2.0
    statistics, pvalues = anova(X, data.y)
    assert statistics[4] == 0
    assert pvalues[4] == 1
    expected = f_classif(np.delete(X, 4, axis=1), data.y)
    np.testing.assert_allclose(np.delete(pvalues, 4), expected[1])


def test_rotated_ridge_is_the_plain_ridge(data):
    X = StandardScaler().fit_transform(data.X.to_numpy(float))
    model = RidgeLogistic().fit(X, data.y)
    plain = LogisticRegression(C=model.model_.C_, class_weight="balanced", tol=1e-8, max_iter=5000)
    plain.fit(X, data.y)
    np.testing.assert_allclose(
        model.decision_function(X), plain.decision_function(X), rtol=1e-2, atol=1e-2
    )


def test_residual_forest_uses_nelson_aalen_residuals(monkeypatch):
    captured = {}

    def fit(self, X, y):
        captured["y"] = y
        self.n_features_in_ = X.shape[1]
        return self

    monkeypatch.setattr("sklearn.ensemble.RandomForestRegressor.fit", fit)
    monkeypatch.setattr("sklearn.ensemble.RandomForestRegressor.feature_importances_", np.ones(1))
    y = np.array(
        [(True, 1.0), (False, 1.0), (True, 2.0), (True, 2.0)],
        dtype=[("event", bool), ("time", float)],
    )
    ResidualForest().fit(np.zeros((4, 1)), y)
    np.testing.assert_allclose(captured["y"], [1 - 1 / 4, -1 / 4, -1 / 4, -1 / 4])
    assert captured["y"].sum() == pytest.approx(0)


# The Cox models


def _survival(n_samples, n_features, seed, ties=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    time = rng.exponential(np.exp(-X[:, 0]))
    y = np.empty(n_samples, dtype=[("event", bool), ("time", float)])
    y["time"] = np.ceil(time * 4) if ties else time
    y["event"] = rng.random(n_samples) < 0.7
    y["event"][:4] = True
    return X - X.mean(axis=0), y


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_partial_likelihood_and_its_derivatives(seed, ties):
    X, y = _survival(15, 2, seed, ties)
    likelihood = PartialLikelihood(y["event"], y["time"])
    eta = X @ [0.5, -0.3]
    plain = -sum(
        eta[i] - np.log(np.exp(eta[y["time"] >= y["time"][i]]).sum())
        for i in np.flatnonzero(y["event"])
    )
    assert likelihood.loss(eta) == pytest.approx(plain)
    step = 1e-5 * np.eye(15)
    numeric = [(likelihood.loss(eta + d) - likelihood.loss(eta - d)) / 2e-5 for d in step]
    residuals, curvature = likelihood.residuals(eta)
    np.testing.assert_allclose(-residuals, numeric, atol=1e-6)
    np.testing.assert_allclose(np.diag(likelihood.hessian(np.eye(15), eta)), curvature, atol=1e-9)
    change = [likelihood.residuals(eta - d)[0] - likelihood.residuals(eta + d)[0] for d in step]
    np.testing.assert_allclose(
        likelihood.hessian(X, eta), X.T @ np.array(change) @ X / 2e-5, atol=1e-5
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_lasso_path_is_optimal(seed, ties):
    X, y = _survival(40, 60, seed, ties)
    likelihood = PartialLikelihood(y["event"], y["time"])
    start = np.abs(X.T @ likelihood.residuals(np.zeros(40))[0]).max() / 40
    alphas = start * np.geomspace(1, 0.3, 6)
    for alpha, coef in zip(alphas, lasso_path(X, likelihood, alphas), strict=True):
        gradient = X.T @ likelihood.residuals(X @ coef)[0] / 40
        active = coef != 0
        np.testing.assert_allclose(gradient[active], alpha * np.sign(coef[active]), rtol=0.02)
        assert (np.abs(gradient[~active]) <= alpha * 1.001).all()
    assert active.any()


def test_lasso_and_ridge_against_another_implementation():
    linear_model = pytest.importorskip("sksurv.linear_model")
    X, y = _survival(80, 120, 0)
    likelihood = PartialLikelihood(y["event"], y["time"])
    start = np.abs(X.T @ likelihood.residuals(np.zeros(80))[0]).max() / 80
    alphas = start * np.geomspace(0.9, 0.3, 5)
    other = linear_model.CoxnetSurvivalAnalysis(
        l1_ratio=1.0, alphas=alphas, tol=1e-10, max_iter=10**6
    )
    other.fit(X, y)
    ours = np.array(list(lasso_path(X, likelihood, alphas)))
    np.testing.assert_allclose(ours, other.coef_.T, atol=2e-3)
    other = linear_model.CoxPHSurvivalAnalysis(alpha=3.0, ties="breslow").fit(X[:, :5], y)
    ours = list(ridge_path(X[:, :5], likelihood, [3.0]))[-1]
    np.testing.assert_allclose(ours, other.coef_, atol=1e-6)


def test_ridge_in_the_span_of_the_samples_is_the_plain_ridge():
    X, y = _survival(40, 90, 1)
    model = CoxRidge().fit(X, y)
    likelihood = PartialLikelihood(y["event"], y["time"])
    plain = list(ridge_path(X, likelihood, [model.penalty_]))[-1]
    np.testing.assert_allclose(model.coef_, plain, atol=1e-5)
    assert model.predict(X).shape == (40,)


def test_cox_models_where_there_is_nothing_to_learn():
    X, y = _survival(30, 3, 0)
    lasso = CoxLasso(random_state=0).fit(np.zeros((30, 3)), y)
    assert not lasso.coef_.any()
    assert not CoxRidge().fit(np.zeros((30, 3)), y).predict(X).any()
    y["event"] = False
    y["event"][0] = True
    with pytest.raises(ValueError, match="two events"):
        CoxLasso().fit(X, y)


def test_univariate_cox_controls_the_false_discovery_rate():
    X, y = _survival(100, 50, 2)
    X[:, 7] = 0.0
    selector = UnivariateCox(0.1).fit(X, y)
    assert selector.get_support()[0]
    assert selector.pvalues_[7] == 1
    expected = stats.false_discovery_control(selector.pvalues_) <= 0.1
    np.testing.assert_array_equal(selector.get_support(), expected)


def test_survival_without_censoring_and_with_too_few_events():
    data = make_gene_expression(
        60, 40, n_informative=2, task="survival", censoring=0.0, correlation=0.0, random_state=0
    )
    table = compare_with_ridge(
        data.X, pd.DataFrame(data.y), {"lasso": baseline_selectors("survival")["LASSO"]},
        n_repeats=1, random_state=0,
    )  # fmt: skip
    assert table.attrs["scoring"] == "concordance"
    assert (table["score_mean"] > 0.6).all()
    few = data.y.copy()
    few["event"][3:] = False
    with pytest.raises(ValueError, match="3 events, fewer than cv=5"):
        compare_with_ridge(data.X, few, {"all": "passthrough"})
    with pytest.raises(ValueError, match="scoring='r2' is not for survival"):
        compare_with_ridge(data.X, data.y, {"all": "passthrough"}, scoring="r2")
