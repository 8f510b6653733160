"""Shapley values over sets of blocks: what a fair share is, and that too many are refused."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_medsel.multimodal._shapley import MAX_BLOCKS, all_sets, shapley_values


@st.composite
def games(draw, n_min=1):
    n_blocks = draw(st.integers(n_min, 5))
    worth = st.floats(-10, 10)
    return n_blocks, {s: draw(worth) for s in all_sets(n_blocks)}


@given(games())
def test_shares_add_up(game):
    n_blocks, worth = game
    shares = shapley_values(worth, n_blocks)
    assert shares.shape == (n_blocks,)
    assert shares.sum() == pytest.approx(worth[tuple(range(n_blocks))] - worth[()], abs=1e-9)


@settings(max_examples=30)
@given(games())
def test_shares_are_the_mean_over_all_orders_of_arrival(game):
    n_blocks, worth = game
    gains = []
    for order in permutations(range(n_blocks)):
        gain = np.zeros(n_blocks)
        for at, block in enumerate(order):
            before = tuple(sorted(order[:at]))
            gain[block] = worth[tuple(sorted((*before, block)))] - worth[before]
        gains.append(gain)
    np.testing.assert_allclose(shapley_values(worth, n_blocks), np.mean(gains, 0), atol=1e-9)


@given(games(n_min=2), st.randoms(use_true_random=False))
def test_alike_blocks_have_alike_shares_and_a_dummy_none(game, random):
    n_blocks, worth = game
    one, other = random.sample(range(n_blocks), 2)
    swap = {one: other, other: one}

    def swapped(blocks):
        return tuple(sorted(swap.get(b, b) for b in blocks))

    alike = {s: worth[s] + worth[swapped(s)] for s in worth}
    shares = shapley_values(alike, n_blocks)
    assert shares[one] == pytest.approx(shares[other], abs=1e-9)
    idle = {s: worth[tuple(b for b in s if b != one)] for s in worth}
    assert shapley_values(idle, n_blocks)[one] == pytest.approx(0, abs=1e-9)


def test_shares_of_many_games_at_once():
    rng = np.random.default_rng(0)
    worth = {s: rng.normal(size=6) for s in all_sets(3)}
    shares = shapley_values(worth, 3)
    assert shares.shape == (3, 6)
    alone = shapley_values({s: v[4] for s, v in worth.items()}, 3)
    np.testing.assert_allclose(shares[:, 4], alone)


def test_too_many_blocks_are_refused_at_once():
    assert len(all_sets(MAX_BLOCKS)) == 2**MAX_BLOCKS
    for explain in (all_sets, lambda n_blocks: shapley_values({}, n_blocks)):
        with pytest.raises(ValueError, match=rf"60 blocks .* at most {MAX_BLOCKS}"):
            explain(60)
