"""Outcome families: gradients, weights and deviances against other ways to compute them."""

import numpy as np
import pytest
import torch

from sklearn_medsel.feature_selection._families import (
    CoxFamily,
    LogisticFamily,
    MultinomialFamily,
    SquaredFamily,
)

FAMILIES = ("logistic", "multinomial", "squared", "cox")
N = 23


def make_family(name, rows=None):
    """A family on the same 23 samples, or on some rows of them."""
    rng = np.random.default_rng(5)
    rows = np.arange(N) if rows is None else rows
    like = torch.zeros(1, dtype=torch.float64)
    label = rng.integers(0, 3, N)
    numbers = rng.standard_normal((N, 2))
    event, time = rng.random(N) < 0.7, rng.integers(1, 7, N).astype(float)  # many ties
    if name == "logistic":
        return LogisticFamily(torch.as_tensor((label > 0)[rows]).to(like))
    if name == "multinomial":
        return MultinomialFamily(torch.as_tensor(np.eye(3)[label][rows]))
    if name == "squared":
        return SquaredFamily(torch.as_tensor(numbers[rows]))
    return CoxFamily(event[rows], time[rows], like)


def random_point(n_outputs, n_replicates=3, n=N, seed=0):
    rng = np.random.default_rng(seed)
    predictor = torch.as_tensor(rng.standard_normal((n_replicates, n, n_outputs)))
    weight = rng.gamma(2.0, size=(n_replicates, n))
    return predictor, torch.as_tensor(weight / weight.sum(1, keepdims=True))


@pytest.mark.parametrize("name", FAMILIES)
def test_gradient_is_half_of_autograd_of_the_deviance(name):
    family = make_family(name)
    predictor, weight = random_point(family.n_outputs)
    predictor.requires_grad_()
    family.deviance(predictor, weight).sum().backward()
    gradient = family.gradient(predictor.detach(), weight)
    torch.testing.assert_close(gradient, predictor.grad / 2, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_are_repeated_rows(name):
    family = make_family(name)
    counts = np.random.default_rng(3).integers(0, 4, N)
    predictor, _ = random_point(family.n_outputs, 1)
    rows = np.repeat(np.arange(N), counts)
    weight = torch.as_tensor(counts / counts.sum())[None]
    even = torch.full((1, len(rows)), 1 / len(rows), dtype=torch.float64)
    repeated = make_family(name, rows)
    torch.testing.assert_close(
        family.deviance(predictor, weight), repeated.deviance(predictor[:, rows], even)
    )
    summed = torch.zeros_like(predictor).index_add(
        1, torch.as_tensor(rows), repeated.gradient(predictor[:, rows], even)
    )
    torch.testing.assert_close(family.gradient(predictor, weight), summed)
    torch.testing.assert_close(family.start(weight), repeated.start(even))


@pytest.mark.parametrize("name", ["logistic", "multinomial", "squared"])
def test_start_is_the_best_constant(name):
    family = make_family(name)
    _, weight = random_point(family.n_outputs)
    predictor = family.start(weight).expand(-1, N, -1)
    pull = family.gradient(predictor, weight).sum(1)
    torch.testing.assert_close(pull, torch.zeros_like(pull), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_replicates_do_not_touch_each_other(name):
    family = make_family(name)
    predictor, weight = random_point(family.n_outputs)
    for function in (family.gradient, family.deviance, family.curvature):
        together = function(predictor, weight)
        alone = function(predictor[1:2], weight[1:2])
        torch.testing.assert_close(together[1:2], alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", FAMILIES)
def test_curvature_bounds_the_second_derivative(name):
    family = make_family(name)
    predictor, weight = random_point(family.n_outputs, 1)
    hessian = torch.autograd.functional.hessian(
        lambda p: family.deviance(p.reshape(predictor.shape), weight).sum() / 2,
        predictor.flatten(),
    )
    per_row = weight[0].sqrt().repeat_interleave(family.n_outputs)
    scaled = hessian / torch.outer(per_row, per_row)
    assert torch.linalg.eigvalsh(scaled)[-1] <= family.curvature(predictor, weight)[0] + 1e-9


def brute_force_cox(event, time, score, weight):
    """Breslow's partial likelihood, one event after another."""
    total = sum(
        weight[i] * (score[i] - np.log(np.sum((weight * np.exp(score))[time >= time[i]])))
        for i in np.flatnonzero(event)
    )
    return -2 * total / weight[event].sum()


@pytest.mark.parametrize("seed", range(4))
def test_cox_deviance_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    event, time = rng.random(N) < 0.6, rng.integers(1, 6, N).astype(float)
    predictor, weight = random_point(1, 2, seed=seed)
    found = CoxFamily(event, time, predictor).deviance(predictor, weight)
    wanted = [
        brute_force_cox(event, time, p[:, 0], w)
        for p, w in zip(predictor.numpy(), weight.numpy(), strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-10)


def test_cox_is_blind_to_a_constant_and_survives_large_scores():
    family = make_family("cox")
    predictor, weight = random_point(1)
    torch.testing.assert_close(
        family.deviance(predictor + 700, weight), family.deviance(predictor, weight)
    )
    assert torch.isfinite(family.gradient(100 * predictor, weight)).all()


def test_squared_family_takes_a_target_per_replicate():
    predictor, weight = random_point(1)
    target = torch.as_tensor(np.random.default_rng(1).standard_normal((3, N, 1)))
    deviance = SquaredFamily(target).deviance(predictor, weight)
    for k in range(3):
        alone = SquaredFamily(target[k]).deviance(predictor[k : k + 1], weight[k : k + 1])
        torch.testing.assert_close(deviance[k : k + 1], alone)
