"""What `fit` makes of its input: the standardised table, the rows in use, refused columns."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from sklearn_medsel import DeepFeatureSelector
from sklearn_medsel.feature_selection._decoys import RowBlocks
from sklearn_medsel.feature_selection._inputs import _read_rows, check_columns, read_problem
from sklearn_medsel.feature_selection._outcome import read_outcome
from sklearn_medsel.feature_selection._table import choose_dtype, standardise
from sklearn_medsel.survival import make_survival_y

CPU = torch.device("cpu")


def table_of(X, rows=None, weight=None, dtype="float64", blocks=None):
    rows = np.arange(X.shape[0]) if rows is None else rows
    weight = np.full(len(rows), 1 / len(rows)) if weight is None else weight
    return standardise(X, rows, weight, dtype=dtype, device=CPU, blocks=blocks)


def draw(n=30, p=8, seed=0):
    return np.random.default_rng(seed).normal(7, 3, (n, p))


def test_standardise_is_the_standard_scaler():
    X, weight = draw(), np.random.default_rng(1).uniform(0.1, 1, 30)
    weight /= weight.sum()
    wanted = StandardScaler().fit(X, sample_weight=weight).transform(X)
    table = table_of(X, weight=weight)
    np.testing.assert_allclose(table.X.numpy(), wanted, rtol=1e-9)
    assert table.X.T.is_contiguous()
    assert not table.constant.any()
    assert not table.missing.any()


def test_missing_values_are_the_mean():
    X = draw()
    X[[0, 4], 2] = np.nan
    X[:, 5] = np.nan
    table = table_of(X)
    assert table.missing.tolist() == [0, 0, 2, 0, 0, 30, 0, 0]
    assert table.constant.tolist() == [False] * 5 + [True] + [False] * 2
    filled = np.where(np.isnan(X[:, 2]), np.nanmean(X[:, 2]), X[:, 2])
    np.testing.assert_allclose(table.X[:, 2], (filled - filled.mean()) / filled.std(), atol=1e-9)
    assert not table.X[:, 5].any()


@pytest.mark.parametrize("value", [0.0, 1e-3, 0.1, 12345.678, 1e12])
def test_constant_columns(value):
    X = draw()
    X[:, 3] = value
    table = table_of(X)
    assert np.flatnonzero(table.constant).tolist() == [3]
    assert not table.X[:, 3].any()


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scale_of_a_column_does_not_matter(scale):
    X = draw()
    np.testing.assert_allclose(table_of(X * scale).X, table_of(X).X, rtol=1e-8)


def test_rows_are_taken_in_order():
    X, rows = draw(), np.array([7, 7, 2, 9])
    np.testing.assert_allclose(table_of(X, rows).X, table_of(X[rows]).X)


def test_sparse_is_dense():
    X = np.where(np.random.default_rng(2).random((30, 8)) < 0.4, draw(), 0.0)
    X[3, 1] = np.nan
    for kind in (sparse.csc_matrix, sparse.csc_array):
        table = table_of(kind(X))
        np.testing.assert_array_equal(table.X, table_of(X).X)
        np.testing.assert_array_equal(table.missing, table_of(X).missing)


def test_blocks_of_columns_change_nothing(monkeypatch):
    from sklearn_medsel.feature_selection import _table

    whole = table_of(draw())
    monkeypatch.setattr(_table, "_BLOCK", 3)
    np.testing.assert_allclose(table_of(draw()).X, whole.X, atol=1e-12)


def test_groups_are_centred_where_the_outcome_differs_inside():
    groups = np.repeat(np.arange(10), 3)
    X = draw() + 20 * groups[:, None]
    within = table_of(X, blocks=RowBlocks(groups, np.ones(10, dtype=bool))).X.numpy()
    np.testing.assert_allclose(within.reshape(10, 3, 8).sum(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose((within**2).mean(axis=0), 1)
    whole = table_of(X, blocks=RowBlocks(groups, np.zeros(10, dtype=bool))).X
    np.testing.assert_array_equal(whole, table_of(X).X)


def test_choose_dtype():
    small, large = np.zeros((10, 10)), np.zeros((500, 500))
    assert choose_dtype("auto", small) == "float64"
    assert choose_dtype("auto", small.astype("float32")) == "float32"
    assert choose_dtype("auto", large) == "float32"
    assert choose_dtype("float64", large) == "float64"


def test_counts_are_rows():
    X = draw(4)
    outcome = read_outcome(np.array([0, 1, 0, 1]))
    rows, weight = _read_rows(X, outcome, np.array([2.0, 0.0, 1.0, 3.0]))
    assert sorted(rows.tolist()) == [0, 0, 2, 3, 3, 3]
    np.testing.assert_allclose(weight, 1 / 6)


def test_other_weights_stay_weights():
    X = draw(4)
    outcome = read_outcome(np.array([0, 1, 0, 1]))
    rows, weight = _read_rows(X, outcome, np.array([0.5, 0.0, 1.0, 2.5]))
    assert sorted(rows.tolist()) == [0, 2, 3]
    np.testing.assert_allclose(weight[np.argsort(rows)], [0.125, 0.25, 0.625])


def test_the_order_of_samples_is_canonical():
    X, order = draw(), np.random.default_rng(3).permutation(30)
    y = np.arange(30) % 2
    rows, _ = _read_rows(X, read_outcome(y), np.ones(30))
    other, _ = _read_rows(X[order], read_outcome(y[order]), np.ones(30))
    np.testing.assert_array_equal(X[rows], X[order][other])


def test_read_problem():
    frame = pd.DataFrame(draw(), columns=list("abcdefgh"))
    selector = DeepFeatureSelector()
    problem = read_problem(selector, frame, ["low", "high"] * 15, None, None, [1, 2])
    assert selector.feature_names_in_.tolist() == list("abcdefgh")
    assert problem.outcome.classes.tolist() == ["high", "low"]
    assert problem.blocks is None
    assert problem.seeds == [1, 2]
    assert problem.weight.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("y", "task", "found"),
    [
        ([0, 1, 1, 0], "auto", "classification"),
        (["a", "b", "b", "a"], "auto", "classification"),
        ([0.5, 1.5, 2.5, 0.1], "auto", "regression"),
        ([0, 1, 1, 0], "regression", "regression"),
        ([[0.5, 1.0], [1.5, 2.0], [2.5, 0.3], [0.1, 0.2]], "auto", "regression"),
        (make_survival_y([True, False, True, True], [1.0, 2.0, 3.0, 3.0]), "auto", "survival"),
        (pd.DataFrame({"Time": [1.0, 2.0], "Event": [1, 0]}), "auto", "survival"),
    ],
)
def test_task_is_read_off_the_target(y, task, found):
    assert read_outcome(y, task).task == found


def test_several_outputs_are_standardised():
    values = read_outcome([[1.5, 5.0], [2.5, 5.0], [4.0, 5.0]]).values
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(values.std(axis=0), [1, 0])


TEXT = pd.DataFrame({"age": [1.0, 2.0], "sex": ["f", "m"]})


@pytest.mark.parametrize("dtype", [object, "str", "category"])
def test_text_columns_are_named(dtype):
    frame = TEXT.assign(sex=TEXT["sex"].astype(dtype))
    with pytest.raises(ValueError, match="columns of text: 'sex'"):
        check_columns(frame)


def test_numbers_in_object_columns_are_no_text():
    check_columns(pd.DataFrame({"a": [1, 2]}, dtype=object))
    check_columns([["f", "m"]])


def test_many_names_are_counted():
    frame = pd.DataFrame([["x"] * 8] * 2, columns=list("abcdefgh"))
    with pytest.raises(ValueError, match="'a', 'b', 'c', 'd', 'e' and 3 more"):
        check_columns(frame)
