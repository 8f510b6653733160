"""Interactions: pairs of features of two blocks whose product tells what main effects leave over.

All pairs are screened by one matrix product per fold. What a fold's strongest pairs say about the
patients left out is compared with what the main effects left over for these, and permuted: so the
p-value is of patients who had no part in finding the pairs.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_medsel.multimodal._parts import PairTerm
from sklearn_medsel.multimodal._units import permuted

_N_PAIRS = 5  # products in a score; more dilute it
_POWER = 6
_WIDEST = 500  # features of a block that are screened; of more, those with the largest main effects
_N_MAIN = 12  # features of a block that are paired for their main effects' sake


@dataclass
class Interaction:
    """What was found between two blocks.

    Attributes
    ----------
    blocks : tuple of int
    strength : float
        Correlation, on patients left out, of the products' score with what main effects leave.
    pvalue : float
        By permutation of the patients left out.
    top : list of (int, int, float)
        Features and the mean correlation of their product with the rest, strongest first.
    term : PairTerm
    """

    blocks: tuple
    strength: float
    pvalue: float
    top: list
    term: PairTerm


def find_interaction(inputs, blocks, residual, crude, scores, units, folds, rng, n_permutations):
    """Screen the pairs of two blocks, cross-fitted.

    Parameters
    ----------
    inputs : Inputs
    blocks : tuple of (int, int)
    residual : ndarray of shape (n, K)
        What the out-of-fold scores of the main effects leave over.
    crude : ndarray of shape (n, K)
        Residual of knowing nothing: what it correlates with has a main effect.
    scores : ndarray of shape (n, K)
        Out-of-fold scores so far.
    units : ndarray of shape (n,), int
        Rows of one unit change places together.
    folds : list of (ndarray, ndarray)
        More of them than of the other stages: a pair must stand out among all of them.
    rng : numpy.random.RandomState
    n_permutations : int

    Returns
    -------
    Interaction
    """
    both = np.flatnonzero(inputs.present[:, list(blocks)].all(axis=1))
    X = inputs.X / inputs.scale
    n, n_outputs = residual.shape
    sides = [np.flatnonzero(inputs.block == b) for b in blocks]
    found = {"all": [], "main": []}
    oof = {how: np.zeros((n, n_outputs)) for how in found}
    sides_alone = {how: np.zeros((n, 2)) for how in found}
    fold_of = np.zeros(n, dtype=int)
    for f, (train, held_out) in enumerate([*folds, (np.arange(n), np.arange(0))]):
        rows = np.intersect1d(train, both)
        effects = [np.abs(X[np.ix_(rows, side)].T @ crude[rows]).max(axis=1) for side in sides]
        wide = [np.sort(_largest(effect, _WIDEST)) for effect in effects]
        sides_seen = [side[w] for side, w in zip(sides, wide, strict=True)]
        screened = _correlations(X, residual, rows, sides_seen)
        main_sides = [_largest(effect[w], _N_MAIN) for effect, w in zip(effects, wide, strict=True)]
        among = np.zeros(screened.shape[:2], dtype=bool)
        among[np.ix_(*main_sides)] = True
        for how, allowed in (("all", None), ("main", among)):
            pairs, weights = _strongest(screened, allowed)
            features = np.column_stack([s[p] for s, p in zip(sides_seen, pairs.T, strict=True)])
            found[how].append((features, weights))
            seen = np.intersect1d(held_out, both)
            products = X[np.ix_(seen, features[:, 0])] * X[np.ix_(seen, features[:, 1])]
            oof[how][seen] = products @ weights
            loudness = np.abs(weights).max(axis=1)
            for side, columns in enumerate(features.T):
                sides_alone[how][seen, side] = X[np.ix_(seen, columns)] @ loudness
        fold_of[held_out] = f
    beside = {how: np.hstack([alone, scores]) for how, alone in sides_alone.items()}
    statistics, pvalue = _test(oof, residual, beside, both, fold_of, units, rng, n_permutations)
    how = max(statistics, key=statistics.get)
    term = PairTerm(" x ".join(map(str, blocks)), blocks, found[how], fold_of, oof[how])
    features, weights = found[how][-1]
    strengths = np.abs(weights).max(axis=1) ** (1 / _POWER)
    top = [(int(a), int(b), float(w)) for (a, b), w in zip(features, strengths, strict=True)]
    return Interaction(blocks, statistics[how], pvalue, top, term)


def _correlations(X, residual, rows, sides):
    """Correlation (pa, pb, K) of every product with the residual."""
    left, right = (X[np.ix_(rows, side)] for side in sides)
    rest = residual[rows] - residual[rows].mean(axis=0)
    rest = rest / np.maximum(np.sqrt((rest**2).sum(axis=0)), 1e-12)
    products = np.stack([(left * r[:, None]).T @ right for r in rest.T], axis=2)
    mean = left.T @ right / max(1, len(rows))
    spread = (left**2).T @ (right**2) - len(rows) * mean**2
    return products / np.sqrt(np.maximum(spread, 1e-6 * len(rows)))[:, :, None]


def _strongest(correlations, allowed):
    """Positions (m, 2) and weights (m, K) of the strongest pairs."""
    size = np.abs(correlations).max(axis=2)
    if allowed is not None:
        size = np.where(allowed, size, -1)
    n_pairs = min(_N_PAIRS, size.size if allowed is None else int(allowed.sum()))
    flat = _largest(size.ravel(), n_pairs)
    pairs = np.column_stack(np.unravel_index(flat, size.shape))
    strengths = correlations[pairs[:, 0], pairs[:, 1]]
    # a high power, so that a pair that stands out speaks and the chance ones behind it do not
    return pairs, strengths * np.abs(strengths) ** (_POWER - 1)


def _largest(values, count):
    """Positions of the largest values, largest first."""
    return np.argsort(-values, kind="stable")[:count]


def _test(scores, residual, beside, rows, fold, units, rng, n_permutations):
    """Held-out correlation of each score beside main effects, and a p-value of the larger one.

    Units change places within their fold: there, one model made all the scores. What is left of a
    main effect would look like a product of skewed features, so both sides are freed of the pairs'
    own features and of the scores so far.
    """
    fold = fold[rows]
    stacked, rests = [], []
    for how, score in scores.items():
        free = _without(np.hstack([score[rows], residual[rows]]), beside[how][rows])
        score, rest = np.hsplit(free, 2)
        stacked.append(_within(score, fold))
        rests.append(_within(rest, fold))
    stacked, rests = np.stack(stacked), np.stack(rests)
    observed = np.einsum("hnk,hnk->h", stacked, rests)
    null = np.empty((n_permutations, len(stacked)))
    for b in range(n_permutations):
        null[b] = np.einsum("hnk,hnk->h", stacked, rests[:, permuted(units[rows], rng, fold)])
    # Two patients in different folds speak of each other twice: each helped to find the pairs that
    # the other is scored by. The null's variance is therefore twice that of permuted scores.
    largest = np.sqrt(2) * null.max(axis=1)
    pvalue = (1 + (largest >= observed.max()).sum()) / (1 + n_permutations)
    return dict(zip(scores, observed.tolist(), strict=True)), float(pvalue)


def _without(values, others):
    """Take out of values (n, a) what a linear function of others (n, b) says."""
    design = np.column_stack([np.ones(len(others)), others])
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def _within(values, fold):
    """Centre within folds and scale to unit length."""
    values = values.copy()
    for f in np.unique(fold):
        values[fold == f] -= values[fold == f].mean(axis=0)
        # each fold speaks as loud as its patients are many
        length = np.sqrt((values[fold == f] ** 2).sum())
        values[fold == f] *= np.sqrt((fold == f).sum()) / max(length, 1e-12)
    return values / max(np.sqrt((values**2).sum()), 1e-12)
