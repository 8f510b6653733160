"""Reports: sentences, their vectors, and which of them is important."""

from sklearn_medsel.text._cache import SentenceCache
from sklearn_medsel.text._classifier import ReportAttentionClassifier
from sklearn_medsel.text._encoders import HashingSentenceEncoder
from sklearn_medsel.text._report_encoder import ReportEncoder
from sklearn_medsel.text._sentences import Sentence, split_sentences

__all__ = [
    "HashingSentenceEncoder",
    "ReportAttentionClassifier",
    "ReportEncoder",
    "Sentence",
    "SentenceCache",
    "split_sentences",
]
