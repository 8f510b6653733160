"""The arguments of the subcommand ``reports``."""

from sklearn_medsel._cli._argument_types import (
    add_comparison,
    add_output,
    add_table,
    fraction,
)


def add_reports(commands):
    """Add the subcommand and its arguments."""
    parser = commands.add_parser(
        "reports",
        help="find the important reports in a table of reports and show which sentence says so",
        description=(
            "Train on a table of reports (CSV, TSV or parquet; one row per report), cross-validate "
            "with accuracy, recall and precision, compare with TF-IDF + logistic regression, SVM "
            "and random forest, and write comparison.csv, predictions.csv, model.skops and "
            "reports.html, a page of the flagged and the missed reports. The page contains report "
            "texts: treat it as patient data."
        ),
    )
    parser.set_defaults(module="sklearn_medsel._cli._read_reports")
    add_table(parser)
    roles = parser.add_argument_group("columns")
    roles.add_argument("--text", metavar="COLUMN", required=True, help="the reports")
    roles.add_argument("--target", metavar="COLUMN", required=True, help="which are important")
    roles.add_argument(
        "--positive",
        metavar="VALUE",
        help="the target's value that means important (default: the second of two: 1 of 0 and 1)",
    )
    roles.add_argument(
        "--previous", metavar="COLUMN", help="the report before each; empty for a first examination"
    )
    roles.add_argument("--groups", metavar="COLUMN", help="patient, kept in one fold")
    job = parser.add_argument_group("training and comparison")
    job.add_argument(
        "--mode",
        choices=("hybrid", "attention", "evidence", "lexical"),
        default="hybrid",
        help="what reads the reports (default hybrid: all of them)",
    )
    job.add_argument(
        "--encoder",
        metavar="NAME",
        default="auto",
        help="auto, minilm, use, hashing, or the folder of a transformers model (default auto)",
    )
    job.add_argument(
        "--recall-target",
        metavar="RECALL",
        type=fraction,
        help="recall to be reached on reports to come, such as 0.95 (default: the best F1)",
    )
    add_comparison(job, repeats=1)
    add_output(parser, "medsel-reports", saves_model=True)
