"""Whether a report gets the patients its stratifier was fitted on, although none of them is kept.

What is kept are the names of the columns and the risks of a few patients by the final model. Other
patients, or the same in another order, get other risks; the same numbers in another dtype do not.
"""

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_medsel._validation import check_survival_y
from sklearn_medsel.survival._nonparametric import kaplan_meier
from sklearn_medsel.survival._stratified_fold import predict_risk

_MOST_RISKS = 32  # more would have slow encoders read their texts and images once again


def fingerprint(estimator, X):
    """Tell patients apart later, without their data.

    Parameters
    ----------
    estimator : estimator
        Fitted on all patients.
    X : DataFrame or array-like of shape (n_patients, n_features)
        These patients.

    Returns
    -------
    dict
        ``columns``, their names or None, and ``risk``, that of some patients spread evenly.
    """
    columns = [str(column) for column in X.columns] if isinstance(X, pd.DataFrame) else None
    return {"columns": columns, "risk": _some_risks(estimator, X)}


def check_same(stratifier, X, y):
    """Refuse other patients: their factors would stand beside curves that are not theirs.

    Parameters
    ----------
    stratifier : RiskStratifier
        Fitted.
    X : DataFrame or array-like of shape (n_patients, n_features)
        Patients.
    y : structured array of shape (n_patients,) or DataFrame of shape (n_patients, 2)
        Their events and times.

    Raises
    ------
    ValueError
        If columns, outcomes or risks are not those of fit.
    """
    held, n_patients = stratifier._fingerprint, stratifier.group_.size
    event, time = check_survival_y(y)
    same = event.size == n_patients == _num_samples(X) and _same_outcome(stratifier, event, time)
    if same:
        _check_columns(held["columns"], X)
        if held["columns"] is None and isinstance(X, pd.DataFrame):
            X = X.to_numpy()  # an estimator that was fitted on an array
        risk = _some_risks(stratifier.estimator_, X)
        # not to the last digit: another dtype or machine rounds differently
        tolerance = 0.01 * held["risk"].std() + 1e-6 * np.abs(held["risk"]).max()
        same = np.allclose(risk, held["risk"], rtol=0, atol=tolerance)
    if not same:
        raise ValueError(
            f"X and y must be the {n_patients} patients the stratifier was fitted on, in the same "
            "order: the groups on the page are those of its held-out patients."
        )


def _some_risks(estimator, X):
    n_patients = _num_samples(X)
    rows = np.linspace(0, n_patients - 1, min(_MOST_RISKS, n_patients)).astype(int)
    return predict_risk(estimator, _safe_indexing(X, rows))


def _same_outcome(stratifier, event, time):
    """Compare events and times of each group with its curve, which clusters do not change."""
    target = pd.DataFrame({"event": event, "time": time})
    counts = ["time", "at_risk", "events"]
    return all(
        kaplan_meier(target[stratifier.group_ == place])[counts].equals(curve[counts])
        for place, curve in enumerate(stratifier.curves_.values())
    )


def _check_columns(names, X):
    if names is None:
        return
    if not isinstance(X, pd.DataFrame):
        raise ValueError("X must be a DataFrame, as it was when the stratifier was fitted.")
    found = [str(column) for column in X.columns]
    gone = [name for name in names if name not in set(found)]
    new = [name for name in found if name not in set(names)]
    if gone or new:
        what = f"has no column {gone[0]!r}" if gone else f"has a column {new[0]!r} more"
        raise ValueError(f"X {what}; it must have the columns the stratifier was fitted on.")
