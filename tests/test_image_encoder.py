"""ImageEncoder: columns, names, missing images, and above all no leak of labels."""

import pickle
import sys
import types

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_medsel import persistence
from sklearn_medsel.base import CallbackSupportMixin
from sklearn_medsel.image import ImageCache, ImageEncoder, texture_features
from sklearn_medsel.image._components import columns, turn
from sklearn_medsel.survival import concordance_index, make_survival_y

SIZE = 16
QUICK = {"n_components": 4, "cv": 3, "max_epochs": 8, "learning_rate": 1e-2, "random_state": 0}


def make_images(n, blob, seed=0):
    """Noise; a bright blob somewhere in the images of odd rows."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0.4, 0.1, (n, SIZE, SIZE))
    y = np.arange(n) % 2
    for row in np.flatnonzero(y):
        top, left = rng.integers(1, SIZE - 5, 2)
        images[row, top : top + 4, left : left + 4] += blob
    return list(images.clip(0, 1)), y


def memoriser():
    """A network that can learn any images by heart."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIZE**2, 32), torch.nn.Tanh())


@pytest.fixture(scope="module")
def data():
    return make_images(90, 0.5)


@pytest.fixture(scope="module")
def fitted(data):
    encoder = ImageEncoder(SIZE, **QUICK)
    features = encoder.fit_transform(*data)
    return encoder, features


def test_a_real_signal_is_kept(fitted):
    encoder, features = fitted
    X, y = make_images(90, 0.5, seed=1)
    new = encoder.transform(X)
    assert roc_auc_score(y, new[:, 0]) > 0.95
    assert roc_auc_score(np.arange(90) % 2, features[:, 0]) > 0.9
    # what is learnt from cross-fitted features holds for new ones
    assert 0.5 < features[:, 0].std() / new[:, 0].std() < 2
    model = LogisticRegression().fit(features, np.arange(90) % 2)
    assert model.score(new, y) > 0.9


def test_noise_does_not_raise_the_score_and_would_without_cross_fitting():
    honest, naive, seen, alone, held_out, fooled = [], [], [], [], [], []
    for seed in range(6):
        X, y = make_images(120, 0.0, seed=seed)
        rng = np.random.default_rng(seed)
        table = (y + rng.normal(0, 1, 120))[:, None]
        column = np.empty(120, object)
        column[:] = X
        frame = pd.DataFrame({"image": column, "age": table[:, 0]})
        encoder = ImageEncoder(
            SIZE, network=memoriser(), **{**QUICK, "max_epochs": 20, "random_state": seed}
        )
        features = encoder.fit_transform(X, y)
        honest.append(cross_val_score(LogisticRegression(), features, y, scoring="roc_auc").mean())
        known = encoder.transform(X)
        naive.append(cross_val_score(LogisticRegression(), known, y, scoring="roc_auc").mean())
        seen.append(roc_auc_score(y, features[:, 0]))

        half = np.arange(120) < 80
        trained, tested = frame[half], frame[~half]

        def held_out_auc(transformer, trained=trained, tested=tested, y=y, half=half):
            columns = make_column_transformer((transformer, "image"), ("passthrough", ["age"]))
            model = make_pipeline(columns, LogisticRegression()).fit(trained, y[half])
            return roc_auc_score(y[~half], model.decision_function(tested))

        alone.append(roc_auc_score(y[~half], tested["age"]))
        held_out.append(held_out_auc(encoder))
        fooled.append(held_out_auc(Naive(clone(encoder))))
    assert abs(np.mean(honest) - 0.5) < 0.07
    assert abs(np.mean(seen) - 0.5) < 0.07
    assert np.mean(naive) > 0.85
    assert np.mean(held_out) < np.mean(alone) + 0.02
    assert np.mean(held_out) > np.mean(alone) - 0.08
    assert np.mean(fooled) < np.mean(held_out) - 0.05  # it trusted what the network knew by heart


