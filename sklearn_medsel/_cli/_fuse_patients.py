"""From a table to what a fusion takes: blocks, outcome, groups and names of the patients.

Messages name columns, blocks and row positions (counted from 1 below the header), never a value.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sklearn_medsel._cli._columns import (
    _check_complete,
    check_decimal_points,
    check_groups,
    check_survival,
    check_target,
)
from sklearn_medsel._cli._read_blocks import find_columns
from sklearn_medsel._cli._roles import _check_present
from sklearn_medsel._cli._tables import InputError
from sklearn_medsel._groups import joint_groups


@dataclass
class Patients:
    """A checked table of patients.

    Attributes
    ----------
    X : DataFrame of shape (n_patients, n_columns)
        The columns of the blocks; rows are numbered from 1, as in the table.
    y : ndarray of shape (n_patients,)
        Classes, numbers, or the structured array of event and time.
    task : {"classification", "regression", "survival"}
    outcome : str
        What is predicted, in words.
    blocks : list of (str, str, list of str)
        Name, modality and columns.
    base : str or None
    groups : ndarray of shape (n_patients,), int, or None
        Rows of one group stay together.
    grouped_by : str or None
        The column that says so.
    ids : Series or None
        How the table names the patients.
    image_root : str or None
    remarks : list of str
        What the user should know about the table.
    """

    X: pd.DataFrame
    y: np.ndarray
    task: str
    outcome: str
    blocks: list
    base: str | None
    groups: np.ndarray | None = None
    grouped_by: str | None = None
    ids: pd.Series | None = None
    image_root: str | None = None
    remarks: list = field(default_factory=list)

    @property
    def names(self):
        """Names of the blocks."""
        return [name for name, _, _ in self.blocks]

    @property
    def n_patients(self):
        """How many patients there are: as many as ``--id`` names, or as there are rows."""
        return len(self.y) if self.ids is None else self.ids.nunique()

    @property
    def have_reports(self):
        """Whether any block is text, of which models and pages hold words."""
        return any(modality == "text" for _, modality, _ in self.blocks)


def assign_patients(frame, blocks, settings, image_root):
    """Split a table into blocks, outcome and groups, and check each of them.

    Parameters
    ----------
    frame : DataFrame
    blocks : Blocks
    settings : FuseSettings
        With the names of the columns.
    image_root : str or None
        Folder that paths of images are relative to; None where there are none.

    Returns
    -------
    Patients

    Raises
    ------
    InputError
        Naming the column, the block or the rows, and the fix.
    """
    roles = {
        f"--{role}": getattr(settings, role)
        for role in ("target", "time", "event", "groups", "id")
        if getattr(settings, role) is not None
    }
    for option, name in roles.items():
        _check_present(frame, name, option)
    _check_distinct(roles)
    forbidden = {option: name for option, name in roles.items() if option != "--groups"}
    found = find_columns(frame, blocks.blocks, settings.blocks, forbidden)
    frame = frame.set_axis(pd.RangeIndex(1, len(frame) + 1), axis="index")
    X = frame[[column for _, _, columns in found for column in columns]]
    ids = None
    if settings.id is not None:
        _check_complete(frame[settings.id], "--id")
        ids = frame[settings.id]
    for _, modality, columns in found:
        if modality == "table":
            check_decimal_points(frame, columns)
    groups, grouped_by, remarks = _find_groups(frame, ids, settings)
    base = settings.base or blocks.base
    if settings.target is None:
        y = check_survival(frame[settings.event], frame[settings.time], settings.folds)
        task, outcome = "survival", f"{settings.event} over {settings.time}"
    else:
        (y, task), outcome = check_target(frame[settings.target], settings), settings.target
    patients = Patients(
        X, y, task, outcome, found, base, groups, grouped_by, ids, image_root, remarks
    )
    taken = set(X.columns) | set(roles.values())
    left = [column for column in frame.columns if column not in taken]
    if left:
        columns = "column is" if len(left) == 1 else "columns are"
        patients.remarks.append(f"{len(left):,} {columns} in no block and not used.")
    return patients


def _find_groups(frame, ids, settings):
    """Which rows stay together, the columns that say so, and remarks on --id."""
    repeated = ids is not None and not ids.is_unique
    if settings.groups is not None:
        groups = check_groups(frame[settings.groups], settings.folds)
        return _join_ids(groups, ids, settings) if repeated else (groups, settings.groups, [])
    if not repeated:
        return None, None, []
    remark = (
        f"{ids.nunique():,} patients have {len(ids):,} rows by --id {settings.id}: the rows of one "
        "patient stay in one fold, as with --groups."
    )
    return check_groups(ids, settings.folds, "--id"), settings.id, [remark]


def _join_ids(groups, ids, settings):
    """Join groups that have a patient in common: no patient may be in two folds."""
    joined = joint_groups(groups, pd.factorize(ids)[0])
    n_groups, n_joined = groups.max() + 1, joined.max() + 1
    if n_joined == n_groups:
        return groups, settings.groups, []
    names = f"{settings.groups}, {settings.id}"
    remark = (
        f"Some patients (--id {settings.id}) are in several groups of --groups {settings.groups}. "
        f"Groups with a patient in common stay in one fold, so there are {n_joined:,} and not "
        f"{n_groups:,}."
    )
    return check_groups(pd.Series(joined, name=names), settings.folds), names, [remark]


def _check_distinct(roles):
    """Refuse one column in two roles; patients may be grouped by what names them."""
    seen = {}
    for option, name in roles.items():
        other = seen.setdefault(name, option)
        if other != option and {other, option} != {"--groups", "--id"}:
            raise InputError(f"column {name!r} is given twice: {other} and {option}")
