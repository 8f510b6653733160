"""Grey values from 0 to 1, and images brought to one size; for every format alike."""

import functools

import numpy as np

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's


def grey_from_integers(values, bits=None):
    """Scale whole numbers by the range of their type, or of the bits that are used."""
    if values.dtype.kind == "b":
        return values.astype(np.float32)
    highest = np.iinfo(values.dtype).max if bits is None else 2**bits - 1
    return np.clip(values.astype(np.float32) / np.float32(highest), 0, 1)


def grey_from_range(values, lowest=None, highest=None):
    """Scale numbers so that ``lowest`` is 0 and ``highest`` is 1; by default their own range."""
    values = np.asarray(values, np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        raise ValueError("has no finite value")
    lowest = values[finite].min() if lowest is None else lowest
    highest = values[finite].max() if highest is None else highest
    values = np.nan_to_num(values, nan=lowest, posinf=highest, neginf=lowest)
    span = highest - lowest
    if span <= 0:
        return np.zeros(values.shape, np.float32)
    return np.clip((values - lowest) / span, 0, 1).astype(np.float32)


def grey_from_array(values):
    """Scale an array: unsigned numbers by their type, 0 to 1 as it is, others by their range."""
    if values.dtype.kind in ("b", "u"):
        return grey_from_integers(values)
    if values.dtype.kind not in "if":
        raise ValueError(f"is an array of dtype {values.dtype}; images are arrays of numbers")
    if values.dtype.kind == "f" and np.isfinite(values).all():
        lowest, highest = values.min(), values.max()
        if lowest >= 0 and highest <= 1:
            return values.astype(np.float32)
    return grey_from_range(values)


def luminance(colours):
    """Turn red, green and blue (h, w, 3) into grey (h, w)."""
    return colours[..., :3].astype(np.float32) @ _LUMINANCE


def resize(image, size):
    """Average ``image`` (h, w) over the areas that ``size`` times ``size`` pixels cover.

    The sides are treated apart, so that the whole image is kept and not its proportions.
    """
    down, across = (area_weights(length, size) for length in image.shape)
    return np.clip(down @ image.astype(np.float32) @ across.T, 0, 1)


@functools.lru_cache(maxsize=64)
def area_weights(length, n_parts):
    """Give the share of each of ``length`` pixels in each of ``n_parts`` equal parts of them."""
    edges = np.arange(n_parts + 1) * length / n_parts
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = (np.clip(overlap, 0, None) * n_parts / length).astype(np.float32)
    weights.flags.writeable = False
    return weights
