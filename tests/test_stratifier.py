"""Risk groups: nothing of the held-out patients is used, and the numbers are those of the parts."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_medsel import DeepFeatureCox
from sklearn_medsel.survival import (
    concordance_index,
    cox_regression,
    kaplan_meier,
    logrank_test,
    make_survival_y,
)
from sklearn_medsel.survival._cuts import find_cuts
from sklearn_medsel.survival._stratifier import RiskStratifier


class Linear(BaseEstimator):
    """Weights columns by their correlation with time; adds a constant that differs per fit."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y):
        X = np.asarray(X, float)
        self.coef_ = -self.scale * ((X - X.mean(0)).T @ np.log1p(y["time"])) / len(X)
        self.constant_ = 100 * y["time"].sum()
        return self

    def predict(self, X):
        return np.asarray(X, float) @ self.coef_ + self.constant_


class Memory(BaseEstimator):
    """Knows the training patients by heart, and nothing of others."""

    def fit(self, X, y):
        self.known_ = {row.tobytes(): -time for row, time in zip(X, y["time"], strict=True)}
        return self

    def predict(self, X):
        fallback = [float(row.sum()) for row in X]
        return np.array(
            [self.known_.get(row.tobytes(), f) for row, f in zip(X, fallback, strict=True)]
        )


class Crossfitted(Linear):
    """Gives a cross-fitted score of its own, and takes groups."""

    def fit(self, X, y, groups=None):
        super().fit(X, y)
        self.groups_ = groups
        self.oof_score_ = np.where(np.arange(len(X)) % 4 == 0, 1.0, 0.0) + 1e-6 * np.arange(len(X))
        return self


class Constant(Linear):
    def predict(self, X):
        return np.zeros(len(X))


