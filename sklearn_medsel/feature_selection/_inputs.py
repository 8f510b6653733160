"""Check what `DeepFeatureSelector.fit` gets, and turn it into a `Problem`."""

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

from .._validation import list_rows
from ..base import resolve_device
from ..survival._folds import check_groups
from ._decoys import RowBlocks
from ._outcome import read_outcome
from ._selection import Problem
from ._table import choose_dtype, standardise

_NAMED = 5
_LARGEST_COUNT = 20
_SORT_COLUMNS = 8


def read_problem(estimator, X, y, sample_weight, groups, seeds):
    """Check the arguments of ``fit``.

    Parameters
    ----------
    estimator : DeepFeatureSelector
        Gets `n_features_in_` and `feature_names_in_`; its `task`, `dtype` and `device` are read.
    X, y, sample_weight, groups
        As given to ``fit``.
    seeds : list of int

    Returns
    -------
    Problem
    """
    check_columns(X)
    X = validate_data(
        estimator,
        X,
        accept_sparse=["csc"],
        dtype=[np.float64, np.float32],
        ensure_all_finite=False,
        ensure_min_samples=2,
    )
    outcome = read_outcome(y, estimator.task)
    _refuse_infinite(X, getattr(estimator, "feature_names_in_", None))
    check_consistent_length(X, outcome)
    weight = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True, allow_all_zero_weights=False
    )
    groups = None if groups is None else check_groups(column_or_1d(groups), X.shape[0])
    rows, weight = _read_rows(X, outcome, weight)
    outcome = outcome.take(rows)
    blocks = None if groups is None else _row_blocks(groups[rows], outcome, rows)
    table = standardise(
        X,
        rows,
        weight,
        dtype=choose_dtype(estimator.dtype, X),
        device=resolve_device(estimator.device),
        blocks=blocks,
    )
    return Problem(table, outcome, weight, blocks, seeds)


def _read_rows(X, outcome, weight):
    """Which rows of X the fit uses, in which order, and their weights, which sum to one.

    Samples of weight zero go. Weights that are small whole numbers are counts: a sample of weight
    two is two samples, and says as much. The order is put in a canonical form, so that permuted
    samples give the same decoys and the same result.
    """
    if np.all(weight == np.round(weight)) and weight.sum() <= _LARGEST_COUNT * len(weight):
        rows = np.repeat(np.arange(len(weight)), weight.astype(np.int64))
        weight = np.ones(len(rows))
    else:
        rows = np.flatnonzero(weight)
        weight = weight[rows]
    first = X[:, :_SORT_COLUMNS]
    first = (first.toarray() if sparse.issparse(first) else first)[rows]
    values = outcome.values.reshape(len(outcome), -1)[rows]
    order = np.lexsort([weight, *np.nan_to_num(first).T, *values.T])
    return rows[order], weight[order] / weight.sum()


def check_columns(X):
    """Refuse columns of text and duplicate names of a DataFrame, naming them."""
    if not isinstance(X, pd.DataFrame):
        return
    twice = X.columns[X.columns.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"X has duplicate column names: {_listed(twice)}. Rename them, or average the columns "
            "of one gene."
        )
    is_text = np.array([_is_text(dtype, X, place) for place, dtype in enumerate(X.dtypes)])
    if is_text.any():
        raise ValueError(
            f"X has columns of text: {_listed(X.columns[is_text])}. Encode them as numbers or "
            "leave them out; a ColumnTransformer does both."
        )


def _is_text(dtype, X, place):
    """Whether a column of a DataFrame holds text or categories."""
    if isinstance(dtype, (pd.StringDtype, pd.CategoricalDtype)):
        return True
    # objects may still be numbers
    return getattr(dtype, "kind", "") == "O" and any(
        isinstance(value, str) for value in X.iloc[:, place]
    )


def _listed(names):
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(repr(str(name)) for name in names[:_NAMED]) + rest


def _refuse_infinite(X, names):
    if sparse.issparse(X):
        wrong = np.zeros(X.shape[1], dtype=bool)
        wrong[np.repeat(np.arange(X.shape[1]), np.diff(X.indptr))[np.isinf(X.data)]] = True
    else:
        # a sum is cheap, and not finite wherever a value is infinite
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = np.flatnonzero(~np.isfinite(X.sum(axis=0, dtype=np.float64)))
        wrong = np.zeros(X.shape[1], dtype=bool)
        wrong[suspicious] = np.isinf(X[:, suspicious]).any(axis=0)
    if wrong.any():
        columns = np.flatnonzero(wrong)
        named = _listed(columns if names is None else names[columns])
        raise ValueError(
            f"Input X contains infinity in column {named}. Replace infinite values, for instance "
            "by NaN (missing), which is imputed."
        )


def _row_blocks(groups, outcome, positions):
    """How groups restrict permutations; refuses groups that split a pair."""
    varies = outcome.varies_within(groups)
    blocks = RowBlocks(groups, varies)
    alone = np.array([len(rows) == 1 for rows in blocks.members])
    if blocks.within and alone.any():
        rows = np.zeros(positions.max() + 1, dtype=bool)  # rows as the user counts them
        rows[positions[[blocks.members[g][0] for g in np.flatnonzero(alone)]]] = True
        raise ValueError(
            f"groups splits a pair: y differs inside groups, but the group at {list_rows(rows)} "
            "has one sample only. Add its partner, or leave the sample out."
        )
    if len(blocks.members) < 2:
        raise ValueError("groups has one group only; pass groups=None, or give each its own.")
    return blocks
