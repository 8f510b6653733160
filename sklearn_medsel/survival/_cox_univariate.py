"""Cox models of one gene each, thousands at a time.

All columns take their Newton steps together. A column whose values order the events perfectly has
no finite estimate; it is recognised beforehand, instead of being left to diverge.
"""

import numpy as np
from scipy import stats

from sklearn_medsel.survival._risk_sets import RiskSets

_MAX_STEPS = 50
_MAX_STEP_LENGTH = 2.0  # in standard deviations of the column
_TOLERANCE = 1e-7


class UnivariateLikelihood:
    """Partial likelihoods of many one-column Cox models, as functions of their coefficients.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns), float64
        Standardised columns, 0 where missing.
    present : ndarray of shape (n_samples, n_columns), bool, or None
        Where values are; None if nothing is missing.
    sets : RiskSets
        Of the target; the samples of `X` are in the target's original order.
    ties : {"efron", "breslow"}
        Approximation for events at the same time.
    """

    def __init__(self, X, present, sets, ties):
        self.X = X[sets.order]
        self.present = np.ones((len(X), 1), bool) if present is None else present[sets.order]
        self.sets = sets
        self.use_efron = ties == "efron" and sets.has_ties
        if self.use_efron:
            # one term per event; its risk set has lost a part of those tied with it
            self.fraction = sets.rank_among_ties(self.present)
            self.n_terms = self.present[sets.rows].astype(np.float64)
        else:
            self.n_terms = sets.failing(self.present.astype(np.float64))

    def select(self, columns):
        """Return the likelihood of some of the columns only."""
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part.X = self.X[:, columns]
        for name in ("present", "fraction", "n_terms"):
            values = getattr(self, name, None)
            if values is not None and values.shape[1] > 1:
                setattr(part, name, values[:, columns])
        return part

    def __call__(self, coefficient):
        """Log partial likelihood, its slope and its curvature (negated), one each per column."""
        eta = self.X * coefficient
        eta -= eta.max(axis=0)
        weight = np.exp(eta) * self.present
        weighted = weight * self.X
        total, first, second = (
            self._over_terms(values) for values in (weight, weighted, weighted * self.X)
        )
        total = np.maximum(total, np.finfo(np.float64).tiny)
        mean = first / total
        rows = self.sets.rows
        value = (eta[rows] * self.present[rows]).sum(axis=0)
        value -= (self.n_terms * np.log(total)).sum(axis=0)
        slope = self.X[rows].sum(axis=0) - (self.n_terms * mean).sum(axis=0)
        curvature = (self.n_terms * (second / total - mean**2)).sum(axis=0)
        return value, slope, curvature

    def _over_terms(self, values):
        """Sum over the risk set of each term of the likelihood."""
        sums = self.sets.at_risk(values)
        if not self.use_efron:
            return sums
        index = self.sets.time_of_row
        return sums[index] - self.fraction * self.sets.failing(values)[index]

    def separation(self):
        """Find the columns whose estimate is not finite.

        Returns
        -------
        flat : ndarray of shape (n_columns,), bool
            Whether a column is constant within each risk set, so that it tells nothing.
        direction : ndarray of shape (n_columns,), int
            1 if each event has the largest value of its risk set, so that the estimate is plus
            infinity; -1 if each has the smallest; 0 otherwise.
        """
        rows, starts = self.sets.rows, self.sets.starts[self.sets.time_of_row]
        ignored = ~self.present[rows]
        always_largest = {}
        for sign in (-1, 1):
            values = np.where(self.present, sign * self.X, -np.inf)
            largest = np.maximum.accumulate(values[::-1], axis=0)[::-1][starts]
            always_largest[sign] = ((values[rows] == largest) | ignored).all(axis=0)
        direction = always_largest[1].astype(int) - always_largest[-1].astype(int)
        return always_largest[1] & always_largest[-1], direction

    def limit(self, direction):
        """Log partial likelihood of separated columns where the coefficient is infinite."""
        values = np.where(self.present, direction * self.X, -np.inf)
        starts = self.sets.starts
        n_largest = np.empty((starts.size, self.X.shape[1]))
        for term, start in enumerate(starts):
            at_risk = values[start:]
            n_largest[term] = (at_risk == at_risk.max(axis=0)).sum(axis=0)
        if self.use_efron:
            index = self.sets.time_of_row
            failing = self.sets.failing(self.present.astype(np.float64))[index]
            n_largest = n_largest[index] - self.fraction * failing
        return -(self.n_terms * np.log(np.maximum(n_largest, 1))).sum(axis=0)


