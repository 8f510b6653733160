"""The other methods of the forecasting comparison: persistence and linear ones.

A peer has ``fit(train, steps)``, with the tracks of the other groups and the horizons in steps, and
``forecast(track)``, which gives an array (n_steps, n_horizons, n_objects * n_dims) in mm: row t is
made from the positions up to row t alone, NaN where there is no forecast. What a peer learns from
the patient's own first minute it learns from the steps that were known when the first scored
forecast was due; a target is used for learning once it has been seen, not before. `look_ahead` of
`_forecast_scores` measures that.

These peers see displacements from the last position, in units of the track's spread in that first
minute: shifting a patient shifts the forecast by as much.
"""

import numpy as np

from benchmarks._forecast_windows import (
    ahead,
    apply_weights,
    follow,
    n_known,
    pairs,
    past,
    ridge_weights,
    scaled_singles,
    seen,
    spread,
)

# The last third of the own minute says which settings are best, after a fit to the rest.
_OWN_LENGTHS = (6, 12, 24, 36)
_OWN_PENALTIES = (0.03, 0.3, 3.0, 30.0, 100.0)


class Persistence:
    """The objects stay where they are."""

    def fit(self, train, steps):
        """Remember the horizons."""
        self.steps = steps
        return self

    def forecast(self, track):
        """The last position, for every horizon."""
        return np.repeat(track.joint[:, None], len(self.steps), axis=1)


class ConstantVelocity(Persistence):
    """The mean velocity of the last steps goes on; how many steps the own first minute says."""

    def forecast(self, track):
        """Straight on from the last position."""
        n_own = n_known(track, self.steps)
        forecasts = [self._straight(track, span) for span in (1, 2, 3, 4)]
        truth = ahead(track.joint, self.steps) + track.joint[:, None]
        own = slice(4, n_own - max(self.steps))
        errors = [np.mean((forecast[own] - truth[own]) ** 2) for forecast in forecasts]
        return forecasts[int(np.argmin(errors))]

    def _straight(self, track, span):
        before = np.r_[np.full((span, track.joint.shape[1]), np.nan), track.joint[:-span]]
        velocity = (track.joint - before) / span
        return track.joint[:, None] + np.array(self.steps)[:, None] * velocity[:, None]


class OwnRidge(Persistence):
    """Ridge regression on the patient's own first minute, tuned on it too."""

    def forecast(self, track):
        """One linear map for the rest of the track."""
        scaled, scale, n_own = self._scaled(track)
        length, penalty = self.tune(scaled, n_own)
        X, Y = past(scaled, length), ahead(scaled, self.steps)
        weights = ridge_weights(X, Y, seen(X, Y, n_own, self.steps), penalty)
        forecasts = apply_weights(X, weights, len(self.steps)) * scale + track.joint[:, None]
        forecasts[: n_own - 1] = np.nan
        return forecasts

    def tune(self, scaled, n_own):
        """Length of the history and penalty with the smallest error on the last third."""
        n_fit, best = 2 * n_own // 3, None
        Y = ahead(scaled, self.steps)
        for length in _OWN_LENGTHS:
            X = past(scaled, length)
            fitted = seen(X, Y, n_fit, self.steps)
            checked = seen(X, Y, n_own, self.steps)
            checked[: n_fit - 1] = False
            for penalty in _OWN_PENALTIES:
                weights = ridge_weights(X, Y, fitted, penalty)
                off = apply_weights(X[checked], weights, len(self.steps)) - Y[checked]
                error = np.mean(off**2)
                if best is None or error < best[0]:
                    best = error, length, penalty
        return best[1:]

    def _scaled(self, track):
        n_own = n_known(track, self.steps)
        scale = spread(track.joint, n_own)
        return track.joint / scale, scale, n_own


class OnlineRidge(OwnRidge):
    """As `OwnRidge`, fitted again every other step to all that was seen, old steps weighing less.

    Parameters
    ----------
    forgetting : float
        Weight of a step relative to the one after it.
    """

    def __init__(self, forgetting=0.999):
        self.forgetting = forgetting

    def forecast(self, track):
        """A linear map that follows the track."""
        scaled, scale, n_own = self._scaled(track)
        length, penalty = self.tune(scaled, n_own)
        moves = follow(scaled, self.steps, length, penalty, self.forgetting)
        moves[: n_own - 1] = np.nan
        return moves * scale + track.joint[:, None]


