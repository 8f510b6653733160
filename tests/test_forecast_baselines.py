"""Baselines of forecasting: what they predict, and that they are causal and relative."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_medsel.datasets import make_breathing
from sklearn_medsel.forecasting import CineSequence, TumourPositionForecaster
from sklearn_medsel.forecasting._baselines import (
    LSTMForecaster,
    PersistenceForecaster,
    baseline_forecasters,
)

AXES = ["x", "y", "z"]
HORIZONS = (0.4, 0.8)


@pytest.fixture(scope="module")
def breathing():
    return make_breathing(n_patients=3, duration=40, rate=5, random_state=0)


@pytest.fixture(scope="module")
def lstm(breathing):
    seen = breathing.groups < 2
    return LSTMForecaster(HORIZONS, random_state=0).fit(breathing.X[seen])


def new_patient(breathing):
    return breathing.X[breathing.groups == 2].reset_index(drop=True)


def test_names_and_horizons():
    forecasters = baseline_forecasters(HORIZONS, interval=0.1, random_state=3)
    assert list(forecasters) == ["persistence", "ridge alone", "LSTM"]
    assert all(each.horizons == HORIZONS for each in forecasters.values())
    assert all(each.interval == 0.1 for each in forecasters.values())
    assert forecasters["ridge alone"].experts == ("ridge",)


def test_persistence_repeats_the_last_known_position(breathing):
    X = new_patient(breathing)
    X.loc[:1, AXES] = np.nan
    X.loc[20:21, "y"] = np.nan
    X.loc[50:59, AXES] = np.nan
    found = PersistenceForecaster(HORIZONS).fit(breathing.X).predict(X)
    assert found.shape == (len(X), 6)
    np.testing.assert_array_equal(found[:, :3], found[:, 3:])
    expected = X[AXES].where(X[AXES].notna().all(axis=1)).ffill().to_numpy()
    expected[55:60] = np.nan  # more than a second after the last one
    np.testing.assert_array_equal(found[:, :3], expected)


def test_persistence_scores_as_by_hand(breathing):
    X = new_patient(breathing)
    position = X[AXES].to_numpy()
    errors = [np.linalg.norm(position[n:] - position[:-n], axis=1) for n in (2, 4)]
    expected = -np.mean([np.sqrt(np.mean(error**2)) for error in errors])
    score = PersistenceForecaster(HORIZONS).fit(X).score(X)
    assert score == pytest.approx(expected, rel=1e-12)
    assert score == pytest.approx(
        PersistenceForecaster(HORIZONS).fit(X).score(X, position), rel=1e-12
    )


def test_lstm_beats_persistence_on_a_new_patient(breathing, lstm):
    X = new_patient(breathing)
    persistence = PersistenceForecaster(HORIZONS).fit(X).score(X)
    assert lstm.score(X) > 0.9 * persistence  # scores are negative: a smaller error


def test_lstm_is_causal(breathing, lstm):
    X = new_patient(breathing)
    found = lstm.predict(X)
    changed = X.copy()
    changed.loc[101:103, AXES] = np.nan
    changed.loc[104:, AXES] = 30.0
    again = lstm.predict(changed)
    np.testing.assert_array_equal(again[:101], found[:101])
    assert (np.abs(again[104:] - found[104:]) > 1).any()
    # where the position is unknown, nothing later is looked at either
    np.testing.assert_array_equal(lstm.predict(changed[:104]), again[:104])


def test_lstm_is_relative(breathing, lstm):
    X = new_patient(breathing)
    shifted = X.assign(x=X["x"] + 64.0, z=X["z"] - 32.0)
    shift = np.tile([64.0, 0.0, -32.0], 2)
    np.testing.assert_allclose(lstm.predict(shifted), lstm.predict(X) + shift, atol=1e-4)


def test_windows_end_at_recordings(breathing, lstm):
    both = breathing.X[breathing.groups > 0]
    alone = np.vstack([lstm.predict(part) for _, part in both.groupby("patient")])
    np.testing.assert_array_equal(lstm.predict(both), alone)


def test_lstm_can_be_seeded_copied_and_stored(breathing, lstm):
    X = new_patient(breathing)
    again = clone(lstm).fit(breathing.X[breathing.groups < 2])
    np.testing.assert_array_equal(again.predict(X), lstm.predict(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lstm)).predict(X), lstm.predict(X))
    assert all(isinstance(value, np.ndarray) for value in lstm.weights_.values())


def test_plain_arrays_and_other_targets(breathing):
    X = new_patient(breathing)[AXES].to_numpy()
    model = LSTMForecaster((0.4,), max_epochs=1, interval=0.2, random_state=0)
    y = X.copy()
    y[30:40] = np.nan
    assert model.fit(X, y).predict(X[:7]).shape == (7, 3)
    table = pd.DataFrame(X, columns=AXES).assign(t=np.arange(len(X)) * 0.2)
    np.testing.assert_allclose(model.predict(table), model.predict(X), atol=1e-5)


@pytest.mark.parametrize("model", [PersistenceForecaster(), LSTMForecaster(max_epochs=1)])
def test_bad_input(model, breathing):
    X = new_patient(breathing)
    with pytest.raises(ValueError, match="horizons must be one or more numbers"):
        clone(model).set_params(horizons=(0.5, -1.0)).fit(X)
    with pytest.raises(ValueError, match="frames"):
        clone(model).fit(CineSequence(np.zeros((9, 1, 8, 8)), np.arange(9.0), planes="axial"))
    fitted = clone(model).fit(X)
    with pytest.raises(ValueError, match=r"2 coordinate\(s\), and training had 3"):
        fitted.predict(X[["t", "x", "y"]])


def test_no_known_future(breathing):
    with pytest.raises(ValueError, match="whose future is known"):
        LSTMForecaster((5.0,)).fit(new_patient(breathing)[:20])


def test_the_ridge_alone_is_an_expert_of_the_forecaster():
    ridge = baseline_forecasters()["ridge alone"]
    assert isinstance(ridge, TumourPositionForecaster)
