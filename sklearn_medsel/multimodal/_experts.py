"""Experts: linear models of a block, or of several, each scored on patients it has not seen.

An expert learns what the scores given to it leave over. It is the mean over ridge models, and
perhaps lasso models, of many penalties, each believed by how well its out-of-fold scores do at
their best scale: a model that ranks patients well but speaks too loudly is not punished for it.
Where many features tell a little the ridge is believed, where few tell all the lasso.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from sklearn_medsel.multimodal._lasso import lasso_paths
from sklearn_medsel.multimodal._ridge import ridge_path
from sklearn_medsel.multimodal._units import summed

_PENALTIES = np.geomspace(100, 0.03, 8)  # of ridge models
_N_SPARSE = 8  # lasso models
# Power of the likelihood by which models are believed. Their scores are of the same patients: the
# best of them owes much to chance, and does less for new patients than the mean of many.
_TEMPER = 0.3
# A gain's loss may be worse than the best by so many standard errors of the difference. With a
# smooth loss this draws the weight by twice as many of its own standard errors towards zero.
_TOLERATED = 0.75


@dataclass
class Expert:
    """A linear model of some features, with what it said about patients it had not seen.

    Attributes
    ----------
    coef : ndarray of shape (p, K)
        Effect of each feature on the scores; zero for features it does not use.
    shift : ndarray of shape (K,)
        Subtracted, so that the scores of the training patients have mean zero.
    fold_coef : ndarray of shape (F, p, K)
        The same of the models that did not see a fold.
    fold_shift : ndarray of shape (F, K)
    oof : ndarray of shape (n, K)
        Out-of-fold scores; zero for patients without any of its blocks.
    """

    coef: np.ndarray
    shift: np.ndarray
    fold_coef: np.ndarray
    fold_shift: np.ndarray
    oof: np.ndarray

    def scores(self, X, has):
        """Scores (n, K) of features (n, p); zero where `has` (n,) is False."""
        return (X @ self.coef - self.shift) * has[:, None]

    def fold_scores(self, X, has, fold_of_row):
        """Scores (n, K), each row's by the model that did not see its fold."""
        scores = np.empty((len(X), self.coef.shape[1]))
        for fold in np.unique(fold_of_row):
            rows = fold_of_row == fold
            scores[rows] = X[rows] @ self.fold_coef[fold] - self.fold_shift[fold]
        return scores * has[:, None]


def fit_expert(
    X, has, outcome, offset, folds, kept=None, *, scale=None, unit=None, sparse_odds=1.0
):
    """Cross-fit models of all penalties, and refit them on all patients.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Features of all blocks; those of other blocks are zero or not in `kept`.
    has : ndarray of shape (n,), bool
        Patients with any of the expert's blocks; the others teach it nothing.
    outcome : Outcome
    offset : ndarray of shape (n, K)
        Scores to start from.
    folds : list of (ndarray, ndarray)
        Training and held-out patients.
    kept : ndarray of shape (F + 1, p), bool, or None
        Features that may be used: in each fold, then by the final model.
    scale : ndarray of shape (p,) or None
        How loud each feature is in the eyes of the ridge.
    unit : ndarray of shape (p,) or None
        One standard deviation of each feature: in the eyes of the lasso all count alike.
    sparse_odds : float
        How much lasso models are believed beside ridge models if they do equally well; with 0
        there are none.

    Returns
    -------
    Expert
    """
    n, p = X.shape
    if kept is None:
        kept = np.ones((len(folds) + 1, p), dtype=bool)
    teaches = np.zeros((len(folds) + 1, n), dtype=bool)
    for f, (train, _) in enumerate([*folds, (np.arange(n), None)]):
        teaches[f, train] = has[train]
        teaches[f] &= outcome.take(np.flatnonzero(teaches[f])).can_teach()
    n_models = len(_PENALTIES) + (_N_SPARSE if sparse_odds else 0)
    coefs = np.zeros((len(teaches), n_models, p, outcome.n_outputs))
    scale, unit = (np.ones(p) if size is None else size for size in (scale, unit))
    for f in np.flatnonzero(teaches.any(axis=1)):
        coefs[f, : len(_PENALTIES)] = _ridge(X, outcome, offset, teaches[f], kept[f], scale)
    if sparse_odds:
        _add_lasso(coefs[:, len(_PENALTIES) :], X, outcome, offset, teaches, kept, unit)
    means = np.stack([X[rows].mean(axis=0) if rows.any() else np.zeros(p) for rows in teaches])
    shifts = np.einsum("fp,fqpk->fqk", means, coefs)
    oof = np.zeros((coefs.shape[1], n, outcome.n_outputs))
    for f, (_, held_out) in enumerate(folds):
        oof[:, held_out] = X[held_out] @ coefs[f] - shifts[f][:, None]
    oof *= has[:, None]
    prior = np.ones(len(oof))
    prior[len(_PENALTIES) :] = sparse_odds
    share = _shares(outcome, offset, oof, prior)
    coefs, shifts = np.einsum("q,fqpk->fpk", share, coefs), np.einsum("q,fqk->fk", share, shifts)
    return Expert(coefs[-1], shifts[-1], coefs[:-1], shifts[:-1], np.tensordot(share, oof, 1))


