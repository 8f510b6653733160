"""The arguments of the subcommand ``forecast``."""

from sklearn_medsel._cli._argument_types import above_zero, add_output, at_least, fraction, n_jobs


def add_forecast(commands):
    """Add the subcommand and its arguments."""
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
        type=above_zero,
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
        type=above_zero,
        default=20.0,
        help="time in which known positions are shown with the frames (default 20)",
    )
    job = parser.add_argument_group("forecasting and comparison")
    job.add_argument(
        "--history", metavar="S", type=above_zero, default=4.0, help="to look back (default 4)"
    )
    job.add_argument(
        "--coverage",
        type=fraction,
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
    job.add_argument("--seed", metavar="N", type=at_least(0), default=0, help="default 0")
    job.add_argument("--jobs", metavar="N", type=n_jobs, help="processes; -1 = one per core")
    add_output(parser, "medsel-forecast", saves_model=True)
