"""CineSequence: what is refused, what indexing keeps and does not read, and how it is loaded."""

import copy
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_validate
from sklearn.utils import _safe_indexing, check_array, indexable, resample
from sklearn.utils.validation import _num_samples

from sklearn_medsel.forecasting import CineSequence
from sklearn_medsel.forecasting._frame_store import FrameStore

PLANES = ("coronal", "sagittal")


def make_parts(n_steps=12, n_planes=2, seed=0, dtype=np.uint8):
    """Arguments of a sequence of two patients; every pixel and number is different."""
    rng = np.random.default_rng(seed)
    half = n_steps // 2
    return dict(
        frames=rng.integers(0, 255, (n_steps, n_planes, 5, 4)).astype(dtype),
        t=np.r_[np.arange(half), np.arange(n_steps - half)] / 4.0,
        planes=PLANES[:n_planes],
        mask=rng.random((n_steps, n_planes)) < 0.7,
        pixel_mm=rng.uniform(1, 3, (n_steps, n_planes)),
        patient=np.repeat(["A", "B"], [half, n_steps - half]),
        sequence=np.repeat([3, 1], [half, n_steps - half]),
        positions=rng.normal(size=(n_steps, 3)),
    )


def make_sequence(**changes):
    return CineSequence(**{**make_parts(), **changes})


