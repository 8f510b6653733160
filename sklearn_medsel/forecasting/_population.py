"""Learn from training patients what is known before a new patient comes.

Every number that will judge a new patient (weights of the experts, usual errors) is taken from
patients that the ridge regression at that moment has not seen: each is followed with the
statistics of the others.
"""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_medsel.forecasting._alignment import truth_at
from sklearn_medsel.forecasting._follower import MotionFollower, MotionModel
from sklearn_medsel.forecasting._mixture import simplex_minimum
from sklearn_medsel.forecasting._motion import MotionBasis, MotionTrace
from sklearn_medsel.forecasting._ridge import PopulationRidge

_N_USUAL = 120  # errors kept to stand in for a new patient's own
_LEARNED_SHARE = 0.25  # of the weight of the ridge: what the transformer starts with


@dataclass(frozen=True)
class Path:
    """Positions of one patient without a gap.

    Attributes
    ----------
    patient : object
    t : ndarray of shape (n,)
        In s.
    seen : ndarray of shape (n, n_dims)
        Positions as the forecaster sees them, in mm; NaN where it sees none.
    truth : ndarray of shape (n, n_dims)
        What is to be forecast, in mm; NaN where unknown.
    doubt : ndarray of shape (n,) or None
        Variance of the positions seen, summed over the axes, in mm^2; None: they are exact.
    """

    patient: object
    t: np.ndarray
    seen: np.ndarray
    truth: np.ndarray
    doubt: np.ndarray | None = None


@dataclass(frozen=True)
class PopulationTeacher:
    """Makes a `MotionModel` of training paths.

    Attributes
    ----------
    basis : MotionBasis
    horizons : ndarray of shape (n_horizons,)
        In s, in order; with the interval between samples.
    coverage : float
    adapts : bool
        Whether the ridge becomes a new patient's own.
    seed : int
        Puts the usual errors in some order.
    """

    basis: MotionBasis
    horizons: np.ndarray
    coverage: float
    adapts: bool
    seed: int

    @property
    def longest_gap(self):
        """Time between samples, in s, over which a path is not continued."""
        return max(3 * self.basis.interval, 1.0)

    @property
    def window_ages(self):
        """Times before now, in s, of what the transformer reads."""
        return np.append(self.basis.lags[::-1], 0.0)

    def teach(self, paths, experts, tick):
        """Learn from paths; ``tick()`` is called twice for each.

        Parameters
        ----------
        paths : list of Path
        experts : tuple of str
            Persistence, ridge or both.
        tick : callable

        Returns
        -------
        model : MotionModel
        followed : list of list of Step or None
            What happened along each path, followed with the statistics of other patients.

        Raises
        ------
        ValueError
            If no path is as long as the history and the longest horizon.
        """
        n_dims, scale = paths[0].truth.shape[1], _usual_scale(paths)
        parts = []
        for path in paths:
            parts.append(_statistics(path, self, scale))
            tick()
        if not any(part.n_samples for part in parts):
            raise ValueError(
                f"X has fewer steps than the history: no stretch of "
                f"{self.basis.history + self.horizons[-1]:.3g} s (history and the longest horizon) "
                "with known positions and without a gap. Give longer recordings, or a shorter "
                "history."
            )
        start = np.zeros((len(self.horizons), len(experts)))
        start[:, -1] = 1  # the ridge, where there is one
        model = MotionModel(
            basis=self.basis,
            horizons=self.horizons,
            experts=experts,
            scale=scale,
            population=PopulationRidge.pool(parts, n_dims),
            weights=start,
            usual_errors=np.empty((len(self.horizons), 0)),
            longest_gap=self.longest_gap,
            step_variance=1.0,
            doubt_gain=np.zeros(len(self.horizons)),
            coverage=self.coverage,
            adapts=self.adapts,
            window_ages=self.window_ages,
        )
        followed = []
        for path in paths:
            others = [p for p, o in zip(parts, paths, strict=True) if o.patient != path.patient]
            # of one patient alone there are no others to learn from
            known = others if any(part.n_samples for part in others) else parts
            population = PopulationRidge.pool(known, n_dims)
            followed.append(follow_path(replace(model, population=population), path))
            tick()
        model = self._judge(model, *_errors(paths, followed, self.horizons))
        if paths[0].doubt is not None:
            gain = _doubt_gain(paths, followed, self.horizons, self.coverage)
            model = replace(model, doubt_gain=gain)
        return replace(model, window_ages=None), followed

    def _judge(self, model, errors, scales):
        """Set the weights and the usual errors that a new patient starts with."""
        model = replace(model, weights=_weights(errors, scales, model.weights))
        shortest = np.einsum("e,ned->nd", model.weights[0], errors[:, :, 0])
        rng = np.random.default_rng(self.seed)
        return replace(
            model,
            usual_errors=_usual_errors(model, errors, scales, rng),
            step_variance=float(np.mean((shortest / scales[:, None]) ** 2)),
        )


