"""`TumourPositionForecaster`: what it promises, and what it refuses."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklearn_medsel import TumourPositionForecaster
from sklearn_medsel.datasets import make_breathing
from sklearn_medsel.forecasting import CineSequence, forecast_errors

LINEAR = ("persistence", "ridge")
AXES = ["x", "y", "z"]
HORIZONS = (0.2, 0.5)


def make(**settings):
    """A forecaster that is quick to fit."""
    given = {"horizons": HORIZONS, "history": 1.0, "experts": LINEAR, "random_state": 0}
    return TumourPositionForecaster(**(given | settings))


@pytest.fixture(scope="module")
def breathing():
    return make_breathing(n_patients=3, duration=24.0, rate=5.0, random_state=0)


@pytest.fixture(scope="module")
def seen(breathing):
    return breathing.X[breathing.groups < 2]


@pytest.fixture(scope="module")
def new(breathing):
    return breathing.X[breathing.groups == 2].reset_index(drop=True)


@pytest.fixture(scope="module")
def linear(seen):
    return make().fit(seen)


@pytest.fixture(scope="module")
def learned(seen):
    return make(experts=(*LINEAR, "transformer"), max_epochs=1).fit(seen)


@pytest.fixture(params=["linear", "learned"])
def fitted(request):
    return request.getfixturevalue(request.param)


def shifted(table, offset, rows=slice(None)):
    table = table.copy()
    table.loc[table.index[rows], AXES] += offset
    return table


# --- shapes


def test_shapes_and_order_of_columns(fitted, new):
    forecast = fitted.predict(new)
    assert forecast.shape == (120, 6)
    assert forecast.dtype == np.float64
    assert np.isfinite(forecast).all()
    radius = fitted.predict_interval(new)
    assert radius.shape == (120, 2)
    assert (radius[:, 1] > radius[:, 0]).mean() > 0.9
    # the first three columns are the nearest horizon
    now = new[AXES].to_numpy()
    near, far = (np.linalg.norm(forecast[:, k : k + 3] - now, axis=1).mean() for k in (0, 3))
    assert near < far


def test_horizons_come_in_the_order_asked_for(seen, new, linear):
    other = make(horizons=HORIZONS[::-1]).fit(seen)
    np.testing.assert_allclose(
        other.predict(new)[:, [3, 4, 5, 0, 1, 2]], linear.predict(new), atol=1e-9
    )
    np.testing.assert_array_equal(other.horizons_, HORIZONS[::-1])


def test_horizons_set_after_fit_wait_for_the_next_fit(linear, new):
    changed = clone_of_fitted(linear).set_params(horizons=(1.0,))
    np.testing.assert_array_equal(changed.predict(new), linear.predict(new))
    assert changed.start_session().horizons == HORIZONS


def clone_of_fitted(estimator):
    return pickle.loads(pickle.dumps(estimator))


@pytest.mark.parametrize("n_dims", [1, 2])
def test_fewer_axes(seen, new, n_dims):
    columns = ["t", "patient", *AXES[:n_dims]]
    forecaster = make().fit(seen[columns])
    assert forecaster.n_dims_ == n_dims
    assert forecaster.predict(new[columns]).shape == (120, 2 * n_dims)
    assert forecaster.score(new[columns]) > -10


def test_one_axis_as_an_array(seen):
    y = seen["x"].to_numpy()
    X = y[:, None]
    both = [make().fit(X, target).predict(X) for target in (y, X, None)]
    np.testing.assert_array_equal(both[0], both[1])
    np.testing.assert_array_equal(both[0], both[2])


def test_plain_array_is_a_recording_of_uniform_steps(new):
    one = make(interval=0.2).fit(new[AXES].to_numpy())
    two = make().fit(new[["t", *AXES]])
    np.testing.assert_allclose(
        one.predict(new[AXES].to_numpy()), two.predict(new[["t", *AXES]]), atol=1e-6
    )
    assert one.n_features_in_ == 3


def test_other_columns_and_the_index_are_not_read(linear, new):
    more = new.assign(note="secret", age=np.arange(len(new))).set_index(np.arange(len(new))[::-1])
    np.testing.assert_array_equal(linear.predict(more), linear.predict(new))


# --- it learns


def test_better_than_persistence_on_an_unseen_patient(breathing, new, linear):
    persistence = make(experts="persistence").fit(breathing.X[breathing.groups < 2])
    assert linear.score(new) > 0.85 * persistence.score(new)
    now = new[AXES].to_numpy()
    np.testing.assert_allclose(persistence.predict(new), np.hstack([now, now]), atol=1e-9)


def test_a_patient_of_its_own_kind_is_learnt(seen):
    """Breathing faster than any in training: the ridge becomes the patient's own."""
    t = np.arange(0, 60, 0.2)
    fast = pd.DataFrame({"t": t, "x": 8 * np.cos(2.4 * np.pi * t / 2.5), "y": 0.0, "z": 0.0})
    errors = {}
    for adapt in ("linear", "none"):
        forecast = make(adapt=adapt).fit(seen).predict(fast)[:-1, :3]
        errors[adapt] = np.linalg.norm(forecast - fast[AXES].to_numpy()[1:], axis=1)[200:].mean()
    assert errors["linear"] < 0.5 * errors["none"]