def assert_same(found, expected):
    """Equal in all that a sequence holds."""
    assert found.planes == expected.planes
    assert found.dtype == expected.dtype
    for name in ("frames", "t", "patient", "sequence", "mask", "pixel_mm", "positions"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


class Unreadable(np.ndarray):
    """Frames whose pixels nobody may take."""

    def __getitem__(self, key):
        raise AssertionError("frames were read")

    __array_ufunc__ = None


class MeanBrightness(BaseEstimator):
    """Estimator that reads the frames it is given, and remembers whose they are."""

    def __init__(self, plane="coronal"):
        self.plane = plane

    def fit(self, X, y):
        self.patients_ = set(X.groups)
        self.mean_ = X.select_planes(self.plane).frames.mean()
        return self

    def predict(self, X):
        return X.select_planes(self.plane).frames.mean(axis=(1, 2, 3)) - self.mean_

    def score(self, X, y):
        assert not self.patients_ & set(X.groups)
        return -float(np.mean((self.predict(X) - y) ** 2))


# ---------------------------------------------------------------- what it holds


def test_attributes_have_the_documented_form():
    X = make_sequence(pixel_mm=[2, 3], mask=None)
    assert X.shape == (12, 2, 5, 4)
    assert (len(X), X.ndim, X.dtype) == (12, 4, np.uint8)
    assert (X.mask.shape, X.mask.dtype, X.mask.all()) == ((12, 2), bool, True)
    np.testing.assert_array_equal(X.pixel_mm, np.tile([2.0, 3.0], (12, 1)))
    assert X.groups is X.patient
    assert X.frame_rate == 4.0
    one = CineSequence(np.zeros((3, 1, 2, 2)), [0, 1, 2], planes="sagittal", patient="A")
    assert one.planes == ("sagittal",)
    assert one.t.dtype == np.float64
    assert list(one.patient) == ["A"] * 3
    assert one.positions is None
    assert np.isnan(one[0].frame_rate)


def test_repr_is_short_and_shows_no_patient():
    X = make_sequence(patient=np.repeat(["Smith", "Jones"], 6))
    assert repr(X) == (
        "CineSequence(12 steps, planes=('coronal', 'sagittal'), 5 x 4 pixels, uint8, 2 patients)"
    )


def test_what_is_given_is_neither_changed_nor_copied():
    parts = make_parts()
    before = copy.deepcopy(parts)
    X = CineSequence(**parts)
    assert np.shares_memory(X.frames, parts["frames"])
    X.t[:], X.mask[:], X.positions[:], X.pixel_mm[:] = 0, False, 0, 1
    for name, value in before.items():
        np.testing.assert_array_equal(parts[name], value)


# ---------------------------------------------------------------- indexing


@given(st.data())
def test_any_chain_of_indices_equals_indexing_the_arrays(data):
    parts = make_parts()
    X, rows = CineSequence(**parts), np.arange(12)
    for _ in range(data.draw(st.integers(1, 3))):
        n = len(rows)
        key = data.draw(
            st.one_of(
                st.slices(n),
                st.lists(st.booleans(), min_size=n, max_size=n).map(lambda k: np.array(k, bool)),
                st.lists(st.integers(-n, n - 1), max_size=15) if n else st.just([]),
            )
        )
        X = X[key]
        rows = rows[np.asarray(key, int) if isinstance(key, list) else key]
    np.testing.assert_array_equal(X.frames, parts["frames"][rows])
    for name in ("t", "patient", "sequence", "mask", "pixel_mm", "positions"):
        np.testing.assert_array_equal(getattr(X, name), parts[name][rows])
    assert len(X) == len(rows)


def test_single_steps_and_iteration():
    X = make_sequence()
    assert_same(X[-1], X[11:])
    assert [step.t[0] for step in X] == list(X.t)
    np.testing.assert_array_equal(X.read(4), X.frames[4:5])
    np.testing.assert_array_equal(X.read([5, 1]), X.frames[[5, 1]])
    with pytest.raises(IndexError):
        X[12]


@pytest.mark.parametrize(
    "key",
    [np.ones(11, bool), [True], [12], [[0, 1]], (0, 1), (0, slice(None)), [0.5], "a", None, True],
    ids=str,
)
def test_a_wrong_index_is_refused(key):
    with pytest.raises(IndexError):
        make_sequence()[key]


def test_regular_rows_and_planes_are_views_and_others_copies():
    X = make_sequence()
    base = X.frames
    for part in (X[2:9], X[::3], X[[4]], X[[1, 3, 5]], X.select_planes("sagittal")[4:]):
        assert np.shares_memory(part.frames, base)
    for part in (X[::-1], X[[1, 2, 5]], X.select_planes(PLANES[::-1])):
        assert not np.shares_memory(part.frames, base)


def test_indexing_does_not_read():
    frames = make_parts()["frames"].view(Unreadable)
    X = make_sequence(frames=frames)  # nor does making one of uint8
    joined = CineSequence.concatenate([X[6:], X[:6]]).select_planes("sagittal")
    part = _safe_indexing(joined, np.array([8, 1])).with_positions(None)
    assert part.shape == (2, 1, 5, 4)
    with pytest.raises(AssertionError, match="were read"):
        part.frames  # noqa: B018


def test_select_planes():
    X = make_sequence()
    turned = X.select_planes(("sagittal", "coronal"))
    assert_same(turned.select_planes(PLANES), X)
    np.testing.assert_array_equal(turned.frames, X.frames[:, ::-1])
    np.testing.assert_array_equal(turned.pixel_mm, X.pixel_mm[:, ::-1])
    np.testing.assert_array_equal(X.select_planes("sagittal").mask, X.mask[:, 1:])
    for wrong in ("axial", (), ("coronal", "coronal"), ("coronal", "axial")):
        with pytest.raises(ValueError, match=r"planes must be one or more of \('coronal', 'sag"):
            X.select_planes(wrong)


def test_with_positions_shares_frames():
    X = make_sequence()
    Y = X.with_positions(np.ones((12, 2)))
    assert X.positions.shape == (12, 3)
    assert Y.positions.shape == (12, 2)
    assert np.shares_memory(X.frames, Y.frames)
    assert X.with_positions(None).positions is None
    assert X[[]].with_positions(np.ones((0, 2))).positions.shape == (0, 2)
    with pytest.raises(ValueError, match=r"positions must have the shape .*\(12, 1 to 3\)"):
        X.with_positions(np.ones(12))


# ---------------------------------------------------------------- scikit-learn


def test_scikit_learn_takes_it_apart():
    X = make_sequence()
    assert _num_samples(X) == 12
    assert indexable(X, X.t)[0] is X
    for key in (np.array([3, 0]), [1, 2], X.t < 1, slice(2, 5)):
        assert_same(_safe_indexing(X, key), X[key])
    assert len(resample(X, n_samples=5, random_state=0)) == 5
    np.testing.assert_array_equal(np.asarray(X), X.frames)
    assert np.asarray(X, dtype=float).dtype == float
    with pytest.raises(ValueError, match="dim 4"):
        check_array(X)


def test_cross_validation_by_patient():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (40, 2, 5, 4)).astype(np.uint8)
    patient = np.repeat(np.arange(4), 10)
    X = CineSequence(frames, np.tile(np.arange(10.0), 4), planes=PLANES, patient=patient)
    y = frames[:, 1].mean(axis=(1, 2))
    options = dict(groups=X.groups, cv=GroupKFold(4))
    scores = cross_validate(MeanBrightness(), X, y, **options)["test_score"]
    assert scores.shape == (4,)
    assert np.isfinite(scores).all()
    predicted = cross_val_predict(MeanBrightness("sagittal"), X, y, **options)
    # the plane's own mean in the other patients is all that is missing
    for left_out in range(4):
        apart = (y - predicted)[patient == left_out]
        np.testing.assert_allclose(apart, y[patient != left_out].mean())
    search = GridSearchCV(MeanBrightness(), {"plane": PLANES}, cv=GroupKFold(4))
    search.fit(X, y, groups=X.groups)
    assert len(search.cv_results_["params"]) == 2


