"""Risk groups learnt honestly: genes, model and cut point come from the training folds only.

Drawn on the patients that the genes were chosen with, even random genes separate the curves.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_N_FALLBACK = 10


@dataclass
class Signature:
    """Risk groups of samples, each by a model that never saw the sample.

    Attributes
    ----------
    high_risk : ndarray of shape (n_samples,), bool
        Whether the predicted risk exceeds the median risk of the training samples.
    concordance, concordance_std : float
        Mean and standard deviation of the concordance index over the folds.
    logrank_pvalue : float
        High against low risk. The folds share training samples, so that it is a guide, not a proof.
    n_genes : list of int
        Genes used in each fold.
    n_fallback : int
        Folds in which no gene was selected, so that the best-ranked ones were used.
    """

    high_risk: np.ndarray
    concordance: float
    concordance_std: float
    logrank_pvalue: float
    n_genes: list
    n_fallback: int


def out_of_fold_risk(selector, samples, *, cv, random_state, on_fold=None):
    """Predict the risk group of every sample by a Cox model of genes selected without it.

    Parameters
    ----------
    selector : estimator
        Cloned for each fold.
    samples : Samples
        With `survival`.
    cv : int
        Number of folds, stratified by event; groups stay together.
    random_state : int
    on_fold : callable or None, default=None
        Called with the fraction of folds done.

    Returns
    -------
    Signature
    """
    from sklearn_medsel.survival import concordance_index, logrank_test

    X, survival = samples.X, samples.survival
    event = survival["event"]
    kind = StratifiedKFold if samples.groups is None else StratifiedGroupKFold
    folds = kind(cv, shuffle=True, random_state=random_state)
    high_risk = np.zeros(len(X), dtype=bool)
    scores, n_genes, n_fallback = [], [], 0
    for i, (train, test) in enumerate(folds.split(X, event, samples.groups), start=1):
        genes, is_fallback = _genes_of_fold(selector, samples, train)
        model = _risk_model().fit(X.iloc[train, genes], survival[train])
        risk = model.predict(X.iloc[test, genes])
        high_risk[test] = risk > np.median(model.predict(X.iloc[train, genes]))
        if event[test].any():
            scores.append(concordance_index(survival[test], risk))
        n_genes.append(len(genes))
        n_fallback += is_fallback
        if on_fold is not None:
            on_fold(i / cv)
    both = 0 < high_risk.sum() < len(high_risk)
    pvalue = float(logrank_test(survival, high_risk).pvalue) if both else float("nan")
    mean, std = (float(np.mean(scores)), float(np.std(scores))) if scores else (np.nan, np.nan)
    return Signature(high_risk, mean, std, pvalue, n_genes, n_fallback)


def _genes_of_fold(selector, samples, train):
    """Return the positions of the genes selected on the training samples, never none."""
    groups = None if samples.groups is None else samples.groups[train]
    arguments = {} if groups is None else {"groups": groups}
    fitted = clone(selector).fit(samples.X.iloc[train], samples.y[train], **arguments)
    genes = np.flatnonzero(fitted.support_)
    if len(genes):
        return genes, False
    return np.argsort(fitted.ranking_)[:_N_FALLBACK], True


def _risk_model():
    from sklearn_medsel.feature_selection._cox_linear import CoxRidge

    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), CoxRidge())
