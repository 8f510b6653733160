"""The lexical channel: TF-IDF of a whole report and logistic regression.

A strong baseline, and a part of the hybrid. It differs from a plain one in its terms, which know
whether they are denied.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

from sklearn_medsel.text._terms import inverse_frequency, tfidf

_C = 10.0
_MAX_ITER = 2000


class LexicalChannel:
    """One logistic regression per output on the terms of the report.

    Attributes
    ----------
    idf : ndarray of shape (n_terms,)
        Weight of each term.
    coef : ndarray of shape (n_outputs, n_terms)
        Effect on the log-odds.
    intercept : ndarray of shape (n_outputs,)
    """

    def fit(self, counts, target, weight):
        """Fit on counts (n, n_terms), target and weight (n, n_outputs); return self."""
        self.idf = inverse_frequency(counts)
        rows = tfidf(counts, self.idf)
        fitted = [self._fit_one(rows, *column) for column in zip(target.T, weight.T, strict=True)]
        self.coef = np.stack([coef for coef, _ in fitted])
        self.intercept = np.array([intercept for _, intercept in fitted])
        return self

    @staticmethod
    def _fit_one(rows, target, weight):
        used = weight > 0
        if rows.shape[1] == 0 or len(np.unique(target[used])) < 2:
            return np.zeros(rows.shape[1]), 0.0
        model = LogisticRegression(C=_C, max_iter=_MAX_ITER)
        model.fit(rows[used], target[used], sample_weight=weight[used])
        return model.coef_[0], model.intercept_[0]

    def log_odds(self, counts):
        """Give the log-odds (n, n_outputs) of reports or sentences with these counts."""
        return tfidf(counts, self.idf) @ self.coef.T + self.intercept