# ---------------------------------------------------------------- files and pickles


@pytest.fixture
def mapped(tmp_path):
    """Frames in a memory-mapped file."""
    np.save(tmp_path / "frames.npy", make_parts()["frames"])
    return np.load(tmp_path / "frames.npy", mmap_mode="r")


def test_memory_mapped_frames_stay_in_their_file(mapped):
    X = make_sequence(frames=mapped)
    assert_same(X, make_sequence())
    assert np.shares_memory(X[3:].frames, mapped)
    np.testing.assert_array_equal(X[[7, 2]].frames, make_parts()["frames"][[7, 2]])


@pytest.mark.parametrize("part", [slice(None), slice(3, 9), [9, 2, 2], []], ids=str)
@pytest.mark.parametrize("kind", ["memory", "file", "part of a file", "turned", "joined"])
def test_pickle(kind, part, mapped):
    frames = make_parts()["frames"]
    if kind == "file":
        frames = mapped
    if kind == "part of a file":
        frames = np.concatenate([frames + 1, frames])
        np.save(Path(mapped.filename).with_name("more.npy"), frames)
        frames = np.load(Path(mapped.filename).with_name("more.npy"), mmap_mode="r")[12:]
    if kind == "turned":
        frames = mapped[::-1, :, ::-1]  # no longer a stretch of the file
    X = make_sequence(frames=frames)
    if kind == "joined":
        X = CineSequence.concatenate([X[:6].select_planes("sagittal"), X[6:]])
    loaded = pickle.loads(pickle.dumps(X[part]))
    assert_same(loaded, X[part])
    assert_same(loaded[::-1], X[part][::-1])
    assert_same(copy.deepcopy(X[part]), X[part])


def test_pickle_holds_no_more_than_it_must(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (200, 2, 32, 32)).astype(np.uint8)
    X = CineSequence.from_frames(frames, rate=4.0, planes=PLANES)
    assert len(pickle.dumps(X)) > frames.nbytes
    assert len(pickle.dumps(X[:20])) < frames.nbytes / 9
    assert len(pickle.dumps(X.select_planes("sagittal"))) < frames.nbytes / 1.8
    np.save(tmp_path / "frames.npy", frames)
    X = CineSequence.from_frames(
        np.load(tmp_path / "frames.npy", mmap_mode="r"), rate=4.0, planes=PLANES
    )
    assert len(pickle.dumps(X)) < frames.nbytes / 20
    assert np.isfinite(pickle.loads(pickle.dumps(X)).frames.sum())


def test_a_pickle_needs_only_the_files_in_use(tmp_path):
    parts = []
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", make_parts()["frames"])
        frames = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        parts.append(CineSequence.from_frames(frames, rate=1, planes=PLANES, patient=name))
    X = CineSequence.concatenate(parts)
    kept = pickle.dumps(X[X.patient == "b"])
    whole = pickle.dumps(X)
    del X, parts, frames
    (tmp_path / "a.npy").unlink()
    np.testing.assert_array_equal(pickle.loads(kept).frames, make_parts()["frames"])
    with pytest.raises(FileNotFoundError):
        pickle.loads(whole)


def test_changes_kept_in_memory_survive_a_pickle(mapped):
    private = np.load(mapped.filename, mmap_mode="c")
    private[0] = 7
    X = make_sequence(frames=private)
    assert (pickle.loads(pickle.dumps(X)).frames[0] == 7).all()


