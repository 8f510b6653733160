"""
Survival and risk groups from clinical data and genes
=====================================================

Does gene expression say anything about survival that age and stage do not? A Cox model that starts
from the clinical data, risk groups of patients it has not seen, and what each modality adds.

The data are patients with lung adenocarcinoma from The Cancer Genome Atlas. They are no part of
this package. Where the folder named by ``MEDSEL_DATA`` does not have them, generated patients take
their place, and the next cell says so.
"""

# %%
import os
from pathlib import Path

import pandas as pd

from sklearn_medsel.datasets import make_patients
from sklearn_medsel.survival import make_survival_y

path = Path(os.environ.get("MEDSEL_DATA", "../shared/data"), "multimodal", "tcga_surv_luad.parquet")
if path.is_file():
    X = pd.read_parquet(path)
    X = X[X["survival_months"].notna()]
    y = make_survival_y(X["event"], X["survival_months"])
    clinical = ["clin__age", "clin__is_female", "clin__ajcc_pathologic_tumor_stage"]
    genes = [column for column in X if column.startswith("rna__")]
    genes = X[genes].var().nlargest(400).index.tolist()  # survival has no part in this
    source = "TCGA lung adenocarcinoma"
else:
    data = make_patients(
        400, task="survival", n_genes=300, interaction=None, effect={"clin": 2.0}, random_state=0
    )
    X, y = data.X, data.y
    clinical, genes = data.blocks[0][2], data.blocks[1][2]
    source = "GENERATED data: no table of real patients is at hand"
print(source)
print(f"{len(X)} patients, {y['event'].sum()} deaths, {len(genes)} genes; times in months")

# %%
# Clinical first
# --------------
# Two blocks. Genes learn what age, sex and stage leave over. The stage is text ("Stage IIA") and
# is read in its order; what is missing is imputed. ``max_epochs=0`` leaves out the joint network,
# which gets a weight of zero in cohorts like this one.
from sklearn_medsel import MultimodalCox

blocks = [("clinical", "table", clinical), ("genes", "table", genes)]
model = MultimodalCox(blocks, base="clinical", max_epochs=0, random_state=0)

# %%
# Risk groups
# -----------
# In each fold, the model is fitted and the cut points are learnt on the training patients; those
# left out are sorted. So the curves are those of patients that had no part in drawing them.
from sklearn.model_selection import StratifiedKFold

from sklearn_medsel import RiskStratifier

folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y["event"]))
stratifier = RiskStratifier(model, n_groups=3, cv=folds, random_state=0).fit(X, y)
print(f"concordance {stratifier.concordance_:.3f}, mean of the folds")
print(f"log-rank test of held-out groups: p = {stratifier.logrank_.pvalue:.2g}")

# %%
# Filled bands are 95 % confidence intervals, ticks are censored patients.
from sklearn_medsel.inspection import KaplanMeierDisplay

names = pd.Categorical.from_codes(stratifier.group_, stratifier.group_names_, ordered=True)
_ = KaplanMeierDisplay.from_survival(y, names, time_unit="months")

# %%
# The adjusted hazard ratio answers whether a group says more than age, sex and stage do.
stratifier.hazard_ratios_.set_index("group").round(3).T

# %%
# :func:`~sklearn_medsel.survival.stratification_report` writes all this, and what distinguishes the
# groups, on one HTML page: ``stratification_report(stratifier, X, y, "risk.html")``.
#
# Do the genes help?
# ------------------
# On the same folds: clinical data alone, genes alone, and both. This is the line to read before
# any picture. A gain of .00 to .02 in concordance is what is realistic.
from sklearn.model_selection import cross_val_score

simple = {
    "clinical": MultimodalCox(blocks[:1], max_epochs=0, random_state=0),
    "genes": MultimodalCox(blocks[1:], max_epochs=0, random_state=0),
}
scores = pd.DataFrame({name: cross_val_score(one, X, y, cv=folds) for name, one in simple.items()})
scores["clinical, then genes"] = stratifier.scores_["concordance"]
scores["gain"] = scores["clinical, then genes"] - scores["clinical"]
scores.agg(["mean", "std"]).round(3)

# %%
# What was found
# --------------
# The model of all patients. Importance is a Shapley value: the share of the explained loss of
# patients left out by the inner folds, averaged over the orders in which blocks could be added.
from sklearn_medsel.inspection import ModalityImportanceDisplay

fitted = stratifier.estimator_
_ = ModalityImportanceDisplay.from_estimator(fitted)

# %%
# One column per patient: what each modality adds to the log hazard.
_ = ModalityImportanceDisplay.from_estimator(fitted, kind="patients")

# %%
# A weight of zero means that a term is not used: what it said about patients left out could have
# been chance.
fitted.term_weights_.round(3)

# %%
# The leading factors, and how many of them pass a false discovery rate of 0.2 against shuffled
# copies. None is a common answer: many weak genes can predict together where none of them stands
# out.
found = fitted.feature_importances_.sort_values("importance", ascending=False)
print(f"features that pass: {found['selected'].sum()}")
found.head(12).round(3)
