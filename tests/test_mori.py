"""The engine of ``method="mori"``."""

import numpy as np
import pytest
import torch
from joblib import parallel_config

from sklearn_medsel.feature_selection import _mori
from sklearn_medsel.feature_selection._mori import train_repeats

FIELDS = ("selection_weights", "importances", "effects", "outputs", "losses", "oob_losses")


def problem(task, n=60, p=90, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)).astype(dtype)
    signal = 1.5 * X[:, 3] - 1.5 * X[:, 7]
    if task == "classification":
        return X, (signal + rng.logistic(size=n) > 0).astype(int)
    if task == "regression":
        return X, np.column_stack([signal, 10 * X[:, 3]]) + 5
    time = np.ceil(10 * rng.exponential(np.exp(-signal)))
    return X, np.column_stack([time, rng.random(n) < 0.8]).astype(float)


def assert_same(one, other):
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("task", ["classification", "regression", "survival"])
@pytest.mark.parametrize(
    "shape", [(41, 70, (16,)), (200, 1100, (16,)), (64, 70, (1,)), (30, 65, (3, 5))]
)
def test_a_repeat_alone_has_the_bits_it_has_in_a_block(task, dtype, shape):
    n, p, hidden = shape
    X, y = problem(task, n, p, dtype)
    weight = np.random.default_rng(1).poisson(1, (n, 5)).astype(float)
    settings = {"task": task, "hidden_layer_sizes": hidden, "max_epochs": 15, "screen": None}
    together = train_repeats(X, y, seeds=[5, 6, 7, 8, 9], sample_weight=weight, **settings)
    for repeat in (0, 3, 4):
        alone = train_repeats(
            X, y, seeds=[5 + repeat], sample_weight=weight[:, [repeat]], **settings
        )
        for field in FIELDS:
            np.testing.assert_array_equal(
                getattr(together, field)[repeat], getattr(alone, field)[0], err_msg=field
            )


def test_penalty_gives_exact_zeros():
    X, y = problem("classification")
    free = train_repeats(X, y, task="classification", seeds=[0], alpha=0)
    assert (free.selection_weights != 0).all()
    sparse = train_repeats(X, y, task="classification", seeds=[0], alpha=0.2)
    zero = sparse.selection_weights == 0
    assert zero.mean() > 0.2
    assert not zero[0, [3, 7]].any()
    assert not sparse.importances[zero].any()


def test_blocks_change_nothing(monkeypatch):
    X, y = problem("classification")
    together = train_repeats(X, y, task="classification", seeds=list(range(7)), max_epochs=20)
    monkeypatch.setattr(_mori, "_MAX_BLOCK", 3)
    assert_same(
        together, train_repeats(X, y, task="classification", seeds=list(range(7)), max_epochs=20)
    )


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_every_backend_gives_the_same_bits(backend, monkeypatch):
    monkeypatch.setattr(_mori, "_MAX_BLOCK", 2)
    X, y = problem("classification", n=80, p=300)
    settings = {"task": "classification", "seeds": list(range(5)), "max_epochs": 20}
    here = train_repeats(X, y, **settings)
    threads = torch.get_num_threads()
    with parallel_config(backend=backend, n_jobs=2):
        assert_same(here, train_repeats(X, y, n_jobs=2, **settings))
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("task", ["classification", "regression", "survival"])
def test_true_inputs_are_found_with_their_sign(task):
    X, y = problem(task, n=150)
    before = torch.random.get_rng_state()
    repeats = train_repeats(X, y, task=task, seeds=[0, 1, 2])
    assert torch.equal(before, torch.random.get_rng_state())
    best = np.argsort(-repeats.importances.mean(axis=0))[:2]
    assert set(best) == {3, 7}
    effects = repeats.effects.mean(axis=0)
    if task == "regression":
        assert effects[3, 1] > 5 * effects[3, 0] > 0  # in the unit of each output
        effects = effects[:, 0]
    assert effects[3] > 0 > effects[7]


def test_a_zero_weight_hides_a_row_and_scores_it():
    X, y = problem("classification", n=100)
    weight = np.ones((100, 2))
    weight[:30, 0] = 0
    repeats = train_repeats(X, y, task="classification", seeds=[0, 1], sample_weight=weight)
    spoiled = X.copy()
    spoiled[:30] = 2.0
    again = train_repeats(spoiled, y, task="classification", seeds=[0, 1], sample_weight=weight)
    np.testing.assert_array_equal(repeats.selection_weights[0], again.selection_weights[0])
    assert not np.array_equal(repeats.selection_weights[1], again.selection_weights[1])
    logits = repeats.outputs[0, :30]
    wanted = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(30), y[:30]]
    assert repeats.oob_losses[0] == pytest.approx(wanted.mean())
    assert np.isnan(repeats.oob_losses[1])


@pytest.mark.parametrize("task", ["classification", "regression", "survival"])
def test_screen_keeps_true_inputs_and_reports_no_oob_loss(task):
    X, y = problem(task, n=150)
    X[:, 11] = 0.0  # a constant column is not an error
    weight = np.ones(150)
    weight[:10] = 0
    repeats = train_repeats(X, y, task=task, seeds=[0], screen=10, sample_weight=weight)
    assert len(repeats.columns) == 10
    assert {3, 7} <= set(repeats.columns)
    assert 11 not in repeats.columns
    dropped = np.setdiff1d(np.arange(90), repeats.columns)
    assert not repeats.importances[:, dropped].any()
    assert np.isnan(repeats.oob_losses).all()


def test_dtype_is_that_of_x():
    X, y = problem("classification")
    settings = {"task": "classification", "seeds": [0], "max_epochs": 2}
    assert train_repeats(X, y, **settings).importances.dtype == np.float64
    assert train_repeats(X.astype("f4"), y, **settings).importances.dtype == np.float32
    assert train_repeats(X, y, dtype="float32", **settings).importances.dtype == np.float32


def test_bad_input():
    X, y = problem("classification")
    with pytest.raises(ValueError, match="at least one hidden layer"):
        train_repeats(X, y, task="classification", seeds=[0], hidden_layer_sizes=())
    with pytest.raises(ValueError, match="sample_weight has shape"):
        train_repeats(X, y, task="classification", seeds=[0], sample_weight=np.ones((3, 3)))
    weight = np.column_stack([np.ones(60), np.zeros(60)])
    with pytest.raises(ValueError, match="repeat 1 without any row"):
        train_repeats(X, y, task="classification", seeds=[0, 1], sample_weight=weight)
    with pytest.raises(ValueError, match="smaller learning_rate"):
        train_repeats(X, y, task="classification", seeds=[0], learning_rate=1e12)
    with pytest.raises(ValueError, match="not available"):
        train_repeats(X, y, task="classification", seeds=[0], device="meta")
