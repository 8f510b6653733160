"""Tests of the image tracker: from frames to the current position."""

import copy
import pickle

import numpy as np
import pytest
import torch

from sklearn_medsel.forecasting._patch_matching import (
    Patches,
    PatchGrid,
    grey_scale,
    reduce_frames,
)
from sklearn_medsel.forecasting._plane_adaptation import _MOST
from sklearn_medsel.forecasting._tracker import ImageTracker, Recording
from sklearn_medsel.forecasting._tracker_training import _split
from sklearn_medsel.nn.cine_encoder import CineEncoder
from sklearn_medsel.nn.patch_ridge import PatchMap, patch_ridge

PLANES = ("coronal", "sagittal")
PIXEL = 2.0
N_STEPS = 90
RATE = 5.0
WARMUP = 9.0


def texture(seed, size=96, smoothness=180):
    """Make a smooth random picture."""
    rng = np.random.default_rng(seed)
    wave = np.fft.fftfreq(size)
    smooth = np.exp(-((wave[:, None] ** 2 + wave**2) * smoothness))
    picture = np.fft.ifft2(np.fft.fft2(rng.standard_normal((size, size))) * smooth).real
    return picture / picture.std()


def moved(picture, down, right, size=40):
    """Cut out a window of a picture that has moved by so many pixels."""
    wave = np.fft.fftfreq(len(picture))
    phase = np.exp(-2j * np.pi * (wave[:, None] * down + wave * right))
    picture = np.fft.ifft2(np.fft.fft2(picture) * phase).real
    return picture[28 : 28 + size, 28 : 28 + size]


def make_recording(seed, n_steps=N_STEPS):
    """Make two planes that share SI: rows; columns are LR and AP. The other axis shows faintly."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_steps) / RATE
    phase = 2 * np.pi * t / 3.7 + rng.uniform(0, 6)
    drift = np.cumsum(rng.standard_normal((n_steps, 3)), axis=0) * 0.05
    positions = np.stack([6 * np.sin(phase), 2 * np.cos(phase), np.sin(0.9 * phase)], 1) + drift
    frames = np.empty((n_steps, 2, 40, 40), dtype=np.uint8)
    for plane, (across, through) in enumerate(((2, 1), (1, 2))):
        base, ghost = texture(10 * seed + plane), texture(10 * seed + plane + 5)
        for step, position in enumerate(positions):
            seen = base + 0.15 * position[through] * ghost
            frame = moved(seen, position[0] / PIXEL, position[across] / PIXEL)
            frame = 110 + 40 * frame + 3 * rng.standard_normal(frame.shape)
            frames[step, plane] = np.clip(frame, 0, 255)
    mask = np.ones((n_steps, 2), dtype=bool)
    return Recording(t, frames, mask, np.full(2, PIXEL), positions)


@pytest.fixture(scope="module")
def recordings():
    """Recordings of four patients."""
    return [make_recording(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def tracker(recordings):
    """A tracker that has not seen the last patient."""
    return ImageTracker(PLANES, warmup=WARMUP, max_epochs=1).fit(recordings[:3])


def follow(patient, recording, *, rows=None, labels=True, shift=0.0, lost=None, start=0):
    """Give a patient a recording step by step; returns positions, variances and novelties."""
    found = []
    for step in range(start, len(recording.t)) if rows is None else rows:
        frames = {
            name: recording.frames[step, k]
            for k, name in enumerate(PLANES)
            if not (lost and lost(step, name))
        }
        fix = patient.update(recording.t[step], frames, PIXEL)
        if labels and recording.t[step] < WARMUP:
            patient.learn(recording.t[step], recording.positions[step] + shift)
        found.append(fix)
    return [np.array([getattr(fix, name) for fix in found]) for name in ("position", "variance")]


def _numpy_state():
    """State of numpy's global generator."""
    return np.random.get_state()[1].copy()  # noqa: NPY002


def late_error(position, recording, axis=None):
    """Root mean squared distance after the warm-up."""
    error = (position - recording.positions)[recording.t >= WARMUP]
    return np.sqrt(np.mean(error[:, axis] ** 2 if axis is not None else (error**2).sum(1)))


