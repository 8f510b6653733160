"""Time, memory and accuracy of ReportAttentionClassifier on reports whose evidence is known.

Run with ``make bench``. The hashing encoder needs no model, so that only this package is measured.
"""

import time

import numpy as np
from sklearn.metrics import roc_auc_score

from sklearn_medsel.datasets import make_reports
from sklearn_medsel.text import ReportAttentionClassifier, SentenceCache

_MODES = ("lexical", "attention", "evidence", "hybrid")


def _model(mode="hybrid", **parameters):
    parameters = {"cache": SentenceCache(), **parameters}
    return ReportAttentionClassifier(
        "hashing", mode=mode, device="cpu", random_state=0, **parameters
    )


class Fit:
    """Fit with the vectors of the sentences known."""

    params = ((100, 408), ("attention", "hybrid"))
    param_names = ("n_reports", "mode")
    timeout = 600
    rounds = 1
    repeat = 3
    number = 1

    def setup(self, n_reports, mode):
        self.data, self.cache = make_reports(n_reports, random_state=0), SentenceCache()
        self._fit(mode)

    def _fit(self, mode):
        return _model(mode, cache=self.cache).fit(self.data.X, self.data.y)

    def time_fit(self, n_reports, mode):
        self._fit(mode)

    def peakmem_fit(self, n_reports, mode):
        self._fit(mode)

    def track_cpu_seconds(self, n_reports, mode):
        """All threads together, which the clock on the wall does not tell."""
        start = time.process_time()
        self._fit(mode)
        return time.process_time() - start

    track_cpu_seconds.unit = "CPU-s"


class Predict:
    """Read 200 reports, with and without their vectors."""

    params = (True, False)
    param_names = ("known",)
    timeout = 600
    rounds = 1
    repeat = 5
    number = 1

    def setup(self, known):
        data = make_reports(400, random_state=0)
        self.model = _model(max_epochs=5).fit(data.X[:200], data.y[:200])
        self.X = data.X[200:]
        if known:
            self.model.predict_proba(self.X)
        else:
            self.model.set_params(cache=False)

    def time_predict_proba(self, known):
        self.model.predict_proba(self.X)

    def time_sentence_evidence(self, known):
        self.model.sentence_evidence(self.X)

    def peakmem_predict_proba(self, known):
        self.model.predict_proba(self.X)


class Compare:
    """List what changed in 100 pairs of reports."""

    timeout = 600
    rounds = 1
    repeat = 3
    number = 1

    def setup(self):
        self.data = make_reports(100, pairs=True, random_state=0)
        self.model = _model("lexical").fit(self.data.X, self.data.y)

    def time_compare(self):
        self.model.compare(self.data.X)


class Accuracy:
    """How well important reports and their sentences are found, by mode and language."""

    params = (_MODES, ("en", "ja"))
    param_names = ("mode", "language")
    timeout = 600
    seeds = range(3)

    def setup_cache(self):
        found = {}
        for language in ("en", "ja"):
            for mode in _MODES:
                for seed in self.seeds:
                    data = make_reports(700, language=language, random_state=seed)
                    train, test = slice(300), slice(300, None)
                    model = _model(mode).fit(data.X[train], data.y[train])
                    score = model.predict_proba(data.X[test])[:, 1]
                    hit = model.evidence_score(data.X[test], _offsets(data)[test])["hit@1"]
                    auroc = roc_auc_score(data.y[test], score)
                    found[mode, language, seed] = float(auroc), float(hit)
        return found

    def track_auroc(self, found, mode, language):
        return float(np.mean([found[mode, language, seed][0] for seed in self.seeds]))

    def track_hit_at_1(self, found, mode, language):
        return float(np.mean([found[mode, language, seed][1] for seed in self.seeds]))

    track_auroc.unit = "AUROC"
    track_hit_at_1.unit = "proportion"


def _offsets(data):
    """Start and end of the marked sentences of each report."""
    return [
        [tuple(span) for span in spans[mark == 1].tolist()]
        for spans, mark in zip(data.spans, data.sentence_y, strict=True)
    ]
