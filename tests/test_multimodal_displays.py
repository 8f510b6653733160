"""The displays of modalities and of their interactions, on a stand-in for a fitted estimator."""

import io
import itertools
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_medsel._cli._fuse_figures import _patients
from sklearn_medsel._cli._fuse_output import interaction_rows
from sklearn_medsel.inspection._interaction import InteractionDisplay
from sklearn_medsel.inspection._modality_importance import ModalityImportanceDisplay

mpl = pytest.importorskip("matplotlib")
plt = pytest.importorskip("matplotlib.pyplot")

NAMES = [
    "clinical", "genes", "image", "a very long name of a block of reports", "methylation",
    "protein $x_1$", "micro RNA of plasma",
]  # fmt: skip
X = pd.DataFrame({"a": np.arange(6.0), "b": 1.0}, index=[f"P{i}" for i in range(6)])


class Fused(BaseEstimator):
    """Has the fitted attributes of a multimodal estimator, without fusing anything."""

    def __init__(self, n_blocks=3, base="clinical"):
        self.n_blocks = n_blocks
        self.base = base

    def fit(self, X, y=None):
        rng = np.random.default_rng(0)
        names, n = NAMES[: self.n_blocks], len(X)
        self.base_ = self.base
        self.modality_importances_ = pd.DataFrame(
            {
                "block": names,
                "importance": np.r_[0.1, 0.2, rng.uniform(-0.02, 0.08, self.n_blocks - 2)],
                "spread": rng.uniform(0.01, 0.03, self.n_blocks),
                "mean_abs": 1.0,
                "available": np.r_[1.0, rng.uniform(0.5, 1, self.n_blocks - 1)],
            }
        )
        self.modality_contributions_ = pd.DataFrame(
            rng.normal(size=(n, self.n_blocks)), columns=names, index=X.index
        )
        pairs = list(itertools.combinations(names, 2))
        self.interactions_ = pd.DataFrame(
            {
                "block_a": [a for a, _ in pairs],
                "block_b": [b for _, b in pairs],
                "strength": np.r_[0.3, np.linspace(-0.05, 0.05, len(pairs) - 1)],
                "pvalue": np.r_[0.001, np.linspace(0.04, 1, len(pairs) - 1)],
                "top_pairs": [
                    [(f"{a} 1", f"{b} 1", 0.2), (f"{a} 2", f"{b} 2", -0.3)] for a, b in pairs
                ],
            }
        )
        return self

    def explain_modalities(self, X):
        return pd.DataFrame(
            {name: X["a"] * place for place, name in enumerate(NAMES[: self.n_blocks])}
        )


@pytest.fixture(autouse=True)
def _no_figures():
    plt.close("all")
    yield
    plt.close("all")


def draw(display):
    """Draw for real: layout and text are only made here."""
    display.figure_.canvas.draw()
    return display


@pytest.mark.parametrize("least", [0.0, -1e-13])
def test_shares_of_nothing_have_a_plain_axis(least):
    table = pd.DataFrame({"block": ["clinical", "genes"], "importance": [0.0, least]})
    display = ModalityImportanceDisplay.from_table(table)
    draw(display)
    low, high = display.ax_.get_xlim()
    assert low == 0
    assert 0.1 < high < 0.2
    assert display.ax_.xaxis.get_offset_text().get_text() == ""
    assert [text.get_text() for text in display.ax_.texts] == ["0.000", "0.000"]


def texts(ax):
    return [text.get_text() for text in ax.texts]


PLOTS = {
    "bar": lambda model, ax=None: ModalityImportanceDisplay.from_estimator(model, ax=ax),
    "patients": lambda model, ax=None: ModalityImportanceDisplay.from_estimator(
        model, kind="patients", ax=ax
    ),
    "interaction": lambda model, ax=None: InteractionDisplay.from_estimator(model, ax=ax),
}


# --- common to both --------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["default", "dark_background", "grayscale"])
@pytest.mark.parametrize("n_blocks", [2, 4, 7])
@pytest.mark.parametrize("plot", PLOTS)
def test_draws_in_every_style_and_nothing_leaves_the_figure(plot, n_blocks, style):
    with plt.style.context(style):
        display = draw(PLOTS[plot](Fused(n_blocks).fit(X)))
        drawn, page = display.figure_.get_tightbbox(), display.figure_.bbox_inches
        assert min(drawn.x0, drawn.y0) > -0.02
        assert drawn.x1 < page.x1 + 0.02
        assert drawn.y1 < page.y1 + 0.02


