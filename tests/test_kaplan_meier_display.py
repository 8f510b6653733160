"""What the Kaplan-Meier display draws, read back from the axes."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from sklearn_medsel.inspection import KaplanMeierDisplay
from sklearn_medsel.survival import (
    RiskStratifier,
    kaplan_meier,
    logrank_test,
    make_survival_y,
)

mpl = pytest.importorskip("matplotlib")


@pytest.fixture
def axes():
    """Axes of a figure outside pyplot: nothing to close."""
    from matplotlib.figure import Figure

    return Figure(layout="constrained").subplots()


@pytest.fixture
def target():
    rng = np.random.default_rng(0)
    group = np.repeat(["b", "a"], 40)
    months = rng.exponential(np.where(group == "a", 40, 6))
    return make_survival_y(rng.random(80) < 0.7, months), group


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_curves_are_those_of_kaplan_meier(axes, target):
    y, group = target
    display = KaplanMeierDisplay.from_survival(y, group, ax=axes, time_unit="months")
    assert display.ax_ is axes
    assert display.figure_ is axes.figure
    assert list(display.curves) == ["a", "b"]
    for line, label in zip(display.lines_, "ab", strict=True):
        curve = kaplan_meier(y[group == label])
        x, height = line.get_data()
        assert (x[0], height[0]) == (0, 1)
        np.testing.assert_array_equal(x[1:], curve["time"])
        np.testing.assert_array_equal(height[1:], curve["survival"])
        assert line.get_drawstyle() == "steps-post"
    assert axes.get_xlabel() == "Time (months)"
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["a (n = 40)", "b (n = 40)"]
    assert display.logrank == logrank_test(y, group)
    assert legend.get_title().get_text() == "log-rank p < 0.001"


def test_groups_differ_without_colour(axes):
    rng = np.random.default_rng(0)
    y = make_survival_y(np.ones(120), rng.exponential(size=120))
    display = KaplanMeierDisplay.from_survival(y, np.arange(120) % 12, ax=axes)
    styles = [line.get_linestyle() + str(line._unscaled_dash_pattern) for line in display.lines_]
    assert len(set(styles[:6])) == 6
    both = zip(styles, (line.get_color() for line in display.lines_), strict=True)
    assert len(set(both)) == 12


def test_numbers_at_risk_stand_under_their_ticks(axes, target):
    y, group = target
    display = KaplanMeierDisplay.from_survival(y, group, ax=axes, time_unit="months")
    ticks = axes.get_xticks()
    assert ticks[1] in (6, 12, 24)
    for label in "ab":
        counts = [(y["time"][group == label] >= tick).sum() for tick in ticks]
        np.testing.assert_array_equal(display.at_risk_.loc[label], counts)
    axes.figure.draw_without_rendering()
    to_pixels = axes.get_xaxis_transform().transform
    label_bottom = axes.xaxis.label.get_window_extent().y0
    for text in axes.texts:
        extent = text.get_window_extent()
        assert extent.y1 < label_bottom
        assert extent.y0 >= 0
        assert extent.x0 >= 0
        if text.get_ha() == "center":
            middle = (extent.x0 + extent.x1) / 2
            assert np.abs(to_pixels([(tick, 0) for tick in ticks])[:, 0] - middle).min() < 1


def test_texts_do_not_overlap(axes, target):
    y, group = target
    many = np.tile(y, 30)
    KaplanMeierDisplay.from_survival(many, np.tile(group, 30), ax=axes)
    axes.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_censored_samples_are_marked(axes, target):
    y, _ = target
    KaplanMeierDisplay.from_survival(y, ax=axes)
    (marks,) = (line for line in axes.lines if line.get_marker() == "|")
    np.testing.assert_array_equal(marks.get_xdata(), np.unique(y["time"][~y["event"]]))


def test_parts_can_be_left_out(axes, target):
    y, group = target
    KaplanMeierDisplay.from_survival(
        y, group, ax=axes, show_ci=False, show_censored=False, show_at_risk=False
    )
    assert not axes.collections
    assert len(axes.lines) == 2
    assert not axes.texts


def test_one_group_has_neither_legend_nor_test(axes, target):
    display = KaplanMeierDisplay.from_survival(target[0], ax=axes)
    assert display.logrank is None
    assert axes.get_legend() is None
    assert "At risk" in texts(axes)


def test_no_events_at_all(axes):
    y = make_survival_y([0, 0, 0], [1, 2, 3])
    display = KaplanMeierDisplay.from_survival(y, ["a", "b", "a"], ax=axes)
    assert display.logrank is None
    assert all(np.all(line.get_ydata() == 1) for line in display.lines_)


def test_all_times_zero(axes):
    display = KaplanMeierDisplay.from_survival(make_survival_y([1, 1], [0, 0]), ax=axes)
    assert display.at_risk_.iloc[0, 0] == 2


def test_style_with_a_colour_cycle_is_respected(axes, target):
    from cycler import cycler

    with mpl.rc_context({"axes.prop_cycle": cycler(color=["#123456", "#654321"])}):
        display = KaplanMeierDisplay.from_survival(*target, ax=axes)
    assert [line.get_color() for line in display.lines_] == ["#123456", "#654321"]


def test_new_figure_and_second_plot(axes, target):
    from matplotlib import pyplot as plt

    display = KaplanMeierDisplay.from_survival(*target)
    first = display.figure_
    assert display.plot(ax=axes) is display
    assert display.figure_ is axes.figure
    plt.close(first)


class FirstColumn(BaseEstimator):
    """Takes the first column for the risk."""

    def fit(self, X, y):
        self.n_features_in_ = 1
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0]


def test_names_are_written_as_they_are_unless_long(axes, target):
    y, _ = target
    long = "patients with neoadjuvant chemotherapy and surgery"
    names = ["under $5_$", "_none", long, "b"]
    display = KaplanMeierDisplay.from_survival(y, np.tile(names, 20), ax=axes)
    display.figure_.draw_without_rendering()  # a dollar sign begins no formula
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(legend) == [
        "_none (n = 20)",
        "b (n = 20)",
        "patients with n…nd surgery (n = 20)",
        "under $5_$ (n = 20)",
    ]
    assert "patients with n…nd surgery" in texts(axes)
    assert long in display.at_risk_.index


def test_many_groups_leave_room_for_the_curves(target):
    plt = pytest.importorskip("matplotlib.pyplot")
    y, _ = target
    heights = []
    for n_groups in (2, 10):
        display = KaplanMeierDisplay.from_survival(y, np.arange(80) % n_groups)
        display.figure_.draw_without_rendering()
        heights.append(display.ax_.get_window_extent().height)
        plt.close(display.figure_)
    assert heights[1] > 0.9 * heights[0]


@pytest.mark.parametrize(
    ("n_groups", "labels"),
    [
        (2, ["low risk", "high risk"]),
        (3, ["low risk", "medium risk", "high risk"]),
        (4, [f"risk group {i} of 4" for i in (1, 2, 3, 4)]),
    ],
)
def test_groups_of_predicted_risk(axes, target, n_groups, labels):
    y, _ = target
    X = -y["time"][:, None]
    display = KaplanMeierDisplay.from_estimator(FirstColumn(), X, y, n_groups=n_groups, ax=axes)
    assert list(display.curves) == labels
    sizes = [curve["at_risk"].iloc[0] for curve in display.curves.values()]
    assert sum(sizes) == 80
    assert max(sizes) - min(sizes) <= 1
    ends = [curve["time"].max() for curve in display.curves.values()]
    assert ends == sorted(ends, reverse=True)


def test_groups_of_a_stratifier_are_its_own(axes, target):
    y, _ = target
    X = -y["time"][:, None]
    model = make_pipeline("passthrough", RiskStratifier(FirstColumn(), 3, cut=(0.5, 0.7), cv=3))
    group = model.fit(X, y).predict(X)
    display = KaplanMeierDisplay.from_estimator(model, X, y, ax=axes)
    assert list(display.curves) == ["low risk", "medium risk", "high risk"]
    sizes = [curve["at_risk"].iloc[0] for curve in display.curves.values()]
    assert sizes == np.bincount(group).tolist()


def test_estimator_errors(target):
    y, _ = target
    X = np.ones((80, 1))
    with pytest.raises(TypeError, match="object has none"):
        KaplanMeierDisplay.from_estimator(object(), X, y)
    with pytest.raises(ValueError, match="too many equal values"):
        KaplanMeierDisplay.from_estimator(FirstColumn(), X, y)
    with pytest.raises(ValueError, match="n_groups"):
        KaplanMeierDisplay.from_estimator(FirstColumn(), X, y, n_groups=1)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        KaplanMeierDisplay.from_estimator(FirstColumn(), -y["time"][:, None], y[:-1])
    with pytest.raises(ValueError, match="group is missing"):
        KaplanMeierDisplay.from_survival(y, pd.Series([None] + ["a"] * 79))


def test_without_matplotlib(monkeypatch, target):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"sklearn-medsel\[plot\]"):
        KaplanMeierDisplay.from_survival(*target)
