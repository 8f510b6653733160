"""`Recording`: the frames of one patient's recording as the image tracker learns from them."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Recording:
    """One recording of one patient.

    Attributes
    ----------
    t : ndarray of shape (n_steps,)
        Times in s, growing.
    frames : ndarray of shape (n_steps, n_planes, height, width)
        Images, planes in the tracker's order.
    mask : ndarray of shape (n_steps, n_planes), bool
        True where the plane was acquired.
    pixel_mm : ndarray of shape (n_planes,)
        Side of a pixel in mm.
    positions : ndarray of shape (n_steps, n_dims)
        Known positions in mm, NaN where they are not known.
    """

    t: np.ndarray
    frames: np.ndarray
    mask: np.ndarray
    pixel_mm: np.ndarray
    positions: np.ndarray
