"""Ours beside other methods on moving targets, same rows in the same run; writes the docs' tables.

    python benchmarks/compare_forecasting.py                                # everything
    python benchmarks/compare_forecasting.py --rows markers --only ours     # a part of a row
    python benchmarks/compare_forecasting.py --quick                        # does it run at all?

As in ``compare_selection.py``, measurements are remembered (``--cache``) as soon as they are made,
those of this package for the exact source files that made them, and a run that was stopped goes on
where it stood. The data are those of ``cine/`` in the folder named by MEDSEL_DATA. The authors'
code of the Non-stationary Transformer is a peer where MEDSEL_NONSTATIONARY names a clone of it.
"""

import importlib
import sys
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
    _runner().main(PAGE, ROWS, "Compare forecasts of moving targets.", arguments, cpu_limit=1800)


def find_row(name):
    """Import the row of that name."""
    return _runner().import_row(ROWS, name)


def _runner():
    sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []
    return importlib.import_module("benchmarks._runner")


if __name__ == "__main__":
    main()
