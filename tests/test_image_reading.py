"""Images of every format as small grey images, on files that the tests write; and the texture."""

import copy
import gzip
import io
import os
import pickle
import sys
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from sklearn_medsel.image import ImageCache, read_images, texture_features
from sklearn_medsel.image import _cache as cache_module
from sklearn_medsel.image._grey import area_weights, resize
from sklearn_medsel.image._reading import read_image

Image = pytest.importorskip("PIL.Image", reason="reading pictures needs Pillow (extra 'image')")

RAMP = np.arange(96, dtype=np.uint8).reshape(8, 12) * 2


def encoded(image, kind="PNG", **options):
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def grey(content, **options):
    (image,) = read_image(content, **options)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert image.max() <= 1
    return image


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_eight_and_sixteen_bits(kind):
    np.testing.assert_allclose(grey(encoded(RAMP, kind)), RAMP / 255, atol=1e-6)
    deep = RAMP.astype(np.uint16) * 300
    np.testing.assert_allclose(grey(encoded(deep, kind)), deep / 65535, atol=1e-6)


def test_jpeg_colour_and_palette():
    smooth = np.tile(np.arange(0, 240, 5, dtype=np.uint8), (40, 1))
    assert np.abs(grey(encoded(smooth, "JPEG", quality=95)) - smooth / 255).max() < 0.03
    green = np.zeros((4, 4, 3), np.uint8)
    green[..., 1] = 200
    palette = Image.fromarray(green).convert("P")
    faded = encoded(palette, transparency=bytes([128] * 256))  # each colour in its own degree
    for content in (encoded(green), encoded(palette), faded):
        np.testing.assert_allclose(grey(content), 0.587 * 200 / 255, atol=0.02)


def test_exif_orientation():
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees clockwise
    content = encoded(np.kron(RAMP, np.ones((8, 8), np.uint8)), "JPEG", exif=exif, quality=95)
    expected = np.rot90(np.kron(RAMP, np.ones((8, 8))), -1) / 255
    assert grey(content).shape == (96, 64)
    assert np.abs(grey(content) - expected).mean() < 0.02


def test_tiff_of_numbers_and_several_pages():
    hounsfield = np.linspace(-1000, 500, 30, dtype=np.float32).reshape(5, 6)
    np.testing.assert_allclose(
        grey(encoded(hounsfield, "TIFF")), (hounsfield + 1000) / 1500, atol=1e-6
    )
    pages = [Image.fromarray(np.full((4, 4), k * 50, np.uint8)) for k in range(5)]
    for kind, expected in (("TIFF", 100), ("PNG", 100), ("MPO", 0)):
        stack = encoded(pages[0], kind, save_all=True, append_images=pages[1:])
        np.testing.assert_allclose(grey(stack), expected / 255, atol=1e-6)


def make_dicom(image, syntax="ExplicitVRLittleEndian", **attributes):
    pydicom = pytest.importorskip("pydicom", reason="reading DICOM needs pydicom (extra 'image')")
    from pydicom.dataset import Dataset, FileMetaDataset

    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3"
    ds.PatientID, ds.PatientName = "SECRET-7", "Smith^Jane"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
    if image is not None:
        ds.Rows, ds.Columns = image.shape[:2] if image.shape[-1] == 3 else image.shape[-2:]
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated = ds.BitsStored = 8 * image.itemsize
        ds.HighBit = ds.BitsStored - 1
        ds.PixelRepresentation = int(image.dtype.kind == "i")
        ds.PixelData = image.tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


STORED = np.arange(24, dtype=np.int16).reshape(4, 6) * 10


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, STORED / 230),
        ({"PhotometricInterpretation": "MONOCHROME1"}, 1 - STORED / 230),
        # 2 x - 100 seen through a window from 0 to 200
        (
            dict(RescaleSlope=2, RescaleIntercept=-100, WindowCenter=100.5, WindowWidth=201),
            np.clip((2 * STORED - 100) / 200, 0, 1),
        ),
        # of several windows the first
        (dict(WindowCenter=[50.5, 9], WindowWidth=[101, 9]), np.clip(STORED / 100, 0, 1)),
        (
            dict(WindowCenter=100, WindowWidth=80, VOILUTFunction="SIGMOID"),
            1 / (1 + np.exp(-(STORED - 100) / 20)),
        ),
        (
            dict(WindowCenter=100, WindowWidth=100, VOILUTFunction="LINEAR_EXACT"),
            np.clip((STORED - 50) / 100, 0, 1),
        ),
        (dict(PixelPaddingValue=0), np.clip((STORED - 10) / 220, 0, 1)),
    ],
)
def test_dicom_grey_values(attributes, expected):
    np.testing.assert_allclose(grey(make_dicom(STORED, **attributes)), expected, atol=1e-6)


