"""How each method is called: its authors' defaults, or the settings they recommend.

A function takes a table, the classes and a seed, and gives how important each feature is and a mask
of the selected ones (None for a method without a rule of its own).
"""

import collections
import collections.abc
import contextlib
import io

import numpy as np

FDR = 0.2


def ours(X, y, seed, **parameters):
    """DeepFeatureSelector, everything else at its default."""
    from sklearn_medsel import DeepFeatureSelector

    selector = DeepFeatureSelector(fdr=FDR, random_state=seed, device="cpu", **parameters)
    selector.fit(X, y)
    return -selector.ranking_, selector.support_


def ours_mori(X, y, seed):
    """The study's layer."""
    return ours(X, y, seed, method="mori")


def anova_bh(X, y, seed):
    """One F test per feature and Benjamini-Hochberg."""
    from sklearn.feature_selection import SelectFdr, f_classif

    selector = SelectFdr(f_classif, alpha=FDR).fit(X, y)
    return np.nan_to_num(selector.scores_), selector.get_support()


def lasso_cv(X, y, seed):
    """L1 logistic regression, penalty by 5-fold cross-validation."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.svm import l1_min_c

    model = LogisticRegressionCV(
        Cs=l1_min_c(X, y, loss="log") * np.geomspace(1.05, 30, 8),
        l1_ratios=(1,),
        cv=5,
        solver="liblinear",
        scoring="neg_log_loss",
        max_iter=1000,
        use_legacy_attributes=False,
        random_state=seed,
    )
    size = np.abs(model.fit(X, y).coef_).max(axis=0)
    return size, size > 0


def random_forest(X, y, seed):
    """500 trees; importance by impurity."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(500, random_state=seed).fit(X, y)
    return model.feature_importances_, None


def stability_selection(X, y, seed):
    """L1 logistic regression on 100 half-samples; frequency above .6 at any of five penalties."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import l1_min_c

    rng = np.random.default_rng(seed)
    strengths = l1_min_c(X, y, loss="log") * np.logspace(0.05, 0.8, 5)
    chosen = np.zeros((len(strengths), X.shape[1]))
    n_halves = 100
    for _ in range(n_halves):
        half = rng.permutation(len(X))[: len(X) // 2]
        for place, strength in enumerate(strengths):
            model = LogisticRegression(l1_ratio=1, C=strength, solver="liblinear", random_state=0)
            chosen[place] += model.fit(X[half], y[half]).coef_[0] != 0
    frequency = chosen.max(axis=0) / n_halves
    return frequency + 1e-3 * chosen.mean(axis=0) / n_halves, frequency > 0.6


def lassonet(X, y, seed):
    """LassoNet, its default path; selected at the smallest validation loss."""
    from lassonet import LassoNetClassifier

    model = LassoNetClassifier(verbose=0, random_state=seed, torch_seed=seed)
    path = model.path(X, y)
    importance = model.feature_importances_.numpy().copy()
    finite = np.isfinite(importance)
    importance[~finite] = 1.1 * importance[finite].max()
    best = min(path[1:], key=lambda step: step.val_loss)
    return importance, best.selected.numpy()


def stg(X, y, seed):
    """Stochastic gates with the settings of its examples."""
    # stg 0.1.2 uses names that Python 3.10 moved to collections.abc.
    for name in collections.abc.__all__:
        setattr(collections, name, getattr(collections.abc, name))
    import torch
    from stg import STG

    torch.manual_seed(seed)
    model = STG(
        task_type="classification",
        input_dim=X.shape[1],
        output_dim=2,
        hidden_dims=[60, 20],
        activation="tanh",
        optimizer="SGD",
        learning_rate=0.1,
        batch_size=len(X),
        feature_selection=True,
        sigma=0.5,
        lam=0.5,
        random_state=seed,
        device="cpu",
    )
    with contextlib.redirect_stdout(io.StringIO()):
        # Validation data only print a line; without them the fit fails.
        model.fit(X, y, nr_epochs=2000, valid_X=X[:8], valid_y=y[:8], verbose=False)
    return model.get_gates("raw"), model.get_gates("prob") > 0.5


def boruta(X, y, seed):
    """Boruta with the forest of its documentation and at most 50 rounds."""
    from boruta import BorutaPy
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(max_depth=5, class_weight="balanced")
    model = BorutaPy(forest, n_estimators=500, max_iter=50, random_state=seed).fit(X, y)
    history = np.nan_to_num(model.importance_history_[1:]).mean(axis=0)
    return -model.ranking_.astype(float) + 1e-6 * history, model.support_


def ipss_l1(X, y, seed):
    """Integrated path stability selection with L1 logistic regression."""
    from ipss import ipss

    # It draws from numpy's global generator; this process does nothing else.
    np.random.seed(seed)  # noqa: NPY002
    found = ipss(X.astype(float), y.astype(float), selector="l1", target_fdr=FDR)
    importance = np.full(X.shape[1], -np.inf)
    for column, expected_false in found["efp_scores"].items():
        importance[int(column)] = -expected_false
    finite = np.isfinite(importance)
    importance[~finite] = importance[finite].min() - 1 if finite.any() else 0.0
    selected = np.zeros(X.shape[1], dtype=bool)
    selected[[int(column) for column in found["selected_features"]]] = True
    return importance, selected


def knockoffs(X, y, seed):
    """The Gaussian model-X knockoffs of hidimstat with the LASSO statistic."""
    from hidimstat.knockoffs import ModelXKnockoff

    model = ModelXKnockoff(random_state=seed)
    importance = model.fit_importance(X.astype(float), y.astype(float))[0]
    return importance, model.fdr_selection(FDR)


# Name in the table: function, and the module imported before the clock starts.
METHODS = {
    "DeepFeatureSelector": (ours, "sklearn_medsel.feature_selection._selector"),
    "DeepFeatureSelector, mori": (ours_mori, "sklearn_medsel.feature_selection._selector"),
    "ANOVA + BH": (anova_bh, "sklearn.feature_selection"),
    "LASSO-CV": (lasso_cv, "sklearn.linear_model"),
    "random forest": (random_forest, "sklearn.ensemble"),
    "stability selection, L1": (stability_selection, "sklearn.linear_model"),
    "ipss, L1": (ipss_l1, "ipss"),
    "Boruta": (boruta, "boruta"),
    "STG": (stg, "torch"),
    "LassoNet": (lassonet, "lassonet"),
    "hidimstat knockoffs": (knockoffs, "hidimstat.knockoffs"),
}
