"""The blocks of all patients side by side, and any of them hidden."""

from typing import NamedTuple

import numpy as np


class Inputs(NamedTuple):
    """Features of n patients, block beside block.

    Every block's features are divided by the root of their number: then each block has the same
    total variance, and one ridge penalty weighs on blocks alike, however many columns they have.

    Attributes
    ----------
    X : ndarray of shape (n, p), float64
        Features; zero where a patient lacks the block.
    present : ndarray of shape (n, B), bool
        Which patient has which block.
    block : ndarray of shape (p,), int
        Block of each feature.
    """

    X: np.ndarray
    present: np.ndarray
    block: np.ndarray

    @classmethod
    def of(cls, encoded):
        """Put encoded blocks side by side."""
        sizes = [values.shape[1] for values in encoded.values]
        scaled = [values / max(1, values.shape[1]) ** 0.5 for values in encoded.values]
        block = np.repeat(np.arange(len(sizes)), sizes)
        return cls(np.hstack(scaled), encoded.present, block)

    @property
    def sizes(self):
        """Number of features of each block."""
        return np.bincount(self.block, minlength=self.present.shape[1])

    @property
    def scale(self):
        """What each feature was multiplied by (p,)."""
        return np.repeat(np.maximum(1, self.sizes) ** -0.5, self.sizes)

    def has(self, blocks):
        """Which patients have any of some blocks (n,)."""
        return self.present[:, list(blocks)].any(axis=1)

    def only(self, blocks):
        """Hide all blocks but some."""
        seen = np.zeros(self.present.shape[1], dtype=bool)
        seen[list(blocks)] = True
        return Inputs(self.X * seen[self.block], self.present & seen, self.block)


def never_whole(y):
    """Move whole numbers by a half, so that encoders do not take them for class labels.

    An encoder that learns from `y` is not told the task, and judges it by the values.
    """
    y = np.asarray(y, dtype=np.float64)
    return y + 0.5 if (y == np.round(y)).all() else y
