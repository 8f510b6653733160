"""What only pickle can store, made plain: tables, labels of rows, paths.

`sklearn_medsel.persistence` stores arrays, lists, text and numbers. What an estimator keeps of its
fit is put into these when it is kept, and made a table again when it is asked for.
"""

import os

import pandas as pd


def plain_columns(table):
    """Columns of a table by name: numbers as arrays, everything else as lists.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    dict of str to ndarray or list
    """
    return {
        name: list(column) if column.dtype.kind not in "biuf" else column.to_numpy()
        for name, column in table.items()
    }


def plain_index(index):
    """Labels and names of an index.

    Parameters
    ----------
    index : Index

    Returns
    -------
    labels : ndarray or list
    names : list
    """
    is_time = index.dtype.kind in "mM" and getattr(index, "tz", None) is None
    return index.to_numpy() if is_time else index.tolist(), list(index.names)


def index_of(labels, names):
    """Index of what `plain_index` gave; several names are levels."""
    index = pd.Index(labels)
    if index.nlevels == len(names):
        index.names = names
    return index


def paths_as_text(state):
    """Copy of an estimator's state in which paths are text."""
    return {
        name: str(value) if isinstance(value, os.PathLike) else value
        for name, value in state.items()
    }