class Naive(FunctionTransformer):
    """The encoder as if it were no supervised transformer: fit, then transform."""

    def __init__(self, encoder=None):
        super().__init__()
        self.encoder = encoder

    def fit(self, X, y=None):
        self.encoder_ = clone(self.encoder).fit(X, y)
        return self

    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)

    def transform(self, X):
        return self.encoder_.transform(X)


def test_folds_of_one_row_do_not_tell_its_label():
    X, y = make_images(24, 0.0)
    encoder = ImageEncoder(SIZE, network=memoriser(), **{**QUICK, "cv": KFold(24), "max_epochs": 5})
    features = encoder.fit_transform(X, y)
    for column in features[:, :-1].T:
        assert 0.1 < roc_auc_score(y, column) < 0.9


def test_labels_of_the_rows_left_out_change_nothing():
    X, y = make_images(60, 0.1)
    other = y.copy()
    other[:30] = np.random.default_rng(0).permutation(y[:30])
    encoder = ImageEncoder(SIZE, network=memoriser(), **{**QUICK, "cv": KFold(2)})
    first, second = (encoder.fit_transform(X, labels)[:30] for labels in (y, other))
    np.testing.assert_array_equal(first[:, 0], second[:, 0])
    # components have a common unit, one number, which is that of the network of all rows
    unit = second[:, 1].std() / first[:, 1].std()
    np.testing.assert_allclose(first[:, 1:5] * unit, second[:, 1:5], rtol=1e-6)
    assert 0.8 < unit < 1.25


def test_networks_are_turned_into_one_frame():
    rng = np.random.default_rng(0)
    frame = rng.normal(size=(80, 6)) * [3, 2, 1, 1, 1, 1]
    turned = 0.5 * frame @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + 7
    table = np.column_stack([rng.normal(size=80), turned])
    found = columns(table[60:], *turn(table[:60], 1, frame[:60], unit=0.5))
    np.testing.assert_allclose(found[:, 0], table[60:, 0] - table[:60, 0].mean())
    np.testing.assert_allclose(found[:, 1:], frame[60:] - frame[:60].mean(0), atol=1e-6)


def test_fit_and_fit_transform_learn_the_same(fitted, data):
    encoder, features = fitted
    again = clone(encoder).fit(*data)
    np.testing.assert_array_equal(again.transform(data[0]), encoder.transform(data[0]))
    np.testing.assert_array_equal(clone(encoder).fit_transform(*data), features)
    assert not np.allclose(features, encoder.transform(data[0]))


def test_parameters_may_be_numbers_of_numpy(data):
    own = {"size": SIZE, "n_components": 2, "cv": 2, "max_epochs": 1, "batch_size": 40}
    encoder = ImageEncoder(**own, random_state=0)
    expected = encoder.fit_transform(*data)
    encoder.set_params(**{name: np.int64(value) for name, value in own.items()})
    np.testing.assert_array_equal(encoder.fit_transform(*data), expected)


def test_torch_is_left_as_it_was(data):
    for network in ("small", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5))):
        before = torch.random.get_rng_state()
        encoder = ImageEncoder(SIZE, network=network, **{**QUICK, "max_epochs": 1})
        first = encoder.fit_transform(*data)
        assert torch.equal(before, torch.random.get_rng_state())
        torch.rand(3)
        np.testing.assert_array_equal(clone(encoder).fit_transform(*data), first)


def test_columns_and_their_names(fitted, data):
    encoder, features = fitted
    names = encoder.get_feature_names_out().tolist()
    assert names == ["score", *(f"component{k}" for k in range(4)), "missing"]
    assert features.shape == (90, encoder.n_features_out_) == (90, len(names))
    frame = pd.DataFrame({"scan": data[0]}, index=[f"p{k}" for k in range(90)])
    found = clone(encoder).set_output(transform="pandas").fit_transform(frame["scan"], data[1])
    assert found.columns.tolist() == names
    assert found.index.equals(frame.index)
    np.testing.assert_array_equal(found, features)


