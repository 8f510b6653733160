"""Follow one patient live: frames or positions come in, forecasts go out, each with its status."""

import copy
import time
from dataclasses import dataclass, field

import numpy as np

from sklearn_medsel.base import one_blas_thread, one_thread
from sklearn_medsel.forecasting._sequence import CineSequence

OK, DEGRADED, HOLD = "OK", "DEGRADED", "HOLD"
_LARGEST_JUMP = 100.0  # mm
_LOST_STEPS = 2  # updates without any frame or position after which nothing may rest on a forecast
_OLD_PLANE = 4.0  # usual intervals of a plane after which it counts as lost
_STRANGE, _UNKNOWN = 3.0, 10.0  # out-of-distribution scores: be careful, stop
_PACE = 0.1  # how fast the usual time between frames is learnt


@dataclass(frozen=True)
class Forecast:
    """What a session says at one moment; made by `ForecastSession.update`.

    Parameters
    ----------
    t : float
        Time of the update, in s.
    horizons : tuple of float
        In s.
    position : dict of float to ndarray of shape (n_dims,)
        Forecast position per horizon, in mm; NaN while no position is known.
    radius : dict of float to float
        Radius of the ball that holds the truth with the promised frequency, in mm.
    now : ndarray of shape (n_dims,)
        Position at the time of the update, in mm.
    status : {"OK", "DEGRADED", "HOLD"}
        HOLD: do not act on this forecast.
    reason : str
        Why the status is not OK; empty if it is.
    plane_age : dict of str to float
        Time since each plane was acquired, in s; infinite if it never was.
    out_of_distribution : float
        How strange the frames are, or how far the position is from what was expected: below 2 is
        usual, above 3 strange.
    latency_ms : float
        Time that the update took, in ms.

    Examples
    --------
    A beam that follows the target goes on only while the status allows it:

    >>> from sklearn_medsel import TumourPositionForecaster
    >>> from sklearn_medsel.datasets import make_breathing
    >>> breathing = make_breathing(n_patients=2, duration=40, rate=5, random_state=0)
    >>> forecaster = TumourPositionForecaster(
    ...     horizons=(0.4,), experts=("persistence", "ridge"), random_state=0
    ... ).fit(breathing.X)
    >>> forecast = forecaster.start_session().update(0.0, position=breathing.y[0])
    >>> forecast.status, forecast.reason
    ('DEGRADED', 'warming up, 4 s to go')
    >>> forecast.position[0.4].round(1)
    array([...])
    """

    t: float
    horizons: tuple
    position: dict
    radius: dict
    now: np.ndarray
    status: str
    reason: str
    plane_age: dict
    out_of_distribution: float
    latency_ms: float


