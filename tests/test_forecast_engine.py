"""What forecasts are made of: features, ridge, mixture, radius, surrogates, and how X is read."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import Ridge

from sklearn_medsel.forecasting import CineSequence, _mixture, _ridge
from sklearn_medsel.forecasting._mixture import ExpertMixture, simplex_minimum
from sklearn_medsel.forecasting._motion import MotionBasis, MotionTrace
from sklearn_medsel.forecasting._population import Path, PopulationTeacher, _statistics
from sklearn_medsel.forecasting._radius import AdaptiveRadius
from sklearn_medsel.forecasting._ridge import PatientRidge, PopulationRidge
from sklearn_medsel.forecasting._signal import SignalMap
from sklearn_medsel.forecasting._steps import read_steps, read_truth

INTERVAL = 0.2


@pytest.fixture
def basis():
    return MotionBasis.make(INTERVAL, 1.0, np.random.default_rng(0))


def breath(n, rate=1 / INTERVAL, seed=0):
    """A path in 3-D that rises and falls every four seconds."""
    t = np.arange(n) / rate
    wave = np.sin(np.pi * t / 4) ** 4
    noise = np.random.default_rng(seed).normal(scale=0.1, size=(n, 3))
    return t, wave[:, None] * [10.0, 4.0, -2.0] + noise


def follow(basis, t, path, **settings):
    trace = MotionTrace(basis, path.shape[1], 5.0, **settings)
    for moment, position in zip(t, path, strict=True):
        trace.add(moment, position)
    return trace


# --- the path of one patient, and its features


def test_lags_are_dense_at_first_and_reach_beyond_the_history(basis):
    steps = basis.lags / INTERVAL
    np.testing.assert_allclose(steps, np.round(steps))
    np.testing.assert_allclose(np.diff(steps)[:10], 1)
    assert np.diff(steps)[-1] > 1.5
    assert 2 < basis.lags[-1] < 2.801
    assert basis.span >= basis.bent_lags[-1]


@pytest.mark.parametrize("offset", [5.0, 1e5])
def test_features_know_nothing_of_the_place(basis, offset):
    t, path = breath(60)
    here, there = (follow(basis, t, p) for p in (path, path + offset))
    np.testing.assert_allclose(basis.describe(there), basis.describe(here), atol=1e-8)
    assert basis.describe(here).shape == (basis.n_features, 3)


def test_features_of_a_larger_breath_are_the_same_once_its_size_is_known(basis):
    t, path = breath(4000)
    small, large = follow(basis, t, path), follow(basis, t, 3 * path)
    np.testing.assert_allclose(large.scale, 3 * small.scale, rtol=0.03)
    np.testing.assert_allclose(basis.describe(large), basis.describe(small), atol=0.15)


def test_features_of_axes_in_another_order_are_in_that_order(basis):
    t, path = breath(60)
    order = [2, 0, 1]
    np.testing.assert_allclose(
        basis.describe(follow(basis, t, path[:, order])),
        basis.describe(follow(basis, t, path))[:, order],
        atol=1e-12,
    )


def test_first_features_are_where_it_was_some_time_ago(basis):
    t, path = breath(60)
    trace = follow(basis, t, path)
    lag = basis.describe(trace)[2] * trace.scale
    np.testing.assert_allclose(lag, path[-4] - path[-1])


def test_path_is_read_between_samples_and_held_before_them(basis):
    trace = follow(basis, [0.0, 1.0], np.array([[0.0], [10.0]]))
    np.testing.assert_allclose(trace.at([-5.0, 0.25, 1.0]).ravel(), [0.0, 2.5, 10.0])


def test_only_observed_positions_are_truth(basis):
    trace = MotionTrace(basis, 1, 5.0)
    for t, position, observed in [(0.0, 0, True), (0.2, 2, True), (0.4, 4, False), (2, 6, True)]:
        trace.add(t, [position], observed)
    assert trace.observed_at(0.1, 1.0) == pytest.approx(1.0)
    assert trace.observed_at(0.2, 1.0) == pytest.approx(2.0)
    assert trace.observed_at(0.3, 1.0) is None  # the right end was carried on
    assert trace.observed_at(-0.1, 1.0) is None
    assert trace.observed_at(2.1, 1.0) is None
    trace.correct(0.4, [5.0])
    assert trace.observed_at(0.3, 1.0) == pytest.approx(3.5)
    assert trace.observed_at(1.0, 1.0) is None  # too far apart


def test_position_that_was_not_observed_teaches_nothing(basis):
    t, path = breath(30)
    trace = follow(basis, t, path)
    averages, scale = trace.averages.copy(), trace.scale
    trace.add(t[-1] + INTERVAL, path[-1] + 50, observed=False)
    np.testing.assert_array_equal(trace.averages, averages)
    assert trace.scale == scale


def test_long_path_keeps_what_is_needed_and_no_more(basis):
    t, path = breath(20_000)
    trace = follow(basis, t, path)
    assert len(trace) < 40
    n = len(trace)
    np.testing.assert_array_equal(trace.at(t[-n:]), path[-n:])
    short = follow(basis, t[-600:], path[-600:])
    n_lags = basis.lags.size
    np.testing.assert_allclose(
        basis.describe(short)[:n_lags] * short.scale, basis.describe(trace)[:n_lags] * trace.scale
    )


def test_restart_forgets_the_path_and_not_the_amplitude(basis):
    t, path = breath(200)
    trace = follow(basis, t, path)
    scale = trace.scale
    trace.restart()
    assert len(trace) == 0
    assert trace.elapsed == 0
    trace.add(100.0, [7.0, 7.0, 7.0])
    assert trace.scale == scale
    np.testing.assert_array_equal(trace.averages, np.full((basis.slow.size, 3), 7.0))


# --- the ridge


def samples(n, seed=0, n_features=4, n_horizons=2, n_dims=2):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n_features * n_dims, n_horizons * n_dims))
    features = rng.normal(size=(n, n_features, n_dims))
    targets = features.reshape(n, -1) @ truth + 0.1 * rng.normal(size=(n, n_horizons * n_dims))
    return features, targets.reshape(n, n_horizons, n_dims)


def test_population_ridge_is_that_of_scikit_learn():
    features, targets = samples(500)
    population = PopulationRidge.of_samples(features, targets)
    mean = PopulationRidge(population.gram / 500, population.cross / 500, 500)
    other = Ridge(alpha=_ridge._SHRINKAGE * 500 / _ridge._PRIOR_SAMPLES, fit_intercept=False)
    other.fit(features.reshape(500, -1), targets.reshape(500, -1))
    new, _ = samples(5, seed=1)
    ours = np.array([PatientRidge(mean).forecast(x, 2) for x in new])
    np.testing.assert_allclose(ours.reshape(5, -1), other.predict(new.reshape(5, -1)), rtol=1e-9)


def test_own_samples_count_beside_the_population_and_fade():
    features, targets = samples(300)
    parts = PopulationRidge.of_samples(features, targets)
    mean = PopulationRidge(parts.gram / 300, parts.cross / 300, 300)
    own, own_targets = samples(80, seed=5)
    times = np.arange(80) * 10.0
    ridge = PatientRidge(mean)
    for t, x, y in zip(times, own, own_targets, strict=True):
        ridge.learn(t, x, y)

    x = np.vstack([features.reshape(300, -1), own.reshape(80, -1)])
    y = np.vstack([targets.reshape(300, -1), own_targets.reshape(80, -1)])
    weight = np.append(
        np.full(300, _ridge._PRIOR_SAMPLES / 300), np.exp((times - times[-1]) / _ridge._MEMORY)
    )
    other = Ridge(alpha=_ridge._SHRINKAGE, fit_intercept=False).fit(x, y, weight)
    new, _ = samples(5, seed=6)
    ours = np.array([ridge.forecast(row, 2) for row in new]).reshape(5, -1)
    np.testing.assert_allclose(ours, other.predict(new.reshape(5, -1)), rtol=1e-8)


@pytest.mark.parametrize("n_dims", [1, 2, 3])
def test_population_does_not_know_which_axis_is_which(n_dims):
    features, targets = samples(50, n_dims=n_dims)
    order = np.roll(np.arange(n_dims), 1)
    here, there = (
        PopulationRidge.pool([PopulationRidge.of_samples(x, y)], n_dims)
        for x, y in ((features, targets), (features[..., order], targets[..., order]))
    )
    np.testing.assert_allclose(here.gram, there.gram, atol=1e-12)
    np.testing.assert_allclose(here.cross, there.cross, atol=1e-12)
    assert here.n_samples == 50
    if n_dims == 1:
        np.testing.assert_allclose(here.gram, features[..., 0].T @ features[..., 0] / 50)


def test_statistics_hold_nothing_of_across_a_gap(basis):
    """Positions lost for two seconds: where it was before tells nothing of what comes after."""
    t, path = breath(200)
    path[90:100] = np.nan
    moved = path + 30 * (np.arange(200) < 90)[:, None]
    teacher = PopulationTeacher(
        basis=basis, horizons=np.array([0.2, 0.4]), coverage=0.9, adapts=True, seed=0
    )
    here, there = (_statistics(Path(0, t, p, p), teacher, 5.0) for p in (path, moved))
    # the mean of the path, and so its amplitude, starts anew as well
    np.testing.assert_allclose(here.gram, there.gram, atol=1e-6)
    np.testing.assert_allclose(here.cross, there.cross, atol=1e-6)
    # 1 s of history after each start, and two rows without a truth at each end
    assert here.n_samples == 90 - 5 - 2 + 100 - 5 - 2


# --- the mixture


@given(st.integers(1, 4), st.integers(0, 10_000))
@settings(max_examples=60)
def test_simplex_minimum_is_that_of_scipy(n, seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n + 2))
    matrix, linear = root @ root.T + 0.01 * np.eye(n), 3 * rng.normal(size=n)

    def loss(w):
        return w @ matrix @ w - 2 * linear @ w

    ours = simplex_minimum(matrix, linear)
    assert ours.min() >= 0
    assert ours.sum() == pytest.approx(1)
    other = minimize(
        loss,
        np.full(n, 1 / n),
        jac=lambda w: 2 * (matrix @ w - linear),
        bounds=[(0, 1)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert loss(ours) <= other.fun + 1e-6 * max(1, abs(other.fun))


def test_weights_go_to_the_better_expert_and_come_back():
    mixture = ExpertMixture(np.array([[1.0, 0.0], [0.5, 0.5]]))
    rng = np.random.default_rng(0)
    for t in range(1500):
        mixture.learn(t, 0, np.array([[3.0], [0.3]]) * rng.normal(size=(2, 1)))
    assert mixture.weights[0, 1] > 0.9
    np.testing.assert_array_equal(mixture.weights[1], [0.5, 0.5])  # the other horizon
    for t in range(1500, 1500 + 5 * int(_mixture._MEMORY)):
        mixture.learn(t, 0, np.array([[0.3], [3.0]]) * rng.normal(size=(2, 1)))
    assert mixture.weights[0, 0] > 0.9


def test_first_error_hardly_moves_the_weights():
    mixture = ExpertMixture(np.array([[0.2, 0.8]]))
    mixture.learn(0.0, 0, np.array([[1.0, 0.0], [0.0, 1.3]]))
    assert abs(mixture.weights[0, 1] - 0.8) < 0.02
    still = ExpertMixture(np.array([[0.2, 0.8]]))
    still.learn(0.0, 0, np.zeros((2, 2)))
    np.testing.assert_array_equal(still.weights[0], [0.2, 0.8])


def test_mixture_is_a_weighted_sum():
    mixture = ExpertMixture(np.array([[0.25, 0.75]]))
    forecasts = np.array([[[0.0, 4.0]], [[4.0, 0.0]]])
    np.testing.assert_allclose(mixture.mix(forecasts), [[3.0, 1.0]])


# --- the radius


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_radius_holds_its_promise_while_errors_grow_and_shrink(coverage):
    rng = np.random.default_rng(0)
    radius = AdaptiveRadius(coverage, usual=np.abs(rng.normal(size=120)))
    size = np.exp(np.sin(np.arange(6000) / 300))
    hits = []
    for error in size * np.abs(rng.normal(size=6000)):
        given = radius.radius(1.0)
        hits.append(error <= given)
        radius.learn(error, given)
    assert np.mean(hits) == pytest.approx(coverage, abs=0.01)
    blocks = np.mean(np.reshape(hits, (-1, 600)), axis=1)
    assert blocks.min() > coverage - 0.06


def test_radius_starts_as_the_population_has_it():
    usual = np.linspace(0, 1, 101)
    radius = AdaptiveRadius(0.9, usual)
    assert radius.radius(10.0) == pytest.approx(9.0, abs=0.11)
    assert radius.radius(20.0) == 2 * radius.radius(10.0)
    for _ in range(200):
        radius.learn(0.5, 1.0)
    assert radius.radius(10.0) == 0.5  # by now only its own count
    assert np.isnan(AdaptiveRadius(0.9, np.empty(0)).radius(1.0))


# --- surrogates


def test_positions_stay_as_they_are():
    _, path = breath(50)
    assert SignalMap.learn(path, path)(path) is path


def test_measured_positions_are_positions():
    """A map would hold a patient to the place of those in training."""
    _, path = breath(500)
    noisy = path + np.random.default_rng(1).normal(scale=0.3, size=path.shape)
    assert SignalMap.learn(noisy, path).coef is None


def test_surrogate_becomes_a_position():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(300, 2)) * [1.0, 100.0]
    truth = signal @ np.array([[3.0, 1.0, 0.0], [0.01, 0.0, 0.02]]) + [100.0, -50.0, 7.0]
    signal[3], truth[5] = np.nan, np.nan
    learnt = SignalMap.learn(signal, truth)
    rows = [0, 1, 2, 250]
    np.testing.assert_allclose(learnt(signal[rows]), truth[rows], atol=0.01)
    assert np.isnan(learnt(signal[3])).all()


def test_signals_of_another_scale_are_no_positions():
    _, path = breath(100)
    learnt = SignalMap.learn(path / 10, path)
    np.testing.assert_allclose(learnt(path / 10), path, atol=1e-3)


def test_signal_that_repeats_itself_is_no_obstacle():
    x = np.sin(np.arange(50.0))[:, None]
    signal = np.hstack([x, x, np.ones_like(x)])
    np.testing.assert_allclose(SignalMap.learn(signal, 4 * x)(signal), 4 * x, atol=1e-4)


def test_nothing_known_together_is_refused():
    x = np.array([[1.0], [np.nan]])
    with pytest.raises(ValueError, match="never known in the same row"):
        SignalMap.learn(x, x[::-1])


# --- reading X


class Reader:
    """As much of an estimator as reading needs."""

    interval, planes, planes_ = 0.25, "all", ("coronal",)


def table(**columns):
    return pd.DataFrame({"t": [0.0, 0.2, 0.4, 0.0, 0.2, 5.0], "x": np.arange(6.0)} | columns)


def test_rows_of_recordings_and_stretches():
    steps = read_steps(Reader(), table(patient=list("aaabbb")), reset=True)
    assert steps.recordings() == [slice(0, 3), slice(3, 6)]
    assert steps.stretches(1.0) == [slice(0, 3), slice(3, 5), slice(5, 6)]
    assert steps.interval() == pytest.approx(0.2)
    assert len(steps) == 6
    assert steps.in_mm


def test_sequences_of_a_patient_are_recordings():
    steps = read_steps(Reader(), table(patient=1, sequence=[0, 0, 0, 1, 1, 1]), reset=True)
    assert steps.recordings() == [slice(0, 3), slice(3, 6)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (table(), "t must grow .* at row 3"),
        (table(t=[0, 1, 1, 2, 3, 4]), "t must grow .* at row 2"),
        (table(t=[0, 1, np.nan, 2, 3, 4]), "t is NaN or infinite at row 2"),
        (table(t=list("abcdef")), "t must be numbers, in seconds"),
        (table(patient=list("aabbaa")), "sequence at row 4 has rows further up"),
        (table(patient=[1, 1, None, 1, 2, 2]), "patient is missing at row 2"),
        (table(t=range(6), x=[0, 1, 2, 150, 3, 4]), "jumps by more than 100 mm at rows 3"),
        (table(t=range(6), x=[0, 1, np.inf, 2, 3, 4]), "infinite at row 2"),
        (table()[["t"]], r"must have the columns t \(s\) and x, y, z"),
        (table().rename(columns={"x": "y"}), "must have the columns"),
        (table()[:0], "no rows"),
    ],
)
def test_tables_that_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        read_steps(Reader(), data, reset=True)


def test_frames_of_chosen_planes():
    X = CineSequence(np.zeros((4, 2, 8, 8), np.uint8), np.arange(4.0), planes=("coronal", "axial"))
    reader = Reader()
    with pytest.raises(ValueError, match=r"plane\(s\) \['axial'\], which training never saw"):
        read_steps(reader, X, reset=False)
    reader.planes = ["coronal"]
    assert read_steps(reader, X, reset=False).cine.planes == ("coronal",)
    with pytest.raises(ValueError, match="no steps"):
        read_steps(reader, X[:0], reset=True)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((5, 3)), r"for each of the 6 rows of X, found shape \(5, 3\)"),
        (np.full((6, 3), np.inf), "y is infinity at"),
        ([[0.0], [1.0], [2.0], [300.0], [3.0], [4.0]], "jumps by more than 100 mm"),
    ],
)
def test_truth_that_is_refused(y, message):
    steps = read_steps(Reader(), table(t=range(6)), reset=True)
    with pytest.raises(ValueError, match=message):
        read_truth(y, steps)


def test_truth_of_one_axis_and_of_x():
    steps = read_steps(Reader(), table(t=range(6)), reset=True)
    assert read_truth(np.arange(6.0), steps).shape == (6, 1)
    np.testing.assert_array_equal(read_truth(None, steps)[:, 0], np.arange(6.0))
    nothing = SimpleNamespace(signal=None, cine=SimpleNamespace(positions=None))
    with pytest.raises(ValueError, match="y is missing"):
        read_truth(None, nothing)
