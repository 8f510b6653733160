"""Pieces of `make_gene_expression`: correlated tables, true genes, and outcomes drawn from them."""

import numpy as np
from scipy.optimize import brentq

from sklearn_medsel.survival import make_survival_y

_MEDIAN_MONTHS = 24.0


def gene_names(n_features):
    """Name genes by their column, counted from 0."""
    width = len(str(n_features - 1))
    return np.array([f"gene_{j:0{width}d}" for j in range(n_features)], dtype=object)


def spread_genes(n_true, n_features, block_size):
    """Columns of the true genes, evenly spread, each in a block of its own."""
    n_blocks = -(-n_features // block_size)
    if n_true > n_blocks:
        raise ValueError(
            f"{n_true} true genes need as many blocks, but n_features={n_features} and "
            f"block_size={block_size} give {n_blocks}; lower block_size, or n_informative or "
            "n_interactions, or raise n_features."
        )
    # Slightly less than the even distance, so that the genes stand at the edge of some blocks
    # and in the middle of others.
    step = int(0.97 * n_features / max(n_true, 1))
    if step >= block_size:
        return np.arange(n_true) * step
    return np.arange(n_true) * n_blocks // max(n_true, 1) * block_size


def correlated_blocks(rng, n_samples, n_features, block_size, correlation):
    """Draw standard normal genes, AR(1) inside a block, independent between blocks."""
    table = rng.standard_normal((n_samples, n_features))
    fresh = np.sqrt(1 - correlation**2)
    for offset in range(1, min(block_size, n_features)):
        columns = np.arange(offset, n_features, block_size)
        table[:, columns] = correlation * table[:, columns - 1] + fresh * table[:, columns]
    return table


def given_table(X):
    """Values and column names of a real table."""
    names = np.asarray(X.columns, dtype=object) if hasattr(X, "columns") else None
    table = np.array(X, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"X must have two dimensions, found {table.ndim}.")
    return table, gene_names(table.shape[1]) if names is None else names


def draw_genes(rng, table, n_true):
    """Columns of the true genes of a real table, at random among the usable ones."""
    usable = np.isfinite(table).all(axis=0)
    usable[usable] = np.ptp(table[:, usable], axis=0) > 0
    usable = np.flatnonzero(usable)
    if len(usable) < n_true:
        raise ValueError(
            f"X has {len(usable)} columns that vary and have no missing value, but {n_true} "
            "true genes were asked for; impute X first, or lower n_informative or "
            "n_interactions."
        )
    return rng.choice(usable, size=n_true, replace=False)


def true_effects(genes, effects, n_features, task, n_classes):
    """Effects of single genes and of pairs, in columns of the table."""
    main = genes[: effects["n_informative"]]
    values = effects["effect_size"] * np.where(np.arange(len(main)) % 2 == 0, 1.0, -1.0)
    pairs = genes[effects["pairs"]].astype(np.int64).reshape(-1, 2)
    pair_coef = np.full(len(pairs), float(effects["interaction_size"]))
    if n_classes > 2:
        coef = np.zeros((n_classes, n_features))
        coef[np.arange(len(main)) % n_classes, main] = values
    else:
        coef = np.zeros(n_features)
        coef[main] = values
    return coef, pairs, pair_coef


def linear_predictor(table, genes, coef, pairs, pair_coef, *, standardise):
    """Noiseless outcome of each sample, one column per class for three classes or more."""
    used = np.array(table[:, genes])
    if standardise:
        used = (used - used.mean(axis=0)) / used.std(axis=0)
    column = {gene: k for k, gene in enumerate(genes)}
    first = [column[a] for a, _ in pairs]
    second = [column[b] for _, b in pairs]
    products = used[:, first] * used[:, second] * pair_coef
    eta = used @ coef[..., genes].T
    if eta.ndim == 1:
        return eta + products.sum(axis=1)
    for k in range(len(pairs)):
        eta[:, k % eta.shape[1]] += products[:, k]
    return eta


def draw_outcome(rng, eta, task, noise, censoring, weibull_shape):
    """Draw the outcome of each sample around its linear predictor."""
    if task == "regression":
        return eta + noise * rng.standard_normal(len(eta))
    if task == "survival":
        return _survival_times(rng, eta, censoring, weibull_shape)
    if eta.ndim == 2:
        return np.argmax(eta + noise * rng.gumbel(size=eta.shape), axis=1).astype(np.int64)
    return (eta + noise * rng.logistic(size=len(eta)) > 0).astype(np.int64)


def _survival_times(rng, eta, censoring, shape):
    scale = _MEDIAN_MONTHS / np.log(2) ** (1 / shape)
    death = scale * np.exp((np.log(rng.exponential(size=len(eta))) - eta) / shape)
    event = np.ones(len(eta), dtype=bool)
    time = death
    if censoring > 0:
        # Exponential censoring whose rate makes the expected fraction exact for these times.
        def excess(log_rate):
            return np.mean(-np.expm1(-np.exp(log_rate) * death)) - censoring

        middle = -np.log(np.median(death))
        rate = np.exp(brentq(excess, middle - 200, middle + 200))
        censored = rng.exponential(1 / rate, size=len(eta))
        event = death <= censored
        time = np.minimum(death, censored)
    return make_survival_y(event, time)


def paired_samples(rng, table, coef, blocks, patient_effect):
    """Turn a table into normal and tumour samples of patients; with classes and patients."""
    n_samples, n_features = table.shape
    groups = np.repeat(np.arange(n_samples // 2), 2)
    y = np.tile(np.array([0, 1]), n_samples // 2)
    patient = correlated_blocks(rng, n_samples // 2, n_features, *blocks)
    table = np.sqrt(patient_effect) * patient[groups] + np.sqrt(1 - patient_effect) * table
    return table + (y[:, None] - 0.5) * coef, y, groups
