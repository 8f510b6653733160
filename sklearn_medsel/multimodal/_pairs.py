"""Interactions: pairs of features of two blocks whose product tells what main effects leave over.

All pairs are screened by matrix products. Pairs of features that matter by themselves are few, so
one of them needs to stand out from few only; a pair of two others must stand out from all. The
clearest must hold beside bends of single features, too.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import gumbel_r, norm

from sklearn_medsel.multimodal._bends import clear_bends, product_beside
from sklearn_medsel.multimodal._parts import PairTerm, clipped, products
from sklearn_medsel.multimodal._units import permuted

_N_PAIRS = 5  # products in a score
_N_CANDIDATES = 10  # products that are tested one by one
_LEVEL = 0.05
_WIDEST = 400  # features of a block that are screened; of more, those that matter most
_ENOUGH = 10  # permutations that reach a statistic, to be counted instead of a fitted tail
_WORTH = 10  # permutations that theory is worth, where it foretells the spread of their maxima
_LEAST_SPREAD = 1e-6
_TINY = 1e-12


@dataclass
class Interaction:
    """What was found between two blocks.

    Attributes
    ----------
    blocks : tuple of int
    strength : float
        Correlation, on patients left out, of the products' score with what main effects leave.
    pvalue : float
        By permutation of what the main effects left over for patients left out, and beside bends.
    top : list of (int, int, float)
        Features and the correlation of their product with the rest, strongest first.
    term : PairTerm
    """

    blocks: tuple
    strength: float
    pvalue: float
    top: list
    term: PairTerm


def find_interaction(inputs, blocks, residual, effects, main, units, folds, rng, n_permutations):
    """Screen the pairs of two blocks.

    Parameters
    ----------
    inputs : Inputs
    blocks : tuple of (int, int)
    residual : ndarray of shape (n, K)
        What the out-of-fold scores of the main effects leave over.
    effects : ndarray of shape (F + 1, p)
        How much each feature matters beside the others: without each fold, then in all patients.
    main : ndarray of shape (F + 1, p), bool
        Which matter by themselves.
    units : ndarray of shape (n,), int
        Rows of one unit change places together.
    folds : list of (ndarray, ndarray)
    rng : numpy.random.RandomState
    n_permutations : int
        A Gumbel distribution is fitted to their maxima.

    Returns
    -------
    Interaction
    """
    both = inputs.present[:, list(blocks)].all(axis=1)
    everyone = np.arange(len(both))
    pairs, fold_of = [], np.zeros(len(both), dtype=int)
    for f, (train, held_out) in enumerate([*folds, (everyone, everyone[:0])]):
        screen = _Screen(inputs, blocks, effects[f], main[f], train[both[train]])
        candidates = screen.candidates(residual, units)
        features, weights, correlations = candidates.best()
        mean = products(inputs, screen.rows, features).sum(axis=0) / max(1, len(screen.rows))
        pairs.append((features, weights, mean))
        fold_of[held_out] = f
    term = PairTerm(" x ".join(map(str, blocks)), blocks, pairs, fold_of)
    term.oof = term.fold_scores(inputs, fold_of)
    top = [(int(a), int(b), float(c)) for (a, b), c in zip(features, correlations, strict=True)]
    return Interaction(
        blocks,
        _correlation(term.oof[both], residual[both]),
        screen.pvalue(candidates, residual, units, rng, n_permutations),
        top,
        term,
    )


class _Screen:
    """How clear each pair of features of two blocks is, in some patients."""

    def __init__(self, inputs, blocks, effects, main, rows):
        self.rows, n = rows, len(rows)
        self.sides = []
        for block in blocks:
            side = np.flatnonzero(inputs.block == block)
            order = np.lexsort((-effects[side], ~main[side]))
            self.sides.append(side[np.sort(order[:_WIDEST])])
        self.left, self.right = (clipped(inputs, rows, side) for side in self.sides)
        mean = self.left.T @ self.right / max(1, n)
        spread = (self.left**2).T @ self.right**2 / max(1, n) - mean**2
        self.spread = np.where(spread > _LEAST_SPREAD, spread, np.inf)
        self.n_alike = self._count(*(main[side] for side in self.sides))

    def _count(self, left, right):
        """How many pairs have as many features that matter by themselves as each pair has."""
        kind = left[:, None].astype(int) + right[None, :]
        return np.bincount(kind.ravel(), minlength=3)[kind]

    def correlations(self, rest):
        """Correlation (pa, pb, K) of each product with what is left over (n_rows, K)."""
        rest = _centred(rest)
        rest = rest / np.maximum(np.sqrt((rest**2).sum(axis=0)), _TINY)
        root = np.sqrt(self.spread * max(1, len(rest)))
        return np.stack([(self.left * r[:, None]).T @ self.right / root for r in rest.T], axis=2)

    def clearness(self, correlations):
        """Size (pa, pb) of a normal score, raised for the kinds of pairs of which there are few.

        Half its square is the log-likelihood that a pair gains, and the logarithm of how many
        times fewer pairs there are of its kind than in all. So no kind drowns in the maxima of a
        more numerous one.
        """
        gain = len(self.rows) * (correlations**2).max(axis=2) / 2
        return np.sqrt(2 * (gain + np.log(self.n_alike.size / self.n_alike)))

    def candidates(self, residual, units):
        """Test the clearest pairs one by one."""
        rest, units = residual[self.rows], units[self.rows]
        correlations = self.correlations(rest)
        clearness = self.clearness(correlations)
        n_candidates = _N_CANDIDATES if len(rest) else 0
        flat = np.argsort(-clearness, axis=None, kind="stable")[:n_candidates]
        left, right = np.unravel_index(flat, clearness.shape)
        bends = clear_bends(np.hstack([self.left, self.right]), rest) if n_candidates else None
        pvalues = [
            product_beside(np.column_stack([self.left[:, i], self.right[:, j]]), bends, rest, units)
            for i, j in zip(left, right, strict=True)
        ]
        return _Candidates(
            features=np.column_stack([self.sides[0][left], self.sides[1][right]]),
            correlations=correlations[left, right],
            clearness=clearness[left, right],
            spread=self.spread[left, right],
            rarity=np.log(self.n_alike.size / self.n_alike[left, right]),
            pvalues=np.array(pvalues),
        )

    def pvalue(self, candidates, residual, units, rng, n_permutations):
        """Chance of a pair as clear as the clearest that holds beside bends.

        A pair must be clearer than any is if the residuals' patients are mixed. By itself it must
        hold beside bends, in as many tests as there are pairs that are so clear.
        """
        if not len(candidates.features):
            return 1.0
        rest, units = residual[self.rows], units[self.rows]
        orders = [permuted(units, rng) for _ in range(n_permutations)]
        maxima = [self.clearness(self.correlations(rest[order])).max() for order in orders]
        anywhere = [_chance_of_maximum(one, np.array(maxima)) for one in candidates.clearness]
        n_tests = max(1, np.sum(np.array(anywhere) < _LEVEL))
        return float(np.maximum(anywhere, np.minimum(1, n_tests * candidates.pvalues)).min())


@dataclass
class _Candidates:
    """The clearest pairs, clearest first, and whether each holds beside bends.

    Attributes
    ----------
    features : ndarray of shape (m, 2), int
    correlations : ndarray of shape (m, K)
        Of the product with what is left over.
    clearness : ndarray of shape (m,)
    spread : ndarray of shape (m,)
        Variance of the product.
    rarity : ndarray of shape (m,)
        What clearness has from there being few pairs of a kind: half a square.
    pvalues : ndarray of shape (m,)
        Of each product beside bends.
    """

    features: np.ndarray
    correlations: np.ndarray
    clearness: np.ndarray
    spread: np.ndarray
    rarity: np.ndarray
    pvalues: np.ndarray

    def best(self):
        """Features (m, 2), weights (m, K) and largest correlations (m,) of the clearest pairs."""
        beside = norm.isf(np.maximum(self.pvalues, np.finfo(float).tiny) / 2) ** 2 / 2
        gain = np.minimum(self.clearness**2 / 2, beside + self.rarity)
        first = np.argsort(-gain, kind="stable")[:_N_PAIRS]
        gain, correlations = gain[first], self.correlations[first]
        # of pairs that are correlated, the clearer one speaks
        sureness = np.exp(gain - gain.max(initial=-np.inf))
        weights = correlations * (sureness / np.sqrt(self.spread[first]))[:, None]
        strongest = np.abs(correlations).argmax(axis=1)[:, None]
        largest = np.take_along_axis(correlations, strongest, 1)[:, 0]
        return self.features[first], weights, largest


def _chance_of_maximum(observed, maxima):
    """Chance of a maximum as large as the one observed, given those of permutations.

    Their share where enough reach it, otherwise the tail of a Gumbel distribution (Knijnenburg et
    al., Bioinformatics 2009;25:i161). A few maxima may lie close together by chance, and the tail
    would look thin; so their variance is averaged with that of the maximum of normal scores, whose
    scale is about one over their location, and raised for what the mean of few is off.
    """
    n, n_reached = len(maxima), np.sum(maxima >= observed)
    if n_reached >= _ENOUGH:
        return float((1 + n_reached) / (1 + n))
    foretold = (np.pi / max(maxima.mean(), 1.0)) ** 2 / 6
    squares = ((maxima - maxima.mean()) ** 2).sum()
    variance = (squares + _WORTH * foretold) / (n - 1 + _WORTH) * (1 + 1 / n)
    scale = np.sqrt(6 * variance) / np.pi
    return float(gumbel_r.sf(observed, maxima.mean() - np.euler_gamma * scale, scale))


def _correlation(scores, rest):
    """Correlation over all patients and outputs."""
    scores, rest = _centred(scores), _centred(rest)
    length = np.sqrt((scores**2).sum() * (rest**2).sum())
    return float((scores * rest).sum() / max(length, _TINY))


def _centred(values):
    """Values less their mean; of no patients none."""
    return values - values.sum(axis=0) / max(1, len(values))
