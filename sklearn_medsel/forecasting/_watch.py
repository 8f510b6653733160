"""One patient under observation: where the target is (from frames), and where it will be."""

import time
from dataclasses import replace

import numpy as np

from sklearn_medsel.forecasting._follower import MotionFollower


class PatientWatch:
    """Tracker and follower of one patient, fed moment by moment.

    Frames tell how far the target went, not where it lies in the coordinates of a new patient:
    that is learnt from the first known position. Until then positions are near those of training.
    Inside they stay so, and `origin` lies between: a shifted patient is followed in the same way.

    Parameters
    ----------
    model : MotionModel
        What is known of motion.
    n_dims : int
        Axes of a position.
    tracker : PatientTracker or None, default=None
        Finds the position in frames; None where positions are given.
    networks : list of OnnxNetwork or None, default=None
        Networks of the transformer, where they do not run in torch.
    novelty_unit : float, default=1.0
        What the tracker's novelty is divided by, so that above 3 is rare in new patients.

    Attributes
    ----------
    origin : ndarray of shape (n_dims,)
        What is added to the positions of tracker and follower, in mm.
    anchored : bool
        Whether the origin is known: from the start where positions are given.
    """

    def __init__(self, model, n_dims, tracker=None, networks=None, novelty_unit=1.0):
        self.follower = MotionFollower(model, n_dims, networks)
        self.tracker = tracker
        self.origin, self.anchored = np.zeros(n_dims), tracker is None
        self.novelty_unit = novelty_unit
        self.fix, self.was_slow, self.strangeness = None, False, 0.0

    def update(self, t, position=None, frames=None, pixel_mm=None, deadline=None):
        """Take what was measured at time `t`, and forecast; Step or None.

        Where the tracker takes longer than `deadline` (s), the Transformer is left out.
        """
        expected, variance = self.follower.expect(t)
        self.fix, self.was_slow = None, False
        if self.tracker is not None:
            begun = time.perf_counter()
            self.fix = self.tracker.update(t, frames or {}, pixel_mm or {}, expected, variance)
            position = self.fix.position if frames else None
            self.was_slow = deadline is not None and time.perf_counter() - begun > deadline
        self.strangeness = self._strangeness(position, expected, variance)
        doubt = 0.0 if self.fix is None else float(self.fix.variance.sum())
        step = self.follower.follow(t, position, doubt, use_network=not self.was_slow)
        if step is None or not self.origin.any():
            return step
        return replace(
            step, position=step.position + self.origin, forecast=step.forecast + self.origin
        )

    def _strangeness(self, position, expected, variance):
        """How unlike training the frames are; or how far a position is from what was expected."""
        if self.fix is not None:
            return float(self.fix.novelty / self.novelty_unit)
        if position is None or np.isnan(expected).any():
            return 0.0
        return float(np.linalg.norm(position - expected) / (3 * np.sqrt(variance.sum())))

    def observe(self, t, position):
        """Take the true position at an earlier update."""
        position = np.asarray(position, float)
        if not self.anchored:
            believed = self.follower.believed(t)
            if believed is None:  # no frame yet that the position could belong to
                return
            self.origin, self.anchored = position - believed, True
        position = position - self.origin
        if self.tracker is not None:
            self.tracker.learn(t, position)
        self.follower.correct(t, position)


def watch_recording(watch, steps, rows, warmup):
    """Run a watch along the rows of a recording.

    Positions that come with frames are shown to it during the first `warmup` seconds, each after
    the forecast of its own row.

    Parameters
    ----------
    watch : PatientWatch
    steps : Steps
    rows : slice
        Rows of one recording.
    warmup : float
        In s.

    Yields
    ------
    row : int
    step : Step or None
    fix : Fix or None
        Its position is without the watch's origin.
    """
    cine = steps.cine
    for row in range(rows.start, rows.stop):
        t = steps.t[row]
        if cine is None:
            yield row, watch.update(t, steps.signal[row]), None
            continue
        frames, pixel_mm = read_frames(cine, row)
        step = watch.update(t, frames=frames, pixel_mm=pixel_mm)
        yield row, step, watch.fix
        known = cine.positions is not None and np.isfinite(cine.positions[row]).all()
        if known and t - steps.t[rows.start] < warmup:
            watch.observe(t, cine.positions[row])


def read_frames(cine, row):
    """Frames acquired at one step, and the pixel size of their planes (mm): two dicts."""
    acquired = np.flatnonzero(cine.mask[row])
    if not acquired.size:
        return {}, {}
    frames = cine.read(row)
    frames = frames[0] if frames.ndim == 4 else frames
    names = [cine.planes[k] for k in acquired]
    return (
        dict(zip(names, frames[acquired], strict=True)),
        dict(zip(names, cine.pixel_mm[row, acquired], strict=True)),
    )
