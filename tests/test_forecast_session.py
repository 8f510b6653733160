"""`ForecastSession`: the same forecasts as on recordings, and when not to trust them."""

import pickle
import re
import time

import numpy as np
import pytest

from sklearn_medsel import TumourPositionForecaster
from sklearn_medsel.datasets import make_breathing
from sklearn_medsel.forecasting import CineSequence
from sklearn_medsel.forecasting import _tracker as tracker_module

AXES = ["x", "y", "z"]


def fit(breathing, **settings):
    given = {
        "horizons": (0.2, 0.5),
        "history": 1.0,
        "experts": ("persistence", "ridge"),
        "random_state": 0,
    }
    seen = breathing.X[breathing.groups < 2]
    return TumourPositionForecaster(**(given | settings)).fit(seen)


@pytest.fixture(scope="module")
def breathing():
    return make_breathing(n_patients=3, duration=24.0, rate=5.0, random_state=0)


@pytest.fixture(scope="module")
def linear(breathing):
    return fit(breathing)


@pytest.fixture(scope="module")
def new(breathing):
    return breathing.X[breathing.groups == 2].reset_index(drop=True)


def run(session, table, rows=slice(None)):
    """Forecasts of a session along the rows of a table."""
    part = table.iloc[rows]
    return [
        session.update(t, position=position)
        for t, position in zip(part["t"], part[AXES].to_numpy(), strict=True)
    ]


def run_frames(session, X, rows=None, known_until=np.inf):
    """Forecasts of a session along the steps of a `CineSequence`."""
    forecasts = []
    for row in range(len(X)) if rows is None else rows:
        step = X[row]
        frames = {plane: step.frames[0, k] for k, plane in enumerate(X.planes) if step.mask[0, k]}
        known = X.positions is not None and X.t[row] - X.t[0] < known_until
        position = X.positions[row] if known else None
        forecasts.append(session.update(X.t[row], position=position, **frames))
    return forecasts


def as_arrays(forecasts):
    position = [np.concatenate(list(f.position.values())) for f in forecasts]
    return np.array(position), np.array([list(f.radius.values()) for f in forecasts])


def assert_same(forecasts, forecaster, X, atol=1e-5):
    position, radius = as_arrays(forecasts)
    np.testing.assert_allclose(position, forecaster.predict(X), atol=atol)
    np.testing.assert_allclose(radius, forecaster.predict_interval(X), atol=atol)


def turn_by_turn(X, lost=()):
    """One plane at each step; at steps `lost` none, and of a plane nothing for a while."""
    mask = np.zeros_like(X.mask)
    mask[np.arange(len(X)), np.arange(len(X)) % 2] = True
    mask[list(lost)] = False
    mask[50:58, 1] = False
    settings = dict(planes=X.planes, pixel_mm=X.pixel_mm, mask=mask, positions=X.positions)
    return CineSequence(X.frames, X.t, **settings)


# --- as on recordings


@pytest.mark.parametrize("experts", [("persistence", "ridge"), ("ridge", "transformer")])
def test_stream_equals_batch(breathing, new, experts):
    forecaster = fit(breathing, experts=experts, max_epochs=1)
    table = new.copy()
    table.loc[40:42, AXES] = np.nan
    table.loc[60:75, AXES] = np.nan
    table = table.drop(index=range(90, 100))
    assert_same(run(forecaster.start_session(), table), forecaster, table)


@pytest.mark.parametrize("arrange", [lambda X: X, turn_by_turn], ids=["together", "interleaved"])
def test_stream_of_frames_equals_batch(cine, arrange):
    X = arrange(cine.X) if arrange is not turn_by_turn else turn_by_turn(cine.X, [20, 21, 60, 61])
    session = cine.forecaster.start_session(deadline=np.inf)
    forecasts = run_frames(session, X, known_until=cine.forecaster.warmup)
    assert_same(forecasts, cine.forecaster, X)


def test_fields_of_a_forecast(linear, new):
    session = linear.start_session()
    forecast = run(session, new[:30])[-1]
    assert forecast.t == new["t"][29]
    assert forecast.horizons == (0.2, 0.5)
    assert list(forecast.position) == list(forecast.radius) == [0.2, 0.5]
    assert forecast.position[0.2].shape == (3,)
    np.testing.assert_array_equal(forecast.now, new.loc[29, AXES].to_numpy(float))
    assert forecast.latency_ms > 0
    assert forecast.plane_age == {}
    with pytest.raises(AttributeError):
        forecast.status = "OK"


