"""How a module is trained, and the only file that knows skorch.

Estimators own parameters, validation and state. This file owns the loop: batches cut from
whole tensors, weighted losses, the selection layer's penalty and early stopping.
"""

import contextlib
from typing import NamedTuple

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.helper import predefined_split

_MOMENTUM = 0.9
_IMPROVEMENT = 1e-4
_LARGEST_GRADIENT = 1.0
_BATCHES_SORTED = 8  # so many batches are drawn at once and sorted by size


class TrainingRecord(NamedTuple):
    """What training leaves behind, besides the trained module.

    Attributes
    ----------
    n_epochs : int
        Epochs that were run.
    train_losses, valid_losses : list of float
        Loss after each epoch; ``valid_losses`` is empty without validation rows.
    """

    n_epochs: int
    train_losses: list
    valid_losses: list


class Rows(torch.utils.data.Dataset):
    """Table, target and row weights as whole tensors; an index tensor takes out a batch.

    Parameters
    ----------
    X, y, weight : Tensor
        Their first axis holds the rows.
    """

    def __init__(self, X, y, weight):
        self.X, self.y, self.weight = X, y, weight

    def __len__(self):
        """Return the number of rows."""
        return len(self.X)

    def __getitem__(self, rows):
        """Return the inputs, and the target with its weight, of some rows."""
        return self.X[rows], (self.y[rows], self.weight[rows])


def train_module(
    module,
    loss,
    rows,
    *,
    max_epochs,
    learning_rate,
    gate_rate,
    alpha=0.0,
    weight_decay=0.0,
    batch_size=None,
    seed=0,
    valid_rows=None,
    patience=10,
    on_epoch=None,
):
    """Train ``module`` in place by gradient descent with Nesterov momentum.

    Parameters
    ----------
    module : torch.nn.Module
        A network with a selection layer called ``select``, on the device of ``rows``.
    loss : callable
        One of `nn.LOSSES`.
    rows : Rows
        What to train on.
    max_epochs : int
        Largest number of passes over the rows.
    learning_rate : float
        Step size.
    gate_rate : float
        How many times larger the selection weights' step size is.
    alpha : float, default=0.0
        L1 penalty on the selection weights.
    weight_decay : float, default=0.0
        L2 penalty on all other weights, not on biases.
    batch_size : int, default=None
        Rows per step; None takes all at once, in their order.
    seed : int, default=0
        Seed of the order of the batches.
    valid_rows : Rows, default=None
        Rows that decide about early stopping; the best epoch's weights are kept.
    patience : int, default=10
        Epochs without improvement on ``valid_rows`` before training stops.
    on_epoch : callable, default=None
        Called after each epoch; training stops if it returns True.

    Returns
    -------
    TrainingRecord
        Number of epochs and the losses.
    """
    callbacks = [("on_epoch", _OnEpoch(on_epoch))] if on_epoch else []
    if valid_rows is not None:
        stopping = _StopEarly(
            patience=patience, threshold=_IMPROVEMENT, load_best=True, sink=lambda text: None
        )
        callbacks.append(("early_stopping", stopping))
    net = _Net(
        module,
        criterion=_Criterion,
        criterion__loss=loss,
        optimizer=torch.optim.SGD,
        optimizer__param_groups=[
            ("select.weight", {"lr": learning_rate * gate_rate, "weight_decay": 0.0}),
            ("*bias", {"weight_decay": 0.0}),
        ],
        optimizer__weight_decay=weight_decay,
        optimizer__momentum=_MOMENTUM,
        optimizer__nesterov=True,
        lr=learning_rate,
        max_epochs=max_epochs,
        batch_size=-1 if batch_size is None else batch_size,
        iterator_train=_Batches,
        iterator_train__generator=torch.Generator().manual_seed(seed),
        iterator_valid=_Batches,
        train_split=None if valid_rows is None else predefined_split(valid_rows),
        callbacks=callbacks,
        callbacks__print_log=None,
        verbose=0,
        device=None,
    )
    net.gate_shrinkage = learning_rate * gate_rate * alpha
    net.fit(rows)
    keys = net.history[0] if len(net.history) else {}
    valid = net.history[:, "valid_loss"] if "valid_loss" in keys else []
    return TrainingRecord(len(net.history), net.history[:, "train_loss"], valid)


