"""Ours beside other methods on moving targets, same rows in the same run; writes the docs' tables.

    python benchmarks/compare_forecasting.py                                # everything
    python benchmarks/compare_forecasting.py --rows markers --only ours     # a part of a row
    python benchmarks/compare_forecasting.py --quick                        # does it run at all?

As in ``compare_selection.py``, measurements are remembered (``--cache``) as soon as they are made,
those of this package for the exact source files that made them, and a run that was stopped goes on
where it stood. The data are those of ``cine/`` in the folder named by MEDSEL_DATA. The authors'
code of the Non-stationary Transformer is a peer where MEDSEL_NONSTATIONARY names a clone of it.
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
    "markers": "_forecast_rows_traces",
    "cine_targets": "_forecast_rows_traces",
    "cine_frames": "_forecast_rows_frames",
    "phantom": "_forecast_rows_phantom",
    "speed": "_forecast_rows_cost",
}
PAGE = "forecasting"


def main(arguments=None):
    """Run rows, or one measurement of a row in a process of its own."""
    # Before numpy and torch are imported by a row: one thread, as in the goals.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
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
        tables.write_summary([find_row(one).file for one in ROWS], options.out, PAGE)


def find_row(name):
    """Import the row of that name."""
    return getattr(importlib.import_module(f"benchmarks.{ROWS[name]}"), name.upper())


def _read_arguments(arguments):
    runner = importlib.import_module("benchmarks._runner")
    parser = argparse.ArgumentParser(description="Compare forecasts of moving targets.")
    runner.add_options(parser, ROWS, cpu_limit=1800)
    return runner.parse_options(parser, arguments)


if __name__ == "__main__":
    main()
