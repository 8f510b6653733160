"""The subcommand ``select``: from a table on disk to a folder of results."""

import hashlib
import shlex
from pathlib import Path

from sklearn_medsel._cli._job import Settings, analyse, plan_steps
from sklearn_medsel._cli._output import check_folder, staged_folder
from sklearn_medsel._cli._progress import Progress
from sklearn_medsel._cli._tables import InputError, read_table


def run(arguments):
    """Do the subcommand ``select``.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    int
        Exit status.
    """
    from sklearn_medsel._cli._report import summary, write_results
    from sklearn_medsel._cli._roles import assign_roles

    settings = settings_from(arguments)
    folder = check_folder(arguments.out, force=arguments.force)
    check_plotting()
    steps = plan_steps(compare=settings.compare, survival=settings.time is not None)
    with Progress(steps, mode=arguments.progress) as progress:
        with progress.step("reading the table"):
            table = read_table(arguments.table, labels=[settings.groups])
            samples = assign_roles(table, settings)
            digest = hashlib.sha256(Path(arguments.table).read_bytes()).hexdigest()
        results = analyse(samples, settings, progress=progress)
        results.digest = digest
        with progress.step("drawing the report"), staged_folder(folder) as stage:
            write_results(results, stage)
    print(summary(results))
    print(f"\nReport: {folder / 'report.html'}")
    return 0


def settings_from(arguments):
    """Turn parsed arguments into settings; refuse combinations that mean nothing."""
    if (arguments.time is None) != (arguments.event is None):
        absent = "--event" if arguments.event is None else "--time"
        raise InputError(f"survival needs both --time and --event; {absent} is not given")
    if arguments.target is None and arguments.time is None:
        raise InputError("give --target COLUMN, or --time COLUMN and --event COLUMN for survival")
    task = arguments.task
    if task == "survival" and arguments.target is not None:
        raise InputError("--task survival takes --time and --event; leave out --target")
    if task in ("classification", "regression") and arguments.target is None:
        raise InputError(f"--task {task} needs --target COLUMN")
    return Settings(
        table=Path(arguments.table).name,
        target=arguments.target,
        time=arguments.time,
        event=arguments.event,
        groups=arguments.groups,
        drop=tuple(arguments.drop),
        task=task,
        fdr=arguments.fdr,
        n_features=arguments.n_features,
        cv=arguments.cv,
        repeats=arguments.repeats,
        compare=arguments.compare,
        seed=arguments.seed,
        jobs=arguments.jobs,
        command=_command(arguments),
    )


def _command(arguments):
    """Write the command that gives the same numbers, without the user's folders."""
    words = ["python", "-m", "sklearn_medsel", "select", Path(arguments.table).name]
    for name in ("target", "time", "event", "groups", "n_features"):
        value = getattr(arguments, name)
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    words += ["--drop", *arguments.drop] if arguments.drop else []
    words += [] if arguments.compare else ["--no-compare"]
    for name in ("task", "fdr", "cv", "repeats", "seed"):
        words += [f"--{name}", str(getattr(arguments, name))]
    return shlex.join(words)


def check_plotting():
    """Fail before the work, not after it, where matplotlib is absent."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError(
            'the report\'s pictures need matplotlib: pip install "sklearn-medsel[plot]"'
        ) from error
