"""Is a dense network worth it? Kept only where it predicts left-out samples better.

On the best features of the path, a selection layer before a dense network is trained on bootstrap
samples and compared with the linear path on the same samples. At a few hundred patients the linear
model usually wins, and then the ranking stays linear.
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
        Mean effect of each feature through the network, as a fraction of the largest; None where
        the network is not better by more than two standard errors, or was not tried.
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
    gain = (linear - family.deviance(predictor, outside)).double().cpu().numpy()
    gain = gain[np.isfinite(gain)]
    if len(gain) < 2 or gain.mean() <= 2 * gain.std(ddof=1) / np.sqrt(len(gain)):
        return None
    out = np.zeros(len(importance))
    out[best] = nets.importances.mean(axis=0)
    return out / out.max()


def _linear_deviance(X, family, bag, outside):
    """Smallest out-of-bag deviance along the linear path of each bootstrap sample."""
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
    return torch.stack(deviances).amin(0)


def encoded_target(outcome):
    """The outcome as `train_repeats` takes it."""
    return outcome.values[:, ::-1].copy() if outcome.task == "survival" else outcome.values
