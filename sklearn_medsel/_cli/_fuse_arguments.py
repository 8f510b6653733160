"""The arguments of the subcommand ``fuse``."""

from sklearn_medsel._cli._argument_types import add_output, add_table, at_least, n_jobs


def add_fuse(commands):
    """Add the subcommand and its arguments."""
    parser = commands.add_parser(
        "fuse",
        help="fuse clinical data, genes, images and reports of the same patients",
        description=(
            "Predict an outcome from several blocks of one table (CSV, TSV or parquet; one row per "
            "patient), cross-validate beside the base block alone and late fusion, and write which "
            "modalities, features and interactions matter, risk groups where the outcome is "
            "survival, and one self-contained report.html. Blocks are described in a TOML file: "
            '[blocks.NAME] with modality = "table", "image" or "text" and columns = [...]; '
            'base = "NAME" above them. Not a medical device.'
        ),
    )
    parser.set_defaults(module="sklearn_medsel._cli._fuse")
    add_table(parser)
    parser.add_argument("--blocks", metavar="FILE", required=True, help="the blocks, as TOML")
    roles = parser.add_argument_group("columns")
    roles.add_argument("--target", metavar="COLUMN", help="classes or numbers to predict")
    roles.add_argument("--time", metavar="COLUMN", help="follow-up time, for survival")
    roles.add_argument("--event", metavar="COLUMN", help="1 = the event happened, 0 = censored")
    roles.add_argument("--groups", metavar="COLUMN", help="patient or site kept in one fold")
    roles.add_argument(
        "--id",
        metavar="COLUMN",
        help="what names a patient in scores.csv; rows of one stay in one fold",
    )
    job = parser.add_argument_group("fusion")
    job.add_argument(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="default: from the target's values",
    )
    job.add_argument("--base", metavar="NAME", help="block fitted first (default: of the file)")
    job.add_argument(
        "--fusion",
        choices=("residual", "late", "stacked", "gated", "concat"),
        default="residual",
        help="how blocks are fused (default residual: the base, then what it leaves over)",
    )
    job.add_argument(
        "--n-features",
        metavar="N",
        type=at_least(1),
        help="keep exactly N features (default: all, and mark those that pass a false discovery "
        "rate of 0.2)",
    )
    job.add_argument(
        "--image-root",
        metavar="DIR",
        help="folder that paths of images are relative to (default: that of the table)",
    )
    job.add_argument("--cv", metavar="N", type=at_least(2), default=5, help="folds (default 5)")
    job.add_argument(
        "--n-groups", metavar="N", type=at_least(2), help="risk groups, for survival (default 2)"
    )
    job.add_argument(
        "--cut",
        choices=("quantile", "maxstat"),
        help="where risk groups are cut: into equal sizes, or by the largest log-rank test "
        "(default quantile)",
    )
    job.add_argument(
        "--seed",
        "--random-state",
        dest="seed",
        metavar="N",
        type=at_least(0),
        default=0,
        help="default 0",
    )
    job.add_argument("--jobs", metavar="N", type=n_jobs, help="processes; -1 = one per core")
    add_output(parser, "medsel-fusion", saves_model=True)
