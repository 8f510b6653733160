"""Solvers of the fusion against other implementations: ridge, lasso, experts, weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import Lasso, LogisticRegression, Ridge

from sklearn_medsel.feature_selection._cox_linear import ridge_path as cox_ridge_path
from sklearn_medsel.multimodal._experts import combine, fit_expert, shrunken_weight
from sklearn_medsel.multimodal._inputs import Inputs
from sklearn_medsel.multimodal._lasso import lasso_paths
from sklearn_medsel.multimodal._outcomes import Binary, Classes, Numbers, Survival
from sklearn_medsel.multimodal._ridge import ridge_path
from sklearn_medsel.multimodal._selection import keep_exactly
from sklearn_medsel.multimodal._units import permuted, summed
from sklearn_medsel.survival._partial_likelihood import PartialLikelihood

KINDS = ["binary", "classes", "numbers", "survival"]
SHAPES = [(40, 6), (25, 60)]
PENALTIES = np.array([30.0, 3.0, 0.3])


def draw(n, p, kind="binary", seed=0, effect=1.0):
    """Features and an outcome that depends on the first of them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + rng.normal(size=p)
    score = effect * (X[:, 0] - X[:, 0].mean()) + rng.logistic(size=n) / 2
    if kind == "binary":
        return X, Binary(score > 0)
    if kind == "classes":
        return X, Classes(np.argsort(np.argsort(score)) * 3 // n, 3)
    if kind == "numbers":
        return X, Numbers((score - score.mean()) / score.std())
    return X, Survival(rng.random(n) < 0.7, np.exp(-score))


def objective(X, part, offset, coef, intercept, penalty):
    score = (X @ coef + intercept + offset)[:, None]
    return part.row_losses(score).sum() + penalty * (coef**2).sum() / 2


# --- ridge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_ridge_of_numbers_is_that_of_scikit_learn(n, p):
    X, y = draw(n, p, "numbers")
    coef, intercept = ridge_path(X, y, np.zeros((n, 1)), PENALTIES)
    for q, penalty in enumerate(PENALTIES):
        theirs = Ridge(penalty).fit(X, y.y)
        np.testing.assert_allclose(coef[q, :, 0], theirs.coef_, rtol=1e-6, atol=1e-8)
        assert intercept[q, 0] == pytest.approx(theirs.intercept_, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_ridge_of_classes_is_logistic_regression(n, p, kind):
    X, y = draw(n, p, kind)
    coef, intercept = ridge_path(X, y, np.zeros((n, y.n_outputs)), PENALTIES)
    for k, part in enumerate(y.parts()):
        for q, penalty in enumerate(PENALTIES):
            theirs = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-8).fit(
                X, part.y
            )
            np.testing.assert_allclose(coef[q, :, k], theirs.coef_[0], rtol=1e-2, atol=1e-3)
            best = objective(X, part, 0, theirs.coef_[0], theirs.intercept_[0], penalty)
            ours = objective(X, part, 0, coef[q, :, k], intercept[q, k], penalty)
            assert ours <= best * (1 + 1e-5)


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_ridge_of_survival_is_that_of_the_other_solver(n, p):
    X, y = draw(n, p, "survival")
    coef, _ = ridge_path(X, y, np.zeros((n, 1)), PENALTIES)
    likelihood = PartialLikelihood(y.event, y.time)
    theirs = cox_ridge_path(X - X.mean(axis=0), likelihood, PENALTIES)
    for ours, other, penalty in zip(coef[:, :, 0], theirs, PENALTIES, strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-2, atol=1e-3)
        best = likelihood.loss(X @ other) + penalty * (other**2).sum() / 2
        assert objective(X, y, 0, ours, 0, penalty) <= best * (1 + 1e-5)


@settings(max_examples=25)
@given(
    st.integers(8, 40),
    st.integers(1, 50),
    st.sampled_from(["binary", "numbers", "survival"]),
    st.floats(0.1, 100),
    st.integers(0, 1000),
)
def test_ridge_solutions_are_stationary(n, p, kind, penalty, seed):
    """Slope of the loss equals that of the penalty, whatever scores it starts from."""
    X, y = draw(n, p, kind, seed)
    if not y.can_teach():
        return
    offset = np.random.default_rng(seed).normal(size=(n, 1))
    coef, intercept = ridge_path(X, y, offset, np.array([penalty]))
    residual = y.residual(X @ coef[0] + intercept[0] + offset)
    centred = X - X.mean(axis=0)
    slack = 1e-2 * np.linalg.norm(centred, axis=0).max()
    np.testing.assert_allclose(centred.T @ residual, penalty * coef[0], atol=slack)
    if y.has_intercept:
        assert abs(residual.sum()) < 1e-2 * n


@pytest.mark.parametrize("kind", KINDS)
def test_ridge_of_constant_columns_is_zero(kind):
    _, y = draw(20, 3, kind)
    coef, intercept = ridge_path(np.ones((20, 3)), y, np.zeros((20, y.n_outputs)), PENALTIES)
    np.testing.assert_allclose(coef, 0, atol=1e-8)
    assert np.isfinite(intercept).all()


# --- outcomes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_residuals_are_minus_the_slope_of_the_loss(kind):
    _, y = draw(15, 2, kind)
    scores = np.random.default_rng(1).normal(size=(15, y.n_outputs))
    slope = np.zeros_like(scores)
    for at in np.ndindex(scores.shape):
        step = np.zeros_like(scores)
        step[at] = 1e-5
        up, down = (y.row_losses(scores + s).sum() for s in (step, -step))
        slope[at] = (up - down) / 2e-5
    np.testing.assert_allclose(y.residual(scores), -slope, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.1, 8.0])
