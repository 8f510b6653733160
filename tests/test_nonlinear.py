"""The dense part of the selector: kept where the outcome is curved, and not where it is linear."""

import numpy as np
import pytest

from sklearn_medsel import DeepFeatureSelector


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).standard_normal((400, 12))


def fit(X, y, **parameters):
    return DeepFeatureSelector(
        2, n_repeats=6, interactions=False, random_state=0, **parameters
    ).fit(X, y)


def test_a_curved_outcome_keeps_the_network_and_its_ranking(X):
    y = (X[:, 3] ** 2 + X[:, 7] ** 2 > 1.4).astype(int)
    selector = fit(X, y)
    assert selector.nonlinear_used_
    assert list(selector.get_support(indices=True)) == [3, 7]


def test_a_linear_outcome_stays_linear(X):
    noise = np.random.default_rng(1).logistic(size=len(X))
    selector = fit(X, (2 * X[:, 3] - 2 * X[:, 7] + noise > 0).astype(int))
    assert not selector.nonlinear_used_
    assert list(selector.get_support(indices=True)) == [3, 7]


def test_no_hidden_layer_no_network(X):
    y = (X[:, 3] ** 2 + X[:, 7] ** 2 > 1.4).astype(int)
    assert not fit(X, y, hidden_layer_sizes=()).nonlinear_used_
