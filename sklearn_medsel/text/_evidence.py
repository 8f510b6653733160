"""The evidence head: a report is important if any of its sentences is.

Multiple-instance learning with a noisy-or. Each sentence s has log-odds ``z_s = b + x_s w + v_s u``
from its terms x and its vector v; the report is important with probability ``1 - prod(1 -
sigmoid(z_s))``. Only the report's label is needed, so ``sigmoid(z_s)`` says which sentence carries
it. Sentences that someone has labelled add a term of their own.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from sklearn_medsel.text._bags import sum_by_report
from sklearn_medsel.text._terms import inverse_frequency, tfidf

# Ridge penalties, measured on reports of 60 to 1,800 patients in two languages: terms are many and
# rare, and each may matter; the few directions of the vectors must be held back.
_PENALTY_TERMS = 3e-5
_PENALTY_VECTORS = 1e-2
_START = -2.0  # log-odds of a sentence: most say nothing important
_MAX_ITER = 80
_LEAK = 1e-9  # chance of an important report without an important sentence; keeps logs finite


class EvidenceHead:
    """Log-odds of sentences, pooled to the report by noisy-or; one linear function per output.

    Attributes
    ----------
    idf : ndarray of shape (n_terms,)
        Weight of each term in a sentence.
    term_coef : ndarray of shape (n_outputs, n_terms)
    vector_coef : ndarray of shape (n_outputs, d)
    intercept : ndarray of shape (n_outputs,)
    """

    def fit(self, counts, vectors, sizes, target, weight, sentence_target=None):
        """Fit on the sentences of n reports; return self.

        Parameters
        ----------
        counts : sparse array of shape (n_sentences, n_terms)
            Counts of terms.
        vectors : ndarray of shape (n_sentences, d)
            Scaled sentence vectors.
        sizes : ndarray of shape (n,), int
            Number of sentences of each report, at least one.
        target, weight : ndarray of shape (n, n_outputs)
            Zero or one, and weights.
        sentence_target : ndarray of shape (n_sentences, n_outputs) or None, default=None
            Zero or one for labelled sentences, NaN for others.
        """
        self.idf = inverse_frequency(counts)
        rows = tfidf(counts, self.idf)
        coefs = []
        for k in range(target.shape[1]):
            labels = None if sentence_target is None else sentence_target[:, k]
            objective = _Objective(rows, vectors, sizes, target[:, k], weight[:, k], labels)
            coefs.append(objective.minimise())
        coef = np.stack(coefs)
        n_terms = rows.shape[1]
        self.intercept = coef[:, 0]
        self.term_coef = coef[:, 1 : 1 + n_terms]
        self.vector_coef = coef[:, 1 + n_terms :]
        return self

    def sentence_log_odds(self, counts, vectors):
        """Give the log-odds (n_sentences, n_outputs) of each sentence."""
        rows = tfidf(counts, self.idf)
        return rows @ self.term_coef.T + vectors @ self.vector_coef.T + self.intercept


def pool_log_odds(sentence_log_odds, sizes):
    """Pool log-odds of sentences to those of reports (n, n_outputs) by noisy-or."""
    total = sum_by_report(np.logaddexp(0, sentence_log_odds), sizes) + _LEAK
    return total + np.log(-np.expm1(-total))


class _Objective:
    """Penalised loss of one output, as a function of [intercept, term weights, vector weights]."""

    def __init__(self, rows, vectors, sizes, target, weight, labels):
        self.rows, self.columns = rows, rows.T.tocsr()
        self.vectors, self.sizes = vectors.astype(np.float64), sizes
        self.target, self.weight = target, weight / weight.sum()
        self.owner = np.repeat(np.arange(len(sizes)), sizes)
        n_terms, n_vectors = rows.shape[1], vectors.shape[1]
        penalties = [[0.0], [_PENALTY_TERMS] * n_terms, [_PENALTY_VECTORS] * n_vectors]
        self.penalty = np.concatenate(penalties)
        known = np.zeros(len(self.owner)) if labels is None else (~np.isnan(labels)).astype(float)
        known = known * self.weight[self.owner]
        self.known = known / known.sum() if known.any() else None
        self.labels = None if labels is None else np.nan_to_num(labels)

    def minimise(self):
        start = np.zeros(len(self.penalty))
        start[0] = _START
        found = minimize(
            self, start, jac=True, method="L-BFGS-B", options={"maxiter": _MAX_ITER, "maxcor": 10}
        )
        return found.x

    def __call__(self, coef):
        n_terms = self.rows.shape[1]
        terms, vectors = coef[1 : 1 + n_terms], coef[1 + n_terms :]
        log_odds = coef[0] + self.rows @ terms + self.vectors @ vectors
        loss, slope = self._reports(log_odds)
        if self.known is not None:
            more, steeper = self._sentences(log_odds)
            loss, slope = loss + more, slope + steeper
        gradient = np.concatenate([[slope.sum()], self.columns @ slope, slope @ self.vectors])
        penalised = self.penalty * coef
        return loss + penalised @ coef, gradient + 2 * penalised

    def _reports(self, log_odds):
        """Loss of the reports: -log P(y), where P(0) = exp(-total), and its slope."""
        total = sum_by_report(np.logaddexp(0, log_odds), self.sizes) + _LEAK
        unlikely = -np.expm1(-total)
        loss = np.where(self.target > 0, -np.log(unlikely), total)
        slope = np.where(self.target > 0, -np.exp(-total) / unlikely, 1.0)
        return self.weight @ loss, (self.weight * slope)[self.owner] * expit(log_odds)

    def _sentences(self, log_odds):
        """Loss of the labelled sentences, and its slope."""
        loss = np.logaddexp(0, log_odds) - self.labels * log_odds
        return self.known @ loss, self.known * (expit(log_odds) - self.labels)
