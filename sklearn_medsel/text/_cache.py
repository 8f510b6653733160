"""The sentence cache: a sentence is encoded once, however many folds and grid points ask for it.

Reports repeat themselves ("No pleural effusion."), and cross-validation encodes every report again
in each fold. Vectors are kept under a hash of the encoder's fingerprint and the sentence, so that
rows may come in any order, encoders do not mix, and no text is stored.
"""

import hashlib
from numbers import Integral
from pathlib import Path

import numpy as np

from sklearn_medsel.text._cache_stores import FileStore, MemoryStore
from sklearn_medsel.text._encoder_checks import check_sentences
from sklearn_medsel.text._encoders import resolve_encoder

__all__ = ["SentenceCache", "encode_sentences", "resolve_cache"]

_BATCH = 256  # sentences; after each batch vectors are stored and progress is told
_KEY_BYTES = 20
_STORED = np.dtype("<f4")


class SentenceCache:
    """Vectors of sentences, kept in memory or in a folder.

    Safe between threads; a folder is safe between processes as well. Copies (`copy.deepcopy`,
    `sklearn.clone`) are the cache itself, so all candidates of a grid search share it. A pickle
    carries folder and secret, and no vectors.

    Parameters
    ----------
    folder : str, Path or None, default=None
        Folder in which vectors are kept, in the file ``sentences.sqlite``; made at the first use.
        None keeps them in memory.
    secret : str, bytes or None, default=None
        Key of the hashes. Without it, whoever reads the folder can test whether a sentence they
        guess is in it.
    max_bytes : int, default=1073741824
        Most memory, or largest file; what was not used for longest (memory) or was written first
        (folder) is dropped. A sentence takes about 2 kB.

    Notes
    -----
    No text is written, but a vector says what its sentence was about, and parts of the wording can
    be guessed from it. Guard the folder as you guard the reports; folder and file are made
    readable by their owner only.

    Vectors of an encoder without a fingerprint that lasts (see `resolve_encoder`) are kept in
    memory even where there is a folder.

    Examples
    --------
    >>> from sklearn_medsel.text._cache import SentenceCache
    >>> from sklearn_medsel.text._encoders import HashingSentenceEncoder
    >>> cache = SentenceCache()
    >>> sentences = ["No effusion.", "A nodule.", "No effusion."]
    >>> cache.encode(HashingSentenceEncoder(64), sentences).shape, len(cache)
    ((3, 64), 2)
    """

    def __init__(self, folder=None, *, secret=None, max_bytes=2**30):
        if folder is not None and not isinstance(folder, str | Path):
            raise TypeError(f"folder must be a str, a Path or None, found {type(folder).__name__}.")
        if folder is not None and Path(folder).expanduser().is_file():
            raise ValueError(f"folder={str(folder)!r} is a file. Give a folder, old or new.")
        if secret is not None and not isinstance(secret, str | bytes):
            raise TypeError(f"secret must be a str, bytes or None, found {type(secret).__name__}.")
        if secret is not None and not secret:
            raise ValueError("secret is empty. Give a text that nobody can guess, or None.")
        if not isinstance(max_bytes, Integral) or isinstance(max_bytes, bool) or max_bytes < 1:
            raise ValueError(f"max_bytes must be a whole number of at least 1, found {max_bytes}.")
        self.folder = None if folder is None else Path(folder).expanduser().absolute()
        self.max_bytes = int(max_bytes)
        self._secret = secret
        secret = secret.encode() if isinstance(secret, str) else secret or b""
        # hashed first: a key of blake2b has 64 bytes at most
        self._key = hashlib.blake2b(secret).digest() if secret else b""
        self._memory = MemoryStore(self.max_bytes)
        self._file = None if self.folder is None else FileStore(self.folder, self.max_bytes)

    def encode(self, encoder, sentences, on_batch=None):
        """Vectors of sentences; only those that are not known yet are encoded.

        Parameters
        ----------
        encoder : SentenceEncoder or what `resolve_encoder` takes
            The encoder.
        sentences : list of str, of length n_sentences
            Sentences; equal ones are encoded once.
        on_batch : callable or None, default=None
            Called as ``on_batch(n_done, n_total)`` after every batch, counting the sentences that
            had to be encoded.

        Returns
        -------
        ndarray of shape (n_sentences, n_features), float32
            Vectors, bit for bit as the encoder gave them.

        Raises
        ------
        TypeError
            If a sentence is not text, or `encoder` is no encoder.
        ValueError
            If the encoder gives something wrong (see `SentenceEncoder.encode`), or the file is
            damaged.
        OSError
            If the folder cannot be written.
        """
        return encode_sentences(encoder, sentences, self, on_batch)

    def clear(self):
        """Forget all vectors, those in the folder included."""
        for store in self._stores():
            store.clear()

    def __len__(self):
        return sum(len(store) for store in self._stores())

    def __bool__(self):
        return True  # an empty cache is a cache

    def __repr__(self):
        place = "" if self.folder is None else repr(str(self.folder))
        return f"SentenceCache({place})"  # never the secret

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return _unpickle, (self.folder, self._secret, self.max_bytes)

    def _stores(self):
        return [self._memory] if self._file is None else [self._memory, self._file]

    def _store_of(self, encoder):
        return self._file if self._file is not None and encoder.lasting else self._memory

    def _keys(self, encoder, sentences):
        """Key of each sentence; the fingerprint is hashed first, so that its end is no matter."""
        base = hashlib.blake2b(key=self._key, digest_size=_KEY_BYTES)
        base.update(hashlib.blake2b(encoder.fingerprint.encode()).digest())
        keys = []
        for sentence in sentences:
            key = base.copy()
            key.update(sentence.encode("utf-8", "surrogatepass"))
            keys.append(key.digest())
        return keys


