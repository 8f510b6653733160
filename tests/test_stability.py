"""Nogueira's stability: its formula, its properties, its edge cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_medsel.feature_selection._stability import nogueira_stability

SETS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12))


def test_by_hand():
    # frequencies 1, 2/3, 1/3, 0, 0; mean size 2 of 5
    # observed = 3/2 * (2/9 + 2/9) / 5 = 2/15; chance = 2/5 * 3/5; 1 - (2/15) / (6/25) = 4/9
    sets = [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 0, 0]]
    assert nogueira_stability(sets).estimate == pytest.approx(4 / 9)


def test_equals_kuncheva_for_sets_of_one_size():
    # With k features in every set the measure is the mean of Kuncheva's index over all pairs.
    rng = np.random.default_rng(0)
    n_sets, p, k = 7, 30, 6
    sets = np.zeros((n_sets, p), dtype=bool)
    for row in sets:
        row[rng.choice(p // 2, size=k, replace=False)] = True
    overlaps = [(sets[i] & sets[j]).sum() for i in range(n_sets) for j in range(i)]
    kuncheva = np.mean([(r - k**2 / p) / (k - k**2 / p) for r in overlaps])
    assert nogueira_stability(sets).estimate == pytest.approx(kuncheva)


@settings(max_examples=200, deadline=None)
@given(SETS)
def test_in_range_and_interval_in_order(sets):
    result = nogueira_stability(sets)
    if sets.all() or not sets.any():
        assert np.isnan(result).all()
        return
    lowest = -1 / (len(sets) - 1)
    assert lowest - 1e-9 <= result.estimate <= 1 + 1e-9
    assert lowest - 1e-9 <= result.low <= result.estimate + 1e-9
    assert result.estimate - 1e-9 <= result.high <= 1 + 1e-9


@settings(max_examples=100, deadline=None)
@given(SETS, st.randoms(use_true_random=False))
def test_order_of_sets_and_features_does_not_matter(sets, random):
    rows, columns = list(range(sets.shape[0])), list(range(sets.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    np.testing.assert_allclose(
        nogueira_stability(sets[rows][:, columns]), nogueira_stability(sets), atol=1e-9
    )


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(bool, st.integers(2, 30)), st.integers(2, 10))
def test_identical_sets_are_perfectly_stable(one, n_sets):
    result = nogueira_stability(np.tile(one, (n_sets, 1)))
    if one.all() or not one.any():
        assert np.isnan(result.estimate)
    else:
        assert result == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("density", [0.02, 0.5, 0.9])
def test_random_sets_are_not_stable(density):
    rng = np.random.default_rng(0)
    estimates = [nogueira_stability(rng.random((20, 300)) < density).estimate for _ in range(100)]
    assert abs(np.mean(estimates)) < 0.005


def test_interval_covers_the_population_value():
    rng = np.random.default_rng(0)
    frequency = rng.random(40)
    mean = frequency.mean()
    truth = 1 - np.mean(frequency * (1 - frequency)) / (mean * (1 - mean))
    inside = 0
    for _ in range(400):
        result = nogueira_stability(rng.random((40, 40)) < frequency, confidence=0.9)
        inside += result.low <= truth <= result.high
    assert 0.84 < inside / 400 < 0.95


@pytest.mark.parametrize("bad", [[[1, 0, 1]], [1, 0], np.zeros((3, 0))])
def test_shape_is_checked(bad):
    with pytest.raises(ValueError, match="support_matrix must have one row per set"):
        nogueira_stability(bad)


def test_values_are_checked():
    with pytest.raises(ValueError, match="true and false"):
        nogueira_stability([[0.2, 1], [1, 0]])
    with pytest.raises(ValueError, match="confidence"):
        nogueira_stability([[0, 1], [1, 0]], confidence=95)
