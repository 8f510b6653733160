"""A film of one patient's frames with the target, where it was forecast, and the trace below."""

import numpy as np

from sklearn_medsel.forecasting._alignment import check_steps, truth_at
from sklearn_medsel.forecasting._measures import check_radius, split_horizons
from sklearn_medsel.inspection._forecast_drawing import fit_ylim, list_events, plain, with_gaps
from sklearn_medsel.inspection._forecast_rows import (
    check_origin,
    find_horizon,
    find_rows,
    find_steps,
    name_axes,
    plane_columns,
)
from sklearn_medsel.inspection._plotting import ink, palette, shorten

_PAST, _FUTURE = 12.0, 3.0  # s of the trace on either side of now
_SMALLEST_SPAN = 4.0  # mm


def animate_cine(
    X,
    y,
    forecast,
    *,
    horizons,
    horizon=None,
    radius=None,
    patient=None,
    sequence=None,
    events=None,
    origin=None,
    zoom=1.0,
    axis=0,
    start=None,
    stop=None,
    speed=1.0,
):
    """Animate the frames of one patient with the true and the forecast position.

    The planes stand side by side. On each, a white cross marks where the target is, and a dot
    where it was said to be one horizon ago, in a circle of the radius. A plane that was not
    acquired at a step shows its last frame, dimmed, and says how old that is. Below runs one
    coordinate; the forecast there leads the present by the horizon.

    Parameters
    ----------
    X : CineSequence
        The frames; only those shown are read.
    y : array-like of shape (n_steps, n_dims), float
        True positions of all rows of `X` in mm; NaN where unknown. Three coordinates are SI, AP
        and LR. Two are those along the rows and the columns of all planes.
    forecast : array-like of shape (n_steps, n_dims * n_horizons), float
        Forecasts in mm as ``predict`` gives them; NaN where there is none.
    horizons : float or array-like of shape (n_horizons,)
        How far ahead they look, in s.
    horizon : float or None, default=None
        The one to show; None will do if there is only one.
    radius : float or array-like of shape (n_steps, n_horizons), default=None
        Radius in mm of the ball around each forecast; one per horizon will do.
    patient, sequence : object, default=None
        Whose frames to show; None takes the first.
    events : DataFrame, iterable of tuple, or None, default=None
        What happened, as for `TrajectoryDisplay`; named above the frames while it lasts.
    origin : array-like of shape (2,) or (n_planes, 2), or None, default=None
        Row and column, in pixels, of the position 0; of each plane, or of all. None is the middle
        of the frame.
    zoom : float, default=1.0
        How many times larger than the whole frame to show what is around the origin.
    axis : int, default=0
        The coordinate of the trace.
    start, stop : float or None, default=None
        Part of the time to show, in s.
    speed : float, default=1.0
        1 plays as fast as it was acquired, 2 twice as fast.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        Save it with its method ``save``, or show it in a notebook with ``to_jshtml``. Keep a
        reference to it as long as it should play.

    Raises
    ------
    TypeError
        If `X` has no frames or times.
    ValueError
        If shapes do not fit, the coordinates do not tell where they lie in a plane, there is no
        such patient, sequence, horizon or axis, or nothing lies between `start` and `stop`.
    ImportError
        If matplotlib is not installed.

    See Also
    --------
    TrajectoryDisplay : The same as a picture, with all coordinates.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn_medsel.forecasting import CineSequence
    >>> from sklearn_medsel.inspection import animate_cine
    >>> t = np.arange(8) / 4
    >>> y = np.outer(np.cos(np.pi * t / 4) ** 4, [12.0, -4.0])
    >>> frames = np.random.default_rng(0).integers(0, 255, (8, 1, 32, 32), dtype=np.uint8)
    >>> X = CineSequence(frames, t, planes=("sagittal",), pixel_mm=2.0)
    >>> film = animate_cine(X, y, y, horizons=[0.25], radius=3.0, start=1.0, stop=1.5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     film.save(Path(folder) / "film.gif", writer="pillow")
    """
    if not hasattr(X, "read") or not hasattr(X, "planes"):
        raise TypeError(f"X must be a CineSequence, found {type(X).__name__}.")
    t, patients, sequences = find_steps(X)
    y, t, horizons = check_steps(y, t, horizons)
    n_steps, n_dims = y.shape
    names = name_axes(None, n_dims, X.planes)
    places = [plane_columns(plane, names) for plane in X.planes]
    if isinstance(axis, bool) or axis not in range(n_dims):
        raise ValueError(f"axis must be a coordinate from 0 to {n_dims - 1}, found {axis!r}.")
    for name, value in (("speed", speed), ("zoom", zoom)):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number, found {value!r}.")
    index = find_horizon(horizons, horizon)
    forecast = split_horizons(forecast, n_steps=n_steps, n_dims=n_dims, horizons=horizons)
    radius = check_radius(radius, n_steps=n_steps, n_horizons=len(horizons))
    rows = find_rows(t, patients, sequences, wanted=(patient, sequence))
    low, high = (-np.inf if start is None else start), (np.inf if stop is None else stop)
    steps = np.flatnonzero((t[rows] >= low) & (t[rows] <= high))
    if steps.size == 0:
        raise ValueError(
            f"nothing to show from {low:g} to {high:g} s: t runs from {t[rows[0]]:g} to "
            f"{t[rows[-1]]:g} s. Choose start and stop within it."
        )
    film = _Film(
        X,
        rows,
        t[rows],
        y[rows],
        forecast[rows, index],
        radius[rows, index],
        horizon=float(horizons[index]),
        places=places,
        origin=check_origin(origin, X.shape),
        zoom=zoom,
        events=list_events(events, patients[rows[0]]),
    )
    film.draw(axis, names[axis], patients[rows[0]] if len(set(patients)) > 1 else None)
    return film.animate(steps, speed)


