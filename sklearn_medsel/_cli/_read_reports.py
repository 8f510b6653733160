"""The subcommand ``reports``: from a table of reports to a model, scores and a page."""

import hashlib
import shlex
from pathlib import Path

from sklearn_medsel._cli._output import check_folder, staged_folder
from sklearn_medsel._cli._progress import Progress
from sklearn_medsel._cli._reports_job import ReportSettings, analyse_reports, plan_steps
from sklearn_medsel._cli._select import check_plotting
from sklearn_medsel._cli._tables import read_table


def run(arguments):
    """Do the subcommand ``reports``.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    int
        Exit status.
    """
    from sklearn_medsel._cli._report_roles import assign_report_roles
    from sklearn_medsel._cli._reports_output import summary, write_reports

    settings = settings_from(arguments)
    folder = check_folder(arguments.out, force=arguments.force)
    check_plotting()
    with Progress(plan_steps(), mode=arguments.progress) as progress:
        with progress.step("reading the table"):
            frame = read_table(arguments.table, labels=[settings.groups])
            table = assign_report_roles(frame, settings)
            digest = hashlib.sha256(Path(arguments.table).read_bytes()).hexdigest()
        results = analyse_reports(table, settings, progress=progress)
        results.digest = digest
        with progress.step("writing the page"), staged_folder(folder) as stage:
            note = write_reports(results, stage)
    print(summary(results))
    print(f"\n{note}\nTables: {folder}\nPage:   {folder / 'reports.html'} (contains report texts)")
    return 0


def settings_from(arguments):
    """Turn parsed arguments into settings."""
    names = [name for name in ReportSettings.__dataclass_fields__ if name != "command"]
    values = {name: getattr(arguments, name) for name in names}
    values["table"] = Path(arguments.table).name
    return ReportSettings(**values, command=_command(arguments))


def _command(arguments):
    """Write the command that gives the same numbers, without the user's folders."""
    words = ["python", "-m", "sklearn_medsel", "reports", Path(arguments.table).name]
    for name in ("text", "target", "positive", "previous", "groups", "recall_target"):
        value = getattr(arguments, name)
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    encoder = arguments.encoder
    words += ["--encoder", Path(encoder).name if Path(encoder).is_absolute() else encoder]
    words += [] if arguments.compare else ["--no-compare"]
    words += [] if arguments.model else ["--no-model"]
    for name in ("mode", "cv", "repeats", "seed"):
        words += [f"--{name}", str(getattr(arguments, name))]
    return shlex.join(words)
