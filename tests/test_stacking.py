"""Folds keep groups together, and what is said to be out of fold is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from sklearn_medsel._groups import joint_groups
from sklearn_medsel.text._reports import check_reports
from sklearn_medsel.text._stacking import (
    Stack,
    make_folds,
    out_of_fold_log_odds,
    probabilities,
)


@st.composite
def grouped(draw):
    n = draw(st.integers(4, 40))
    groups = np.array(draw(st.lists(st.integers(0, n), min_size=n, max_size=n)))
    strata = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    return strata, groups


@settings(max_examples=80)
@given(grouped(), st.integers(2, 6), st.integers(0, 3))
def test_folds_keep_groups_together_and_cover_all(problem, n_splits, seed):
    strata, groups = problem
    folds = make_folds(strata, groups, n_splits, seed)
    fewest = min(len(np.unique(groups[strata == s])) for s in np.unique(strata))
    assert len(folds) == (min(n_splits, fewest) if fewest >= 2 else 0)
    for train, held_out in folds:
        assert train.size
        assert held_out.size
        assert not set(groups[train]) & set(groups[held_out])
        np.testing.assert_array_equal(
            np.sort(np.concatenate([train, held_out])), np.arange(len(strata))
        )
    if folds:
        together = np.concatenate([held_out for _, held_out in folds])
        np.testing.assert_array_equal(np.sort(together), np.arange(len(strata)))


def test_folds_keep_the_classes_in_proportion():
    strata = np.repeat([0, 1], [80, 20])
    folds = make_folds(strata, np.arange(100), 5, 0)
    assert [strata[held_out].sum() for _, held_out in folds] == [4] * 5
    in_pairs = make_folds(strata, np.arange(100) // 2, 5, 0)
    assert [strata[held_out].sum() for _, held_out in in_pairs] == [4] * 5


def test_folds_follow_their_seed():
    strata, groups = np.arange(40) % 2, np.arange(40)
    first, again, other = (make_folds(strata, groups, 4, seed)[0][1] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_identical_reports_share_a_fold():
    texts = [f"report {i % 25}" for i in range(50)]
    folds = make_folds(np.arange(50) % 2, check_reports(texts).keys(), 5, 0)
    assert len(folds) == 5
    for train, held_out in folds:
        assert not {texts[i] for i in train} & {texts[i] for i in held_out}


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(
            st.lists(st.integers(0, 8), min_size=n, max_size=n),
            st.lists(st.integers(0, 8), min_size=n, max_size=n),
        )
    )
)
def test_joint_groups_are_what_hangs_together(pair):
    groups, keys = map(np.array, pair)
    joint = joint_groups(groups, keys)
    same = (groups[:, None] == groups) | (keys[:, None] == keys)
    for _ in range(len(groups)):  # the transitive closure, step by step
        same = (same.astype(int) @ same.astype(int)) > 0
    np.testing.assert_array_equal(joint[:, None] == joint, same)


def test_joint_groups_take_names_and_large_groups():
    assert len(set(joint_groups(["a", "b", "a", "c"], [0, 1, 2, 1]))) == 2
    # every pair of one large group would not fit into memory
    joint = joint_groups(np.zeros(100_000, int), np.arange(100_000))
    assert len(set(joint)) == 1


def test_a_missing_group_is_named():
    with pytest.raises(ValueError, match="groups is missing at row 1"):
        joint_groups(["a", None, "b"], [0, 1, 2])
    with pytest.raises(ValueError, match="groups is missing at row 2"):
        joint_groups([1.0, 2.0, np.nan], [0, 1, 2])


def channels(seed=0, n=60):
    rng = np.random.default_rng(seed)
    target = (np.arange(n) % 2).astype(float)[:, None]
    good = 2 * target - 1 + rng.standard_normal((n, 1))
    return np.stack([good, rng.standard_normal((n, 1))], 2), target


def test_a_channel_worse_than_chance_is_not_turned_round():
    log_odds, target = channels()
    log_odds[:, :, 1] = -log_odds[:, :, 0]
    weight = np.ones(target.shape)
    both = Stack().fit(log_odds, target, weight)
    assert both.coef[0, 0] > 0 == both.coef[0, 1]
    alone = Stack().fit(log_odds[:, :, 1:], target, weight)
    assert 0 < alone.coef[0, 0] < 0.05
    # it says hardly more than the frequency
    assert np.ptp(alone.combine(log_odds[:, :, 1:])) < 0.2


def test_the_stack_is_a_weighted_logistic_regression():
    log_odds, target = channels()
    weight = np.random.default_rng(1).integers(0, 3, target.shape).astype(float)
    stack = Stack().fit(log_odds, target, weight)
    model = LogisticRegression(tol=1e-9).fit(log_odds[:, 0], target[:, 0], weight[:, 0])
    np.testing.assert_allclose(stack.coef, model.coef_, atol=1e-4)
    expected = model.decision_function(log_odds[:, 0])
    np.testing.assert_allclose(stack.combine(log_odds)[:, 0], expected, atol=1e-3)
    assert stack.coef[0, 0] > 3 * abs(stack.coef[0, 1])


def test_the_stack_weighs_alike_where_it_cannot_learn():
    log_odds, target = channels()
    stack = Stack().fit(log_odds, np.ones_like(target), np.ones_like(target))
    np.testing.assert_allclose(stack.combine(log_odds), log_odds.mean(2))
    assert Stack().equal(3, 2).coef.shape == (3, 2)


def test_the_stack_survives_log_odds_without_bounds():
    log_odds, target = channels()
    far = log_odds * np.where(np.arange(60) % 7 == 0, 1e6, 1)[:, None, None]
    combined = Stack().fit(far, target, np.ones_like(target)).combine(far)
    assert np.abs(combined).max() < 100


def test_out_of_fold_is_out_of_fold():
    log_odds, target = channels()
    weight = np.ones_like(target)
    folds = make_folds(target[:, 0].astype(int), np.arange(60), 5, 0)
    combined = out_of_fold_log_odds(log_odds, target, weight, folds)
    assert np.isfinite(combined).all()
    for train, held_out in folds:
        turned = target.copy()
        turned[held_out] = 1 - turned[held_out]
        again = out_of_fold_log_odds(log_odds, turned, weight, folds)
        np.testing.assert_array_equal(combined[held_out], again[held_out])
        assert not np.array_equal(combined[train], again[train])


def test_probabilities():
    log_odds = np.random.default_rng(0).standard_normal((5, 3))
    binary = probabilities(log_odds[:, :1], "binary")
    np.testing.assert_array_equal(binary[:, 1], expit(log_odds[:, 0]))
    np.testing.assert_allclose(binary.sum(1), 1)
    np.testing.assert_array_equal(probabilities(log_odds, "multilabel"), expit(log_odds))
    several = probabilities(log_odds, "multiclass")
    np.testing.assert_allclose(several.sum(1), 1)
    np.testing.assert_array_equal(several.argmax(1), log_odds.argmax(1))
