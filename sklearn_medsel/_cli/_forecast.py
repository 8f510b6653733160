"""The subcommand ``forecast``: from recordings of motion to errors on patients left out."""

import shlex
from pathlib import Path

from sklearn_medsel._cli._forecast_job import ForecastSettings, analyse_motion, plan_steps
from sklearn_medsel._cli._output import check_folder, staged_folder
from sklearn_medsel._cli._progress import Progress
from sklearn_medsel._cli._select import check_plotting
from sklearn_medsel._cli._tables import InputError

_COLUMNS = ("time", "patient", "sequence", "groups")
_NUMBERS = ("history", "coverage", "warmup", "seed")


def run(arguments):
    """Do the subcommand ``forecast``.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    int
        Exit status.
    """
    from sklearn_medsel._cli._forecast_output import summary, write_forecasts
    from sklearn_medsel._cli._read_motion import digest, list_files, read_motion

    settings = settings_from(arguments)
    folder = check_folder(arguments.out, force=arguments.force)
    check_plotting()
    with Progress(plan_steps(settings), mode=arguments.progress) as progress:
        with progress.step("reading the data"):
            motion = read_motion(settings)
            sha256 = digest(list_files(settings))
        results = analyse_motion(motion, settings, progress=progress)
        results.digest = sha256
        with progress.step("writing the page"), staged_folder(folder) as stage:
            note = write_forecasts(results, stage)
    print(summary(results))
    print(f"\n{note}\nTables: {folder}\nReport: {folder / 'report.html'}")
    return 0


def settings_from(arguments):
    """Turn parsed arguments into settings; refuse horizons that are named twice."""
    horizons = tuple(sorted(arguments.horizons))
    if len(set(horizons)) < len(horizons):
        raise InputError("--horizons: a horizon is given twice; give each once")
    names = [name for name in ForecastSettings.__dataclass_fields__ if name != "command"]
    values = {name: getattr(arguments, name) for name in names}
    values |= {name: tuple(values[name]) for name in ("data", "position", "planes", "targets")}
    values |= {"horizons": horizons}
    return ForecastSettings(**values, command=_command(arguments))


def _command(arguments):
    """Write the command that gives the same numbers, without the user's folders."""
    words = ["python", "-m", "sklearn_medsel", "forecast", *map(_last, arguments.data)]
    words += ["--horizons", *[f"{horizon:g}" for horizon in arguments.horizons]]
    for name in ("position", "planes"):
        words += [f"--{name}", *getattr(arguments, name)] if getattr(arguments, name) else []
    words += ["--targets", *map(_last, arguments.targets)] if arguments.targets else []
    words += ["--positions", _last(arguments.positions)] if arguments.positions else []
    for name in _COLUMNS:
        value = getattr(arguments, name)
        words += [] if value in (None, "t") else [f"--{name}", value]
    words += [f"--no-{name}" for name in ("transformer", "compare") if not getattr(arguments, name)]
    words += [] if arguments.model else ["--no-model"]
    for name in _NUMBERS:
        words += [f"--{name}", f"{getattr(arguments, name):.15g}"]
    return shlex.join(words)


def _last(path):
    """Name of a file or folder without those above it."""
    return Path(path).resolve().name
