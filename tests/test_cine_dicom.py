"""CineSequence.from_dicom, on files that the tests write."""

import pickle
import sys

import numpy as np
import pytest

from sklearn_medsel.forecasting import CineSequence

pydicom = pytest.importorskip("pydicom", reason="reading DICOM needs pydicom (extra 'image')")

from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid  # noqa: E402

# direction along a row, then along a column; axes +x left, +y back, +z head
ORIENTATION = {
    "coronal": [1, 0, 0, 0, 0, -1],
    "sagittal": [0, 1, 0, 0, 0, -1],
    "axial": [1, 0, 0, 0, 1, 0],
}


def make_dicom(image, plane="sagittal", **attributes):
    """Image file of one frame, or of several; None removes an attribute."""
    image = np.asarray(image)
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, generate_uid()
    ds.SeriesInstanceUID = "1.2.3"
    ds.PatientID, ds.PatientName = "SECRET-7", "Smith^Jane"
    ds.Rows, ds.Columns = image.shape[-2:]
    if image.ndim == 3:
        ds.NumberOfFrames = len(image)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 8 * image.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(image.dtype.kind == "i")
    ds.ImageOrientationPatient = ORIENTATION[plane]
    ds.ImagePositionPatient, ds.PixelSpacing = [0, 0, 0], [2.0, 2.0]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
        if value is None:
            delattr(ds, keyword)
    ds.PixelData = image.tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


@pytest.fixture
def write(tmp_path):
    """Writer of DICOM files into one folder, which it returns."""

    def save(*datasets):
        for ds in datasets:
            path = tmp_path / "Smith" / f"{len(list(tmp_path.rglob('*.dcm'))):04d}-Jane.dcm"
            path.parent.mkdir(exist_ok=True)
            ds.save_as(path, enforce_file_format=True)
        return tmp_path

    return save


def images(n, shape=(4, 3), dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, 100, (n, *shape)).astype(dtype)


def test_one_file_per_frame(write):
    stack = images(4)
    order = [2, 0, 3, 1]  # files are not in the order of time
    folder = write(
        *(make_dicom(stack[k], AcquisitionDateTime=f"20240102090059.{25 * k:02d}") for k in order)
    )
    (folder / "notes.txt").write_text("no image")
    X = CineSequence.from_dicom(folder)
    assert X.planes == ("sagittal",)
    assert X.dtype == np.uint8
    np.testing.assert_allclose(X.t, [0, 0.25, 0.5, 0.75])
    np.testing.assert_array_equal(X.frames[:, 0], stack)
    np.testing.assert_array_equal(X.pixel_mm, np.full((4, 1), 2.0))


def test_interleaved_planes_of_different_sizes(write):
    stacks = {"axial": images(2, (3, 5)), "coronal": images(2, (4, 3)), "sagittal": images(1)}
    times = {"axial": ["59.9", "60.2"], "coronal": ["59.7", "60.0"], "sagittal": ["59.8"]}
    folder = write(
        *(
            make_dicom(
                image,
                plane,
                AcquisitionDate="20240102",
                AcquisitionTime=f"0900{time}" if time < "60" else f"09010{float(time) - 60:.1f}",
                SeriesInstanceUID=f"1.2.{len(plane)}",
                PixelSpacing=[len(plane) / 2] * 2,
            )
            for plane, stack in stacks.items()
            for image, time in zip(stack, times[plane], strict=True)
        )
    )
    X = CineSequence.from_dicom(folder, patient="A", sequence=4)
    assert X.planes == ("coronal", "sagittal", "axial")
    np.testing.assert_allclose(X.t, [0, 0.1, 0.2, 0.3, 0.5])
    assert X.mask.sum(axis=0).tolist() == [2, 1, 2]
    assert X.mask.sum(axis=1).tolist() == [1, 1, 1, 1, 1]
    assert X.shape == (5, 3, 4, 5)
    np.testing.assert_array_equal(X.frames[0, 0, :4, :3], stacks["coronal"][0])
    np.testing.assert_array_equal(X.frames[4, 2, :3, :5], stacks["axial"][1])
    np.testing.assert_array_equal(X.pixel_mm[0], [3.5, 4.0, 2.5])
    assert (X.patient == "A").all()
    assert (X.sequence == 4).all()


