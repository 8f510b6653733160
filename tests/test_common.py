"""scikit-learn's own checks, and the same promises where those checks have no fitting data."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_medsel import (
    DeepFeatureCox,
    DeepFeatureSelector,
    ImageEncoder,
    ReportAttentionClassifier,
    ReportEncoder,
    TumourPositionForecaster,
)
from sklearn_medsel.survival import make_survival_y

CHECKED = [
    DeepFeatureSelector(n_repeats=3),
    DeepFeatureSelector(1, n_repeats=2, task="classification", hidden_layer_sizes=()),
    DeepFeatureSelector("auto", n_repeats=2, hidden_layer_sizes=()),
    DeepFeatureSelector(task="regression", n_repeats=2, hidden_layer_sizes=()),
    DeepFeatureSelector(method="mori", n_repeats=2, max_epochs=20),
]

# Rows are moments of one recording here, so few of them must be enough for history and horizon.
BRIEF = {"horizons": (0.2,), "history": 0.8, "random_state": 0}
FORECASTERS = [
    TumourPositionForecaster(**BRIEF, experts=("persistence", "ridge")),
    TumourPositionForecaster(**BRIEF, max_epochs=1),
]
# A forecast is made from the rows before it, so it cannot stay the same when these change.
NO_TIME_SERIES = {
    "check_methods_sample_order_invariance": "the order of the rows is their order in time",
    "check_methods_subset_invariance": "a row alone has lost its past",
}

# Of estimators that take text or images, scikit-learn tests nothing by itself: these are its checks
# that need no data. tests/test_report_*.py and test_image_*.py hold what it asks of fitted ones.
TEXT = [ReportAttentionClassifier("hashing"), ReportEncoder("hashing"), ImageEncoder()]
WITHOUT_DATA = [
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_mixin_order,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
]

# scikit-learn has no survival target; these get the checks below.
SURVIVAL = {
    "path": DeepFeatureSelector(n_repeats=3, random_state=0),
    "auto": DeepFeatureSelector("auto", n_repeats=3, random_state=0),
    "mori": DeepFeatureSelector(3, method="mori", n_repeats=2, max_epochs=20, random_state=0),
    "cox": DeepFeatureCox(max_epochs=20, random_state=0),
}


# scikit-learn says so itself where a check transforms noise, of which nothing is selected
@pytest.mark.filterwarnings("ignore:No features were selected:UserWarning")
@parametrize_with_checks(CHECKED)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@parametrize_with_checks(FORECASTERS, expected_failed_checks=lambda estimator: NO_TIME_SERIES)
def test_scikit_learn_checks_of_forecasters(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", WITHOUT_DATA, ids=lambda check: check.__name__)
@pytest.mark.parametrize("estimator", TEXT, ids=lambda estimator: type(estimator).__name__)
def test_scikit_learn_checks_without_data(estimator, check):
    check(type(estimator).__name__, estimator)


@pytest.fixture(scope="module")
def survival_data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 40))
    time = np.ceil(12 * rng.exponential(np.exp(-1.5 * X[:, 2])))
    return X, make_survival_y(rng.random(60) < 0.8, time)


@pytest.fixture(scope="module", params=list(SURVIVAL))
def fitted(request, survival_data):
    return clone(SURVIVAL[request.param]).fit(*survival_data)


def outputs(estimator, X):
    return estimator.predict(X) if hasattr(estimator, "predict") else estimator.transform(X)


@pytest.mark.parametrize("name", list(SURVIVAL))
def test_unfitted(name, survival_data):
    X, _ = survival_data
    with pytest.raises(NotFittedError):
        outputs(clone(SURVIVAL[name]), X)


def test_fit_twice_is_fit_once(fitted, survival_data):
    again = clone(fitted).fit(*survival_data).fit(*survival_data)
    np.testing.assert_array_equal(again.feature_importances_, fitted.feature_importances_)
    np.testing.assert_array_equal(
        outputs(again, survival_data[0]), outputs(fitted, survival_data[0])
    )


def test_fit_returns_self_and_keeps_parameters(fitted, survival_data):
    estimator = clone(fitted)
    before = estimator.get_params()
    assert estimator.fit(*survival_data) is estimator
    assert estimator.get_params() == before


def test_fit_does_not_write_to_its_arguments(fitted, survival_data):
    X, y = (values.copy() for values in survival_data)
    X.flags.writeable = y.flags.writeable = False
    clone(fitted).fit(X, y)
    np.testing.assert_array_equal(X, survival_data[0])
    np.testing.assert_array_equal(y, survival_data[1])


def test_clone_is_unfitted(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]


def test_pickle_round_trip(fitted, survival_data):
    X, _ = survival_data
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(outputs(copy, X), outputs(fitted, X))
    assert sorted(vars(copy)) == sorted(vars(fitted))


def test_wrong_number_of_features(fitted, survival_data):
    X, _ = survival_data
    with pytest.raises(ValueError, match="39 features"):
        outputs(fitted, X[:, 1:])