def test_the_intercept_is_the_best_constant(kind, size):
    _, y = draw(60, 2, kind)
    scores = size * np.random.default_rng(1).normal(size=(60, y.n_outputs))
    constant = y.intercept(scores)
    assert constant.shape == (y.n_outputs,)
    if y.has_intercept:
        np.testing.assert_allclose(y.residual(scores + constant).sum(axis=0), 0, atol=1e-4)
    else:
        assert not constant.any()


@pytest.mark.parametrize("n_each", [(30, 2, 30), (70, 20, 10), (25, 25, 4, 4)])
@pytest.mark.parametrize("size", [0.0, 1.0, 4.0])
def test_the_intercept_of_classes_of_which_few_are_rare(n_each, size):
    labels = np.repeat(np.arange(len(n_each)), n_each)
    place = np.linspace(-1, 1, len(n_each))  # the classes have an order, as grades have
    scores = size * (place[labels] + np.random.default_rng(0).normal(size=len(labels)))
    scores = scores[:, None] * place
    y = Classes(labels, len(n_each))
    wrong = y.residual(scores + y.intercept(scores)).sum(axis=0)
    np.testing.assert_allclose(wrong, 0, atol=1e-6)


# --- experts -------------------------------------------------------------------------------------


def folds(n, n_folds=4):
    fold = np.arange(n) % n_folds
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(n_folds)], fold


@pytest.mark.parametrize("kind", KINDS)
def test_an_expert_says_of_a_fold_what_its_model_says(kind):
    X, y = draw(80, 10, kind)
    has = np.arange(80) % 7 > 0
    splits, fold = folds(80)
    expert = fit_expert(X, has, y, np.zeros((80, y.n_outputs)), splits, unit=np.ones(X.shape[1]))
    np.testing.assert_allclose(expert.fold_scores(X, has, fold), expert.oof, atol=1e-10)
    assert not expert.oof[~has].any()
    scores = expert.scores(X, has)
    assert not scores[~has].any()
    np.testing.assert_allclose(scores[has].mean(axis=0), 0, atol=1e-8)
    assert np.corrcoef(expert.oof[has, -1], scores[has, -1])[0, 1] > 0.7
    assert np.corrcoef(expert.oof[has, -1], X[has, 0])[0, 1] > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_patients_without_the_block_teach_an_expert_nothing(kind):
    X, y = draw(80, 10, kind)
    has = np.arange(80) % 7 > 0
    splits, _ = folds(80)
    other = X.copy()
    other[~has] = 50.0
    offset, unit = np.zeros((80, y.n_outputs)), np.ones(X.shape[1])
    first, second = (fit_expert(values, has, y, offset, splits, unit=unit) for values in (X, other))
    np.testing.assert_allclose(first.coef, second.coef, rtol=1e-8)
    np.testing.assert_allclose(first.oof, second.oof, rtol=1e-8)


