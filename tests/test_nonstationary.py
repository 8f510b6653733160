"""The Non-stationary Transformer: its equations, what it must not depend on, and its training."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_medsel._training import Rows, train_by_adam
from sklearn_medsel.nn.losses import squared_distance
from sklearn_medsel.nn.nonstationary import (
    DestationaryAttention,
    MotionWindows,
    NonstationaryTransformer,
    stationarise,
)

HORIZONS = (0.2, 0.5, 1.0)
SIZES = {"d_model": 8, "n_heads": 2, "n_layers": 1, "d_ff": 12, "d_hidden": 6}


def make_net(*, seed=0, dtype=torch.float64, **settings):
    """A network in evaluation mode, its weights drawn from a seed; also those that start at 0."""
    net = NonstationaryTransformer(HORIZONS, **(SIZES | settings)).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator))
    return net.eval()


def make_windows(n=5, n_axes=3, length=9, *, missing=0.2, seed=0, dtype=torch.float64):
    """Windows of a random walk; the newest step is always there."""
    generator = torch.Generator().manual_seed(seed)
    walk = torch.randn(n, n_axes, length, generator=generator, dtype=torch.float64).cumsum(-1)
    age = torch.rand(n, length, generator=generator, dtype=torch.float64).cumsum(-1).flip(-1)
    age = age - age[:, -1:]
    observed = torch.rand(n, length, generator=generator) >= missing
    observed[:, -1] = True
    base = torch.randn(n, n_axes, len(HORIZONS), generator=generator, dtype=torch.float64)
    window = walk - walk[..., -1:]
    return MotionWindows(window.to(dtype), age.to(dtype), observed, base.to(dtype))


def make_problem(n=400, *, seed=0):
    """Windows of sine waves of any phase, and where they go: the base knows half of it."""
    rng = np.random.default_rng(seed)
    age = torch.arange(11.0, -1, -1).expand(n, -1) * 0.25
    phase = torch.tensor(rng.uniform(0, 2 * np.pi, (n, 1, 1)), dtype=torch.float32)
    size = torch.tensor(rng.uniform(2, 8, (n, 2, 1)), dtype=torch.float32)
    window = size * (torch.sin(phase - 1.5 * age[:, None]) - torch.sin(phase))
    y = size * (torch.sin(phase + 1.5 * torch.tensor(HORIZONS)) - torch.sin(phase))
    X = MotionWindows(window, age, torch.ones(n, 12, dtype=torch.bool), 0.5 * y)
    return Rows(X, y, torch.ones(n, len(HORIZONS)))


# --- the equations


def test_attention_is_the_papers_formula():
    generator = torch.Generator().manual_seed(0)
    attention = DestationaryAttention(8, 2).double()
    queries, tokens = (
        torch.randn(3, length, 8, generator=generator, dtype=torch.float64) for length in (4, 6)
    )
    tau = torch.rand(3, generator=generator, dtype=torch.float64) + 0.5
    delta = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        found = attention(queries, tokens, tau[:, None, None], delta[:, None, None]).numpy()
        weights = {name: value.numpy() for name, value in attention.named_parameters()}

    q = queries.numpy() @ weights["query.weight"].T + weights["query.bias"]
    kv = tokens.numpy() @ weights["key_value.weight"].T + weights["key_value.bias"]
    expected = np.empty((3, 4, 8))
    for row in range(3):
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            Q, K, V = q[row, :, part], kv[row, :, :8][:, part], kv[row, :, 8:][:, part]
            logits = (float(tau[row]) * Q @ K.T + np.ones((4, 1)) * delta[row].numpy()) / 4**0.5
            share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            expected[row, :, part] = share @ V
    expected = expected @ weights["leave.weight"].T + weights["leave.bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_stationarise_gives_mean_0_and_scale_1_and_can_be_undone():
    windows = make_windows(missing=0.3)
    window = windows.window.masked_fill(~windows.observed[:, None], 0.0)
    series, mean, scale = stationarise(window, windows.observed)
    for row in range(len(windows)):
        there = windows.observed[row]
        values = series[row][:, there].numpy()
        np.testing.assert_allclose(values.mean(1), 0, atol=1e-12)
        np.testing.assert_allclose((values**2).mean(), 1, rtol=1e-3)  # but for the floor
        assert not series[row][:, ~there].any()
        back = mean[row] + scale[row] * series[row][:, there]
        torch.testing.assert_close(back, window[row][:, there])


def reference(net, window, age, base):
    """One axis of one window, all its steps there: the forward pass in numpy, with loops."""
    w = {name: value.detach().numpy() for name, value in net.named_parameters()}

    def linear(name, x):
        return x @ w[name + ".weight"].T + w.get(name + ".bias", 0.0)

    def time(seconds):
        periods = np.exp(np.linspace(np.log(0.5), np.log(32), 7))
        angles = 2 * np.pi * seconds / periods
        return np.concatenate([np.sin(angles), np.cos(angles)])

    def norm(name, x):
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        return x * w[name + ".weight"] + w[name + ".bias"]

    def gelu(x):
        return x * np.vectorize(lambda v: 0.5 * (1 + math.erf(v / 2**0.5)))(x)

    def block(name, x, context, tau, delta):
        q = norm(name + ".before_attention", x)
        kv = linear(name + ".attention.key_value", q if context is None else context)
        q = linear(name + ".attention.query", q)
        heads = []
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            logits = (tau * q[:, part] @ kv[:, :8][:, part].T + delta) / 2
            share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            heads.append(share @ kv[:, 8:][:, part])
        x = x + linear(name + ".attention.leave", np.concatenate(heads, 1))
        return x + linear(
            name + ".narrow", gelu(linear(name + ".widen", norm(name + ".before_feed", x)))
        )

    mean = window.mean()
    scale = np.sqrt(((window - mean) ** 2).mean() + 0.01**2)
    times = np.stack([time(a) for a in age])
    raw = np.append((window / scale) @ times / len(age), np.log(scale))
    tau = np.exp(linear("factors.log_tau.1", np.maximum(linear("factors.log_tau.0", raw), 0)))
    raw = np.concatenate([[mean / scale], raw])
    delta = times @ linear("factors.waves.1", np.maximum(linear("factors.waves.0", raw), 0))
    speed = np.append(0, np.diff(window) / scale / (age[:-1] - age[1:]))
    tokens = np.column_stack([(window - mean) / scale, window / scale, speed, times])
    tokens = block("encoder.0", linear("enter_token", tokens), None, tau, delta)
    queries = [
        np.concatenate([[-mean / scale, value / scale], time(-horizon)])
        for horizon, value in zip(HORIZONS, base, strict=True)
    ]
    queries = linear("enter_query", np.array(queries))
    queries = block("decoder", queries, norm("encoded", tokens), tau, delta)
    return base + scale * linear("leave", norm("decoded", queries))[:, 0]


def test_forward_pass_equals_a_reference_in_numpy():
    net = make_net()
    X = make_windows(3, 1, missing=0.0)
    found = net(**X[:]).detach().numpy()
    for row in range(3):
        age, base = X.age[row].numpy(), X.base[row, 0].numpy()
        expected = reference(net, X.window[row, 0].numpy(), age, base)
        np.testing.assert_allclose(found[row, 0], expected, rtol=1e-6, atol=1e-7)


def test_tau_and_delta_differ_between_windows_and_are_ordinary_attention_at_first():
    X = make_windows()
    _, mean, scale = stationarise(X.window, X.observed)
    for net, ordinary in [(make_net(), False), (NonstationaryTransformer(HORIZONS).double(), True)]:
        times = net.time(X.age)
        tau, delta = net.factors(X.window / scale, mean / scale, scale, times, X.observed)
        assert (tau > 0).all()
        assert tau.shape == (5, 3, 1)
        assert delta.shape == (5, 3, 9)
        assert bool((tau == 1).all()) == ordinary
        assert bool((delta == 0).all()) == ordinary


# --- what the forecast depends on, and what it does not


def test_residual_starts_exactly_at_the_base_and_the_network_alone_does_not():
    X = make_windows(dtype=torch.float32)
    inputs = X[:]
    torch.testing.assert_close(NonstationaryTransformer(HORIZONS)(**inputs), X.base, rtol=0, atol=0)
    del inputs["base"]
    alone = NonstationaryTransformer(HORIZONS, residual=False)(**inputs)
    assert alone.shape == X.base.shape
    assert (alone != 0).all()


@pytest.mark.parametrize("residual", [True, False])
def test_base_that_is_missing_or_too_much_is_refused(residual):
    X = make_windows(dtype=torch.float32)
    net = NonstationaryTransformer(HORIZONS, residual=residual)
    with pytest.raises(ValueError, match="base must be given"):
        net(X.window, X.age, X.observed, None if residual else X.base)


@settings(max_examples=20)
@given(st.integers(0, 100), st.sampled_from([0.0, 1e6, math.nan, math.inf]))
def test_missing_steps_change_nothing(seed, fill):
    net, X = make_net(), make_windows(missing=0.4, seed=seed)
    expected = net(**X[:])
    window = X.window.masked_fill(~X.observed[:, None], fill)
    age = X.age.masked_fill(~X.observed, fill)
    torch.testing.assert_close(net(window, age, X.observed, X.base), expected, rtol=0, atol=0)
    # nor does padding by more of them
    longer = torch.cat([torch.full_like(window, fill), window], -1)
    ages = torch.cat([torch.full_like(age, fill), age], -1)
    padded = torch.cat([torch.zeros_like(X.observed), X.observed], -1)
    torch.testing.assert_close(net(longer, ages, padded, X.base), expected)


def test_a_window_without_any_step_is_no_nan():
    net, X = make_net(), make_windows()
    X.observed[:] = False
    assert net(**X[:]).isfinite().all()


def test_every_observed_step_its_age_and_the_base_count():
    net, X = make_net(), make_windows(2, missing=0.0)
    inputs = {
        name: part.clone().requires_grad_() if part.is_floating_point() else part
        for name, part in X[:].items()
    }
    net(**inputs).square().sum().backward()
    for name in ("window", "age", "base"):
        assert (inputs[name].grad != 0).all(), name


def test_translation_changes_nothing_where_differences_are_taken_in_float64():
    walk = torch.randn(4, 3, 9, generator=torch.Generator().manual_seed(0)).double().cumsum(-1)
    net, X = make_net(dtype=torch.float32), make_windows(4, dtype=torch.float32)
    forecasts = []
    for shift in (0.0, 512.0):  # mm
        there = walk + shift
        window = (there - there[..., -1:]).float()
        forecasts.append(net(window, X.age, X.observed, X.base) + there[..., -1:])
    torch.testing.assert_close(forecasts[1], forecasts[0] + 512, rtol=0, atol=1e-5)


def test_axes_may_be_permuted():
    net, X = make_net(), make_windows()
    for order in ([2, 0, 1], [1, 0, 2]):
        found = net(X.window[:, order], X.age, X.observed, X.base[:, order])
        torch.testing.assert_close(found, net(**X[:])[:, order])


def test_forecast_grows_with_the_motion_where_tau_and_delta_do_not_see_the_scale():
    X = make_windows()
    net = make_net()
    small = net(**X[:])
    large = net(7 * X.window, X.age, X.observed, 7 * X.base)
    assert not torch.allclose(large, 7 * small, rtol=1e-3)
    with torch.no_grad():
        for first, _ in (net.factors.log_tau, net.factors.waves):
            first.weight[:, -1] = 0.0  # the column of the log scale
    large = net(7 * X.window, X.age, X.observed, 7 * X.base)
    torch.testing.assert_close(large, 7 * net(**X[:]), rtol=1e-4, atol=1e-3)


def test_windows_and_horizons_do_not_see_each_other():
    net, X = make_net(), make_windows()
    together = net(**X[:])
    for row in range(len(X)):
        torch.testing.assert_close(net(**X[[row]]), together[[row]])
    base = X.base.clone()
    base[..., 1] += 3.0
    found = net(X.window, X.age, X.observed, base)
    torch.testing.assert_close(found[..., [0, 2]], together[..., [0, 2]])


# --- training


def test_squared_distance_is_a_weighted_mean_over_rows_and_horizons():
    rng = np.random.default_rng(0)
    output, target = rng.standard_normal((2, 4, 3, 2))
    weight = rng.uniform(size=(4, 2))
    weight[1, 0] = 0.0
    distance = ((output - target) ** 2).sum(1)
    found = squared_distance(*map(torch.tensor, (output, target, weight)))
    assert float(found) == pytest.approx(np.average(distance, weights=weight))
    assert squared_distance(*map(torch.tensor, (output, target, 0 * weight))) == 0


def fit(rows, *, seed=0, **settings):
    torch.manual_seed(0)
    settings = SIZES | {"dropout": 0.1, "token_dropout": 0.1, "seed": seed} | settings
    net = NonstationaryTransformer(HORIZONS, **settings)
    schedule = {"max_epochs": 12, "learning_rate": 0.01, "weight_decay": 1e-3, "batch_size": 32}
    train_by_adam(net, squared_distance, rows, seed=0, **schedule)
    with torch.no_grad():
        return net(**rows.X[:])


@pytest.mark.parametrize("residual", [True, False])
def test_training_learns_what_the_base_does_not_know(residual):
    rows = make_problem()
    if not residual:
        rows.X.base = None
    found = fit(rows, residual=residual)
    error = squared_distance(found, rows.y, rows.weight)
    persistence = squared_distance(torch.zeros_like(found), rows.y, rows.weight)
    assert error < 0.05 * persistence  # the base alone: 0.25


def test_seeds_decide_and_the_global_generator_is_left_alone():
    rows = make_problem(100)
    first, again, other = fit(rows), fit(rows), fit(rows, seed=5)
    torch.testing.assert_close(again, first, rtol=0, atol=0)
    assert not torch.allclose(other, first)
    net = NonstationaryTransformer(HORIZONS, dropout=0.5, token_dropout=0.5).train()
    state = torch.get_rng_state()
    net(**rows.X[:8])
    assert torch.equal(torch.get_rng_state(), state)


def test_hidden_steps_are_hidden_in_training_only():
    X = make_windows(dtype=torch.float32)
    net = make_net(dtype=torch.float32, dropout=0.0, token_dropout=0.5)
    expected = net(**X[:])
    torch.testing.assert_close(net(**X[:]), expected, rtol=0, atol=0)
    assert not torch.allclose(net.train()(**X[:]), expected)


# --- leaving torch


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("residual", [True, False])
def test_onnx_gives_the_same_forecast(tmp_path, residual):
    pytest.importorskip("onnx", reason="export needs the extra 'onnx'")
    pytest.importorskip("onnxscript", reason="export needs the extra 'onnx'")
    runtime = pytest.importorskip("onnxruntime", reason="export needs the extra 'onnx'")
    net = make_net(dtype=torch.float32, residual=residual)
    inputs = make_windows(2, dtype=torch.float32)[:]
    if not residual:
        del inputs["base"]
    path = tmp_path / "net.onnx"
    torch.onnx.export(
        net, tuple(inputs.values()), path, input_names=list(inputs), dynamo=True, verbose=False
    )
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    other = make_windows(2, dtype=torch.float32, missing=0.4, seed=1)[:]
    found = session.run(None, {name: other[name].numpy() for name in inputs})[0]
    expected = net(**{name: other[name] for name in inputs}).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
