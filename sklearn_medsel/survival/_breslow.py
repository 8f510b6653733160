"""Survival curves from a risk, by Breslow's baseline hazard."""

import numpy as np

from sklearn_medsel._validation import check_survival_y
from sklearn_medsel.survival._risk_sets import RiskSets
from sklearn_medsel.survival._scores import check_risk, check_times

_LARGEST_EXPONENT = 500.0


def breslow_survival(y_train, risk_train, risk, times):
    """Turn a risk into survival curves with Breslow's baseline hazard.

    Parameters
    ----------
    y_train : structured array of shape (n_train,) or DataFrame of shape (n_train, 2)
        Event and time of the training samples, see `make_survival_y`.
    risk_train : array-like of shape (n_train,)
        Log hazard ratio of the training samples, up to a constant. Best predicted by models that
        did not see them: an overfitted risk gives curves that are too far apart.
    risk : array-like of shape (n_samples,)
        Log hazard ratio of the samples to predict, with the same constant.
    times : array-like of shape (n_times,)
        Where to evaluate the curves, ascending, in the unit of `y_train`.

    Returns
    -------
    ndarray of shape (n_samples, n_times), float64
        Probability of no event up to and including each time. After the last training event it
        stays as it is.

    Raises
    ------
    ValueError
        If `y_train` is not a valid survival target, a risk is not finite or of another length, or
        the times do not ascend.

    See Also
    --------
    integrated_brier_score : Score the curves.

    References
    ----------
    .. [1] Breslow NE. Discussion of the paper by D. R. Cox. J R Stat Soc B 1972;34:216-217.

    Examples
    --------
    >>> from sklearn_medsel.survival import breslow_survival, make_survival_y
    >>> y = make_survival_y([1, 1, 0, 1], [1, 2, 3, 4])
    >>> breslow_survival(y, [0, 0, 0, 0], [0, 0.7], times=[1, 2]).round(2)
    array([[0.78, 0.56],
           [0.6 , 0.31]])
    """
    event, time = check_survival_y(y_train, name="y_train")
    risk_train = check_risk(risk_train, time.size, name="risk_train")
    risk = check_risk(risk, None)
    times = check_times(times)
    # the constant cancels; with the largest training risk at zero nothing overflows
    highest = risk_train.max()
    sets = RiskSets(event, time)
    hazard = np.exp(np.maximum(risk_train - highest, -_LARGEST_EXPONENT))[sets.order, None]
    jumps = sets.failing(np.ones((time.size, 1))) / sets.at_risk(hazard)
    position = np.searchsorted(sets.times, times, side="right")
    cumulative = np.append(0.0, np.cumsum(jumps[:, 0]))[position]
    with np.errstate(divide="ignore"):  # nothing has accumulated before the first event
        log_hazard = (risk - highest)[:, None] + np.log(cumulative)
    return np.exp(-np.exp(np.minimum(log_hazard, _LARGEST_EXPONENT)))
