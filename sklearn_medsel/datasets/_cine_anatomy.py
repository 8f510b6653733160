"""Anatomies of `make_cine_phantom`: MR-like volumes with a lesion, and how far each voxel moves.

Coordinates are mm from the lesion at rest, in the order SI (towards the feet), AP (towards the
back), LR. Grey values go from 0 to 1.
"""

import os
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates, zoom

from sklearn_medsel.datasets._cine_tubes import draw_tubes, grow_vessels


@dataclass
class Anatomy:
    """A volume around the lesion."""

    image: np.ndarray  # (n_si, n_ap, n_lr) float32
    mobility: np.ndarray  # same shape: part of the lesion's motion that a voxel makes, 0 to 1
    origin: np.ndarray  # (3,) float64: voxel of the lesion's centre
    voxel_mm: float
    radius_mm: float


def analytic_anatomy(rng, extent, reach, voxel_mm):
    """An upper abdomen made of ellipsoids and tubes; extent is half of its size (3,) in mm."""
    n = np.ceil(np.asarray(extent) / voxel_mm).astype(int)
    axes = [np.arange(-k, k + 1) * voxel_mm for k in n]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    if rng.random() < 0.3:
        x = -x  # a lesion of the left lobe sees the body mirrored
    tone = {name: value * rng.uniform(0.85, 1.15) for name, value in _TONES.items()}

    wide, deep = rng.uniform(150, 180), rng.uniform(100, 125)
    across, back = x + rng.uniform(-75, -40), y + rng.uniform(-15, 25)
    # Distance below the skin in mm, near enough for a body that is not far from round.
    depth = (1 - np.hypot(across / wide, back / deep)) * np.sqrt(wide * deep)
    fat, wall = rng.uniform(8, 22), rng.uniform(10, 14)
    cavity = depth - fat - wall

    dome = _dome(rng, back, across)
    liver = (cavity > 0) & (z > dome)
    # The lower edge of the liver climbs towards its left lobe.
    edge = rng.uniform(60, 95) - rng.uniform(0.3, 0.7) * (across + 60)
    bowel = liver & (z > edge)
    liver &= ~bowel
    lung = (cavity > 0) & (z <= dome)

    shape = np.broadcast_shapes(z.shape, y.shape, x.shape)
    image = np.zeros(shape, dtype=np.float32)
    ribs = (np.abs(cavity + 0.5 * wall) < 0.3 * wall) & (
        np.mod(z + 0.35 * np.abs(across) - 0.3 * back + rng.uniform(0, 24), 24) < 9
    )
    image[np.broadcast_to(depth > 0, shape)] = tone["fat"]
    image[np.broadcast_to(depth > fat, shape)] = tone["muscle"]
    image[ribs] = tone["bone"]
    image[liver] = tone["liver"]
    loops = gaussian_filter(rng.standard_normal(shape).astype(np.float32), 6 / voxel_mm)
    image[bowel] = np.where(loops[bowel] > 0, tone["fat"], tone["bowel"])
    image[lung] = tone["lung"]
    _organs(rng, image, (z, back, across), lung, tone)
    spine_back, spine = _spine(image, (z, back, across), deep, tone, rng)

    inside = liver | lung
    trees = grow_vessels(rng, extent, n_trees=12)
    draw_tubes(image, trees, axes, np.where(lung, 0.35, tone["vessel"]), inside)
    image += _texture(rng, shape, voxel_mm) * (image > 0.05)
    origin = n.astype(np.float64)
    radius = _lesion(rng, image, axes, tone["lesion"])

    slide = _ramp(cavity, 10.0) * _ramp(np.hypot(across, back - spine_back) - spine, 14.0)
    # The lung moves less the further from the diaphragm; what is below goes along.
    mobility = slide * np.clip(1 - (dome - 5 - z) / 110, 0.15, 1)
    mobility = _free_lesion(mobility, axes, radius, reach)
    image = gaussian_filter(image, 0.6)
    return Anatomy(image, mobility.astype(np.float32), origin, voxel_mm, radius)


