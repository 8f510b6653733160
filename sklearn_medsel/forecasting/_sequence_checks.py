"""Checks of what a `CineSequence` is made of; each gives an array of the documented form.

Messages name the argument, the row and the plane, and show no values of a patient.
"""

import numpy as np
import pandas as pd

from sklearn_medsel._validation import list_rows
from sklearn_medsel.forecasting._frame_store import chunks

PLANES = ("coronal", "sagittal", "axial")
_LARGEST_JUMP = 100.0  # mm between two steps; no organ does that


def check_frames(frames, ndim, name="frames"):
    """Array of frames, as it is where it is one; its dtype is uint8 or float."""
    if not isinstance(frames, np.ndarray):
        frames = stack(frames, name)
    if frames.ndim != ndim:
        form = "(n_steps, n_planes, height, width)" if ndim == 4 else "(n_frames, height, width)"
        raise ValueError(
            f"{name} must have the shape {form}, found {frames.shape}. CineSequence.from_frames "
            "takes frames of one plane and a dict of planes as well."
        )
    if 0 in frames.shape:
        raise ValueError(f"{name} is empty: its shape is {frames.shape}.")
    kind, itemsize = frames.dtype.kind, frames.dtype.itemsize
    is_known = frames.dtype == np.uint8 or (kind == "f" and itemsize <= 8)
    if not is_known or not frames.dtype.isnative:
        raise ValueError(
            f"{name} must be uint8 or a float of 16, 32 or 64 bits in native byte order, found "
            f"{frames.dtype.str!r}. Convert it, such as with .astype(np.float32)."
        )
    return frames


def check_frame_values(store, mask, planes):
    """Refuse NaN and infinity in frames that were acquired; a few megabytes are read at a time."""
    if store.dtype.kind != "f":
        return
    n_steps, n_planes, height, width = store.shape
    for chunk in chunks(n_steps, n_planes * height * width * store.dtype.itemsize):
        finite = np.isfinite(store.take(chunk).read()).all(axis=(2, 3))
        step, plane = np.nonzero(~finite & mask[chunk])
        if step.size:
            raise ValueError(
                f"frames holds NaN or infinity at row {chunk.start + step[0]}, plane "
                f"{planes[plane[0]]!r}. Mark frames that were not acquired as False in mask, and "
                "repair the others first."
            )


def check_planes(planes, n_planes):
    """Tuple of distinct names, one per plane."""
    planes = (planes,) if isinstance(planes, str) else tuple(planes)
    if not all(isinstance(plane, str) and plane for plane in planes):
        raise TypeError("planes must be names, such as ('coronal', 'sagittal').")
    if len(set(planes)) < len(planes):
        raise ValueError(f"planes must be distinct, found {planes}.")
    if len(planes) != n_planes:
        raise ValueError(
            f"planes has {len(planes)} name(s), but frames has {n_planes} plane(s). Give one name "
            "per plane, in the order of axis 1 of frames."
        )
    return tuple(map(str, planes))


def check_times(t, n_steps, name="t"):
    """Finite seconds, float64 of shape (n_steps,); their order is checked elsewhere."""
    t = np.asarray(t)
    if t.dtype.kind not in "iuf":
        raise ValueError(
            f"{name} must be numbers, in seconds, found {t.dtype}. Dates and durations are "
            "converted by (time - time[0]).total_seconds()."
        )
    if t.shape != (n_steps,):
        raise ValueError(
            f"{name} must have one time per step, so the shape ({n_steps},), found {t.shape}."
        )
    wrong = ~np.isfinite(t)
    if wrong.any():
        raise ValueError(
            f"{name} is NaN or infinite at {list_rows(wrong)}. Leave out steps without a time."
        )
    return t.astype(np.float64)


def check_labels(labels, n_steps, name):
    """One label per step: numbers or text, none of them missing."""
    labels = np.asarray(labels)
    missing = np.atleast_1d(pd.isna(labels))
    if missing.any():
        raise ValueError(f"{name} is missing at {list_rows(missing)}. Name it, such as 'A'.")
    if labels.dtype == object:
        labels = np.array(labels.tolist())
    if labels.ndim == 0:
        labels = np.full(n_steps, labels[()])
    if labels.shape != (n_steps,):
        raise ValueError(
            f"{name} must be one label or one per step, so the shape ({n_steps},), found "
            f"{labels.shape}."
        )
    if labels.dtype.kind not in "biufU":
        raise ValueError(f"{name} must be numbers or text, found {labels.dtype}.")
    return labels


