"""Row of the forecasting comparison on the phantom: which planes, and what if they are lost."""

from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from benchmarks._forecast_images import KNOWN, errors, follow, follow_by_pca, make_phantom
from benchmarks._forecast_rows_traces import PARTS, SPREAD
from benchmarks._forecast_scores import timed
from benchmarks._forecast_tables import at_horizon
from benchmarks._runner import Row
from sklearn_medsel import TumourPositionForecaster

_PLANES = {
    "coronal": ("coronal",),
    "coronal and sagittal": ("coronal", "sagittal"),
    "all": ("coronal", "sagittal", "axial"),
}
_WAYS = ("simultaneous", "interleaved")
_STEP, _AHEAD, _START = 2, 0.4, 44.0
_N_PATIENTS, _N_FOLDS = 6, 3
_OURS, _STAYS = "ours", "true position now, and stays there"
_PCA = {f"PCA + ridge, own first {known:.0f} s": known for known in (_START, KNOWN)}
# A plane is lost from these times on, for so long; all planes are lost at the last time. In s.
_LOST_AT, _LOST_FOR, _ALL_LOST_AT = (46.0, 58.0, 70.0), 5.0, 60.0


def _tasks(options):
    extra = {"quick": True} if options.quick else {}
    tasks = [{"method": _STAYS, "way": _WAYS[0], "planes": "all", **extra}]
    for way in _WAYS:
        for planes in _PLANES:
            if (way, planes) != ("interleaved", "coronal"):  # one plane in turn is that plane
                shared = {"way": way, "planes": planes, **extra}
                tasks += [{"method": method, **shared} for method in _PCA]
                folds = range(1 if options.quick else _N_FOLDS)
                tasks += [{"method": _OURS, "fold": fold, **shared} for fold in folds]
    return tasks


@lru_cache(maxsize=1)
def _load(way, planes, quick):
    small = {"size": 32, "pixel_mm": 3.5, "n_patients": 3, "duration": 64.0} if quick else {}
    return make_phantom(_PLANES[planes], way, **small)


def measure(method, way, planes, fold=None, quick=False):
    """A peer on all patients, or ours on those of a fold after training on the others."""
    cine = _load(way, planes, quick)
    if method == _OURS:
        return _measure_ours(cine, cine.patient % _N_FOLDS == fold, quick)
    entries = []
    for own in _patients(cine):
        places = own.positions if method == _STAYS else follow_by_pca(own, _STEP, _PCA[method])
        entries += _scores(own, places)
    return {"entries": entries}


def _measure_ours(cine, tested, quick):
    extra = {"max_epochs": 1} if quick else {}
    forecaster = TumourPositionForecaster((_AHEAD,), random_state=0, device="cpu", **extra)
    _, fit_s = timed(forecaster.fit, cine[~tested])
    result = {"entries": [], "lost": [], "fit_s": fit_s}
    for own in _patients(cine[tested]):
        found = follow(forecaster, own)
        result["entries"] += _scores(own, found.forecast, found.radius)
        result["ms"] = float(np.median(found.ms))
        if cine.mask.mean() > 0.5 and len(cine.planes) == len(_PLANES["all"]):
            result["lost"].append(_lose(forecaster, own, found))
    return result


def _lose(forecaster, own, usual):
    """Squared errors while a plane is lost, and without; updates until HOLD with all lost."""
    gone = np.zeros(len(own), dtype=bool)
    for start in _LOST_AT:
        gone |= (own.t >= start) & (own.t < start + _LOST_FOR)
    rows = np.flatnonzero(gone[:-_STEP])
    truth = own.positions[rows + _STEP]
    result = {"usual": ((usual.forecast[rows] - truth) ** 2).sum(axis=1).mean()}
    for k, plane in enumerate(own.planes):
        lost = np.zeros(own.mask.shape, dtype=bool)
        lost[gone, k] = True
        miss = follow(forecaster, own, lost).forecast[rows] - truth
        result[plane] = (miss**2).sum(axis=1).mean()
    own = own[own.t < _ALL_LOST_AT + 2.0]
    lost = np.repeat(own.t[:, None] >= _ALL_LOST_AT, len(own.planes), axis=1)
    held = np.flatnonzero(follow(forecaster, own, lost).status[lost[:, 0]] == "HOLD")
    return result | {"updates": float(held[0] + 1) if held.size else np.inf}


