"""Repeats of the path: beside decoys, for p-values, and with random weights, for frequencies.

Repeats are solved in blocks of a fixed size, so that any number of jobs and any joblib backend give
the same numbers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from joblib import Parallel, delayed

from ..base import one_thread, to_tensor
from ._decoys import Decoys, draw_decoys
from ._path import largest_penalty, penalty_grid, solve_paths

BLOCK_SIZE = 20
# Decoys wanted per feature over all repeats; fewer could not give one feature a small p-value.
_DECOYS_PER_FEATURE = 15
_WEIGHT_SHAPE = 4.0
_OPTIONS = {"n_screens": 1, "working_size": 150, "decoy_size": 40}


@dataclass
class Repeats:
    """What the repeats found; replicates first.

    Attributes
    ----------
    statistic : ndarray of shape (n_repeats, n_features)
        Importances beside decoys.
    null : list of ndarray
        Importances of the decoys of each repeat.
    weighted : ndarray of shape (n_repeats, n_features)
        Importances with random sample weights.
    weighted_decoys : ndarray of shape (n_repeats, n_features)
        The same for one decoy of each feature.
    n_iter : int
    """

    statistic: np.ndarray
    null: list
    weighted: np.ndarray
    weighted_decoys: np.ndarray
    n_iter: int


def run_repeats(problem, *, n_jobs=None, kept=None, step=None):
    """Paths beside decoys, and paths with random weights, one of each per seed.

    Parameters
    ----------
    problem : Problem
    n_jobs : int or None
        Blocks of repeats are spread by joblib.
    kept : Repeats or None
        Repeats of an earlier fit on the same data, for the first of the seeds.
    step : callable or None
        Called after each block; stops the repeats where it returns True.

    Returns
    -------
    Repeats
    """
    X, seeds = problem.table.X, problem.seeds
    fraction = min(1.0, _DECOYS_PER_FEATURE / len(seeds))
    done = [] if kept is None else [kept]
    missing = seeds if kept is None else seeds[len(kept.statistic) :]
    rows = X.T.cpu().numpy()
    tasks = (
        delayed(_run_block)(
            rows,
            problem.outcome,
            problem.weight,
            part,
            problem.blocks,
            fraction,
            X.device,
            seeds[0],
        )
        for part in split_blocks(missing)
    )
    for block in Parallel(n_jobs=n_jobs, return_as="generator")(tasks):
        done.append(block)
        if step is not None and step():
            break
    return Repeats(
        statistic=np.concatenate([block.statistic for block in done]),
        null=[null for block in done for null in block.null],
        weighted=np.concatenate([block.weighted for block in done]),
        weighted_decoys=np.concatenate([block.weighted_decoys for block in done]),
        n_iter=sum(block.n_iter for block in done),
    )


def split_blocks(seeds):
    """Cut a list of seeds into blocks of `BLOCK_SIZE`."""
    return [seeds[start : start + BLOCK_SIZE] for start in range(0, len(seeds), BLOCK_SIZE)]


def _run_block(rows, outcome, weight, seeds, blocks, fraction, device, common_seed):
    """Repeats of one block; runs in a worker."""
    with one_thread():
        X = to_tensor(rows, device).T
        family = outcome.family(X)
        beside, null = _beside_decoys(X, family, weight, seeds, blocks, fraction)
        varied = _with_random_weights(X, family, weight, seeds, blocks, common_seed)
    return Repeats(
        statistic=beside.importance.cpu().numpy(),
        null=null,
        weighted=varied.importance.cpu().numpy(),
        weighted_decoys=varied.decoy_importance.cpu().numpy(),
        n_iter=beside.n_iter + varied.n_iter,
    )


def _beside_decoys(X, family, weight, seeds, blocks, fraction):
    """Paths on all samples, each beside decoys of its own; their decoys' importances."""
    even = torch.as_tensor(weight).to(X).expand(len(seeds), -1)
    decoys = draw_decoys(seeds, X.shape, blocks, fraction, X.device)
    penalties = penalty_grid(largest_penalty(X, family, even))
    paths = solve_paths(X, family, penalties, even, decoys=decoys, **_OPTIONS)
    null = [
        importance[present].cpu().numpy()
        for importance, present in zip(paths.decoy_importance, decoys.present, strict=True)
    ]
    return paths, null


def _with_random_weights(X, family, weight, seeds, blocks, common_seed):
    """Paths with random sample weights, all beside the same decoys."""
    random = torch.as_tensor(random_weights(weight, seeds, blocks)).to(X)
    one = draw_decoys([common_seed], X.shape, blocks, 1.0, X.device)
    decoys = Decoys(one.rows.expand(len(seeds), -1), one.present.expand(len(seeds), -1))
    penalties = penalty_grid(largest_penalty(X, family, random), smallest=0.25, n_steps=6)
    return solve_paths(X, family, penalties, random, decoys=decoys, **_OPTIONS)


def random_weights(weight, seeds, blocks):
    """Bayesian-bootstrap weights, one row per seed; members of a group share theirs."""
    out = np.empty((len(seeds), len(weight)))
    for row, seed in zip(out, seeds, strict=True):
        rng = np.random.default_rng([seed, 1])
        units = len(weight) if blocks is None else len(blocks.members)
        draws = rng.gamma(_WEIGHT_SHAPE, size=units)
        row[:] = weight * (draws if blocks is None else draws[blocks.codes])
    return out / out.sum(axis=1, keepdims=True)
