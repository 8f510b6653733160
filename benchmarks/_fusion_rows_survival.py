"""Rows of the comparison of fusions on survival: published folds, and cohorts nobody tuned on."""

import pandas as pd

from benchmarks._fusion_data import N_FOLDS, tcga, untuned
from benchmarks._fusion_methods import METHODS_TEXT, PARTS, measure_fold
from benchmarks._fusion_scores import SPREAD, by, method_table
from benchmarks._runner import Row

_BLOCKS = {
    "gbmlgg": ("rna", "cnv", "mut"),
    "brca": ("rna", "cnv", "mut", "hif"),
    "luad": ("rna", "cnv", "mut", "hif"),
}
_SHARED = ("ridge, all blocks", "late fusion")
_CLINICAL = "clin alone"
_KINDS = {True: "with clinical columns", False: "without clinical columns"}


def _survival_tasks(options):
    folds = range(1) if options.quick else range(5)
    cohorts = ("luad",) if options.quick else _BLOCKS
    tasks = []
    for cohort in cohorts:
        for clinical in (True, False):
            methods = [_CLINICAL] if clinical else []
            methods += [f"LASSO, {block}" for block in _BLOCKS[cohort]]
            methods += [*_SHARED, "ours, residual", "ours, stacked"]
            tasks += [
                {"cohort": cohort, "clinical": clinical, "method": method, "fold": fold}
                for method in methods
                for fold in folds
            ]
    return tasks


def _measure_survival(cohort, clinical, method, fold):
    return measure_fold(tcga(cohort, clinical), method, fold)


def _summarise_survival(records):
    records = [{**record, "kind": _KINDS[record["clinical"]]} for record in records]

    def make(part):
        reference = _CLINICAL if part["clinical"].iloc[0] else "ridge, all blocks"
        return method_table(part, "concordance", reference)

    return by(records, ["cohort", "kind"], make)


SURVIVAL = Row(
    name="survival",
    title="Overall survival",
    text="Harrell's concordance on tcga_surv_gbmlgg, _brca and _luad, five folds as published with "
    "MCAT. Blocks: clinical (age, sex, stage as it is written, or the type of tumour where there "
    "is no stage), expression, copy numbers, mutations, and histology features where there are "
    "any. Ours starts from the clinical block; below without it. A column `minus` is the paired "
    f"difference. {METHODS_TEXT}",
    tasks=_survival_tasks,
    measure=_measure_survival,
    summarise=_summarise_survival,
    spread=SPREAD,
    page="multimodal",
    parts=PARTS,
)

_UNTUNED = ("tcga_paad_surv_pdac", "tcga_ov_surv", "surv_gse7390", "surv_nki70")
_WHOSE = {True: "genes of other patients", False: ""}


def _never_worse_tasks(options):
    folds = range(1) if options.quick else range(25)
    methods = (_CLINICAL, "LASSO, genes", *_SHARED, "ours, residual")
    return [
        {"cohort": cohort, "shuffled": shuffled, "method": method, "fold": fold}
        for cohort in _UNTUNED
        for shuffled in (False, True)
        for method in methods
        for fold in folds
    ]


def _measure_never_worse(cohort, shuffled, method, fold):
    shuffle = fold // N_FOLDS if shuffled else None
    return measure_fold(untuned(cohort, shuffle), method, fold)


def _summarise_never_worse(records):
    records = [{**record, "kind": _WHOSE[record["shuffled"]]} for record in records]

    def make(part):
        return method_table(part, "concordance", _CLINICAL)

    return by(pd.DataFrame(records), ["cohort", "kind"], make)


NEVER_WORSE = Row(
    name="never_worse",
    title="Never worse than clinical data alone",
    text="Harrell's concordance on cohorts beside those of development, five folds drawn five "
    "times. With the first two in view it was chosen how far a gain is drawn towards zero, and on "
    "the third a fault was found and mended; the last took no part in anything. Clinical columns "
    "are fitted first; then the same with the genes and mutations of other patients, drawn anew "
    "with the folds, which can only do harm. "
    f"{METHODS_TEXT}",
    tasks=_never_worse_tasks,
    measure=_measure_never_worse,
    summarise=_summarise_never_worse,
    spread=SPREAD,
    page="multimodal",
    parts=PARTS,
)
