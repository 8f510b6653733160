"""DeepFeatureClassifier, DeepFeatureRegressor and DeepFeatureCox."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_medsel.feature_selection._predictors import (
    DeepFeatureClassifier,
    DeepFeatureCox,
    DeepFeatureRegressor,
)
from sklearn_medsel.survival import concordance_index, make_survival_y

PREDICTORS = {
    "classification": DeepFeatureClassifier,
    "regression": DeepFeatureRegressor,
    "survival": DeepFeatureCox,
}


def problem(task, n=100, p=40, seed=0):
    """Tables in which columns 3 and 7 act, in opposite directions."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    signal = 1.5 * X[:, 3] - 1.5 * X[:, 7]
    if task == "classification":
        return X, np.array(["no", "yes"])[(signal + 0.5 * rng.logistic(size=n) > 0).astype(int)]
    if task == "regression":
        return X, 100 + 10 * signal + rng.standard_normal(n)
    time = np.ceil(10 * rng.exponential(np.exp(-signal)))
    return X, make_survival_y(rng.random(n) < 0.8, time)


@pytest.fixture(params=list(PREDICTORS))
def task(request):
    return request.param


@parametrize_with_checks(
    [
        DeepFeatureClassifier(),
        DeepFeatureRegressor(),
        DeepFeatureClassifier((), class_weight="balanced", max_epochs=30),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_fits_and_finds_the_true_columns(task):
    X, y = problem(task, n=200)
    before = torch.random.get_rng_state()
    model = PREDICTORS[task](random_state=0).fit(X, y)
    assert torch.equal(before, torch.random.get_rng_state())
    floor = {"classification": 0.8, "regression": 0.9, "survival": 0.75}[task]
    assert model.score(*problem(task, n=500, seed=1)) > floor
    assert set(np.argsort(-model.feature_importances_)[:2]) == {3, 7}
    assert (model.feature_importances_ >= 0).all()
    assert model.effects_[3] > 0 > model.effects_[7]
    assert model.selection_weights_.shape == model.feature_importances_.shape == (40,)
    if task == "regression":
        assert model.effects_[3] == pytest.approx(15, rel=0.2)  # in the unit of y


def test_fit_is_idempotent_clonable_and_picklable(task):
    X, y = problem(task)
    model = PREDICTORS[task](random_state=0, max_epochs=20)
    with pytest.raises(NotFittedError):
        model.predict(X)
    first = model.fit(X, y).predict(X)
    np.testing.assert_array_equal(first, model.fit(X, y).predict(X))
    np.testing.assert_array_equal(first, clone(model).fit(X, y).predict(X))
    before = model.__dict__.copy()
    np.testing.assert_array_equal(first, pickle.loads(pickle.dumps(model)).predict(X))
    assert model.__dict__.keys() == before.keys()
    assert model.set_params(**model.get_params()) is model
    assert model.n_features_in_ == 40


def test_pickle_holds_the_weights_and_little_else():
    X, y = problem("classification", p=2000)
    model = DeepFeatureClassifier(random_state=0, max_epochs=2).fit(X.astype("f4"), y)
    # 19 numbers of 4 bytes per column for the network, 5 of 8 bytes for the attributes
    assert len(pickle.dumps(model)) < 2000 * (19 * 4 + 6 * 8) + 20_000


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_backends_agree(task, backend):
    X, y = problem(task)
    model = PREDICTORS[task](random_state=0, max_epochs=20, batch_size=32, dropout=0.2)
    here = model.fit(X, y).predict(X)
    fitted = Parallel(n_jobs=2, backend=backend)(delayed(clone(model).fit)(X, y) for _ in range(3))
    for other in fitted:
        np.testing.assert_array_equal(here, other.predict(X))


def test_select_from_model_and_permutation_importance(task):
    X, y = problem(task)
    model = PREDICTORS[task](random_state=0)
    selector = SelectFromModel(model, max_features=2, threshold=-np.inf).fit(X, y)
    assert set(np.flatnonzero(selector.get_support())) == {3, 7}
    result = permutation_importance(
        selector.estimator_, X, y, n_repeats=3, random_state=0
    ).importances_mean
    assert set(np.argsort(-result)[:2]) == {3, 7}


def test_pipeline_and_grid_search(task):
    X, y = problem(task, n=80)
    pipeline = make_pipeline(StandardScaler(), PREDICTORS[task](random_state=0, max_epochs=30))
    name = pipeline.steps[-1][0]
    search = GridSearchCV(pipeline, {f"{name}__alpha": [0.0, 1e-3]}, cv=2, error_score="raise").fit(
        X, y
    )
    assert search.predict(X).shape == (80,)
    assert search.best_score_ > 0.55


def test_scale_and_shift_of_columns_do_not_matter(task):
    X, y = problem(task)
    model = PREDICTORS[task](random_state=0, max_epochs=20)
    first = model.fit(X, y).predict(X)
    moved = X * np.logspace(-3, 3, 40) + 5
    second = model.fit(moved, y).predict(moved)
    if task == "classification":
        assert (first == second).all()
    else:
        np.testing.assert_allclose(first, second, rtol=1e-6)


def test_missing_values_and_constant_columns(task):
    X, y = problem(task)
    X[::7, 3] = np.nan
    X[:, 5] = np.nan
    X[:, 6] = 0.1
    model = PREDICTORS[task](random_state=0).fit(X, y)
    assert model.center_[3] == pytest.approx(np.nanmean(X[:, 3]))
    assert model.scale_[5] == model.scale_[6] == 1
    assert set(np.argsort(-model.feature_importances_)[:2]) == {3, 7}
    assert model.predict(X[:3]).shape == (3,)


def test_sparse_and_frames_and_float32(task):
    X, y = problem(task)
    X[X < 0.5] = 0
    model = PREDICTORS[task](random_state=0, max_epochs=10)
    dense = model.fit(X, y).predict(X)
    np.testing.assert_array_equal(dense, model.fit(sparse.csr_array(X), y).predict(X))
    frame = pd.DataFrame(X, columns=[f"g{k}" for k in range(40)])
    np.testing.assert_array_equal(dense, model.fit(frame, y).predict(frame))
    assert list(model.feature_names_in_) == list(frame)
    assert model.fit(X.astype("f4"), y).dtype_ == "float32"
    assert model.fit(frame.astype("f4"), y).weights_["select.weight"].dtype == np.float32


def test_rows_of_weight_zero_are_not_there(task):
    X, y = problem(task)
    weight = np.ones(100)
    weight[:20] = 0
    model = PREDICTORS[task](random_state=0, max_epochs=20)
    weighted = model.fit(X, y, sample_weight=weight)._outputs(X)
    without = model.fit(X[20:], y[20:])._outputs(X)
    np.testing.assert_allclose(weighted, without, rtol=1e-6, atol=1e-9)


def test_penalty_switches_columns_off(task):
    X, y = problem(task)
    model = PREDICTORS[task](alpha=0, random_state=0).fit(X, y)
    assert (model.selection_weights_ != 0).all()
    model = PREDICTORS[task](alpha=0.2, learning_rate=0.1, max_epochs=200, random_state=0).fit(X, y)
    off = model.selection_weights_ == 0
    assert off.mean() > 0.1
    assert not off[[3, 7]].any()
    changed = X.copy()
    changed[:, off] = 0
    np.testing.assert_allclose(model._outputs(X), model._outputs(changed))


def test_early_stopping(task):
    X, y = problem(task)
    model = PREDICTORS[task](
        validation_fraction=0.3, n_iter_no_change=5, max_epochs=400, random_state=0
    ).fit(X, y)
    assert model.n_iter_ < 400
    assert len(model.validation_curve_) == len(model.loss_curve_) == model.n_iter_


def test_warm_start_goes_on(task):
    X, y = problem(task)
    model = PREDICTORS[task](warm_start=True, max_epochs=20, random_state=0).fit(X, y)
    before = model.loss_curve_[-1]
    model.fit(X, y)
    assert model.n_iter_ == 40
    assert model.loss_curve_[-1] < before


def test_class_weight_moves_the_boundary():
    X, y = make_classification(
        n_samples=200, weights=[0.9], flip_y=0.1, class_sep=0.5, random_state=0
    )
    plain = DeepFeatureClassifier(random_state=0).fit(X, y)
    balanced = DeepFeatureClassifier(class_weight="balanced", random_state=0).fit(X, y)
    given = DeepFeatureClassifier(class_weight={0: 1, 1: 50}, random_state=0).fit(X, y)
    shares = [model.predict_proba(X)[:, 1].mean() for model in (plain, balanced, given)]
    assert shares == sorted(shares)
    assert shares[1] > shares[0] + 0.03


def test_several_classes_and_outputs():
    X, _ = problem("classification")
    labels = np.array(list("abc"))[np.argmax(X[:, :3], axis=1)]
    model = DeepFeatureClassifier(random_state=0).fit(X, labels)
    assert model.predict_proba(X).shape == model.decision_function(X).shape == (100, 3)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, labels) > 0.95
    assert model.effects_.shape == (40, 3)
    assert (model.effects_[:3].argmax(axis=1) == [0, 1, 2]).all()
    targets = np.column_stack([X[:, 0], 1000 * X[:, 1]])
    model = DeepFeatureRegressor(random_state=0).fit(X, targets)
    assert model.predict(X).shape == (100, 2)
    assert model.score(X, targets) > 0.9
    assert model.effects_.shape == (40, 2)
    assert model.effects_[1, 1] == pytest.approx(1000 * X[:, 1].std(), rel=0.2)


def test_cox_score_is_the_concordance_and_takes_frames():
    X, y = problem("survival")
    model = DeepFeatureCox(random_state=0).fit(X, y)
    assert model.score(X, y) == concordance_index(y, model.predict(X)) > 0.75
    frame = pd.DataFrame({"Time": y["time"], "EVENT": y["event"].astype(int)})
    other = DeepFeatureCox(random_state=0).fit(X, frame)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    assert other.score(X, frame) == model.score(X, y)


def test_bad_input():
    X, y = problem("classification")
    survival = problem("survival")[1]
    with pytest.raises(ValueError, match="one class only"):
        DeepFeatureClassifier().fit(X, np.full(100, "yes"))
    with pytest.raises(ValueError, match="infinity"):
        DeepFeatureClassifier().fit(np.where(X > 2.5, np.inf, X), y)
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        DeepFeatureClassifier((16, 0)).fit(X, y)
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        DeepFeatureClassifier((2.5,)).fit(X, y)
    with pytest.raises(ValueError, match="no events"):
        DeepFeatureCox().fit(X, make_survival_y(np.zeros(100, bool), survival["time"]))
    with pytest.raises(ValueError, match="requires y"):
        DeepFeatureCox().fit(X, None)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        DeepFeatureCox().fit(X[:50], survival)
    with pytest.raises(ValueError, match="every sample with an event"):
        DeepFeatureCox().fit(X, survival, sample_weight=1.0 - survival["event"])
    with pytest.raises(ValueError, match="not available"):
        DeepFeatureCox(device="meta").fit(X, survival)
    warm = DeepFeatureClassifier(warm_start=True, max_epochs=2).fit(X, y)
    with pytest.raises(ValueError, match="warm_start=False"):
        warm.fit(X, np.where(np.arange(100) < 5, "perhaps", y))
    warm = DeepFeatureRegressor(warm_start=True, max_epochs=2).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="warm_start=False"):
        warm.fit(X, X[:, :2])
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        DeepFeatureRegressor((4,), warm_start=True).fit(X, X[:, 0]).set_params(
            hidden_layer_sizes=(5,)
        ).fit(X, X[:, 0])


def test_no_worse_than_ridge_on_real_genes(omics):
    data = omics("dma_alon")
    X, y = data.X.to_numpy(), data.y
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    ridge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    scores = [
        cross_val_score(model, X, y, cv=cv, scoring="balanced_accuracy").mean()
        for model in (ridge, DeepFeatureClassifier(random_state=0))
    ]
    assert scores[1] > scores[0] - 0.05
