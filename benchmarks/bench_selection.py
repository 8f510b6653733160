"""Time, memory and recovered genes of DeepFeatureSelector on tables whose true genes are known.

Run with ``make bench``. The sizes are those of the table of goals in the documentation.
"""

import time
import warnings

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from sklearn_medsel.datasets import make_gene_expression
from sklearn_medsel.feature_selection import DeepFeatureSelector


def _table(n_samples, n_features, design="lin", seed=0):
    return make_gene_expression(n_samples, n_features, design=design, random_state=seed)


def _fit(data, **parameters):
    with warnings.catch_warnings():
        # A warning is for the user of a result; here only the cost of it counts.
        warnings.simplefilter("ignore")
        return DeepFeatureSelector(random_state=0, device="cpu", **parameters).fit(data.X, data.y)


class Defaults:
    """Select with q-values and everything else left as it is."""

    params = ((100, 200), (1000, 5000, 20000))
    param_names = ("n_samples", "n_features")
    timeout = 600
    rounds = 1
    repeat = 3
    number = 1

    def setup(self, n_samples, n_features):
        self.data = _table(n_samples, n_features)

    def time_fit(self, n_samples, n_features):
        _fit(self.data)

    def peakmem_fit(self, n_samples, n_features):
        _fit(self.data)

    def track_cpu_seconds(self, n_samples, n_features):
        """All threads together, which the clock on the wall does not tell."""
        start = time.process_time()
        _fit(self.data)
        return time.process_time() - start

    track_cpu_seconds.unit = "CPU-s"


class ManyRepeats:
    """A hundred repeats, in one batched model."""

    params = ("path", "mori")
    param_names = ("method",)
    timeout = 600
    repeat = 1
    number = 1

    def setup(self, method):
        self.data = _table(100, 20000)

    def time_fit(self, method):
        _fit(self.data, method=method, n_repeats=100)

    def peakmem_fit(self, method):
        _fit(self.data, method=method, n_repeats=100)


class Recovery:
    """How well the true genes are found: ranking, and what is selected at fdr=0.2."""

    params = ("lin", "syn")
    param_names = ("design",)
    timeout = 600
    seeds = range(5)

    def setup_cache(self):
        fitted = {}
        for design in ("lin", "syn"):
            for seed in self.seeds:
                data = _table(200, 5000, design, seed)
                selector = _fit(data, fdr=0.2)
                fitted[design, seed] = (data.support, selector.ranking_, selector.support_)
        return fitted

    def _mean(self, fitted, design, measure):
        return float(np.mean([measure(*fitted[design, seed]) for seed in self.seeds]))

    def track_ranking_auprc(self, fitted, design):
        return self._mean(
            fitted, design, lambda true, rank, _: average_precision_score(true, -rank)
        )

    def track_true_selected(self, fitted, design):
        return self._mean(fitted, design, lambda true, _, selected: np.sum(true & selected))

    def track_false_discovery_proportion(self, fitted, design):
        return self._mean(
            fitted,
            design,
            lambda true, _, selected: np.sum(~true & selected) / max(1, np.sum(selected)),
        )

    track_ranking_auprc.unit = "AUPRC"
    track_true_selected.unit = "genes"
    track_false_discovery_proportion.unit = "proportion"


class Accelerator:
    """The batched repeats on CUDA, where there is one."""

    params = ("cpu", "cuda")
    param_names = ("device",)
    timeout = 600
    repeat = 3
    number = 1

    def setup(self, device):
        if device == "cuda" and not torch.cuda.is_available():
            raise NotImplementedError("no CUDA device")
        self.data = _table(200, 10000)

    def time_mori(self, device):
        selector = DeepFeatureSelector(method="mori", n_repeats=100, device=device, random_state=0)
        selector.fit(self.data.X, self.data.y)
