"""Where the target was, and where it was said to be: one row of axes per coordinate."""

import numpy as np

from sklearn_medsel.forecasting._alignment import check_steps
from sklearn_medsel.forecasting._measures import check_radius, split_horizons
from sklearn_medsel.inspection._forecast_drawing import (
    draw_event_rows,
    fit_ylim,
    list_events,
    plain,
    shade_events,
    split_axes,
    with_gaps,
)
from sklearn_medsel.inspection._forecast_rows import (
    describe,
    find_horizon,
    name_axes,
    predict_patient,
)
from sklearn_medsel.inspection._plotting import font_points, ink, new_axes, palette

_SMALLEST_SPAN = 4.0  # mm: an axis that hardly moves is not blown up to look as if it did


class TrajectoryDisplay:
    """True and forecast position of one patient over time, with the radius and events.

    Each forecast stands at the time that it is for, not at the time it was made: where the lines
    agree, the beam would have been right. The band is the extent of the ball of that radius
    along each axis. Create it with `from_estimator` or `from_predictions`; constructor arguments
    are stored as attributes.

    Parameters
    ----------
    t : ndarray of shape (n_steps,), float
        Time of each row in s, rising.
    truth : ndarray of shape (n_steps, n_dims), float
        True positions at these times in mm; NaN where unknown.
    forecast : ndarray of shape (n_steps, n_dims), float
        Position in mm that each row expects `horizon` later; NaN where it expects none.
    horizon : float
        How far ahead the forecasts look, in s.
    radius : ndarray of shape (n_steps,), float, or None, default=None
        Radius in mm of the ball around each forecast.
    events : list of tuple, default=()
        Start and stop in s and the kind of each event, such as ``(12.0, 15.0, "plane lost")``.
    axis_names : tuple of str or None, default=None
        Names of the coordinates; None takes x, y, z.
    patient : object, default=None
        The patient's name, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the first coordinate; after `plot`.
    axes_ : list of matplotlib Axes
        The axes of all coordinates, from top to bottom.
    ax_events_ : matplotlib Axes or None
        Where the kinds of event are; None without events.
    figure_ : matplotlib Figure
        The figure around them.
    truth_lines_, forecast_lines_ : list of matplotlib Line2D
        One line per coordinate.
    bands_ : list of matplotlib FillBetweenPolyCollection
        The radius, one band per coordinate; empty without.

    See Also
    --------
    HorizonErrorDisplay : How the error grows with the horizon.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.inspection import TrajectoryDisplay
    >>> t = np.arange(0, 40, 0.2)
    >>> y = np.outer(np.cos(np.pi * t / 4) ** 4, [12.0, 4.0, 2.0])
    >>> display = TrajectoryDisplay.from_predictions(
    ...     t, y, y, horizons=[0.4], radius=3.0, axis_names=("SI", "AP", "LR")
    ... )
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['SI (mm)', 'AP (mm)', 'LR (mm)']
    """

    def __init__(
        self,
        t,
        truth,
        forecast,
        *,
        horizon,
        radius=None,
        events=(),
        axis_names=None,
        patient=None,
    ):
        self.t = t
        self.truth = truth
        self.forecast = forecast
        self.horizon = horizon
        self.radius = radius
        self.events = events
        self.axis_names = axis_names
        self.patient = patient

    @classmethod
    def from_predictions(
        cls,
        t,
        y,
        forecast,
        *,
        horizons,
        horizon=None,
        radius=None,
        events=None,
        axis_names=None,
        patient=None,
        ax=None,
        start=None,
        stop=None,
    ):
        """Plot forecasts of one patient and sequence.

        Parameters
        ----------
        t : array-like of shape (n_steps,), float
            Time of each row in s, rising.
        y : array-like of shape (n_steps, n_dims) or (n_steps,), float
            True positions in mm; NaN where unknown.
        forecast : array-like of shape (n_steps, n_dims * n_horizons), float
            Forecasts in mm, side by side: all coordinates of the first horizon, then of the
            second, and so on; NaN where there is none.
        horizons : float or array-like of shape (n_horizons,)
            How far ahead they look, in s.
        horizon : float or None, default=None
            The one to show; None will do if there is only one.
        radius : float or array-like of shape (n_steps, n_horizons), default=None
            Radius in mm of the ball around each forecast; one per horizon will do.
        events : DataFrame, iterable of tuple, or None, default=None
            What happened: columns ``start``, ``stop`` (s) and ``kind``, or such tuples. Of a table
            with a column ``patient``, only the rows of `patient` are shown.
        axis_names : sequence of str or None, default=None
            Names of the coordinates; None takes x, y, z.
        patient : object, default=None
            The patient's name, for the title.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure. Given axes are divided.
        start, stop : float or None, default=None
            Part of the time to show, in s.

        Returns
        -------
        TrajectoryDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If shapes do not fit, times do not rise, `horizon` was not forecast, or an event ends
            before it starts.
        ImportError
            If matplotlib is not installed.
        """
        y, t, horizons = check_steps(y, t, horizons)
        if (np.diff(t) <= 0).any():
            raise ValueError("t must rise from row to row; pass one patient and sequence.")
        index = find_horizon(horizons, horizon)
        n_steps, n_dims = y.shape
        forecast = split_horizons(forecast, n_steps=n_steps, n_dims=n_dims, horizons=horizons)
        if radius is not None:
            radius = check_radius(radius, n_steps=n_steps, n_horizons=len(horizons))[:, index]
        display = cls(
            t,
            y,
            forecast[:, index],
            horizon=float(horizons[index]),
            radius=radius,
            events=list_events(events, patient),
            axis_names=name_axes(axis_names, n_dims),
            patient=patient,
        )
        return display.plot(ax, start=start, stop=stop)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        horizon=None,
        patient=None,
        sequence=None,
        events=None,
        axis_names=None,
        ax=None,
        start=None,
        stop=None,
    ):
        """Plot the forecasts of a fitted forecaster for one patient.

        Parameters
        ----------
        estimator : estimator
            Fitted, such as `TumourPositionForecaster`; of a search, its best estimator is used.
            The radius is shown if it has ``predict_interval``.
        X : CineSequence or DataFrame
            What it forecasts from; a table has columns ``t`` (s) and, where there are several,
            ``patient`` and ``sequence``. Use patients that it was not fitted on.
        y : array-like of shape (n_steps, n_dims), float
            True positions in mm; NaN where unknown.
        horizon : float or None, default=None
            The horizon to show in s; None will do if there is only one.
        patient, sequence : object, default=None
            Whose rows to show; None takes the first. The forecasts are made from all rows of the
            patient.
        events : DataFrame, iterable of tuple, or None, default=None
            What happened, see `from_predictions`.
        axis_names : sequence of str or None, default=None
            Names of the coordinates; None takes SI, AP and LR for images, and else x, y, z.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure. Given axes are divided.
        start, stop : float or None, default=None
            Part of the time to show, in s.

        Returns
        -------
        TrajectoryDisplay
            The plotted display.

        Raises
        ------
        NotFittedError
            If `estimator` is not fitted.
        TypeError
            If it has no ``horizons``, or `X` has no times.
        ValueError
            If there is no such patient, sequence or horizon, or shapes do not fit.
        ImportError
            If matplotlib is not installed.
        """
        shown = predict_patient(
            estimator, X, y, horizon=horizon, patient=patient, sequence=sequence
        )
        names = name_axes(axis_names, shown["y"].shape[1], getattr(X, "planes", ()))
        return cls.from_predictions(
            **shown, events=events, axis_names=names, ax=ax, start=start, stop=stop
        )

    def plot(self, ax=None, *, start=None, stop=None):
        """Plot the trajectory.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure. Given axes are divided.
        start, stop : float or None, default=None
            Part of the time to show, in s.

        Returns
        -------
        TrajectoryDisplay
            This display, with `axes_` and `figure_`.

        Raises
        ------
        ValueError
            If nothing lies between `start` and `stop`.
        ImportError
            If matplotlib is not installed.
        """
        limits = self._limits(start, stop)
        shown = [each for each in self.events if each[0] <= limits[1] and each[1] >= limits[0]]
        n_kinds, n_dims = len({kind for _, _, kind in shown}), self.truth.shape[1]
        ax = new_axes(ax, self, (8.0, 1.5 + 1.25 * n_dims + 0.22 * n_kinds))
        strip = [0.19 * n_kinds] if n_kinds else []
        parts = split_axes(ax, strip + [1.0] * n_dims, rows=True, main=len(strip))
        self.ax_events_ = parts[0] if strip else None
        self.axes_ = parts[len(strip) :]
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        self._draw_lines()
        for each in self.axes_:
            shade_events(each, shown)
            plain(each)
            each.tick_params(axis="x", labelbottom=each is parts[-1])
        if strip:
            draw_event_rows(parts[0], shown)
        self._set_limits(limits)
        self._decorate(parts, limits)
        return self

    def _limits(self, start, stop):
        """First and last time to show."""
        low = self.t[0] if start is None else start
        high = self.t[-1] + self.horizon if stop is None else stop
        if not ((self.t >= low) & (self.t <= high)).any():
            raise ValueError(
                f"nothing to show from {low:g} to {high:g} s: t runs from {self.t[0]:g} to "
                f"{self.t[-1]:g} s. Choose start and stop within it."
            )
        return low, high

    def _draw_lines(self):
        colour = palette()[0]
        t, truth = with_gaps(self.t, self.truth)
        radius = np.full(len(self.t), np.nan) if self.radius is None else self.radius
        target, forecast, radius = with_gaps(self.t + self.horizon, self.forecast, radius)
        radius = np.where(np.isfinite(radius), radius, np.nan)  # an unlimited ball has no edge
        self.truth_lines_, self.forecast_lines_, self.bands_ = [], [], []
        for column, ax in enumerate(self.axes_):
            middle = forecast[:, column]
            if self.radius is not None:
                band = ax.fill_between(
                    target,
                    middle - radius,
                    middle + radius,
                    color=colour,
                    alpha=0.22,
                    linewidth=0,
                    label="radius",
                )
                self.bands_.append(band)
            style = {"linewidth": 1.5, "solid_joinstyle": "round"}
            (line,) = ax.plot(t, truth[:, column], color=ink(ax, 0.85), label="truth", **style)
            self.truth_lines_.append(line)
            (line,) = ax.plot(target, middle, color=colour, label="forecast", **style)
            self.forecast_lines_.append(line)

    def _set_limits(self, limits):
        """Show the truth, the forecast and a typical radius; one wild radius must not rule."""
        low, high = limits
        target = self.t + self.horizon
        seen, ahead = ((each >= low) & (each <= high) for each in (self.t, target))
        radius = np.array([]) if self.radius is None else self.radius[ahead]
        radius = radius[np.isfinite(radius)]
        pad = np.median(radius) if radius.size else 0.0
        for column, ax in enumerate(self.axes_):
            forecast = self.forecast[ahead, column]
            truth = self.truth[seen, column]
            fit_ylim(ax, truth, forecast - pad, forecast + pad, smallest=_SMALLEST_SPAN)
        self.ax_.set_xlim(low, high)

    def _decorate(self, parts, limits):
        from matplotlib.ticker import MaxNLocator

        for name, ax in zip(name_axes(self.axis_names, len(self.axes_)), self.axes_, strict=True):
            ax.set_ylabel(f"{name} (mm)")
            ax.yaxis.set_major_locator(MaxNLocator(4))
        self.figure_.align_ylabels(self.axes_)
        parts[-1].set_xlabel("Time (s)")
        size = 0.9 * font_points("axes.labelsize")
        handles = [self.truth_lines_[0], self.forecast_lines_[0], *self.bands_[:1]]
        legend = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3, "frameon": False}
        parts[0].legend(handles=handles, fontsize=size, borderaxespad=0.2, **legend)
        title = parts[0].set_title(
            self._describe(limits), loc="left", fontsize=1.1 * size, pad=6 + 1.7 * size
        )
        title.set_parse_math(False)

    def _describe(self, limits):
        """Measures of the forecasts for the times shown."""
        target = self.t + self.horizon
        shown = (target >= limits[0]) & (target <= limits[1])
        forecast = np.where(shown[:, None], self.forecast, np.nan)
        return describe(self.t, self.truth, forecast, self.horizon, self.radius, self.patient)
