"""Reading the data of the subcommand ``forecast``: a table of positions, npz files, or DICOM."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_medsel._cli._motion import (
    AXES,
    Motion,
    check_groups,
    check_recordings,
    find_columns,
    read_columns,
)
from sklearn_medsel._cli._tables import InputError, quoted, read_table

_BODY_AXES = ("SI", "AP", "LR")  # as CineSequence has them
_FRAME_OPTIONS = ("planes", "targets", "positions")
_MAX_GAP = 3.0  # median intervals of the table over which positions are interpolated


def read_motion(settings):
    """Read recordings and check them.

    Parameters
    ----------
    settings : ForecastSettings

    Returns
    -------
    Motion

    Raises
    ------
    InputError
        Naming the file, the column or the rows, and the fix.
    """
    paths = [Path(path) for path in settings.data]
    for path in [*paths, *map(Path, settings.targets)]:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder")
    tables = [path for path in paths if path.is_file() and path.suffix.lower() != ".npz"]
    if not tables:
        motion = _read_frames(_list_recordings(paths), settings)
    elif len(paths) > 1:
        raise InputError(
            "DATA is one table, or any number of .npz files and folders; join tables into one with "
            "a column that says whose each row is"
        )
    else:
        return _read_table(tables[0], settings)
    check_groups(motion, settings)
    return motion


def list_files(settings):
    """List all files that are read, in order."""
    named = [*settings.data, *settings.targets]
    named += [settings.positions] if settings.positions else []
    files = []
    for path in map(Path, named):
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [each for each in found if each.is_file()]
    return files


def digest(files):
    """SHA-256 of a file, or of the digests of several in their order."""
    parts = []
    for path in files:
        with path.open("rb") as file:
            parts.append(hashlib.file_digest(file, "sha256"))
    if len(parts) == 1:
        return parts[0].hexdigest()
    return hashlib.sha256(b"".join(part.digest() for part in parts)).hexdigest()


def _read_table(path, settings):
    for option in _FRAME_OPTIONS:
        if getattr(settings, option):
            raise InputError(f"--{option} goes with frames, and {path.name} is a table")
    return motion_from_table(read_table(path, labels=_labels(settings)), settings)


def _labels(settings):
    """Columns that hold names, as `find_columns` would find them."""
    return settings.patient or "patient", settings.sequence or "sequence", settings.groups


def motion_from_table(frame, settings):
    """Split a table of positions into its roles, and check each of them.

    Parameters
    ----------
    frame : DataFrame
    settings : ForecastSettings
        With the names of the columns.

    Returns
    -------
    Motion

    Raises
    ------
    InputError
        Naming the column or the rows, and the fix.
    """
    columns = find_columns(frame, settings, needs_patient=True)
    table = read_columns(frame, columns)
    check_recordings(table, columns.time)
    axes = list(AXES[: len(columns.position)])
    labels = {name: table[name].to_numpy(dtype=str) for name in ("patient", "sequence", "groups")}
    if columns.groups is None:
        labels["groups"] = labels["patient"]
    motion = Motion(
        table.drop(columns="groups"),
        table[axes].to_numpy(),
        table["t"].to_numpy(),
        **labels,
        axes=tuple(map(str, columns.position)),
    )
    check_groups(motion, settings)
    return motion


def _list_recordings(paths):
    """List npz files and DICOM folders, one per recording."""
    found = []
    for path in paths:
        if path.is_file():
            found.append(path)
            continue
        files = sorted(path.glob("*.npz"))
        if files:
            found += [file for file in files if "frames" in _keys(file)]
        else:
            folders = sorted(each for each in path.iterdir() if each.is_dir())
            found += [each for each in folders if not each.name.startswith(".")] or [path]
    if not found:
        raise InputError(f"{paths[0]}: no .npz file there has 'frames'")
    kinds = {path.is_dir() for path in found}
    if len(kinds) > 1:
        raise InputError("DATA mixes .npz files and DICOM folders; give one kind")
    names = pd.Series([_name(path) for path in found])
    if names.duplicated().any():
        raise InputError(
            f"two recordings are called {names[names.duplicated()].iloc[0]!r}; rename one, since "
            "patients and --positions are told by it"
        )
    return found


def _name(path):
    return path.resolve().name if path.is_dir() else path.stem


def _keys(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            return set(getattr(file, "files", ()))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read as .npz; write the file again") from error


def _read_frames(paths, settings):
    names = [_name(path) for path in paths]
    if settings.groups and not settings.positions:
        raise InputError("--groups is a column of --positions TABLE where DATA holds frames")
    table = None if settings.positions is None else _read_positions(names, settings)
    patients = None if table is None or not table["patient"].any() else _whose(names, table)
    if paths[0].is_dir():
        cine = _read_dicom(paths, names, patients, settings)
    else:
        cine = _read_npz(paths, names, patients, settings)
    groups = cine.patient
    if table is not None:
        cine = cine.with_positions(_positions_at(cine, table))
        if settings.groups:
            groups = table.groupby("sequence")["groups"].first()[cine.sequence].to_numpy(dtype=str)
    if cine.positions is None or not np.isfinite(cine.positions).all(axis=1).any():
        raise InputError(
            "the frames come without positions; give --positions TABLE (columns t, x, y, z and "
            "sequence, the name of the recording's file or folder), or --targets FILE ..."
        )
    return Motion(
        cine,
        cine.positions,
        cine.t,
        cine.patient,
        cine.sequence,
        groups,
        _BODY_AXES[: cine.positions.shape[1]],
    )


def _read_npz(paths, names, patients, settings):
    from sklearn_medsel.forecasting import CineSequence

    for path in paths:
        _keys(path)
    try:
        return CineSequence.from_npz(
            paths,
            planes=settings.planes or None,
            patient=names if patients is None else patients,
            sequence=names,
            targets=list(settings.targets) or None,
        )
    except ValueError as error:
        option = "--planes: " if str(error).startswith("planes") else ""
        raise InputError(f"{option}{error}") from error


def _read_dicom(paths, names, patients, settings):
    from sklearn_medsel.forecasting import CineSequence

    for option in ("planes", "targets"):
        if getattr(settings, option):
            raise InputError(f"--{option} goes with .npz files, and DATA holds folders of DICOM")
    whose = [None] * len(names) if patients is None else patients
    parts = [
        CineSequence.from_dicom(path, patient=patient, sequence=name)
        for path, name, patient in zip(paths, names, whose, strict=True)
    ]
    return CineSequence.concatenate(parts)


def _read_positions(names, settings):
    """Read a table of positions of recordings with frames."""
    frame = read_table(settings.positions, labels=_labels(settings))
    columns = find_columns(frame, settings, needs_patient=False)
    if columns.sequence is None:
        raise InputError(
            "--positions: the table has no column 'sequence' with the names of the recordings "
            f"({quoted(names)}); name it with --sequence"
        )
    table = read_columns(frame, columns)
    check_recordings(table, columns.time)
    absent = [name for name in names if name not in set(table["sequence"])]
    if absent:
        raise InputError(
            f"--positions: column {columns.sequence!r} has no rows for the recording(s) "
            f"{quoted(absent)}"
        )
    return table


def _whose(names, table):
    """Patient of each recording."""
    patients = table.groupby("sequence")["patient"].unique()
    several = [name for name in names if len(patients[name]) > 1]
    if several:
        raise InputError(f"--positions: several patients have the recording {quoted(several)}")
    return [str(patients[name][0]) for name in names]


def _positions_at(cine, table):
    """Positions (n_steps, n_dims) at the times of frames, interpolated; NaN where unknown."""
    from sklearn_medsel.forecasting._alignment import _interpolate

    axes = [axis for axis in AXES if axis in table]
    found = np.full((len(cine), len(axes)), np.nan)
    for name, part in table.groupby("sequence"):
        rows = np.flatnonzero(cine.sequence == name)
        part = part[part[axes].notna().all(axis=1)]
        if rows.size and len(part) > 1:
            t = part["t"].to_numpy()
            longest = _MAX_GAP * np.median(np.diff(t))
            at = _interpolate(t, part[axes].to_numpy(), cine.t[rows, None], longest)
            found[rows] = at[:, 0]
    return found
