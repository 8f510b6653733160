"""Fusions of modalities beside simpler models, same folds in the same run; writes the docs' tables.

    python benchmarks/compare_multimodal.py                                 # everything
    python benchmarks/compare_multimodal.py --rows rosmap --only residual   # a part of a row
    python benchmarks/compare_multimodal.py --quick                         # does it run at all?

As in ``compare_selection.py``, measurements are remembered (``--cache``) as soon as they are made,
for the exact source files that made them, and a run that was stopped goes on where it stood. The
data are those of ``multimodal/`` and ``omics/`` in the folder named by MEDSEL_DATA.
"""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# In the order in which the tables appear: module, name of the row in it.
ROWS = {
    "survival": "_fusion_rows_survival",
    "never_worse": "_fusion_rows_survival",
    "rosmap": "_fusion_rows_classes",
    "breast_tcga": "_fusion_rows_classes",
    "transneo": "_fusion_rows_classes",
    "covid_cxr": "_fusion_rows_images",
    "stability": "_fusion_rows_found",
    "planted": "_fusion_rows_found",
    "speed": "_fusion_rows_cost",
}
PAGE = "multimodal"


def main(arguments=None):
    """Run rows, or one measurement of a row in a process of its own."""
    _runner().main(PAGE, ROWS, "Compare fusions of modalities.", arguments, cpu_limit=600)


def find_row(name):
    """Import the row of that name."""
    return _runner().import_row(ROWS, name)


def _runner():
    sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []
    return importlib.import_module("benchmarks._runner")


if __name__ == "__main__":
    main()
