"""How good predicted survival is over time: time-dependent AUC and Brier score.

Censored samples are made up for by weights, the inverse of the probability of not being censored
before. That probability is estimated on the training target, as in scikit-survival.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import check_array, check_consistent_length

from sklearn_medsel._validation import check_survival_y, list_rows

_N_TIMES = 9


class TimeDependentAUC(NamedTuple):
    """Discrimination over time, a named tuple.

    Parameters
    ----------
    times : ndarray of shape (n_times,), float64
        Where it was measured, ascending.
    auc : ndarray of shape (n_times,), float64
        The AUC at each time; 0.5 is chance.
    mean : float
        Their mean, weighted by the share of the events that fall before each time.
    """

    times: np.ndarray
    auc: np.ndarray
    mean: float


def time_dependent_auc(y_train, y, risk, times=None):
    """Measure at several times how well a risk tells who has had the event by then.

    At each time, the samples with an event up to it (cases) are compared with those still under
    observation after it (controls): the AUC is the share of pairs in which the case has the higher
    risk, equal risks counting one half. Cases are weighted by the inverse probability of not being
    censored (cumulative/dynamic AUC).

    Parameters
    ----------
    y_train : structured array of shape (n_train,) or DataFrame of shape (n_train, 2)
        Event and time of the training samples, from which censoring is estimated.
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of the samples that are scored, see `make_survival_y`.
    risk : array-like of shape (n_samples,)
        Predicted risk; higher means an earlier event.
    times : array-like of shape (n_times,) or None, default=None
        Where to measure, in the unit of `y`. None takes nine quantiles of the event times of `y`,
        from the 10 % to the 90 % quantile.

    Returns
    -------
    TimeDependentAUC
        Named tuple ``(times, auc, mean)``.

    Raises
    ------
    ValueError
        If a target is not valid, `risk` is not finite and of the same length as `y`, no case or no
        control is left at a time, or everybody in `y_train` is censored before a case.

    See Also
    --------
    concordance_index : One number for all times.
    integrated_brier_score : Discrimination and calibration together.

    Notes
    -----
    Equal to ``sksurv.metrics.cumulative_dynamic_auc``, whose conventions are followed: where an
    event and a censoring share a time, the event comes first, and the weight of a case is one over
    the probability of being uncensored *after* its time.

    References
    ----------
    .. [1] Uno H, Cai T, Tian L, Wei LJ. Evaluating prediction rules for t-year survivors with
       censored regression models. J Am Stat Assoc 2007;102:527-537.
    .. [2] Lambert J, Chevret S. Summary measure of discrimination in survival models based on
       cumulative/dynamic time-dependent ROC curves. Stat Methods Med Res 2016;25:2088-2102.

    Examples
    --------
    >>> from sklearn_medsel.survival import make_survival_y, time_dependent_auc
    >>> y = make_survival_y([1, 1, 0, 1, 1, 0], [1, 2, 3, 4, 5, 6])
    >>> result = time_dependent_auc(y, y, [6, 3, 4, 5, 2, 1], times=[2.5, 4.5])
    >>> result.auc.round(2), round(result.mean, 2)
    (array([0.75, 1.  ]), 0.85)
    """
    train_event, train_time = check_survival_y(y_train, name="y_train", require_events=False)
    event, time = check_survival_y(y)
    risk = check_risk(risk, time.size)
    times = event_quantiles(event, time) if times is None else check_times(times)
    auc = auc_at(censoring_curve(train_event, train_time), event, time, risk, times)
    if np.isnan(auc).any():
        raise ValueError(
            f"times holds {_named(times[np.isnan(auc)])}, where the AUC is not defined: by then no "
            "sample of y has had the event, none is left, or all of y_train are censored. Use "
            f"times between {time[event].min():g} and {time.max():g}, or leave times out."
        )
    return TimeDependentAUC(times, auc, _weighted_mean(event, time, times, auc))


def brier_score(y_train, y, survival, times):
    """Mean squared error of predicted survival at several times.

    Parameters
    ----------
    y_train : structured array of shape (n_train,) or DataFrame of shape (n_train, 2)
        Event and time of the training samples, from which censoring is estimated.
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of the samples that are scored, see `make_survival_y`.
    survival : array-like of shape (n_samples, n_times) or (n_times,)
        Predicted probability of no event up to and including each time; one row serves all
        samples.
    times : array-like of shape (n_times,)
        Times of the columns, ascending, in the unit of `y`.

    Returns
    -------
    ndarray of shape (n_times,), float64
        The scores: 0 is perfect; predicting 0.5 for everybody gives 0.25 without censoring.

    Raises
    ------
    ValueError
        If a target is not valid, `survival` has another shape or values outside 0 to 1, the times
        do not ascend, or everybody in `y_train` is censored before one of them.

    See Also
    --------
    integrated_brier_score : The mean over time.
    breslow_survival : Survival curves from a risk.

    References
    ----------
    .. [1] Graf E, Schmoor C, Sauerbrei W, Schumacher M. Assessment and comparison of prognostic
       classification schemes for survival data. Stat Med 1999;18:2529-2545.

    Examples
    --------
    >>> from sklearn_medsel.survival import brier_score, make_survival_y
    >>> y = make_survival_y([1, 1, 1, 0], [1, 2, 4, 6])
    >>> survival = [[0.2, 0.1], [0.4, 0.2], [0.9, 0.3], [0.9, 0.8]]
    >>> brier_score(y, y, survival, times=[2, 4]).round(3)
    array([0.055, 0.045])
    """
    train_event, train_time = check_survival_y(y_train, name="y_train", require_events=False)
    event, time = check_survival_y(y, require_events=False)
    times = check_times(times)
    survival = check_array(np.atleast_2d(survival), dtype=np.float64, input_name="survival")
    if survival.shape[0] not in (1, time.size) or survival.shape[1] != times.size:
        raise ValueError(
            f"survival must have one row per sample of y ({time.size}), or one for all, and one "
            f"column per time ({times.size}); found the shape {survival.shape}."
        )
    if survival.min() < 0 or survival.max() > 1:
        raise ValueError("survival must hold probabilities, but some are below 0 or above 1.")

    uncensored = censoring_curve(train_event, train_time)
    is_case = event[:, None] & (time[:, None] <= times)
    is_control = time[:, None] > times
    of_case, of_control = uncensored(time)[:, None], uncensored(times)[None, :]
    impossible = (is_case & (of_case == 0)) | (is_control & (of_control == 0))
    if impossible.any():
        raise ValueError(
            f"times holds {_named(times[impossible.any(axis=0)])}, but all of y_train are censored "
            "before; use earlier times."
        )
    case_weight = np.divide(is_case, of_case, out=np.zeros(is_case.shape), where=is_case)
    control_weight = np.divide(
        is_control, of_control, out=np.zeros(is_control.shape), where=is_control
    )
    return (survival**2 * case_weight + (1 - survival) ** 2 * control_weight).mean(axis=0)


def integrated_brier_score(y_train, y, survival, times):
    """Mean squared error of predicted survival, averaged over time.

    Parameters
    ----------
    y_train : structured array of shape (n_train,) or DataFrame of shape (n_train, 2)
        Event and time of the training samples, from which censoring is estimated.
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of the samples that are scored, see `make_survival_y`.
    survival : array-like of shape (n_samples, n_times) or (n_times,)
        Predicted probability of no event up to and including each time; one row serves all
        samples.
    times : array-like of shape (n_times,)
        Times of the columns, ascending, at least two, in the unit of `y`.

    Returns
    -------
    float
        The area under `brier_score` between the first and the last time (trapezoids), divided by
        the time between them. Only a comparison says whether it is good: that with the Kaplan-Meier
        curve of the training samples predicted for everybody.

    Raises
    ------
    ValueError
        As `brier_score`, or if there is one time only.

    See Also
    --------
    brier_score : The values at each time.

    References
    ----------
    .. [1] Graf E, Schmoor C, Sauerbrei W, Schumacher M. Assessment and comparison of prognostic
       classification schemes for survival data. Stat Med 1999;18:2529-2545.

    Examples
    --------
    >>> from sklearn_medsel.survival import integrated_brier_score, make_survival_y
    >>> y = make_survival_y([1, 1, 1, 0], [1, 2, 4, 6])
    >>> survival = [[0.2, 0.1], [0.4, 0.2], [0.9, 0.3], [0.9, 0.8]]
    >>> round(integrated_brier_score(y, y, survival, times=[2, 4]), 3)
    0.05
    """
    scores = brier_score(y_train, y, survival, times)
    times = check_times(times)
    if times.size < 2:
        raise ValueError("times must hold at least two times to be averaged over, found one.")
    return float(np.trapezoid(scores, times) / (times[-1] - times[0]))


def auc_at(uncensored, event, time, risk, times):
    """AUC at each time; NaN where no case, no control or no weight is left."""
    auc = np.full(times.size, np.nan)
    of_event = uncensored(time)
    for place, moment in enumerate(times):
        case, control = event & (time <= moment), time > moment
        if not case.any() or not control.any() or (of_event[case] == 0).any():
            continue
        weight, controls = 1 / of_event[case], np.sort(risk[control])
        below = np.searchsorted(controls, risk[case], side="left")
        not_above = np.searchsorted(controls, risk[case], side="right")
        auc[place] = weight @ (below + not_above) / (2 * weight.sum() * controls.size)
    return auc


def event_quantiles(event, time, n_times=_N_TIMES):
    """Times between the 10 % and the 90 % quantile of the event times, without repeats."""
    return np.unique(np.quantile(time[event], np.linspace(0.1, 0.9, n_times)))


def censoring_curve(event, time):
    """Kaplan-Meier curve of censoring: a function of time that gives the share not yet censored."""
    times, index = np.unique(time, return_inverse=True)
    n_left = np.bincount(index, minlength=times.size)
    n_events = np.bincount(index[event], minlength=times.size)
    # an event is taken to come before a censoring at the same time
    at_risk = n_left[::-1].cumsum()[::-1] - n_events
    share = (n_left - n_events) / np.maximum(at_risk, 1)
    curve = np.append(1.0, np.cumprod(1 - share))
    return lambda moments: curve[np.searchsorted(times, moments, side="right")]


def check_risk(risk, n_samples, *, name="risk"):
    """One finite number per sample, as float64."""
    _check_numbers(risk, name)
    risk = check_array(risk, ensure_2d=False, dtype=np.float64, input_name=name)
    if risk.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, found the shape {risk.shape}.")
    if n_samples is not None:
        check_consistent_length(risk, np.empty(n_samples))
    return risk


def _check_numbers(risk, name):
    """Name the rows of text; scikit-learn's message would show what stands in one of them."""
    risk = np.asarray(risk)
    if risk.ndim == 1 and risk.dtype.kind not in "biuf":
        known = pd.Series(risk, dtype=object).dropna()
        wrong = pd.to_numeric(known, errors="coerce").reindex(range(risk.size), fill_value=0).isna()
        if wrong.any():
            raise ValueError(
                f"{name} is not a number at {list_rows(wrong)}; convert it to numbers."
            )


def check_times(times):
    """Ascending times, as float64."""
    times = check_array(np.atleast_1d(times), ensure_2d=False, dtype=np.float64, input_name="times")
    if times.ndim != 1 or np.any(np.diff(times) <= 0):
        raise ValueError("times must be one-dimensional and ascend, without repeats.")
    return times


def _weighted_mean(event, time, times, auc):
    """Mean of the AUC, each time weighted by the fall of the survival curve up to it."""
    event_times, n_events = np.unique(time[event], return_counts=True)
    at_risk = time.size - np.searchsorted(np.sort(time), event_times, side="left")
    curve = np.append(1.0, np.cumprod(1 - n_events / at_risk))
    fall = -np.diff(curve[np.searchsorted(event_times, times, side="right")], prepend=1.0)
    return float(auc @ fall / fall.sum())


def _named(times):
    return ", ".join(f"{moment:g}" for moment in times[:3]) + (" ..." if times.size > 3 else "")
