"""Ours beside other methods on reports, same folds in the same run; writes the tables of the docs.

    python benchmarks/compare_reports.py                              # everything
    python benchmarks/compare_reports.py --rows iu408 --repeats 3     # one row of the goals
    python benchmarks/compare_reports.py --quick                      # does it run at all?

As in ``compare_selection.py``, measurements are remembered (``--cache``) as soon as they are made,
those of this package for the exact source files that made them, and a run that was stopped goes on
where it stood. Sentence vectors are kept apart (``--vectors``) and shared by all rows.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# In the order in which the tables appear: module, name of the row in it.
ROWS = {
    "iu408": "_report_rows_sets",
    "iufull": "_report_rows_sets",
    "jmed": "_report_rows_sets",
    "jichi": "_report_rows_sets",
    "nli4ct": "_report_rows_claims",
    "ablation": "_report_ablation",
    "recall": "_report_rows_recall",
    "pairs": "_report_rows_pairs",
    "speed": "_report_rows_cost",
    "finetune": "_report_rows_cost",
}
PAGE = "reports"


def main(arguments=None):
    """Run rows, or one measurement of a row in a process of its own."""
    # Before numpy and torch are imported by a row: one thread, as in the goals, and no network.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.path[:0] = [str(ROOT)]
    options = _read_arguments(arguments)
    # Not part of a measurement's description: the vectors are the same in every folder.
    os.environ["MEDSEL_BENCHMARK_VECTORS"] = str(options.vectors)
    if options.measure:
        row, task = options.measure
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = find_row(row).measure(**json.loads(task))
        sys.stdout.write("\n" + json.dumps(result) + "\n")
        return
    tables = importlib.import_module("benchmarks._tables")
    for name in options.rows:
        row = find_row(name)
        records, sources = _collect(row, options)
        tables.write_row(row, records, sources, options)
        tables.write_summary([find_row(one).file for one in ROWS], options.out, PAGE)


def find_row(name):
    """Import the row of that name."""
    return getattr(importlib.import_module(f"benchmarks.{ROWS[name]}"), name.upper())


def _collect(row, options):
    """Measure the row; the ablation measures nothing and shows what other rows have measured."""
    collect = importlib.import_module("benchmarks._runner").collect
    if row.name != "ablation":
        return collect(row, options)
    options = argparse.Namespace(**{**vars(options), "write_only": True})
    records, sources = [], set()
    is_ours = importlib.import_module("benchmarks._report_methods").is_ours
    for name in importlib.import_module("benchmarks._report_ablation").SETS:
        found, origins = collect(find_row(name), options)
        ours = [record for record in found if is_ours(record)]
        records += [{**record, "set": name} for record in ours]
        sources |= set(origins) if ours else set()
    return records, sorted(sources)


def _read_arguments(arguments):
    parser = argparse.ArgumentParser(description="Compare classifiers of reports.")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--repeats", type=int, default=3, help="times that folds are drawn")
    parser.add_argument("--sims", type=int, default=100, help="training sets drawn (recall)")
    parser.add_argument("--only", help="only measurements whose description holds this text")
    parser.add_argument("--jobs", type=int, default=1, help="measurements at the same time")
    parser.add_argument("--quick", action="store_true", help="few small measurements")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="start nothing new after this time"
    )
    parser.add_argument(
        "--cpu-limit", type=int, default=3600, help="CPU-s a measurement of its own may take"
    )
    parser.add_argument("--cache", type=Path, default=ROOT / ".benchmarks", help="measurements")
    parser.add_argument(
        "--vectors", type=Path, default=Path(tempfile.gettempdir()) / "medsel-sentence-vectors"
    )
    parser.add_argument(
        "--any-version", action="store_true", help="use cached numbers of other source files"
    )
    parser.add_argument("--write-only", action="store_true", help="measure nothing, only write")
    parser.add_argument("--out", type=Path, help="folder of the tables; default docs/benchmarks")
    parser.add_argument("--measure", nargs=2, metavar=("ROW", "TASK"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.out is None:
        # A trial must not replace the tables of the docs.
        options.out = options.cache / "quick" if options.quick else ROOT / "docs" / "benchmarks"
    return options


if __name__ == "__main__":
    main()
