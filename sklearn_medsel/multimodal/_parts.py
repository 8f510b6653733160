"""Terms: what a fused score is the sum of, each able to speak about patients it has not seen.

A term has ``blocks``, the blocks it looks at; ``scores(inputs)``, by the model of all patients;
``fold_scores(inputs, fold)``, each patient's by the model that did not see their fold; and ``oof``,
the latter for the patients of the fit.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_medsel.multimodal._experts import Expert

_FURTHEST = 2.5  # standard deviations: no single patient is to make a product


def clipped(inputs, rows, columns):
    """Some features of some patients in standard deviations, those far out drawn in."""
    X = inputs.X[np.ix_(rows, columns)] / inputs.scale[columns]
    return np.clip(X, -_FURTHEST, _FURTHEST)


def products(inputs, rows, pairs):
    """Products (n_rows, m) of pairs (m, 2) of features of some patients."""
    left, right = (clipped(inputs, rows, side) for side in pairs.T)
    return left * right


@dataclass
class LinearTerm:
    """A linear model of some blocks.

    Attributes
    ----------
    name : str
        Block, or "together" for all of them.
    blocks : tuple of int
    expert : Expert
    """

    name: str
    blocks: tuple
    expert: Expert

    @property
    def oof(self):
        """Out-of-fold scores (n, K)."""
        return self.expert.oof

    def scores(self, inputs):
        """Scores (n, K) by the model of all patients."""
        return self.expert.scores(inputs.X, inputs.has(self.blocks))

    def fold_scores(self, inputs, fold):
        """Scores (n, K) by the models that did not see the patients."""
        return self.expert.fold_scores(inputs.X, inputs.has(self.blocks), fold)

    def fold_effects(self, inputs, fold):
        """Effect (F, p, K) of each feature in each fold's model."""
        return self.expert.fold_coef


@dataclass
class PairTerm:
    """Products of pairs of features of two blocks.

    Attributes
    ----------
    name : str
    blocks : tuple of int
        The two blocks.
    pairs : list of (ndarray of shape (m, 2), ndarray of shape (m, K), ndarray of shape (m,))
        Features, weights of their products, and the mean of these over the training patients: of
        each fold of its own, then of all patients. Products less their mean say nothing of an
        average patient, and are on one scale in all folds.
    fold : ndarray of shape (n,), int
        Its fold of each training patient.
    oof : ndarray of shape (n, K) or None
        Once it has spoken of the patients of the fit.
    """

    name: str
    blocks: tuple
    pairs: list
    fold: np.ndarray
    oof: np.ndarray | None = None

    def scores(self, inputs):
        """Scores (n, K) by the pairs found in all patients."""
        return self._products(inputs, self.pairs[-1])

    def fold_scores(self, inputs, fold):
        """Scores (n, K) by the pairs found without the patients' fold."""
        scores = np.empty((len(inputs.X), self.pairs[-1][1].shape[1]))
        for f in np.unique(self.fold):
            rows = self.fold == f
            part = inputs._replace(X=inputs.X[rows], present=inputs.present[rows])
            scores[rows] = self._products(part, self.pairs[f])
        return scores

    def fold_effects(self, inputs, fold):
        """None: a product has no effect of its own in either feature."""
        return None

    def _products(self, inputs, found):
        features, weights, mean = found
        both = inputs.present[:, list(self.blocks)].all(axis=1)
        told = products(inputs, np.arange(len(both)), features) - mean
        return told @ weights * both[:, None]
