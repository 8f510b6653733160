"""DeepFeatureSelector: what it selects, what it refuses, and that its results do not wander."""

import pickle
import random
from importlib.util import find_spec

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_medsel import DeepFeatureSelector
from sklearn_medsel.datasets import make_gene_expression
from sklearn_medsel.survival import make_survival_y

RESULTS = (
    "feature_importances_",
    "pvalues_",
    "qvalues_",
    "selection_frequencies_",
    "effects_",
    "support_",
    "ranking_",
    "decoy_frequencies_",
    "decoy_importances_",
)


def selector(*args, **parameters):
    """A selector for small data: three repeats, seed 0."""
    return DeepFeatureSelector(*args, **{"n_repeats": 3, "random_state": 0, **parameters})


def draw(n=60, p=80, seed=0):
    """A table and two signal columns: 0 up, 1 down."""
    X = np.random.default_rng(seed).standard_normal((n, p))
    return X, 2.5 * (X[:, 0] - X[:, 1])


def binary(n=60, p=80, seed=0):
    X, signal = draw(n, p, seed)
    noise = np.random.default_rng(seed + 1).logistic(size=n)
    return X, (signal + noise > 0).astype(int)


def assert_same(one, other, **tolerance):
    for name in RESULTS:
        a, b = getattr(one, name), getattr(other, name)
        if tolerance and a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, err_msg=name, **tolerance)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.fixture(scope="session")
def fitted():
    """A selector on 100 samples with names, and its data."""
    data = make_gene_expression(100, 150, n_informative=2, effect_size=3.0, random_state=0)
    return selector(fdr=0.2, n_repeats=6).fit(data.X, data.y), data


# What comes out


def test_attributes(fitted):
    model, data = fitted
    p = data.X.shape[1]
    assert model.n_features_in_ == p
    assert model.feature_names_in_.tolist() == data.X.columns.tolist()
    assert model.task_ == "classification"
    for name in RESULTS[:4]:
        values = getattr(model, name)
        assert values.shape == (p,)
        assert values.dtype == np.float64
        assert values.min() >= 0
    assert max(model.pvalues_.max(), model.qvalues_.max()) <= 1
    assert np.all(model.qvalues_ >= model.pvalues_)
    assert sorted(model.ranking_) == list(range(1, p + 1))
    assert np.argmax(model.feature_importances_) == np.argmin(model.ranking_)
    np.testing.assert_array_equal(model.support_, model.qvalues_ <= 0.2)
    assert model.stability_.low <= model.stability_.estimate <= model.stability_.high
    assert model.frequency_threshold_ == model.selection_frequencies_[model.support_].min()
    assert model.n_iter_ > 0
    assert model.missing_counts_.sum() == 0


def test_true_genes_and_their_signs(fitted):
    model, data = fitted
    true = np.flatnonzero(data.support)
    assert set(true) <= set(np.flatnonzero(model.support_))
    assert set(model.ranking_[true]) == {1, 2}
    np.testing.assert_array_equal(np.sign(model.effects_[true]), np.sign(data.coef[true]))


def test_transform_names_and_output(fitted):
    model, data = fitted
    names = model.get_feature_names_out()
    np.testing.assert_array_equal(names, data.X.columns[model.support_])
    frame = clone(model).set_output(transform="pandas").fit_transform(data.X, data.y)
    pd.testing.assert_frame_equal(frame, data.X[list(names)], check_dtype=False)
    np.testing.assert_array_equal(model.get_support(indices=True), np.flatnonzero(model.support_))


def test_clusters(fitted):
    model, data = fitted
    clusters = model.clusters_
    assert list(clusters) == ["feature", "cluster", "representative", "correlation"]
    selected = clusters[clusters["feature"] == clusters["representative"]]
    assert set(selected["feature"]) == set(model.get_feature_names_out())
    for row in clusters.itertuples():
        wanted = np.corrcoef(data.X[row.feature], data.X[row.representative])[0, 1]
        assert row.correlation == pytest.approx(wanted, abs=1e-6)
        assert abs(row.correlation) >= 0.6
    first = clusters.groupby("representative")["cluster"].first().sort_values()
    order = [model.ranking_[data.X.columns.get_loc(name)] for name in first.index]
    assert order == sorted(order), "cluster 1 is that of the best feature"