class PooledRidge(OwnRidge):
    """Ridge regression on the other groups, one object after the other, the same map for all.

    Parameters
    ----------
    length : int
        Steps of history.
    penalty : float
    """

    def __init__(self, length=16, penalty=300.0):
        self.length, self.penalty = length, penalty

    def fit(self, train, steps):
        """Add up what the regression needs over all objects of all tracks."""
        self.steps = steps
        parts = [pairs(single, steps, self.length) for t in train for single in scaled_singles(t)]
        X, Y = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.weights = ridge_weights(X, Y, np.ones(len(X), dtype=bool), self.penalty)
        return self

    def forecast(self, track):
        """The map of the others, unchanged."""
        scaled, scale, n_own = self._scaled(track)
        moves = apply_weights(past(scaled, self.length), self.lifted(track), len(self.steps))
        moves[: n_own - 1] = np.nan
        return moves * scale + track.joint[:, None]

    def lifted(self, track):
        """The map of one object as a map of all of them, none of which looks at another."""
        n_dims, width = track.n_dims, track.joint.shape[1]
        one = self.weights.reshape(self.length - 1, n_dims, len(self.steps), n_dims)
        lifted = np.zeros((self.length - 1, width, len(self.steps), width))
        for start in range(0, width, n_dims):
            part = slice(start, start + n_dims)
            lifted[:, part, :, part] = one
        return lifted.reshape((self.length - 1) * width, -1)


class PriorOnlineRidge(PooledRidge):
    """Online ridge that shrinks towards the map of the other groups in place of zero.

    Parameters
    ----------
    length : int
    penalty : float
        Of the map of the others.
    pull : float
        Penalty on what the patient's map differs from it.
    forgetting : float
    """

    def __init__(self, length=16, penalty=300.0, pull=30.0, forgetting=0.999):
        super().__init__(length, penalty)
        self.pull, self.forgetting = pull, forgetting

    def forecast(self, track):
        """From the map of the others to the patient's own."""
        scaled, scale, n_own = self._scaled(track)
        moves = follow(
            scaled, self.steps, self.length, self.pull, self.forgetting, self.lifted(track)
        )
        moves[: n_own - 1] = np.nan
        return moves * scale + track.joint[:, None]


class NLMS(OwnRidge):
    """Normalised least mean squares; length and rate tuned on the own first minute."""

    def forecast(self, track):
        """A map that takes a step with every target seen."""
        scaled, scale, n_own = self._scaled(track)
        Y, best = ahead(scaled, self.steps), None
        for length in (12, 24, 36):
            for rate in (0.002, 0.01, 0.05, 0.2):
                moves = self._run(scaled, Y, length, rate)
                own = slice(n_own // 2, n_own - max(self.steps))
                error = np.mean((moves[own] - Y[own]) ** 2)
                if best is None or error < best[0]:
                    best = error, moves
        moves = best[1]
        moves[: n_own - 1] = np.nan
        return moves * scale + track.joint[:, None]

    def _run(self, scaled, Y, length, rate):
        X = past(scaled, length)
        weights = np.zeros((len(self.steps), X.shape[1], scaled.shape[1]))
        moves = np.full(Y.shape, np.nan)
        for row in range(length - 1, len(X)):
            for place, step in enumerate(self.steps):
                old = row - step
                if old >= length - 1:
                    x = X[old]
                    miss = Y[old, place] - x @ weights[place]
                    weights[place] += rate / (1e-3 + x @ x) * np.outer(x, miss)
            moves[row] = X[row] @ weights
        return moves


class Single:
    """A peer that sees one object at a time; the forecasts side by side.

    Parameters
    ----------
    peer : object
    """

    def __init__(self, peer):
        self.peer = peer

    def fit(self, train, steps):
        """Fit to the objects as if each were a recording of its own."""
        self.peer.fit([single for track in train for single in track.singles()], steps)
        return self

    def forecast(self, track):
        """Each object from its own past."""
        return np.concatenate([self.peer.forecast(single) for single in track.singles()], axis=2)
