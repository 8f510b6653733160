"""Plain torch modules, losses and batched training: nothing here knows scikit-learn or skorch."""

from .layers import SeededDropout, SelectionLayer, gate_rate
from .losses import LOSSES, binary_cross_entropy, cox_loss, cross_entropy, squared_error
from .repeated import RepeatedNets
from .report_attention import ReportAttentionNets
from .selector_net import SelectorNet
from .sentence_tuning import SentenceTuning

__all__ = [
    "LOSSES",
    "RepeatedNets",
    "ReportAttentionNets",
    "SeededDropout",
    "SelectionLayer",
    "SelectorNet",
    "SentenceTuning",
    "binary_cross_entropy",
    "cox_loss",
    "cross_entropy",
    "gate_rate",
    "squared_error",
]
