"""How much each expert counts, learnt from errors that have already been seen.

Weights are not negative and sum to one. They minimise the faded sum of squared errors of the
mixture itself, so that two experts with different errors share the weight.
"""

from itertools import combinations

import numpy as np

_MEMORY = 300.0  # s
_PRIOR_SAMPLES = 200.0  # a number of samples whose errors would confirm the weights at the start


class ExpertMixture:
    """Weights of experts per horizon, for one patient.

    Parameters
    ----------
    start : ndarray of shape (n_horizons, n_experts)
        Weights before any error is seen; each row sums to one.
    """

    def __init__(self, start):
        n_horizons, n_experts = start.shape
        self.start = start
        self.weights = start.copy()
        self._products = np.zeros((n_horizons, n_experts, n_experts))
        self._count = np.zeros(n_horizons)
        self._last = np.full(n_horizons, np.nan)

    def learn(self, t, horizon, errors):
        """Take the errors (n_experts, n_dims) of forecasts that came due at time `t`."""
        if np.isfinite(self._last[horizon]):
            fading = np.exp(-(t - self._last[horizon]) / _MEMORY)
            self._products[horizon] *= fading
            self._count[horizon] *= fading
        self._last[horizon] = t
        self._products[horizon] += errors @ errors.T
        self._count[horizon] += 1
        self.weights[horizon] = self._best(horizon)

    def mix(self, forecasts):
        """Combine forecasts (n_experts, n_horizons, n_dims) to (n_horizons, n_dims)."""
        return np.einsum("he,ehd->hd", self.weights, forecasts)

    def _best(self, horizon):
        """Weights that minimise the squared error, drawn towards those of the start."""
        products = self._products[horizon]
        pull = _PRIOR_SAMPLES * products.diagonal().min() / self._count[horizon]
        if pull <= 0:
            return self.start[horizon]
        matrix = products + pull * np.eye(len(products))
        return simplex_minimum(matrix, pull * self.start[horizon])


def simplex_minimum(matrix, linear):
    """Minimise w' matrix w - 2 linear' w over weights that are not negative and sum to one.

    Every set of weights above zero is tried, the whole first; there are few experts.
    """
    n = len(matrix)
    best, lowest = None, np.inf
    for size in range(n, 0, -1):
        for rows in map(list, combinations(range(n), size)):
            part = matrix[np.ix_(rows, rows)]
            one, free = np.linalg.solve(part, np.stack([np.ones(size), linear[rows]], axis=1)).T
            weights = free + (1 - free.sum()) / one.sum() * one
            if weights.min() < 0:
                continue
            value = weights @ part @ weights - 2 * linear[rows] @ weights
            if value < lowest:
                lowest, best = value, np.zeros(n)
                best[rows] = weights
            if size == n:
                return best  # nothing with a zero can be lower
    return best