class PaddedReports(torch.utils.data.Dataset):
    """Reports of unequal length as one padded tensor; a batch is as long as its longest report.

    Parameters
    ----------
    sentences : Tensor of shape (n, L, d)
        Sentence vectors.
    sizes : integer Tensor of shape (n,)
        Number of sentences of each report.
    y : tuple of Tensor
        Targets, their first axis the reports.
    weight : Tensor of shape (n, ...)
        Weights, reports first.
    claims : Tensor of shape (n, K, d), default=None
        Claims of each report.
    """

    def __init__(self, sentences, sizes, y, weight, claims=None):
        self.sentences, self.sizes, self.y, self.weight = sentences, sizes, y, weight
        self.claims = claims

    def __len__(self):
        """Return the number of reports."""
        return len(self.sizes)

    def __getitem__(self, rows):
        """Return the inputs, and the targets with their weights, of some reports."""
        return self.inputs(rows), (tuple(part[rows] for part in self.y), self.weight[rows])

    def inputs(self, rows):
        """Return what the network takes for some reports."""
        sizes = self.sizes[rows]
        length = max(1, int(sizes.max()))
        present = torch.arange(length, device=sizes.device) < sizes[:, None]
        inputs = {"sentences": self.sentences[rows, :length], "present": present}
        return inputs if self.claims is None else inputs | {"claims": self.claims[rows]}