def test_a_correlated_copy_is_in_the_cluster():
    X, y = binary()
    X[:, 70] = -X[:, 0] + 0.3 * X[:, 70]
    model = selector(2).fit(X, y)
    clusters = model.clusters_.set_index("feature")
    other = "x70" if model.support_[0] else "x0"
    assert clusters.loc[other, "correlation"] < -0.8


def test_path(fitted):
    model, data = fitted
    path = model.path_
    assert path.index.name == "penalty"
    assert path.index.is_monotonic_decreasing
    assert path.index[0] == pytest.approx(0.9)
    assert set(data.X.columns[model.support_]) <= set(path.columns)
    assert (path != 0).any().all()
    np.testing.assert_allclose(
        path.iloc[-1], model.effects_[data.X.columns.get_indexer(path.columns)]
    )


def test_without_a_screen_there_are_no_pairs(fitted):
    model, _ = fitted
    assert len(model.interactions_) == 0
    assert list(model.interactions_)[-1] == "selected"
    assert any("250" in note for note in model.notes_)


def test_interactions_are_selected():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 60))
    y = (2 * X[:, 0] + 4 * X[:, 5] * X[:, 7] + rng.logistic(size=300) > 0).astype(int)
    model = selector(fdr=0.2, hidden_layer_sizes=()).fit(X, y)
    best = model.interactions_.iloc[0]
    assert (best["feature_1"], best["feature_2"]) == ("x5", "x7")
    assert best["pvalue"] < 1e-3
    assert best["selected"]
    assert model.support_[[0, 5, 7]].all()
    assert sorted(model.ranking_[[0, 5, 7]]) == [1, 2, 3]
    assert not selector(interactions=False, fdr=0.2).fit(X, y).support_[[5, 7]].any()


def test_pairs_of_three_classes_are_listed_once():
    X, signal = draw(80, 30)
    model = selector(2, interactions=True).fit(X, np.digitize(signal, [-2, 2]))
    assert len(model.interactions_) == len(model.interactions_.iloc[:, :2].drop_duplicates())
    assert any("hardly any power" in note.replace("\n", " ") for note in model.notes_)


def test_a_single_varying_column_makes_no_pair():
    X, y = binary(60, 5)
    X[:, 1:] = 3.0
    model = selector(interactions=True).fit(X, y)
    assert len(model.interactions_) == 0
    assert not model.support_[1:].any()


# Tasks


def test_regression():
    X, signal = draw()
    model = selector(n_repeats=15).fit(
        X, 100 * (signal + np.random.default_rng(1).standard_normal(60))
    )
    assert model.task_ == "regression"
    assert not hasattr(model, "classes_")
    assert np.flatnonzero(model.support_)[:2].tolist() == [0, 1]
    assert model.effects_[0] > 0 > model.effects_[1]
    assert abs(model.effects_[0]) < 1, "in standard deviations of the target"


def test_several_outputs():
    X, signal = draw()
    y = np.column_stack([signal, 3 * X[:, 5]]) + np.random.default_rng(1).standard_normal((60, 2))
    model = selector(3).fit(X, y)
    assert np.flatnonzero(model.support_).tolist() == [0, 1, 5]
    assert model.effects_.shape == (80, 2)
    assert abs(model.effects_[5, 1]) > abs(model.effects_[5, 0])
    assert (model.path_ >= 0).all().all()


def test_strings_and_three_classes():
    X, signal = draw(90)
    labels = np.array(["benign", "mixed", "tumour"])[np.digitize(signal, [-1.2, 1.2])]
    model = selector(fdr=0.2, n_repeats=15).fit(X, labels)
    assert model.classes_.tolist() == ["benign", "mixed", "tumour"]
    assert model.effects_.shape == (80, 3)
    assert set(model.ranking_[:2]) == {1, 2}
    assert model.support_[:2].all()
    assert model.effects_[0, 0] < 0 < model.effects_[0, 2]


def test_names_of_classes_change_nothing():
    X, y = binary()
    assert_same(selector().fit(X, y), selector().fit(X, np.array(["b", "c"])[y]))


@pytest.mark.parametrize("as_frame", [False, True])
def test_survival(as_frame):
    X, signal = draw(80)
    rng = np.random.default_rng(1)
    time, event = np.ceil(20 * rng.exponential(np.exp(-signal))), rng.random(80) < 0.8
    y = make_survival_y(event, time)
    if as_frame:
        y = pd.DataFrame({"Event": event.astype(int), "TIME": time})
    model = selector(n_repeats=15).fit(X, y)
    assert model.task_ == "survival"
    assert model.support_[:2].all()
    assert model.effects_[0] > 0 > model.effects_[1]