def test_forecast_given_out_does_not_change_later(linear, new):
    session = linear.start_session()
    forecast = run(session, new[:30])[-1]
    before = {h: p.copy() for h, p in forecast.position.items()}, forecast.now.copy()
    run(session, new[30:60])
    np.testing.assert_array_equal(forecast.now, before[1])
    for horizon, position in before[0].items():
        np.testing.assert_array_equal(forecast.position[horizon], position)


def test_array_given_may_be_used_again(linear, new):
    session, other = linear.start_session(), linear.start_session()
    buffer = np.empty(3)
    for row in range(30):
        buffer[:] = new.loc[row, AXES]
        one = session.update(new["t"][row], position=buffer)
    np.testing.assert_array_equal(one.position[0.2], run(other, new[:30])[-1].position[0.2])


# --- status


def test_warming_up_and_ok(linear, new):
    statuses = [(f.status, f.reason) for f in run(linear.start_session(), new)]
    assert statuses[0] == ("DEGRADED", "warming up, 1 s to go")
    assert statuses[5:] == [("OK", "")] * (len(new) - 5)
    first = linear.start_session(warmup=0).update(0.0, position=[0, 0, 0])
    assert first.status == "DEGRADED"
    assert first.reason == "too little has been seen since the start or a gap"


def test_nothing_known_is_hold(linear):
    forecast = linear.start_session().update(0.0)
    assert forecast.status == "HOLD"
    assert forecast.reason == "no position is known"
    assert np.isnan(forecast.position[0.2]).all()
    assert np.isnan(forecast.radius[0.2])
    assert np.isnan(forecast.now).all()


def test_all_lost_is_hold_at_the_second_update_and_passes(linear, new):
    lost = new.copy()
    lost.loc[50:53, AXES] = np.nan
    status = [f.status for f in run(linear.start_session(), lost)]
    assert status[49:56] == ["OK", "DEGRADED", "HOLD", "HOLD", "HOLD", "OK", "OK"]


def test_long_loss_leaves_no_forecast(linear, new):
    session = linear.start_session()
    run(session, new[:50])
    last = [session.update(new["t"][row]) for row in range(50, 60)][-1]
    assert last.status == "HOLD"
    assert np.isnan(last.position[0.2]).all()
    back = run(session, new[60:66])
    assert all("seen since the start or a gap" in f.reason for f in back[:5])
    assert back[5].status == "OK"


def test_frames_of_all_planes_lost(cine):
    session = cine.forecaster.start_session(warmup=2.0, deadline=np.inf)
    run_frames(session, cine.X, range(30))
    forecasts = [session.update(cine.X.t[row]) for row in range(30, 33)]
    assert [f.status for f in forecasts] == ["DEGRADED", "HOLD", "HOLD"]
    assert "nothing was measured in the last 3 updates" in forecasts[2].reason
    assert forecasts[1].radius[0.5] > forecasts[0].radius[0.5]
    back = run_frames(session, cine.X, range(33, 36))
    assert "HOLD" not in {f.status for f in back}


def test_one_plane_lost(cine):
    session = cine.forecaster.start_session(warmup=2.0, deadline=np.inf)
    before = run_frames(session, cine.X, range(30))[-1]
    assert "lost" not in before.reason
    assert before.plane_age == {"coronal": 0.0, "sagittal": 0.0}
    alone = cine.X.select_planes("coronal")
    during = run_frames(session, alone, range(30, 50))
    assert "lost plane" not in during[2].reason
    assert all(f.status == "DEGRADED" for f in during[5:])
    assert all("lost plane: sagittal" in f.reason for f in during[5:])
    assert during[-1].plane_age == {"coronal": 0.0, "sagittal": pytest.approx(5.0)}
    assert "lost" not in run_frames(session, cine.X, [50])[0].reason


def test_error_while_a_plane_is_lost_stays_small(cine):
    settings = dict(known_until=cine.forecaster.warmup)
    whole = run_frames(cine.forecaster.start_session(deadline=np.inf), cine.X, **settings)
    mask = cine.X.mask.copy()
    mask[50:70, 1] = False
    lost = CineSequence(
        cine.X.frames, cine.X.t, planes=cine.X.planes, pixel_mm=3.5, mask=mask, positions=cine.y
    )
    part = run_frames(cine.forecaster.start_session(deadline=np.inf), lost, **settings)
    errors = [
        np.sqrt(np.mean(np.sum((as_arrays(f)[0][50:70, :3] - cine.y[51:71]) ** 2, axis=1)))
        for f in (whole, part)
    ]
    assert errors[1] < 2 * errors[0]


