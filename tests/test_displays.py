"""The displays of importance, stability and path, on estimators that are quick to make."""

import itertools
import sys
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_medsel.inspection import (
    FeatureImportanceDisplay,
    SelectionPathDisplay,
    SelectionStabilityDisplay,
)
from sklearn_medsel.inspection._path import spread
from sklearn_medsel.inspection._plotting import shorten
from sklearn_medsel.multimodal import MultimodalCox
from sklearn_medsel.survival import make_survival_y

mpl = pytest.importorskip("matplotlib")
plt = pytest.importorskip("matplotlib.pyplot")

DISPLAYS = [FeatureImportanceDisplay, SelectionStabilityDisplay, SelectionPathDisplay]
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(60, 8)), columns=[f"gene {i}" for i in range(8)])
y = np.where(X["gene 2"] - 2 * X["gene 5"] > 0, "tumour", "normal")


class Selector(TransformerMixin, BaseEstimator):
    """Has the fitted attributes of a selector, without selecting anything."""

    def __init__(self, n_selected=3, task="classification"):
        self.n_selected = n_selected
        self.task = task

    def fit(self, X, y=None):
        p = np.shape(X)[1]
        generator = np.random.default_rng(1)
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_, self.task_ = p, self.task
        self.classes_ = np.array(["normal", "tumour"])
        self.feature_importances_ = np.linspace(1, 0, p)
        self.selection_frequencies_ = np.linspace(1, 0, p).round(2)
        self.ranking_ = np.arange(1, p + 1)
        self.support_ = np.arange(p) < self.n_selected
        self.effects_ = np.where(np.arange(p) % 2, -1.0, 1.0)
        self.qvalues_ = np.linspace(0, 0.9, p)
        self.stability_ = (0.8, 0.7, 0.9)
        self.frequency_threshold_ = (
            self.selection_frequencies_[self.n_selected - 1] if self.n_selected else np.nan
        )
        self.decoy_frequencies_ = generator.beta(0.2, 3, 500)
        return self

    def transform(self, X):
        return np.asarray(X)[:, self.support_]

    @property
    def path_(self):
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)])
        n = min(self.n_features_in_, 50)
        penalties = np.geomspace(1, 0.1, 12)
        values = np.log(1 / penalties)[:, None] * self.effects_[:n] / np.arange(1, n + 1)
        return pd.DataFrame(values, index=pd.Index(penalties, name="penalty"), columns=names[:n])


@pytest.fixture(autouse=True)
def _no_figures():
    plt.close("all")
    yield
    plt.close("all")


def draw(display):
    """Draw for real: layout and text are only made here."""
    display.figure_.canvas.draw()
    return display


def row_names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def texts(ax):
    return [text.get_text() for text in ax.texts]


# --- common to all -------------------------------------------------------------------------


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("n_selected", [0, 1, 3, 8])
def test_draws_into_new_and_given_axes(display, n_selected):
    selector = Selector(n_selected).fit(X)
    shown = draw(display.from_estimator(selector))
    assert shown.figure_ is shown.ax_.figure
    figure, (left, right) = plt.subplots(1, 2)
    again = display.from_estimator(selector, ax=right)
    assert again.ax_ is right
    assert again.figure_ is figure
    assert not left.lines
    assert not left.collections
    assert draw(again.plot()).ax_ is not right


@pytest.mark.parametrize("display", DISPLAYS)
def test_pipeline_and_search_show_the_step_that_has_it(display):
    pipeline = make_pipeline(StandardScaler(), Selector(), KNeighborsClassifier())
    search = GridSearchCV(pipeline, {"selector__n_selected": [3]}, cv=2)
    for estimator in (pipeline.fit(X, y), search.fit(X, y)):
        shown = draw(display.from_estimator(estimator))
        if display is not SelectionPathDisplay:
            # the selector saw an array: its names come from the steps before
            assert row_names(shown.ax_)[0] == "gene 0"


@pytest.mark.parametrize("display", DISPLAYS)
def test_not_fitted_and_wrong_estimators(display):
    with pytest.raises(NotFittedError):
        display.from_estimator(Selector())
    with pytest.raises(TypeError, match="KNeighborsClassifier does not"):
        display.from_estimator(KNeighborsClassifier().fit(X, y))
    with pytest.raises(TypeError, match="Pipeline does not"):
        display.from_estimator(make_pipeline(StandardScaler(), KNeighborsClassifier()).fit(X, y))


