"""Where the patches of a reference frame are in later frames: normalised cross-correlation.

A frame is cut into a grid of overlapping patches. Each is looked for at half resolution within
the reach of breathing, then at full resolution around what was found, and a parabola through the
correlation's peak gives the part of a pixel. All patches of all frames are one grouped
convolution, so that the planes of a step, or many frames of a plane, cost few calls.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, conv2d, pad

GRID = 7  # patches along each side of a frame
_LARGEST = 90  # pixels: larger frames are averaged down
_WIDEST = 13  # pixels of a patch
_REACH_MM = (26.0, 14.0)  # along rows and columns
_FINE = 2  # pixels around the coarse match
_NORMAL_SPREAD = 50.0  # grey values: what the reference's standard deviation is scaled to
_NOISE = 1.0  # grey values: keeps flat patches from matching noise
_LOCAL = 7  # pixels at half resolution: neighbourhood that shading is taken from
_SHADE = 7.0  # grey values: keeps noise in air from being blown up
_CHUNK = 32  # frames matched at once
_DOWN = torch.tensor([-1, -1, -1, 0, 0, 0, 1, 1, 1])
_RIGHT = torch.tensor([-1, 0, 1] * 3)
_FIT = torch.stack(  # slopes and curvatures of a parabola through 3 x 3 values
    [_DOWN / 6, _RIGHT / 6, _DOWN**2 - 2 / 3, _RIGHT**2 - 2 / 3, _DOWN * _RIGHT / 4], dim=1
)


class Patches(NamedTuple):
    """What is kept of a reference frame.

    Attributes
    ----------
    fine, coarse : Tensor of shape (GRID**2, size, size)
        Patches at full and half resolution, with mean zero.
    mean, spread : Tensor of shape (GRID**2,)
        Mean and standard deviation of each patch.
    """

    fine: torch.Tensor
    coarse: torch.Tensor
    mean: torch.Tensor
    spread: torch.Tensor


class Matches(NamedTuple):
    """Where the patches were found in n frames.

    Attributes
    ----------
    shift : Tensor of shape (n, GRID**2, 2)
        How far each went along rows and columns, in pixels.
    peak : Tensor of shape (n, GRID**2)
        Its correlation there.
    brightness, contrast : Tensor of shape (n, GRID**2)
        Change of its mean, in grey values, and log change of its standard deviation.
    """

    shift: torch.Tensor
    peak: torch.Tensor
    brightness: torch.Tensor
    contrast: torch.Tensor


def reduce_frames(frames):
    """Average frames (..., H, W) down to at most 90 pixels a side.

    Returns
    -------
    ndarray of shape (..., h, w), float32
        Reduced frames; rows and columns that are left over are cut off.
    factor : int
        How many pixels became one along each side.
    """
    frames = np.asarray(frames)
    factor = reduction(frames.shape)
    if factor == 1:
        return np.ascontiguousarray(frames, dtype=np.float32), 1
    height, width = (size // factor for size in frames.shape[-2:])
    cut = frames[..., : height * factor, : width * factor].astype(np.float32)
    cut = cut.reshape(*frames.shape[:-2], height, factor, width, factor)
    # sums of slices: five times as fast as mean(axis=(-3, -1))
    rows = sum(cut[..., i, :, :] for i in range(factor))
    return sum(rows[..., i] for i in range(factor)) / factor**2, factor


def reduction(shape):
    """Say how many pixels of a frame of this shape become one along each side."""
    return max(1, -(-max(shape[-2:]) // _LARGEST))


def grey_scale(reference):
    """Factor that brings grey values to one scale, whatever the scanner's; 0 for a flat frame."""
    spread = float(np.std(reference))
    flat = not spread > 1e-3 * float(np.abs(reference).max(initial=0))
    return 0.0 if flat else _NORMAL_SPREAD / spread


