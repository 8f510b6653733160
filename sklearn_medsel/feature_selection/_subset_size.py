"""How many features are enough, and in which order: chosen on samples left out.

A fifth of the samples is left out, again and again; the others rank the features, and a ridge
model of theirs on the best few is scored on the fifth. The smallest number within one standard
error of the best mean score is taken. Bootstrap samples would hold fewer different samples than
that, too few to learn what many features are good for.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import r2_score

from ..survival import concordance_index, make_survival_y
from ._association import null_residuals

_SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 65, 80, 100, 130, 165, 200)
_MAX_TRIES = 50
# More is no short list, unless there are many samples.
_LARGEST, _SAMPLES_PER_FEATURE = 50, 10
# Part of the samples that is left out.
LEFT_OUT = 0.2


@dataclass
class SizeChoice:
    """A number of features and the ranking that it is to be taken from.

    Attributes
    ----------
    ranking : str
    size : int
    sizes : ndarray of shape (n_sizes,), int64
        Numbers of features tried.
    mean, standard_error : dict of str to ndarray of shape (n_sizes,)
        Out-of-bag score of each ranking; the standard error is that of the mean over the repeats.
    """

    ranking: str
    size: int
    sizes: np.ndarray
    mean: dict
    standard_error: dict


def choose_size(problem, rankers):
    """Fewest features, over all rankings, within one standard error of the best mean score.

    Parameters
    ----------
    problem : Problem
    rankers : dict of str to callable
        From a table and sample weights (n_replicates, n_samples) to importances (n_replicates,
        n_features); where two do equally well with as many features, the first is taken.

    Returns
    -------
    SizeChoice
    """
    sizes, scores = score_sizes(problem, rankers)
    mean, error = {}, {}
    for name, part in scores.items():
        mean[name], spread = summarise_scores(part, len(problem.outcome))
        error[name] = spread / np.sqrt(len(part))
    best = max(mean, key=lambda name: mean[name].max())
    place = np.argmax(mean[best])
    bound = mean[best][place] - error[best][place]
    first = {
        name: int(np.argmax(part >= bound)) for name, part in mean.items() if part.max() >= bound
    }
    fewest = min(first.values())
    ranking = max(
        (name for name, at in first.items() if at == fewest), key=lambda name: mean[name][fewest]
    )
    return SizeChoice(ranking, int(sizes[fewest]), sizes, mean, error)


def score_sizes(problem, rankers):
    """Out-of-bag score of the best 1, 2, ... features of each ranking.

    Parameters
    ----------
    problem : Problem
    rankers : dict of str to callable
        See `choose_size`.

    Returns
    -------
    sizes : ndarray of shape (n_sizes,), int64
    scores : dict of str to ndarray of shape (n_repeats, n_sizes)
        Balanced accuracy, R2 or concordance of each repeat; NaN where it is not defined.
    """
    X, outcome = problem.table.X, problem.outcome
    counts = np.array([leave_out(outcome, seed, problem.blocks) for seed in problem.seeds])
    bag = torch.as_tensor(counts * problem.weight).to(X)
    bag = bag / bag.sum(1, keepdim=True)
    targets = _targets(X, outcome, bag)
    largest = min(X.shape[1], max(_LARGEST, len(X) // _SAMPLES_PER_FEATURE))
    sizes = np.array([size for size in _SIZES if size <= largest])
    columns = X.T.cpu().numpy()
    scores = {}
    for name, rank in rankers.items():
        # order once for the largest size; each smaller set is its beginning
        order = np.argsort(-rank(X, bag), axis=1, kind="stable")[:, : sizes[-1]]
        scores[name] = np.array(
            [
                _oob_scores(columns[best].T.astype(np.float64), sizes, outcome, target, count)
                for best, target, count in zip(order, targets, counts, strict=True)
            ]
        )
    return sizes, scores


def summarise_scores(scores, n_samples):
    """Mean score of each size and its spread over the repeats.

    Returns
    -------
    mean, spread : ndarray of shape (n_sizes,)
        The spread is a standard deviation, zero for a single repeat.
    """
    scores = scores[~np.isnan(scores).all(axis=1)]
    if not len(scores):
        raise ValueError(
            f"n_features_to_select='auto' found no way to leave samples out of {n_samples}. "
            "Pass the number of features, or a larger n_repeats."
        )
    mean = np.nanmean(scores, axis=0)
    return mean, np.nanstd(scores, axis=0, ddof=1) if len(scores) > 1 else np.zeros_like(mean)


def leave_out(outcome, seed, blocks):
    """Mark a fifth of each stratum, or of the groups, by 0, all others by 1."""
    rng = np.random.default_rng([seed, 6])
    n_samples, strata = len(outcome), outcome.strata
    if blocks is not None:
        for _ in range(_MAX_TRIES):
            n_groups = len(blocks.members)
            out = rng.permutation(n_groups)[: max(1, round(LEFT_OUT * n_groups))]
            kept = ~np.isin(blocks.codes, out)
            if len(np.unique(strata[kept])) == len(np.unique(strata)):
                return kept.astype(np.int64)
        return np.ones(n_samples, dtype=np.int64)
    kept = np.ones(n_samples, dtype=np.int64)
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        if len(rows) > 1:
            kept[rows[: max(1, round(LEFT_OUT * len(rows)))]] = 0
    return kept


def bootstrap_counts(outcome, seed, blocks):
    """How often each sample is drawn; every stratum keeps its size and is drawn at least once."""
    rng = np.random.default_rng([seed, 2])
    n_samples = len(outcome)
    for _ in range(_MAX_TRIES):
        if blocks is not None:
            drawn = rng.integers(len(blocks.members), size=len(blocks.members))
            counts = np.bincount(drawn, minlength=len(blocks.members))[blocks.codes]
        else:
            counts = np.zeros(n_samples, dtype=np.int64)
            for stratum in np.unique(outcome.strata):
                rows = np.flatnonzero(outcome.strata == stratum)
                np.add.at(counts, rng.choice(rows, size=len(rows)), 1)
        if len(np.unique(outcome.strata[counts > 0])) == len(np.unique(outcome.strata)):
            break
    return counts


def _targets(X, outcome, bag):
    """What the scoring models fit, of shape (n_repeats, n_samples, n_outputs)."""
    if outcome.task == "survival":
        residuals = null_residuals(outcome.family(X), bag) / bag[:, :, None].clamp_min(1e-12)
        return residuals.double().cpu().numpy()
    values = outcome.values
    if outcome.task == "classification":
        values = np.eye(len(outcome.classes))[values]
    return np.broadcast_to(values.reshape(len(values), -1), (len(bag), len(values), values[0].size))


def _oob_scores(X, sizes, outcome, target, counts):
    """Scores, on the samples left out, of ridge models of the first features."""
    inside, outside = counts > 0, counts == 0
    test = outcome.values[outside]
    if outside.sum() < 2 or (outcome.task == "survival" and not _comparable(*test.T)):
        return np.full(len(sizes), np.nan)
    weight = counts[inside].astype(float)
    if outcome.task == "classification":
        codes = outcome.values[inside]
        weight = weight / np.bincount(codes, weights=weight)[codes]
    scores = []
    for size in sizes:
        predicted = _ridge(X[inside, :size], X[outside, :size], target[inside], weight)
        scores.append(_score(outcome.task, test, predicted))
    return scores


def _comparable(event, time):
    """Whether any two samples can be put in order."""
    return event.any() and time[event > 0].min() < time.max()


def _score(task, true, predicted):
    """Balanced accuracy, R2 or concordance."""
    if task == "survival":
        return concordance_index(make_survival_y(*true.T), predicted[:, 0])
    if task == "regression":
        return r2_score(true.reshape(len(true), -1), predicted)
    present, codes, sizes = np.unique(true, return_inverse=True, return_counts=True)
    correct = predicted.argmax(axis=1) == true
    return np.mean(np.bincount(codes, weights=correct, minlength=len(present)) / sizes)


def _ridge(X_in, X_out, target, weight):
    """Predictions of a weighted ridge regression with intercept, solved in the smaller space."""
    weight = weight * len(weight) / weight.sum()
    mean, offset = np.average(X_in, 0, weight), np.average(target, 0, weight)
    root = np.sqrt(weight)[:, None]
    A, b = (X_in - mean) * root, (target - offset) * root
    n_samples, n_features = A.shape
    if n_features < n_samples:
        coef = np.linalg.solve(A.T @ A + n_features * np.eye(n_features), A.T @ b)
    else:
        coef = A.T @ np.linalg.solve(A @ A.T + n_features * np.eye(n_samples), b)
    return (X_out - mean) @ coef + offset