class ForecastSession:
    """Follows one patient live; made by `TumourPositionForecaster.start_session`.

    Memory is bounded: what is kept does not grow with the length of the session. The forecasts are
    those that `TumourPositionForecaster.predict` makes of the same recording.

    Parameters
    ----------
    forecaster : TumourPositionForecaster
        Fitted.
    reference : dict of str to array-like, or CineSequence, default=None
        Frame of each plane to which displacements refer; None takes the first that come.
    warmup : float, default=None
        Time in s in which the session is DEGRADED because it does not know the patient yet; None
        takes the parameter of the forecaster with frames, and its history without.
    deadline : float, default=None
        Time in s that finding the position in frames may take; beyond it the transformer is left
        out of that update. None takes half the usual interval.
    pixel_mm : float or dict of str to float, default=None
        Pixel size in mm; None takes that of a `CineSequence` given as reference, or the usual one
        in training.
    onnx : str or Path, default=None
        Folder that `TumourPositionForecaster.export_onnx` wrote.

    Examples
    --------
    >>> from sklearn_medsel import TumourPositionForecaster
    >>> from sklearn_medsel.datasets import make_breathing
    >>> breathing = make_breathing(n_patients=3, duration=40, rate=5, random_state=0)
    >>> forecaster = TumourPositionForecaster(
    ...     horizons=(0.4,), experts=("persistence", "ridge"), random_state=0
    ... ).fit(breathing.X)
    >>> session = forecaster.start_session()
    >>> for row in range(100):
    ...     forecast = session.update(row * 0.2, position=breathing.y[row])
    >>> forecast.status, forecast.position[0.4].shape
    ('OK', (3,))
    """

    def __init__(
        self,
        forecaster,
        *,
        reference=None,
        warmup=None,
        deadline=None,
        pixel_mm=None,
        onnx=None,
    ):
        self.horizons = tuple(forecaster.horizons_.tolist())
        usual = forecaster.history if forecaster.planes_ is None else forecaster.warmup
        self.warmup = usual if warmup is None else float(warmup)
        self.deadline = forecaster.interval_ / 2 if deadline is None else float(deadline)
        self._n_dims, self._asked = forecaster.n_dims_, forecaster._asked
        self._pixel_mm = _pixel_sizes(forecaster, reference, pixel_mm)
        self._signal_map = forecaster.signal_map_
        frames = _reference_frames(forecaster, reference) or {}
        self._state = _State(
            watch=forecaster._watch(frames, self._pixel_mm, onnx),
            planes=forecaster.planes_ or (),
            shapes={plane: frame.shape for plane, frame in frames.items()},
        )

    def update(self, t, *, position=None, **frames):
        """Take what was measured at time `t`, and forecast.

        Parameters
        ----------
        t : float
            Time in s, later than that of the last update.
        position : array-like of shape (n_dims,), default=None
            Measured position in mm (or signals, where those were trained on); None or NaN if it
            was not measured. Given with frames it is the known position of the target at `t`, as
            in the warm-up, and is taken by `observe` after this forecast.
        **frames : array-like of shape (height, width)
            The frames acquired, by plane, such as ``coronal=frame``. None of them: all were lost.

        Returns
        -------
        Forecast
            With its status.

        Raises
        ------
        ValueError
            If `t` does not grow, a plane is unknown to training or changes its size, a frame has
            NaN, or the position jumps by over 100 mm. The session is then as it was before.
        """
        begun = time.perf_counter()
        state = self._state
        t = state.check_time(t)
        frames = {plane: state.check_frame(plane, frame) for plane, frame in frames.items()}
        if position is not None:
            position = self._check_position(position)
        by_frames = bool(state.planes)
        measured = bool(frames) if by_frames else position is not None
        with one_thread(), one_blas_thread():
            step = state.watch.update(
                t,
                position=None if by_frames else position,
                frames=frames,
                pixel_mm={plane: self._pixel_mm[plane] for plane in frames},
                deadline=self.deadline,
            )
        state.note(t, frames, measured)
        if not by_frames and position is not None:
            state.known = position
        forecast = self._report(t, step, begun)
        if by_frames and position is not None:
            self.observe(t, position)
        return forecast

    def observe(self, t, position):
        """Take the true position of an earlier update, as soon as it is known.

        Parameters
        ----------
        t : float
            Time of that update, in s.
        position : array-like of shape (n_dims,)
            In mm.

        Raises
        ------
        ValueError
            If `t` is later than the last update, or the position is not finite or jumps by over
            100 mm.
        """
        position = np.asarray(position, dtype=float)
        if position.shape != (self._n_dims,) or not np.isfinite(position).all():
            raise ValueError(f"position must be {self._n_dims} finite number(s), in mm.")
        self._state.check_jump(position)
        if self._state.t is None or not t <= self._state.t + 1e-6:
            raise ValueError("t must be the time of an update that was made before.")
        self._state.watch.observe(float(t), position)
        self._state.known = position

    def snapshot(self):
        """Copy all that the session has learnt.

        Returns
        -------
        object
            For `restore`, here or in another process; it can be pickled.
        """
        return copy.deepcopy(self._state)

    def restore(self, snapshot):
        """Go back to a snapshot.

        Parameters
        ----------
        snapshot : object
            From `snapshot` of a session of the same forecaster.

        Returns
        -------
        self
            As it was then.

        Raises
        ------
        TypeError
            If `snapshot` is something else.
        """
        if not isinstance(snapshot, _State):
            raise TypeError("snapshot must come from ForecastSession.snapshot().")
        self._state = copy.deepcopy(snapshot)
        return self

    def _check_position(self, position):
        """Position (n_dims,) as float, or None where it has a NaN."""
        position = np.asarray(position, dtype=float)
        if not self._state.planes and self._signal_map is not None:
            position = self._signal_map(np.atleast_1d(position))
        if position.shape != (self._n_dims,):
            raise ValueError(
                f"position must have the shape ({self._n_dims},), found {position.shape}."
            )
        if np.isinf(position).any():
            raise ValueError("position is infinite. Give None where it was not measured.")
        if np.isnan(position).any():
            return None
        self._state.check_jump(position)
        return position

    def _report(self, t, step, begun):
        """Put together what is known, and how far it may be trusted."""
        state, unknown = self._state, np.full(self._n_dims, np.nan)
        n = len(self.horizons)
        positions = [unknown] * n if step is None else list(step.forecast[self._asked])
        radii = [np.nan] * n if step is None else step.radius[self._asked].tolist()
        status, reason = state.judge(t, step, self.warmup)
        return Forecast(
            t=t,
            horizons=self.horizons,
            position=dict(zip(self.horizons, positions, strict=True)),
            radius=dict(zip(self.horizons, radii, strict=True)),
            now=unknown if step is None else step.position,
            status=status,
            reason=reason,
            plane_age={p: t - state.acquired.get(p, -np.inf) for p in state.planes},
            out_of_distribution=state.watch.strangeness,
            latency_ms=1e3 * (time.perf_counter() - begun),
        )


