"""Rows of the comparison that cost: CPU per report, and encoders trained on the reports."""

import tempfile
import time
from importlib.util import find_spec

import numpy as np
import pandas as pd

from benchmarks._report_data import folds, load
from benchmarks._report_methods import PEERS, Ours, SetFit, is_ours
from benchmarks._report_rows_sets import PACKAGES, PARTS
from benchmarks._report_scores import SPREAD, fold_tasks, measure_fold, summarise
from benchmarks._runner import Row, data_folder
from benchmarks._tables import mean_and_error
from sklearn_medsel import ReportAttentionClassifier, SentenceCache
from sklearn_medsel.datasets import load_reports

# --- speed --------------------------------------------------------------------------------------

_ENCODERS = ("hashing", "use", "minilm")


def _speed_tasks(options):
    extra = {"limit": 50} if options.quick else {}
    return [
        {"encoder": encoder, "seed": seed, **extra}
        for seed in range(1 if options.quick else 3)
        for encoder in _ENCODERS
    ]


def measure_speed(encoder, seed, limit=None):
    """CPU-s of prediction with and without vectors, and of cross-validation with them."""
    texts = load_reports("iu_xray_reports", data_home=data_folder().parent).X.to_numpy(object)
    y = load("iu408").y
    parts = folds("iu408", seed, limit)
    train, test = parts[0]
    known = SentenceCache()
    model = ReportAttentionClassifier(encoder, cache=known, device="cpu", random_state=seed)
    model.fit(texts[train], y[train])  # loads the encoder and what torch loads late

    reports = [texts[[row]] for row in test]
    cold = []
    for report in reports:
        model.set_params(cache=SentenceCache())
        cold.append(_cpu_ms(model.predict_proba, report))
    result = {"cold": float(np.mean(cold)), "cold_median": float(np.median(cold))}
    model.set_params(cache=SentenceCache())
    result["cold_batch"] = _cpu_ms(model.predict_proba, texts[test]) / len(test)
    model.set_params(cache=known)
    model.predict_proba(texts[test])
    result["known"] = float(np.mean([_cpu_ms(model.predict_proba, one) for one in reports]))
    result["known_batch"] = _cpu_ms(model.predict_proba, texts[test]) / len(test)

    start = time.process_time()
    for train, test in parts:
        model.fit(texts[train], y[train]).predict_proba(texts[test])
    result["folds_s"] = time.process_time() - start
    return result


def _cpu_ms(call, X):
    start = time.process_time()
    call(X)
    return 1000 * (time.process_time() - start)


def _summarise_speed(records):
    columns = {
        "known": "ms, vectors known",
        "known_batch": "ms, vectors known, in a batch",
        "cold": "ms, nothing known",
        "cold_median": "ms, nothing known, median",
        "cold_batch": "ms, nothing known, in a batch",
        "folds_s": "CPU-s of 5 folds, vectors known",
    }
    rows = []
    for encoder, part in pd.DataFrame(records).groupby("encoder", sort=False):
        entry = {"encoder": encoder, "runs": len(part)}
        for key, column in columns.items():
            if key in part:
                entry[column], entry[f"{column}_se"] = mean_and_error(part[key])
        if "error" in part and part["error"].notna().any():
            entry["error"] = part["error"].dropna().iloc[0]
        rows.append(entry)
    return [("Each run in its own process, one thread", pd.DataFrame(rows))]


SPEED = Row(
    name="speed",
    title="Time per report",
    text="CPU time of `predict_proba` per report of iu_xray_reports, hybrid mode, the text split "
    "by `split_sentences`: one report after the other, and 82 in one call. Nothing known: the "
    "model is loaded, the cache is empty before each call. Five folds: fit and prediction, 408 "
    "reports in all, vectors in memory.",
    tasks=_speed_tasks,
    measure=measure_speed,
    summarise=_summarise_speed,
    alone=True,
    packages=PACKAGES,
    page="reports",
    parts=PARTS,
)


# --- fine-tuning --------------------------------------------------------------------------------

# Pairs of each kind per report. Its authors take 20 for a few dozen texts; here that is hours.
_PAIRS = 5
_SETFIT = "SetFit, MiniLM"
_BASELINE = "TF-IDF + LR, balanced"
_FOLDER = tempfile.gettempdir() + "/medsel-setfit"


def _tuned(pairs):
    return {
        _BASELINE: PEERS[_BASELINE],
        _SETFIT: lambda seed: SetFit(seed, pairs=pairs, folder=_FOLDER),
        "ours, hybrid": lambda seed: Ours(seed),
        "ours, hybrid, top layer trained": lambda seed: Ours(seed, finetune_layers=1),
    }


def _finetune_tasks(options):
    options = type(options)(**{**vars(options), "repeats": 1})
    methods = list(_tuned(_PAIRS))
    if find_spec("setfit") is None:
        methods.remove(_SETFIT)
    return fold_tasks(options, methods, limit=30)


def measure_finetune(method, repeat, fold, limit=None):
    """Measure a fold of iu408; a trial gives SetFit few pairs."""
    methods = _tuned(_PAIRS if limit is None else 1)
    return measure_fold("iu408", methods, method, repeat, fold, limit)


def _summarise_finetune(records):
    failed = [record for record in records if "error" in record]
    records = [record for record in records if "error" not in record]
    tables = summarise(records) if records else []
    if failed:
        tables.append(("Failed", pd.DataFrame(failed)[["method", "fold", "error"]]))
    return tables


FINETUNE = Row(
    name="finetune",
    title="Encoders trained on the reports",
    text="iu408, first repeat. SetFit, where it is installed, trains all of MiniLM on pairs of "
    f"whole reports ({_PAIRS} of each kind per report) and a logistic regression on its vectors; "
    "ours trains the top layer of MiniLM on sentences, in each fold anew. p: corrected resampled "
    "t-test, not adjusted.",
    tasks=_finetune_tasks,
    measure=measure_finetune,
    summarise=_summarise_finetune,
    spread=SPREAD,
    alone=True,
    packages=(*PACKAGES, "setfit"),
    is_ours=is_ours,
    page="reports",
    parts=PARTS,
)
