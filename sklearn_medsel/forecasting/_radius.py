"""The radius of the ball around a forecast that holds the truth as often as promised.

Adaptive conformal inference (Gibbs and Candès, Adaptive Conformal Inference Under Distribution
Shift, NeurIPS 2021): the radius is a quantile of the errors seen lately, and which quantile is
corrected after every hit and miss.
"""

from bisect import bisect_left, insort
from collections import deque
from math import ceil

import numpy as np

_KEPT = 400  # errors
_ENOUGH = 120  # own errors that replace those of the population
_STEP = 0.02  # how far one miss moves the level
_LEVELS = (0.005, 0.5)  # never promise more, or less, than that share of misses


class AdaptiveRadius:
    """Radius of one horizon, for one patient.

    Parameters
    ----------
    coverage : float
        Share of truths the ball is to hold.
    usual : ndarray of shape (n_usual,)
        Errors of training patients, in units of their amplitude; stand in for the patient's own.
    """

    def __init__(self, coverage, usual):
        self._misses = self._level = 1 - coverage
        self._usual = usual
        self._errors, self._sorted = deque(), []

    def learn(self, error, radius):
        """Take the error of a forecast that came due, and the radius given with it (mm)."""
        if np.isfinite(radius):
            level = self._level + _STEP * (self._misses - (error > radius))
            self._level = float(np.clip(level, *_LEVELS))
        if len(self._errors) == _KEPT:
            del self._sorted[bisect_left(self._sorted, self._errors.popleft())]
        self._errors.append(error)
        insort(self._sorted, error)

    def radius(self, scale):
        """Radius now, in mm, for a patient of that amplitude."""
        errors = self._sorted
        if len(errors) < _ENOUGH:
            errors = sorted([*errors, *(self._usual[len(errors) :] * scale)])
        if not errors:
            return np.nan
        return float(errors[ceil((1 - self._level) * (len(errors) - 1))])
