"""The screen of pairs against brute force, and on data without pairs."""

import numpy as np
import pytest
import torch
from scipy.stats import norm, rankdata

from sklearn_medsel.feature_selection import _pairs
from sklearn_medsel.feature_selection._decoys import RowBlocks
from sklearn_medsel.feature_selection._pairs import PairScreen, confirm_pairs, screen_pairs


def planted(n=300, p=300, size=1.0, seed=0):
    """Residuals that depend on the product of columns 5 and 17 only."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    residual = size * X[:, 5] * X[:, 17] + rng.standard_normal(n)
    return torch.as_tensor(X.T.copy()).T, residual[:, None]


def brute_force(X, residual):
    """Statistics of all pairs, (p, p), zero on and below the diagonal."""
    scores = norm.ppf((rankdata(X, axis=0) - 0.5) / len(X))
    scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    best = 0
    for output in residual.T:
        z = (output - output.mean()) / output.std()
        best = np.maximum(best, np.abs(np.einsum("i,ij,ik->jk", z, scores, scores)))
    return np.triu(best, 1) / np.sqrt(len(X))


@pytest.fixture(scope="module")
def screened():
    X, residual = planted()
    return screen_pairs(X, residual, np.random.default_rng(0), n_best=10), X, residual


def test_a_planted_pair_is_found(screened):
    screen, _, _ = screened
    assert screen.pairs[0].tolist() == [5, 17]
    assert screen.pvalues[0] < 1e-6
    assert screen.pvalues[1] > 1e-3


def test_statistics_are_those_of_all_pairs(screened):
    screen, X, residual = screened
    every = brute_force(X.numpy(), residual)
    order = np.argsort(-every, axis=None)[:10]
    np.testing.assert_allclose(screen.statistics, every.flat[order], rtol=1e-8)
    np.testing.assert_array_equal(screen.pairs, np.transpose(np.unravel_index(order, every.shape)))


@pytest.mark.parametrize("block", [7, 64, 1000])
def test_blocks_change_nothing(monkeypatch, block):
    X, residual = planted(n=60, p=70)
    residual = np.column_stack([residual, np.random.default_rng(1).standard_normal(60)])
    monkeypatch.setattr(_pairs, "_BLOCK", block)
    screen = screen_pairs(X, residual, np.random.default_rng(0), n_best=25, n_permutations=3)
    every = np.sort(brute_force(X.numpy(), residual), axis=None)[::-1]
    np.testing.assert_allclose(screen.statistics[0], every[0], rtol=1e-8)
    assert np.all(np.diff(screen.statistics) <= 0)
    assert np.all(screen.pairs[:, 0] < screen.pairs[:, 1])


def test_small_blocks_find_the_same_pairs(monkeypatch):
    X, residual = planted(n=60, p=70)
    whole = screen_pairs(X, residual, np.random.default_rng(0), n_best=15, n_permutations=3)
    monkeypatch.setattr(_pairs, "_BLOCK", 16)
    parts = screen_pairs(X, residual, np.random.default_rng(0), n_best=15, n_permutations=3)
    np.testing.assert_array_equal(parts.pairs, whole.pairs)
    np.testing.assert_allclose(parts.pvalues, whole.pvalues, rtol=1e-6)


def test_a_pair_acting_on_two_outputs_is_listed_once():
    X, residual = planted(n=200, p=40)
    screen = screen_pairs(
        X, np.column_stack([residual, residual]), np.random.default_rng(0), n_permutations=4
    )
    assert len({tuple(pair) for pair in screen.pairs}) == len(screen.pairs)


def test_no_pair_in_noise():
    smallest = []
    for seed in range(12):
        X, residual = planted(n=100, p=60, size=0.0, seed=seed)
        screen = screen_pairs(X, residual, np.random.default_rng(seed))
        smallest.append(screen.pvalues[0])
    assert np.mean(np.array(smallest) < 0.1) <= 0.35
    assert 0.2 < np.mean(smallest) < 0.8


def test_an_outlier_makes_no_pair():
    X, residual = planted(n=100, p=40, size=0.0)
    X[3] = 50.0
    screen = screen_pairs(X, residual, np.random.default_rng(0))
    assert screen.pvalues[0] > 0.01


def test_permutations_respect_groups():
    """A level that groups share, in X and in the residual, is no interaction."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 4)
    level = rng.standard_normal((30, 40))
    X = torch.as_tensor((level[groups] + 0.1 * rng.standard_normal((120, 40))).T.copy()).T
    residual = rng.standard_normal(30)[groups][:, None]
    blocks = RowBlocks(groups, np.zeros(30, dtype=bool))
    free = screen_pairs(X, residual, np.random.default_rng(0))
    grouped = screen_pairs(X, residual, np.random.default_rng(0), blocks=blocks)
    assert free.pvalues[0] < 0.02
    assert grouped.pvalues[0] > 0.05


def test_constant_columns_and_few_pairs():
    X = torch.zeros(20, 3, dtype=torch.float64)
    X[:, 0] = torch.linspace(-1, 1, 20)
    screen = screen_pairs(X, np.ones((20, 1)), np.random.default_rng(0))
    assert len(screen.pairs) == len(screen.statistics) == len(screen.pvalues) == 0


def confirm(X, response, main_effects=()):
    """p-value of the pair (0, 1), which a screen is sure of."""
    screen = PairScreen(np.array([[0, 1]]), np.array([9.0]), np.array([1e-9]))
    weight = np.full(len(X), 1 / len(X))
    main_effects = np.array(main_effects, dtype=int)
    return confirm_pairs(screen, torch.as_tensor(X), response, weight, main_effects).pvalues[0]


def test_confirmation_is_the_score_test_of_the_product():
    rng = np.random.default_rng(3)
    # as far apart as normal scores, so that the screen's own scale is that of the columns
    X = norm.ppf((np.argsort(rng.random((80, 6)), axis=0) + 0.5) / 80)
    X /= X.std(axis=0)
    response = (X[:, 0] * X[:, 1] + X[:, 3] + rng.standard_normal(80))[:, None]
    base = np.column_stack([np.ones(80), X[:, 3], X[:, 3] ** 2, X[:, :2], X[:, :2] ** 2])
    full = np.column_stack([base, X[:, 0] * X[:, 1]])
    less, more = (
        np.sum((response - columns @ np.linalg.lstsq(columns, response)[0]) ** 2)
        for columns in (base, full)
    )
    z = np.sqrt((less - more) / less * (80 - 6))
    assert confirm(X, response, [3]) == pytest.approx(6 * 2 * norm.sf(z), rel=1e-6)


def test_a_pair_must_hold_beside_main_effects():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((300, 8))
    X[:, 1] = 0.9 * X[:, 0] + 0.4 * X[:, 1]
    noise = rng.standard_normal(300)
    curved = (X[:, 0] ** 2 + noise)[:, None]
    assert confirm(X, curved) > 0.1
    product = (X[:, 0] * X[:, 2] + 0.3 * noise)[:, None]
    assert confirm(X[:, [0, 2, 1]], product, [0]) < 1e-6
