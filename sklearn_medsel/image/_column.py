"""Images in a column of a table: which cells may be there, and the column read as small images."""

import os
from numbers import Integral
from typing import NamedTuple

import numpy as np
import pandas as pd

from sklearn_medsel.base import one_blas_thread
from sklearn_medsel.image._cache import resolve_cache, small_images
from sklearn_medsel.image._reading import VOLUMES

__all__ = ["ImageColumn", "check_column", "read_images"]

_CELLS = "a path, bytes, a 2-D array, a list of these, or None"
_FORMS = f"Pass a Series, a DataFrame with one column, or a list; a cell is {_CELLS}"
_LEAST_SIZE = 8


class ImageColumn(NamedTuple):
    """A checked column, not read yet.

    Attributes
    ----------
    cells : list of list
        Sources of the images of each patient; an empty list where there is none.
    labels : list
        Label of each row, for error messages.
    name : str
        What error messages call the column.
    """

    cells: list
    labels: list
    name: str

    def missing(self):
        """Tell whose images are missing, as a Boolean array."""
        return np.array([not cell for cell in self.cells])


def read_images(column, *, size=64, image_root=None, cache=None, volume="orthogonal", name="image"):
    """Read a column of images as small grey images of one size.

    Parameters
    ----------
    column : Series, DataFrame with one column, list or array of shape (n_patients,)
        One cell for each patient: a path (relative to `image_root`), the bytes of a file, an array
        (h, w), a list of several of these, or missing (None, NaN, NA or an empty list). Files may
        be PNG, JPEG, TIFF, DICOM or NIfTI; what they are is told by their content.
    size : int, default=64
        Side of the images, in pixels. An image is averaged over areas; its proportions are lost.
    image_root : str, path or None, default=None
        Folder that relative paths start from; None: the current one.
    cache : None, False or ImageCache, default=None
        Where images are kept once they are decoded. None: a cache in memory that everything in
        this process shares. False: none.
    volume : {"orthogonal", "axial"}, default="orthogonal"
        What stands for a volume (NIfTI): the middle slice along each axis, or three axial slices.
        They count as three images. Of a file with a single slice, ``"orthogonal"`` takes that one.
    name : str, default="image"
        What error messages call the column, where it has no name of its own.

    Returns
    -------
    images : ndarray of shape (n_images, size, size), float32
        Grey values from 0 (black) to 1 (white), patients in order.
    counts : ndarray of shape (n_patients,), int
        Number of images of each patient; 0 where they are missing.

    Raises
    ------
    ValueError
        If a cell holds something else, a file is not there or cannot be read, or a DICOM file has
        no pixels. The message names the column and the label of the row, and shows neither
        content nor path.
    ImportError
        If a package of the extra ``image`` is needed and not installed.

    Notes
    -----
    Grey values of PNG, JPEG and TIFF are shares of the largest value that the file can hold. Those
    of DICOM are rescaled and seen through the window or the lookup tables of the file, or from the
    lowest to the highest where it has none. Those of NIfTI lie between the percentiles 0.5 and
    99.5 of the volume. Of files with several frames or pages the middle one is read; of a JPEG with
    several pictures (MPO) the first, as the others are previews or what the other eye sees. Nothing
    but pixels is kept of a file.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.image import read_images
    >>> left, right = np.zeros((20, 10), np.uint8), np.full((20, 10), 255, np.uint8)
    >>> images, counts = read_images([[left, right], None, left], size=16)
    >>> images.mean((1, 2)).tolist(), counts.tolist()
    ([0.0, 1.0, 0.0], [2, 0, 1])
    """
    checked = check_column(column, name=name)
    return read_column(checked, size=size, image_root=image_root, cache=cache, volume=volume)


