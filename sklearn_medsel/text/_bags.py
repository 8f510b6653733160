"""Reports as bags of sentences: what every part of the classifier works on."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_medsel.text._headings import SECTIONS

STATUSES = ("first", "new", "kept", "changed")
"""What became of a sentence since the previous report; "first" where there is none."""


@dataclass(frozen=True)
class Bags:
    """Sentences of n reports, one after the other, with what is known of each.

    Attributes
    ----------
    sizes : ndarray of shape (n,), int
        Number of sentences of each report; zero for a report without any.
    sentences : list of Sentence
        Offsets into the report, and its section.
    terms : list of list of str
        Terms of each sentence.
    vectors : ndarray of shape (n_sentences, d), float32
        Vector of each sentence; with no columns where no part of the model asks for vectors.
    extra_terms : list of list of str
        Per report: terms that belong to no sentence, those of sentences that are gone.
    statuses : ndarray of shape (n_sentences,), int or None
        Index into `STATUSES`; None where previous reports play no part.
    claims : ndarray of shape (n, 1, d), float32 or None
        Vector of the claim of each row.
    """

    sizes: np.ndarray
    sentences: list
    terms: list
    vectors: np.ndarray
    extra_terms: list
    statuses: np.ndarray | None = None
    claims: np.ndarray | None = None

    def __len__(self):
        """Return the number of reports."""
        return len(self.sizes)

    @property
    def owner(self):
        """Report of each sentence, (n_sentences,)."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def place(self):
        """Position of each sentence in its report, (n_sentences,)."""
        return np.arange(len(self.sentences)) - np.repeat(self.starts, self.sizes)

    @property
    def starts(self):
        """Position of each report's first sentence, (n,)."""
        return np.cumsum(self.sizes) - self.sizes

    @property
    def sections(self):
        """One-hot section of each sentence, (n_sentences, n_sections)."""
        index = {name: position for position, name in enumerate(SECTIONS)}
        codes = [index.get(sentence.section, 0) for sentence in self.sentences]
        return np.eye(len(SECTIONS), dtype=np.float32)[codes]

    def texts(self, reports):
        """Give the sentences of each report as str, from the reports' texts."""
        return [
            [text[s.start : s.end] for s in self.sentences[start : start + size]]
            for text, start, size in zip(reports, self.starts, self.sizes, strict=True)
        ]

    def take(self, reports):
        """Return some of the reports, in the order given."""
        reports = np.arange(len(self))[reports]
        kept = [
            np.arange(start, start + size)
            for start, size in zip(self.starts[reports], self.sizes[reports], strict=True)
        ]
        return self._pick(reports, np.concatenate(kept) if kept else np.empty(0, int))

    def without_each(self):
        """Return one copy of a report for each of its sentences, without that sentence."""
        owner, starts = self.owner, self.starts
        kept = [
            np.delete(np.arange(starts[r], starts[r] + self.sizes[r]), place)
            for r, place in zip(owner, self.place, strict=True)
        ]
        bags = self._pick(owner, np.concatenate(kept) if kept else np.empty(0, int))
        return replace(bags, sizes=self.sizes[owner] - 1)

    def _pick(self, reports, sentences):
        return Bags(
            self.sizes[reports],
            [self.sentences[i] for i in sentences],
            [self.terms[i] for i in sentences],
            self.vectors[sentences],
            [self.extra_terms[i] for i in reports],
            None if self.statuses is None else self.statuses[sentences],
            None if self.claims is None else self.claims[reports],
        )


def sum_by_report(values, sizes, combine=np.add):
    """Combine values (n_sentences, ...) over each report's sentences, by default as a sum.

    Gives (n, ...), zero for reports without sentences.
    """
    total = np.zeros((len(sizes), *values.shape[1:]), values.dtype)
    filled = np.flatnonzero(sizes)
    if filled.size:
        starts = (np.cumsum(sizes) - sizes)[filled]
        total[filled] = combine.reduceat(values, starts, axis=0)
    return total