def test_transformer_takes_part(learned, seen, new):
    assert learned.weights_.shape == (2, 3)
    np.testing.assert_allclose(learned.weights_.sum(axis=1), 1)
    ridge, transformer = learned.weights_[:, 1:].T
    assert (transformer > 0).all()
    assert (transformer < ridge).all()
    alone = make(experts=("transformer",), max_epochs=1).fit(seen)
    np.testing.assert_array_equal(alone.weights_, np.ones((2, 1)))
    assert not np.allclose(alone.predict(new), learned.predict(new))
    assert np.isfinite(alone.score(new))


@pytest.mark.parametrize("coverage", [0.7, 0.9])
def test_balls_hold_the_truth_as_often_as_promised(coverage):
    data = make_breathing(n_patients=3, duration=50.0, rate=5.0, random_state=1)
    forecaster = make(coverage=coverage, history=0.6).fit(data.X[data.groups == 0])
    X = data.X[data.groups > 0]
    table = forecast_errors(
        X[AXES].to_numpy(),
        forecaster.predict(X),
        t=X["t"],
        horizons=HORIZONS,
        patient=X["patient"],
        radius=forecaster.predict_interval(X),
    )
    found = table[table["patient"] == "all"]["coverage"]
    np.testing.assert_allclose(found, coverage, atol=0.05)


# --- score


def test_score_compares_with_the_position_at_the_time_forecast(linear, breathing, new):
    y = breathing.y[breathing.groups == 2]
    table = forecast_errors(
        y, linear.predict(new), t=new["t"], horizons=HORIZONS, patient=new["patient"]
    )
    expected = -table[table["patient"] == "all"]["rmse"].mean()
    assert linear.score(new, y) == pytest.approx(expected, rel=1e-9)


def test_score_of_unknown_truth(linear, new):
    y = new[AXES].to_numpy()
    y[50:] = np.nan
    assert np.isfinite(linear.score(new, y))
    with pytest.raises(ValueError, match="no known position at the time of any forecast"):
        linear.score(new, np.full_like(y, np.nan))
    with pytest.raises(ValueError, match="shorter than the longest horizon"):
        linear.score(new[:2])


# --- nothing later, nothing of other places


def changed_after(table, row):
    """Other positions, times and patients after a row."""
    later = table.iloc[row + 1 :]
    table = table.iloc[: row + 1]
    noise = np.random.default_rng(0).normal(scale=20, size=(len(later), 3)).cumsum(axis=0) % 50
    other = later.assign(t=later["t"] + np.linspace(0.03, 4, len(later)))
    other[AXES] = noise
    return pd.concat([table, other], ignore_index=True)


@pytest.mark.parametrize("row", [3, 80])
def test_what_comes_later_changes_nothing(fitted, new, row):
    """Neither forecasts nor radii, and so nothing that was learnt on the way."""
    tables = (new, changed_after(new, row), new[: row + 1])
    for here, there, short in zip(*map(fitted._run, tables), strict=True):
        np.testing.assert_array_equal(here[: row + 1], there[: row + 1])
        np.testing.assert_array_equal(here[: row + 1], short)
        assert not np.allclose(here[row + 1 :], there[row + 1 :])


@pytest.mark.parametrize("offset", [5.0, [1e5, -500, 30.0]])
def test_shifted_patient_gets_shifted_forecasts(fitted, new, offset):
    here, there = (fitted._run(table) for table in (new, shifted(new, offset)))
    np.testing.assert_allclose(there[0] - offset, here[0], atol=1e-4)
    np.testing.assert_allclose(there[1], here[1], atol=1e-4)


