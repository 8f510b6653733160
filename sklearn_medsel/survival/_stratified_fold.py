"""One fold of a `RiskStratifier`: model, cut points and scores, all from the training part."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from sklearn_medsel._folds import in_fold
from sklearn_medsel._groups import pass_groups
from sklearn_medsel._validation import list_rows
from sklearn_medsel.survival._breslow import breslow_survival
from sklearn_medsel.survival._concordance import concordance_index
from sklearn_medsel.survival._cox import cox_regression
from sklearn_medsel.survival._cuts import find_cuts, to_groups
from sklearn_medsel.survival._folds import survival_folds
from sklearn_medsel.survival._nonparametric import kaplan_meier
from sklearn_medsel.survival._scores import (
    auc_at,
    censoring_curve,
    integrated_brier_score,
)

_N_BRIER_TIMES = 50
_EQUAL = 1e-9  # of the range of the risks: less is rounding


@dataclass(frozen=True)
class Setting:
    """What all folds share."""

    estimator: object
    X: object
    y: np.ndarray
    groups: np.ndarray | None
    n_groups: int
    cut: object
    inner_cv: object
    seed: int
    times: np.ndarray


def fit_model(setting, rows):
    """Fit a clone on some rows; give it with the risks it predicts for them.

    The risk of a Cox model is known up to a constant only, which differs from fit to fit; counted
    from the mean of its own training samples, the risks of several models can be compared.
    """
    X = _safe_indexing(setting.X, rows)
    fitted = clone(setting.estimator)
    groups = None if setting.groups is None else setting.groups[rows]
    fitted.fit(X, setting.y[rows], **pass_groups(fitted, groups))
    return fitted, predict_risk(fitted, X)


def predict_risk(fitted, X):
    """Risk of each sample, checked."""
    risk = np.asarray(fitted.predict(X), dtype=np.float64)
    if risk.ndim == 2 and risk.shape[1] == 1:
        risk = risk[:, 0]
    if risk.ndim != 1:
        raise ValueError(
            f"estimator must predict one risk per patient, found the shape {risk.shape}."
        )
    wrong = ~np.isfinite(risk)
    if wrong.any():
        raise ValueError(f"estimator predicts a risk that is not finite at {list_rows(wrong)}.")
    return risk


def evaluate_fold(setting, number, train, test):
    """Fit on the training part and stratify the held-out part.

    Parameters
    ----------
    setting : Setting
        Data, estimator and rule.
    number : int
        Of the fold, for messages.
    train, test : ndarray of int
        Rows.

    Returns
    -------
    dict
        ``risk`` and ``group`` of the test rows, ``cuts``, ``scores`` (dict) and ``auc`` (at the
        times of the setting, NaN where it is not defined).
    """
    y_train, y_test = setting.y[train], setting.y[test]
    fitted, own = fit_model(setting, train)
    risk = predict_risk(fitted, _safe_indexing(setting.X, test)) - own.mean()
    risk_train = _cross_fitted(fitted, setting, number, train)
    with in_fold(number):
        cuts = find_cuts(y_train, join_tied(risk_train, own), setting.n_groups, setting.cut)
    auc = auc_at(
        censoring_curve(y_train["event"], y_train["time"]),
        y_test["event"],
        y_test["time"],
        risk,
        setting.times,
    )
    brier, reference = _brier(y_train, y_test, risk_train, risk, setting.times)
    scores = {
        "fold": number,
        "n_patients": test.size,
        "n_events": int(y_test["event"].sum()),
        "concordance": _concordance(y_test, risk),
        "auc": float(np.nanmean(auc)) if np.isfinite(auc).any() else np.nan,
        "brier": brier,
        "brier_reference": reference,
    }
    return {
        "risk": risk,
        "group": to_groups(risk, cuts),
        "cuts": cuts,
        "scores": scores,
        "auc": auc,
    }


def _cross_fitted(fitted, setting, number, train):
    """Risks of the training samples by models that did not see them, around zero."""
    # of the estimator itself only: inside a Pipeline or a search, features or settings were chosen
    # by the outcome of all training samples, before the last step left any of them out
    score = getattr(fitted, "oof_score_", None)
    if score is not None:
        risk = np.asarray(score, dtype=np.float64)
        if risk.shape == (train.size,) and np.isfinite(risk).all():
            return risk - risk.mean()
    groups = None if setting.groups is None else setting.groups[train]
    with in_fold(number):
        inner = survival_folds(
            setting.y["event"][train], setting.inner_cv, groups, setting.seed, name="inner_cv"
        )
    risk = np.empty(train.size)
    for part, held_out in inner:
        inner_model, own = fit_model(setting, train[part])
        X = _safe_indexing(setting.X, train[held_out])
        risk[held_out] = predict_risk(inner_model, X) - own.mean()
    return risk


def join_tied(risk, own):
    """Give patients whom the model does not tell apart one cross-fitted risk, their mean.

    The models of other folds differ a little. A cut point between what they give for one and the
    same patient would put all such patients of a fold on either side, by chance.

    Parameters
    ----------
    risk : ndarray of shape (n_samples,), float64
        By models that did not see the sample.
    own : ndarray of shape (n_samples,), float64
        By the model whose risks are to be cut.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        `risk` as it is where `own` is nowhere tied, or everywhere.
    """
    order = np.argsort(own, kind="stable")
    differs = np.diff(own[order]) > _EQUAL * np.ptp(own)
    level = np.empty(own.size, np.intp)
    level[order] = np.append(0, np.cumsum(differs))
    sizes = np.bincount(level)
    return risk if sizes.size == 1 else (np.bincount(level, risk) / sizes)[level]


def _concordance(y, risk):
    try:
        return concordance_index(y, risk)
    except ValueError:  # no comparable pair among few patients
        return np.nan


def _brier(y_train, y_test, risk_train, risk, times):
    """Integrated Brier score of the risk, and of the training curve predicted for everybody.

    The risk need not be a log hazard, and that of an overfitted model is too extreme: one slope,
    fitted on the cross-fitted risks of the training samples, puts it right.
    """
    if times[0] == times[-1]:
        return np.nan, np.nan
    times = np.linspace(times[0], times[-1], _N_BRIER_TIMES)
    curve = kaplan_meier(y_train)
    position = np.searchsorted(curve["time"], times, side="right")
    reference = np.append(1.0, curve["survival"])[position]
    slope = _calibration_slope(y_train, risk_train)
    survival = breslow_survival(y_train, slope * risk_train, slope * risk, times)
    try:
        return tuple(
            integrated_brier_score(y_train, y_test, predicted, times)
            for predicted in (survival, reference)
        )
    except ValueError:  # censoring leaves no weight at some time
        return np.nan, np.nan


def _calibration_slope(y, risk):
    spread = risk.std()
    if spread == 0:
        return 0.0
    # the slight penalty keeps the slope finite where the risk orders all events
    column = pd.DataFrame({"risk": (risk - risk.mean()) / spread})
    slope = cox_regression(column, y, penalty=1.0)["coefficient"].iloc[0]
    return max(float(slope), 0.0) / spread