def read_column(column, *, size, image_root, cache, volume, on_patient=None):
    """Read an `ImageColumn`; as `read_images`. ``on_patient()`` is called after each patient."""
    if not isinstance(size, Integral) or isinstance(size, bool) or size < _LEAST_SIZE:
        raise ValueError(f"size must be a whole number of at least {_LEAST_SIZE}, found {size!r}.")
    if volume not in VOLUMES:
        raise ValueError(f"volume must be one of {VOLUMES}, found {volume!r}.")
    if not isinstance(image_root, str | os.PathLike | None):
        raise ValueError(
            f"image_root must be a str, a path or None, found {type(image_root).__name__}."
        )
    cache, size = resolve_cache(cache), int(size)
    images, counts = [np.empty((0, size, size), np.float32)], []
    with one_blas_thread():
        for cell, label in zip(column.cells, column.labels, strict=True):
            before = len(images)
            for source in cell:
                try:
                    images.append(
                        small_images(
                            source, size=size, image_root=image_root, volume=volume, cache=cache
                        )
                    )
                except ValueError as error:
                    raise ValueError(
                        f"{column.name}: the image at row {label!r} {error}."
                    ) from None
            counts.append(sum(len(part) for part in images[before:]))
            if on_patient is not None:
                on_patient()
    return np.concatenate(images), np.array(counts, dtype=np.int64)


def check_column(column, *, name="image"):
    """Check the cells of a column, without opening any file.

    Parameters
    ----------
    column : object
        As in `read_images`.
    name : str, default="image"
        What error messages call it.

    Returns
    -------
    ImageColumn

    Raises
    ------
    ValueError
        If the column is empty, has another form, or a cell has.
    """
    labels = None
    if isinstance(column, pd.DataFrame):
        if column.shape[1] != 1:
            raise ValueError(
                f"{name} must be one column, got {column.shape[1]} columns. Select one, as by "
                "X['image']."
            )
        column = column.iloc[:, 0]
    if isinstance(column, pd.Series):
        labels = column.index.tolist()
        name = name if column.name is None else f"column {str(column.name)!r}"
        column = list(column)
    elif isinstance(column, np.ndarray):
        if column.ndim == 2 and column.shape[1] == 1 and column.dtype.kind in "OUS":
            column = column[:, 0]
        if column.ndim == 0 or (column.ndim != 1 and column.dtype.kind in "OUS"):
            raise ValueError(f"{name} has the shape {column.shape}. {_FORMS}.")
        if column.ndim == 2:
            raise ValueError(f"{name} is a single array. {_FORMS}: [array].")
    elif isinstance(column, str | bytes | os.PathLike):
        raise ValueError(f"{name} is a single {type(column).__name__}. {_FORMS}: [image].")
    elif not isinstance(column, list | tuple):
        raise ValueError(f"{name} is a {type(column).__name__}. {_FORMS}.")
    values = list(column)
    if not values:
        raise ValueError(f"{name} is empty: at least one row is needed.")
    labels = list(range(len(values))) if labels is None else labels
    cells, wrong, kinds = [], np.zeros(len(values), bool), []
    for row, value in enumerate(values):
        cell = [one for one in _as_list(value) if not _is_missing(one)]
        unfit = [one for one in cell if not _is_source(one)]
        if unfit:
            wrong[row] = True
            kinds.append(_kind(unfit[0]))
        cells.append([_plain(one) for one in cell])
    if wrong.any():
        first = labels[int(np.flatnonzero(wrong)[0])]
        others = "" if wrong.sum() == 1 else f" (and {int(wrong.sum()) - 1} more rows)"
        raise ValueError(
            f"{name} holds {kinds[0]} at row {first!r}{others}. A cell must be {_CELLS}."
        )
    return ImageColumn(cells, labels, name)


def _as_list(value):
    """Sources in a cell; an array of objects is a list, as parquet gives lists."""
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "OUS":
        return list(value)
    return [value]


def _is_source(value):
    if isinstance(value, np.ndarray):
        return value.ndim == 2 and value.size > 0 and value.dtype.kind in "biuf"
    return isinstance(value, str | bytes | os.PathLike)


def _plain(source):
    """Text as Python's own, and a masked array with NaN for what is masked."""
    if isinstance(source, np.ma.MaskedArray) and source.dtype.kind in "biuf":
        return source.astype(np.float64).filled(np.nan)
    return str(source) if isinstance(source, np.str_) else source


def _is_missing(value):
    """Tell whether a value stands for a missing one: None, NaN, NA or NaT."""
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _kind(value):
    """Name a kind of value without showing it."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return f"a value of type {type(value).__name__}"