@pytest.mark.parametrize("plane", ORIENTATION)
@pytest.mark.parametrize("turn", ["none", "rows", "columns", "transposed", "rotated"])
def test_images_are_turned_to_the_layout_of_their_plane(plane, turn, write):
    image = images(1)[0]
    right, down = np.reshape(ORIENTATION[plane], (2, 3))
    stored, right, down = {
        "none": (image, right, down),
        "rows": (image[::-1], right, -down),
        "columns": (image[:, ::-1], -right, down),
        "transposed": (image.T, down, right),
        "rotated": (image.T[::-1], down, -right),
    }[turn]
    # 20 degrees oblique, which is let pass
    normal, angle = np.cross(right, down), np.radians(20)
    right = right * np.cos(angle) + normal * np.sin(angle)
    folder = write(
        make_dicom(
            np.ascontiguousarray(stored),
            plane,
            AcquisitionDateTime="20240102090000",
            ImageOrientationPatient=[*np.round([*right, *down], 6)],
        )
    )
    X = CineSequence.from_dicom(folder)
    assert X.planes == (plane,)
    np.testing.assert_array_equal(X.frames[0, 0], image)


def test_grey_values(write):
    now = dict(AcquisitionDateTime="20240102090000")
    stored = np.array([[-5, 100], [0, 7]], np.int16)
    files = {
        "axial": make_dicom(stored, "axial", RescaleSlope=2, RescaleIntercept=-3, **now),
        "coronal": make_dicom(stored, "coronal", PhotometricInterpretation="MONOCHROME1", **now),
        "sagittal": make_dicom(
            np.abs(stored).astype(np.uint8), PhotometricInterpretation="MONOCHROME1", **now
        ),
    }
    X = CineSequence.from_dicom(write(*files.values()))
    assert X.shape == (1, 3, 2, 2)
    assert X.dtype == np.float32
    found = dict(zip(X.planes, X.frames[0], strict=True))
    np.testing.assert_array_equal(found["axial"], 2.0 * stored - 3)
    np.testing.assert_array_equal(found["coronal"], -1.0 - stored)
    np.testing.assert_array_equal(found["sagittal"], 255.0 - np.abs(stored))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_file_of_several_frames(dtype, write):
    stack = images(5, dtype=dtype)
    ds = make_dicom(stack, FrameTime=200, AcquisitionDateTime="20240102090000")
    X = CineSequence.from_dicom(write(ds))
    np.testing.assert_allclose(X.t, np.arange(5) / 5)
    np.testing.assert_array_equal(X.frames[:, 0], stack)


def test_an_enhanced_file_says_what_each_frame_is(write):
    stack = images(4, (3, 3))
    ds = make_dicom(stack, ImageOrientationPatient=None, PixelSpacing=None)
    del ds.ImagePositionPatient
    shared, spacing = Dataset(), Dataset()
    spacing.PixelSpacing = [1.5, 1.5]
    shared.PixelMeasuresSequence = [spacing]
    ds.SharedFunctionalGroupsSequence = [shared]
    ds.PerFrameFunctionalGroupsSequence = []
    for k, plane in enumerate(["coronal", "axial"] * 2):
        frame, orientation, content = Dataset(), Dataset(), Dataset()
        orientation.ImageOrientationPatient = ORIENTATION[plane]
        content.FrameAcquisitionDateTime = f"2024010209000{k}.5"
        frame.PlaneOrientationSequence, frame.FrameContentSequence = [orientation], [content]
        ds.PerFrameFunctionalGroupsSequence.append(frame)
    X = CineSequence.from_dicom(write(ds))
    assert X.planes == ("coronal", "axial")
    np.testing.assert_allclose(X.t, [0, 1, 2, 3])
    np.testing.assert_array_equal(X.mask, [[True, False], [False, True]] * 2)
    np.testing.assert_array_equal(X.frames[X.mask], stack)
    assert (X.pixel_mm == 1.5).all()


def _frames(**by_keyword):
    """Files whose attributes are listed, one per frame."""
    n = len(next(iter(by_keyword.values())))
    return [
        make_dicom(image, **{key: values[k] for key, values in by_keyword.items()})
        for k, image in enumerate(images(n))
    ]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        # a clock that stands still is passed over
        (dict(AcquisitionTime=["090000"] * 3, TriggerTime=[0, 300, 700]), [0, 0.3, 0.7]),
        (dict(AcquisitionTime=["090000", "090001", "090002"], TriggerTime=[0, 3, 7]), [0, 1, 2]),
        # one frame was lost
        (dict(FrameTime=[250] * 3, InstanceNumber=[1, 2, 4]), [0, 0.25, 0.75]),
    ],
)
def test_choice_of_clock(attributes, expected, write):
    X = CineSequence.from_dicom(write(*_frames(**attributes)))
    np.testing.assert_allclose(X.t, expected)
    np.testing.assert_array_equal(X.frames[:, 0], images(3))


