"""Compare a report with the one before it: which sentences are new, kept, gone.

Each sentence is matched to at most one of the other report, so that every sentence of both is
accounted for. Two sentences are alike if they share terms and, where the encoder gives vectors,
point the same way. They are never matched if they contradict each other, however alike they look:
"No pleural effusion" and "Small pleural effusion" share most of their words.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from sklearn_medsel.text._statement import has_changed, read_statement

# From which similarity a sentence counts as kept. Rewordings share about half of their terms, and
# what is listed as new by mistake is read once too often, while a new one called kept is missed.
KEPT_FROM = 0.4

# Same words, but for case, width, punctuation and numbers.
_ALMOST_SAME = 0.99

# Cosine of sentences that have nothing to do with each other. It depends on the encoder, so it is
# taken from the sentences within each report, which say different things. Few of them tell little,
# so this value counts as `_N_ASSUMED` of them.
_UNRELATED, _N_ASSUMED = 0.4, 10

_COLUMNS = {
    "report": np.int64,
    "status": "str",
    "sentence": np.int64,
    "text": "str",
    "start": np.int64,
    "end": np.int64,
    "match": np.int64,
    "match_text": "str",
    "similarity": np.float64,
    "changed": bool,
}


class Matches(NamedTuple):
    """Which sentence of a report is which of the previous one.

    Attributes
    ----------
    match : ndarray of shape (n_current,), int64
        Position of the matching previous sentence, -1 for a new one.
    similarity : ndarray of shape (n_current,), float64
        Of the two, between 0 and 1; 0 for a new one.
    changed : ndarray of shape (n_current,), bool
        Whether a size, a degree, the polarity or a word of change differs; False for a new one.
    gone : ndarray of shape (n_gone,), int64
        Positions of the previous sentences that nothing matches, ascending.
    """

    match: np.ndarray
    similarity: np.ndarray
    changed: np.ndarray
    gone: np.ndarray


def match_sentences(previous, current, previous_vectors=None, current_vectors=None):
    """Match the sentences of a report to those of the previous one.

    Parameters
    ----------
    previous, current : list of str
        Sentences of both reports, in any order; either may be empty.
    previous_vectors : array-like of shape (n_previous, n_dimensions) or None, default=None
        Their vectors. None, or no dimensions, compares words only.
    current_vectors : array-like of shape (n_current, n_dimensions) or None, default=None
        Their vectors; to be given if and only if `previous_vectors` is.

    Returns
    -------
    Matches
        Named tuple of `match`, `similarity`, `changed` and `gone`.

    Raises
    ------
    ValueError
        If only one of the vectors is given, or their shapes or values do not fit.

    Notes
    -----
    The similarity is the Dice overlap of the terms, a denied term differing from the same one
    stated, averaged with the cosine of the vectors; the assignment maximises its sum [1]_. Sizes,
    degrees and words of change do not count, so that a nodule that grew is kept and changed. Pairs
    are excluded that differ in side, level or vertebra, of which one denies what the other states,
    or of which one only asks. Equal sentences are matched first. The order of the sentences plays
    no role, save between equal ones, which are matched in order.

    References
    ----------
    .. [1] Kuhn HW. The Hungarian method for the assignment problem. Naval Research Logistics
       Quarterly 1955;2:83-97.

    Examples
    --------
    >>> from sklearn_medsel.text._comparison import match_sentences
    >>> matches = match_sentences(
    ...     ["The heart is normal in size.", "No pleural effusion.", "Nodule of 8 mm."],
    ...     ["Nodule of 15 mm.", "Heart size is normal.", "Small pleural effusion."],
    ... )
    >>> matches.match, matches.changed, matches.gone
    (array([ 2,  0, -1]), array([ True, False, False]), array([1]))
    """
    vectors = _check_vectors(previous, current, previous_vectors, current_vectors)
    before, after = _sorted_positions(previous), _sorted_positions(current)
    statements = {s: read_statement(s) for s in {*previous, *current}}
    first = [statements[previous[i]] for i in before]
    second = [statements[current[i]] for i in after]
    ours, theirs, opposite = _term_matrices(first, second)
    similarity = _overlap(ours, theirs)
    if vectors is not None:
        similarity = (similarity + _relatedness(vectors[0][before], vectors[1][after])) / 2
    similarity = np.minimum(similarity, _ALMOST_SAME)
    similarity[_equal([s.shape for s in first], [s.shape for s in second])] = _ALMOST_SAME
    similarity[_turned(ours, theirs, opposite) | _apart(first, second)] = 0
    similarity[_equal([previous[i] for i in before], [current[i] for i in after])] = 1

    match = np.full(len(current), -1, dtype=np.int64)
    found = np.zeros(len(current))
    changed = np.zeros(len(current), dtype=bool)
    for row, column in _assign(similarity):
        match[after[column]] = before[row]
        found[after[column]] = similarity[row, column]
        changed[after[column]] = has_changed(first[row], second[column])
    gone = np.setdiff1d(np.arange(len(previous), dtype=np.int64), match)
    return Matches(match, found, changed, gone)


def comparison_table(previous, current):
    """List the new, kept and gone sentences of pairs of reports.

    Parameters
    ----------
    previous, current : tuple of (texts, sentences, vectors)
        The reports, a list of str; the `Sentence` of each, a list of lists; and the vectors of
        these, a list of arrays of shape (n_sentences, n_dimensions), or None to compare words
        only. A previous report without sentences is none: all is new.

    Returns
    -------
    DataFrame
        By report, its sentences in order and then those gone, with the columns

        report : int64
            Position of the pair.
        status : str
            "new", "kept" or "gone".
        sentence : int64
            Position of the sentence in its report: the previous one if it is gone.
        text : str
            The sentence.
        start, end : int64
            Its offsets in that report.
        match : int64
            Position of the matching sentence in the previous report, or -1.
        match_text : str
            That sentence; missing where there is none.
        similarity : float64
            Of the two, between 0 and 1; 0 where there is none.
        changed : bool
            Kept, but with a difference in size, degree, polarity or course.

    Raises
    ------
    ValueError
        If the numbers of reports differ, or vectors do not fit their sentences.
    """
    if len(previous[0]) != len(current[0]):
        raise ValueError(
            f"previous has {len(previous[0])} reports but current has {len(current[0])}; give one "
            "previous report, or an empty one, for each."
        )
    rows = []
    for report in range(len(current[0])):
        before, earlier = _report(previous, report)
        after, vectors = _report(current, report)
        matches = match_sentences(before, after, earlier, vectors)
        for at, (match, *values) in enumerate(zip(*matches[:3], strict=True)):
            status, text = ("new", None) if match < 0 else ("kept", before[match])
            span = current[1][report][at][:2]
            rows.append((report, status, at, after[at], *span, match, text, *values))
        for at in matches.gone:
            span = previous[1][report][at][:2]
            rows.append((report, "gone", at, before[at], *span, -1, None, 0.0, False))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def _report(side, report):
    """Sentences of one report, as texts, and their vectors or None."""
    texts, sentences, vectors = side
    spoken = [texts[report][start:end] for start, end, *_ in sentences[report]]
    return spoken, None if vectors is None else vectors[report]


def _sorted_positions(sentences):
    # One order for the same sentences, so that ties are broken alike however they are shuffled.
    return np.array(sorted(range(len(sentences)), key=sentences.__getitem__), dtype=np.int64)


def _assign(similarity):
    """Pairs (row, column) whose similarities have the largest sum, those too low left out."""
    enough = similarity >= KEPT_FROM
    # Equal sentences come before any sum of others.
    gain = np.where(enough, similarity, 0) + (similarity == 1) * min(similarity.shape)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(i, j) for i, j in zip(rows, columns, strict=True) if enough[i, j]]


def _overlap(ours, theirs):
    """Dice overlap of the terms of each pair of statements."""
    sums = ours.sum(axis=1)[:, None] + theirs.sum(axis=1)
    return np.divide(2 * ours @ theirs.T, sums, out=np.zeros(sums.shape), where=sums > 0)


def _term_matrices(first, second):
    """Which statement has which term, 0 or 1; and each term's opposite, or -1."""
    terms = sorted(frozenset().union(*(statement.terms for statement in [*first, *second])))
    column = {term: position for position, term in enumerate(terms)}
    matrices = []
    for statements in (first, second):
        matrix = np.zeros((len(statements), len(terms)))
        for row, statement in zip(matrix, statements, strict=True):
            row[[column[term] for term in statement.terms]] = 1
        matrices.append(matrix)
    opposite = np.array([column.get((word, not denied), -1) for word, denied in terms], dtype=int)
    return *matrices, opposite


