"""Generators with known truth, and loaders of tables that are already there."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_medsel.datasets import (
    event_within,
    load_dlbcl,
    load_expression,
    load_medsel_data,
    make_gene_expression,
)

DATA = Path(os.environ.get("MEDSEL_DATA", "../shared/data"))
needs_data = pytest.mark.skipif(
    not (DATA / "omics").is_dir(), reason="MEDSEL_DATA has no folder 'omics'"
)


def test_blocks_are_autoregressive_and_genes_standard():
    X = make_gene_expression(4000, 40, n_informative=2, as_frame=False, random_state=0).X
    correlation = np.corrcoef(X, rowvar=False)
    np.testing.assert_allclose(X.std(axis=0), 1, atol=0.05)
    for gap in (1, 2, 3):
        inside = [correlation[j, j + gap] for j in range(40 - gap) if j % 10 + gap < 10]
        assert np.mean(inside) == pytest.approx(0.5**gap, abs=0.02)
    assert abs(np.mean([correlation[j, j + 1] for j in (9, 19, 29)])) < 0.05


@pytest.mark.parametrize("design", ["lin", "syn"])
def test_designs_are_the_documented_ones(design):
    data = make_gene_expression(design=design, random_state=1)
    assert data.X.shape == (200, 5000)
    genes = np.flatnonzero(data.support)
    assert len(genes) == 10
    assert len(set(genes // 10)) == 10
    x = data.X.to_numpy(float)[:, genes].T
    if design == "lin":
        expected = 1.5 * sum((-1) ** k * x[k] for k in range(10))
    else:
        expected = 2.8 * (x[0] - x[1] + x[2] - x[3] + x[4])
        expected = expected + 2.9 * (x[5] * x[6] + x[7] * x[8] + x[8] * x[9])
        assert data.pairs.tolist() == [
            [genes[5], genes[6]],
            genes[7:9].tolist(),
            genes[8:].tolist(),
        ]
    np.testing.assert_allclose(data.eta, expected, atol=1e-4)
    assert np.mean(data.y == (data.eta > 0)) > 0.8


def test_linear_share_of_syn():
    data = make_gene_expression(50_000, 100, design="syn", random_state=0)
    linear = data.X.to_numpy(float) @ data.coef
    assert linear.var() / data.eta.var() == pytest.approx(0.6, abs=0.03)


def test_a_seed_gives_one_table_and_global_generators_stay():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = make_gene_expression(20, 100, random_state=5)
    second = make_gene_expression(20, 100, random_state=5)
    other = make_gene_expression(20, 100)
    pd.testing.assert_frame_equal(first.X, second.X)
    assert not np.array_equal(first.X, other.X)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    state = np.random.RandomState(5)
    drawn = make_gene_expression(20, 100, random_state=state)
    again = make_gene_expression(20, 100, random_state=np.random.RandomState(5))
    pd.testing.assert_frame_equal(drawn.X, again.X)


def test_several_classes_are_all_there():
    data = make_gene_expression(
        600, 200, n_informative=6, n_interactions=1, n_classes=3, random_state=0
    )
    assert np.bincount(data.y).min() > 100
    assert data.coef.shape == (3, 200)
    assert data.support.sum() == 8
    assert np.mean(data.y == data.eta.argmax(axis=1)) > 0.5


def test_regression_is_eta_plus_noise():
    data = make_gene_expression(3000, 100, task="regression", noise=2.0, random_state=0)
    assert np.std(data.y - data.eta) == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("shape", [1.0, 3.0])
def test_survival_hazard_and_censoring(shape):
    data = make_gene_expression(
        4000, 100, n_informative=1, task="survival", censoring=0.4, weibull_shape=shape,
        random_state=0,
    )  # fmt: skip
    assert data.y.dtype.names == ("event", "time")
    assert np.mean(~data.y["event"]) == pytest.approx(0.4, abs=0.03)
    uncensored = make_gene_expression(
        4000, 100, n_informative=0, task="survival", censoring=0.0, weibull_shape=shape,
        random_state=0,
    )  # fmt: skip
    assert uncensored.y["event"].all()
    assert np.median(uncensored.y["time"]) == pytest.approx(24, rel=0.08)
    whole = make_gene_expression(
        4000, 100, n_informative=1, task="survival", censoring=0.0, weibull_shape=shape,
        random_state=0,
    )  # fmt: skip
    # log T = const - eta / shape + noise / shape
    slope = np.polyfit(whole.eta, np.log(whole.y["time"]), 1)[0]
    assert slope == pytest.approx(-1 / shape, abs=0.06)


def test_pairs_share_a_patient():
    data = make_gene_expression(2000, 50, paired=True, n_informative=5, patient_effect=0.6,
                                random_state=0)  # fmt: skip
    X = data.X.to_numpy(float)
    normal, tumour = X[0::2], X[1::2]
    np.testing.assert_array_equal(data.groups[0::2], data.groups[1::2])
    assert data.y[0::2].sum() == 0
    assert data.y[1::2].all()
    shift = (tumour - normal).mean(axis=0)
    np.testing.assert_allclose(shift, data.coef, atol=0.15)
    shared = np.mean([np.corrcoef(normal[:, j], tumour[:, j])[0, 1] for j in range(50)])
    assert shared == pytest.approx(0.6, abs=0.03)


def test_planting_in_a_given_table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.lognormal(size=(50, 30)), columns=[f"G{j}" for j in range(30)])
    X["G3"] = 1.0
    X.loc[4, "G7"] = np.nan
    kept = X.copy()
    for seed in range(5):
        data = make_gene_expression(X=X, n_informative=28, random_state=seed)
        assert data.support.sum() == 28
        assert not data.support[[3, 7]].any()
    np.testing.assert_allclose(data.X, X, rtol=1e-6)
    assert list(data.X.columns) == list(X.columns)
    pd.testing.assert_frame_equal(X, kept)
    with pytest.raises(ValueError, match="28 columns that vary"):
        make_gene_expression(X=X, n_informative=29)


def test_missing_values_come_after_the_outcome():
    plain = make_gene_expression(200, 100, random_state=0)
    holes = make_gene_expression(200, 100, missing_fraction=0.2, random_state=0)
    assert holes.X.isna().to_numpy().mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_array_equal(plain.y, holes.y)


def test_null_has_no_true_gene():
    assert not make_gene_expression(20, 50, n_informative=0, random_state=0).support.any()
    assert not make_gene_expression(20, 100, effect_size=0.0, random_state=0).support.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_features": 50}, "as many blocks"),
        ({"design": "lin", "effect_size": 2.0}, "fixes effect_size"),
        ({"task": "regression", "n_classes": 3}, "n_classes=3"),
        ({"paired": True, "n_samples": 21}, "even n_samples"),
        ({"paired": True, "n_interactions": 1}, "no interactions"),
        ({"paired": True, "task": "survival"}, "classification"),
        ({"correlation": 1.0}, "correlation"),
    ],
)
def test_bad_combinations_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        make_gene_expression(**{"n_samples": 20, "n_features": 200, **changes})


def test_event_within_leaves_out_the_unknown():
    y = np.array(
        [(True, 1.0), (True, 2.0), (False, 1.9), (False, 2.0), (True, 2.1)],
        dtype=[("event", bool), ("time", float)],
    )
    label, keep = event_within(y, 2.0)
    assert label.tolist() == [1, 1, 0, 0]
    assert keep.tolist() == [True, True, False, True, True]
    with pytest.raises(ValueError, match="horizon"):
        event_within(y, 0)
    with pytest.raises(ValueError, match="shorter"):
        event_within(y[2:3], 5)


def test_dlbcl():
    pytest.importorskip("SurvSet")
    data = load_dlbcl()
    assert data.X.shape == (240, 7399)
    assert not data.X.isna().to_numpy().any()
    assert data.y["event"].sum() == 138
    labelled = load_dlbcl(task="classification")
    assert labelled.n_excluded == 6
    assert labelled.X.shape == (234, 7399)
    assert np.bincount(labelled.y).tolist() == [141, 93]
    assert len(labelled.meta) == 234
    with pytest.raises(ValueError, match="task"):
        load_dlbcl(task="regression")


def test_missing_folder_names_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDSEL_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="MEDSEL_DATA"):
        load_medsel_data("dma_alon")
    (tmp_path / "omics").mkdir()
    with pytest.raises(FileNotFoundError, match="No table 'dma_alon'"):
        load_medsel_data("dma_alon", data_home=tmp_path)


def _write(path, frame, n_meta):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = table.schema.metadata or {}
    if n_meta is not None:
        metadata = {**metadata, b"n_meta": str(n_meta).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)


def test_conventions_of_the_parquet_tables(tmp_path):
    path = tmp_path / "table.parquet"
    genes = {"A": [1.0, 2.0, np.nan], "B": [3.0, 4.0, 5.0]}
    _write(path, pd.DataFrame({"target": ["x", "y", "x"], "group__p": [1, 1, 2], **genes}), 2)
    data = load_expression(path)
    assert data.task == "classification"
    assert list(data.X.columns) == ["A", "B"]
    assert data.groups.tolist() == [1, 1, 2]
    assert data.y.tolist() == ["x", "y", "x"]
    _write(path, pd.DataFrame({"time": [1.0, 2.0, 3.0], "event": [0, 1, 1], **genes}), 2)
    data = load_expression(path)
    assert data.task == "survival"
    assert data.y["event"].tolist() == [False, True, True]
    _write(path, pd.DataFrame({"target": [0.5, 1.5, 2.5], **genes}), 1)
    assert load_expression(path).task == "regression"
    _write(path, pd.DataFrame({"clin__age": [5, 6, 7], **genes}), 1)
    with pytest.raises(ValueError, match="no outcome"):
        load_expression(path)
    _write(path, pd.DataFrame({"target": [0.5, 1.5, 2.5], **genes}), None)
    with pytest.raises(ValueError, match="n_meta"):
        load_expression(path)


@needs_data
@pytest.mark.parametrize(
    ("name", "task", "shape", "grouped"),
    [
        ("dma_alon", "classification", (62, 2000), False),
        ("mixomics_breast_tumors_paired", "classification", (47, 1000), True),
        ("mixomics_liver_toxicity_reg", "regression", (64, 3116), False),
        ("surv_gse7390", "survival", (198, 76), False),
    ],
)
def test_development_tables(name, task, shape, grouped):
    data = load_medsel_data(name, data_home=DATA)
    assert data.task == task
    assert data.X.shape == shape
    assert (data.groups is not None) == grouped
    assert len(data.y) == len(data.X) == len(data.meta)
