"""Forward selection of the main effects that interactions are told apart from."""

import numpy as np
import pytest

from sklearn_medsel.multimodal._outcomes import Binary, Classes, Numbers, Survival
from sklearn_medsel.multimodal._ridge import newton
from sklearn_medsel.multimodal._stepwise import _Model, find_main_effects

KINDS = ["binary", "classes", "numbers", "survival"]
EVERYONE = np.arange(300)
FOLDS = [(np.setdiff1d(EVERYONE, part), part) for part in np.array_split(EVERYONE, 3)]


def draw(kind, *, n=300, p=100, effect=1.5, seed=0):
    """Features of which the first three matter, and an outcome."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    score = effect * (X[:, 0] - X[:, 1] + X[:, 2])
    if kind == "numbers":
        y = score + rng.normal(size=n)
        return X, Numbers((y - y.mean()) / y.std())
    noisy = score + rng.logistic(size=n)
    if kind == "binary":
        return X, Binary(noisy > 0)
    if kind == "classes":
        return X, Classes(np.digitize(noisy, [-1, 1]), 3)
    return X, Survival(rng.random(n) < 0.8, rng.exponential(np.exp(-score)) + 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_matters_is_found_and_little_else(kind):
    true, false = 0, 0
    for seed in range(5):
        found = find_main_effects(*draw(kind, seed=seed), FOLDS).features
        assert found.shape == (4, 100)
        true += found[-1, :3].sum()
        false += found[-1, 3:].sum()
    assert true == 15
    assert false <= (10 if kind == "classes" else 5)  # each class chooses for itself


@pytest.mark.parametrize("kind", KINDS)
def test_of_noise_little_is_chosen(kind):
    n_chosen = [
        find_main_effects(*draw(kind, effect=0.0, seed=seed), FOLDS).features[-1].sum()
        for seed in range(10)
    ]
    assert np.mean(n_chosen) < 3


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_of_patients_left_out(kind):
    """The outcome of a fold changes nothing in its own scores and features."""
    X, y = draw(kind)
    given = X.copy()
    before = find_main_effects(X, y, FOLDS)
    np.testing.assert_array_equal(X, given)
    mixed = EVERYONE.copy()
    mixed[:100] = np.random.default_rng(0).permutation(100)
    after = find_main_effects(X, y.take(mixed), FOLDS)
    np.testing.assert_array_equal(before.features[0], after.features[0])
    np.testing.assert_allclose(before.oof[:100], after.oof[:100])
    assert not np.allclose(before.oof[100:], after.oof[100:])
    nothing = np.zeros_like(before.oof)
    chance = y.row_losses(nothing + y.intercept(nothing)).mean()
    told = y.row_losses(before.oof + y.intercept(before.oof)).mean()
    assert told < 0.9 * chance


@pytest.mark.parametrize("kind", ["binary", "numbers", "survival"])
def test_gains_are_those_of_fits(kind):
    """Exact for numbers, where the loss is a parabola; near it where little is gained."""
    X, y = draw(kind, p=12, effect=0.3)
    X = X - X.mean(axis=0)
    model = _Model(X[:, :2], y, np.zeros(2 + y.has_intercept))

    def objective(chosen):
        rows = np.column_stack([X[:, chosen], np.ones((300, int(y.has_intercept)))])
        penalty = np.array([1.0] * len(chosen) + [1e-8] * y.has_intercept)
        coef = newton(rows, y, np.zeros(300), penalty, np.zeros(len(penalty)))
        return y.row_losses((rows @ coef)[:, None]).sum() + (penalty * coef**2).sum() / 2

    gained = [2 * (objective([0, 1]) - objective([0, 1, j])) for j in range(2, 12)]
    rtol = 1e-6 if kind == "numbers" else 0.1
    np.testing.assert_allclose(model.gains(X[:, 2:]), gained, rtol=rtol, atol=1e-3)


def test_classes_that_a_feature_parts_do_not_run_away():
    X = np.random.default_rng(0).normal(size=(300, 5))
    main = find_main_effects(X, Binary(X[:, 3] > 0), FOLDS)
    assert main.features[:, 3].all()
    assert np.abs(main.oof).max() < 100


@pytest.mark.parametrize("kind", KINDS)
def test_features_that_never_change_are_not_chosen(kind):
    X, y = draw(kind, p=4)
    X[:, 3] = 7.0
    main = find_main_effects(X, y, FOLDS)
    assert not main.features[:, 3].any()
    assert main.features[-1, :3].all()


def test_a_fold_that_cannot_teach_says_nothing():
    X, _ = draw("survival")
    event = np.zeros(300, dtype=bool)
    event[:40] = True
    main = find_main_effects(X, Survival(event, np.exp(-X[:, 0])), FOLDS)
    assert not main.features[0].any()
    np.testing.assert_array_equal(main.oof[:100], 0)
    assert main.features[-1, 0]