@pytest.mark.parametrize("task", ["classification", "regression", "survival"])
def test_mori(task):
    X, signal = draw(100, 30)
    rng = np.random.default_rng(1)
    y = {
        "classification": (signal + rng.logistic(size=100) > 0).astype(int),
        "regression": signal + rng.standard_normal(100),
        "survival": make_survival_y(np.ones(100, bool), rng.exponential(np.exp(-signal))),
    }[task]
    model = selector(2, method="mori", n_repeats=5, max_epochs=40).fit(X, y)
    assert model.task_ == task
    assert np.flatnonzero(model.support_).tolist() == [0, 1]
    assert model.effects_[0] > 0 > model.effects_[1]
    assert model.selection_frequencies_[:2].min() >= 0.8
    assert model.path_.empty


# How many


@pytest.mark.parametrize("method", ["path", "mori"])
@pytest.mark.parametrize("k", [1, 7, 80])
def test_exactly_k(k, method):
    X, y = binary()
    model = selector(k, method=method, n_repeats=2, max_epochs=10).fit(X, y)
    assert model.support_.sum() == k
    np.testing.assert_array_equal(model.support_, model.ranking_ <= k)
    assert model.transform(X).shape == (60, k)


@pytest.mark.parametrize("task", ["classification", "regression", "survival"])
def test_auto(task):
    X, signal = draw(80, 60)
    rng = np.random.default_rng(1)
    y = {
        "classification": (signal > 0).astype(int),
        "regression": signal + 0.3 * rng.standard_normal(80),
        "survival": make_survival_y(np.ones(80, bool), rng.exponential(np.exp(-signal))),
    }[task]
    model = selector("auto", n_repeats=5).fit(X, y)
    scores = model.oob_scores_
    assert list(scores) == ["ranking", "n_features", "score", "standard_error"]
    assert set(scores["ranking"]) == {"path", "association", "elimination"}
    best = scores.loc[scores["score"].idxmax()]
    enough = scores[scores["score"] >= best["score"] - best["standard_error"]]
    assert model.support_.sum() == enough["n_features"].min()
    assert model.ranked_by_ in set(enough["ranking"])
    assert 2 <= model.support_.sum() <= 12
    assert model.support_[:2].all()


