"""Layers, losses, the selector network and batched repeats."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_medsel.nn import (
    LOSSES,
    RepeatedNets,
    SeededDropout,
    SelectionLayer,
    SelectorNet,
    cox_loss,
    cross_entropy,
    gate_rate,
    squared_error,
)


def brute_cox(risk, time, event, weight, ties):
    """Write Cox's partial likelihood down as the textbooks have it, one death at a time."""
    loss = 0.0
    hazard = weight * np.exp(risk)
    for now in np.unique(time[(event > 0) & (weight > 0)]):
        tied = np.flatnonzero((time == now) & (event > 0) & (weight > 0))
        at_risk = hazard[time >= now].sum()
        for k, row in enumerate(tied):
            if ties == "efron":
                left = at_risk - k / len(tied) * hazard[tied].sum()
                loss += weight[tied].mean() * np.log(left)
            else:
                loss += weight[row] * np.log(at_risk)
            loss -= weight[row] * risk[row]
    return loss / (weight * event).sum()


@st.composite
def survival_problems(draw):
    n = draw(st.integers(1, 12))
    rows = st.lists(st.floats(-3, 3), min_size=n, max_size=n)
    risk = np.array(draw(rows))
    time = np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)), dtype=float)
    event = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), dtype=float)
    weight = np.array(draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=n, max_size=n)))
    return risk, time, event, weight


@given(survival_problems(), st.sampled_from(["efron", "breslow"]))
def test_cox_loss_is_the_textbooks(problem, ties):
    risk, time, event, weight = problem
    target = torch.as_tensor(np.column_stack([time, event]))
    output = torch.as_tensor(risk)[:, None].requires_grad_()
    loss = cox_loss(output, target, torch.as_tensor(weight), ties=ties)
    (slope,) = torch.autograd.grad(loss, output)
    assert torch.isfinite(slope).all()
    if (event * weight).sum() == 0:
        assert loss == 0
    else:
        expected = brute_cox(risk, time, event, weight, ties)
        assert loss.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_cox_loss_matches_scikit_survival():
    sksurv = pytest.importorskip("sksurv.linear_model")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    time, event = np.ceil(5 * rng.exponential(size=60)), rng.random(60) < 0.7
    y = np.array(list(zip(event, time, strict=True)), dtype=[("event", bool), ("time", float)])
    coef = sksurv.CoxPHSurvivalAnalysis(ties="efron", alpha=0, tol=1e-12).fit(X, y).coef_
    beta = torch.as_tensor(coef).requires_grad_()
    target = torch.as_tensor(np.column_stack([time, event]).astype(float))
    loss = cox_loss((torch.as_tensor(X) @ beta)[:, None], target, torch.ones(60).double())
    (slope,) = torch.autograd.grad(loss, beta)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_cox_loss_survives_huge_risks():
    target = torch.tensor([[1.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
    output = torch.tensor([[500.0], [-500.0], [0.0]], requires_grad=True)
    loss = cox_loss(output, target, torch.ones(3))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(output.grad).all()


@pytest.mark.parametrize("task", list(LOSSES))
def test_integer_weights_are_repeated_rows_and_networks_are_apart(task):
    rng = np.random.default_rng(1)
    n, n_outputs = 20, {"classification": 3, "regression": 2, "survival": 1}[task]
    output = torch.as_tensor(rng.standard_normal((2, n, n_outputs)))
    target = {
        "classification": torch.as_tensor(rng.integers(0, 3, n)),
        "regression": torch.as_tensor(rng.standard_normal((n, 2))),
        # no ties: Efron's share would see the repeated row as a tie of two
        "survival": torch.as_tensor(np.column_stack([np.arange(n), np.arange(n) % 2]) * 1.0),
    }[task]
    weight = torch.as_tensor(rng.integers(0, 2, (2, n)) * 1.0)
    both = LOSSES[task](output, target, weight)
    for k in range(2):
        rows = weight[k] > 0
        alone = LOSSES[task](output[k, rows], target[rows], torch.ones(int(rows.sum())).double())
        assert both[k].item() == pytest.approx(alone.item(), rel=1e-12)


def test_losses_are_weighted_means():
    weight = torch.tensor([1.0, 3.0])
    error = squared_error(torch.tensor([[1.0], [2.0]]), torch.zeros(2, 1), weight)
    assert error.item() == pytest.approx((1 + 3 * 4) / 4)
    logits = torch.tensor([[0.0, 0.0], [0.0, np.log(3.0)]])
    entropy = cross_entropy(logits, torch.tensor([0, 1]), weight)
    assert entropy.item() == pytest.approx((np.log(2) + 3 * np.log(4 / 3)) / 4)


def test_selection_layer_starts_at_one_and_shrinks_to_zero():
    layer = SelectionLayer(3)
    X = torch.arange(6.0).reshape(2, 3)
    torch.testing.assert_close(layer(X), X)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, -2.0, 1.0]))
    layer.shrink(0.75)
    torch.testing.assert_close(layer.weight.detach(), torch.tensor([0.0, -1.25, 0.25]))


