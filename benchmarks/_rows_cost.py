"""Rows of the comparison that count seconds and memory: our speed, the peers, batched repeats."""

import importlib
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks._data import load, simulate
from benchmarks._methods import METHODS, ours
from benchmarks._runner import Row
from benchmarks._tables import mean_and_error

_MIB = 2**20


def cpu_seconds():
    """User and system time of this process and of those it waited for."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in usage)


def measure_cost(call):
    """Result of a call, its CPU-s, seconds on the clock and MiB above what was in use before."""
    # The peak so far is that of the imports; where the system can forget it, it should.
    status, resident = Path("/proc/self/status"), None
    try:
        Path("/proc/self/clear_refs").write_text("5")
        resident = _memory(status, "VmRSS")
    except OSError:
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    cpu, wall = cpu_seconds(), time.perf_counter()
    result = call()
    cost = {"cpu_s": cpu_seconds() - cpu, "wall_s": time.perf_counter() - wall}
    if resident is None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        cost["mib"] = (peak - base) / _MIB
    else:
        cost["mib"] = (_memory(status, "VmHWM") - resident) / _MIB
    return result, cost


def _memory(status, field):
    for line in status.read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"{status} has no {field}.")


# --- speed --------------------------------------------------------------------------------------


def _speed_tasks(options):
    small = options.quick
    n_seeds = 1 if small else 3
    # (samples, features, method, repeats)
    cases = [(200, 5000, "path", 20), (100, 20_000, "path", 100), (100, 20_000, "mori", 100)]
    names = ("n_samples", "n_features", "method", "n_repeats")
    tasks = [dict(zip(names, case, strict=True)) for case in cases]
    for task in tasks:
        task["n_features"] //= 10 if small else 1
    return [{**task, "seed": seed} for seed in range(n_seeds) for task in tasks]


def measure_speed(n_samples, n_features, method, n_repeats, seed):
    """Cost of the first and of a second fit of a process."""
    importlib.import_module("sklearn_medsel.feature_selection._selector")
    data = simulate("lin", seed, n_samples, n_features)
    call = {"method": method, "n_repeats": n_repeats}
    _, first = measure_cost(lambda: ours(data.X, data.y, seed, **call))
    _, second = measure_cost(lambda: ours(data.X, data.y, seed, **call))
    return {"first": first, "second": second}


def _summarise_speed(records):
    rows = []
    groups = pd.DataFrame(records).groupby(
        ["method", "n_samples", "n_features", "n_repeats"], sort=False
    )
    for (method, n, p, repeats), part in groups:
        entry = {"method": method, "n": n, "p": p, "repeats": repeats, "runs": len(part)}
        if "error" in part and part["error"].notna().any():
            entry["error"] = part["error"].dropna().iloc[0]
            part = part[part["error"].isna()]
        for column, fit, what in [
            ("CPU-s", "first", "cpu_s"),
            ("CPU-s of a second fit", "second", "cpu_s"),
            ("MiB", "first", "mib"),
        ]:
            values = [cost[what] for cost in part[fit]] if fit in part else []
            entry[column], entry[f"{column}_se"] = mean_and_error(values)
        rows.append(entry)
    return [("Each run in its own process", pd.DataFrame(rows))]


SPEED = Row(
    name="speed",
    title="Time and memory",
    text="`lin` tables (ten true genes), with q-values, defaults. CPU-s: user and system time of "
    "`fit` over all threads; the first fit of a process also loads what torch loads late. MiB: "
    "peak memory during the first fit above that in use before it, imports and table included.",
    tasks=_speed_tasks,
    measure=measure_speed,
    summarise=_summarise_speed,
    alone=True,
)


# --- peers --------------------------------------------------------------------------------------

_REAL_SET = "wpfs_prostate_ge"
_N_TOP = 10


def _peer_tasks(options):
    designs = ("lin",) if options.quick else ("lin", "syn", _REAL_SET)
    n_features = 500 if options.quick else 5000
    return [
        {"data": design, "method": method, "n_features": n_features, "seed": 0}
        for design in designs
        for method in METHODS
    ]


def measure_peer(data, method, n_features, seed):
    """Cost of one method on one table, and how good its best ten and its selection are."""
    call, module = METHODS[method]
    importlib.import_module(module)
    X, y, support, X_test, y_test = _peer_table(data, n_features, seed)
    (importance, selected), result = measure_cost(lambda: call(X, y, seed))
    importance = np.asarray(importance, dtype=float)
    best = np.argsort(-importance, kind="stable")[:_N_TOP]
    if selected is not None:
        result["n_selected"] = int(np.sum(selected))
    if support is None:
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:, best], y)
        result["top_score"] = balanced_accuracy_score(y_test, model.predict(X_test[:, best]))
        return result
    result["auprc"] = float(average_precision_score(support, importance))
    result["n_top"] = int(support[best].sum())
    if selected is not None:
        result["n_true"] = int(np.sum(support & selected))
    return result


def _peer_table(name, n_features, seed):
    if name != _REAL_SET:
        data = simulate(name, seed, 200, n_features)
        X = StandardScaler().fit_transform(data.X).astype(np.float32)
        return X, data.y, data.support, None, None
    table, labels = load(name)
    y = np.unique(labels, return_inverse=True)[1]
    X, X_test, y, y_test = train_test_split(
        table.to_numpy(), y, test_size=0.3, stratify=y, random_state=seed
    )
    scaler = StandardScaler().fit(X)
    X, X_test = (scaler.transform(part).astype(np.float32) for part in (X, X_test))
    return X, y, None, X_test, y_test


def _summarise_peers(records):
    tables = []
    for name, part in pd.DataFrame(records).groupby("data", sort=False):
        part = part.reindex(columns=[*part, *{"n_selected", "n_true", "error"} - set(part)])
        frame = pd.DataFrame(
            {
                "method": part["method"],
                "runs": 1,
                "CPU-s": part["cpu_s"],
                "MiB": part["mib"],
                "selected": part["n_selected"],
            }
        )
        if name == _REAL_SET:
            frame["balanced accuracy of the best 10"] = part["top_score"]
        else:
            false = part["n_selected"] - part["n_true"]
            frame["true genes selected"] = part["n_true"]
            frame["FDP"] = false / part["n_selected"].clip(lower=1)
            frame["AUPRC"] = part["auprc"]
            frame["true genes in best 10"] = part["n_top"]
        frame["error"] = part["error"].fillna("")
        size = "70 % of 102 samples to fit" if name == _REAL_SET else "n=200, p=5000, one table"
        tables.append((f"{name}, {size}", frame))
    return tables


PEERS = Row(
    name="peers",
    title="Beside other methods",
    text="Same table for all, standardised; each method in its own process, false discovery rate "
    ".2 where it takes one, at most 300 CPU-s. One table each, so differences of a gene or two "
    "mean nothing. LASSO-CV and the forest do not claim to control false discoveries.",
    tasks=_peer_tasks,
    measure=measure_peer,
    summarise=_summarise_peers,
    alone=True,
    packages=("lassonet", "ipss", "Boruta", "hidimstat", "stg"),
    is_ours=lambda task: task["method"].startswith("DeepFeature"),
)


# --- batched repeats ----------------------------------------------------------------------------


def _mori_tasks(options):
    n_features, n_repeats = (1000, 10) if options.quick else (10_000, 100)
    n_seeds = 1 if options.quick else 3
    return [
        {"n_samples": 100, "n_features": n_features, "n_repeats": n_repeats, "seed": seed}
        for seed in range(n_seeds)
    ]


def measure_mori(n_samples, n_features, n_repeats, seed):
    """Seconds of all repeats in one call and of two loops, and whether the numbers agree."""
    from sklearn_medsel.feature_selection._mori import train_repeats

    data = simulate("lin", seed, n_samples, n_features)
    X = StandardScaler().fit_transform(data.X).astype(np.float32)
    seeds = list(range(1000 * seed, 1000 * seed + n_repeats))
    settings = {"task": "classification", "screen": None, "device": "cpu", "dtype": "float32"}
    train_repeats(X, data.y, seeds=seeds[:1], **settings)  # torch loads what it loads late
    train_repeats(X, data.y, seeds=seeds, n_jobs=2, max_epochs=1, **settings)  # starts workers

    batch, costs = measure_cost(lambda: train_repeats(X, data.y, seeds=seeds, **settings))
    result = {"batched": costs}
    loop, result["loop"] = measure_cost(
        lambda: [train_repeats(X, data.y, seeds=[one], **settings) for one in seeds]
    )
    fields = ("selection_weights", "importances", "effects", "outputs", "losses")
    result["same_bits"] = all(
        np.array_equal(getattr(batch, field)[place], getattr(single, field)[0])
        for place, single in enumerate(loop)
        for field in fields
    )
    _, result["two"] = measure_cost(
        lambda: train_repeats(X, data.y, seeds=seeds, n_jobs=2, **settings)
    )
    train_module(X, data.y, seeds[0])
    _, result["module"] = measure_cost(lambda: [train_module(X, data.y, one) for one in seeds])
    return result


def train_module(X, y, seed, n_threads=2):
    """The same network as anybody would write it in torch, with the same settings."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    torch.manual_seed(seed)
    n_features = X.shape[1]
    table, target = torch.as_tensor(X), torch.as_tensor(y)
    gate = torch.nn.Parameter(torch.ones(n_features))
    dense = torch.nn.Sequential(
        torch.nn.Linear(n_features, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2)
    )
    optimizer = torch.optim.SGD(
        [gate, *dense.parameters()], lr=0.1, momentum=0.9, nesterov=True, fused=True
    )
    loss = torch.nn.CrossEntropyLoss()
    for _ in range(100):
        optimizer.zero_grad()
        (loss(dense(table * gate), target) + 4e-4 * gate.abs().sum()).backward()
        optimizer.step()
    torch.set_num_threads(before)


