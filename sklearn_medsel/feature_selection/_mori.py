"""Engine of ``method="mori"``: the study's layer, trained many times.

A selection layer, one weight per gene starting at one, stands in front of a dense ReLU
network that is trained again and again; a gene counts by how often it is among the best of
a repeat. The idea is that of Mori et al. [1]_, known to us by its abstract. Layer sizes,
optimiser, start values, penalty and the measure of a gene are ours.

Two choices decide whether such a network ranks genes at all when they are many more than
the patients. Plain gradient descent instead of Adam: Adam moves each weight by about the
same amount, whatever its gradient, which drowns the few true genes. And selection weights
that learn faster than the dense ones (`nn.gate_rate`), on first weights that start near zero,
which makes the path of gradient descent a sparse one.

References
----------
.. [1] Mori et al., Scientific Reports 11 (2021) 16521.
"""

from typing import NamedTuple

import numpy as np
import torch
from joblib import Parallel, delayed

from ..base import one_thread, resolve_device, to_tensor
from ..nn import LOSSES, RepeatedNets, gate_rate

_BLOCK_VALUES = 2**21
_MAX_BLOCK = 32


class Repeats(NamedTuple):
    """What `train_repeats` learnt, over all columns; unscreened columns hold zeros.

    Attributes
    ----------
    selection_weights : ndarray of shape (n_repeats, n_features)
        Weights of the selection layers.
    importances : ndarray of shape (n_repeats, n_features)
        Size of each input's effect through the whole network, not negative.
    effects : ndarray of shape (n_repeats, n_features) or (n_repeats, n_features, n_outputs)
        Signed effect per unit of the input, averaged over the rows: on the logit of the
        second class (two classes), on each class's logit against the mean logit, on the
        target in its own unit, or on the log hazard ratio.
    outputs : ndarray of shape (n_repeats, n_samples, n_outputs)
        Logits, predictions or log hazard ratios of all rows, seen in training or not.
    losses : ndarray of shape (n_repeats,)
        Training loss at the last step.
    oob_losses : ndarray of shape (n_repeats,)
        Loss on the rows whose weight is zero in a repeat. NaN where there are none, and
        where columns were screened, as the screen has seen all rows.
    columns : ndarray of int
        The columns that were trained on.
    """

    selection_weights: np.ndarray
    importances: np.ndarray
    effects: np.ndarray
    outputs: np.ndarray
    losses: np.ndarray
    oob_losses: np.ndarray
    columns: np.ndarray


