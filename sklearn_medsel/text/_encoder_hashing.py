"""An encoder of sentences that needs nothing but scikit-learn: hashed words and characters."""

import re
import unicodedata
from collections import Counter
from itertools import pairwise
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_extraction import FeatureHasher

from sklearn_medsel.text._script import CJK

_PIECES = re.compile(f"([{CJK}]+)|([^\\W{CJK}]+(?:[.'][^\\W{CJK}]+)*)")
_VERSION = (
    1  # raise it with every change of the vectors: a cache on disk must not hand out old ones
)


class HashingSentenceEncoder(BaseEstimator):
    """Sentence vectors from hashed words and characters; nothing is learnt or loaded.

    Words, pairs of neighbouring words and character n-grams inside words are counted. Chinese and
    Japanese text, which has no spaces, is counted by its character n-grams alone (1 to 3). Every
    count is added, with a sign, to one of `n_features` numbers that a hash of the word or n-gram
    chooses, so that the inner product of two vectors is close to the overlap of their sentences.
    It knows no meaning: two wordings of one finding without a word in common are far apart.

    Parameters
    ----------
    n_features : int, default=512
        Length of a vector. With fewer, unlike words share a number more often.

    Examples
    --------
    >>> from sklearn_medsel.text._encoder_hashing import HashingSentenceEncoder
    >>> vectors = HashingSentenceEncoder(256).encode(["No effusion.", "肺に結節影を認める。"])
    >>> vectors.shape, vectors.dtype
    ((2, 256), dtype('float32'))
    """

    def __init__(self, n_features=512):
        self.n_features = n_features

    @property
    def fingerprint(self):
        """Name of these vectors in a `SentenceCache`: version and length."""
        return f"sklearn_medsel-hashing-{_VERSION}-{self.n_features}"

    def encode(self, sentences):
        """Turn sentences into vectors.

        Parameters
        ----------
        sentences : list of str, of length n_sentences
            Sentences in any language.

        Returns
        -------
        ndarray of shape (n_sentences, n_features), float32
            Vectors of length 1; a sentence without a letter or digit has a vector of zeros.

        Raises
        ------
        ValueError
            If `n_features` is not a whole number of at least 1.
        """
        if not isinstance(self.n_features, Integral) or self.n_features < 1:
            raise ValueError(
                f"n_features must be a whole number of at least 1, found {self.n_features!r}."
            )
        if not len(sentences):
            return np.zeros((0, self.n_features), dtype=np.float32)
        hasher = FeatureHasher(int(self.n_features), input_type="dict", dtype=np.float64)
        vectors = hasher.transform(map(_weights, sentences)).toarray()
        length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
        return (vectors / np.where(length > 0, length, 1)).astype(np.float32)


def _weights(sentence):
    """Weight of every word, pair of words and n-gram of a sentence.

    A word of ten letters has five times as many n-grams as it is words and pairs. Unweighted,
    spelling would drown the words, so all n-grams together weigh what the words do.
    """
    text = unicodedata.normalize("NFKC", sentence).lower()
    words, spelling, characters = [], [], []
    for piece in _PIECES.finditer(text):
        if piece.group(1):
            characters += _ngrams(piece.group(1), (1, 2, 3), "c")
        else:
            words.append(piece.group(2))
            spelling += _ngrams(f" {piece.group(2)} ", (3, 4), "s")
    pairs = [f"p{first} {second}" for first, second in pairwise(words)]
    terms = [f"w{word}" for word in words] + pairs
    return (
        _scaled(terms, len(terms))
        | _scaled(spelling, len(terms))
        | _scaled(characters, len(characters))
    )


def _scaled(features, amount):
    """Counts of features, scaled so that their sum of squares is `amount`."""
    counts = Counter(features)
    norm = sum(count * count for count in counts.values())
    return {feature: count * (amount / norm) ** 0.5 for feature, count in counts.items()}


def _ngrams(text, lengths, mark):
    return [
        mark + text[start : start + length]
        for length in lengths
        for start in range(len(text) - length + 1)
    ]