def ct_anatomy(rng, ct, ct_voxel_mm, extent, reach):
    """A CT of the liver's dome (CT number + 1024), warped, in contrast like bSSFP.

    The volume keeps the CT's voxels; beyond its edges it is mirrored.
    """
    ct = np.asarray(ct, dtype=np.float32)
    if rng.random() < 0.5:
        ct = ct[:, :, ::-1]
    ct = _warped(rng, ct, ct_voxel_mm)
    centre = _deep_in_soft_tissue(rng, ct)
    n = np.ceil(np.asarray(extent) / ct_voxel_mm).astype(int)
    pad = [
        (max(k - c, 0), max(k + c + 1 - s, 0)) for k, c, s in zip(n, centre, ct.shape, strict=True)
    ]
    ct = np.pad(ct, pad, mode="reflect")
    centre = centre + [before for before, _ in pad]
    ct = ct[tuple(slice(c - k, c + k + 1) for c, k in zip(centre, n, strict=True))]
    axes = [np.arange(-k, k + 1) * ct_voxel_mm for k in n]

    soft, lung, bone = ct > 700, ct < 500, ct > 1300
    tone = {name: value * rng.uniform(0.85, 1.15) for name, value in _TONES.items()}
    image = np.where(lung, 0.06 + 0.3 * np.clip((ct - 150) / 600, 0, 1), tone["liver"])
    image[(ct > 800) & (ct < 960)] = tone["fat"]
    image[bone] = tone["bone"]
    image = gaussian_filter(image.astype(np.float32), 0.8 / ct_voxel_mm)
    trees = grow_vessels(rng, extent, n_trees=12)
    draw_tubes(image, trees, axes, np.full(ct.shape, tone["vessel"]), soft & ~bone)
    image += _texture(rng, ct.shape, ct_voxel_mm) * soft
    radius = _lesion(rng, image, axes, tone["lesion"])

    wall = gaussian_filter(bone.astype(np.float32), 3 / ct_voxel_mm) > 0.08
    far = distance_transform_edt(~wall) * ct_voxel_mm if wall.any() else np.full(ct.shape, 99.0)
    mobility = gaussian_filter(np.clip(far / 18, 0, 1).astype(np.float32), 3 / ct_voxel_mm)
    mobility = _free_lesion(mobility, axes, radius, reach)
    image = np.clip(image, 0, 1)
    return Anatomy(image, mobility.astype(np.float32), n.astype(np.float64), ct_voxel_mm, radius)


def ct_volume(anatomy, voxel_mm):
    """CT numbers + 1024 and voxel size of an array or a file; None for the analytic anatomy."""
    if isinstance(anatomy, str) and anatomy == "analytic":
        return None, voxel_mm
    if isinstance(anatomy, str | os.PathLike):
        with np.load(anatomy, allow_pickle=False) as file:
            missing = [name for name in ("phases", "scale", "voxel_mm") if name not in file.files]
            if missing:
                raise ValueError(
                    f"anatomy: the file has no array {', '.join(map(repr, missing))}; it must "
                    "hold phases (n_phases, n_si, n_ap, n_lr), scale and voxel_mm."
                )
            ct = file["phases"][0].astype(np.float32) * float(file["scale"])
            voxel_mm = float(file["voxel_mm"])
    else:
        ct = np.asarray(anatomy, dtype=np.float32)
    if ct.ndim != 3 or min(ct.shape) < 20:
        raise ValueError(
            "anatomy must be a volume of at least 20 voxels along SI, AP and LR, found an array "
            f"of shape {ct.shape}."
        )
    if not np.isfinite(ct).all() or np.mean(ct > 900) < 0.05:
        raise ValueError(
            "anatomy must hold finite CT numbers plus 1024 with soft tissue (above 900) in it; "
            "found less than 5 % of that, or missing values. Add 1024 to Hounsfield units."
        )
    return ct, voxel_mm


# Grey values before each patient's own contrast: balanced steady-state, T2/T1 weighted.
_TONES = {
    "fat": 0.75,
    "muscle": 0.3,
    "bone": 0.13,
    "liver": 0.44,
    "bowel": 0.3,
    "lung": 0.07,
    "vessel": 0.78,
    "organ": 0.6,
    "fluid": 0.9,
    "lesion": 0.2,
}


def _ramp(distance, width):
    """0 below a distance of 0, 1 above width, smooth between."""
    u = np.clip(distance / width, 0, 1)
    return u * u * (3 - 2 * u)


def _dome(rng, back, across):
    """SI height of the diaphragm: one dome over the liver, a lower one on the other side."""
    height = -rng.uniform(28, 58)
    middle = rng.uniform(-20, 20)
    right = ((across + 60 + middle) / rng.uniform(11, 14)) ** 2 + (back / rng.uniform(11, 14)) ** 2
    left = ((across - 70) / 11) ** 2 + ((back - 10) / 12) ** 2 + rng.uniform(8, 20)
    return height + np.minimum(np.minimum(right, left), 75)