def train_by_adam(
    module,
    loss,
    rows,
    *,
    max_epochs,
    learning_rate,
    weight_decay,
    batch_size,
    seed,
    fast=None,
    members=False,
    gate_shrinkage=0.0,
    on_epoch=None,
):
    """Train ``module`` in place by AdamW, its step size rising and falling in one cycle.

    Parameters
    ----------
    module : torch.nn.Module
        Any network, on the device of ``rows``.
    loss : callable
        ``loss(output, target, weight)``, one number.
    rows : Rows or PaddedReports
        What to train on. Where it has ``sizes``, batches hold rows of similar size.
    max_epochs : int
        Number of passes over the rows.
    learning_rate : float
        Largest step size.
    weight_decay : float
        Decoupled weight decay.
    batch_size : int
        Rows per step.
    seed : int
        Seed of the order of the batches.
    fast : (str, float), default=None
        Pattern of the names of weights that learn faster than the rest, and how many times.
    members : bool, default=False
        Whether the first axis of every weight holds networks of their own: each is then clipped by
        itself, so that none depends on what another sees.
    gate_shrinkage : float, default=0.0
        By how much each step draws the weights of the selection layer ``select`` towards zero.
    on_epoch : callable, default=None
        Called after each epoch; training stops if it returns True.

    Returns
    -------
    TrainingRecord
        Number of epochs and the losses.
    """
    groups = [] if fast is None else [(fast[0], {"lr": learning_rate})]
    rates = [learning_rate] if fast is None else [learning_rate * fast[1], learning_rate]
    # torch takes no whole numbers of numpy, which searches give
    max_epochs, batch_size = int(max_epochs), int(batch_size)
    n_steps = max_epochs * -(-len(rows) // batch_size)
    schedule = LRScheduler(
        torch.optim.lr_scheduler.OneCycleLR,
        step_every="batch",
        max_lr=rates,
        total_steps=n_steps,
        pct_start=0.3 if n_steps == 5 else 0.2,  # torch divides by zero at a rise of one step
    )
    callbacks = [("schedule", schedule), ("clip", _ClipGradients(members))]
    callbacks += [("on_epoch", _OnEpoch(on_epoch))] if on_epoch else []
    net = _Net(
        module,
        criterion=_Criterion,
        criterion__loss=loss,
        optimizer=torch.optim.AdamW,
        optimizer__param_groups=groups,
        optimizer__weight_decay=weight_decay,
        lr=learning_rate,
        max_epochs=max_epochs,
        batch_size=batch_size,
        iterator_train=_Batches,
        iterator_train__generator=torch.Generator().manual_seed(seed),
        train_split=None,
        callbacks=callbacks,
        callbacks__print_log=None,
        verbose=0,
        device=None,
    )
    net.gate_shrinkage = gate_shrinkage
    net.fit(rows)
    module.eval()
    return TrainingRecord(len(net.history), net.history[:, "train_loss"], [])


class _Stop(Exception):
    """Ends training early; unlike skorch's KeyboardInterrupt, it does not hide Ctrl-C."""


class _Criterion(torch.nn.Module):
    """Wrap a loss function as skorch expects it."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, output, target, weight):
        return self.loss(output, target, weight)


class _Batches:
    """What skorch takes for a DataLoader: slices of tensors, shuffled by a generator."""

    def __init__(self, dataset, batch_size, generator=None):
        self.dataset, self.generator = dataset, generator
        self.batch_size = len(dataset) if batch_size == -1 else batch_size

    def __iter__(self):
        n_rows = len(self.dataset)
        if self.batch_size >= n_rows:
            yield self.dataset[slice(None)]
            return
        if self.generator is None:
            order = torch.arange(n_rows)
        else:
            order = torch.randperm(n_rows, generator=self.generator)
        for rows in self._batches(order):
            yield self.dataset[rows]

    def _batches(self, order):
        """Cut an order into batches; rows of similar size together, where rows have sizes."""
        sizes = getattr(self.dataset, "sizes", None)
        if sizes is None:
            return order.split(self.batch_size)
        batches = []
        for drawn in order.split(self.batch_size * _BATCHES_SORTED):
            by_size = drawn[torch.argsort(sizes[drawn].cpu(), stable=True)]
            batches += by_size.split(self.batch_size)
        if self.generator is None:
            return batches
        return [batches[i] for i in torch.randperm(len(batches), generator=self.generator)]


class _Net(NeuralNet):
    """skorch net whose target is a pair (target, weight) and whose gates shrink."""

    gate_shrinkage = 0.0

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return self.criterion_(y_pred, *y_true)

    def train_step(self, batch, **fit_params):
        step = super().train_step(batch, **fit_params)
        if self.gate_shrinkage:
            self.module_.select.shrink(self.gate_shrinkage)
        return step

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        # skorch's own swallows KeyboardInterrupt, which would turn Ctrl-C into a fitted net
        if not self.initialized_:
            self.initialize()
        fit_params.pop("_routing_method", None)
        self.notify("on_train_begin", X=X, y=y)
        with contextlib.suppress(_Stop):
            self.fit_loop(X, y, **fit_params)
        self.notify("on_train_end", X=X, y=y)
        return self


class _OnEpoch(Callback):
    """Call a function after each epoch and stop if it returns True."""

    def __init__(self, function):
        self.function = function

    def on_epoch_end(self, net, **kwargs):
        if self.function():
            raise _Stop


class _ClipGradients(Callback):
    """Shorten a gradient that is too long: that of all weights, or of each member."""

    def __init__(self, members):
        self.members = members

    def on_grad_computed(self, net, named_parameters, **kwargs):
        gradients = [weight.grad for _, weight in named_parameters if weight.grad is not None]
        if not self.members:
            gradients = [gradient[None] for gradient in gradients]
        square = sum(gradient.flatten(1).square().sum(1) for gradient in gradients)
        factor = (_LARGEST_GRADIENT / square.sqrt().clamp_min(1e-12)).clamp_max(1)
        for gradient in gradients:
            gradient.mul_(factor.view(-1, *[1] * (gradient.ndim - 1)))


class _StopEarly(EarlyStopping):
    """skorch's early stopping, ending the loop in a way that is not mistaken for Ctrl-C."""

    def on_epoch_end(self, net, **kwargs):
        try:
            super().on_epoch_end(net, **kwargs)
        except KeyboardInterrupt:
            raise _Stop from None
