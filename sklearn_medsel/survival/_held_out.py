"""What the folds of a `RiskStratifier` found, put together: groups, scores, curves and tests.

Nothing is written into the stratifier here, so that a fit that fails half-way changes nothing.
"""

import numpy as np
import pandas as pd

from sklearn_medsel._plain import plain_columns
from sklearn_medsel.survival._adjustment import hazard_ratios
from sklearn_medsel.survival._cuts import find_cuts, maxstat_test
from sklearn_medsel.survival._nonparametric import kaplan_meier, logrank_test
from sklearn_medsel.survival._stratified_fold import join_tied

_KNOWN_NAMES = {
    2: ["low risk", "high risk"],
    3: ["low risk", "medium risk", "high risk"],
}


def join_folds(parts, folds, times):
    """Put what the folds found in the order of the patients.

    Parameters
    ----------
    parts : list of dict
        What `evaluate_fold` gave for each fold.
    folds : list of tuple of two ndarrays of int
        Training and held-out rows.
    times : ndarray of float
        Times of the AUC.

    Returns
    -------
    found : dict
        Attributes of the stratifier by name.
    tables : dict of dict
        ``scores`` and ``auc`` as columns of plain arrays, which every format can store.
    """
    n_patients = sum(test.size for _, test in folds)
    risk = np.empty(n_patients)
    group, fold = np.empty(n_patients, np.int64), np.empty(n_patients, np.int64)
    for number, (part, (_, test)) in enumerate(zip(parts, folds, strict=True)):
        risk[test], group[test], fold[test] = part["risk"], part["group"], number
    scores = pd.DataFrame([part["scores"] for part in parts])
    found = {
        "risk_": risk,
        "group_": group,
        "fold_": fold,
        "fold_cut_points_": np.array([part["cuts"] for part in parts]),
        "concordance_": float(scores["concordance"].mean()),
        "integrated_brier_score_": float(scores["brier"].mean()),
        "integrated_brier_score_reference_": float(scores["brier_reference"].mean()),
    }
    by_fold = pd.DataFrame([part["auc"] for part in parts])
    auc = {"time": times, "auc": by_fold.mean(), "sd": by_fold.std(), "n_folds": by_fold.count()}
    return found, {"scores": plain_columns(scores), "auc": plain_columns(pd.DataFrame(auc))}


def judge_groups(y, risk, group, own, base, n_groups, cut, clusters):
    """Cut points for new patients; curves, tests and hazard ratios of the held-out groups.

    Parameters
    ----------
    y : structured array of shape (n_patients,)
        Event and time.
    risk, group : ndarray of shape (n_patients,)
        Of the held-out patients.
    own : ndarray of shape (n_patients,)
        Risk by the model for new patients.
    base : ndarray of shape (n_patients,) or None
        Held-out risk by the columns to adjust for.
    n_groups, cut
        As `RiskStratifier` takes them.
    clusters : ndarray of shape (n_patients,) or None
        Rows of one cluster are one patient.

    Returns
    -------
    found : dict
        Attributes of the stratifier by name.
    tables : dict of dict
        ``curves`` and ``hazard_ratios`` as columns of plain arrays.

    Raises
    ------
    ValueError
        If a group has no held-out patient, or the risks cannot be cut.
    """
    n_found = np.unique(group).size
    if n_found < n_groups:
        raise ValueError(
            f"only {n_found} of n_groups={n_groups} groups have held-out patients: the risks of "
            "the folds are too far apart. Use fewer groups, or a steadier estimator."
        )
    numbered = [f"risk group {i} of {n_groups}" for i in range(1, n_groups + 1)]
    names = list(_KNOWN_NAMES.get(n_groups, numbered))
    searched = isinstance(cut, str) and cut == "maxstat"
    found = {
        "cut_points_": find_cuts(y, join_tied(risk, own), n_groups, cut),
        "group_names_": names,
        "logrank_": logrank_test(y, group, clusters=clusters),
        "maxstat_pvalue_": maxstat_test(y, risk).pvalue if searched else np.nan,
    }
    curves = {}
    for place, name in enumerate(names):
        member = group == place
        of_member = None if clusters is None else clusters[member]
        curves[name] = plain_columns(kaplan_meier(y[member], clusters=of_member))
    ratios = plain_columns(hazard_ratios(y, group, names, base, clusters))
    return found, {"curves": curves, "hazard_ratios": ratios}
