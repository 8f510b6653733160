"""Blocks and their columns, ordered text, and the reading of terms."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_selector
from sklearn.utils import get_tags

from sklearn_medsel.multimodal._blocks import Block, as_frame, name_rows, resolve_blocks
from sklearn_medsel.multimodal._grades import learn_grades, read_grades
from sklearn_medsel.multimodal._terms import TermEncoder

COLUMNS = ["age", "sex", "rna__TP53", "rna__MYC", "report"]
X = pd.DataFrame(
    [[61, "F", 0.1, 2.0, "No mass."], [70, "M", 0.2, 1.0, "Mass."]],
    columns=COLUMNS,
    index=["p", "q"],
)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("age", ["age"]),
        (["sex", "age"], ["sex", "age"]),
        (0, ["age"]),
        (np.int64(1), ["sex"]),
        ([0, -1], ["age", "report"]),
        (slice(2, 4), ["rna__TP53", "rna__MYC"]),
        (slice("age", "rna__TP53"), ["age", "sex", "rna__TP53"]),
        (slice(None, "sex"), ["age", "sex"]),
        (slice("rna__MYC", None), ["rna__MYC", "report"]),
        ([True, False, False, True, False], ["age", "rna__MYC"]),
        (np.array([False, True, False, False, False]), ["sex"]),
        (pd.Index(["sex"]), ["sex"]),
        (X.dtypes == np.float64, ["rna__TP53", "rna__MYC"]),
        (lambda frame: [c for c in frame if c.startswith("rna")], ["rna__TP53", "rna__MYC"]),
        (make_column_selector(pattern="^rna__"), ["rna__TP53", "rna__MYC"]),
        (re.compile("rna__.*"), ["rna__TP53", "rna__MYC"]),
        ("rna__*", ["rna__TP53", "rna__MYC"]),
        ("*MYC", ["rna__MYC"]),
        (["age", "rna__*"], ["age", "rna__TP53", "rna__MYC"]),
    ],
)
def test_columns_are_chosen_as_by_a_column_transformer(columns, expected):
    assert resolve_blocks([("b", "table", columns)], X) == [Block("b", "table", tuple(expected))]


def test_labels_that_are_numbers_are_of_python():
    X = pd.DataFrame(np.zeros((1, 3)), columns=[10, 11, 12])
    (block,) = resolve_blocks([("a", "table", [0, -1])], X)
    assert block.columns == (10, 12)
    assert {type(label) for label in block.columns} == {int}


def test_a_column_called_like_a_pattern_is_that_column():
    frame = X.rename(columns={"sex": "rna__*"})
    assert resolve_blocks([("b", "table", "rna__*")], frame)[0].columns == ("rna__*",)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"b": "age"}, "list of .name, modality, columns."),
        ([], "an empty one"),
        ([("b", "table")], "entry 0 is a tuple of length 2"),
        (["age"], "entry 0 is a str"),
        ([(1, "table", "age")], "name of entry 0"),
        ([("b", "table", "age"), ("b", "table", "sex")], "two blocks named 'b'"),
        ([("b", "genes", "age")], "block 'b': the modality must be one of .*found 'genes'"),
        ([("b", "table", [])], "block 'b' has no columns"),
        ([("b", "table", re.compile("nothing"))], "block 'b' has no columns"),
        ([("b", "table", [False] * 5)], "block 'b' has no columns"),
        ([("a", "table", "age"), ("b", "table", [0, 1])], "'age' is in two blocks, 'a' and 'b'"),
        ([("b", "text", ["report", "sex"])], "block 'b' .*one block for each column"),
        ([("b", "image", slice(0, 2))], "block 'b' .*one block for each column"),
        ([("b", "table", "Age")], "block 'b': X has no column 'Age'"),
        ([("b", "table", "rna__.+")], "no column 'rna__.*re.compile"),
        ([("b", "table", "dna__*")], "block 'b': no column of X fits 'dna__.*'"),
        ([("b", "table", 5)], "block 'b': there is no column at position 5"),
        ([("b", "table", slice("age", "x"))], "block 'b': X has no column 'x'"),
        ([("b", "table", [True, False])], "block 'b': the mask has 2 entries"),
        ([("b", "table", ["age", "age"])], "block 'b' names the column 'age' more than once"),
        ([("b", "table", 1.5)], "block 'b': columns must be"),
        ([("b", "table", None)], "block 'b': columns must be"),
        ([("network", "table", "age")], "block named 'network', as a term of several blocks"),
        (
            [("a", "table", "age"), ("b", "table", "sex"), ("a x b", "table", "report")],
            "block named 'a x b'",
        ),
    ],
)
def test_faults_of_blocks_are_named(blocks, message):
    with pytest.raises(ValueError, match=message):
        resolve_blocks(blocks, X)


def test_arrays_are_named_and_other_input_is_refused():
    assert list(as_frame(np.eye(3)).columns) == ["x0", "x1", "x2"]
    table = np.array([[1, "No mass."], [2, None]], dtype=object)
    assert resolve_blocks([("t", "text", "x1")], table)[0].columns == ("x1",)
    for wrong, message in (
        ([[1]], "found list"),
        (np.zeros(3), "shape"),
        (X.iloc[:0], "no rows"),
        (pd.concat([X, X["age"]], axis=1), "more than one column 'age'"),
        (pd.concat({"clin": X}, axis=1), "2 levels; join them"),
    ):
        with pytest.raises(ValueError, match=message):
            as_frame(wrong)


def test_rows_are_named_by_their_labels():
    assert name_rows([False, True], X.index) == "row 'q'"
    assert name_rows(np.ones(8, bool), pd.RangeIndex(8)) == "rows 0, 1, 2, 3, 4 and 3 more"


@pytest.mark.parametrize(
    ("words", "grades"),
    [
        (["Stage I", "Stage IIA", "Stage IIB", "Stage IV"], [1, 2.1, 2.2, 4]),
        (["Stage IIIC2", "Stage IIIC1", "stage_iii"], [3.34, 3.32, 3]),
        (["I", "II", "IIIA", "IV"], [1, 2, 3.1, 4]),
        (["Tis", "T1c", "pT2", "T4"], [0.5, 1.3, 2, 4]),
        (["N0", "N0 (i+)", "N1mi", "N2a"], [0, 0, 1.04, 2.1]),
        (["G1", "G2", "G3"], [1, 2, 3]),
        (["Grade 2", "grade-3"], [2, 3]),
        (["WHO Grade II", "WHO Grade IV"], [2, 4]),
        (["ステージⅡ", "ステージIV"], [2, 4]),
        (["0", "1+", "2+"], [0, 1, 2]),
        (["-", "±", "+", "+++"], [0, 0.5, 1, 3]),
        (["low", "Intermediate", "HIGH"], [1, 2, 3]),
        (["Low risk", "High risk"], [1, 3]),
        (["mild", "moderate", "severe"], [1, 2, 3]),
        (["Well differentiated", "Poorly differentiated", "Undifferentiated"], [1, 3, 4]),
    ],
)
def test_ordered_text_is_read(words, grades):
    scale = learn_grades(words, [5] * len(words))
    assert read_grades(words, scale) == pytest.approx(grades)


@pytest.mark.parametrize(
    "words",
    [
        ["A", "B", "C"],
        ["I", "V"],
        ["C", "D", "I", "M", "V", "X"],
        ["C34.1", "C50.9", "C61"],
        ["N18", "G30", "T20.1", "M05"],
        ["Type I", "Type II"],
        ["Arm 1", "Arm 2", "Arm 3"],
        ["site 1", "site 2"],
        ["IDC", "ILC", "MDLC"],
        ["WHITE", "ASIAN"],
        ["I feel well", "V. cava"],
        ["Stage I", "Stage I (clinical)"],
        ["Stage X", "Stage I"],
        ["Yes", "No"],
        ["1q21", "3p", "Xp"],
    ],
)
def test_other_text_stays_nominal(words):
    assert learn_grades(words, [5] * len(words)) is None


def test_grades_need_four_fifths_of_the_cells():
    words = ["Stage I", "Stage II", "other"]
    assert learn_grades(words, [4, 4, 2]) == "stage"
    assert learn_grades(words, [4, 3, 2]) is None
    assert np.isnan(read_grades(["Stage X", "other", "[Discrepancy]", 3], "stage")).all()


@given(st.lists(st.text(max_size=12), max_size=8, unique=True))
def test_any_text_can_be_asked_for_grades(words):
    scale = learn_grades(words, [1] * len(words))
    if scale is not None:
        assert len(read_grades(words, scale)) == len(words)


REPORTS = [
    "No pleural effusion. Heart normal.",
    "Large pleural effusion.",
    "The heart is enlarged. No mass.",
    "Mass in the left lung. Heart normal.",
    "右胸水を認める。",
    "胸水なし。",
] * 4


def test_terms_have_names_and_know_denials():
    encoder = TermEncoder()
    values = encoder.fit_transform(pd.Series([*REPORTS, None, "  "]))
    names = encoder.get_feature_names_out().tolist()
    assert {"¬mass", "mass", "¬胸水な", "胸水を", "enlarged"} <= set(names)
    assert not {"the", "is", "in the", "を", "なし"} & set(names)
    assert (values[-2:] == 0).all()
    seen = values[:-2]
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-12)
    assert seen.var(axis=0).mean() == pytest.approx(1)
    assert seen.var(axis=0).std() > 0.01  # one common scale, not one for each term
    at = names.index("¬mass")
    assert values[2, at] > 0 > values[3, at]
    np.testing.assert_array_equal(encoder.transform(REPORTS), seen)


def test_terms_are_chosen_by_the_training_reports():
    encoder = TermEncoder(2, min_df=0.1).fit(REPORTS)
    assert len(encoder.terms_) == 2
    new = encoder.transform(["tuberculosis tuberculosis", REPORTS[0]])
    np.testing.assert_array_equal(new[1:], encoder.transform(REPORTS[:1]))
    # terms of the same reports count once, and words come before pairs
    assert "pleural" in TermEncoder().fit(["Pleural mass.", "Pleural cyst.", "Mass."] * 3).terms_
    assert "cyst" in TermEncoder(min_df=3).fit(["Cyst.", "Large cyst.", "Mass."] * 3).terms_
    assert "large cyst" not in TermEncoder().fit(["Cyst.", "Large cyst.", "Mass."] * 3).terms_


def test_terms_without_a_vocabulary_and_without_text():
    assert TermEncoder(min_df=3).fit_transform(["one", "two"]).shape == (2, 0)
    with pytest.raises(ValueError, match="no report with text"):
        TermEncoder().fit(["", None])
    with pytest.raises(ValueError, match="row"):
        TermEncoder().fit([1, "text"])
    assert get_tags(TermEncoder()).input_tags.string
