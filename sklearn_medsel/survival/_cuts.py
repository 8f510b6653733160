"""Cut points that turn a risk into groups, and the price of having searched for them."""

from itertools import pairwise
from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy import stats

from sklearn_medsel._validation import check_survival_y
from sklearn_medsel.survival._nonparametric import logrank_splits
from sklearn_medsel.survival._scores import check_risk

_MARGIN = 0.1


class MaxstatResult(NamedTuple):
    """Outcome of `maxstat_test`, a named tuple.

    Parameters
    ----------
    cut_point : float
        The best cut point: samples with a higher risk are the high-risk group.
    statistic : float
        The largest absolute standardised log-rank statistic.
    pvalue : float
        Its p-value, corrected for the search.
    """

    cut_point: float
    statistic: float
    pvalue: float


def maxstat_test(y, risk):
    """Find the cut point of a risk that parts survival best, and test it fairly.

    The log-rank statistic is computed for each cut point that leaves at least 10 % of the samples
    on both sides. The largest of many is large by chance alone: at an ordinary p of 0.05, a search
    like this finds "a significant cut point" in a third to a half of all random markers.
    So the p-value is that of the largest.

    Parameters
    ----------
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of each sample, see `make_survival_y`.
    risk : array-like of shape (n_samples,)
        The marker that is cut. It must come from models that did not see the sample: the p-value
        corrects for the search of the cut point and for nothing else.

    Returns
    -------
    MaxstatResult
        Named tuple ``(cut_point, statistic, pvalue)``.

    Raises
    ------
    ValueError
        If `y` is not a valid survival target, `risk` holds something else than finite numbers or
        has another length, or it has too many equal values to be cut with 10 % on both sides.

    See Also
    --------
    RiskStratifier : Learn cut points in training folds and apply them to other patients.
    logrank_test : Test groups that were known beforehand.

    Notes
    -----
    The p-value is the smaller of two upper bounds: Lausen and Schumacher's approximation for a
    continuous marker, and Bonferroni's for the number of cut points, which is the sharper one where
    there are few. Both take the statistic at a cut point to be normal. Of fewer than some hundred
    samples, it is not quite: very small p-values then come up more often than they should.

    References
    ----------
    .. [1] Lausen B, Schumacher M. Maximally selected rank statistics. Biometrics 1992;48:73-85.
    .. [2] Altman DG, Lausen B, Sauerbrei W, Schumacher M. Dangers of using "optimal" cutpoints in
       the evaluation of prognostic factors. J Natl Cancer Inst 1994;86:829-835.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.survival import make_survival_y, maxstat_test
    >>> rng = np.random.default_rng(0)
    >>> risk = rng.normal(size=200)
    >>> y = make_survival_y(np.ones(200), rng.exponential(np.where(risk > 0.5, 1, 3)))
    >>> result = maxstat_test(y, risk)
    >>> round(result.cut_point, 1), result.pvalue < 0.001
    (0.5, True)
    """
    event, time = check_survival_y(y)
    risk = check_risk(risk, time.size)
    cut, statistic, n_cuts = _best_cut(event, time, risk, _MARGIN * risk.size)
    if cut is None:
        n_values = np.unique(risk).size
        raise ValueError(
            f"risk has {n_values} different value{'s' if n_values > 1 else ''} among {risk.size} "
            f"samples, and no cut point leaves {_MARGIN:.0%} of them on both sides. Give a marker "
            "with more different values; groups that are known already are tested by logrank_test."
        )
    return MaxstatResult(cut, statistic, _corrected(statistic, n_cuts))


def find_cuts(y, risk, n_groups, cut):
    """Cut points of training samples.

    Parameters
    ----------
    y : structured array of shape (n_samples,)
        Event and time.
    risk : ndarray of shape (n_samples,), float64
        Risks by models that did not see the sample.
    n_groups : int
        Number of groups, at least two.
    cut : {"quantile", "maxstat"}, sequence of float, or callable
        The rule, as `RiskStratifier` takes it.

    Returns
    -------
    ndarray of shape (n_groups - 1,), float64
        Ascending.

    Raises
    ------
    ValueError
        If the rule does not fit the number of groups, or a group would be empty.
    """
    if callable(cut):
        name, cuts = "a callable", cut(risk, y)
    elif isinstance(cut, str):
        name = repr(cut)
        if cut == "maxstat":
            cuts = _greedy_cuts(*check_survival_y(y), risk, n_groups)
        else:
            cuts = _quantiles(risk, np.arange(1, n_groups) / n_groups)
    else:
        name, cuts = repr(tuple(cut)), _quantiles(risk, check_shares(cut, n_groups))
    cuts = np.asarray(cuts, dtype=np.float64)
    if cuts.shape != (n_groups - 1,) or not np.isfinite(cuts).all():
        raise ValueError(
            f"cut must give n_groups - 1 = {n_groups - 1} finite cut points, found the shape "
            f"{cuts.shape} from {name}."
        )
    if np.unique(to_groups(risk, cuts)).size < n_groups or np.any(np.diff(cuts) <= 0):
        raise ValueError(_too_tied(risk, n_groups, name))
    return cuts


