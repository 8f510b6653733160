"""What an image looks like, region by region, without training: edges, grey value and texture.

Edges follow Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005,
with one normalisation for the whole image. Texture is the energy in three bands of size, each the
difference of two blurred images.
"""

import numpy as np

from sklearn_medsel.base import one_blas_thread
from sklearn_medsel.image._grey import area_weights

__all__ = ["texture_features"]

_GRID = 6  # regions along each side
_ANGLES = 8
_BANDS = ("fine", "medium", "coarse")
_BLURS = (1 / 64, 2 / 64, 4 / 64)  # standard deviations, as shares of the side
_FLOOR = 1e-2  # of the image's standard deviation; less is noise of the file format
_AT_ONCE = 256  # images


def texture_features(images):
    """Describe each image by the edges, the grey value and the texture of 6 x 6 regions.

    Nothing is learnt, and no feature changes when an image becomes brighter or gains contrast as a
    whole.

    Parameters
    ----------
    images : array-like of shape (n_images, size, size)
        Grey images, such as `read_images` gives; sides of at least 8 pixels.

    Returns
    -------
    features : ndarray of shape (n_images, 432), float64
        Features, region by region.
    names : list of str
        For each region, such as ``row2_col3`` (third row from above, fourth column from the left):

        - ``edge0``, ``edge22`` ... ``edge157``: square root of the share of the image's edges
          that lie there in this direction, in degrees; 0 is a level edge, 45 one that rises to the
          right, 90 an upright one.
        - ``mean``: mean grey value, in standard deviations from that of the image.
        - ``fine``, ``medium``, ``coarse``: log of the standard deviation within structures of
          about 2, 4 and 8 percent of the side.

    Raises
    ------
    ValueError
        If `images` has another shape or holds numbers that are not finite.

    References
    ----------
    N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", IEEE Conference
    on Computer Vision and Pattern Recognition (2005) 886-893.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.image import texture_features
    >>> image = np.zeros((64, 64))
    >>> image[44:53, 12:21] = 1  # a bright square
    >>> features, names = texture_features(image[None])
    >>> names[features[0].argmax()], len(names)
    ('row4_col1_mean', 432)
    """
    images = np.asarray(images)
    if images.ndim != 3 or min(images.shape[1:]) < _GRID + 2:
        raise ValueError(
            f"images must have the shape (n_images, size, size) with sides of at least "
            f"{_GRID + 2} pixels, got {images.shape}."
        )
    if images.dtype.kind not in "biuf" or not np.isfinite(images).all():
        raise ValueError("images must hold finite numbers; read_images gives such.")
    parts = range(0, len(images), _AT_ONCE)
    with one_blas_thread():
        described = [_describe(images[k : k + _AT_ONCE].astype(np.float32)) for k in parts]
    names = texture_names()
    described = np.concatenate([np.empty((0, len(names))), *described])
    return described, names


def texture_names():
    """Names of the features, in order."""
    angles = [f"edge{int(180 * k / _ANGLES)}" for k in range(_ANGLES)]
    places = [(row, column) for row in range(_GRID) for column in range(_GRID)]
    kinds = [*angles, "mean", *_BANDS]
    return [f"row{row}_col{column}_{kind}" for row, column in places for kind in kinds]


def _describe(images):
    """Features of some images (n, h, w)."""
    centred = images - images.mean((1, 2), keepdims=True)
    spread = np.sqrt(np.square(centred).mean((1, 2), keepdims=True))
    images = centred / np.maximum(spread, 1e-6)  # an image of one grey value stays zero
    edges = _by_region(_edges(images))
    edges = np.sqrt(edges / np.maximum(edges.sum((1, 2, 3), keepdims=True), 1e-9))
    mean = _by_region(images[:, None])
    texture = np.log(np.sqrt(_by_region(_bands(images))) + _FLOOR)
    regions = np.concatenate([edges, mean, texture], 1)  # (n, kinds, rows, columns)
    return np.moveaxis(regions, 1, 3).reshape(len(images), -1).astype(np.float64)


def _edges(images):
    """Strength of the edges by direction: (n, n_angles, h, w); an edge is shared by the nearest."""
    down, right = np.gradient(images, axis=(1, 2))
    strength = np.hypot(down, right)
    # the edge is square to the gradient; rows count downwards, angles upwards
    angle = (np.arctan2(-down, right) / np.pi + 0.5) % 1 * _ANGLES
    lower = np.floor(angle)
    share = angle - lower
    lower = lower.astype(np.int8) % _ANGLES
    upper = (lower + 1) % _ANGLES
    edges = np.empty((len(images), _ANGLES, *images.shape[1:]), np.float32)
    for k in range(_ANGLES):
        edges[:, k] = strength * ((lower == k) * (1 - share) + (upper == k) * share)
    return edges


def _bands(images):
    """Squares of what each blur takes away: (n, n_bands, h, w)."""
    bands, finer = [], images
    for blur in _BLURS:
        down, across = (_blurring(length, blur * length) for length in images.shape[1:])
        coarser = down @ images @ across.T
        bands.append(np.square(finer - coarser))
        finer = coarser
    return np.stack(bands, 1)


def _blurring(length, sigma):
    """Matrix that blurs a line of pixels by a Gaussian, mirrored at its ends."""
    pixel = np.arange(length)
    mirrored = (pixel, -1 - pixel, 2 * length - 1 - pixel)
    weights = sum(np.exp(-(((pixel[:, None] - place) / sigma) ** 2) / 2) for place in mirrored)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _by_region(maps):
    """Mean of maps (n, k, h, w) over each region: (n, k, rows, columns)."""
    down, across = (area_weights(length, _GRID) for length in maps.shape[2:])
    return down @ maps @ across.T
