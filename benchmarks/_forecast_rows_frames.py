"""Row of the forecasting comparison on cine MR frames of persons that training did not see."""

from functools import lru_cache

import numpy as np
import pandas as pd

from benchmarks._forecast_images import KNOWN, SUBJECTS, errors, follow, follow_by_pca
from benchmarks._forecast_images import load_cine_frames as _load_frames
from benchmarks._forecast_ours import OURS, STUDY, is_ours
from benchmarks._forecast_rows_traces import PARTS, SPREAD
from benchmarks._forecast_scores import timed
from benchmarks._forecast_tables import at_horizon
from benchmarks._runner import Row
from sklearn_medsel import TumourPositionForecaster

_STEP, _RATE = 2, 5.97
_AHEAD = _STEP / _RATE
_HORIZONS = {0.0: "Position now", _AHEAD: f"{_AHEAD:.2f} s ahead"}
_OURS = ("ours", "ours, ridge alone", STUDY)
_PCA, _STAYS = "PCA + ridge, own first 20 s", "true position now, and stays there"


@lru_cache(maxsize=1)
def _load():
    return _load_frames()


def _tasks(options):
    extra = {"quick": True} if options.quick else {}
    return [
        {"method": method, "subject": subject, **extra}
        for method in (_STAYS, _PCA, *_OURS)
        for subject in (SUBJECTS[:1] if options.quick else SUBJECTS)
    ]


def measure(method, subject, quick=False):
    """One method on one person; ours has learnt from the others."""
    cine = _load()
    if quick:
        cine = cine[(cine.t < KNOWN + 5.0) & np.isin(cine.patient, SUBJECTS[:3])]
    own = cine[cine.patient == subject]
    if is_ours({"method": method}):
        return _measure_ours(OURS[method], cine[cine.patient != subject], own, quick)
    if method == _STAYS:
        places = [own.positions, own.positions]
    else:
        places = [follow_by_pca(own, step, KNOWN) for step in (0, _STEP)]
    return {"entries": errors(own, np.hstack(places), tuple(_HORIZONS), own.t[0] + KNOWN)}


def _measure_ours(parameters, others, own, quick):
    extra = {"max_epochs": 1} if quick else {}
    forecaster = TumourPositionForecaster(
        (_AHEAD,), random_state=0, device="cpu", **parameters, **extra
    )
    _, fit_s = timed(forecaster.fit, others)
    found = follow(forecaster, own)
    radius = np.column_stack([np.full(len(own), np.nan), found.radius])
    start = own.t[0] + KNOWN
    scores = errors(own, np.hstack([found.now, found.forecast]), tuple(_HORIZONS), start, radius)
    return {"entries": scores, "fit_s": fit_s, "ms": float(np.median(found.ms))}


def _summarise(records):
    frame = pd.DataFrame(
        {"method": record["method"], "track": record["subject"], **entry}
        for record in records
        for entry in record["entries"]
    )
    tables = [
        (f"{caption}, mm", at_horizon(frame[np.isclose(frame["horizon"], horizon)]))
        for horizon, caption in _HORIZONS.items()
    ]
    costs = pd.DataFrame(records)
    if "fit_s" in costs:
        costs = costs.dropna(subset="fit_s").groupby("method", sort=False)[["fit_s", "ms"]].mean()
        costs = costs.rename(columns={"fit_s": "fit, CPU-s", "ms": "ms per update, median"})
        tables.append(("Cost", costs.reset_index()))
    return tables


CINE_FRAMES = Row(
    name="cine_frames",
    title="From cine MR frames",
    text="Sagittal cine MR of the liver of four healthy persons (cine_ovgu), 5.97 Hz, target "
    "positions from registration (2-D); ours is trained on the other three. Positions are given "
    "in the first 20 s, as in a warm-up, and frames alone from then on, which is scored. The "
    "position now is what a session reports as `now`. PCA + ridge: twelve principal components "
    "of the frame and the three before it, fitted to the same 20 s of the same person. Lowest "
    "coverage: of a person.",
    tasks=_tasks,
    measure=measure,
    summarise=_summarise,
    spread=SPREAD,
    is_ours=is_ours,
    page="forecasting",
    parts=PARTS,
)
