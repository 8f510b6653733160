"""How one plane's features give one patient's position: a ridge that learns from known positions.

Per axis the ridge shrinks to the training patients' map, with penalties learnt on them, so that it
starts as that map and becomes the patient's own. It is solved in its dual form: a few hundred
frames with known positions are kept, evenly spaced in time, however many there were.
"""

import numpy as np
import torch

from sklearn_medsel.base import one_thread
from sklearn_medsel.nn.patch_ridge import patch_ridge

_MOST = 192  # frames with known positions that are kept
_EARLY = 20  # frames after which the patient's own errors count as much as the population's
_RATIO = 4.0  # how far the patient's own errors may move the variance


class PlaneAdaptation:
    """Ridge of one plane of one patient.

    Parameters
    ----------
    population : PatchMap
        What the population says, in float64.
    variance : ndarray of shape (3, n_dims)
        Population's squared error in mm^2: without any known position; after the warm-up; and
        within it, each frame left out in turn.
    """

    def __init__(self, population, variance):
        self.population, self.variance = population, variance
        self.features, self.positions = None, None
        self.n_seen, self.stride = 0, 1
        self._solved = 0
        self._map = None

    def learn(self, features, position):
        """Take in the features (n_features,) and the known position (n_dims,) of one frame."""
        self.n_seen += 1
        if (self.n_seen - 1) % self.stride:
            return
        if self.features is None:
            self.features, self.positions = features[None].copy(), position[None].copy()
            return
        self.features = np.vstack([self.features, features])
        self.positions = np.vstack([self.positions, position])
        if len(self.positions) > _MOST:
            self.features, self.positions = self.features[::2].copy(), self.positions[::2].copy()
            self.stride *= 2

    def displacement(self, features, share=None):
        """Position (n, n_dims) by the population's map, relative to the reference frame."""
        features = torch.from_numpy(features.astype(float))
        with one_thread(), torch.inference_mode():
            return self.population.displacement(features, share).numpy()

    def estimate(self, features):
        """Give positions (n, n_dims) from features, and their variance, once one is known."""
        n_known = len(self.positions)
        if self._map is None or abs(n_known - self._solved) >= max(1, self._solved // 10):
            self._solve()
        share, slopes, origin, variance = self._map
        moved = self.displacement(features, torch.from_numpy(share))
        return origin + moved + features @ slopes, variance

    def left_out(self):
        """Mean squared error (n_dims,) of the known positions, each left out in turn."""
        self._solve()
        return self._left_out

    def _solve(self):
        """Solve the ridge for all axes, with the error of each frame left out in turn."""
        n_known = len(self.positions)
        features, positions = map(torch.from_numpy, (self.features.astype(float), self.positions))
        with one_thread(), torch.inference_mode():
            found = patch_ridge(features, positions, self.population)
        share, slopes, origin, left_out = (part.numpy() for part in found)
        self._left_out = np.square(left_out).mean(0)
        unknown, later, within = self.variance
        trust = n_known / (n_known + _EARLY)
        ratio = (self._left_out + 1e-3) / (within + 1e-3)
        own = later * np.clip(ratio, 1 / _RATIO, _RATIO) ** (0.5 * trust)
        self._map = share, slopes, origin, trust * own + (1 - trust) * unknown
        self._solved = n_known
