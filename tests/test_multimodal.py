"""The multimodal estimators: every rule and task, bad input, and what they say was found."""

import pickle
import re
from functools import cache, partial
from importlib.util import find_spec
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_selector
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_medsel import (
    ImageEncoder,
    MultimodalClassifier,
    MultimodalCox,
    MultimodalRegressor,
    make_patients,
    make_survival_y,
    persistence,
)
from sklearn_medsel.multimodal._inner_folds import inner_folds
from sklearn_medsel.multimodal._outcomes import Binary, Numbers
from sklearn_medsel.survival import concordance_index

FUSIONS = ["residual", "late", "stacked", "gated", "concat"]
TASKS = ["binary", "three", "regression", "survival"]
CLASSES = {
    "binary": MultimodalClassifier,
    "three": MultimodalClassifier,
    "regression": MultimodalRegressor,
    "survival": MultimodalCox,
}
BLOCKS = [("a", "table", "a_*"), ("b", "table", "b_*"), ("c", "table", "c_*")]
SIZES = {"a": 6, "b": 10, "c": 8}
EFFECTS = {"a": 1.0, "b": 1.0, "c": 0.0}
BRIEF = {"max_epochs": 4, "n_permutations": 50, "cv": 3, "random_state": 0}
FAST = BRIEF | {"max_epochs": 0}


def make(task="binary", n=100, *, seed=0, effects=EFFECTS, pair=0.0, noise=0.5, sizes=SIZES):
    """Patients whose outcome depends on the first two features of the blocks with an effect.

    The first raises and the second lowers the score; `pair` is the effect of a_3 * b_3.
    """
    rng = np.random.default_rng(seed)
    columns = [f"{block}_{k}" for block, size in sizes.items() for k in range(size)]
    X = pd.DataFrame(rng.normal(size=(n, len(columns))), columns=columns)
    X.index = [f"patient{k}" for k in range(n)]
    score = sum(size * (X[f"{b}_0"] - 0.7 * X[f"{b}_1"]) for b, size in effects.items())
    score = np.asarray(score) + noise * rng.logistic(size=n)
    if pair:
        score = score + pair * np.asarray(X["a_3"] * X["b_3"])
    if task == "binary":
        return X, np.where(score > np.median(score), "yes", "no")
    if task == "three":
        return X, np.argsort(np.argsort(score)) * 3 // n
    if task == "regression":
        return X, 50 + 10 * score
    time = np.exp(-score) * rng.exponential(size=n)
    censored = rng.exponential(3 * np.median(time), size=n)
    return X, make_survival_y(time <= censored, np.minimum(time, censored))


def estimator(task="binary", fusion="residual", blocks=BLOCKS, **options):
    return CLASSES[task](blocks, fusion=fusion, **({"base": "a"} | BRIEF | options))


@cache
def fitted(task="binary", fusion="residual", **options):
    """A fitted model and its patients; not to be changed."""
    X, y = make(task)
    return estimator(task, fusion, **options).fit(X, y), X, y


def decision(model, X):
    """Scores on their own scale, two-dimensional."""
    values = getattr(model, "decision_function", model.predict)(X)
    if isinstance(model, MultimodalRegressor):
        values = (values - model.target_mean_) / model.target_scale_
    return values[:, None] if values.ndim == 1 else values


def auc(y, score):
    return roc_auc_score(y == "yes", score)


each_rule = pytest.mark.parametrize("fusion", FUSIONS)
each_task = pytest.mark.parametrize("task", TASKS)


# --- every rule, every task ----------------------------------------------------------------------


@each_rule
@each_task
def test_every_rule_fits_every_task(task, fusion):
    model, X, y = fitted(task, fusion)
    n_outputs = 3 if task == "three" else 1
    assert model.oof_score_.shape == ((100, 3) if task == "three" else (100,))
    scores = decision(model, X)
    assert scores.shape == (100, n_outputs)
    for values in (scores, model.oof_score_, model.transform(X)):
        assert np.isfinite(values).all()
    if n_outputs > 1 or task == "binary":
        proba = model.predict_proba(X)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        predicted = model.predict(X)
        np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], predicted)
        assert set(predicted) <= set(y)
    assert model.blocks_ == [(b, "table", [f"{b}_{k}" for k in range(s)]) for b, s in SIZES.items()]
    assert model.base_ == "a"
    for table, n_rows in (
        (model.feature_importances_, 24),
        (model.modality_importances_, 3),
        (model.modality_contributions_, 100),
        (model.interactions_, 3),
    ):
        assert len(table) == n_rows
        assert np.isfinite(table.select_dtypes("number").to_numpy()).all()


@each_rule
@each_task
def test_every_rule_learns(task, fusion):
    """On patients of the same kind that it has not seen."""
    X, y = make(task, 400)
    # a network alone needs its steps
    options = {"max_epochs": 40} if fusion == "gated" else {}
    model = estimator(task, fusion, **options).fit(X[:120], y[:120])
    new, truth = X[120:], y[120:]
    if task == "binary":
        assert auc(truth, model.decision_function(new)) > 0.8
    elif task == "three":
        assert model.score(new, truth) > 0.5  # chance is a third
    elif task == "regression":
        assert model.score(new, truth) > 0.5
        assert np.abs(model.predict(new).mean() - truth.mean()) < 4, "in the units of y"
    else:
        assert model.score(new, truth) > 0.7
        assert model.score(new, truth) == concordance_index(truth, model.predict(new))


@each_rule
def test_the_same_seed_gives_the_same_model(fusion):
    model, X, y = fitted("binary", fusion)
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    np.testing.assert_array_equal(again.oof_score_, model.oof_score_)
    for name in ("feature_importances_", "modality_importances_", "interactions_"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(model, name))
    other = clone(model).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(other.oof_score_, model.oof_score_)


@pytest.mark.parametrize("random_state", [0, None])
def test_global_generators_and_data_are_left_alone(random_state):
    X, y = make()
    X.iloc[3, 4] = np.nan
    before = X.copy(deep=True), y.copy()
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    model = estimator(random_state=random_state).fit(X, y)
    model.predict(X), model.explain_modalities(X), model.transform(X)
    if random_state is not None:  # None means numpy's global generator, as in scikit-learn
        np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[0])
    pd.testing.assert_frame_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


