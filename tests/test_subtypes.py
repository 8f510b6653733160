"""Consensus clusters: those that are there, none where there are none, and the same k-means."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_medsel.multimodal import MultimodalCox
from sklearn_medsel.multimodal._consensus import (
    ambiguous_share,
    batched_kmeans,
    cluster_subsamples,
    consensus_labels,
    consensus_matrix,
    dispersion,
    draw_subsamples,
)
from sklearn_medsel.multimodal._subtype_references import FlatReference, SkewedReference
from sklearn_medsel.multimodal._subtypes import SubtypeClusterer
from sklearn_medsel.survival import logrank_test, make_survival_y


@parametrize_with_checks([SubtypeClusterer()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def blobs(n_clusters=3, n=90, d=5, apart=5.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_clusters
    return rng.normal(size=(n, d)) + apart * np.eye(d)[labels], labels


@pytest.mark.parametrize("n_clusters", [2, 3, 4, 5])
def test_finds_the_clusters_that_are_there(n_clusters):
    X, labels = blobs(n_clusters)
    clusterer = SubtypeClusterer(random_state=0).fit(X)
    assert clusterer.n_clusters_ == n_clusters
    assert clusterer.structured_
    assert clusterer.pvalue_ < 0.01
    assert clusterer.finding_.startswith(f"{n_clusters} clusters: ")
    assert adjusted_rand_score(labels, clusterer.labels_) > 0.95
    assert clusterer.stability_["within"].min() > 0.85
    assert clusterer.stability_["between"].max() < 0.1
    assert np.diff(clusterer.stability_["n_patients"]).max() <= 0
    np.testing.assert_array_equal(clusterer.predict(X), clusterer.labels_)


@pytest.mark.parametrize("kind", ["normal", "uniform", "long", "tailed"])
def test_says_so_where_there_are_none(kind):
    n_found = 0
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = {
            "normal": lambda rng: rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)),
            "uniform": lambda rng: rng.uniform(size=(60, 2)),
            "long": lambda rng: rng.normal(size=(60, 8)) * np.geomspace(10, 0.1, 8),
            "tailed": lambda rng: rng.standard_t(4, size=(60, 6)),
        }[kind](rng)
        clusterer = SubtypeClusterer(random_state=seed).fit(X)
        n_found += clusterer.structured_
    assert n_found == 0


def test_tight_but_unsteady_clusters_do_not_count():
    # a ring: k-means cuts it anywhere, into pieces tighter than those of a square
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 200)
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(scale=0.05, size=(200, 2))
    table = SubtypeClusterer(random_state=0).fit(ring).pac_
    unsteady = table["gain"] <= 0
    assert (table["dispersion"] < table["reference_dispersion"])[unsteady].any()
    assert (table["pvalue"][unsteady] == 1).all()


def test_no_clusters_in_words():
    X = np.random.default_rng(50).normal(size=(60, 6))
    clusterer = SubtypeClusterer(random_state=0).fit(X)
    assert (clusterer.n_clusters_, clusterer.labels_.max()) == (1, 0)
    assert clusterer.finding_.startswith("No clusters found")
    asked = SubtypeClusterer(3, random_state=0).fit(X)
    assert asked.n_clusters_ == 3
    assert "the data show none" in asked.finding_


def test_batched_kmeans_is_as_good_as_that_of_scikit_learn():
    X, _ = blobs(5, n=150, apart=3.0)
    X = X - X.mean(axis=0)
    rng = np.random.default_rng(0)
    member = draw_subsamples(150, 60, 0.8, rng)
    assert (member.sum(axis=1) == 120).all()
    labels = batched_kmeans(X, member, 5, rng)

    def inertia(rows, found):
        return sum(((rows[found == k] - rows[found == k].mean(0)) ** 2).sum() for k in range(5))

    ours = [inertia(X[drawn], found[drawn]) for drawn, found in zip(member, labels, strict=True)]
    theirs = [
        KMeans(5, n_init=1, random_state=seed).fit(X[drawn]).inertia_
        for seed, drawn in enumerate(member[:30])
    ]
    assert np.mean(ours) < 1.05 * np.mean(theirs)
    for drawn, found in zip(member, labels, strict=True):  # Lloyd's algorithm has come to rest
        centres = np.array([X[drawn & (found == k)].mean(axis=0) for k in range(5)])
        nearest = ((X[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        np.testing.assert_array_equal(nearest, found)
    share = dispersion(X, np.where(member, labels, -1))
    total = [((X[drawn] - X[drawn].mean(axis=0)) ** 2).sum() for drawn in member]
    assert share == pytest.approx(np.mean(np.array(ours) / total))


def test_consensus_by_hand():
    labels = np.array([[0, 0, 1, -1], [1, 1, -1, 0], [0, 1, 1, 1]])
    expected = [[1, 2 / 3, 0, 0], [2 / 3, 1, 0.5, 0.5], [0, 0.5, 1, 1], [0, 0.5, 1, 1]]
    found = consensus_matrix(labels)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert ambiguous_share(found) == pytest.approx(3 / 6)
    np.testing.assert_array_equal(consensus_labels(found, 2), [0, 0, 1, 1])


def test_kmeans_survives_repeated_samples():
    X = np.repeat([[0.0, 1.0], [1.0, 0.0]], 6, axis=0)
    member = np.ones((4, 12), bool)
    labels = cluster_subsamples(X, member, 4, np.random.default_rng(0))
    assert labels.min() >= 0
    assert (labels[:, :6] == labels[:, :1]).all()
    assert (labels[:, 0] != labels[:, 6]).all()


def test_flat_reference_has_the_covariance_of_the_data():
    X, _ = blobs()
    X = X - X.mean(axis=0)
    null = FlatReference(X).draw(np.random.default_rng(0))
    expected = np.linalg.svd(X, compute_uv=False) ** 2 / (len(X) - 1)
    np.testing.assert_allclose(null.var(axis=0, ddof=1), expected)


def skewed(rng, n, p):
    """Concentrations that go together: log-normal, with one factor."""
    return np.exp(np.sqrt(0.7) * rng.normal(size=(n, 1)) + np.sqrt(0.3) * rng.normal(size=(n, p)))


def test_skewed_reference_has_the_skews_variances_and_rank_correlations_of_the_data():
    X = skewed(np.random.default_rng(0), 400, 3)
    X[:, 1] *= -2
    X[:, 2] = np.log(X[:, 2])
    X = X - X.mean(axis=0)
    reference, rng = SkewedReference(X), np.random.default_rng(1)
    draws = [reference.draw(rng) for _ in range(20)]
    np.testing.assert_allclose(draws[0].std(axis=0), X.std(axis=0))
    correlations = np.mean([spearmanr(draw).statistic for draw in draws], axis=0)
    np.testing.assert_allclose(correlations, spearmanr(X).statistic, atol=0.03)
    asymmetry = np.median([np.median(draw, axis=0) for draw in draws], axis=0)
    np.testing.assert_allclose(asymmetry, np.median(X, axis=0), atol=0.15 * X.std(axis=0).max())


def test_skewed_reference_of_more_columns_than_patients():
    X = skewed(np.random.default_rng(0), 30, 200)
    X = X - X.mean(axis=0)
    draw = SkewedReference(X).draw(np.random.default_rng(0))
    assert draw.shape == (30, 30)
    assert np.square(draw).sum() == pytest.approx(np.square(X).sum())


@pytest.mark.parametrize("seed", [0, 1])
def test_columns_skewed_together_are_no_clusters(seed):
    X = skewed(np.random.default_rng(seed), 120, 6)
    clusterer = SubtypeClusterer(max_clusters=5, random_state=0).fit(X)
    assert not clusterer.structured_


def test_survival_is_compared_and_does_not_make_the_labels():
    X, labels = blobs(2)
    rng = np.random.default_rng(0)
    y = make_survival_y(rng.random(90) < 0.8, rng.exponential(np.where(labels == 0, 1, 5)))
    with_y = SubtypeClusterer(random_state=0).fit(X, y)
    without = SubtypeClusterer(random_state=0).fit(X)
    np.testing.assert_array_equal(with_y.labels_, without.labels_)
    assert without.logrank_ is None
    assert with_y.logrank_ == logrank_test(y, with_y.labels_)
    assert with_y.logrank_.pvalue < 1e-4


def test_representation():
    X, labels = blobs(3, d=3)
    frame = (
        pd.DataFrame(X)
        .add_prefix("g")
        .assign(noise=np.random.default_rng(1).normal(scale=100, size=90))
    )
    scaled = make_pipeline(StandardScaler(), PCA(3, random_state=0))
    clusterer = SubtypeClusterer(representation=scaled, random_state=0).fit(frame)
    assert adjusted_rand_score(labels, clusterer.labels_) > 0.9
    assert clusterer.cluster_centers_.shape == (3, 3)
    assert not hasattr(scaled[0], "mean_")
    np.testing.assert_array_equal(clusterer.predict(frame), clusterer.labels_)
    again = SubtypeClusterer(representation=scaled.fit(frame), random_state=0).fit(frame)
    assert again.representation_ is scaled
    np.testing.assert_array_equal(again.labels_, clusterer.labels_)
    with pytest.raises(ValueError, match="needs a target to be fitted"):
        SubtypeClusterer(representation=LinearDiscriminantAnalysis()).fit(frame)


def test_more_columns_than_patients_and_patient_stability():
    X, labels = blobs(2, n=40, d=300, apart=25.0)
    clusterer = SubtypeClusterer(random_state=0).fit(X)
    assert adjusted_rand_score(labels, clusterer.labels_) == 1
    assert clusterer.cluster_centers_.shape == (2, 300)
    own = clusterer.consensus_[5][(clusterer.labels_ == clusterer.labels_[5])]
    expected = (own.sum() - clusterer.consensus_[5, 5]) / (own.size - 1)
    assert clusterer.patient_stability_[5] == pytest.approx(expected)


@pytest.mark.parametrize("centres", [[[0, 0], [5, 1]], [[0], [1], [7]], [[2, 3]]])
def test_no_more_clusters_than_different_patients(centres):
    X = np.repeat(np.array(centres, dtype=float), 25, axis=0)
    clusterer = SubtypeClusterer(random_state=0).fit(X)
    assert clusterer.n_clusters_ == len(centres)
    assert np.bincount(clusterer.labels_).tolist() == [25] * len(centres)
    with pytest.raises(ValueError, match=f"is more than the {len(centres)} different patients"):
        SubtypeClusterer(len(centres) + 1).fit(X)


def test_a_fit_that_fails_changes_nothing():
    rng = np.random.default_rng(0)
    X = np.repeat(np.eye(3)[:2] * 9, 20, axis=0) + rng.normal(size=(40, 3))
    model = SubtypeClusterer(2, n_resamples=5, n_references=2, random_state=0).fit(X)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="too many for subsamples"):
        model.set_params(n_clusters=35).fit(X[:, :2])
    assert vars(model) == before | {"n_clusters": 35}
    np.testing.assert_array_equal(np.bincount(model.predict(X)), [20, 20])


def test_survival_that_cannot_be_compared():
    X = np.repeat([[0.0], [9.0]], 20, axis=0) + np.arange(40)[:, None] / 100
    model = SubtypeClusterer(2, n_resamples=5, n_references=2, random_state=0)
    assert model.fit(X, make_survival_y(np.zeros(40), np.ones(40))).logrank_ is None
    unknown = pd.DataFrame({"event": 1, "time": np.where(np.arange(40) == 3, np.nan, 1.0)})
    with pytest.raises(ValueError, match="row 3"):
        model.set_params(n_clusters=1).fit(X, unknown)


def test_bad_input():
    X, _ = blobs()
    with pytest.raises(ValueError, match="n_clusters=80 is too many"):
        SubtypeClusterer(80).fit(X)
    with pytest.raises(ValueError, match="NaN"):
        SubtypeClusterer().fit(np.where(X > 6, np.nan, X))
    table = pd.DataFrame(X[:, :3], columns=["age", "crp", "psa"]).rename(index="p{}".format)
    with pytest.raises(ValueError, match="column 'crp' of X holds NaN at row 'p4'"):
        SubtypeClusterer().fit(table.assign(crp=table["crp"].mask(table.index == "p4")))
    with pytest.raises(ValueError, match="column 'psa' of X is not numeric") as raised:
        SubtypeClusterer().fit(table.assign(psa="secret"))
    assert "secret" not in str(raised.value)
    y = make_survival_y(np.ones(50, dtype=bool), np.arange(1.0, 51))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SubtypeClusterer().fit(X, y)
    with pytest.raises(ValueError, match="MultimodalCox needs a target to be fitted"):
        SubtypeClusterer(representation=MultimodalCox([("a", "table", ["age"])])).fit(table)
    with pytest.raises(NotFittedError):
        SubtypeClusterer().predict(X)
    few = SubtypeClusterer(random_state=0).fit(X[:5])
    assert few.finding_.startswith("Too few patients")
