"""Row of the comparison of fusions on what a fit costs."""

import time
import warnings

import numpy as np
import pandas as pd

from benchmarks._fusion_methods import OURS, PARTS
from benchmarks._runner import Row
from benchmarks._tables import mean_and_error
from sklearn_medsel.multimodal import MultimodalClassifier, MultimodalCox
from sklearn_medsel.survival import make_survival_y

_TASKS = ("classification", "survival")


def make_tables(task, n_patients=250, n_features=200, seed=0):
    """Draw patients with three blocks of a table each; the first one knows a part of the outcome.

    Returns
    -------
    X : DataFrame of shape (n_patients, 3 * n_features)
    y : ndarray of shape (n_patients,)
    blocks : list of (name, modality, columns)
    """
    rng = np.random.default_rng(seed)
    names = ("a", "b", "c")
    columns = [f"{name}__{k}" for name in names for k in range(n_features)]
    X = pd.DataFrame(rng.standard_normal((n_patients, len(columns))), columns=columns)
    score = X["a__0"] + X["a__1"] - X["b__0"] + X["b__1"] * X["c__0"]
    noisy = (score + rng.logistic(size=n_patients)).to_numpy()
    if task == "survival":
        times = rng.exponential(np.exp(-noisy))
        y = make_survival_y(rng.random(n_patients) < 0.7, times + 1e-3)
    else:
        y = (noisy > 0).astype(int)
    return X, y, [(name, "table", f"{name}__*") for name in names]


def _tasks(options):
    fusions = ("residual",) if options.quick else OURS
    return [
        {"task": task, "fusion": fusion, "factors": factors, "seed": seed}
        for task in _TASKS
        for fusion in fusions
        for factors in ((None,) if fusion != "residual" else (None, 30))
        for seed in range(1 if options.quick else 3)
    ]


def _measure(task, fusion, factors, seed):
    """CPU-s of a second fit in a new process, and of a prediction."""
    X, y, blocks = make_tables(task, seed=seed)
    kind = MultimodalCox if task == "survival" else MultimodalClassifier
    model = kind(
        blocks, fusion=fusion, n_features_to_select=factors, random_state=seed, device="cpu"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # what is loaded and set up once is no cost of a fit
        model.set_params(max_epochs=2).fit(X.iloc[:60], y[:60])
        model.set_params(max_epochs=kind(blocks).max_epochs)
        start, wall = time.process_time(), time.perf_counter()
        model.fit(X, y)
        fitted = time.process_time()
        wall = time.perf_counter() - wall
        model.predict(X)
    return {"cpu_s": fitted - start, "wall_s": wall, "predict_s": time.process_time() - fitted}


def _summarise(records):
    records = [record for record in records if "error" not in record]
    found = pd.DataFrame(records)
    if not records:
        return []
    rows = []
    keys = ["task", "fusion", "factors"]
    for names, part in found.groupby(keys, sort=False, dropna=False):
        row = dict(zip(keys, names, strict=True))
        row["factors"] = "all" if pd.isna(row["factors"]) else f"{row['factors']:.0f}"
        row["runs"] = int(part["cpu_s"].notna().sum())
        for key, column in (
            ("cpu_s", "fit, CPU-s"),
            ("wall_s", "fit, seconds"),
            ("predict_s", "prediction, CPU-s"),
        ):
            row[column], row[f"{column}_se"] = mean_and_error(part[key])
        rows.append(row)
    return [("250 patients, 600 features in three blocks", pd.DataFrame(rows))]


SPEED = Row(
    name="speed",
    title="Cost of a fit",
    text="CPU time of `fit` with everything it reports, explanations and permutation tests "
    "included, each in a process of its own after a small fit; prediction for the same 250 "
    "patients.",
    tasks=_tasks,
    measure=_measure,
    summarise=_summarise,
    alone=True,
    page="multimodal",
    parts=PARTS,
)