def test_follows_a_patient_never_seen(tracker, recordings):
    position, variance = follow(tracker.start(), recordings[3])
    assert late_error(position, recordings[3]) < 0.8
    late = recordings[3].t >= WARMUP
    z = (position - recordings[3].positions)[late] / np.sqrt(variance[late])
    assert 0.1 < np.mean(z**2) < 6


def test_one_plane_shows_motion_through_it_once_labelled(tracker, recordings):
    position, _ = follow(tracker.start(), recordings[3], lost=lambda step, name: name != "coronal")
    through = recordings[3].positions[recordings[3].t >= WARMUP, 1]
    assert late_error(position, recordings[3], 0) < 0.4
    assert late_error(position, recordings[3], 1) < 0.7 * through.std()


def test_without_labels_moves_from_the_known_reference(tracker, recordings):
    truth = recordings[3].positions
    position, _ = follow(tracker.start(position=truth[0]), recordings[3], labels=False)
    np.testing.assert_allclose(position[0], truth[0], atol=0.3)
    assert np.sqrt(np.mean((position - truth)[:, 0] ** 2)) < 1.0  # it moves by 12 mm


def test_without_labels_or_reference_is_put_at_the_mean_of_training(tracker, recordings):
    position, variance = follow(tracker.start(), recordings[3], labels=False)
    early = recordings[3].t < WARMUP
    np.testing.assert_allclose(position[early].mean(0), tracker.mean_, atol=2.5)
    assert np.ptp(position[:, 0]) > 8
    assert (variance > tracker.variance_[:, 1].min(0) / 4).all()


def test_a_plane_that_is_lost_costs_little(tracker, recordings):
    whole, _ = follow(tracker.start(), recordings[3])
    lost, _ = follow(
        tracker.start(), recordings[3], lost=lambda step, name: name == "coronal" and step > 55
    )
    assert late_error(lost, recordings[3], 0) < 1.25 * late_error(whole, recordings[3], 0) + 0.1


def test_all_planes_lost_leaves_what_was_expected(tracker):
    patient = tracker.start()
    nothing = patient.update(0.0, {}, PIXEL)
    assert np.isnan(nothing.position).all()
    assert np.isinf(nothing.variance).all()
    fix = patient.update(0.2, {}, PIXEL, [1.0, 2.0, 3.0], [4.0, 4.0, 4.0])
    np.testing.assert_allclose(fix.position, [1, 2, 3])
    np.testing.assert_allclose(fix.variance, 4)
    assert fix.confidence == 0
    assert fix.novelty == 0


def test_expectation_and_images_are_weighed_by_precision(tracker, recordings):
    recording = recordings[3]
    patient = tracker.start()
    follow(patient, recording, rows=range(50))
    frames = {"coronal": recording.frames[50, 0]}
    alone = copy.deepcopy(patient).update(10.0, frames, PIXEL)
    expected = alone.position + 1.0
    fused = copy.deepcopy(patient).update(10.0, frames, PIXEL, expected, alone.variance)
    np.testing.assert_allclose(fused.position, alone.position + 0.5, atol=1e-9)
    np.testing.assert_allclose(fused.variance, alone.variance / 2)


def test_many_frames_of_a_plane_read_as_one_by_one(tracker, recordings):
    recording = recordings[3]
    patient = tracker.start()
    rows = []
    for step in range(40):
        patient.update(recording.t[step], {"coronal": recording.frames[step, 0]}, PIXEL)
        rows.append(patient._recent[-1][1][0])
    reader, known = tracker.frame_reader(), patient._known[0]
    reference = patient._references[0]
    with torch.inference_mode():
        frames = torch.stack([reader.scaled(f, reference) for f in recording.frames[:40, 0]])
        batch, _ = reader.read(frames, [known], torch.zeros(40, dtype=torch.int64))
    np.testing.assert_allclose(batch.numpy(), np.array(rows), atol=2e-4)