@pytest.mark.parametrize("offset", [5.0, 1e4])
def test_shifted_training_changes_nothing(seen, new, linear, offset):
    moved = make().fit(shifted(seen, offset))
    np.testing.assert_allclose(moved.predict(new), linear.predict(new), atol=1e-4)
    one = shifted(seen, [offset, 0, -offset], seen["patient"] == 1)
    np.testing.assert_allclose(make().fit(one).predict(new), linear.predict(new), atol=1e-4)


def test_shifted_patient_where_training_measured_with_noise(breathing, new):
    known = breathing.groups < 2
    forecaster = make().fit(breathing.X[known], breathing.y[known])
    moved = forecaster.predict(shifted(new, 500.0)) - 500
    np.testing.assert_allclose(moved, forecaster.predict(new), atol=1e-4)


def test_clock_may_start_anywhere(fitted, new):
    """Rounding of large times must not decide when something is learnt."""
    later = new.assign(t=new["t"] + 86_400.1)
    np.testing.assert_allclose(fitted.predict(later), fitted.predict(new), atol=1e-4)


ORDER = [2, 0, 1]


def permuted(table):
    return table.assign(**dict(zip(AXES, table[AXES].to_numpy()[:, ORDER].T, strict=True)))


def columns_of(order):
    return [*order, *(3 + k for k in order)]


def test_axes_of_a_patient_in_another_order(fitted, new):
    np.testing.assert_allclose(
        fitted.predict(permuted(new)), fitted.predict(new)[:, columns_of(ORDER)], atol=1e-4
    )


def test_axes_in_training_in_another_order(seen, new, linear):
    other = make().fit(permuted(seen))
    np.testing.assert_allclose(other.predict(new), linear.predict(new), atol=1e-6)


def test_patients_know_nothing_of_each_other(fitted, breathing, new):
    two = pd.concat([breathing.X[breathing.groups == 1], new.assign(patient=77)])
    np.testing.assert_array_equal(fitted.predict(two)[120:], fitted.predict(new))


def test_sequences_of_a_patient_know_nothing_of_each_other(fitted, new):
    two = new.assign(sequence=np.repeat([0, 1], 60))
    two["t"] = np.tile(new["t"][:60], 2)
    np.testing.assert_array_equal(fitted.predict(two)[60:], fitted.predict(two[60:]))


# --- gaps


@pytest.mark.parametrize("rows_stay", [False, True])
def test_nothing_is_read_across_a_gap(linear, new, rows_stay):
    """Two seconds without positions, by missing rows or by NaN: the path starts anew."""
    before, gap, after = new[:60], new[60:75], new[75:]
    gap = gap.assign(x=np.nan, y=np.nan, z=np.nan)
    rows = [before, *([gap] if rows_stay else []), after]
    elsewhere = [shifted(before, 50.0), *([gap] if rows_stay else []), after]
    here, there = (linear.predict(pd.concat(part, ignore_index=True)) for part in (rows, elsewhere))
    # what it has learnt, such as the amplitude, it keeps; where the target was it does not
    np.testing.assert_allclose(here[-45:], there[-45:], atol=1e-6)
    np.testing.assert_allclose(here[:60] + 50, there[:60], atol=1e-6)
    if rows_stay:
        assert np.isfinite(here[60:64]).all()
        assert np.isnan(here[66:75]).all()


def test_training_reads_nothing_across_a_gap(seen, new, linear):
    cut = seen.drop(index=range(60, 75))
    both = [make().fit(table).predict(new) for table in (cut, shifted(cut, 50.0, slice(0, 60)))]
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)
    assert not np.allclose(both[0], linear.predict(new), atol=1e-6)


def test_short_loss_is_bridged_and_the_radius_grows(linear, new):
    lost = new.copy()
    lost.loc[90:91, AXES] = np.nan
    forecast, radius = linear.predict(lost), linear.predict_interval(lost)
    assert np.isfinite(forecast).all()
    np.testing.assert_array_equal(forecast[:90], linear.predict(new)[:90])
    usual = linear.predict_interval(new)
    assert (radius[90:92] > usual[90:92]).all()
    assert (radius[91] > radius[90]).all()


