"""Write the zip file of a saved estimator, and read one without believing what it says.

Everything is read into memory, within limits, before any of it is looked at: the result is a
plain dict from member name to bytes.
"""

import contextlib
import io
import math
import os
import re
import secrets
import zipfile
import zlib

import numpy as np

SCHEMA = "schema.json"
METADATA = "sklearn_medsel.json"

_MAX_MEMBERS = 20_000
_MAX_TEXT_BYTES = 256 * 2**20
_CHUNK = 2**18
_DATA_NAME = re.compile(r"[0-9a-f-]{1,64}\.(npy|npz|bin)")
_CENTRAL_HEADER = b"PK\x01\x02"
_HOW_TO_FIX = "Take a fresh copy of the file, or save the estimator again."


def read_members(data, *, max_size):
    """Read every member of a saved file.

    Parameters
    ----------
    data : bytes
        The file.
    max_size : int
        Largest sum of the members' sizes, in bytes, decompressed.

    Returns
    -------
    dict of str to bytes

    Raises
    ------
    ValueError
        If the file is not such a file, is damaged, or is larger than allowed.
    """
    if not data.startswith(b"PK\x03\x04"):
        kind = "looks like a pickle, which is never opened" if data[:1] == b"\x80" else "is not"
        raise ValueError(
            f"a file written by sklearn_medsel.persistence.save was expected; this one {kind}."
        )
    # Counted before `zipfile` makes an object of each; chance adds one in four gigabytes.
    if data.count(_CENTRAL_HEADER) > _MAX_MEMBERS + 2:
        raise ValueError(f"the file has more than {_MAX_MEMBERS:,} members.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _check_listing(infos, max_size)
            members = {info.filename: _read(archive, info) for info in infos}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"the file is damaged or cut short ({error}). {_HOW_TO_FIX}") from error
    for name in (SCHEMA, METADATA):
        if name not in members:
            raise ValueError(
                f"{name} is missing from the file. Only files written by "
                "sklearn_medsel.persistence.save can be loaded."
            )
    return members


def write_members(members, compression=zipfile.ZIP_STORED):
    """Put members into a new zip file and return its bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression, compresslevel=3) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def replace_file(path, data):
    """Write beside the target, then rename: a reader sees the old file or the new one."""
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    draft = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}.part")
    # os.open rather than tempfile: the file gets the permissions a plain open would give it
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(draft, flags, 0o666)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(draft)
        raise


def check_array(name, content):
    """Refuse a .npy member whose header and bytes disagree, or which holds Python objects.

    `numpy.load` would set aside the memory a header asks for before reading, and would open a
    zip file in place of an array.
    """
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"version {version} of the array format is not supported")
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"the array {name} is damaged ({error}). {_HOW_TO_FIX}") from error
    if dtype.hasobject or dtype.itemsize == 0:
        raise ValueError(f"the array {name} has dtype {dtype}, which is never loaded.")
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or n_bytes != len(content) - stream.tell():
        raise ValueError(f"the array {name} does not have the size it declares. {_HOW_TO_FIX}")


def _check_listing(infos, max_size):
    names = [info.filename for info in infos]
    if len(infos) > _MAX_MEMBERS:
        raise ValueError(f"the file has more than {_MAX_MEMBERS:,} members.")
    if len(set(names)) < len(names):
        raise ValueError("the file has two members of one name, which save never writes.")
    for info in infos:
        name = info.filename
        if name not in (SCHEMA, METADATA) and not _DATA_NAME.fullmatch(name):
            raise ValueError(f"the file has a member {name[:80]!r}, which save never writes.")
        # bzip2 and LZMA decompress without a bound
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is compressed in a way that save never uses.")
        if name in (SCHEMA, METADATA) and info.file_size > _MAX_TEXT_BYTES:
            raise ValueError(f"{name} is larger than {_MAX_TEXT_BYTES:,} bytes.")
    total = sum(info.file_size for info in infos)
    if total > max_size:
        raise ValueError(
            f"the file unpacks to {total:,} bytes, more than max_size={max_size:,}. "
            "If you know where it comes from, give load a larger max_size."
        )


def _read(archive, info):
    """Read one member in pieces, so that a wrong declared size costs no memory."""
    pieces = []
    size = 0
    with archive.open(info) as stream:
        while piece := stream.read(_CHUNK):
            pieces.append(piece)
            size += len(piece)
    if size != info.file_size:
        raise ValueError(f"{info.filename} does not have the size it declares. {_HOW_TO_FIX}")
    return b"".join(pieces)
