"""Curves, tests, concordance and Cox models against scikit-survival, and by their properties."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from sklearn.exceptions import ConvergenceWarning

from sklearn_medsel.survival import (
    concordance_index,
    cox_regression,
    cox_univariate,
    kaplan_meier,
    logrank_test,
    make_survival_y,
)
from sklearn_medsel.survival._nonparametric import logrank_splits

NUMBERS = ["coefficient", "hazard_ratio", "ci_low", "ci_high", "pvalue"]
few = settings(max_examples=40, deadline=None)


def sample(seed=0, n=90, p=4, *, tied=True, effect=0.8):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    time = rng.exponential(8 * np.exp(-effect * X[:, 0]))
    time = np.ceil(time) if tied else time
    return X, make_survival_y(rng.random(n) < 0.7, time)


@st.composite
def targets(draw, min_size=3, max_size=25):
    """Small targets with many ties and at least one event."""
    size = draw(st.integers(min_size, max_size))
    time = draw(st.lists(st.integers(0, 8), min_size=size, max_size=size))
    event = draw(st.lists(st.booleans(), min_size=size, max_size=size).filter(any))
    return make_survival_y(event, time)


# --- Kaplan-Meier ---------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_kaplan_meier_equals_scikit_survival(tied):
    nonparametric = pytest.importorskip("sksurv.nonparametric")
    _, y = sample(tied=tied)
    curve = kaplan_meier(y, confidence=0.9)
    time, survival, interval = nonparametric.kaplan_meier_estimator(
        y["event"], y["time"], conf_level=0.9, conf_type="log-log"
    )
    np.testing.assert_array_equal(curve["time"], time)
    np.testing.assert_allclose(curve["survival"], survival, atol=1e-12)
    positive = survival > 0
    np.testing.assert_allclose(curve.loc[positive, "ci_low"], interval[0][positive], atol=1e-12)
    np.testing.assert_allclose(curve.loc[positive, "ci_high"], interval[1][positive], atol=1e-12)


@few
@given(targets())
def test_kaplan_meier_properties(y):
    curve = kaplan_meier(y)
    survival = curve["survival"].to_numpy()
    assert np.all(np.diff(np.concatenate([[1.0], survival])) <= 0)
    assert np.all((survival >= 0) & (survival <= 1))
    known = curve.dropna()
    assert (known["ci_low"] <= known["survival"]).all()
    assert (known["survival"] <= known["ci_high"]).all()
    assert curve["ci_low"].isna().equals(curve["survival"] == 0)
    assert curve["events"].sum() == y["event"].sum()
    assert curve["censored"].sum() == (~y["event"]).sum()
    left = (curve["events"] + curve["censored"]).cumsum()
    np.testing.assert_array_equal(curve["at_risk"], y.size - left.shift(fill_value=0))


def test_kaplan_meier_without_censoring_is_the_empirical_share():
    time = np.array([1, 2, 2, 4])
    curve = kaplan_meier(make_survival_y(np.ones(4), time))
    np.testing.assert_allclose(curve["survival"], [0.75, 0.25, 0])


def test_kaplan_meier_without_events_stays_at_one():
    curve = kaplan_meier(make_survival_y([0, 0], [1, 2]))
    np.testing.assert_array_equal(curve[["survival", "ci_low", "ci_high"]], np.ones((2, 3)))


def test_kaplan_meier_confidence_out_of_range():
    with pytest.raises(ValueError, match="confidence"):
        kaplan_meier(make_survival_y([1], [1]), confidence=95.0)


# --- log-rank -------------------------------------------------------------------------------


@pytest.mark.parametrize("n_groups", [2, 3, 5])
@pytest.mark.parametrize("tied", [True, False])
def test_logrank_equals_scikit_survival(n_groups, tied):
    compare = pytest.importorskip("sksurv.compare")
    _, y = sample(tied=tied)
    group = np.random.default_rng(1).integers(0, n_groups, y.size)
    result = logrank_test(y, group)
    statistic, pvalue = compare.compare_survival(y, group)
    assert result.statistic == pytest.approx(statistic, rel=1e-9)
    assert result.pvalue == pytest.approx(pvalue, rel=1e-9)
    assert result.degrees_of_freedom == n_groups - 1


@few
@given(targets(), st.data())
def test_logrank_depends_on_the_order_of_times_only(y, data):
    group = data.draw(
        st.lists(st.sampled_from("abc"), min_size=y.size, max_size=y.size).filter(
            lambda drawn: len(set(drawn)) > 1
        )
    )
    result = logrank_test(y, group)
    assert result.statistic >= 0
    assert 0 <= result.pvalue <= 1
    warped = logrank_test(make_survival_y(y["event"], np.expm1(y["time"] / 3)), group)
    renamed = logrank_test(y, [{"a": 3, "b": 1, "c": 2}[label] for label in group])
    for other in (warped, renamed):
        np.testing.assert_allclose(other, result, rtol=1e-7, atol=1e-9)


@few
@given(targets(min_size=4), st.integers(0, 2**31))
def test_many_splits_equal_one_test_each(y, seed):
    rng = np.random.default_rng(seed)
    split = rng.random((y.size, 7)) < 0.5
    present = rng.random((y.size, 7)) < 0.8
    event, time = y["event"], y["time"]
    all_present = logrank_splits(split, event, time, block_size=3)[0]
    some_present = logrank_splits(split, event, time, present=present, block_size=3)[0]
    for column in range(7):
        for mask, statistic in (
            (np.ones(y.size, bool), all_present[column]),
            (present[:, column], some_present[column]),
        ):
            groups = split[mask, column]
            if np.unique(groups).size < 2:
                assert np.isnan(statistic)
            elif event[mask].any():
                expected = logrank_test(y[mask], groups).statistic
                assert statistic == pytest.approx(expected, rel=1e-7, abs=1e-9)


def test_group_gone_before_the_first_event_takes_no_part():
    y = make_survival_y([0, 0, 1, 1, 1, 0], [1, 1, 2, 3, 4, 5])
    with_early = logrank_test(y, ["early", "early", "a", "b", "a", "b"])
    assert with_early == logrank_test(y[2:], ["a", "b", "a", "b"])
    assert logrank_test(y, ["early", "early", "a", "a", "a", "a"]) == (0.0, 1.0, 0)


def test_logrank_accepts_categories_with_an_unused_one():
    _, y = sample()
    strings = np.where(np.arange(y.size) % 2, "high", "low")
    categories = pd.Categorical(strings, categories=["low", "medium", "high"])
    assert logrank_test(y, categories).pvalue == pytest.approx(logrank_test(y, strings).pvalue)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (["a"] * 4, "one group only"),
        (["a", "b", None, "a"], "group is missing at row 2"),
        (["a", "b"], "group has 2 values but y has 4 samples"),
    ],
)
def test_logrank_errors(group, message):
    with pytest.raises(ValueError, match=message):
        logrank_test(make_survival_y([1, 1, 0, 1], [1, 2, 3, 4]), group)


# --- concordance ----------------------------------------------------------------------------


def slow_concordance(y, risk):
    """All pairs, one by one."""
    good = total = 0.0
    for i in np.flatnonzero(y["event"]):
        for j in range(y.size):
            later = y["time"][j] > y["time"][i]
            if later or (y["time"][j] == y["time"][i] and not y["event"][j]):
                total += 1
                good += (risk[i] > risk[j]) + (risk[i] == risk[j]) / 2
    return good / total if total else None


@pytest.mark.parametrize("tied", [True, False])
def test_concordance_equals_scikit_survival(tied):
    metrics = pytest.importorskip("sksurv.metrics")
    X, y = sample(tied=tied, n=300)
    risk = np.round(X[:, 0], 1)
    expected = metrics.concordance_index_censored(y["event"], y["time"], risk)[0]
    assert concordance_index(y, risk) == pytest.approx(expected, abs=1e-12)


@few
@given(targets(), st.data())
def test_concordance_properties(y, data):
    risk = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=y.size, max_size=y.size)))
    expected = slow_concordance(y, risk)
    if expected is None:
        with pytest.raises(ValueError, match="no comparable pair"):
            concordance_index(y, risk)
        return
    found = concordance_index(y, risk)
    assert found == pytest.approx(expected)
    assert concordance_index(y, -risk) == pytest.approx(1 - found)
    assert concordance_index(y, np.exp(risk)) == pytest.approx(found)
    assert concordance_index(y, np.zeros(y.size)) == 0.5
    weight = np.array(data.draw(st.lists(st.integers(1, 3), min_size=y.size, max_size=y.size)))
    distinct = make_survival_y(y["event"], y["time"])
    repeated = np.repeat(np.arange(y.size), weight)
    # repeating a sample adds pairs of its copies only where censored copies are tied with events
    if np.unique(y["time"]).size == y.size:
        assert concordance_index(distinct, risk, sample_weight=weight) == pytest.approx(
            concordance_index(distinct[repeated], risk[repeated])
        )


def test_concordance_in_blocks(monkeypatch):
    X, y = sample(n=200)
    whole = concordance_index(y, X[:, 0])
    monkeypatch.setattr("sklearn_medsel.survival._concordance._PAIRS_PER_BLOCK", 500)
    assert concordance_index(y, X[:, 0]) == whole


def test_concordance_ignores_samples_without_weight():
    X, y = sample(n=60)
    weight = np.r_[np.ones(40), np.zeros(20)]
    expected = concordance_index(y[:40], X[:40, 0])
    assert concordance_index(y, X[:, 0], sample_weight=weight) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("risk", "weight", "message"),
    [
        ([1, np.nan, 2], None, "NaN"),
        ([1, 2], None, "inconsistent numbers"),
        ([[1, 2], [3, 4], [5, 6]], None, "one-dimensional"),
        ([1, 2, 3], [1, -1, 1], "Negative"),
        ([1, 2, 3], [0, 0, 0], "no comparable|zero"),
    ],
)
def test_concordance_errors(risk, weight, message):
    with pytest.raises(ValueError, match=message):
        concordance_index(make_survival_y([1, 0, 1], [1, 2, 3]), risk, sample_weight=weight)


# --- Cox ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("penalty", [0, 2.5])
def test_cox_regression_equals_scikit_survival(ties, tied, penalty):
    linear_model = pytest.importorskip("sksurv.linear_model")
    X, y = sample(tied=tied)
    X = X * [1, 5, 0.1, 1] + [0, 100, 0, 3]
    other = linear_model.CoxPHSurvivalAnalysis(ties=ties, alpha=penalty, tol=1e-12).fit(X, y)
    table = cox_regression(X, y, ties=ties, penalty=penalty)
    np.testing.assert_allclose(table["coefficient"], other.coef_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_univariate_equals_scikit_survival(ties):
    linear_model = pytest.importorskip("sksurv.linear_model")
    X, y = sample()
    table = cox_univariate(X, y, ties=ties)
    other = linear_model.CoxPHSurvivalAnalysis(ties=ties, tol=1e-12)
    expected = [other.fit(X[:, [i]], y).coef_[0] for i in range(X.shape[1])]
    np.testing.assert_allclose(table["coefficient"], expected, rtol=1e-6, atol=1e-8)


@few
@given(st.integers(0, 2**31), st.sampled_from(["efron", "breslow"]), st.floats(0, 0.3))
def test_univariate_equals_regression_on_complete_cases(seed, ties, missing):
    X, y = sample(seed, n=40, p=3)
    X[np.random.default_rng(seed).random(X.shape) < missing] = np.nan
    table = cox_univariate(X, y, ties=ties)
    for column in range(3):
        complete = ~np.isnan(X[:, column])
        one = cox_regression(X[complete][:, [column]], y[complete], ties=ties)
        np.testing.assert_allclose(
            one.loc[0, NUMBERS].astype(float), table.loc[column, NUMBERS].astype(float), rtol=1e-5
        )


def test_interval_and_pvalue_against_a_numeric_information():
    X, y = sample(p=1)
    table = cox_regression(X, y).iloc[0]

    def log_likelihood(beta):
        value = 0.0
        eta = X[:, 0] * beta
        for time in np.unique(y["time"][y["event"]]):
            failing = y["event"] & (y["time"] == time)
            total, lost = np.exp(eta[y["time"] >= time]).sum(), np.exp(eta[failing]).sum()
            share = np.arange(failing.sum()) / failing.sum()
            value += eta[failing].sum() - np.log(total - share * lost).sum()
        return value

    beta, step = table["coefficient"], 1e-4
    at = [log_likelihood(beta + shift) for shift in (-step, 0, step)]
    assert abs(at[2] - at[0]) / (2 * step) < 1e-5
    error = 1 / np.sqrt(-(at[0] - 2 * at[1] + at[2]) / step**2)
    assert table["ci_high"] == pytest.approx(np.exp(beta + 1.959964 * error), rel=1e-4)
    assert table["ci_low"] == pytest.approx(np.exp(beta - 1.959964 * error), rel=1e-4)


@few
@given(st.integers(0, 2**31))
def test_cox_is_equivariant(seed):
    X, y = sample(seed, n=40, p=2)
    table = cox_univariate(X, y)
    moved = cox_univariate(X * [-2, 10] + [5, 1000], y)
    np.testing.assert_allclose(
        moved["coefficient"] * [-2, 10], table["coefficient"], rtol=1e-6, atol=1e-9
    )
    np.testing.assert_allclose(moved["pvalue"], table["pvalue"], rtol=1e-5)
    slower = make_survival_y(y["event"], y["time"] ** 2)
    np.testing.assert_allclose(cox_univariate(X, slower)[NUMBERS], table[NUMBERS], rtol=1e-9)


def test_per_standard_deviation():
    X, y = sample()
    X[:, 1] *= 50
    per_unit, per_sd = cox_univariate(X, y), cox_univariate(X, y, per="sd")
    np.testing.assert_allclose(per_sd["coefficient"], per_unit["coefficient"] * X.std(axis=0))
    np.testing.assert_allclose(per_sd["pvalue"], per_unit["pvalue"])


def test_input_forms_give_the_same_table():
    X, y = sample(p=6)
    X[np.abs(X) < 0.5] = 0
    names = list("abcdef")
    table = cox_univariate(pd.DataFrame(X, columns=names), y)
    assert table["feature"].tolist() == names
    target = pd.DataFrame({"event": y["event"].astype(int), "time": y["time"]})
    for form in (X.tolist(), sp.csr_array(X), pd.DataFrame(X).convert_dtypes()):
        other = cox_univariate(form, target)
        np.testing.assert_allclose(other[NUMBERS], table[NUMBERS])


def test_block_boundaries_do_not_matter():
    X, y = sample(p=1100)
    whole = cox_univariate(X, y)
    for place in (0, 511, 512, 1023, 1024, 1099):
        one = cox_univariate(X[:, [place]], y)
        np.testing.assert_allclose(one[NUMBERS], whole.loc[[place], NUMBERS])


def test_constant_columns_give_nan_rows():
    X, y = sample()
    X[:, 1] = 0.1
    X[:, 2] = 0
    X[np.argmin(y["time"]), 3] = np.nan
    first = np.flatnonzero(y["time"] == y["time"].min())
    early = make_survival_y(np.where(np.isin(np.arange(y.size), first), 0, y["event"]), y["time"])
    X[:, 3] = np.isin(np.arange(y.size), first)  # differs only among those never at risk
    univariate, together = cox_univariate(X, early), cox_regression(X, early)
    for table in (univariate, together):
        assert table.loc[1:, NUMBERS].isna().all(axis=None)
        assert table.loc[0, NUMBERS].notna().all()
    assert cox_univariate(np.full((y.size, 1), np.nan), y)[NUMBERS].isna().all(axis=None)


def test_collinear_columns_keep_the_first():
    X, y = sample(p=3)
    table = cox_regression(np.column_stack([X, X[:, 0] - X[:, 2]]), y)
    assert table.loc[3, NUMBERS].isna().all()
    np.testing.assert_allclose(table.loc[:2, NUMBERS], cox_regression(X, y)[NUMBERS])


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("scale", [1, 30])
def test_perfect_order_is_an_infinite_estimate(sign, scale, ties):
    rng = np.random.default_rng(0)
    y = make_survival_y(rng.random(60) < 0.7, scale * np.ceil(rng.exponential(10, 60)))
    X = sign * y["time"][:, None]
    univariate = cox_univariate(X, y, ties=ties).iloc[0]
    with pytest.warns(ConvergenceWarning, match="'x0'"):
        together = cox_regression(X, y, ties=ties).iloc[0]
    for row in (univariate, together):
        assert row["coefficient"] == -sign * np.inf
        assert row["hazard_ratio"] == (0 if sign > 0 else np.inf)
        assert np.isnan([row["ci_low"], row["ci_high"]]).all()
        assert 0 <= row["pvalue"] < 1e-10


def test_likelihood_ratio_of_an_infinite_estimate():
    # three events, each the highest of the 4, 3 and 2 at risk: 2 log(4 * 3 * 2)
    table = cox_univariate(
        [[4.0], [3.0], [2.0], [1.0]], make_survival_y([1, 1, 1, 0], [1, 2, 3, 4])
    )
    assert table.loc[0, "pvalue"] == pytest.approx(chi2.sf(2 * np.log(24), 1))


def test_separated_column_leaves_the_others_alone():
    X, y = sample(p=2, n=120)
    early = (y["time"] == y["time"].min()) & y["event"]
    never = ~y["event"] & (np.arange(y.size) % 2 == 0)  # none of these has an event
    assert early.any()
    with pytest.warns(ConvergenceWarning, match="'x2'"):
        table = cox_regression(np.column_stack([X, never]), y)
    assert table.loc[2, "coefficient"] == -np.inf
    rest = cox_regression(X[~never], y[~never])  # in the limit they leave every risk set
    np.testing.assert_allclose(table.loc[:1, NUMBERS], rest[NUMBERS], rtol=1e-3)


def test_penalty_makes_separation_finite():
    _, y = sample()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = cox_regression(-y["time"][:, None], y, penalty=1.0)
    assert np.isfinite(table[NUMBERS]).all(axis=None)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((3, 1)), "X has 3 rows but y has 4 samples"),
        (pd.DataFrame({"a": list("abcd"), "b": 1}), "not numbers: 'a'"),
        (pd.DataFrame(np.eye(4)[:, :2], columns=["a", "a"]), "same name: 'a'"),
        (pd.DataFrame({"a": [1, np.inf, 2, 3]}), "Column 'a' of X is infinite at row 1"),
    ],
)
def test_table_errors(X, message):
    y = make_survival_y([1, 1, 0, 1], [1, 2, 3, 4])
    for function in (cox_univariate, cox_regression):
        with pytest.raises(ValueError, match=message):
            function(X, y)


def test_regression_refuses_missing_values_and_too_many_columns():
    X, y = sample(n=20, p=18)
    with pytest.raises(ValueError, match=r"18 columns but y only \d+ events"):
        cox_regression(X, y)
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="missing values in 1 rows, in the columns 'x2'"):
        cox_regression(X, y, penalty=1.0)
