"""Tables, reports and motion whose truth is known, and loaders of real data on this machine."""

from sklearn_medsel.datasets._breathing import make_breathing
from sklearn_medsel.datasets._cine_phantom import make_cine_phantom
from sklearn_medsel.datasets._expression import make_gene_expression
from sklearn_medsel.datasets._patients import make_patients
from sklearn_medsel.datasets._real import (
    event_within,
    load_dlbcl,
    load_expression,
    load_medsel_data,
)
from sklearn_medsel.datasets._reports import load_reports, make_reports

__all__ = [
    "event_within",
    "load_dlbcl",
    "load_expression",
    "load_medsel_data",
    "load_reports",
    "make_breathing",
    "make_cine_phantom",
    "make_gene_expression",
    "make_patients",
    "make_reports",
]
