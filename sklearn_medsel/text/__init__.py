"""Reports: sentences, their vectors, and which of them is important."""

from sklearn_medsel.text._baselines import baseline_report_classifiers
from sklearn_medsel.text._cache import SentenceCache
from sklearn_medsel.text._classifier import ReportAttentionClassifier
from sklearn_medsel.text._compare_classifiers import compare_report_classifiers
from sklearn_medsel.text._encoder_hashing import HashingSentenceEncoder
from sklearn_medsel.text._report_encoder import ReportEncoder
from sklearn_medsel.text._sentences import Sentence, split_sentences

__all__ = [
    "HashingSentenceEncoder",
    "ReportAttentionClassifier",
    "ReportEncoder",
    "Sentence",
    "SentenceCache",
    "baseline_report_classifiers",
    "compare_report_classifiers",
    "split_sentences",
]