def tissues(n_features=400, n_samples=60):
    """Two tissues: half of the features differ a little between them."""
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 2
    shift = np.where(np.arange(n_features) < n_features // 2, 0.7, 0)
    return rng.standard_normal((n_samples, n_features)) + y[:, None] * shift, y


def test_many_associated_features_are_ranked_by_association():
    X, y = tissues()
    model = selector(20, n_repeats=3).fit(X, y)
    assert model.ranked_by_ == "association"
    size = np.abs(X[y == 1].mean(0) - X[y == 0].mean(0)) / X.std(0)
    assert model.support_[np.argsort(-size)[:5]].all()
    assert model.support_[:200].sum() >= 18
    assert model.selection_frequencies_[model.support_].mean() > 0.5
    assert model.decoy_frequencies_.max() < 0.5


@pytest.mark.parametrize("wanted", [None, 5])
def test_few_associated_features_are_ranked_by_the_path(wanted):
    X, y = binary()
    assert selector(wanted, n_repeats=2).fit(X, y).ranked_by_ == "path"


def test_auto_with_mori_scores_its_own_ranking():
    X, y = binary()
    model = selector("auto", method="mori", n_repeats=4, max_epochs=20).fit(X, y)
    assert model.ranked_by_ == "mori"
    assert set(model.oob_scores_["ranking"]) == {"mori"}


def test_oob_scores_belong_to_auto(fitted):
    with pytest.raises(AttributeError, match="auto"):
        _ = fitted[0].oob_scores_


def test_top_k_is_for_the_frequencies():
    X, y = binary()
    one, many = selector(5, top_k=1).fit(X, y), selector(5, top_k=20).fit(X, y)
    np.testing.assert_array_equal(one.support_, many.support_)
    assert one.selection_frequencies_.sum() < many.selection_frequencies_.sum()


# Weights, groups, routing


def test_whole_weights_are_repeated_rows():
    X, y = binary()
    counts = np.random.default_rng(3).integers(0, 3, 60)
    rows = np.repeat(np.arange(60), counts)
    weighted = selector().fit(X, y, sample_weight=counts)
    repeated = selector().fit(X[rows], y[rows])
    assert_same(weighted, repeated)


def test_weights_matter_and_their_scale_does_not():
    X, y = binary()
    weight = np.random.default_rng(3).uniform(0.2, 1.8, 60)
    model = selector().fit(X, y, sample_weight=weight)
    assert_same(model, selector().fit(X, y, sample_weight=weight / 8))
    assert np.any(model.feature_importances_ != selector().fit(X, y).feature_importances_)


@pytest.fixture(scope="module")
def paired():
    """Tumour and normal tissue of 25 patients, whose own levels drown three true genes."""
    rng = np.random.default_rng(0)
    X = np.repeat(3 * rng.standard_normal((25, 60)), 2, axis=0) + rng.standard_normal((50, 60))
    y, patients = np.tile([0, 1], 25), np.repeat(np.arange(25), 2)
    X[:, :3] += 1.5 * y[:, None]
    return X, y, patients


def test_pairs_of_samples_give_power(paired):
    X, y, patients = paired
    alone = selector(n_repeats=15, fdr=0.2).fit(X, y)
    model = selector(n_repeats=15, fdr=0.2).fit(X, y, groups=patients)
    assert model.support_[:3].sum() >= 2
    assert model.support_[:3].sum() > alone.support_[:3].sum()
    assert model.support_.sum() <= 4


def test_names_of_groups_change_nothing(paired):
    X, y, patients = paired
    names = np.array([f"patient {99 - g}" for g in patients])
    linear = selector(hidden_layer_sizes=())  # bootstrap samples depend on the groups' order
    one, other = clone(linear).fit(X, y, groups=patients), clone(linear).fit(X, y, groups=names)
    np.testing.assert_allclose(one.feature_importances_, other.feature_importances_, atol=1e-8)


def test_routing_through_a_pipeline(paired):
    X, y, patients = paired
    weight = np.random.default_rng(0).uniform(0.5, 1.5, 50)
    wanted = selector(3).fit(X, y, sample_weight=weight, groups=patients)
    with config_context(enable_metadata_routing=True):
        step = selector(3).set_fit_request(sample_weight=True, groups=True)
        model = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), step)
        model.fit(X, y, sample_weight=weight, groups=patients)
    np.testing.assert_array_equal(model[-1].support_, wanted.support_)
    np.testing.assert_allclose(model[-1].pvalues_, wanted.pvalues_, atol=1e-3)
    assert np.any(wanted.pvalues_ != selector(3).fit(X, y).pvalues_)


# Input that is not a plain complete table


def test_missing_values_are_noted():
    X, y = binary()
    X[np.random.default_rng(0).random(X.shape) < 0.05] = np.nan
    X[:, 9] = np.nan
    model = selector(2).fit(X, y)
    np.testing.assert_array_equal(model.missing_counts_, np.isnan(X).sum(axis=0))
    assert any(f"{np.isnan(X).sum()} missing values" in note for note in model.notes_)
    assert np.flatnonzero(model.support_).tolist() == [0, 1]
    assert np.isnan(model.transform(X)).sum() == np.isnan(X[:, :2]).sum()


@pytest.mark.parametrize("method", ["path", "mori"])
def test_constant_columns_are_never_selected(method):
    X, y = binary()
    X[:, 2:78] = np.arange(76)
    model = selector(10, method=method, n_repeats=2, max_epochs=10).fit(X, y)
    assert np.flatnonzero(model.support_).tolist() == [0, 1, 78, 79]
    assert not model.feature_importances_[2:78].any()
    assert (model.pvalues_[2:78] == 1).all()
    assert any("76 features are constant" in note for note in model.notes_)


@pytest.mark.parametrize("wanted", [None, 3, "auto"])
def test_nothing_but_constants_is_no_error(wanted):
    model = selector(wanted).fit(np.ones((20, 4)), [0, 1] * 10)
    assert not model.support_.any()
    assert np.isnan(model.frequency_threshold_)
    assert model.clusters_.empty


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_sparse_is_dense(kind):
    X, y = binary()
    X[np.abs(X) < 0.7] = 0.0
    assert_same(selector().fit(X, y), selector().fit(kind(X), y))
    assert sparse.issparse(selector(2).fit_transform(kind(X), y))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_order_of_samples_does_not_matter(task):
    X, y = binary()
    y = y if task == "classification" else draw()[1]
    order = np.random.default_rng(5).permutation(60)
    # the mean of a target of numbers is rounded in the order in which they come
    assert_same(selector().fit(X, y), selector().fit(X[order], y[order]), rtol=1e-6, atol=1e-9)


