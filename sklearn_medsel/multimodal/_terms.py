"""TermEncoder: the terms of reports as columns of numbers, each under its own name."""

import re
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel.text._polarity import MARK, sentence_terms
from sklearn_medsel.text._reports import read_column
from sklearn_medsel.text._sentences import split_sentences
from sklearn_medsel.text._terms import tfidf

# What denies is no empty word; a denial is also in the mark of the terms behind it.
_EMPTY_WORDS = ENGLISH_STOP_WORDS - {"no", "not", "without", "never", "nor"}
_HIRAGANA = re.compile("[\u3041-\u309f]+")


class TermEncoder(TransformerMixin, BaseEstimator):
    """Turn a column of reports into TF-IDF of their terms.

    Terms are words and pairs of neighbouring words, in Chinese and Japanese runs of one to three
    characters; those that a sentence denies are terms of their own, marked by ``¬``. Values are
    (1 + log count) * idf, in rows of length one, centred, and divided by one common number so that
    their mean variance is 1: a term of few reports keeps its small variance.

    Parameters
    ----------
    max_terms : int or None, default=1000
        Number of terms. Those are kept whose presence varies most: at best half of the reports
        have one. None: all. Of a term and a part of it that the same training reports have, one
        is kept: a word rather than a pair, else the longer.
    min_df : int or float, default=3
        Fewest training reports of a term, or their share.

    Attributes
    ----------
    terms_ : ndarray of shape (n_terms,), object
        Terms, in alphabetic order.

    Notes
    -----
    Missing and blank reports have 0 everywhere and count for nothing in fit.

    Examples
    --------
    >>> from sklearn_medsel.multimodal._terms import TermEncoder
    >>> encoder = TermEncoder(min_df=1)
    >>> encoder.fit_transform(["No effusion.", "Large effusion.", None]).shape
    (3, 4)
    >>> encoder.get_feature_names_out().tolist()
    ['effusion', 'large', 'no', '¬effusion']
    """

    _parameter_constraints: dict = {
        "max_terms": [Interval(Integral, 1, None, closed="left"), None],
        "min_df": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="both"),
        ],
    }

    def __init__(self, max_terms=1000, *, min_df=3):
        self.max_terms = max_terms
        self.min_df = min_df

    def fit(self, X, y=None):
        """Choose the terms.

        Parameters
        ----------
        X : array-like of str of shape (n,), or DataFrame with one column
            Reports.
        y : None
            Not used.

        Returns
        -------
        self
            Fitted.
        """
        self.fit_transform(X)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None):
        """Choose the terms, and encode the same reports; see `transform`."""
        found, present = _read(X)
        if not present.any():
            raise ValueError("X has no report with text: there is nothing to encode.")
        n_reports = int(present.sum())
        least = self.min_df
        if not isinstance(least, Integral):
            least = max(1, int(np.ceil(least * n_reports)))
        self.terms_ = _choose(found, n_reports, least, self.max_terms)
        counts = self._count(found)
        frequency = np.bincount(counts.indices, minlength=len(self.terms_))
        self._idf = np.log((1 + n_reports) / (1 + frequency)) + 1
        values = tfidf(counts, self._idf).toarray()
        self._mean = values[present].mean(axis=0)
        variance = values[present].var(axis=0)
        self._spread = float(np.sqrt(variance.mean())) if variance.any() else 1.0
        return self._finish(values, present)

    def transform(self, X):
        """Encode reports.

        Parameters
        ----------
        X : array-like of str of shape (n,), or DataFrame with one column
            Reports.

        Returns
        -------
        ndarray of shape (n, n_terms), float64
            Centred TF-IDF; 0 for missing and blank reports.
        """
        check_is_fitted(self)
        found, present = _read(X)
        return self._finish(tfidf(self._count(found), self._idf).toarray(), present)

    def get_feature_names_out(self, input_features=None):
        """Give the terms.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Not used.

        Returns
        -------
        ndarray of str
            As ``terms_``.
        """
        check_is_fitted(self)
        return self.terms_.copy()

    def _count(self, found):
        column = {term: at for at, term in enumerate(self.terms_)}
        at = [[column[term] for term in terms if term in column] for terms in found]
        ends = np.cumsum([0] + [len(one) for one in at])
        index = np.array([k for one in at for k in one], dtype=np.int32)
        shape = (len(found), len(column))
        counts = sparse.csr_array((np.ones(len(index)), index, ends), shape=shape)
        counts.sum_duplicates()
        return counts

    def _finish(self, values, present):
        values = (values - self._mean) / self._spread
        values[~present] = 0.0
        return values

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        return tags


def _read(X):
    """Terms of each report, and which reports have text."""
    texts = read_column(X).current
    found = []
    for text in texts:
        sentences = [text[start:end] for start, end, _ in split_sentences(text)]
        found.append([term for sentence in sentences for term in sentence_terms(sentence)])
    return found, np.array([bool(text.strip()) for text in texts])


def _choose(found, n_reports, least, most):
    """Terms that say something, are frequent enough, and vary most between reports."""
    reports = {}
    for at, terms in enumerate(found):
        for term in set(terms):
            reports.setdefault(term, []).append(at)
    ranked = sorted(
        (-len(rows) * (n_reports - len(rows)), term.count(" "), -len(term), term)
        for term, rows in reports.items()
        if len(rows) >= least and not _says_nothing(term)
    )
    chosen, seen = [], {}
    for *_, term in ranked:
        rows = tuple(reports[term])
        alike = seen.setdefault(rows, [])
        if len(rows) == n_reports or any(term in other or other in term for other in alike):
            continue  # in every report, or a part of another term that never comes without it
        alike.append(term)
        chosen.append(term)
        if len(chosen) == most:
            break
    terms = np.empty(len(chosen), dtype=object)
    terms[:] = sorted(chosen)
    return terms


def _says_nothing(term):
    """Tell whether a term has empty words only, or is Japanese grammar."""
    words = [word.removeprefix(MARK) for word in term.split(" ")]
    return all(word in _EMPTY_WORDS or _HIRAGANA.fullmatch(word) for word in words)
