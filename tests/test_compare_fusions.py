"""The comparison of fusions and the trial of missing blocks: no leak, same folds, right scores."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_medsel.datasets import make_patients
from sklearn_medsel.feature_selection._compare_fold import corrected_paired_ttest
from sklearn_medsel.image import ImageEncoder
from sklearn_medsel.multimodal import MultimodalClassifier, MultimodalRegressor, _compare_models
from sklearn_medsel.multimodal._blocks import resolve_blocks
from sklearn_medsel.multimodal._compare import compare_fusions
from sklearn_medsel.multimodal._compare_fold import find_scorers
from sklearn_medsel.multimodal._compare_models import BlockBaseline, baseline_fusions
from sklearn_medsel.multimodal._stress import hide_blocks, stress_missing_modalities
from sklearn_medsel.survival import concordance_index, make_survival_y

BLOCKS = [("clin", "table", "clin__*"), ("gene", "table", "gene__*")]
SIMPLE = ["clin alone", "LASSO, clin", "LASSO, gene", "ridge, all blocks", "late fusion"]


@pytest.fixture(autouse=True)
def quick_models(monkeypatch):
    for name, value in (("_TREES", 10), ("_FOLDS", 2), ("_PENALTIES", 3)):
        monkeypatch.setattr(_compare_models, name, value)


def patients(n=90, **options):
    options = {"n_genes": 20, "n_informative": 2, "image_size": 16, "random_state": 0} | options
    return make_patients(n, **options)


def ours(fusion="concat", **options):
    return MultimodalClassifier(
        BLOCKS, fusion=fusion, max_epochs=0, n_permutations=1, random_state=0, **options
    )


def compare(data, **options):
    options = {"cv": 3, "fusions": ["concat"], "random_state": 0} | options
    return compare_fusions(data.X, data.y, BLOCKS, base="clin", **options)


class Recorder(ClassifierMixin, BaseEstimator):
    """Scores by the first clinical column; says what it was given through the list `seen`."""

    def __init__(self, seen=None):
        self.seen = seen

    def __sklearn_clone__(self):
        return Recorder(self.seen)

    def fit(self, X, y, groups=None):
        self.classes_ = np.unique(y)
        self.seen.append((tuple(X.index), None if groups is None else tuple(groups)))
        return self

    def predict_proba(self, X):
        score = 1 / (1 + np.exp(-(X["clin__age"].to_numpy() - 60) / 10))
        return np.column_stack([1 - score, score])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


# --- the comparison -----------------------------------------------------------------------------


def test_two_classes():
    calls = []
    table, folds = compare(
        patients(missing={"gene": 0.2}),
        return_folds=True,
        progress=lambda *args: calls.append(args),
    )
    forest = "random forest, all blocks"
    names = ["MultimodalClassifier, concat", *SIMPLE[:-1], forest, SIMPLE[-1]]
    assert table["model"].to_list() == names
    assert table.attrs == {
        "task": "classification",
        "scoring": ["auroc"],
        "reference": names[0],
        "n_folds": 3,
    }
    assert [call[2] for call in calls] == names * 3
    assert calls[-1][:2] == (21, 21)
    scores = folds.pivot(index="fold", columns="model", values="auroc")
    np.testing.assert_allclose(table.set_index("model")["auroc"], scores.mean()[names])
    difference, p_value = corrected_paired_ttest(
        (scores[forest] - scores[names[0]]).to_numpy(), 0.5
    )
    row = table.set_index("model").loc[forest]
    assert row["auroc_difference"] == pytest.approx(difference)
    assert row["auroc_p_value"] == pytest.approx(p_value)
    assert table.loc[0, ["auroc_difference", "auroc_p_value"]].isna().all()
    assert (folds["n_test"].groupby(folds["model"]).sum() == 90).all()


@pytest.mark.parametrize(
    ("task", "metrics", "names"),
    [
        ("survival", ["concordance"], SIMPLE),
        ("regression", ["r2"], [*SIMPLE[:-1], "random forest, all blocks", SIMPLE[-1]]),
    ],
)
def test_other_tasks(task, metrics, names):
    table = compare(patients(60, task=task), cv=2)
    assert table["model"].to_list()[1:] == names
    assert table.attrs["scoring"] == metrics
    assert table[metrics].notna().all(axis=None)


def test_three_classes():
    table = compare(patients(60, n_classes=3), cv=2)
    assert table["balanced_accuracy"].between(0, 1).all()
    assert (table["log_loss"] < 2 * np.log(3)).all()


def test_the_seed_decides_and_jobs_do_not():
    data = patients(60, task="regression")
    with parallel_config(backend="threading"):
        tables = [
            compare(data, cv=2, n_jobs=n_jobs, random_state=seed).drop(columns="fit_seconds")
            for n_jobs, seed in ((1, 0), (2, np.int64(0)), (1, 1))
        ]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0].equals(tables[2])


def test_folds_keep_groups_and_reach_fit():
    data, seen = patients(60), []
    groups = np.repeat(np.arange(20), 3)
    compare(data, models={"mine": Recorder(seen)}, fusions=[], groups=groups, cv=2)
    assert len(seen) == 2
    for rows, given_groups in seen:
        positions = data.X.index.get_indexer(rows)
        np.testing.assert_array_equal(groups[positions], given_groups)
        outside = np.setdiff1d(np.arange(60), positions)
        assert not set(groups[positions]) & set(groups[outside])


def test_fold_without_events_among_those_left_out():
    data = patients(60)
    event, train, test = np.arange(60) < 40, np.arange(40), np.arange(40, 60)
    y = make_survival_y(event, np.arange(1, 61.0))
    table, folds = compare_fusions(
        data.X,
        y,
        BLOCKS,
        cv=[(train, test), (np.arange(0, 60, 2), np.arange(1, 60, 2))],
        fusions=["concat"],
        random_state=0,
        return_folds=True,
    )
    assert folds.set_index("fold")["concordance"].groupby("fold").count().tolist() == [0, 5]
    assert table["concordance"].notna().all()


def test_an_error_of_a_fit_names_the_fold():
    data = patients(60)
    y = np.where(np.arange(60) < 3, "rare", np.array(["no", "yes"])[data.y])  # 2 in one fold
    with pytest.raises(ValueError, match=r"Fold \d: y has a class that is too rare"):
        compare_fusions(data.X, y, BLOCKS, cv=2, fusions=["concat"], random_state=0)


@pytest.mark.parametrize(
    "y", [np.repeat([0, 1], 30), make_survival_y(np.arange(60) > 29, [1.0] * 60)]
)
def test_fold_with_nothing_to_learn(y):
    folds = [(np.arange(0, 60, 2), np.arange(1, 60, 2)), (np.arange(30), np.arange(30, 60))]
    with pytest.raises(ValueError, match=r"fold 1 of cv has no .* among its 30 training patients"):
        compare_fusions(patients(60).X, y, BLOCKS, cv=folds)


def test_whole_numbers_are_no_classes_to_encoders():
    data = patients(60, task="regression")
    days = np.arange(60)  # each once: as classes too rare, and no encoder is told the task
    blocks = [BLOCKS[0], ("image", "image", "image__ct")]
    encoder = ImageEncoder(16, n_components=1, cv=2, max_epochs=1, random_state=0)
    model = BlockBaseline(blocks, task="regression", image_encoder=encoder).fit(data.X, days)
    assert model._encoding.names_[1][0] == "prediction"


def test_given_folds_and_model():
    data, seen = patients(60), []
    folds = list(KFold(3).split(data.X))
    table, records = compare(
        data, models={"mine": Recorder(seen)}, cv=folds, return_folds=True, fusions=()
    )
    assert table.attrs["reference"] == "mine"
    expected = [roc_auc_score(data.y[test], data.X["clin__age"].iloc[test]) for _, test in folds]
    mine = records[records["model"] == "mine"]
    np.testing.assert_allclose(mine["auroc"], expected)
    assert [rows for rows, _ in seen] == [tuple(data.X.index[train]) for train, _ in folds]


def test_pure_noise_is_at_chance():
    data, rng = patients(100), np.random.default_rng(0)
    data.y = rng.permutation(data.y)
    table = compare(data, cv=2)
    assert table["auroc"].between(0.3, 0.7).all()


def test_x_is_not_changed_and_labels_may_be_words():
    data = patients(60, missing={"gene": 0.2})
    before = data.X.copy()
    words = np.array(["well", "ill"], dtype=object)[data.y]
    table = compare_fusions(data.X, words, BLOCKS, cv=2, fusions="late", random_state=0)
    pd.testing.assert_frame_equal(data.X, before)
    assert table["model"][0] == "MultimodalClassifier, late"
    assert "clin alone" not in set(table["model"])


@pytest.mark.parametrize("names", [["1", "2"], ["1", "2", "3a"]])
def test_labels_may_be_written_as_digits(names):
    data = patients(60, n_classes=len(names))
    options = {"cv": 2, "fusions": "late", "random_state": 0}
    words = np.array(list("abc"))[data.y]
    expected = compare_fusions(data.X, words, BLOCKS, **options)
    found = compare_fusions(data.X, np.array(names)[data.y], BLOCKS, **options)
    scores = list(expected.attrs["scoring"])
    pd.testing.assert_frame_equal(found[["model", *scores]], expected[["model", *scores]])


@pytest.mark.parametrize("task", ["classification", "regression", "survival"])
def test_own_score_may_ask_the_model(task):
    table = compare(patients(60, task=task), cv=2, scoring=lambda m, X, y: m.score(X, y))
    assert np.isfinite(table.iloc[:, 1]).all()


def test_own_score():
    table = compare(patients(60, task="regression"), cv=2, scoring="neg_mean_absolute_error")
    assert (table["neg_mean_absolute_error"] < 0).all()

    def zero(model, X, y):
        return 0.0

    table = compare(patients(60, task="survival"), cv=2, scoring=zero)
    assert (table["zero"] == 0).all()
    assert (table["zero_p_value"].iloc[1:] == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusions": ["early"]}, "fusions has 'early'; it may hold"),
        ({"fusions": []}, "fusions is empty and models is None"),
        ({"models": {"late fusion": ours()}}, "models has 'late fusion', the name of another row"),
        ({"cv": 1}, "cv must be at least 2"),
        ({"groups": [1]}, "groups must have one value per patient"),
        ({"cv": [(np.arange(20), np.arange(15, 30))]}, "fold 0 of cv has 5 of its 15 held-out"),
        ({"cv": [(np.arange(20), np.arange(20, 40))]}, "positions between 0 and 29"),
    ],
)
def test_wrong_input(options, message):
    with pytest.raises(ValueError, match=message):
        compare(patients(30), **options)


def test_wrong_base_models_and_survival_score():
    data = patients(30)
    with pytest.raises(ValueError, match="base='text' is not the name of a block"):
        compare_fusions(data.X, data.y, BLOCKS, base="text")
    with pytest.raises(TypeError, match="models must be a dict"):
        compare(data, models=[ours()])
    with pytest.raises(TypeError, match=r"models\['mine'\] must be an estimator"):
        compare(data, models={"mine": 3})
    with pytest.raises(TypeError, match="fusions must be a sequence of names, found NoneType"):
        compare(data, fusions=None)
    with pytest.raises(TypeError, match="scoring must be the name of a scorer"):
        compare(data, scoring=["f1"])
    with pytest.raises(ValueError, match="scoring='accuracy' is not for survival"):
        compare(patients(30, task="survival"), scoring="accuracy")


# --- the simple models and the scores -----------------------------------------------------------


def test_a_block_alone_knows_nothing_of_the_others():
    data = patients(80, missing={"gene": 0.3})
    model = baseline_fusions(BLOCKS, random_state=0)["LASSO, gene"].fit(data.X, data.y)
    other = data.X.copy()
    other[[c for c in other if c.startswith("clin__")]] = np.nan
    other = other[other.filter(like="gene__").notna().any(axis=1)]
    np.testing.assert_array_equal(
        model.predict_proba(other), model.predict_proba(data.X.loc[other.index])
    )


def test_late_fusion_is_the_mean_of_the_blocks_there_are():
    data = patients(80, task="survival", missing={"gene": 0.3})
    options = {"task": "survival"}
    parts = {
        name: BlockBaseline(BLOCKS, use=name, **options).fit(data.X, data.y).predict(data.X)
        for name in ("clin", "gene")
    }
    late = BlockBaseline(BLOCKS, rule="late", **options).fit(data.X, data.y)
    has = data.X.filter(like="gene__").notna().any(axis=1).to_numpy()
    both = (parts["clin"] + parts["gene"]) / 2
    np.testing.assert_allclose(late.predict(data.X), np.where(has, both, parts["clin"]))


def test_probabilities_have_the_shares_of_the_classes():
    data = patients(200)
    rare = np.flatnonzero(data.y == 1)[:20]
    rows = np.sort(np.r_[rare, np.flatnonzero(data.y == 0)])
    model = BlockBaseline(BLOCKS).fit(data.X.iloc[rows], data.y[rows])
    found = model.predict_proba(data.X.iloc[rows])
    assert found[:, 1].mean() == pytest.approx(data.y[rows].mean(), abs=0.1)
    # balanced before, so that the rare class is predicted more often than its share
    assert (model.predict(data.X.iloc[rows]) == 1).mean() > data.y[rows].mean()


def test_cloned_and_refitted_is_equal():
    data = patients(60, task="regression")
    options = {"base": "clin", "task": "regression", "random_state": 0}
    for model in baseline_fusions(BLOCKS, **options).values():
        first = clone(model).fit(data.X, data.y).predict(data.X)
        np.testing.assert_array_equal(first, model.fit(data.X, data.y).predict(data.X))


def test_scores_agree_with_others():
    data = patients(60, n_classes=3)
    model = BlockBaseline(BLOCKS).fit(data.X, data.y)
    scorers = find_scorers(None, "classification", data.y, model)
    found = scorers["log_loss"](model, data.X, data.y)
    assert found == pytest.approx(log_loss(data.y, model.predict_proba(data.X)))
    lacking = data.y != 2
    recalls = [np.mean(model.predict(data.X)[data.y == k] == k) for k in (0, 1)]
    found = scorers["balanced_accuracy"](model, data.X[lacking], data.y[lacking])
    assert found == pytest.approx(np.mean(recalls))
    assert np.isfinite(scorers["log_loss"](model, data.X[lacking], data.y[lacking]))


# --- missing blocks -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    data = patients(160, missing={"gene": 0.25}, effect={"gene": 2.0})
    model = ours("stacked").fit(data.X[:100], data.y[:100])
    return model, data.X[100:], data.y[100:]


def test_stress_test(fitted):
    model, X, y = fitted
    before = X.copy()
    table = stress_missing_modalities(model, X, y)
    pd.testing.assert_frame_equal(X, before)
    rows = table.set_index(["scenario", "block", "share"])
    assert len(rows) == 1 + 2 + 2 + 6
    whole = rows.loc["all", "", 0.0]
    assert whole["score"] == pytest.approx(roc_auc_score(y, model.decision_function(X)))
    assert (whole["drop"], whole["n_patients"]) == (0, 60)
    # only genes: those who have them, against the same patients
    has = X.filter(like="gene__").notna().any(axis=1).to_numpy()
    only = rows.loc["only", "gene", 1.0]
    assert only["n_patients"] == has.sum()
    hidden = X[has].copy()
    hidden[[c for c in X if c.startswith("clin__")]] = np.nan
    score = roc_auc_score(y[has], model.decision_function(hidden))
    reference = roc_auc_score(y[has], model.decision_function(X[has]))
    assert only["score"] == pytest.approx(score)
    assert only["drop"] == pytest.approx(reference - score)
    same = rows.loc["without", "clin", 1.0]
    np.testing.assert_allclose(same.to_numpy(), only.to_numpy())
    pd.testing.assert_frame_equal(table, stress_missing_modalities(model, X, y))
    other = stress_missing_modalities(model, X, y, random_state=1)
    assert not table.equals(other)
    assert table[:5].equals(other[:5])


def test_a_block_that_matters_is_missed():
    data = patients(200, effect={"clin": 0, "report": 0, "image": 0, "gene": 3.0}, noise=0.5)
    model = ours("concat").fit(data.X[:120], data.y[:120])
    table = stress_missing_modalities(model, data.X[120:], data.y[120:])
    drop = table.set_index(["scenario", "block", "share"])["drop"]
    assert drop["without", "gene", 1.0] > 0.1
    assert drop["random", "gene", 0.25] < drop["random", "gene", 0.75]
    assert abs(drop["without", "clin", 1.0]) < 0.1


def test_stress_test_of_any_model():
    data = patients(80, task="survival")
    model = make_pipeline(BlockBaseline(BLOCKS, task="survival")).fit(data.X, data.y)
    table = stress_missing_modalities(model, data.X, data.y, blocks=BLOCKS)
    found = concordance_index(data.y, model.predict(data.X))
    assert table["score"][0] == pytest.approx(found)
    with pytest.raises(ValueError, match="Pipeline has no blocks_; pass blocks"):
        stress_missing_modalities(model, data.X, data.y)
    with pytest.raises(NotFittedError):
        stress_missing_modalities(ours(), data.X, data.y)


def test_models_of_arrays_get_arrays():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 6)), np.arange(60) % 2
    blocks = [("a", "table", [0, 1]), ("b", "table", slice(2, None))]
    # both would fail on a DataFrame: by its indexing, by a warning of names that fit did not see
    first = make_pipeline(FunctionTransformer(lambda X: X[:, :3]), HistGradientBoostingClassifier())
    table = compare_fusions(X, y, blocks, cv=2, fusions=[], models={"first": first}, random_state=0)
    assert np.isfinite(table["auroc"]).all()
    table = stress_missing_modalities(first.fit(X, y), X, y, blocks=blocks)
    assert table["score"][0] == pytest.approx(roc_auc_score(y, first.predict_proba(X)[:, 1]))


def test_stress_test_of_a_search():
    data = patients(60)
    search = GridSearchCV(ours(), {"fusion": ["concat", "late"]}, cv=2).fit(data.X, data.y)
    table = stress_missing_modalities(search, data.X, data.y)
    best = stress_missing_modalities(search.best_estimator_, data.X, data.y)
    pd.testing.assert_frame_equal(table, best)


@pytest.mark.parametrize("values", [2, 13])
def test_stress_test_of_whole_numbers(values):
    """They are classes to a classifier only."""
    data = patients(task="regression", effect=2.0)
    y = np.digitize(data.y, np.quantile(data.y, np.linspace(0, 1, values + 1)[1:-1]))
    model = MultimodalRegressor(BLOCKS, max_epochs=0, n_permutations=2, random_state=0)
    table = stress_missing_modalities(model.fit(data.X, y), data.X, y)
    assert table["score"][0] == pytest.approx(model.score(data.X, y))


def test_stress_test_knows_the_classes_of_the_model(fitted):
    model, X, y = fitted
    expected = stress_missing_modalities(model, X, y)
    for same in (y.astype(object), y.astype(float), pd.Series(y, dtype="Int64"), y.tolist()):
        pd.testing.assert_frame_equal(stress_missing_modalities(model, X, same), expected)
    other = np.where(y == 1, "a_dead", "b_alive")
    with pytest.raises(ValueError, match="other classes than the estimator was fitted on"):
        stress_missing_modalities(model, X, other)


def test_no_events_among_those_left():
    y = make_survival_y(np.r_[np.ones(30, bool), np.zeros(30, bool)], np.arange(1, 61.0))
    data = patients(60, task="survival")
    X = data.X.copy()
    X.loc[X.index[:30], [c for c in X if c.startswith("gene__")]] = np.nan
    model = BlockBaseline(BLOCKS, task="survival").fit(X, y)
    table = stress_missing_modalities(model, X, y, blocks=BLOCKS)
    only = table[(table["scenario"] == "only") & (table["block"] == "gene")]
    assert only["score"].isna().all()
    assert only["n_patients"].item() == 30


@given(seed=st.integers(0, 2**16))
@settings(max_examples=20)
def test_only_what_is_hidden_goes(seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.integers(0, 9, 6),
            "b": rng.normal(size=6),
            "c": rng.integers(0, 2, 6).astype(bool),
            "d": pd.Categorical(rng.choice(["x", "y"], 6)),
            "e": ["some", "text", "in", "a", "block", "here"],
            "f": [b"png", [b"png", b"png"], b"png", b"png", b"png", b"png"],
        },
        index=rng.permutation(6),
    )
    blocks = [("one", "table", ["c", "a"]), ("two", "text", "e"), ("three", "image", "f")]
    blocks = resolve_blocks([*blocks, ("four", "table", ["d"])], X)
    hidden = rng.random((6, 4)) < 0.5
    before = X.copy()
    found = hide_blocks(X, blocks, hidden)
    pd.testing.assert_frame_equal(X, before)
    assert list(found.columns) == list(X.columns)
    assert found.index.equals(X.index)
    lost = dict(zip("caefd", hidden[:, [0, 0, 1, 2, 3]].T, strict=True))
    for column in X:
        gone = found[column].isna().to_numpy()
        np.testing.assert_array_equal(gone, lost.get(column, np.zeros(6, dtype=bool)))
        assert found[column][~gone].tolist() == X[column][~gone].tolist()
