"""Rows that belong together, in a patient or in a fold.

Patients with several rows change places whole, and count once.
"""

import numpy as np


def permuted(units, rng):
    """Draw an order of rows in which whole units take each other's places.

    Parameters
    ----------
    units : ndarray of shape (n,), int
        Unit of each row.
    rng : RandomState

    Returns
    -------
    ndarray of shape (n,), int
        Which row stands in for each. A unit with fewer rows than the one it replaces is repeated.
    """
    order = np.argsort(units, kind="stable")
    _, starts, sizes = np.unique(units[order], return_index=True, return_counts=True)
    place = np.arange(len(units)) - np.repeat(starts, sizes)
    other = np.repeat(rng.permutation(len(starts)), sizes)
    drawn = np.empty(len(units), dtype=int)
    drawn[order] = order[starts[other] + place % sizes[other]]
    return drawn


def summed(values, units):
    """Sum values (..., n) over the rows of each unit: (..., n_units)."""
    _, unit = np.unique(units, return_inverse=True)
    total = np.zeros((*values.shape[:-1], unit.max() + 1))
    np.add.at(total, (..., unit), values)
    return total


def fold_of_rows(folds, n):
    """Which fold holds each of n rows out (n,)."""
    fold = np.zeros(n, dtype=int)
    for f, (_, held_out) in enumerate(folds):
        fold[held_out] = f
    return fold