@pytest.mark.parametrize("plot", PLOTS)
def test_given_axes_and_pipelines(plot):
    model = Fused().fit(X)
    figure, (left, right) = plt.subplots(1, 2)
    display = draw(PLOTS[plot](make_pipeline(FunctionTransformer(), model), ax=right))
    assert display.ax_ is right
    assert display.figure_ is figure
    assert not left.patches
    by_hand = plt.figure().add_axes([0.2, 0.2, 0.7, 0.7])
    assert draw(PLOTS[plot](model, ax=by_hand)).ax_ is by_hand
    assert display.plot(by_hand).figure_ is by_hand.figure


@pytest.mark.parametrize("plot", PLOTS)
def test_wrong_estimators(plot):
    with pytest.raises(NotFittedError):
        PLOTS[plot](LogisticRegression())
    with pytest.raises(TypeError, match="estimator must have"):
        PLOTS[plot](LogisticRegression().fit(X, [0, 1] * 3))


def test_without_matplotlib(monkeypatch):
    model = Fused().fit(X)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for plot in PLOTS.values():
        with pytest.raises(ImportError, match=r"sklearn-medsel\[plot\]"):
            plot(model)


# --- modalities ------------------------------------------------------------------------------


def test_bars_are_the_importances_largest_first():
    model = Fused(4).fit(X)
    display = draw(ModalityImportanceDisplay.from_estimator(model))
    table = model.modality_importances_.set_index("block").loc[display.shown_]
    assert display.shown_[:2] == ["genes", "clinical"]
    (bars,) = display.bars_
    np.testing.assert_allclose([bar.get_width() for bar in bars], table["importance"])
    assert display.order_ is None
    lines = display.ax_.collections[0].get_segments()
    halves = [(line[1, 0] - line[0, 0]) / 2 for line in lines]
    np.testing.assert_allclose(halves, table["spread"])
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels[1] == "clinical\nfitted first, 100 % of patients"
    assert labels[0] == f"genes\n{100 * table['available'].iloc[0]:.0f} % of patients"
    assert display.ax_.get_title(loc="left") == f"together {table['importance'].sum():+.3f}"
    assert texts(display.ax_)[0] == "0.200"


@pytest.mark.parametrize(("fusion", "said"), [("residual", True), ("late", False)])
def test_a_block_is_fitted_first_where_the_fusion_has_stages(fusion, said):
    model = Fused().fit(X)
    model.fusion = fusion
    display = ModalityImportanceDisplay.from_estimator(model)
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert any("fitted first" in label for label in labels) == said


def test_title_of_the_matrix_is_not_cut_off():
    pairs = list(itertools.combinations(["clin", "gene", "ct", "report"], 2))
    table = pd.DataFrame(pairs, columns=["block_a", "block_b"]).assign(strength=0.1, pvalue=0.5)
    table["top_pairs"] = [[("age", "mass", 0.3), ("age", "TP53", -0.3)]] * len(table)
    figure = mpl.figure.Figure(figsize=(6.8, 4.05), layout="constrained")
    InteractionDisplay.from_table(table, n_pairs=6, ax=figure.subplots())
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=170)
    picture.seek(0)
    assert (plt.imread(picture)[0, :, :3] == 1).all()  # nothing reaches the upper edge


@pytest.mark.parametrize("width", [6.2, 8.4])
def test_names_of_pairs_stay_within_the_picture(width):
    table = Fused(2).fit(X).interactions_
    long = "clin__haemoglobin_as_exported", "gene__g16_as_exported_from_there"
    table["top_pairs"] = [[(*long, 0.3), ("age", long[1], 0.2)]]
    figure = mpl.figure.Figure(figsize=(width, 3.3), layout="constrained")
    display = InteractionDisplay.from_table(table, ax=figure.subplots())
    figure.draw_without_rendering()
    both, one = display.ax_pairs_.texts
    assert both.get_window_extent().x1 < figure.bbox.x1
    assert both.get_text().startswith("clin__ha")
    assert one.get_text() == "age × gene__g16_as…rom_there"  # where there is room, it is used


def test_page_does_not_name_the_few_patients_of_a_picture():
    figure = mpl.figure.Figure()
    ax = figure.subplots()
    _patients(SimpleNamespace(model=Fused().fit(X)))["plot"](ax)
    assert not any(label.get_text() for label in ax.get_xticklabels())


def test_table_without_spread_and_availability():
    table = pd.DataFrame({"block": ["genes", "image"], "importance": [0.2, -0.1]})
    display = draw(ModalityImportanceDisplay.from_table(table))
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["genes", "image"]
    assert display.ax_.get_xlim()[0] < -0.1
    nothing = table.assign(importance=0.0)
    draw(ModalityImportanceDisplay.from_table(nothing))


