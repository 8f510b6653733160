"""What the arguments of several subcommands share: table, comparison, output, kinds of numbers."""

import argparse

_LONGEST = 1e6  # s


def add_table(parser):
    """Add the table, where it is the one thing that is read."""
    parser.add_argument(
        "table", metavar="TABLE", help="the table: .csv, .tsv (also .gz) or .parquet"
    )


def add_output(parser, folder, *, saves_model=False):
    """Add what is written and where, and how much is told on the way."""
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
    if saves_model:
        parser.add_argument(
            "--no-model", dest="model", action="store_false", help="do not save the trained model"
        )


def add_comparison(job, *, repeats):
    """Add the folds of a comparison, how often they are drawn, and how it is run."""
    job.add_argument("--cv", metavar="N", type=at_least(2), default=5, help="folds (default 5)")
    job.add_argument(
        "--repeats",
        metavar="N",
        type=at_least(1),
        default=repeats,
        help=f"of the folds (default {repeats})",
    )
    job.add_argument(
        "--no-compare", dest="compare", action="store_false", help="leave out the other methods"
    )
    job.add_argument("--seed", metavar="N", type=at_least(0), default=0, help="default 0")
    job.add_argument("--jobs", metavar="N", type=n_jobs, help="processes; -1 = one per core")


def fraction(written):
    """Read a number between 0 and 1."""
    try:
        value = float(written)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must lie between 0 and 1, found {written!r}")
    return value


def above_zero(written):
    """Read a number above 0."""
    try:
        value = float(written)
    except ValueError:
        value = -1.0
    if not 0 < value < _LONGEST:
        raise argparse.ArgumentTypeError(f"must be a number above 0, found {written!r}")
    return value


def at_least(smallest):
    """Make a reader of whole numbers from `smallest` on."""

    def parse(written):
        if not written.isdecimal() or int(written) < smallest:
            raise argparse.ArgumentTypeError(
                f"must be a whole number of at least {smallest}, found {written!r}"
            )
        return int(written)

    return parse


def n_jobs(written):
    """Read a number of processes."""
    if not written.removeprefix("-").isdecimal() or int(written) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number other than 0, found {written!r}")
    return int(written)
