"""Truth at a later time, and the table of errors, against slow or hand-made answers."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_medsel.forecasting._alignment import segment_codes, truth_at
from sklearn_medsel.forecasting._measures import forecast_errors


def slow_truth_at(y, t, groups, horizons):
    """The rule, one number at a time."""
    result = np.full((len(t), len(horizons), y.shape[1]), np.nan)
    for row, (now, group) in enumerate(zip(t, groups, strict=True)):
        mine = np.array([other == group for other in groups])
        longest = 3 * np.median(np.diff(np.sort(t[mine]))) if mine.sum() > 1 else 0.0
        known = sorted(np.flatnonzero(mine & np.isfinite(y).all(axis=1)), key=lambda k: t[k])
        for column, horizon in enumerate(horizons):
            target = now + horizon
            for first in known:
                if abs(t[first] - target) <= 1e-6:
                    result[row, column] = y[first]
            for first, second in pairwise(known):
                length = t[second] - t[first]
                inside = t[first] + 1e-6 < target < t[second] - 1e-6
                if inside and length <= longest + 1e-6:
                    part = (target - t[first]) / length
                    result[row, column] = (1 - part) * y[first] + part * y[second]
    return result


@st.composite
def recordings(draw):
    """Rows of a few groups, in any order, on a grid of 0.1 s with gaps and unknown positions."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = []
    for group in range(draw(st.integers(1, 3))):
        n = draw(st.integers(1, 12))
        steps = rng.choice([1, 2, 2, 2, 3, 6, 9, 20], n)
        part = pd.DataFrame({"t": 0.1 * np.cumsum(steps) + rng.choice([0.0, 5000.0])})
        part[["x", "y"]] = rng.normal(size=(n, 2)) * 10
        part.loc[rng.random(n) < draw(st.sampled_from([0.0, 0.3, 1.0])), "x"] = np.nan
        part.loc[rng.random(n) < 0.1, "y"] = np.nan
        parts.append(part.assign(group=group))
    table = pd.concat(parts).sample(frac=1, random_state=int(rng.integers(2**31)))
    return table[["x", "y"]].to_numpy(), table["t"].to_numpy(), table["group"].to_numpy()


HORIZONS = [0.0, 0.1, 0.2, 0.25, 0.6, 1.0, -0.3, 0.2000005]


@given(recordings())
def test_truth_is_that_of_the_slow_rule(recording):
    y, t, groups = recording
    np.testing.assert_allclose(
        truth_at(y, t, groups, HORIZONS), slow_truth_at(y, t, groups, HORIZONS), atol=1e-9
    )


@given(recordings(), st.randoms(use_true_random=False))
def test_order_of_rows_and_other_groups_do_not_matter(recording, random):
    y, t, groups = recording
    truth = truth_at(y, t, groups, HORIZONS)
    order = np.array(random.sample(range(len(t)), len(t)))
    np.testing.assert_array_equal(
        truth_at(y[order], t[order], groups[order], HORIZONS), truth[order]
    )
    for group in np.unique(groups):
        mine = groups == group
        np.testing.assert_array_equal(truth_at(y[mine], t[mine], "x", HORIZONS), truth[mine])


@given(recordings())
def test_known_positions_come_out_bit_for_bit(recording):
    y, t, groups = recording
    known = np.isfinite(y).all(axis=1)
    np.testing.assert_array_equal(truth_at(y, t, groups, 0)[known, 0], y[known])


@given(st.integers(6, 200), st.sampled_from([0.1, 0.2, 1 / 6, 0.335]), st.integers(0, 5))
def test_whole_steps_are_shifts_however_times_were_rounded(n_steps, interval, shift):
    y = np.random.default_rng(n_steps).normal(size=(n_steps, 3))
    for t in (np.arange(n_steps) * interval, np.cumsum(np.full(n_steps, interval)) + 1000):
        truth = truth_at(y, t, 0, shift * interval)[:, 0]
        np.testing.assert_array_equal(truth[: n_steps - shift], y[shift:])
        assert np.isnan(truth[n_steps - shift :]).all()


def test_gap_of_three_intervals_is_bridged_and_a_longer_one_is_not():
    t = np.arange(20) * 0.2
    line = np.stack([t, -2 * t], axis=1)
    for unknown, bridged in ((2, True), (3, False)):
        y = line.copy()
        y[8 : 8 + unknown] = np.nan
        truth = truth_at(y, t, 0, 0.2)[7, 0]
        np.testing.assert_allclose(truth, line[8] if bridged else np.nan)
        # the same when the rows themselves are absent
        there = np.isfinite(y[:, 0])
        truth = truth_at(y[there], t[there], 0, 0.2)[7, 0]
        np.testing.assert_allclose(truth, line[8] if bridged else np.nan)


def test_sparse_truth_is_not_invented_between():
    """Positions known at every tenth image say nothing of the breath between them."""
    t = np.arange(100) * 0.2
    y = np.where(np.arange(100) % 10 == 0, t, np.nan)
    truth = truth_at(y, t, 0, 0.4)[:, 0, 0]
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(truth)), np.arange(8, 90, 10))


