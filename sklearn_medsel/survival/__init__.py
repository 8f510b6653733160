"""Survival analysis: targets, curves, tests, Cox models and the check of prognostic genes."""

from sklearn_medsel.survival._concordance import concordance_index
from sklearn_medsel.survival._cox import cox_regression, cox_univariate
from sklearn_medsel.survival._nonparametric import LogrankResult, kaplan_meier, logrank_test
from sklearn_medsel.survival._prognostic import PrognosticCheck, prognostic_check
from sklearn_medsel.survival._target import make_survival_y

__all__ = [
    "LogrankResult",
    "PrognosticCheck",
    "concordance_index",
    "cox_regression",
    "cox_univariate",
    "kaplan_meier",
    "logrank_test",
    "make_survival_y",
    "prognostic_check",
]
