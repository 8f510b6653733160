"""A `CineSequence` from a folder of DICOM files: planes, times and pixels; nothing of the patient.

Messages name a file by its position in sorted order: file names can be names of patients.
"""

import hashlib
import math
from collections import namedtuple
from datetime import datetime
from pathlib import Path

import numpy as np

from sklearn_medsel.forecasting._sequence_checks import PLANES

_MAX_OBLIQUE = 30.0  # degrees
_SAME_SLICE = 1.0  # mm between slice positions that count as one
_EPOCH = datetime(2000, 1, 1)
# Patient axes of DICOM (+x left, +y back, +z head) along which rows and columns of a plane grow,
# as (axis, sign), by the axis that the plane is normal to.
_LAYOUTS = {
    0: ("sagittal", (2, -1), (1, 1)),
    1: ("coronal", (2, -1), (0, 1)),
    2: ("axial", (1, 1), (0, 1)),
}
# Where files of several frames keep what files of one frame have at the top.
_GROUPS = {
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "FrameAcquisitionDateTime": "FrameContentSequence",
    "FrameReferenceDateTime": "FrameContentSequence",
}
_CLOCKS = (  # in order of preference
    "AcquisitionDateTime",
    "FrameReferenceDateTime",
    "AcquisitionTime",
    "TriggerTime",
    "FrameTime",
)

# times: seconds by clock. relative: the clocks among them whose zero other series do not share.
# order: what such clocks must grow with.
_Frame = namedtuple("_Frame", "image plane pixel_mm location times relative order series")


def from_dicom(cls, folder, patient, sequence):
    """Body of `CineSequence.from_dicom`."""
    frames, person = _read_folder(folder)
    planes = [plane for plane in PLANES if any(frame.plane == plane for frame in frames)]
    by_plane = {plane: [f for f in frames if f.plane == plane] for plane in planes}
    clock = _choose_clock(by_plane)
    zero = min(frame.times[clock] for frame in frames)
    dtype = np.result_type(*{frame.image.dtype for frame in frames})
    images, t, pixel_mm = {}, {}, {}
    for plane, own in by_plane.items():
        _check_alike(plane, own)
        own.sort(key=lambda frame: frame.times[clock])
        images[plane] = np.stack([frame.image for frame in own]).astype(dtype, copy=False)
        t[plane] = np.round([frame.times[clock] - zero for frame in own], 6)  # DICOM's precision
        pixel_mm[plane] = own[0].pixel_mm
    patient = _name_of(person) if patient is None else patient
    return cls.from_frames(images, t, pixel_mm=pixel_mm, patient=patient, sequence=sequence)


def _read_folder(folder):
    """Frames of all images in a folder, and the PatientID that they share."""
    try:
        from pydicom import dcmread
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise ImportError(
            'Reading DICOM files needs pydicom: pip install "sklearn-medsel[image]".'
        ) from error
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder: there is no folder {str(folder)!r}.")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    frames, people = [], set()
    for number, path in enumerate(paths, start=1):
        try:
            dataset = dcmread(path)
        except InvalidDicomError:
            continue
        if "PixelData" in dataset:
            frames += _read_file(dataset, f"File {number} of {len(paths)} in folder (sorted)")
            people.add(str(dataset.get("PatientID") or ""))
    if not frames:
        raise ValueError(f"folder holds no DICOM images among its {len(paths)} file(s).")
    if len(people) > 1:
        raise ValueError(
            f"folder holds images of {len(people)} patients, by PatientID. Read each patient from "
            "a folder of its own."
        )
    return frames, people.pop()


