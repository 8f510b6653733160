"""Every row is held out once, by a fold that has its share of classes and parts no group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_medsel._folds import check_folds, even_folds, most_folds


@settings(max_examples=60)
@given(st.data(), st.booleans(), st.integers(0, 3))
def test_every_row_is_held_out_once(data, has_groups, seed):
    n = data.draw(st.integers(4, 40))
    column = st.lists(st.integers(0, 2), min_size=n, max_size=n)
    strata = np.array(data.draw(column))
    groups = np.random.default_rng(seed).integers(0, n, n) if has_groups else None
    n_splits = most_folds(strata, groups)
    if n_splits < 2:
        return
    folds = even_folds(strata, groups, n_splits, seed)
    assert len(folds) == n_splits
    for train, held_out in folds:
        assert train.size
        assert held_out.size
        np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(n))
        if has_groups:
            assert not set(groups[train]) & set(groups[held_out])
    np.testing.assert_array_equal(np.sort(np.concatenate([h for _, h in folds])), np.arange(n))


@pytest.mark.parametrize("groups", [None, np.arange(60) // 2])
@pytest.mark.parametrize("strata", [np.zeros(60), np.arange(60) % 4 // 3])
def test_folds_follow_their_seed_and_keep_shares(strata, groups):
    first, again, other = (even_folds(strata, groups, 5, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0][1], again[0][1])
    assert not np.array_equal(first[0][1], other[0][1])
    assert {held_out.size for _, held_out in first} == {12}
    assert {strata[held_out].sum() for _, held_out in first} == {strata.sum() / 5}


def test_most_folds_counts_groups_of_the_rarest():
    strata = np.repeat([0, 1], [12, 4])
    assert most_folds(strata, None) == 4
    assert most_folds(strata, np.arange(16) // 2) == 2
    assert most_folds(np.zeros(16), np.array(list("aabbccdd") * 2)) == 4


def test_given_folds_become_positions():
    mask = np.arange(6) < 4
    (train, test), other = check_folds([(mask, ~mask), ([5, 4], [0])], 6)
    np.testing.assert_array_equal(train, [0, 1, 2, 3])
    np.testing.assert_array_equal(test, [4, 5])
    np.testing.assert_array_equal(other[0], [5, 4])


@pytest.mark.parametrize(
    ("fold", "words"),
    [
        (([0, 1, 2, 3], [3, 2]), "fold 1 of inner_cv has 2 of its 2 held-out rows in its training"),
        (([], [0]), "the training part of fold 1 of inner_cv must hold one row or more"),
        (([0], []), "the held-out part of fold 1 of inner_cv must hold one row or more"),
        (([0, 1], [6]), "must hold positions between 0 and 5, found 6 to 6"),
        (([0, -1], [2]), "must hold positions between 0 and 5, found -1 to 0"),
        ((np.arange(5) < 3, [4]), "a Boolean mask of all 6 rows; found 5 values of dtype bool"),
        (([0.0, 1.0], [2]), "found 2 values of dtype float64"),
        (([0, 1],), "fold 1 of inner_cv must be a pair"),
    ],
)
def test_given_folds_that_cannot_be_are_refused_by_number(fold, words):
    with pytest.raises(ValueError, match=words):
        check_folds([([0, 1, 2], [3, 4, 5]), fold], 6, name="inner_cv")


def test_no_folds_are_refused():
    with pytest.raises(ValueError, match="cv has no folds"):
        check_folds([], 6)