def data(n=160, seed=0, effect=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    time = rng.exponential(10 * np.exp(-effect * X[:, 0]))
    return X, make_survival_y(rng.random(n) < 0.7, time)


@pytest.fixture(scope="module")
def fitted():
    X, y = data()
    return RiskStratifier(Linear(), 3, cv=4, random_state=0).fit(X, y), X, y


def test_attributes_are_those_of_the_parts(fitted):
    stratifier, _, y = fitted
    assert stratifier.logrank_ == logrank_test(y, stratifier.group_)
    assert stratifier.logrank_.pvalue < 1e-4
    assert list(stratifier.curves_) == ["low risk", "medium risk", "high risk"]
    for place, curve in enumerate(stratifier.curves_.values()):
        pd.testing.assert_frame_equal(curve, kaplan_meier(y[stratifier.group_ == place]))
    folds = [stratifier.fold_ == number for number in range(4)]
    scores = [concordance_index(y[rows], stratifier.risk_[rows]) for rows in folds]
    np.testing.assert_allclose(stratifier.scores_["concordance"], scores)
    assert stratifier.concordance_ == pytest.approx(np.mean(scores))
    for rows, cuts in zip(folds, stratifier.fold_cut_points_, strict=True):
        expected = (stratifier.risk_[rows, None] > cuts).sum(axis=1)
        np.testing.assert_array_equal(stratifier.group_[rows], expected)
    ratios = stratifier.hazard_ratios_
    member = np.column_stack([stratifier.group_ == 1, stratifier.group_ == 2]).astype(float)
    np.testing.assert_allclose(ratios["hazard_ratio"], cox_regression(member, y)["hazard_ratio"])
    assert ratios["adjusted_hazard_ratio"].isna().all()
    assert ratios["n_patients"].tolist() == member.sum(axis=0).tolist()
    assert np.isnan(stratifier.maxstat_pvalue_)
    assert stratifier.auc_["auc"].between(0.6, 1).all()
    assert stratifier.integrated_brier_score_ < stratifier.integrated_brier_score_reference_ - 0.01


def test_names_of_one_are_not_those_of_another(fitted):
    _, X, y = fitted
    stratifier, other = (RiskStratifier(Linear(), random_state=0).fit(X, y) for _ in range(2))
    stratifier.group_names_[0] = "another"
    assert other.group_names_ == ["low risk", "high risk"]


def test_groups_are_balanced_although_every_fit_has_another_constant(fitted):
    stratifier, X, _ = fitted
    assert np.bincount(stratifier.group_).min() > 35
    counts = np.bincount(stratifier.predict(X))
    assert counts.min() > 45
    assert abs(stratifier.decision_function(X).mean()) < 1e-6


def test_brier_does_not_depend_on_the_scale_of_the_risk(fitted):
    stratifier, X, y = fitted
    scaled = RiskStratifier(Linear(50.0), 3, cv=4, random_state=0).fit(X, y)
    assert scaled.integrated_brier_score_ == pytest.approx(stratifier.integrated_brier_score_)
    np.testing.assert_array_equal(scaled.group_, stratifier.group_)


def test_a_memory_finds_nothing_in_noise():
    X, y = data(effect=0.0)
    stratifier = RiskStratifier(Memory(), cut="maxstat", cv=4, random_state=0).fit(X, y)
    assert concordance_index(y, stratifier.decision_function(X)) > 0.8  # on the patients it knows
    assert abs(stratifier.concordance_ - 0.5) < 0.1
    assert stratifier.logrank_.pvalue > 0.05


def test_what_is_done_to_held_out_patients_does_not_depend_on_their_outcome():
    X, y = data()
    cv = KFold(4, shuffle=True, random_state=0)
    before = RiskStratifier(Linear(), cv=cv, cut="maxstat", random_state=0).fit(X, y)
    test = before.fold_ == 0
    other = y.copy()
    other["time"][test] = y["time"][test][::-1] * 3
    other["event"][test] = y["event"][test][::-1]
    after = RiskStratifier(Linear(), cv=cv, cut="maxstat", random_state=0).fit(X, other)
    np.testing.assert_array_equal(before.group_[test], after.group_[test])
    np.testing.assert_array_equal(before.fold_cut_points_[0], after.fold_cut_points_[0])


def test_maxstat_pvalue_and_determinism():
    X, y = data()
    make = RiskStratifier(Linear(), cut="maxstat", cv=4, random_state=3)
    first, second = clone(make).fit(X, y), clone(make).set_params(n_jobs=2).fit(X, y)
    assert first.maxstat_pvalue_ < 0.001
    np.testing.assert_array_equal(first.group_, second.group_)
    np.testing.assert_array_equal(first.cut_points_, second.cut_points_)
    copy = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(copy.predict(X), first.predict(X))
    assert 0.5 < first.score(X, y) <= 1


def test_rows_of_one_patient_are_not_independent_evidence():
    X, y = data()
    rows = np.arange(len(X)).repeat(3)
    patients = RiskStratifier(Linear(), random_state=0).fit(X[rows], y[rows], groups=rows)
    clusters = {"clusters": rows}
    assert patients.logrank_ == logrank_test(y[rows], patients.group_, **clusters)
    high = pd.DataFrame({"high": patients.group_.astype(float)})
    expected = cox_regression(high, y[rows], **clusters)
    assert patients.hazard_ratios_["pvalue"][0] == pytest.approx(expected["pvalue"][0])
    assert patients.hazard_ratios_["pvalue"][0] > cox_regression(high, y[rows])["pvalue"][0]
    member = patients.group_ == 1
    curve = kaplan_meier(y[rows][member], clusters=rows[member])
    pd.testing.assert_frame_equal(patients.curves_["high risk"], curve)


def test_own_cross_fitted_score_is_used_and_groups_are_passed():
    X, y = data()
    groups = np.arange(160) // 2
    stratifier = RiskStratifier(Crossfitted(), cut=(0.5,), cv=4, random_state=0)
    stratifier.fit(X, y, groups=groups)
    # three quarters of the scores lie at 0, the others at 1, around their mean
    np.testing.assert_allclose(stratifier.fold_cut_points_, -0.25, atol=0.02)
    np.testing.assert_array_equal(stratifier.estimator_.groups_, groups)
    for group in np.unique(groups):
        assert np.unique(stratifier.fold_[groups == group]).size == 1


@pytest.mark.parametrize("cut", ["quantile", (0.5,), "maxstat"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_patients_of_one_risk_are_in_one_group(cut, share):
    X, y = data()
    marker = np.zeros_like(X)
    marker[:, 0] = np.argsort(np.argsort(X[:, 0])) >= (1 - share) * len(X)
    model = RiskStratifier(Linear(), cut=cut, cv=5, random_state=0).fit(marker, y)
    np.testing.assert_array_equal(model.group_, marker[:, 0])
    np.testing.assert_array_equal(model.predict(marker), marker[:, 0])
    with pytest.raises(ValueError, match="patients with 2 different risks"):
        model.set_params(n_groups=3, cut="quantile").fit(marker, y)


def test_quantiles_of_tied_risks_are_the_nearest_there_are():
    stage = np.repeat([1.0, 2, 3, 4], [50, 25, 15, 10])
    y = make_survival_y(np.ones(100), np.arange(100) + 1)
    assert find_cuts(y, stage, 2, "quantile").tolist() == [1.5]
    assert find_cuts(y, stage, 3, (0.4, 0.95)).tolist() == [1.5, 3.5]
    assert find_cuts(y, 5 - stage, 2, (0.2,)).tolist() == [2.5]
    with pytest.raises(ValueError, match="too many risks are equal"):
        find_cuts(y, stage, 3, (0.4, 0.45))
    untied = np.arange(100.0)
    np.testing.assert_array_equal(find_cuts(y, untied, 3, (0.2, 0.5)), [19.8, 49.5])


def test_groups_reach_steps_of_a_pipeline_and_the_splitter_of_a_search():
    X, y = data()
    groups = np.arange(160) // 2
    steps = make_pipeline("passthrough", StandardScaler(), make_pipeline(Crossfitted()))
    model = RiskStratifier(steps, cv=3, random_state=0).fit(X, y, groups=groups)
    np.testing.assert_array_equal(model.estimator_[-1][-1].groups_, groups)
    search = GridSearchCV(Linear(), {"scale": [1]}, cv=GroupKFold(3), scoring=lambda m, X, y: 0.0)
    with config_context(enable_metadata_routing=True):
        routed = RiskStratifier(search, cv=3, random_state=0).fit(X, y, groups=groups)
    model.set_params(estimator=search).fit(X, y, groups=groups)
    np.testing.assert_array_equal(model.group_, routed.group_)
    # a splitter that has no use for them gets none, and does not warn
    model.set_params(estimator__cv=KFold(3)).fit(X, y, groups=groups)


class MostCorrelated(TransformerMixin, BaseEstimator):
    """Keeps the columns that go most with the outcome of all patients it is shown."""

    def fit(self, X, y):
        self.kept_ = np.argsort(-np.abs((X - X.mean(axis=0)).T @ np.log1p(y["time"])))[:8]
        return self

    def transform(self, X):
        return X[:, self.kept_]


class LeftOut(Linear):
    """Cross-fits its score, as the fusions do, on the columns that it gets."""

    def fit(self, X, y):
        score = np.empty(len(X))
        for train, test in KFold(5).split(X):
            part = Linear().fit(X[train], y[train])
            score[test] = (X[test] - X[train].mean(axis=0)) @ part.coef_
        self.oof_score_ = score
        return super().fit(X, y)


def test_score_of_a_step_is_not_taken_for_cross_fitted():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 1500)), make_survival_y(np.ones(120), rng.exponential(size=120))
    pipeline = make_pipeline(MostCorrelated(), LeftOut())
    search = GridSearchCV(pipeline, {"leftout__scale": [1.0]}, cv=3, scoring=_concordance)
    for model in (pipeline, search):
        stratifier = RiskStratifier(model, cv=3, random_state=0).fit(X, y)
        # noise: a score on columns chosen by all training outcomes promises what is not there
        excess = stratifier.integrated_brier_score_ - stratifier.integrated_brier_score_reference_
        assert excess < 0.005


def _concordance(model, X, y):
    return concordance_index(y, model.predict(X))


@pytest.fixture
def clinical():
    X, y = data(n=200, seed=2)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["age"] = np.where(rng.random(200) < 0.2, np.nan, 60 + 8 * frame["a"])
    frame["stage"] = np.where(rng.random(200) < 0.1, None, rng.choice(["I", "II", "III"], 200))
    return frame, y


class FirstColumns(Linear):
    """Uses the six numeric columns only."""

    def fit(self, X, y):
        super().fit(X[list("abcdef")], y)
        self.blocks_ = [("genes", "table", list("abcdef")), ("clinic", "table", ["age", "stage"])]
        self.base_ = "clinic"
        return self

    def predict(self, X):
        return super().predict(X[list("abcdef")])


def test_adjusted_hazard_ratio(clinical):
    X, y = clinical
    named = RiskStratifier(FirstColumns(), cv=4, base=["age", "stage"], random_state=0).fit(X, y)
    row = named.hazard_ratios_.iloc[0]
    assert named.base_columns_ == ["age", "stage"]
    # age carries the same information as the first gene, where it is known
    assert 1 < row["adjusted_hazard_ratio"] < row["hazard_ratio"]
    for base in (None, "clinic"):
        again = RiskStratifier(FirstColumns(), cv=4, base=base, random_state=0).fit(X, y)
        pd.testing.assert_frame_equal(again.hazard_ratios_, named.hazard_ratios_)
    age = X["age"].fillna(X["age"].median())
    by_hand = pd.DataFrame(
        {
            "age": age,
            "unknown": X["age"].isna() * 1.0,
            **{s: (X["stage"] == s) * 1.0 for s in ("I", "II", "III")},
            "missing": X["stage"].isna() * 1.0,
            "high": named.group_ * 1.0,
        }
    )
    known = by_hand.drop(columns=[X["stage"].value_counts().idxmax(), "high"])
    known["age"] = (age - age.mean()) / age.std(ddof=0)
    risk = np.empty(len(X))
    for fold in range(4):
        out = named.fold_ == fold
        coef = cox_regression(known[~out], y[~out], penalty=1.0)["coefficient"].to_numpy()
        risk[out] = (known[out] - known[~out].mean()) @ coef
    joined = pd.DataFrame({"base": risk, "high": by_hand["high"]})
    expected = cox_regression(joined, y)["hazard_ratio"].iloc[-1]
    assert row["adjusted_hazard_ratio"] == pytest.approx(expected)


def test_adjusted_ratios_of_noise_are_about_one():
    """Columns weighed on the patients who are judged would make them a half."""
    logs = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = pd.DataFrame(rng.normal(size=(100, 12))).add_prefix("x")
        y = make_survival_y(rng.random(100) < 0.7, rng.exponential(size=100))
        base = [f"x{k}" for k in range(8)]
        stratifier = RiskStratifier(Linear(), base=base, random_state=seed).fit(X, y)
        logs.append(np.log(stratifier.hazard_ratios_["adjusted_hazard_ratio"][0]))
    assert abs(np.mean(logs)) < 3 * np.std(logs) / np.sqrt(12)
    assert np.mean(logs) > -0.3


def test_numbers_written_as_text_are_adjusted_for(clinical):
    X, y = clinical
    expected = RiskStratifier(FirstColumns(), cv=3, base=["age"], random_state=0).fit(X, y)
    words = X.assign(age=X["age"].astype("str").where(X["age"].notna()), ward="A")
    model = RiskStratifier(FirstColumns(), cv=3, base=["age", "ward"], random_state=0).fit(words, y)
    assert model.base_columns_ == ["age"]  # there is nothing to adjust for in "ward"
    pd.testing.assert_frame_equal(model.hazard_ratios_, expected.hazard_ratios_)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.date_range("2020", periods=200), "base: column 'new' holds dates"),
        (np.r_[np.inf, np.ones(199)], "base: column 'new' is infinite at row 0"),
        (np.ones(200), "names no column that tells patients apart"),
        ([[1, 2]] * 200, "names no column that tells patients apart"),
        ([f"P{i}" for i in range(200)], "names no column that tells patients apart"),
        ([b"\x89PNG%d" % i for i in range(200)], "names no column that tells patients apart"),
    ],
)
def test_base_that_cannot_be_adjusted_for(column, words, clinical):
    X, y = clinical
    with pytest.raises(ValueError, match=words):
        RiskStratifier(FirstColumns(), cv=3, base="new").fit(X.assign(new=column), y)


