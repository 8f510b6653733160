"""Where the frames of a `CineSequence` lie: arrays that are never copied, and a table into them.

The table says for each step and plane which array holds the frame and where. Choosing steps or
planes and joining patients change the table only, so folds of a memory-mapped file cost nothing,
and planes that were not acquired take no memory.
"""

import mmap
from collections import namedtuple

import numpy as np

_CHUNK_BYTES = 2**24  # read at a time, so that a copy never needs twice the memory

_FilePart = namedtuple("_FilePart", "filename dtype shape offset")


class FrameStore:
    """Frames (n_steps, n_planes, height, width) that are read when they are asked for.

    Parameters
    ----------
    parts : tuple of ndarray, each of shape (n_rows, n_columns, height, width)
        The arrays, all of one dtype.
    part : ndarray of shape (n_steps, n_planes), int
        Which array holds the frame; -1 where there is none.
    at : ndarray of shape (n_steps, n_planes), int
        Where in it: row * n_columns + column.
    size : tuple of int or None, default=None
        Height and width; None takes the largest of the arrays.
    dtype : dtype or None, default=None
        Type of a pixel; None takes that of the arrays.
    """

    def __init__(self, parts, part, at, size=None, dtype=None):
        self.parts, self.part, self.at = tuple(parts), part, at
        # a store without frames has no arrays to tell them
        self.size = size or tuple(max(base.shape[axis] for base in self.parts) for axis in (2, 3))
        self.dtype = dtype or self.parts[0].dtype

    @classmethod
    def from_array(cls, frames):
        """Store of one array of shape (n_steps, n_planes, height, width)."""
        shape = frames.shape[:2]
        at = np.arange(shape[0] * shape[1], dtype=np.int64).reshape(shape)
        return cls((frames,), np.zeros(shape, np.int32), at)

    @classmethod
    def from_stacks(cls, stacks, rows):
        """Store of one array (n_frames, height, width) per plane.

        Column k of `rows`, an array of shape (n_steps, n_planes), holds the frame number in stack
        k, or -1.
        """
        part = np.where(rows >= 0, np.arange(len(stacks), dtype=np.int32), np.int32(-1))
        return cls([stack[:, None] for stack in stacks], part, np.maximum(rows, 0))

    @classmethod
    def join(cls, stores):
        """Store of the steps of several stores with equal planes, one after the other."""
        first = np.cumsum([0, *(len(store.parts) for store in stores)])
        part = [
            np.where(store.part >= 0, store.part + offset, -1).astype(np.int32)
            for store, offset in zip(stores, first, strict=False)
        ]
        parts = [base for store in stores for base in store.parts]
        at = np.concatenate([store.at for store in stores])
        size = tuple(max(store.size[axis] for store in stores) for axis in (0, 1))
        return cls(parts, np.concatenate(part), at, size, stores[0].dtype)

    @property
    def shape(self):
        """Steps, planes, height and width."""
        return (*self.part.shape, *self.size)

    def take(self, rows):
        """Store of some steps; the frame size stays."""
        return self._with_table(self.part[rows], self.at[rows])

    def take_planes(self, columns):
        """Store of some planes; -1 is a plane without frames."""
        columns = np.asarray(columns)
        part = np.where(columns >= 0, self.part[:, columns], np.int32(-1))
        return self._with_table(part, self.at[:, columns])

    def read(self):
        """Read all frames: a view where they lie regularly in one array, or else a copy.

        Smaller frames are padded with zeros at the bottom and right.
        """
        view = self._view()
        if view is not None:
            return view
        out = np.zeros(self.shape, self.dtype)
        for number, base in enumerate(self.parts):
            step, plane = np.nonzero(self.part == number)
            row, column = np.divmod(self.at[step, plane], base.shape[1])
            height, width = base.shape[2:]
            for chunk in chunks(step.size, height * width * self.dtype.itemsize):
                frames = base[row[chunk], column[chunk]]
                out[step[chunk], plane[chunk], :height, :width] = frames
        return out

    def _with_table(self, part, at):
        """Another table into the same arrays."""
        return type(self)(self.parts, part, at, self.size, self.dtype)

    def _view(self):
        """Frames as a view of the array that holds them; None where that is not possible."""
        if self.part.size == 0 or self.part[0, 0] < 0 or (self.part != self.part[0, 0]).any():
            return None
        base = self.parts[self.part[0, 0]]
        row, column = np.divmod(self.at, base.shape[1])
        if base.shape[2:] != self.size or (row != row[:, :1]).any() or (column != column[:1]).any():
            return None
        rows, columns = _as_slice(row[:, 0]), _as_slice(column[0])
        return None if rows is None or columns is None else base[rows, columns]

    def __getstate__(self):
        """A memory-mapped file goes as its name, another array as the frames that are in use."""
        part, at, parts = self.part.copy(), self.at.copy(), []
        for number, base in enumerate(self.parts):
            here = self.part == number
            if not here.any():
                continue
            kept = _file_part(base)
            if kept is None:
                kept = np.asarray(base)
                row, column = np.divmod(at[here], base.shape[1])
                rows, row = np.unique(row, return_inverse=True)
                columns, column = np.unique(column, return_inverse=True)
                if (rows.size, columns.size) != base.shape[:2]:
                    kept = kept[np.ix_(rows, columns)]
                    at[here] = row * columns.size + column
            part[here] = len(parts)
            parts.append(kept)
        return {"parts": parts, "part": part, "at": at, "size": self.size, "dtype": self.dtype}

    def __setstate__(self, state):
        parts = (
            np.memmap(kept.filename, kept.dtype, "r", kept.offset, kept.shape)
            if isinstance(kept, _FilePart)
            else kept
            for kept in state["parts"]
        )
        self.__dict__.update(state, parts=tuple(parts))


def chunks(n_items, bytes_per_item):
    """Slices that cover `n_items`, each of a few megabytes."""
    step = max(1, _CHUNK_BYTES // max(1, bytes_per_item))
    return [slice(start, start + step) for start in range(0, n_items, step)]


def _as_slice(values):
    """Slice that gives these numbers, where they rise by equal steps; else None."""
    steps = np.diff(values)
    step = int(steps[0]) if steps.size else 1
    if step < 1 or (steps != step).any():
        return None
    return slice(int(values[0]), int(values[-1]) + 1, step)


def _file_part(array):
    """Which part of which file an array is; None where it is not simply that."""
    if not isinstance(array, np.memmap) or not array.flags.c_contiguous:
        return None
    root = array
    while isinstance(root.base, np.memmap):
        root = root.base
    if not isinstance(root.base, mmap.mmap) or root.filename is None or root.mode == "c":
        return None  # not a file of its own, or changes that are not in the file
    start, stop = (a.__array_interface__["data"][0] for a in (root, array))
    return _FilePart(root.filename, array.dtype, array.shape, root.offset + stop - start)