# ---------------------------------------------------------------- joining


def test_concatenate_gives_back_what_was_taken_apart():
    X = make_sequence()
    assert_same(CineSequence.concatenate([X[:2], X[2:6], X[6:]]), X)
    assert_same(CineSequence.concatenate([X]), X)
    assert len(CineSequence.concatenate([X[[]], X[[]]])) == 0


def test_concatenate_pads_and_takes_the_union_of_planes():
    small = CineSequence.from_frames(np.full((2, 3, 4), 7.0), rate=1, planes="axial", patient=1)
    large = CineSequence.from_frames(
        np.full((3, 2, 4, 2), 9.0),
        rate=1,
        planes=("sagittal", "axial"),
        pixel_mm=2.0,
        patient=2,
        positions=np.zeros((3, 2)),
    )
    X = CineSequence.concatenate([small, large])
    assert X.planes == ("axial", "sagittal")
    assert X.shape == (5, 2, 4, 4)
    expected = np.zeros((5, 2, 4, 4))
    expected[:2, 0, :3] = 7
    expected[2:, :, :, :2] = 9
    np.testing.assert_array_equal(X.frames, expected)
    np.testing.assert_array_equal(X.mask, [[True, False]] * 2 + [[True, True]] * 3)
    np.testing.assert_array_equal(X.pixel_mm, [[1, 1]] * 2 + [[2, 2]] * 3)
    np.testing.assert_array_equal(np.isnan(X.positions), [[True] * 2] * 2 + [[False] * 2] * 3)
    assert X[:2].shape[2:] == (4, 4)  # the size is that of the whole
    assert pickle.loads(pickle.dumps(X[:1])).shape == (1, 2, 4, 4)


def test_concatenate_refuses_what_does_not_fit():
    X = make_sequence()
    for parts, message in (
        ([], "sequences is empty"),
        ([X, CineSequence(**make_parts(dtype=np.float32))], r"uint8 \(part 0\) and float32 \(part"),
        ([X[:6], make_sequence(patient=1)[6:]], "patient is text in some parts and numbers"),
        ([X[:6], X.with_positions(np.ones((12, 2)))[6:]], r"different numbers of dim.*\[2, 3\]"),
        ([X[3:6], X[:3]], "t must grow .* at row 3"),
        ([X[:3], X[6:], X[3:6]], "the sequence at row 9 has rows further up"),
        ([X[:6], X.with_positions(X.positions + 200)[3:6]], "t must grow"),
    ):
        with pytest.raises(ValueError, match=message):
            CineSequence.concatenate(parts)
    with pytest.raises(TypeError, match="found ndarray"):
        CineSequence.concatenate([X, X.frames])


# ---------------------------------------------------------------- bad input


def _with(array, row, value):
    array = np.array(array, dtype=float)
    array[row] = value
    return array


