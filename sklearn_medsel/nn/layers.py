"""Layers that the networks of this package are made of."""

import math

import torch
from torch import nn

_BYTE = 256


def gate_rate(n_features):
    """How many times faster selection weights should learn than the weights behind them.

    Fast selection weights make gradient descent sparse, which pays where inputs are many. A
    weight of few inputs carries a large effect each, and then the same rate would make
    gradient descent overshoot: so the rate grows with the inputs, to 300 at 2,000 of them.
    """
    return min(300.0, 0.15 * n_features)


class SelectionLayer(nn.Module):
    """One learned weight per input, starting at one; inputs are not mixed.

    Parameters
    ----------
    n_features : int
        Number of inputs.
    """

    def __init__(self, n_features):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_features))

    def forward(self, X):
        """Scale each column of ``X`` (..., n_features) by its weight."""
        return X * self.weight

    @torch.no_grad()
    def shrink(self, amount):
        """Draw every weight towards zero by ``amount``, at most to zero.

        This is the proximal step of an L1 penalty: unlike its gradient it gives exact zeros.
        """
        self.weight.copy_(nn.functional.softshrink(self.weight, amount))


class SeededDropout(nn.Module):
    """Dropout that draws from a generator of its own, so that threads cannot disturb it.

    Parameters
    ----------
    rate : float
        Share of the values to set to zero while training, in [0, 1), to 1/256.
    seed : int
        Seed of the generator.
    """

    def __init__(self, rate, seed):
        super().__init__()
        self.rate = rate
        self.generator = torch.Generator().manual_seed(int(seed))

    def forward(self, X):
        """Zero random values of ``X`` and scale the others up; do nothing in eval mode."""
        if not self.training or self.rate == 0:
            return X
        keep = self._draw(X.shape).to(X.device)
        return X * keep * (_BYTE / self._kept)

    @property
    def _kept(self):
        """How many of the 256 values of a byte keep a value."""
        return max(1, round((1 - self.rate) * _BYTE))

    def _draw(self, shape):
        """Draw a mask on the CPU, so that a seed means the same on every device.

        A byte decides on a value: that is ten times quicker than drawing numbers.
        """
        n_values = math.prod(shape)
        words = torch.randint(
            -(2**63), 2**63 - 1, (-(-n_values // 8),), dtype=torch.int64, generator=self.generator
        )
        # not `< kept`: 256, of a rate near zero, would be a zero as a byte
        return (words.view(torch.uint8)[:n_values] <= self._kept - 1).view(shape)