def test_scale_and_shift_do_not_matter():
    X, y = binary()
    scale = np.random.default_rng(0).uniform(0.1, 100, 80)
    one, other = selector().fit(X, y), selector().fit(X * scale + 7, y)
    np.testing.assert_array_equal(one.support_, other.support_)
    np.testing.assert_allclose(one.feature_importances_, other.feature_importances_, atol=1e-6)


def test_float32_is_close_to_float64():
    X, y = binary()
    one, other = selector().fit(X, y), selector(dtype="float32").fit(X, y)
    np.testing.assert_allclose(one.feature_importances_, other.feature_importances_, atol=1e-3)


def test_few_samples_give_a_ranking_but_no_pvalues():
    X, y = binary()
    rows = np.r_[np.flatnonzero(y == 0)[:3], np.flatnonzero(y == 1)[:3]]
    model = selector(4).fit(X[rows], y[rows])
    assert model.support_.sum() == 4
    assert np.isnan(model.pvalues_).all()
    assert np.isnan(model.qvalues_).all()
    assert any("too few for p-values" in note for note in model.notes_)
    with pytest.raises(ValueError, match="at least 8 samples; found n_samples=6"):
        selector().fit(X[rows], y[rows])


def test_sixty_thousand_columns():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 60_000), dtype=np.float32)
    y = np.arange(30) % 2
    X[:, 77] += 4 * y
    model = selector(1, n_repeats=2, interactions=False).fit(X, y)
    assert np.flatnonzero(model.support_).tolist() == [77]


# Bad input


def with_column(name, value, dtype=object):
    X = pd.DataFrame(draw(20, 4)[0], columns=["TP53", "KRAS", "SMAD4", "age"])
    return X.assign(**{name: pd.Series([value] * 20, dtype=dtype)})


CLASSES = np.arange(20) % 2
PAIRS = np.repeat(np.arange(10), 2)


def survival(event=None, time=None):
    event = CLASSES if event is None else event
    return pd.DataFrame({"event": event, "time": np.arange(20.0) if time is None else time})


def changed(values, row, value):
    values = np.array(values, dtype=float)
    values[row] = value
    return values


BAD = {
    "one class": ({"y": np.zeros(20, int)}, "one class"),
    "rare class": ({"y": np.r_[2, CLASSES[1:]]}, "class 2 of y has one sample"),
    "rare named class": (
        {"y": np.array(["a", *["b", "c"] * 9, "b"])},
        "Too few samples: class 'a' of y",
    ),
    "no variation": ({"y": np.full(20, 0.5)}, "same value in all samples"),
    "no target": ({"y": None}, "requires y"),
    "missing target": ({"y": changed(CLASSES, 3, np.nan)}, "NaN"),
    "no events": ({"y": survival(event=np.zeros(20))}, "no events"),
    "negative time": (
        {"y": survival(time=changed(np.arange(20), 4, -1))},
        "'time' of y is negative at row 4",
    ),
    "missing time": (
        {"y": survival(time=changed(np.arange(20), 5, np.nan))},
        "'time' of y is missing at row 5",
    ),
    "infinite time": (
        {"y": survival(time=changed(np.arange(20), 6, np.inf))},
        "'time' of y is infinite at row 6",
    ),
    "event not 0 or 1": ({"y": survival(event=changed(CLASSES, 7, 2))}, "'event' of y .* at row 7"),
    "survival as classes": (
        {"y": survival(), "task": "classification"},
        "Use task='survival'",
    ),
    "text": ({"X": with_column("sex", "f")}, "columns of text: 'sex'"),
    "category": ({"X": with_column("stage", "II", "category")}, "columns of text: 'stage'"),
    "infinity": ({"X": with_column("KRAS", np.inf, float)}, "infinity in column 'KRAS'"),
    "infinity in an array": ({"X": with_column("KRAS", -np.inf, float).to_numpy()}, "column '1'"),
    "infinity in a sparse table": (
        {"X": sparse.csr_array(with_column("SMAD4", np.inf, float).to_numpy())},
        "column '2'",
    ),
    "duplicate names": (
        {"X": with_column("age", 1.0, float).set_axis(["a", "b", "a", "c"], axis=1)},
        "duplicate column names: 'a'",
    ),
    "split pair": ({"groups": changed(PAIRS, 6, 99)}, "splits a pair.* at rows 6, 7 has one"),
    "one group": ({"groups": np.zeros(20)}, "one group only"),
    "missing group": ({"groups": changed(PAIRS, 2, np.nan)}, "groups is missing at row 2"),
    "short groups": ({"groups": PAIRS[:19]}, "groups must have one value per patient, 20"),
    "short target": ({"y": CLASSES[:19]}, "inconsistent numbers of samples"),
    "negative weight": ({"sample_weight": changed(np.ones(20), 0, -1)}, "[Nn]egative"),
    "zero weights": ({"sample_weight": np.zeros(20)}, "zero"),
    "too many features": ({"n_features_to_select": 5}, "more than the 4 features"),
    "no features": ({"n_features_to_select": 0}, "n_features_to_select"),
    "fdr": ({"fdr": 1.5}, "fdr"),
    "method": ({"method": "lasso"}, "method"),
    "device": ({"device": "abacus"}, "device='abacus'"),
}


