"""How the blocks are fused: a fused score is a weighted sum of terms, each with out-of-fold scores.

``residual`` fits in stages, each learning what the ones before leave over: the base block, the
other blocks one by one and together, the joint network and the pairs. Each stage gets the weight
that its out-of-fold scores deserve, drawn towards zero. The other rules are single stages.
"""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np

from sklearn_medsel.multimodal._blocks import TOGETHER
from sklearn_medsel.multimodal._experts import combine, fit_expert, shrunken_weight
from sklearn_medsel.multimodal._network import fit_network
from sklearn_medsel.multimodal._pairs import find_interaction
from sklearn_medsel.multimodal._parts import LinearTerm
from sklearn_medsel.multimodal._selection import beat_decoys, keep_exactly
from sklearn_medsel.multimodal._stepwise import find_main_effects
from sklearn_medsel.multimodal._units import fold_of_rows

# p-value, over all pairs of blocks, of pairs that take part in the prediction: one that chance let
# in does more harm than one of the same size left out
_CLEAR = 0.01
_LEAST_OF_BASE = 0.05
_ODDS_OF_LONE = 0.05
_LEAST_WEIGHT = 1e-3
# Features per block and fold that a network is to see: where it speaks alone, and as a last stage,
# when the linear terms have spoken for the rest.
_TOP_ALONE, _TOP_BESIDE = 100, 50
FUSIONS = ("residual", "late", "stacked", "gated", "concat")


@dataclass
class Settings:
    """What a fit is to do, from the estimator's parameters.

    Attributes
    ----------
    fusion : str
        One of `FUSIONS`.
    base : int or None
        Block to start from.
    n_features : int or None
        How many features to keep.
    fdr : float
        Tolerated share of false features where no number is given.
    network : NetworkSettings
    n_permutations : int
        For the p-values of interactions.
    """

    fusion: str
    base: int | None
    n_features: int | None
    fdr: float
    network: object
    n_permutations: int


@dataclass
class Fused:
    """A fitted fusion.

    Attributes
    ----------
    terms : list of LinearTerm, NetworkTerm and PairTerm
    weights : list of float
        Of the terms.
    fold_weights : list of ndarray of shape (F,)
        The same, learnt without a fold.
    constant : ndarray of shape (K,)
    fold : ndarray of shape (n,), int
        Fold of each training patient.
    oof : ndarray of shape (n, K)
        Out-of-fold fused scores.
    kept : ndarray of shape (F + 1, p), bool
        Features used in each fold, then in the final models.
    selected : ndarray of shape (p,), bool
    interactions : list of Interaction
    """

    terms: list
    weights: list
    fold_weights: list
    constant: np.ndarray
    fold: np.ndarray
    oof: np.ndarray
    kept: np.ndarray
    selected: np.ndarray | None = None
    interactions: list = field(default_factory=list)

    def scores(self, inputs):
        """Fused scores (n, K) of new patients."""
        total = np.zeros((len(inputs.X), len(self.constant))) + self.constant
        for weight, term in zip(self.weights, self.terms, strict=True):
            if weight:
                total += weight * term.scores(inputs)
        return total

    def fold_scores(self, inputs):
        """Fused scores (n, K) of the training patients, by models that did not see them."""
        total = np.zeros((len(inputs.X), len(self.constant))) + self.constant
        for weight, term in zip(self.fold_weights, self.terms, strict=True):
            if weight.any():
                total += weight[self.fold][:, None] * term.fold_scores(inputs, self.fold)
        return total


def count_steps(settings, n_blocks):
    """How often a fit calls `step` at most."""
    network = settings.network.max_epochs
    if settings.fusion == "gated":
        return network + 1
    if settings.fusion == "residual":
        stages = (settings.base is not None) + (n_blocks > (settings.base is not None))
        return stages + 1 + bool(network) + network
    return 1


def fit_fused(inputs, outcome, units, folds, settings, random_state, step):
    """Fit a fusion.

    Parameters
    ----------
    inputs : Inputs
    outcome : Outcome
    units : ndarray of shape (n,), int
        Rows of one unit are one patient.
    folds : list of (ndarray, ndarray)
    settings : Settings
    random_state : RandomState
    step : callable
        Called after each stage and after each epoch of the network.

    Returns
    -------
    Fused
    """
    fit = _Fit(inputs, outcome, units, folds, settings, random_state, step)
    fit.keep_features()
    getattr(fit, f"fuse_{settings.fusion}")()
    return fit.finish()


