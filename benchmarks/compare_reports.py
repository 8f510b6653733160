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
    runner = importlib.import_module("benchmarks._runner")
    parser = argparse.ArgumentParser(description="Compare classifiers of reports.")
    runner.add_options(parser, ROWS, cpu_limit=3600)
    parser.add_argument("--repeats", type=int, default=3, help="times that folds are drawn")
    parser.add_argument("--sims", type=int, default=100, help="training sets drawn (recall)")
    parser.add_argument(
        "--vectors", type=Path, default=Path(tempfile.gettempdir()) / "medsel-sentence-vectors"
    )
    return runner.parse_options(parser, arguments)


if __name__ == "__main__":
    main()