# scikit-learn's type_of_target looks whether a NaN is a whole number before it refuses it
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("name", list(BAD))
def test_bad_input_is_named(name):
    bad, message = BAD[name]
    given = {"X": with_column("age", 1.0, float), "y": CLASSES, **bad}
    of_fit = {k: given.pop(k) for k in ("X", "y", "sample_weight", "groups") if k in given}
    with pytest.raises(ValueError, match=message):
        selector(**given).fit(**of_fit)


def test_transform_wants_the_same_columns(fitted):
    model, data = fitted
    with pytest.raises(ValueError, match="feature names"):
        model.transform(data.X.rename(columns={data.X.columns[0]: "other"}))


# Seeds and places


def test_the_seed_decides():
    X, y = binary()
    one = selector().fit(X, y)
    assert_same(one, selector().fit(X, y))
    assert_same(one, selector(random_state=np.random.RandomState(0)).fit(X, y))
    other = selector(random_state=1).fit(X, y)
    assert np.any(one.pvalues_ != other.pvalues_)


@pytest.mark.parametrize("method", ["path", "mori"])
def test_global_generators_are_left_alone(method):
    X, y = binary()

    def state():
        return [
            pickle.dumps(np.random.get_state()),  # noqa: NPY002  # noqa: NPY002
            torch.random.get_rng_state().numpy().tobytes(),
            pickle.dumps(random.getstate()),
        ]

    before = state()
    one = selector("auto", method=method, n_repeats=2, max_epochs=10).fit(X, y)
    assert state() == before
    threads = torch.get_num_threads()
    np.random.seed(12)  # noqa: NPY002
    torch.manual_seed(12)
    assert_same(one, clone(one).fit(X, y))
    assert torch.get_num_threads() == threads


@pytest.fixture(scope="module")
def three_blocks():
    X, y = binary(40, 50)
    return X, y, selector(n_repeats=45).fit(X, y)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_every_backend_gives_the_same_bits(three_blocks, backend):
    X, y, wanted = three_blocks
    with joblib.parallel_config(backend=backend):
        assert_same(wanted, selector(n_repeats=45, n_jobs=2).fit(X, y))


def test_warm_start_adds_repeats():
    X, y = binary(40, 50)
    # up to 15 repeats each has a decoy of every feature; beyond, how many depends on n_repeats
    wanted = selector(n_repeats=10).fit(X, y)
    model = selector(n_repeats=4, warm_start=True).fit(X, y)
    half_way = model.pvalues_, model.decoy_importances_
    model.set_params(n_repeats=10).fit(X, y)
    for name in ("pvalues_", "selection_frequencies_", "feature_importances_"):
        np.testing.assert_allclose(getattr(model, name), getattr(wanted, name), atol=0.01)
    np.testing.assert_array_equal(model.decoy_importances_[: 4 * 50], half_way[1])
    assert np.any(half_way[0] != model.pvalues_)
    with pytest.raises(ValueError, match="cannot go back from 10 repeats to n_repeats=3"):
        model.set_params(n_repeats=3).fit(X, y)
    with pytest.raises(ValueError, match="50 features, but X has 49"):
        model.set_params(n_repeats=50).fit(X[:, 1:], y)


