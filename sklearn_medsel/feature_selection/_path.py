"""Sparse paths: many weighted copies of one L1-penalised model, solved at once.

The selection layer gives each feature one weight; with an L1 penalty on it, the linear part of the
network is a (group) LASSO, and lowering the penalty step by step lets features in one after
another. Replicates differ in sample weights, in decoys or in a feature that is left out, but share
the table, so that a step for all of them is one matrix product. Working sets and warm starts keep
the products small; the gradient of *all* features is looked at before each step.
"""

from dataclasses import dataclass

import torch

from ._decoys import correlate

_POWER_STEPS = 8
_STEP_SAFETY = 1.15
_TOLERANCE = 1e-5


@dataclass
class Paths:
    """What a solve leaves behind; tensors, replicates first.

    Attributes
    ----------
    importance : Tensor of shape (n_replicates, n_features)
        Absolute coefficient (Euclidean norm over the outputs), averaged over the path.
    decoy_importance : Tensor of shape (n_replicates, n_features) or None
        The same for the decoys.
    coef : Tensor of shape (n_replicates, n_features, n_outputs)
        Coefficients at the last penalty.
    predictor : Tensor of shape (n_replicates, n_samples, n_outputs)
        Linear predictor at the last penalty.
    history : list of Tensor
        Coefficients at each penalty, shaped like `coef`, if they were asked for.
    n_iter : int
        Number of proximal-gradient iterations.
    """

    importance: torch.Tensor
    decoy_importance: torch.Tensor | None
    coef: torch.Tensor
    predictor: torch.Tensor
    history: list
    n_iter: int


def largest_penalty(X, family, weight, gate=None, offset=0.0):
    """Smallest penalty at which no feature enters, of shape (n_replicates,)."""
    start = family.start(weight)
    predictor = start.expand(len(weight), X.shape[0], family.n_outputs) + offset
    pull = correlate(X, family.gradient(predictor, weight)).norm(dim=2)
    return (pull if gate is None else pull * gate).amax(1)


def penalty_grid(largest, *, smallest=0.15, n_steps=10):
    """Geometric grid from 0.9 to `smallest` times the largest penalty, (n_steps, n_replicates)."""
    steps = torch.linspace(0, 1, n_steps, dtype=largest.dtype, device=largest.device)
    fractions = 0.9 * (smallest / 0.9) ** steps
    return fractions[:, None] * largest


