"""Columns of a table, asked for by name, position or mask."""

import numpy as np
import pandas as pd

from sklearn_medsel.survival._gene_table import name_some


def resolve_features(features, table):
    """Positions of the columns that names, positions or a mask stand for.

    Parameters
    ----------
    features : str or array-like
        Column names, positions, or a mask over all columns.
    table : GeneTable
        The table they refer to.

    Returns
    -------
    ndarray of int
        Positions, in the order given, none twice.
    """
    wanted = np.atleast_1d(np.asarray(features))
    if wanted.ndim != 1 or wanted.size == 0:
        raise ValueError("features must be a list of one or more column names or positions.")
    if wanted.dtype.kind == "b":
        positions = _from_mask(wanted, table)
    elif wanted.dtype.kind in "iu":
        positions = _from_positions(wanted, table)
    elif all(isinstance(name, str) for name in wanted):
        positions = _from_names(wanted, table)
    else:
        raise TypeError(
            "features must be column names (str), positions (int) or a mask (bool), got an array "
            f"of dtype {wanted.dtype}."
        )
    twice = pd.Index(positions).duplicated()
    if twice.any():
        raise ValueError(f"features repeats {name_some(table.names[positions[twice]])}.")
    return positions


def _from_mask(mask, table):
    if mask.size != table.n_features:
        raise ValueError(
            f"features is a mask of {mask.size} values, but X has {table.n_features} columns."
        )
    if not mask.any():
        raise ValueError("features selects nothing: the mask is False everywhere.")
    return np.flatnonzero(mask)


def _from_positions(positions, table):
    outside = (positions < 0) | (positions >= table.n_features)
    if outside.any():
        raise ValueError(
            f"features has positions outside 0 to {table.n_features - 1}: "
            f"{name_some(positions[outside])}."
        )
    return positions.astype(np.intp)


def _from_names(names, table):
    if not table.has_names:
        raise ValueError(
            "features are names, but X has no column names: pass a DataFrame, or positions."
        )
    positions = pd.Index(table.names).get_indexer(pd.Index(names, dtype=object))
    if (positions < 0).any():
        raise ValueError(
            f"features not among the columns of X: {name_some(names[positions < 0], limit=20)}. "
            "Check the spelling and that both use the same kind of gene name."
        )
    return positions
