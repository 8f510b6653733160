"""Ours beside other methods, on the same data in the same run; writes the tables of the docs.

    python benchmarks/compare_selection.py                          # everything
    python benchmarks/compare_selection.py --rows fdr --sims 200    # one row of the goals
    python benchmarks/compare_selection.py --quick                  # does it run at all?

Every measurement is remembered in a cache (``--cache``) as soon as it is made. A run that was
stopped goes on where it stood, and the tables are written from whatever there is. Measurements of
this package are remembered for the exact source files that made them.
"""

import importlib
import sys
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
PAGE = "selection"


def main(arguments=None):
    """Run rows, or one measurement of a row in a process of its own."""
    _runner().main(
        PAGE,
        ROWS,
        "Compare feature selection methods.",
        arguments,
        cpu_limit=300,
        threads=2,
        add=_add_options,
    )


def _add_options(parser):
    parser.add_argument("--sims", type=int, default=200, help="simulations per design (fdr)")
    parser.add_argument("--seeds", type=int, default=20, help="seeds per design (ranking)")


def find_row(name):
    """Import the row of that name."""
    return _runner().import_row(ROWS, name)


def _runner():
    sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []
    return importlib.import_module("benchmarks._runner")


if __name__ == "__main__":
    main()
