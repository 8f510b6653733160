"""``method="path"``: rank features along a sparse path, and say which of them are more than chance.

Three questions are answered one after another, each with its own resampling:

1. Which features matter? A path on all samples (`_ranking`). Sub-sampling would cost ranking power,
   so every sample takes part. Where a path cannot tell, another ranking steps in
   (`_choice_of_ranking`).
2. How sure is it? Decoys, features with permuted rows, compete along the same path (`_repeats`).
   The pooled decoys give a p-value against "nothing to do with the outcome", and a conditional test
   (`_conditional`) one against "only correlated with a feature that matters".
3. Would it come out again? Paths with random sample weights (`_repeats`): how often is each
   feature, and each decoy, among the best?

Pairs that act together (`_pairs`) and a dense network (`_nonlinear`) come in where they help.
"""

import numpy as np
import torch
from scipy.stats import false_discovery_control

from ..base import one_thread
from ._association import null_residuals, single_effects
from ._choice_of_ranking import RANKERS, choose_ranking
from ._conditional import conditional_pvalues
from ._decoys import permute_rows, pooled_pvalues
from ._nonlinear import nonlinear_importance
from ._pairs import confirm_pairs, screen_pairs
from ._path import largest_penalty, penalty_grid, solve_paths
from ._ranking import rank_features
from ._repeats import random_weights, run_repeats
from ._selection import Selection

# How the false discovery rate is shared out: features unrelated to the outcome, features related
# to it only through others, and features of pairs; with or without a screen of pairs.
_SHARES = {False: (2 / 3, 1 / 3, 0.0), True: (1 / 2, 1 / 4, 1 / 4)}
# The best features, beside which a pair has to hold.
_N_MAIN_EFFECTS = 10


def select_by_path(problem, *, wanted, fdr, interactions, hidden_layer_sizes, n_jobs, kept, step):
    """Rank and test all features.

    Parameters
    ----------
    problem : Problem
    wanted : int, "auto" or None
        How many features are asked for.
    fdr : float
    interactions : bool
        Whether to screen pairs.
    hidden_layer_sizes : tuple of int
        Of the dense network that is tried beside the linear path.
    n_jobs : int or None
    kept : Repeats or None
        Repeats of an earlier fit on the same data.
    step : callable
        Called after each stage.

    Returns
    -------
    selection : Selection
    repeats : Repeats
        To be kept for a warm start.
    """
    outcome, weight = problem.outcome, problem.weight
    X, family = problem.table.X, outcome.family(problem.table.X)
    with one_thread():
        ranking = rank_features(X, family, torch.as_tensor(weight).to(X)[None])
        step()
        ranked_by, choice = choose_ranking(problem, family, wanted)
        if wanted == "auto":
            step()
    repeats = run_repeats(problem, n_jobs=n_jobs, kept=kept, step=step)
    with one_thread():
        pvalues = feature_pvalues(problem, repeats, fdr=fdr, with_pairs=interactions)
        step()
        importance, effects, screen = ranking.importance, ranking.effects, None
        own, fake = repeats.weighted, repeats.weighted_decoys
        if ranked_by != "path":
            importance, own, fake = _rank_again(problem, family, RANKERS[ranked_by])
            effects = single_effects(X, family, torch.as_tensor(weight).to(X))
        if interactions:
            screen = _screen_pairs(problem, family, ranking.importance, adjust(pvalues) <= fdr)
            importance, pvalues = _promote_pairs(importance, pvalues, screen, fdr)
            step()
        dense = nonlinear_importance(
            X,
            outcome,
            weight,
            problem.seeds,
            problem.blocks,
            importance,
            hidden_layer_sizes=hidden_layer_sizes,
        )
        step()
    if dense is not None:
        importance = dense
    selection = Selection(
        importance=importance,
        effects=effects,
        pvalues=pvalues,
        repeats=own,
        decoy_repeats=fake,
        decoy_importances=np.concatenate(repeats.null),
        fractions=ranking.fractions,
        history=ranking.history,
        screen=screen,
        nonlinear_used=dense is not None,
        n_iter=ranking.n_iter + repeats.n_iter,
        ranked_by=ranked_by,
        choice=choice,
    )
    return selection, repeats


