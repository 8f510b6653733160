"""How the numbers of a table become positions: as they are, or by a linear map of a surrogate."""

from dataclasses import dataclass

import numpy as np

_SHRINKAGE = 1e-6  # against signals that repeat each other
_NOISE = 2.0  # how many times larger squared errors of mere measurements may be than those of maps
_ROUNDING = 1e-6  # mm


@dataclass(frozen=True)
class SignalMap:
    """Positions as a linear function of signals.

    Attributes
    ----------
    coef : ndarray of shape (n_signals, n_dims) or None
        In mm per unit of the signal; None where the signals are the positions.
    intercept : ndarray of shape (n_dims,) or None
        In mm.
    """

    coef: np.ndarray | None = None
    intercept: np.ndarray | None = None

    @classmethod
    def learn(cls, signal, truth):
        """Find out whether signals (n, n_signals) are the positions (n, n_dims), else fit a map.

        Measured positions differ from the true ones by noise, which no map takes away. They are to
        stay what they are: a map would bind them to the place of the training patients.

        Raises
        ------
        ValueError
            If no row has both.
        """
        known = np.isfinite(signal).all(axis=1) & np.isfinite(truth).all(axis=1)
        if not known.any():
            raise ValueError("X and y are never known in the same row.")
        x, y = signal[known], truth[known]
        if x.shape == y.shape:
            by_axis = _left_by_axis(x, y)
            if np.mean((x - y) ** 2) <= _NOISE * by_axis + _ROUNDING**2:
                return cls()
        centre, mean = x.mean(axis=0), y.mean(axis=0)
        x, y = x - centre, y - mean
        gram = x.T @ x
        size = np.diag(gram)
        gram[np.diag_indices(len(gram))] += _SHRINKAGE * np.where(size > 0, size, 1.0)
        coef = np.linalg.solve(gram, x.T @ y)
        return cls(coef, mean - centre @ coef)

    def n_signals(self, n_dims):
        """Columns of the signal, for positions of `n_dims` axes."""
        return n_dims if self.coef is None else len(self.coef)

    def __call__(self, signal):
        """Positions (n, n_dims) in mm of signals (n, n_signals)."""
        return signal if self.coef is None else signal @ self.coef + self.intercept


def _left_by_axis(x, y):
    """Mean squared error of the best linear map of each axis from its own signal alone."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    size = np.mean(x**2, axis=0)
    slope = np.mean(x * y, axis=0) / np.where(size > 0, size, 1.0)
    return np.mean((y - slope * x) ** 2)