@pytest.mark.parametrize("display", DISPLAYS)
def test_feature_names_must_fit(display):
    with pytest.raises(ValueError, match=r"each of the 8 features, found shape \(2,\)"):
        display.from_estimator(Selector().fit(X), feature_names=["a", "b"])


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3"])
@pytest.mark.parametrize("display", DISPLAYS)
def test_counts_must_be_positive(display, n):
    key = "n_labels" if display is SelectionPathDisplay else "n_features"
    with pytest.raises(ValueError, match=f"{key} must be an int of at least 1"):
        display.from_estimator(Selector().fit(X), **{key: n})
    assert not plt.get_fignums()


@pytest.mark.parametrize("display", DISPLAYS)
def test_missing_matplotlib_names_the_extra(display, monkeypatch):
    selector = Selector().fit(X)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=rf'{display.__name__}.*"sklearn-medsel\[plot\]"'):
        display.from_estimator(selector)


@pytest.mark.parametrize("display", DISPLAYS)
def test_names_that_look_like_formulas_or_run_on(display):
    strange = X.set_axis(
        ["$x_1$", "a_b", "β-catenin", "x" * 300, "", "two\nlines", "%d", "$"], axis=1
    )
    shown = draw(display.from_estimator(Selector(8).fit(strange)))
    labels = row_names(shown.ax_) + texts(shown.ax_)
    assert "$x_1$" in labels
    assert max(map(len, labels)) < 60


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("style", ["default", "dark_background", "ggplot", "grayscale"])
def test_readable_in_any_style(display, style):
    with plt.style.context(style):
        shown = draw(display.from_estimator(Selector().fit(X)))
        paper = np.array(mpl.colors.to_rgb(shown.ax_.get_facecolor()))
        colours = [line.get_color() for line in shown.ax_.lines]
        colours += [each.get_edgecolor() for each in shown.ax_.collections]
        for colour in colours:
            for rgba in mpl.colors.to_rgba_array(colour):
                assert np.abs(rgba[:3] - paper).max() > 0.1


@pytest.mark.parametrize("display", DISPLAYS)
def test_sixty_thousand_genes_are_quick(display):
    selector = Selector(40).fit(np.zeros((2, 60_000)))
    start = time.perf_counter()
    shown = draw(display.from_estimator(selector))
    assert time.perf_counter() - start < 8
    assert len(shown.ax_.get_children()) < 200


@pytest.mark.parametrize("method", ["path", "mori"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "survival"])
def test_the_selector_itself(method, task):
    from sklearn_medsel.feature_selection import DeepFeatureSelector
    from sklearn_medsel.survival import make_survival_y

    noise = np.random.default_rng(2).normal(scale=0.7, size=60)
    signal = X["gene 2"] - 2 * X["gene 5"] + noise
    target = {
        "binary": y,
        "multiclass": np.digitize(signal, [-1, 1]),
        "regression": signal.to_numpy(),
        "survival": make_survival_y(np.arange(60) % 4 > 0, np.exp(-signal.to_numpy())),
    }[task]
    selector = DeepFeatureSelector(2, method=method, n_repeats=5, random_state=0).fit(X, target)
    for display in DISPLAYS:
        if display is SelectionPathDisplay and method == "mori":
            continue  # a network has no path
        shown = draw(display.from_estimator(selector))
        if display is SelectionPathDisplay:
            assert set(shown.lines_) == {"gene 2", "gene 5"}
        else:
            assert set(row_names(shown.ax_)[:2]) == {"gene 2", "gene 5"}


# --- importance ----------------------------------------------------------------------------


def test_importance_order_signs_and_qvalues():
    display = draw(FeatureImportanceDisplay.from_estimator(Selector().fit(X), n_features=4))
    assert row_names(display.ax_) == [f"gene {i}" for i in range(4)]
    assert texts(display.ax_) == ["q-value", "< 0.001", "0.13", "0.26", "0.39"]
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["towards tumour", "towards normal", "not selected"]
    lengths = [segment[1, 0] for segment in display.stems_.get_segments()]
    np.testing.assert_allclose(lengths, display.importances[:4])
    first, second = display.stems_.get_colors()[:2]
    assert not np.array_equal(first, second)


def test_sign_is_readable_without_colour():
    """Positive and negative marks differ in shape as well."""
    display = FeatureImportanceDisplay.from_estimator(Selector().fit(X), n_features=8)
    shapes = {}
    for marks in display.ax_.collections:
        if isinstance(marks, mpl.collections.PathCollection):
            for row in np.asarray(marks.get_offsets())[:, 1]:
                shapes[int(row)] = marks.get_paths()[0].vertices.tobytes()
    assert shapes[0] == shapes[2] != shapes[1] == shapes[3]