def check_shares(cut, n_groups):
    """Quantiles given by the user: between 0 and 1, ascending, one fewer than groups."""
    shares = list(cut)
    fit = all(isinstance(share, Real) and 0 < share < 1 for share in shares)
    if not fit or any(b <= a for a, b in pairwise(shares)):
        raise ValueError(
            f"cut={tuple(cut)!r} must hold ascending numbers between 0 and 1, the quantiles of the "
            "risk to cut at."
        )
    if len(shares) != n_groups - 1:
        raise ValueError(
            f"cut={tuple(cut)!r} makes {len(shares) + 1} groups, but n_groups is {n_groups}; "
            "change one of them."
        )
    return np.asarray(shares, dtype=np.float64)


def _quantiles(risk, shares):
    """Quantiles; at tied risks, halfway between the two values that come closest to the share."""
    cuts = np.quantile(risk, shares)
    values, counts = np.unique(risk, return_counts=True)
    below = counts.cumsum()[:-1] / risk.size
    for place, share in enumerate(shares):
        upper = np.searchsorted(values, cuts[place], side="right")
        if below.size and counts[max(upper - 1, 0) : upper + 1].max() > 1:
            distance = np.abs(below - share)
            closest = np.flatnonzero(distance <= distance.min() + 1e-12)[-1]
            cuts[place] = _halfway(values[closest], values[closest + 1])
    return cuts


def _halfway(lower, upper):
    """Halfway, but never above the upper value where the two are neighbours in floating point."""
    return min(lower + (upper - lower) / 2, np.nextafter(upper, -np.inf))


def to_groups(risk, cuts):
    """Group of each risk, 0 for the lowest: how many cut points lie below it."""
    return np.searchsorted(cuts, risk, side="left")


def _greedy_cuts(event, time, risk, n_groups):
    """Cut, each time, the group whose best cut parts survival most.

    No group gets fewer than half of an even share, and never more than 10 % are asked for: then
    some group is always large enough to be cut again, unless risks are tied.
    """
    smallest = min(_MARGIN, 0.5 / n_groups) * risk.size
    segments, cuts = [np.ones(risk.size, bool)], []
    while len(segments) < n_groups:
        found = [_best_cut(event[s], time[s], risk[s], smallest) for s in segments]
        place = int(np.argmax([statistic for _, statistic, _ in found]))
        cut = found[place][0]
        if cut is None:
            raise ValueError(_too_tied(risk, n_groups, "'maxstat'"))
        segment = segments.pop(place)
        segments += [segment & (risk <= cut), segment & (risk > cut)]
        cuts.append(cut)
    return np.sort(cuts)


def _best_cut(event, time, risk, smallest):
    """Best cut point, its statistic, and the share of samples below each one that was tried.

    The first is None and the second -1 where ties or the size leave nothing to try.
    """
    values, counts = np.unique(risk, return_counts=True)
    n_below = counts.cumsum()[:-1]
    tried = np.minimum(n_below, risk.size - n_below) >= max(smallest, 1)
    n_below, lower, upper = n_below[tried], values[:-1][tried], values[1:][tried]
    if not n_below.size:
        return None, -1.0, n_below
    if event.any():
        chi2, _ = logrank_splits(risk[:, None] > lower, event, time)
    else:
        chi2 = np.zeros(lower.size)
    best = int(np.argmax(chi2))
    cut = _halfway(lower[best], upper[best])
    return float(cut), float(np.sqrt(chi2[best])), n_below / risk.size


def _corrected(statistic, shares):
    """P-value of the largest of many standardised statistics at ascending shares."""
    bonferroni = shares.size * 2 * stats.norm.sf(statistic)
    if statistic <= 1:
        return 1.0
    first, last = shares[0], shares[-1]
    spread = np.log(last * (1 - first) / ((1 - last) * first))
    density = stats.norm.pdf(statistic)
    continuous = density * (4 / statistic + (statistic - 1 / statistic) * spread)
    return float(min(1.0, bonferroni, continuous))


def _too_tied(risk, n_groups, rule):
    n_values = np.unique(risk).size
    if n_values == 1:
        return (
            f"the model gives all {risk.size} patients the same risk, so that they cannot be cut "
            f"into n_groups={n_groups} groups: it has found nothing to tell them apart."
        )
    return (
        f"{risk.size} patients with {n_values} different risks cannot be cut into "
        f"n_groups={n_groups} groups by the rule {rule}: too many risks are equal, or the cut "
        "points lie outside of them. Use fewer groups."
    )
