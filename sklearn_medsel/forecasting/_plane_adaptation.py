"""How one plane's features give one patient's position: a ridge that learns from known positions.

Per axis the ridge shrinks to the training patients' map, with penalties learnt on them, so that it
starts as that map and becomes the patient's own. It is solved in its dual form: a few hundred
frames with known positions are kept, evenly spaced in time, however many there were.
"""

import numpy as np

_MOST = 192  # frames with known positions that are kept
_EARLY = 20  # frames after which the patient's own errors count as much as the population's
_RATIO = 4.0  # how far the patient's own errors may move the variance


class PlaneAdaptation:
    """Ridge of one plane of one patient.

    Parameters
    ----------
    slopes : ndarray of shape (n_shifts, n_dims)
        Population's map from the shifts, which are the first features, to positions.
    weights : ndarray of shape (n_dims, n_features)
        One over the ridge penalty of each feature.
    variance : ndarray of shape (3, n_dims)
        Population's squared error in mm^2: without any known position; after the warm-up; and
        within it, each frame left out in turn.
    """

    def __init__(self, slopes, weights, variance):
        self.slopes, self.weights, self.variance = slopes, weights, variance
        self.features = np.empty((0, weights.shape[1]))
        self.positions = np.empty((0, len(weights)))
        self.n_seen, self.stride = 0, 1
        self._solved = 0
        self._map = None

    def learn(self, features, position):
        """Take in the features (n_features,) and the known position (n_dims,) of one frame."""
        self.n_seen += 1
        if (self.n_seen - 1) % self.stride:
            return
        self.features = np.vstack([self.features, features])
        self.positions = np.vstack([self.positions, position])
        if len(self.positions) > _MOST:
            self.features, self.positions = self.features[::2].copy(), self.positions[::2].copy()
            self.stride *= 2

    def displacement(self, features):
        """Position by the population's map, relative to where shifts are zero."""
        return features[: len(self.slopes)] @ self.slopes

    def estimate(self, features):
        """Give the position (n_dims,) and its variance from features; needs a known position."""
        n_known = len(self.positions)
        if self._map is None or abs(n_known - self._solved) >= max(1, self._solved // 20):
            self._solve()
        origin, middle, slopes, variance = self._map
        return origin + (features - middle) @ slopes, variance

    def left_out(self):
        """Mean squared error (n_dims,) of the known positions, each left out in turn."""
        self._solve()
        return self._left_out

    def _solve(self):
        """Solve the ridge for all axes, with the error of each frame left out in turn."""
        n_known, n_shifts = len(self.positions), len(self.slopes)
        middle = self.features.mean(0)
        first = self.positions[0]  # keeps rounding independent of the origin
        away = self.positions - first
        centred = self.features - middle
        rest = away - away.mean(0) - centred[:, :n_shifts] @ self.slopes
        slopes = np.empty((centred.shape[1], len(self.weights)))
        loo = np.empty_like(rest)
        for axis, weight in enumerate(self.weights):
            scaled = centred * weight
            inverse = np.linalg.inv(scaled @ centred.T + np.eye(n_known))
            dual = inverse @ rest[:, axis]
            slopes[:, axis] = scaled.T @ dual
            loo[:, axis] = dual / np.maximum(np.diag(inverse) - 1 / n_known, 1e-3)
        slopes[:n_shifts] += self.slopes
        self._left_out = np.square(loo).mean(0)
        unknown, later, within = self.variance
        share = n_known / (n_known + _EARLY)
        ratio = (self._left_out + 1e-3) / (within + 1e-3)
        own = later * np.clip(ratio, 1 / _RATIO, _RATIO) ** (0.5 * share)
        origin = first + away.mean(0)
        self._map = origin, middle, slopes, share * own + (1 - share) * unknown
        self._solved = n_known

    def state(self):
        """Everything learnt from the patient, as a dict of plain values."""
        return {
            "features": self.features.copy(),
            "positions": self.positions.copy(),
            "n_seen": self.n_seen,
            "stride": self.stride,
            "map": None if self._map is None else [part.copy() for part in self._map],
            "solved": self._solved,
        }

    def restore(self, state):
        """Go back to what `state` gave."""
        self.features, self.positions = state["features"].copy(), state["positions"].copy()
        self.n_seen, self.stride = state["n_seen"], state["stride"]
        self._map = None if state["map"] is None else tuple(part.copy() for part in state["map"])
        self._solved = state["solved"]