def test_truth_moves_with_the_target():
    rng = np.random.default_rng(0)
    t = np.cumsum(rng.uniform(0.1, 0.3, 300))
    y = rng.normal(size=(300, 3)) * 5
    shift = np.array([5.0, -80.0, 1000.0])
    moved, truth = truth_at(y + shift, t, 0, [0.3, 1.0]), truth_at(y, t, 0, [0.3, 1.0])
    np.testing.assert_allclose(moved, truth + shift, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"t": [0.0, 0.2]}, r"one time for each of the 3 rows of y, found shape \(2,\)"),
        ({"t": [0.0, np.nan, 0.4]}, "t is missing or infinite at row 1"),
        ({"t": [0.0, 0.2, 0.2]}, "t repeats within a patient and sequence, at row 2"),
        ({"horizons": [np.inf]}, "horizons must be one or more finite numbers"),
        ({"horizons": []}, "horizons must be one or more finite numbers"),
        ({"y": np.zeros((3, 2, 2))}, r"positions of shape \(n_steps, n_dims\)"),
        ({"y": np.zeros((0, 2)), "t": []}, "positions of shape"),
        ({"groups": [0, 1]}, r"groups must be one name, or one for each of the 3 rows"),
        ({"groups": ["a", None, "a"]}, "groups is missing at row 1"),
    ],
)
def test_truth_refuses(changes, message):
    arguments = {"y": np.zeros((3, 2)), "t": [0.0, 0.2, 0.4], "groups": 0, "horizons": [0.2]}
    with pytest.raises(ValueError, match=message):
        truth_at(**{**arguments, **changes})


def test_same_time_in_two_groups_is_no_repeat():
    assert truth_at([[1.0], [2.0]], [0.0, 0.0], ["a", "b"], 0).ravel().tolist() == [1, 2]


def test_segments_are_patients_and_their_sequences():
    codes = segment_codes([2, 2, 1, 1, 2], ["a", "b", "a", "a", "a"], n_steps=5)
    assert codes.tolist() == [0, 1, 2, 2, 0]
    assert segment_codes("p", n_steps=3).tolist() == [0, 0, 0]


# --- the table -----------------------------------------------------------------------------


def walk(n_steps=50, seed=0):
    return np.random.default_rng(seed).normal(size=(n_steps, 3)).cumsum(axis=0)


def shifted(y, steps):
    """The position some steps later; NaN at the end."""
    return np.concatenate([y[steps:], np.full((steps, y.shape[1]), np.nan)])


def test_right_forecasts_and_forecasts_off_by_a_known_distance():
    y, t = walk(), np.arange(50) * 0.2
    off = shifted(y, 3) + np.array([2.0, -2.0, 2.0])  # by sqrt(12) mm
    table = forecast_errors(
        y, np.hstack([shifted(y, 1), off]), t=t, horizons=[0.2, 0.6], patient="p", radius=[0, 3.5]
    )
    assert table["patient"].tolist() == ["p", "all", "worst"] * 2
    assert table["n"].tolist() == [49] * 3 + [47] * 3
    assert table["missing"].eq(0).all()
    for column in ("rmse", "p95", "max"):
        np.testing.assert_allclose(table[column], np.repeat([0, np.sqrt(12)], 3), atol=1e-12)
    for column, late in (("within_2mm", 0), ("within_3mm", 0), ("within_5mm", 1), ("coverage", 1)):
        np.testing.assert_array_equal(table[column], np.repeat([1, late], 3))
    np.testing.assert_array_equal(table["radius"], np.repeat([0, 3.5], 3))


def test_measures_are_those_of_the_errors_of_each_patient():
    rng = np.random.default_rng(1)
    patient, t = np.repeat(["b", "a"], [60, 40]), np.concatenate([np.arange(60), np.arange(40)])
    y, error = walk(100), rng.normal(size=(100, 3)) * np.where(patient == "a", 4, 1)[:, None]
    later = np.concatenate([shifted(y[:60], 2), shifted(y[60:], 2)])
    radius = rng.uniform(1, 4, 100)
    table = forecast_errors(
        y, later + error, t=t * 0.2, horizons=0.4, patient=patient, radius=radius[:, None]
    ).set_index("patient")
    assert table.index.tolist() == ["b", "a", "all", "worst"]
    distance = np.linalg.norm(error, axis=1)
    counted = np.isfinite(later[:, 0])
    for name in ("a", "b", "all"):
        rows = counted & ((patient == name) | (name == "all"))
        row, mine = table.loc[name], distance[rows]
        assert row["n"] == rows.sum()
        assert row["rmse"] == pytest.approx(np.sqrt((mine**2).mean()))
        assert row["p95"] == pytest.approx(np.quantile(mine, 0.95))
        assert row["max"] == pytest.approx(mine.max())
        for limit in (2, 3, 5):
            assert row[f"within_{limit}mm"] == pytest.approx((mine <= limit).mean())
        assert row["coverage"] == pytest.approx((mine <= radius[rows]).mean())
        assert row["radius"] == pytest.approx(radius[rows].mean())
        assert row["worst"] is None
    worst = table.loc["worst"]
    assert worst["worst"] == "a"
    pd.testing.assert_series_equal(
        worst.drop("worst"), table.loc["a"].drop("worst"), check_names=False
    )


