"""Is a dense network worth it? Kept only where it predicts left-out samples better.

On the best features of the path, a selection layer before a dense network is trained on bootstrap
samples and compared with L1 and ridge models on the same samples. At a few hundred patients the
linear model usually wins, and then the ranking stays linear.
"""

import numpy as np
import torch

from ._mori import train_repeats
from ._path import largest_penalty, penalty_grid, solve_paths
from ._subset_size import bootstrap_counts

N_BEST = 40
# With fewer samples the comparison is noise, and is not made.
MIN_SAMPLES = 50
_MAX_REPEATS = 6
_RIDGE_PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03)
_RIDGE_STEPS = 40


def nonlinear_importance(X, outcome, weight, seeds, blocks, importance, *, hidden_layer_sizes):
    """Compare a dense network with the linear path, out of bag.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Standardised.
    outcome : Outcome
    weight : ndarray of shape (n_samples,)
        Sums to one.
    seeds : list of int
        The first six are used, one bootstrap sample each.
    blocks : RowBlocks or None
        Groups are drawn whole.
    importance : ndarray of shape (n_features,)
        Of the linear path; the best `N_BEST` features take part.
    hidden_layer_sizes : tuple of int

    Returns
    -------
    ndarray of shape (n_features,) or None
        The importances with the network's share in them: between those of the path and the mean
        effects through the network, by the part of the explained deviance that the linear models
        leave unexplained. None where the network is not better by more than three standard errors,
        or was not tried.
    """
    best = np.argsort(-importance, kind="stable")[:N_BEST]
    best = best[importance[best] > 0]
    if len(best) == 0 or len(X) < MIN_SAMPLES or not hidden_layer_sizes:
        return None
    columns = X[:, torch.as_tensor(best, device=X.device)]
    counts = np.array([bootstrap_counts(outcome, seed, blocks) for seed in seeds[:_MAX_REPEATS]])
    usable = (counts == 0).sum(axis=1) >= 2
    if usable.sum() < 2:
        return None
    bag = counts[usable] * weight
    family = outcome.family(X)
    outside = torch.as_tensor((counts[usable] == 0) * weight).to(X)
    outside = outside / outside.sum(1, keepdim=True)

    linear = _linear_deviance(columns, family, torch.as_tensor(bag).to(X), outside)
    nets = train_repeats(
        columns.cpu().numpy(),
        encoded_target(outcome),
        task=outcome.task,
        seeds=[seed for seed, use in zip(seeds, usable, strict=False) if use],
        hidden_layer_sizes=hidden_layer_sizes,
        sample_weight=bag.T,
        device=str(X.device),
        allow_diverged=True,
    )
    if not np.isfinite(nets.losses).all():
        return None
    predictor = torch.as_tensor(nets.outputs).to(X)
    if family.n_outputs == 1 and predictor.shape[2] == 2:
        predictor = predictor[:, :, 1:] - predictor[:, :, :1]
    dense = family.deviance(predictor, outside)
    gain = (linear - dense).double().cpu().numpy()
    if not np.isfinite(gain).all():
        return None
    if gain.mean() <= 3 * gain.std(ddof=1) / np.sqrt(len(gain)):
        return None
    nothing = family.start(torch.as_tensor(bag / bag.sum(1, keepdims=True)).to(X))
    explained = (family.deviance(nothing.expand_as(predictor), outside) - dense).mean()
    share = float(np.clip(gain.mean() / max(float(explained), 1e-12), 0, 1))
    effect = np.zeros(len(importance))
    effect[best] = nets.importances.mean(axis=0)
    return (1 - share) * importance + share * effect / effect.max()


def _linear_deviance(X, family, bag, outside):
    """Smallest out-of-bag deviance of each bootstrap sample's L1 path and ridge models."""
    bag = bag / bag.sum(1, keepdim=True)
    penalties = penalty_grid(largest_penalty(X, family, bag), smallest=0.02)
    deviances = []
    solve_paths(
        X,
        family,
        penalties,
        bag,
        n_screens=1,
        n_iter=16,
        after_step=lambda predictor: deviances.append(family.deviance(predictor, outside)),
    )
    deviances += _ridge_deviances(X, family, bag, outside)
    return torch.stack(deviances).amin(0)


def _ridge_deviances(X, family, bag, outside):
    """Out-of-bag deviances of ridge models.

    A network shrinks many weights a little, as ridge does. Without this comparison that alone,
    and not any curvature, would speak for the network.
    """
    spectral = torch.linalg.matrix_norm(X * bag.mT.amax(1, keepdim=True).sqrt(), 2) ** 2
    coef = X.new_zeros(len(bag), X.shape[1], family.n_outputs)
    intercept = family.start(bag)
    deviances = []
    for penalty in _RIDGE_PENALTIES:
        ahead, momentum = coef, 1.0
        for _ in range(_RIDGE_STEPS):
            predictor = X @ ahead + intercept
            gradient = family.gradient(predictor, bag)
            curvature = family.curvature(predictor, bag)[:, None, None]
            step = 1 / (curvature * spectral + penalty)
            new = ahead - step * (X.T @ gradient + penalty * ahead)
            intercept = intercept - gradient.sum(1, keepdim=True) / curvature
            following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead = new + (momentum - 1) / following * (new - coef)
            coef, momentum = new, following
        deviances.append(family.deviance(X @ coef + intercept, outside))
    return deviances


def encoded_target(outcome):
    """The outcome as `train_repeats` takes it."""
    return outcome.values[:, ::-1].copy() if outcome.task == "survival" else outcome.values
