"""Kaplan-Meier curves and log-rank tests, for one grouping and for thousands of splits."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, RealNotInt, validate_params

from sklearn_medsel._validation import check_labels, check_survival_y
from sklearn_medsel.survival._clusters import check_clusters, sum_clusters
from sklearn_medsel.survival._risk_sets import RiskSets

_TIMES_PER_BLOCK = 256  # limits the memory


class LogrankResult(NamedTuple):
    """Outcome of a log-rank test, a named tuple.

    Parameters
    ----------
    statistic : float
        Chi-squared statistic.
    pvalue : float
        Probability of a statistic this large if all groups have the same survival.
    degrees_of_freedom : int
        Number of groups that were ever at risk at an event, minus one.
    """

    statistic: float
    pvalue: float
    degrees_of_freedom: int


@validate_params(
    {"confidence": [Interval(RealNotInt, 0, 1, closed="neither")]},
    prefer_skip_nested_validation=True,
)
def kaplan_meier(y, *, confidence=0.95, clusters=None):
    """Estimate the survival curve of one group of samples.

    Parameters
    ----------
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of each sample, see `make_survival_y`. No events at all is not an error
        here: the curve then stays at one.
    confidence : float, default=0.95
        Level of the pointwise interval, between 0 and 1.
    clusters : array-like of shape (n_samples,) or None, default=None
        Labels; samples that share one, such as those of one patient, need not be independent. The
        variance of the interval is then a sum over clusters.

    Returns
    -------
    DataFrame
        One row per distinct time in `y`, ascending, with the columns

        time : float64
            In the unit of `y`.
        at_risk, events, censored : int64
            Samples under observation just before that time, and those that left at it.
        survival : float64
            Probability of no event up to and including that time.
        ci_low, ci_high : float64
            Interval on the scale log(-log(survival)), so that it stays between 0 and 1 [2]_. NaN
            where survival is 0, since the variance is not defined there.

    Raises
    ------
    ValueError
        If `y` is not a valid survival target, `confidence` is not between 0 and 1, or `clusters`
        has another length or a missing value.

    See Also
    --------
    KaplanMeierDisplay : Plot the curves of several groups.
    logrank_test : Test whether the curves of groups differ.

    References
    ----------
    .. [1] Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat
       Assoc 1958;53:457-481.
    .. [2] Kalbfleisch JD, Prentice RL. The Statistical Analysis of Failure Time Data. Wiley, 1980.

    Examples
    --------
    >>> from sklearn_medsel.survival import kaplan_meier, make_survival_y
    >>> y = make_survival_y([1, 0, 1, 1, 0], [2, 3, 5, 5, 8])
    >>> kaplan_meier(y)[["time", "at_risk", "events", "survival"]].round(3)
       time  at_risk  events  survival
    0   2.0        5       1     0.800
    1   3.0        4       0     0.800
    2   5.0        3       2     0.267
    3   8.0        1       0     0.267
    """
    event, time = check_survival_y(y, require_events=False)
    clusters = check_clusters(clusters, time.size)
    times, index = np.unique(time, return_inverse=True)
    leaving = np.bincount(index, minlength=times.size)
    events = np.bincount(index[event], minlength=times.size)
    at_risk = leaving[::-1].cumsum()[::-1]

    survival = np.cumprod(1 - events / at_risk)
    # Greenwood's variance of log(survival); once everybody failed it is infinite
    with np.errstate(divide="ignore", invalid="ignore"):
        if clusters is None:
            spread = np.sqrt(np.cumsum(events / (at_risk * (at_risk - events))))
        else:
            spread = _clustered_spread(event, index, events, at_risk, clusters)
    low, high = _loglog_interval(survival, spread, confidence)
    return pd.DataFrame(
        {
            "time": times,
            "at_risk": at_risk,
            "events": events,
            "censored": leaving - events,
            "survival": survival,
            "ci_low": low,
            "ci_high": high,
        }
    )


def _clustered_spread(event, index, events, at_risk, clusters):
    """Standard error of log(survival), from what each cluster adds to it at each time.

    A sample adds 1 / (at risk - events) if it fails, and takes away the hazard it was exposed to.
    The squares, were all samples clusters of their own, sum to Greenwood's variance.
    """
    exposed = np.cumsum(events / (at_risk * (at_risk - events)))
    failed = np.where(event, 1 / (at_risk - events)[index], 0.0)
    variance = np.empty(len(events))
    for block in gen_batches(len(events), _TIMES_PER_BLOCK):
        now = np.arange(len(events))[block]
        gone = np.where(index[:, None] <= now, failed[:, None], 0.0)
        added = gone - exposed[np.minimum(index[:, None], now)]
        variance[block] = (sum_clusters(added, clusters) ** 2).sum(axis=0)
    return np.sqrt(variance)


def _loglog_interval(survival, spread, confidence):
    """Pointwise interval of a survival curve from the standard error of its logarithm."""
    low, high = np.ones_like(survival), np.ones_like(survival)
    low[survival == 0] = high[survival == 0] = np.nan
    inner = (survival > 0) & (survival < 1)
    log_survival = np.log(survival[inner])
    factor = np.exp(stats.norm.isf((1 - confidence) / 2) * spread[inner] / -log_survival)
    low[inner] = np.exp(log_survival * factor)
    high[inner] = np.exp(log_survival / factor)
    return low, high


def logrank_test(y, group, *, clusters=None):
    """Test whether groups of samples have the same survival.

    Parameters
    ----------
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of each sample, see `make_survival_y`.
    group : array-like of shape (n_samples,)
        Group of each sample: strings, numbers, Booleans or categories; at least two different.
    clusters : array-like of shape (n_samples,) or None, default=None
        Labels; samples that share one, such as those of one patient, need not be independent. The
        variance is then a sum over clusters [2]_.

    Returns
    -------
    LogrankResult
        Named tuple ``(statistic, pvalue, degrees_of_freedom)``. A group that was gone before the
        first event takes no part. If nothing is left to compare, the statistic is 0 and the
        p-value 1.

    Raises
    ------
    ValueError
        If `y` is not a valid survival target, a group or cluster is missing, the lengths differ or
        there is only one group.

    See Also
    --------
    prognostic_check : Log-rank tests of many genes, and what random genes would give.

    References
    ----------
    .. [1] Mantel N. Evaluation of survival data and two new rank order statistics arising in its
       consideration. Cancer Chemother Rep 1966;50:163-170.
    .. [2] Lin DY, Wei LJ. The robust inference for the Cox proportional hazards model. J Am Stat
       Assoc 1989;84:1074-1078. At a hazard ratio of one.

    Examples
    --------
    >>> from sklearn_medsel.survival import logrank_test, make_survival_y
    >>> y = make_survival_y([1, 1, 1, 0, 1, 1, 0, 0], [2, 3, 4, 9, 6, 7, 8, 9])
    >>> result = logrank_test(y, ["a", "a", "a", "b", "a", "b", "b", "b"])
    >>> round(result.statistic, 2), round(result.pvalue, 4), result.degrees_of_freedom
    (7.34, 0.0067, 1)
    """
    event, time = check_survival_y(y)
    clusters = check_clusters(clusters, time.size)
    code, labels = check_group(group, time.size)
    if len(labels) < 2:
        raise ValueError(f"group holds one group only ({labels[0]!r}); the test needs two or more.")
    sets = RiskSets(event, time)
    member = (code[sets.order, None] == np.arange(len(labels))).astype(np.float64)

    in_group, n_at_risk = sets.at_risk(member), sets.at_risk(np.ones((time.size, 1)))
    n_events = sets.failing(np.ones((time.size, 1)))
    share = in_group / n_at_risk
    excess = (sets.failing(member) - n_events * share).sum(axis=0)
    if clusters is None:
        weight = n_events * _tie_correction(n_events, n_at_risk)
        covariance = np.diag((weight * share).sum(axis=0)) - (weight * share).T @ share
    else:
        added = sum_clusters(_excess_of_samples(sets, member, share), clusters[sets.order])
        covariance = added.T @ added

    takes_part = in_group[0] > 0
    degrees = int(takes_part.sum()) - 1
    if degrees < 1:
        return LogrankResult(0.0, 1.0, 0)
    kept = np.flatnonzero(takes_part)[1:]
    # pinv: the covariance is zero if at each event time all samples at risk fail together
    inverse = np.linalg.pinv(covariance[np.ix_(kept, kept)], hermitian=True)
    statistic = max(float(excess[kept] @ inverse @ excess[kept]), 0.0)
    return LogrankResult(statistic, float(stats.chi2.sf(statistic, degrees)), degrees)


def _excess_of_samples(sets, member, share):
    """What each sample, in order of time, adds to the excess of each group (n_samples, n_groups).

    Its own event, less the hazard it was exposed to, both as far from the mean of those at risk.
    """
    ones = np.ones((len(member), 1))
    hazard = sets.failing(ones) / sets.at_risk(ones)
    seen = np.searchsorted(sets.starts, np.arange(len(member)), side="right")
    exposed, exposed_share = (
        np.vstack([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])[seen]
        for values in (hazard, hazard * share)
    )
    added = exposed_share - member * exposed
    added[sets.rows] += member[sets.rows] - share[sets.time_of_row]
    return added


def logrank_splits(split, event, time, *, present=None, block_size=1024):
    """Two-group log-rank tests of many splits of the same samples.

    Parameters
    ----------
    split : ndarray of shape (n_samples, n_splits), bool
        Which samples are in the first group of each split.
    event : ndarray of shape (n_samples,), bool
        Whether the event was seen.
    time : ndarray of shape (n_samples,), float64
        Follow-up.
    present : ndarray of shape (n_samples, n_splits), bool, or None
        Which samples a split counts; None counts all.
    block_size : int, default=1024
        Splits per block; limits the memory.

    Returns
    -------
    statistic : ndarray of shape (n_splits,), float64
        Chi-squared statistics with one degree of freedom; NaN where a group is empty.
    pvalue : ndarray of shape (n_splits,), float64
        Their p-values; NaN likewise.
    """
    sets = RiskSets(event, time)
    split = split[sets.order]
    present = np.ones((time.size, 1), bool) if present is None else present[sets.order]
    statistic = np.empty(split.shape[1])
    for block in gen_batches(split.shape[1], block_size):
        counted = present if present.shape[1] == 1 else present[:, block]
        statistic[block] = _logrank_block(sets, split[:, block], counted)
    return statistic, stats.chi2.sf(statistic, 1)


def _logrank_block(sets, split, present):
    split = split & present
    empty = ~split.any(axis=0) | (split == present).all(axis=0)
    split, present = split.astype(np.float64), present.astype(np.float64)
    in_group, n_at_risk = sets.at_risk(split), sets.at_risk(present)
    n_events = sets.failing(present)
    share = np.divide(in_group, n_at_risk, out=np.zeros_like(in_group), where=n_at_risk > 0)
    excess = (sets.failing(split) - n_events * share).sum(axis=0)
    weight = n_events * _tie_correction(n_events, n_at_risk)
    variance = (weight * share * (1 - share)).sum(axis=0)
    statistic = np.divide(excess**2, variance, out=np.zeros_like(excess), where=variance > 0)
    statistic[empty] = np.nan
    return statistic


def _tie_correction(n_events, n_at_risk):
    """Shrink the variance where several events share a time (hypergeometric, not binomial)."""
    return (n_at_risk - n_events) / np.maximum(n_at_risk - 1, 1)


def check_group(group, n_samples, *, name="group"):
    """Encode a grouping of samples.

    Parameters
    ----------
    group : array-like of shape (n_samples,)
        Group of each sample. Categories keep their order, all else is sorted.
    n_samples : int
        Expected length.
    name : str, default="group"
        What error messages call it.

    Returns
    -------
    code : ndarray of shape (n_samples,), int
        Index into `labels`.
    labels : list
        The groups that occur.
    """
    series = check_labels(group, n_samples, name, "remove these samples first")
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.cat.remove_unused_categories()
        return series.cat.codes.to_numpy().astype(np.intp), series.cat.categories.tolist()
    code, labels = pd.factorize(series, sort=True)
    return code, labels.tolist()
