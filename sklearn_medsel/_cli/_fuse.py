"""The subcommand ``fuse``: from a table and its blocks to a model, scores and a page."""

import hashlib
import shlex
from pathlib import Path

from sklearn_medsel._cli._fuse_job import FuseSettings, analyse_patients, plan_steps
from sklearn_medsel._cli._output import check_folder, staged_folder
from sklearn_medsel._cli._progress import Progress
from sklearn_medsel._cli._read_blocks import check_base, read_blocks
from sklearn_medsel._cli._select import check_plotting
from sklearn_medsel._cli._tables import InputError, read_table

_NAMES = ("target", "time", "event", "groups", "id", "base", "n_features")


def run(arguments):
    """Do the subcommand ``fuse``.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    int
        Exit status.
    """
    from sklearn_medsel._cli._fuse_output import summary, write_fusion
    from sklearn_medsel._cli._fuse_patients import assign_patients

    settings = settings_from(arguments)
    folder = check_folder(arguments.out, force=arguments.force)
    check_plotting()
    with Progress(plan_steps(), mode=arguments.progress) as progress:
        with progress.step("reading the table"):
            blocks = read_blocks(arguments.blocks)
            if settings.base is not None:
                check_base(settings.base, [name for name, _, _ in blocks.blocks], "--base")
            root = image_root(arguments)
            table = read_table(arguments.table, labels=(settings.id, settings.groups))
            patients = assign_patients(table, blocks, settings, root)
            digest = hashlib.sha256(Path(arguments.table).read_bytes()).hexdigest()
        results = analyse_patients(patients, settings, progress=progress)
        results.digest = digest
        with progress.step("writing the page"), staged_folder(folder) as stage:
            note = write_fusion(results, stage)
    print(summary(results))
    print(f"\n{note}\nTables: {folder}\nReport: {folder / 'report.html'}")
    return 0


def settings_from(arguments):
    """Turn parsed arguments into settings; refuse combinations that mean nothing."""
    if (arguments.time is None) != (arguments.event is None):
        absent = "--event" if arguments.event is None else "--time"
        raise InputError(f"survival needs both --time and --event; {absent} is not given")
    if (arguments.target is None) == (arguments.time is None):
        raise InputError("give --target COLUMN, or --time COLUMN and --event COLUMN for survival")
    if arguments.time is None and (arguments.n_groups is not None or arguments.cut is not None):
        option = "--n-groups" if arguments.n_groups is not None else "--cut"
        raise InputError(f"{option} is for risk groups, which need --time and --event")
    if arguments.time is not None and arguments.task != "auto":
        raise InputError(f"--task {arguments.task} takes --target; leave out --time and --event")
    names = [name for name in FuseSettings.__dataclass_fields__ if name != "command"]
    values = {name: getattr(arguments, name) for name in names}
    values |= {name: Path(values[name]).name for name in ("table", "blocks")}
    values |= {"n_groups": arguments.n_groups or 2, "cut": arguments.cut or "quantile"}
    return FuseSettings(**values, command=_command(arguments))


def image_root(arguments):
    """Return the folder that paths of images are relative to: by default, that of the table."""
    if arguments.image_root is None:
        return str(Path(arguments.table).resolve().parent)
    root = Path(arguments.image_root).resolve()
    if not root.is_dir():
        raise InputError(f"--image-root {root}: there is no such folder")
    return str(root)  # text, so that a model with it can be stored


def _command(arguments):
    """Write the command that gives the same numbers, without the user's folders."""
    words = ["python", "-m", "sklearn_medsel", "fuse", Path(arguments.table).name]
    words += ["--blocks", Path(arguments.blocks).name]
    for name in _NAMES:
        value = getattr(arguments, name)
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    if arguments.time is not None:
        words += ["--n-groups", str(arguments.n_groups or 2), "--cut", arguments.cut or "quantile"]
    elif arguments.task != "auto":
        words += ["--task", arguments.task]
    if arguments.image_root is not None:
        words += ["--image-root", Path(arguments.image_root).resolve().name]
    words += [] if arguments.model else ["--no-model"]
    for name in ("fusion", "cv", "seed"):
        words += [f"--{name}", str(getattr(arguments, name))]
    return shlex.join(words)
