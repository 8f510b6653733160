"""Survival analysis: targets, curves, tests, Cox models and the check of prognostic genes."""

from sklearn_medsel.survival._breslow import breslow_survival
from sklearn_medsel.survival._concordance import concordance_index
from sklearn_medsel.survival._cox import cox_regression, cox_univariate
from sklearn_medsel.survival._cuts import MaxstatResult, maxstat_test
from sklearn_medsel.survival._nonparametric import LogrankResult, kaplan_meier, logrank_test
from sklearn_medsel.survival._prognostic import PrognosticCheck, prognostic_check
from sklearn_medsel.survival._scores import (
    TimeDependentAUC,
    brier_score,
    integrated_brier_score,
    time_dependent_auc,
)
from sklearn_medsel.survival._stratification_report import stratification_report
from sklearn_medsel.survival._stratifier import RiskStratifier
from sklearn_medsel.survival._target import make_survival_y

__all__ = [
    "LogrankResult",
    "MaxstatResult",
    "PrognosticCheck",
    "RiskStratifier",
    "TimeDependentAUC",
    "breslow_survival",
    "brier_score",
    "concordance_index",
    "cox_regression",
    "cox_univariate",
    "integrated_brier_score",
    "kaplan_meier",
    "logrank_test",
    "make_survival_y",
    "maxstat_test",
    "prognostic_check",
    "stratification_report",
    "time_dependent_auc",
]
