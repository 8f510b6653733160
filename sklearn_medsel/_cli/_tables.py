"""Reading a table of samples x genes from CSV, TSV or parquet.

pandas renames duplicate columns and pads short rows without a word. Here the header is looked at
before pandas sees it, so that every oddity becomes a message that names the column or the row.
"""

import bz2
import csv
import gzip
import lzma
from collections import Counter
from itertools import chain
from pathlib import Path

import pandas as pd

_TEXT_KINDS = (".csv", ".tsv", ".tab", ".txt")
_PARQUET_KINDS = (".parquet", ".pq")
_OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_MAX_NAMED = 5
_NO_NAME = "\n"  # as a header has none, since its names are stripped
csv.field_size_limit(2**31 - 1)  # the default is shorter than a long report


class InputError(ValueError):
    """What the user gave cannot be used; the message says what and how to mend it."""


def quoted(names, *, limit=_MAX_NAMED):
    """Write names as ``'a', 'b' and 3 more``."""
    names = [str(name) for name in names]
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def read_table(path, *, labels=()):
    """Read a table of samples (rows) x columns.

    Parameters
    ----------
    path : str or path-like
        ``.csv``, ``.tsv``, ``.tab``, ``.txt`` (each may be compressed: ``.gz``, ``.bz2``, ``.xz``),
        ``.parquet`` or ``.pq``. A first column without a name holds the names of the samples.
    labels : sequence of (str or None), default=()
        Columns of names, such as those of patients: read from text files as they stand, where 0012
        is not 12, and found in the index of a parquet file of pandas, too. Those that are None or
        not in the table are passed over.

    Returns
    -------
    DataFrame
        With unique column names.

    Raises
    ------
    InputError
        If the table is absent, unreadable or empty, or if columns have the same name or none.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file")
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; give the table's file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-1] if suffixes else ""
    if kind in _OPENERS and len(suffixes) > 1:
        kind = suffixes[-2]
    if kind in _PARQUET_KINDS:
        frame = _read_parquet(path, labels)
    elif kind in _TEXT_KINDS:
        frame = _read_text(path, "\t" if kind in (".tsv", ".tab") else None, labels)
    else:
        raise InputError(
            f"{path}: unknown kind of table {kind or '(no suffix)'!r}; save it as .csv, .tsv or "
            ".parquet"
        )
    if not len(frame):
        raise InputError(f"{path}: the table is empty: it has a header but no rows")
    return frame


def _read_parquet(path, labels):
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            f'{path}: reading parquet needs pyarrow: pip install "sklearn-medsel[demo]", '
            "or save the table as .csv"
        ) from error
    try:
        # Not pandas.read_parquet: tens of thousands of columns cost it minutes and gigabytes.
        with parquet.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
            names, kinds = file.schema_arrow.names, file.schema_arrow.types
            _check_names(path, names)
            frame = file.read(use_threads=False).to_pandas()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as parquet; write the file again") from error
    # decimal numbers, as data bases have them, would come as objects
    decimal = [
        name
        for name, kind in zip(names, kinds, strict=True)
        if pyarrow.types.is_decimal(kind) and name in frame and name not in labels
    ]
    if decimal:
        frame = frame.astype(dict.fromkeys(decimal, float))
    # patients may be named by what pandas wrote as the index
    asked = [name for name in frame.index.names if name is not None and name in labels]
    return frame.reset_index(asked) if asked else frame


def _read_text(path, delimiter, labels):
    try:
        names, delimiter, n_header_lines, width = _read_header(path, delimiter)
        if width - len(names) not in (0, 1):
            raise InputError(
                f"{path}: the header has {len(names)} columns but the first row has {width}; "
                "check the delimiter and the quotes"
            )
        ends_empty = _check_widths(path, delimiter, n_header_lines, width)
        if width > len(names) and not ends_empty:  # names of rows, as R's write.table does it
            names = ["", *names]
        has_row_names = names[0] == ""
        _check_names(path, names[1:] if has_row_names else names)
        if width > len(names):  # a delimiter ends every row
            names = [*names, _NO_NAME]
        frame = pd.read_csv(
            path,
            sep=delimiter,
            header=None,
            names=names,
            skiprows=n_header_lines,
            index_col=0 if has_row_names else False,
            dtype={name: str for name in labels if name in names},
            encoding="utf-8-sig",
            low_memory=False,
        )
        return frame.drop(columns=_NO_NAME, errors="ignore").rename_axis(index=None)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; save the table as 'CSV UTF-8'") from error
    except pd.errors.EmptyDataError as error:
        raise InputError(f"{path}: the table is empty: it has a header but no rows") from error
    except (pd.errors.ParserError, csv.Error, OSError, EOFError, lzma.LZMAError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read as a table ({reason})") from error


def _open_text(path):
    opener = _OPENERS.get(path.suffix.lower(), open)
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _read_header(path, delimiter):
    """Return the names, the delimiter, the lines they take and the width of the first row."""
    with _open_text(path) as file:
        if delimiter is None:
            line = next((line for line in file if line.strip()), "")
            delimiter = max(",;\t", key=line.count)
            file.seek(0)
        reader = csv.reader(file, delimiter=delimiter)
        names = next((row for row in reader if row), None)
        if names is None:
            raise InputError(f"{path}: the file is empty")
        n_header_lines = reader.line_num
        first_row = next((row for row in reader if row), names)
    return [name.strip() for name in names], delimiter, n_header_lines, len(first_row)


def _check_widths(path, delimiter, n_header_lines, width):
    """Refuse rows that end early, which pandas would fill with missing values.

    Returns
    -------
    bool
        Whether the last cell of every row is empty.
    """
    ends_empty = True
    for number, n_cells, last in _row_ends(path, delimiter):
        if number <= n_header_lines:
            continue
        if n_cells < width:
            raise InputError(
                f"{path}: line {number} has {n_cells} of {width} columns; "
                "the file may have been cut off: write it again"
            )
        ends_empty = ends_empty and not last.strip()
    return ends_empty


def _row_ends(path, delimiter):
    """Give of each row the line it begins in, the number of cells, and the last cell."""
    number = 1
    with _open_text(path) as file:
        for line in file:
            n_lines = 1
            if '"' in line:  # cells may hold delimiters and line breaks
                reader = csv.reader(chain([line], file), delimiter=delimiter)
                cells = next(reader)
                n_cells, last, n_lines = len(cells), cells[-1], reader.line_num
            else:  # much quicker where there are thousands of columns
                n_cells, last = line.count(delimiter) + 1, line.rpartition(delimiter)[2]
            if line.strip():
                yield number, n_cells, last
            number += n_lines


def _check_names(path, names):
    """Refuse columns without a name and columns that share one."""
    nameless = [position for position, name in enumerate(names, start=1) if not str(name).strip()]
    if nameless:
        raise InputError(
            f"{path}: column {nameless[0]} has no name in the header; name every column"
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            f"{path}: several columns have the same name: {quoted(repeated)}; "
            "rename them or keep one of each"
        )