def train_repeats(
    X,
    y,
    *,
    task,
    seeds,
    hidden_layer_sizes=(16,),
    sample_weight=None,
    screen=2000,
    max_epochs=100,
    learning_rate=0.1,
    alpha=0.04,
    device="auto",
    dtype="auto",
    n_jobs=None,
    allow_diverged=False,
):
    """Train one network per seed and measure what each input does in it.

    Repeats are trained in blocks whose size depends on the shape of the problem only, so
    that any number of jobs and any joblib backend give the same numbers. A repeat's numbers
    depend on its seed and weights alone: bit for bit the same in a block and by itself.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
        Standardised columns without missing values.
    y : ndarray
        Encoded target. Classification: class indices (n_samples,). Regression: values
        (n_samples,) or (n_samples, n_outputs). Survival: time and event (n_samples, 2).
    task : {"classification", "regression", "survival"}
        What `y` is.
    seeds : list of int
        One seed per repeat.
    hidden_layer_sizes : tuple of int, default=(16,)
        Widths of the hidden layers, at least one.
    sample_weight : ndarray of shape (n_samples,) or (n_samples, n_repeats), default=None
        Row weights, common or per repeat; a repeat does not see rows of weight zero.
    screen : int or None, default=2000
        Train on this many columns only, those with the largest correlation (in absolute
        value) to the residual of the model without inputs; None trains on all. A gene that
        acts through interactions alone does not pass a screen.
    max_epochs : int, default=100
        Steps of gradient descent.
    learning_rate : float, default=0.1
        Step size of the dense weights; the selection weights' is larger, see `nn.gate_rate`.
    alpha : float, default=0.04
        L1 penalty on the selection weights, divided by the root of the number of columns
        trained on: inputs are scaled so, and then one value suits any number of columns.
    device : str, default="auto"
        Where to train, see `resolve_device`.
    dtype : {"auto", "float32", "float64"}, default="auto"
        In which precision to train; ``"auto"`` takes that of `X`.
    n_jobs : int, default=None
        Blocks to train at the same time on the CPU, as joblib counts.
    allow_diverged : bool, default=False
        Whether repeats whose training diverged are returned as they are, with losses that are
        not finite, instead of an error.

    Returns
    -------
    Repeats
        Arrays with one row per repeat.

    Raises
    ------
    ValueError
        If there is no hidden layer, a repeat has no weight left, or training diverged.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.feature_selection._mori import train_repeats
    >>> X = np.random.default_rng(0).standard_normal((60, 30))
    >>> y = (X[:, 3] > 0).astype(int)
    >>> repeats = train_repeats(X, y, task="classification", seeds=[0, 1])
    >>> repeats.importances.argmax(axis=1)
    array([3, 3])
    """
    if not hidden_layer_sizes:
        raise ValueError(
            "hidden_layer_sizes is empty. method='mori' needs at least one hidden layer: "
            "use hidden_layer_sizes=(16,), or method='path' for a linear model."
        )
    X = np.asarray(X)
    dtype = X.dtype.name if dtype == "auto" else dtype
    device = resolve_device(device)
    weight = _repeat_weights(sample_weight, len(X), len(seeds), dtype)
    target, offset, scale = _encode(y, task, dtype)
    columns = _screen(X, target, weight.mean(axis=0), task, len(scale), screen)
    table = np.ascontiguousarray(X[:, columns], dtype=dtype)

    width = len(columns) * hidden_layer_sizes[0]
    block = int(np.clip(_BLOCK_VALUES // width, 1, _MAX_BLOCK))
    settings = {
        "task": task,
        "n_outputs": len(scale),
        "hidden_layer_sizes": tuple(hidden_layer_sizes),
        "max_epochs": max_epochs,
        "learning_rate": learning_rate,
        "alpha": alpha * len(columns) ** -0.5,
        "device": str(device),
    }
    jobs = n_jobs if device.type == "cpu" else 1
    blocks = Parallel(n_jobs=jobs)(
        delayed(_train_block)(
            table, target, weight[at : at + block], seeds[at : at + block], **settings
        )
        for at in range(0, len(seeds), block)
    )
    gates, sizes, effects, outputs, losses, oob = (
        np.concatenate(part) for part in zip(*blocks, strict=True)
    )
    if not (allow_diverged or np.isfinite(losses).all()):
        raise ValueError(
            f"training diverged in {np.sum(~np.isfinite(losses))} of {len(seeds)} repeats. "
            f"Use a smaller learning_rate than {learning_rate}, and standardised columns."
        )
    if len(columns) < X.shape[1]:
        oob = np.full_like(oob, np.nan)
    shape = (len(seeds), X.shape[1])
    return Repeats(
        _spread(gates, columns, shape),
        _spread(sizes * scale.mean(), columns, shape),
        _spread(_signed(effects * scale, task), columns, shape),
        outputs * scale + offset,
        losses,
        oob,
        columns,
    )


def _repeat_weights(sample_weight, n_samples, n_repeats, dtype):
    """Row weights (n_repeats, n_samples) with mean one, checked."""
    if sample_weight is None:
        return np.ones((n_repeats, n_samples), dtype=dtype)
    weight = np.asarray(sample_weight, dtype=dtype)
    if weight.ndim == 1:
        weight = np.repeat(weight[:, None], n_repeats, axis=1)
    # one repeat per contiguous row: numpy then sums it the same way whatever lies beside it
    weight = np.ascontiguousarray(weight.T)
    if weight.shape != (n_repeats, n_samples):
        raise ValueError(
            f"sample_weight has shape {np.shape(sample_weight)}; expected ({n_samples},) or "
            f"({n_samples}, {n_repeats}), one column per repeat."
        )
    empty = np.flatnonzero(weight.sum(axis=1) <= 0)
    if empty.size:
        raise ValueError(f"sample_weight leaves repeat {empty[0]} without any row.")
    return weight / weight.mean(axis=1, keepdims=True)


def _encode(y, task, dtype):
    """Target as its loss takes it, and the offset and scale (n_outputs,) of its outputs."""
    y = np.asarray(y)
    if task == "classification":
        y = y.astype(np.int64)
        n_outputs = int(y.max()) + 1
        return y, np.zeros(n_outputs, dtype), np.ones(n_outputs, dtype)
    if task == "survival":
        return y.astype(dtype), np.zeros(1, dtype), np.ones(1, dtype)
    y = y.reshape(len(y), -1)
    offset, scale = y.mean(axis=0), y.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    values = (y - offset) / scale
    return values.astype(dtype), offset.astype(dtype), scale.astype(dtype)


def _screen(X, target, weight, task, n_outputs, screen):
    """Sorted positions of the columns to train on."""
    if screen is None or screen >= X.shape[1]:
        return np.arange(X.shape[1])
    # the residual of the model without inputs is its loss's slope at equal outputs
    null = torch.zeros(len(X), n_outputs, dtype=torch.float64, requires_grad=True)
    target, weight = torch.as_tensor(target), torch.as_tensor(weight, dtype=torch.float64)
    (residual,) = torch.autograd.grad(LOSSES[task](null, target, weight), null)
    residual = (residual - residual.mean(0)).numpy().astype(X.dtype)
    size = np.linalg.norm(residual, axis=0)
    score = np.abs(X.T @ (residual / np.where(size > 0, size, 1))).max(axis=1)
    spread = X.std(axis=0)
    score = np.divide(score, spread, out=np.zeros_like(score), where=spread > 0)
    return np.sort(np.argsort(-score, kind="stable")[:screen])


def _train_block(
    table, target, weight, seeds, *, task, n_outputs, hidden_layer_sizes, device, **settings
):
    """Train some repeats side by side; gives arrays with one row per repeat."""
    with one_thread():
        X, target, weight = (to_tensor(a, device) for a in (table, target, weight))
        nets = RepeatedNets(
            X.shape[1], n_outputs, hidden_layer_sizes, seeds, device=device, dtype=X.dtype
        )
        losses = nets.train(
            X, target, weight, LOSSES[task], gate_rate=gate_rate(X.shape[1]), **settings
        )
        outputs = nets.outputs(X)
        effects, sizes = nets.effective_weights(X, centre_outputs=task == "classification")
        unseen = (weight == 0).to(X.dtype)
        unseen[unseen.sum(1) == 0] = torch.nan
        oob = LOSSES[task](outputs, target, unseen)
        parts = nets.gates(), sizes, effects.transpose(1, 2), outputs, losses, oob
        return [part.detach().cpu().numpy() for part in parts]


def _signed(effects, task):
    """Reduce effects (n_repeats, n_columns, n_outputs) to one number where one says it all."""
    if task == "classification" and effects.shape[-1] == 2:
        return effects[..., 1] - effects[..., 0]
    return effects[..., 0] if effects.shape[-1] == 1 else effects


def _spread(values, columns, shape):
    """Put values of the trained columns (axis 1) among zeros for all columns."""
    if len(columns) == shape[1]:
        return values
    full = np.zeros(shape + values.shape[2:], dtype=values.dtype)
    full[:, columns] = values
    return full