@each_task
def test_pickled_and_read_back(task):
    model, X, _ = fitted(task)
    back = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(decision(back, X), decision(model, X))
    pd.testing.assert_frame_equal(back.feature_importances_, model.feature_importances_)
    pd.testing.assert_frame_equal(back.modality_contributions_, model.modality_contributions_)


@pytest.mark.parametrize("cls", dict.fromkeys(CLASSES.values()), ids=lambda cls: cls.__name__)
def test_unfitted(cls):
    model = clone(cls(BLOCKS, base="b", n_interactions=2))
    assert model.get_params()["base"] == "b"
    assert model.get_params()["n_interactions"] == 2
    X, _ = make()
    methods = ["predict", "transform", "explain_modalities", "get_feature_names_out"]
    methods += ["decision_function", "predict_proba"] * (cls is MultimodalClassifier)
    for name in methods:
        with pytest.raises(NotFittedError):
            getattr(model, name)(*([X] if name != "get_feature_names_out" else []))
    for name in ("feature_importances_", "modality_importances_", "interactions_", "oof_score_"):
        assert not hasattr(model, name)
    with pytest.raises((AttributeError, NotFittedError)):
        _ = model.availability_


def test_what_is_left_after_fit_is_plain():
    model, _, _ = fitted()
    public = {k: v for k, v in vars(model).items() if k.endswith("_") and not k.startswith("_")}
    plain = (np.ndarray, np.generic, str, float, int, list, dict, type(None))
    assert not [k for k, v in public.items() if not isinstance(v, plain)]
    assert b"torch" not in pickle.dumps(model)
    assert b"skorch" not in pickle.dumps(model)


def test_target_as_a_series_list_or_array():
    model, X, y = fitted()
    for given in (pd.Series(y, index=range(500, 600)), list(y)):
        other = estimator().fit(X, given)
        np.testing.assert_array_equal(other.decision_function(X), model.decision_function(X))


def test_columns_of_fit_are_told_as_in_scikit_learn():
    X, y = make()
    model = make_pipeline(estimator(blocks=BLOCKS[:2], **FAST)).fit(X, y)
    assert model.n_features_in_ == X.shape[1]
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    other = estimator(blocks=[("a", "table", slice(0, 6))], **FAST).fit(X, y)
    other.fit(X.to_numpy(), y)
    assert other.n_features_in_ == X.shape[1]
    assert not hasattr(other, "feature_names_in_")


def test_an_array_with_columns_by_position():
    model, X, y = fitted("regression")
    blocks = [
        ("a", "table", slice(0, 6)),
        ("b", "table", slice(6, 16)),
        ("c", "table", [*range(16, 24)]),
    ]
    other = estimator("regression", blocks=blocks).fit(X.to_numpy(), y)
    np.testing.assert_allclose(other.predict(X.to_numpy()), model.predict(X), rtol=1e-6)
    assert len(other.modality_contributions_) == 100
    shifted = np.column_stack([np.arange(100), X])  # say, with numbers of patients before them
    with pytest.raises(ValueError, match="array of 25 columns, and there were 24 at fit"):
        other.predict(shifted)


def test_a_repeated_index_is_harmless():
    model, X, y = fitted()
    same = X.set_axis([0] * len(X))
    other = estimator().fit(same, y)
    np.testing.assert_array_equal(other.predict_proba(same), model.predict_proba(X))
    assert other.modality_contributions_.index.tolist() == [0] * len(X)


@pytest.mark.parametrize(
    "columns", [re.compile("^b_"), make_column_selector(pattern="^b_"), lambda X: slice(6, 16)]
)
def test_columns_chosen_by_a_pattern_or_a_callable_are_stored_by_name(columns, tmp_path):
    X, y = make()
    blocks = [BLOCKS[0], ("b", "table", columns)]
    model = estimator(blocks=blocks, **FAST).fit(X, y)
    names = [("a", "table", "a_*"), ("b", "table", [f"b_{k}" for k in range(10)])]
    restored = [pickle.loads(pickle.dumps(model))]
    if find_spec("skops") is not None:
        persistence.save(model, tmp_path / "model.skops")
        restored.append(persistence.load(tmp_path / "model.skops"))
    for other in restored:
        assert other.blocks == names
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(clone(other).fit(X, y).oof_score_, model.oof_score_)
    assert model.blocks is blocks


def test_numbers_of_numpy_and_paths_are_as_good(tmp_path):
    X, y = make()
    model = estimator(max_epochs=np.int64(2), image_root=tmp_path).fit(X, y)
    np.testing.assert_array_equal(model.oof_score_, estimator(max_epochs=2).fit(X, y).oof_score_)
    restored = pickle.loads(pickle.dumps(model))
    assert restored.image_root == str(tmp_path)


@pytest.mark.parametrize("task", ["binary", "survival"])
def test_few_of_many_genes_are_found_beside_a_base(task):
    """One block that learns what the base leaves over has sparse models, too."""
    sizes, blocks = {"a": 3, "b": 600}, BLOCKS[:2]
    X, y = make(task, 150, effects={"a": 1.0, "b": 2.0}, sizes=sizes)
    model = estimator(task, blocks=blocks, **FAST).fit(X, y)
    new, y_new = make(task, 300, seed=1, effects={"a": 1.0, "b": 2.0}, sizes=sizes)
    base_only = estimator(task, blocks=blocks[:1], **FAST).fit(X, y)
    assert model.score(new, y_new) > base_only.score(new, y_new) + 0.1
    leading = model.feature_importances_.sort_values("importance", ascending=False)
    assert {"b_0", "b_1"} <= set(leading["feature"].head(5))


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(100, name="patient"),
        pd.Index([f"p{k}" for k in range(100)], name="patient"),
        pd.DatetimeIndex(pd.date_range("2020-02-01", periods=100).to_numpy(), name="admitted"),
        pd.MultiIndex.from_product([range(10), list("abcdefghij")], names=["centre", "patient"]),
    ],
)
def test_contributions_are_labelled_like_the_patients(index, tmp_path):
    X, y = make()
    model = estimator(**FAST).fit(X.set_axis(index), y)
    pd.testing.assert_index_equal(model.modality_contributions_.index, index, exact="equiv")
    if find_spec("skops") is not None:
        persistence.save(model, tmp_path / "model.skops")
        model = persistence.load(tmp_path / "model.skops")
        pd.testing.assert_index_equal(model.modality_contributions_.index, index, exact="equiv")


