"""Follow one patient: from positions, one after the other, to forecasts of the next second.

Everything that is learnt on the way (the patient's ridge, the weights of the experts, the radius)
uses a forecast only once its truth has been seen. Prediction on recordings and on a live stream
both run through here, so they are the same.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from sklearn_medsel.forecasting._learned_expert import read_window
from sklearn_medsel.forecasting._mixture import ExpertMixture
from sklearn_medsel.forecasting._motion import MotionBasis, MotionTrace
from sklearn_medsel.forecasting._radius import AdaptiveRadius
from sklearn_medsel.forecasting._ridge import PatientRidge, PopulationRidge

_ERROR_MEMORY = 50  # samples over which the error of the shortest forecast is averaged


@dataclass(frozen=True)
class MotionModel:
    """What is known before a patient comes.

    Attributes
    ----------
    basis : MotionBasis
    horizons : ndarray of shape (n_horizons,)
        In s, the user's; before them stands the interval between samples, which carries the
        position over a lost frame.
    experts : tuple of str
        Among "persistence", "ridge" and "transformer".
    scale : float
        Usual amplitude, mm.
    population : PopulationRidge
    weights : ndarray of shape (n_horizons, n_experts)
        Of the experts, to start with.
    usual_errors : ndarray of shape (n_horizons, n_usual)
        Errors of the mixture in training patients, in units of their amplitudes.
    longest_gap : float
        Time between samples, in s, over which a path is not continued.
    step_variance : float
        Mean squared error per axis of the shortest forecast, in units of the squared amplitude.
    doubt_gain : ndarray of shape (n_horizons,)
        How much of the variance of positions found in frames goes into the squared radius: errors
        seen in a patient are against found positions, not against the truth.
    coverage : float
    adapts : bool
        Whether the ridge becomes the patient's own.
    learned : LearnedExpert or None
        The expert "transformer".
    window_ages : ndarray or None
        Times before now, in s, of the window that each step keeps; None: it keeps none.
    """

    basis: MotionBasis
    horizons: np.ndarray
    experts: tuple
    scale: float
    population: PopulationRidge
    weights: np.ndarray
    usual_errors: np.ndarray
    longest_gap: float
    step_variance: float
    doubt_gain: np.ndarray
    coverage: float = 0.9
    adapts: bool = True
    learned: object = None
    window_ages: np.ndarray | None = None

    def __deepcopy__(self, memo):
        """Return itself: it never changes, and copies of sessions share it."""
        return self


@dataclass(frozen=True)
class Step:
    """One moment: forecasts made, and what they were made from.

    Attributes
    ----------
    t : float
    position : ndarray of shape (n_dims,)
        Where the target is now, in mm.
    scale : float
        Amplitude, in mm.
    features : ndarray of shape (n_features, n_dims)
    experts : ndarray of shape (n_experts, n_horizons, n_dims)
        Positions forecast by each expert, in mm.
    forecast : ndarray of shape (n_horizons, n_dims)
        Position forecast by their mixture, in mm.
    own_radius : ndarray of shape (n_horizons,)
        Radius that holds the positions found later, in mm.
    radius : ndarray of shape (n_horizons,)
        Radius that holds the truth, in mm.
    observed : bool
        Whether the position was seen and not carried on.
    window : tuple of ndarray or None
        Past positions relative to now, and which of them exist; see `read_window`.
    base : ndarray of shape (n_horizons, n_dims)
        Displacement from now that the ridge forecasts, in mm.
    hidden : tuple or None
        What the last layer of the transformer read, and its unit.
    """

    t: float
    position: np.ndarray
    scale: float
    features: np.ndarray
    experts: np.ndarray
    forecast: np.ndarray
    own_radius: np.ndarray
    radius: np.ndarray
    observed: bool
    window: tuple | None = None
    base: np.ndarray | None = None
    hidden: tuple | None = None


class MotionFollower:
    """Forecasts for one patient, sample by sample.

    Parameters
    ----------
    model : MotionModel
        What is known before.
    n_dims : int
        Axes of a position.
    networks : list of OnnxNetwork or None, default=None
        Networks of the transformer, where they do not run in torch.
    """

    def __init__(self, model, n_dims, networks=None):
        self.model, self._n_dims = model, n_dims
        self.trace = MotionTrace(model.basis, n_dims, model.scale, 2 * model.horizons[-1])
        self._ridge = PatientRidge(model.population)
        self._mixture = ExpertMixture(model.weights)
        self._radii = [AdaptiveRadius(model.coverage, usual) for usual in model.usual_errors]
        self._learned = None if model.learned is None else model.learned.start(networks)
        self._waiting = [deque() for _ in model.horizons]
        self._to_learn = deque()
        self._seen = None  # time of the last position that was observed
        self._variance = np.full(n_dims, np.nan)
        self.step = None

    def expect(self, t):
        """Position expected at a time from the last forecast, and its variance per axis (mm^2).

        Both NaN where nothing is known, as at the start or after a gap.
        """
        unknown = np.full(self._n_dims, np.nan)
        if self.step is None or t - self._seen > self.model.longest_gap:
            return unknown, unknown
        times = self.step.t + np.concatenate([[0.0], self.model.horizons])
        path = np.vstack([self.step.position, self.step.forecast])
        position = np.array([np.interp(t, times, axis) for axis in path.T])
        # errors against found positions look smaller than they are: not below what is usual
        variance = np.fmax(self._variance, self.model.step_variance * self.step.scale**2)
        return position, variance * max(1.0, (t - self._seen) / self.model.basis.interval) ** 2

    def follow(self, t, position=None, doubt=0.0, use_network=True):
        """Take the position at time `t`, or none if it was not seen, and forecast.

        Parameters
        ----------
        t : float
            In s.
        position : ndarray of shape (n_dims,) or None, default=None
            In mm.
        doubt : float, default=0.0
            Its variance, summed over the axes, in mm^2.
        use_network : bool, default=True
            Whether the transformer takes part.

        Returns
        -------
        Step or None
            None while no position is known.
        """
        expected, _ = self.expect(t)
        observed = position is not None and bool(np.isfinite(position).all())
        if self.step is not None and np.isnan(expected).all():
            self._break()
        if not observed:
            position = expected
        if np.isnan(position).any():
            return None
        self.trace.add(t, position, observed)
        if observed:
            self._seen = t
            self._learn(t)
        self.step = self._forecast(t, observed, doubt if np.isfinite(doubt) else 0.0, use_network)
        if observed:
            self._remember(self.step)
        return self.step

    def believed(self, t):
        """Position (n_dims,) that was believed at an earlier time; None if there was none."""
        return self.trace.at([t])[0] if len(self.trace) else None

    def correct(self, t, position):
        """Put a true position in place of what was believed at time `t`."""
        self.trace.correct(t, np.asarray(position, float))

    def _break(self):
        """Begin a new path; what was learnt about the patient stays."""
        self.trace.restart()
        for waiting in (*self._waiting, self._to_learn):
            waiting.clear()
        self.step = None

    def _forecast(self, t, observed, doubt, use_network):
        model, trace = self.model, self.trace
        features, scale = model.basis.describe(trace), trace.scale
        position = trace.position.copy()
        ridge = self._ridge.forecast(features, len(model.horizons))
        moves = {"persistence": np.zeros_like(ridge), "ridge": scale * ridge}
        hidden = None
        if self._learned is not None:
            base = moves["ridge"]
            moves["transformer"] = base
            if use_network:
                hidden = self._learned.describe(trace, base)
                moves["transformer"] = self._learned.forecast(*hidden, base)
        experts = position + np.stack([moves[name] for name in model.experts])
        ages = model.window_ages
        own_radius = np.array([part.radius(scale) for part in self._radii])
        return Step(
            t=t,
            position=position,
            scale=scale,
            features=features,
            experts=experts,
            forecast=self._mixture.mix(experts),
            own_radius=own_radius,
            radius=self._radius_now(t, np.hypot(own_radius, np.sqrt(model.doubt_gain * doubt))),
            observed=observed,
            window=None if ages is None else read_window(trace, ages),
            base=moves["ridge"],
            hidden=hidden,
        )

    def _radius_now(self, t, radius):
        """Radius per horizon; after a lost frame, that of a forecast from the last one seen."""
        age = t - self._seen
        if age <= 0:
            return radius
        horizons = np.concatenate([[0.0], self.model.horizons])
        # horizons learn apart; yet what is longer unseen is never better known
        radius = np.maximum.accumulate(np.concatenate([[0.0], radius]))
        reached = self.model.horizons + age
        beyond = np.maximum(reached - horizons[-1], 0) / horizons[-1]
        return np.interp(reached, horizons, radius) + beyond * radius[-1]

    def _remember(self, step):
        for waiting in self._waiting:
            waiting.append(step)
        if self.trace.elapsed >= self.model.basis.history - 1e-9:
            self._to_learn.append(step)

    def _learn(self, t):
        """Learn from every forecast whose truth is known by now."""
        model = self.model
        for h, horizon in enumerate(model.horizons):
            waiting = self._waiting[h]
            while waiting and waiting[0].t + horizon <= t + 1e-6:
                step = waiting.popleft()
                truth = self.trace.observed_at(step.t + horizon, model.longest_gap)
                if truth is not None:
                    self._judge(t, h, step, truth)
        longest = model.horizons[-1]
        while self._to_learn and self._to_learn[0].t + longest <= t + 1e-6:
            step = self._to_learn.popleft()
            truths = [
                self.trace.observed_at(step.t + horizon, model.longest_gap)
                for horizon in model.horizons
            ]
            if model.adapts and all(truth is not None for truth in truths):
                moves = np.array(truths) - step.position
                self._ridge.learn(t, step.features, moves / step.scale)
                if step.hidden is not None:
                    self._learned.learn(t, *step.hidden, step.base, moves)

    def _judge(self, t, horizon, step, truth):
        """Use one forecast that came due for the weights, the radius and the variance."""
        self._mixture.learn(t, horizon, step.experts[:, horizon] - truth)
        miss = step.forecast[horizon] - truth
        self._radii[horizon].learn(float(np.linalg.norm(miss)), step.own_radius[horizon])
        if horizon == 0:
            square = miss**2
            known = np.where(np.isnan(self._variance), square, self._variance)
            self._variance = known + (square - known) / _ERROR_MEMORY