def test_worst_patient_may_change_with_the_horizon_and_keeps_its_type():
    t, patient = np.tile(np.arange(10.0), 2), np.repeat([7, 3], 10)
    y = np.zeros((20, 1))
    forecast = np.where(patient == 7, [[2.0], [1.0]], [[1.0], [2.0]]).T
    table = forecast_errors(y, forecast, t=t, horizons=[1.0, 2.0], patient=patient)
    worst = table[table["patient"] == "worst"]
    assert worst["worst"].tolist() == [7, 3]
    assert table["patient"].tolist() == [7, 3, "all", "worst"] * 2
    assert table["coverage"].isna().all()
    assert table["radius"].isna().all()


def test_rows_without_forecast_are_missing_and_rows_without_truth_are_not():
    y, t = walk(), np.arange(50) * 0.2
    forecast = shifted(y, 2)
    forecast[:10] = np.nan  # warm-up
    forecast[20, 1] = np.nan  # a part is no forecast
    y[30:36] = np.nan  # not to be known at the targets of rows 28 to 33
    row = forecast_errors(y, forecast, t=t, horizons=0.4, patient=0).iloc[0]
    assert row["missing"] == 11
    assert row["n"] == 50 - 2 - 6 - 11
    assert row["rmse"] == 0


def test_nothing_to_count_is_nan_and_no_patient_is_the_worst():
    y = walk(20)
    table = forecast_errors(y, np.full((20, 3), np.nan), t=np.arange(20), horizons=1, patient=0)
    assert table["n"].eq(0).all()
    assert table["missing"].eq(19).all()
    assert table["rmse"].isna().all()
    assert table["worst"].tolist() == [None] * 3


def test_sequences_of_a_patient_are_kept_apart():
    t = np.tile(np.arange(5) * 0.2, 2)
    y = np.arange(10.0)[:, None]
    arguments = {"t": t, "horizons": 0.2, "patient": 0}
    row = forecast_errors(y, y + 1, sequence=np.repeat([0, 1], 5), **arguments).iloc[0]
    assert row["n"] == 8
    assert row["rmse"] == 0
    with pytest.raises(ValueError, match="t repeats within a patient and sequence"):
        forecast_errors(y, y + 1, **arguments)


def test_rows_without_radius_count_in_neither_coverage_nor_radius():
    y = np.zeros((6, 1))
    arguments = {"t": np.arange(6), "horizons": 1, "patient": 0}
    radius = [np.nan, np.nan, 1.0, 3.0, 3.0, 3.0]
    row = forecast_errors(y, y + 2, radius=radius, **arguments).iloc[0]
    assert row["n"] == 5
    assert row["coverage"] == pytest.approx(2 / 3)
    assert row["radius"] == pytest.approx(7 / 3)
    # a ball without limit holds everything, and costs what it is worth
    row = forecast_errors(y, y + 2, radius=np.inf, **arguments).iloc[0]
    assert (row["coverage"], row["radius"]) == (1.0, np.inf)


def test_other_thresholds():
    y = np.zeros((6, 1))
    table = forecast_errors(
        y, y + 0.4, t=np.arange(6), horizons=1, patient=0, thresholds=(0.25, 0.5)
    )
    assert table.columns[7:10].tolist() == ["within_0.25mm", "within_0.5mm", "coverage"]
    assert table.loc[0, ["within_0.25mm", "within_0.5mm"]].tolist() == [0, 1]


@given(recordings(), st.floats(-500, 500))
def test_moving_everything_changes_no_error(recording, shift):
    y, t, groups = recording
    forecast = np.hstack([np.nan_to_num(y) + 1, np.nan_to_num(y)])
    tables = [
        forecast_errors(y + by, forecast + by, t=t, horizons=[0.2, 0.5], patient=groups, radius=5)
        for by in (0.0, shift)
    ]
    for column in ("n", "missing", "rmse", "p95", "max"):
        np.testing.assert_allclose(tables[0][column], tables[1][column], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"forecast": np.zeros((4, 3))}, r"shape \(4, 4\): 2 coordinates for each of 2 horizons"),
        ({"radius": np.ones(3)}, r"radius must be a number or have shape \(2,\) or \(4, 2\)"),
        ({"radius": -1.0}, "radius holds negative numbers"),
        ({"patient": ["a", "b"]}, "patient must be one name, or one for each of the 4 rows"),
        ({"patient": ["a", "all", "b", "b"]}, "rename the patient"),
        ({"patient": "worst"}, "rename the patient"),
        ({"thresholds": (2.0, 0.0)}, "thresholds must be positive numbers of mm"),
    ],
)
def test_errors_refuses(changes, message):
    arguments = {
        "y": np.zeros((4, 2)),
        "forecast": np.zeros((4, 4)),
        "t": np.arange(4),
        "horizons": [1.0, 2.0],
        "patient": 0,
    }
    with pytest.raises(ValueError, match=message):
        forecast_errors(**{**arguments, **changes})