def test_nothing_later_changes_what_was_found(tracker, recordings):
    recording = recordings[3]
    whole, _ = follow(tracker.start(), recording)
    other = Recording(
        recording.t,
        np.concatenate([recording.frames[:60], recording.frames[60:][::-1]]),
        recording.mask,
        recording.pixel_mm,
        np.concatenate([recording.positions[:60], recording.positions[60:] + 9]),
    )
    changed, _ = follow(tracker.start(), other)
    np.testing.assert_array_equal(whole[:60], changed[:60])
    assert np.abs(whole[60:] - changed[60:]).max() > 1


@pytest.mark.parametrize("labels", [True, False])
def test_shifted_positions_give_shifted_estimates(tracker, recordings, labels):
    shift, first = np.array([30.0, -70.0, 250.0]), recordings[3].positions[0]
    rows = range(60)
    here, _ = follow(tracker.start(position=first), recordings[3], rows=rows, labels=labels)
    there, _ = follow(
        tracker.start(position=first + shift), recordings[3], rows=rows, labels=labels, shift=shift
    )
    np.testing.assert_allclose(there, here + shift, rtol=0, atol=1e-8)


def test_shift_of_the_training_positions_shifts_only_the_mean(recordings):
    shift = np.array([5.0, -4.0, 40.0])
    options = dict(warmup=WARMUP, max_epochs=1, n_maps=0)
    plain = ImageTracker(PLANES, **options).fit(recordings[:2])
    shifted = [
        Recording(r.t, r.frames, r.mask, r.pixel_mm, r.positions + shift) for r in recordings[:2]
    ]
    shifted = ImageTracker(PLANES, **options).fit(shifted)
    np.testing.assert_allclose(shifted.mean_, plain.mean_ + shift)
    found = [follow(one.start(), recordings[3], rows=range(60))[0] for one in (plain, shifted)]
    np.testing.assert_allclose(found[1][0], found[0][0] + shift, rtol=0, atol=1e-4)  # no label yet
    np.testing.assert_allclose(found[1][1:], found[0][1:], rtol=0, atol=1e-4)


def test_swapped_axes_give_swapped_estimates(recordings):
    order = [2, 0, 1]
    options = dict(warmup=WARMUP, max_epochs=1, n_maps=0)
    swapped = [
        Recording(r.t, r.frames, r.mask, r.pixel_mm, r.positions[:, order]) for r in recordings
    ]
    plain = ImageTracker(PLANES, **options).fit(recordings[:2])
    other = ImageTracker(PLANES, **options).fit(swapped[:2])
    here, _ = follow(plain.start(), recordings[3], rows=range(60))
    there, _ = follow(other.start(), swapped[3], rows=range(60))
    np.testing.assert_allclose(there, here[:, order], rtol=0, atol=1e-3)


def test_fit_is_deterministic_and_leaves_global_generators_alone(recordings):
    torch_state, numpy_state = torch.random.get_rng_state(), _numpy_state()
    one, two = (
        ImageTracker(PLANES, warmup=WARMUP, max_epochs=1, seed=3).fit(recordings[:2])
        for _ in range(2)
    )
    for name, value in one.weights_.items():
        np.testing.assert_array_equal(value, two.weights_[name])
    np.testing.assert_array_equal(one.variance_, two.variance_)
    assert torch.equal(torch_state, torch.random.get_rng_state())
    np.testing.assert_array_equal(numpy_state, _numpy_state())


def test_a_pickled_patient_goes_on(tracker, recordings):
    recording = recordings[3]
    patient = tracker.start()
    follow(patient, recording, rows=range(40))
    twin = pickle.loads(pickle.dumps(patient))
    one, two = (follow(p, recording, rows=range(40, 70))[0] for p in (patient, twin))
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-9)


def test_a_copy_does_not_change_when_its_patient_goes_on(tracker, recordings):
    patient = tracker.start()
    follow(patient, recordings[3], rows=range(20))
    twin = copy.deepcopy(patient)
    before = pickle.dumps(twin)
    follow(patient, recordings[3], rows=range(20, 50))
    assert pickle.dumps(twin) == before


def test_fitted_state_is_plain(tracker):
    def plain(value):
        if isinstance(value, dict):
            return all(map(plain, value.values()))
        if isinstance(value, (list, tuple)):
            return all(map(plain, value))
        return isinstance(value, (np.ndarray, str, int, float, type(None)))

    assert plain(tracker.__getstate__())


