"""The feature table as the path solver wants it: complete, standardised, features-major."""

from dataclasses import dataclass

import numpy as np
import torch

_BLOCK = 4096
_SMALL = 200_000


@dataclass
class Table:
    """A standardised table.

    Attributes
    ----------
    X : Tensor of shape (n_samples, n_features)
        Weighted mean 0 and variance 1 in each column; constant columns are all zero. Stored so
        that ``X.T`` is contiguous: features are what is looked up.
    constant : ndarray of shape (n_features,), bool
        Columns without variance.
    missing : ndarray of shape (n_features,), int64
        Missing values per column; they were set to the column's mean.
    """

    X: torch.Tensor
    constant: np.ndarray
    missing: np.ndarray


def choose_dtype(dtype, X):
    """Resolve ``dtype="auto"``: the dtype of `X`, but float32 for large tables.

    Float64 is for tables of up to 200,000 values, where it costs nothing; a ranking of thousands
    of genes needs no more than float32, which halves time and memory.
    """
    if dtype != "auto":
        return dtype
    return "float64" if X.dtype == np.float64 and X.size <= _SMALL else "float32"


def standardise(X, rows, weight, *, dtype, device, blocks=None):
    """Impute, centre and scale.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        NaN is missing.
    rows : ndarray of shape (n_used,), int64
        Rows of `X` to take, in this order.
    weight : ndarray of shape (n_used,)
        Sample weights, summing to one.
    dtype : {"float32", "float64"}
    device : torch.device
    blocks : RowBlocks or None
        With exchange within groups, columns are also centred within each group: the level of a
        patient or a centre says nothing about a difference inside it.

    Returns
    -------
    Table
    """
    n_features = X.shape[1]
    table = torch.empty((n_features, len(rows)), dtype=getattr(torch, dtype))
    out = table.numpy()
    constant = np.zeros(n_features, dtype=bool)
    missing = np.zeros(n_features, dtype=np.int64)
    for start in range(0, n_features, _BLOCK):  # in blocks, so that float64 copies stay small
        part = slice(start, start + _BLOCK)
        columns = X[:, part]
        columns = columns.toarray() if hasattr(columns, "toarray") else columns
        features = np.array(columns[rows].T, dtype=np.float64)
        missing[part], constant[part] = _standardise_rows(features, weight, blocks)
        out[part] = features
    return Table(table.to(device).T, constant, missing)


def _standardise_rows(rows, weight, blocks):
    """Standardise features in rows, in place; missing counts and which are constant."""
    absent = np.isnan(rows)
    counts = absent.sum(axis=1)
    rows[absent] = 0.0
    known = (~absent) @ weight
    mean = (rows @ weight) / np.where(known > 0, known, 1.0)
    size = np.abs(rows).max(axis=1)
    rows -= mean[:, None]
    rows[absent] = 0.0
    if blocks is not None and blocks.within:
        for members in blocks.members:
            share = weight[members] / weight[members].sum()
            rows[:, members] -= (rows[:, members] @ share)[:, None]
    scale = np.sqrt((rows**2) @ weight)
    # rounding leaves a constant column with a spread of about eps times its size
    constant = scale <= 1e-10 * np.maximum(size, 1e-300)
    rows /= np.where(constant, 1.0, scale)[:, None]
    rows[constant] = 0.0
    return counts, constant