def test_several_classes_numbers_and_survival(data):
    X, y = data
    rng = np.random.default_rng(0)
    labels = np.array(["b", "a", "c"])[np.where(y == 1, 1, rng.integers(0, 2, 90) * 2)]
    encoder = ImageEncoder(SIZE, **QUICK)
    encoder.fit(X, labels)
    assert encoder.get_feature_names_out()[:3].tolist() == ["score_a", "score_b", "score_c"]
    assert encoder.classes_.tolist() == ["a", "b", "c"]

    encoder = ImageEncoder(SIZE, **{**QUICK, "n_components": None})
    numbers = y + rng.normal(0, 0.1, 90)
    features = encoder.fit_transform(X, numbers)
    assert encoder.target_type_ == "regression"
    assert encoder.get_feature_names_out()[:2].tolist() == ["prediction", "feature0"]
    assert np.corrcoef(features[:, 0], numbers)[0, 1] > 0.6

    days = np.round(10 * numbers).astype(int)
    with pytest.raises(ValueError, match=r"of its .* classes.*task='regression'"):
        encoder.fit(X, days)
    encoder = encoder.set_params(task="regression").fit(X, days)
    assert encoder.get_feature_names_out()[0] == "prediction"
    with pytest.raises(ValueError, match="task='regression'"):
        encoder.fit(X, make_survival_y([1] * 90, days + 9.0))

    time = rng.exponential(np.exp(-2 * y))
    survival = make_survival_y(rng.random(90) < 0.8, time)
    encoder = ImageEncoder(SIZE, **QUICK)
    features = encoder.fit_transform(X, survival)
    assert encoder.get_feature_names_out()[0] == "log_hazard"
    assert concordance_index(survival, features[:, 0]) > 0.6


def test_missing_and_several_images(fitted, data):
    encoder, _ = fitted
    one, two = data[0][:2]
    for how in ("mean", "max"):
        features = (
            clone(encoder)
            .set_params(pooling=how)
            .fit(*data)
            .transform([one, two, [one, two], None])
        )
        if how == "mean":
            np.testing.assert_allclose(features[2], features[:2].mean(0), atol=1e-6)
        assert (features[3, :-1] == 0).all()
        assert features[:, -1].tolist() == [0, 0, 0, 1]
    assert (encoder.transform([None, []])[:, :-1] == 0).all()

    X = [None if row % 3 == 0 else image for row, image in enumerate(data[0])]
    features = ImageEncoder(SIZE, **QUICK).fit_transform(X, data[1])
    assert features[:, -1].tolist() == [float(row % 3 == 0) for row in range(90)]
    assert (features[::3, :-1] == 0).all()
    assert (features[1::3, 0] != 0).all()


def test_rows_do_not_depend_on_each_other(fitted, data):
    encoder, _ = fitted
    all_at_once = encoder.transform(data[0])
    np.testing.assert_allclose(encoder.transform(data[0][7:9]), all_at_once[7:9], atol=1e-5)


def test_folds_may_be_masks_and_are_not_quoted(data):
    X, y = data[0][:12], data[1][:12]
    first = np.arange(12) < 6
    folds = [(first, ~first), (~first, first)]
    as_positions = [[np.flatnonzero(part) for part in pair] for pair in folds]
    encoder = ImageEncoder(SIZE, **{**QUICK, "max_epochs": 1})
    masked = encoder.set_params(cv=folds).fit_transform(X, y)
    np.testing.assert_array_equal(masked, encoder.set_params(cv=as_positions).fit_transform(X, y))
    with pytest.raises(ValueError, match=r"^cv \(list\): without one of the folds"):
        encoder.set_params(cv=folds).fit_transform(X, first.astype(int))
    for cv in (folds, as_positions):
        with pytest.raises(ValueError, match="another number of rows than the 10 given"):
            encoder.set_params(cv=cv).fit_transform(X[:10], y[:10])
    everyone = np.arange(12)
    with pytest.raises(ValueError, match="in both parts of a fold"):
        encoder.set_params(cv=[(everyone, test) for _, test in folds]).fit_transform(X, y)


