"""The page of risk groups: its numbers, and what must not be on it."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from sklearn_medsel._html import number
from sklearn_medsel.multimodal import MultimodalCox
from sklearn_medsel.survival import _stratification_report, make_survival_y
from sklearn_medsel.survival._same_patients import check_same
from sklearn_medsel.survival._stratification_factors import factor_rows
from sklearn_medsel.survival._stratification_pictures import _auc
from sklearn_medsel.survival._stratification_report import stratification_report
from sklearn_medsel.survival._stratifier import RiskStratifier

pytest.importorskip("matplotlib", reason="the pictures need the extra 'plot'")


class Age(BaseEstimator):
    """Older is riskier."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return X["age"].to_numpy() / 10


class FirstOfArray(Age):
    """Takes arrays only."""

    def predict(self, X):
        return X[:, 0] / 10


class Fused(Age):
    """The same, with the attributes of a multimodal model."""

    def fit(self, X, y):
        self.feature_importances_ = pd.DataFrame(
            {
                "block": ["clinic", "clinic", "clinic", "reports", "genes"],
                "feature": ["age", "stage_III", "stage_II", "mass <b>", "TP53"],
                "importance": [0.5, 0.3, 0.2, 0.1, 0.05],
                "selected": [True, True, True, True, False],
            }
        )
        self.modality_importances_ = pd.DataFrame(
            {
                "block": ["genes", "<script>clinic"],
                "importance": [-0.01, 0.12],
                "spread": [0.01, 0.03],
                "mean_abs": [0.1, 0.3],
                "available": [0.9, 1.0],
            }
        )
        return super().fit(X, y)


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(0)
    n = 120
    X = pd.DataFrame(
        {
            "age": rng.normal(60, 10, n).round(3),
            "TP53": rng.normal(size=n),
            "female": rng.integers(0, 2, n),
            "rare": (np.arange(n) < 3) * 1,
            "stage": rng.choice(["I", "II", "III"], n),
            "note": [f"patient {i} secret" for i in range(n)],
        },
        index=[f"ID-{i:05d}" for i in range(n)],
    )
    time = rng.exponential(30 * np.exp(-(X["age"] - 60) / 10))
    return X, make_survival_y(rng.random(n) < 0.7, time)


def fit(model, cohort, **settings):
    return RiskStratifier(model, cv=3, random_state=0, **settings).fit(*cohort)


@pytest.fixture(scope="module")
def stratifier(cohort):
    return fit(Fused(), cohort, base=["female"], cut="maxstat")


@pytest.fixture(scope="module")
def page(stratifier, cohort):
    return stratification_report(stratifier, *cohort, title="A & B <i>", time_unit="weeks")


def test_numbers_are_on_the_page(page, stratifier):
    assert f"{stratifier.concordance_:.3f}" in page
    row = stratifier.hazard_ratios_.iloc[0]
    assert f"{row['adjusted_hazard_ratio']:#.3g}" in page
    assert f"{row['adjusted_ci_low']:#.3g} to {row['adjusted_ci_high']:#.3g}" in page
    assert f"{stratifier.integrated_brier_score_reference_:.3f}" in page
    assert "corrected for the search" in page
    assert "not a medical device" in page
    assert "adjusted for female" in page


def test_page_is_self_contained_and_escaped(page):
    assert page.startswith("<!DOCTYPE html>")
    assert "A &amp; B &lt;i&gt;" in page
    assert "<script" not in page
    assert "&lt;script&gt;clinic" in page
    assert not re.search(r"""(src|href|srcset)=["'](?!data:|#)""", page)
    assert page.count("prefers-color-scheme: dark)") >= 2  # a dark picture beside each light one


def test_no_patient_is_on_the_page(page, cohort):
    _, y = cohort
    assert "ID-0" not in page
    assert "secret" not in page
    assert not any(f"{time!r}" in page for time in y["time"].tolist())


def test_factors_of_the_model(stratifier, cohort):
    rows, source, n_elsewhere = factor_rows(stratifier, cohort[0])
    names = [re.sub("<[^>]*>", "", str(row[0])) for row in rows]
    assert source == "importance"
    assert n_elsewhere == 1  # the word of a report; TP53 was not selected
    assert names[0] == "age"
    assert sorted(names[1:]) == ["stage: I", "stage: II", "stage: III"]
    for place in range(2):
        ages = cohort[0]["age"][stratifier.group_ == place]
        assert rows[0][1 + place].startswith(f"{ages.median():.0f} [")
    assert "TP53" not in " ".join(names)


def test_factors_are_described_or_counted(cohort):
    X, _ = cohort
    model = fit(Fused(), cohort)
    stages = np.resize(["II", "III", *map(str, range(38))], len(X))
    words = X.assign(age=X["age"].astype("str"), stage=stages)
    expected, found = factor_rows(model, X), factor_rows(model, words)
    assert found[0][0] == expected[0][0]  # numbers that are written as text
    assert not any("stage" in row[0] for row in found[0])  # too many levels for a table
    assert found[2] == expected[2] + 1


