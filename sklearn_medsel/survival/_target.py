"""The survival target: an event and a time per sample, in one structured array."""

import numpy as np
import pandas as pd

from sklearn_medsel._validation import check_event, check_time


def make_survival_y(event, time):
    """Join events and times to one target, as every survival estimator here takes it.

    The result is what scikit-survival calls a structured ``y``; it can be sliced, indexed and
    passed through cross-validation like any one-dimensional array.

    Parameters
    ----------
    event : array-like of shape (n_samples,), bool or 0/1
        Whether the event (death, relapse) was seen; False or 0 means censored: the sample was last
        seen without it.
    time : array-like of shape (n_samples,)
        Time until the event or until the sample was last seen, zero or larger, in any one unit.

    Returns
    -------
    ndarray of shape (n_samples,), dtype [("event", bool), ("time", float64)]
        The target.

    Raises
    ------
    ValueError
        If the lengths or the indices of the two differ, an event is missing or not 0 or 1, or a
        time is missing, infinite or negative.

    Examples
    --------
    >>> from sklearn_medsel.survival import make_survival_y
    >>> y = make_survival_y([True, False, True], [3.5, 10, 7])
    >>> y["time"]
    array([ 3.5, 10. ,  7. ])
    >>> int(y["event"].sum())
    2
    """
    both_series = isinstance(event, pd.Series) and isinstance(time, pd.Series)
    if both_series and not event.index.equals(time.index):
        raise ValueError(
            "event and time have different indices; align them first, such as by taking both from "
            "one DataFrame."
        )
    event, time = check_event(event), check_time(time)
    if event.size != time.size:
        raise ValueError(f"event has {event.size} values but time has {time.size}.")
    y = np.empty(event.size, dtype=[("event", bool), ("time", np.float64)])
    y["event"], y["time"] = event, time
    return y
