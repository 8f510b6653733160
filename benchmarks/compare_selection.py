"""Ours beside other methods, on the same data in the same run; writes the tables of the docs.

    python benchmarks/compare_selection.py                          # everything
    python benchmarks/compare_selection.py --rows fdr --sims 200    # one row of the goals
    python benchmarks/compare_selection.py --quick                  # does it run at all?

Every measurement is remembered in a cache (``--cache``) as soon as it is made. A run that was
stopped goes on where it stood, and the tables are written from whatever there is. Measurements of
this package are remembered for the exact source files that made them.
"""

import argparse
import importlib
import json
import os
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# In the order in which the tables appear: module, name of the row in it.
ROWS = {
    "speed": "_rows_cost",
    "ranking": "_rows_truth",
    "fdr": "_rows_truth",
    "peers": "_rows_cost",
    "classification": "_rows_real",
    "stability": "_rows_real",
    "survival": "_rows_real",
    "mori": "_rows_cost",
}


def main(arguments=None):
    """Run rows, or one measurement of a row in a process of its own."""
    # Before numpy and torch are imported by a row: two threads, as in the goals.
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.path[:0] = [str(ROOT)]
    options = _read_arguments(arguments)
    if options.measure:
        row, task = options.measure
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = find_row(row).measure(**json.loads(task))
        sys.stdout.write("\n" + json.dumps(result) + "\n")
        return
    runner = importlib.import_module("benchmarks._runner")
    tables = importlib.import_module("benchmarks._tables")
    for name in options.rows:
        row = find_row(name)
        records, sources = runner.collect(row, options)
        tables.write_row(row, records, sources, options)
        tables.write_summary(list(ROWS), options.out)


def find_row(name):
    """Import the row of that name."""
    return getattr(importlib.import_module(f"benchmarks.{ROWS[name]}"), name.upper())


def _read_arguments(arguments):
    runner = importlib.import_module("benchmarks._runner")
    parser = argparse.ArgumentParser(description="Compare feature selection methods.")
    runner.add_options(parser, ROWS, cpu_limit=300)
    parser.add_argument("--sims", type=int, default=200, help="simulations per design (fdr)")
    parser.add_argument("--seeds", type=int, default=20, help="seeds per design (ranking)")
    return runner.parse_options(parser, arguments)


if __name__ == "__main__":
    main()