def _ridge(X, outcome, offset, rows, kept, scale):
    """Coefficients (q, p, K) of ridge models on some rows and columns."""
    coef = np.zeros((len(_PENALTIES), X.shape[1], outcome.n_outputs))
    if kept.any():
        rows = np.flatnonzero(rows)
        used = X[np.ix_(rows, kept)] * scale[kept]
        found = ridge_path(used, outcome.take(rows), offset[rows], _PENALTIES)[0]
        coef[:, kept] = found * scale[kept][:, None]
    return coef


def _add_lasso(coefs, X, outcome, offset, teaches, kept, unit):
    """Put the coefficients (F + 1, q, p, K) of lasso models in their place."""
    models, used = np.flatnonzero(teaches.any(axis=1)), np.flatnonzero(kept.any(axis=0))
    if not len(models) or not len(used):
        return
    found = lasso_paths(
        X[:, used] / unit[used],
        outcome,
        offset,
        teaches[models],
        kept[np.ix_(models, used)],
        coefs.shape[1],
    )
    coefs[np.ix_(models, np.arange(coefs.shape[1]), used)] = found / unit[used][:, None]


def _shares(outcome, offset, oof, prior):
    """How much of each model's scores goes into the expert.

    Scores are stretched to their best scale and believed by a power of their likelihood, out of
    fold (a tempered posterior: Gruenwald and van Ommen, Bayesian Analysis 2017;12:1069). The best
    model alone would depend on how the folds were drawn. One choice for all folds: if each made its
    own, their scores would not be on one scale, and later stages would learn less.
    """
    fits = [stretched(outcome, offset, scores) for scores in oof]
    losses, stretch = np.array(fits).T
    credence = prior * np.exp(_TEMPER * (losses.min() - losses))
    credence /= credence.sum()
    # if none does better than chance, a base is still to rank the patients
    return credence * (stretch if stretch.any() else 1.0)


def stretched(outcome, offset, scores):
    """Smallest loss of offset + a * scores + constant over a >= 0, and that a."""
    weights, constant = combine(scores[:, :, None], outcome, offset, penalty=1e-6)
    total = offset + scores * weights[0] + constant
    return outcome.row_losses(total).sum(), weights[0]


def combine(scores, outcome, offset, *, penalty=1.0, least=0.0):
    """Weigh the scores of several experts; weights are not negative.

    A ridge-penalised stacked regression (Breiman, Machine Learning 1996;24:49): an expert that did
    worse than chance on patients it had not seen is of no use upside down.

    Parameters
    ----------
    scores : ndarray of shape (n, K, T)
        Out-of-fold scores of T experts.
    outcome : Outcome
    offset : ndarray of shape (n, K)
    penalty : float
        Ridge penalty on weights of scores in standard deviations.
    least : float
        Smallest weight of such a score. A base that did worse than chance keeps its order of the
        patients.

    Returns
    -------
    weights : ndarray of shape (T,)
    constant : ndarray of shape (K,)
    """
    n_terms, n_outputs = scores.shape[2], scores.shape[1]
    spread = np.sqrt((scores**2).mean(axis=(0, 1)))
    spread[spread == 0] = np.inf
    scaled = scores / spread
    n_constants = n_outputs if outcome.has_intercept else 0

    def objective(coef):
        total = offset + scaled @ coef[:n_terms]
        if n_constants:
            total = total + coef[n_terms:]
        residual = outcome.residual(total)
        slope = -np.einsum("nk,nkt->t", residual, scaled) + penalty * coef[:n_terms]
        value = outcome.row_losses(total).sum() + penalty * (coef[:n_terms] ** 2).sum() / 2
        return value, np.concatenate([slope, -residual.sum(axis=0)[:n_constants]])

    bounds = [(least, None)] * n_terms + [(None, None)] * n_constants
    start = np.concatenate([np.full(n_terms, least), np.zeros(n_constants)])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    constant = found[n_terms:] if n_constants else np.zeros(n_outputs)
    return found[:n_terms] / spread, constant


def shrunken_weight(outcome, offset, gain, units):
    """How much of a gain to add to the scores: the least that is not clearly worse than the best.

    Parameters
    ----------
    outcome : Outcome
    offset : ndarray of shape (n, K)
        Out-of-fold scores without the gain.
    gain : ndarray of shape (n, K)
        Out-of-fold scores to be added.
    units : ndarray of shape (n,), int
        Rows of one unit (a patient) count as one.

    Returns
    -------
    float
        Weight in [0, 1]. Losses are compared unit by unit; the smallest weight within a part of
        a standard error of the best one is taken, so a gain that chance explains gets none.
    """
    weights = np.linspace(0, 1, 21)
    losses = []
    for weight in weights:
        scores = offset + weight * gain
        losses.append(outcome.row_losses(scores + outcome.intercept(scores)))
    losses = summed(np.array(losses), units)
    worse = losses - losses[np.argmin(losses.sum(axis=1))]
    error = worse.std(axis=1, ddof=1) * np.sqrt(worse.shape[1])
    return float(weights[np.argmax(worse.sum(axis=1) <= _TOLERATED * error)])
