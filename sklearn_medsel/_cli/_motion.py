"""What the subcommand ``forecast`` works on: recordings of motion, checked, and their groups.

Messages name columns and row positions (counted from 1 below the header), never a patient's values.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sklearn_medsel._cli._columns import _check_complete, rows
from sklearn_medsel._cli._roles import _check_present
from sklearn_medsel._cli._tables import InputError, quoted
from sklearn_medsel.forecasting._alignment import segment_codes
from sklearn_medsel.forecasting._measures import POOLED, WORST
from sklearn_medsel.forecasting._sequence_checks import _LARGEST_JUMP, _jumps

AXES = ("x", "y", "z")
_LONGEST_INTERVAL, _SHORTEST_INTERVAL = 2.0, 1e-3  # s; beyond them, time is in another unit


@dataclass
class Motion:
    """Recordings of several patients.

    Attributes
    ----------
    X : DataFrame or CineSequence
        What forecasters take; frames have the positions beside them.
    y : ndarray of shape (n_steps, n_dims)
        True positions in mm; NaN where unknown.
    t : ndarray of shape (n_steps,)
        In s.
    patient, sequence, groups : ndarray of shape (n_steps,), str
        The rows of one group are not parted.
    axes : tuple of str
        Names of the coordinates.
    remarks : list of str
        What the user should know of the data.
    """

    X: object
    y: np.ndarray
    t: np.ndarray
    patient: np.ndarray
    sequence: np.ndarray
    groups: np.ndarray
    axes: tuple
    remarks: list = field(default_factory=list)

    @property
    def planes(self):
        """Planes of the frames; none where there are positions only."""
        return tuple(getattr(self.X, "planes", ()))

    @property
    def first(self):
        """Row of the first step of each row's recording."""
        codes = segment_codes(self.patient, self.sequence, n_steps=len(self.t))
        return np.unique(codes, return_index=True)[1][codes]

    def counted(self, warmup):
        """True positions; with frames, NaN where forecasters are shown them to warm up."""
        if not self.planes:
            return self.y
        shown = self.t - self.t[self.first] < warmup
        return np.where(shown[:, None], np.nan, self.y)


@dataclass(frozen=True)
class MotionColumns:
    """Names of the columns of a table, found or as given."""

    time: str
    position: tuple
    patient: str | None
    sequence: str | None
    groups: str | None


def find_columns(frame, settings, *, needs_patient):
    """Find the columns of a table of positions, and refuse a table that lacks one.

    Parameters
    ----------
    frame : DataFrame
    settings : ForecastSettings
    needs_patient : bool

    Returns
    -------
    MotionColumns
    """
    position = tuple(settings.position or [axis for axis in AXES if axis in frame.columns])
    if not position:
        raise InputError(
            "the table has no column x, y or z; name the positions (mm) with --position, such as "
            f"--position SI AP LR. Its columns begin with {quoted(frame.columns[:4])}"
        )
    if len(position) > len(AXES):
        raise InputError(f"--position takes one to three columns, found {len(position)}")
    found = {"--time": settings.time}
    found |= {f"--position ({number})": name for number, name in enumerate(position, start=1)}
    for option, name in (("patient", settings.patient), ("sequence", settings.sequence)):
        if name is not None or option in frame.columns:
            found[f"--{option}"] = option if name is None else name
    for option, name in found.items():
        _check_present(frame, name, option)
    if settings.groups is not None:
        _check_present(frame, settings.groups, "--groups")
    if needs_patient and "--patient" not in found:
        raise InputError(
            "the table has no column 'patient'; name the column that says whose each row is with "
            "--patient, since forecasts are judged on patients that training did not see"
        )
    taken = pd.Series(found)
    if taken.duplicated().any():
        name = taken[taken.duplicated()].iloc[0]
        raise InputError(
            f"column {name!r} is given twice: {' and '.join(taken.index[taken == name])}"
        )
    return MotionColumns(
        settings.time, position, found.get("--patient"), found.get("--sequence"), settings.groups
    )


def read_columns(frame, columns):
    """Read times, positions and labels of a table.

    Parameters
    ----------
    frame : DataFrame
    columns : MotionColumns

    Returns
    -------
    DataFrame
        Columns t, x, y, z (as many as there are), patient, sequence, groups; what the table lacks
        is "".
    """
    found = {"t": _numbers(frame[columns.time], "--time")}
    missing = np.isnan(found["t"])
    if missing.any():
        raise InputError(
            f"--time column {columns.time!r} has no value in {rows(missing)}; remove the rows"
        )
    for axis, name in zip(AXES, columns.position, strict=False):
        found[axis] = _numbers(frame[name], "--position")
    for role in ("patient", "sequence", "groups"):
        name = getattr(columns, role)
        found[role] = "" if name is None else _labels(frame[name], f"--{role}")
    return pd.DataFrame(found)


