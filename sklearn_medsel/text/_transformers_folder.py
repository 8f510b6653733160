"""The folder of a transformers model: where it is, what it holds, how vectors come out of it.

Nothing is ever downloaded: a name must be in the local Hugging Face cache. A folder written by
sentence-transformers says in ``modules.json`` how it pools; one written by transformers does not,
and then the vectors are the mean over the tokens.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from sklearn_medsel.text._fingerprints import files_fingerprint

_FILES = {".json", ".txt", ".model", ".safetensors"}
# In the order in which sentence-transformers puts several of them side by side.
_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
}
_FEWEST, _USUAL = 3, 512
# Their first position is that after the padding token's number.
_SHIFTED_POSITIONS = {
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "mpnet",
    "longformer",
}


class TransformerSettings(NamedTuple):
    """How sentences go into a model and vectors come out.

    Attributes
    ----------
    subfolder : str
        Where in the folder the transformer lies; mostly "".
    pooling : tuple of str
        "mean", "cls", "max" or "mean_sqrt_len_tokens"; several are put side by side.
    normalize : bool
        Whether vectors are scaled to length 1.
    max_tokens : int
        Longer sentences are cut there; special tokens count.
    lower_case : bool
        Whether text is lowered before it reaches the tokenizer.
    pad_id : int
        Token number of padding.
    """

    subfolder: str = ""
    pooling: tuple = ("mean",)
    normalize: bool = False
    max_tokens: int = _USUAL
    lower_case: bool = False
    pad_id: int = 0


def find_model_folder(name_or_folder):
    """Folder of a model: the one given, or that of a name in the local Hugging Face cache.

    Parameters
    ----------
    name_or_folder : str or Path
        Folder or name, such as ``"models/mine"`` or ``"org/model"``.

    Returns
    -------
    Path
        An existing folder that holds a ``config.json`` or ``modules.json``.

    Raises
    ------
    ImportError
        If transformers is not installed.
    ValueError
        If there is no such folder and no such model, or the folder holds no model.
    """
    if find_spec("transformers") is None:
        raise ImportError(
            f"encoder={str(name_or_folder)!r} is a transformers model, and transformers is not "
            'installed: pip install "sklearn-medsel[text]". Without it: encoder="hashing".'
        )
    folder = Path(name_or_folder).expanduser()
    if not folder.is_dir():
        folder = _cached_snapshot(name_or_folder)
    if not any((folder / name).is_file() for name in ("config.json", "modules.json")):
        raise ValueError(
            f"encoder: the folder {str(folder)!r} holds no transformers model (config.json is "
            "missing). Give the folder that save_pretrained or sentence-transformers wrote."
        )
    return folder


def _cached_snapshot(name):
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    missing = f"encoder={str(name)!r}: no folder of that name was found"
    text = str(name)
    if isinstance(name, Path) or text.startswith(("/", ".", "~")) or text.count("/") > 1:
        raise ValueError(f"{missing}. Give the folder of a transformers model.")
    try:
        return Path(snapshot_download(text, local_files_only=True))
    except (OSError, HFValidationError):  # not there, or no name that a model could have
        raise ValueError(
            f"{missing}, and no model of that name is in the local Hugging Face cache. Models are "
            f"never downloaded here. Run `hf download {text}` once, where there is a network, or "
            'give a folder, or one of "auto", "hashing", "minilm", "use".'
        ) from None


def transformer_fingerprint(folder):
    """Hash of a model's settings, tokenizer and weights.

    Parameters
    ----------
    folder : Path
        What `find_model_folder` gave.

    Returns
    -------
    str
        The same on every machine; other weights, vocabulary or pooling give another one. Files
        are read in full, about a second per gigabyte, once per process.
    """
    settings = read_settings(folder)
    places = {folder, folder / settings.subfolder}
    files = [path for place in places for path in place.iterdir() if path.is_file()]
    suffixes = _FILES
    if not any(path.suffix == ".safetensors" for path in files):
        suffixes = _FILES | {".bin"}
    chosen = {str(path.relative_to(folder)): path for path in files if path.suffix in suffixes}
    return "transformer:" + files_fingerprint(chosen, f"1 {settings}")


def read_settings(folder):
    """Read pooling and length from the files of a model; no weights are touched.

    Parameters
    ----------
    folder : Path
        Folder of the model.

    Returns
    -------
    TransformerSettings
        With ``pad_id`` left at 0: only the tokenizer knows it.

    Raises
    ------
    ValueError
        If a file is no JSON, or the model has a part that is not done here.
    """
    subfolder, pooling, normalize = "", ("mean",), False
    for module in _read(folder / "modules.json", []):
        kind = str(module.get("type", "")).rsplit(".", 1)[-1]
        if kind == "Transformer":
            subfolder = module.get("path", "")
        elif kind == "Pooling":
            pooling = _pooling(_read(folder / module.get("path", "") / "config.json", {}))
        elif kind == "Normalize":
            normalize = True
        elif kind != "Dropout":  # which does nothing outside of training
            raise _unsupported(f"part {kind!r}")
    place = folder / subfolder
    own = _read(place / "sentence_bert_config.json", {})
    return TransformerSettings(
        subfolder=subfolder,
        pooling=pooling,
        normalize=normalize,
        max_tokens=_max_tokens(place, own),
        lower_case=bool(own.get("do_lower_case", False)),
    )


def _pooling(config):
    """Kinds of pooling, from either form of the file that sentence-transformers has had."""
    found = config.get("pooling_mode")
    if found is None:
        on = [key for key in config if key.startswith("pooling_mode_") and config[key]]
        order = list(_POOLINGS)
        on.sort(key=lambda key: order.index(key) if key in order else len(order))
        found = [_POOLINGS.get(key, key) for key in on] or ["mean"]
    kinds = (found,) if isinstance(found, str) else tuple(found)
    for kind in kinds:
        if kind not in _POOLINGS.values():
            raise _unsupported(f"pooling {kind!r}")
    return kinds


def _max_tokens(place, own):
    """The smallest limit that a file states; tokenizers without one say 10**30."""
    config = _read(place / "config.json", {})
    positions = config.get("max_position_embeddings")
    if positions and config.get("model_type") in _SHIFTED_POSITIONS:
        positions -= (config.get("pad_token_id") or 1) + 1
    limits = (
        own.get("max_seq_length"),
        _read(place / "tokenizer_config.json", {}).get("model_max_length"),
        positions,
    )
    stated = [int(limit) for limit in limits if limit and _FEWEST <= limit < 10**9]
    return min(stated, default=_USUAL)


def _read(path, default):
    if not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(
            f"encoder: {str(path)!r} cannot be read as JSON. Save the model anew."
        ) from None


def _unsupported(what):
    return ValueError(
        f"encoder: the model has a {what}, which is not done here. Install sentence-transformers "
        "and pass encoder=SentenceTransformer(folder)."
    )
