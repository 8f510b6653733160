"""What comes in: reports, targets, labels of sentences, claims."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from sklearn_medsel.text._bags import Bags
from sklearn_medsel.text._claims import encode_claims
from sklearn_medsel.text._reports import check_reports
from sklearn_medsel.text._sentence_labels import check_sentence_y, sentence_targets
from sklearn_medsel.text._sentences import Sentence
from sklearn_medsel.text._targets import balanced_weight, class_weights, encode_target

SECRET = "Tanaka"  # stands for what no message may show


def frame(**columns):
    return pd.DataFrame(columns)


# --- reports


@pytest.mark.parametrize(
    "X",
    [
        ["a", ""],
        ("a", ""),
        np.array(["a", ""]),
        np.array(["a", ""], dtype=object),
        np.array([["a"], [""]]),
        pd.Series(["a", ""], index=[7, 7]),
        pd.Series(["a", ""], dtype="category"),
        pd.Index(["a", ""]),
        frame(notes=["a", ""]),
        frame(current=["a", ""]),
        frame(current=["a", ""], other=[1, 2]),
    ],
)
def test_forms_of_reports(X):
    reports = check_reports(X)
    assert reports.current == ["a", ""]
    assert {type(text) for text in reports.current} == {str}
    assert reports.previous is None
    assert reports.claims is None
    assert len(reports) == 2


def test_a_missing_or_blank_previous_report_is_a_first_examination():
    X = frame(current=["a"] * 5, previous=["b", None, np.nan, pd.NA, "  "], claim=list("vwxyz"))
    reports = check_reports(X)
    assert reports.previous == ["b", None, None, None, None]
    taken = reports.take([4, 0])
    assert (taken.current, taken.previous, taken.claims) == (["a", "a"], [None, "b"], ["z", "v"])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (None, "X is a NoneType. Pass"),
        (3, "X is a int. Pass"),
        (SECRET, "X is a single str. Pass"),
        (SECRET.encode(), "X is a single bytes"),
        ({"current": [SECRET]}, "X is a dict. Pass"),
        ({SECRET}, "X is a set. Pass"),
        ([], "X is empty"),
        (np.array(SECRET), "the shape ()"),
        (np.array([[SECRET, "a"]]), "the shape (1, 2)"),
        ([SECRET, None, "a", np.nan, pd.NA, pd.NaT], "X is missing at rows 1, 3, 4, 5. Remove"),
        ([SECRET, 3], "must hold strings, got int at row 1; convert"),
        ([SECRET.encode(), "a"], "got bytes at row 0; decode bytes first"),
        ([[SECRET]], "got list at row 0"),
        (np.arange(3.0), "got float64 at rows 0, 1, 2"),
        (frame(), "no column 'current'; its columns are none"),
        (frame(text=[SECRET], previous=[SECRET]), "its columns are 'text', 'previous'"),
        (frame(current=[], previous=[]), "of X is empty: at least one report"),
        (frame(current=[None], previous=[SECRET]), "column 'current' of X is missing at row 0"),
        (frame(current=[SECRET], previous=[5]), "column 'previous' of X must hold strings"),
        (frame(current=[SECRET], claim=[None]), "column 'claim' of X is missing at row 0"),
        (pd.DataFrame([[SECRET] * 2], columns=["current"] * 2), "more than one column 'current'"),
    ],
)
def test_errors_name_the_place_and_no_text(X, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        check_reports(X)
    assert message in str(error.value)
    assert SECRET not in str(error.value)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["a", None])), min_size=1))
def test_keys_are_equal_for_equal_current_reports_only(rows):
    current, previous = map(list, zip(*rows, strict=True))
    keys = check_reports(frame(current=current, previous=pd.Series(previous, dtype=object))).keys()
    same = np.array([[one == other for other in current] for one in current])
    np.testing.assert_array_equal(keys[:, None] == keys, same)


def test_a_report_with_another_claim_is_the_same_report():
    assert check_reports(frame(current=["a", "a"], claim=["b", "c"])).keys().tolist() == [0, 0]


# --- targets


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        ([0, 1, 0], [0, 1]),
        ([True, False, True], [False, True]),
        (["no", "yes", "no"], ["no", "yes"]),
        (np.array([2, 5, 2], dtype=object), [2, 5]),
        (pd.Series(["b", "a", "b"], index=[3, 3, 3]), ["a", "b"]),
        (pd.Series([1, 2, 1], dtype="Int64"), [1, 2]),
        ([0.0, 1.0, 0.0], [0, 1]),
    ],
)
def test_two_classes(y, classes):
    target = encode_target(y)
    assert target.kind == "binary"
    assert target.classes.tolist() == classes
    assert target.columns.dtype == float
    np.testing.assert_array_equal(target.columns[:, 0], np.array(list(y)) == classes[1])
    np.testing.assert_array_equal(target.strata, target.columns[:, 0])


def test_three_classes():
    target = encode_target(["c", "a", "b", "a"])
    assert target.kind == "multiclass"
    np.testing.assert_array_equal(target.columns, np.eye(3)[[2, 0, 1, 0]])
    assert target.strata.tolist() == [2, 0, 1, 0]


@pytest.mark.parametrize("form", [np.array, pd.DataFrame, sparse.csr_array, "Int64", bool, list])
def test_several_labels(form):
    values = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 0]])
    if form == "Int64":
        y = pd.DataFrame(values, dtype="Int64")
    else:
        y = values.astype(bool) if form is bool else form(values.tolist())
    if form is sparse.csr_array:
        y = sparse.csr_array(values)
    target = encode_target(y)
    assert target.kind == "multilabel"
    assert target.classes.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(target.columns, values)
    assert target.strata.tolist() == [1, 1, 0]


def test_labels_are_named_by_their_columns():
    assert encode_target(frame(mass=[0, 1], edema=[True, True])).classes.tolist() == [
        "mass",
        "edema",
    ]


def test_a_column_of_classes_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning):
        assert encode_target([[0], [1]]).kind == "binary"


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y is None"),
        (3, "y is a int"),
        ([], "y is empty"),
        ([1, 1, 1], "one class only, in 3 reports"),
        ([1, None, 0], "missing at row 1"),
        ([1.0, 0.0, np.nan], "missing at row 2"),
        ([[1, 0], [np.nan, 1]], "missing at row 1"),
        ([0.5, 0.25, 0.1], "got continuous"),
        ([[0.5], [0.25], [0.1]], "got continuous"),
        ([[1, 2], [2, 1]], "values other than 0 and 1"),
        ([[-1, 1], [1, -1]], "values other than 0 and 1"),
        ([[1, 0], [1, 0]], "no label in y differs"),
        ([["a", "b"], ["b", "c"]], "got multiclass-multioutput"),
        (np.zeros((2, 2, 2)), "got unknown"),
    ],
)
def test_targets_are_checked(y, message):
    with pytest.raises(ValueError, match=message):
        encode_target(y)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4)), min_size=1, max_size=12))
def test_balanced_weights(rows):
    column, weight = np.array(rows, float).T
    balanced = balanced_weight(column[:, None], weight)[:, 0]
    sums = [balanced[column == value].sum() for value in (0, 1) if (column == value).any()]
    np.testing.assert_allclose(sums, weight.sum() / 2)
    ratio = balanced / weight
    for value in (0, 1):
        assert len(np.unique(ratio[column == value].round(9))) <= 1


def test_class_weights():
    target, weight = encode_target(["a", "b", "b", "c"]), np.array([1.0, 2.0, 3.0, 4.0])
    plain = class_weights(None, target, weight)
    np.testing.assert_array_equal(plain, np.repeat(weight[:, None], 3, 1))
    given_ones = class_weights({"b": 10}, target, weight)
    np.testing.assert_array_equal(given_ones[:, 0], [1, 20, 30, 4])
    balanced = class_weights("balanced", target, weight)
    np.testing.assert_array_equal(balanced, balanced_weight(target.columns, weight))
    with pytest.raises(ValueError, match="class_weight names 'z', which is no class"):
        class_weights({"z": 1}, target, weight)
    several = encode_target([[1, 0], [0, 1]])
    with pytest.raises(ValueError, match="class_weight as a dict is for one label"):
        class_weights({0: 1}, several, weight[:2])


# --- labels of sentences


def make_bags(sizes):
    """Reports whose k-th sentence stands at 10 k to 10 k + 9."""
    sentences = [Sentence(10 * k, 10 * k + 9, "") for size in sizes for k in range(size)]
    terms = [[] for _ in sentences]
    vectors = np.zeros((len(sentences), 0))
    return Bags(np.array(sizes, int), sentences, terms, vectors, [[] for _ in sizes])


def test_labels_of_sentences():
    bags = make_bags([2, 0, 3, 1])
    labels = check_sentence_y([[0, 1], [], None, np.array([True])], bags)
    np.testing.assert_array_equal(labels, [0, 1, np.nan, np.nan, np.nan, 1])
    again = check_sentence_y(pd.Series([[0, 1], [], np.nan, [1]], index=[1, 1, 1, 1]), bags)
    np.testing.assert_array_equal(again, labels)


def test_labels_as_passages():
    bags = make_bags([3, 2, 1])
    labels = check_sentence_y([[(5, 7), (18, 21)], [], [(9, 10)]], bags)
    # a passage marks all sentences that it touches; one between two sentences marks none
    np.testing.assert_array_equal(labels, [1, 1, 1, 0, 0, 0])


def test_no_labels_at_all():
    bags = make_bags([1, 2])
    assert check_sentence_y(None, bags) is None
    assert check_sentence_y([None, None], bags) is None
    with pytest.raises(ValueError, match="sentence_y is None"):
        check_sentence_y(None, bags, required=True)
    with pytest.raises(ValueError, match="labels no sentence"):
        check_sentence_y([None, None], bags, required=True)


@pytest.mark.parametrize(
    ("sentence_y", "message"),
    [
        (SECRET, "sentence_y is a str"),
        (3, "sentence_y is a int"),
        ({0: [1], 1: [0, 1]}, "sentence_y is a dict"),
        ([[1]], "1 entries for 2 reports"),
        ([[1], [0, 1, 1]], "3 labels at row 1, where the splitter finds 2"),
        ([[1], [0, 2]], "something else than 0 and 1 at row 1"),
        ([[1], [0, np.nan]], "something else than 0 and 1 at row 1"),
        ([[1], [SECRET, "b"]], "not understood at row 1"),
        ([1, [0, 1]], "not understood at row 0"),
        ([[1], [(8, 8)]], "a passage at row 1 that does not end behind its start"),
        ([[1], [(3, np.nan)]], "a passage at row 1 that does not end behind its start"),
        ([[1], [(3, 4, 5)]], "3 labels at row 1"),
    ],
)
def test_labels_of_sentences_are_checked(sentence_y, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        check_sentence_y(sentence_y, make_bags([1, 2]))
    assert message in str(error.value)
    assert SECRET not in str(error.value)


def test_sentences_carry_what_their_report_is_labelled():
    bags = make_bags([2, 1, 2])
    labels = np.array([0.0, 1.0, 1.0, np.nan, 1.0])
    columns = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    found = sentence_targets(labels, bags, columns, np.array([0, 2]))
    np.testing.assert_array_equal(found, [[0, 0], [1, 0], [np.nan, np.nan], [1, 1]])
    assert sentence_targets(None, bags, columns, np.array([0])) is None


# --- claims


def make_reader(*, encoder=True, with_claims=False):
    def encode(texts):
        return [[float(len(text))] for text in texts]

    return SimpleNamespace(
        encoder=object() if encoder else None, with_claims=with_claims, encode=encode
    )


@pytest.mark.parametrize(
    ("claims", "y", "lengths"),
    [
        ("bbb", ["no", "yes"], [3]),
        (["bbb"], ["no", "yes"], [3]),
        (["a", "bbb"], ["no", "yes"], [3]),
        (np.array(["a", "bbb"]), ["no", "yes"], [3]),
        ({"yes": "bbb"}, ["no", "yes"], [3]),
        ({"no": "a", "yes": "bbb"}, ["no", "yes"], [3]),
        (["a", "bb", "ccc"], [0, 1, 2], [1, 2, 3]),
        ({2: "ccc", 0: "a", 1: "bb"}, [0, 1, 2], [1, 2, 3]),
        ({1: "bb", 0: "a"}, [[0, 1], [1, 0]], [1, 2]),
    ],
)
def test_claims_in_the_order_of_the_outputs(claims, y, lengths):
    found = encode_claims(claims, encode_target(y), make_reader())
    assert found[:, 0].tolist() == lengths


def test_no_claims():
    target = encode_target([0, 1])
    assert encode_claims(None, target, make_reader()) is None
    assert encode_claims("b", target, make_reader(encoder=False)) is None


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ("a", "1 texts for 3 outputs"),
        (["a", "b"], "2 texts for 3 outputs"),
        ({"a": "x", "b": "y"}, "no text for class 'c'"),
        (["a", " ", "c"], "something else than text, or a blank one"),
        (["a", 2, "c"], "something else than text"),
    ],
)
def test_claims_are_checked(claims, message):
    with pytest.raises(ValueError, match=message):
        encode_claims(claims, encode_target(["a", "b", "c"]), make_reader())


def test_claims_come_from_one_side():
    with pytest.raises(ValueError, match="claims is given, and X has a column 'claim'"):
        encode_claims("b", encode_target([0, 1]), make_reader(with_claims=True))