@dataclass
class _State:
    """What changes while a session runs.

    Attributes
    ----------
    watch : PatientWatch
    planes : tuple of str
        Planes known to training; empty without frames.
    start, t : float or None
        Times of the first and the last update.
    lost : int
        Updates in a row at which nothing was measured.
    acquired : dict of str to float
        Time at which each plane came last.
    usual : dict of str to float
        Usual time between frames of each plane, in s.
    shapes : dict of str to tuple
        Size of each plane's frames.
    known : ndarray of shape (n_dims,) or None
        Position that was given last.
    """

    watch: object
    planes: tuple
    start: float | None = None
    t: float | None = None
    lost: int = 0
    acquired: dict = field(default_factory=dict)
    usual: dict = field(default_factory=dict)
    shapes: dict = field(default_factory=dict)
    known: np.ndarray | None = None

    def check_time(self, t):
        """Time of an update as a float, later than the last one."""
        t = float(t)
        if not np.isfinite(t):
            raise ValueError("t must be a finite number of seconds.")
        if self.t is not None and t <= self.t:
            raise ValueError(
                f"t must grow from update to update, but {t:g} s is not later than {self.t:g} s."
            )
        return t

    def check_jump(self, position):
        """Refuse a position that cannot be in mm."""
        if self.known is not None and np.linalg.norm(position - self.known) > _LARGEST_JUMP:
            raise ValueError(
                f"position jumps by more than {_LARGEST_JUMP:.0f} mm: probably it is in other "
                "units. Give mm, or start another session."
            )

    def check_frame(self, plane, frame):
        """Frame of a plane, as an array."""
        if plane not in self.planes:
            known = f"training saw {list(self.planes)}" if self.planes else "it saw no frames"
            raise ValueError(f"update got the plane {plane!r}, which training never saw: {known}.")
        frame = _frame_of(plane, frame)
        if self.shapes.get(plane, frame.shape) != frame.shape:
            raise ValueError(
                f"plane {plane!r} changes its size from {self.shapes[plane]} to {frame.shape}."
            )
        return frame

    def note(self, t, frames, measured):
        """Remember what came when."""
        self.start = t if self.start is None else self.start
        self.t = t
        self.lost = 0 if measured else self.lost + 1
        for plane, frame in frames.items():
            self.shapes[plane] = frame.shape
            if plane in self.acquired:
                apart = t - self.acquired[plane]
                before = self.usual.get(plane, apart)
                # a lost frame must not pass for the usual pace
                self.usual[plane] = before + _PACE * (min(apart, 2 * before) - before)
            self.acquired[plane] = t

    def judge(self, t, step, warmup):
        """Status and its reason."""
        if step is None:
            return HOLD, "no position is known"
        if self.lost >= _LOST_STEPS:
            return HOLD, f"nothing was measured in the last {self.lost} updates"
        if self.watch.strangeness > _UNKNOWN:
            return HOLD, "what is measured is unlike anything seen before"
        reasons = []
        if self.lost:
            reasons.append("nothing was measured in this update")
        if t - self.start < warmup:
            reasons.append(f"warming up, {np.ceil(warmup - (t - self.start)):.0f} s to go")
        elif self.watch.follower.trace.elapsed < self.watch.follower.model.basis.history - 1e-6:
            reasons.append("too little has been seen since the start or a gap")
        old = [
            plane
            for plane, last in self.acquired.items()
            if t - last > _OLD_PLANE * self.usual.get(plane, np.inf)
        ]
        if old:
            reasons.append(f"lost plane: {', '.join(old)}")
        if self.watch.strangeness > _STRANGE:
            reasons.append("what is measured is strange")
        if self.watch.was_slow:
            reasons.append("slow encoder: forecast by the linear expert")
        return (DEGRADED, "; ".join(reasons)) if reasons else (OK, "")


