"""The joint network: fold members and members for all patients, trained in one batch.

The network starts from the scores of the linear terms and learns what blocks say together. Members
of a fold do not see its patients, so what they say about these is held out, at no extra cost.
"""

from dataclasses import dataclass

import numpy as np
import torch

from sklearn_medsel._training import Rows, train_by_adam
from sklearn_medsel.base import draw_seeds, resolve_device, seeded, to_arrays, to_tensor, to_tensors
from sklearn_medsel.multimodal._blocks import NETWORK
from sklearn_medsel.multimodal._outcomes import Binary, Classes, Numbers
from sklearn_medsel.multimodal._units import fold_of_rows
from sklearn_medsel.nn.fusion_net import FusionNets
from sklearn_medsel.nn.losses import (
    binary_cross_entropy,
    cox_loss,
    cross_entropy,
    squared_error,
)

_FINAL_MEMBERS = 3
_WEIGHT_DECAY = 0.1


@dataclass
class NetworkSettings:
    """Parameters of the joint network, as the estimators take them."""

    hidden_width: int = 16
    n_interactions: int = 4
    dropout: float = 0.3
    block_dropout: float = 0.2
    selection_penalty: float = 0.01
    learning_rate: float = 0.015
    max_epochs: int = 60
    device: str = "auto"
    protected: int | None = None


@dataclass
class NetworkTerm:
    """Trained members, as plain arrays.

    Attributes
    ----------
    name : str
    blocks : tuple of int
    weights : dict of str to ndarray
        State of `FusionNets`; members of the folds come first.
    n_folds : int
    columns : ndarray of shape (p,), bool
        Features that any member sees.
    sizes : ndarray of shape (B,), int
        How many of them each block has.
    settings : NetworkSettings
    shift : ndarray of shape (M, 1, K)
        Subtracted, so that a member's scores of its training patients have mean zero.
    oof : ndarray of shape (n, K)
    """

    name: str
    blocks: tuple
    weights: dict
    n_folds: int
    columns: np.ndarray
    sizes: np.ndarray
    settings: NetworkSettings
    shift: np.ndarray | float = 0.0
    oof: np.ndarray | None = None

    def scores(self, inputs):
        """Scores (n, K), the mean of the members that saw all patients."""
        return self.outputs(inputs)[self.n_folds :].mean(axis=0)

    def fold_scores(self, inputs, fold):
        """Scores (n, K), each patient's by the member that did not see their fold."""
        return self.outputs(inputs)[fold, np.arange(len(fold))]

    def fold_effects(self, inputs, fold):
        """Mean slope (F, p, K) of the scores in each feature, over patients left out."""
        net = self._module()
        scale, effects = (
            inputs.scale[self.columns],
            np.zeros((self.n_folds, inputs.X.shape[1], self.n_outputs)),
        )
        rows = _rows(inputs, self.columns, self.n_outputs).requires_grad_()
        for f in range(self.n_folds):
            left_out = torch.as_tensor(np.flatnonzero(fold == f))
            if not len(left_out):
                continue
            for k in range(self.n_outputs):
                total = net(rows[left_out])[f, :, k].sum()
                slope = torch.autograd.grad(total, rows)[0][left_out].mean(0)
                effects[f, self.columns, k] = slope[: len(scale)].numpy() / scale
        return effects

    @property
    def n_outputs(self):
        """Number K of scores."""
        return self.weights["decide.bias"].shape[-1]

    def outputs(self, inputs):
        """Scores (M, n, K) of all members; zero for patients without any block."""
        net = self._module()
        with torch.inference_mode():
            outputs = net(_rows(inputs, self.columns, self.n_outputs)).numpy().astype(np.float64)
        return outputs - self.shift * inputs.has(self.blocks)[:, None]

    def _module(self):
        n_members = len(self.weights["decide.bias"])
        with seeded(0):
            net = _build(n_members, self.sizes, self.n_outputs, self.settings, 0)
        net.load_state_dict(to_tensors(self.weights))
        return net.eval()


