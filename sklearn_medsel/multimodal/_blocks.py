"""Blocks: which columns of a table belong together, and what kind of data they hold."""

import re
from numbers import Integral
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_medsel._validation import name_columns

MODALITIES = ("table", "image", "text")
TOGETHER, NETWORK = "together", "network"
TERMS_OF_SEVERAL = (TOGETHER, NETWORK)
"""Terms of the fused score that no block may be called like."""

_FORM = "blocks must be a list of (name, modality, columns)"


class Block(NamedTuple):
    """A block with its columns resolved, a named tuple.

    Attributes
    ----------
    name : str
        Name of the block.
    modality : {"table", "image", "text"}
        What its columns hold.
    columns : tuple
        Labels of its columns; one for images and text.
    """

    name: str
    modality: str
    columns: tuple


def as_frame(X):
    """Give X as a DataFrame; the columns of a 2-D array are named x0, x1 and so on.

    Raises
    ------
    ValueError
        If X is neither, is empty, has two columns of one name, or column labels of several levels.
    """
    if isinstance(X, np.ndarray) and X.ndim == 2:
        X = name_columns(X)
    if not isinstance(X, pd.DataFrame):
        found = f"an array of shape {X.shape}" if isinstance(X, np.ndarray) else type(X).__name__
        raise ValueError(f"X must be a DataFrame or a 2-D array, found {found}.")
    if not len(X):
        raise ValueError("X has no rows: at least one patient is needed.")
    if isinstance(X.columns, pd.MultiIndex):
        raise ValueError(
            f"the columns of X have {X.columns.nlevels} levels; join them to one name each, as by "
            "X.set_axis(X.columns.map('__'.join), axis=1)."
        )
    repeated = X.columns[X.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"X has more than one column {_plain(repeated[0])!r}; rename or drop one.")
    return X


def name_rows(mask, index, *, limit=5):
    """Name the labels of rows where a mask is true; as `list_rows` does for positions."""
    labels = index[np.asarray(mask, dtype=bool)].tolist()
    named = ", ".join(repr(label) for label in labels[:limit])
    if len(labels) > limit:
        named += f" and {len(labels) - limit} more"
    return f"row{'s' if len(labels) != 1 else ''} {named}"


def resolve_blocks(blocks, X):
    """Find the columns of each block.

    Parameters
    ----------
    blocks : list of (str, {"table", "image", "text"}, columns)
        Columns as a ColumnTransformer takes them: a name or position, a list of these, a slice of
        positions or names (the last name included), a Boolean mask, or a callable of X, as
        `make_column_selector` makes them. Also a compiled regular expression (searched for in each
        name), and a name that starts or ends with ``*``, such as ``"rna__*"``, if no column is
        called so. Whole numbers are always positions.
    X : DataFrame or ndarray of shape (n_patients, n_columns)
        The columns of an array are named x0, x1 and so on.

    Returns
    -------
    list of Block
        In the order of `blocks`.

    Raises
    ------
    ValueError
        If `blocks` is something else, a name comes twice or is that of a term of several blocks, a
        modality or column is not known, a block has no columns, two blocks share one, or an image
        or text block has several.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_medsel.multimodal._blocks import resolve_blocks
    >>> X = pd.DataFrame(columns=["age", "rna__TP53", "rna__MYC", "report"], index=[0])
    >>> blocks = [("clinical", "table", ["age"]), ("rna", "table", "rna__*")]
    >>> resolve_blocks(blocks, X)[1]
    Block(name='rna', modality='table', columns=('rna__TP53', 'rna__MYC'))
    """
    X = as_frame(X)
    if not isinstance(blocks, list | tuple):
        raise ValueError(f"{_FORM}, found {type(blocks).__name__}.")
    if not blocks:
        raise ValueError(f"{_FORM}, found an empty one.")
    resolved, owner = [], {}
    for position, entry in enumerate(blocks):
        name, modality, columns = _triple(entry, position)
        if name in (block.name for block in resolved):
            raise ValueError(f"blocks has two blocks named {name!r}; give each its own name.")
        labels = tuple(_labels(columns, X, name))
        if not labels:
            raise ValueError(f"block {name!r} has no columns: its selection is empty. Remove it.")
        if modality != "table" and len(labels) > 1:
            raise ValueError(
                f"block {name!r} holds {modality} data in {len(labels)} columns. Make one block "
                "for each column."
            )
        for label in labels:
            if owner.setdefault(label, name) != name:
                raise ValueError(
                    f"column {label!r} is in two blocks, {owner[label]!r} and {name!r}. Keep it "
                    "in one."
                )
        if len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise ValueError(f"block {name!r} names the column {twice!r} more than once.")
        resolved.append(Block(name, modality, labels))
    _check_names([block.name for block in resolved])
    return resolved


