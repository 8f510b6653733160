"""Runs the measurements of a row, in processes of their own where cost counts, and keeps them.

What ``compare_*.py`` have in common is here too. Nothing at the top imports numpy, so that `main`
can say how many threads there are to be.
"""

import argparse
import hashlib
import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PARTS = ("feature_selection", "nn", "datasets", "survival", "base.py", "_validation.py")
# What the files of a page's rows start with, where that is not the page's name.
_STEMS = {"selection": "", "multimodal": "fusion_"}
_PACKAGES = ("numpy", "scikit-learn", "torch")


@dataclass(frozen=True)
class Row:
    """One row of the table of goals.

    Attributes
    ----------
    name, title, text : str
        Name on the command line, heading, and what was measured on what.
    tasks : callable
        From the options of the command line to a list of dicts, the measurements.
    measure : callable
        From the entries of such a dict to a dict of results that JSON can hold.
    summarise : callable
        From a list of dicts, task and result together, to a list of (caption, DataFrame).
    spread : str
        What stands after the plus-minus sign.
    alone : bool
        Whether each measurement runs in a process of its own.
    packages : tuple of str
        Other packages whose versions belong in the table.
    is_ours : callable
        From a task to whether the source of this package changes its result.
    page : str
        The page of the docs it is on; ``compare_<page>.py`` finds the row by its name.
    parts : tuple of str
        Files and folders of the package that decide about the results.
    """

    name: str
    title: str
    text: str
    tasks: Callable
    measure: Callable
    summarise: Callable
    spread: str = "standard error"
    alone: bool = False
    packages: tuple = ()
    is_ours: Callable = field(default=lambda task: True)
    page: str = "selection"
    parts: tuple = _PARTS

    @property
    def file(self):
        """Stem of the files that hold its numbers."""
        return file_of(self.page, self.name)


def file_of(page, name):
    """Stem of the files that hold the numbers of a row."""
    return _STEMS.get(page, f"{page}_") + name