def check_order(t, patient, sequence, name="t"):
    """Find where sequences start; refuse times that go back and rows of sequences that are mixed.

    Returns the row of the first step of each row's own sequence, shape (n_steps,).
    """
    if not len(t):
        return np.zeros(0, int)
    code = _joint_code(patient, sequence)
    starts = np.r_[True, code[1:] != code[:-1]]
    begun = np.flatnonzero(starts)
    again = np.ones(begun.size, bool)
    again[np.unique(code[begun], return_index=True)[1]] = False
    if again.any():
        raise ValueError(
            f"patient and sequence: the sequence at row {begun[again][0]} has rows further up, "
            "with other sequences between. Sort the rows by patient, sequence and time, or give "
            "separate sequences separate labels."
        )
    wrong = ~starts & (np.diff(t, prepend=-np.inf) <= 0)
    if wrong.any():
        raise ValueError(
            f"{name} must grow from row to row within a sequence, but goes back or repeats at "
            f"{list_rows(wrong)}. Sort the rows by time and remove repeated ones; where a new "
            "recording starts, give it another label in sequence."
        )
    return begun[np.cumsum(starts) - 1]


def check_mask(mask, shape):
    """Boolean array of the shape of steps and planes."""
    if mask is None:
        return np.ones(shape, bool)
    mask = np.asarray(mask)
    if mask.shape != shape:
        raise ValueError(
            f"mask must have the shape (n_steps, n_planes) = {shape}, found {mask.shape}."
        )
    if mask.dtype != bool:
        raise ValueError(f"mask must be True (acquired) or False, found {mask.dtype}.")
    return mask.copy()


def check_pixel_mm(pixel_mm, shape):
    """Pixel sizes, float64 of the shape of steps and planes."""
    pixel_mm = np.asarray(pixel_mm)
    if pixel_mm.dtype.kind not in "iuf":
        raise ValueError(f"pixel_mm must be numbers, in mm, found {pixel_mm.dtype}.")
    if pixel_mm.shape not in ((), shape[1:], shape):
        raise ValueError(
            f"pixel_mm must be one number, one per plane {shape[1:]} or one per step and plane "
            f"{shape}, found the shape {pixel_mm.shape}."
        )
    if not (np.isfinite(pixel_mm) & (pixel_mm > 0)).all():
        raise ValueError("pixel_mm must be finite and larger than 0, in mm.")
    return np.broadcast_to(pixel_mm, shape).astype(np.float64)


def check_positions(positions, first):
    """Positions in mm, float64 of shape (n_steps, n_dims), or None.

    `first` is what `check_order` returns; jumps are looked for within a sequence.
    """
    if positions is None:
        return None
    positions = np.asarray(positions)
    if positions.dtype.kind not in "iuf":
        raise ValueError(f"positions must be numbers, in mm, found {positions.dtype}.")
    if positions.ndim != 2 or len(positions) != len(first) or positions.shape[1] not in (1, 2, 3):
        raise ValueError(
            f"positions must have the shape (n_steps, n_dims) = ({len(first)}, 1 to 3), found "
            f"{positions.shape}."
        )
    positions = positions.astype(np.float64)
    infinite = np.isinf(positions).any(axis=1)
    if infinite.any():
        raise ValueError(
            f"positions is infinite at {list_rows(infinite)}. Give NaN where it is not known."
        )
    far = _jumps(positions, first) > _LARGEST_JUMP
    if far.any():
        raise ValueError(
            f"positions jumps by more than {_LARGEST_JUMP:.0f} mm at {list_rows(far)}: probably "
            "it is in other units. Give mm, and another label in sequence where a recording "
            "starts that has another origin."
        )
    return positions


def _jumps(positions, first):
    """Distance of each row from the positions known last in its sequence; 0 where there is none."""
    known = ~np.isnan(positions)
    row = np.arange(len(positions))[:, None]
    last = np.maximum.accumulate(np.where(known, row, -1), axis=0)
    before = np.vstack([np.full((1, positions.shape[1]), -1), last])[:-1]
    moved = positions - np.take_along_axis(positions, np.maximum(before, 0), axis=0)
    return np.linalg.norm(np.where(known & (before >= first[:, None]), moved, 0.0), axis=1)


def _joint_code(patient, sequence):
    """One whole number per pair of labels."""
    patients, sequences = (np.unique(x, return_inverse=True)[1] for x in (patient, sequence))
    return patients * (sequences.max() + 1) + sequences


def stack(frames, name):
    """Array of a list of frames, which must be of one size."""
    try:
        return np.asarray(frames)
    except ValueError:
        shapes = [np.shape(frame) for frame in frames]
    other = [shape != shapes[0] for shape in shapes]
    raise ValueError(
        f"{name} changes its size at {list_rows(other)}, compared to row 0. Frames of a plane must "
        "all have one size: crop or resample them first."
    )
