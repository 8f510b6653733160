"""The arguments of the subcommand ``select``."""

from sklearn_medsel._cli._argument_types import (
    add_comparison,
    add_output,
    add_table,
    at_least,
    fraction,
)


def add_select(commands):
    """Add the subcommand and its arguments."""
    parser = commands.add_parser(
        "select",
        help="select genes from a table of samples x genes and write a report",
        description=(
            "Select genes from a table (CSV, TSV or parquet; one row per sample, one column per "
            "gene), compare with LASSO, random forest, ANOVA + BH and ridge on all genes, and "
            "write genes.csv, comparison.csv, pictures and one self-contained report.html."
        ),
    )
    parser.set_defaults(module="sklearn_medsel._cli._select")
    add_table(parser)
    roles = parser.add_argument_group("columns")
    roles.add_argument("--target", metavar="COLUMN", help="classes or numbers to select genes for")
    roles.add_argument("--time", metavar="COLUMN", help="follow-up time, for survival")
    roles.add_argument("--event", metavar="COLUMN", help="1 = the event happened, 0 = censored")
    roles.add_argument("--groups", metavar="COLUMN", help="patient, pair or batch kept in one fold")
    roles.add_argument(
        "--drop",
        metavar="COLUMN",
        nargs="+",
        action="extend",
        default=[],
        help="columns that are not genes; * and ? stand for other characters ('clin_*')",
    )
    job = parser.add_argument_group("selection and comparison")
    job.add_argument(
        "--task",
        choices=("auto", "classification", "regression", "survival"),
        default="auto",
        help="default: from the target's values",
    )
    job.add_argument("--fdr", type=fraction, default=0.1, help="false discovery rate (default 0.1)")
    job.add_argument(
        "--n-features",
        metavar="N",
        type=_n_features,
        help="exactly N genes, or 'auto' for the fewest that predict well (default: by --fdr)",
    )
    add_comparison(job, repeats=2)
    add_output(parser, "medsel-report")


def _n_features(written):
    return "auto" if written == "auto" else at_least(1)(written)
