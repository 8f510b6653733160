"""Time, memory and accuracy of the multimodal estimators on patients whose factors are known.

Run with ``make bench``. The size of `Fit` is that of the table of goals in the documentation.
"""

import time
import warnings

from sklearn.metrics import roc_auc_score

from benchmarks._fusion_rows_cost import make_tables
from sklearn_medsel.datasets import make_patients
from sklearn_medsel.multimodal import MultimodalClassifier, MultimodalCox

_FUSIONS = ("residual", "stacked", "late", "gated", "concat")
_BLOCKS = [
    ("clin", "table", "clin__*"),
    ("gene", "table", "gene__*"),
    ("report", "text", "report__text"),
]


def _quiet_fit(model, X, y):
    with warnings.catch_warnings():
        # A warning is for the user of a result; here only the cost of it counts.
        warnings.simplefilter("ignore")
        return model.fit(X, y)


class Fit:
    """Fit 250 patients with 600 features in three blocks, explanations included."""

    params = (("classification", "survival"), _FUSIONS)
    param_names = ("task", "fusion")
    timeout = 600
    rounds = 1
    repeat = 3
    number = 1

    def setup(self, task, fusion):
        self.X, self.y, blocks = make_tables(task)
        kind = MultimodalCox if task == "survival" else MultimodalClassifier
        self.model = kind(blocks, fusion=fusion, random_state=0, device="cpu")
        small = kind(blocks, fusion=fusion, max_epochs=1, random_state=0, device="cpu")
        _quiet_fit(small, self.X[:60], self.y[:60])

    def time_fit(self, task, fusion):
        _quiet_fit(self.model, self.X, self.y)

    def peakmem_fit(self, task, fusion):
        _quiet_fit(self.model, self.X, self.y)

    def track_cpu_seconds(self, task, fusion):
        """All threads together, which the clock on the wall does not tell."""
        start = time.process_time()
        _quiet_fit(self.model, self.X, self.y)
        return time.process_time() - start

    track_cpu_seconds.unit = "CPU-s"


class Predict:
    """Score and explain 250 patients."""

    params = (_FUSIONS,)
    param_names = ("fusion",)
    timeout = 600
    rounds = 1
    repeat = 5
    number = 1

    def setup(self, fusion):
        self.X, y, blocks = make_tables("classification")
        model = MultimodalClassifier(
            blocks, fusion=fusion, max_epochs=10, random_state=0, device="cpu"
        )
        self.model = _quiet_fit(model, self.X, y)

    def time_predict(self, fusion):
        self.model.predict_proba(self.X)

    def time_explain_modalities(self, fusion):
        self.model.explain_modalities(self.X)

    def peakmem_predict(self, fusion):
        self.model.predict_proba(self.X)


class Accuracy:
    """How well classes and their factors are found, by rule of fusion."""

    params = (_FUSIONS,)
    param_names = ("fusion",)
    timeout = 600
    seeds = range(3)

    def setup_cache(self):
        found = {}
        for seed in self.seeds:
            data = make_patients(500, interaction="gene*clin", image_size=16, random_state=seed)
            train, test = slice(250), slice(250, None)
            for fusion in _FUSIONS:
                model = MultimodalClassifier(
                    _BLOCKS, base="clin", fusion=fusion, random_state=seed, device="cpu"
                )
                _quiet_fit(model, data.X[train], data.y[train])
                score = model.decision_function(data.X[test])
                pairs = model.interactions_.set_index(["block_a", "block_b"])
                found[fusion, seed] = (
                    float(roc_auc_score(data.y[test], score)),
                    float(pairs.loc[("clin", "gene"), "pvalue"] < 0.05),
                )
        return found

    def track_auroc(self, found, fusion):
        return sum(found[fusion, seed][0] for seed in self.seeds) / len(self.seeds)

    def track_interaction_found(self, found, fusion):
        return sum(found[fusion, seed][1] for seed in self.seeds) / len(self.seeds)

    track_auroc.unit = "AUROC"
    track_interaction_found.unit = "proportion"
