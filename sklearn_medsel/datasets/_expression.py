"""Gene expression tables whose true genes and true pairs are known."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_medsel.datasets._planting import (
    correlated_blocks,
    draw_genes,
    draw_outcome,
    gene_names,
    given_table,
    linear_predictor,
    paired_samples,
    spread_genes,
    true_effects,
)

# What a design fixes. Genes count from 0 within the true genes, in the order of their columns.
_DESIGNS = {
    "lin": {"n_informative": 10, "n_interactions": 0, "effect_size": 1.5},
    "syn": {"n_informative": 5, "n_interactions": 3, "effect_size": 2.8, "interaction_size": 2.9},
}
_FREE = {"n_informative": 10, "n_interactions": 0, "effect_size": 1.5, "interaction_size": 2.9}
_SYN_PAIRS = np.array([[5, 6], [7, 8], [8, 9]])


@validate_params(
    {
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "design": [StrOptions(set(_DESIGNS)), None],
        "n_informative": [Interval(Integral, 0, None, closed="left")],
        "n_interactions": [Interval(Integral, 0, None, closed="left")],
        "correlation": [Interval(Real, -1, 1, closed="neither")],
        "block_size": [Interval(Integral, 1, None, closed="left")],
        "effect_size": [Interval(Real, 0, None, closed="left")],
        "interaction_size": [Interval(Real, 0, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "task": [StrOptions({"classification", "regression", "survival"})],
        "n_classes": [Interval(Integral, 2, None, closed="left")],
        "censoring": [Interval(Real, 0, 1, closed="left")],
        "weibull_shape": [Interval(Real, 0, None, closed="neither")],
        "paired": ["boolean"],
        "patient_effect": [Interval(Real, 0, 1, closed="left")],
        "missing_fraction": [Interval(Real, 0, 1, closed="left")],
        "X": ["array-like", None],
        "as_frame": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_gene_expression(
    n_samples=200,
    n_features=5000,
    *,
    design=None,
    n_informative=10,
    n_interactions=0,
    correlation=0.5,
    block_size=10,
    effect_size=1.5,
    interaction_size=2.9,
    noise=1.0,
    task="classification",
    n_classes=2,
    censoring=0.3,
    weibull_shape=1.0,
    paired=False,
    patient_effect=0.5,
    missing_fraction=0.0,
    X=None,
    as_frame=True,
    random_state=None,
):
    """Make an expression table whose true genes and true gene pairs are known.

    Genes come in blocks. Inside a block neighbours are correlated as an AR(1) series, between
    blocks there is no correlation, and every gene has mean 0 and variance 1. No two true genes
    lie in one block. The outcome depends on

    ``eta = effect_size * (x0 - x1 + x2 - ...) + interaction_size * (xa xb + xc xd + ...)``

    where each gene of a pair has no effect of its own.

    Parameters
    ----------
    n_samples : int, default=200
        Number of samples. Taken from `X` when `X` is given.
    n_features : int, default=5000
        Number of genes. Taken from `X` when `X` is given.
    design : {"lin", "syn"} or None, default=None
        A fixed set of effects that the benchmarks of this package use; it takes the place of
        `n_informative`, `n_interactions`, `effect_size` and `interaction_size`.
        ``"lin"``: ``eta = 1.5 (x0 - x1 + x2 - ... - x9)``.
        ``"syn"``: ``eta = 2.8 (x0 - x1 + x2 - x3 + x4) + 2.9 (x5 x6 + x7 x8 + x8 x9)``, where
        60 % of the signal variance is linear.
    n_informative : int, default=10
        Number of genes with an effect of their own; signs alternate, starting with plus.
    n_interactions : int, default=0
        Number of pairs, each of two further genes, that act through their product.
    correlation : float, default=0.5
        Correlation of neighbours in a block, between -1 and 1.
    block_size : int, default=10
        Number of genes in a block.
    effect_size : float, default=1.5
        Effect of one standard deviation of a gene on `eta`. With ``paired=True``: the
        distance, in standard deviations, between the tumour and the normal mean.
    interaction_size : float, default=2.9
        Effect of the product of the two standardised genes of a pair on `eta`.
    noise : float, default=1.0
        Scale of the noise around `eta` (logistic or normal); not used for survival.
    task : {"classification", "regression", "survival"}, default="classification"
        ``"classification"``: for two classes ``y = 1`` where ``eta`` plus logistic noise is
        positive; for more, each true gene and pair belongs to one class in turn and `y` is
        the class with the largest ``eta`` plus Gumbel noise.
        ``"regression"``: ``y`` is ``eta`` plus normal noise.
        ``"survival"``: Weibull times with hazard ratio ``exp(eta)``, independently censored.
    n_classes : int, default=2
        Number of classes for classification.
    censoring : float, default=0.3
        Expected fraction of censored samples for survival.
    weibull_shape : float, default=1.0
        Shape of the Weibull times; 1 is the exponential distribution, that is a constant
        hazard. The median time at ``eta = 0`` is 24 months.
    paired : bool, default=False
        Whether each patient gives one normal and one tumour sample (rows 2i and 2i + 1). Then
        `y` is fixed by design, true genes are shifted up or down in the tumour, and `groups`
        says whose sample a row is. For classification in two classes, without interactions.
    patient_effect : float, default=0.5
        With ``paired=True``, the part of a gene's variance that the two samples of a patient
        share.
    missing_fraction : float, default=0.0
        Part of the values of `X` that is missing completely at random, set after `y` is made.
    X : array-like of shape (n_samples, n_features) or None, default=None
        A real table into which the outcome is planted. True genes are drawn at random from the
        columns that vary and have no missing value, and are standardised inside `eta`. `X`
        itself is handed back as it is.
    as_frame : bool, default=True
        Whether `X` comes as a DataFrame with gene names or as an array. Column names of a
        DataFrame given as `X` are kept.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random here. An int gives the same table in every call. The global
        generators are never drawn from.

    Returns
    -------
    Bunch
        With the fields

        X : DataFrame or ndarray of shape (n_samples, n_features), float32
            Expression values, without unit (standard deviations).
        y : ndarray of shape (n_samples,)
            int64 class, float64 value, or structured array with the fields ``event`` (bool)
            and ``time`` (float64, months).
        support : ndarray of shape (n_features,), bool
            True genes: those with an effect of their own or in a pair.
        coef : ndarray of shape (n_features,) or (n_classes, n_features), float64
            Effects of standardised genes on `eta`; one row per class for three or more.
        pairs : ndarray of shape (n_pairs, 2), int64
            Columns of the genes of each pair.
        pair_coef : ndarray of shape (n_pairs,), float64
            Effect of each pair's product.
        eta : ndarray of shape (n_samples,) or (n_samples, n_classes), float64
            The noiseless outcome; for ``paired=True`` the class itself, as 0.0 or 1.0.
        groups : ndarray of shape (n_samples,), int64, or None
            Patient of each sample with ``paired=True``.
        feature_names : ndarray of shape (n_features,), object
            Gene names.

    Raises
    ------
    ValueError
        If there are fewer blocks than true genes, a parameter is changed that `design` fixes,
        or `paired` is combined with what it does not offer.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_gene_expression
    >>> data = make_gene_expression(100, 300, n_informative=4, n_interactions=1, random_state=0)
    >>> data.X.shape, int(data.support.sum())
    ((100, 300), 6)
    >>> list(data.X.columns[data.support])
    ['gene_000', 'gene_048', 'gene_096', 'gene_144', 'gene_192', 'gene_240']
    >>> data.pairs
    array([[192, 240]])
    """
    given = dict(
        n_informative=n_informative,
        n_interactions=n_interactions,
        effect_size=effect_size,
        interaction_size=interaction_size,
    )
    effects = _effects(design, given)
    _check_combination(task, n_classes, paired, n_samples, effects, X)
    rng = _generator(random_state)

    if X is None:
        names = gene_names(n_features)
        genes = spread_genes(effects["n_true"], n_features, block_size)
        table = correlated_blocks(rng, n_samples, n_features, block_size, correlation)
    else:
        table, names = given_table(X)
        genes = draw_genes(rng, table, effects["n_true"])
    n_samples, n_features = table.shape

    coef, pairs, pair_coef = true_effects(genes, effects, n_features, task, n_classes)
    groups = None
    if paired:
        table, y, groups = paired_samples(
            rng, table, coef, (block_size, correlation), patient_effect
        )
        eta = y.astype(np.float64)
    else:
        eta = linear_predictor(table, genes, coef, pairs, pair_coef, standardise=X is not None)
        y = draw_outcome(rng, eta, task, noise, censoring, weibull_shape)

    table = table.astype(np.float32)
    if missing_fraction > 0:
        table[rng.random(table.shape) < missing_fraction] = np.nan
    support = np.any(np.atleast_2d(coef) != 0, axis=0)
    support[pairs[pair_coef != 0].ravel()] = True
    return Bunch(
        X=pd.DataFrame(table, columns=names) if as_frame else table,
        y=y,
        support=support,
        coef=coef,
        pairs=pairs,
        pair_coef=pair_coef,
        eta=eta,
        groups=groups,
        feature_names=names,
    )


def _effects(design, given):
    """Effects of a design, or the ones given; with the number of true genes and their pairs."""
    effects = dict(given)
    if design is not None:
        changed = [name for name, value in given.items() if value != _FREE[name]]
        if changed:
            raise ValueError(
                f"design={design!r} fixes {', '.join(changed)}; leave that out, or leave out "
                "design and set every effect yourself."
            )
        effects.update(_DESIGNS[design])
    if design == "syn":
        effects["pairs"] = _SYN_PAIRS
        effects["n_true"] = 10
    else:
        first = effects["n_informative"]
        effects["pairs"] = first + np.arange(2 * effects["n_interactions"]).reshape(-1, 2)
        effects["n_true"] = first + 2 * effects["n_interactions"]
    return effects


def _check_combination(task, n_classes, paired, n_samples, effects, X):
    if n_classes > 2 and task != "classification":
        raise ValueError(f"n_classes={n_classes} is for task='classification', not {task!r}.")
    if not paired:
        return
    if task != "classification" or n_classes != 2:
        raise ValueError(
            "paired=True makes tumour and normal samples: task must be "
            "'classification' with n_classes=2."
        )
    if len(effects["pairs"]):
        raise ValueError("paired=True has no interactions; set n_interactions=0.")
    if X is not None:
        raise ValueError("paired=True draws its own table; leave out X.")
    if n_samples % 2:
        raise ValueError(f"paired=True needs an even n_samples, found {n_samples}.")


def _generator(random_state):
    # An int seeds numpy's Generator directly; None never touches numpy's global generator.
    if random_state is None or isinstance(random_state, Integral):
        return np.random.default_rng(random_state)
    return np.random.default_rng(check_random_state(random_state).randint(0, 2**31, size=4))