def test_interleaved_planes_are_not_lost(cine):
    X = turn_by_turn(cine.X)[:50]
    forecasts = run_frames(cine.forecaster.start_session(warmup=0, deadline=np.inf), X)
    assert not any("lost" in f.reason for f in forecasts)
    assert forecasts[-1].plane_age == {"coronal": 0.25, "sagittal": 0.0}


def test_strange_frames(cine):
    session = cine.forecaster.start_session(warmup=2.0, deadline=np.inf)
    usual = run_frames(session, cine.X, range(30))[-1]
    noise = np.random.default_rng(0).integers(0, 255, (2, 32, 32), dtype=np.uint8)
    strange = session.update(cine.X.t[30], coronal=noise[0], sagittal=noise[1])
    assert strange.out_of_distribution > max(3.0, 2 * usual.out_of_distribution)
    assert strange.status != "OK"
    assert "strange" in strange.reason or "unlike" in strange.reason


def test_position_unlike_any_before(linear, new):
    session = linear.start_session()
    run(session, new[:50])
    forecast = session.update(new["t"][50], position=new.loc[49, AXES].to_numpy(float) + 50)
    assert forecast.status == "HOLD"
    assert forecast.out_of_distribution > 10


# --- a slow encoder


def test_slow_encoder_falls_back_to_the_linear_expert(cine, monkeypatch):
    session = cine.forecaster.start_session(warmup=0, deadline=0.2)
    run_frames(session, cine.X, range(20))
    update = tracker_module.PatientTracker.update

    def slow(*args, **kwargs):
        time.sleep(0.25)
        return update(*args, **kwargs)

    monkeypatch.setattr(tracker_module.PatientTracker, "update", slow)
    late = run_frames(session, cine.X, range(20, 22))
    assert [f.status for f in late] == ["DEGRADED", "DEGRADED"]
    assert all("slow encoder: forecast by the linear expert" in f.reason for f in late)
    assert late[0].latency_ms > 250
    assert np.isfinite(late[0].position[0.5]).all()
    step = session._state.watch.follower.step
    np.testing.assert_array_equal(step.experts[2], step.experts[1])
    monkeypatch.undo()
    session.deadline = np.inf
    assert "slow" not in run_frames(session, cine.X, [22])[0].reason
    step = session._state.watch.follower.step
    assert not np.allclose(step.experts[2], step.experts[1])


def test_usual_deadline_is_half_the_interval(cine, linear):
    assert cine.forecaster.start_session().deadline == pytest.approx(0.125)
    assert linear.start_session(deadline=3).deadline == 3.0


# --- memory


def size(session):
    return len(pickle.dumps(session.snapshot()))


def test_memory_does_not_grow(breathing):
    forecaster = TumourPositionForecaster(
        horizons=(0.2,), history=0.4, experts=("persistence", "ridge"), random_state=0
    ).fit(breathing.X[["t", "patient", "x"]])
    session = forecaster.start_session()
    position = 5 * np.sin(np.arange(10_000) / 3)
    sizes = {}
    for row, x in enumerate(position):
        session.update(0.2 * row, position=[x])
        if row in (1000, 9999):
            sizes[row] = size(session)
    assert sizes[9999] < 1.001 * sizes[1000] + 500


def test_memory_does_not_grow_with_frames(cine):
    session = cine.forecaster.start_session(deadline=np.inf)
    run_frames(session, cine.X)
    frames = cine.X.frames
    sizes = []
    for row in range(650):
        session.update(100 + 0.25 * row, coronal=frames[row % 80, 0], sagittal=frames[row % 80, 1])
        if row in (540, 649):
            sizes.append(size(session))
    assert sizes[1] < 1.001 * sizes[0] + 500


# --- snapshots