def _turned(ours, theirs, opposite):
    """Which pairs of statements have a term that one of them states and the other denies."""
    turned = opposite >= 0
    # A term that a sentence both states and denies speaks against nothing.
    ours = ours[:, turned] * (1 - ours[:, opposite[turned]])
    theirs = theirs[:, opposite[turned]] * (1 - theirs[:, turned])
    return ours @ theirs.T > 0


def _apart(first, second):
    """Which pairs differ in place, or in being normal or abnormal, or asked or found."""
    state = np.array([s.state for s in first], int)[:, None] * np.array([s.state for s in second])
    asks = np.array([s.asks for s in first], bool)[:, None] != np.array([s.asks for s in second])
    found = (state < 0) | asks
    for name in ("side", "level", "place"):
        a, b = _codes([getattr(s, name) for s in first], [getattr(s, name) for s in second])
        found |= (a[:, None] != b) & (a[:, None] > 0) & (b > 0)
    return found


def _equal(first, second):
    a, b = _codes(first, second)
    return a[:, None] == b


def _codes(first, second):
    """Numbers that are equal where the values are; 0 for an empty value."""
    code = {}
    for value in [*first, *second]:
        code.setdefault(value, len(code) + 1 if value else 0)
    return (np.array([code[value] for value in values], dtype=int) for values in (first, second))


