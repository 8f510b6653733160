"""From reports to bags of sentences: split, compare with the previous report, encode."""

import numpy as np

from sklearn_medsel.text._bags import STATUSES, Bags
from sklearn_medsel.text._comparison import match_sentences
from sklearn_medsel.text._polarity import sentence_terms


class BagMaker:
    """Turn checked reports into bags.

    Parameters
    ----------
    split : callable
        From a report to its sentences, as `resolve_splitter` gives it.
    encode : callable or None
        From a list of str to an array (n, d) float32; None where no part of the model needs it.
    with_previous : bool
        Whether the previous report counts.
    with_claims : bool
        Whether each row has a claim.
    """

    def __init__(self, split, encode, *, with_previous, with_claims):
        self.split, self.encode = split, encode
        self.with_previous, self.with_claims = with_previous, with_claims

    def make(self, reports):
        """Split, compare and encode.

        Parameters
        ----------
        reports : Reports

        Returns
        -------
        Bags
        """
        sentences = [self.split(text) for text in reports.current]
        spoken = [slices(*pair) for pair in zip(reports.current, sentences, strict=True)]
        before = [[] for _ in spoken]
        if self.with_previous and reports.previous is not None:
            before = [slices(t, self.split(t)) if t else [] for t in reports.previous]
        vectors, earlier, claims = self._vectors(spoken, before, reports.claims)
        terms = [[sentence_terms(sentence) for sentence in report] for report in spoken]
        extra_terms = [[] for _ in spoken]
        statuses = None
        if self.with_previous:
            statuses, vectors = _compare(before, spoken, earlier, vectors, terms, extra_terms)
        if self.with_claims:
            for row, claim in enumerate(reports.claims):
                extra_terms[row] += [f"claim:{term}" for term in sentence_terms(claim)]
        return Bags(
            np.array([len(report) for report in sentences]),
            [sentence for report in sentences for sentence in report],
            [found for report in terms for found in report],
            np.concatenate(vectors),
            extra_terms,
            None if statuses is None else np.concatenate(statuses),
            claims,
        )

    def _vectors(self, spoken, before, claims):
        """Encode everything in one go: per report the current and the previous sentences."""
        counts = [len(report) for report in [*spoken, *before]]
        texts = [sentence for report in [*spoken, *before] for sentence in report]
        n_sentences = len(texts)
        texts += claims if self.with_claims else []
        if self.encode is None:
            encoded = np.zeros((len(texts), 0), np.float32)
        else:
            encoded = self.encode(texts)
        parts = np.split(encoded[:n_sentences], np.cumsum(counts)[:-1])
        given = encoded[n_sentences:][:, None] if self.with_claims else None
        return parts[: len(spoken)], parts[len(spoken) :], given


def slices(text, sentences):
    """Give the sentences of a report as str."""
    return [text[sentence.start : sentence.end] for sentence in sentences]


def _compare(before, spoken, earlier, vectors, terms, extra_terms):
    """Say of each sentence what became of it, in its terms and in its vector.

    A vector gets a second half: the sentence minus what it was, all of it where it is new.
    """
    statuses, widened = [], []
    for row, (old, new) in enumerate(zip(before, spoken, strict=True)):
        status = np.zeros(len(new), int)
        change = np.zeros_like(vectors[row])
        if old:
            matches = match_sentences(old, new, earlier[row], vectors[row])
            kept = matches.match >= 0
            named = np.where(kept, np.where(matches.changed, "changed", "kept"), "new")
            status = np.array([STATUSES.index(name) for name in named], int)
            change = vectors[row].copy()
            change[kept] -= earlier[row][matches.match[kept]]
            for position in matches.gone:
                extra_terms[row] += [f"gone:{t}" for t in sentence_terms(old[position])]
        for position, code in enumerate(status):
            found = terms[row][position]
            terms[row][position] = found + [f"{STATUSES[code]}:{term}" for term in found]
        statuses.append(status)
        widened.append(np.hstack([vectors[row], change]))
    return statuses, widened
