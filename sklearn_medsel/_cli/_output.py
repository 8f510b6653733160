"""Writing the results: all of them, or none.

Everything is written to a hidden folder first and moved into place at the end, so that an error or
Ctrl-C never leaves a half-written folder behind.
"""

import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path

from sklearn_medsel._cli._tables import InputError

_PAGES = ("report.html", "reports.html")  # of the subcommands


def check_folder(path, *, force=False, replaceable=()):
    """Refuse an output folder that cannot be written or holds something already.

    Parameters
    ----------
    path : path-like
    force : bool, default=False
        Accept a folder with content; files of the same name will be replaced, others stay.
    replaceable : sequence of str, default=()
        Folders that may be there without ``force``, since they will be replaced whole; each must
        hold an earlier report.

    Returns
    -------
    Path
        The absolute path.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_dir():
        raise InputError(f"--out {path}: this is a file; give a folder")
    if path.is_dir() and not force:
        others = sorted(set(os.listdir(path)) - set(replaceable))
        if others:
            raise InputError(
                f"--out {path}: the folder is not empty (it holds {others[0]!r}); "
                "choose another one, or --force to add the results to it"
            )
    for name in replaceable:
        pages = [path / name / page for page in _PAGES]
        if (path / name).exists() and not any(page.is_file() for page in pages):
            raise InputError(f"--out {path}: it holds {name!r}, which is not an earlier report")
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    if not existing.is_dir():
        raise InputError(f"--out {path}: {existing} is a file; give a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"--out {path}: no permission to write in {existing}")
    return path


@contextmanager
def staged_folder(path):
    """Give a temporary folder whose content is in `path` once the block ends without an error.

    A folder that is there already stays the same folder: its permissions are the user's choice, it
    may be a mount point or the current folder, and its parent may not be writable. So the temporary
    folder is inside it, and beside it only where there is none.
    """
    path = Path(path)
    missing = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path if path.is_dir() else path.parent
    stage = place / f".{path.name}.{secrets.token_hex(4)}.partial"
    try:
        stage.mkdir()
        yield stage
        _move_into_place(stage, path)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        for parent in missing:  # the innermost first
            if parent.exists() and not os.listdir(parent):
                parent.rmdir()
        raise


def _move_into_place(stage, path):
    """Rename the stage, or swap its entries in one by one and undo that if one of them fails."""
    if not path.exists():
        stage.rename(path)
        return
    old = stage.with_name(f"{stage.name}.old")
    old.mkdir()
    swapped = []
    try:
        for name in sorted(os.listdir(stage)):
            swapped.append(name)
            if (path / name).exists():
                (path / name).rename(old / name)
            (stage / name).rename(path / name)
    except BaseException:
        for name in swapped:
            if (path / name).exists() and not (stage / name).exists():
                (path / name).rename(stage / name)
            if (old / name).exists():
                (old / name).rename(path / name)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
    stage.rmdir()
