"""What each part of the classifier adds: the modes side by side, from the rows that ran them."""

import pandas as pd

from benchmarks._report_methods import MODES
from benchmarks._report_rows_sets import PACKAGES, PARTS
from benchmarks._report_scores import SPREAD, paired
from benchmarks._runner import Row

SETS = ("iu408", "iufull", "jmed", "jichi")
_SCORES = {"f1": "F1", "auroc": "AUROC", "hit1": "hit@1"}
_STEPS = (("evidence", "attention"), ("hybrid", "evidence"), ("hybrid", "lexical"))


def _summarise(records):
    records = pd.DataFrame(records)
    records = records[records["method"].str.startswith("ours, ")]
    records = records.assign(mode=records["method"].str.removeprefix("ours, "))
    scores = {key: name for key, name in _SCORES.items() if key in records}
    modes, steps = [], []
    for name, part in records.groupby("set", sort=False):
        for mode in MODES:
            these = part[part["mode"] == mode]
            entry = {"row": name, "mode": mode, "runs": len(these)}
            for key, column in scores.items():
                entry[column], entry[f"{column}_sd"] = these[key].mean(), these[key].std()
            modes.append(entry)
        for one, other in _STEPS:
            entry = {"row": name, "step": f"{one} minus {other}"}
            for key, column in scores.items():
                names = f"ours, {one}", f"ours, {other}"
                both = set(names) <= set(part["method"])
                if both:
                    entry[column], entry[f"{column}, p"] = paired(part, *names, key)
            steps.append(entry)
    tables = [("Modes", pd.DataFrame(modes)), ("Steps", pd.DataFrame(steps))]
    return [(caption, frame) for caption, frame in tables if len(frame)]


ABLATION = Row(
    name="ablation",
    title="Ablation",
    text="The modes of ReportAttentionClassifier on the folds of the rows above, and what one has "
    "over the other. Evidence in mode `attention` is the attention. p: corrected resampled t-test, "
    "not adjusted.",
    tasks=lambda options: [],
    measure=lambda: {},
    summarise=_summarise,
    spread=SPREAD,
    packages=PACKAGES,
    page="reports",
    parts=PARTS,
)
