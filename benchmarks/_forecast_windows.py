"""Histories, displacements ahead, and the ridge regressions of the linear peers.

Shapes: positions (n_steps, n_columns) in any unit; a horizon is a number of steps.
"""

import numpy as np


def n_known(track, steps):
    """Steps that are known when the first scored forecast is due."""
    return track.n_first - max(steps)


def spread(positions, n_own):
    """Standard deviation in the first steps, mean over columns: one scale keeps the geometry."""
    return float(positions[:n_own].std(axis=0).mean())


def scaled_singles(track):
    """Positions of each object in units of the spread of the whole track."""
    scale = spread(track.joint, track.n_first)
    return [single.joint / scale for single in track.singles()]


def past(positions, length):
    """Rows of the `length - 1` earlier positions seen from the last one; NaN at the start."""
    moves = np.full((len(positions), length - 1, positions.shape[1]), np.nan)
    for lag in range(1, length):
        moves[length - 1 :, lag - 1] = (
            positions[length - 1 - lag : len(positions) - lag] - positions[length - 1 :]
        )
    return moves.reshape(len(positions), -1)


def ahead(positions, steps):
    """Displacement until each horizon, shape (n_steps, n_horizons, n_columns); NaN at the end."""
    moves = np.full((len(positions), len(steps), positions.shape[1]), np.nan)
    for place, step in enumerate(steps):
        moves[:-step, place] = positions[step:] - positions[:-step]
    return moves


def seen(X, Y, n_own, steps):
    """Rows with a whole history, all of whose targets are among the first `n_own` steps."""
    rows = np.isfinite(X).all(axis=1) & np.isfinite(Y).all(axis=(1, 2))
    rows[max(0, n_own - max(steps)) :] = False
    return rows


def pairs(positions, steps, length):
    """Histories and displacements of all rows that have both."""
    X, Y = past(positions, length), ahead(positions, steps)
    rows = seen(X, Y, len(X), steps)
    return X[rows], Y[rows]


def follow(positions, steps, length, penalty, forgetting, prior=None, every=2):
    """Displacements by ridge regressions, one per horizon, fitted to what was seen by then.

    Each horizon has its own sums, because the shorter one sees its targets earlier.
    """
    X, Y = past(positions, length), ahead(positions, steps)
    n_features, n_columns = X.shape[1], positions.shape[1]
    gram = np.zeros((len(steps), n_features, n_features))
    cross = np.zeros((len(steps), n_features, n_columns))
    weights = np.zeros_like(cross)
    if prior is not None:
        weights = prior.reshape(n_features, len(steps), n_columns).transpose(1, 0, 2).copy()
    start, ridge = penalty * weights, penalty * np.eye(n_features)
    moves = np.full(Y.shape, np.nan)
    for row in range(length - 1, len(X)):
        for place, step in enumerate(steps):
            old = row - step
            if old >= length - 1:
                gram[place] = forgetting * gram[place] + np.outer(X[old], X[old])
                cross[place] = forgetting * cross[place] + np.outer(X[old], Y[old, place])
        if (row - length) % every == 0:
            weights = np.linalg.solve(gram + ridge, cross + start)
        moves[row] = X[row] @ weights
    return moves


def ridge_weights(X, Y, rows, penalty):
    """Weights (n_features, n_horizons * n_columns), no intercept."""
    X, Y = X[rows], Y[rows].reshape(int(rows.sum()), -1)
    return np.linalg.solve(X.T @ X + penalty * np.eye(X.shape[1]), X.T @ Y)


def apply_weights(X, weights, n_horizons):
    """Displacements, shape (n_rows, n_horizons, n_columns)."""
    return (X @ weights).reshape(len(X), n_horizons, -1)