def test_memory_is_bounded(tracker, recordings):
    recording = recordings[3]
    patient = tracker.start()
    frames = {"coronal": recording.frames[0, 0]}
    for step in range(3 * _MOST):
        patient.update(step / RATE, frames, PIXEL)
        assert patient.learn(step / RATE, recording.positions[step % N_STEPS])
    assert len(patient._adaptations[0].positions) <= _MOST
    assert len(patient._recent) <= 512
    kept = patient._adaptations[0].positions
    expected = recording.positions[np.arange(0, 3 * _MOST, 4) % N_STEPS]
    np.testing.assert_array_equal(kept, expected)  # evenly spaced


def test_late_truth_is_learnt_at_its_own_time(tracker, recordings):
    recording = recordings[3]
    prompt, late = tracker.start(), tracker.start()
    follow(prompt, recording, rows=range(46))
    follow(late, recording, rows=range(46), labels=False)
    for step in range(45):
        assert late.learn(recording.t[step], recording.positions[step])
    rows = range(46, 60)
    one, two = (follow(p, recording, rows=rows)[0] for p in (prompt, late))
    assert np.abs(one - two).max() < 0.2
    assert not late.learn(1e6, recording.positions[0])
    assert not late.learn(recording.t[50], [np.nan, 0.0, 0.0])


@pytest.mark.parametrize("kind", ["black", "constant", "random"])
def test_frames_that_show_nothing_are_strange_and_not_believed(tracker, recordings, kind):
    recording = recordings[3]
    patient = tracker.start()
    follow(patient, recording, rows=range(50))
    usual = patient.update(10.0, {"coronal": recording.frames[50, 0]}, PIXEL)
    frame = {
        "black": np.zeros((40, 40), np.uint8),
        "constant": np.full((40, 40), 90, np.uint8),
        "random": np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8),
    }[kind]
    expected = recording.positions[51]
    fix = patient.update(10.2, {"coronal": frame}, PIXEL, expected, np.ones(3))
    assert usual.novelty < 3 < fix.novelty
    assert fix.confidence < 0.2 < usual.confidence
    np.testing.assert_allclose(fix.position, expected, atol=0.5)
    assert not patient.learn(10.2, expected)


def test_a_flat_first_frame_is_no_reference(tracker, recordings):
    patient = tracker.start()
    fix = patient.update(0.0, {"coronal": np.zeros((40, 40), np.uint8)}, PIXEL)
    assert fix.novelty > 3
    assert np.isnan(fix.position).all()
    fix = patient.update(0.2, {"coronal": recordings[3].frames[0, 0]}, PIXEL)
    assert np.isfinite(fix.position).all()


def test_brightness_scale_does_not_matter(tracker, recordings):
    recording = recordings[3]
    dark = Recording(
        recording.t,
        recording.frames.astype(np.float32) * 0.01,
        recording.mask,
        recording.pixel_mm,
        recording.positions,
    )
    one, two = (follow(tracker.start(), r, rows=range(50))[0] for r in (recording, dark))
    np.testing.assert_allclose(one, two, atol=1e-3)


def test_bad_input_is_named(tracker, recordings):
    patient = tracker.start()
    frame = recordings[3].frames[0, 0]
    with pytest.raises(ValueError, match="plane 'axial' is none of"):
        patient.update(0.0, {"axial": frame}, PIXEL)
    patient.update(0.0, {"coronal": frame}, PIXEL)
    with pytest.raises(ValueError, match=r"keep the shape \(40, 40\)"):
        patient.update(0.2, {"coronal": frame[:30]}, PIXEL)
    with pytest.raises(ValueError, match=r"pixel size 2\.0 mm"):
        patient.update(0.4, {"coronal": frame}, 1.0)
    with pytest.raises(ValueError, match="expected_variance is missing"):
        patient.update(0.4, {}, PIXEL, np.zeros(3))
    with pytest.raises(ValueError, match="same value everywhere"):
        tracker.start(reference={"coronal": np.zeros((40, 40))})


