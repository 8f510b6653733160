"""The inner folds of a fusion, by which its models are judged and weighed."""

import numpy as np

from sklearn_medsel._folds import even_folds, most_folds


def inner_folds(outcome, groups, n_splits, rng):
    """Draw folds with equal shares of classes or events; groups stay together.

    Parameters
    ----------
    outcome : Outcome
    groups : ndarray of shape (n,) or None
    n_splits : int
        Fewer are drawn where a class, or the events, are in fewer patients or groups.
    rng : numpy.random.RandomState

    Returns
    -------
    list of (ndarray, ndarray)
        Training and held-out patients.

    Raises
    ------
    ValueError
        If there is one group only, or a class or the events are in one patient or group only.
    """
    strata, n = outcome.strata(), len(outcome)
    seed = int(rng.randint(2**31 - 1))
    if groups is not None and len(np.unique(groups)) < 2:
        raise ValueError(
            "groups has one group only: the inner folds cannot hold anyone out. Give every patient "
            "a group of their own, or None."
        )
    counted = strata == 1 if outcome.task == "survival" else np.ones(n, dtype=bool)
    n_splits = min(
        n_splits, most_folds(strata[counted], None if groups is None else groups[counted])
    )
    if n_splits < 2:
        if outcome.task == "survival":
            raise ValueError(
                "y has an event in one patient (or group) only; the inner folds need two. Give "
                "more patients."
            )
        raise ValueError(
            "y has a class that is too rare: one patient (or group) has it, and the inner folds "
            "need two of every class. Give more patients or join classes."
        )
    # a handful of censored patients cannot be spread over the folds, and need not be
    if most_folds(strata, groups) < n_splits:
        strata = np.zeros(n)
    return even_folds(strata, groups, n_splits, seed)