class WithBlocks(Linear):
    """Has blocks as a fusion has, of arrays; the first is the base."""

    def fit(self, X, y):
        self.blocks_ = [("first", "table", ["x0", "x1"]), ("ct", "image", ["x2"])]
        self.base_ = self.blocks_[int(self.scale) - 1][0]
        return super().fit(X, y)


def test_base_block_of_an_estimator_that_takes_arrays():
    X, y = data()
    model = RiskStratifier(WithBlocks(), cv=3, random_state=0).fit(X, y)
    assert model.base_columns_ == ["x0", "x1"]
    named = pd.DataFrame(X, columns=[f"x{place}" for place in range(6)])
    expected = RiskStratifier(WithBlocks(), cv=3, base=["x0", "x1"], random_state=0).fit(named, y)
    pd.testing.assert_frame_equal(model.hazard_ratios_, expected.hazard_ratios_)
    # the columns of a later step of a Pipeline are not those of X
    model.set_params(estimator=make_pipeline(StandardScaler(), WithBlocks())).fit(X, y)
    assert model.base_columns_ == []
    # nor can there be an adjustment for pictures
    model.set_params(estimator=WithBlocks(scale=2)).fit(X, y)
    assert model.base_columns_ == []
    with pytest.raises(ValueError, match="base='ct' is a block of the modality 'image'"):
        model.set_params(base="ct").fit(X, y)


