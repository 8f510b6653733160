"""Risk groups learnt honestly: genes, model and cut point come from the training folds only.

Drawn on the patients that the genes were chosen with, even random genes separate the curves.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from sklearn_medsel._folds import even_folds

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


def out_of_fold_risk(selector, samples, *, cv, random_state, n_jobs=None, on_fold=None):
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
    n_jobs : int or None, default=None
        Folds at a time; the numbers do not depend on it.
    on_fold : callable or None, default=None
        Called with the fraction of folds done.

    Returns
    -------
    Signature
    """
    from sklearn_medsel.survival import logrank_test

    event = samples.survival["event"]
    folds = even_folds(event, samples.groups, cv, random_state)
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_predict_fold)(selector, samples, train, test) for train, test in folds
    )
    high_risk = np.zeros(len(event), dtype=bool)
    scores, n_genes, n_fallback = [], [], 0
    for (_, test), (is_high, score, n, is_fallback) in zip(folds, results, strict=True):
        high_risk[test] = is_high
        scores.append(score)
        n_genes.append(n)
        n_fallback += is_fallback
        if on_fold is not None:
            on_fold(len(scores) / cv)
    both = 0 < high_risk.sum() < len(high_risk)
    pvalue = float(logrank_test(samples.survival, high_risk).pvalue) if both else np.nan
    known = np.array(scores)[~np.isnan(scores)]
    mean, std = (float(known.mean()), float(known.std())) if len(known) else (np.nan, np.nan)
    return Signature(high_risk, mean, std, pvalue, n_genes, n_fallback)


def _predict_fold(selector, samples, train, test):
    """Return who is at high risk, the concordance, the number of genes, and whether none passed."""
    genes, is_fallback = _genes_of_fold(selector, samples, train)
    model = _risk_model().fit(samples.X.iloc[train, genes], samples.survival[train])
    risk = model.predict(samples.X.iloc[test, genes])
    is_high = risk > np.median(model.predict(samples.X.iloc[train, genes]))
    return is_high, _concordance(samples.survival[test], risk), len(genes), is_fallback


def _concordance(survival, risk):
    from sklearn_medsel.survival import concordance_index

    try:
        return concordance_index(survival, risk)
    except ValueError:  # a small fold may hold no two samples that can be compared
        return np.nan


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
