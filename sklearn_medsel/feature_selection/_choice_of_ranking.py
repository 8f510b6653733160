"""Which ranking of the features to trust: that of the path, or one of two others.

A sparse path is right where few features act. Where most genes go with the outcome, as between
tissues, it takes one of many stand-ins by chance, and another one next time.
"""

from functools import partial

import numpy as np
import torch

from ._association import association, share_associated
from ._elimination import rank_by_elimination
from ._ranking import rank_features
from ._subset_size import LEFT_OUT, choose_size, score_sizes, summarise_scores

RANKERS = {
    "path": partial(rank_features, keep_history=False),
    "association": association,
    "elimination": rank_by_elimination,
}
_MANY = 0.1
# Standard errors; the path must be clearly better, not by the luck of the draw.
_CLEARLY = 2
# A sparse model of more features than this could not be told from chance.
_SAMPLES_PER_FEATURE = 10


def choose_ranking(problem, family, wanted):
    """Name the ranking to use.

    Parameters
    ----------
    problem : Problem
    family : one of the classes of `_families`
    wanted : int, "auto" or None
        ``"auto"`` asks for prediction: all rankings compete out of bag. Otherwise the path is used,
        unless one feature in ten, and more features than there are samples, are associated with the
        outcome, and few features of the path do not predict clearly better than associated ones.

    Returns
    -------
    ranking : str
        One of `RANKERS`.
    choice : SizeChoice or None
        For ``"auto"``.
    """
    if wanted == "auto":
        choice = choose_size(problem, _rankers(family, RANKERS))
        return choice.ranking, choice
    X = problem.table.X
    share = share_associated(X, family, torch.as_tensor(problem.weight).to(X))
    if share < _MANY or share * X.shape[1] <= len(X) or _is_sparse(problem, family):
        return "path", None
    return "association", None


def _rankers(family, names):
    return {name: partial(_rank, RANKERS[name], family) for name in names}


def _rank(ranker, family, X, weight):
    return ranker(X, family, weight)


def _is_sparse(problem, family):
    """Whether a few features of the path predict clearly better than the associated ones."""
    n_samples = len(problem.outcome)
    sizes, scores = score_sizes(problem, _rankers(family, ("path", "association")))
    # The repeats share their samples, so more of them make a score no surer: its standard error
    # is that of one repeat, scaled from the samples left out to all.
    scale = np.sqrt(LEFT_OUT)
    best = {}
    for name, part in scores.items():
        mean, spread = summarise_scores(part, n_samples)
        place = int(np.argmax(mean))
        best[name] = part[:, place]
        if name == "path":
            enough = sizes[np.argmax(mean >= mean[place] - scale * spread[place])]
    gain, spread = summarise_scores((best["path"] - best["association"])[:, None], n_samples)
    error = scale * spread
    return gain[0] > _CLEARLY * error[0] and _SAMPLES_PER_FEATURE * enough <= n_samples