def test_an_expert_uses_only_what_is_kept():
    X, y = draw(80, 10)
    splits, _ = folds(80)
    kept = np.ones((5, 10), dtype=bool)
    kept[1, 0] = kept[-1, 3] = False
    everyone, unit = np.ones(80, dtype=bool), np.ones(X.shape[1])
    expert = fit_expert(X, everyone, y, np.zeros((80, 1)), splits, kept, unit=unit)
    assert expert.fold_coef[1, 0] == 0
    assert expert.coef[3] == 0
    assert (expert.coef != 0).sum() == 9
    assert (expert.fold_coef != 0).sum() == 39


def test_an_expert_learns_what_is_left_over():
    X, y = draw(200, 4, "numbers", effect=2.0)
    splits, _ = folds(200)
    left = X[:, :1] - X[:, :1].mean()
    fitted = Ridge(1e-6).fit(left, y.y)
    known = fitted.predict(left)[:, None]
    expert = fit_expert(X, np.ones(200, dtype=bool), y, known, splits, sparse_odds=0)
    alone = fit_expert(X, np.ones(200, dtype=bool), y, 0 * known, splits, sparse_odds=0)
    assert np.abs(expert.coef[0]) < 0.1 * np.abs(alone.coef[0])


@pytest.mark.parametrize("unit", [None, np.ones(1)])
def test_an_expert_that_does_worse_than_chance_still_ranks_patients(unit):
    """As a base that shall be no more than a start."""
    X = np.random.default_rng(0).normal(size=(80, 1))
    _, fold = folds(80)
    y = np.where(fold % 2, -0.5, 1.0) * X[:, 0]
    halves = [(np.flatnonzero(fold % 2 != f), np.flatnonzero(fold % 2 == f)) for f in (0, 1)]
    outcome = Numbers(y - y.mean())
    expert = fit_expert(X, np.ones(80, dtype=bool), outcome, np.zeros((80, 1)), halves, unit=unit)
    assert np.corrcoef(expert.oof[:, 0], y)[0, 1] < 0
    assert expert.coef[0, 0] > 0


def test_lasso_models_find_the_few_that_matter():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 200))
    score = 2 * (X[:, 0] - X[:, 1])
    y = Binary(rng.random(240) < 1 / (1 + np.exp(-score)))
    learn, everyone = np.arange(120), np.ones(120, dtype=bool)
    start, (splits, _) = np.zeros((120, 1)), folds(120)
    ridge, both = (
        fit_expert(X[learn], everyone, y.take(learn), start, splits, sparse_odds=odds).coef[:, 0]
        for odds in (0, 1)
    )
    assert np.corrcoef(X[120:] @ ridge, score[120:])[0, 1] < 0.6
    assert np.corrcoef(X[120:] @ both, score[120:])[0, 1] > 0.8


# --- weights -------------------------------------------------------------------------------------


def experts(n, n_terms, kind, seed):
    rng = np.random.default_rng(seed)
    _, y = draw(n, 1, kind, seed)
    said = rng.normal(size=(n, y.n_outputs, n_terms)) * rng.uniform(0.1, 5, n_terms)
    said[:, :, 0] += 2 * y.residual(np.zeros((n, y.n_outputs)))
    return said, y


