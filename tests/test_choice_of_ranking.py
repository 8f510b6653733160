"""Association, elimination, and how many features are enough."""

import numpy as np
import pytest
import torch
from scipy.stats import norm, rankdata
from sklearn.feature_selection import RFE, f_classif
from sklearn.linear_model import Ridge

from sklearn_medsel.feature_selection._association import (
    association,
    null_residuals,
    share_associated,
    single_effects,
)
from sklearn_medsel.feature_selection._decoys import RowBlocks
from sklearn_medsel.feature_selection._elimination import rank_by_elimination
from sklearn_medsel.feature_selection._outcome import read_outcome
from sklearn_medsel.feature_selection._subset_size import choose_size, leave_out
from sklearn_medsel.survival import cox_univariate, make_survival_y


def standard(X):
    return (X - X.mean(0)) / X.std(0)


def even(n):
    return torch.full((1, n), 1 / n, dtype=torch.float64)


def draw(n_samples=80, n_features=12, seed=0):
    X = standard(np.random.default_rng(seed).standard_normal((n_samples, n_features)))
    return X, torch.as_tensor(X)


def test_association_is_the_mean_of_two_correlations():
    X, table = draw()
    y = np.random.default_rng(1).standard_normal(80)
    found = association(table, read_outcome(y).family(table), even(80))[0]
    size = lambda values: np.abs(np.corrcoef(values.T, y)[-1, :-1])  # noqa: E731
    np.testing.assert_allclose(found, (size(X) + size(rankdata(X, axis=0))) / 2, rtol=1e-6)


def test_association_of_two_classes_is_that_of_the_f_test():
    X, table = draw()
    X = standard(rankdata(X, axis=0))  # so that values are their own ranks
    y = np.arange(80) % 2
    found = association(torch.as_tensor(X), read_outcome(y).family(table), even(80))[0]
    F = f_classif(X, y)[0]
    np.testing.assert_allclose(found, np.sqrt(F / (F + 78)), rtol=1e-6)


def test_counted_samples_are_repeated_samples():
    X, table = draw(30)
    y = np.random.default_rng(1).integers(0, 3, 30)
    counts = np.random.default_rng(2).integers(1, 4, 30)
    share = torch.as_tensor(counts / counts.sum())[None]
    weighted = null_residuals(read_outcome(y).family(table), share)[0]
    repeated = np.repeat(np.arange(30), counts)
    more = torch.as_tensor(X[repeated])
    plain = null_residuals(read_outcome(y[repeated]).family(more), even(len(repeated)))[0]
    np.testing.assert_allclose(weighted.T @ table, plain.T @ more, atol=1e-10)


def test_survival_association_agrees_with_univariate_cox():
    X, table = draw(200)
    rng = np.random.default_rng(3)
    time = rng.exponential(np.exp(-X[:, 0] - 0.5 * X[:, 1]))
    y = make_survival_y(rng.random(200) < 0.8, time)
    found = association(table, read_outcome(y).family(table), even(200))[0]
    cox = norm.isf(cox_univariate(X, y)["pvalue"].to_numpy() / 2)
    assert np.corrcoef(found, cox)[0, 1] > 0.97


@pytest.mark.parametrize("task", ["classification", "regression", "survival"])
def test_single_effects_are_those_of_small_models(task):
    X, table = draw(4000, 3)
    rng = np.random.default_rng(7)
    signal = 0.2 * X[:, 0] - 0.1 * X[:, 1]
    y = {
        "classification": (rng.random(4000) < 1 / (1 + np.exp(1 - signal))).astype(int),
        "regression": np.round(signal + np.sqrt(0.95) * rng.standard_normal(4000), 2),
        "survival": make_survival_y(np.ones(4000, bool), rng.exponential(np.exp(-signal))),
    }[task]
    outcome = read_outcome(y, task)
    effects = single_effects(table, outcome.family(table), even(4000)[0])
    np.testing.assert_allclose(effects[:, 0], [0.2, -0.1, 0], atol=0.06)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_share_associated(n_classes):
    X, _ = draw(100, 4000)
    y = np.arange(100) % n_classes
    family = read_outcome(y).family(torch.as_tensor(X))
    assert abs(share_associated(torch.as_tensor(X), family, even(100)[0])) < 0.06
    X[:, :2000] += 3 * np.random.default_rng(4).standard_normal((n_classes, 2000))[y]
    share = share_associated(torch.as_tensor(standard(X)), family, even(100)[0])
    assert 0.4 < share < 0.56