class _Fit:
    """The stages of one fit, and what they have found so far."""

    def __init__(self, inputs, outcome, units, folds, settings, random_state, step):
        self.inputs, self.outcome, self.units = inputs, outcome, units
        self.folds = folds
        self.settings, self.random_state, self.step = settings, random_state, step
        n, n_features = inputs.X.shape
        self.n_blocks = inputs.present.shape[1]
        self.kept = np.ones((len(folds) + 1, n_features), dtype=bool)
        self.offset = np.zeros((n, outcome.n_outputs))
        self.terms, self.weights, self.fold_weights, self.interactions = [], [], [], []
        self.fold = fold_of_rows(folds, n)
        base = settings.base if settings.fusion == "residual" else None
        # a block in which nothing varies is as good as not there
        telling = np.flatnonzero(inputs.sizes).tolist()
        self.n_telling = len(telling)
        self.beyond_base = [b for b in telling if b != base]

    # -- features ------------------------------------------------------------------------------

    def keep_features(self):
        """Keep the number of features that was asked for, in each fold and in all patients."""
        wanted = self.settings.n_features
        if wanted is None:
            return
        everyone = np.arange(len(self.offset))
        for f, rows in enumerate([*(train for train, _ in self.folds), everyone]):
            self.kept[f] = keep_exactly(self.inputs, self.outcome, rows, wanted)

    @cached_property
    def together(self):
        """Expert of all blocks, from nothing."""
        return self._expert(range(self.n_blocks), np.zeros_like(self.offset))

    # -- rules of fusion -----------------------------------------------------------------------

    def fuse_residual(self):
        """Base, then the other blocks, then what they say jointly."""
        base, others = self.settings.base, self.beyond_base
        if base is not None:
            self._add([self._block(base, self.offset)], shrink=False, least=_LEAST_OF_BASE)
        if others:
            # features that were chosen together are weighed together
            alone = others if self.settings.n_features is None or len(others) == 1 else []
            terms = [self._block(b, self.offset) for b in alone]
            if len(others) > 1:
                terms.append(self._joined(others))
            self._add(terms, shrink=base is not None)
        self._find_interactions()
        level = _CLEAR / max(1, len(self.interactions))
        clear = [found.term for found in self.interactions if found.pvalue < level]
        # a number of features that was asked for is not to grow by those of pairs
        allowed = self.settings.network.n_interactions and self.settings.n_features is None
        if clear and allowed:
            self._add(clear, shrink=True)
        else:
            self.step()
        if self.settings.network.max_epochs:
            self._add([self._network(_TOP_BESIDE)], shrink=True)

    def fuse_late(self):
        """Mean of the blocks' scores."""
        terms = [self._block(b, self.offset) for b in range(self.n_blocks)]
        total = sum(term.oof for term in terms)[:, :, None]
        weight, fold_weights, said = self._weigh(total)
        self.terms, self.weights = terms, [float(weight[0])] * len(terms)
        self.fold_weights = [fold_weights[:, 0]] * len(terms)
        self.offset = said
        self.step()

    def fuse_stacked(self):
        """Blocks' scores, weighed by how they did on patients they had not seen."""
        self._add([self._block(b, self.offset) for b in range(self.n_blocks)], shrink=False)

    def fuse_concat(self):
        """One linear model of all blocks."""
        self._add([self._joined(range(self.n_blocks))], shrink=False)

    def fuse_gated(self):
        """The joint network alone."""
        self._add([self._network(_TOP_ALONE)], shrink=False)

    # -- stages --------------------------------------------------------------------------------

    def _add(self, terms, *, shrink, least=0.0):
        """Weigh a stage's terms, perhaps drawn towards zero, and go on from their scores."""
        scores = np.stack([term.oof for term in terms], axis=2)
        weights, fold_weights, said = self._weigh(scores, least=least)
        share = 1.0
        if shrink:
            share = shrunken_weight(self.outcome, self.offset, said, self.units)
        self.terms += terms
        self.weights += (share * weights).tolist()
        self.fold_weights += list(share * fold_weights.T)
        self.offset = self.offset + share * said
        self.step()

    def _weigh(self, scores, least=0.0):
        """Weights (T,), those learnt without each fold (F, T), and what these say of it (n, K)."""
        weights, _ = combine(scores, self.outcome, self.offset, least=least)
        fold_weights, said = [], np.zeros_like(self.offset)
        for train, held_out in self.folds:
            part = self.outcome.take(train)
            learnt = weights
            if part.can_teach():
                learnt, _ = combine(scores[train], part, self.offset[train], least=least)
            fold_weights.append(learnt)
            said[held_out] = scores[held_out] @ learnt
        return weights, np.array(fold_weights), said

    def _expert(self, blocks, offset):
        """Linear models of some blocks; of several, every feature counts alike."""
        blocks = list(blocks)
        used = np.isin(self.inputs.block, blocks)
        X, kept = self.inputs.X, self.kept & used
        scale = np.ones(X.shape[1])
        if len(blocks) > 1:
            scale = 1 / (self.inputs.scale * max(1, used.sum()) ** 0.5)
        return fit_expert(
            X,
            self.inputs.has(blocks),
            self.outcome,
            offset,
            self.folds,
            kept,
            scale=scale,
            unit=self.inputs.scale,
            sparse_odds=self._sparse_odds(blocks),
        )

    def _sparse_odds(self, blocks):
        """How much sparse models of some blocks are believed.

        Those of one block among several find more by chance than they add to those of the whole,
        and those of a base cost it more than they tell. But where one block alone learns what the
        base leaves over, there is no whole, and few features may tell all: there they are believed
        if they are clearly better.
        """
        is_lone = blocks == self.beyond_base and len(blocks) == 1
        if len(blocks) > 1 or (is_lone and self.n_telling == 1):
            return 1.0
        return _ODDS_OF_LONE if is_lone else 0.0

    def _block(self, block, offset):
        return LinearTerm(str(block), (block,), self._expert([block], offset))

    def _joined(self, blocks):
        return LinearTerm(TOGETHER, tuple(blocks), self._expert(blocks, self.offset))

    def _network(self, n_leading):
        return fit_network(
            self.inputs,
            self.outcome,
            self.offset,
            self.folds,
            self._leading(n_leading),
            self.settings.network,
            self.random_state,
            self.step,
        )

    def _leading(self, n_features):
        """Features (F + 1, p) of each block that a fold's linear models lean on most."""
        leading, effects = np.zeros_like(self.kept), self._effects()
        for b in range(self.n_blocks):
            of = np.flatnonzero(self.inputs.block == b)
            for f, effect in enumerate(effects[:, of]):
                leading[f, of[np.argsort(-effect, kind="stable")[:n_features]]] = True
        return leading & self.kept

    def _effects(self):
        """How much (F + 1, p) the linear models say of each feature: of each fold, then of all."""
        linear = [
            (term.expert, np.append(fold_weights, weight))
            for term, weight, fold_weights in zip(
                self.terms, self.weights, self.fold_weights, strict=True
            )
            if isinstance(term, LinearTerm)
        ]
        effects = np.zeros((len(self.folds) + 1, self.inputs.X.shape[1]))
        for expert, weights in linear or [(self.together, np.ones(len(effects)))]:
            coef = np.concatenate([expert.fold_coef, expert.coef[None]])
            size = np.abs(coef).max(axis=2) * self.inputs.scale
            # a model that says nothing new may yet tell which of its features matter
            effects += np.maximum(weights, _LEAST_WEIGHT)[:, None] * size
        return effects

    # -- what was found ------------------------------------------------------------------------

    def finish(self):
        """Put the fitted fusion together."""
        if not self.interactions:
            self._find_interactions()
        fused = Fused(
            self.terms,
            self.weights,
            self.fold_weights,
            self.outcome.intercept(self.offset),
            self.fold,
            None,
            self.kept,
            interactions=self.interactions,
        )
        fused.oof = fused.fold_scores(self.inputs)
        if self.settings.n_features is None:
            seed = self.random_state.randint(2**31 - 1)
            fused.selected = beat_decoys(
                self.inputs, self.outcome, self.units, seed, fdr=self.settings.fdr
            )
        else:
            fused.selected = self.kept[-1].copy()
        return fused

    def _find_interactions(self):
        """Screen every pair of blocks for what main effects, soft and free ones, leave over."""
        pairs = list(combinations(range(self.n_blocks), 2))
        if not pairs:
            return
        main = find_main_effects(self.inputs.X / self.inputs.scale, self.outcome, self.folds)
        scores = np.stack([self.offset, main.oof], axis=2)
        weights, constant = combine(scores, self.outcome, np.zeros_like(self.offset))
        residual = self.outcome.residual(scores @ weights + constant)
        effects = self._effects()
        self.interactions = [
            find_interaction(
                self.inputs,
                pair,
                residual,
                effects,
                main.features,
                self.units,
                self.folds,
                self.random_state,
                self.settings.n_permutations,
            )
            for pair in pairs
        ]
