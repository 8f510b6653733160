"""Terms of sentences as numbers: a vocabulary, counts, and TF-IDF."""

from functools import lru_cache

import numpy as np
from scipy import sparse

MIN_FREQUENCY = 2
"""Terms of fewer reports are left out: they could only be learnt by heart."""


class Vocabulary:
    """Terms that occur in at least two reports, each with a column.

    Parameters
    ----------
    terms : list of list of str
        Terms of each sentence of the training reports.
    owner : ndarray of shape (n_sentences,), int
        Report of each sentence.

    Attributes
    ----------
    terms : str
        The terms in alphabetic order, one per line: a plain string is small and quick to store.
    """

    def __init__(self, terms, owner):
        reports = {}
        for sentence, report in zip(terms, owner, strict=True):
            for term in sentence:
                reports.setdefault(term, set()).add(int(report))
        kept = sorted(term for term, found in reports.items() if len(found) >= MIN_FREQUENCY)
        self.terms = "\n".join(kept)

    def __len__(self):
        """Return the number of terms."""
        return len(self.terms.split("\n")) if self.terms else 0

    def count(self, terms):
        """Count terms: a sparse float64 matrix (n_sentences, n_terms)."""
        columns = _columns(self.terms)
        found = [[columns[term] for term in sentence if term in columns] for sentence in terms]
        ends = np.cumsum([0] + [len(sentence) for sentence in found])
        index = np.array([column for sentence in found for column in sentence], dtype=np.int32)
        shape = (len(terms), len(columns))
        counts = sparse.csr_array((np.ones(len(index)), index, ends), shape=shape)
        counts.sum_duplicates()
        return counts


@lru_cache(maxsize=8)
def _columns(terms):
    """Column of each term; remembered, since reports often come one by one."""
    return {term: column for column, term in enumerate(terms.split("\n")) if term}


def inverse_frequency(counts):
    """Weigh terms by log((1 + n) / (1 + df)) + 1, and those of fewer than two rows by zero."""
    n_rows = counts.shape[0]
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    idf = np.log((1 + n_rows) / (1 + frequency)) + 1
    return np.where(frequency >= MIN_FREQUENCY, idf, 0.0)


def tfidf(counts, idf):
    """Turn counts into rows of length one: (1 + log count) * idf."""
    weighted = sparse.csr_array(counts, copy=True)
    weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
    # by hand, as there may be no rows (reports without sentences) or no terms
    rows = np.repeat(np.arange(weighted.shape[0]), np.diff(weighted.indptr))
    squares = np.bincount(rows, weighted.data**2, minlength=weighted.shape[0])
    weighted.data /= np.sqrt(np.where(squares > 0, squares, 1))[rows]
    return weighted
