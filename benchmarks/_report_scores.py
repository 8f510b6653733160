"""One method on one fold, and the tables of all folds."""

import time

import numpy as np
import pandas as pd
from sklearn import metrics

from benchmarks._report_data import N_FOLDS, folds, load
from sklearn_medsel.feature_selection._compare_fold import corrected_paired_ttest

# What is kept -> what the table calls it.
_COLUMNS = {
    "accuracy": "accuracy",
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "auroc": "AUROC",
    "ap": "average precision",
    "hit1": "hit@1",
    "sentence_ap": "sentence AP",
    "fit_s": "fit, CPU-s",
    "predict_ms": "ms per report",
}
SPREAD = "standard deviation over folds"


def fold_tasks(options, methods, *, limit=None):
    """One measurement per repeat, fold and method; a single small fold for a trial."""
    if options.quick:
        extra = {"limit": limit} if limit else {}
        return [{"method": method, "repeat": 0, "fold": 0, **extra} for method in methods]
    return [
        {"method": method, "repeat": repeat, "fold": fold}
        for repeat in range(options.repeats)
        for fold in range(N_FOLDS)
        for method in methods
    ]


def measure_fold(name, methods, method, repeat, fold, limit=None):
    """Fit on the training part of a fold, and score the rest; sentence vectors are there."""
    data = load(name)
    train, test = folds(name, repeat, limit)[fold]
    data.warm_up(np.r_[train, test])
    model = methods[method](repeat)
    start = time.process_time()
    model.fit(data, train)
    fitted = time.process_time()
    score, label = model.predict(data, test)
    done = time.process_time()
    result = {"fit_s": fitted - start, "predict_ms": 1000 * (done - fitted) / len(test)}
    result |= {"n_train": len(train), "n_test": len(test)} | score_reports(
        data.y[test], score, label
    )
    if data.marks is not None:
        marks = [data.marks[row] for row in test]
        result["chance"] = score_sentences(marks, marks)["chance"]
        values = model.evidence(data, test)
        if values is not None:
            result |= score_sentences(values, marks)
    return result


def score_reports(y, score, label):
    """Accuracy, recall, precision, F1, AUROC and average precision."""
    counts = {"zero_division": 0}
    return {
        "accuracy": float(metrics.accuracy_score(y, label)),
        "recall": float(metrics.recall_score(y, label, **counts)),
        "precision": float(metrics.precision_score(y, label, **counts)),
        "f1": float(metrics.f1_score(y, label, **counts)),
        "auroc": float(metrics.roc_auc_score(y, score)),
        "ap": float(metrics.average_precision_score(y, score)),
    }


def score_sentences(values, marks):
    """How often the first sentence is a marked one, by value and by chance; average precision.

    Reports with a marked sentence and more than one sentence count.
    """
    hits, precisions, chances = [], [], []
    for value, mark in zip(values, marks, strict=True):
        if len(mark) > 1 and mark.any():
            hits.append(mark[np.argmax(value)])
            precisions.append(metrics.average_precision_score(mark, value))
            chances.append(mark.mean())
    return {
        "hit1": float(np.mean(hits)),
        "sentence_ap": float(np.mean(precisions)),
        "chance": float(np.mean(chances)),
    }


def summarise(records, *, reference="ours, hybrid", compared=("f1", "auroc", "hit1")):
    """Table of the methods, and table of the differences of one of ours from the others."""
    records = pd.DataFrame(records)
    sizes = records[["n_train", "n_test"]].mean().round().astype(int)
    caption = f"About {sizes['n_train']} reports to fit, {sizes['n_test']} to test"
    if "chance" in records:
        caption += f"; hit@1 by chance {records['chance'].mean():.3f}"
    tables = [(caption, _methods_table(records))]
    if reference in set(records["method"]) and records.groupby("method").size().min() > 1:
        tables.append(
            (f"{reference}, minus the others", _differences(records, reference, compared))
        )
    return tables


def _methods_table(records):
    rows = []
    for method, part in records.groupby("method", sort=False):
        entry = {"method": method, "runs": len(part)}
        for key, column in _COLUMNS.items():
            if key in records:
                entry[column], entry[f"{column}_sd"] = part[key].mean(), part[key].std()
        rows.append(entry)
    return pd.DataFrame(rows)


def _differences(records, reference, compared):
    """Mean difference and corrected paired p-value; who of the peers is best, by each score."""
    compared = [key for key in compared if key in records]
    means = records.groupby("method", sort=False)[compared].mean()
    peers = means[~means.index.str.startswith("ours")]
    best = {key: peers[key].idxmax() for key in compared if peers[key].notna().any()}
    rows = []
    for method in means.index.drop(reference):
        entry = {"method": method}
        for key in compared:
            column = _COLUMNS[key]
            difference, p_value = paired(records, reference, method, key)
            entry |= {column: difference, f"{column}, p": p_value}
        entry["best peer by"] = ", ".join(_COLUMNS[key] for key in best if best[key] == method)
        rows.append(entry)
    return pd.DataFrame(rows)


def paired(records, one, other, key):
    """Mean difference of two methods over the folds both have, and its corrected p-value."""
    table = records.pivot(index=["repeat", "fold"], columns="method", values=key)
    differences = (table[one] - table[other]).dropna().to_numpy()
    if not len(differences):
        return np.nan, np.nan
    ratio = float((records["n_test"] / records["n_train"]).mean())
    return corrected_paired_ttest(differences, ratio)
