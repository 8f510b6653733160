"""Decoys: which permutations are drawn, what they do to products, and the pooled p-values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from sklearn_medsel.feature_selection._decoys import (
    RowBlocks,
    correlate,
    draw_decoys,
    permute_rows,
    pooled_pvalues,
)

CPU = torch.device("cpu")


def blocks_of(groups, within):
    groups = np.asarray(groups)
    return RowBlocks(groups, np.full(len(np.unique(groups)), within))


@given(groups=st.lists(st.integers(0, 6), min_size=1, max_size=40), seed=st.integers(0, 999))
def test_exchange_within_groups(groups, seed):
    rows = permute_rows(np.random.default_rng(seed), len(groups), blocks_of(groups, True))
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(groups)))
    np.testing.assert_array_equal(np.asarray(groups)[rows], groups)


@given(groups=st.lists(st.integers(0, 6), min_size=1, max_size=40), seed=st.integers(0, 999))
def test_whole_groups_change_places(groups, seed):
    blocks = blocks_of(groups, False)
    rows = permute_rows(np.random.default_rng(seed), len(groups), blocks)
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(groups)))
    for members in blocks.members:
        source = blocks.codes[rows[members]]
        assert len(np.unique(source)) == 1, "a group's rows come from one group"
        assert len(blocks.members[source[0]]) == len(members)
        assert np.all(np.diff(rows[members]) > 0), "in their order"


@given(n=st.integers(1, 60), seed=st.integers(0, 999))
def test_free_exchange_is_a_permutation(n, seed):
    rows = permute_rows(np.random.default_rng(seed), n, None)
    np.testing.assert_array_equal(np.sort(rows), np.arange(n))


def test_pairs_swap_about_half_of_the_time():
    groups = np.arange(400) % 200
    rows = permute_rows(np.random.default_rng(0), 400, blocks_of(groups, True))
    swapped = np.mean(rows != np.arange(400))
    assert 0.35 < swapped < 0.65


def test_groups_that_could_move_do_move():
    groups = np.repeat(np.arange(10), [2] * 5 + [3] * 5)
    rows = permute_rows(np.random.default_rng(0), 25, blocks_of(groups, False))
    assert np.mean(groups[rows] != groups) > 0.3


def test_row_blocks():
    blocks = RowBlocks(np.array(["b", "a", "b", "c"]), np.array([False, True, False]))
    assert blocks.within
    assert blocks.codes.tolist() == [1, 0, 1, 2]
    assert [rows.tolist() for rows in blocks.members] == [[1], [0, 2], [3]]
    assert blocks.same_size == [[0, 2], [1]]


def test_a_replicate_does_not_depend_on_the_others():
    together = draw_decoys([4, 8, 15], (30, 50), None, 0.5, CPU)
    for k, seed in enumerate([4, 8, 15]):
        alone = draw_decoys([seed], (30, 50), None, 0.5, CPU)
        assert torch.equal(together.rows[k], alone.rows[0])
        assert torch.equal(together.present[k], alone.present[0])
    assert not torch.equal(together.rows[0], together.rows[1])


@pytest.mark.parametrize("fraction", [0.2, 0.75, 1.0])
def test_part_of_the_features_has_a_decoy(fraction):
    present = draw_decoys([1, 2], (10, 4000), None, fraction, CPU).present
    np.testing.assert_allclose(present.double().mean(1), fraction, atol=0.03)


def test_apply_and_undo_are_inverse_and_adjoint():
    decoys = draw_decoys([1, 2, 3], (20, 5), None, 1.0, CPU)
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 3, 20, 2, generator=generator, dtype=torch.float64)
    assert torch.equal(decoys.undo(decoys.apply(a)), a)
    assert torch.equal(decoys.apply(decoys.undo(a)), a)
    assert not torch.equal(decoys.apply(a), a)
    torch.testing.assert_close((decoys.apply(a) * b).sum(), (a * decoys.undo(b)).sum())


def test_correlate_is_a_product_with_an_explicit_copy():
    rng = np.random.default_rng(0)
    X = torch.as_tensor(rng.standard_normal((20, 6)))
    gradient = torch.as_tensor(rng.standard_normal((3, 20, 2)))
    decoys = draw_decoys([1, 2, 3], X.shape, None, 0.6, CPU)
    found, own = decoys.correlate(X, gradient), correlate(X, gradient)
    for k in range(3):
        copy = X[decoys.rows[k]] * decoys.present[k]
        torch.testing.assert_close(found[k], copy.T @ gradient[k])
        torch.testing.assert_close(own[k], X.T @ gradient[k])


def test_pooled_pvalues_count():
    pvalues = pooled_pvalues(np.array([5.0, 2.0, 1.0, 0.0]), np.array([0.0, 1.0, 2.0, 2.0]))
    np.testing.assert_allclose(pvalues, [1 / 5, 3 / 5, 4 / 5, 1.0])


def test_a_statistic_of_zero_is_no_evidence():
    assert pooled_pvalues(np.zeros(1), np.zeros(1000))[0] == 1.0


def test_pooled_pvalues_are_uniform_under_the_null():
    rng = np.random.default_rng(0)
    pvalues = pooled_pvalues(rng.exponential(size=2000), rng.exponential(size=20_000))
    assert kstest(pvalues, "uniform").pvalue > 0.01
    assert pvalues.min() >= 1 / 20_001


@given(
    statistic=st.lists(st.floats(0, 10), min_size=1, max_size=20),
    decoys=st.lists(st.floats(0, 10), min_size=1, max_size=50),
)
def test_pooled_pvalues_never_underrate(statistic, decoys):
    statistic, decoys = np.array(statistic), np.array(decoys)
    pvalues = pooled_pvalues(statistic, decoys)
    wanted = (1 + (decoys >= statistic[:, None]).sum(1)) / (1 + len(decoys))
    np.testing.assert_allclose(pvalues, np.where(statistic > 0, wanted, 1.0))
