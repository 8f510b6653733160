"""The screen of pairs: calibrated p-values, true pairs first, few that matter, bends."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from sklearn_medsel.multimodal._bends import clear_bends, product_beside
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


def pvalue_of(screen, rest, rng, n_permutations):
    units = np.arange(len(rest))
    return screen.pvalue(screen.candidates(rest, units), rest, units, rng, n_permutations)


@pytest.mark.parametrize("sizes", [(1, 1), (3, 10), (2, 60)])
@pytest.mark.parametrize("n_permutations", [5, 50])
def test_pvalues_hold_where_nothing_interacts(sizes, n_permutations):
    pvalues = []
    for seed in range(200):
        rng = np.random.RandomState(seed)
        _, screen = screen_of(rng, 60, sizes)
        rest = rng.standard_t(4, (60, 1))
        pvalues.append(pvalue_of(screen, rest, rng, n_permutations))
    for level in (0.01, 0.05, 0.2):
        share = np.mean(np.array(pvalues) < level)
        assert share < level + 3 * np.sqrt(level * (1 - level) / 200)
    # two tests must agree on the pair, so p-values may be a little large
    assert 0.4 < np.mean(pvalues) < 0.65


def test_a_product_is_found_and_named_first():
    rng = np.random.RandomState(0)
    X, screen = screen_of(rng, 200, (20, 30))
    rest = (X[:, 4] * X[:, 27] + rng.standard_normal(200))[:, None]
    features, weights, correlations = screen.candidates(rest, np.arange(200)).best()
    assert features[0].tolist() == [4, 27]
    assert np.abs(weights).argmax() == 0
    assert 0.4 < correlations[0] < 0.9
    assert pvalue_of(screen, rest, rng, 30) < 1e-3


def test_products_of_features_that_matter_need_less():
    """The same product, clear enough among few and not among all."""
    pvalues = []
    for main in ([0, 1, 2, 3, 80, 81, 82, 83], [0, 1, 2, 40, 80, 81, 82, 120]):
        rng = np.random.RandomState(3)
        X, screen = screen_of(rng, 150, (80, 80), main)
        rest = (0.42 * X[:, 40] * X[:, 120] + rng.standard_normal(150))[:, None]
        pvalues.append(pvalue_of(screen, rest, rng, 40))
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


def test_products_say_nothing_of_an_average_patient():
    """Else what is said of folds with other pairs would differ by a constant."""
    rng = np.random.RandomState(2)
    left = rng.standard_normal((90, 4))
    X = np.hstack([left, left + 0.3 * rng.standard_normal((90, 4))])  # so that no product is 0
    inputs, rest, fold = inputs_of(X, 4), rng.standard_normal((90, 1)), np.arange(90) % 3
    folds = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(3)]
    main = np.zeros((4, 8), dtype=bool)
    term = find_interaction(
        inputs, (0, 1), rest, np.ones((4, 8)), main, np.arange(90), folds, rng, 2
    ).term
    assert term.scores(inputs).mean() == pytest.approx(0, abs=1e-12)
    for f, (train, _) in enumerate(folds):
        said = replace(term, fold=np.full(90, f)).fold_scores(inputs, None)
        assert said[train].mean() == pytest.approx(0, abs=1e-12)
        assert said.std() > 0.01


def test_constant_features_make_no_pair():
    rng = np.random.RandomState(2)
    X = rng.standard_normal((40, 6))
    X[:, 0] = 0
    screen = _Screen(inputs_of(X, 3), (0, 1), np.ones(6), np.ones(6, dtype=bool), np.arange(40))
    rest = rng.standard_normal((40, 1))
    correlations = screen.correlations(rest)
    assert np.all(correlations[0] == 0)
    assert np.isfinite(pvalue_of(screen, rest, rng, 10))


_BENT = {
    "square": lambda x, e: x**2 + e,
    "size": lambda x, e: 2 * np.abs(x) + e,
    "exponential": lambda x, e: np.exp(x) / 2 + e,
    "unequal variance": lambda x, e: e * np.exp(0.6 * x),
}


@pytest.mark.parametrize("shape", _BENT)
def test_what_bends_in_one_feature_is_no_interaction(shape):
    """Each feature of the left block has one in the right that goes with it."""
    n_found = 0
    for seed in range(30):
        rng = np.random.RandomState(seed)
        left = rng.standard_normal((250, 20))
        right = 0.5 * left + np.sqrt(0.75) * rng.standard_normal((250, 20))
        y = _BENT[shape](left[:, 3], rng.standard_normal(250))
        line = np.column_stack([np.ones(250), left[:, 3]])
        rest = (y - line @ np.linalg.lstsq(line, y)[0])[:, None]
        inputs = inputs_of(np.hstack([left, right]), 20)
        screen = _Screen(inputs, (0, 1), np.ones(40), np.arange(40) == 3, np.arange(250))
        n_found += pvalue_of(screen, rest, rng, 15) < 0.05
    assert n_found <= 5  # of 30; at a level of .05, six or more have a probability below .004


def test_a_pair_that_bends_gives_its_place_to_a_true_one():
    rng = np.random.RandomState(5)
    left = rng.standard_normal((400, 10))
    right = 0.5 * left + np.sqrt(0.75) * rng.standard_normal((400, 10))
    rest = 1.5 * left[:, 0] ** 2 + 0.6 * left[:, 4] * right[:, 7] + rng.standard_normal(400)
    inputs = inputs_of(np.hstack([left, right]), 10)
    screen = _Screen(inputs, (0, 1), np.ones(20), np.zeros(20, dtype=bool), np.arange(400))
    candidates = screen.candidates(rest[:, None], np.arange(400))
    assert candidates.features[0].tolist() == [0, 10]  # the clearest by itself
    assert candidates.best()[0][0].tolist() == [4, 17]
    assert pvalue_of(screen, rest[:, None], rng, 20) < 1e-3


def test_a_product_is_tested_as_by_least_squares():
    """The heteroscedastic score test, written out for one row per unit."""
    rng = np.random.RandomState(6)
    pair, bends, rest = (rng.standard_normal((50, k)) for k in (2, 3, 1))
    x, y = pair.T
    known = np.column_stack([np.ones(50), x, y, x**2, y**2, x**3, y**3, bends])
    product = x * y - known @ np.linalg.lstsq(known, x * y)[0]
    left = rest[:, 0] - known @ np.linalg.lstsq(known, rest[:, 0])[0]
    full = np.column_stack([known, x * y])
    leverage = np.diag(full @ np.linalg.pinv(full))
    z = product @ left / np.sqrt(np.sum((product * left) ** 2 / (1 - leverage)))
    expected = 2 * t.sf(abs(z), 50 - 11)
    pvalue = product_beside(pair, bends, rest, np.arange(50))
    assert pvalue == pytest.approx(expected, rel=1e-8)


def test_rows_of_a_unit_count_once():
    rng = np.random.RandomState(7)
    pair, rest = rng.standard_normal((60, 2)), rng.standard_normal((60, 1))
    rest += 0.6 * pair.prod(axis=1, keepdims=True)
    twice = np.arange(60).repeat(2)
    no_bends = np.empty((120, 0))
    again = product_beside(pair[twice], no_bends, rest[twice], twice)
    alone = product_beside(pair[twice], no_bends, rest[twice], np.arange(120))
    once = product_beside(pair, no_bends[:60], rest, np.arange(60))
    assert again == pytest.approx(once, rel=0.5)
    assert alone < again / 10


def test_products_of_few_patients_or_levels_cannot_be_told():
    rng = np.random.RandomState(8)
    pair, rest = rng.standard_normal((8, 2)), rng.standard_normal((8, 1))
    assert product_beside(pair, np.empty((8, 0)), rest, np.arange(8)) == 1
    same = np.repeat(rng.standard_normal((40, 1)) > 0, 2, axis=1).astype(float)
    assert product_beside(same, np.empty((40, 0)), rng.standard_normal((40, 1)), np.arange(40)) == 1


def test_only_clear_bends_count():
    rng = np.random.RandomState(9)
    features = rng.standard_normal((200, 30))
    noise = rng.standard_normal((200, 2))
    assert clear_bends(features, noise).shape == (200, 0)
    noise[:, 1] += features[:, 12] ** 2
    bends = clear_bends(features, noise)
    x = features[:, 12]
    np.testing.assert_array_equal(bends, np.column_stack([x, x**2, x**3]))
    assert clear_bends(features[:20], noise[:20]).shape == (20, 0)
