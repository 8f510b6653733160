"""Breathing traces and the cine phantom: what is said to be exact is, and seeds hold."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from sklearn_medsel.datasets._breathing import make_breathing
from sklearn_medsel.datasets._cine_phantom import make_cine_phantom
from sklearn_medsel.datasets._cine_render import PLANE_AXES
from sklearn_medsel.forecasting._sequence import CineSequence

DATA = Path(os.environ.get("MEDSEL_DATA", "../shared/data")) / "cine"
PLANES = ("coronal", "sagittal", "axial")
SMALL = dict(n_patients=2, duration=12.0, size=32, pixel_mm=3.0)


# Breathing


def test_breathing_has_the_documented_shape():
    data = make_breathing(3, 30.0, 5.0, random_state=0)
    assert list(data.X.columns) == ["t", "patient", "x", "y", "z"]
    assert data.X.shape == (450, 5)
    assert data.y.shape == (450, 3)
    assert data.y.dtype == np.float64
    np.testing.assert_array_equal(data.groups, np.repeat([0, 1, 2], 150))
    np.testing.assert_array_equal(data.X["patient"], data.groups)
    np.testing.assert_allclose(data.X["t"][:150], np.arange(150) / 5)
    assert data.axes == ("SI", "AP", "LR")


def test_noise_is_in_X_alone():
    data = make_breathing(4, 60.0, noise=0.2, random_state=1)
    noise = data.X[["x", "y", "z"]].to_numpy() - data.y
    np.testing.assert_allclose(noise.std(axis=0), 0.2, rtol=0.05)
    clean = make_breathing(4, 60.0, noise=0.0, random_state=1)
    np.testing.assert_array_equal(clean.y, data.y)
    np.testing.assert_array_equal(clean.X[["x", "y", "z"]], clean.y)


def test_seeds_reproduce_and_global_generators_stay():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = make_breathing(2, 20.0, coughs=2.0, random_state=5)
    second = make_breathing(2, 20.0, coughs=2.0, random_state=5)
    pd.testing.assert_frame_equal(first.X, second.X)
    pd.testing.assert_frame_equal(first.events, second.events)
    assert not np.array_equal(first.y, make_breathing(2, 20.0, random_state=6).y)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    state = [make_breathing(2, 20.0, random_state=np.random.RandomState(5)).y for _ in range(2)]
    np.testing.assert_array_equal(*state)


def test_another_rate_samples_the_same_curve():
    options = dict(coughs=2.0, breath_holds=1.0, random_state=3)
    slow = make_breathing(2, 40.0, 5.0, **options).y
    fast = make_breathing(2, 40.0, 20.0, **options).y
    np.testing.assert_allclose(slow, fast[::4], atol=1e-9)


def test_breaths_are_like_measured_ones():
    """Medians over patients beside those of cine MR targets: 1.35 and 2.62 mm, skewness 0.48."""
    data = make_breathing(60, 90.0, 10.0, random_state=0)
    y = data.y.reshape(60, -1, 3)
    persistence = [np.sqrt(np.mean(np.sum((y[:, k:] - y[:, :-k]) ** 2, 2), 1)) for k in (2, 4)]
    assert 1.0 < np.median(persistence[0]) < 1.9
    assert 2.0 < np.median(persistence[1]) < 3.6
    si = y[..., 0] - y[..., 0].mean(axis=1, keepdims=True)
    skewness = np.mean(si**3, axis=1) / si.std(axis=1) ** 3
    assert 0.3 < np.median(skewness) < 0.9  # dwells at exhale
    extent = np.percentile(y, 97.5, axis=1) - np.percentile(y, 2.5, axis=1)
    np.testing.assert_allclose(np.median(extent, axis=0), [14, 5, 2.5], rtol=0.3)


def test_regular_breathing_repeats_itself():
    data = make_breathing(1, 60.0, 20.0, irregularity=0.0, drift=0.0, noise=0.0, random_state=2)
    assert len(data.events) == 0
    si = data.y[:, 0] - data.y[:, 0].mean()
    similarity = np.array([np.corrcoef(si[:-k], si[k:])[0, 1] for k in range(40, 200)])
    assert similarity.max() > 0.995
    wild = make_breathing(1, 60.0, 20.0, irregularity=1.0, random_state=2).y[:, 0]
    assert max(np.corrcoef(wild[:-k], wild[k:])[0, 1] for k in range(40, 200)) < 0.95


def test_hysteresis_delays_the_other_axes():
    options = dict(irregularity=0.0, drift=0.0, random_state=4)
    together = make_breathing(8, 60.0, hysteresis=0.0, **options).y.reshape(8, -1, 3)
    apart = make_breathing(8, 60.0, hysteresis=0.2, **options).y.reshape(8, -1, 3)

    def unlike(y):
        """Correlation of rank between SI and AP: 1 where AP is a function of SI."""
        return np.mean([abs(pd.DataFrame(p).corr("spearman").iloc[0, 1]) for p in y])

    assert unlike(together) > 0.95
    assert unlike(apart) < 0.9


def test_breath_holds_stand_still_and_coughs_are_fast():
    data = make_breathing(
        8, 90.0, 20.0, coughs=1.0, breath_holds=1.0, irregularity=0.1, drift=0.0, random_state=0
    )
    kinds = set(data.events["kind"])
    assert {"cough", "breath-hold"} <= kinds <= {"cough", "breath-hold", "sigh", "irregular"}
    assert (data.events["stop"] > data.events["start"]).all()
    t = data.X["t"].to_numpy()
    coughing = np.zeros(len(t), dtype=bool)
    for e in data.events[data.events["kind"] == "cough"].itertuples():
        coughing |= (data.groups == e.patient) & (t > e.start - 1) & (t < e.stop + 1)
    spread, speed = [], []
    for e in data.events.itertuples():
        rows = (data.groups == e.patient) & (t >= e.start) & (t <= e.stop)
        whole = np.ptp(data.y[data.groups == e.patient, 0])
        if e.kind == "breath-hold" and not coughing[rows].any() and e.stop - e.start > 3:
            spread.append(np.ptp(data.y[rows, 0]) / whole)
        elif e.kind == "cough":
            speed.append(np.abs(np.diff(data.y[rows, 0])).max() * 20 / whole)
    assert len(spread) >= 3
    assert np.max(spread) < 0.2
    assert np.median(speed) > 1.0  # the whole range in less than a second


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(amplitude=(1, 2)), r"amplitude must hold three numbers.*\(2,\)"),
        (dict(amplitude=(1, 2, -1)), "amplitude must hold three numbers"),
        (dict(drift=(1, np.nan, 0)), "drift must hold three numbers"),
        (dict(duration=0.1), "gives 1 steps"),
        (dict(period=0.1), "'period' parameter"),
        (dict(irregularity=2.0), "'irregularity' parameter"),
    ],
)
def test_breathing_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        make_breathing(**{"duration": 10.0, **settings})


# The phantom


@pytest.fixture(scope="module")
def phantom():
    """Two patients without losses, in pixels of 2 mm."""
    return make_cine_phantom(2, 30.0, rate=4.0, size=56, lost=0.0, bursts=0, random_state=0)


def test_phantom_has_the_documented_fields(phantom):
    assert isinstance(phantom.X, CineSequence)
    assert phantom.X.shape == (240, 3, 56, 56)
    assert phantom.X.dtype == np.uint8
    assert phantom.X.positions is None
    assert phantom.X.planes == PLANES
    assert phantom.X.mask.all()
    np.testing.assert_array_equal(phantom.X.pixel_mm, 2.0)
    np.testing.assert_array_equal(phantom.groups, phantom.X.groups)
    np.testing.assert_allclose(phantom.X.t[:120], np.arange(120) / 4)
    assert phantom.y.shape == (240, 3)
    assert phantom.y.dtype == np.float64
    assert phantom.rest.shape == (2, 3, 56, 56)
    assert list(phantom.events.columns) == ["patient", "start", "stop", "kind", "plane"]
    assert ((phantom.radius_mm > 6) & (phantom.radius_mm < 13)).all()


def _tracked(frame, template):
    """Place of the best normalised correlation, in pixels from the middle, finer than a pixel."""
    n = len(template)
    patches = sliding_window_view(frame, (n, n))
    patches = patches - patches.mean(axis=(2, 3), keepdims=True)
    template = template - template.mean()
    match = np.einsum("abij,ij->ab", patches, template)
    match = match / np.sqrt(np.sum(patches**2, axis=(2, 3)))
    best = np.array(np.unravel_index(np.argmax(match), match.shape))
    offset = np.zeros(2)
    for k in range(2):
        if 0 < best[k] < match.shape[k] - 1:
            step = np.eye(2, dtype=int)[k]
            low, here, high = (match[tuple(best + s * step)] for s in (-1, 0, 1))
            offset[k] = 0.5 * (low - high) / (low - 2 * here + high)
    return best + offset - (len(frame) - n) / 2


@pytest.mark.parametrize("plane", PLANES)
def test_positions_agree_with_registration(phantom, plane):
    k = PLANES.index(plane)
    seen = list(PLANE_AXES[plane])
    through = ({0, 1, 2} - set(seen)).pop()
    frames = phantom.X.frames[:, k].astype(np.float64)
    errors = []
    for patient in range(2):
        template = phantom.rest[patient, k, 16:40, 16:40].astype(np.float64)
        rows = np.flatnonzero((phantom.groups == patient) & (abs(phantom.y[:, through]) < 3))
        # Within reach of the template: 16 pixels of 2 mm to each side.
        rows = rows[np.abs(phantom.y[rows][:, seen]).max(axis=1) < 28][::3]
        moved = phantom.y[rows][:, seen]
        errors.append(np.array([_tracked(frames[i], template) for i in rows]) * 2.0 - moved)
    errors = np.concatenate(errors)
    assert len(errors) > 30
    assert np.sqrt(np.mean(errors**2, axis=0)).max() < 1.0
    assert np.abs(np.median(errors, axis=0)).max() < 0.3


def test_frames_do_not_tell_patients_apart_by_position_alone(phantom):
    """Anatomies differ: the same template does not fit the other patient."""
    first, second = phantom.rest[:, 0].reshape(2, -1).astype(float)
    assert np.corrcoef(first, second)[0, 1] < 0.95


def test_interleaved_is_a_part_of_simultaneous():
    both = {
        name: make_cine_phantom(**SMALL, acquisition=name, random_state=1)
        for name in ("simultaneous", "interleaved")
    }
    full, part = both["simultaneous"], both["interleaved"]
    np.testing.assert_array_equal(full.y, part.y)
    steps = np.tile(np.arange(60), 2)
    turn = steps[:, None] % 3 == np.arange(3)
    np.testing.assert_array_equal(part.X.mask, full.X.mask & turn)
    np.testing.assert_array_equal(part.X.frames[part.X.mask], full.X.frames[part.X.mask])
    assert not part.X.frames[~part.X.mask].any()
    alone = make_cine_phantom(**SMALL, planes="sagittal", random_state=1)
    assert alone.X.planes == ("sagittal",)
    np.testing.assert_array_equal(alone.X.frames[:, 0], full.X.frames[:, 1])
    turned = make_cine_phantom(**SMALL, planes=("axial", "coronal"), random_state=1)
    np.testing.assert_array_equal(turned.X.frames, full.X.frames[:, [2, 0]])


def test_lost_frames_and_bursts_are_masked_and_listed():
    data = make_cine_phantom(
        6, 40.0, size=12, pixel_mm=6.0, lost=0.1, bursts=1, coughs=0, random_state=0
    )
    bursts = data.events[data.events["kind"] == "plane lost"]
    assert list(bursts["patient"]) == list(range(6))
    rest = np.ones_like(data.X.mask)
    for e in bursts.itertuples():
        rows = (data.groups == e.patient) & (data.X.t >= e.start) & (data.X.t <= e.stop)
        assert not data.X.mask[rows, PLANES.index(e.plane)].any()
        assert e.start >= 40 / 3 - 0.2
        assert 2.5 < e.stop - e.start < 8.1
        rest[rows, PLANES.index(e.plane)] = False
    assert np.mean(~data.X.mask[rest]) == pytest.approx(0.1, abs=0.015)
    complete = make_cine_phantom(**SMALL, lost=0.0, bursts=0, random_state=0)
    assert complete.X.mask.all()


def test_phantom_reproduces():
    first = make_cine_phantom(**SMALL, random_state=7)
    second = make_cine_phantom(**SMALL, random_state=7)
    np.testing.assert_array_equal(first.X.frames, second.X.frames)
    np.testing.assert_array_equal(first.y, second.y)
    pd.testing.assert_frame_equal(first.events, second.events)
    other = make_cine_phantom(**SMALL, random_state=8)
    assert not np.array_equal(first.y, other.y)


def _straight(n=2, speed=1.0):
    """Traces of points that move steadily along SI."""
    t = np.arange(0, 20.05, 0.1)
    table = pd.DataFrame({"t": t, "x": speed * (t - 10), "y": 0.0, "z": 0.0})
    return pd.concat([table.assign(patient=f"p{k}") for k in range(n)], ignore_index=True)


def test_given_traces_are_kept():
    data = make_cine_phantom(
        9, 8.0, size=16, pixel_mm=6.0, breathing=_straight(), start=4.0, random_state=0
    )
    assert list(pd.unique(data.groups)) == ["p0", "p1"]
    expected = np.tile(np.arange(40) / 5 + 4 - 10, 2)
    np.testing.assert_allclose(data.y, np.column_stack([expected, 0 * expected, 0 * expected]))


def test_given_traces_are_scaled_and_drift():
    breathing = make_breathing(5, 60.0, random_state=0)
    options = dict(duration=60.0 - 0.2, size=8, pixel_mm=10.0, random_state=0)
    kept = make_cine_phantom(breathing=breathing, **options)
    scaled = make_cine_phantom(breathing=breathing, amplitude=(10, 4, 2), **options)
    extent = [np.percentile(scaled.y.reshape(5, -1, 3), q, axis=1) for q in (2.5, 97.5)]
    factor = (extent[1] - extent[0]) / [10, 4, 2]
    assert factor.min() > 0.68
    assert factor.max() < 1.32
    drifting = make_cine_phantom(breathing=breathing, drift=(6, 3, 0), **options)
    drift = (drifting.y - kept.y).reshape(5, -1, 3)
    np.testing.assert_allclose(drift[:, 0], 0, atol=1e-9)
    assert 2 < np.sqrt(np.mean(drift[:, -1, 0] ** 2)) < 14
    np.testing.assert_allclose(drift[..., 2], 0, atol=1e-9)
    own = kept.events[kept.events["kind"] != "plane lost"]
    assert len(own) == len(breathing.events[breathing.events["start"] < 59.8])


def test_exposure_blurs():
    options = dict(
        duration=8.0, size=32, breathing=_straight(1, speed=4.0), start=6.0, noise=0.0, lost=0.0
    )
    sharp = make_cine_phantom(exposure=0.0, planes="coronal", bursts=0, random_state=0, **options)
    blurred = make_cine_phantom(exposure=1.6, planes="coronal", bursts=0, random_state=0, **options)
    edges = [
        np.abs(np.diff(d.X.frames[:, 0].astype(float), axis=1)).mean() for d in (sharp, blurred)
    ]
    np.testing.assert_array_equal(sharp.y, blurred.y)
    assert edges[1] < 0.95 * edges[0]


def _toy_ct():
    """CT numbers + 1024: lung over a soft dome, within a bony wall."""
    z, y, x = np.mgrid[:60, :60, :60]
    ct = np.where(z < 20 + ((y - 30) ** 2 + (x - 30) ** 2) / 60, 200.0, 1080.0)
    ct[:, :, :3] = 1600.0
    return ct


@pytest.mark.parametrize("as_file", [False, True])
def test_a_ct_is_taken(tmp_path, as_file):
    anatomy = _toy_ct()
    if as_file:
        path = tmp_path / "ct.npz"
        np.savez(path, phases=(anatomy[None] / 8).astype(np.uint8), scale=8.0, voxel_mm=1.5)
        anatomy = path
    data = make_cine_phantom(
        2, 6.0, size=32, anatomy=anatomy, voxel_mm=1.5, lost=0, bursts=0, random_state=0
    )
    assert data.X.shape == (60, 3, 32, 32)
    # The lesion is darker than the tissue around it, in every plane and patient.
    middle = data.rest[:, :, 15:17, 15:17].mean(axis=(2, 3))
    assert (middle < 0.8 * np.median(data.rest[:, :, 8:24, 8:24], axis=(2, 3))).all()
    assert not np.array_equal(data.rest[0], data.rest[1])


@pytest.mark.skipif(
    not (DATA / "ct4d_118.npz").is_file(), reason="MEDSEL_DATA has no cine/ct4d_118.npz"
)
def test_the_ct_at_hand_is_taken():
    data = make_cine_phantom(1, 4.0, anatomy=DATA / "ct4d_118.npz", random_state=0)
    assert data.X.shape == (20, 3, 56, 56)
    assert data.rest.std(axis=(2, 3)).min() > 10


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(planes=("coronal", "oblique")), "planes must name"),
        (dict(planes=("coronal", "coronal")), "each once"),
        (dict(planes=()), "planes must name"),
        (dict(acquisition="spiral"), "'acquisition' parameter"),
        (dict(duration=0.1), "gives 0 steps"),
        (dict(amplitude=(1, 2)), "amplitude must hold three numbers"),
        (dict(anatomy=np.zeros((30, 30))), r"shape \(30, 30\)"),
        (dict(anatomy=np.zeros((30, 30, 30))), "Add 1024"),
        (dict(breathing=_straight().drop(columns="z")), "no column 'z'"),
        (dict(breathing=_straight().assign(x=np.nan)), "missing values"),
        (dict(breathing=_straight()[::-1]), "do not rise"),
        (dict(breathing=_straight(), duration=30.0), "30.0 s are needed"),
        (dict(breathing=_straight(), coughs=1.0), "coughs shape generated breathing"),
        (dict(breathing=_straight(speed=1000.0)), "must be in mm"),
    ],
)
def test_phantom_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        make_cine_phantom(**{**SMALL, "duration": 4.0, **settings})


def test_a_file_without_a_volume_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", frames=np.zeros(3))
    with pytest.raises(ValueError, match="no array 'phases', 'scale', 'voxel_mm'"):
        make_cine_phantom(1, 4.0, anatomy=tmp_path / "other.npz")


@settings(max_examples=20)
@given(
    planes=st.permutations(PLANES).flatmap(lambda p: st.sampled_from([p[:1], p[:2], p])),
    acquisition=st.sampled_from(["simultaneous", "interleaved"]),
    size=st.integers(8, 20),
    steps=st.integers(2, 12),
    seed=st.integers(0, 100),
)
def test_masks_count_frames_for_any_choice(planes, acquisition, size, steps, seed):
    data = make_cine_phantom(
        1,
        steps / 2,
        2.0,
        planes=planes,
        acquisition=acquisition,
        size=size,
        pixel_mm=4.0,
        lost=0.0,
        bursts=0,
        random_state=seed,
    )
    assert data.X.shape == (steps, len(planes), size, size)
    per_step = len(planes) if acquisition == "simultaneous" else 1
    np.testing.assert_array_equal(data.X.mask.sum(axis=1), per_step)
    assert np.isfinite(data.y).all()