# Callbacks


class Recorder:
    """Counts tasks, and asks to stop after some of them."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.n_begun = self.n_done = 0
        self.ends = []

    def setup(self, estimator, context):
        self.ends.append("setup")

    def teardown(self, estimator, context):
        self.ends.append("teardown")

    def on_fit_task_begin(self, estimator, context, **given):
        self.n_begun += 1

    def on_fit_task_end(self, estimator, context, **given):
        self.n_done += 1
        return self.stop_after is not None and self.n_done >= self.stop_after


@pytest.mark.parametrize(
    ("parameters", "n_steps"),
    [
        ({"n_repeats": 45}, 6),
        ({"n_repeats": 3, "interactions": True}, 5),
        ({"n_repeats": 3, "n_features_to_select": "auto"}, 5),
        ({"n_repeats": 6, "method": "mori", "max_epochs": 5}, 5),
    ],
)
def test_callbacks_see_every_step(parameters, n_steps):
    X, y = binary(40, 30)
    seen = Recorder()
    model = selector(**parameters).set_callbacks(seen)
    assert_same(model.fit(X, y), selector(**parameters).fit(X, y))
    assert seen.ends == ["setup", "teardown"]
    assert seen.n_begun == seen.n_done == n_steps + 1, "the steps and the fit itself"


@pytest.mark.parametrize("method", ["path", "mori"])
@pytest.mark.parametrize("stop_after", [1, 2, 3, 4])
def test_stopping_early_leaves_a_fitted_object(stop_after, method):
    X, y = binary(40, 30)
    model = selector("auto", n_repeats=45, method=method, max_epochs=5)
    model.set_callbacks(Recorder(stop_after)).fit(X, y)
    assert 1 <= model.support_.sum() <= 30
    assert model.transform(X).shape[1] == model.support_.sum()
    assert np.isfinite(model.qvalues_).all()


@pytest.mark.skipif(find_spec("rich") is None, reason="scikit-learn's progress bar needs rich")
def test_progress_bar(capsys):
    from sklearn.callback import ProgressBar

    X, y = binary(40, 30)
    selector().set_callbacks(ProgressBar()).fit(X, y)
    assert "DeepFeatureSelector" in capsys.readouterr().out


# Error control, searches, state


def test_null_data_are_mostly_left_alone():
    rng = np.random.default_rng(0)
    any_selected = []
    for seed in range(20):
        X = rng.standard_normal((40, 60))
        model = selector(random_state=seed, fdr=0.1, n_repeats=6, hidden_layer_sizes=())
        any_selected.append(model.fit(X, np.arange(40) % 2).support_.any())
    assert np.mean(any_selected) <= 0.3


@pytest.mark.parametrize(
    "grid", [{"medsel__fdr": [0.2, 0.5]}, {"medsel__n_features_to_select": [2, 10]}]
)
def test_grid_search(grid):
    X, y = binary(60, 40)
    X[:, :2] *= 2
    # enough decoys that `fdr` can be met, as a classifier needs at least one feature
    medsel = selector(n_repeats=15, hidden_layer_sizes=())
    pipeline = Pipeline([("medsel", medsel), ("classify", LogisticRegression())])
    y = (X[:, 0] > 0).astype(int)
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ > 0.7


PLAIN = (str, int, float, bool, type(None), np.ndarray, np.generic)


def walk(value, where):
    if isinstance(value, dict):
        for key, part in value.items():
            walk(part, f"{where}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            walk(part, f"{where}[{place}]")
    else:
        assert isinstance(value, PLAIN), f"{where} is a {type(value)}"


@pytest.mark.parametrize("parameters", [{}, {"warm_start": True}, {"n_features_to_select": "auto"}])
def test_the_state_is_plain(parameters):
    X, y = binary(40, 30)
    for name, value in vars(selector(**parameters).fit(X, y)).items():
        walk(value, name)


def test_pickles_are_small_and_complete(fitted):
    model, data = fitted
    text = pickle.dumps(model)
    assert len(text) < 60_000 + 8 * model.decoy_importances_.size
    copy = pickle.loads(text)
    assert_same(copy, model)
    pd.testing.assert_frame_equal(copy.path_, model.path_)
    pd.testing.assert_frame_equal(copy.clusters_, model.clusters_)
    np.testing.assert_array_equal(copy.transform(data.X), model.transform(data.X))