def test_no_position_yet_is_no_forecast(linear, new):
    late = new.copy()
    late.loc[:9, AXES] = np.nan
    forecast, radius = linear.predict(late), linear.predict_interval(late)
    assert np.isnan(forecast[:10]).all()
    assert np.isnan(radius[:10]).all()
    np.testing.assert_array_equal(forecast[10:], linear.predict(new[10:]))


def test_unknown_truth_in_training_is_left_out(seen, new):
    y = seen[AXES].to_numpy()
    y[30:60, 1] = np.nan
    forecaster = make().fit(seen, y)
    assert np.isfinite(forecaster.predict(new)).all()
    # nothing of the rows without a truth may be learnt
    other = np.where(np.isnan(y).any(axis=1, keepdims=True), np.nan, y)
    np.testing.assert_allclose(make().fit(seen, other).predict(new), forecaster.predict(new))


# --- surrogates


def test_surrogate_signals_are_mapped_to_positions(new):
    y = new[AXES].to_numpy()
    X = y @ np.array([[0.02, 0.5], [0.0, 0.1], [0.01, 0.0]]) + [3.0, -7.0]
    y = np.column_stack([y[:, 0], 0.3 * y[:, 0]])
    forecaster = make().fit(X[:90], y[:90])
    assert forecaster.signal_map_.coef.shape == (2, 2)
    assert forecaster.predict(X).shape == (120, 4)
    assert forecaster.score(X[90:], y[90:]) > -6
    session = forecaster.start_session()
    for row in range(20):
        forecast = session.update(0.2 * row, position=X[row])
    np.testing.assert_allclose(forecast.position[0.2], forecaster.predict(X)[19, :2], atol=1e-5)


# --- scikit-learn


def test_parameters_and_clone():
    forecaster = make(planes=("coronal",), coverage=0.8)
    assert clone(forecaster).get_params() == forecaster.get_params()
    assert forecaster.set_params(history=2.0).history == 2.0
    assert "history=2.0" in repr(forecaster)


def test_search_over_experts_and_history_by_patient(breathing):
    search = GridSearchCV(
        make(horizons=(0.4,)),
        [{"experts": [("persistence",), LINEAR]}, {"history": [0.8]}],
        cv=GroupKFold(3),
        error_score="raise",
    ).fit(breathing.X, breathing.y, groups=breathing.groups)
    scores = search.cv_results_["mean_test_score"]
    assert (scores < 0).all()
    assert scores.argmin() == 0
    assert search.predict(breathing.X).shape == (360, 3)


def test_search_over_planes_by_patient(cine):
    X, y = cine.seen[::2], cine.y_seen[::2]
    search = GridSearchCV(
        clone(cine.forecaster).set_params(experts=LINEAR, horizons=(0.5,)),
        {"planes": [("coronal",), ("coronal", "sagittal")]},
        cv=GroupKFold(2),
        refit=False,
        error_score="raise",
    )
    with pytest.MonkeyPatch.context() as patch:
        brief_tracker(patch)
        search.fit(X, y, groups=X.groups)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def brief_tracker(patch):
    from functools import partial

    from sklearn_medsel.forecasting import _forecaster

    patch.setattr(_forecaster, "ImageTracker", partial(_forecaster.ImageTracker, max_epochs=1))


def test_progress_bar_sees_the_fit(seen, capsys):
    pytest.importorskip("rich")
    make(experts=(*LINEAR, "transformer"), max_epochs=2).set_callbacks(ProgressBar()).fit(seen)
    assert "100%" in capsys.readouterr().out


def test_same_seed_same_forecasts_and_global_generators_stay(seen, new, learned):
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    torch_state = torch.random.get_rng_state()
    again = clone(learned).fit(seen)
    np.testing.assert_array_equal(again.predict(new), learned.predict(new))
    np.testing.assert_array_equal(again.predict_interval(new), learned.predict_interval(new))
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(torch_state, torch.random.get_rng_state())
    other = clone(learned).set_params(random_state=1).fit(seen)
    assert not np.array_equal(other.predict(new), learned.predict(new))


def test_predict_leaves_no_trace(linear, new):
    first = linear.predict(new)
    linear.predict(shifted(new, 40.0))
    np.testing.assert_array_equal(linear.predict(new), first)


def test_pickle_comes_back(learned, new):
    copy, rows = clone_of_fitted(learned), slice(0, 40)
    np.testing.assert_array_equal(copy.predict(new[rows]), learned.predict(new[rows]))