def _read_file(dataset, file):
    """Frames of one file."""
    if dataset.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"{file}: only grey images (MONOCHROME1, MONOCHROME2) can be read.")
    try:
        stored = dataset.pixel_array
    except Exception as error:  # of many kinds, by what is wrong and which decoder is lacking
        raise ValueError(
            f"{file}: its pixels cannot be decoded ({type(error).__name__}). Compressed ones need "
            "a decoder beside pydicom, such as pylibjpeg."
        ) from error
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    stored = stored.reshape(n_frames, *stored.shape[-2:])
    if dataset.PhotometricInterpretation == "MONOCHROME1":  # white is low
        highest = 2 ** int(dataset.BitsStored) - 1
        stored = (-1 if dataset.PixelRepresentation else highest) - stored.astype(np.int64)
    return [_read_frame(dataset, file, k, n_frames, stored[k]) for k in range(n_frames)]


def _read_frame(dataset, file, k, n_frames, stored):
    """One frame: its image in the layout of its plane, and what is known of it."""
    plane, image, normal = _turned(_numbers(dataset, file, k, "ImageOrientationPatient", 6), stored)
    if plane is None:
        raise ValueError(
            f"{file}: the image is more than {_MAX_OBLIQUE:.0f} degrees from a coronal, sagittal "
            "or axial one. Resample it, or use CineSequence.from_frames with planes named by you."
        )
    spacing = _numbers(dataset, file, k, "PixelSpacing", 2)
    if not math.isclose(*spacing, rel_tol=0.01):
        raise ValueError(f"{file}: pixels must be square (PixelSpacing). Resample the image.")
    slope, intercept = _value(dataset, k, "RescaleSlope"), _value(dataset, k, "RescaleIntercept")
    slope, intercept = 1.0 if slope is None else float(slope), float(intercept or 0)
    if dataset.BitsAllocated != 8 or dataset.PixelRepresentation or (slope, intercept) != (1, 0):
        image = (image * slope + intercept).astype(np.float32)
    location = None
    if _value(dataset, k, "ImagePositionPatient"):
        location = float(normal @ _numbers(dataset, file, k, "ImagePositionPatient", 3))
    times, relative = _times(dataset, file, k, n_frames)
    order = (int(dataset.get("InstanceNumber") or 0), k)
    series = str(dataset.get("SeriesInstanceUID"))
    image = np.ascontiguousarray(image, np.uint8 if image.dtype.kind != "f" else np.float32)
    return _Frame(image, plane, spacing[0], location, times, relative, order, series)


def _turned(orientation, image):
    """Plane, image turned and flipped to its layout, and the plane's normal; None where oblique."""
    right, down = orientation.reshape(2, 3)  # along a row, and along a column
    normal = np.cross(right, down)
    lowest = math.cos(math.radians(_MAX_OBLIQUE))
    if min(np.abs(vector).max() for vector in (right, down, normal)) < lowest:
        return None, image, normal
    axis = int(np.abs(normal).argmax())
    plane, (row_axis, row_sign), (column_axis, column_sign) = _LAYOUTS[axis]
    if np.abs(down).argmax() != row_axis:
        image, right, down = image.T, down, right
    image = image[:: int(np.sign(down[row_axis])) * row_sign]
    image = image[:, :: int(np.sign(right[column_axis])) * column_sign]
    # the same direction for all images of a plane, so that slice positions can be compared
    return plane, image, normal * np.sign(normal[axis])


def _times(dataset, file, k, n_frames):
    """Seconds by clock, of the clocks that this frame has; and which have a zero of their own."""
    alone = n_frames == 1
    whole = _moment(dataset.get("AcquisitionDateTime"), file)
    parts = None
    if dataset.get("AcquisitionTime"):
        day = dataset.get("AcquisitionDate") or "20000101"
        parts = _moment(f"{day}{dataset.AcquisitionTime}", file)
    times = {
        "AcquisitionDateTime": _moment(_value(dataset, k, "FrameAcquisitionDateTime"), file),
        "FrameReferenceDateTime": _moment(_value(dataset, k, "FrameReferenceDateTime"), file),
    }
    relative = {"TriggerTime"}
    interval = dataset.get("FrameTime")
    if alone:
        if times["AcquisitionDateTime"] is None:
            times["AcquisitionDateTime"] = whole
        times["AcquisitionTime"] = parts
        if dataset.get("TriggerTime") is not None:
            times["TriggerTime"] = float(dataset.TriggerTime) / 1000
        if interval and dataset.get("InstanceNumber") is not None:
            times["FrameTime"] = int(dataset.InstanceNumber) * float(interval) / 1000
            relative.add("FrameTime")
    elif interval:
        start = whole if whole is not None else parts
        times["FrameTime"] = (start or 0.0) + k * float(interval) / 1000
        if start is None:
            relative.add("FrameTime")
    return {clock: when for clock, when in times.items() if when is not None}, relative