def test_dicom_table_frames_and_colour():
    content = make_dicom(STORED, VOILUTSequence=[lookup_table(8, list(range(255, -1, -1)))])
    np.testing.assert_allclose(grey(content), (255 - STORED) / 255, atol=1e-6)

    frames = np.stack([np.full((4, 4), k, np.uint8) for k in range(5)])
    frames[:, 0, 0] = 0
    window = dict(WindowCenter=2.5, WindowWidth=5)
    content = make_dicom(frames, NumberOfFrames=5, **window)
    np.testing.assert_allclose(grey(content), frames[2] / 4)

    colours = np.zeros((4, 4, 3), np.uint8)
    colours[..., 0] = 255
    kind = dict(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    np.testing.assert_allclose(grey(make_dicom(colours, **kind)), 0.299, atol=1e-5)


def lookup_table(bits, data, first=0):
    """Item of a sequence of tables with 256 entries, as words or as bytes."""
    from pydicom.dataset import Dataset

    table = Dataset()
    table.add_new("LUTDescriptor", "SS" if first < 0 else "US", [256, first, bits])
    table.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return table


@pytest.mark.parametrize("syntax", ["ImplicitVRLittleEndian", "ExplicitVRBigEndian"])
@pytest.mark.parametrize("bits", [8, 16])
def test_dicom_table_as_bytes(syntax, bits):
    order = "<" if "Little" in syntax else ">"
    entries = np.arange(255, -1, -1).astype(f"<u{bits // 8}") * (2**bits // 256)
    words = entries.view("<u2").astype(f"{order}u2").tobytes()
    stored = STORED.astype(f"{order}i2")
    content = make_dicom(stored, syntax, VOILUTSequence=[lookup_table(bits, words)])
    expected = entries[STORED] / (2**bits - 1)
    np.testing.assert_allclose(grey(content), expected, atol=1e-6)


def test_dicom_modality_table():
    # stored values from -30 on, turned round; then through a window, as rescaled ones would be
    table = lookup_table(16, list(range(2000, 1744, -1)), first=-30)
    stored = STORED - 30
    content = make_dicom(stored, ModalityLUTSequence=[table])
    np.testing.assert_allclose(grey(content), 1 - STORED / 230, atol=1e-6)
    window = dict(WindowCenter=1900.5, WindowWidth=201)
    content = make_dicom(stored, ModalityLUTSequence=[table], **window)
    np.testing.assert_allclose(grey(content), np.clip((200 - STORED) / 200, 0, 1), atol=1e-6)


def compressed(content, syntax=None):
    """Run-length encode a DICOM file; `syntax` is what it says of itself instead."""
    import pydicom

    ds = pydicom.dcmread(io.BytesIO(content))
    ds.compress(pydicom.uid.RLELossless)
    ds.file_meta.TransferSyntaxUID = syntax or ds.file_meta.TransferSyntaxUID
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def test_dicom_that_is_run_length_encoded():
    np.testing.assert_array_equal(grey(compressed(make_dicom(STORED))), grey(make_dicom(STORED)))
    frames = np.random.default_rng(0).integers(0, 255, (5, 8, 6)).astype(np.uint8)
    colours = np.random.default_rng(0).integers(0, 255, (8, 6, 3)).astype(np.uint8)
    kind = dict(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    for plain in (make_dicom(frames, NumberOfFrames=5), make_dicom(colours, **kind)):
        assert compressed(plain) != plain
        np.testing.assert_allclose(grey(compressed(plain)), grey(plain), atol=1e-6)


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless Image Compression"),
        ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile"),
        ("1.2.3.19500102", "an unknown transfer syntax"),  # may be made of anything
    ],
)
def test_dicom_without_a_decoder(syntax, name, monkeypatch):
    content = compressed(make_dicom(STORED), syntax)
    decoders = pytest.importorskip("pydicom.pixels.decoders")
    # whatever is installed here
    monkeypatch.setattr(decoders.JPEGLSLosslessDecoder, "_available", {})
    with pytest.raises(ValueError, match=f"compressed by {name}.*decode: install") as error:
        read_images(pd.Series([None, content], index=["a", "b"], name="scan"), size=8)
    text = str(error.value)
    assert text.startswith("column 'scan': the image at row 'b' is a DICOM file")
    assert not any(word in text for word in ("SECRET", "Smith", "Jane", "19500102"))
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def make_nifti(voxels, affine=None, kind="Nifti1Image"):
    nibabel = pytest.importorskip("nibabel", reason="reading NIfTI needs nibabel (extra 'image')")
    image = getattr(nibabel, kind)(voxels, np.eye(4) if affine is None else affine)
    return image.to_bytes()


def volume():
    """Voxels that are brighter to the right, the front and the head."""
    x, y, z = np.meshgrid(np.arange(5), np.arange(6), np.arange(7), indexing="ij")
    return (x + 10 * y + 100 * z).astype(np.int16)


def test_nifti_slices_lie_as_in_radiology():
    for content in (
        make_nifti(volume()),
        gzip.compress(make_nifti(volume(), kind="Nifti2Image")),
        make_nifti(volume()[::-1], np.diag([-1, 1, 1, 1])),
        make_nifti(np.stack([volume(), 0 * volume()], -1)),
    ):
        axial, coronal, sagittal = read_image(content)
        assert (axial.shape, coronal.shape, sagittal.shape) == ((6, 5), (7, 5), (7, 6))
        assert axial[0, 0] == axial.max()  # front, and the patient's right on the left
        assert coronal[0, 0] == coronal.max()  # head
        assert sagittal[0, 0] == sagittal.max()
    low, middle, high = read_image(make_nifti(volume()), volume="axial")
    assert low.max() < middle.min() < middle.max() < high.min()
    masked = np.where(np.arange(7) < 4, volume(), np.nan).astype(np.float32)
    low, _, outside = read_image(make_nifti(masked), volume="axial")
    assert low.max() > 0
    assert outside.max() < 1e-6


@pytest.mark.parametrize("shape", [(12, 10), (12, 10, 1), (12, 1, 10), (1, 12, 10), (12, 10, 1, 1)])
def test_nifti_of_a_single_slice_is_one_image(shape):
    pixels = np.random.default_rng(0).random((12, 10)).astype(np.float32)
    (image,) = read_image(make_nifti(pixels.reshape(shape)))
    assert image.shape == (10, 12)
    expected = read_image(make_nifti(np.stack([pixels] * 3, -1)))[0]
    np.testing.assert_allclose(np.sort(image.ravel()), np.sort(expected.ravel()), atol=0.02)


def test_resizing_keeps_the_mean_of_every_area():
    image = np.random.default_rng(0).random((24, 36)).astype(np.float32)
    small = resize(image, 12)
    np.testing.assert_allclose(small, image.reshape(12, 2, 12, 3).mean((1, 3)), atol=1e-6)


@given(st.integers(1, 80), st.integers(1, 80))
def test_area_weights_share_out_all_pixels(length, n_parts):
    weights = area_weights(length, n_parts)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(weights.sum(0), n_parts / length, rtol=1e-5)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Smith").mkdir()
    (tmp_path / "Smith" / "jane.dat").write_bytes(encoded(RAMP))
    (tmp_path / "white.png").write_bytes(encoded(np.full((5, 5), 255, np.uint8)))
    return tmp_path


def test_a_column_of_all_kinds(folder):
    cells = [
        "Smith/jane.dat",
        str(folder / "white.png"),
        folder / "white.png",
        encoded(RAMP),
        RAMP,
        ["Smith/jane.dat", None, encoded(RAMP)],
        np.array(["white.png", "white.png"], dtype=object),
        None,
        float("nan"),
        pd.NA,
        [],
    ]
    series = pd.Series(cells, index=[f"p{k}" for k in range(len(cells))], dtype=object)
    two_d = np.empty((len(cells), 1), object)
    two_d[:, 0] = cells
    expected = None
    for column in (cells, series, series.to_frame("x"), two_d):
        images, counts = read_images(column, size=8, image_root=folder)
        assert counts.tolist() == [1, 1, 1, 1, 1, 2, 2, 0, 0, 0, 0]
        assert images.shape == (9, 8, 8)
        expected = images if expected is None else expected
        np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(images[0], images[3])
    np.testing.assert_array_equal(images[0], images[4])
    assert (images[1] == 1).all()


def test_what_is_masked_counts_as_nan():
    masked = np.ma.masked_greater(RAMP.astype(float), 90)
    expected, _ = read_images([masked.filled(np.nan)], size=8, cache=False)
    cache = ImageCache()
    read_images([masked.data], size=8, cache=cache)  # the same numbers, all to be seen
    np.testing.assert_array_equal(read_images([masked], size=8, cache=cache)[0], expected)


def test_arrow_strings_and_nothing_at_all(folder):
    images, counts = read_images(pd.Series(["white.png", None], dtype="str"), image_root=folder)
    assert images.shape == (1, 64, 64)
    assert counts.tolist() == [1, 0]
    images, counts = read_images([None, None], size=9)
    assert images.shape == (0, 9, 9)


@pytest.mark.parametrize(
    ("cell", "match"),
    [
        ("secret.png", "no file"),
        ("secret\0.png", "cannot be opened"),
        ("Smith", "folder"),
        ("  ", "empty text"),
        (b"", "zero bytes"),
        (b"secret" * 99, "no image that can be read"),
        (encoded(RAMP)[:50], r"PNG image that is damaged"),
        (b"\x1f\x8bsecret", "no image that can be read"),
        (7, "type int"),
        ({"secret": 1}, "type dict"),
        (["white.png", 7], "type int"),
        (np.zeros((2, 2, 2)), r"array of shape \(2, 2, 2\)"),
        (np.full((3, 3), np.nan), "no finite value"),
    ],
)
@pytest.mark.parametrize("cache", [None, False])
def test_bad_cells_are_named_by_column_and_row(cell, match, cache, folder):
    column = pd.Series([None, cell, RAMP], index=["a", "b", "c"], name="xray", dtype=object)
    with pytest.raises(ValueError, match=match) as error:
        read_images(column, size=8, image_root=folder, cache=cache)
    text = str(error.value)
    assert "column 'xray'" in text
    assert "row 'b'" in text
    assert "secret" not in text
    assert str(folder) not in text


def test_bad_dicom_and_nifti_show_nothing_of_the_patient():
    good = make_dicom(STORED)
    cases = [
        (make_dicom(None), "without pixels"),
        (make_dicom(STORED, Rows=50), "cannot be decoded"),
        (make_dicom(STORED, PhotometricInterpretation="PALETTE COLOR"), "PALETTE COLOR"),
        (good[: len(good) - 60], "DICOM"),
        (make_nifti(volume())[:380], "damaged NIfTI"),
        (gzip.compress(make_nifti(volume()))[:-20], "damaged NIfTI"),
    ]
    for content, match in cases:
        with pytest.raises(ValueError, match=match) as error:
            read_images(pd.Series([content], name="scan"), size=8)
        assert "row 0" in str(error.value)
        assert not any(word in str(error.value) for word in ("SECRET", "Smith", "Jane"))
        assert error.value.__cause__ is None
        assert error.value.__suppress_context__


@pytest.mark.parametrize(
    ("column", "match"),
    [
        ("a.png", "single str"),
        (b"abc", "single bytes"),
        (np.zeros((4, 4)), "single array"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "2 columns"),
        ([], "empty"),
        (None, "NoneType"),
    ],
)
def test_bad_columns(column, match):
    with pytest.raises(ValueError, match=match):
        read_images(column, name="the image")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"size": 4}, "size"),
        ({"size": 9.5}, "size"),
        ({"volume": "x"}, "vol"),
        ({"image_root": 5}, "image_root must be"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        read_images([RAMP], **options)


@pytest.mark.parametrize(
    ("module", "content"),
    [
        ("PIL", encoded(RAMP)),
        ("pydicom", b"\0" * 128 + b"DICM"),
        ("nibabel", b"\0" * 344 + b"n+1\0" + b"\0" * 9),
    ],
)
def test_without_a_package_the_extra_is_named(module, content, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"sklearn-medsel\[image\]"):
        read_images([content], cache=False)


def test_an_image_is_decoded_once(folder, monkeypatch):
    seen = []

    def counting(source, **options):
        seen.append(source)
        return read_image(source, **options)

    monkeypatch.setattr(cache_module, "read_image", counting)
    cache = ImageCache()
    column = ["white.png", encoded(RAMP), "Smith/jane.dat", encoded(RAMP)]
    first, _ = read_images(column, size=8, image_root=folder, cache=cache)
    again, _ = read_images(column, size=8, image_root=folder, cache=clone(cache, safe=False))
    np.testing.assert_array_equal(first, again)
    assert len(seen) == len(cache) == 3
    read_images(column, size=9, image_root=folder, cache=cache)
    assert len(seen) == 6
    # a file that was changed is another one
    time.sleep(0.01)
    (folder / "white.png").write_bytes(encoded(np.zeros((5, 5), np.uint8)))
    changed, _ = read_images(column, size=8, image_root=folder, cache=cache)
    assert changed[0].max() == 0
    # also where its size and its date are those of the one before, as after copying with dates
    path = folder / "grey.tiff"
    path.write_bytes(encoded(np.zeros((5, 5), np.uint8), "TIFF"))
    dates = path.stat()
    assert read_images([path], size=8, cache=cache)[0].max() == 0
    time.sleep(0.01)
    path.write_bytes(encoded(np.full((5, 5), 255, np.uint8), "TIFF"))
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert read_images([path], size=8, cache=cache)[0].min() == 1
    # and without a cache the numbers are the same
    bare, _ = read_images(column, size=8, image_root=folder, cache=False)
    np.testing.assert_array_equal(bare, changed)


def test_cache_is_bounded_and_pickled_empty():
    cache = ImageCache(max_bytes=2000)
    rng = np.random.default_rng(0)
    read_images(list(rng.random((30, 9, 9))), size=8, cache=cache)
    assert 0 < len(cache) < 10
    assert copy.deepcopy(cache) is cache
    other = pickle.loads(pickle.dumps(cache))
    assert len(other) == 0
    assert other.max_bytes == 2000
    cache.clear()
    assert len(cache) == 0
    assert cache
    with pytest.raises(ValueError, match="max_bytes"):
        ImageCache(0)
    with pytest.raises(TypeError, match="cache must be"):
        read_images([RAMP], cache="folder")


def test_texture_says_where_and_what():
    size = 60
    images = np.zeros((4, size, size))
    images[0, 25:] = 1  # level edge
    images[1, :, 25:] = 1  # upright edge
    rows, columns = np.mgrid[:size, :size]
    images[2] = rows + columns > size  # rises to the right: rows count downwards
    images[3, 10:20, 50:] = np.indices((10, 10)).sum(0) % 2
    features, names = texture_features(images)
    assert features.shape == (4, len(names))
    assert len(set(names)) == len(names)
    table = pd.DataFrame(features, columns=names)
    edges = table.filter(like="edge")
    assert edges.iloc[0].idxmax().startswith("row2_")
    assert edges.iloc[0].idxmax().endswith("_edge0")
    assert "_col2_edge90" in edges.iloc[1].idxmax()
    assert edges.iloc[2].idxmax().endswith("_edge45")
    assert table.filter(like="fine").iloc[3].idxmax() == "row1_col5_fine"
    assert table.loc[0, "row5_col5_mean"] > 0 > table.loc[0, "row0_col0_mean"]
    np.testing.assert_allclose((edges**2).sum(axis=1), 1, rtol=1e-5)


def test_texture_ignores_brightness_and_batches():
    images = np.random.default_rng(0).random((300, 16, 16))
    features, _ = texture_features(images)
    np.testing.assert_allclose(texture_features(0.3 + 0.2 * images)[0], features, atol=1e-3)
    np.testing.assert_allclose(texture_features(images[255:257])[0], features[255:257], atol=1e-6)
    assert np.isfinite(texture_features(np.zeros((1, 20, 20)))[0]).all()
    assert texture_features(np.zeros((0, 20, 20)))[0].shape == (0, 432)


@pytest.mark.parametrize(
    "images", [np.zeros((9, 9)), np.zeros((1, 4, 4)), np.full((1, 9, 9), np.nan)]
)
def test_texture_of_something_else(images):
    with pytest.raises(ValueError, match="images must"):
        texture_features(images)
