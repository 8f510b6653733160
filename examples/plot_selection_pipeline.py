"""
Select genes in a Pipeline and a grid search
============================================

Which genes, how many of them, and is it better than what we had? The table is generated, so that
at the end we can look up the truth: 100 patients, 500 genes, six of which matter.
"""

# %%
# The data
# --------
from sklearn_medsel.datasets import make_gene_expression

data = make_gene_expression(100, 500, n_informative=6, random_state=0)
X, y = data.X, data.y
X.iloc[:3, :5]

# %%
# Select
# ------
# Without a number, the selector takes the genes that pass the false discovery rate ``fdr``.
import pandas as pd

from sklearn_medsel import DeepFeatureSelector

selector = DeepFeatureSelector(fdr=0.2, random_state=0).fit(X, y)


def describe(selector):
    """List the ten best genes of a fitted selector."""
    genes = pd.DataFrame(
        {
            "selected": selector.support_,
            "importance": selector.feature_importances_,
            "effect": selector.effects_,
            "frequency": selector.selection_frequencies_,
            "p-value": selector.pvalues_,
            "q-value": selector.qvalues_,
            "true gene": data.support,
        },
        index=selector.feature_names_in_,
    )
    return genes.iloc[selector.ranking_.argsort()[:10]].round(4)


describe(selector)

# %%
# The last column is something only a generator can tell. ``effect`` has the sign of the truth: here
# true genes raise and lower the risk in turn. What else the selector has to say:
for note in selector.notes_:
    print("-", note)

# %%
# Filled marks are selected genes. The lower part shows how often decoys, that is shuffled genes,
# are selected: what chance can do.
from sklearn_medsel.inspection import FeatureImportanceDisplay, SelectionStabilityDisplay

_ = FeatureImportanceDisplay.from_estimator(selector, n_features=12)

# %%
_ = SelectionStabilityDisplay.from_estimator(selector, n_features=12)

# %%
# Choose the number of genes by cross-validation
# ----------------------------------------------
# In a Pipeline, the selection is made anew in each training fold. The patients on which a number of
# genes is judged have not helped to choose the genes.
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

model = Pipeline(
    [
        ("select", DeepFeatureSelector(random_state=0)),
        ("scale", StandardScaler()),
        ("classify", LogisticRegression()),
    ]
)
search = GridSearchCV(
    model,
    {"select__n_features_to_select": [3, 6, 24]},
    scoring="balanced_accuracy",
    cv=3,
).fit(X, y)
columns = ["param_select__n_features_to_select", "mean_test_score", "std_test_score"]
pd.DataFrame(search.cv_results_)[columns].round(3)

# %%
# The best model is an ordinary fitted Pipeline:
best = search.best_estimator_["select"]
sorted(best.get_feature_names_out())

# %%
# Against the baselines
# ---------------------
# :func:`~sklearn_medsel.feature_selection.compare_selectors` puts any selectors through the same
# folds. ``difference`` and ``p_value`` compare with ridge regression on all genes.
from sklearn_medsel.feature_selection import baseline_selectors, compare_selectors

selectors = {
    "DeepFeatureSelector, fdr": DeepFeatureSelector(fdr=0.2, random_state=0),
    "DeepFeatureSelector, 6": DeepFeatureSelector(6, random_state=0),
    **baseline_selectors("classification", random_state=0),
}
table = compare_selectors(X, y, selectors, n_repeats=1, random_state=0)
shown = ["selector", "score_mean", "n_features_mean", "stability", "difference", "p_value"]
table[shown].round(3)

# %%
# One repetition of five folds, as here, is for a quick look; ``n_repeats`` is 3 by default, and
# more for a publication. A tie in the score with fewer and more stable genes is what a selector can
# usually offer.