@pytest.mark.parametrize(
    ("share", "text"), [(0.996, "> 99 %"), (0.004, "< 1 %"), (0.0, "0 %"), (1.0, "100 %")]
)
def test_availability_is_not_rounded_to_all_or_none(share, text):
    table = pd.DataFrame({"block": ["genes"], "importance": [0.2], "available": [share]})
    display = ModalityImportanceDisplay.from_table(table)
    assert display.ax_.get_yticklabels()[0].get_text() == f"genes\n{text} of patients"


def test_patients_are_stacked_and_sorted():
    model = Fused(4).fit(X)
    display = draw(ModalityImportanceDisplay.from_estimator(model, kind="patients"))
    values = model.modality_contributions_.iloc[display.order_]
    total = values.sum(axis=1)
    assert total.is_monotonic_increasing
    bars = [list(container) for container in display.bars_]
    for block, container in zip(display.shown_, bars, strict=True):
        np.testing.assert_allclose([bar.get_height() for bar in container], values[block])
    # what goes up ends at the sum of the positive parts, what goes down at that of the negative
    ends = np.array([[bar.get_y() + bar.get_height() for bar in row] for row in bars])
    starts = np.array([[bar.get_y() for bar in row] for row in bars])
    np.testing.assert_allclose(
        np.maximum(ends, starts).max(axis=0), values.clip(lower=0).sum(axis=1)
    )
    np.testing.assert_allclose(
        np.minimum(ends, starts).min(axis=0), values.clip(upper=0).sum(axis=1)
    )
    np.testing.assert_allclose(display.ax_.patches[-1].get_data().values, total)
    names = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert names == list(values.index)


def test_new_patients_are_explained_after_the_earlier_steps():
    double = FunctionTransformer(lambda X: 2 * X)
    model = make_pipeline(double, Fused().fit(X))
    display = ModalityImportanceDisplay.from_estimator(model, X.iloc[:3], kind="patients")
    expected = pd.DataFrame({"clinical": 0.0, "genes": 2 * X["a"], "image": 4 * X["a"]})[:3]
    pd.testing.assert_frame_equal(display.contributions, expected, check_dtype=False)


def test_many_patients_are_not_named():
    many = pd.concat([X] * 10, ignore_index=True)
    display = draw(ModalityImportanceDisplay.from_estimator(Fused().fit(many), kind="patients"))
    assert not display.ax_.get_xticklabels()
    assert "60 patients" in display.ax_.get_xlabel()


def test_more_blocks_than_colours_are_hatched():
    display = ModalityImportanceDisplay.from_estimator(Fused(7).fit(X), kind="patients")
    looks = [(c[0].get_facecolor(), c[0].get_hatch()) for c in display.bars_]
    assert len(set(looks)) == 7


def test_modality_errors():
    table = pd.DataFrame({"block": ["genes", "image"], "importance": [0.2, 0.1]})
    one = pd.DataFrame({"genes": [0.1]})
    with pytest.raises(ValueError, match="kind must be 'bar' or 'patients', found 'pie'"):
        ModalityImportanceDisplay.from_table(table, kind="pie")
    with pytest.raises(ValueError, match="needs the contributions"):
        ModalityImportanceDisplay.from_table(table, kind="patients")
    with pytest.raises(ValueError, match=r"one column for each block .* found genes\."):
        ModalityImportanceDisplay.from_table(table, one, kind="patients")
    with pytest.raises(ValueError, match="importance is missing"):
        ModalityImportanceDisplay.from_table(table[["block"]])
    with pytest.raises(ValueError, match="one row for each"):
        ModalityImportanceDisplay.from_table(pd.concat([table, table]))


# --- interactions ----------------------------------------------------------------------------


def _circles(ax):
    return [patch for patch in ax.patches if isinstance(patch, mpl.patches.Circle)]


def test_areas_are_strengths_and_significant_ones_are_filled():
    table = Fused(4).fit(X).interactions_
    display = draw(InteractionDisplay.from_table(table))
    positive = table["strength"] > 0
    circles = _circles(display.ax_)
    areas = np.array([circle.radius**2 for circle in circles])
    np.testing.assert_allclose(areas / areas[0], table["strength"][positive] / 0.3)
    filled = [circle.get_facecolor()[3] > 0 for circle in circles]
    assert filled == display.significant_[positive].tolist()
    assert display.significant_.tolist() == [True] + [False] * 5
    assert texts(display.ax_)[:2] == ["0.30, p = 0.001", "-0.05, p = 0.040"]
    centres = {tuple(np.round(circle.center)) for circle in circles}
    assert (0, 0) in centres  # genes by clinical, the first cell


def test_weak_interactions_stay_small():
    table = Fused(4).fit(X).interactions_.assign(strength=0.004, pvalue=0.5)
    display = InteractionDisplay.from_table(table)
    assert max(circle.radius for circle in _circles(display.ax_)) < 0.1
    assert display.ax_.get_title(loc="left").startswith("no pair has p ≤ 0.05")