def test_a_base_of_the_estimator_that_is_too_wide_is_told_of(clinical):
    X, y = clinical
    few = make_survival_y(np.arange(200) % 20 == 0, y["time"])
    wide = X.assign(stage=np.repeat([f"S{place}" for place in range(20)], 10))
    model = RiskStratifier(FirstColumns(), cv=3, random_state=0)
    with pytest.warns(UserWarning, match="not adjusted for the base .* too many to adjust") as told:
        model.fit(wide, few)
    assert told[0].filename == __file__
    assert model.base_columns_ == []
    assert model.hazard_ratios_["adjusted_pvalue"].isna().all()
    with pytest.raises(ValueError, match="too many to adjust for"):
        model.set_params(base="clinic").fit(wide, few)


def test_bad_base(clinical):
    X, y = clinical
    with pytest.raises(ValueError, match="'grade'"):
        RiskStratifier(FirstColumns(), base=["grade"]).fit(X, y)
    with pytest.raises(ValueError, match="base names the column 'age' more than once"):
        RiskStratifier(FirstColumns(), base=["age", "stage", "age"]).fit(X, y)
    twice = pd.concat([X, X[["age"]]], axis=1)
    with pytest.raises(ValueError, match="X has several columns of that name"):
        RiskStratifier(FirstColumns(), base=["age"]).fit(twice, y)
    with pytest.raises(TypeError, match="must be a DataFrame"):
        RiskStratifier(Linear(), base=["age"]).fit(*data())
    wide = pd.concat([X, pd.DataFrame(np.random.default_rng(0).normal(size=(200, 200)))], axis=1)
    with pytest.raises(ValueError, match="too many to adjust for"):
        RiskStratifier(FirstColumns(), base=list(range(200))).fit(wide, y)


