"""The real traces of the forecasting comparison: markers on the body and targets in the liver."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks._runner import data_folder

AXES = ("x", "y", "z")
_CINE_RATE = 5.97  # Hz


@dataclass(frozen=True)
class Track:
    """What was recorded of one patient without a break.

    Attributes
    ----------
    name, group : str
        The recording, and what is left out together with it: the date or the person.
    t : ndarray of shape (n_steps,)
        Seconds, at the nominal rate: all methods take the rows as uniform steps.
    positions : ndarray of shape (n_steps, n_objects, n_dims)
        Millimetres; several objects are markers that were recorded together.
    n_first : int
        Steps of the patient's own first minute. Forecasts of what comes later are scored.
    objects : tuple of str
    """

    name: str
    group: str
    t: np.ndarray
    positions: np.ndarray
    n_first: int
    objects: tuple

    @property
    def joint(self):
        """All objects side by side, shape (n_steps, n_objects * n_dims)."""
        return self.positions.reshape(len(self.positions), -1)

    @property
    def n_dims(self):
        """Axes of one object."""
        return self.positions.shape[2]

    def cut(self, n_steps):
        """The first steps alone."""
        return replace(self, t=self.t[:n_steps], positions=self.positions[:n_steps])

    def singles(self):
        """One track per object."""
        return [
            replace(self, positions=self.positions[:, [place]], objects=(name,))
            for place, name in enumerate(self.objects)
        ]


@dataclass(frozen=True)
class TrackSet:
    """Tracks that are compared together.

    Attributes
    ----------
    tracks : list of Track
    steps : tuple of int
        Horizons, in steps.
    period : float
        Seconds per step.
    """

    tracks: list
    steps: tuple
    period: float

    @property
    def horizons(self):
        """Horizons in seconds."""
        return tuple(step * self.period for step in self.steps)

    @property
    def groups(self):
        """What is left out, one after the other."""
        return sorted({track.group for track in self.tracks})

    def split(self, group):
        """Tracks of the other groups, and tracks of this one."""
        train = [track for track in self.tracks if track.group != group]
        return train, [track for track in self.tracks if track.group == group]

    def shorter(self):
        """Two tracks of each group, and little after their first minute: for a trial."""
        kept = [track for group in self.groups for track in self.split(group)[1][:2]]
        return replace(self, tracks=[track.cut(track.n_first + 60) for track in kept])


def load_markers():
    """Three markers on chest and abdomen, 3-D, every second sample of 10 Hz, grouped by date."""
    table = pd.read_parquet(cine_file("markers_10hz.parquet"))
    tracks = []
    for sequence, part in table.groupby("sequence"):
        markers = dict(list(part.groupby("marker")))
        places = [marker[["x_mm", "y_mm", "z_mm"]].to_numpy(float) for marker in markers.values()]
        # The clock, the same for the three markers, says which rows are the first minute.
        t = next(iter(markers.values()))["t_s"].to_numpy(float)[::2]
        tracks.append(
            Track(
                name=str(sequence),
                group=part["session"].iloc[0][:8],
                t=0.2 * np.arange(len(t)),
                positions=np.stack(places, axis=1)[::2],
                n_first=int(np.searchsorted(t, 60.0)),
                objects=tuple(markers),
            )
        )
    return TrackSet(tracks, (1, 2, 3, 5), 0.2)


def load_cine_targets():
    """Targets of sagittal cine MR of six persons, 2-D (SI, AP), 5.97 Hz, labelled by registration.

    As in the publications on them, frames from number 340 (57 s) on are the test.
    """
    tracks = []
    for path in sorted(cine_file("").glob("target_ovgu_*.npz")):
        name = path.stem.removeprefix("target_ovgu_")
        with np.load(path) as data:
            positions = np.stack([data["si_mm"], data["ap_mm"]], axis=1).astype(float)
        t = np.arange(len(positions)) / _CINE_RATE
        tracks.append(Track(name, name, t, positions[:, None], 340, ("target",)))
    if not tracks:
        raise FileNotFoundError(
            "no target_ovgu_*.npz in the folder of cine data; set MEDSEL_DATA to the folder that "
            "holds cine/."
        )
    return TrackSet(tracks, (1, 2, 3, 6), 1 / _CINE_RATE)


SETS = {"markers": load_markers, "cine_targets": load_cine_targets}


def as_frame(tracks):
    """Tracks as the table that a `TumourPositionForecaster` takes, an object after the other.

    Parameters
    ----------
    tracks : list of Track

    Returns
    -------
    DataFrame
        Columns t, patient (the track), sequence (the object), and x, y, z as far as there are axes.
    """
    parts = [
        pd.DataFrame(
            {"t": track.t, "patient": track.name, "sequence": track.objects[0]}
            | dict(zip(AXES, track.joint.T, strict=False))
        )
        for whole in tracks
        for track in whole.singles()
    ]
    return pd.concat(parts, ignore_index=True)


def cine_file(name):
    """Path of a file in the folder of cine data."""
    path = data_folder().parent / "cine" / name
    if not path.exists():
        raise FileNotFoundError(
            f"cine/{name} is not in the folder of real data; set MEDSEL_DATA to the folder that "
            "holds cine/."
        )
    return path