@pytest.mark.parametrize(
    ("pvalues", "correction", "expected"),
    [
        ([0.01, 0.03, 0.04], None, [True, True, True]),
        ([0.01, 0.03, 0.04], "holm", [True, False, False]),
        ([0.04, 0.01, 0.02], "holm", [True, True, True]),
        ([0.02, np.nan, 0.03], "holm", [True, False, True]),
        ([0.06, 0.05, np.nan], None, [False, True, False]),
        ([0.02, 0.9, 0.9], "holm", [False, False, False]),
    ],
)
def test_correction(pvalues, correction, expected):
    table = Fused(3).fit(X).interactions_.assign(pvalue=pvalues)
    display = draw(InteractionDisplay.from_table(table, correction=correction))
    assert display.significant_.tolist() == expected


def test_feature_pairs_of_significant_blocks_come_first():
    table = Fused(4).fit(X).interactions_
    display = draw(InteractionDisplay.from_table(table, n_pairs=3))
    assert display.shown_[:2] == [
        ("clinical 2", "genes 2", -0.3), ("clinical 1", "genes 1", 0.2),
    ]  # fmt: skip
    assert len(display.shown_) == 3
    widths = [patch.get_width() for patch in display.ax_pairs_.patches]
    np.testing.assert_allclose(widths, [-0.3, 0.2, -0.3])
    assert texts(display.ax_pairs_)[0] == "clinical 2 × genes 2"
    without = draw(InteractionDisplay.from_table(table.drop(columns="top_pairs")))
    assert without.ax_pairs_ is None
    assert without.shown_ == []


def test_a_table_with_a_row_for_each_pair_of_features_is_the_same():
    table = Fused(4).fit(X).interactions_
    empty = table.copy()
    empty.at[1, "top_pairs"] = []
    for pairs in (table, empty):
        text = io.StringIO(interaction_rows(pairs).to_csv(index=False))
        again = draw(InteractionDisplay.from_table(pd.read_csv(text)))
        display = draw(InteractionDisplay.from_table(pairs))
        assert again.shown_ == display.shown_
        assert again.significant_.tolist() == display.significant_.tolist()
        assert texts(again.ax_) == texts(display.ax_)


def test_a_block_with_itself_has_a_cell_on_the_diagonal():
    table = pd.DataFrame(
        {
            "block_a": ["genes", "genes"],
            "block_b": ["genes", "image"],
            "strength": [0.2, np.nan],
            "pvalue": [0.01, np.nan],
        }
    )
    display = draw(InteractionDisplay.from_table(table))
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["genes", "image"]
    assert len(_circles(display.ax_)) == 1


@pytest.mark.parametrize("n_blocks", [2, 4, 7])
def test_texts_of_cells_do_not_overlap(n_blocks):
    display = draw(InteractionDisplay.from_estimator(Fused(n_blocks).fit(X)))
    boxes = [text.get_window_extent() for text in display.ax_.texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_tables_that_were_stored_before():
    table = Fused(3).fit(X).interactions_
    unknown = table.assign(top_pairs=[table["top_pairs"][0], None, np.nan])
    assert len(InteractionDisplay.from_table(unknown).shown_) == len(table["top_pairs"][0])
    assert InteractionDisplay.from_table(table.assign(top_pairs=None)).ax_pairs_ is None
    as_lists = pd.read_json(io.StringIO(table.to_json(orient="records")), orient="records")
    InteractionDisplay.from_table(as_lists)
    as_text = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    with pytest.raises(ValueError, match=r"top_pairs must hold lists .* row 0"):
        InteractionDisplay.from_table(as_text)
    plt.close("all")


def test_interaction_errors():
    table = Fused(3).fit(X).interactions_
    with pytest.raises(ValueError, match="pvalue is missing"):
        InteractionDisplay.from_table(table.drop(columns="pvalue"))
    with pytest.raises(ValueError, match="at least two are needed"):
        InteractionDisplay.from_table(table[:0])
    swapped = table.rename(columns={"block_a": "block_b", "block_b": "block_a"})
    with pytest.raises(ValueError, match="one row for each pair"):
        InteractionDisplay.from_table(pd.concat([table, swapped]))
    with pytest.raises(ValueError, match="alpha must be between 0 and 1, found 1"):
        InteractionDisplay.from_table(table, alpha=1)
    with pytest.raises(ValueError, match="correction must be 'holm' or None"):
        InteractionDisplay.from_table(table, correction="bh")
    with pytest.raises(ValueError, match="n_pairs must be an int of at least 1"):
        InteractionDisplay.from_table(table, n_pairs=0)