def _relatedness(first, second):
    """Cosines, rescaled so that 0 is the usual cosine between sentences of one report."""
    first, second = _unit(first), _unit(second)
    within = np.concatenate([_above_diagonal(first @ first.T), _above_diagonal(second @ second.T)])
    usual = (within.sum() + _UNRELATED * _N_ASSUMED) / (within.size + _N_ASSUMED)
    usual = min(usual, _ALMOST_SAME)
    return np.clip((first @ second.T - usual) / (1 - usual), 0, 1)


def _unit(vectors):
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def _above_diagonal(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def _check_vectors(previous, current, previous_vectors, current_vectors):
    if (previous_vectors is None) != (current_vectors is None):
        raise ValueError("Give both previous_vectors and current_vectors, or neither.")
    if previous_vectors is None or not len(previous) or not len(current):
        return None
    checked = []
    for name, sentences, vectors in (
        ("previous", previous, previous_vectors),
        ("current", current, current_vectors),
    ):
        vectors = np.asarray(vectors, dtype=np.float64)
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise ValueError(
                f"{name}_vectors must be a table of finite numbers, one row per sentence; found "
                f"shape {vectors.shape}{'' if vectors.ndim != 2 else ' with NaN or infinity'}."
            )
        if len(vectors) != len(sentences):
            raise ValueError(
                f"{name}_vectors has {len(vectors)} rows but {name} has {len(sentences)} sentences."
            )
        checked.append(vectors)
    before, after = checked
    if before.shape[1] != after.shape[1]:
        raise ValueError(
            f"previous_vectors has {before.shape[1]} columns but current_vectors has "
            f"{after.shape[1]}; use one encoder for both."
        )
    return (before, after) if before.shape[1] else None
