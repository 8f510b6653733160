"""Rows of the forecasting comparison on positions: markers on the body, targets in the liver."""

from functools import lru_cache, partial

import pandas as pd

from benchmarks._forecast_data import SETS
from benchmarks._forecast_methods import make_methods, why_skipped
from benchmarks._forecast_ours import is_ours
from benchmarks._forecast_scores import measure_group
from benchmarks._forecast_tables import against, at_horizon, overview
from benchmarks._runner import Row

# What decides about the numbers of TumourPositionForecaster.
PARTS = ("forecasting", "nn", "base.py", "_training.py", "_validation.py")
PACKAGES = ("neuralforecast", "darts")
SPREAD = "standard deviation over recordings"


@lru_cache(maxsize=2)
def _load(name):
    return SETS[name]()


def _tasks(name, options):
    data = _load(name)
    groups = data.groups[:1] if options.quick else data.groups
    extra = {"quick": True} if options.quick else {}
    return [
        {"method": method, "group": group, **extra}
        for method in make_methods(name, data.period)
        for group in groups
        if options.write_only or why_skipped(method) is None
    ]


def measure(name, method, group, quick=False):
    """One method, one group left out."""
    data = _load(name).shorter() if quick else _load(name)
    return measure_group(make_methods(name, data.period, quick=quick)[method], data, group)


def _summarise(name, records):
    data = _load(name)
    frame = pd.DataFrame(
        {**shared, **entry}
        for record in records
        for shared in [{key: value for key, value in record.items() if key != "tracks"}]
        for entry in record["tracks"]
    )
    frame["horizon"] = [f"{step * data.period:.2g} s" for step in frame["step"]]
    methods = make_methods(name, data.period)
    skipped = {key: why_skipped(key) for key in methods if key not in set(frame["method"])}
    tables = [("Root mean square error in mm by horizon", overview(frame, skipped))]
    if frame["method"].str.startswith("ours").any():
        tables.append(("Ours beside the best peer of each horizon", against(frame)))
    for horizon in frame["horizon"].unique():
        tables.append((f"{horizon} ahead, mm", at_horizon(frame[frame["horizon"] == horizon])))
    return tables


_SCORED = (
    "All see the same rows and nothing later: what is learnt from the patient is learnt from "
    "truths that have been seen. `looks ahead`: largest change in mm of forecasts when everything "
    "after them is changed. Scored are the forecasts of moments behind the recording's first "
    "minute{pooled}. Best peer: of those named here, by the same recordings, which favours it. p: "
    "Wilcoxon signed-rank test over recordings, which are few, not adjusted. Worst ratio: of the "
    "RMSE of a left-out group, mean over its recordings, the largest over groups; ridge: ours, "
    "ridge alone, and the best of the peers with ridge in their name. Lowest coverage: of a "
    "recording. The official Transformer is the authors' code, small; neuralforecast and darts "
    "train briefly, on single axes or objects, and do not learn from the patient."
)


def _row(name, title, text, pooled):
    return Row(
        name=name,
        title=title,
        text=f"{text} {_SCORED.format(pooled=pooled)}",
        tasks=partial(_tasks, name),
        measure=partial(measure, name),
        summarise=partial(_summarise, name),
        spread=SPREAD,
        packages=PACKAGES,
        is_ours=is_ours,
        page="forecasting",
        parts=PARTS,
    )


MARKERS = _row(
    "markers",
    "Markers on the body",
    "Seven recordings of three markers on chest and abdomen, 3-D, every second sample of 10 Hz; "
    "one of the two recording dates is left out at a time. Ours follows each marker by itself; "
    'linear peers see all three, or one ("single").',
    ", pooled over markers",
)

CINE_TARGETS = _row(
    "cine_targets",
    "Targets in the liver",
    "Positions of a target in sagittal cine MR of six healthy persons (cine_ovgu), 2-D, 5.97 Hz, "
    "labelled by registration; one person is left out at a time, frames from number 340 on.",
    "",
)