@settings(max_examples=25)
@given(st.integers(1, 4), st.sampled_from(KINDS), st.integers(0, 1000))
def test_weights_are_not_negative_and_the_best_such(n_terms, kind, seed):
    scores, y = experts(50, n_terms, kind, seed)
    offset = np.random.default_rng(seed + 1).normal(size=(50, y.n_outputs))
    weights, constant = combine(scores, y, offset)
    assert weights.shape == (n_terms,)
    assert constant.shape == (y.n_outputs,)
    assert (weights >= 0).all()
    size = np.sqrt((scores**2).mean(axis=(0, 1)))

    def loss(coef):
        total = offset + scores @ (coef[:n_terms] / size) + coef[n_terms:]
        return y.row_losses(total).sum() + (coef[:n_terms] ** 2).sum() / 2

    n_constants = y.n_outputs if y.has_intercept else 0
    if not n_constants:
        assert not constant.any()
    start = np.full(n_terms + y.n_outputs, 0.1)
    bounds = [(0, None)] * n_terms + [(None, None) if n_constants else (0, 0)] * y.n_outputs
    best = minimize(loss, start, method="SLSQP", bounds=bounds, options={"ftol": 1e-10}).fun
    assert loss(np.concatenate([weights * size, constant])) <= best + 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_an_expert_that_is_upside_down_gets_nothing(kind):
    scores, y = experts(80, 1, kind, 0)
    offset = np.zeros((80, y.n_outputs))
    assert combine(scores, y, offset)[0][0] > 0
    assert combine(-scores, y, offset)[0][0] == 0
    assert combine(-scores, y, offset, least=0.05)[0][0] > 0, "a base keeps its order"


def test_weights_follow_the_size_of_the_scores():
    scores, y = experts(80, 2, "binary", 0)
    weights, _ = combine(scores, y, np.zeros((80, 1)))
    louder, _ = combine(10 * scores, y, np.zeros((80, 1)))
    np.testing.assert_allclose(10 * louder, weights, rtol=1e-4, atol=1e-6)


def test_an_expert_that_says_nothing_gets_no_weight():
    scores, y = experts(80, 2, "binary", 0)
    scores[:, :, 1] = 0
    weights, _ = combine(scores, y, np.zeros((80, 1)))
    assert weights[0] > 0
    assert weights[1] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_gain_by_chance_is_not_added(kind):
    found = []
    for seed in range(10):
        _, y = draw(100, 1, kind, seed)
        noise = np.random.default_rng(seed + 100).normal(size=(100, y.n_outputs))
        found.append(shrunken_weight(y, np.zeros_like(noise), noise, np.arange(100)))
    assert np.mean(found) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_a_true_gain_is_added(kind):
    _, y = draw(200, 1, kind)
    nothing = np.zeros((200, y.n_outputs))
    gain = y.residual(nothing)
    share = shrunken_weight(y, nothing, gain, np.arange(200))
    assert 0.5 < share <= 1
    assert shrunken_weight(y, nothing, nothing, np.arange(200)) == 0


def test_a_share_is_drawn_by_one_and_a_half_of_its_standard_errors():
    rng = np.random.default_rng(0)
    gain = rng.normal(size=(500, 1))
    target = 0.6 * gain[:, 0] + rng.normal(size=500)
    y = Numbers(target - target.mean())
    gain -= gain.mean()
    best = gain[:, 0] @ y.y / (gain**2).sum()
    error = np.sqrt(((gain[:, 0] * (y.y - best * gain[:, 0])) ** 2).sum()) / (gain**2).sum()
    share = shrunken_weight(y, np.zeros((500, 1)), gain, np.arange(500))
    assert share == pytest.approx(best - 1.5 * error, abs=0.05)  # of steps of .05


def test_rows_of_one_patient_are_one_witness():
    many = np.repeat(np.arange(40), 6)
    bolder = 0
    for seed in range(8):
        _, y = draw(40, 1, seed=seed)
        nothing = np.zeros((40, 1))
        noise = np.random.default_rng(seed + 100).normal(size=(40, 1))
        gain = 0.5 * y.residual(nothing) + noise
        once = shrunken_weight(y, nothing, gain, np.arange(40))
        repeated, nothing, gain = y.take(many), nothing[many], gain[many]
        assert shrunken_weight(repeated, nothing, gain, many) == pytest.approx(once)
        bolder += shrunken_weight(repeated, nothing, gain, np.arange(240)) > once
    assert bolder, "rows that are taken for patients exaggerate"