def fit_univariate(X, present, event, time, ties):
    """Fit one Cox model per column.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns), float64
        Standardised columns, 0 where missing.
    present : ndarray of shape (n_samples, n_columns), bool, or None
        Where values are; None if nothing is missing.
    event : ndarray of shape (n_samples,), bool
        Whether the event was seen.
    time : ndarray of shape (n_samples,), float64
        Follow-up.
    ties : {"efron", "breslow"}
        Approximation for events at the same time.

    Returns
    -------
    coefficient : ndarray of shape (n_columns,)
        Log hazard ratio per standard deviation; infinite for a column that orders the events
        perfectly, NaN for one that is constant within every risk set.
    standard_error : ndarray of shape (n_columns,)
        NaN where the coefficient is not finite.
    pvalue : ndarray of shape (n_columns,)
        Of Wald's test; of the likelihood-ratio test where the coefficient is infinite.
    """
    likelihood = UnivariateLikelihood(X, present, RiskSets(event, time), ties)
    n_columns = X.shape[1]
    coefficient, error, pvalue = np.full((3, n_columns), np.nan)

    flat, direction = likelihood.separation()
    separated = np.flatnonzero(direction)
    if separated.size:
        coefficient[separated] = direction[separated] * np.inf
        part = likelihood.select(separated)
        at_zero = part(np.zeros(separated.size))[0]
        ratio = np.maximum(2 * (part.limit(direction[separated]) - at_zero), 0)
        pvalue[separated] = stats.chi2.sf(ratio, 1)

    regular = np.flatnonzero(~flat & (direction == 0))
    if regular.size:
        estimate, curvature = maximise(likelihood.select(regular))
        coefficient[regular], error[regular] = estimate, 1 / np.sqrt(curvature)
        pvalue[regular] = 2 * stats.norm.sf(np.abs(estimate) * np.sqrt(curvature))
    return coefficient, error, pvalue


def maximise(likelihood):
    """Newton's method with step halving, all columns at once.

    Parameters
    ----------
    likelihood : UnivariateLikelihood
        Of columns with a finite maximum.

    Returns
    -------
    coefficient : ndarray of shape (n_columns,)
        Where each likelihood is largest.
    curvature : ndarray of shape (n_columns,)
        Observed information there.
    """
    n_columns = likelihood.X.shape[1]
    best = np.zeros(n_columns)
    value, slope, information = likelihood(best)
    step = _newton_step(slope, information)
    active = np.arange(n_columns)
    part = likelihood
    for _ in range(_MAX_STEPS):
        new_value, new_slope, new_information = part(best[active] + step[active])
        better = new_value >= value[active] - 1e-10 * np.abs(value[active])
        moved = active[better]
        best[moved] += step[moved]
        value[moved], information[moved] = new_value[better], new_information[better]
        step[moved] = _newton_step(new_slope[better], new_information[better])
        step[active[~better]] /= 2
        unfinished = np.abs(step[active]) > _TOLERANCE * (1 + np.abs(best[active]))
        if not unfinished.any():
            break
        if not unfinished.all():
            active = active[unfinished]
            part = part.select(unfinished)
    return best + step, information  # step: what is left to go, below the tolerance


def _newton_step(slope, information):
    step = slope / np.maximum(information, 1e-12)
    return np.clip(step, -_MAX_STEP_LENGTH, _MAX_STEP_LENGTH)