def test_snapshot_goes_on_as_if_nothing_had_happened(linear, new):
    session = linear.start_session()
    run(session, new[:50])
    snapshot = pickle.loads(pickle.dumps(session.snapshot()))
    first = as_arrays(run(session, new[50:]))
    for again in (session, linear.start_session()):
        assert again.restore(snapshot) is again
        for found, expected in zip(as_arrays(run(again, new[50:])), first, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_snapshot_of_frames(cine):
    session = cine.forecaster.start_session(deadline=np.inf)
    run_frames(session, cine.X, range(25))
    snapshot = pickle.loads(pickle.dumps(session.snapshot()))
    first = run_frames(session, cine.X, range(25, 45))
    other = cine.forecaster.start_session(deadline=np.inf).restore(snapshot)
    second = run_frames(other, cine.X, range(25, 45))
    for found, expected in zip(as_arrays(second), as_arrays(first), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [f.reason for f in second] == [f.reason for f in first]


def test_only_snapshots_are_restored(linear):
    with pytest.raises(TypeError, match="snapshot must come from"):
        linear.start_session().restore({"t": 0.0})


def test_sessions_know_nothing_of_each_other(linear, new):
    alone = as_arrays(run(linear.start_session(), new))[0]
    one, two = linear.start_session(), linear.start_session()
    together = []
    for row in range(len(new)):
        together += run(one, new[row : row + 1])
        two.update(3.0 * row, position=[50.0, row % 7, 0.0])
    np.testing.assert_array_equal(as_arrays(together)[0], alone)


# --- truth that comes later


def test_late_truth_places_a_patient_followed_by_frames(cine):
    session = cine.forecaster.start_session(deadline=np.inf)
    X = cine.X.with_positions(None)
    run_frames(session, X, range(12))
    session.observe(X.t[8], cine.y[8] + 200)
    after = as_arrays(run_frames(session, X, range(12, 40)))[0][:, :3]
    error = np.linalg.norm(after - 200 - cine.y[13:41], axis=1)
    assert np.median(error) < 6


def test_late_truths_are_learnt(cine):
    """Positions that come three steps late teach almost as much as those that come at once."""
    X = cine.X.with_positions(None)
    error = {}
    for name in ("never", "late"):
        session = cine.forecaster.start_session(deadline=np.inf)
        for row in range(40):
            run_frames(session, X, [row])
            if name == "late" and row >= 3:
                session.observe(X.t[row - 3], cine.y[row - 3])
        now = np.array([f.now for f in run_frames(session, X, range(40, 80))])
        away = now - cine.y[40:]
        error[name] = np.sqrt(np.mean(np.square(away - away.mean(axis=0))))
    assert error["late"] < 0.8 * error["never"]


def test_late_truth_replaces_a_measured_position(linear, new):
    one, two = linear.start_session(), linear.start_session()
    run(one, new[:30])
    run(two, new[:30])
    two.observe(new["t"][28], new.loc[28, AXES].to_numpy(float) + 2)
    one, two = run(one, new[30:31])[0], run(two, new[30:31])[0]
    assert not np.allclose(one.position[0.2], two.position[0.2])
    np.testing.assert_array_equal(one.now, two.now)


@pytest.mark.parametrize(
    ("t", "position", "message"),
    [
        (50.0, [0, 0, 0], "t must be the time of an update that was made before"),
        (np.nan, [0, 0, 0], "t must be the time of an update that was made before"),
        (1.0, [0, np.nan, 0], r"position must be 3 finite number\(s\)"),
        (1.0, [0, 0], r"position must be 3 finite number\(s\)"),
        (1.0, [0, 0, 777.25], "jumps by more than 100 mm"),
    ],
)
def test_late_truth_that_is_refused(linear, new, t, position, message):
    session = linear.start_session()
    run(session, new[:30])
    before = session.snapshot()
    with pytest.raises(ValueError, match=message) as error:
        session.observe(t, position)
    assert "777" not in str(error.value)
    assert_unchanged(session, before, linear, lambda session: run(session, new[30:40]))


# --- reference, pixel size


def test_reference_of_the_first_frames_is_what_is_taken_without_one(cine):
    X = cine.X.with_positions(None)
    plain = run_frames(cine.forecaster.start_session(deadline=np.inf), X, range(20))
    frames = dict(zip(X.planes, X.frames[0], strict=True))
    for reference in (frames, X):
        session = cine.forecaster.start_session(reference, deadline=np.inf)
        given = run_frames(session, X, range(20))
        np.testing.assert_allclose(as_arrays(given)[0], as_arrays(plain)[0], atol=1e-6)


def test_pixel_size_scales_the_motion(cine):
    X = cine.X.with_positions(None)
    extent = []
    for pixel_mm in (3.5, {"coronal": 7.0, "sagittal": 7.0}):
        session = cine.forecaster.start_session(deadline=np.inf, pixel_mm=pixel_mm)
        now = np.array([f.now for f in run_frames(session, X, range(40))])
        extent.append(np.ptp(now[:, 0]))
    assert extent[1] > 1.3 * extent[0]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({"axial": np.ones((32, 32))}, r"reference has the plane\(s\) \['axial'\]"),
        ({"coronal": np.full((32, 32), np.nan)}, "frame of plane 'coronal' has NaN"),
        ({"coronal": np.ones((1, 32, 32))}, "must be a 2-D array"),
        ({"coronal": np.ones((32, 32))}, "same value everywhere"),
    ],
)
def test_reference_that_is_refused(cine, reference, message):
    with pytest.raises(ValueError, match=message):
        cine.forecaster.start_session(reference)