# --- rows that belong together -------------------------------------------------------------------


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 100))
def test_units_change_places_whole(units, seed):
    units = np.array(units)
    drawn = permuted(units, np.random.RandomState(seed))
    for unit in np.unique(units):
        others = units[drawn[units == unit]]
        assert len(np.unique(others)) == 1, "rows of one unit are given rows of one unit"
    replaced = {units[drawn[units == unit]][0] for unit in units}
    assert replaced == set(units)


def test_sums_over_units():
    values = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(
        summed(values, np.array([5, 5, 1, 1, 1, 3])), [[9, 5, 1], [27, 11, 13]]
    )


# --- selection -----------------------------------------------------------------------------------


def side_by_side(n=100, sizes=(5, 20), seed=0, kind="numbers"):
    """Blocks, and an outcome of the second feature of each."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(len(sizes)), sizes)
    X = rng.normal(size=(n, sum(sizes)))
    first = np.cumsum([0, *sizes[:-1]]) + 1
    score = X[:, first].sum(axis=1) + 0.3 * rng.normal(size=n)
    X /= np.sqrt(np.array(sizes))[block]
    y = Binary(score > 0) if kind == "binary" else Numbers((score - score.mean()) / score.std())
    return Inputs(X, np.ones((n, len(sizes)), dtype=bool), block), y, first


@pytest.mark.parametrize("n_features", [1, 2, 7, 24, 25])
def test_exactly_as_many_as_asked_for_are_kept(n_features):
    inputs, y, first = side_by_side()
    kept = keep_exactly(inputs, y, np.arange(100), n_features)
    assert kept.dtype == bool
    assert kept.sum() == n_features
    assert kept[first].sum() == min(n_features, 2), "those that matter stay longest"


def test_other_rows_have_no_say_in_what_is_kept():
    inputs, y, _ = side_by_side()
    other = Numbers(np.where(np.arange(100) < 60, y.y, -5 * y.y[::-1]))
    kept = [keep_exactly(inputs, o, np.arange(60), 4) for o in (y, other)]
    np.testing.assert_array_equal(*kept)


# --- lasso ---------------------------------------------------------------------------------------


def test_lasso_agrees_with_scikit_learn():
    """Squared error, all patients: the last penalty is a tenth of the largest."""
    X, y = draw(120, 15, "numbers", effect=1.0)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    everyone, kept = np.ones((1, 120), dtype=bool), np.ones((1, 15), dtype=bool)
    coef = lasso_paths(X, y, np.zeros((120, 1)), everyone, kept, 8)
    alpha = np.abs(X.T @ (y.y - y.y.mean())).max() / 120
    for found, part in ((coef[0, -1, :, 0], 0.1), (coef[0, 0, :, 0], 0.9)):
        expected = Lasso(part * alpha, tol=1e-8).fit(X, y.y).coef_
        np.testing.assert_allclose(found, expected, atol=5e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_lasso_starts_from_the_offset(kind):
    """What the offset says already is not learnt again."""
    X, y = draw(200, 6, kind, effect=2.0)
    everyone, kept = np.ones((1, 200), dtype=bool), np.ones((1, 6), dtype=bool)
    nothing = np.zeros((200, y.n_outputs))
    first = lasso_paths(X, y, nothing, everyone, kept, 8)[0, -1]
    known = X @ ridge_path(X, y, nothing, np.array([1e-3]))[0][0]
    second = lasso_paths(X, y, known, everyone, kept, 8)[0, -1]
    assert np.linalg.norm(second) < np.linalg.norm(first) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_lasso_learns_from_its_own_patients_and_features(kind):
    X, y = draw(80, 6, kind)
    teaches = np.ones((2, 80), dtype=bool)
    teaches[0, :20] = False
    kept = np.ones((2, 6), dtype=bool)
    kept[0, 2] = False
    other = X.copy()
    other[:20] = 30.0
    offset = np.random.default_rng(0).normal(size=(2, 80, y.n_outputs))
    offset[1, 20:] = offset[0, 20:]
    first, second = (
        lasso_paths(v, y, start, teaches[:1], kept[:1], 5)
        for v, start in zip((X, other), offset, strict=True)
    )
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert np.all(first[0, :, 2] == 0)
    assert np.any(first[0, -1] != 0)
