"""How the numbers of a table become positions: as they are, or by a linear map of a surrogate."""

from dataclasses import dataclass

import numpy as np

_SHRINKAGE = 1e-6  # against signals that repeat each other
_SAME_MM = 1e-6


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

        Raises
        ------
        ValueError
            If no row has both.
        """
        known = np.isfinite(signal).all(axis=1) & np.isfinite(truth).all(axis=1)
        if not known.any():
            raise ValueError("X and y are never known in the same row.")
        x, y = signal[known], truth[known]
        if x.shape == y.shape and np.abs(x - y).max() <= _SAME_MM:
            return cls()
        centre, mean = x.mean(axis=0), y.mean(axis=0)
        x, y = x - centre, y - mean
        gram = x.T @ x
        gram[np.diag_indices(len(gram))] += _SHRINKAGE * max(np.trace(gram) / len(gram), 1e-12)
        coef = np.linalg.solve(gram, x.T @ y)
        return cls(coef, mean - centre @ coef)

    def __call__(self, signal):
        """Positions (n, n_dims) in mm of signals (n, n_signals)."""
        return signal if self.coef is None else signal @ self.coef + self.intercept
