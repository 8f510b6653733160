"""The conditional test: valid for null features, sharp between a true gene and its neighbour."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from sklearn_medsel.feature_selection._conditional import _respect_blocks, conditional_pvalues
from sklearn_medsel.feature_selection._decoys import RowBlocks
from sklearn_medsel.feature_selection._families import (
    CoxFamily,
    LogisticFamily,
    MultinomialFamily,
    SquaredFamily,
)


def standard(X):
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return torch.as_tensor(np.ascontiguousarray(X.T)).T


def neighbours(n=300, p=150, correlation=0.8, seed=0):
    """Gene 0 matters; gene 1 is correlated with it and does nothing itself."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    X[:, 1] = correlation * X[:, 0] + np.sqrt(1 - correlation**2) * X[:, 1]
    return standard(X), rng


def family_of(task, X, signal, rng):
    signal = signal.numpy()
    if task == "logistic":
        return LogisticFamily(torch.as_tensor((signal + rng.logistic(size=len(X)) > 0) * 1.0))
    if task == "multinomial":
        label = np.digitize(signal + rng.standard_normal(len(X)), [-0.7, 0.7])
        return MultinomialFamily(torch.as_tensor(np.eye(3)[label]))
    if task == "squared":
        return SquaredFamily(torch.as_tensor(signal + rng.standard_normal(len(X)))[:, None])
    return CoxFamily(rng.random(len(X)) < 0.8, rng.exponential(np.exp(-signal)), X)


def even(X):
    return torch.full((len(X),), 1 / len(X), dtype=X.dtype)


@pytest.mark.parametrize("task", ["logistic", "multinomial", "squared", "cox"])
def test_a_true_gene_and_its_neighbour(task):
    pvalues = []
    for seed in range(5):
        X, rng = neighbours(seed=seed)
        assert np.corrcoef(X[:, 0], X[:, 1])[0, 1] > 0.75
        family = family_of(task, X, 1.2 * X[:, 0], rng)
        found, n_neighbours = conditional_pvalues(X, family, even(X), np.array([0, 1]))
        pvalues.append(found)
        assert n_neighbours == 2
    true, neighbour = np.transpose(pvalues)
    assert true.max() < 1e-3
    assert np.median(neighbour) > 0.05
    assert neighbour.min() > 1e-3


@pytest.mark.parametrize("task", ["logistic", "squared", "cox"])
def test_null_features_have_uniform_pvalues(task):
    rng = np.random.default_rng(1)
    X = standard(rng.standard_normal((150, 200)))
    family = family_of(task, X, X[:, 0] - X[:, 1], rng)
    pvalues, _ = conditional_pvalues(X, family, even(X), np.arange(2, 200))
    assert kstest(pvalues, "uniform").pvalue > 0.005
    assert np.mean(pvalues < 0.05) < 0.12


def test_batches_change_nothing():
    X, rng = neighbours(n=80, p=120)
    family = family_of("logistic", X, X[:, 0], rng)
    together, _ = conditional_pvalues(X, family, even(X), np.arange(110))
    alone, _ = conditional_pvalues(X, family, even(X), np.array([0]))
    last, _ = conditional_pvalues(X, family, even(X), np.array([105]))
    np.testing.assert_allclose([alone[0], last[0]], together[[0, 105]], rtol=0.05, atol=1e-4)


def test_neighbours_are_counted():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 30))
    X[:, 10:15] = X[:, [0]] + 0.5 * X[:, 10:15]
    X = standard(X)
    family = family_of("squared", X, X[:, 0], rng)
    assert conditional_pvalues(X, family, even(X), np.array([0]))[1] == 6
    assert conditional_pvalues(X, family, even(X), np.array([20]))[1] == 1
    assert conditional_pvalues(X, family, even(X), np.array([0, 20]))[1] == 7


def test_groups_with_one_outcome_count_once():
    """Each sample five times over is no more evidence than each sample once."""
    X, rng = neighbours(n=60, p=40)
    labels = (X[:, 0].numpy() + rng.logistic(size=60) > 0) * 1.0
    groups = np.repeat(np.arange(60), 5)
    repeated = X[torch.as_tensor(groups)].T.contiguous().T
    family = LogisticFamily(torch.as_tensor(labels[groups]))
    blocks = RowBlocks(groups, np.zeros(60, dtype=bool))
    candidates = np.arange(40)
    once, _ = conditional_pvalues(X, LogisticFamily(torch.as_tensor(labels)), even(X), candidates)
    grouped, _ = conditional_pvalues(repeated, family, even(repeated), candidates, blocks)
    naive, _ = conditional_pvalues(repeated, family, even(repeated), candidates)
    assert np.median(naive) < 0.5 * np.median(once)
    assert 0.5 < np.median(grouped) / np.median(once) < 1.6
    assert np.mean(grouped[2:] < 0.05) < 0.2


def test_variance_with_groups_is_that_of_permutations():
    """Score variance under the exchange that the groups allow, against brute force."""
    rng = np.random.default_rng(0)
    own, residual = rng.standard_normal((1, 24)), rng.standard_normal((1, 24, 1))
    groups = np.repeat(np.arange(8), 3)
    blocks = RowBlocks(groups, np.ones(8, dtype=bool))
    drawn = []
    for _ in range(20_000):
        order = np.lexsort([rng.random(24), groups])
        drawn.append(own[0, order] @ residual[0, :, 0])
    centred, centred_residual, factor = _respect_blocks(own, residual, blocks)
    variance = (centred**2).mean() * (centred_residual**2).sum() * factor
    score = np.einsum("ki,kio->ko", centred, centred_residual)[0, 0]
    exact = np.var(drawn)
    # the formula pools the spread inside groups; with equal groups it is right up to their mix
    assert 0.5 < variance / exact < 2
    np.testing.assert_allclose(
        score, own[0] @ residual[0, :, 0] - np.mean(drawn), atol=4 * np.sqrt(exact / 20_000)
    )
