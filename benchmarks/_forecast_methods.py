"""The methods of the forecasting comparison by name, and why one of them cannot be run here."""

from benchmarks._forecast_libraries import DartsModel, NeuralForecastModel, missing_library
from benchmarks._forecast_nets import LSTM, OfficialTransformer, official_reason
from benchmarks._forecast_ours import OURS, Ours
from benchmarks._forecast_peers import (
    NLMS,
    ConstantVelocity,
    OnlineRidge,
    OwnRidge,
    Persistence,
    PooledRidge,
    PriorOnlineRidge,
    Single,
)

# Length of history, penalty of the map of the others, pull towards it, forgetting: as they were
# chosen when the goals were set. The other linear peers tune themselves on the own first minute.
_PRIOR = {"markers": (16, 300.0, 30.0, 0.999), "cine_targets": (24, 30.0, 30.0, 1.0)}
_NEURAL = ("NLinear", "NHITS", "PatchTST")


def make_methods(name, period, *, quick=False):
    """Peers and ours for a set of tracks.

    Parameters
    ----------
    name : {"markers", "cine_targets"}
    period : float
        Time between rows, in s.
    quick : bool
        Whether to train only for a moment.

    Returns
    -------
    dict
        Name in the table to an unfitted method. With several objects per track, "single" ones see
        one object at a time, as the networks and ours do; the other linear ones see all.
    """
    prior = _PRIOR[name]
    joint = {
        "constant velocity": ConstantVelocity(),
        "ridge, own first minute": OwnRidge(),
        "online ridge": OnlineRidge(),
        "prior + online ridge": PriorOnlineRidge(*prior),
        "NLMS": NLMS(),
    }
    methods = {"persistence": Persistence(), "pooled ridge": PooledRidge(*prior[:2])} | joint
    if name == "markers":
        methods |= {f"{key}, single": Single(peer) for key, peer in joint.items()}
    short = {"epochs": 1} if quick else {}
    methods |= {
        "LSTM": LSTM(**short),
        "LSTM, fine-tuned": LSTM(tune=True, **short),
        "official NS-Transformer": OfficialTransformer(**short),
        "official NS-Transformer, fine-tuned": OfficialTransformer(tune=True, **short),
        "darts LinearRegression": DartsModel("LinearRegressionModel"),
        "darts NLinear": DartsModel("NLinearModel", **({"n_epochs": 1} if quick else {})),
    }
    short = {"max_steps": 5} if quick else {}
    methods |= {f"neuralforecast {model}": NeuralForecastModel(model, **short) for model in _NEURAL}
    short = {"max_epochs": 1} if quick else {}
    return methods | {key: Ours(period, settings | short) for key, settings in OURS.items()}


def why_skipped(name):
    """Why a method cannot be run here, or None."""
    if name.startswith("official"):
        return official_reason()
    library = name.partition(" ")[0]
    return missing_library(library) if library in ("darts", "neuralforecast") else None