def test_dropout_has_a_generator_of_its_own():
    X, before = torch.ones(50, 40), torch.random.get_rng_state()
    first = SeededDropout(0.5, seed=3)(X)
    assert torch.equal(first, SeededDropout(0.5, seed=3)(X))
    assert not torch.equal(first, SeededDropout(0.5, seed=4)(X))
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.mean().item() == pytest.approx(1, abs=0.1)
    assert torch.equal(SeededDropout(0.5, seed=3).eval()(X), X)


def test_gate_rate_grows_with_the_inputs():
    assert gate_rate(2) < gate_rate(200) < gate_rate(2000) == gate_rate(60_000)


@pytest.mark.parametrize("hidden", [(), (5,), (4, 3)])
def test_effective_weights_are_slopes(hidden):
    net = SelectorNet(6, 2, hidden, first_scale=1.0).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn_like(parameter))
    X = torch.randn(9, 6, dtype=torch.float64, requires_grad=True)
    slopes = [torch.autograd.grad(net(X)[:, k].sum(), X)[0] for k in range(2)]
    mean, size = net.effective_weights(X.detach())
    torch.testing.assert_close(mean, torch.stack([slope.mean(0) for slope in slopes]))
    square = sum(slope.square().mean(0) for slope in slopes)
    torch.testing.assert_close(size, square.sqrt())


def test_centred_effects_do_not_see_a_common_slope():
    net = SelectorNet(3, 2, ())
    with torch.no_grad():
        net.skip.weight.copy_(torch.ones(2, 3))
    mean, size = net.effective_weights(torch.randn(4, 3), centre_outputs=True)
    assert mean.abs().max() == 0
    assert size.max() == 0


class OneNet(torch.nn.Module):
    """One network of `RepeatedNets`, written as anyone would write it."""

    def __init__(self, nets, index):
        super().__init__()
        self.gate = torch.nn.Parameter(nets.gate[index, 0, : nets.n_features].clone())
        self.first = torch.nn.Parameter(nets.first[index, :, : nets.n_features].clone())
        self.deeper = torch.nn.ParameterList([w.detach()[index].clone() for w in nets.deeper])
        self.bias = torch.nn.ParameterList([b.detach()[index, :, 0].clone() for b in nets.bias])

    def forward(self, X):
        hidden = X * X.shape[1] ** -0.5 * self.gate @ self.first.T + self.bias[0]
        for weight, bias in zip(self.deeper, list(self.bias)[1:], strict=True):
            hidden = torch.relu(hidden) @ weight.T + bias
        return hidden


@pytest.mark.parametrize("hidden", [(7,), (5, 3)])
def test_repeated_nets_train_as_plain_autograd_does(hidden):
    torch.manual_seed(0)
    X, y = torch.randn(30, 11, dtype=torch.float64), torch.arange(30) % 3
    weight = torch.rand(3, 30, dtype=torch.float64)
    nets = RepeatedNets(11, 3, hidden, [4, 5, 6], dtype=torch.float64)
    plain = [OneNet(nets, index) for index in range(3)]
    rate, faster, alpha = 0.1, 5.0, 1e-3
    nets.train(
        X,
        y,
        weight,
        cross_entropy,
        max_epochs=15,
        learning_rate=rate,
        gate_rate=faster,
        alpha=alpha,
    )
    for index, net in enumerate(plain):
        rest = [net.first, *net.deeper, *net.bias]
        optimizer = torch.optim.SGD(
            [{"params": [net.gate], "lr": rate * faster}, {"params": rest}],
            lr=rate,
            momentum=0.9,
            nesterov=True,
        )
        for _ in range(15):
            optimizer.zero_grad()
            cross_entropy(net(X), y, weight[index]).backward()
            optimizer.step()
            with torch.no_grad():
                net.gate.copy_(torch.nn.functional.softshrink(net.gate, rate * faster * alpha))
        torch.testing.assert_close(nets.gates()[index], net.gate.detach())
        torch.testing.assert_close(nets.outputs(X)[index], net(X).detach())
        inputs = X.clone().requires_grad_()
        slopes = [torch.autograd.grad(net(inputs)[:, k].sum(), inputs)[0] for k in range(3)]
        mean, size = nets.effective_weights(X)
        torch.testing.assert_close(mean[index], torch.stack([s.mean(0) for s in slopes]))
        torch.testing.assert_close(size[index], sum(s.square().mean(0) for s in slopes).sqrt())