def fit_network(inputs, outcome, offset, folds, kept, settings, random_state, on_epoch=None):
    """Train all members at once.

    Parameters
    ----------
    inputs : Inputs
    outcome : Outcome
    offset : ndarray of shape (n, K)
        Out-of-fold scores to start from.
    folds : list of (ndarray, ndarray)
    kept : ndarray of shape (F + 1, p), bool
        Features that a fold's member sees, then those of the final members.
    settings : NetworkSettings
    random_state : RandomState
    on_epoch : callable or None
        Called after each epoch; training stops if it returns True.

    Returns
    -------
    NetworkTerm

    Raises
    ------
    ValueError
        If the steps were so large that weights or scores are no numbers any more.
    """
    n, n_outputs = offset.shape
    start_seed, drop_seed, order_seed = draw_seeds(random_state, 3)
    n_members = len(folds) + _FINAL_MEMBERS
    weight = np.ones((n, n_members))
    for f, (_, held_out) in enumerate(folds):
        weight[held_out, f] = 0
    columns = kept.any(axis=0)
    sizes = np.bincount(inputs.block[columns], minlength=inputs.present.shape[1])
    member_kept = np.vstack([kept[:-1], *[kept[-1:]] * _FINAL_MEMBERS])[:, columns]
    device = resolve_device(settings.device)
    with seeded(start_seed):
        net = _build(n_members, sizes, n_outputs, settings, drop_seed)
    net.select.keep(torch.as_tensor(member_kept))
    net.to(device)
    loss = _loss_of(outcome)
    train_by_adam(
        net,
        lambda output, target, weight: loss(output, target, weight.T).sum(),
        Rows(
            _rows(inputs, columns, n_outputs, offset).to(device),
            _target(outcome, device),
            to_tensor(weight, device, torch.float32),
        ),
        max_epochs=settings.max_epochs,
        learning_rate=settings.learning_rate,
        weight_decay=_WEIGHT_DECAY,
        batch_size=n,
        seed=order_seed,
        members=True,
        gate_shrinkage=settings.selection_penalty * settings.learning_rate,
        on_epoch=on_epoch,
    )
    blocks = tuple(range(len(sizes)))
    term = NetworkTerm(NETWORK, blocks, to_arrays(net), len(folds), columns, sizes, settings)
    # A constant says nothing of a patient: it would pass for what the blocks tell, and weigh on
    # the term's weight. That of a log hazard is not even learnt, and differs between members.
    term.shift = weight.T[:, None] @ term.outputs(inputs) / weight.sum(axis=0)[:, None, None]
    term.oof = term.fold_scores(inputs, fold_of_rows(folds, n))
    if not all(np.isfinite(values).all() for values in (term.oof, *term.weights.values())):
        raise ValueError(
            f"the joint network came apart with learning_rate={settings.learning_rate}: its scores "
            "are not finite. Lower it."
        )
    return term


def _build(n_members, sizes, n_outputs, settings, seed):
    return FusionNets(
        n_members,
        [int(size) for size in sizes],
        n_outputs,
        hidden=settings.hidden_width,
        n_interactions=settings.n_interactions,
        dropout=settings.dropout,
        block_dropout=settings.block_dropout,
        protected=settings.protected,
        seed=seed,
    )


def _rows(inputs, columns, n_outputs, offset=None):
    """Features in standard deviations, present blocks and offset side by side."""
    if offset is None:
        offset = np.zeros((len(inputs.X), n_outputs))
    features = (inputs.X / inputs.scale)[:, columns]
    rows = np.hstack([features, inputs.present, offset])
    return torch.as_tensor(rows, dtype=torch.float32)


def _target(outcome, device):
    if isinstance(outcome, Classes):
        return torch.as_tensor(outcome.y, dtype=torch.int64, device=device)
    if isinstance(outcome, Binary | Numbers):
        return torch.as_tensor(outcome.y[:, None], dtype=torch.float32, device=device)
    both = np.column_stack([outcome.time, outcome.event])
    return torch.as_tensor(both, dtype=torch.float32, device=device)


def _loss_of(outcome):
    if isinstance(outcome, Binary):
        return lambda output, y, weight: binary_cross_entropy(output, y, weight[..., None])
    if isinstance(outcome, Classes):
        return cross_entropy
    return squared_error if isinstance(outcome, Numbers) else cox_loss