def test_groups_are_left_out_together(data):
    X, y = data
    groups = np.arange(90) // 6
    own = ImageEncoder(SIZE, **{**QUICK, "cv": GroupKFold(3)}).fit_transform(X, y, groups=groups)
    assert own.shape == (90, 6)
    # one image per group: a network that has seen the group knows the answer
    noise, _ = make_images(20, 0.0)
    X, y = [noise[k] for k in np.repeat(np.arange(20), 4)], np.repeat(np.arange(20) % 2, 4)
    encoder = ImageEncoder(SIZE, network=memoriser(), **QUICK)
    known = encoder.fit_transform(X, y)
    unknown = encoder.fit_transform(X, y, groups=np.repeat(np.arange(20), 4))
    assert roc_auc_score(y, known[:, 0]) > 0.9
    assert roc_auc_score(y, unknown[:, 0]) < 0.8


def test_groups_come_through_a_column_transformer(data):
    X, y = pd.DataFrame({"scan": data[0][:20]}), data[1][:20]
    groups = np.arange(20) // 2
    encoder = ImageEncoder(SIZE, **{**QUICK, "max_epochs": 1})
    expected = encoder.fit_transform(X["scan"], y, groups=groups)
    with config_context(enable_metadata_routing=True):
        columns = make_column_transformer((encoder.set_fit_request(groups=True), "scan"))
        np.testing.assert_array_equal(columns.fit_transform(X, y, groups=groups), expected)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ([None] * 8, "groups is missing at rows 0, 1, 2, 3, 4 and 3 more"),
        ([np.nan, *range(7)], "groups is missing at row 0;"),
        (range(5), "groups must have one value per patient, 8"),
        (pd.Series([1, 1, "Smith", "Smith"] * 2, dtype=object), "of the types int, str"),
    ],
)
def test_bad_groups(groups, match, data):
    with pytest.raises(ValueError, match=match) as error:
        ImageEncoder(SIZE, cv=2).fit_transform(data[0][:8], [0, 1] * 4, groups=groups)
    assert "Smith" not in str(error.value)


def test_texture_needs_no_labels(data):
    X, y = data
    raw = ImageEncoder(SIZE, network="texture", n_components=None)
    features = raw.fit_transform(X)
    expected, names = texture_features(np.float16(np.stack(X)))
    np.testing.assert_allclose(features[:, :-1], expected - expected.mean(0), atol=1e-4)
    assert raw.get_feature_names_out().tolist() == [*names, "missing"]
    few = ImageEncoder(SIZE, network="texture", n_components=3).fit(X, y)
    assert few.get_feature_names_out().tolist()[-2:] == ["component2", "missing"]
    columns = few.transform(X)
    np.testing.assert_allclose(columns[:, 0].std(), 1, rtol=1e-6)
    np.testing.assert_allclose(np.corrcoef(columns[:, :3].T), np.eye(3), atol=1e-6)
    assert not few.__sklearn_tags__().target_tags.required
    assert ImageEncoder().__sklearn_tags__().target_tags.required


def test_a_module_of_the_user(data):
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, 2), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten()
    )
    before = {name: value.clone() for name, value in module.state_dict().items()}
    encoder = ImageEncoder(SIZE, network=module, **{**QUICK, "batch_size": 89})
    encoder.fit(*data)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(isinstance(value, np.ndarray) for value in encoder.weights_.values())
    copy = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(copy.transform(data[0]), encoder.transform(data[0]))
    with pytest.raises(ValueError, match="cannot take images"):
        ImageEncoder(SIZE, network=torch.nn.Linear(3, 2)).fit(*data)
    with pytest.raises(ValueError, match="not features of shape"):
        ImageEncoder(SIZE, network=torch.nn.Conv2d(1, 2, 3)).fit(*data)