def test_constant_features_are_last():
    X, _ = draw()
    X[:, 3] = 0
    table = torch.as_tensor(X)
    family = read_outcome(np.arange(80) % 2).family(table)
    for rank in (association, rank_by_elimination):
        importance = rank(table, family, even(80))[0]
        assert np.isfinite(importance).all()
        assert importance.argmin() == 3


def test_elimination_agrees_with_sklearn():
    X, table = draw(60, 20)
    y = X[:, :5] @ [2, -2, 1, 1, -1] + 0.1 * np.random.default_rng(5).standard_normal(60)
    importance = rank_by_elimination(table, read_outcome(y).family(table), even(60))[0]
    # the mean eigenvalue of 60 standardised rows of 20 columns, as a sum over the rows
    theirs = RFE(Ridge(alpha=20), n_features_to_select=5, step=1).fit(X, y)
    assert set(np.argsort(-importance)[:5]) == set(np.flatnonzero(theirs.support_)) == set(range(5))


def test_elimination_drops_a_copy_early():
    X, _ = draw(60, 30)
    X[:, 1] = X[:, 0] + 0.05 * X[:, 1]
    y = (2 * X[:, 0] + X[:, 2] > 0).astype(int)
    table = torch.as_tensor(standard(X))
    family = read_outcome(y).family(table)
    place = lambda rank: (-rank(table, family, even(60))[0]).argsort().argsort()  # noqa: E731
    assert place(association)[:2].max() < place(association)[2]
    assert place(rank_by_elimination)[:2].max() > place(rank_by_elimination)[2]


class Problem:
    """As much of a problem as the choice of a size needs."""

    blocks = None

    def __init__(self, X, y):
        self.table = self
        self.X, self.outcome = torch.as_tensor(X), read_outcome(y)
        self.weight, self.seeds = np.full(len(X), 1 / len(X)), list(range(15))


@pytest.mark.parametrize("task", ["classification", "regression", "survival"])
def test_the_better_ranking_wins(task):
    X, _ = draw(150, 40)
    rng = np.random.default_rng(6)
    signal = X[:, :3].sum(1)
    y = {
        "classification": np.digitize(signal, [-1, 1]),
        "regression": np.column_stack([signal, signal]) + 0.1 * rng.standard_normal((150, 2)),
        "survival": make_survival_y(rng.random(150) < 0.7, rng.exponential(np.exp(-2 * signal))),
    }[task]
    good, bad = np.arange(40, 0, -1.0), np.arange(40.0)
    rankers = {
        name: lambda X, bag, values=values: np.tile(values, (len(bag), 1))
        for name, values in [("bad", bad), ("good", good)]
    }
    choice = choose_size(Problem(X, y), rankers)
    assert choice.ranking == "good"
    assert 3 <= choice.size <= 4
    assert choice.sizes.max() <= 50


@pytest.mark.parametrize("sizes", [(2, 2), (3, 40), (25, 25)])
def test_a_fifth_of_each_class_is_left_out(sizes):
    y = np.repeat(np.arange(2), sizes)
    kept = leave_out(read_outcome(y), 0, None)
    assert set(kept) == {0, 1}
    expected = [size - max(1, round(size / 5)) for size in sizes]
    np.testing.assert_array_equal(np.bincount(y, weights=kept), expected)


def test_groups_are_left_out_whole():
    groups = np.repeat(np.arange(12), 3)
    outcome = read_outcome(np.repeat([0, 1], 18))
    kept = leave_out(outcome, 3, RowBlocks(groups, outcome.varies_within(groups)))
    share = np.bincount(groups, weights=kept) / 3
    assert sorted(share) == [0, 0] + [1] * 10


def test_survival_without_comparable_pair_is_left_out():
    X, _ = draw(12, 5)
    event = np.zeros(12, bool)
    event[:2] = True
    problem = Problem(X, make_survival_y(event, np.r_[3, 12, 1:11]))
    rank = {"same": lambda X, bag: np.tile(np.arange(5.0), (len(bag), 1))}
    assert np.isfinite(choose_size(problem, rank).mean["same"]).all()
