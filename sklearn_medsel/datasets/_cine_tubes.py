"""Vessel trees of `make_cine_phantom`: grown as branching segments, drawn into a volume."""

import numpy as np


def grow_vessels(rng, extent, *, n_trees):
    """Segments (start, stop, radius) in mm of trees that fill a box of half size extent."""
    extent = np.asarray(extent, dtype=np.float64)
    segments = []
    for _ in range(n_trees):
        start = rng.uniform(-0.7, 0.7, 3) * extent
        direction = -start / max(np.linalg.norm(start), 1e-9) + 0.6 * rng.standard_normal(3)
        front = [(start, direction, rng.uniform(2.5, 4.5))]
        while front:
            at, direction, radius = front.pop()
            direction = direction + 0.35 * rng.standard_normal(3)
            direction /= np.linalg.norm(direction)
            stop = at + direction * rng.uniform(5, 9)
            if (np.abs(stop) > extent).any():
                continue
            segments.append((at, stop, radius))
            splits = 2 if rng.random() < 0.3 else 1
            for k in range(splits):
                thinner = radius * (0.95 if splits == 1 else rng.uniform(0.65, 0.85))
                if thinner > 0.9:
                    turn = 0.6 * rng.standard_normal(3) if k else 0.0
                    front.append((stop, direction + turn, thinner))
    return segments


def draw_tubes(image, segments, axes, tone, inside):
    """Draw segments where inside is true, with grey values of tone."""
    axes = [np.asarray(a) for a in axes]
    for start, stop, radius in segments:
        low, high = np.minimum(start, stop) - radius - 2, np.maximum(start, stop) + radius + 2
        box = tuple(
            slice(*np.searchsorted(a, (lo, hi))) for a, lo, hi in zip(axes, low, high, strict=True)
        )
        z, y, x = np.meshgrid(
            *(a[s] - c for a, s, c in zip(axes, box, start, strict=True)),
            indexing="ij",
            sparse=True,
        )
        along = stop - start
        u = np.clip((z * along[0] + y * along[1] + x * along[2]) / (along @ along), 0, 1)
        far = np.sqrt((z - u * along[0]) ** 2 + (y - u * along[1]) ** 2 + (x - u * along[2]) ** 2)
        weight = np.clip(radius - far + 0.5, 0, 1) * inside[box]
        image[box] += (weight * (tone[box] - image[box])).astype(image.dtype)
