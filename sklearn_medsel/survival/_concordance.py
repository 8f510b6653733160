"""Harrell's concordance: how well a risk score orders the events."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import _check_sample_weight

from sklearn_medsel._validation import check_survival_y

_PAIRS_PER_BLOCK = 2**21


def concordance_index(y, risk, *, sample_weight=None):
    """Score a risk by the share of comparable pairs that it puts in the right order.

    Two samples are comparable if one had its event before the time of the other, or at a time at
    which the other was censored. The pair is concordant if the one with the event has the higher
    risk; equal risks count one half. 0.5 is chance, 1 is perfect, 0 is perfectly wrong.

    Parameters
    ----------
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of each sample, see `make_survival_y`.
    risk : array-like of shape (n_samples,)
        Predicted risk; higher means an earlier event. Only its order matters. Pass minus the
        prediction if a model predicts survival time.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Non-negative weights; a pair counts with the product of its two weights.

    Returns
    -------
    float
        Harrell's concordance index, between 0 and 1.

    Raises
    ------
    ValueError
        If `y` is not a valid survival target, `risk` is not finite and of the same length, a weight
        is negative, or there is no comparable pair (such as a single event after all censoring).

    Notes
    -----
    Pairs are compared in blocks: 10,000 samples take about a second and never more than some
    tens of MB. With heavy censoring the index depends on the censoring times.

    References
    ----------
    .. [1] Harrell FE, Lee KL, Mark DB. Multivariable prognostic models: issues in developing
       models, evaluating assumptions and adequacy, and measuring and reducing errors. Stat Med
       1996;15:361-387.

    Examples
    --------
    >>> from sklearn_medsel.survival import concordance_index, make_survival_y
    >>> y = make_survival_y([1, 1, 0, 1], [1, 2, 3, 4])
    >>> concordance_index(y, [4, 3, 2, 1])
    1.0
    >>> concordance_index(y, [4, 2, 3, 1])
    0.8
    """
    event, time = check_survival_y(y)
    risk = check_array(risk, ensure_2d=False, dtype=np.float64, input_name="risk")
    if risk.ndim != 1:
        raise ValueError(f"risk must be one-dimensional, got the shape {risk.shape}.")
    check_consistent_length(time, risk)
    weight = None
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, risk, ensure_non_negative=True)

    concordant = total = 0.0
    rows = np.flatnonzero(event)
    for block in np.array_split(rows, max(1, rows.size * time.size // _PAIRS_PER_BLOCK)):
        comparable = time > time[block, None]
        comparable |= (time == time[block, None]) & ~event
        higher = risk[block, None] > risk
        tied = risk[block, None] == risk
        n_pairs, n_higher, n_tied = (
            _weighted_sum(pairs, weight, block)
            for pairs in (comparable, comparable & higher, comparable & tied)
        )
        concordant += n_higher + n_tied / 2
        total += n_pairs
    if total == 0:
        raise ValueError(
            "y has no comparable pair of samples (an event, and a sample still under observation "
            "at that time), so the concordance is not defined; use more samples per fold."
        )
    return float(concordant / total)


def _weighted_sum(pairs, weight, block):
    if weight is None:
        return float(np.count_nonzero(pairs))
    return float(weight[block] @ (pairs @ weight))