def _patients(cine):
    return [cine[cine.patient == patient] for patient in np.unique(cine.patient)]


def _scores(own, forecast, radius=None):
    found = errors(own, forecast, (_AHEAD,), _START, radius)
    return [{"track": str(own.patient[0]), **entry} for entry in found]


def _summarise(records):
    frame = pd.DataFrame(
        {key: record[key] for key in ("method", "way", "planes")} | entry
        for record in records
        for entry in record["entries"]
    )
    tables, ours = [], []
    for way in _WAYS:
        here = frame[(frame["way"] == way) | frame["planes"].isin(["coronal"])]
        parts = [
            at_horizon(here[here["planes"] == planes]).assign(planes=planes)
            for planes in _PLANES
            if (here["planes"] == planes).any()
        ]
        if parts:
            table = pd.concat(parts)
            table = table[["planes", *table.columns.drop("planes")]]
            tables.append((f"{way.capitalize()} planes, 0.4 s ahead, mm", table))
        ours.append(_beside_coronal(here[here["method"] == _OURS], way))
    ours = [entry for entry in ours if entry]
    if ours:
        tables.append(("Ours with all planes beside ours with coronal frames", pd.DataFrame(ours)))
    lost = [entry for record in records for entry in record.get("lost", ())]
    if lost:
        tables.append(("Ours when planes are lost", _lost_table(pd.DataFrame(lost))))
    return tables


def _beside_coronal(frame, way):
    table = frame.pivot(index="track", columns="planes", values="rmse").reindex(columns=_PLANES)
    table = table[["coronal", "all"]].dropna()
    if table.empty:
        return None
    entry = {"acquisition": way} | table.mean().to_dict()
    entry["ratio"] = entry["all"] / entry["coronal"]
    entry["better in"] = f"{int((table['all'] < table['coronal']).sum())} of {len(table)}"
    if len(table) > 1:
        entry["p"] = wilcoxon(table["all"], table["coronal"]).pvalue
    return entry


def _lost_table(lost):
    usual = lost["usual"].mean() ** 0.5
    rows = []
    for plane in _PLANES["all"]:
        error = lost[plane].mean() ** 0.5
        entry = {"lost": plane, "patients": len(lost), "RMSE": error, "RMSE without loss": usual}
        entry |= {"ratio": error / usual, "worst ratio": (lost[plane] / lost["usual"]).max() ** 0.5}
        rows.append(entry)
    rows.append({"lost": "all", "patients": len(lost), "updates until HOLD": lost["updates"].max()})
    return pd.DataFrame(rows)


PHANTOM = Row(
    name="phantom",
    title="Which planes: the phantom",
    text="Six virtual patients of 84 s: the CT anatomy `ct4d_118`, warped for each, moved by real "
    "3-D traces of markers brought to a range of about 14, 5 and 2.5 mm, with drift, noise and "
    "lost frames; 5 steps per second, frames of 56 x 56 pixels of 2 mm. Simultaneous: every plane "
    "at every step; interleaved: one plane at each step in turn, so that all have the same total "
    f"rate. {_N_FOLDS} folds of patients; positions are given in the first 20 s, forecasts from "
    "44 s on are scored. PCA + ridge: twelve principal components per plane of the last four "
    "moments, fitted to the same patient's first 44 s (more than ours is given) or 20 s. Lost: a "
    f"plane is missing for {_LOST_FOR:.0f} s, three times per patient, beside the same moments "
    "without that; all planes at once: the number of updates until HOLD. p: Wilcoxon signed-rank "
    "test over patients, not adjusted. Lowest coverage: of a patient.",
    tasks=_tasks,
    measure=measure,
    summarise=_summarise,
    spread=SPREAD.replace("recordings", "patients"),
    page="forecasting",
    parts=(*PARTS, "datasets"),
)
