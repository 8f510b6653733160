"""What goes into an encoder is text, and what comes out is one finite vector for each."""

import numpy as np

from sklearn_medsel._validation import list_rows


def check_sentences(sentences):
    """List of the sentences.

    Parameters
    ----------
    sentences : list, tuple, array or Series of str
        Sentences.

    Returns
    -------
    list of str
        The same.

    Raises
    ------
    TypeError
        If it is one text, or a sentence is none.
    """
    if isinstance(sentences, str | bytes):
        raise TypeError("sentences must be a list of texts, found a single text. Put it in a list.")
    sentences = list(sentences)
    for row, sentence in enumerate(sentences):
        if not isinstance(sentence, str):
            raise TypeError(
                f"sentences must be texts, found {type(sentence).__name__} at row {row}."
            )
    return sentences


def valid_unicode(sentence):
    """Replace halves of characters, as damaged files have them, which no tokenizer takes.

    Parameters
    ----------
    sentence : str
        Any text.

    Returns
    -------
    str
        The same, with U+FFFD in their place.
    """
    if sentence.isascii():
        return sentence
    return sentence.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def check_vectors(given, n_sentences, name, rows=None):
    """Array of what an encoder gave, as float32.

    Parameters
    ----------
    given : array-like
        What ``encode`` returned.
    n_sentences : int
        How many sentences there were.
    name : str
        Name of the encoder, for error messages.
    rows : list of int or None, default=None
        What error messages call the sentences; None counts from 0.

    Returns
    -------
    ndarray of shape (n_sentences, n_features), float32
        A copy only where the type differs.

    Raises
    ------
    ValueError
        If the shape or type is wrong, or a number is NaN or infinite.
    """
    want = f"encoder {name!r} must give an array of shape ({n_sentences}, n_features)"
    try:
        vectors = np.asarray(given)
    except Exception:  # ragged lists, tensors on another device or with gradients
        raise ValueError(
            f"{want}, found {type(given).__name__}, which numpy makes no array of."
        ) from None
    if vectors.dtype.kind not in "fiu":
        raise ValueError(f"{want} of numbers, found the type {vectors.dtype}.")
    if vectors.ndim != 2 or vectors.shape[0] != n_sentences or vectors.shape[1] == 0:
        raise ValueError(f"{want} for {n_sentences} sentences, found the shape {vectors.shape}.")
    with np.errstate(over="ignore"):
        vectors = vectors.astype(np.float32, copy=False)
    wrong = ~np.isfinite(vectors).all(axis=1)
    if wrong.any():
        if rows is not None:
            wrong = np.isin(np.arange(max(rows) + 1), np.asarray(rows)[wrong])
        raise ValueError(
            f"encoder {name!r} gave NaN or infinite numbers for the sentences at {list_rows(wrong)}"
            ". Every sentence needs a vector of finite numbers, an empty one as well."
        )
    return vectors