def _frame_of(plane, frame):
    """Frame of a plane as an array (height, width) of finite numbers."""
    frame = np.asarray(frame)
    if frame.ndim != 2 or frame.dtype.kind not in "uif":
        raise ValueError(f"the frame of plane {plane!r} must be a 2-D array of numbers.")
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        raise ValueError(
            f"the frame of plane {plane!r} has NaN or infinity. Leave a plane out where it was not "
            "acquired."
        )
    return frame


def _reference_frames(forecaster, reference):
    """Frames by plane, of a dict or of the first frames of a `CineSequence`; or None."""
    if reference is None:
        return None
    if forecaster.planes_ is None:
        raise ValueError("reference is for forecasters that were trained on frames.")
    if isinstance(reference, CineSequence):
        frames = {}
        for k, plane in enumerate(reference.planes):
            rows = np.flatnonzero(reference.mask[:, k])
            if rows.size:
                frames[plane] = reference.read(int(rows[0])).reshape(reference.shape[1:])[k]
        reference = frames
    unknown = [plane for plane in reference if plane not in forecaster.planes_]
    if unknown:
        raise ValueError(
            f"reference has the plane(s) {unknown}; training saw {list(forecaster.planes_)}."
        )
    return {plane: _frame_of(plane, frame) for plane, frame in reference.items()}


def _pixel_sizes(forecaster, reference, pixel_mm):
    """Pixel size of each plane, in mm: given, of the reference, or usual in training."""
    planes = forecaster.planes_ or ()
    given = list(pixel_mm.values()) if isinstance(pixel_mm, dict) else pixel_mm
    if pixel_mm is not None and not np.all(np.asarray(given, dtype=float) > 0):
        raise ValueError("pixel_mm must be larger than 0, in mm.")
    if isinstance(pixel_mm, dict):
        return {**forecaster.pixel_mm_, **pixel_mm}
    if pixel_mm is not None:
        return dict.fromkeys(planes, float(pixel_mm))
    sizes = dict(forecaster.pixel_mm_) if planes else {}
    if isinstance(reference, CineSequence) and len(reference):
        sizes.update(zip(reference.planes, map(float, reference.pixel_mm[0]), strict=True))
    return sizes
