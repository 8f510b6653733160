"""Made patients: the truth is true, what is missing is what was asked for, images can be read."""

import io
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from sklearn_medsel.datasets._patients import make_patients
from sklearn_medsel.survival import concordance_index

Image = pytest.importorskip("PIL.Image", reason="Pillow is in the extra 'image'")

BLOCKS = ["clin", "gene", "image", "report"]


def small(n_patients=30, **options):
    options = {"n_genes": 40, "n_informative": 3, "image_size": 16, "random_state": 0} | options
    return make_patients(n_patients, **options)


def read(cell):
    return np.asarray(Image.open(io.BytesIO(cell)))


@pytest.fixture(scope="module")
def cohort():
    return make_patients(500, image_size=48, random_state=0)


def _design(data):
    """Build columns that span the score: factors with an effect, and the planted product."""
    product = (
        data.factors[data.interaction["feature_a"]] * data.factors[data.interaction["feature_b"]]
    )
    return data.factors[data.truth["feature"]].assign(product=product)


# --- the truth -------------------------------------------------------------------------------


@pytest.mark.parametrize("interaction", ["gene*image", "gene*clin"])
def test_score_is_the_sum_of_the_truth(interaction):
    data = small(100, interaction=interaction, interaction_size=0.7)
    model = LinearRegression().fit(_design(data), data.score)
    np.testing.assert_allclose(model.coef_[:-1], data.truth["effect"], atol=1e-9)
    assert model.coef_[-1] == pytest.approx(0.7)
    assert data.interaction["effect"] == 0.7
    np.testing.assert_array_equal(np.sign(data.truth["effect"]), data.truth["direction"])
    assert model.score(_design(data), data.score) == pytest.approx(1)


def test_truth_names_columns_and_factors_are_what_these_show(cohort):
    assert set(cohort.truth["feature"]) <= set(cohort.X.columns)
    assert cohort.truth["block"].unique().tolist() == BLOCKS
    genes = cohort.truth.loc[cohort.truth["block"] == "gene", "feature"]
    assert len(genes) == 8
    shown = cohort.X.assign(clin__crp=np.log(cohort.X["clin__crp"]))
    for name in [*genes, "clin__age", "clin__crp"]:
        assert np.corrcoef(shown[name], cohort.factors[name])[0, 1] > 0.99
    stages = cohort.X["clin__stage"].map({"I": 0, "II": 1, "III": 2, "IV": 3})
    assert np.corrcoef(stages, cohort.factors["clin__stage"])[0, 1] == pytest.approx(1)
    numeric = cohort.factors.drop(columns="report__text")
    assert np.abs(numeric.mean()).max() < 0.2
    assert np.abs(numeric.std() - 1).max() < 0.15


def test_only_what_is_in_the_truth_has_an_effect():
    data = small(
        60, effect={"image": 0.0, "report": 0.0}, interaction=None, n_clinical=11, n_informative=0
    )
    assert data.truth["feature"].tolist() == ["clin__age", "clin__stage", "clin__crp"]
    assert data.interaction is None
    effects = data.truth["effect"].to_numpy()
    np.testing.assert_allclose(data.score, data.factors[data.truth["feature"]] @ effects)


def test_each_modality_helps_and_the_interaction_helps_beyond_them(cohort):
    def auc(features):
        model = LogisticRegression(max_iter=1000)
        score = cross_val_predict(model, features, cohort.y, cv=5, method="decision_function")
        return roc_auc_score(cohort.y, score)

    alone = [auc(cohort.factors.filter(like=f"{block}__")) for block in BLOCKS]
    assert min(alone) > 0.57
    assert max(alone) < 0.75
    everything = auc(cohort.factors)
    assert 0.78 < everything < 0.9
    assert max(alone) + 0.08 < everything
    assert everything + 0.015 < auc(_design(cohort))