def test_units_of_the_columns_do_not_matter():
    X, y = make("regression")
    model = estimator("regression", max_epochs=0).fit(X, y)
    other = estimator("regression", max_epochs=0).fit(1000 * X + 5, y)
    np.testing.assert_allclose(other.predict(1000 * X + 5), model.predict(X), rtol=1e-5)


@pytest.mark.parametrize("base", [None, "a"])
def test_one_block_alone(base):
    X, y = make()
    model = estimator(blocks=BLOCKS[:1], base=base).fit(X, y)
    assert auc(y, model.decision_function(X)) > 0.7
    assert len(model.interactions_) == 0
    assert "pvalue" in model.interactions_
    assert model.modality_importances_["block"].tolist() == ["a"]


# --- scikit-learn --------------------------------------------------------------------------------


def test_grid_search_over_the_rule_of_fusion():
    X, y = make()
    search = GridSearchCV(estimator(**FAST), {"fusion": ["residual", "late", "concat"]}, cv=2)
    search.fit(X, y)
    assert search.best_params_["fusion"] in FUSIONS
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("task", ["binary", "survival"])
def test_in_a_pipeline_and_in_cross_validation(task):
    X, y = make(task)
    pipe = make_pipeline(FunctionTransformer(np.sinh), estimator(task, **FAST))
    scores = cross_val_score(pipe, X, y, cv=2)
    assert scores.min() > 0.55
    assert pipe.fit(X, y).predict(X).shape == (100,)


def test_set_output_gives_a_frame():
    X, y = make()
    model = estimator(**FAST).fit(X, y)
    frame = clone(model).fit(X, y).set_output(transform="pandas").transform(X)
    assert frame.columns.tolist() == model.get_feature_names_out().tolist()
    assert frame.index.tolist() == X.index.tolist()
    np.testing.assert_array_equal(frame.to_numpy(), model.transform(X))


@each_rule
@each_task
def test_the_fused_representation_adds_up_to_the_score(task, fusion):
    model, X, _ = fitted(task, fusion)
    columns, names = model.transform(X), model.get_feature_names_out()
    assert columns.shape == (100, len(names))
    assert len(set(names)) == len(names)
    scores = decision(model, X)
    k = scores.shape[1]
    for output in range(k):
        rest = scores[:, output] - columns[:, output::k].sum(axis=1)
        np.testing.assert_allclose(rest, rest[0], atol=1e-6)
        if k > 1:
            assert all(name.endswith(f"_{output}") for name in names[output::k])


