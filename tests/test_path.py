"""The path solver against scikit-learn, and against the optimality conditions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, LogisticRegression

from sklearn_medsel.feature_selection._decoys import draw_decoys
from sklearn_medsel.feature_selection._families import (
    CoxFamily,
    LogisticFamily,
    MultinomialFamily,
    SquaredFamily,
)
from sklearn_medsel.feature_selection._path import (
    correlate,
    largest_penalty,
    penalty_grid,
    solve_paths,
)
from sklearn_medsel.feature_selection._ranking import rank_features

EXACT = {"n_iter": 2000, "n_screens": 3}


def table(n=60, p=50, seed=0):
    X = np.random.default_rng(seed).standard_normal((n, p))
    X -= X.mean(axis=0)
    return torch.as_tensor(np.ascontiguousarray((X / X.std(axis=0)).T)).T


def family_of(name, X, seed=1):
    rng = np.random.default_rng(seed)
    n, signal = len(X), (1.2 * X[:, 0] - X[:, 1]).numpy()
    if name == "logistic":
        return LogisticFamily(torch.as_tensor((signal + rng.logistic(size=n) > 0) * 1.0))
    if name == "multinomial":
        label = np.digitize(signal + 0.5 * rng.standard_normal(n), [-0.6, 0.6])
        return MultinomialFamily(torch.as_tensor(np.eye(3)[label]))
    if name == "squared":
        noise = rng.standard_normal((n, 2))
        return SquaredFamily(torch.as_tensor(signal[:, None] * [1.0, 0.3] + noise))
    time = np.ceil(5 * rng.exponential(np.exp(-signal)))
    return CoxFamily(rng.random(n) < 0.7, time, X)


def even(X, n_replicates=1):
    return torch.full((n_replicates, len(X)), 1 / len(X), dtype=X.dtype)


def random_weight(X, n_replicates, seed=2):
    draws = np.random.default_rng(seed).gamma(4.0, size=(n_replicates, len(X)))
    return torch.as_tensor(draws / draws.sum(axis=1, keepdims=True))


def kkt_residual(X, family, paths, penalty, weight, gate=None, excluded=None):
    """How far a solution is from optimal, as a fraction of the penalty; the worst replicate."""
    pull = correlate(X, family.gradient(paths.predictor, weight))
    coef = paths.coef
    if gate is not None:
        pull, coef = pull * gate[:, :, None], coef / gate[:, :, None]
    size = coef.norm(dim=2, keepdim=True)
    penalty = penalty[:, None, None]
    at_active = (pull + penalty * coef / size.clamp_min(1e-300)).norm(dim=2)
    at_zero = (pull.norm(dim=2) - penalty[:, :, 0]).clamp_min(0)
    wrong = torch.where(size[:, :, 0] > 0, at_active, at_zero) / penalty[:, :, 0]
    if excluded is not None:
        wrong[torch.arange(len(excluded)), excluded] = 0
    return float(wrong.max())


def solve(X, family, weight, fraction=0.3, gate=None, **options):
    penalties = penalty_grid(largest_penalty(X, family, weight, gate), smallest=fraction, n_steps=4)
    paths = solve_paths(X, family, penalties, weight, gate=gate, **{**EXACT, **options})
    return paths, penalties[-1]


def test_lasso_is_scikit_learns():
    X = table()
    y = (X[:, 0] - 0.5 * X[:, 3]).numpy() + np.random.default_rng(1).standard_normal(len(X))
    paths, penalty = solve(X, SquaredFamily(torch.as_tensor(y[:, None])), even(X))
    # scikit-learn's loss is 1/(2n) times the squares, as the gradient here says
    other = Lasso(alpha=float(penalty[0]), tol=1e-12, max_iter=100_000).fit(X.numpy(), y)
    assert 0 < np.count_nonzero(other.coef_) < X.shape[1]
    np.testing.assert_allclose(paths.coef[0, :, 0].numpy(), other.coef_, atol=2e-5)
    np.testing.assert_allclose(
        paths.predictor[0, :, 0].numpy(), other.predict(X.numpy()), atol=5e-5
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_lasso_is_scikit_learns(weighted):
    X = table()
    family = family_of("logistic", X)
    weight = random_weight(X, 1) if weighted else even(X)
    paths, penalty = solve(X, family, weight)
    other = LogisticRegression(
        l1_ratio=1, solver="saga", C=1 / float(penalty[0]), tol=1e-10, max_iter=50_000
    )
    other.fit(X.numpy(), family.target[0, :, 0].numpy(), sample_weight=weight[0].numpy())
    assert 0 < np.count_nonzero(other.coef_) < X.shape[1]
    np.testing.assert_allclose(paths.coef[0, :, 0].numpy(), other.coef_[0], atol=2e-4)
    np.testing.assert_allclose(
        paths.predictor[0, :, 0].numpy(), other.decision_function(X.numpy()), atol=5e-4
    )


@pytest.mark.parametrize("name", ["logistic", "multinomial", "squared", "cox"])
def test_optimality_of_every_replicate(name):
    X = table()
    family = family_of(name, X)
    weight = random_weight(X, 4)
    paths, penalty = solve(X, family, weight)
    assert kkt_residual(X, family, paths, penalty, weight) < 1e-2
    assert (paths.coef[0].norm(dim=1) > 0).any()


def test_outputs_enter_together():
    X = table()
    paths, _ = solve(X, family_of("multinomial", X), even(X))
    entered = paths.coef[0] != 0
    assert (entered.any(1) == entered.all(1)).all()
    assert 0 < int(entered.any(1).sum()) < X.shape[1]


@pytest.mark.parametrize("name", ["logistic", "squared", "cox"])
def test_nothing_enters_above_the_largest_penalty(name):
    X = table()
    family, weight = family_of(name, X), even(X)
    largest = largest_penalty(X, family, weight)
    above = solve_paths(X, family, 1.001 * largest[None], weight)
    below = solve_paths(X, family, 0.98 * largest[None], weight)
    assert not above.coef.any()
    assert int((below.coef != 0).any(2).sum()) >= 1


def test_penalty_grid_is_geometric():
    largest = torch.tensor([1.0, 2.0], dtype=torch.float64)
    grid = penalty_grid(largest, smallest=0.1, n_steps=5)
    torch.testing.assert_close(grid[0], 0.9 * largest)
    torch.testing.assert_close(grid[-1], 0.1 * largest)
    torch.testing.assert_close(grid[1:] / grid[:-1], (grid[1] / grid[0]).expand(4, 2))


@pytest.mark.parametrize("name", ["logistic", "squared"])
def test_an_excluded_feature_stays_out(name):
    X = table()
    family = family_of(name, X)
    excluded = torch.tensor([0, 1, 7])
    paths, penalty = solve(X, family, even(X, 3), excluded=excluded)
    assert not paths.coef[torch.arange(3), excluded].any()
    assert paths.coef[2, 0].any()
    assert kkt_residual(X, family, paths, penalty, even(X, 3), excluded=excluded) < 1e-2


def test_an_excluded_feature_could_as_well_be_absent():
    X = table()
    family = family_of("logistic", X)
    paths, penalty = solve(X, family, even(X), excluded=torch.tensor([0]))
    rest = X.T[1:].T
    grid = penalty_grid(largest_penalty(X, family, even(X)), smallest=0.3, n_steps=4)
    other = solve_paths(rest, family, grid, even(X), **EXACT)
    torch.testing.assert_close(grid[-1], penalty)
    torch.testing.assert_close(paths.coef[:, 1:], other.coef, rtol=0, atol=1e-4)


def test_a_gate_is_scaled_columns():
    X = table()
    family, weight = family_of("logistic", X), even(X)
    gate = torch.as_tensor(np.random.default_rng(4).uniform(0.2, 1, (1, X.shape[1])))
    paths, penalty = solve(X, family, weight, gate=gate)
    scaled = (X.T * gate[0][:, None]).T
    other, same = solve(scaled, family, weight)
    torch.testing.assert_close(penalty, same)
    torch.testing.assert_close(paths.coef, other.coef * gate[:, :, None], rtol=0, atol=1e-5)
    torch.testing.assert_close(paths.predictor, other.predictor, rtol=0, atol=1e-4)
    assert kkt_residual(X, family, paths, penalty, weight, gate=gate) < 1e-2


def test_replicates_are_independent():
    X = table()
    family = family_of("logistic", X)
    weight = random_weight(X, 3)
    together, _ = solve(X, family, weight)
    for k in range(3):
        alone, _ = solve(X, family, weight[k : k + 1])
        torch.testing.assert_close(together.coef[k : k + 1], alone.coef, rtol=0, atol=1e-4)


def test_decoys_are_permuted_columns():
    X = table(p=20)
    family, weight = family_of("logistic", X), even(X)
    decoys = draw_decoys([3], X.shape, None, 1.0, X.device)
    both = torch.cat([X.T, X.T[:, decoys.rows[0]]]).T
    penalties = penalty_grid(largest_penalty(X, family, weight), smallest=0.2, n_steps=4)
    paths = solve_paths(X, family, penalties, weight, decoys=decoys, **EXACT)
    other = solve_paths(both, family, penalties, weight, **EXACT)
    found = torch.cat([paths.importance, paths.decoy_importance], 1)
    assert (paths.decoy_importance > 0).any()
    torch.testing.assert_close(found, other.importance, rtol=0, atol=1e-4)


def test_working_sets_lose_nothing():
    X = table(n=40, p=300)
    family, weight = family_of("squared", X), even(X)
    small, penalty = solve(X, family, weight, working_size=20)
    assert kkt_residual(X, family, small, penalty, weight) < 1e-2


def test_history_and_averages():
    X = table()
    family, weight = family_of("logistic", X), even(X)
    seen = []
    paths, _ = solve(X, family, weight, keep_history=True, after_step=seen.append)
    assert len(paths.history) == len(seen) == 4
    torch.testing.assert_close(paths.history[-1], paths.coef)
    torch.testing.assert_close(paths.importance, torch.stack(paths.history).norm(dim=3).mean(0))
    assert paths.n_iter > 0


@settings(max_examples=25)
@given(
    name=st.sampled_from(["logistic", "multinomial", "squared", "cox"]),
    n=st.integers(12, 50),
    p=st.integers(2, 70),
    seed=st.integers(0, 10_000),
    fraction=st.floats(0.35, 0.85),
)
def test_random_problems_are_solved(name, n, p, seed, fraction):
    X = table(n, p, seed)
    family = family_of(name, X, seed)
    weight = random_weight(X, 2, seed)
    paths, penalty = solve(X, family, weight, fraction, n_iter=3000)
    assert kkt_residual(X, family, paths, penalty, weight) < 2e-2


def test_ranking_puts_true_features_first():
    X = table(n=80, p=200)
    ranking = rank_features(X, family_of("logistic", X), even(X))
    assert set(np.argsort(-ranking.importance)[:2]) == {0, 1}
    assert ranking.effects[0, 0] > 0 > ranking.effects[1, 0]
    assert ranking.history.shape == (len(ranking.fractions), 200, 1)
    assert np.all(np.diff(ranking.fractions) < 0)
    assert ranking.importance.min() >= 0


def test_ranking_of_many_is_the_ranking_of_each():
    X = table(n=60, p=80)
    family, weight = family_of("cox", X), random_weight(X, 3)
    together = rank_features(X, family, weight, keep_history=False)
    for k in range(3):
        alone = rank_features(X, family, weight[k : k + 1], keep_history=False)
        np.testing.assert_allclose(together[k], alone[0], atol=0.03)
