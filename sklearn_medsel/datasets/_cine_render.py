"""Frames of `make_cine_phantom`: planes fixed in space through an anatomy that moves."""

import numpy as np
from scipy.ndimage import map_coordinates

# Axes (0 SI, 1 AP, 2 LR) along the rows and columns of each plane.
PLANE_AXES = {"coronal": (0, 2), "sagittal": (0, 1), "axial": (1, 2)}

_GREY = 200.0  # grey value of what has the value 1 in an anatomy
_BATCH = 2_000_000  # samples interpolated at a time
_BLOCK = 256  # frames that get their noise at a time


class PlaneView:
    """One plane through an anatomy."""

    def __init__(self, rng, anatomy, plane, size, pixel_mm):
        self._rng = rng
        rows, columns = PLANE_AXES[plane]
        h = (np.arange(size) - (size - 1) / 2) * pixel_mm
        place = np.zeros((3, size, size))
        place[rows], place[columns] = h[:, None], h[None, :]
        self._anatomy, self._shape = anatomy, (size, size)
        self._points = place.reshape(3, -1) / anatomy.voxel_mm + anatomy.origin[:, None]
        self._mobility = map_coordinates(
            anatomy.mobility, self._points, order=1, mode="nearest"
        ).astype(np.float32)
        self._points = self._points.astype(np.float32)
        # The spine coil is brighter at the back; each plane has a shading of its own besides.
        tilt = 1 + rng.uniform(-0.15, 0.15, 2) @ place[[rows, columns]].reshape(2, -1) / (h[-1] + 1)
        self._gain = (_GREY * tilt * _coil(place[1].ravel()) / _coil(0.0)).astype(np.float32)

    def render(self, displacement):
        """Grey values (n, size, size), float32, at displacements (n, n_exposure, 3) in mm."""
        n, n_exposure, _ = displacement.shape
        moved = (displacement / self._anatomy.voxel_mm).astype(np.float32)
        frames = np.empty((n, self._points.shape[1]), dtype=np.float32)
        batch = max(1, _BATCH // (n_exposure * self._points.shape[1]))
        for k in range(0, n, batch):
            shift = moved[k : k + batch].transpose(2, 0, 1)[..., None] * self._mobility
            where = self._points[:, None, None, :] - shift
            values = map_coordinates(self._anatomy.image, where, order=1, mode="nearest")
            frames[k : k + batch] = values.mean(axis=1)
        return (frames * self._gain).reshape(n, *self._shape)

    def acquire(self, displacement, mask, noise, out):
        """Write noisy uint8 frames to out (n, size, size) where mask is true.

        Noise is drawn for the other frames too, so that it does not depend on the mask.
        """
        for k in range(0, len(out), _BLOCK):
            block = slice(k, k + _BLOCK)
            here = mask[block]
            shape = (len(here), *self._shape)
            real = noise * self._rng.standard_normal(shape, dtype=np.float32)
            other = noise * self._rng.standard_normal(shape, dtype=np.float32)
            frames = self.render(displacement[block][here]) + real[here]
            out[block][here] = np.hypot(frames, other[here]).clip(0, 255)


def _coil(back):
    """Sensitivity of the receive coils along AP."""
    return 0.55 + 0.9 * np.exp(-((back - 56) ** 2) / (2 * 70.0**2))
