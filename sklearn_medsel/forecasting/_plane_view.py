"""From frames to the features of their plane: patches found again, and what the network sees there.

`FrameReader` serves training (many frames of one plane) and a session (one frame of each plane)
by the same arithmetic.
"""

from typing import NamedTuple

import numpy as np
import torch

from sklearn_medsel.forecasting._patch_matching import (
    Matches,
    Patches,
    PatchGrid,
    grey_scale,
    local_contrast,
    reduce_frames,
    reduction,
)
from sklearn_medsel.nn.patch_ridge import PatchMap

_BRIGHT = 20.0  # grey values


class Reference(NamedTuple):
    """What is kept of a plane's reference frame.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the frame as given.
    pixel_mm : float
        Side of a pixel of it.
    frame : ndarray of shape (h, w), float32
        The reduced and scaled frame.
    scale : float
        Factor from grey values to scaled ones.
    """

    shape: tuple
    pixel_mm: float
    frame: np.ndarray
    scale: float


class Known(NamedTuple):
    """What a frame is compared with: a reference's patches and its own features."""

    grid: PatchGrid
    patches: Patches
    own: torch.Tensor
    texture: torch.Tensor


def make_reference(frame, pixel_mm):
    """Make a frame the reference of its plane; None if the frame is flat."""
    reduced = reduce_frames(frame)[0]
    scale = grey_scale(reduced)
    if not scale:
        return None
    return Reference(np.shape(frame), float(pixel_mm), reduced * np.float32(scale), scale)


class FrameReader:
    """Reads the features of frames with a trained network.

    Parameters
    ----------
    encoder : CineEncoder
        The network.
    """

    def __init__(self, encoder):
        self.encoder = encoder
        self._grids = {}

    def cut(self, reference):
        """Cut the patches of a reference; its own features are left out."""
        key = (reference.frame.shape, reference.pixel_mm * reduction(reference.shape))
        if key not in self._grids:
            self._grids[key] = PatchGrid(*key)
        grid = self._grids[key]
        patches = Patches(*(part[None] for part in grid.cut(torch.from_numpy(reference.frame))))
        return Known(grid, patches, torch.zeros(1, 1), texture(patches.spread[0]))

    def prepare(self, reference, plane):
        """Cut the patches of a reference of plane number ``plane``."""
        known = self.cut(reference)
        frame = torch.from_numpy(reference.frame)[None]
        return known._replace(own=self.read(frame, [known], torch.tensor([plane]))[0])

    def population(self, texture, plane):
        """Give the population's map of a plane, for the texture of a patient's reference."""
        with torch.no_grad():
            return PatchMap(*(x.double() for x in self.encoder.patch_map(texture, plane)))

    def scaled(self, frame, reference):
        """Reduce a frame and scale its grey values as the reference's, as a tensor (h, w)."""
        return torch.from_numpy(reduce_frames(frame)[0] * np.float32(reference.scale))

    def read(self, frames, known, plane):
        """Read the features of scaled frames of one shape and pixel size.

        Parameters
        ----------
        frames : Tensor of shape (n, h, w)
            Frames.
        known : list of Known
            What each is compared with, or one for all.
        plane : integer Tensor of shape (n,)
            Their planes.

        Returns
        -------
        features : Tensor of shape (n, n_features)
            Features minus those of the reference itself.
        likeness : Tensor of shape (n,)
            Mean correlation of the patches, by how much there is to see in each.
        """
        matches = match(frames, known)
        grid = known[0].grid
        images = local_contrast(frames) if self.encoder.n_maps else frames[:, None]
        seen = self.encoder(images, plane, places(grid, matches.shift))
        features = torch.cat([*map(_flat, measured(grid, matches)), seen], 1)
        weight = torch.stack([one.texture for one in known])
        likeness = (matches.peak * weight).sum(1)
        return features - torch.cat([one.own for one in known]), likeness


def match(frames, known):
    """Find the patches of references in scaled frames."""
    if len(known) == 1:
        patches = known[0].patches
    else:
        patches = Patches(*map(torch.cat, zip(*(one.patches for one in known), strict=True)))
    return known[0].grid.match(frames, patches)


def measured(grid, matches: Matches):
    """Features of matches that need no network, by kind."""
    shift = matches.shift * grid.pixel_mm
    return [shift, matches.brightness / _BRIGHT, matches.contrast, matches.peak]


def places(grid, shift):
    """Where patches went, in the coordinates of `CineEncoder`: (n, K, 2)."""
    size = torch.tensor(grid.shape)
    place = (grid.centres + shift + 0.5) / size * 2 - 1
    return place.flip(-1)


def texture(spread):
    """Weight of each patch by its standard deviation; they sum to one."""
    weight = spread / (spread + 10.0)
    return weight / weight.sum().clamp_min(1e-6)


def _flat(group):
    """Features of n frames as rows."""
    return group.flatten(1)
