"""Beyond one machine: a real Dask cluster gives the numbers of one process."""

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sklearn_medsel import DeepFeatureSelector

distributed = pytest.importorskip("distributed")

RESULTS = ("feature_importances_", "selection_frequencies_", "pvalues_", "decoy_importances_")


@pytest.fixture(scope="module")
def client():
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 60))
    return X, (3 * X[:, 0] - 3 * X[:, 1] + rng.logistic(size=40) > 0).astype(int)


def test_repeats_inside_one_selector(client, data):
    alone = DeepFeatureSelector(n_repeats=45, random_state=0).fit(*data)
    spread = DeepFeatureSelector(n_repeats=45, random_state=0, n_jobs=2)
    with joblib.parallel_config(backend="dask"):
        spread.fit(*data)
    for name in RESULTS:
        np.testing.assert_array_equal(getattr(spread, name), getattr(alone, name), err_msg=name)


def test_grid_search_of_a_pipeline(client, data):
    def search():
        pipeline = Pipeline(
            [
                ("select", DeepFeatureSelector(2, n_repeats=2, random_state=0)),
                ("classify", LogisticRegression()),
            ]
        )
        return GridSearchCV(pipeline, {"select__n_features_to_select": [1, 2, 8]}, cv=3, n_jobs=2)

    alone = search().set_params(n_jobs=None).fit(*data)
    with joblib.parallel_config(backend="dask"):
        spread = search().fit(*data)
    np.testing.assert_array_equal(
        spread.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    np.testing.assert_array_equal(
        spread.best_estimator_["select"].support_, alone.best_estimator_["select"].support_
    )
