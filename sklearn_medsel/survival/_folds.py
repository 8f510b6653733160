"""Folds for survival targets: events spread evenly, groups kept together, every sample once."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.model_selection import check_cv

from sklearn_medsel._folds import check_folds, even_folds
from sklearn_medsel._validation import encode_labels, list_rows


def survival_folds(event, cv, groups, seed, *, name="cv"):
    """Split samples so that each is held out once.

    Parameters
    ----------
    event : ndarray of shape (n_samples,), bool
        Whether the event was seen.
    cv : int, splitter or iterable
        An int draws folds with as equal shares of events as can be.
    groups : ndarray of shape (n_samples,) or None
        Samples of one group stay together.
    seed : int
        Seed of the draw where `cv` is an int.
    name : str, default="cv"
        What error messages call it.

    Returns
    -------
    list of tuple of two ndarrays of int
        Training and held-out rows.

    Raises
    ------
    ValueError
        If there are too few samples, events or groups, a fold has no event on one side, a sample or
        a group is on both sides, a sample is not there, or one is not held out exactly once.
    """
    if isinstance(cv, Integral):
        folds = _own_folds(event, cv, groups, seed, name)
    else:
        given = check_cv(cv).split(np.zeros((event.size, 1)), event, groups)
        folds = check_folds(given, event.size, name=name)
    _check_outcome(folds, event, groups, name)
    return folds


def check_groups(groups, n_samples):
    """One group per sample, none missing, of kinds that can be compared; None stays None."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups must have one value per patient, {n_samples}; found the shape {groups.shape}."
        )
    missing = pd.isna(groups)
    if missing.any():
        raise ValueError(
            f"groups is missing at {list_rows(missing)}; give every patient without a group one of "
            "its own."
        )
    encode_labels(groups, "groups")  # splitters compare them
    return groups


def _own_folds(event, cv, groups, seed, name):
    n_events = int(event.sum())
    if n_events < cv:
        raise ValueError(
            f"y has {n_events} events, fewer than {name}={cv}, so that some folds would have none; "
            f"lower {name}."
        )
    if groups is not None and np.unique(groups).size < cv:
        raise ValueError(
            f"groups has {np.unique(groups).size} groups, fewer than {name}={cv}; lower {name}."
        )
    # a handful of censored samples cannot be spread over the folds, and need not be
    strata = event if np.sum(~event) >= cv else np.zeros(event.size)
    return even_folds(strata, groups, cv, seed)


def _check_outcome(folds, event, groups, name):
    held_out = np.concatenate([test for _, test in folds])
    if held_out.size != event.size or np.unique(held_out).size != event.size:
        raise ValueError(
            f"{name} must hold every patient out exactly once, as KFold does; it holds out "
            f"{np.unique(held_out).size} of {event.size} patients, {held_out.size} times in all."
        )
    for number, (train, test) in enumerate(folds):
        for rows, side in ((train, "training"), (test, "held-out")):
            if not event[rows].any():
                raise ValueError(
                    f"fold {number} of {name} has no event among its {rows.size} {side} patients; "
                    "use fewer folds, or an int, which spreads the events evenly."
                )
        if groups is not None and np.isin(groups[test], groups[train]).any():
            raise ValueError(
                f"fold {number} of {name} has patients of one group on both sides; use a splitter "
                "that keeps groups together, such as StratifiedGroupKFold, or an int."
            )