PARTS = make_parts()
BAD = {
    "time back": (dict(t=_with(PARTS["t"], 4, 0.1)), r"t must grow .* at row 4\. Sort"),
    "time repeats": (dict(t=_with(PARTS["t"], 9, 0.5)), r"t must grow .* at row 9"),
    "time missing": (dict(t=_with(PARTS["t"], 2, np.nan)), "t is NaN or infinite at row 2"),
    "time infinite": (dict(t=_with(PARTS["t"], 11, np.inf)), "t is NaN or infinite at row 11"),
    "too few times": (dict(t=np.arange(11.0)), r"so the shape \(12,\), found \(11,\)"),
    "dates": (dict(t=np.arange(12).astype("M8[s]")), "t must be numbers, in seconds"),
    "mixed rows": (dict(patient=["A", "B"] * 6), "the sequence at row 2 has rows further up"),
    "no patient": (dict(patient=_with(np.zeros(12), 3, np.nan)), "patient is missing at row 3"),
    "patients": (dict(patient=["A", "B"]), r"patient must be one label or one per step.*\(2,\)"),
    "sequences": (dict(sequence=[b"a"] * 12), "sequence must be numbers or text"),
    "None": (dict(patient=["A"] * 11 + [None]), "patient is missing at row 11"),
    "3-D frames": (dict(frames=PARTS["frames"][:, 0]), r"shape \(n_steps, n_planes, height, width"),
    "no steps": (dict(frames=PARTS["frames"][:0], t=[]), "frames is empty"),
    "int frames": (dict(frames=PARTS["frames"].astype(int)), "frames must be uint8 or a float"),
    "byte order": (dict(frames=PARTS["frames"].astype(">f4")), "native byte order, found '>f4'"),
    "complex": (dict(frames=PARTS["frames"] * 1j), "must be uint8 or a float"),
    "size changes": (
        dict(frames=[*PARTS["frames"][:11], np.zeros((2, 6, 4))]),
        "frames changes its size at row 11",
    ),
    "names": (dict(planes=("coronal",)), r"planes has 1 name\(s\), but frames has 2 plane"),
    "same name": (dict(planes=("axial", "axial")), "planes must be distinct"),
    "mask shape": (dict(mask=np.ones(12, bool)), r"mask must have the shape .*\(12, 2\), found"),
    "mask dtype": (dict(mask=np.ones((12, 2))), "mask must be True"),
    "pixel 0": (dict(pixel_mm=0), "pixel_mm must be finite and larger than 0"),
    "pixel NaN": (dict(pixel_mm=[1, np.nan]), "pixel_mm must be finite"),
    "pixel shape": (dict(pixel_mm=np.ones(12)), r"one per plane \(2,\).*found the shape \(12,\)"),
    "pixel text": (dict(pixel_mm="1"), "pixel_mm must be numbers, in mm"),
    "positions": (dict(positions=np.ones((12, 4))), r"\(12, 1 to 3\), found \(12, 4\)"),
    "infinite": (dict(positions=_with(PARTS["positions"], 5, np.inf)), "infinite at row 5"),
    "units": (
        dict(positions=_with(PARTS["positions"], 8, 300.0)),
        "jumps by more than 100 mm at rows 8, 9: probably it is in other units",
    ),
    "other units": (dict(positions=PARTS["positions"] * 1000), "probably it is in other units"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        make_sequence(**changes)


def test_planes_must_be_text():
    with pytest.raises(TypeError, match="planes must be names"):
        make_sequence(planes=(0, 1))


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_nan_in_an_acquired_frame_is_named(value, monkeypatch):
    parts = make_parts(dtype=np.float32)
    parts["mask"] = np.ones((12, 2), bool)
    parts["frames"][7, 1, 2, 2] = value
    for chunk in (2**24, 1):  # all at once, and step by step
        monkeypatch.setattr("sklearn_medsel.forecasting._frame_store._CHUNK_BYTES", chunk)
        with pytest.raises(ValueError, match="NaN or infinity at row 7, plane 'sagittal'"):
            CineSequence(**parts)
    parts["mask"][7, 1] = False
    assert len(CineSequence(**parts)) == 12


def test_reading_in_small_pieces_gives_the_same(monkeypatch):
    X = make_sequence()
    whole = X[[5, 1, 1, 8]].frames
    monkeypatch.setattr("sklearn_medsel.forecasting._frame_store._CHUNK_BYTES", 1)
    np.testing.assert_array_equal(X[[5, 1, 1, 8]].frames, whole)


def test_jumps_count_within_a_sequence_and_over_unknown_positions():
    positions = np.zeros((12, 2))
    positions[6:] = 500  # another patient, another origin
    positions[2:4] = np.nan
    assert make_sequence(positions=positions).positions.shape == (12, 2)
    positions[4:6] = [80, 80]
    with pytest.raises(ValueError, match="at row 4"):
        make_sequence(positions=positions)
    positions[4:6] = [70, 70]
    make_sequence(positions=positions)
    positions[4:6] = [np.nan, 101]
    with pytest.raises(ValueError, match="at row 4"):
        make_sequence(positions=positions)


def test_messages_show_no_values():
    secret = 123.456
    for changes in (
        dict(positions=_with(PARTS["positions"], 8, secret)),
        dict(t=_with(PARTS["t"], 3, -secret)),
        dict(patient=["Smith", "Jones"] * 6),
    ):
        with pytest.raises(ValueError, match="row") as caught:
            make_sequence(**changes)
        assert not any(word in str(caught.value) for word in ("123", "Smith", "Jones"))


# ---------------------------------------------------------------- from_frames


def test_from_frames_of_one_or_several_planes():
    frames = PARTS["frames"]
    one = CineSequence.from_frames(frames[:, 0], rate=5, planes="coronal", pixel_mm=2.0)
    assert one.shape == (12, 1, 5, 4)
    np.testing.assert_allclose(one.t, np.arange(12) / 5)
    assert one.frame_rate == pytest.approx(5)
    assert np.shares_memory(one.frames, frames)
    two = CineSequence.from_frames(frames, np.arange(12), planes=PLANES)
    assert_same(two, CineSequence(frames, np.arange(12), planes=PLANES))
    three = CineSequence.from_frames(frames[:, [0, 1, 0]], rate=5)
    assert three.planes == ("coronal", "sagittal", "axial")
    as_dict = dict(zip(PLANES, np.moveaxis(frames, 1, 0), strict=True))
    assert_same(CineSequence.from_frames(as_dict, np.arange(12)), two)
    assert CineSequence.from_frames(as_dict, rate=1, planes=PLANES[::-1]).planes == PLANES[::-1]


def test_from_frames_pads_planes_of_other_sizes():
    frames = {"coronal": np.ones((4, 3, 5)), "axial": np.ones((4, 2, 6))}
    X = CineSequence.from_frames(frames, rate=1, pixel_mm={"axial": 3.0, "coronal": 2.0})
    assert X.shape == (4, 2, 3, 6)
    assert X.frames.sum() == 4 * (15 + 12)
    np.testing.assert_array_equal(X.frames[0, 0], np.pad(np.ones((3, 5)), ((0, 0), (0, 1))))
    np.testing.assert_array_equal(X.frames[0, 1], np.pad(np.ones((2, 6)), ((0, 1), (0, 0))))
    np.testing.assert_array_equal(X.pixel_mm[0], [2.0, 3.0])


def test_from_frames_merges_planes_with_their_own_times():
    frames = {
        "coronal": np.full((3, 2, 2), [[[1]], [[2]], [[3]]], np.uint8),
        "sagittal": np.full((2, 2, 2), [[[4]], [[5]]], np.uint8),
        "axial": np.full((1, 2, 2), 6, np.uint8),
    }
    t = {"sagittal": [0.1, 0.5], "coronal": [0.0, 0.3, 0.5004], "axial": [0.1]}
    X = CineSequence.from_frames(frames, t)
    np.testing.assert_allclose(X.t, [0.0, 0.1, 0.3, 0.5004])
    acquired = [[1, 0, 0], [0, 4, 6], [2, 0, 0], [3, 5, 0]]
    np.testing.assert_array_equal(X.frames[..., 0, 0], acquired)
    np.testing.assert_array_equal(X.mask, np.array(acquired) > 0)


@given(
    st.lists(
        st.lists(st.integers(0, 15), min_size=1, max_size=9, unique=True), min_size=1, max_size=3
    ),
    st.lists(st.integers(0, 2), min_size=3, max_size=3),
)
def test_merging_loses_and_invents_no_frame(times, shifts):
    names = ("coronal", "sagittal", "axial")[: len(times)]
    t = {  # multiples of 1.2 ms, and shifts of 0.4 ms between planes
        name: (3 * np.sort(own) + shift) * 4e-4
        for name, own, shift in zip(names, times, shifts, strict=False)
    }
    frames = {name: own[:, None, None] + 1.0 for name, own in t.items()}
    X = CineSequence.from_frames(frames, t)
    for column, name in enumerate(names):
        rows = X.mask[:, column]
        np.testing.assert_array_equal(X.frames[rows, column, 0, 0], t[name] + 1)
        assert (X.t[rows] >= t[name]).all()  # no frame comes before its time
        assert (X.t[rows] - t[name] < 1e-3).all()
    assert X.mask.any(axis=1).all()


A = np.zeros((3, 2, 2))


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        (A, dict(planes="axial"), "Give either t"),
        (A, dict(planes="axial", t=[0, 1, 2], rate=1), "Give either t"),
        (A, dict(planes="axial", rate=0), "rate must be a number larger than 0"),
        (A, dict(rate=1), r"planes must be given for 1 plane\(s\)"),
        (A, dict(t={"axial": [0, 1, 2]}, planes="axial"), "t is a dict, so frames must be a dict"),
        (A, dict(rate=1, planes="axial", pixel_mm={"axial": 1}), "pixel_mm is a dict"),
        ([*A, np.zeros((2, 3))], dict(rate=1, planes="axial"), "changes its size at row 3"),
        ({"axial": [*A, np.zeros((3, 2))]}, dict(rate=1), r"frames\['axial'\] changes its size"),
        ({"axial": A[0]}, dict(rate=1), r"frames\['axial'\] must have the shape \(n_frames"),
        ({"axial": A, "coronal": A[:2]}, dict(rate=1), r"\('axial' 3, 'coronal' 2\)"),
        ({"axial": A, "b": A.astype(np.uint8)}, dict(rate=1), "'axial' float64, 'b' uint8"),
        ({"axial": A}, dict(rate=1, planes=("coronal",)), "planes and frames name other planes"),
        ({"axial": A}, dict(t={"coronal": [0, 1, 2]}), "t and frames name other planes"),
        ({"axial": A}, dict(t={"axial": [0, 2, 1]}), r"t\['axial'\] must grow .* at row 2"),
        ({"axial": A}, dict(t={"axial": [0, 2e-4, 1]}), r"t\['axial'\] has frames less than 1 ms"),
        ({"axial": A}, dict(t={"axial": [0, 2]}), r"t\['axial'\] must have one time per step"),
        (
            {"axial": A},
            dict(t={"axial": [0, 1, 2]}, mask=np.ones((3, 1), bool)),
            "mask cannot be given with times per plane",
        ),
    ],
)
def test_from_frames_refuses(frames, options, message):
    with pytest.raises(ValueError, match=message):
        CineSequence.from_frames(frames, **options)