def solve_paths(
    X,
    family,
    penalties,
    weight,
    *,
    decoys=None,
    gate=None,
    excluded=None,
    offset=0.0,
    keep_history=False,
    after_step=None,
    n_iter=24,
    n_screens=2,
    working_size=300,
    decoy_size=100,
):
    """Solve the path of every replicate.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Standardised features.
    family : one of the classes of `_families`
    penalties : Tensor of shape (n_steps, n_replicates)
        Descending.
    weight : Tensor of shape (n_replicates, n_samples)
        Sample weights; each row sums to one.
    decoys : Decoys or None
        Decoys that compete with the features.
    gate : Tensor of shape (n_replicates, n_features) or None
        Weights of the selection layer that stands before the penalised ones, not negative. They
        are not trained here; coefficients are those of the features, gate included. Not for use
        with decoys.
    excluded : Tensor of shape (n_replicates,), int64, or None
        A feature that each replicate must do without.
    offset : Tensor that broadcasts to (n_replicates, n_samples, n_outputs), or 0.0
        Predictor to start from; it is part of the predictor that `Paths` and `after_step` give.
    keep_history : bool
        Whether to keep the coefficients at each step.
    after_step : callable or None
        Called with the linear predictor after each penalty.
    n_iter : int
        Iterations per penalty.
    n_screens : int
        How often the working set is chosen anew per penalty.
    working_size, decoy_size : int
        Bounds on the inactive part of the working set.

    Returns
    -------
    Paths
    """
    state = _State(X, family, weight, decoys, gate, excluded, offset)
    history, done = [], 0
    for penalty in penalties:
        for _ in range(n_screens):
            state.screen(working_size, decoy_size)
            done += state.descend(penalty, -(-n_iter // n_screens))
        state.accumulate()
        if keep_history:
            history.append(state.gated().clone())
        if after_step is not None:
            after_step(state.predictor)
    return state.result(len(penalties), history, done)


class _State:
    """Coefficients of all replicates while a path is being solved."""

    def __init__(self, X, family, weight, decoys, gate, excluded, offset):
        self.X, self.family, self.weight = X, family, weight
        self.decoys, self.gate, self.excluded, self.offset = decoys, gate, excluded, offset
        n_replicates, (n_samples, n_features) = len(weight), X.shape
        shape = (n_replicates, n_features, family.n_outputs)
        self.coef = X.new_zeros(shape)
        self.importance = X.new_zeros(shape[:2])
        self.fake_coef = None if decoys is None else X.new_zeros(shape)
        self.fake_importance = None if decoys is None else X.new_zeros(shape[:2])
        self.intercept = family.start(weight)
        start = self.intercept.expand(n_replicates, n_samples, family.n_outputs)
        self.predictor = start + offset

    def screen(self, working_size, decoy_size):
        """Choose working sets: what is active, and what the gradient pulls at most."""
        gradient = self.family.gradient(self.predictor, self.weight)
        pull = correlate(self.X, gradient).norm(dim=2)
        pull = pull if self.gate is None else pull * self.gate
        active = (self.coef != 0).any(2).any(0)
        rank = pull.amax(0).masked_fill(active, torch.inf)
        size = min(int(active.sum()) + working_size, len(rank))
        self.chosen = rank.topk(size).indices
        self.columns = self.X.T[self.chosen].T
        self.column_gate = None if self.gate is None else self.gate[:, self.chosen, None]
        if self.decoys is not None:
            pull = self.decoys.correlate(self.X, gradient).norm(dim=2)
            active = (self.fake_coef != 0).any(2)
            pull = pull.masked_fill(active, torch.inf)
            size = min(int(active.sum(1).max()) + decoy_size, pull.shape[1])
            self.fake_chosen = pull.topk(size, dim=1).indices
            present = self.decoys.present.gather(1, self.fake_chosen)
            self.fake_rows = self.X.T[self.fake_chosen] * present[:, :, None]

    def _gather(self):
        """Coefficients of the working sets, features and decoys side by side."""
        coef = self.coef[:, self.chosen]
        if self.decoys is None:
            return coef
        index = self.fake_chosen[:, :, None].expand(-1, -1, coef.shape[2])
        return torch.cat([coef, self.fake_coef.gather(1, index)], 1)

    def _scatter(self, coef):
        n_chosen = len(self.chosen)
        self.coef[:, self.chosen] = coef[:, :n_chosen]
        if self.decoys is not None:
            index = self.fake_chosen[:, :, None].expand(-1, -1, coef.shape[2])
            self.fake_coef.scatter_(1, index, coef[:, n_chosen:])

    def _forward(self, coef):
        """Columns of the working sets times `coef`, (n_replicates, n_samples, n_outputs)."""
        n_replicates, _, n_outputs = coef.shape
        n_chosen = len(self.chosen)
        real = coef[:, :n_chosen]
        real = real if self.gate is None else real * self.column_gate
        real = real.transpose(0, 1).reshape(n_chosen, -1)
        out = (self.columns @ real).view(-1, n_replicates, n_outputs).transpose(0, 1)
        if self.decoys is not None:
            # row times matrix: batched products of the other form are three times slower
            out = out + self.decoys.apply((coef[:, n_chosen:].mT @ self.fake_rows).mT)
        return out

    def _backward(self, gradient):
        """Transposed columns of the working sets times `gradient`."""
        out = correlate(self.columns, gradient)
        out = out if self.gate is None else out * self.column_gate
        if self.decoys is not None:
            fake = (self.decoys.undo(gradient).mT @ self.fake_rows.mT).mT
            out = torch.cat([out, fake], 1)
        return out

    def _spectral_bound(self, n_columns):
        """Largest eigenvalue of the weighted Gram matrix of each replicate, by power iteration."""
        vector = self.X.new_ones(len(self.weight), n_columns, 1)
        vector += 0.1 * torch.cos(torch.arange(n_columns, dtype=vector.dtype)).to(vector)[:, None]
        for _ in range(_POWER_STEPS):
            vector = vector / vector.norm(dim=1, keepdim=True).clamp_min(1e-20)
            vector = self._backward(self.weight[:, :, None] * self._forward(vector))
        return vector.norm(dim=(1, 2)) * _STEP_SAFETY

    def descend(self, penalty, n_iter):
        """Accelerated proximal gradient (Beck and Teboulle 2009) with adaptive restart."""
        coef = self._gather()
        allowed = self._allowed(coef)
        spectral = self._spectral_bound(coef.shape[1])
        step = self._step(spectral)
        ahead, momentum = coef, torch.ones_like(step)
        for i in range(1, n_iter + 1):
            predictor = self._forward(ahead) + self.intercept + self.offset
            if i % 4 == 0:  # only survival's curvature moves with the predictor
                step = self._step(spectral, predictor)
            gradient = self.family.gradient(predictor, self.weight)
            new = _shrink(ahead - step * self._backward(gradient), step * penalty[:, None, None])
            new = new * allowed
            self.intercept = self.intercept - gradient.sum(1, keepdim=True) * self._intercept_step
            # momentum that points uphill is dropped (O'Donoghue and Candes 2015)
            uphill = ((ahead - new) * (new - coef)).sum((1, 2), keepdim=True) > 0
            momentum = torch.where(uphill, torch.ones_like(momentum), momentum)
            following = (1 + torch.sqrt(1 + 4 * momentum**2)) / 2
            ahead = new + (momentum - 1) / following * (new - coef)
            settled = i % 4 == 0 and bool(((new - coef).abs() <= _TOLERANCE).all())
            coef, momentum = new, following
            if settled:
                break
        self._scatter(coef)
        self.predictor = self._forward(coef) + self.intercept + self.offset
        return i

    def _step(self, spectral, predictor=None):
        predictor = self.predictor if predictor is None else predictor
        curvature = self.family.curvature(predictor, self.weight)
        self._intercept_step = (1 / curvature.clamp_min(1e-12))[:, None, None]
        return (1 / (curvature * spectral).clamp_min(1e-12))[:, None, None]

    def _allowed(self, coef):
        """Zero for the excluded feature of each replicate, one elsewhere."""
        allowed = torch.ones_like(coef[:, :, :1])
        if self.excluded is not None:
            allowed[:, : len(self.chosen), 0] = self.chosen != self.excluded[:, None]
        return allowed

    def gated(self):
        """Coefficients of the features themselves."""
        return self.coef if self.gate is None else self.coef * self.gate[:, :, None]

    def accumulate(self):
        """Add the coefficients at this penalty to the averages."""
        self.importance += self.gated().norm(dim=2)
        if self.decoys is not None:
            self.fake_importance += self.fake_coef.norm(dim=2)

    def result(self, n_steps, history, n_iter):
        """Averages over the path."""
        fake = None if self.decoys is None else self.fake_importance / n_steps
        return Paths(
            importance=self.importance / n_steps,
            decoy_importance=fake,
            coef=self.gated(),
            predictor=self.predictor,
            history=history,
            n_iter=n_iter,
        )


def _shrink(coef, threshold):
    """Group soft threshold: rows of `coef` are groups of outputs."""
    if coef.shape[2] == 1:
        return coef.sign() * (coef.abs() - threshold).clamp_min_(0)
    size = coef.norm(dim=2, keepdim=True)
    return coef * (1 - threshold / size.clamp_min(1e-12)).clamp_min_(0)