def test_fits_without_any_usable_recording():
    empty = Recording(
        np.arange(5.0), np.zeros((5, 2, 16, 16)), np.ones((5, 2), bool), np.ones(2),
        np.full((5, 3), np.nan),
    )  # fmt: skip
    tracker = ImageTracker(PLANES).fit([empty])
    fix = tracker.start().update(0.0, {"coronal": texture(0)[:16, :16]}, 1.0)
    np.testing.assert_allclose(fix.position, 0, atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 40), (56, 44)])
@pytest.mark.parametrize(("down", "right"), [(0.0, 0.0), (2.5, -1.25), (-3.75, 2.0)])
def test_patches_are_found_where_they_went(shape, down, right):
    picture = 100 + 50 * texture(3, 128, 700)
    height, width = shape

    def window(y, x):
        frame = moved(picture, y, x, 56)[:height, :width]
        return torch.from_numpy(frame.astype(np.float32))[None]

    grid = PatchGrid(shape, 2.0)
    patches = Patches(*(part[None] for part in grid.cut(window(0, 0)[0])))
    found = grid.match(window(down, right), patches)
    inner = (grid.centres > 12).all(1) & (grid.centres < torch.tensor(shape) - 13).all(1)
    error = found.shift - grid.match(window(0, 0), patches).shift - torch.tensor([down, right])
    assert error[0][inner].abs().median() < 0.1
    assert found.peak[0][inner].min() > 0.75  # flat patches are trusted less


@pytest.mark.parametrize("shape", [(8, 8), (9, 31), (130, 17)])
def test_small_and_narrow_frames_are_read(shape):
    picture = texture(2, 160)[: shape[0], : shape[1]]
    tracker = ImageTracker(PLANES).fit([])
    fix = tracker.start(position=[1, 2, 3]).update(0.0, {"coronal": picture}, 4.0)
    np.testing.assert_allclose(fix.position, [1, 2, 3])


def test_frames_are_reduced_by_means_of_squares():
    frames = np.random.default_rng(0).integers(0, 255, (3, 180, 145)).astype(np.uint8)
    reduced, factor = reduce_frames(frames)
    assert factor == 2
    assert reduced.shape == (3, 90, 72)
    np.testing.assert_allclose(reduced[1, 5, 7], frames[1, 10:12, 14:16].mean())
    assert grey_scale(np.full((5, 5), 7.0)) == 0


def test_ridge_agrees_with_scikit_learn():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    features, positions = rng.standard_normal((30, 4 * 5 + 8)), rng.standard_normal((30, 2))
    features[:, 16:20] = 0.0  # every patch is seen alike
    population = PatchMap(
        torch.full((4, 2), 0.25, dtype=torch.float64),
        torch.zeros(2, 2, dtype=torch.float64),
        torch.full((2, 5), 3.0, dtype=torch.float64),
        torch.full((4,), 0.25, dtype=torch.float64),
    )
    tensors = torch.from_numpy(features), torch.from_numpy(positions)
    _, slopes, origin, left_out = patch_ridge(*tensors, population)
    other = Ridge(alpha=3.0).fit(features, positions)
    mine = origin.numpy() + features @ slopes.numpy()  # without a gain there is no displacement
    np.testing.assert_allclose(mine, other.predict(features), atol=1e-9)
    rest = np.arange(30) != 7
    without = Ridge(alpha=3.0).fit(features[rest], positions[rest]).predict(features[7:8])
    np.testing.assert_allclose(positions[7] - without[0], left_out[7].numpy(), atol=1e-9)


def test_encoder_passes_gradients_and_can_be_left_out():
    images, places = torch.randn(5, 1, 14, 12), torch.rand(5, 9, 2) * 2 - 1
    plane = torch.tensor([0, 1, 1, 0, 1])
    encoder = CineEncoder(2, 3, n_maps=3, n_patches=9)
    seen = encoder(images, plane, places)
    assert seen.shape == (5, 27)
    seen.square().sum().backward()
    assert all(p.grad is not None for n, p in encoder.named_parameters() if n != "log_penalty")
    assert CineEncoder(2, 3, n_maps=0, n_patches=9)(images, plane, places).shape == (5, 0)


def test_a_plane_with_few_frames_can_be_rehearsed():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        support, query = _split(np.array([0.0, 4.0, 9.0]), 1.0, rng)
        assert len(support)
        assert len(query)
