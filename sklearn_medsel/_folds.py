"""Folds drawn by a seed: equal shares of classes or events, groups never parted."""

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold


def even_folds(strata, groups, n_splits, seed):
    """Split rows so that each is held out once.

    Parameters
    ----------
    strata : ndarray of shape (n,)
        Classes, or whether the event was seen, which folds hold in as equal shares as can be. All
        the same where there is nothing to share out.
    groups : ndarray of shape (n,) or None
        Rows of one group stay together.
    n_splits : int
        Number of folds, at most that of rows or groups. With no more than `most_folds`, every fold
        holds out something of each stratum as far as groups allow.
    seed : int
        Seed of the draw.

    Returns
    -------
    list of tuple of two ndarrays of int
        Training and held-out rows.
    """
    is_even = len(np.unique(strata)) > 1
    if groups is None:
        kind = StratifiedKFold if is_even else KFold
    else:
        kind = StratifiedGroupKFold if is_even else GroupKFold
    folds = kind(n_splits, shuffle=True, random_state=seed)
    return list(folds.split(strata, strata, groups))


def most_folds(strata, groups):
    """Count the rows, or groups, of the rarest stratum: more folds than these leave it out."""
    units = np.arange(len(strata)) if groups is None else groups
    return min(len(np.unique(units[strata == stratum])) for stratum in np.unique(strata))
