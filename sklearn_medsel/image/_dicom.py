"""DICOM, by pydicom: pixels and what they mean; nothing of the patient is read.

Of a file only the attributes listed here are parsed, and messages name the kind of an error alone:
pydicom's own quote values.
"""

import io
import warnings

import numpy as np

from sklearn_medsel.image._grey import grey_from_range, luminance

# Attributes that pixels are decoded and shown by.
_ATTRIBUTES = (  # noqa: SIM905
    "SpecificCharacterSet SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows "
    "Columns NumberOfFrames BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue "
    "ExtendedOffsetTable ExtendedOffsetTableLengths PixelData FloatPixelData DoubleFloatPixelData "
    "RescaleSlope RescaleIntercept WindowCenter WindowWidth VOILUTFunction VOILUTSequence "
    "ModalityLUTSequence SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence"
).split()
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_GREY = ("MONOCHROME1", "MONOCHROME2")


def read_dicom(content):
    """Read the bytes of a DICOM file as grey values (h, w); of several frames the middle one."""
    try:
        from pydicom import dcmread
        from pydicom.pixels import pixel_array
    except ImportError as error:
        raise ImportError(
            'Reading DICOM files needs pydicom: pip install "sklearn-medsel[image]".'
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's quote values of the file
        try:
            dataset = dcmread(io.BytesIO(content), specific_tags=list(_ATTRIBUTES))
            n_frames = int(dataset.get("NumberOfFrames") or 1)
            has_pixels = any(dataset.get(name) for name in _PIXELS)
        except Exception as error:  # of many kinds, by what is broken
            raise ValueError(f"is a damaged DICOM file ({type(error).__name__})") from None
        if not has_pixels:
            raise ValueError(
                "is a DICOM file without pixels, such as a report or a structure set; give an image"
            )
        photometric = str(dataset.get("PhotometricInterpretation") or "")
        if photometric == "PALETTE COLOR":
            raise ValueError("is a DICOM file with PALETTE COLOR; convert it to grey or RGB")
        _check_decoder(dataset)
        frame = n_frames // 2
        try:
            # of several frames only this one is decoded; colours come as RGB
            stored = pixel_array(dataset, index=frame)
        except MemoryError:
            raise
        except Exception as error:
            raise ValueError(
                f"is a DICOM file whose pixels cannot be decoded ({type(error).__name__}): it is "
                "damaged, or of a kind that the decoders installed beside pydicom do not take"
            ) from None
        try:
            grey = _shown(dataset, frame, stored, photometric)
        except (TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
            raise ValueError(
                "is a DICOM file whose rescaling, lookup table or window cannot be used "
                f"({type(error).__name__})"
            ) from None
    return grey


def _check_decoder(dataset):
    """Refuse pixels that are compressed in a way that nothing installed can undo."""
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if not syntax:
        return  # seen when pixels are decoded
    try:
        if get_decoder(syntax).is_available:
            return
    except NotImplementedError:
        pass  # films, and what is no transfer syntax at all
    # a number that is not in the standard could say anything
    name = "an unknown transfer syntax" if syntax.name == str(syntax) else syntax.name
    raise ValueError(
        f"is a DICOM file compressed by {name}, which nothing installed can decode: install a "
        "decoder that pydicom finds, such as pylibjpeg, or store the file uncompressed"
    )


def frame_value(dataset, frame, group, keyword):
    """Attribute of a frame: its own, or that of all frames of the file, or None.

    Parameters
    ----------
    dataset : pydicom.Dataset
    frame : int
    group, keyword : str
        Where an enhanced file keeps the attribute, such as ``"FrameVOILUTSequence"``, and its name.
    """
    for holder, item in (
        ("PerFrameFunctionalGroupsSequence", frame),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        items = dataset.get(holder)
        inner = items[item].get(group) if items else None
        if inner and inner[0].get(keyword) is not None:
            return inner[0].get(keyword)
    return dataset.get(keyword)


def _shown(dataset, frame, stored, photometric):
    """Grey values as a viewer shows them: rescaled, through the window, white where high."""
    if stored.ndim == 3:
        bits = int(dataset.BitsStored)
        return np.clip(luminance(stored) / (2**bits - 1), 0, 1).astype(np.float32)
    if photometric not in _GREY:
        raise ValueError("neither grey nor colour")
    values = _measured(dataset, frame, stored)
    grey = _through_table(dataset, values)
    if grey is None:
        grey = _through_window(dataset, frame, values)
    if grey is None:
        # no window: from the lowest to the highest value, what pads the image left out
        padding = dataset.get("PixelPaddingValue")
        inside = values[stored != int(padding)] if padding is not None else values
        inside = inside if inside.size else values
        grey = grey_from_range(values, inside.min(), inside.max())
    return 1 - grey if photometric == "MONOCHROME1" else grey


def _measured(dataset, frame, stored):
    """What stored values stand for: by the file's modality lookup table, else rescaled."""
    tables = dataset.get("ModalityLUTSequence")
    if tables:
        return _look_up(dataset, tables[0], stored)
    slope = frame_value(dataset, frame, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = frame_value(dataset, frame, "PixelValueTransformationSequence", "RescaleIntercept")
    slope = 1.0 if slope is None else float(slope)
    return stored.astype(np.float64) * slope + float(intercept or 0)


def _through_table(dataset, values):
    """Apply the first lookup table of the file for display, or give None."""
    tables = dataset.get("VOILUTSequence")
    if not tables:
        return None
    white = 2 ** int(tables[0].LUTDescriptor[2]) - 1
    return grey_from_range(_look_up(dataset, tables[0], values), 0, white)


def _look_up(dataset, item, values):
    """Entries of a lookup table at values, float64 (DICOM PS3.3, C.11.1.1)."""
    n_entries, first, bits = (int(number) for number in item.LUTDescriptor)
    n_entries = n_entries or 2**16
    table = item.LUTData
    if isinstance(table, bytes):  # as OW, and mostly where the file does not say what it is
        little_endian = dataset.original_encoding[1]
        table = np.frombuffer(table, "<u2" if little_endian else ">u2").astype("<u2")
        if bits == 8 and len(table) < n_entries:  # two in a word, the first in its lower half
            table = table.view(np.uint8)
    table = np.atleast_1d(np.asarray(table, np.float64))
    places = np.clip(values.astype(np.float64) - first, 0, n_entries - 1).astype(np.int64)
    return table[np.minimum(places, len(table) - 1)]


def _through_window(dataset, frame, values):
    """Apply the first window of the file (DICOM PS3.3, C.11.2.1.2), or give None."""
    centre = _first(frame_value(dataset, frame, "FrameVOILUTSequence", "WindowCenter"))
    width = _first(frame_value(dataset, frame, "FrameVOILUTSequence", "WindowWidth"))
    if centre is None or width is None or not width > 0:
        return None
    kind = str(frame_value(dataset, frame, "FrameVOILUTSequence", "VOILUTFunction") or "LINEAR")
    if kind == "SIGMOID":
        exponent = np.clip(-4 * (values - centre) / width, -500, 500)
        return (1 / (1 + np.exp(exponent))).astype(np.float32)
    if kind == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-6)
    return grey_from_range(values, centre - width / 2, centre + width / 2)


def _first(value):
    """First of the windows that a file may list, as a number, or None."""
    if value is None or value == "":
        return None
    if isinstance(value, str | int | float):
        return float(value)
    return float(value[0]) if len(value) else None