def _organs(rng, image, place, lung, tone):
    """Gall bladder, kidneys, stomach and spleen, roughly where they are."""
    z, back, across = place
    for name, centre, size in (
        ("fluid", (45, -30, -35), (16, 11, 11)),
        ("organ", (75, 45, -60), (45, 25, 25)),
        ("organ", (65, 45, 65), (45, 25, 25)),
        ("bowel", (25, -25, 65), (40, 35, 40)),
        ("organ", (5, 40, 105), (45, 28, 22)),
    ):
        c = np.array(centre) + rng.uniform(-10, 10, 3)
        s = np.array(size) * rng.uniform(0.85, 1.15, 3)
        r2 = ((z - c[0]) / s[0]) ** 2 + ((back - c[1]) / s[1]) ** 2 + ((across - c[2]) / s[2]) ** 2
        image[(r2 < 1) & ~lung] = tone[name]


def _spine(image, place, deep, tone, rng):
    """Vertebrae with discs, the canal behind and the great vessels before them."""
    z, back, across = place
    at, radius = 0.55 * deep, rng.uniform(17, 21)
    column = np.hypot(across, (back - at) * 1.1) < radius
    discs = np.mod(z + rng.uniform(0, 32), 32) < 7
    image[column & ~discs] = 0.8 * tone["liver"]
    image[column & discs] = tone["bone"]
    for name, y, x, r in (
        ("fluid", at + radius + 7, 0, 8),
        ("vessel", at - radius - 10, 11, 10),
        ("vessel", at - radius - 12, -16, 9),
    ):
        tube = np.hypot(across - x, back - y) < r
        image[np.broadcast_to(tube, image.shape)] = tone[name]
    return at, radius


def _texture(rng, shape, voxel_mm):
    """Fine and coarse grain of tissue."""
    grain = np.zeros(shape, dtype=np.float32)
    for width, size in ((1.5, 0.02), (6.0, 0.02)):
        field = gaussian_filter(rng.standard_normal(shape).astype(np.float32), width / voxel_mm)
        grain += size * field / max(field.std(), 1e-12)
    return grain


def _lesion(rng, image, axes, tone):
    """Draw a dark, slightly long lesion at the origin; its radius in mm."""
    radius, edge = rng.uniform(7, 12), 1.2
    shape = rng.uniform(0.85, 1.15, 3)
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    r = np.sqrt((z * shape[0]) ** 2 + (y * shape[1]) ** 2 + (x * shape[2]) ** 2)
    weight = (1 / (1 + np.exp(np.clip((r - radius) / edge, -30, 30)))).astype(np.float32)
    image *= 1 - weight
    image += tone * weight
    return float(radius)


def _free_lesion(mobility, axes, radius, reach):
    """Let all that the lesion passes move with it, so that its motion is the given one."""
    z, y, x = (a / (radius + 6 + r) for a, r in zip(axes, reach, strict=True))
    z, y, x = np.meshgrid(z, y, x, indexing="ij", sparse=True)
    far = (np.sqrt(z**2 + y**2 + x**2) - 1) * (radius + 6)
    return np.maximum(mobility, 1 - _ramp(far, 20.0))


def _warped(rng, volume, voxel_mm):
    """Another anatomy from the same volume: smooth displacements of 6 mm and scales of 8 %."""
    shape = np.array(volume.shape)
    grid = np.meshgrid(*(np.arange(s, dtype=np.float32) for s in shape), indexing="ij", sparse=True)
    scale = rng.uniform(0.94, 1.08, 3)
    coarse = np.maximum(np.round(shape * voxel_mm / 25), 3).astype(int)
    where = []
    for axis in range(3):
        # Smooth at a quarter of the resolution; the rest is linear, which is ten times as fast.
        shift = zoom(rng.standard_normal(coarse), shape / 4 / coarse, order=3, mode="nearest")
        shift = zoom(shift, shape / shift.shape, order=1, mode="nearest", grid_mode=True)
        shift *= 6 / voxel_mm / np.abs(shift).max()
        middle = shape[axis] / 2
        where.append(((grid[axis] - middle) * scale[axis] + middle + shift).astype(np.float32))
    return map_coordinates(volume, where, order=1, mode="reflect")


def _deep_in_soft_tissue(rng, ct):
    """Voxel for the lesion: far from lung and bone, in the middle of the lower half."""
    shape = np.array(ct.shape)
    soft = gaussian_filter(((ct > 900) & (ct < 1250)).astype(np.float32), 1.5) > 0.5
    far = distance_transform_edt(soft)
    low, high = (shape * [0.6, 0.35, 0.3]).astype(int), (shape * [0.85, 0.65, 0.7]).astype(int)
    box = far[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
    # Among the places that are deep enough, any; else the deepest one.
    rows = np.argwhere(box >= min(14, box.max()))
    return low + rows[rng.integers(len(rows))]