def _rank_again(problem, family, rank):
    """Another ranking: of all samples, and with random weights beside one decoy per feature."""
    X = problem.table.X
    importance = rank(X, family, torch.as_tensor(problem.weight).to(X)[None])[0]
    rng = np.random.default_rng([problem.seeds[0], 5])
    rows = torch.as_tensor(permute_rows(rng, len(X), problem.blocks), device=X.device)
    weights = torch.as_tensor(random_weights(problem.weight, problem.seeds, problem.blocks))
    repeats = rank(torch.cat([X, X[rows]], 1), family, weights.to(X))
    return importance / importance.max(), repeats[:, : X.shape[1]], repeats[:, X.shape[1] :]


def _screen_pairs(problem, family, importance, selected):
    """Screen all pairs against what a model of the selected features leaves unexplained."""
    X, weight = problem.table.X, torch.as_tensor(problem.weight).to(problem.table.X)[None]
    predictor = family.start(weight).expand(1, len(X), family.n_outputs)
    if selected.any():
        columns = X[:, torch.as_tensor(np.flatnonzero(selected), device=X.device)]
        penalties = penalty_grid(largest_penalty(columns, family, weight), smallest=0.01)
        predictor = solve_paths(columns, family, penalties, weight, n_iter=40).predictor
    residual = -family.gradient(predictor, weight)[0].double().cpu().numpy()
    rng = np.random.default_rng([problem.seeds[0], 4])
    screen = screen_pairs(X, residual, rng, blocks=problem.blocks)
    response = null_residuals(family, weight)[0].double().cpu().numpy() / problem.weight[:, None]
    main_effects = np.argsort(-importance, kind="stable")[:_N_MAIN_EFFECTS]
    return confirm_pairs(screen, X, response, problem.weight, main_effects)


def _promote_pairs(importance, pvalues, screen, fdr):
    """Let the features of significant pairs in, ranked after those selected for themselves."""
    hits = screen.pvalues <= fdr
    if not hits.any():
        return importance, pvalues
    importance, pvalues = importance.copy(), pvalues.copy()
    selected = adjust(pvalues) <= fdr
    level = importance[selected].min() if selected.any() else 1.0
    scale = 2 / _SHARES[True][2] / len(pvalues)  # two features may be false with a false pair
    for place, (pair, pvalue) in enumerate(
        zip(screen.pairs[hits], screen.pvalues[hits], strict=True), start=1
    ):
        importance[pair] = np.maximum(importance[pair], level * (1 - 1e-3 * place))
        pvalues[pair] = np.minimum(pvalues[pair], scale * pvalue)
    return importance, pvalues


def feature_pvalues(problem, repeats, *, fdr, with_pairs):
    """p-values of all features.

    A p-value is the larger of two, each scaled by its share of the false discovery rate: the
    decoys' (the feature has nothing to do with the outcome) and the conditional one (it is only
    correlated with a feature that has). The latter counts in proportion to the number of features
    it is about, those correlated with a candidate.

    Returns
    -------
    ndarray of shape (n_features,)
    """
    unrelated, related, _ = _SHARES[with_pairs]
    table = problem.table
    statistic = repeats.statistic.mean(axis=0)
    statistic[table.constant] = 0.0
    pvalues = pooled_pvalues(statistic, np.concatenate(repeats.null)) / unrelated
    # no feature outside this set could pass, whatever its conditional p-value
    candidates = np.flatnonzero(adjust(np.minimum(pvalues, 1)) <= max(2 * fdr, 0.3))
    if len(candidates):
        family = problem.outcome.family(table.X)
        weight = torch.as_tensor(problem.weight).to(table.X)
        local, n_neighbours = conditional_pvalues(
            table.X, family, weight, candidates, problem.blocks
        )
        local = local * n_neighbours / len(pvalues) / related
        pvalues[candidates] = np.maximum(pvalues[candidates], local)
    return np.minimum(pvalues, 1.0)


def adjust(pvalues):
    """Benjamini-Hochberg adjusted p-values."""
    return false_discovery_control(pvalues)
