"""Tables whose true genes are known, and loaders of real tables already on this machine."""

from sklearn_medsel.datasets._expression import make_gene_expression
from sklearn_medsel.datasets._real import (
    event_within,
    load_dlbcl,
    load_expression,
    load_medsel_data,
)

__all__ = [
    "event_within",
    "load_dlbcl",
    "load_expression",
    "load_medsel_data",
    "make_gene_expression",
]