def test_a_plane_that_was_not_acquired_takes_no_memory():
    frames = np.zeros((300, 64, 64), np.uint8)
    third = np.arange(300) / 3
    t = {plane: third + shift for plane, shift in (("a", 0), ("b", 0.1), ("c", 0.2))}
    X = CineSequence.from_frames(dict.fromkeys("abc", frames), t)
    assert X.shape == (900, 3, 64, 64)
    held = sum(base.nbytes for base in X._store.parts)
    assert held == 3 * frames.nbytes
    assert isinstance(X._store, FrameStore)


# ---------------------------------------------------------------- from_npz


@pytest.fixture
def save(tmp_path):
    """Writer of npz files: ``save(name, compressed=False, **arrays)``."""

    def write(name, compressed=False, **arrays):
        path = tmp_path / f"{name}.npz"
        (np.savez_compressed if compressed else np.savez)(path, **arrays)
        return path

    return write


def test_from_npz_under_either_name(save):
    frames, t = PARTS["frames"], np.arange(12, dtype=np.float32) / 4
    path = save("p1", True, frames=frames[:, 0], t_s=t, pixel_mm=np.float32(1.5))
    X = CineSequence.from_npz(path, planes="sagittal")
    assert_same(X, CineSequence(frames[:, :1], t, planes="sagittal", pixel_mm=1.5, patient="p1"))
    more = dict(mask=PARTS["mask"], pos_mm=PARTS["positions"], planes=PLANES)
    Y = CineSequence.from_npz(str(save("p2", frames=frames, t=t, px=2.0, **more)), patient=7)
    assert_same(
        Y,
        CineSequence(
            frames,
            t,
            planes=PLANES,
            pixel_mm=2.0,
            mask=PARTS["mask"],
            positions=PARTS["positions"],
            patient=7,
        ),
    )


