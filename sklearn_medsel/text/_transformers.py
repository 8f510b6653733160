"""Transformer models of Hugging Face as sentence encoders: find, load, tokenise, pool.

Nothing here ever downloads: a model is a folder, or a name whose files are in the local Hugging
Face cache. Folders made by sentence-transformers are read without that package, which is slow to
import. The functions are small so that fine-tuning can use them one by one.
"""

import contextlib
import threading

import numpy as np
import torch

from sklearn_medsel.base import seeded
from sklearn_medsel.text._transformers_folder import find_model_folder, read_settings

# Tokens of a batch, padding included. Measured on reports with one thread: flat from 200 to 800,
# twice as slow at 4000, where the layers leave the processor's cache.
_TOKENS_PER_BATCH = 384
_loading = threading.RLock()


def load_transformer(name_or_folder):
    """Load a transformers model in float32 on the CPU, together with how its output is pooled.

    Parameters
    ----------
    name_or_folder : str or Path
        Folder or name, see `find_model_folder`. Every call loads the weights anew, so that the
        caller may train them.

    Returns
    -------
    tokenizer : transformers tokenizer
        To be used through `encode_tokens`.
    model : transformers.PreTrainedModel
        In evaluation mode.
    settings : TransformerSettings
        Pooling, length and padding.

    Raises
    ------
    ImportError
        If transformers is not installed.
    ValueError
        If the model is not found, cannot be read, lacks weights, or is no plain encoder.
    """
    folder = find_model_folder(name_or_folder)
    settings = read_settings(folder)
    from transformers import AutoModel, AutoTokenizer

    place = str(folder / settings.subfolder)
    options = dict(local_files_only=True, trust_remote_code=False)
    # seeded: layers that a file lacks are drawn from torch's global generator
    with _quiet(), seeded(0):
        try:
            tokenizer = AutoTokenizer.from_pretrained(place, **options)
            model, found = AutoModel.from_pretrained(
                place, dtype=torch.float32, output_loading_info=True, **options
            )
        except Exception as error:  # of many kinds: of files, of safetensors, of torch
            raise ValueError(
                f"encoder: the model in {str(folder)!r} cannot be loaded by transformers: {error}"
            ) from error
    lacking = [key for key in found["missing_keys"] if not key.startswith("pooler.")]
    if lacking or model.config.is_encoder_decoder:
        fault = f"lacks {len(lacking)} of its weights" if lacking else "is an encoder-decoder"
        raise ValueError(
            f"encoder: the model in {str(folder)!r} {fault}, so its vectors would mean nothing. "
            "Give an encoder such as BERT, saved whole."
        )
    pad_id = tokenizer.pad_token_id
    return tokenizer, model.eval(), settings._replace(pad_id=0 if pad_id is None else pad_id)


def encode_tokens(tokenizer, sentences, settings):
    """Token numbers of sentences, cut at ``settings.max_tokens``.

    Parameters
    ----------
    tokenizer : transformers tokenizer
        From `load_transformer`.
    sentences : list of str
        Sentences.
    settings : TransformerSettings
        From `load_transformer`.

    Returns
    -------
    list of list of int
        One list per sentence, special tokens included.
    """
    if settings.lower_case:
        sentences = [sentence.lower() for sentence in sentences]
    if not tokenizer.is_fast:
        cut = dict(truncation=True, max_length=settings.max_tokens)
        return [tokenizer(sentence, **cut)["input_ids"] for sentence in sentences]
    # One by one through the tokenizer itself: a batch starts threads, and after a fork the child
    # warns or waits for them for ever. It is not slower for short sentences.
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.enable_truncation(settings.max_tokens)
    return [backend.encode(sentence).ids for sentence in sentences]


