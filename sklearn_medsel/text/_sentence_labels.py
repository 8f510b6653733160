"""Labels of sentences, where someone has them."""

import numpy as np

from sklearn_medsel.text._reports import is_missing

_FORM = (
    "sentence_y has one entry per report: None for no labels, a 0 or 1 for each of its sentences "
    "as the splitter cuts them (1 = carries the finding), or the marked passages as pairs "
    "(start, end) of offsets into the report"
)


def check_sentence_y(sentence_y, bags, *, required=False):
    """Check labels of sentences and bring them into one form.

    Parameters
    ----------
    sentence_y : sequence of (sequence of int, sequence of pairs, or None), or None
        Per report, 0 or 1 for each sentence, or the passages that carry the finding as offsets
        (start, end): a sentence that overlaps with one is marked. None for no labels.
    bags : Bags
        The reports' sentences.
    required : bool, default=False
        Whether at least one report must have labels.

    Returns
    -------
    ndarray of shape (n_sentences,), float64, or None
        NaN where there is no label; None if there is no label at all.

    Raises
    ------
    ValueError
        If a report's labels are not as many as its sentences, or are none of the above.
    """
    if sentence_y is None:
        if required:
            raise ValueError(f"sentence_y is None. {_FORM}.")
        return None
    if isinstance(sentence_y, str | dict | set) or not hasattr(sentence_y, "__len__"):
        raise ValueError(f"sentence_y is a {type(sentence_y).__name__}. {_FORM}.")
    if len(sentence_y) != len(bags):
        raise ValueError(
            f"sentence_y has {len(sentence_y)} entries for {len(bags)} reports. {_FORM}."
        )
    labels = []
    for row, (given, start, size) in enumerate(
        zip(sentence_y, bags.starts, bags.sizes, strict=True)
    ):
        labels.append(_one_report(row, given, bags.sentences[start : start + size]))
    flat = np.concatenate(labels)
    if np.isnan(flat).all():
        if required:
            raise ValueError("sentence_y labels no sentence.")
        return None
    return flat


def _one_report(row, given, sentences):
    """Labels of one report's sentences, from either form."""
    if is_missing(given):
        return np.full(len(sentences), np.nan)
    try:
        labels = np.asarray(list(given), dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"sentence_y is not understood at row {row}. {_FORM}.") from None
    if labels.ndim == 2 and labels.shape[1] == 2:
        if not (labels[:, 0] < labels[:, 1]).all():
            raise ValueError(
                f"sentence_y has a passage at row {row} that does not end behind its start."
            )
        return _overlapping(labels, sentences)
    if labels.shape == (0,):
        return np.zeros(len(sentences))
    if labels.shape != (len(sentences),):
        raise ValueError(
            f"sentence_y has {labels.size} labels at row {row}, where the splitter finds "
            f"{len(sentences)} sentences. Label the sentences that split_sentences gives, pass the "
            "splitter that gave yours, or give offsets (start, end) of what is marked."
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"sentence_y holds something else than 0 and 1 at row {row}.")
    return labels


def _overlapping(passages, sentences):
    marked = [
        any(start < sentence.end and sentence.start < end for start, end in passages)
        for sentence in sentences
    ]
    return np.array(marked, dtype=float)


def sentence_targets(labels, bags, columns, used):
    """Bring labels of sentences to the outputs: those of a report hold for what it is labelled.

    Parameters
    ----------
    labels : ndarray of shape (n_sentences,) or None
        As `check_sentence_y` returns them.
    bags : Bags
        All reports.
    columns : ndarray of shape (n, n_outputs)
        Zero or one for each report and output.
    used : ndarray of int
        Reports to keep.

    Returns
    -------
    ndarray of shape (n_sentences_kept, n_outputs), or None
    """
    if labels is None:
        return None
    owner = bags.owner
    return (labels[:, None] * columns[owner])[np.isin(owner, used)]