@pytest.mark.parametrize(
    "attributes",
    [
        dict(InstanceNumber=[1, 2, 3]),
        dict(AcquisitionTime=["090000"] * 3),
        dict(AcquisitionTime=["090000", None, "090001"]),
        # heart beats: the trigger starts again
        dict(TriggerTime=[0, 300, 100], InstanceNumber=[1, 2, 3]),
        dict(TriggerTime=[0, 100, 200], SeriesInstanceUID=["1.1", "1.1", "1.2"]),
    ],
)
def test_without_a_usable_time(attributes, write):
    lists = {k: [v if v is not None else "" for v in values] for k, values in attributes.items()}
    with pytest.raises(ValueError, match=r"no time of AcquisitionDateTime, .* is there for every"):
        CineSequence.from_dicom(write(*_frames(**lists)))


NOW = dict(AcquisitionDateTime="20240102090000")
ONE = images(1)[0]
OBLIQUE = [np.sqrt(0.5), np.sqrt(0.5), 0, 0, 0, -1]
TILTED = [0, np.sqrt(0.5), np.sqrt(0.5), 0, np.sqrt(0.5), -np.sqrt(0.5)]  # within its plane


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(ImageOrientationPatient=OBLIQUE), "File 2 of 2 .* more than 30 degrees"),
        (dict(ImageOrientationPatient=TILTED), "File 2 of 2 .* more than 30 degrees"),
        (dict(ImageOrientationPatient=None), "File 2 of 2 .* ImageOrientationPatient is missing"),
        (dict(PixelSpacing=None), "File 2 of 2 .* PixelSpacing is missing"),
        (dict(PixelSpacing=[2, 3]), "File 2 of 2 .* pixels must be square"),
        (dict(PhotometricInterpretation="RGB"), "File 2 of 2 .* only grey images"),
        (dict(PatientID="SECRET-8"), "folder holds images of 2 patients"),
        (dict(PixelSpacing=[3, 3]), "the sagittal frames change their size"),
        (dict(ImagePositionPatient=[5, 0, 0]), "the sagittal frames lie at several slice pos"),
        (dict(AcquisitionDateTime="noon"), "File 2 of 2 .* date and time cannot be read"),
        (dict(Rows=5), r"File 2 of 2 .* pixels cannot be decoded \(ValueError\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR DT")
def test_bad_files_are_named_without_the_patient(changes, message, write):
    folder = write(
        make_dicom(ONE, **NOW),
        make_dicom(ONE, **{"AcquisitionDateTime": "20240102090001", **changes}),
    )
    with pytest.raises(ValueError, match=message) as caught:
        CineSequence.from_dicom(folder)
    text = str(caught.value)
    assert not any(word in text for word in ("SECRET", "Smith", "Jane", "2024"))


def test_a_plane_whose_size_changes(write):
    later = make_dicom(images(1, (5, 3))[0], AcquisitionDateTime="20240102090001")
    with pytest.raises(ValueError, match="the sagittal frames change their size"):
        CineSequence.from_dicom(write(make_dicom(ONE, **NOW), later))


def test_nothing_of_the_patient_is_kept(write):
    folder = write(make_dicom(ONE, **NOW))
    X = CineSequence.from_dicom(folder)
    (patient,) = set(X.patient)
    assert len(patient) == 12
    assert int(patient, 16) >= 0
    assert patient == CineSequence.from_dicom(folder).patient[0]
    kept = pickle.dumps(X)
    assert not any(word in kept for word in (b"SECRET", b"Smith", b"Jane", b"2024"))


def test_a_patient_without_id_must_be_named(write):
    folder = write(make_dicom(ONE, PatientID="", **NOW))
    with pytest.raises(ValueError, match="no PatientID"):
        CineSequence.from_dicom(folder)
    assert CineSequence.from_dicom(folder, patient=3).patient.tolist() == [3]


def test_folders_without_images(tmp_path, write):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        CineSequence.from_dicom(tmp_path / "none")
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(ValueError, match=r"no DICOM images among its 1 file"):
        CineSequence.from_dicom(tmp_path)


def test_without_pydicom_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImportError, match=r"sklearn-medsel\[image\]"):
        CineSequence.from_dicom(tmp_path)
