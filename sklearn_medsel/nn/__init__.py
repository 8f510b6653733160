"""Plain torch modules, losses and batched training: nothing here knows scikit-learn or skorch."""

from .layers import SeededDropout, SelectionLayer, gate_rate
from .losses import LOSSES, cox_loss, cross_entropy, squared_error
from .repeated import RepeatedNets
from .selector_net import SelectorNet

__all__ = [
    "LOSSES",
    "RepeatedNets",
    "SeededDropout",
    "SelectionLayer",
    "SelectorNet",
    "cox_loss",
    "cross_entropy",
    "gate_rate",
    "squared_error",
]