def test_y_follows_the_score(cohort):
    assert roc_auc_score(cohort.y, cohort.score) > 0.8
    assert 0.4 < cohort.y.mean() < 0.6
    assert cohort.y.dtype == np.int64
    number = small(200, task="regression", noise=0.0)
    np.testing.assert_allclose(number.y, number.score)
    grades = small(200, n_classes=4, noise=0.0)
    np.testing.assert_array_equal(np.bincount(grades.y), [50] * 4)
    assert [grades.score[grades.y == k].min() for k in range(4)] == sorted(
        grades.score[grades.y == k].min() for k in range(4)
    )


def test_survival_y_is_valid():
    data = small(400, task="survival", censoring=0.4)
    assert data.y.dtype == [("event", bool), ("time", np.float64)]
    assert (data.y["time"] > 0).all()
    assert data.y["event"].mean() == pytest.approx(0.6, abs=0.08)
    assert 0.7 < concordance_index(data.y, data.score) < 0.9


# --- the report and the image carry their factor -----------------------------------------------


def test_reports_state_the_finding_and_speak_of_it_without_it(cohort):
    found = cohort.factors["report__text"] > 0
    named = cohort.X["report__text"].str.contains("effusion|pleural fluid", regex=True)
    assert named[found].all()
    assert 0.2 < named[~found].mean() < 0.8
    assert not cohort.X["report__text"].str.contains(r"[{}\[\]<>|~]", regex=True).any()
    assert cohort.X["report__text"].nunique() == 500
    assert cohort.finding == "effusion"


def test_lesion_follows_its_factor_and_lies_where_it_is_said_to_lie(cohort):
    pictures = np.array([read(cell) for cell in cohort.X["image__ct"]], dtype=float)
    assert pictures.shape == (500, 48, 48)
    factor, lesions = cohort.factors["image__ct"].to_numpy(), cohort.lesions
    centre = lesions[["row", "column"]].round().astype(int).to_numpy()
    at_centre = np.array([gaussian_filter(p, 1)[r, c] for p, (r, c) in zip(pictures, centre)])  # noqa: B905
    mirrored = np.array([gaussian_filter(p, 1)[r, 47 - c] for p, (r, c) in zip(pictures, centre)])  # noqa: B905
    assert (at_centre > mirrored).mean() > 0.9
    assert np.corrcoef(at_centre, factor)[0, 1] > 0.6
    assert np.corrcoef(lesions["radius"], factor)[0, 1] > 0.95
    blurred = np.array([gaussian_filter(p, 1)[8:38, 5:43].ravel() for p in pictures])
    guess = cross_val_predict(RidgeCV(np.geomspace(1e4, 1e8, 9)), blurred, factor, cv=5)
    assert np.corrcoef(guess, factor)[0, 1] > 0.6


@pytest.mark.parametrize("image_format", ["png", "jpeg", "tiff"])
def test_images_decode(image_format, tmp_path):
    inside = small(5, image_format=image_format, image_size=20)
    for cell in inside.X["image__ct"]:
        image = Image.open(io.BytesIO(cell))
        assert image.format == image_format.upper()
        assert (image.size, image.mode) == ((20, 20), "L")
    outside = small(5, image_format=image_format, image_size=20, as_paths=tmp_path / "new" / "ct")
    for name, cell in zip(outside.X["image__ct"], inside.X["image__ct"], strict=True):
        assert (tmp_path / "new" / "ct" / name).read_bytes() == cell


