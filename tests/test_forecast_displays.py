"""The pictures of forecasts, read back from what they draw."""

import gc
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from sklearn_medsel.forecasting import CineSequence
from sklearn_medsel.forecasting._measures import forecast_errors
from sklearn_medsel.inspection._cine_animation import animate_cine
from sklearn_medsel.inspection._forecast_drawing import event_colours, with_gaps
from sklearn_medsel.inspection._horizon_error import HorizonErrorDisplay
from sklearn_medsel.inspection._plane_ablation import PlaneAblationDisplay
from sklearn_medsel.inspection._trajectory import TrajectoryDisplay

mpl = pytest.importorskip("matplotlib")
plt = pytest.importorskip("matplotlib.pyplot")

RATE = 5.0
HORIZONS = np.array([0.2, 0.4])


def breathing(n_steps=150, seed=0, n_dims=3):
    """Times and positions: powers of a cosine with a drift."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_steps) / RATE
    level = np.cos(np.pi * t / rng.uniform(3.5, 5.0)) ** 4
    drift = 0.05 * rng.normal(size=(n_steps, n_dims)).cumsum(axis=0)
    return t, np.outer(level, [14.0, -5.0, 2.5][:n_dims]) + drift


class Persistence(BaseEstimator):
    """Says that the target stays where the table has it."""

    def __init__(self, horizons=tuple(HORIZONS), offset=0.0):
        self.horizons = horizons
        self.offset = offset

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        self.seen_ = X
        return np.tile(X[["x", "y", "z"]].to_numpy() + self.offset, len(self.horizons))

    def score(self, X, y):
        return -self.offset


class WithRadius(Persistence):
    def predict_interval(self, X):
        return np.tile([1.0, 2.0], (len(X), 1)) + X[["t"]].to_numpy()


def table_of(*patients):
    parts = []
    for seed, patient in enumerate(patients):
        t, y = breathing(seed=seed)
        part = pd.DataFrame({"t": t, "patient": patient})
        part[["x", "y", "z"]] = y
        parts.append(part)
    X = pd.concat(parts, ignore_index=True)
    return X, X[["x", "y", "z"]].to_numpy()


@pytest.fixture(autouse=True)
def _no_figures():
    plt.close("all")
    yield
    plt.close("all")
    gc.collect()  # a film that was not played warns when it goes: here, and not in another test


def draw(display):
    """Draw for real: layout and text are only made here."""
    display.figure_.canvas.draw()
    return display


# --- trajectory ----------------------------------------------------------------------------


def trajectory(**options):
    t, y = breathing()
    forecast = np.hstack([y + 1.0, y - 2.0])
    return t, y, TrajectoryDisplay.from_predictions(t, y, forecast, horizons=HORIZONS, **options)


def test_forecasts_stand_at_the_time_they_are_for():
    t, y, display = trajectory(horizon=0.4, radius=[1.0, 3.0])
    assert display.horizon == 0.4
    for column in range(3):
        truth, forecast = display.truth_lines_[column], display.forecast_lines_[column]
        np.testing.assert_array_equal(truth.get_data(), [t, y[:, column]])
        np.testing.assert_array_equal(forecast.get_data(), [t + 0.4, y[:, column] - 2.0])
        band = display.bands_[column].get_paths()[0].vertices
        assert band[:, 1].min() == pytest.approx(y[:, column].min() - 5)
        assert band[:, 1].max() == pytest.approx(y[:, column].max() + 1)
    assert [ax.get_ylabel() for ax in display.axes_] == ["x (mm)", "y (mm)", "z (mm)"]
    assert display.axes_[-1].get_xlabel() == "Time (s)"
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["truth", "forecast", "radius"]


def test_title_has_the_measures_of_what_is_shown():
    t, y = breathing()
    later = np.concatenate([y[2:], np.full((2, 3), np.nan)])
    forecast = later + np.where(t < 15, 0.0, 3.0)[:, None] * [0, 1, 0]
    options = {"horizons": 0.4, "radius": 2.0, "patient": "P1"}
    shown = TrajectoryDisplay.from_predictions(t, y, forecast, start=20, stop=25, **options)
    assert shown.ax_.get_title(loc="left") == (
        "Patient P1, 0.4 s ahead, RMSE 3.00 mm, inside the radius 0% of the time"
    )
    again = shown.plot(stop=15)
    assert "RMSE 0.00 mm, inside the radius 100%" in again.ax_.get_title(loc="left")
    assert again.ax_.get_xlim() == (0, 15)


def test_lines_break_at_gaps_and_unknown_positions():
    t, y = breathing()
    there = np.ones(150, bool)
    there[60:70] = False
    y[100:105] = np.nan
    shown = TrajectoryDisplay.from_predictions(t[there], y[there], y[there], horizons=[0.2])
    for line in (shown.truth_lines_[0], shown.forecast_lines_[0]):
        x, values = line.get_data()
        assert np.isnan(x).sum() == 1
        assert np.isnan(values).sum() == 6
    assert len(with_gaps(t)[0]) == 150


def test_events_are_shaded_and_named_in_rows():
    events = [(20.0, 24.0, "HOLD"), (19.5, 23.0, "plane lost"), (5.0, 5.0, "cough")]
    _, _, display = trajectory(horizon=0.2, events=events)
    names = [label.get_text() for label in display.ax_events_.get_yticklabels()]
    assert names == ["cough", "plane lost", "HOLD"]
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in display.ax_.patches]
    assert spans == [(5.0, 5.0), (19.5, 23.0), (20.0, 24.0)]
    # what ends before the part shown is left out, and with all of them their row
    assert display.plot(start=21).ax_events_.get_yticklabels()[0].get_text() == "plane lost"
    assert display.plot(start=25).ax_events_ is None


def test_events_of_a_table_are_those_of_the_patient():
    events = pd.DataFrame(
        {"patient": [1, 2], "start": [3.0, 4.0], "stop": [4.0, 9.0], "kind": ["sigh", "cough"]}
    )
    _, _, display = trajectory(horizon=0.2, events=events, patient=2)
    assert display.events == [(4.0, 9.0, "cough")]
    _, _, display = trajectory(horizon=0.2, events=events)
    assert len(display.events) == 2
    with pytest.raises(ValueError, match=r"events lacks the columns \['stop'\]"):
        trajectory(horizon=0.2, events=events.drop(columns="stop"))
    with pytest.raises(ValueError, match="number 0 by start ends before it starts"):
        trajectory(horizon=0.2, events=[(3.0, 2.0, "cough")])


def test_hold_has_a_colour_of_its_own():
    alone = event_colours([(0, 1, "HOLD")])["HOLD"]
    among = event_colours([(0, 1, kind) for kind in ("a", "b", "c", "d", "HOLD: no plane", "e")])
    assert among["HOLD: no plane"] == alone
    assert list(among.values()).count(alone) == 1


def test_one_wild_radius_does_not_rule_the_axis():
    t, y = breathing()
    radius = np.full(150, 2.0)
    radius[0], radius[1] = np.inf, 1e6
    shown = TrajectoryDisplay.from_predictions(t, y, y, horizons=0.2, radius=radius)
    low, high = draw(shown).ax_.get_ylim()
    assert -10 < low < high < 30


def test_axis_that_hardly_moves_is_not_blown_up():
    t, y = breathing()
    shown = TrajectoryDisplay.from_predictions(t, y * [1, 0.01, 1], y * [1, 0.01, 1], horizons=0.2)
    assert np.ptp(shown.axes_[1].get_ylim()) > 4


@pytest.mark.parametrize("n_dims", [1, 2])
def test_fewer_coordinates(n_dims):
    t, y = breathing(n_dims=n_dims)
    shown = draw(TrajectoryDisplay.from_predictions(t, y, y, horizons=0.2))
    names = ["position (mm)"] if n_dims == 1 else ["x (mm)", "y (mm)"]
    assert [ax.get_ylabel() for ax in shown.axes_] == names


def test_draws_into_given_axes():
    figure, (left, right) = plt.subplots(1, 2)
    _, _, shown = trajectory(horizon=0.2, ax=right, events=[(3, 4, "cough")])
    draw(shown)
    assert shown.ax_ is right
    assert shown.figure_ is figure
    assert not left.lines
    boxes = [ax.get_window_extent() for ax in [shown.ax_events_, *shown.axes_]]
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))
    assert min(box.x0 for box in boxes) > left.get_window_extent().x1
    by_hand = plt.figure().add_axes((0.2, 0.2, 0.7, 0.6))
    _, _, shown = trajectory(horizon=0.2, ax=by_hand, events=[(3, 4, "cough")])
    boxes = [ax.get_position() for ax in [draw(shown).ax_events_, *shown.axes_]]
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))
    assert boxes[0].y1 < 0.8 + 1e-9
    assert boxes[-1].y0 == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "horizon must be one of those that were forecast: 0.2, 0.4 s"),
        ({"horizon": 0.3}, "horizon=0.3 s was not forecast; choose one of 0.2, 0.4 s"),
        ({"horizon": 0.2, "axis_names": ["SI", "AP"]}, "each of the 3 coordinates, found 2 names"),
        ({"horizon": 0.2, "start": 100}, "nothing to show from 100 to"),
        ({"horizon": 0.2, "radius": np.ones(7)}, "radius must be a number or have shape"),
    ],
)
def test_trajectory_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        trajectory(**options)
    assert not plt.get_fignums()


def test_trajectory_takes_one_sequence_in_order():
    t, y = breathing()
    with pytest.raises(ValueError, match="t must rise from row to row"):
        TrajectoryDisplay.from_predictions(t[::-1], y, y, horizons=0.2)


def test_estimator_shows_one_patient_from_its_own_rows():
    X, y = table_of("b", "a")
    forecaster = WithRadius().fit(X, y)
    shown = draw(TrajectoryDisplay.from_estimator(forecaster, X, y, horizon=0.4, patient="a"))
    t, truth = breathing(seed=1)
    np.testing.assert_array_equal(shown.t, t)
    np.testing.assert_array_equal(shown.truth, truth)
    np.testing.assert_array_equal(shown.forecast, truth)
    np.testing.assert_array_equal(shown.radius, 2.0 + t)
    assert set(forecaster.seen_["patient"]) == {"a"}
    assert shown.ax_.get_title(loc="left").startswith("Patient a, 0.4 s ahead")
    first = TrajectoryDisplay.from_estimator(forecaster, X, y, horizon=0.2)
    assert first.patient == "b"
    with pytest.raises(ValueError, match="patient='c' is not in X"):
        TrajectoryDisplay.from_estimator(forecaster, X, y, horizon=0.2, patient="c")


def test_estimator_forecasts_from_all_sequences_and_shows_one():
    X, y = table_of("a", "b", "a")
    X["sequence"] = np.repeat(["s1", "s1", "s2"], 150)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X.iloc[order], y[order]
    forecaster = Persistence().fit(X, y)
    options = {"horizon": 0.2, "patient": "a", "sequence": "s2"}
    shown = TrajectoryDisplay.from_estimator(forecaster, X, y, **options)
    assert len(forecaster.seen_) == 300
    t, truth = breathing(seed=2)
    np.testing.assert_array_equal(shown.t, t)
    np.testing.assert_array_equal(shown.forecast, truth)
    assert shown.radius is None
    assert not shown.bands_


def test_estimator_of_a_search_and_without_patients():
    X, y = table_of("a")
    X = X.drop(columns="patient")
    search = GridSearchCV(WithRadius(), {"offset": [3.0, 1.0]}, cv=2).fit(X, y)
    shown = TrajectoryDisplay.from_estimator(search, X, y, horizon=0.2)
    np.testing.assert_array_equal(shown.forecast, y + 1.0)
    assert shown.radius is not None


def test_estimator_that_does_not_fit():
    X, y = table_of("a")
    with pytest.raises(NotFittedError):
        TrajectoryDisplay.from_estimator(Persistence(), X, y, horizon=0.2)
    with pytest.raises(TypeError, match="X must be a CineSequence, or a DataFrame with a column t"):
        TrajectoryDisplay.from_estimator(Persistence().fit(X, y), y, y, horizon=0.2)


def test_axes_of_images_are_those_of_the_body():
    class Still(Persistence):
        def predict(self, X):
            return np.zeros((len(X), self.n_dims * 2))

    for planes, names in ((("coronal", "axial"), ["SI", "AP", "LR"]), (("axial",), ["AP", "LR"])):
        X, y = cine(planes=planes)
        forecaster = Still().fit(X, y)
        forecaster.n_dims = y.shape[1]
        shown = TrajectoryDisplay.from_estimator(forecaster, X, y, horizon=0.2, patient="b")
        assert [ax.get_ylabel() for ax in shown.axes_] == [f"{name} (mm)" for name in names]
        assert len(shown.t) == 20


# --- error against horizon -----------------------------------------------------------------


def tables():
    """Errors of three patients, of whom c is the worst with the first method, a with the second."""
    t, patient = np.tile(np.arange(50) / RATE, 3), np.repeat(["a", "b", "c"], 50)
    y = np.zeros((150, 1))
    size = {name: np.array(each, float) for name, each in (("one", [1, 2, 4]), ("two", [3, 2, 1]))}
    return {
        name: forecast_errors(
            y,
            np.outer(np.repeat(each, 50), [1.0, 2.0]),
            t=t,
            horizons=HORIZONS,
            patient=patient,
            radius=2.5,
        )
        for name, each in size.items()
    }


def test_lines_are_pooled_and_the_worst_is_named():
    shown = draw(HorizonErrorDisplay.from_errors(tables()))
    assert shown.worst_.tolist() == [["c", "c"], ["a", "a"]]
    assert [label.get_text() for label in shown.labels_] == ["c", "a"]
    pooled = np.sqrt(np.mean([1, 4, 16]))
    np.testing.assert_allclose(shown.lines_["one"].get_ydata(), [pooled, 2 * pooled], rtol=1e-2)
    np.testing.assert_array_equal(shown.by_patient[1], [[3, 6], [2, 4], [1, 2]])
    np.testing.assert_allclose(shown.lines_["one"].get_xdata(), HORIZONS, atol=0.02)
    assert [label.get_text() for label in shown.ax_.get_xticklabels()] == ["0.2", "0.4"]
    labels = [text.get_text() for text in shown.ax_.get_legend().get_texts()]
    assert labels == ["one", "two", "one patient", "worst patient"]
    assert shown.ax_.get_ylabel() == "RMSE (mm)"


def test_less_is_worse_where_more_is_better():
    shown = HorizonErrorDisplay.from_errors(tables(), measure="coverage")
    # "two": only patient a is beyond 2.5 mm at 0.2 s; at 0.4 s, b is as well, and a comes first
    assert shown.worst_[1].tolist() == ["a", "a"]
    assert shown.by_patient[0, :, 0].tolist() == [1, 1, 0]
    assert shown.ax_.get_ylabel() == "Part of the time inside the radius"
    within = HorizonErrorDisplay.from_errors(tables(), measure="within_3mm")
    assert within.worst_[0].tolist() == ["c", "b"]
    assert within.ax_.get_ylabel() == "Part of the time within 3 mm"


def test_one_table_and_methods_with_other_horizons_and_patients():
    one, two = tables().values()
    shown = draw(HorizonErrorDisplay.from_errors(one))
    labels = [text.get_text() for text in shown.ax_.get_legend().get_texts()]
    assert labels == ["one patient", "worst patient"]
    two = two[(two["horizon"] == 0.2) & (two["patient"] != "c")]
    shown = draw(HorizonErrorDisplay.from_errors({"one": one, "two": two}))
    assert shown.worst_.tolist() == [["c", "c"], ["a", None]]
    assert len(shown.labels_) == 1


def test_methods_differ_without_colour():
    shown = HorizonErrorDisplay.from_errors({str(k): tables()["one"] for k in range(4)})
    patterns = {str(line._unscaled_dash_pattern) for line in shown.lines_.values()}
    assert len(patterns) == 4
    places = [line.get_xdata()[0] for line in shown.lines_.values()]
    assert np.diff(places).min() > 0.001


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="rmse"), r"errors\['one'\] lacks the columns \['rmse'\]"),
        (lambda table: pd.concat([table, table]), "has two rows for one patient and horizon"),
        (lambda table: table[table["patient"] != "all"], 'has no rows of patient "all"'),
    ],
)
def test_error_tables_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        HorizonErrorDisplay.from_errors({"one": change(tables()["one"])})
    with pytest.raises(ValueError, match="errors is empty"):
        HorizonErrorDisplay.from_errors({})


# --- planes --------------------------------------------------------------------------------


def ablation():
    rows = [
        {
            "planes": planes,
            "patient": patient,
            "horizon": horizon,
            "rmse": b * part + 2 * horizon,
        }
        for planes, part in (("coronal", 1.0), (("coronal", "sagittal"), 0.8), ("all", 0.5))
        for patient, b in (("a", 1.0), ("b", 3.0), ("all", 99.0), ("worst", 99.0))
        for horizon in (0.2, 0.4)
    ]
    return pd.DataFrame(rows)


def test_patients_are_paired_and_the_mean_is_theirs():
    table = ablation()
    missing = {"planes": "coronal", "patient": "c", "horizon": 0.2, "rmse": 50.0}
    shown = draw(PlaneAblationDisplay.from_table(pd.concat([table, pd.DataFrame([missing])])))
    assert shown.planes == ["coronal", "coronal+sagittal", "all"]
    np.testing.assert_allclose(shown.means_, np.array([[2.4, 2.8], [2.0, 2.4], [1.4, 1.8]]))
    np.testing.assert_allclose(shown.differences_, [[-0.5] * 2, [-1.5] * 2, [np.nan] * 2])
    assert len(shown.axes_) == 2
    for panel, horizon in zip(shown.axes_, HORIZONS, strict=True):
        assert len(panel.lines) == 2
        np.testing.assert_allclose(
            panel.lines[1].get_ydata(), np.array([3, 2.4, 1.5]) + 2 * horizon
        )
        title = f"{horizon:g} s ahead\nall: −1.00 mm, better for 2 of 2"
        assert panel.get_title() == title
    assert [text.get_text() for text in shown.axes_[1].texts] == ["2.80", "2.40", "1.80"]


def test_one_horizon_and_given_axes():
    figure, (left, right) = plt.subplots(1, 2)
    shown = draw(PlaneAblationDisplay.from_table(ablation(), ax=right))
    assert shown.ax_ is right
    assert len(figure.axes) == 3
    assert not left.lines
    shown = draw(PlaneAblationDisplay.from_table(ablation(), horizon=0.4))
    assert shown.horizons.tolist() == [0.4]
    assert len(shown.axes_) == 1


def test_worse_is_said_as_plainly():
    table = ablation()
    table["rmse"] = -table["rmse"] + 10
    shown = PlaneAblationDisplay.from_table(table, horizon=0.2)
    assert shown.ax_.get_title().endswith("all: +1.00 mm, better for 0 of 2")


def test_plane_tables_that_do_not_fit():
    table = ablation()
    with pytest.raises(ValueError, match=r"table lacks the columns \['planes'\]"):
        PlaneAblationDisplay.from_table(table.drop(columns="planes"))
    with pytest.raises(ValueError, match="two rows for the same planes, patient and horizon"):
        PlaneAblationDisplay.from_table(pd.concat([table, table]))
    with pytest.raises(ValueError, match="horizon=1 s was not forecast"):
        PlaneAblationDisplay.from_table(table, horizon=1.0)
    apart = table[(table["planes"] != "all") | (table["patient"] == "all")]
    with pytest.raises(ValueError, match="no patient that was measured with every set"):
        PlaneAblationDisplay.from_table(
            pd.concat([apart, pd.DataFrame([{**table.iloc[0], "planes": "all", "patient": "z"}])])
        )


# --- film ----------------------------------------------------------------------------------


def cine(planes=("coronal", "sagittal", "axial"), mask=None):
    """Two patients of 20 steps; each frame is as bright as its step, and 30 brighter per plane."""
    steps = np.tile(np.arange(20), 2)
    level = steps[:, None] + 30 * np.arange(len(planes)) + 1
    frames = np.broadcast_to(level[:, :, None, None], (40, len(planes), 12, 16)).astype(np.uint8)
    X = CineSequence(
        frames,
        steps / RATE,
        planes=planes,
        pixel_mm=2.0,
        mask=mask,
        patient=np.repeat(["b", "a"], 20),
    )
    n_dims = 2 if len(planes) == 1 else 3
    y = np.random.default_rng(0).normal(size=(40, n_dims)) * 4
    return X, y


def show(film, step):
    """Play the film up to its start, and then show one step."""
    if not film._draw_was_started:
        film._fig.canvas.draw()
    film._func(step)
    film._fig.canvas.draw()
    return film._fig


def marks(ax):
    """Row and column of the forecast and of the truth."""
    by_marker = {line.get_marker(): line.get_xydata()[0, ::-1] for line in ax.lines}
    return by_marker["o"], by_marker["+"]


def test_marks_stand_where_the_position_is_in_each_plane():
    X, y = cine()
    forecast = np.hstack([y + 100, y + 1])
    radius = np.tile([1.0, 3.0], (40, 1))
    options = {"horizons": HORIZONS, "horizon": 0.4, "patient": "a", "radius": radius}
    film = animate_cine(X, y, forecast, **options)
    figure = show(film, 7)
    places = {"coronal": [0, 2], "sagittal": [0, 1], "axial": [1, 2]}
    for ax, (plane, columns) in zip(figure.axes, places.items(), strict=False):
        assert ax.get_title() == plane
        said, truth = marks(ax)
        middle = np.array([5.5, 7.5])
        np.testing.assert_allclose(truth, middle + y[27, columns] / 2)
        # made two steps before, about now
        np.testing.assert_allclose(said, middle + (y[25, columns] + 1) / 2)
        (circle,) = ax.patches
        assert circle.get_visible()
        assert circle.radius == pytest.approx(1.5)
        np.testing.assert_allclose(circle.center, said[::-1])
    error = np.linalg.norm(y[25] + 1 - y[27])
    assert figure.get_suptitle() == f"patient a, t = 1.4 s, error {error:.1f} mm"
    # nothing was said about the first moment
    figure = show(film, 0)
    assert np.isnan(marks(figure.axes[0])[0]).all()
    assert not figure.axes[0].patches[0].get_visible()
    assert figure.get_suptitle() == "patient a, t = 0.0 s, no forecast"


def test_planes_that_were_not_acquired_show_their_last_frame_and_its_age():
    mask = np.ones((40, 3), bool)
    mask[:, 1] = np.arange(40) % 20 >= 3
    mask[26:30, 0] = False
    X, y = cine(mask=mask)
    film = animate_cine(X, y, y, horizons=0.2, patient="a")
    figure = show(film, 8)
    coronal, sagittal, axial = (ax.images[0] for ax in figure.axes[:3])
    assert coronal.get_array().max() == 6  # of step 5
    assert [ax.texts[0].get_text() for ax in figure.axes[:3]] == ["0.6 s old", "", ""]
    assert coronal.get_alpha() < sagittal.get_alpha() == axial.get_alpha() == 1
    assert axial.get_array().max() == 69
    figure = show(film, 2)
    assert figure.axes[1].texts[0].get_text() == "not acquired yet"


def test_trace_shows_no_truth_beyond_now():
    X, y = cine()
    film = animate_cine(X, y, y + 1, horizons=0.4, axis=1)
    trace = show(film, 6).axes[3]
    truth, said = trace.lines[:2]
    np.testing.assert_array_equal(truth.get_ydata(), y[:7, 1])
    np.testing.assert_array_equal(said.get_ydata(), y[:7, 1] + 1)
    assert said.get_xdata()[-1] == pytest.approx(1.2 + 0.4)
    assert trace.get_ylabel() == "AP (mm)"


def test_events_of_the_patient_are_named_while_they_last():
    X, y = cine()
    events = pd.DataFrame(
        {"patient": ["a", "b"], "start": [0.9, 0.0], "stop": [1.3, 9.0], "kind": ["HOLD", "cough"]}
    )
    film = animate_cine(X, y, y, horizons=0.4, patient="a", events=events)
    assert show(film, 5).get_suptitle().endswith("mm, HOLD")
    assert show(film, 7).get_suptitle().endswith("mm")


def test_film_reads_only_what_it_shows_and_can_be_saved(tmp_path):
    X, y = cine(planes=("sagittal 1", "sagittal 2"))
    y = y[:, :2]
    film = animate_cine(X, y, y, horizons=0.2, patient="a", start=1.0, stop=1.7, speed=2.0)
    film.save(tmp_path / "film.gif", writer="pillow", dpi=40)
    from PIL import Image

    with Image.open(tmp_path / "film.gif") as image:
        assert image.n_frames == 4
        assert image.info["duration"] == 100
    read = []

    class Watched(CineSequence):
        def read(self, rows):
            read.extend(np.atleast_1d(rows))
            return super().read(rows)

    watched = Watched(X.frames, X.t, planes=X.planes, patient=X.patient)
    film = animate_cine(watched, y, y, horizons=0.2, patient="a")
    assert min(read) >= 20
    show(film, 0)
    read.clear()
    show(film, 4)
    assert set(read) == {24}


def test_origin_and_zoom():
    X, y = cine()
    origin = [[2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]
    film = animate_cine(X, y, y, horizons=0.2, origin=origin, zoom=2.0)
    figure = show(film, 3)
    np.testing.assert_allclose(marks(figure.axes[1])[1], np.array([4, 5]) + y[3, :2] / 2)
    np.testing.assert_allclose(figure.axes[1].get_xlim(), [5 - 4, 5 + 4])
    np.testing.assert_allclose(figure.axes[1].get_ylim(), [4 + 3, 4 - 3])
    whole = show(animate_cine(X, y, y, horizons=0.2, origin=[0, 0]), 3)
    assert whole.axes[0].get_xlim() == (-0.5, 15.5)
    assert whole.axes[0].get_ylim() == (11.5, -0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axis": 3}, "axis must be a coordinate from 0 to 2, found 3"),
        ({"speed": 0.0}, "speed must be a positive number"),
        ({"zoom": np.nan}, "zoom must be a positive number"),
        ({"origin": [1.0, 2.0, 3.0]}, r"origin must hold a row and a column .* shape \(3,\)"),
        ({"patient": "c"}, "patient='c' is not in X"),
        ({"start": 50.0}, "nothing to show from 50 to inf s: t runs from 0 to 3.8 s"),
        ({"horizons": [0.2, 0.4], "horizon": 0.2}, r"forecast must have shape \(40, 6\)"),
    ],
)
def test_film_refuses(options, message):
    X, y = cine()
    with pytest.raises(ValueError, match=message):
        animate_cine(X, y, y, **{"horizons": 0.2, **options})
    assert not plt.get_fignums()


def test_film_needs_frames_and_coordinates_it_can_place():
    X, y = cine()
    with pytest.raises(TypeError, match="X must be a CineSequence, found DataFrame"):
        animate_cine(table_of("a")[0], y, y, horizons=0.2)
    with pytest.raises(ValueError, match="plane 'coronal' does not show the coordinates x, y"):
        animate_cine(X, y[:, :2], y[:, :2], horizons=0.2)
    oblique, _ = cine(planes=("oblique", "axial"))
    with pytest.raises(ValueError, match="plane 'oblique' does not show"):
        animate_cine(oblique, y, y, horizons=0.2)


# --- common to all -------------------------------------------------------------------------


def _trajectory():
    return trajectory(horizon=0.4, radius=2.0, events=[(3, 5, "HOLD"), (8, 9, "cough")])[2]


PICTURES = {
    "TrajectoryDisplay": _trajectory,
    "HorizonErrorDisplay": lambda: HorizonErrorDisplay.from_errors(tables()),
    "PlaneAblationDisplay": lambda: PlaneAblationDisplay.from_table(ablation()),
}


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("style", ["default", "dark_background", "ggplot", "grayscale"])
def test_readable_in_any_style(picture, style):
    with plt.style.context(style):
        shown = draw(PICTURES[picture]())
        for ax in shown.figure_.axes:
            paper = np.array(mpl.colors.to_rgb(ax.get_facecolor()))
            colours = [line.get_color() for line in ax.lines]
            colours += [line.get_color() for line in getattr(shown, "truth_lines_", [])]
            for colour in colours:
                assert np.abs(np.array(mpl.colors.to_rgb(colour)) - paper).max() > 0.1


@pytest.mark.parametrize("picture", PICTURES)
def test_missing_matplotlib_names_the_extra(picture, monkeypatch):
    shown = PICTURES[picture]()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=rf'{picture}.*"sklearn-medsel\[plot\]"'):
        shown.plot()


def test_missing_matplotlib_for_a_film(monkeypatch):
    X, y = cine()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'animate_cine needs.*"sklearn-medsel\[plot\]"'):
        animate_cine(X, y, y, horizons=0.2)


def test_names_that_look_like_formulas():
    strange = tables()["one"].replace({"patient": {"c": "$x_1$"}})
    shown = draw(HorizonErrorDisplay.from_errors({"$a_b$": strange}))
    assert shown.labels_[0].get_text() == "$x_1$"
    t, y = breathing()
    events = [(1, 2, "$ lost")]
    draw(TrajectoryDisplay.from_predictions(t, y, y, horizons=0.2, patient="$p_$", events=events))
    table = ablation().replace({"planes": {"all": "$a_b$"}})
    draw(PlaneAblationDisplay.from_table(table))