@pytest.mark.parametrize("pixel_mm", [0.0, np.nan, {"coronal": -1.0}])
def test_pixel_size_that_is_refused(cine, pixel_mm):
    with pytest.raises(ValueError, match="pixel_mm must be larger than 0"):
        cine.forecaster.start_session(pixel_mm=pixel_mm)


def test_reference_without_frames_in_training(linear):
    with pytest.raises(ValueError, match="reference is for forecasters"):
        linear.start_session({"coronal": np.eye(32)})


# --- bad input leaves a session as it was


def assert_unchanged(session, before, forecaster, go_on):
    """What comes after is what would have come without the refused call."""
    other = forecaster.start_session(deadline=np.inf).restore(before)
    session.deadline = np.inf
    for found, expected in zip(as_arrays(go_on(session)), as_arrays(go_on(other)), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("t", "position", "message"),
    [
        (5.8, [0, 0, 0], "t must grow from update to update"),
        (2.0, [0, 0, 0], "t must grow from update to update"),
        (np.nan, [0, 0, 0], "t must be a finite number"),
        (6.0, [0, 0, 777.25], "jumps by more than 100 mm: probably it is in other units"),
        (6.0, [0, 0, np.inf], "position is infinite"),
        (6.0, [0, 777.25], r"position must have the shape \(3,\), found \(2,\)"),
        (6.0, 777.25, r"position must have the shape \(3,\)"),
    ],
)
def test_position_that_is_refused(linear, new, t, position, message):
    session = linear.start_session()
    run(session, new[:30])
    before = session.snapshot()
    with pytest.raises(ValueError, match=message) as error:
        session.update(t, position=position)
    assert "777" not in str(error.value)
    assert_unchanged(session, before, linear, lambda session: run(session, new[30:40]))


GOOD = np.arange(32 * 32, dtype=np.float32).reshape(32, 32)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({"axial": GOOD}, r"plane 'axial', which training never saw.*\['coronal', 'sagittal'\]"),
        ({"coronal": GOOD, "sagittal": GOOD[:30]}, "'sagittal' changes its size from .*30, 32"),
        ({"coronal": np.where(GOOD == 7, np.nan, GOOD)}, "'coronal' has NaN or infinity"),
        ({"coronal": np.where(GOOD == 7, np.inf, GOOD)}, "'coronal' has NaN or infinity"),
        ({"coronal": GOOD[None]}, "must be a 2-D array of numbers"),
        ({"coronal": GOOD.astype(str)}, "must be a 2-D array of numbers"),
        ({"coronal": GOOD, "position": [0, 0, 777.25]}, "jumps by more than 100 mm"),
        ({"coronal": GOOD, "position": [0, 0]}, "position must have the shape"),
    ],
)
def test_frames_that_are_refused(cine, frames, message):
    session = cine.forecaster.start_session(deadline=np.inf)
    run_frames(session, cine.X, range(12))
    before = session.snapshot()
    with pytest.raises(ValueError, match=message) as error:
        session.update(cine.X.t[12], **frames)
    assert "777" not in str(error.value)
    go_on = range(12, 20)
    assert_unchanged(
        session, before, cine.forecaster, lambda session: run_frames(session, cine.X, go_on)
    )


def test_frame_of_another_size_than_the_reference(cine):
    reference = dict(zip(cine.X.planes, cine.X.frames[0], strict=True))
    session = cine.forecaster.start_session(reference, deadline=np.inf)
    before = session.snapshot()
    with pytest.raises(ValueError, match="'coronal' changes its size"):
        session.update(0.0, coronal=GOOD[:30], sagittal=GOOD)
    assert_unchanged(
        session, before, cine.forecaster, lambda session: run_frames(session, cine.X, range(9))
    )


def test_frames_where_training_had_none(linear):
    with pytest.raises(ValueError, match=re.escape("it saw no frames")):
        linear.start_session().update(0.0, coronal=GOOD)


def test_first_known_position_may_be_anywhere(cine):
    session = cine.forecaster.start_session(deadline=np.inf)
    X = cine.X.with_positions(None)
    run_frames(session, X, range(3))
    run_frames(session, cine.X.with_positions(cine.y + 400), range(3, 10))
    now = run_frames(session, X, [10])[0].now
    assert np.linalg.norm(now - 400 - cine.y[10]) < 6