def main(
    page,
    rows,
    description,
    arguments=None,
    *,
    cpu_limit,
    threads=1,
    add=None,
    prepare=None,
    gather=None,
):
    """Run the rows of a page, or one measurement of a row in a process of its own.

    Parameters
    ----------
    page : str
        Page of the docs; the script is ``compare_<page>.py``.
    rows : dict of str to str
        Names of the rows, in the order of the page, and the module of each.
    description : str
        For the command line.
    arguments : list of str or None, default=None
        None: those of the command line.
    cpu_limit : int
        CPU-s that a measurement in a process of its own may take.
    threads : int, default=1
        Threads of a measurement, if the environment does not say otherwise.
    add : callable or None, default=None
        Adds options of the script to the parser.
    prepare : callable or None, default=None
        Gets the options before a row is imported.
    gather : callable or None, default=None
        Takes the place of `collect`.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    parser = argparse.ArgumentParser(description=description)
    add_options(parser, rows, cpu_limit=cpu_limit)
    if add is not None:
        add(parser)
    options = parse_options(parser, arguments)
    if prepare is not None:
        prepare(options)
    if options.measure:
        name, task = options.measure
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = import_row(rows, name).measure(**json.loads(task))
        sys.stdout.write("\n" + json.dumps(result) + "\n")
        return
    tables = importlib.import_module("benchmarks._tables")
    for name in options.rows:
        row = import_row(rows, name)
        records, sources = (gather or collect)(row, options)
        tables.write_row(row, records, sources, options)
        tables.write_summary([file_of(page, one) for one in rows], options.out, page)


def import_row(rows, name):
    """Import the row of that name."""
    return getattr(importlib.import_module(f"benchmarks.{rows[name]}"), name.upper())


def collect(row, options):
    """Measure what is not in the cache yet; give all results of this row and their sources."""
    options.cache.mkdir(parents=True, exist_ok=True)
    path = options.cache / f"{row.file}{'-quick' if options.quick else ''}.jsonl"
    source = fingerprint(row.parts)
    known = _read(path, row, None if options.any_version else source)
    tasks = row.tasks(options)
    todo = [task for task in tasks if _key(task) not in known]
    if options.only:
        todo = [task for task in todo if options.only in _key(task)]
    if not options.write_only:
        _say(f"{row.name}: {len(todo)} of {len(tasks)} to measure")
        end = time.monotonic() + options.seconds
        for task, result in _measure_all(row, todo, options, end):
            known[_key(task)] = {**task, **result}, source
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"task": task, "result": result, "source": source}) + "\n")
            _say(f"  {_key(task)} {str(result)[:160]}")
    found = [known[_key(task)] for task in tasks if _key(task) in known]
    return [record for record, _ in found], sorted({origin for _, origin in found})


def _measure_all(row, tasks, options, end):
    if row.alone:
        for task in tasks:
            if time.monotonic() > end:
                return
            yield task, measure_alone(row, task, options.cpu_limit)
        return
    from joblib import Parallel, delayed

    # In portions, so that a run that has to stop loses little.
    size = max(1, 4 * options.jobs)
    for start in range(0, len(tasks), size):
        if time.monotonic() > end:
            return
        calls = (
            delayed(_measure_here)(row.page, row.name, task) for task in tasks[start : start + size]
        )
        yield from Parallel(n_jobs=options.jobs, return_as="generator")(calls)


def _measure_here(page, name, task):
    find_row = importlib.import_module(f"benchmarks.compare_{page}").find_row
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return task, find_row(name).measure(**task)


def measure_alone(row, task, cpu_limit):
    """Measure in a new process that may use `cpu_limit` CPU-s; an error is a result too."""
    script = ROOT / "benchmarks" / f"compare_{row.page}.py"
    command = [sys.executable, str(script), "--measure", row.name, json.dumps(task)]
    limit = (cpu_limit, cpu_limit + 5)
    # CPU time, because a busy machine would make a limit on the clock an unfair one; the clock
    # stops what only waits.
    wall = 20 * cpu_limit
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, limit),
    )
    try:
        output, errors = process.communicate(timeout=wall)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"error": f"stopped after {wall} s"}
    if process.returncode == 0:
        return json.loads(output.strip().splitlines()[-1])
    if process.returncode < 0 and "Error" not in errors[-500:]:
        return {"error": f"stopped after {cpu_limit} CPU-s"}
    return {"error": (errors.strip().splitlines() or ["no message"])[-1][:200]}


def add_options(parser, rows, *, cpu_limit):
    """Add the options that every script of comparisons has.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    rows : dict
        Names of the script's rows.
    cpu_limit : int
        Default of CPU-s that a measurement of its own may take.
    """
    parser.add_argument("--rows", nargs="+", choices=rows, default=list(rows), metavar="ROW")
    parser.add_argument("--only", help="only measurements whose description holds this text")
    parser.add_argument("--jobs", type=int, default=1, help="measurements at the same time")
    parser.add_argument("--quick", action="store_true", help="few small measurements")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="start nothing new after this time"
    )
    parser.add_argument(
        "--cpu-limit", type=int, default=cpu_limit, help="CPU-s a measurement of its own may take"
    )
    parser.add_argument("--cache", type=Path, default=ROOT / ".benchmarks", help="measurements")
    parser.add_argument(
        "--any-version", action="store_true", help="use cached numbers of other source files"
    )
    parser.add_argument("--write-only", action="store_true", help="measure nothing, only write")
    parser.add_argument("--out", type=Path, help="folder of the tables; default docs/benchmarks")
    parser.add_argument("--measure", nargs=2, metavar=("ROW", "TASK"), help=argparse.SUPPRESS)


def parse_options(parser, arguments):
    """Parse a script's arguments; a trial must not replace the tables of the docs."""
    options = parser.parse_args(arguments)
    if options.out is None:
        options.out = options.cache / "quick" if options.quick else ROOT / "docs" / "benchmarks"
    return options


def fingerprint(parts=_PARTS):
    """Hash of the source files that decide about the results of this package."""
    package, digest = ROOT / "sklearn_medsel", hashlib.sha256()
    for part in parts:
        path = package / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def describe_machine(packages, sources):
    """Versions, sources, cores and threads, in one line."""
    found = []
    for name in (*_PACKAGES, *packages):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return (
        f"Python {platform.python_version()}, {', '.join(found)}; source {' and '.join(sources)}; "
        f"{os.cpu_count()} cores, at most {os.environ.get('OMP_NUM_THREADS', '?')} threads"
    )


def _read(path, row, source):
    known = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            task = record["task"]
            if source is None or record["source"] == source or not row.is_ours(task):
                known[_key(task)] = {**task, **record["result"]}, record["source"]
    return known


def _key(task):
    return json.dumps(task, sort_keys=True)


def _say(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def data_folder():
    """Folder of the real tables: MEDSEL_DATA, or shared/data beside the repository."""
    return Path(os.environ.get("MEDSEL_DATA", ROOT.parent / "shared" / "data")) / "omics"
