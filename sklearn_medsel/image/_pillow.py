"""PNG, JPEG and TIFF, by Pillow."""

import io

import numpy as np

from sklearn_medsel.image._grey import grey_from_array, grey_from_integers

_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # TIFF


def read_picture(content, kind):
    """Read the bytes of a picture as grey values (h, w); of several frames the middle one."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError(
            'Reading PNG, JPEG and TIFF needs Pillow: pip install "sklearn-medsel[image]".'
        ) from error
    try:
        # only this decoder, whatever else the bytes could pass for
        with Image.open(io.BytesIO(content), formats=(kind,)) as image:
            n_frames = getattr(image, "n_frames", 1)
            # further pictures of a JPEG (MPO) are previews or what the other eye sees
            if n_frames > 1 and image.format != "MPO":
                image.seek(n_frames // 2)
            image.load()
            return _grey(ImageOps.exif_transpose(image), getattr(image, "tag_v2", {}))
    except Image.DecompressionBombError:
        raise ValueError(
            f"is a {kind} image with more pixels than Pillow takes (PIL.Image.MAX_IMAGE_PIXELS); "
            "make it smaller"
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # of many kinds, by what is broken
        raise ValueError(
            f"is a {kind} image that is damaged or cannot be decoded ({type(error).__name__})"
        ) from None


def _grey(image, tags):
    """Grey values of an image of any mode."""
    if image.mode.startswith("I;16"):
        bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
        grey = grey_from_integers(np.asarray(image).astype(np.uint16), bits)
        return 1 - grey if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        if image.mode == "I" and values.min() >= 0 and values.max() < 2**16:
            return grey_from_integers(values, 16)  # where 16-bit greys come as 32-bit ones
        return grey_from_array(values)
    if image.mode in ("P", "PA"):
        # not RGB: Pillow warns of palettes whose colours are transparent each in its own degree
        image = image.convert("RGBA")
    return grey_from_integers(np.asarray(image.convert("L")))