def test_densenet_is_that_of_monai(data, monkeypatch):
    asked = {}

    class DenseNet121(torch.nn.Module):
        def __init__(self, spatial_dims, in_channels, out_channels, pretrained):
            super().__init__()
            asked.update(spatial_dims=spatial_dims, pretrained=pretrained)
            self.layers = torch.nn.Sequential(
                torch.nn.Conv2d(in_channels, out_channels, 5, 4),
                torch.nn.AdaptiveAvgPool2d(1),
                torch.nn.Flatten(),
            )

        def forward(self, images):
            return self.layers(images)

    encoder = ImageEncoder(32, network="densenet121", **{**QUICK, "max_epochs": 1, "cv": 2})
    for name in ("monai", "monai.networks"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(ImportError, match=r"sklearn-medsel\[image\]"):
        encoder.fit(*data)
    fake = types.ModuleType("monai.networks.nets")
    fake.DenseNet121 = DenseNet121
    monkeypatch.setitem(sys.modules, "monai.networks.nets", fake)
    assert encoder.fit_transform(*data).shape == (90, 6)
    assert asked == {"spatial_dims": 2, "pretrained": False}
    with pytest.raises(ValueError, match="at least 32"):
        ImageEncoder(16, network="densenet121").fit(*data)


def test_densenet_of_monai_itself(data):
    pytest.importorskip("monai", reason="network='densenet121' needs MONAI (extra 'image')")
    encoder = ImageEncoder(32, network="densenet121", **{**QUICK, "max_epochs": 1, "cv": 2})
    encoder.fit(data[0][:8], data[1][:8])
    assert np.isfinite(encoder.transform(data[0][:8])).all()


def test_in_a_grid_search_images_are_decoded_once(data):
    cache = ImageCache()
    frame = pd.DataFrame({"scan": data[0], "age": np.arange(90.0)})
    encoder = ImageEncoder(SIZE, **{**QUICK, "max_epochs": 1, "cv": 2}, cache=cache)
    columns = make_column_transformer((encoder, "scan"), ("passthrough", ["age"]))
    model = make_pipeline(columns, LogisticRegression(max_iter=5000))
    grid = {"columntransformer__imageencoder__n_components": [1, 2]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(frame, data[1])
    assert len(cache) == 90
    names = search.best_estimator_[0].get_feature_names_out()
    assert names[0] == "imageencoder__score"
    assert "ImageEncoder" in search.best_estimator_._repr_html_()


def test_survives(fitted, data, tmp_path):
    encoder, _ = fitted
    copies = [pickle.loads(pickle.dumps(encoder))]
    assert len(pickle.dumps(encoder)) < 200_000
    pytest.importorskip("skops", reason="saving needs the extra 'share'")
    texture = ImageEncoder(SIZE, network="texture", image_root=tmp_path).fit(data[0])
    for one in (encoder, texture):
        persistence.save(one, tmp_path / "encoder.skops")
        copies.append(persistence.load(tmp_path / "encoder.skops"))
        np.testing.assert_array_equal(copies[-1].transform(data[0]), one.transform(data[0]))
    np.testing.assert_array_equal(copies[0].transform(data[0]), encoder.transform(data[0]))
    assert copies[-1].image_root == str(tmp_path)
    assert texture.image_root is tmp_path


def test_progress_is_told_and_may_stop(data):
    class Counter:
        def __init__(self, stop_after=None):
            self.n, self.stop_after = 0, stop_after

        def __call__(self, attributes=None):
            self.n += 1
            return self.n == self.stop_after

    from sklearn_medsel.image._crossfit import _Clock

    counter = Counter(stop_after=2)
    clock = _Clock(counter)
    first = clock.start()
    assert [first(), first()] == [False, True]
    second = clock.start()
    assert [second(), second()] == [False, True]  # as long as the first
    assert counter.n == 2
    assert issubclass(ImageEncoder, CallbackSupportMixin)


def test_unfitted(data):
    with pytest.raises(NotFittedError):
        ImageEncoder().transform(data[0])
    with pytest.raises(NotFittedError):
        ImageEncoder().get_feature_names_out()


@pytest.mark.parametrize(
    ("parameters", "rows", "y", "match"),
    [
        ({}, 8, None, "network='texture'"),
        ({"network": "large"}, 8, [0, 1] * 4, "network"),
        ({"size": 4}, 8, [0, 1] * 4, "size"),
        ({"pooling": "median"}, 8, [0, 1] * 4, "pooling"),
        ({}, 8, [0, 1], "inconsistent numbers"),
        ({}, 8, [0] * 8, "one class only"),
        ({}, 8, [None, 1] * 4, "y is missing at rows 0, 2, 4, 6"),
        ({}, 8, [0.0, np.nan] * 4, "y is missing at rows 1, 3, 5, 7"),
        ({}, 8, [0.5, np.inf] * 4, "y is infinite at rows 1, 3, 5, 7"),
        ({}, 8, np.array([0, "b"] * 4, dtype=object), "y holds values of the types int, str"),
        ({"cv": 9}, 8, [0, 1] * 4, "n_splits=9"),
        ({"cv": ShuffleSplit(2)}, 8, [0, 1] * 4, "leave every row out exactly once"),
        ({"cv": KFold(2)}, 8, [0] * 4 + [1] * 4, "two different values of y"),
        ({"cv": KFold(2)}, 8, make_survival_y([0] * 4 + [1] * 4, range(8)), "an event"),
    ],
)
def test_bad_input(parameters, rows, y, match, data):
    with pytest.raises(ValueError, match=match):
        ImageEncoder(**{"size": SIZE, "max_epochs": 1, **parameters}).fit_transform(
            data[0][:rows], y
        )


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (["SECRET", "b"] * 4, "one class only among the 4 patients with an image"),
        (["SECRET", *"bbccbcb"], "one patient only in 1 of its 3 classes, among the 8 given"),
    ],
)
def test_classes_that_cannot_be_learnt_are_counted_and_not_named(y, match, data):
    X = [image if row % 2 else None for row, image in enumerate(data[0][:8])]
    for fit in (ImageEncoder(SIZE).fit, ImageEncoder(SIZE).fit_transform):
        with pytest.raises(ValueError, match=match) as error:
            fit(X, y)
        assert not any(word in str(error.value) for word in ("SECRET", "task="))


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (make_survival_y([1, 0] * 4, range(8)), "not an event among the 4 patients with an image"),
        ([0.7, 0.5] * 4, "not two different values of y among the 4 patients with an image"),
    ],
)
def test_there_must_be_something_to_learn_among_those_with_an_image(y, match, data):
    X = [image if row % 2 else None for row, image in enumerate(data[0][:8])]
    for fit in (ImageEncoder(SIZE).fit, ImageEncoder(SIZE).fit_transform):
        with pytest.raises(ValueError, match=match):
            fit(X, y)


def test_too_few_images_and_a_diverging_rate(data):
    with pytest.raises(ValueError, match="1 of 4 rows have an image"):
        ImageEncoder(SIZE).fit([data[0][0], None, None, None], [0, 1, 0, 1])
    with pytest.raises(ValueError, match="smaller learning_rate"):
        ImageEncoder(SIZE, network=torch.nn.Flatten(), learning_rate=1e38).fit(*data)
    twice = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(SIZE**2, 4), torch.nn.Linear(4, 4)
    )  # weights that are finite, and a product that is not
    steep = {"learning_rate": 1e20, "max_epochs": 1, "batch_size": 90}
    with pytest.raises(ValueError, match=r"features are not finite.*smaller learning_rate"):
        ImageEncoder(SIZE, network=twice, **steep, random_state=0).fit(*data)