def test_bad_input():
    X, y = data()
    with pytest.raises(ValueError, match="Fold 0: the model gives all"):
        RiskStratifier(Constant(), cv=3, random_state=0).fit(X, y)
    few = y.copy()
    few["event"] = np.arange(160) < 40  # all events in the first fold
    with pytest.raises(ValueError, match="fold 0 of cv has no event among its 120 training"):
        RiskStratifier(Linear(), cv=KFold(4)).fit(X, few)
    few["event"] = np.arange(160) < 3
    with pytest.raises(ValueError, match="3 events, fewer than cv=5"):
        RiskStratifier(Linear()).fit(X, few)
    few["event"] = np.arange(160) < 5
    with pytest.raises(ValueError, match="Fold 0: y has 4 events, fewer than inner_cv=5"):
        RiskStratifier(Linear(), inner_cv=5, random_state=0).fit(X, few)
    with pytest.raises(ValueError, match="exactly once"):
        RiskStratifier(Linear(), cv=ShuffleSplit(3, random_state=0)).fit(X, y)
    rows = np.arange(160)
    with pytest.raises(ValueError, match="fold 1 of cv has 80 of its 80 held-out rows"):
        RiskStratifier(Linear(), cv=[(rows[80:], rows[:80]), (rows, rows[80:])]).fit(X, y)
    groups = rows % 10
    both = pytest.raises(ValueError, match="on both sides")
    with pytest.warns(UserWarning, match="groups parameter is ignored by KFold"), both:
        RiskStratifier(Linear(), cv=KFold(4)).fit(X, y, groups=groups)
    RiskStratifier(Linear(), cv=GroupKFold(4)).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="groups is missing"):
        RiskStratifier(Linear()).fit(X, y, groups=np.where(np.arange(160) == 3, np.nan, 1))
    with pytest.raises(ValueError, match="X has 159 rows"):
        RiskStratifier(Linear()).fit(X[1:], y)
    with pytest.raises(ValueError, match="makes 3 groups"):
        RiskStratifier(Linear(), cut=(0.2, 0.8)).fit(X, y)
    with pytest.raises(NotFittedError):
        RiskStratifier(Linear()).predict(X)