class PatchGrid:
    """Patches of frames of one shape and pixel size.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of a reduced frame.
    pixel_mm : float
        Side of its pixels in mm.

    Attributes
    ----------
    centres : integer Tensor of shape (GRID**2, 2)
        Row and column of the centre of each patch in the reference.
    """

    def __init__(self, shape, pixel_mm):
        self.shape, self.pixel_mm = tuple(shape), float(pixel_mm)
        height, width = shape
        side = min(_WIDEST, max(5, min(shape) // 4 | 1))
        self.half = side // 2
        self.coarse_half = max(1, self.half // 2)
        self.reach = [
            max(1, min(round(reach / (2 * pixel_mm)), size // 4))
            for reach, size in zip(_REACH_MM, shape, strict=True)
        ]
        last = [size - 1 - self.half for size in shape]
        rows, columns = (torch.linspace(self.half, end, GRID).round().long() for end in last)
        self.centres = torch.cartesian_prod(rows, columns)
        low, small = self.coarse_half, (height // 2, width // 2)
        most = torch.tensor([max(low, size - 1 - low) for size in small])
        self._coarse_centres = torch.minimum((self.centres // 2).clamp_min(low), most)
        wide = [low + reach for reach in self.reach]
        self._coarse_window = _window(self._coarse_centres, wide, self.reach, small[1])
        near = [reach - low for reach in self.reach]
        self._coarse_place = _window(self._coarse_centres, self.reach, near, small[1])
        self._coarse_patch = _window(self._coarse_centres, [low, low], [0, 0], small[1])
        self._fine_patch = _window(self.centres, [self.half] * 2, [0, 0], width)
        self._margin = self.half + _FINE
        self._rows, self._fine_offsets = _steps(self._margin, width + 2 * self._margin)
        self._local_rows, offsets = _steps(_FINE, width + 2 * _FINE)
        self._local_offsets = offsets.flatten()
        self._limit = torch.tensor([height - 1, width - 1])

    def cut(self, frame):
        """Cut the patches out of a scaled reference frame (H, W)."""
        fine = frame.flatten()[self._fine_patch]
        coarse = _half(frame[None])[0].flatten()[self._coarse_patch]
        mean = fine.mean((1, 2))
        fine, coarse = (part - part.mean((1, 2), keepdim=True) for part in (fine, coarse))
        spread, coarse_spread = (part.square().mean((1, 2)).sqrt() for part in (fine, coarse))
        fine = fine / ((spread + _NOISE) * fine[0].numel())[:, None, None]
        coarse = coarse / ((coarse_spread + _NOISE) * coarse[0].numel())[:, None, None]
        return Patches(fine, coarse, mean, spread)

    def match(self, frames, patches):
        """Find patches in scaled frames.

        Parameters
        ----------
        frames : Tensor of shape (n, H, W)
            Frames.
        patches : Patches
            Their fields have a first axis of length n, or 1 for patches common to all frames.

        Returns
        -------
        Matches
            Of every frame.
        """
        parts = []
        for start in range(0, len(frames), _CHUNK):
            chunk = frames[start : start + _CHUNK]
            here = [x.expand(len(frames), *x.shape[1:])[start : start + _CHUNK] for x in patches]
            parts.append(self._match(chunk, Patches(*here)))
        return parts[0] if len(parts) == 1 else Matches(*map(torch.cat, zip(*parts, strict=True)))

    def _match(self, frames, patches):
        """Find the patches of a few frames."""
        n, n_patches = len(frames), len(self.centres)
        (up, across), low = self.reach, self.coarse_half
        small = pad(_half(frames)[:, None], (across, across, up, up), mode="replicate")[:, 0]
        windows = small.flatten(1)[:, self._coarse_window]
        spread = _local(small, 2 * low + 1)[1].flatten(1)[:, self._coarse_place]
        best = (_products(windows, patches.coarse) / spread).flatten(2).argmax(2)
        columns = 2 * across + 1
        coarse = torch.stack([best // columns - up, best % columns - across], -1)

        centres = torch.minimum((self.centres + 2 * coarse).clamp_min(0), self._limit)
        padded = pad(frames[:, None], (self._margin,) * 4, mode="replicate")[:, 0]
        corner = (centres + self._margin) @ self._rows
        index = (corner[..., None, None] + self._fine_offsets).flatten(1)
        side = len(self._fine_offsets)
        windows = padded.flatten(1).gather(1, index).view(n, n_patches, side, side)
        mean, spread = _local(padded, 2 * self.half + 1)
        place = ((centres + _FINE) @ self._local_rows)[..., None] + self._local_offsets
        place = place.flatten(1)
        spread = spread.flatten(1).gather(1, place).view(n, n_patches, -1)
        values = _products(windows, patches.fine).flatten(2) / spread
        peak, best = values.max(2, keepdim=True)
        part = _parabola(values, best[..., 0], 2 * _FINE + 1) - _FINE
        place = place.view(n, n_patches, -1).gather(2, best)[..., 0]
        return Matches(
            shift=(centres - self.centres) + part,
            peak=peak[..., 0],
            brightness=mean.flatten(1).gather(1, place) - patches.mean,
            contrast=(spread.gather(2, best)[..., 0] / (patches.spread + _NOISE)).log(),
        )


def local_contrast(frames):
    """Halve the resolution of scaled frames (n, H, W) and take shading out: (n, 1, h, w)."""
    small = _half(frames)
    side = min(_LOCAL, (min(small.shape[1:]) - 1) | 1)
    mean, spread = _local(pad(small[:, None], (side // 2,) * 4, mode="replicate")[:, 0], side)
    return ((small - mean) / (spread + _SHADE))[:, None]


def _half(frames):
    """Halve the resolution of frames (n, H, W)."""
    return avg_pool2d(frames[:, None], 2)[:, 0]


def _steps(half, width):
    """Step of a flattened image down and right, and those to the square around a pixel."""
    offsets = torch.arange(-half, half + 1)
    return torch.tensor([width, 1]), offsets[:, None] * width + offsets


def _window(centres, half, padding, width):
    """Index (K, rows, columns) of the pixels around each centre in a flattened, padded image."""
    width = width + 2 * padding[1]
    rows, columns = (torch.arange(-size, size + 1) for size in half)
    corner = (centres + torch.tensor(padding)) @ torch.tensor([width, 1])
    return corner[:, None, None] + rows[:, None] * width + columns


def _parabola(values, best, side):
    """Place of the peak, in (row, column), of correlations (n, K, side**2) around their best."""
    row, column = (best // side).clamp(1, side - 2), (best % side).clamp(1, side - 2)
    middle = row * side + column
    index = middle[..., None] + (_DOWN * side + _RIGHT)
    near = values.gather(2, index)  # least squares on 3 x 3 values
    slope_y, slope_x, yy, xx, xy = (near @ _FIT).unbind(-1)
    determinant = yy * xx - xy.square()
    found = (determinant > 1e-6) & (yy < 0)
    determinant = torch.where(found, determinant, 1.0)
    y = torch.where(found, (xy * slope_x - xx * slope_y) / determinant, 0.0)
    x = torch.where(found, (xy * slope_y - yy * slope_x) / determinant, 0.0)
    return torch.stack([row + y.clamp(-1, 1), column + x.clamp(-1, 1)], -1)


def _products(windows, patches):
    """Products of patches (n, K, side, side) with windows (n, K, rows, columns), at all shifts."""
    n, n_patches, rows, columns = windows.shape
    found = conv2d(
        windows.reshape(1, n * n_patches, rows, columns),
        patches.reshape(n * n_patches, 1, *patches.shape[2:]),
        groups=n * n_patches,
    )
    return found.view(n, n_patches, *found.shape[2:])


def _local(images, side):
    """Mean and standard deviation, plus noise, of every square of so many pixels."""
    both = torch.stack([images, images.square()])
    sums = pad(both.cumsum(-1).cumsum(-2), (1, 0, 1, 0))
    rows = sums[..., side:, :] - sums[..., :-side, :]
    mean, square = (rows[..., side:] - rows[..., :-side]) / side**2
    return mean, (square - mean.square()).clamp_min(0).sqrt() + _NOISE