class Counter:
    """Counts the steps of a fit, and asks to stop after some of them."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.stop_after, self.n_begun, self.n_done = stop_after, 0, 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **given):
        self.n_begun += 1

    def on_fit_task_end(self, estimator, context, **given):
        self.n_done += 1
        return self.stop_after is not None and self.n_done >= self.stop_after


@each_rule
@pytest.mark.parametrize("base", [None, "a"])
def test_callbacks_see_the_steps(fusion, base):
    X, y = make()
    seen = Counter()
    model = estimator(fusion=fusion, base=base).set_callbacks(seen).fit(X, y)
    assert seen.n_begun == seen.n_done
    at_least = 4 if fusion in ("residual", "gated") else 1  # the epochs of the network
    assert seen.n_done >= 1 + at_least
    plain = estimator(fusion=fusion, base=base).fit(X, y)
    np.testing.assert_array_equal(model.oof_score_, plain.oof_score_)


@each_rule
@pytest.mark.parametrize("stop_after", [1, 4])
def test_stopping_early_leaves_a_model(fusion, stop_after):
    X, y = make()
    model = estimator(fusion=fusion, max_epochs=5).set_callbacks(Counter(stop_after)).fit(X, y)
    assert np.isfinite(model.decision_function(X)).all()
    assert np.isfinite(model.modality_importances_["importance"]).all()
    assert len(model.feature_importances_) == 24


@pytest.mark.skipif(find_spec("rich") is None, reason="scikit-learn's progress bar needs rich")
def test_progress_bar(capsys):
    from sklearn.callback import ProgressBar

    X, y = make()
    estimator().set_callbacks(ProgressBar()).fit(X, y)
    assert "MultimodalClassifier" in capsys.readouterr().out


# --- as many features as asked for ---------------------------------------------------------------


@each_rule
@pytest.mark.parametrize("n_features", [1, 4, 24])
def test_as_many_features_as_asked_for(fusion, n_features):
    model, X, _ = fitted("binary", fusion, n_features_to_select=n_features)
    table = model.feature_importances_
    assert table["selected"].sum() == n_features
    used = table.loc[table["selected"], "feature"]
    rng = np.random.default_rng(1)
    other = X.copy()
    for name in set(X.columns) - set(used):
        other[name] = rng.permutation(X[name])
    was, now = model.decision_function(X), model.decision_function(other)
    np.testing.assert_allclose(now, was, atol=1e-6)
    if n_features == 4:
        other[used.iloc[0]] = rng.permutation(X[used.iloc[0]])
        assert not np.allclose(model.decision_function(other), model.decision_function(X))


def test_a_base_that_says_nothing_leaves_its_place_to_others():
    X, y = make(n=150, effects={"a": 0.0, "b": 1.5, "c": 0.0})
    model = estimator(n_features_to_select=3, **FAST).fit(X[:100], y[:100])
    table = model.feature_importances_
    assert {"b_0", "b_1"} < set(table.loc[table["selected"], "feature"])
    assert auc(y[100:], model.decision_function(X[100:])) > 0.8


@pytest.mark.parametrize("task", ["regression", "survival"])
def test_rows_of_a_patient_that_differ_are_no_patients_of_their_own(task):
    """Noise, four rows of each patient: features are those of the patient, as is the outcome."""
    n_selected = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        patient = np.repeat(np.arange(40), 4)
        X = pd.DataFrame(rng.normal(size=(40, 20))[patient]).add_prefix("a_")
        X["b_0"] = rng.normal(size=160)
        y = rng.normal(size=40)[patient] + 0.05 * rng.normal(size=160)
        if task == "survival":
            y = make_survival_y(np.ones(160, dtype=bool), np.exp(y))
        blocks = [("a", "table", "a_*"), ("b", "table", "b_0")]
        model = CLASSES[task](blocks, **FAST).fit(X, y, groups=patient)
        n_selected.append(model.feature_importances_["selected"].sum())
    assert sum(n_selected) <= 2


def test_pairs_keep_to_the_features_that_are_selected():
    X, y = make("regression", 150, pair=2.0, effects={"a": 1.0, "b": 1.0})
    options = FAST | {"n_permutations": 200}
    model = estimator("regression", n_features_to_select=4, **options).fit(X, y)
    table = model.feature_importances_
    other = X.copy()
    for name in table.loc[~table["selected"], "feature"]:
        other[name] = X[name].to_numpy()[::-1]
    np.testing.assert_allclose(model.predict(other), model.predict(X))


def test_features_that_matter_are_found():
    X, y = make("regression", 150)
    model = estimator("regression", n_features_to_select=4, **FAST | {"base": None}).fit(X, y)
    table = model.feature_importances_
    assert set(table.loc[table["selected"], "feature"]) == {"a_0", "a_1", "b_0", "b_1"}


def test_against_decoys_noise_is_not_selected():
    found = []
    for seed in range(8):
        X, y = make("regression", seed=seed, effects={"a": 0.0})
        model = estimator("regression", **FAST | {"random_state": seed}).fit(X, y)
        found.append(model.feature_importances_["selected"].any())
    assert np.mean(found) <= 0.25


def test_against_decoys_what_matters_is_selected():
    """Also where it stands alone among few features."""
    X, y = make("regression", 150, noise=0.3)
    table = estimator("regression", **FAST).fit(X, y).feature_importances_
    selected = set(table.loc[table["selected"], "feature"])
    assert selected >= {"a_0", "a_1", "b_0", "b_1"}
    assert len(selected) <= 6


# --- the base first ------------------------------------------------------------------------------


LINEAR = {"a": 5, "b": 20, "c": 15}


@pytest.mark.parametrize("task", ["binary", "survival"])
def test_other_blocks_that_say_nothing_do_no_harm(task):
    lost = []
    for seed in range(6):
        X, y = make(task, 520, seed=seed, effects={"a": 1.0}, sizes=LINEAR)
        train, new = slice(0, 120), slice(120, None)
        scores = []
        for blocks in (BLOCKS, BLOCKS[:1]):
            model = estimator(task, blocks=blocks, random_state=seed, max_epochs=5)
            model.fit(X[train], y[train])
            score = partial(auc, y[new]) if task == "binary" else partial(concordance_index, y[new])
            scores.append(score(decision(model, X[new])[:, 0]))
        lost.append(scores[1] - scores[0])
    assert np.mean(lost) <= 0.01


@pytest.mark.parametrize("task", ["binary", "survival"])
def test_other_blocks_that_say_something_help(task):
    gained = []
    for seed in range(4):
        X, y = make(task, 520, seed=seed, effects={"a": 1.0, "b": 1.0}, sizes=LINEAR)
        train, new = slice(0, 120), slice(120, None)
        scores = []
        for blocks in (BLOCKS, BLOCKS[:1]):
            model = estimator(task, blocks=blocks, random_state=seed, max_epochs=5)
            model.fit(X[train], y[train])
            score = partial(auc, y[new]) if task == "binary" else partial(concordance_index, y[new])
            scores.append(score(decision(model, X[new])[:, 0]))
        gained.append(scores[0] - scores[1])
    assert np.mean(gained) > 0.03


def test_weights_are_not_negative_and_the_base_has_one():
    X, y = make(effects={"b": 1.0})
    weights = estimator().fit(X, y).term_weights_.set_index("term")["weight"]
    assert (weights >= 0).all()
    assert weights["a"] > 0


def test_no_head_no_pairs():
    X, y = make("regression", 150, pair=3.0)
    model = estimator("regression", n_permutations=200, n_interactions=0).fit(X, y)
    assert not model.term_weights_["term"].str.contains(" x ").any()
    model = clone(model).set_params(n_interactions=4).fit(X, y)
    assert "a x b" in model.term_weights_["term"].tolist()


# --- missing blocks ------------------------------------------------------------------------------


def without(X, block, rows):
    """Patients of whom some lack a block."""
    X = X.copy()
    X.loc[rows, [name for name in X if name.startswith(block)]] = np.nan
    return X


@each_rule
@pytest.mark.parametrize("task", ["binary", "survival"])
def test_blocks_missing_at_fit_and_at_predict(task, fusion):
    X, y = make(task)
    some = X.index[np.arange(100) % 3 == 1]
    model = estimator(task, fusion).fit(without(X, "b", some), y)
    assert model.availability_["b"] == pytest.approx(0.67)
    assert model.availability_["a"] == 1
    for blocks in ("a", "b", "c", "ab", "bc", "ac"):
        new = X
        for block in blocks:
            new = without(new, block, X.index)
        scores = decision(model, new)
        assert np.isfinite(scores).all()
        shares = model.explain_modalities(new)
        np.testing.assert_allclose(shares[list(blocks)], 0, atol=1e-9)
    assert not model.modality_contributions_.loc[some, "b"].any()


def test_the_base_may_be_missing_too():
    X, y = make()
    some = X.index[np.arange(100) % 4 == 1]
    model = estimator().fit(without(X, "a", some), y)
    assert np.isfinite(model.decision_function(without(X, "a", X.index))).all()


def test_a_patient_with_nothing():
    model, X, y = fitted()
    nothing = X.copy()
    nothing.loc["patient7"] = np.nan
    for call in (partial(estimator().fit, y=y), model.predict, model.explain_modalities):
        with pytest.raises(ValueError, match="patient7"):
            call(nothing)


def test_single_missing_cells():
    model, X, y = fitted()
    holes = X.mask(np.random.default_rng(0).random(X.shape) < 0.2)
    assert np.isfinite(model.decision_function(holes)).all()
    assert auc(y, estimator().fit(holes, y).decision_function(holes)) > 0.7


@each_task
def test_availability_that_predicts_is_warned_of(task):
    X, y = make(task, effects={"a": 0.0})
    rank = {
        "binary": lambda: y == "yes",
        "three": lambda: y == 2,
        "regression": lambda: y > np.median(y),
        "survival": lambda: y["time"] > np.median(y["time"]),
    }[task]()
    with pytest.warns(UserWarning, match="'b' predicts y by itself"):
        estimator(task, **FAST).fit(without(X, "b", rank), y)
    # warnings are errors: at random there is none
    at_random = np.random.default_rng(0).random(100) < 0.4
    estimator(task, **FAST).fit(without(X, "b", at_random), y)


# --- columns at predict --------------------------------------------------------------------------


@pytest.mark.parametrize("fusion", ["residual", "gated"])
def test_order_type_and_other_columns_do_not_matter(fusion):
    X, y = make()
    X["a_0"] = np.round(3 * X["a_0"])
    model = estimator(fusion=fusion).fit(X, y)
    was = model.decision_function(X)
    same = partial(np.testing.assert_allclose, desired=was, rtol=1e-5, atol=1e-6)
    same(model.decision_function(X[X.columns[::-1]]))
    same(model.decision_function(X.assign(a_new=1.0, z="text")))
    same(model.decision_function(X.astype({"a_0": np.int64})))
    same(model.decision_function(X.astype({"a_0": object, "b_0": object})))
    same(model.decision_function(X.astype(np.float32)))
    same(model.decision_function(X[::-1])[::-1])
    same(np.concatenate([model.decision_function(X[k : k + 1]) for k in range(len(X))]))


def test_a_column_that_is_not_there():
    model, X, _ = fitted()
    for call in (model.predict, model.transform, model.explain_modalities):
        with pytest.raises(ValueError, match=r"block 'b'.*'b_4'"):
            call(X.drop(columns="b_4"))


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": [("a", "table", "a_*"), ("d", "table", [])]}, "block 'd' has no columns"),
        ({"blocks": [("a", "table", "a_*"), ("d", "table", "d_*")]}, "block 'd'.*'d_\\*'"),
        ({"blocks": [*BLOCKS, ("d", "table", ["b_3"])]}, "'b_3' is in two blocks, 'b' and 'd'"),
        ({"blocks": [*BLOCKS, ("a", "table", ["z"])]}, "'a'"),
        ({"blocks": []}, "blocks"),
        ({"blocks": [("a", "sound", "a_*")]}, "modality"),
        ({"base": "d"}, "base='d'.*'a', 'b', 'c'"),
        ({"n_features_to_select": 25}, "n_features_to_select=25.*24"),
        ({"n_features_to_select": 0}, "n_features_to_select"),
        ({"fusion": "early"}, "fusion"),
        ({"fusion": "gated", "max_epochs": 0}, "max_epochs"),
        ({"cv": 1}, "cv"),
    ],
)
def test_bad_parameters(options, message):
    X, y = make()
    options = {"blocks": BLOCKS} | options
    with pytest.raises(ValueError, match=message):
        estimator(**options).fit(X, y)


def test_too_many_blocks():
    X, y = make(sizes={"a": 13}, effects={"a": 1.0})
    blocks = [(f"a_{k}", "table", [f"a_{k}"]) for k in range(13)]
    with pytest.raises(ValueError, match="13 blocks"):
        estimator(blocks=blocks, base=None).fit(X, y)


@pytest.mark.parametrize(
    ("task", "y", "message"),
    [
        ("binary", ["yes"] * 100, "one class"),
        ("binary", ["yes", "no", "no"] * 33, "100 rows.*99"),
        ("binary", np.linspace(0, 1, 100), "label type"),
        ("binary", ["yes"] * 99 + ["no"], "y has a class that is too rare"),
        ("binary", np.array(["yes", None] * 50, dtype=object), "y is missing at rows 1, 3"),
        ("binary", np.array(["yes", 1] * 50, dtype=object), "types int, str"),
        ("binary", np.append(np.arange(99) % 2, np.nan), "y is missing at row 99"),
        ("binary", make_survival_y(np.arange(100) % 2, np.arange(100) % 4 + 1), "MultimodalCox"),
        ("regression", pd.DataFrame({"event": [1] * 100, "time": range(100)}), "MultimodalCox"),
        ("regression", pd.Series(pd.date_range("2020", periods=100)), "dates or durations"),
        ("regression", np.ones(100), "same number"),
        ("regression", np.append(np.arange(99.0), np.nan), "missing.*row 99"),
        ("survival", make_survival_y(np.zeros(100, dtype=bool), np.arange(1.0, 101)), "event"),
        ("survival", make_survival_y(np.arange(100) < 1, np.arange(1.0, 101)), "event in one"),
        ("survival", np.arange(100.0), "event|structured|survival"),
    ],
)
def test_bad_targets(task, y, message):
    X, _ = make()
    with pytest.raises(ValueError, match=message):
        estimator(task).fit(X, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model, X, y: model.fit(X, np.ones(100)), "one class"),
        (lambda model, X, y: model.fit(X, [*y, "maybe"]), "100 rows"),
        (lambda model, X, y: model.fit(X.drop(columns="b_4"), y), "block .b.*b_4"),
        (lambda model, X, y: model.fit(X.replace({"c_2": {X["c_2"].iloc[5]: np.inf}}), y), "c_2"),
        (lambda model, X, y: model.set_params(base="d").fit(X, y), "base='d'"),
    ],
)
def test_a_fit_that_fails_changes_nothing(change, message):
    X, y = make()
    blocks = [*BLOCKS[:1], ("b", "table", ["b_3", "b_4"]), BLOCKS[2]]
    model = estimator(blocks=blocks, **FAST)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        change(model, X, y)
    assert set(vars(model)) == set(before)  # nothing half-fitted
    model.set_params(base="a").fit(X, y)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        change(model, X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert model.classes_.tolist() == ["no", "yes"]


@pytest.mark.parametrize("fusion", ["residual", "gated"])
def test_a_network_that_comes_apart_is_told(fusion):
    X, y = make()
    with pytest.raises(ValueError, match="learning_rate=1e\\+20"):
        estimator(fusion=fusion, learning_rate=1e20).fit(X, y)


def test_errors_show_no_patients_values():
    X, y = make()
    X["a_0"] = X["a_0"].astype(object)
    X.loc["patient3", "a_0"] = [4711]
    with pytest.raises((ValueError, TypeError)) as caught:
        estimator().fit(X, y)
    assert "4711" not in str(caught.value)
    assert "a_0" in str(caught.value)


# --- patients with several rows ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_inner_folds_do_not_part_groups(kind):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 25, 100)
    outcome = Binary(groups % 2) if kind == "classes" else Numbers(rng.normal(size=100))
    for n_splits in (3, 40):
        folds = inner_folds(outcome, groups, n_splits, np.random.RandomState(0))
        for train, held_out in folds:
            assert not set(groups[train]) & set(groups[held_out])
        together = np.concatenate([held_out for _, held_out in folds])
        np.testing.assert_array_equal(np.sort(together), np.arange(100))


def test_the_held_out_score_does_not_recognise_patients():
    """Each patient twice, with labels by chance: only who parts the two can look good."""
    apart, whole = [], []
    for seed in range(8):
        X, _ = make(n=50, seed=seed)
        y = np.random.default_rng(seed + 1000).permutation(np.repeat(["no", "yes"], 25))
        X, y = pd.concat([X, X + 1e-3]), np.tile(y, 2)
        groups = np.tile([f"person{k}" for k in range(50)], 2)
        apart.append(auc(y, estimator(**FAST).fit(X, y).oof_score_))
        whole.append(auc(y, estimator(**FAST).fit(X, y, groups).oof_score_))
    assert np.mean(apart) > np.mean(whole) + 0.1
    assert np.mean(whole) < 0.62


@pytest.mark.parametrize("wrong", [np.arange(99), np.arange(101), np.zeros((100, 2))])
def test_groups_of_another_length(wrong):
    X, y = make()
    with pytest.raises(ValueError, match="groups must have one value per patient, 100"):
        estimator().fit(X, y, wrong)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_groups_may_be_words(task):
    X, y = make(task)
    model = estimator(task).fit(X, y, [f"person{k // 2}" for k in range(100)])
    assert np.isfinite(model.oof_score_).all()
    assert np.isfinite(model.interactions_["pvalue"]).all()


# --- what was found ------------------------------------------------------------------------------


def test_scores_of_the_training_patients_are_held_out():
    """Labels by chance: the score by models that had seen them would be near 1."""
    found = []
    for seed, fusion in product(range(4), ["residual", "concat", "stacked"]):
        X, y = make(seed=seed)
        y = np.random.default_rng(seed + 1000).permutation(y)
        model = estimator(fusion=fusion, base=None, **FAST | {"random_state": seed}).fit(X, y)
        found.append(auc(y, model.oof_score_))
    assert 0.4 < np.mean(found) < 0.6


@pytest.mark.parametrize("fusion", ["residual", "late"])
def test_scores_within_a_fit_are_a_little_too_good_and_no_more(fusion):
    """Many blocks of noise, few patients: penalties are chosen on all, as the notes say."""
    sizes = dict.fromkeys("abcdef", 10)
    blocks = [(block, "table", f"{block}_*") for block in sizes]
    found, explained = [], []
    for seed in range(8):
        X, y = make(n=60, seed=seed, sizes=sizes, effects={"a": 0.0})
        options = BRIEF | {"random_state": seed, "cv": 5, "max_epochs": 0, "n_permutations": 2}
        model = MultimodalClassifier(blocks, fusion=fusion, **options).fit(X, y)
        found.append(auc(y, model.oof_score_))
        explained.append(model.modality_importances_["importance"].sum())
    assert 0.4 < np.mean(found) < 0.68
    assert np.mean(explained) < 0.07


@each_rule
def test_held_out_scores_are_as_good_as_those_of_new_patients(fusion):
    X, y = make(n=500)
    model = estimator(fusion=fusion, max_epochs=20).fit(X[:120], y[:120])
    held_out, new = auc(y[:120], model.oof_score_), auc(y[120:], model.decision_function(X[120:]))
    assert held_out < new + 0.1, "no better"
    if fusion != "gated":  # of which new patients have the mean of three, all of more patients
        assert held_out > new - 0.13


@each_rule
@each_task
def test_shares_of_patients_add_up(task, fusion):
    """To the score, less the score of nobody."""
    model, X, _ = fitted(task, fusion)
    known = model.explain_modalities(X), decision(model, X)
    held_out = model.modality_contributions_, model.oof_score_.reshape(100, -1)
    for shares, scores in (known, held_out):
        assert shares.columns.tolist() == ["a", "b", "c"]
        assert shares.index.tolist() == X.index.tolist()
        if task != "three":
            rest = shares.sum(axis=1) - scores[:, 0]
            np.testing.assert_allclose(rest, rest.iloc[0], atol=1e-6)
            continue
        chosen = scores.argmax(axis=1)
        centred = (scores - scores.mean(axis=1, keepdims=True))[np.arange(100), chosen]
        rest = shares.sum(axis=1).to_numpy() - centred
        for k in np.unique(chosen):
            np.testing.assert_allclose(rest[chosen == k], rest[chosen == k][0], atol=1e-6)


def test_a_block_that_decides_has_the_shares():
    X, y = make(effects={"b": 2.0})
    shares = estimator(base=None).fit(X, y).modality_importances_.set_index("block")["importance"]
    assert shares["b"] > 0.15
    assert np.abs(shares[["a", "c"]]).max() < 0.05


@each_rule
def test_importances_add_up_to_what_is_explained(fusion):
    model, _, y = fitted("binary", fusion)
    table = model.modality_importances_
    chance = log_loss(y, np.full(100, 0.5))
    held_out = log_loss(y, 1 / (1 + np.exp(-model.oof_score_)))
    assert table["importance"].sum() == pytest.approx(1 - held_out / chance, abs=0.04)
    assert (table["spread"] >= 0).all()
    assert (table["mean_abs"] >= 0).all()
    sizes = np.abs(model.modality_contributions_).mean()
    np.testing.assert_allclose(table["mean_abs"], sizes)
    np.testing.assert_array_equal(table["available"], 1)


@pytest.mark.parametrize("task", ["binary", "survival"])
def test_a_block_of_noise_has_no_share(task):
    shares = []
    for seed in range(5):
        X, y = make(task, seed=seed)
        table = estimator(task, **FAST | {"random_state": seed}).fit(X, y).modality_importances_
        shares.append(table.set_index("block")["importance"])
    mean = pd.concat(shares, axis=1).mean(axis=1)
    assert abs(mean["c"]) < 0.02
    assert mean["a"] > 0.02


@each_task
@each_rule
def test_the_table_of_features(task, fusion):
    table = fitted(task, fusion)[0].feature_importances_
    columns = ["block", "feature", "importance", "stability", "selected", "direction"]
    assert table.columns.tolist() == columns
    assert (table["importance"] >= 0).all()
    assert table["stability"].between(0, 1).all()
    assert table["selected"].dtype == bool
    assert set(table["direction"]) <= {-1, 0, 1}
    assert table["block"].value_counts().to_dict() == SIZES


@each_task
@pytest.mark.parametrize("fusion", ["residual", "concat", "late"])
def test_directions_are_those_that_were_planted(task, fusion):
    table = fitted(task, fusion)[0].feature_importances_.set_index("feature")
    for block in "ab":
        assert table.loc[f"{block}_0", "direction"] == 1
        assert table.loc[f"{block}_1", "direction"] == -1
        of = table[table["block"] == block]
        assert of["importance"].idxmax() in (f"{block}_0", f"{block}_1")


# --- interactions --------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_a_strong_product_is_found(task):
    hits, named = 0, 0
    for seed in range(5):
        X, y = make(task, 150, seed=seed, pair=2.0, effects={"a": 0.5, "b": 0.5})
        options = FAST | {"random_state": seed, "n_permutations": 100}
        found = estimator(task, **options).fit(X, y).interactions_
        row = found[(found["block_a"] == "a") & (found["block_b"] == "b")].iloc[0]
        hits += row["pvalue"] < 0.05
        named += ("a_3", "b_3") in [pair[:2] for pair in row["top_pairs"]]
    assert hits >= 4
    assert named >= 4


@pytest.mark.parametrize("design", ["noise", "main effects", "groups"])
def test_pvalues_of_no_interaction_are_not_small(design):
    n_small = 0
    for seed in range(20):
        effects = {"a": 0.0} if design == "noise" else {"a": 1.0, "b": 1.0}
        X, y = make("regression", 80, seed=seed, effects=effects)
        X = X.drop(columns=[name for name in X if name.startswith("c")])
        groups = None
        if design == "groups":  # patients with two rows that differ little
            y = np.tile(y[:40], 2)
            X = pd.concat([X[:40], X[:40] + 0.05])
            groups = np.tile(np.arange(40), 2)
        model = estimator("regression", blocks=BLOCKS[:2], **FAST | {"random_state": seed})
        n_small += model.fit(X, y, groups).interactions_["pvalue"].iloc[0] < 0.05
    assert n_small <= 4


def test_the_table_of_interactions():
    model, _, _ = fitted()
    table = model.interactions_
    pairs = list(zip(table["block_a"], table["block_b"], strict=True))
    assert pairs == [("a", "b"), ("a", "c"), ("b", "c")]
    assert table["pvalue"].between(0, 1, inclusive="neither").all()
    assert table["strength"].between(-1, 1).all()
    for (block_a, block_b), top in zip(pairs, table["top_pairs"], strict=True):
        assert len(top) == 5
        assert all(0 < abs(strength) < 1 for _, _, strength in top)
        assert all(a.startswith(block_a) and b.startswith(block_b) for a, b, _ in top)


# --- text and images -----------------------------------------------------------------------------


def test_tables_text_and_images_together():
    pytest.importorskip("PIL", reason="Pillow is in the extra 'image'")
    from sklearn_medsel import make_patients

    data = make_patients(80, task="classification", n_genes=80, image_size=16, random_state=0)
    names = [name for name in data.X if re.match("(image|report)__", name)]
    blocks = [
        ("clin", "table", "clin__*"),
        ("gene", "table", "gene__*"),
        *[(n.split("__")[0], "image" if n.startswith("image") else "text", n) for n in names],
    ]
    model = MultimodalClassifier(blocks, base="clin", **BRIEF).fit(data.X, data.y)
    assert np.isfinite(model.decision_function(data.X)).all()
    assert len(model.interactions_) == 6
    few = data.X.copy()
    few[names] = None
    assert np.isfinite(model.decision_function(few)).all()
    wanted = clone(model).set_params(n_features_to_select=5).fit(data.X, data.y)
    assert wanted.feature_importances_["selected"].sum() == 5


@pytest.mark.parametrize("fusion", ["residual", "late", "stacked"])
@pytest.mark.parametrize("base", [None, "a"])
def test_a_block_that_a_rare_class_lacks_tells_the_others_apart(fusion, base):
    X, _ = make(n=80)
    y = np.repeat([0, 1, 2], [38, 38, 4])
    X["b_0"] += 3 * (y == 1)
    X.loc[y == 2, [f"b_{k}" for k in range(10)]] = np.nan
    model = CLASSES["three"](BLOCKS, fusion=fusion, base=base, **FAST)
    with pytest.warns(UserWarning, match="block"):
        model.fit(X, y)
    importances = model.modality_importances_.set_index("block")["importance"]
    assert importances["b"] > 0.3
    assert model.score(X, y) > 0.8


@each_rule
@pytest.mark.filterwarnings("error")
def test_blocks_that_share_no_patient(fusion):
    X, y = make()
    X.loc[X.index[::2], [f"a_{k}" for k in range(6)]] = np.nan
    X.loc[X.index[1::2], [f"b_{k}" for k in range(10)]] = np.nan
    model = estimator("binary", fusion).fit(X, y)
    assert model.interactions_["pvalue"][0] == 1.0


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("n_features", [None, 1])
def test_a_block_that_never_changes_is_told_and_does_not_stop_a_fit(fusion, n_features):
    X, y = make()
    X[[f"a_{k}" for k in range(6)]] = 3.0
    model = estimator("binary", fusion, n_features_to_select=n_features)
    with pytest.warns(UserWarning, match="block 'a': nothing in it varies"):
        model.fit(X, y)
    assert set(model.feature_importances_["block"]) == {"b", "c"}
    pairs = model.interactions_.set_index(["block_a", "block_b"])
    assert pairs.loc[("a", "b"), ["strength", "pvalue"]].tolist() == [0.0, 1.0]
    importances = model.modality_importances_.set_index("block")["importance"]
    assert abs(importances["a"]) < 0.02  # the other gates open where it is hidden
    changed = X.assign(a_0=7.0)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(changed))


@pytest.mark.parametrize(("base", "n_blocks"), [("a", 2), ("a", 1), (None, 1)])
def test_a_block_in_which_nothing_varies_changes_no_prediction(base, n_blocks):
    X, y = make()
    X["still"] = 1.0
    plain = estimator(blocks=BLOCKS[:n_blocks], base=base, max_epochs=0).fit(X, y)
    more = estimator(blocks=[*BLOCKS[:n_blocks], ("d", "table", "still")], base=base, max_epochs=0)
    with pytest.warns(UserWarning, match="block 'd': nothing in it varies"):
        more.fit(X, y)
    np.testing.assert_allclose(decision(more, X), decision(plain, X))


def test_the_base_is_the_same_model_by_itself():
    X, y = make()
    alone, first = (
        estimator(blocks=BLOCKS[:n_blocks], max_epochs=0).fit(X, y)._fused.terms[0]
        for n_blocks in (1, 3)
    )
    np.testing.assert_allclose(alone.oof, first.oof)


def test_where_nothing_varies_there_is_nothing_to_learn():
    X, y = make()
    with pytest.raises(ValueError, match="no column of any block varies"):
        estimator().fit(X.assign(**dict.fromkeys(X, 1.0)), y)


def test_a_single_censored_patient_does_not_stop_a_fit():
    X, y = make("survival", 60)
    y["event"] = np.arange(60) > 0
    model = estimator("survival").fit(X, y)
    assert len(np.unique(model._fused.fold)) == FAST["cv"]


@pytest.mark.parametrize(
    ("groups", "message"),
    [(np.full(100, np.nan), "groups is missing"), (np.zeros(100), "groups has one group only")],
)
def test_groups_that_part_nobody(groups, message):
    X, y = make()
    with pytest.raises(ValueError, match=message):
        estimator().fit(X, y, groups)


def test_groups_are_looked_at_before_images_are():
    X, y = make(n=40)
    X["ct"] = [np.zeros((4, 4))] * 40
    model = estimator(blocks=[*BLOCKS, ("ct", "image", "ct")], image_encoder=ImageEncoder(4))
    mixed = np.array([*range(20), *"abcdefghijklmnopqrst"], dtype=object)
    for groups, message in (
        (np.arange(5), "one value per patient"),
        ([None] * 40, "missing"),
        (mixed, "types int, str"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, groups=groups)


def test_shares_of_several_classes_add_up_to_the_centred_score():
    model, X, _ = fitted("three")
    scores = model.decision_function(X)
    centred = scores - scores.mean(axis=1, keepdims=True)
    chosen = scores.argmax(axis=1)
    left = centred[np.arange(len(X)), chosen] - model.explain_modalities(X).sum(axis=1)
    for k in range(3):
        assert np.ptp(left[chosen == k]) < 1e-9


def test_text_is_no_number():
    X, _ = make()
    with pytest.raises(ValueError, match="not a number") as raised:
        estimator("regression").fit(X, ["secret"] * len(X))
    assert "secret" not in str(raised.value)


def test_whole_numbers_are_no_classes_to_an_image_encoder():
    pytest.importorskip("PIL", reason="Pillow is in the extra 'image'")
    data = make_patients(
        40, task="regression", n_genes=20, n_informative=2, image_size=32, random_state=0
    )
    counts = np.round(np.abs(data.y) * 10)
    encoder = ImageEncoder(8, max_epochs=1, cv=2)
    model = MultimodalRegressor(
        [data.blocks[0], data.blocks[2]], image_encoder=encoder, **FAST
    ).fit(data.X, counts)
    assert model.predict(data.X).shape == (40,)


@pytest.mark.parametrize("X", [None, np.zeros(100), sparse.eye(100)])
def test_X_that_is_no_table(X):
    with pytest.raises(ValueError, match="X must be a DataFrame or a 2-D array"):
        estimator().fit(X, np.arange(100) % 2)


def test_rows_of_a_patient_may_differ_in_their_outcome():
    """Some patients have two rows, one of each class; others have one."""
    X, y = make(n=80)
    groups = np.concatenate([np.repeat(np.arange(20), 2), np.arange(20, 60)])
    y[:40] = np.tile([0, 1], 20)
    found = estimator().fit(X, y, groups).feature_importances_
    assert found["selected"].dtype == bool