def _check_names(names):
    """Refuse names that terms of the fused score have."""
    taken = {*TERMS_OF_SEVERAL, *(f"{a} x {b}" for a in names for b in names)}
    for name in names:
        if name in taken:
            raise ValueError(
                f"blocks has a block named {name!r}, as a term of several blocks is; rename it."
            )


def _triple(entry, position):
    """Check one entry of blocks."""
    if not isinstance(entry, list | tuple) or len(entry) != 3:
        found = type(entry).__name__
        if isinstance(entry, list | tuple):
            found += f" of length {len(entry)}"
        raise ValueError(f"{_FORM}, but entry {position} is a {found}.")
    name, modality, columns = entry
    if not isinstance(name, str) or not name:
        raise ValueError(f"{_FORM}, but the name of entry {position} is no word.")
    if not isinstance(modality, str) or modality not in MODALITIES:
        found = repr(modality) if isinstance(modality, str) else f"a {type(modality).__name__}"
        raise ValueError(
            f"block {name!r}: the modality must be one of {', '.join(map(repr, MODALITIES))}, "
            f"found {found}."
        )
    return name, modality, columns


def _labels(columns, X, name):
    """Labels of the columns that one selection names."""
    if isinstance(columns, re.Pattern):
        return [c for c in X.columns if isinstance(c, str) and columns.search(c)]
    if callable(columns):
        columns = columns(X)
    if isinstance(columns, slice):
        return list(X.columns[_slice(columns, X, name)])
    if isinstance(columns, str | Integral | np.bool_):
        columns = [columns]
    if isinstance(columns, pd.Series) and columns.dtype == bool and len(columns):
        columns = _mask(columns, X, name)
    if not isinstance(columns, list | tuple | np.ndarray | pd.Index | pd.Series):
        raise ValueError(
            f"block {name!r}: columns must be names, positions, a slice, a mask, a pattern or a "
            f"callable, found {type(columns).__name__}."
        )
    columns = [_plain(column) for column in columns]
    if any(isinstance(column, bool) for column in columns):
        if not all(isinstance(column, bool) for column in columns):
            raise ValueError(f"block {name!r}: columns mixes a mask with names or positions.")
        if len(columns) != X.shape[1]:
            raise ValueError(
                f"block {name!r}: the mask has {len(columns)} entries, but X has {X.shape[1]} "
                "columns."
            )
        return list(X.columns[np.array(columns, dtype=bool)])
    found = []
    for column in columns:
        found += _one(column, X, name)
    return found


def _one(column, X, name):
    """Labels that one name or position stands for."""
    if isinstance(column, Integral):
        if not -X.shape[1] <= column < X.shape[1]:
            raise ValueError(
                f"block {name!r}: there is no column at position {column}; X has {X.shape[1]}."
            )
        return [_plain(X.columns[column])]
    if not isinstance(column, str):
        raise ValueError(
            f"block {name!r}: a column must be named by a str or a position, found "
            f"{type(column).__name__}."
        )
    if column in X.columns:
        return [column]
    if column.startswith("*") or column.endswith("*"):
        pattern = re.compile(".*".join(map(re.escape, column.split("*"))), re.DOTALL)
        found = [c for c in X.columns if isinstance(c, str) and pattern.fullmatch(c)]
        if not found:
            raise ValueError(f"block {name!r}: no column of X fits {column!r}.")
        return found
    hint = ""
    if re.search(r"[.\[\]()^$|+\\*?]", column):
        hint = " For a regular expression, pass re.compile(...)."
    raise ValueError(f"block {name!r}: X has no column {column!r}.{hint}")


def _slice(chosen, X, name):
    """Slice of positions; one of names includes its last, as in pandas."""
    ends = [chosen.start, chosen.stop]
    if not any(isinstance(end, str) for end in ends):
        return chosen
    positions = []
    for end in ends:
        if end is not None and (not isinstance(end, str) or end not in X.columns):
            raise ValueError(f"block {name!r}: X has no column {end!r} to end a slice of names.")
        positions.append(None if end is None else X.columns.get_loc(end))
    stop = None if positions[1] is None else positions[1] + 1
    return slice(positions[0], stop, chosen.step)


def _mask(columns, X, name):
    """Bring a Boolean Series into the order of the columns, where it is labelled by them."""
    if columns.index.equals(pd.RangeIndex(len(columns))):
        return columns.to_numpy()
    unknown = ~columns.index.isin(X.columns)
    if unknown.any() or columns.index.has_duplicates or len(columns) != X.shape[1]:
        raise ValueError(f"block {name!r}: the mask must have one entry for each column of X.")
    return columns.loc[X.columns].to_numpy()


def _plain(value):
    """Python's own type for a number or word of numpy."""
    return value.item() if isinstance(value, np.generic) else value