def _unpickle(folder, secret, max_bytes):
    return SentenceCache(folder, secret=secret, max_bytes=max_bytes)


def encode_sentences(encoder, sentences, cache=None, on_batch=None):
    """Encode distinct sentences in batches of similar length, with or without a cache.

    Parameters
    ----------
    encoder : SentenceEncoder or what `resolve_encoder` takes
        The encoder.
    sentences : list of str, of length n_sentences
        Sentences.
    cache : SentenceCache or None, default=None
        What knows some of them already.
    on_batch : callable or None, default=None
        Called as ``on_batch(n_done, n_total)``.

    Returns
    -------
    ndarray of shape (n_sentences, n_features), float32
        Vectors.
    """
    encoder = resolve_encoder(encoder)
    sentences = check_sentences(sentences)
    if not sentences:
        return encoder.encode([])
    first = {}  # of each distinct sentence the first row, by which errors call it
    for row, sentence in enumerate(sentences):
        first.setdefault(sentence, row)
    distinct = list(first)
    keys = distinct if cache is None else cache._keys(encoder, distinct)
    store = None if cache is None else cache._store_of(encoder)
    known = {} if store is None else store.get(keys)
    missing = [place for place, key in enumerate(keys) if key not in known]
    missing.sort(key=lambda place: len(distinct[place]))
    for start in range(0, len(missing), _BATCH):
        batch = missing[start : start + _BATCH]
        texts = [distinct[place] for place in batch]
        vectors = encoder.encode(texts, rows=[first[text] for text in texts])
        rows = vectors.astype(_STORED, copy=False)
        new = {keys[place]: row.tobytes() for place, row in zip(batch, rows, strict=True)}
        if store is not None:
            store.put(new)
        known.update(new)
        if on_batch is not None:
            on_batch(start + len(batch), len(missing))
    table = _table([known[key] for key in keys], encoder)
    place_of = {sentence: place for place, sentence in enumerate(distinct)}
    return table[[place_of[sentence] for sentence in sentences]]


def _table(vectors, encoder):
    """Matrix of stored vectors."""
    sizes = {len(vector) for vector in vectors}
    if len(sizes) > 1:
        lengths = ", ".join(str(size // _STORED.itemsize) for size in sorted(sizes))
        raise ValueError(
            f"encoder {encoder.name!r}: the vectors have different lengths ({lengths}), those in "
            "the cache included. Give the encoder another fingerprint whenever its vectors change, "
            "or call clear() on the cache."
        )
    return np.frombuffer(b"".join(vectors), _STORED).reshape(len(vectors), -1).astype(np.float32)


_process_cache = SentenceCache()


def resolve_cache(cache):
    """Turn the `cache` parameter of an estimator into a `SentenceCache`, or None for no cache.

    Parameters
    ----------
    cache : None, False, str, Path or SentenceCache
        None: one in memory that everything in this process shares. False: none. Text or Path: a
        folder.

    Returns
    -------
    SentenceCache or None
        The cache.

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If the folder is a file, or the text is empty.
    """
    if cache is None:
        return _process_cache
    if cache is False:
        return None
    if isinstance(cache, SentenceCache):
        return cache
    if isinstance(cache, str | Path):
        if not str(cache).strip():
            raise ValueError("cache is an empty text. Give a folder, None or False.")
        return SentenceCache(cache)
    raise TypeError(
        "cache must be None (in memory), False (no cache), a folder, or a SentenceCache; found "
        f"{type(cache).__name__}."
    )