def test_not_fitted(new):
    for ask in ("predict", "predict_interval", "score"):
        with pytest.raises(NotFittedError):
            getattr(make(), ask)(new)
    with pytest.raises(NotFittedError):
        make().start_session()


# --- frames


def test_forecasts_from_frames(cine):
    forecast, radius = cine.forecaster.predict(cine.X), cine.forecaster.predict_interval(cine.X)
    assert forecast.shape == (80, 6)
    assert radius.shape == (80, 2)
    assert np.isfinite(forecast).all()
    still = np.nanmean(np.linalg.norm(cine.y[40:-2] - cine.y[42:], axis=1))
    error = np.nanmean(np.linalg.norm(forecast[40:-2, 3:] - cine.y[42:], axis=1))
    assert error < still  # than a position known exactly that does not move
    assert set(cine.forecaster.pixel_mm_.values()) == {3.5}
    assert cine.forecaster.planes_ == ("coronal", "sagittal")


def test_positions_after_the_warmup_are_not_looked_at(cine):
    early = np.where((cine.X.t - cine.X.t[0] < cine.forecaster.warmup)[:, None], cine.y, np.nan)
    np.testing.assert_array_equal(
        cine.forecaster.predict(cine.X.with_positions(early)), cine.forecaster.predict(cine.X)
    )


@pytest.mark.parametrize("row", [5, 45])
def test_later_frames_change_nothing(cine, row):
    frames, y, t = cine.X.frames.copy(), cine.y.copy(), cine.X.t.copy()
    frames[row + 1 :] = np.random.default_rng(0).integers(0, 255, frames[row + 1 :].shape)
    y[row + 1 :] += 30.0
    t[row + 1 :] += 0.1
    other = CineSequence(frames, t, planes=cine.X.planes, pixel_mm=3.5, positions=y)
    for here, there in zip(*map(cine.forecaster._run, (cine.X, other)), strict=True):
        np.testing.assert_array_equal(here[: row + 1], there[: row + 1])
        assert not np.allclose(here[row + 1 :], there[row + 1 :], equal_nan=True)


def interleaved(X, lost=()):
    """One plane at each step, in turn; of some steps none."""
    mask = np.zeros_like(X.mask)
    mask[np.arange(len(X)), np.arange(len(X)) % 2] = True
    mask[list(lost)] = False
    settings = dict(planes=X.planes, pixel_mm=X.pixel_mm, mask=mask, positions=X.positions)
    return CineSequence(X.frames, X.t, **settings)


@pytest.mark.parametrize("offset", [5.0, [1e5, -500.0, 30.0]])
@pytest.mark.parametrize("arrange", [lambda X: X, interleaved], ids=["together", "interleaved"])
def test_patient_of_frames_elsewhere(cine, offset, arrange):
    """As soon as one position of the patient is known, forecasts are where the patient is."""
    X, offset = arrange(cine.X), np.broadcast_to(offset, 3)
    here = cine.forecaster.predict(X)
    there = cine.forecaster.predict(X.with_positions(X.positions + offset))
    np.testing.assert_allclose(there[1:] - np.tile(offset, 2), here[1:], atol=1e-4)


def test_position_that_comes_late_places_the_patient(cine):
    y = np.full_like(cine.y, np.nan)
    y[10] = cine.y[10] + 300
    forecast = cine.forecaster.predict(cine.X.with_positions(y))[:, :3]
    assert np.linalg.norm(forecast[10] - y[10]) > 200  # nothing is known yet
    errors = np.linalg.norm(forecast[11:-1] - 300 - cine.y[12:], axis=1)
    assert np.median(errors) < 6


def test_frames_without_any_position(cine):
    forecast = cine.forecaster.predict(cine.X.with_positions(None))
    assert np.isfinite(forecast).all()


def test_lost_planes(cine):
    without = cine.forecaster.predict(cine.X.select_planes("coronal"))
    assert np.isfinite(without).all()
    lost = interleaved(cine.X, lost=range(30, 40))
    forecast = cine.forecaster.predict(lost)
    assert np.isnan(forecast[38:40]).all()
    assert np.isfinite(forecast[40:]).all()


