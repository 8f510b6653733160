"""Thresholds: the promise on recall is kept, and the F1 rule is the best cut."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from sklearn_medsel.text._thresholds import (
    choose_thresholds,
    f1_threshold,
    fewest_positives,
    recall_threshold,
    tolerated_misses,
)

SHARE = st.floats(0.05, 0.98)
ROUND = st.integers(5, 98).map(lambda percent: percent / 100)


@given(st.integers(1, 400), SHARE, SHARE)
def test_tolerated_misses_are_clopper_and_pearsons(n, target, confidence):
    # the lower bound of the recall with k misses: a quantile of beta(n - k, k + 1)
    bounds = beta.ppf(1 - confidence, n - np.arange(n), np.arange(n) + 1)
    assume(np.abs(bounds - target).min() > 1e-7)
    assert tolerated_misses(n, target, confidence) == np.count_nonzero(bounds >= target) - 1


@given(ROUND, ROUND)
def test_fewest_positives_is_where_a_promise_starts(target, confidence):
    # round numbers meet the bound exactly, as 0.9**2 = 1 - 0.19
    n = fewest_positives(target, confidence)
    assert tolerated_misses(n, target, confidence) >= 0
    assert tolerated_misses(n - 1, target, confidence) == -1


@pytest.mark.parametrize(("target", "confidence"), [(0.9, 0.19), (0.8, 0.36), (0.5, 0.75)])
def test_rounding_costs_no_report(target, confidence):
    assert fewest_positives(target, confidence) == 2
    assert tolerated_misses(2, target, confidence) == 0


@given(st.integers(1, 300), SHARE, SHARE)
def test_the_promise_holds(n, target, confidence):
    # Scores are uniform without loss of generality: the recall of a threshold t is 1 - t, and
    # it falls short if more than the tolerated number of n scores lies below 1 - target.
    misses = tolerated_misses(n, target, confidence)
    assume(misses >= 0)
    kept = binom.sf(misses, n, 1 - target)
    assert kept >= confidence - 1e-8
    # and no higher threshold keeps it
    assert binom.sf(misses + 1, n, 1 - target) < confidence + 1e-8


@pytest.mark.parametrize(("n", "target", "confidence"), [(45, 0.95, 0.9), (180, 0.9, 0.8)])
def test_the_promise_holds_in_simulation(n, target, confidence):
    rng = np.random.default_rng(0)
    recalls = [1 - recall_threshold(rng.random(n), target, confidence) for _ in range(2000)]
    kept = np.mean(np.array(recalls) >= target)
    assert kept >= confidence - 3 * np.sqrt(confidence * (1 - confidence) / 2000)
    assert kept < 0.97  # and without giving everything away


def test_the_threshold_misses_exactly_what_is_tolerated():
    scores = np.random.default_rng(0).permutation(np.arange(100) / 100)
    misses = tolerated_misses(100, 0.9, 0.9)
    threshold = recall_threshold(scores, 0.9, 0.9)
    assert misses > 0
    assert (scores < threshold).sum() == misses


def test_ties_are_flagged_together():
    scores = np.repeat([0.2, 0.7], [3, 97])
    assert recall_threshold(scores, 0.9, 0.9) == 0.7
    assert recall_threshold(np.full(50, 0.3), 0.95, 0.9) == 0.3


def test_too_few_positives_are_named():
    with pytest.raises(ValueError, match=r"at least 45 positive reports .* label 2 of y has 44"):
        recall_threshold(np.ones(44), 0.95, 0.9, name="label 2 of y")
    with pytest.raises(ValueError, match="has 0"):
        recall_threshold(np.ones(0), 0.95, 0.9)


def test_no_promise_without_scores_out_of_fold():
    with pytest.raises(ValueError, match="recall_target needs out-of-fold scores"):
        recall_threshold(np.full(60, np.nan), 0.95, 0.9)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_f1_threshold_beats_every_cut_above_the_mean(scores, random):
    scores = np.array(scores)
    weight = np.array([random.choice([0.5, 1.0, 2.0]) for _ in scores])

    def expected_f1(threshold):
        flagged = scores >= threshold
        found = (weight * scores)[flagged].sum()
        return 2 * found / (weight[flagged].sum() + (weight * scores).sum())

    # where the scores tell little, the best cut would be below their mean, and is not taken
    floor = min(0.5, np.average(scores, weights=weight)) - 1e-12
    best = max(expected_f1(threshold) for threshold in scores[scores >= floor])
    threshold = f1_threshold(scores, weight)
    assert threshold >= floor
    assert expected_f1(threshold) == pytest.approx(best)


@given(st.floats(0.01, 1), st.integers(1, 30))
def test_equal_scores_are_flagged_together(score, n):
    # though their mean may round above them
    assert f1_threshold(np.full(n, score), np.ones(n)) <= score


def test_f1_threshold_is_half_the_best_f1():
    # of many scores, as Lipton, Elkan and Naryanaswamy (2014) prove for calibrated probabilities
    scores = np.random.default_rng(0).beta(0.5, 2, 20_000)
    threshold = f1_threshold(scores, np.ones(len(scores)))
    flagged = scores >= threshold
    best = 2 * scores[flagged].sum() / (flagged.sum() + scores.sum())
    assert threshold == pytest.approx(best / 2, abs=1e-3)


@given(st.integers(1, 5))
def test_weights_count_like_copies(copies):
    rng = np.random.default_rng(copies)
    scores, weight = rng.random(9), rng.integers(1, copies + 1, 9)
    once = f1_threshold(scores, weight.astype(float))
    many = f1_threshold(np.repeat(scores, weight), np.ones(weight.sum()))
    np.testing.assert_array_equal(scores >= once, scores >= many)


def test_each_label_gets_its_rule():
    rng = np.random.default_rng(0)
    positive, target = rng.random((200, 2)), np.ones((200, 2))
    weight = np.ones(200)
    settings = {"rule": "f1", "recall": 0.95, "confidence": 0.9}
    promised = choose_thresholds(positive, target, weight, **settings)
    assert promised.tolist() == [recall_threshold(s, 0.95, 0.9) for s in positive.T]
    plain = choose_thresholds(positive, target, weight, **settings | {"recall": None})
    assert plain.tolist() == [f1_threshold(s, weight) for s in positive.T]
    unknown = np.full((200, 2), np.nan)
    assert choose_thresholds(unknown, target, weight, **settings | {"recall": None}).tolist() == [
        0.5,
        0.5,
    ]
    fixed = choose_thresholds(positive, target, weight, rule=0.3, recall=None, confidence=0.9)
    assert fixed.tolist() == [0.3, 0.3]


def test_only_positives_of_the_label_count_for_its_promise():
    positive = np.linspace(0, 1, 100)[:, None]
    target = (positive > 0.5).astype(float)
    threshold = choose_thresholds(
        positive, target, np.ones(100), rule="f1", recall=0.95, confidence=0.9
    )
    assert threshold[0] == positive[50, 0]
