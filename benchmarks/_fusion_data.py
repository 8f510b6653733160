"""The patients of the comparison of fusions: tables, blocks, outcome and published folds."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from benchmarks._runner import data_folder
from sklearn_medsel.survival import make_survival_y

N_FOLDS = 5  # of a draw, where no split was published


class Cohort(NamedTuple):
    """Patients, a named tuple.

    Attributes
    ----------
    X : DataFrame of shape (n, n_columns)
    y : ndarray of shape (n,)
    blocks : list of (name, modality, columns)
    base : str or None
        Block to start from.
    folds : list of (train, test)
    task : {"classification", "survival"}
    groups : ndarray of shape (n,) or None
    """

    X: pd.DataFrame
    y: np.ndarray
    blocks: list
    base: str | None
    folds: list
    task: str
    groups: np.ndarray | None = None


def read(name, folder="multimodal"):
    """Read a file of the data folder."""
    path = data_folder().parent / folder / f"{name}.parquet"
    if not path.exists():
        raise FileNotFoundError(
            f"{path.name} is not there; set MEDSEL_DATA to the folder that holds {folder}/."
        )
    return pd.read_parquet(path)


def tables(X, names):
    """Give a table block for each prefix."""
    return [(name, "table", [c for c in X if c.startswith(f"{name}__")]) for name in names]


@lru_cache(maxsize=2)
def tcga(cohort, clinical=True):
    """Overall survival with the five published folds, with or without the clinical columns.

    Clinical are age, sex and the stage as it is written, or the type of tumour where there is no
    stage.
    """
    X = read(f"tcga_surv_{cohort}")
    X = X[(X["fold"] >= 0) & X["survival_months"].notna()].reset_index(drop=True)
    last = "clin__ajcc_pathologic_tumor_stage"
    columns = ["clin__age", "clin__is_female", last if last in X else "clin__oncotree_code"]
    blocks = [("clin", "table", columns)] if clinical else []
    blocks += [block for block in tables(X, ("rna", "cnv", "mut", "hif")) if block[2]]
    y = make_survival_y(X["event"].astype(bool), X["survival_months"])
    fold = X["fold"].to_numpy()
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    return Cohort(X, y, blocks, "clin" if clinical else None, folds, "survival")


@lru_cache(maxsize=2)
def untuned(cohort, shuffle=None, n_repeats=5):
    """Cohorts beside those of development; a seed, `shuffle`, gives patients others' genes."""
    X = read(cohort, "omics")
    clinical = [column for column in X if column.startswith("clin__") or column == "Age"]
    others = [("genes", "table", [c for c in X.select_dtypes("float32") if c not in clinical])]
    others += [block for block in tables(X, ("mut",)) if block[2]]
    blocks = [("clin", "table", clinical), *others]
    y = make_survival_y(X["event"].astype(bool), X["time"])
    if shuffle is not None:
        columns = [column for _, _, columns in others for column in columns]
        order = np.random.default_rng(shuffle).permutation(len(X))
        moved = X[columns].iloc[order].set_axis(X.index)
        X = pd.concat([X.drop(columns=columns), moved], axis=1)
    return Cohort(X, y, blocks, "clin", _folds(y["event"], n_repeats), "survival")


@lru_cache(maxsize=1)
def rosmap(n_repeats=5):
    """Alzheimer's disease or not, from mRNA, methylation and miRNA."""
    X = read("rosmap")
    y = X["y"].to_numpy()
    blocks = tables(X, ("mrna", "meth", "mirna"))
    return Cohort(X, y, blocks, None, _folds(y, n_repeats), "classification")


@lru_cache(maxsize=1)
def breast_tcga():
    """Subtype of breast cancer; the 70 test patients have no protein."""
    X = read("breast_tcga")
    blocks = tables(X, ("mrna", "mirna", "protein"))
    y = X["y"].to_numpy(dtype=str)
    return Cohort(X, y, blocks, None, _split(X), "classification")


@lru_cache(maxsize=4)
def transneo(extra=()):
    """Complete response to chemotherapy; the test patients are external."""
    X = read("transneo")
    blocks = tables(X, ("clin", "dna", "rna", "digpath", "chemo", *extra))
    return Cohort(X, X["y_pcr"].to_numpy(), blocks, "clin", _split(X), "classification")


# What would give the diagnosis or the outcome away.
_TELLING = (
    r"(?i)covid[- ]?19|covid|sars[- ]?cov[- ]?2|sars|corona ?virus|coronavirus|ncov|wuhan|"
    r"pneumocystis|pcp|streptococc\w*|klebsiella|legionella|mycoplasma|varicella|lipoid|"
    r"aspergill\w*|tubercul\w*|rt-?pcr|pcr|influenza|mers|icu\b|intensive\w*|intubat\w*|"
    r"ventilat\w*|died|death|deceased|dead|expired|surviv\w*|discharg\w*|recover\w*"
)
_LABORATORY = (
    "temperature",
    "pO2_saturation",
    "leukocyte_count",
    "neutrophil_count",
    "lymphocyte_count",
    "offset",
)


@lru_cache(maxsize=1)
def covid_cxr(target):
    """Chest radiographs with notes and clinical values; `target` is ICU, died or COVID-19."""
    X = read("covid_cxr_image_text_table")
    X = X[X["modality"] == "X-ray"]
    known, y = {
        "ICU": (X["went_icu"].isin(["Y", "N"]), X["went_icu"] == "Y"),
        "died": (X["survival"].isin(["Y", "N"]), X["survival"] == "N"),
        "COVID-19": (X["finding"] != "todo", X["finding"].str.contains("COVID-19")),
    }[target]
    known = known.fillna(False).to_numpy(bool)
    y = y.fillna(False).to_numpy(int)[known]
    X = X[known].reset_index(drop=True)
    notes = X["clinical_notes"].fillna("") + " " + X["other_notes"].fillna("")
    columns = {"image": X["image_jpeg160"], "text": notes.str.replace(_TELLING, " ", regex=True)}
    columns |= {"age": X["age"], "sex": X["sex"], "view": X["view"]}
    for name in _LABORATORY:
        number = X[name].astype("string").str.extract(r"([-0-9.]+)")[0]
        columns[name] = pd.to_numeric(number, errors="coerce").astype("float64")
    table = [name for name in columns if name not in ("image", "text")]
    blocks = [("table", "table", table), ("text", "text", "text"), ("image", "image", "image")]
    groups = X["patientid"].to_numpy(dtype=str)
    folds = []
    for seed in range(2):
        splitter = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
        folds += splitter.split(np.zeros(len(y)), y, groups)
    return Cohort(pd.DataFrame(columns), y, blocks, "table", folds, "classification", groups)


def _folds(strata, n_repeats):
    """Five folds, drawn several times."""
    folds = []
    for seed in range(n_repeats):
        splitter = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
        folds += splitter.split(np.zeros(len(strata)), strata)
    return folds


def _split(X):
    """Give the published split as the only fold."""
    is_train = (X["split"] == "train").to_numpy()
    return [(np.flatnonzero(is_train), np.flatnonzero(~is_train))]