# --- the shape of things -----------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    n_patients=st.integers(2, 25),
    n_genes=st.integers(1, 30),
    n_clinical=st.integers(4, 12),
    missing=st.sampled_from([0.0, 0.5, 0.9]),
    task=st.sampled_from(["classification", "regression", "survival"]),
    seed=st.integers(0, 1000),
)
def test_blocks_name_the_columns(n_patients, n_genes, n_clinical, missing, task, seed):
    data = make_patients(
        n_patients, n_genes=n_genes, n_informative=1, n_clinical=n_clinical, missing=missing,
        task=task, image_size=16, random_state=seed,
    )  # fmt: skip
    assert [name for name, _, _ in data.blocks] == BLOCKS
    assert [modality for _, modality, _ in data.blocks] == ["table", "table", "image", "text"]
    columns = [column for _, _, columns in data.blocks for column in columns]
    assert columns == list(data.X.columns)
    assert len(columns) == n_clinical + n_genes + 2
    assert data.base == "clin"
    assert data.X.index.is_unique
    assert len(data.y) == len(data.score) == n_patients
    for place, (_, _, of_block) in enumerate(data.blocks):
        there = data.X[of_block].notna()
        np.testing.assert_array_equal(there.all(axis=1), data.availability[:, place])
        np.testing.assert_array_equal(there.any(axis=1), data.availability[:, place])


def test_dtypes():
    X = small(missing=0.5).X
    assert pd.api.types.is_string_dtype(X["clin__sex"])
    assert set(X["clin__stage"]) <= {"I", "II", "III", "IV"}
    assert X["clin__age"].dtype == np.float64
    assert (X.filter(like="gene__").dtypes == np.float32).all()
    assert {type(cell) for cell in X["image__ct"]} == {bytes, type(None)}


def test_missing_shares_are_exact_and_do_not_touch_the_rest():
    full = small(40)
    part = small(40, missing={"image": 0.3, "report": 0.1}, missing_values=0.25)
    assert full.availability.all()
    assert not full.X.isna().to_numpy().any()
    assert (~part.availability).sum(axis=0).tolist() == [0, 0, 12, 4]
    clinical = part.X.filter(like="clin__").isna()
    assert 0.12 < clinical.to_numpy().mean() < 0.3
    assert not clinical.all(axis=1).any()
    assert small(300, missing_values=0.95).X.filter(like="clin__").notna().any(axis=1).all()
    np.testing.assert_array_equal(part.y, full.y)
    both = part.X.notna()
    assert part.X.where(both).equals(full.X.where(both))
    assert (~small(40, missing=0.25).availability).sum(axis=0).tolist() == [0, 10, 10, 10]


def test_a_seed_gives_the_same_patients_and_global_generators_stay():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    options = {"missing": 0.2, "missing_values": 0.1}
    first, second, other = small(**options), small(**options), small(random_state=1)
    assert first.X.equals(second.X)
    assert first.lesions.equals(second.lesions)
    np.testing.assert_array_equal(first.y, second.y)
    assert not first.X.equals(other.X)
    assert not small(random_state=None).X.equals(small(random_state=None).X)
    one, two = (small(random_state=np.random.RandomState(5)) for _ in range(2))
    assert one.X.equals(two.X)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_more_genes_leave_images_and_reports_alone():
    few, many = small(), small(n_genes=80)
    columns = ["image__ct", "report__text", "clin__age"]
    assert few.X[columns].equals(many.X[columns])


# --- bad arguments -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_informative": 5}, "n_informative=5 genes need as many blocks of 10, but n_genes=40"),
        ({"n_informative": 0}, "needs an informative gene"),
        ({"task": "survival", "n_classes": 3}, "n_classes=3 is for task='classification'"),
        ({"n_patients": 4, "n_classes": 9}, "n_classes=9 is more than n_patients=4"),
        ({"missing": {"clin": 0.2}}, "missing names clin; it can name only gene, image, report"),
        ({"missing": {"image": 1.0}}, r"missing\['image'\] must be a number from 0 to below 1"),
        ({"missing": 1.0}, "'missing'"),
        ({"effect": {"text": 2.0}}, "effect names text; it can name only clin, gene"),
        ({"effect": {"gene": "large"}}, r"effect\['gene'\] must be a finite number"),
        ({"effect": {"gene": np.nan}}, r"effect\['gene'\] must be a finite number"),
        ({"interaction": "image*report"}, "'interaction'"),
        ({"n_clinical": 3}, "'n_clinical'"),
        ({"image_format": "gif"}, "'image_format'"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"sklearn-medsel\[image\]"):
        small()
