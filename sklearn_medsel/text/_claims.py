"""Claims that a user wrote: what the attention holds the sentences against."""

import numpy as np

_FORM = (
    "claims is a text for the second of two classes, or one text per class: a list in the order "
    "of the classes or a dict {class: text}"
)


def encode_claims(claims, target, reader):
    """Encode the claim of each output.

    Parameters
    ----------
    claims : str, sequence of str, dict or None
        The parameter of the classifier.
    target : Target
        Its classes.
    reader : Reader
        Encodes the texts.

    Returns
    -------
    ndarray of shape (n_outputs, d), float32, or None

    Raises
    ------
    ValueError
        If a class has no claim, or a claim is not a text.
    """
    if claims is None or reader.encoder is None:
        return None
    if reader.with_claims:
        raise ValueError(
            "claims is given, and X has a column 'claim' with a claim for each row: use one."
        )
    n_outputs = target.columns.shape[1]
    if isinstance(claims, dict):
        wanted = target.classes[-n_outputs:].tolist()
        lacking = [label for label in wanted if label not in claims]
        if lacking:
            raise ValueError(f"claims has no text for class {lacking[0]!r}. {_FORM}.")
        claims = [claims[label] for label in wanted]
    texts = [claims] if isinstance(claims, str) else list(claims)
    if target.kind == "binary" and len(texts) == len(target.classes):
        texts = texts[-1:]
    if len(texts) != n_outputs:
        raise ValueError(f"claims has {len(texts)} texts for {n_outputs} outputs. {_FORM}.")
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"claims holds something else than text, or a blank one. {_FORM}.")
    return np.asarray(reader.encode(texts))