def add_learned(model, experts, learned):
    """Add the Transformer to a model.

    How well it does in its own training tells little, so a new patient starts with a part of the
    ridge's weight on it, or all of the weight where it is the only one.

    Parameters
    ----------
    model : MotionModel
        With the other experts, in order.
    experts : tuple of str
        All of them, the transformer last.
    learned : LearnedExpert

    Returns
    -------
    MotionModel
    """
    if experts == ("transformer",):
        weights = np.ones((len(model.horizons), 1))
    else:
        share = _LEARNED_SHARE * model.weights[:, -1:]
        weights = np.hstack([model.weights[:, :-1], model.weights[:, -1:] - share, share])
    return replace(model, experts=experts, learned=learned, weights=weights)


def follow_path(model, path):
    """Follow one path; list of Step, or None where nothing is known, one per sample."""
    follower = MotionFollower(model, path.seen.shape[1])
    doubt = np.zeros(len(path.t)) if path.doubt is None else path.doubt
    steps = [follower.follow(*row) for row in zip(path.t, path.seen, doubt, strict=True)]
    # features are the bulk of a step, and the follower alone needs them
    return [None if step is None else replace(step, features=None) for step in steps]


def _usual_scale(paths):
    """Median amplitude of the paths, in mm."""
    scales = [np.sqrt(np.nanmean(np.nanvar(path.truth, axis=0))) for path in paths]
    scale = float(np.nanmedian(scales))
    return scale if scale > 0 else 1.0


def _statistics(path, teacher, scale):
    """Products of features and displacements along one path."""
    basis = teacher.basis
    trace = MotionTrace(basis, path.seen.shape[1], scale)
    truth = truth_at(path.truth, path.t, 0, teacher.horizons)
    features, targets = [], []
    for row in np.flatnonzero(np.isfinite(path.seen).all(axis=1)):
        if len(trace) and path.t[row] - trace.t > teacher.longest_gap:
            trace.restart()
        trace.add(path.t[row], path.seen[row])
        if trace.elapsed >= basis.history - 1e-9 and np.isfinite(truth[row]).all():
            features.append(basis.describe(trace))
            targets.append((truth[row] - trace.position) / trace.scale)
    n, n_horizons, n_dims = len(features), len(teacher.horizons), path.seen.shape[1]
    features = np.array(features).reshape(n, basis.n_features, n_dims)
    return PopulationRidge.of_samples(features, np.array(targets).reshape(n, n_horizons, n_dims))


def _errors(paths, followed, horizons):
    """Errors (n, n_experts, n_horizons, n_dims) of the experts in mm, and amplitudes (n,)."""
    errors, scales = [], []
    for path, steps in zip(paths, followed, strict=True):
        truth = truth_at(path.truth, path.t, 0, horizons)
        for step, true in zip(steps, truth, strict=True):
            if step is not None and np.isfinite(true).all():
                errors.append(step.experts - true)
                scales.append(step.scale)
    return np.array(errors), np.array(scales)


def _weights(errors, scales, start):
    """Weights of the experts that would have been best for the training patients."""
    errors = errors / scales[:, None, None, None]
    products = np.einsum("nehd,nfhd->hef", errors, errors) / len(errors)
    pull = 0.5 * products.diagonal(axis1=1, axis2=2).min(axis=1)
    eye = np.eye(products.shape[1])
    return np.array(
        [
            simplex_minimum(part + p * eye, p * s)
            for part, p, s in zip(products, pull, start, strict=True)
        ]
    )


def _usual_errors(model, errors, scales, rng):
    """Quantiles of the mixture's errors in units of amplitude, in random order."""
    mixed = np.einsum("he,nehd->nhd", model.weights, errors)
    sizes = np.linalg.norm(mixed, axis=2) / scales[:, None]
    levels = (np.arange(_N_USUAL) + 0.5) / _N_USUAL
    return np.quantile(sizes, rng.permutation(levels), axis=0).T.copy()


def _doubt_gain(paths, followed, horizons, coverage):
    """Smallest gain per horizon with which the radius holds the truth as often as promised."""
    parts = []
    for path, steps in zip(paths, followed, strict=True):
        truth = truth_at(path.truth, path.t, 0, horizons)
        for step, true, doubt in zip(steps, truth, path.doubt, strict=True):
            if step is not None and step.observed and np.isfinite(true).all():
                square = ((step.forecast - true) ** 2).sum(axis=1)
                parts.append((square - step.own_radius**2) / max(doubt, 1e-6))
    parts = np.array(parts)
    parts = parts[np.isfinite(parts).all(axis=1)]
    if not len(parts):
        return np.zeros(len(horizons))
    return np.maximum(np.quantile(parts, coverage, axis=0), 0.0)