def _summarise_mori(records):
    records = pd.DataFrame(records)
    if "error" in records:
        return [("Failed", records[["seed", "error"]])]
    entry = {
        "n": records["n_samples"].iloc[0],
        "p": records["n_features"].iloc[0],
        "repeats": records["n_repeats"].iloc[0],
        "runs": len(records),
    }
    wall = {k: np.array([cost["wall_s"] for cost in records[k]]) for k in _MORI_WAYS}
    for key, name in _MORI_WAYS.items():
        entry[f"{name}, s"], entry[f"{name}, s_se"] = mean_and_error(wall[key])
    for key, batched in [("loop", "batched"), ("module", "batched"), ("module", "two")]:
        column = f"{_MORI_WAYS[key]} / {_MORI_WAYS[batched]}"
        entry[column], entry[f"{column}_se"] = mean_and_error(wall[key] / wall[batched])
    entry["same bits"] = "yes" if records["same_bits"].all() else "no"
    return [("`train_repeats`, 16 hidden units, no screen of columns", pd.DataFrame([entry]))]


_MORI_WAYS = {
    "batched": "batched",
    "two": "batched, n_jobs=2",
    "loop": "own loop",
    "module": "torch loop, 2 threads",
}

MORI = Row(
    name="mori",
    title='Repeats of `method="mori"`: batched against a loop',
    text="Seconds on the clock for all repeats. Own loop: the same function once per seed, which "
    "shares everything with the batch but the batch. Torch loop: the network as a module with "
    "autograd and fused SGD, on two threads. Same bits: weights, importances, effects, outputs and "
    "losses of every repeat are identical in batch and own loop.",
    tasks=_mori_tasks,
    measure=measure_mori,
    summarise=_summarise_mori,
    alone=True,
)
