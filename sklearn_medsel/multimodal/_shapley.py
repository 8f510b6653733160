"""Exact Shapley values over blocks: what each modality adds, whatever else is known.

With B blocks there are 2 to the power of B sets of them; each is scored once, by hiding the other
blocks (Shapley 1953; Lundberg and Lee 2017 for predictions).
"""

from itertools import combinations
from math import factorial

import numpy as np

MAX_BLOCKS = 12


def all_sets(n_blocks):
    """All sets of blocks, as tuples.

    Raises
    ------
    ValueError
        If there are more blocks than can be explained, as a file that was edited may claim.
    """
    if n_blocks > MAX_BLOCKS:
        raise ValueError(
            f"{n_blocks} blocks have 2**{n_blocks} sets; shares are exact, and at most "
            f"{MAX_BLOCKS} blocks can be explained. Put tables together."
        )
    return [s for size in range(n_blocks + 1) for s in combinations(range(n_blocks), size)]


def shapley_values(values, n_blocks):
    """Shapley value of each block.

    Parameters
    ----------
    values : dict of tuple to float or ndarray
        What each set of blocks is worth.
    n_blocks : int

    Returns
    -------
    ndarray of shape (n_blocks, ...)
        Their sum is what all blocks are worth more than none.
    """
    total = factorial(n_blocks)
    shares = []
    for b in range(n_blocks):
        share = 0.0
        for others in all_sets(n_blocks):
            if b not in others:
                weight = factorial(len(others)) * factorial(n_blocks - len(others) - 1) / total
                joined = tuple(sorted((*others, b)))
                share = share + weight * (values[joined] - values[others])
        shares.append(share)
    return np.array(shares)
