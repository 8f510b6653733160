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
import os
import sys
import tempfile
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
    # Before a row is imported: no network.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    _runner().main(
        PAGE,
        ROWS,
        "Compare classifiers of reports.",
        arguments,
        cpu_limit=3600,
        add=_add_options,
        prepare=_prepare,
        gather=_collect,
    )


def _add_options(parser):
    parser.add_argument("--repeats", type=int, default=3, help="times that folds are drawn")
    parser.add_argument("--sims", type=int, default=100, help="training sets drawn (recall)")
    parser.add_argument(
        "--vectors", type=Path, default=Path(tempfile.gettempdir()) / "medsel-sentence-vectors"
    )


def _prepare(options):
    # Not part of a measurement's description: the vectors are the same in every folder.
    os.environ["MEDSEL_BENCHMARK_VECTORS"] = str(options.vectors)


def find_row(name):
    """Import the row of that name."""
    return _runner().import_row(ROWS, name)


def _runner():
    sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []
    return importlib.import_module("benchmarks._runner")


def _collect(row, options):
    """Measure the row; the ablation measures nothing and shows what other rows have measured."""
    collect = _runner().collect
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


if __name__ == "__main__":
    main()
