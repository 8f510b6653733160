"""The parser of the command line; a new subcommand is one more file and one more line here."""

import argparse

from sklearn_medsel import __version__
from sklearn_medsel._cli._argument_types import add_output, n_jobs
from sklearn_medsel._cli._forecast_arguments import add_forecast
from sklearn_medsel._cli._fuse_arguments import add_fuse
from sklearn_medsel._cli._reports_arguments import add_reports
from sklearn_medsel._cli._select_arguments import add_select

_EPILOG = """\
examples:
  python -m sklearn_medsel select genes.csv --target response --drop sample_id --out results
  python -m sklearn_medsel select genes.parquet --time months --event death --out results
  python -m sklearn_medsel reports reports.csv --text report --target important --out results
  python -m sklearn_medsel forecast motion.csv --horizons 0.25 0.5 1.0 --out results
  python -m sklearn_medsel fuse patients.csv --blocks blocks.toml --target response --out results
  python -m sklearn_medsel demo --out demo

Nothing here is a medical device."""


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
    add_select(commands)
    add_reports(commands)
    add_forecast(commands)
    add_fuse(commands)
    _add_demo(commands)
    return parser


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
    parser.add_argument("--jobs", metavar="N", type=n_jobs, help="processes; -1 = one per core")
    add_output(parser, "medsel-demo")