def test_frames_or_numbers_as_in_training(cine, linear, new):
    with pytest.raises(ValueError, match="X must be frames where training had frames"):
        linear.predict(cine.X)
    with pytest.raises(ValueError, match="X must be frames where training had frames"):
        cine.forecaster.predict(new)


def test_plane_that_training_never_saw(cine):
    axial = CineSequence(cine.X.frames, cine.X.t, planes=("coronal", "axial"), pixel_mm=3.5)
    with pytest.raises(ValueError, match=r"plane\(s\) \['axial'\], which training never saw"):
        cine.forecaster.predict(axial)
    with pytest.raises(ValueError, match="planes must be one or more of"):
        make(planes=("axial",)).fit(cine.X, cine.y)


def test_frames_without_positions_to_learn_from(cine):
    with pytest.raises(ValueError, match="y is missing, and X has no positions"):
        make().fit(cine.X.with_positions(None))


# --- bad input


def row_of(table, row, **values):
    table = table.copy()
    for name, value in values.items():
        table.loc[row, name] = value
    return table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": 1.0}, r"t must grow .* goes back or repeats at row 77\b"),
        ({"t": 15.2}, r"t must grow .* goes back or repeats at row 77\b"),
        ({"t": np.nan}, "t is NaN or infinite at row 77"),
        ({"x": 512.25}, "jumps by more than 100 mm at rows 77, 78: probably it is in other units"),
        ({"x": np.inf}, "infinite at row 77"),
        ({"patient": np.nan}, "patient is missing at row 77"),
        ({"patient": 7}, "patient and sequence: the sequence at row 78 has rows further up"),
    ],
)
def test_bad_rows_are_named_and_show_no_values(linear, new, change, message):
    bad = row_of(new.astype({"patient": float}), 77, **change)
    for call in (linear.predict, linear.predict_interval, linear.score, make().fit):
        with pytest.raises(ValueError, match=message) as error:
            call(bad)
        shown = re.findall(r"-?\d+\.\d+", str(error.value))
        assert not set(shown) & {f"{value:g}" for value in [*new.loc[77, AXES], 512.25]}


def test_positions_in_metres_or_pixels_in_y(seen):
    y = seen[AXES].to_numpy()
    y[20] += 400.0
    with pytest.raises(ValueError, match="jumps by more than 100 mm at rows 20, 21"):
        make().fit(seen, y)


def test_recordings_shorter_than_history_and_horizon(new):
    with pytest.raises(ValueError, match=r"fewer steps than the history.* 6 s .*longer rec"):
        make(history=5.0, horizons=(1.0,)).fit(new[:25])
    with pytest.raises(ValueError, match="fewer steps than the history"):
        make(history=1.0, horizons=(100.0,)).fit(new)
    with pytest.raises(ValueError, match="no recording with two steps"):
        make().fit(new[:1])


def test_recording_shorter_than_the_history_can_be_forecast(linear, new):
    assert np.isfinite(linear.predict(new[:2])).all()
    np.testing.assert_array_equal(linear.predict(new[:2]), linear.predict(new)[:2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizons": ()}, "horizons must be one or more numbers"),
        ({"horizons": (0.0, 1.0)}, "above 0"),
        ({"horizons": (0.2, 0.2)}, "distinct"),
        ({"horizons": (np.inf,)}, "finite"),
        ({"horizons": 0.2}, "'horizons' parameter"),
        ({"experts": ("oracle",)}, "experts must be some of"),
        ({"experts": ()}, "experts must be some of"),
        ({"experts": ("ridge", "ridge")}, "experts must be some of"),
        ({"adapt": "all"}, "'adapt' parameter"),
        ({"coverage": 1.0}, "'coverage' parameter"),
        ({"history": 0.0}, "'history' parameter"),
        ({"interval": -1.0}, "'interval' parameter"),
    ],
)
def test_parameters_that_are_refused(new, settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings).fit(new)


def test_wrong_shapes(linear, seen, new):
    with pytest.raises(ValueError, match="one position for each of the 240 rows"):
        make().fit(seen, np.zeros((239, 3)))
    with pytest.raises(ValueError, match="must have the columns t"):
        linear.predict(new.drop(columns="x"))
    with pytest.raises(ValueError, match="no rows"):
        linear.predict(new[:0])
    with pytest.raises(
        ValueError, match=r"X has 1 column\(s\) of positions or signals, but training had 3"
    ):
        linear.predict(new[["t", "patient", "x"]])
