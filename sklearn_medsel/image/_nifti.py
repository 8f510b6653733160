"""NIfTI volumes (``.nii``, ``.nii.gz``), by nibabel: a few slices stand for the volume."""

import gzip

import numpy as np

from sklearn_medsel.image._grey import grey_from_range

_RANGE = (0.5, 99.5)  # percentiles shown as black and white; a few voxels are often far brighter
_HEIGHTS = (0.35, 0.5, 0.65)  # of the axial slices, from the lowest to the highest


def read_nifti(content, volume):
    """Read the bytes of a volume as a list of slices (h, w).

    Slices lie as in radiology: the patient's head or front is up, and their right is on the left.
    """
    try:
        import nibabel
    except ImportError as error:
        raise ImportError(
            'Reading NIfTI files needs nibabel: pip install "sklearn-medsel[image]".'
        ) from error
    try:
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        kind = nibabel.Nifti2Image if content[4:8] == b"n+2\0" else nibabel.Nifti1Image
        image = nibabel.as_closest_canonical(kind.from_bytes(content))
        voxels = np.asanyarray(image.dataobj)
        if voxels.ndim == 2:  # a single slice
            voxels = voxels[..., None]
        # of a series in time the first volume
        voxels = voxels.reshape(*voxels.shape[:3], -1)[..., 0]
    except MemoryError:
        raise
    except Exception as error:  # of many kinds, by what is broken
        raise ValueError(f"is a damaged NIfTI file ({type(error).__name__})") from None
    if voxels.ndim != 3 or 0 in voxels.shape or voxels.dtype.kind not in "biuf":
        raise ValueError("is a NIfTI file that holds no volume of numbers")
    slices = _orthogonal(voxels) if volume == "orthogonal" else _axial(voxels)
    finite = voxels[np.isfinite(voxels)] if voxels.dtype.kind == "f" else voxels
    if not finite.size:
        raise ValueError("is a NIfTI file without a finite value")
    lowest, highest = np.percentile(finite, _RANGE)
    if lowest == highest:  # next to everything is background
        lowest, highest = finite.min(), finite.max()
    if voxels.dtype.kind == "f":  # a slice may lie outside the organ, where some write NaN only
        slices = [np.nan_to_num(one, nan=lowest, posinf=highest, neginf=lowest) for one in slices]
    return [grey_from_range(one, float(lowest), float(highest)) for one in slices]


def _orthogonal(voxels):
    """Middle axial, coronal and sagittal slice; axes grow to the right, the front and the head.

    Of a single slice that one: the others cross it in a line.
    """
    x, y, z = (length // 2 for length in voxels.shape)
    slices = [
        voxels[::-1, ::-1, z].T,
        voxels[::-1, y, ::-1].T,
        voxels[x, ::-1, ::-1].T,
    ]
    return [one for one in slices if min(one.shape) > 1] or slices


def _axial(voxels):
    """Three axial slices."""
    heights = [int(share * voxels.shape[2]) for share in _HEIGHTS]
    return [voxels[::-1, ::-1, z].T for z in heights]