def test_importance_without_qvalues_leaves_no_column():
    selector = Selector().fit(X)
    selector.qvalues_ = np.full(8, np.nan)
    assert texts(FeatureImportanceDisplay.from_estimator(selector).ax_) == []


def test_importance_of_other_peoples_estimators():
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    display = draw(FeatureImportanceDisplay.from_estimator(forest, n_features=2))
    assert set(row_names(display.ax_)) == {"gene 2", "gene 5"}
    linear = make_pipeline(StandardScaler(), SelectKBest(k=2), LogisticRegression()).fit(X, y)
    display = draw(FeatureImportanceDisplay.from_estimator(linear))
    assert row_names(display.ax_) == ["gene 5", "gene 2"]
    assert display.effects[0] > 0 > display.effects[1]  # gene 2, gene 5
    ridge = Ridge().fit(X.to_numpy(), X["gene 3"])
    assert row_names(FeatureImportanceDisplay.from_estimator(ridge).ax_)[0] == "x3"


def test_importance_of_several_outputs():
    """Where the outputs disagree on the sign, none is shown."""
    targets = np.column_stack([X["gene 1"] + X["gene 4"], X["gene 1"] - X["gene 4"]])
    display = draw(FeatureImportanceDisplay.from_estimator(Ridge().fit(X, targets)))
    assert set(row_names(display.ax_)[:2]) == {"gene 1", "gene 4"}
    assert display.effects[1] > 0
    assert np.isnan(display.effects[4])
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "no single direction" in labels


@pytest.mark.parametrize(
    ("task", "label"), [("survival", "higher risk"), ("regression", "raises the prediction")]
)
def test_importance_says_what_the_sign_means(task, label):
    selector = Selector(task=task).fit(X)
    del selector.classes_
    legend = FeatureImportanceDisplay.from_estimator(selector).ax_.get_legend()
    assert label in [text.get_text() for text in legend.get_texts()]


def test_importance_of_a_fusion():
    names = [f"{letter}__{i}" for letter in "ab" for i in range(4)]
    frame = X.set_axis(names, axis=1)
    outcome = make_survival_y(np.ones(60, bool), np.exp(-X["gene 5"].to_numpy()))
    blocks = [("a", "table", "a__*"), ("b", "table", "b__*")]
    model = MultimodalCox(blocks, n_features_to_select=1, max_epochs=0, random_state=0)
    model = model.fit(frame, outcome)
    display = draw(FeatureImportanceDisplay.from_estimator(model, n_features=3))
    assert row_names(display.ax_)[0] == "b__1"
    np.testing.assert_array_equal(display.importances, model.feature_importances_["importance"])
    assert display.selected.sum() == 1
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "higher risk" in labels
    display = FeatureImportanceDisplay.from_estimator(model, feature_names=list("stuvwxyz"))
    assert row_names(display.ax_)[0] == "x"


def test_features_without_importance_are_left_out():
    selector = Selector().fit(X)
    selector.feature_importances_ = np.zeros(8)
    display = draw(FeatureImportanceDisplay.from_estimator(selector))
    assert row_names(display.ax_) == []


# --- stability -----------------------------------------------------------------------------


def test_stability_rows_threshold_and_decoys():
    selector = Selector().fit(X)
    display = draw(SelectionStabilityDisplay.from_estimator(selector, n_features=5))
    assert row_names(display.ax_) == [f"gene {i}" for i in range(5)]
    assert [line.get_xdata()[0] for line in display.threshold_lines_] == [0.71, 0.71]
    assert "lowest selected: 71%" in texts(display.ax_)
    assert display.ax_.get_title() == "3 selected (filled), stability 0.80 (0.70 to 0.90)"
    labels = [text.get_text() for text in display.ax_decoys_.get_legend().get_texts()]
    assert labels == ["8 features", "500 decoys"]
    # the bars are shares: each distribution sums to one
    for bars in display.ax_decoys_.patches:
        assert bars.get_data().values.sum() == pytest.approx(1)


def test_selected_come_first_among_equals():
    selector = Selector().fit(X)
    selector.selection_frequencies_ = np.full(8, 0.5)
    selector.support_ = np.arange(8) == 6
    display = SelectionStabilityDisplay.from_estimator(selector)
    assert row_names(display.ax_)[0] == "gene 6"


def test_selected_are_shown_whatever_their_frequency():
    selector = Selector().fit(X)
    selector.support_ = np.isin(np.arange(8), [1, 6, 7])
    display = draw(SelectionStabilityDisplay.from_estimator(selector, n_features=4))
    assert row_names(display.ax_) == ["gene 0", "gene 1", "gene 6", "gene 7"]


