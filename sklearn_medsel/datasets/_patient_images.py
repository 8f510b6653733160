"""Images of made patients: a slice through a chest, with a lesion that shows one factor."""

import io
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

SUFFIXES = {"png": ".png", "jpeg": ".jpg", "tiff": ".tiff"}

# All lengths are in halves of the picture's side, so that a picture looks alike at any size;
# all brightnesses are between 0 (air) and 1.
_AIR, _FAT, _TISSUE, _LUNG, _HEART, _BONE = 0.02, 0.30, 0.46, 0.13, 0.56, 0.88
_BODY = (0.90, 0.70)
_LUNGS = ((-0.42, -0.02), (0.42, -0.02))  # centres
_LUNG_AXES = (0.31, 0.44)
_HEART_PLACE = (0.10, -0.08, 0.23, 0.25)
_SPINE = (0.0, 0.45, 0.13)
_N_VESSELS = 7
_LESION_RADIUS = 0.105
_NOISE = 0.03


def import_pillow():
    """Return the module ``PIL.Image``, or say how to install it."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'make_patients writes images with Pillow: pip install "sklearn-medsel[image]".'
        ) from error
    return Image


def draw_chest(rng, factor, size):
    """Draw one patient.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the anatomy, the lesion's place and the noise.
    factor : float
        The image factor, in standard deviations: the lesion's size, brightness and roughness.
    size : int
        Height and width of the picture, in pixels.

    Returns
    -------
    picture : ndarray of shape (size, size), uint8
        Grey values.
    lesion : tuple of float
        Row and column of the lesion's centre and its mean radius, in pixels.
    """
    line = (np.arange(size) + 0.5) * 2 / size - 1
    v, u = np.meshgrid(line, line, indexing="ij")
    soft = 1.2 / size  # edges as soft as the pixels are large
    width, height = np.array(_BODY) * rng.uniform(0.92, 1.04, 2)
    shift_u, shift_v = rng.normal(0, 0.02, 2)
    u, v = u - shift_u, v - shift_v
    coarse, fine = _smooth_noise(rng, size, 0.08), _smooth_noise(rng, size, 0.02)

    body = np.hypot(u / width, v / height)
    picture = _AIR + (_FAT - _AIR) * _inside(1 - body, soft)
    picture += (_TISSUE - _FAT + 0.03 * coarse) * _inside(0.92 - body, soft)
    _draw_ribs(rng, picture, u, v, (0.94 * width, 0.94 * height))
    for side, (centre_u, centre_v) in enumerate(_LUNGS):
        axes = np.array(_LUNG_AXES) * rng.uniform(0.93, 1.05, 2)
        inside = _inside(1 - np.hypot((u - centre_u) / axes[0], (v - centre_v) / axes[1]), 2 * soft)
        air = _LUNG + 0.02 * fine + 0.02 * coarse + _vessels(rng, u, v, side, soft)
        picture += inside * (air - picture)
    centre_u, centre_v, half_u, half_v = _HEART_PLACE
    heart = _inside(1 - np.hypot((u - centre_u) / half_u, (v - centre_v) / half_v), 2 * soft)
    picture += heart * (_HEART + 0.02 * coarse - picture)
    spine = _inside(1 - np.hypot(u - _SPINE[0], v - _SPINE[1]) / _SPINE[2], 2 * soft)
    picture += spine * (_BONE + 0.04 * fine - picture)

    (inside, level), (at_u, at_v, radius) = _lesion(rng, factor, u, v, fine)
    picture += inside * np.maximum(level - picture, 0)  # never darker than what it lies on
    picture = picture * rng.uniform(0.95, 1.05) + _NOISE * rng.standard_normal(picture.shape)
    pixels = size / 2
    place = ((at_v + shift_v + 1) * pixels - 0.5, (at_u + shift_u + 1) * pixels - 0.5)
    return np.round(255 * picture.clip(0, 1)).astype(np.uint8), (*place, radius * pixels)


def write_images(pictures, names, image_format, folder):
    """Encode pictures; return their bytes, or write them to a folder and return file names."""
    Image = import_pillow()
    suffix = SUFFIXES[image_format]
    encoded = []
    for picture in pictures:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format=image_format)
        encoded.append(buffer.getvalue())
    if folder is None:
        return encoded
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = [name + suffix for name in names]
    for file, content in zip(files, encoded, strict=True):
        (folder / file).write_bytes(content)
    return files


def _inside(depth, soft):
    """Turn a depth below an edge into a share of a pixel that lies inside."""
    return np.clip(0.5 + depth / (2 * soft), 0, 1)


def _smooth_noise(rng, size, length):
    noise = gaussian_filter(rng.standard_normal((size, size)), length * size / 2, mode="wrap")
    return noise / max(noise.std(), 1e-12)


def _draw_ribs(rng, picture, u, v, axes):
    for angle in np.linspace(0, 2 * np.pi, 11, endpoint=False) + rng.uniform(0, 0.5):
        at_u, at_v = 0.93 * axes[0] * np.cos(angle), 0.93 * axes[1] * np.sin(angle)
        along = -(u - at_u) * np.sin(angle) + (v - at_v) * np.cos(angle)
        across = (u - at_u) * np.cos(angle) + (v - at_v) * np.sin(angle)
        picture += (_BONE - _TISSUE) * np.exp(-((along / 0.09) ** 2) - (across / 0.03) ** 2)


def _vessels(rng, u, v, side, soft):
    """Lines that leave the hilum and get thinner and fainter outwards."""
    sign = 1 if side else -1
    hilum = np.array([sign * 0.2, 0.0])
    total = np.zeros_like(u)
    for _ in range(_N_VESSELS):
        angle = rng.uniform(-1.25, 1.25)
        reach = np.array([sign * np.cos(angle), np.sin(angle)])
        length, thick = rng.uniform(0.25, 0.5), rng.uniform(0.012, 0.024) + soft / 4
        along = (u - hilum[0]) * reach[0] + (v - hilum[1]) * reach[1]
        across = (v - hilum[1]) * reach[0] - (u - hilum[0]) * reach[1]
        across = across - rng.normal(0, 0.35) * along**2  # a slight bend
        share = np.clip(1 - along / length, 0, 1) * (along > 0)
        np.maximum(total, 0.3 * share * np.exp(-0.5 * (across / thick) ** 2), out=total)
    return total


def _lesion(rng, factor, u, v, fine):
    """Extent and grey level of a lesion in one of the lungs, and where it lies."""
    factor = float(np.clip(factor, -3, 3))
    centre_u, centre_v = _LUNGS[int(rng.integers(2))]
    angle, reach = rng.uniform(0, 2 * np.pi), 0.5 * np.sqrt(rng.uniform())
    at_u = 1.1 * centre_u + reach * _LUNG_AXES[0] * np.cos(angle)  # rather not behind the heart
    at_v = centre_v + reach * _LUNG_AXES[1] * np.sin(angle)
    radius = _LESION_RADIUS * np.exp(0.26 * factor)
    bright = 0.52 + 0.12 * factor
    rough = 0.02 + 0.10 / (1 + np.exp(-factor))
    away, turn = np.hypot(u - at_u, v - at_v), np.arctan2(v - at_v, u - at_u)
    spikes, phase = int(rng.integers(6, 10)), rng.uniform(0, 2 * np.pi)
    edge = radius * (1 + 1.5 * rough * np.cos(spikes * turn + phase))
    inside = 1 / (1 + np.exp(np.clip((away - edge) / (0.12 * radius), -40, 40)))
    return (inside, bright + rough * fine), (at_u, at_v, radius)