def test_a_fit_that_fails_changes_nothing():
    X, y = data()
    stratifier = RiskStratifier(Linear(), cv=3, random_state=0).fit(X, y)
    before = pickle.dumps(vars(stratifier))
    other = X[:, ::-1] * 5
    with pytest.raises(ValueError, match="cut must give n_groups - 1"):
        stratifier.set_params(cut=lambda risk, y: []).fit(other, y)
    stratifier.set_params(cut="quantile")
    assert pickle.dumps(vars(stratifier)) == before
    assert hasattr(stratifier, "hazard_ratios_")
    unfitted = RiskStratifier(Constant(), cv=3, random_state=0)
    with pytest.raises(ValueError, match="the same risk"):
        unfitted.fit(X, y)
    assert not [name for name in vars(unfitted) if name.endswith("_")]


def test_pipeline_and_deep_model():
    X, y = data(n=120)
    model = make_pipeline(StandardScaler(), DeepFeatureCox(max_epochs=15, random_state=0))
    stratifier = RiskStratifier(model, cv=3, inner_cv=2, random_state=0).fit(pd.DataFrame(X), y)
    assert stratifier.concordance_ > 0.65
    assert stratifier.logrank_.pvalue < 0.01


def test_progress_is_reported():
    steps = []

    class Watch:
        max_propagation_depth = None

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            steps.append(context.task_name)
            return True  # asks to stop: there is no half a stratification

    stratifier = RiskStratifier(Linear(), cv=4, random_state=0)
    stratifier.set_callbacks(Watch())
    stratifier.fit(*data())
    assert steps.count("fold") == 1
    assert stratifier.group_.shape == (160,)
