"""Partial likelihood of one Cox model of several columns, and its maximum."""

import numpy as np
from scipy import linalg, stats

from sklearn_medsel.survival._clusters import sum_clusters

_MAX_STEPS = 100
_MAX_STEP_LENGTH = 3.0  # in standard deviations of a column
_LARGEST_SPREAD = 500.0  # of the log hazard between samples; exp of more underflows


class CoxLikelihood:
    """Penalised partial likelihood of one Cox model.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns), float64
        Standardised columns, linearly independent unless penalised.
    sets : RiskSets
        Of the target; the samples of `X` are in the target's original order.
    ties : {"efron", "breslow"}
        Approximation for events at the same time.
    penalty : ndarray of shape (n_columns,)
        Ridge penalty of each coefficient.
    """

    def __init__(self, X, sets, ties, penalty):
        self.X, self.sets, self.ties, self.penalty = X[sets.order], sets, ties, penalty
        ones = np.ones((len(X), 1))
        if ties == "efron":
            self.fraction = sets.rank_among_ties(ones)
        else:
            self.fraction = np.zeros((sets.rows.size, 1))

    def fit(self, clusters=None):
        """Estimates, standard errors, p-values, and which of the estimates are infinite.

        With `clusters` (n_samples,), int, standard errors are those of Lin and Wei.
        """
        coefficient, value, step, information = self._maximise()
        infinite = np.abs(step) > 1e-3
        covariance = linalg.pinvh(information)
        if clusters is not None:
            of_clusters = sum_clusters(self.score_residuals(coefficient), clusters)
            covariance = covariance @ (of_clusters.T @ of_clusters) @ covariance
        error = np.sqrt(np.maximum(np.diag(covariance), 0))
        pvalue = 2 * stats.norm.sf(np.abs(coefficient) / np.where(error > 0, error, np.nan))
        for column in np.flatnonzero(infinite):
            ratio = max(2 * (value - self._value_without(column)), 0.0)
            pvalue[column] = stats.chi2.sf(ratio, 1)
        error[infinite] = np.nan
        coefficient[infinite] = np.sign(step[infinite]) * np.inf
        return coefficient, error, pvalue, infinite

    def _maximise(self):
        """Newton's method with step halving.

        A finite maximum is approached ever faster, so the last step is tiny. Towards an infinite
        one the gain vanishes, or the predictor outgrows floating point, while the steps stay long.
        """
        best = np.zeros(self.X.shape[1])
        value, slope, information = self(best)
        for _ in range(_MAX_STEPS):
            step = np.linalg.lstsq(information, slope, rcond=None)[0]
            longest = np.abs(step).max()
            if longest < 1e-9:
                return best + step, value, step, information
            step *= min(1.0, _MAX_STEP_LENGTH / longest)
            for _ in range(20):
                new = self(best + step)
                if new[0] >= value - 1e-12 * abs(value):
                    break
                step /= 2
            best, gain = best + step, new[0] - value
            value, slope, information = new
            diverging = gain < 1e-9 and longest > 0.01
            if diverging or np.ptp(self.X @ best) > _LARGEST_SPREAD:
                break
        return best, value, step, information

    def _value_without(self, column):
        other = np.delete(np.arange(self.X.shape[1]), column)
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__, X=self.X[:, other], penalty=self.penalty[other])
        return part._maximise()[1] if other.size else part(np.empty(0))[0]

    def __call__(self, coefficient):
        """Log likelihood, its gradient and its negated Hessian."""
        sets, X = self.sets, self.X
        eta, weight, total, mean = self._terms(coefficient)
        value = eta[sets.rows].sum() - np.log(total).sum()
        value -= (self.penalty * coefficient**2).sum() / 2
        slope = X[sets.rows].sum(axis=0) - mean.sum(axis=0) - self.penalty * coefficient
        hazard = weight * self._cumulative(1 / total)
        information = X.T @ (hazard * X) - mean.T @ mean + np.diag(self.penalty)
        return value, slope, information

    def _terms(self, coefficient):
        """Log hazards and hazards of samples; their total and mean column at every event."""
        eta = self.X @ coefficient
        eta -= eta.max()
        weight = np.exp(eta)[:, None]
        total = np.maximum(self._over_terms(weight), np.finfo(np.float64).tiny)
        return eta, weight, total, self._over_terms(weight * self.X) / total

    def score_residuals(self, coefficient):
        """What each sample adds to the gradient, without the penalty (n_samples, n_columns).

        In the order of the samples as given. They sum to zero at the maximum.
        """
        sets, X = self.sets, self.X
        _, weight, total, mean = self._terms(coefficient)
        residuals = -weight * (X * self._cumulative(1 / total) - self._cumulative(mean / total))
        # those who fail together share the mean columns of their terms
        n_tied = np.bincount(sets.time_of_row)[:, None]
        shared = np.zeros((sets.times.size, X.shape[1]))
        np.add.at(shared, sets.time_of_row, mean)
        residuals[sets.rows] += X[sets.rows] - (shared / n_tied)[sets.time_of_row]
        given = np.empty_like(residuals)
        given[sets.order] = residuals
        return given

    def _over_terms(self, values):
        index = self.sets.time_of_row
        sums = self.sets.at_risk(values)[index]
        if self.fraction.any():
            sums -= self.fraction * self.sets.failing(values)[index]
        return sums

    def _cumulative(self, values):
        """Sum values of events (n_events, n) while each sample is at risk (n_samples, n).

        Samples that fail are at risk for a part of the events tied with theirs only.
        """
        sets = self.sets
        at_time = np.zeros((1 + sets.times.size, values.shape[1]))
        spared = np.zeros((sets.times.size, values.shape[1]))
        np.add.at(at_time, sets.time_of_row + 1, values)
        np.add.at(spared, sets.time_of_row, self.fraction * values)
        seen = np.searchsorted(sets.starts, np.arange(len(self.X)), side="right")
        summed = np.cumsum(at_time, axis=0)[seen]
        summed[sets.rows] -= spared[sets.time_of_row]
        return summed
