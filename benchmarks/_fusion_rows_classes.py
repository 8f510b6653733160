"""Rows of the comparison of fusions on classes: repeated folds, and patients from outside."""

import pandas as pd

from benchmarks._fusion_data import breast_tcga, rosmap, transneo
from benchmarks._fusion_methods import (
    METHODS_TEXT,
    OURS,
    PARTS,
    fit_fold,
    hide,
    measure_fold,
    score_fold,
)
from benchmarks._fusion_scores import SPREAD, by, method_table
from benchmarks._runner import Row

_PEERS = ("ridge, all blocks", "random forest, all blocks", "late fusion")
_SEEDS = 5


def _lasso(*blocks):
    return tuple(f"LASSO, {block}" for block in blocks)


# --- rosmap -------------------------------------------------------------------------------------

_BLOCKS = ("mrna", "meth", "mirna")
_NEVER = "never"


def _rosmap_tasks(options):
    methods = (*_lasso(*_BLOCKS), *_PEERS, *(f"ours, {fusion}" for fusion in OURS))
    methods += tuple(f"ours, residual, {_NEVER} {block}" for block in _BLOCKS)
    folds = range(1) if options.quick else range(25)
    return [{"method": method, "fold": fold} for method in methods for fold in folds]


def _measure_rosmap(method, fold):
    """Score with all blocks, and with each taken from the test patients."""
    cohort = rosmap()
    absent = method.split()[-1] if _NEVER in method else None
    cohort = cohort._replace(blocks=[block for block in cohort.blocks if block[0] != absent])
    model, result = fit_fold(cohort, method, fold)
    result |= score_fold(cohort, model, fold)
    if not method.startswith("LASSO") and absent is None:
        for block in _BLOCKS:
            hidden = score_fold(cohort, model, fold, hide(cohort, fold, block))
            result[f"without {block}"] = hidden["auroc"]
    return result


def _summarise_rosmap(records):
    records = [{**record, "cohort": "rosmap"} for record in records]
    others = [f"without {block}" for block in _BLOCKS]
    return by(
        records,
        ["cohort"],
        lambda part: method_table(part, "auroc", "ridge, all blocks", others=others),
    )


ROSMAP = Row(
    name="rosmap",
    title="Alzheimer's disease",
    text="AUROC on rosmap (mRNA, methylation, miRNA), five folds drawn five times. `without` a "
    "block: the same models, for test patients who lack it. `never` a block: fitted without it, so "
    f"that its loss costs what the block knows and no more. {METHODS_TEXT}",
    tasks=_rosmap_tasks,
    measure=_measure_rosmap,
    summarise=_summarise_rosmap,
    spread=SPREAD,
    page="multimodal",
    parts=PARTS,
)


# --- breast_tcga --------------------------------------------------------------------------------


def _breast_tasks(options):
    blocks = ("mrna", "mirna", "protein")
    methods = (*_lasso(*blocks[:2]), *_PEERS, *(f"ours, {fusion}" for fusion in OURS))
    seeds = range(1) if options.quick else range(_SEEDS)
    return [{"method": method, "seed": seed} for method in methods for seed in seeds]


def _measure_breast(method, seed):
    return measure_fold(breast_tcga(), method, 0, seed)


def _over_seeds(records, score, keys=(), others=()):
    """Mean and standard deviation over seeds of the fit; the test patients are the same."""
    rows = []
    for names, part in pd.DataFrame(records).groupby([*keys, "method"], sort=False):
        row = dict(zip([*keys, "method"], names, strict=True))
        row |= {"runs": len(part), score: part[score].mean(), f"{score}_sd": part[score].std()}
        row |= {name: part[name].mean() for name in others}
        rows.append({**row, "fit, CPU-s": part["fit_s"].mean()})
    return pd.DataFrame(rows)


def _summarise_breast(records):
    table = _over_seeds(records, "balanced_accuracy", others=["log_loss"])
    return [("150 patients to fit, 70 without protein to test", table)]


BREAST_TCGA = Row(
    name="breast_tcga",
    title="Subtypes of breast cancer, a block missing at test",
    text="Balanced accuracy and log loss on the published split of breast_tcga; the test patients "
    "have no protein measured. One patient is about .015. Seeds change the fit only. "
    f"{METHODS_TEXT}",
    tasks=_breast_tasks,
    measure=_measure_breast,
    summarise=_summarise_breast,
    spread="standard deviation over seeds",
    page="multimodal",
    parts=PARTS,
)


# --- transneo -----------------------------------------------------------------------------------

_EXTRA = {
    "five blocks": (),
    "with rna_extra": ("rna_extra",),
    "with clinplus": ("clinplus",),
    "with both": ("rna_extra", "clinplus"),
}
_FACTORS = 15


def _transneo_tasks(options):
    methods = ["clin alone", *_PEERS]
    for fusion in ("residual", "residual, no base", "stacked", "concat"):
        methods += [f"ours, {fusion}", f"ours, {fusion}, {_FACTORS} factors"]
    seeds = range(1) if options.quick else range(_SEEDS)
    return [
        {"blocks": blocks, "method": method, "seed": seed}
        for blocks in _EXTRA
        for method in methods
        for seed in seeds
    ]


def _measure_transneo(blocks, method, seed):
    cohort = transneo(_EXTRA[blocks])
    model, result = fit_fold(cohort, method, 0, seed)
    result |= score_fold(cohort, model, 0)
    if method.startswith("ours"):
        result["factors"] = int(model.feature_importances_["selected"].sum())
    return result


def _summarise_transneo(records):
    table = _over_seeds(records, "auroc", keys=["blocks"], others=["factors"])
    return [("147 patients to fit, 75 external ones to test", table)]


TRANSNEO = Row(
    name="transneo",
    title="Response to chemotherapy, external patients",
    text="AUROC for pathological complete response on the published split of transneo: clinical "
    "data, DNA, RNA, digital pathology and chemotherapy. `factors`: those named by the model, "
    f"where {_FACTORS} were asked for the only ones it uses. Clinical data are fitted first, but "
    "for `no base`. All variants are shown; the best of them was not chosen on other patients. "
    "Seeds change the fit only. "
    f"{METHODS_TEXT}",
    tasks=_transneo_tasks,
    measure=_measure_transneo,
    summarise=_summarise_transneo,
    spread="standard deviation over seeds",
    page="multimodal",
    parts=PARTS,
)
