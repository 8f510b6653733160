"""The models by the names they have in the tables, and one of them on one fold."""

import re
import time
import warnings

import numpy as np

from sklearn_medsel.multimodal import MultimodalClassifier, MultimodalCox
from sklearn_medsel.multimodal._compare_fold import find_scorers
from sklearn_medsel.multimodal._compare_models import BlockBaseline, baseline_fusions

# What decides about the numbers of all models: peers get blocks encoded by this package too.
PARTS = (
    "multimodal",
    "nn/fusion_net.py",
    "feature_selection/_baseline_models.py",
    "feature_selection/_conditional.py",
    "feature_selection/_cox_linear.py",
    "feature_selection/_decoys.py",
    "feature_selection/_families.py",
    "feature_selection/_path.py",
    "feature_selection/_path_method.py",
    "feature_selection/_repeats.py",
    "survival/_partial_likelihood.py",
    "survival/_concordance.py",
    "_folds.py",
    "base.py",
)
RULES = {"ridge": "ridge", "LASSO": "lasso", "random forest": "forest"}
OURS = ("residual", "stacked", "late", "gated", "concat")
METHODS_TEXT = (
    "All see the same folds and the same encoded blocks, imputed and scaled inside the training "
    "part. Peers: one LASSO per block, ridge and random forest on all blocks side by side, late "
    "fusion of one ridge model per block. p: corrected resampled t-test, not adjusted."
)


def make_model(method, cohort, seed=0):
    """Give the estimator of a name such as ``"ours, residual, 15 factors"`` or ``"LASSO, rna"``.

    Parameters
    ----------
    method : str
        ``"ours, <fusion>"``, perhaps with ``", <number> factors"`` or ``", no base"`` behind it;
        a key of `baseline_fusions`; or ``"<ridge, LASSO or random forest>, <block>"``.
    cohort : Cohort
    seed : int, default=0

    Returns
    -------
    estimator
    """
    kind, name, *rest = [*method.split(", "), ""]
    if kind == "ours":
        number = re.search(r"(\d+) factors", method)
        model = MultimodalCox if cohort.task == "survival" else MultimodalClassifier
        return model(
            cohort.blocks,
            base=None if "no base" in rest else cohort.base,
            fusion=name,
            n_features_to_select=int(number[1]) if number else None,
            random_state=seed,
            device="cpu",
        )
    options = {"task": cohort.task, "random_state": seed}
    peers = baseline_fusions(cohort.blocks, base=cohort.base, **options)
    if method in peers:
        return peers[method]
    return BlockBaseline(cohort.blocks, rule=RULES[kind], use=name, **options)


def fit_fold(cohort, method, fold, seed=0):
    """Fit a model on the training part of a fold.

    Returns
    -------
    model : estimator
        Fitted.
    result : dict
        CPU-s of the fit, and the numbers of patients.
    """
    train, test = cohort.folds[fold]
    model = make_model(method, cohort, seed)
    groups = {} if cohort.groups is None else {"groups": cohort.groups[train]}
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(cohort.X.iloc[train], cohort.y[train], **groups)
    seconds = time.process_time() - start
    return model, {"fit_s": seconds, "n_train": len(train), "n_test": len(test)}


def score_fold(cohort, model, fold, X=None):
    """Scores of a fitted model on the test part of a fold, or on other features of these."""
    test = cohort.folds[fold][1]
    X = cohort.X.iloc[test] if X is None else X
    scorers = find_scorers(None, cohort.task, cohort.y, model)
    return {name: float(score(model, X, cohort.y[test])) for name, score in scorers.items()}


def hide(cohort, fold, block):
    """Test part of a fold without a block."""
    columns = next(columns for name, _, columns in cohort.blocks if name == block)
    return cohort.X.iloc[cohort.folds[fold][1]].assign(**dict.fromkeys(columns, np.nan))


def measure_fold(cohort, method, fold, seed=0):
    """Fit on the training part of a fold, and score the rest."""
    model, result = fit_fold(cohort, method, fold, seed)
    return result | score_fold(cohort, model, fold)
