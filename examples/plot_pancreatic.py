"""
Prognostic genes of pancreatic cancer
=====================================

From a table of gene expression with survival times to genes, and to an honest answer to the
question whether they are prognostic.

The data are 130 patients with pancreatic ductal adenocarcinoma from The Cancer Genome Atlas. They
are no part of this package. Where the folder named by ``MEDSEL_DATA`` does not have them, a
generated table of the same size takes their place, and the next cell says so.
"""

# %%
import numpy as np
import pandas as pd

from sklearn_medsel.datasets import load_medsel_data, make_gene_expression

try:
    data = load_medsel_data("tcga_paad_surv_pdac")
    source = "TCGA pancreatic ductal adenocarcinoma"
except (FileNotFoundError, ImportError):
    data = make_gene_expression(130, 3000, n_informative=6, task="survival", random_state=0)
    source = "GENERATED data: no table of real patients is at hand"
X, y = data.X, data.y
print(source)
print(f"{X.shape[0]} patients, {X.shape[1]} genes, {y['event'].sum()} deaths; times in months")

# %%
# Half of the patients select, the other half check
# -------------------------------------------------
# Genes that were selected by survival separate survival on the same patients, however random they
# are. So the check is made on patients that the selection has not seen.
from sklearn.model_selection import train_test_split

select, check = train_test_split(
    np.arange(len(y)), test_size=0.5, stratify=y["event"], random_state=0
)

# %%
# Is anything beyond chance?
# --------------------------
from sklearn_medsel import DeepFeatureSelector

selector = DeepFeatureSelector(fdr=0.1, random_state=0).fit(X.iloc[select], y[select])
print(f"{selector.support_.sum()} genes pass a false discovery rate of 0.1")
for note in selector.notes_:
    print("-", note)

# %%
# With 65 patients, none is a likely answer. A study would go on with the best ones, as we do now:
# ten genes, whether they pass or not.
selector = DeepFeatureSelector(10, random_state=0).fit(X.iloc[select], y[select])
order = selector.ranking_.argsort()[:10]
genes = pd.DataFrame(
    {
        "frequency": selector.selection_frequencies_[order],
        "log hazard ratio": selector.effects_[order],
        "q-value": selector.qvalues_[order],
    },
    index=selector.feature_names_in_[order],
)
genes.round(3)

# %%
from sklearn_medsel.inspection import SelectionStabilityDisplay

_ = SelectionStabilityDisplay.from_estimator(selector, n_features=10)

# %%
# Are they prognostic in the other patients?
# ------------------------------------------
# Each gene is split at its median. The sentence at the top is the one to read: how many of the ten
# separate survival, and how many of ten *random* genes do.
from sklearn_medsel.survival import prognostic_check

result = prognostic_check(X.iloc[check], y[check], selector.get_feature_names_out(), random_state=0)
result

# %%
# A picture of one gene
# ---------------------
# The curves of the patients above and below the median of the best gene. A gene chosen for its
# p-value on these same patients would look better than it is; this one was chosen on the others.
from sklearn_medsel.inspection import KaplanMeierDisplay

best = genes.index[0]
values = X[best].iloc[check]
group = np.where(values > values.median(), f"{best} high", f"{best} low")
_ = KaplanMeierDisplay.from_survival(y[check], group, time_unit="months")

# %%
# Several genes together
# ----------------------
# Does a risk score predict better than chance? Concordance is 0.5 for a coin, and everything is
# learnt inside the training folds.
from sklearn_medsel.feature_selection import baseline_selectors, compare_selectors

baselines = baseline_selectors("survival", random_state=0)
selectors = {
    "DeepFeatureSelector, 10": DeepFeatureSelector(10, random_state=0),
    "LASSO": baselines["LASSO"],
}
table = compare_selectors(X, y, selectors, n_repeats=1, random_state=0)
table[["selector", "score_mean", "score_std", "n_features_mean", "stability"]].round(3)