def test_from_npz_of_several_files(save, tmp_path):
    t = np.arange(12) / 4
    paths = [
        save(name, frames=PARTS["frames"][:, 0, :height], t=t, px=2.0)
        for name, height in (("a", 5), ("b", 4), ("c", 5))
    ]
    X = CineSequence.from_npz(paths, planes="sagittal", patient=["x", "y", "x"])
    assert X.shape == (36, 1, 5, 4)
    assert [*X.patient[::12], *X.sequence[::12]] == ["x", "y", "x", 0, 0, 1]
    assert list(CineSequence.from_npz(paths, planes="axial").patient[::12]) == ["a", "b", "c"]
    one = CineSequence.from_npz(paths, planes="axial", patient=1, sequence=["r", "s", "t"])
    assert list(one.sequence[::12]) == ["r", "s", "t"]
    with pytest.raises(ValueError, match=r"patient has 2 label\(s\) for 3 file"):
        CineSequence.from_npz(paths, planes="axial", patient=[0, 1])
    with pytest.raises(ValueError, match="empty list"):
        CineSequence.from_npz([])
    (tmp_path / "more").mkdir()
    twin = paths[0].rename(tmp_path / "more" / "b.npz")
    with pytest.raises(ValueError, match="have the same name"):
        CineSequence.from_npz([twin, paths[1]], planes="axial")


