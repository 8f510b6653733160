"""The arguments of every subcommand; a new subcommand is one more function here."""

import argparse

from sklearn_medsel import __version__

_EPILOG = """\
examples:
  python -m sklearn_medsel select genes.csv --target response --drop sample_id --out results
  python -m sklearn_medsel select genes.parquet --time months --event death --out results
  python -m sklearn_medsel reports reports.csv --text report --target important --out results
  python -m sklearn_medsel forecast motion.csv --horizons 0.25 0.5 1.0 --out results
  python -m sklearn_medsel fuse patients.csv --blocks blocks.toml --target response --out results
  python -m sklearn_medsel demo --out demo

Nothing here is a medical device."""

_LONGEST = 1e6  # s


class _Parser(argparse.ArgumentParser):
    """A parser whose errors take one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (see --help)\n")


def build_parser():
    """Build the parser of ``python -m sklearn_medsel``.

    Returns
    -------
    argparse.ArgumentParser
        Its result has `module`, whose ``run(arguments)`` does the work.
    """
    parser = _Parser(
        prog="sklearn_medsel",
        description="scikit-learn estimators for medical data, from the command line.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sklearn_medsel {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_select(commands)
    _add_reports(commands)
    _add_forecast(commands)
    _add_fuse(commands)
    _add_demo(commands)
    return parser


def _add_select(commands):
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
    parser.add_argument(
        "table", metavar="TABLE", help="the table: .csv, .tsv (also .gz) or .parquet"
    )
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
    job.add_argument(
        "--fdr", type=_fraction, default=0.1, help="false discovery rate (default 0.1)"
    )
    job.add_argument(
        "--n-features",
        metavar="N",
        type=_n_features,
        help="exactly N genes, or 'auto' for the fewest that predict well (default: by --fdr)",
    )
    job.add_argument("--cv", metavar="N", type=_at_least(2), default=5, help="folds (default 5)")
    job.add_argument(
        "--repeats", metavar="N", type=_at_least(1), default=2, help="of the folds (default 2)"
    )
    job.add_argument(
        "--no-compare", dest="compare", action="store_false", help="leave out the other methods"
    )
    job.add_argument("--seed", metavar="N", type=_at_least(0), default=0, help="default 0")
    job.add_argument("--jobs", metavar="N", type=_n_jobs, help="processes; -1 = one per core")
    _add_output(parser, "medsel-report")


def _add_reports(commands):
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
    parser.add_argument(
        "table", metavar="TABLE", help="the table: .csv, .tsv (also .gz) or .parquet"
    )
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
        type=_fraction,
        help="recall to be reached on reports to come, such as 0.95 (default: the best F1)",
    )
    job.add_argument("--cv", metavar="N", type=_at_least(2), default=5, help="folds (default 5)")
    job.add_argument(
        "--repeats", metavar="N", type=_at_least(1), default=1, help="of the folds (default 1)"
    )
    job.add_argument(
        "--no-compare", dest="compare", action="store_false", help="leave out the other methods"
    )
    job.add_argument("--seed", metavar="N", type=_at_least(0), default=0, help="default 0")
    job.add_argument("--jobs", metavar="N", type=_n_jobs, help="processes; -1 = one per core")
    _add_output(parser, "medsel-reports")
    parser.add_argument(
        "--no-model", dest="model", action="store_false", help="do not save the trained model"
    )


def _add_forecast(commands):
    parser = commands.add_parser(
        "forecast",
        help="forecast tumour positions, judged on patients that training did not see",
        description=(
            "Leave out one patient at a time, train on the others, and forecast where the tumour "
            "will be: from a table of positions (CSV, TSV or parquet; one row per moment), or from "
            "cine frames (.npz files or DICOM folders, one per recording). Compare with "
            "persistence, ridge regression and an LSTM, and write errors.csv, forecasts.csv, "
            "pictures and one self-contained report.html. Not a medical device."
        ),
    )
    parser.set_defaults(module="sklearn_medsel._cli._forecast")
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="+",
        help="a table; or .npz files, folders of them, or folders of DICOM files",
    )
    parser.add_argument(
        "--horizons",
        metavar="S",
        nargs="+",
        type=_above_zero,
        default=[0.25, 0.5, 1.0],
        help="how far ahead to forecast, in s (default 0.25 0.5 1.0)",
    )
    roles = parser.add_argument_group("columns, of DATA or of --positions")
    roles.add_argument("--time", metavar="COLUMN", default="t", help="time in s (default t)")
    roles.add_argument(
        "--position",
        metavar="COLUMN",
        nargs="+",
        default=[],
        help="coordinates in mm, empty where unknown (default x y z)",
    )
    roles.add_argument("--patient", metavar="COLUMN", help="whose the row is (default patient)")
    roles.add_argument(
        "--sequence", metavar="COLUMN", help="recording of a patient (default sequence, if there)"
    )
    roles.add_argument(
        "--groups", metavar="COLUMN", help="what is left out together (default the patient)"
    )
    frames = parser.add_argument_group("frames")
    frames.add_argument(
        "--planes",
        metavar="NAME",
        nargs="+",
        default=[],
        help="planes of .npz files that do not name them, in their order",
    )
    frames.add_argument(
        "--positions",
        metavar="TABLE",
        help="known positions; sequence is the name of the recording's file or folder, t counts "
        "from its first frame",
    )
    frames.add_argument(
        "--targets",
        metavar="FILE",
        nargs="+",
        default=[],
        help="known positions, one .npz file (si_mm, ap_mm) for each in DATA",
    )
    frames.add_argument(
        "--warmup",
        metavar="S",
        type=_above_zero,
        default=20.0,
        help="time in which known positions are shown with the frames (default 20)",
    )
    job = parser.add_argument_group("forecasting and comparison")
    job.add_argument(
        "--history", metavar="S", type=_above_zero, default=4.0, help="to look back (default 4)"
    )
    job.add_argument(
        "--coverage",
        type=_fraction,
        default=0.9,
        help="share of truths that the radius is to hold (default 0.9)",
    )
    job.add_argument(
        "--no-transformer",
        dest="transformer",
        action="store_false",
        help="persistence and ridge only, which is faster",
    )
    job.add_argument(
        "--no-compare",
        dest="compare",
        action="store_false",
        help="leave out the other methods and sets of planes",
    )
    job.add_argument("--seed", metavar="N", type=_at_least(0), default=0, help="default 0")
    job.add_argument("--jobs", metavar="N", type=_n_jobs, help="processes; -1 = one per core")
    _add_output(parser, "medsel-forecast")
    parser.add_argument(
        "--no-model", dest="model", action="store_false", help="do not save the trained model"
    )


def _add_fuse(commands):
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
    parser.add_argument(
        "table", metavar="TABLE", help="the table: .csv, .tsv (also .gz) or .parquet"
    )
    parser.add_argument("--blocks", metavar="FILE", required=True, help="the blocks, as TOML")
    roles = parser.add_argument_group("columns")
    roles.add_argument("--target", metavar="COLUMN", help="classes or numbers to predict")
    roles.add_argument("--time", metavar="COLUMN", help="follow-up time, for survival")
    roles.add_argument("--event", metavar="COLUMN", help="1 = the event happened, 0 = censored")
    roles.add_argument("--groups", metavar="COLUMN", help="patient or site kept in one fold")
    roles.add_argument("--id", metavar="COLUMN", help="what names a patient in scores.csv")
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
        type=_at_least(1),
        help="keep exactly N features (default: all, and mark those that pass a false discovery "
        "rate of 0.1)",
    )
    job.add_argument(
        "--image-root",
        metavar="DIR",
        help="folder that paths of images are relative to (default: that of the table)",
    )
    job.add_argument("--cv", metavar="N", type=_at_least(2), default=5, help="folds (default 5)")
    job.add_argument(
        "--n-groups", metavar="N", type=_at_least(2), help="risk groups, for survival (default 2)"
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
        type=_at_least(0),
        default=0,
        help="default 0",
    )
    job.add_argument("--jobs", metavar="N", type=_n_jobs, help="processes; -1 = one per core")
    _add_output(parser, "medsel-fusion")
    parser.add_argument(
        "--no-model", dest="model", action="store_false", help="do not save the trained model"
    )


def _add_demo(commands):
    parser = commands.add_parser(
        "demo",
        help="run all jobs, on real lymphoma data (240 patients, 7,399 genes), made reports, made "
        "breathing and made patients",
        description=(
            "Select genes for death within two years and for survival in the DLBCL data of the "
            "package "
            'SurvSet (pip install "sklearn-medsel[demo]"), find the important ones among made '
            "radiology reports, forecast made breathing, and fuse image, genes, report and "
            "clinical data of made patients. Takes about two and a half minutes."
        ),
    )
    parser.set_defaults(module="sklearn_medsel._cli._demo")
    parser.add_argument("--jobs", metavar="N", type=_n_jobs, help="processes; -1 = one per core")
    _add_output(parser, "medsel-demo")


def _add_output(parser, folder):
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", metavar="DIR", default=folder, help=f"folder for the results (default {folder})"
    )
    output.add_argument(
        "--force", action="store_true", help="write into a folder that is not empty"
    )
    output.add_argument(
        "--progress",
        choices=("auto", "always", "never"),
        default="auto",
        help="progress on stderr (default: where it is a terminal)",
    )
    output.add_argument(
        "--traceback", action="store_true", help="show where an error came from, for bug reports"
    )


def _fraction(written):
    try:
        value = float(written)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, found {written!r}")
    return value


def _above_zero(written):
    try:
        value = float(written)
    except ValueError:
        value = -1.0
    if not 0 < value < _LONGEST:
        raise argparse.ArgumentTypeError(f"must be a number above 0, found {written!r}")
    return value


def _at_least(smallest):
    def parse(written):
        if not written.isdecimal() or int(written) < smallest:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {smallest}, found {written!r}"
            )
        return int(written)

    return parse


def _n_features(written):
    return "auto" if written == "auto" else _at_least(1)(written)


def _n_jobs(written):
    if not written.removeprefix("-").isdecimal() or int(written) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number other than 0, found {written!r}")
    return int(written)