def test_factors_without_importances(cohort):
    X, _ = cohort
    stratifier = fit(Age(), cohort)
    rows, source, _ = factor_rows(stratifier, X)
    names = [re.sub("<[^>]*>", "", str(row[0])) for row in rows]
    assert source == "association"
    assert names[0] == "age"
    cells = rows[names.index("rare")][1:-1]
    assert set(cells) <= {"0%", "under 5 patients"}  # three patients, never counted
    assert "under 5 patients" in cells
    assert "names no factors" in stratification_report(stratifier, *cohort)


class Doubtful(Fused):
    """Selects nothing, or words only."""

    def __init__(self, fdr=None, selected=False, features=("age", "TP53", "word", "stage_II", "x")):
        self.fdr, self.selected, self.features = fdr, selected, features

    def fit(self, X, y):
        super().fit(X, y)
        found = {"feature": list(self.features), "selected": self.selected}
        self.feature_importances_ = self.feature_importances_.assign(**found)
        return self


def test_factors_that_were_not_selected_are_labelled(cohort):
    X, _ = cohort
    stratifier = fit(Doubtful(0.05), cohort)
    rows, source, n_elsewhere = factor_rows(stratifier, X)
    names = [re.sub("<[^>]*>", "", str(row[0])) for row in rows]
    assert (source, n_elsewhere, names[:2]) == ("unselected", 0, ["age", "TP53"])
    page = stratification_report(stratifier, *cohort)
    assert "No feature passed the false-discovery rate of 0.05. These are the most imp" in page
    assert "importance (not selected)" in page
    assert "names no factors" not in page
    assert "The model selected no feature." in stratification_report(
        fit(Doubtful(), cohort), *cohort
    )


@pytest.mark.parametrize(
    ("selected", "words"),
    [
        (True, "5 selected factors (such as words or image regions) cannot be described"),
        (False, "No feature passed the false-discovery rate of 0.1."),
    ],
)
def test_factors_that_are_no_columns(selected, words, cohort):
    page = stratification_report(fit(Doubtful(0.1, selected, "vwxyz"), cohort), *cohort)
    assert words in page
    assert "These are the numeric columns whose ranks go most with the groups." in page
    assert "names no factors" not in page


def test_a_word_is_not_taken_for_the_column_of_its_name():
    rng = np.random.default_rng(0)
    has = rng.random(80) < 0.5
    note = np.where(has, "Large effusion on the left.", "Nothing acute.")
    X = pd.DataFrame({"age": rng.normal(60, 9, 80), "effusion": rng.normal(size=80), "note": note})
    y = make_survival_y(rng.random(80) < 0.8, rng.exponential(np.exp(-2.0 * has)))
    blocks = [("clinic", "table", ["age", "effusion"]), ("report", "text", "note")]
    model = MultimodalCox(blocks, max_epochs=0, n_permutations=20, random_state=0)
    stratifier = fit(model, (X, y))
    table = stratifier.estimator_.feature_importances_.set_index(["block", "feature"])
    assert table.loc[("report", "effusion"), "importance"] > 0.05
    rows, *_ = factor_rows(stratifier, X)
    strengths = {re.sub("<[^>]*>", "", str(row[0])): row[-1] for row in rows}
    own = table.loc[("clinic", "effusion"), "importance"]
    assert strengths.get("effusion", "0") == number(max(own, 0), 2)


def test_a_name_that_begins_like_a_column_is_not_of_that_column(cohort):
    features = ("age_group_x", "stage_III", "stage=II", "onehot__stage_missing", "stage_IV")
    model = Doubtful(0.1, True, features)
    rows, source, n_elsewhere = factor_rows(fit(model, cohort), cohort[0])
    names = {re.sub("<[^>]*>", "", str(row[0])) for row in rows}
    assert (source, n_elsewhere) == ("importance", 2)
    assert names == {"stage: I", "stage: II", "stage: III"}


def test_small_groups_are_left_out(cohort):
    X, _ = cohort
    stratifier = fit(Age(), cohort, cut=(0.98,))
    small = (stratifier.group_ == 1).sum()
    assert 0 < small < 5
    rows, *_ = factor_rows(stratifier, X)
    assert {row[2] for row in rows} == {"–"}


