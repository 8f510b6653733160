"""Time-dependent AUC, Brier scores, Breslow's curves and cut points against other computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_medsel.survival import kaplan_meier, logrank_test, make_survival_y
from sklearn_medsel.survival._breslow import breslow_survival
from sklearn_medsel.survival._cuts import find_cuts, maxstat_test, to_groups
from sklearn_medsel.survival._scores import (
    brier_score,
    integrated_brier_score,
    time_dependent_auc,
)


def sample(seed=0, n=150, *, tied=True, censored=0.35):
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    time = rng.exponential(10 * np.exp(-risk))
    time = np.ceil(time) if tied else time
    return make_survival_y(rng.random(n) >= censored, time), risk


# --- time-dependent AUC ---------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_auc_equals_scikit_survival(tied):
    metrics = pytest.importorskip("sksurv.metrics", reason="scikit-survival: extra 'compare'")
    y_train, _ = sample(1, n=300, tied=tied)
    y, risk = sample(2, tied=tied)
    risk = np.round(risk, 1)  # tied risks
    times = np.quantile(y["time"][y["event"]], [0.1, 0.3, 0.5, 0.8])
    expected, mean = metrics.cumulative_dynamic_auc(y_train, y, risk, times)
    found = time_dependent_auc(y_train, y, risk, times)
    np.testing.assert_allclose(found.auc, expected, atol=1e-12)
    assert found.mean == pytest.approx(mean, abs=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_auc_without_censoring_is_the_share_of_pairs(seed):
    rng = np.random.default_rng(seed)
    time, risk = rng.integers(1, 8, 20).astype(float), rng.integers(0, 5, 20)
    time[:2] = 1, 9
    y = make_survival_y(np.ones(20), time)
    for moment in (1.0, 4.5):
        case, control = risk[time <= moment], risk[time > moment]
        higher = (case[:, None] > control) + 0.5 * (case[:, None] == control)
        assert time_dependent_auc(y, y, risk, [moment]).auc[0] == pytest.approx(higher.mean())


def test_auc_default_times_and_bad_input():
    y, risk = sample()
    result = time_dependent_auc(y, y, risk)
    assert result.times.size == result.auc.size == 9
    assert result.auc.min() > 0.7
    assert time_dependent_auc(y, y, -risk).mean == pytest.approx(1 - result.mean)
    with pytest.raises(ValueError, match="not defined"):
        time_dependent_auc(y, y, risk, [y["time"].max() + 1])
    with pytest.raises(ValueError, match="ascend"):
        time_dependent_auc(y, y, risk, [3, 2])
    with pytest.raises(ValueError, match="inconsistent"):
        time_dependent_auc(y, y, risk[1:])


# --- Brier score ----------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_brier_equals_scikit_survival(tied):
    metrics = pytest.importorskip("sksurv.metrics", reason="scikit-survival: extra 'compare'")
    y_train, _ = sample(1, n=300, tied=tied)
    y, risk = sample(2, tied=tied)
    times = np.linspace(*np.quantile(y["time"][y["event"]], [0.1, 0.8]), 12)
    survival = np.exp(-0.1 * times * np.exp(risk)[:, None])
    _, expected = metrics.brier_score(y_train, y, survival, times)
    np.testing.assert_allclose(brier_score(y_train, y, survival, times), expected, atol=1e-12)
    expected = metrics.integrated_brier_score(y_train, y, survival, times)
    assert integrated_brier_score(y_train, y, survival, times) == pytest.approx(expected)


def test_brier_without_censoring_is_the_squared_error():
    y, risk = sample(3, n=60, censored=0.0)
    times = np.array([2.0, 5.0, 9.0])
    survival = np.exp(-0.1 * times * np.exp(risk)[:, None])
    expected = ((survival - (y["time"][:, None] > times)) ** 2).mean(axis=0)
    np.testing.assert_allclose(brier_score(y, y, survival, times), expected)
    half = brier_score(y, y, np.full(3, 0.5), times)
    np.testing.assert_allclose(half, 0.25)


def test_brier_bad_input():
    y, _ = sample()
    with pytest.raises(ValueError, match="one column per time"):
        brier_score(y, y, np.full((y.size, 2), 0.5), [1, 2, 3])
    with pytest.raises(ValueError, match="probabilities"):
        brier_score(y, y, [1.2], [3])
    with pytest.raises(ValueError, match="at least two times"):
        integrated_brier_score(y, y, [0.5], [3])
    short = make_survival_y([1, 0, 0], [1, 2, 3])
    with pytest.raises(ValueError, match="earlier times"):
        brier_score(short, y, [0.5], [4])


# --- Breslow --------------------------------------------------------------------------------


def test_breslow_equals_scikit_survival():
    linear_model = pytest.importorskip("sksurv.linear_model", reason="extra 'compare'")
    y, risk = sample()
    X = np.column_stack([risk, np.random.default_rng(0).normal(size=risk.size)])
    model = linear_model.CoxPHSurvivalAnalysis(alpha=1.0, ties="breslow").fit(X, y)
    times = np.arange(2.0, 20.0, 3)
    expected = [curve(times) for curve in model.predict_survival_function(X[:5])]
    predicted = model.predict(X)
    found = breslow_survival(y, predicted, predicted[:5], times)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_breslow_without_risk_is_nearly_kaplan_meier_and_ignores_constants():
    y, risk = sample(n=400, tied=False)
    curve = kaplan_meier(y)
    times = curve["time"].to_numpy()[:300]
    flat = breslow_survival(y, np.zeros(y.size), [0.0], times)[0]
    np.testing.assert_allclose(flat, curve["survival"][:300], atol=0.01)
    shifted = breslow_survival(y, risk + 900, risk[:3] + 900, times)
    np.testing.assert_allclose(shifted, breslow_survival(y, risk, risk[:3], times))
    extreme = breslow_survival(y, 1e4 * risk, [-1e5, 1e5], times)
    assert np.isfinite(extreme).all()


# --- cut points -----------------------------------------------------------------------------


def test_maxstat_is_the_largest_logrank_statistic():
    y, risk = sample(4, n=60)
    risk = np.round(risk, 1)
    result = maxstat_test(y, risk)
    statistics = {}
    for value in np.unique(risk):
        high = risk > value
        if min(high.sum(), (~high).sum()) >= 6:
            statistics[value] = np.sqrt(logrank_test(y, high).statistic)
    best = max(statistics, key=statistics.get)
    assert result.statistic == pytest.approx(statistics[best])
    np.testing.assert_array_equal(risk > result.cut_point, risk > best)
    assert result.pvalue < 1e-4


def test_maxstat_pvalue_holds_its_level_under_the_null():
    rng = np.random.default_rng(0)
    naive, corrected = [], []
    for _ in range(300):
        y = make_survival_y(rng.random(80) < 0.7, rng.exponential(size=80))
        result = maxstat_test(y, rng.normal(size=80))
        corrected.append(result.pvalue)
        naive.append(result.statistic > 1.96)
    assert np.mean(naive) > 0.25  # what the correction is for
    assert 0.01 < np.mean(np.array(corrected) < 0.05) < 0.08


def test_maxstat_of_a_marker_with_three_values_uses_the_sharper_bound():
    rng = np.random.default_rng(0)
    marker = rng.integers(0, 3, 90)
    y = make_survival_y(np.ones(90), rng.exponential(np.where(marker > 1, 1, 2)))
    result = maxstat_test(y, marker)
    single = logrank_test(y, marker > result.cut_point).pvalue
    assert single < result.pvalue <= 2 * single + 1e-12


def test_maxstat_names_what_is_wrong_with_the_risk():
    y, _ = sample(0, n=40)
    with pytest.raises(ValueError, match=r"^risk has 1 different value among 40 samples"):
        maxstat_test(y, np.ones(40))
    with pytest.raises(ValueError, match="no cut point leaves 10% of them on both sides"):
        maxstat_test(y, np.arange(40) == 0)
    with pytest.raises(ValueError, match=r"^risk is not a number at rows 1, 3; convert") as caught:
        maxstat_test(y, ["1.5", "Smith", "2", "Jones"] + ["3"] * 36)
    assert "Smith" not in str(caught.value)
    with pytest.raises(ValueError, match="risk contains NaN"):
        maxstat_test(y, [None, 1.0] * 20)


@settings(max_examples=40)
@given(
    st.integers(0, 10_000), st.integers(2, 6), st.sampled_from(["quantile", "maxstat", "callable"])
)
def test_cuts_make_every_group(seed, n_groups, kind):
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=70)
    y = make_survival_y(rng.random(70) < 0.6, rng.exponential(np.exp(-risk)))
    y["event"][0] = True
    shares = np.arange(1, n_groups) / n_groups
    cut = (lambda risk, y: np.quantile(risk, shares)) if kind == "callable" else kind
    cuts = find_cuts(y, risk, n_groups, cut)
    counts = np.bincount(to_groups(risk, cuts), minlength=n_groups)
    assert (np.diff(cuts) > 0).all()
    assert counts.min() >= min(0.1, 0.5 / n_groups) * risk.size - 1e-9
    if kind != "maxstat":
        assert np.ptp(counts) <= 1


def test_cuts_at_given_quantiles_and_messages():
    y, risk = sample(n=100)
    groups = to_groups(risk, find_cuts(y, risk, 3, (0.2, 0.8)))
    np.testing.assert_array_equal(np.bincount(groups), [20, 60, 20])
    with pytest.raises(ValueError, match="makes 3 groups, but n_groups is 2"):
        find_cuts(y, risk, 2, (0.2, 0.8))
    with pytest.raises(ValueError, match="ascending numbers between 0 and 1"):
        find_cuts(y, risk, 3, (0.8, 0.2))
    with pytest.raises(ValueError, match="same risk"):
        find_cuts(y, np.zeros(100), 2, "quantile")
    with pytest.raises(ValueError, match="2 different risks"):
        find_cuts(y, (risk > 0).astype(float), 3, "maxstat")
    with pytest.raises(ValueError, match="finite cut points"):
        find_cuts(y, risk, 2, lambda risk, y: [0, 1])
