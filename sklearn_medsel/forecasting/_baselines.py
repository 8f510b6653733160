"""What forecasts of breathing are compared with: it stays where it is, a ridge, and an LSTM."""

from sklearn_medsel.forecasting._baseline_lstm import LSTMForecaster
from sklearn_medsel.forecasting._baseline_persistence import PersistenceForecaster
from sklearn_medsel.forecasting._forecaster import TumourPositionForecaster

__all__ = ["LSTMForecaster", "PersistenceForecaster", "baseline_forecasters"]


def baseline_forecasters(horizons=(0.25, 0.5, 1.0), *, interval=0.2, random_state=None):
    """Forecasters of positions to compare with.

    - ``"persistence"``: the target stays where it is, `PersistenceForecaster`.
    - ``"ridge alone"``: the ridge regression of `TumourPositionForecaster`, which becomes the
      patient's own, without the other experts.
    - ``"LSTM"``: a recurrent network on the last 4 s, `LSTMForecaster`.

    They take positions, not frames.

    Parameters
    ----------
    horizons : sequence of float, default=(0.25, 0.5, 1.0)
        How far ahead to forecast, in s.
    interval : float, default=0.2
        Time between the rows of a plain array, in s.
    random_state : int, RandomState instance or None, default=None
        Seed of the ridge and the LSTM.

    Returns
    -------
    dict of str to estimator
        Not fitted; with ``fit``, ``predict`` and ``score`` as `TumourPositionForecaster` has them.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_breathing
    >>> from sklearn_medsel.forecasting._baselines import baseline_forecasters
    >>> breathing = make_breathing(n_patients=2, duration=30, rate=5, random_state=0)
    >>> forecasters = baseline_forecasters((0.4,), random_state=0)
    >>> list(forecasters)
    ['persistence', 'ridge alone', 'LSTM']
    >>> forecasters["persistence"].fit(breathing.X).predict(breathing.X).shape
    (300, 3)
    """
    return {
        "persistence": PersistenceForecaster(horizons, interval=interval),
        "ridge alone": TumourPositionForecaster(
            horizons, experts=("ridge",), interval=interval, random_state=random_state
        ),
        "LSTM": LSTMForecaster(horizons, interval=interval, random_state=random_state),
    }