def pad_tokens(tokens, pad_id, device="cpu"):
    """Rectangular tensors of token numbers.

    Parameters
    ----------
    tokens : list of list of int
        From `encode_tokens`.
    pad_id : int
        Token number that fills the ends, ``settings.pad_id``.
    device : str or torch.device, default="cpu"
        Where the tensors are put.

    Returns
    -------
    ids, mask : tensors of shape (n_sentences, longest), int64
        Token numbers; 1 where there is a token and 0 where there is padding.
    """
    longest = max(map(len, tokens))
    ids = np.full((len(tokens), longest), pad_id, dtype=np.int64)
    mask = np.zeros((len(tokens), longest), dtype=np.int64)
    for row, sentence in enumerate(tokens):
        ids[row, : len(sentence)] = sentence
        mask[row, : len(sentence)] = 1
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def pool(hidden, mask, settings):
    """Sentence vectors from the vectors of their tokens.

    Parameters
    ----------
    hidden : tensor of shape (n_sentences, n_tokens, n_hidden), float32
        Output of the last layer.
    mask : tensor of shape (n_sentences, n_tokens)
        1 where there is a token and 0 where there is padding.
    settings : TransformerSettings
        Which poolings, in this order, and whether the result is scaled to length 1.

    Returns
    -------
    tensor of shape (n_sentences, n_poolings * n_hidden), float32
        Vectors; gradients flow through.
    """
    weights = mask.to(hidden.dtype).unsqueeze(-1)
    parts = []
    for kind in settings.pooling:
        if kind == "cls":
            parts.append(hidden[:, 0])
        elif kind == "max":
            parts.append(hidden.masked_fill(weights == 0, -torch.inf).amax(1))
        else:
            size = weights.sum(1).clamp(min=1)
            total = (hidden * weights).sum(1)
            parts.append(total / (size if kind == "mean" else size.sqrt()))
    vectors = torch.cat(parts, dim=1)
    return torch.nn.functional.normalize(vectors, dim=1) if settings.normalize else vectors


def transformer_layers(model):
    """The stack of layers of a model, from the lowest to the highest.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        BERT, RoBERTa, DistilBERT, DeBERTa or one built like them.

    Returns
    -------
    torch.nn.ModuleList
        The layers themselves, not copies.

    Raises
    ------
    ValueError
        If the layers are not where these models have them.
    """
    for stack in ("encoder", "transformer"):
        layers = getattr(getattr(model, stack, None), "layer", None)
        if isinstance(layers, torch.nn.ModuleList):
            return layers
    raise ValueError(
        f"finetune_layers: the layers of a {type(model).__name__} are not known here. Use a BERT, "
        "RoBERTa, DistilBERT or DeBERTa model, or finetune_layers=0."
    )


class TransformerEncoder:
    """A loaded model with `encode`; one caller at a time, since tokenizers are not thread-safe.

    Parameters
    ----------
    name_or_folder : str or Path
        See `load_transformer`.
    device : str or torch.device, default="cpu"
        Where the model computes.
    """

    def __init__(self, name_or_folder, device="cpu"):
        self.tokenizer, model, self.settings = load_transformer(name_or_folder)
        self.model, self.device = model.to(device), device
        self._lock = threading.Lock()

    def encode(self, sentences):
        """Vectors of sentences, as ndarray of shape (n_sentences, n_features), float32."""
        with self._lock, torch.inference_mode():
            tokens = encode_tokens(self.tokenizer, sentences, self.settings)
            # like lengths together: hardly any padding is computed
            order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
            vectors = None
            for rows in _batches(order, tokens):
                batch = [tokens[row] for row in rows]
                ids, mask = pad_tokens(batch, self.settings.pad_id, self.device)
                hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
                part = pool(hidden.float(), mask, self.settings).cpu().numpy()
                if vectors is None:
                    vectors = np.empty((len(tokens), part.shape[1]), dtype=np.float32)
                vectors[rows] = part
        return vectors


def _batches(order, tokens):
    """Rows in batches of a bounded number of tokens; lengths rise, so the last one is longest."""
    batch = []
    for row in order:
        if batch and (len(batch) + 1) * len(tokens[row]) > _TOKENS_PER_BATCH:
            yield batch
            batch = []
        batch.append(row)
    yield batch


@contextlib.contextmanager
def _quiet():
    """Keep transformers from drawing bars and logging while it loads; leave its state as found."""
    from huggingface_hub import utils as hub
    from transformers.utils import logging

    with _loading:
        verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        hub_bars = not hub.are_progress_bars_disabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()  # turns on those of the hub as well
            if bars and not hub_bars:
                hub.disable_progress_bars()
            if hub_bars and not bars:
                hub.enable_progress_bars()