def _choose_clock(by_plane):
    """The first clock that all frames have, that tells them apart and that they share."""
    frames = [frame for own in by_plane.values() for frame in own]
    n_series = len({frame.series for frame in frames})
    for clock in _CLOCKS:
        if not all(clock in frame.times for frame in frames):
            continue
        if any(clock in frame.relative for frame in frames):
            ordered = sorted(frames, key=lambda frame: frame.order)
            seconds = np.array([frame.times[clock] for frame in ordered])
            if n_series > 1 or (np.diff(seconds) < 0).any():  # another start, or it started again
                continue
        repeats = (len({f.times[clock] for f in own}) < len(own) for own in by_plane.values())
        if not any(repeats):
            return clock
    raise ValueError(
        f"folder: no time of {', '.join(_CLOCKS)} is there for every frame, different for the "
        "frames of a plane, and common to all series. Read the frames by pydicom and give the "
        "times to CineSequence.from_frames."
    )


def _check_alike(plane, frames):
    """Refuse a plane whose frames are not all of one kind."""
    shapes = {frame.image.shape for frame in frames}
    spacings = [frame.pixel_mm for frame in frames]
    if len(shapes) > 1 or not math.isclose(min(spacings), max(spacings), rel_tol=1e-3):
        raise ValueError(
            f"folder: the {plane} frames change their size in pixels or mm. Read each recording "
            "from a folder of its own."
        )
    locations = [frame.location for frame in frames if frame.location is not None]
    if locations and max(locations) - min(locations) > _SAME_SLICE:
        raise ValueError(
            f"folder: the {plane} frames lie at several slice positions. Keep one position per "
            "plane in a folder; parallel slices can be named by you in CineSequence.from_frames."
        )


def _value(dataset, k, keyword):
    """Attribute of frame k: its own, or that of all frames of the file, or None."""
    group = _GROUPS.get(keyword)
    for holder, item in (
        ("PerFrameFunctionalGroupsSequence", k),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        items = dataset.get(holder)
        inner = items[item].get(group) if items else None
        if inner and inner[0].get(keyword) is not None:
            return inner[0].get(keyword)
    return dataset.get(keyword)


def _numbers(dataset, file, k, keyword, length):
    """Attribute of several numbers, as an array."""
    value = _value(dataset, k, keyword)
    if value is None or isinstance(value, str) or len(value) != length:
        raise ValueError(f"{file}: {keyword} is missing or does not have {length} numbers.")
    return np.array([float(number) for number in value])


def _moment(text, file):
    """Seconds since an arbitrary day of a date and time of DICOM; None where there is none."""
    from pydicom.valuerep import DT

    if not text:
        return None
    try:
        moment = DT(str(text))
    except ValueError:
        raise ValueError(f"{file}: a date and time cannot be read.") from None
    # the offset from UTC, if there is one, is that of the scanner in all files
    return (moment.replace(tzinfo=None) - _EPOCH).total_seconds()


def _name_of(person):
    """Name for a patient that does not show the PatientID."""
    if not person:
        raise ValueError("folder: its files have no PatientID. Name the patient: patient='A'.")
    return hashlib.blake2b(person.encode(), digest_size=6).hexdigest()