def check_recordings(table, time_name):
    """Refuse rows that are not in the order of time, and positions that jump.

    Parameters
    ----------
    table : DataFrame
        As from `read_columns`.
    time_name : str
        What the user calls the time.
    """
    t = table["t"].to_numpy()
    codes = segment_codes(table["patient"], table["sequence"], n_steps=len(t))
    starts = np.diff(codes, prepend=-1) != 0
    apart = starts & pd.Series(codes).where(starts).duplicated().to_numpy() & (codes >= 0)
    if apart.any():
        raise InputError(
            f"the rows of one recording stand apart: it goes on in {rows(apart)}; sort the table "
            "by patient, sequence and time"
        )
    wrong = ~starts & (np.diff(t, prepend=-np.inf) <= 0)
    if wrong.any():
        raise InputError(
            f"--time column {time_name!r} goes back or repeats within a recording, in "
            f"{rows(wrong)}; sort by time and remove repeated rows, or name the column that tells "
            "recordings apart with --sequence"
        )
    steps = np.diff(t)[~starts[1:]]
    interval = np.median(steps) if steps.size else np.nan
    if not _SHORTEST_INTERVAL <= interval <= _LONGEST_INTERVAL:
        raise InputError(
            f"--time column {time_name!r}: rows are {interval:.3g} s apart if it holds seconds; "
            "give seconds, and at least one position every two seconds"
        )
    axes = [axis for axis in AXES if axis in table]
    first = np.flatnonzero(starts)[np.cumsum(starts) - 1]
    position = table[axes].to_numpy()
    if not np.isfinite(position).all(axis=1).any():
        raise InputError("no row has a position: the columns of --position are empty")
    far = _jumps(position, first) > _LARGEST_JUMP
    if far.any():
        raise InputError(
            f"positions jump by more than {_LARGEST_JUMP:.0f} mm in {rows(far)}; give mm, and tell "
            "recordings of another origin apart with --sequence"
        )


def check_groups(motion, settings):
    """Refuse motion that cannot be judged on groups left out; add remarks.

    Parameters
    ----------
    motion : Motion
    settings : ForecastSettings
    """
    by = "group" if settings.groups else "patient"
    reserved = sorted(set(motion.patient) & {POOLED, WORST})
    if reserved:
        raise InputError(f"a patient is called {reserved[0]!r}, as a row of the tables is; rename")
    codes = segment_codes(motion.patient, motion.sequence, n_steps=len(motion.t))
    table = pd.DataFrame({"recording": codes, "group": motion.groups, "patient": motion.patient})
    parted = table.groupby("recording")["group"].nunique() > 1
    if parted.any():
        raise InputError(
            f"--groups column {settings.groups!r} changes within {parted.sum()} recording(s); a "
            "recording must be in one group: tell recordings apart with --sequence"
        )
    if table["group"].nunique() < 2:
        raise InputError(
            f"the data hold one {by} only; at least two are needed, since forecasts are judged on "
            f"a {by} that training did not see"
        )
    shared = int((table.groupby("patient")["group"].nunique() > 1).sum())
    if shared:
        motion.remarks.append(
            f"{shared} patient(s) are in several groups, and so both in training and in testing."
        )
    _check_durations(motion, settings, codes, by)
    unknown = int((~np.isfinite(motion.y).all(axis=1)).sum())
    if unknown:
        motion.remarks.append(f"The position is unknown in {unknown:,} of {len(motion.y):,} rows.")


def _check_durations(motion, settings, codes, by):
    known = np.isfinite(motion.y).all(axis=1)
    t = pd.Series(motion.t[known]).groupby(codes[known])
    lasts = t.max() - t.min()
    group = pd.Series(motion.groups[known]).groupby(codes[known]).first()
    needed = settings.history + max(settings.horizons)
    long = lasts >= needed
    if group[long].nunique() < 2:
        raise InputError(
            f"training needs recordings of {needed:g} s (--history and the longest of --horizons) "
            f"with known positions in at least two {by}s; found {int(long.sum())} such "
            f"recording(s) in {group[long].nunique()} {by}(s)"
        )
    if motion.planes and lasts.max() < settings.warmup + min(settings.horizons):
        raise InputError(
            f"--warmup {settings.warmup:g}: no recording lasts longer, so that no forecast could "
            "be judged; shorten it"
        )


def _numbers(column, option):
    """Return a column as floats; refuse text and infinity."""
    values = pd.to_numeric(column, errors="coerce")
    wrong = values.isna() & column.notna()
    is_date = pd.api.types.is_datetime64_any_dtype(column)
    if wrong.any() or is_date or pd.api.types.is_bool_dtype(column):
        where = f" in {rows(wrong)}" if wrong.any() else ""
        raise InputError(
            f"{option} column {column.name!r} holds values that are no numbers{where}; give "
            + ("seconds" if option == "--time" else "mm, empty where unknown")
        )
    values = values.to_numpy(dtype=float, na_value=np.nan)
    if np.isinf(values).any():
        raise InputError(
            f"{option} column {column.name!r} is infinite in {rows(np.isinf(values))}; correct it"
        )
    return values


def _labels(column, option):
    """Return labels as text; whole numbers without a point."""
    _check_complete(column, option)
    is_number = pd.api.types.is_float_dtype(column.dtype)
    if is_number and np.all(np.mod(column, 1) == 0):
        column = column.astype("int64")
    return column.astype(str).str.strip().to_numpy(dtype=str)
