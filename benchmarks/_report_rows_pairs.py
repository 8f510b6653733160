"""Row of the comparison on pairs of reports: important means new or worse."""

import time
from functools import lru_cache

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from benchmarks._report_data import N_FOLDS, vector_cache
from benchmarks._report_methods import is_ours, logistic, tfidf
from benchmarks._report_rows_sets import PACKAGES, PARTS
from benchmarks._report_scores import SPREAD, paired
from benchmarks._runner import Row
from sklearn_medsel import ReportAttentionClassifier
from sklearn_medsel.datasets import make_reports

_N_PAIRS, _N_QUICK = 400, 100
_LANGUAGES = {"en": ("English", "minilm"), "ja": ("Japanese", "use")}
_OURS, _COMPARE = "ours, both reports", "ours, compare"
_METHODS = {
    "TF-IDF of current + LR": ["current"],
    "TF-IDF of both + LR": ["current", "previous"],
    "ours, current alone": ["current"],
    _OURS: ["current", "previous"],
}
_STATUSES = ("new", "kept", "gone")


def _tasks(options):
    n_pairs = {"n_pairs": _N_QUICK} if options.quick else {}
    repeats = range(1 if options.quick else options.repeats)
    tasks = []
    for repeat in repeats:
        for language in _LANGUAGES:
            shared = {"language": language, "repeat": repeat, **n_pairs}
            for fold in range(1 if options.quick else N_FOLDS):
                tasks += [{"method": method, "fold": fold, **shared} for method in _METHODS]
            tasks.append({"method": _COMPARE, "fold": 0, **shared})
    return tasks


def measure(method, language, repeat, fold, n_pairs=_N_PAIRS):
    """Area under the ROC curve of a method, or precision and recall of ``compare``."""
    data, parts = _draw(language, repeat, n_pairs)
    train, test = parts[fold]
    if method == _COMPARE:
        return _measure_compare(data, language, repeat, train)
    X = data.X[_METHODS[method]]
    if is_ours({"method": method}):
        model = _ours(language, repeat)
    else:
        X = X.fillna("")
        columns = [(name, tfidf(language == "ja"), name) for name in X]
        model = make_pipeline(ColumnTransformer(columns), logistic())
    score = model.fit(X.iloc[train], data.y[train]).predict_proba(X.iloc[test])[:, 1]
    auroc = float(roc_auc_score(data.y[test], score))
    return {"auroc": auroc, "n_train": len(train), "n_test": len(test)}


@lru_cache(maxsize=2)
def _draw(language, seed, n_pairs):
    data = make_reports(n_pairs, language=language, pairs=True, random_state=seed)
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    return data, list(folds.split(data.X, data.y, data.groups))


def _ours(language, seed):
    encoder = _LANGUAGES[language][1]
    return ReportAttentionClassifier(encoder, cache=vector_cache(), device="cpu", random_state=seed)


def _measure_compare(data, language, seed, train):
    """Precision and recall of the statuses, over sentences: right sentence, right status."""
    model = _ours(language, seed).fit(data.X.iloc[train], data.y[train])
    model.compare(data.X)  # encodes what is not known yet
    start = time.process_time()
    found = model.compare(data.X)
    result = {"ms": 1000 * (time.process_time() - start) / len(data.X)}
    truth = data.changes
    for status in _STATUSES:
        ours = _sentences(found, found["status"] == status)
        real = _sentences(truth, truth["status"] == status)
        result[status] = [len(ours & real) / max(1, len(part)) for part in (ours, real)]
    result["matched"] = _share_matched(found, data)
    worse = _sentences(truth, truth["worse"])
    changed = _sentences(found, (found["status"] == "new") | found["changed"])
    result["worse"] = len(worse & changed) / max(1, len(worse))
    return result


def _sentences(table, rows):
    return set(zip(table["report"][rows], table["text"][rows], strict=True))


def _share_matched(found, data):
    """Of the sentences that were kept, the part that is matched to the right one."""
    kept = data.changes[data.changes["status"] == "kept"]
    real = {
        (report, text, data.previous_sentences[report][match])
        for report, text, match in zip(kept["report"], kept["text"], kept["match"], strict=True)
    }
    ours = found[found["status"] == "kept"]
    pairs = set(zip(ours["report"], ours["text"], ours["match_text"], strict=True))
    return len(real & pairs) / max(1, len(real))


def _summarise(records):
    records = pd.DataFrame(records)
    tables = []
    for language, part in records.groupby("language", sort=False):
        fits = part[part["method"] != _COMPARE]
        rows = []
        for method, these in fits.groupby("method", sort=False):
            entry = {"method": method, "runs": len(these), "AUROC": these["auroc"].mean()}
            entry["AUROC_sd"] = these["auroc"].std()
            if method != _OURS and len(these) > 1 and _OURS in set(fits["method"]):
                entry["both reports minus this"], entry["p"] = paired(fits, _OURS, method, "auroc")
            rows.append(entry)
        tables.append((f"{_LANGUAGES[language][0]}: new or worse", pd.DataFrame(rows)))
    rows = []
    for language, part in records[records["method"] == _COMPARE].groupby("language", sort=False):
        entry = {"language": _LANGUAGES[language][0], "runs": len(part)}
        for status in _STATUSES:
            values = np.array(part[status].to_list())
            for column, name in zip(values.T, ("precision", "recall"), strict=True):
                entry[f"{status}, {name}"] = column.mean()
        entry["kept, right match"] = part["matched"].mean()
        entry["grown, shown as changed or new"] = part["worse"].mean()
        entry["ms per pair"] = part["ms"].mean()
        rows.append(entry)
    return [*tables, ("Sentences listed by `compare`", pd.DataFrame(rows))]


PAIRS = Row(
    name="pairs",
    title="Previous and current report",
    text=f"{_N_PAIRS} made pairs per repeat, new ones each; important if a finding is new or has "
    "grown since the previous report. 5 stratified folds, patients together. TF-IDF has terms of "
    "its own for the previous report; LR: logistic regression, C = 10. Sentences count as right "
    "with the right words and the right status; the reports are made, and their kept sentences "
    "are reworded by a list. p: corrected resampled t-test, not adjusted.",
    tasks=_tasks,
    measure=measure,
    summarise=_summarise,
    spread=SPREAD,
    packages=PACKAGES,
    is_ours=is_ours,
    page="reports",
    parts=(*PARTS, "datasets"),
)
