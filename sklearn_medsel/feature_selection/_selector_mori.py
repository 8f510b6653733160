"""``method="mori"``: the study's layer before a dense network, trained again and again.

Features are ranked by how often they are among the best of a repeat. For p-values each block of
repeats is trained beside one decoy of every feature.
"""

from functools import partial

import numpy as np

from ._decoys import permute_rows, pooled_pvalues
from ._mori import train_repeats
from ._nonlinear import encoded_target
from ._selection import Selection, best_of_each
from ._subset_size import choose_size

# Blocks of repeats, each with decoys of its own; fewer where there are fewer repeats.
N_DECOY_SETS = 5


def select_by_repeats(
    problem, *, wanted, n_best, hidden_layer_sizes, max_epochs, learning_rate, n_jobs, step
):
    """Train the repeats and count.

    Parameters
    ----------
    problem : Problem
    wanted : int, "auto" or None
        How many features are asked for.
    n_best : int
        How many features of each repeat count as selected.
    hidden_layer_sizes, max_epochs, learning_rate
        See `DeepFeatureSelector`.
    n_jobs : int or None
    step : callable
        Called after each block of repeats; stops where it returns True.

    Returns
    -------
    Selection
    """
    X = problem.table.X.cpu().numpy()
    n_samples, n_features = X.shape
    weight = problem.weight * n_samples
    train = partial(
        train_repeats,
        y=encoded_target(problem.outcome),
        task=problem.outcome.task,
        hidden_layer_sizes=hidden_layer_sizes,
        max_epochs=max_epochs,
        learning_rate=learning_rate,
        device=str(problem.table.X.device),
        n_jobs=n_jobs,
    )
    own, fake, effects = [], [], []
    for seeds in np.array_split(problem.seeds, min(N_DECOY_SETS, len(problem.seeds))):
        rng = np.random.default_rng([int(seeds[0]), 3])
        rows = permute_rows(rng, n_samples, problem.blocks)
        repeats = train(
            np.concatenate([X, X[rows]], axis=1), seeds=seeds.tolist(), sample_weight=weight
        )
        own.append(repeats.importances[:, :n_features])
        fake.append(repeats.importances[:, n_features:])
        effects.append(repeats.effects[:, :n_features].mean(axis=0))
        if step():
            break
    choice = None
    if wanted == "auto":
        choice = choose_size(problem, {"mori": partial(_rank_bags, train, problem.seeds)})
        step()
    counts = [best_of_each(*pair, n_best) for pair in zip(own, fake, strict=True)]
    statistic = _count(np.concatenate([c for c, _ in counts]), np.concatenate(own))
    null = np.concatenate([_count(c, f) for (_, c), f in zip(counts, fake, strict=True)])
    mean_effect = np.mean(effects, axis=0)
    return Selection(
        importance=statistic,
        effects=mean_effect.reshape(n_features, -1),
        pvalues=pooled_pvalues(statistic, null),
        repeats=np.concatenate(own),
        decoy_repeats=np.concatenate(fake),
        decoy_importances=null,
        n_iter=max_epochs * len(problem.seeds),
        ranked_by="mori",
        choice=choice,
    )


def _rank_bags(train, seeds, X, bag):
    """Importances from bootstrap samples, one network each, which screens on its own sample."""
    X, bag = X.cpu().numpy(), bag.double().cpu().numpy()
    repeats = (
        train(X, seeds=[seed], sample_weight=weight)
        for seed, weight in zip(seeds, bag, strict=True)
    )
    return np.concatenate([one.importances for one in repeats])


def _count(chosen, importance):
    """Selection frequency; a small part of the mean importance decides between equal ones."""
    mean = importance.mean(axis=0)
    return chosen.mean(axis=0) + 1e-3 * mean / max(mean.max(), 1e-30)
