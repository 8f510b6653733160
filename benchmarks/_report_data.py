"""The real reports of the comparison, their folds, and the vectors that all methods share."""

import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from benchmarks._runner import data_folder
from sklearn_medsel.datasets import load_reports
from sklearn_medsel.text import SentenceCache, split_sentences

N_FOLDS = 5
_N_STUDY, _N_IMPORTANT = 408, 102  # as many as in the source study, a quarter of them important


@dataclass(frozen=True)
class ReportSet:
    """Reports as every method gets them.

    Attributes
    ----------
    X : ndarray of str, or DataFrame with claim and current
        What ours gets. Where the set has sentences, each is a line.
    texts : ndarray of str
        The reports alone.
    y : ndarray of int
    sentences : list of list of str
    marks : list of ndarray of int, or None
        1 for each sentence that carries the finding.
    groups : ndarray of int, or None
    encoder, splitter : str
        Parameters of ours; the encoder serves the mean vectors too.
    characters : bool
        Whether TF-IDF is of characters: Japanese has no spaces.
    """

    X: object
    texts: np.ndarray
    y: np.ndarray
    sentences: list
    marks: list | None
    groups: np.ndarray | None
    encoder: str
    splitter: str
    characters: bool

    def rows(self, rows):
        """The rows of `X`."""
        return self.X.iloc[rows] if isinstance(self.X, pd.DataFrame) else self.X[rows]

    def vectors(self, sentences):
        """Vectors of some sentences."""
        return vector_cache().encode(self.encoder, sentences)

    def warm_up(self, rows):
        """Encode what these reports need, so that no method pays for it."""
        self.vectors([sentence for row in rows for sentence in self.sentences[row]])
        if isinstance(self.X, pd.DataFrame):
            self.vectors(self.X["claim"].iloc[rows].to_list())


# name of the row -> set, encoder, Japanese
_SETS = {
    "iu408": ("iu_xray_reports", "minilm", False),
    "iufull": ("iu_xray_reports", "minilm", False),
    "jmed": ("jmed_rrtnm_ja_reports", "use", True),
    "jichi": ("jichi_ja_counterfactual", "use", True),
    "nli4ct": ("nli4ct_claim_evidence", "minilm", False),
}


def vector_cache():
    """The vectors on disk that rows, folds and processes share."""
    return SentenceCache(os.environ["MEDSEL_BENCHMARK_VECTORS"])


@lru_cache(maxsize=2)
def load(name):
    """The reports of a row."""
    file, encoder, is_japanese = _SETS[name]
    data = load_reports(file, data_home=data_folder().parent)
    y = np.unique(data.y, return_inverse=True)[1]
    if data.sentences is None:
        texts = data.X.to_numpy(dtype=object)
        sentences = [[text[s.start : s.end] for s in split_sentences(text)] for text in texts]
        return ReportSet(
            texts, texts, y, sentences, None, data.groups, encoder, "auto", is_japanese
        )
    # A line of blanks is no sentence.
    kept = [[bool(sentence.strip()) for sentence in report] for report in data.sentences]
    sentences = [
        [sentence.strip() for sentence in report if sentence.strip()] for report in data.sentences
    ]
    marks = [mark[np.array(keep)] for mark, keep in zip(data.sentence_y, kept, strict=True)]
    texts = np.array(["\n".join(report) for report in sentences], dtype=object)
    X = texts
    if isinstance(data.X, pd.DataFrame):
        X = data.X.assign(current=texts)
    return ReportSet(X, texts, y, sentences, marks, data.groups, encoder, "lines", is_japanese)


@lru_cache(maxsize=16)
def folds(name, repeat, limit=None):
    """Training and test rows of each fold; groups stay together where there are any."""
    data, rng = load(name), np.random.default_rng(repeat)
    used, groups = np.arange(len(data.y)), data.groups
    if name == "iu408":
        groups = None  # as the goals were measured; three of 2218 reports repeat another's words
        important, others = np.flatnonzero(data.y), np.flatnonzero(data.y == 0)
        used = np.r_[
            rng.choice(important, _N_IMPORTANT, replace=False),
            rng.choice(others, _N_STUDY - _N_IMPORTANT, replace=False),
        ]
        rng.shuffle(used)
    used = used[:limit]
    settings = {"n_splits": N_FOLDS, "shuffle": True, "random_state": repeat}
    if groups is None:
        parts = StratifiedKFold(**settings).split(used, data.y[used])
    else:
        parts = StratifiedGroupKFold(**settings).split(used, data.y[used], groups[used])
    return [(used[train], used[test]) for train, test in parts]
