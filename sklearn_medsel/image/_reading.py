"""One image, from a path or from bytes, as grey values: the format is told by the content.

Every reader raises a `ValueError` that says what is wrong and shows nothing of the image, of its
header or of its name: file names can be names of patients. Who calls puts column and row before it.
"""

import io
import os
import zlib
from pathlib import Path

from sklearn_medsel.image._dicom import read_dicom
from sklearn_medsel.image._nifti import read_nifti
from sklearn_medsel.image._pillow import read_picture

VOLUMES = ("orthogonal", "axial")
_PICTURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_GZIP = b"\x1f\x8b"
_HEADER = 352  # bytes; enough to tell every format


def read_image(source, *, image_root=None, volume="orthogonal"):
    """Read one image.

    Parameters
    ----------
    source : str, path or bytes
        A file, or the content of one: PNG, JPEG, TIFF, DICOM or NIfTI (``.nii``, ``.nii.gz``).
    image_root : str, path or None, default=None
        Folder that relative paths start from; None: the current one.
    volume : {"orthogonal", "axial"}, default="orthogonal"
        Slices of a volume (NIfTI): the middle one of each axis, or three axial ones.

    Returns
    -------
    list of ndarray of shape (h, w), float32
        Grey values from 0 (black) to 1 (white): one image, or the slices of a volume.

    Raises
    ------
    ValueError
        If the file is not there or cannot be read.
    ImportError
        If a package of the extra ``image`` is needed and not installed.
    """
    content = source if isinstance(source, bytes) else read_bytes(find(source, image_root))
    kind = _kind(content)
    try:
        if kind == "DICOM":
            return [read_dicom(content)]
        if kind == "NIfTI":
            return read_nifti(content, volume)
        return [read_picture(content, kind)]
    except MemoryError:
        raise ValueError("is too large for the memory of this machine") from None


def find(source, image_root):
    """Give the path of an image; whether it is there is seen when it is opened."""
    if not str(os.fspath(source)).strip():
        raise ValueError("is an empty text; give a path, or None where there is no image")
    return Path(image_root or "").expanduser() / Path(source)


def read_bytes(path):
    """Read a file whole, its name left out of every message."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise ValueError(why_not(error)) from None


def why_not(error):
    """Say why a file cannot be opened, without its name."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "is a path at which there is no file; relative paths start from image_root"
    if isinstance(error, IsADirectoryError):
        return "is the path of a folder; give the path of an image file"
    if isinstance(error, PermissionError):
        return "is a file that may not be read; see its permissions"
    return f"is a path that cannot be opened ({type(error).__name__})"


def _kind(content):
    """Tell the format from the first bytes."""
    if not content:
        raise ValueError("is empty: a file or text of zero bytes")
    for magic, kind in _PICTURES.items():
        if content.startswith(magic):
            return kind
    if content[128:132] == b"DICM":
        return "DICOM"
    start = content[:_HEADER]
    if content.startswith(_GZIP):
        start = _first_of_gzip(content)
    if start[344:348] == b"n+1\0" or start[4:8] == b"n+2\0":
        return "NIfTI"
    raise ValueError(
        "is no image that can be read, judged by its first bytes; PNG, JPEG, TIFF, DICOM and NIfTI "
        "can be"
    )


def _first_of_gzip(content):
    """Unpack the first bytes of a gzip file."""
    try:
        unpacker = zlib.decompressobj(wbits=31)
        return unpacker.decompress(io.BytesIO(content).read(2**16), _HEADER)
    except zlib.error:
        return b""
