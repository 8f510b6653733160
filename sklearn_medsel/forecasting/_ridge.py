"""The linear expert: a population's ridge regression that becomes the patient's own.

All it knows are sufficient statistics. Those of the training patients count as a fixed number of
samples; each of the patient's own samples counts as one, and fades with time.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dsyr

_PRIOR_SAMPLES = 200.0
_SHRINKAGE = 20.0
_MEMORY = 1200.0  # s
_REFIT = 0.6 - 1e-6  # s between solutions of the normal equations; they cost more than all else


@dataclass(frozen=True)
class PopulationRidge:
    """Mean products of features and displacements over the samples of training patients.

    Attributes
    ----------
    gram : ndarray of shape (n_features * n_dims, n_features * n_dims)
        Products of features.
    cross : ndarray of shape (n_features * n_dims, n_horizons * n_dims)
        Products of features and displacements.
    n_samples : int
        How many samples they come from.
    """

    gram: np.ndarray
    cross: np.ndarray
    n_samples: int

    @classmethod
    def of_samples(cls, features, targets):
        """Sum up samples: features (n, n_features, n_dims), targets (n, n_horizons, n_dims)."""
        n = len(features)
        x, y = (part.reshape(n, part.shape[1] * part.shape[2]) for part in (features, targets))
        return cls(x.T @ x, x.T @ y, n)

    @classmethod
    def pool(cls, parts, n_dims):
        """Pool sums of several patients, with the axes of a position made interchangeable.

        Axes differ between devices, and few patients do not tell what an axis means.
        """
        n_samples = sum(part.n_samples for part in parts)
        gram, cross = (
            _interchange(sum(getattr(part, name) for part in parts) / n_samples, n_dims)
            for name in ("gram", "cross")
        )
        return cls(gram, cross, n_samples)


def _interchange(products, n_dims):
    """Mean of a matrix of blocks (n_dims, n_dims) over all orders of the axes."""
    if n_dims == 1:
        return products
    rows, columns = (size // n_dims for size in products.shape)
    blocks = products.reshape(rows, n_dims, columns, n_dims)
    own = np.einsum("iaja->ij", blocks) / n_dims
    other = (blocks.sum(axis=(1, 3)) - own * n_dims) / (n_dims * (n_dims - 1))
    same = np.eye(n_dims)[:, None, :]
    mixed = own[:, None, :, None] * same + other[:, None, :, None] * (1 - same)
    return mixed.reshape(products.shape)


class PatientRidge:
    """Ridge regression of one patient, with a population's as its prior.

    Parameters
    ----------
    population : PopulationRidge
        What is believed before.
    """

    def __init__(self, population):
        size = len(population.gram)
        self._prior_gram = np.asfortranarray(_PRIOR_SAMPLES * population.gram)
        self._prior_gram[np.diag_indices(size)] += _SHRINKAGE
        self._prior_cross = _PRIOR_SAMPLES * population.cross
        # gram holds its lower triangle only, in the order that BLAS updates in place
        self._gram = np.zeros_like(population.gram, order="F")
        self._cross = np.zeros_like(population.cross)
        self._growth = 1.0
        self._last = self._solved = None
        self._solve()

    def learn(self, t, features, target):
        """Add a sample whose target is known at time `t`; solve again from time to time."""
        if self._last is not None:
            # newer samples grow instead of all older ones fading, until `_solve` evens it out
            self._growth *= np.exp((t - self._last) / _MEMORY)
        self._last = t
        x, y = features.ravel(), target.ravel()
        self._gram = dsyr(self._growth, x, a=self._gram, lower=1, overwrite_a=1)
        self._cross += np.outer(self._growth * x, y)
        if self._solved is None or t - self._solved >= _REFIT:
            self._solve()
            self._solved = t

    def forecast(self, features, n_horizons):
        """Displacements (n_horizons, n_dims), in the unit of the targets."""
        return (features.ravel() @ self._weights).reshape(n_horizons, -1)

    def _solve(self):
        self._gram /= self._growth
        self._cross /= self._growth
        self._growth = 1.0
        gram = self._prior_gram + self._gram
        factor = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        cross = self._prior_cross + self._cross
        self._weights = cho_solve(factor, cross, overwrite_b=True, check_finite=False)
