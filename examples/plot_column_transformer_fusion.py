"""
Which modality helps? A ColumnTransformer and a grid search
===========================================================

Genes, an image and a report beside clinical data, in plain scikit-learn: encoders in a
``ColumnTransformer``, any classifier behind it, and ``"drop"`` to see what each modality adds. The
patients are made by a generator, so that at the end we can look up the truth. The images need
Pillow (extra ``image``).
"""

# %%
# The patients
# ------------
# One row each; the image is in the column as bytes, and could be a path as well.
from sklearn_medsel.datasets import make_patients

data = make_patients(
    300,
    n_genes=60,
    n_informative=3,
    effect={"image": 2.5},
    interaction=None,
    noise=0.6,
    random_state=0,
)
X, y = data.X, data.y
X.iloc[:3, [0, 1, 2, 3, 8, 9]]

# %%
import io

import matplotlib.pyplot as plt
from PIL import Image

figure, axes = plt.subplots(1, 4, figsize=(8, 2.2), layout="constrained")
for ax, patient in zip(axes, X.index, strict=False):
    ax.imshow(Image.open(io.BytesIO(X.loc[patient, "image__ct"])), cmap="gray")
    ax.set_title(f"{patient}: y = {y[X.index.get_loc(patient)]}", fontsize=10)
    ax.set_axis_off()

# %%
import textwrap

print(textwrap.fill(X["report__text"].iloc[0], 90))

# %%
# Encoders in a ColumnTransformer
# -------------------------------
# ``ImageEncoder`` has two ways. A small network is trained on the labels; ``fit_transform`` then
# describes each training patient by a network that did not see them. Without that, the classifier
# would believe an image of pure noise. ``"texture"`` describes the image by regions, and learns
# nothing from labels.
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_medsel import DeepFeatureSelector, ImageEncoder, ReportEncoder

network = ImageEncoder(32, n_components=2, cv=3, max_epochs=12, random_state=0)
texture = make_pipeline(ImageEncoder(48, network="texture", n_components=12), StandardScaler())
genes = make_pipeline(StandardScaler(), DeepFeatureSelector(6, random_state=0))
report = make_pipeline(ReportEncoder("hashing", n_components=8), StandardScaler())
columns = ColumnTransformer(
    [
        ("numbers", StandardScaler(), make_column_selector("^clin__", dtype_include="number")),
        (
            "words",
            OneHotEncoder(drop="first", handle_unknown="ignore"),
            make_column_selector("^clin__", dtype_exclude="number"),
        ),
        ("gene", genes, make_column_selector("^gene__")),
        ("image", texture, "image__ct"),
        ("report", report, "report__text"),
    ]
)
model = Pipeline([("columns", columns), ("classify", LogisticRegression(C=0.1))])
model

# %%
# What does each modality add?
# ----------------------------
# A step of a ``ColumnTransformer`` can be ``"drop"``. So the ablation is a grid search, and each
# candidate learns everything anew in the training part of each fold.
import pandas as pd
from sklearn.model_selection import GridSearchCV, StratifiedKFold

candidates = {  # genes, image, report
    "clinical alone": ("drop", "drop", "drop"),
    "+ genes": (genes, "drop", "drop"),
    "+ image, network": ("drop", network, "drop"),
    "+ image, texture": ("drop", texture, "drop"),
    "+ report": ("drop", "drop", report),
    "all": (genes, texture, report),
    "all but genes": ("drop", texture, report),
}
names = ["columns__gene", "columns__image", "columns__report"]
grid = [
    {name: [encoder] for name, encoder in zip(names, chosen, strict=True)}
    for chosen in candidates.values()
]
folds = StratifiedKFold(3, shuffle=True, random_state=0)
search = GridSearchCV(model, grid, scoring="roc_auc", cv=folds).fit(X, y)
results = pd.DataFrame(search.cv_results_)[["mean_test_score", "std_test_score"]]
results.index = list(candidates)
results.columns = ["mean AUROC", "sd"]
results.round(3)

# %%
# Three folds of 300 patients decide little: compare the differences with the bars, which are the
# standard deviation over the folds. What a modality adds also depends on what is there already.
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.errorbar(results["mean AUROC"], results.index, xerr=results["sd"], fmt="o", capsize=3)
ax.invert_yaxis()
_ = ax.set_xlabel("AUROC of patients left out")

# %%
# What the classifier weighs
# --------------------------
# The best candidate, fitted on all patients. Its columns have names.
best = search.best_estimator_
weights = pd.Series(
    best["classify"].coef_[0], index=best["columns"].get_feature_names_out(), name="weight"
)
weights.loc[weights.abs().sort_values(ascending=False).index].head(10).round(3).to_frame()

# %%
# The truth, which only a generator can tell. Components of an image or a report have no name that
# says what they stand for; :class:`~sklearn_medsel.multimodal.MultimodalClassifier` goes down to
# terms and regions.
data.truth[["block", "feature", "direction"]]
