"""
Image, report and table of one patient
======================================

Whose stay in an intensive care unit can be told from a chest X-ray, a note and a few laboratory
values? Which of the three says most, and which terms and values?

The data are public X-rays of patients with COVID-19 and other pneumonia (Cohen et al. 2020,
arXiv:2006.11988). They are no part of this package. Where the folder named by ``MEDSEL_DATA`` does
not have them, generated patients take their place, and the next cell says so. The images need
Pillow (extra ``image``).
"""

# %%
import os
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_medsel.datasets import make_patients

# Notes often say outright how it went, or what it was. All that goes, before anything is learnt.
TELLING = (
    r"(?i)covid[- ]?19|covid|sars[- ]?cov[- ]?2|sars|corona ?virus|coronavirus|ncov|wuhan|"
    r"pneumocystis|pcp|streptococc\w*|klebsiella|legionella|mycoplasma|varicella|lipoid|"
    r"aspergill\w*|tubercul\w*|rt-?pcr|pcr|influenza|mers|icu\b|intensive\w*|intubat\w*|"
    r"ventilat\w*|died|death|deceased|dead|expired|surviv\w*|discharg\w*|recover\w*"
)


def read_covid(path):
    """Patients with a known answer on intensive care: one row each, with all their X-rays."""
    table = pd.read_parquet(path)
    table = table[(table["modality"] == "X-ray") & table["went_icu"].isin(["Y", "N"])]
    values = ["age", "temperature", "pO2_saturation", "leukocyte_count", "neutrophil_count"]
    values += ["lymphocyte_count", "offset"]
    for value in values:
        digits = table[value].astype("string").str.extract(r"([-0-9.]+)")[0]
        table[value] = pd.to_numeric(digits, errors="coerce")
    notes = table["clinical_notes"].fillna("") + " " + table["other_notes"].fillna("")
    table["note"] = notes.str.replace(TELLING, " ", regex=True)
    patients = table.groupby("patientid", sort=False)
    X = patients[[*values, "sex", "view"]].first().add_prefix("lab__")  # first that is known
    X["image"] = patients["image_jpeg160"].agg(list)
    X["note"] = patients["note"].agg(lambda notes: " ".join(notes.unique()))
    return X.reset_index(drop=True), (patients["went_icu"].first() == "Y").to_numpy(dtype=int)


path = Path(os.environ.get("MEDSEL_DATA", "../shared/data"), "multimodal")
path = path / "covid_cxr_image_text_table.parquet"
if path.is_file():
    X, y = read_covid(path)
    source = "chest X-rays of the COVID-19 image data collection"
else:
    data = make_patients(
        160, n_genes=10, n_informative=0, effect=2.0, interaction=None, noise=0.6, random_state=0
    )
    X = data.X.rename(columns={"image__ct": "image", "report__text": "note"})
    X = X.drop(columns=[column for column in X if column.startswith("gene__")])
    X.columns = [column.replace("clin__", "lab__") for column in X]
    y = data.y
    source = "GENERATED data: no images of real patients are at hand"
print(source)
print(f"{len(X)} patients, {y.mean():.0%} with the outcome")

# %%
# Three blocks
# ------------
# A patient is one row, however many images there are: a cell may hold a list of them. So nobody can
# lie on both sides of a fold. Laboratory values are missing in most rows, and notes in some.
# ``max_epochs=0`` leaves out the joint network, which has nothing to learn from so few patients.
import warnings

from sklearn_medsel import MultimodalClassifier

blocks = [("table", "table", "lab__*"), ("image", "image", "image"), ("note", "text", "note")]
model = MultimodalClassifier(blocks, base="table", max_epochs=0, random_state=0)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.fit(X, y)
for warning in caught:
    print(textwrap.fill(f"Warning: {warning.message}", 90))
model.availability_.round(2)

# %%
# Where the availability of a block goes with the outcome, a model can learn who wrote a note, and
# not what it says. So from here on, only patients with a note are used.
written = (X["note"].str.strip() != "").to_numpy()
X, y = X[written].reset_index(drop=True), y[written]
print(f"{len(X)} patients, {y.mean():.0%} with the outcome")

# %%
# Each modality, and all three
# ----------------------------
# :func:`~sklearn_medsel.multimodal.compare_fusions` puts simple models of one block, of all blocks,
# and ours through the same folds. In ``"residual"``, the default, image and note learn what the
# table leaves over.
from sklearn_medsel.multimodal import compare_fusions

table = compare_fusions(X, y, blocks, base="table", random_state=0)
table[["model", "auroc", "auroc_sd", "auroc_difference", "auroc_p_value"]].round(3)

# %%
# Differences and p-values are against the first row. So few patients tell apart only what is far
# apart.
#
# What each modality says
# -----------------------
# Importance is a Shapley value: the share of the log loss of patients left out that the block
# explains, averaged over the orders in which blocks could be added. It comes from inner folds, and
# is somewhat too good where patients are few; the table above is not.
from sklearn_medsel.inspection import InteractionDisplay, ModalityImportanceDisplay

model = model.fit(X, y)
_ = ModalityImportanceDisplay.from_estimator(model)

# %%
# Patient by patient: what each block adds to the log-odds, by models that have not seen them.
_ = ModalityImportanceDisplay.from_estimator(model, kind="patients")

# %%
# Down to values, terms and regions
# ---------------------------------
# The leading ones of each block. Terms marked ``¬`` are denied in the sentence they stand in.
found = model.feature_importances_.sort_values("importance", ascending=False)
found.groupby("block", sort=False).head(6).sort_values("block", kind="stable").round(3)

# %%
# Look at them with suspicion. Who is X-rayed lying down (``AP Supine``) is often severely ill, and
# terms that name a month, a hospital or what was done to the patient may predict well, too. None of
# these is a finding.
#
# The regions of the image that move the score most, on the 6 x 6 grid of
# :func:`~sklearn_medsel.image.texture_features`, beside the mean of all images:
import matplotlib.pyplot as plt

from sklearn_medsel.image import read_images

images, _ = read_images(X["image"], size=96)
regions = found[(found["block"] == "image") & found["feature"].str.startswith("row")]
place = regions["feature"].str.extract(r"row(\d)_col(\d)").astype(int)
grid = np.zeros((6, 6))
np.add.at(grid, (place[0], place[1]), regions["importance"] ** 2)

figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
axes[0].imshow(images.mean(axis=0), cmap="gray", extent=(0, 6, 6, 0))
drawn = axes[1].imshow(np.sqrt(grid), cmap="viridis", extent=(0, 6, 6, 0))
figure.colorbar(drawn, ax=axes[1], label="importance, all images", shrink=0.8)
axes[0].set_title("mean image", fontsize=10)
axes[1].set_title("regions", fontsize=10)
for ax in axes:
    ax.set_axis_off()

# %%
# Does one depend on the other?
# -----------------------------
# Products of a feature of one block and one of another, tested on patients left out. With so few
# patients, only a strong one would show.
_ = InteractionDisplay.from_estimator(model)
