"""The screen of pairs: calibrated p-values, true pairs first, products of few that matter."""

import numpy as np
import pytest

from sklearn_medsel.multimodal._inputs import Inputs
from sklearn_medsel.multimodal._pairs import _Screen, find_interaction


def inputs_of(X, n_left):
    """Two blocks side by side, as the encoding gives them."""
    sizes = np.array([n_left, X.shape[1] - n_left])
    block = np.repeat([0, 1], sizes)
    return Inputs(X * sizes[block] ** -0.5, np.ones((len(X), 2), dtype=bool), block)


def screen_of(rng, n, sizes, main=None):
    """Screen blocks of which some features, `main`, matter by themselves."""
    X, p = rng.standard_normal((n, sum(sizes))), sum(sizes)
    if main is None:
        main = rng.choice(p, min(4, p), replace=False)
    is_main = np.isin(np.arange(p), main)
    return X, _Screen(inputs_of(X, sizes[0]), (0, 1), np.ones(p), is_main, np.arange(n))


@pytest.mark.parametrize("sizes", [(1, 1), (3, 10), (2, 60)])
@pytest.mark.parametrize("n_permutations", [5, 50])
def test_pvalues_are_uniform_where_nothing_interacts(sizes, n_permutations):
    pvalues = []
    for seed in range(200):
        rng = np.random.RandomState(seed)
        _, screen = screen_of(rng, 60, sizes)
        rest = rng.standard_t(4, (60, 1))
        pvalues.append(screen.pvalue(rest, np.arange(60), rng, n_permutations))
    for level in (0.01, 0.05, 0.2):
        share = np.mean(np.array(pvalues) < level)
        assert share < level + 3 * np.sqrt(level * (1 - level) / 200)
    assert 0.4 < np.mean(pvalues) < 0.6


def test_a_product_is_found_and_named_first():
    rng = np.random.RandomState(0)
    X, screen = screen_of(rng, 200, (20, 30))
    rest = (X[:, 4] * X[:, 27] + rng.standard_normal(200))[:, None]
    features, weights, correlations = screen.best_pairs(rest)
    assert features[0].tolist() == [4, 27]
    assert np.abs(weights).argmax() == 0
    assert 0.4 < correlations[0] < 0.9
    assert screen.pvalue(rest, np.arange(200), rng, 30) < 1e-3


def test_products_of_features_that_matter_need_less():
    """The same product, clear enough among few and not among all."""
    pvalues = []
    for main in ([0, 1, 2, 3, 80, 81, 82, 83], [0, 1, 2, 40, 80, 81, 82, 120]):
        rng = np.random.RandomState(3)
        X, screen = screen_of(rng, 150, (80, 80), main)
        rest = (0.42 * X[:, 40] * X[:, 120] + rng.standard_normal(150))[:, None]
        pvalues.append(screen.pvalue(rest, np.arange(150), rng, 40))
    assert pvalues[1] < 0.01 < 0.05 < pvalues[0]


def test_scores_of_a_fold_come_from_the_others():
    rng = np.random.RandomState(1)
    X = rng.standard_normal((60, 12))
    rest = rng.standard_normal((60, 1))
    folds = [(np.arange(30, 60), np.arange(30)), (np.arange(30), np.arange(30, 60))]
    inputs, effects, units = inputs_of(X, 5), np.ones((3, 12)), np.arange(60)
    main = rng.random_sample((3, 12)) < 0.3

    def oof(rest):
        rng = np.random.RandomState(0)
        found = find_interaction(inputs, (0, 1), rest, effects, main, units, folds, rng, 2)
        return found.term.oof

    other = rest.copy()
    other[:30] = rng.standard_normal((30, 1))
    np.testing.assert_array_equal(oof(rest)[:30], oof(other)[:30])
    assert not np.allclose(oof(rest)[30:], oof(other)[30:])


def test_constant_features_make_no_pair():
    rng = np.random.RandomState(2)
    X = rng.standard_normal((40, 6))
    X[:, 0] = 0
    screen = _Screen(inputs_of(X, 3), (0, 1), np.ones(6), np.ones(6, dtype=bool), np.arange(40))
    rest = rng.standard_normal((40, 1))
    correlations = screen.correlations(rest)
    assert np.all(correlations[0] == 0)
    assert np.isfinite(screen.pvalue(rest, np.arange(40), rng, 10))