class _Film:
    """What is drawn once, and what changes from frame to frame."""

    def __init__(self, X, rows, t, y, forecast, radius, *, horizon, places, origin, zoom, events):
        self.X, self.rows, self.t = X, rows, t
        self.y, self.forecast, self.radius = y, forecast, radius
        self.horizon, self.places, self.origin = horizon, places, origin
        self.zoom, self.events = zoom, events
        # what had been said, one horizon ago, about now
        self.for_now = truth_at(forecast, t, 0, -horizon)[:, 0]
        self.radius_now = truth_at(radius, t, 0, -horizon)[:, 0, 0]
        mask = np.ones((len(rows), len(X.planes)), bool) if X.mask is None else X.mask[rows]
        steps = np.where(mask, np.arange(len(rows))[:, None], -1)
        self.last = np.maximum.accumulate(steps, axis=0)  # when each plane was last acquired
        pixel = np.asarray(X.pixel_mm, dtype=float)[rows]
        self.pixel_mm = np.where(np.isfinite(pixel), pixel, np.nanmedian(pixel, axis=0))

    def draw(self, axis, name, patient):
        n_planes, (height, width) = len(self.X.planes), self.X.shape[2:]
        scale = 2.8 / max(height, width)
        size = (max(4.5, n_planes * (width * scale + 0.15)), height * scale + 2.2)
        self.figure = _new_figure(size)
        grid = self.figure.add_gridspec(2, n_planes, height_ratios=(height * scale, 1.3))
        self.frames = [self._draw_plane(grid[0, plane], plane) for plane in range(n_planes)]
        self._draw_trace(self.figure.add_subplot(grid[1, :]), axis, name)
        self.title = self.figure.suptitle(" ", fontsize="medium", parse_math=False)
        self.patient = "" if patient is None else f"patient {shorten(patient)}, "

    def _draw_plane(self, spec, plane):
        """Axes of a plane with its frame, crosses, circle and age."""
        from matplotlib.patches import Circle
        from matplotlib.patheffects import withStroke

        ax = self.figure.add_subplot(spec)
        ax.set_title(self.X.planes[plane], fontsize="medium")
        ax.set(xticks=[], yticks=[], facecolor="black")
        steps = np.unique(self.last[:, plane])
        steps = steps[steps >= 0]
        sample = steps[:: max(1, len(steps) // 20)]
        pixels = [self._read(step, plane) for step in sample]
        low, high = np.nanpercentile(pixels, [0, 99.7]) if len(pixels) else (0, 1)
        image = ax.imshow(
            np.full(self.X.shape[2:], low), cmap="gray", vmin=low, vmax=max(high, low + 1e-9)
        )
        edge = [withStroke(linewidth=2.6, foreground="black", alpha=0.7)]
        mark = {"linestyle": "none", "path_effects": edge}
        (said,) = ax.plot([], [], marker="o", color=_bright(), markersize=4.5, **mark)
        (truth,) = ax.plot([], [], marker="+", color="white", markersize=10, **mark)
        circle = Circle((0, 0), 1, fill=False, edgecolor=_bright(), linewidth=1.5, visible=False)
        ax.add_patch(circle)
        for set_limits, length, middle in (
            (ax.set_xlim, self.X.shape[3], self.origin[plane, 1]),
            (ax.set_ylim, -self.X.shape[2], self.origin[plane, 0]),
        ):
            whole = (abs(length) - 1) / 2
            centre = whole if self.zoom <= 1 else middle
            set_limits(centre - length / 2 / self.zoom, centre + length / 2 / self.zoom)
        age = ax.text(0.03, 0.03, "", transform=ax.transAxes, color="white", fontsize="small")
        age.set_path_effects(edge)
        return {"image": image, "truth": truth, "said": said, "circle": circle, "age": age}

    def _draw_trace(self, ax, axis, name):
        colour, self.trace, self.axis = palette()[0], ax, axis
        self.series = {
            "truth": with_gaps(self.t, self.y[:, axis]),
            "said": with_gaps(self.t + self.horizon, self.forecast[:, axis]),
        }
        style = {"linewidth": 1.5, "solid_joinstyle": "round"}
        (truth,) = ax.plot([], [], color=ink(ax, 0.85), label="truth", **style)
        label = f"forecast {self.horizon:g} s ahead"
        (said,) = ax.plot([], [], color=colour, label=label, **style)
        self.lines = {"truth": truth, "said": said}
        self.now = ax.axvline(self.t[0], color=ink(ax, 0.5), linewidth=1.0)
        (self.tip,) = ax.plot([], [], "o", color=colour, markersize=5)
        plain(ax)
        fit_ylim(ax, self.y[:, axis], self.forecast[:, axis], smallest=_SMALLEST_SPAN)
        ax.set_xlim(self.t[0] - _PAST, self.t[0] + _FUTURE)
        ax.set_xlabel("Time (s)")
        ax.set_ylabel(f"{name} (mm)")
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "frameon": False}
        ax.legend(fontsize="small", ncols=2, **above)

    def animate(self, steps, speed):
        from matplotlib.animation import FuncAnimation

        interval = np.median(np.diff(self.t)) if len(self.t) > 1 else 0.2
        self.update(steps[0])
        # laid out once: else the frames would tremble with the width of the numbers
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")
        milliseconds = max(round(1000 * interval / speed), 1)
        return FuncAnimation(self.figure, self.update, frames=steps, interval=milliseconds)

    def update(self, step):
        """Show one step; return what changed."""
        for plane in range(len(self.frames)):
            self._update_plane(step, plane)
        now = self.t[step]
        for name, until in (("truth", now), ("said", now + self.horizon)):
            times, values = self.series[name]
            seen = ~(times > until)  # with the gaps, whose time is NaN
            self.lines[name].set_data(times[seen], values[seen])
        self.tip.set_data([now + self.horizon], [self.forecast[step, self.axis]])
        self.now.set_xdata([now, now])
        self.trace.set_xlim(now - _PAST, now + _FUTURE)
        self.title.set_text(self._title(step))
        shown = [artist for frame in self.frames for artist in frame.values()]
        return [*shown, *self.lines.values(), self.tip, self.now, self.title]

    def _update_plane(self, step, plane):
        frame, last = self.frames[plane], self.last[step, plane]
        if last >= 0:
            frame["image"].set_data(self._read(last, plane))
        frame["image"].set_alpha(1.0 if last == step else 0.45)
        age = self.t[step] - self.t[last]
        text = "not acquired yet" if last < 0 else f"{age:.1f} s old"
        frame["age"].set_text("" if last == step else text)
        columns, pixel = list(self.places[plane]), self.pixel_mm[step, plane]
        for name, position in (("truth", self.y[step]), ("said", self.for_now[step])):
            row, column = self.origin[plane] + position[columns] / pixel
            frame[name].set_data([column], [row])
        frame["circle"].set_visible(bool(np.isfinite(row + self.radius_now[step])))
        frame["circle"].set(center=(column, row), radius=self.radius_now[step] / pixel)

    def _title(self, step):
        now = self.t[step]
        error = np.linalg.norm(self.for_now[step] - self.y[step])
        parts = [f"{self.patient}t = {now:.1f} s"]
        if np.isfinite(error):
            parts.append(f"error {error:.1f} mm")
        elif not np.isfinite(self.for_now[step]).all():
            parts.append("no forecast")
        parts += [kind for begin, end, kind in self.events if begin <= now <= end]
        return ", ".join(parts)

    def _read(self, step, plane):
        """Frame of a plane at a step."""
        return np.asarray(self.X.read(self.rows[step : step + 1]))[0, plane]


def _new_figure(size):
    """Return a figure that notebooks and galleries see."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            'animate_cine needs matplotlib: pip install "sklearn-medsel[plot]".'
        ) from error
    return pyplot.figure(figsize=size, layout="constrained")


def _bright():
    """The colour of the forecast, lighter: frames are dark."""
    from matplotlib.colors import to_rgb

    return tuple(0.6 * np.array(to_rgb(palette()[0])) + 0.4)