def test_from_npz_with_targets(save):
    t = np.arange(12) / 4
    path = save("p", frames=PARTS["frames"][:, 0], t=t, px=2.0)
    si, ap = np.random.default_rng(0).normal(size=(2, 12))
    target = save("target", t_s=t, si_mm=si, ap_mm=ap)
    X = CineSequence.from_npz(path, planes="sagittal", targets=target)
    np.testing.assert_array_equal(X.positions, np.c_[si, ap])
    late, short = save("late", t_s=t + 1, si_mm=si, ap_mm=ap), save("s", si_mm=si[:9], ap_mm=ap[:9])
    for wrong in (late, short):
        with pytest.raises(ValueError, match="in targets has other steps"):
            CineSequence.from_npz(path, planes="sagittal", targets=wrong)
    with pytest.raises(ValueError, match=r"targets names 2 file\(s\) and path 1"):
        CineSequence.from_npz(path, planes="sagittal", targets=[target, late])
    with pytest.raises(ValueError, match=r"p\.npz lacks 'si_mm'"):
        CineSequence.from_npz(path, planes="sagittal", targets=path)


def test_from_npz_maps_what_is_not_compressed(save):
    arrays = dict(t=np.arange(12.0), frames=PARTS["frames"], px=2.0, planes=PLANES)
    path = save("plain", **arrays)
    X = CineSequence.from_npz(path, mmap=True)
    assert isinstance(X.frames, np.memmap)
    assert_same(X, CineSequence.from_npz(path))
    assert_same(pickle.loads(pickle.dumps(X)), X)
    turned = save("turned", **{**arrays, "frames": np.asfortranarray(PARTS["frames"])})
    Y = CineSequence.from_npz(turned, mmap=True, patient="plain")
    assert_same(Y, X)
    assert_same(pickle.loads(pickle.dumps(Y)), X)
    with pytest.raises(ValueError, match="is compressed and cannot be mapped"):
        CineSequence.from_npz(save("small", True, **arrays), mmap=True)


@pytest.mark.parametrize("lacking", ["frames", "t", "px"])
def test_from_npz_names_what_is_lacking(lacking, save):
    arrays = dict(t=np.arange(12.0), frames=PARTS["frames"], px=2.0)
    del arrays[lacking]
    with pytest.raises(ValueError, match=rf"file\.npz lacks .*'{lacking}'"):
        CineSequence.from_npz(save("file", **arrays), planes=PLANES)


def test_from_npz_refuses_other_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        CineSequence.from_npz(tmp_path / "none.npz")
    np.save(tmp_path / "frames.npy", PARTS["frames"])
    with pytest.raises(ValueError, match="not an npz file"):
        CineSequence.from_npz(tmp_path / "frames.npy")
    np.savez(tmp_path / "objects.npz", frames=np.array([{}]), t=[0], px=1)
    with pytest.raises(ValueError, match="allow_pickle"):
        CineSequence.from_npz(tmp_path / "objects.npz")


def test_real_cine():
    folder = Path(os.environ.get("MEDSEL_DATA", Path("..", "shared", "data"))) / "cine"
    paths = [folder / f"cine_ovgu_{name}.npz" for name in ("II29", "KS81")]
    if not all(path.is_file() for path in paths):
        pytest.skip("real data: no cine_ovgu files in the folder named by MEDSEL_DATA")
    targets = [path.with_name(path.name.replace("cine_", "target_")) for path in paths]
    X = CineSequence.from_npz(paths, planes="sagittal", targets=targets)
    assert X.shape == (996, 1, 176, 144)
    assert X.positions.shape == (996, 2)
    assert X.frame_rate == pytest.approx(5.97, abs=0.01)
    assert len(np.unique(X.groups)) == 2
    phantom = CineSequence.from_npz(folder / "phantom_example.npz")
    assert phantom.shape == (300, 3, 56, 56)
    assert not phantom.mask.all()
