"""The peers of the forecasting comparison by name, and why one of them cannot be run here."""

from benchmarks._forecast_libraries import DartsModel, NeuralForecastModel, missing_library
from benchmarks._forecast_nets import LSTM, OfficialTransformer, official_reason
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
_PRIOR = {"markers": (16, 300.0, 30.0, 0.999), "cine": (24, 30.0, 30.0, 1.0)}
_NEURAL = ("NLinear", "NHITS", "PatchTST")


def make_peers(name):
    """Peers for a set of tracks.

    Parameters
    ----------
    name : {"markers", "cine"}

    Returns
    -------
    dict
        Name in the table to an unfitted peer. With several objects per track, "single" ones see one
        object at a time, as the networks do.
    """
    prior = _PRIOR[name]
    joint = {
        "constant velocity": ConstantVelocity(),
        "ridge, own first minute": OwnRidge(),
        "online ridge": OnlineRidge(),
        "prior + online ridge": PriorOnlineRidge(*prior),
        "NLMS": NLMS(),
    }
    peers = {"persistence": Persistence(), "pooled ridge": PooledRidge(*prior[:2])} | joint
    if name == "markers":
        peers |= {f"{key}, single": Single(peer) for key, peer in joint.items()}
    peers |= {
        "LSTM": LSTM(),
        "LSTM, fine-tuned": LSTM(tune=True),
        "official NS-Transformer": OfficialTransformer(),
        "official NS-Transformer, fine-tuned": OfficialTransformer(tune=True),
        "darts LinearRegression": DartsModel("LinearRegressionModel"),
        "darts NLinear": DartsModel("NLinearModel"),
    }
    return peers | {f"neuralforecast {model}": NeuralForecastModel(model) for model in _NEURAL}


def why_skipped(name):
    """Why a peer cannot be run here, or None."""
    if name.startswith("official"):
        return official_reason()
    library = name.partition(" ")[0]
    return missing_library(library) if library in ("darts", "neuralforecast") else None