def test_written_whole_or_not_at_all(stratifier, cohort, tmp_path, monkeypatch):
    target = tmp_path / "page.html"
    page = stratification_report(stratifier, *cohort, target)
    assert target.read_text(encoding="utf-8") == page
    assert page == stratification_report(stratifier, *cohort)
    monkeypatch.setattr(_stratification_report, "draw_pictures", None)  # must not come so far
    with pytest.raises(FileNotFoundError, match=r"page.html'.*no such folder"):
        stratification_report(stratifier, *cohort, tmp_path / "absent" / "page.html")
    with pytest.raises(IsADirectoryError, match="is a folder; add the name of a file"):
        stratification_report(stratifier, *cohort, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_other_patients_are_refused(stratifier, cohort):
    X, y = cohort
    for other in (slice(1, None), slice(None, None, -1)):
        with pytest.raises(ValueError, match="120 patients the stratifier was fitted on"):
            stratification_report(stratifier, X[other], y[other])
    with pytest.raises(NotFittedError):
        stratification_report(RiskStratifier(Age()), X, y)
    with pytest.raises(TypeError, match="must be a RiskStratifier, found Age"):
        stratification_report(Age().fit(X, y), X, y)


def test_another_table_is_refused(stratifier, cohort):
    X, y = cohort
    with pytest.raises(ValueError, match="in the same order"):
        stratification_report(stratifier, X[::-1], y)
    with pytest.raises(ValueError, match="X has no column 'rare'"):
        stratification_report(stratifier, X.drop(columns="rare"), y)
    with pytest.raises(ValueError, match="X has a column 'foreign' more"):
        stratification_report(stratifier, X.assign(foreign=1), y)
    with pytest.raises(ValueError, match="X must be a DataFrame"):
        stratification_report(stratifier, X.to_numpy(), y)


def test_columns_of_one_name_are_refused(cohort):
    X, y = cohort
    twice = pd.concat([X, X[["female"]]], axis=1)
    with pytest.raises(ValueError, match="more than one column 'female'"):
        stratification_report(fit(Age(), (twice, y)), twice, y)


def test_the_same_table_in_another_form_is_taken(stratifier, cohort):
    X, y = cohort
    narrow = X[X.columns[::-1]].reset_index(drop=True)
    narrow = narrow.astype({"age": np.float32, "stage": "category"})
    check_same(stratifier, narrow, y)
    by_array = fit(FirstOfArray(), (X[["age", "TP53"]].to_numpy(), y))
    check_same(by_array, X[["age", "TP53"]], y)


def test_patients_with_several_rows_have_a_page(cohort):
    X, y = cohort
    stratifier = RiskStratifier(Age(), cv=3, random_state=0)
    stratifier.fit(X, y, groups=np.arange(len(X)) // 2)
    assert "120" in stratification_report(stratifier, X, y)
    later = make_survival_y(y["event"], y["time"] + 1)
    with pytest.raises(ValueError, match="in the same order"):
        stratification_report(stratifier, X, later)


def test_parameters_set_after_fit_are_not_on_the_page(cohort):
    stratifier = fit(Age(), cohort)
    page = stratification_report(stratifier, *cohort)
    stratifier.set_params(n_groups=3, cut="maxstat")
    assert stratification_report(stratifier, *cohort) == page
    assert "Survival of the 2 groups" in page
    assert "by quantiles (groups of equal size)" in page


@pytest.mark.parametrize(
    ("cut", "words"),
    [((0.4,), "by quantiles 0.4."), (lambda risk, y: [np.median(risk)], "by a function.")],
)
def test_rule_of_the_cut_points_is_named(cut, words, cohort):
    assert words in stratification_report(fit(Age(), cohort, cut=cut), *cohort)


def test_page_says_why_there_is_no_auc(cohort):
    X, y = cohort
    y = make_survival_y(y["event"], np.full(len(X), 3.0))
    page = stratification_report(fit(Age(), (X, y)), X, y)
    assert "There is no AUC over time" in page
    assert "Discrimination over time" not in page
    assert "between nan" not in page


def test_chance_is_written_beside_the_axes(stratifier):
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    ax = figure.subplots()
    _auc(stratifier, "weeks")["plot"](ax)
    figure.draw_without_rendering()
    (label,) = [text for text in ax.texts if text.get_text() == "chance"]
    box = label.get_window_extent()
    assert ax.get_window_extent().x1 < box.x0
    assert box.x1 <= figure.bbox.x1


def test_a_ratio_that_is_not_finite_is_told_in_words(cohort):
    X, y = cohort
    # of those at low risk, nobody is seen to die
    y = make_survival_y(X["age"] > X["age"].quantile(0.7), 100 - X["age"])
    stratifier = fit(Age(), (X, y), base=["female"])
    assert np.isinf(stratifier.hazard_ratios_["hazard_ratio"].iloc[-1])
    page = stratification_report(stratifier, X, y)
    assert "is no finite multiple of that of “low risk”" in page
    assert "∞" in page
    for words in (">inf<", "inf times", "– to –"):
        assert words not in page


def test_infinite_numbers():
    assert number(np.inf) == "∞"
    assert number(-np.inf) == "−∞"