def test_more_selected_than_shown_is_said():
    display = SelectionStabilityDisplay.from_estimator(Selector(8).fit(X), n_features=2)
    assert display.ax_.get_title().startswith("8 selected (filled), 2 shown")


def test_stability_without_decoys_threshold_or_interval():
    selector = Selector(0).fit(X)
    selector.decoy_frequencies_ = np.empty(0)
    selector.stability_ = (np.nan, np.nan, np.nan)
    display = draw(SelectionStabilityDisplay.from_estimator(selector))
    assert display.ax_decoys_ is None
    assert display.threshold_lines_ == []
    assert display.ax_.get_title() == "none selected"


def test_axes_placed_by_hand_can_be_split():
    figure = plt.figure()
    ax = figure.add_axes((0.3, 0.1, 0.6, 0.8))
    display = draw(SelectionStabilityDisplay.from_estimator(Selector().fit(X), ax=ax))
    upper, lower = (each.get_window_extent() for each in (display.ax_, display.ax_decoys_))
    assert lower.y1 < upper.y0


def test_nothing_is_cut_off():
    """The constrained layout keeps everything within the figure."""
    names = [f"ENSG{i:020d}|a very long name of a gene" for i in range(8)]
    selector = Selector(8).fit(X.set_axis(names, axis=1))
    for display in DISPLAYS:
        shown = draw(display.from_estimator(selector))
        box = shown.figure_.get_tightbbox()
        width, height = shown.figure_.get_size_inches()
        assert box.x0 > -0.02
        assert box.y0 > -0.02
        assert box.x1 < width + 0.02
        assert box.y1 < height + 0.02


# --- path ----------------------------------------------------------------------------------


def test_path_colours_the_selected_and_greys_the_rest():
    display = draw(SelectionPathDisplay.from_estimator(Selector().fit(X)))
    assert list(display.lines_) == ["gene 0", "gene 1", "gene 2"]
    assert len(display.others_.get_segments()) == 5
    left, right = display.ax_.get_xlim()
    assert left > right > 0
    path = display.path
    np.testing.assert_allclose(display.lines_["gene 1"].get_ydata(), path["gene 1"])


def test_path_labels_do_not_overlap():
    selector = Selector(50).fit(np.zeros((2, 50)))
    display = draw(SelectionPathDisplay.from_estimator(selector, n_labels=50))
    # an annotation's extent spans its line: take the text alone
    boxes = [mpl.text.Text.get_window_extent(label) for label in display.labels_]
    boxes.sort(key=lambda box: box.y0)
    assert len(boxes) >= 15
    for lower, upper in itertools.pairwise(boxes):
        assert lower.y1 <= upper.y0 + 1
    assert display.ax_.get_title() == f"50 selected, {len(boxes)} named"


def test_path_in_any_order_with_gaps():
    path = pd.DataFrame(
        {"a": [0.3, 0.0, 0.1], "b": [np.nan, 0.0, -0.2]}, index=pd.Index([0.1, 1.0, 0.4])
    )
    display = draw(SelectionPathDisplay(path, selected=["b"]).plot())
    assert display.lines_["b"].get_ydata().tolist() == [0.0, -0.2, 0.0]


def test_path_of_one_penalty_or_none():
    one = pd.DataFrame({"a": [0.3]}, index=[1.0])
    draw(SelectionPathDisplay(one, selected=["a"]).plot())
    for empty in (one.iloc[:0], one[[]], one.set_axis([0.0])):
        with pytest.raises(ValueError, match="path is empty"):
            SelectionPathDisplay(empty, selected=[]).plot()


@pytest.mark.parametrize("seed", range(20))
def test_spread_keeps_order_distance_and_limits(seed):
    generator = np.random.default_rng(seed)
    n = generator.integers(1, 20)
    wanted = generator.normal(scale=generator.choice([0.01, 1, 30]), size=n)
    moved = spread(wanted, 1.0, -12, 12)
    order = np.argsort(wanted)
    assert (np.diff(moved[order]) >= 1 - 1e-9).all()
    assert moved.min() >= -11.5 - 1e-9
    assert moved.max() <= 11.5 + 1e-9
    alone = np.linspace(-5, 5, 4)
    np.testing.assert_allclose(spread(alone, 1.0, -12, 12), alone)


def test_shorten_keeps_both_ends():
    assert shorten("TP53") == "TP53"
    short = shorten("ENSG00000141510.18|TP53|protein_coding", 20)
    assert len(short) == 20
    assert short.startswith("ENSG0000014")
    assert short.endswith("_coding")
