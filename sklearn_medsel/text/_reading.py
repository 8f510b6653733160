"""What an estimator reads reports with: splitter, encoder and cache, resolved once."""

import numpy as np

from sklearn_medsel.text._cache import encode_sentences, resolve_cache
from sklearn_medsel.text._encoders import resolve_encoder
from sklearn_medsel.text._encoding import BagMaker, slices
from sklearn_medsel.text._script import cjk_share
from sklearn_medsel.text._sentences import resolve_splitter

_SAMPLE = 200  # reports that tell the script


class Reader:
    """Splits and encodes reports in the same way at fit and at predict.

    Parameters
    ----------
    splitter, cache : object
        Parameters of the estimator.
    encoder : SentenceEncoder or None
        None where no vectors are needed.
    with_previous, with_claims : bool
        Whether these columns count.
    """

    def __init__(self, splitter, encoder, cache, *, with_previous=False, with_claims=False):
        self.split = resolve_splitter(splitter)
        self.encoder, self.cache = encoder, resolve_cache(cache)
        self.with_previous, self.with_claims = with_previous, with_claims

    def encode(self, sentences, on_batch=None):
        """Give the vectors (n, d) of sentences, through the cache."""
        return encode_sentences(self.encoder, list(sentences), self.cache, on_batch=on_batch)

    def read(self, reports, on_batch=None):
        """Turn checked reports into bags."""
        encode = None
        if self.encoder is not None:

            def encode(sentences):
                return self.encode(sentences, on_batch)

        maker = BagMaker(
            self.split, encode, with_previous=self.with_previous, with_claims=self.with_claims
        )
        return maker.make(reports)

    def pairs(self, reports):
        """Give what `comparison_table` takes: texts, sentences and vectors of both reports."""
        current = reports.current
        previous = [text or "" for text in reports.previous]
        sides = []
        for texts in (previous, current):
            sentences = [self.split(text) for text in texts]
            spoken = [slices(*pair) for pair in zip(texts, sentences, strict=True)]
            vectors = None
            if self.encoder is not None:
                flat = self.encode([one for report in spoken for one in report])
                vectors = np.split(flat, np.cumsum([len(report) for report in spoken])[:-1])
            sides.append((texts, sentences, vectors))
        return sides


def choose_encoder(encoder, reports, *, device):
    """Resolve the ``encoder`` parameter, ``"auto"`` by the script of some of the reports."""
    hint = cjk_share(" ".join(reports.current[:_SAMPLE]))
    return resolve_encoder(encoder, language_hint=hint, device=device)


def kept_fingerprint(encoder):
    """Give what an estimator keeps of its encoder; "" where only this process knows it."""
    return encoder.fingerprint if encoder is not None and encoder.lasting else ""


def same_encoder(encoder, name, fingerprint, *, device):
    """Resolve the encoder of ``fit`` again.

    Parameters
    ----------
    encoder : object
        The parameter of the estimator; ``"auto"`` stands for ``name``, which was chosen then.
    name, fingerprint : str
        What ``fit`` kept.
    device : str
        As the estimator has it.

    Raises
    ------
    ValueError
        If it is not the same encoder any more.
    """
    chosen = name if isinstance(encoder, str) and encoder == "auto" else encoder
    resolved = resolve_encoder(chosen, device=device)
    if fingerprint and resolved.fingerprint != fingerprint:
        raise ValueError(
            f"the encoder {name!r} is not the one of fit: its weights, version or settings differ. "
            "Install the same one, or fit again."
        )
    return resolved


def in_steps(step, n_steps):
    """Turn calls ``on_batch(n_done, n_total)`` into at most ``n_steps`` calls of ``step``."""
    done = 0

    def on_batch(n_done, n_total):
        nonlocal done
        while done < n_steps * n_done // max(n_total, 1):
            done += 1
            step()

    return on_batch
