"""Reading blocks.toml: which columns of the table are which modality."""

import tomllib
from pathlib import Path
from typing import NamedTuple

from sklearn_medsel._cli._roles import _check_present
from sklearn_medsel._cli._tables import InputError, quoted

_KEYS = ("base", "blocks")
_BLOCK_KEYS = ("modality", "columns")
_FORM = '[blocks.NAME] with modality = "table", "image" or "text" and columns = [...]'


class Blocks(NamedTuple):
    """What blocks.toml says, a named tuple.

    Attributes
    ----------
    blocks : list of (str, str, list of str)
        Name, modality and columns as written; wildcards stand as they are.
    base : str or None
        Block that is fitted first.
    """

    blocks: list
    base: str | None


def read_blocks(path):
    """Read a file of blocks.

    Parameters
    ----------
    path : str or path-like
        TOML: a table ``[blocks.NAME]`` for each block, with the keys ``modality`` and ``columns``
        (names, or one string; ``*`` at the start or end stands for any characters), and
        ``base`` above them where a block is to be fitted first.

    Returns
    -------
    Blocks
        In the order of the file.

    Raises
    ------
    InputError
        Naming the file, the block and the key.
    """
    path = Path(path)
    written = _parse(path)
    _check_keys(written, _KEYS, str(path), 'base = "NAME" and [blocks.NAME]')
    tables = written.get("blocks")
    if not isinstance(tables, dict) or not tables:
        raise InputError(f"{path}: there is no block; write one table for each, {_FORM}")
    if not all(isinstance(table, dict) for table in tables.values()):
        name = next(name for name, table in tables.items() if not isinstance(table, dict))
        raise InputError(f"{path}: blocks.{name} is no table; write {_FORM}")
    if len(tables) < 2:
        raise InputError(f"{path}: there is one block; two are needed to fuse anything")
    base = written.get("base")
    if base is not None:
        check_base(base, tables, f"{path}: base")
    return Blocks([_read_block(path, name, table) for name, table in tables.items()], base)


def check_base(base, names, where):
    """Refuse a base that is no block."""
    if not isinstance(base, str) or base not in names:
        found = repr(base) if isinstance(base, str) else f"an entry of type {type(base).__name__}"
        raise InputError(f"{where}: {found} is not the name of a block; these are {quoted(names)}")


def find_columns(frame, blocks, path, roles):
    """Find the columns of each block in a table.

    Parameters
    ----------
    frame : DataFrame
        The table.
    blocks : list of (str, str, list of str)
        As from `read_blocks`.
    path : str or path-like
        The file of blocks, for messages.
    roles : dict of str to str
        Columns that are something else, by option, such as the target.

    Returns
    -------
    list of (str, str, list of str)
        With all columns by name.

    Raises
    ------
    InputError
        If a column is not there, is in two blocks, or has a role.
    """
    from sklearn_medsel.multimodal._blocks import resolve_blocks

    for name, _, columns in blocks:
        for column in columns:
            if not column.startswith("*") and not column.endswith("*"):
                _check_present(frame, column, f"{path}: block {name!r}")
    try:
        found = resolve_blocks(blocks, frame)
    except ValueError as error:
        words = str(error).replace("column of X", "column of the table")
        raise InputError(f"{path}: {words.replace('X has', 'the table has')}") from error
    for block in found:
        for option, column in roles.items():
            if column in block.columns:
                raise InputError(
                    f"{path}: block {block.name!r} takes column {column!r}, which is {option}; "
                    "name the block's columns without it"
                )
    return [(block.name, block.modality, list(block.columns)) for block in found]


def _parse(path):
    if not path.exists():
        raise InputError(f"--blocks {path}: there is no such file")
    if path.is_dir():
        raise InputError(f"--blocks {path}: this is a folder; give the file of blocks")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: cannot be read as TOML: {error}") from error


def _check_keys(written, known, where, form):
    unknown = [key for key in written if key not in known]
    if unknown:
        raise InputError(f"{where}: unknown key {unknown[0]!r}; it takes {form}")


def _read_block(path, name, table):
    from sklearn_medsel.multimodal._blocks import MODALITIES

    where = f"{path}: block {name!r}"
    if not name.strip():
        raise InputError(f"{path}: a block has no name; write {_FORM}")
    _check_keys(table, _BLOCK_KEYS, where, "modality and columns")
    for key in _BLOCK_KEYS:
        if key not in table:
            raise InputError(f"{where}: the key {key!r} is missing; write {_FORM}")
    modality, columns = table["modality"], table["columns"]
    if modality not in MODALITIES:
        found = repr(modality) if isinstance(modality, str) else type(modality).__name__
        raise InputError(f"{where}: modality must be one of {quoted(MODALITIES)}, found {found}")
    columns = [columns] if isinstance(columns, str) else columns
    if not isinstance(columns, list):
        raise InputError(
            f"{where}: columns must be a list of names or one string, found "
            f"{type(columns).__name__}"
        )
    wrong = [position for position, one in enumerate(columns, 1) if not isinstance(one, str)]
    if wrong:
        raise InputError(
            f"{where}: columns must be names in quotes; entry {wrong[0]} is of type "
            f"{type(columns[wrong[0] - 1]).__name__}"
        )
    if not columns:
        raise InputError(f"{where}: columns is empty; name its columns, or remove the block")
    return name, modality, columns
