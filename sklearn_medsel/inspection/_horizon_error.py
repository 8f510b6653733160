"""How the error of forecasts grows with the horizon: one line per method."""

import numpy as np
import pandas as pd

from sklearn_medsel.forecasting._measures import POOLED, WORST
from sklearn_medsel.inspection._forecast_drawing import LINE_STYLES, plain
from sklearn_medsel.inspection._path import spread
from sklearn_medsel.inspection._plotting import font_points, ink, new_axes, palette, shorten

_LABELS = {
    "rmse": "RMSE (mm)",
    "p95": "95th percentile of the error (mm)",
    "max": "Largest error (mm)",
    "radius": "Mean radius (mm)",
    "coverage": "Part of the time inside the radius",
}


class HorizonErrorDisplay:
    """Error against horizon, one line per method, with its patients and the worst of them.

    The line goes through the measure of all rows pooled. Each bar runs from the best to the worst
    patient, a dot is one patient, and the worst is marked; beyond the last horizon stands who that
    is. Methods stand a little beside each other. Create it with `from_errors`; constructor
    arguments are stored as attributes.

    Parameters
    ----------
    horizons : ndarray of shape (n_horizons,), float
        Horizons in s, rising.
    pooled : ndarray of shape (n_methods, n_horizons), float
        The measure over all rows of all patients.
    by_patient : ndarray of shape (n_methods, n_patients, n_horizons), float
        The measure of each patient; NaN where there is none.
    methods : sequence of str
        Names of the methods.
    patients : sequence of object
        Names of the patients.
    measure : str, default="rmse"
        Which column of `forecast_errors` it is.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture is; after `plot`.
    figure_ : matplotlib Figure
        The figure around it.
    lines_ : dict of str to matplotlib Line2D
        The line of each method.
    worst_ : ndarray of shape (n_methods, n_horizons), object
        Name of the worst patient: the one with the largest measure, or the smallest where more is
        better (``coverage``, ``within_...mm``). None where there is no patient.
    labels_ : list of matplotlib Annotation
        The names of the worst patients at the last horizon.

    See Also
    --------
    sklearn_medsel.forecasting.forecast_errors : The tables that it shows.
    TrajectoryDisplay : The forecasts of one patient over time.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.forecasting import forecast_errors
    >>> from sklearn_medsel.inspection import HorizonErrorDisplay
    >>> t = np.tile(np.arange(0, 60, 0.2), 2)
    >>> patient = np.repeat(["a", "b"], 300)
    >>> y = np.where(patient == "a", 8, 12)[:, None] * np.cos(np.pi * t / 4)[:, None] ** 4
    >>> table = forecast_errors(
    ...     y, np.hstack([y, y]), t=t, horizons=[0.2, 0.4], patient=patient
    ... )
    >>> display = HorizonErrorDisplay.from_errors({"persistence": table})
    >>> display.worst_
    array([['b', 'b']], dtype=object)
    """

    def __init__(self, horizons, pooled, by_patient, *, methods, patients, measure="rmse"):
        self.horizons = horizons
        self.pooled = pooled
        self.by_patient = by_patient
        self.methods = methods
        self.patients = patients
        self.measure = measure

    @classmethod
    def from_errors(cls, errors, *, measure="rmse", ax=None):
        """Plot tables of errors.

        Parameters
        ----------
        errors : dict of str to DataFrame, or DataFrame
            For each method its table as from `forecast_errors`. Compare methods on the same
            patients. A table by itself is shown without a name.
        measure : str, default="rmse"
            The column to show.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        HorizonErrorDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If there is no table, a table lacks a column or its rows "all", or has two rows for
            the same patient and horizon.
        ImportError
            If matplotlib is not installed.
        """
        errors = {"": errors} if isinstance(errors, pd.DataFrame) else dict(errors)
        if not errors:
            raise ValueError("errors is empty: pass a table from forecast_errors for each method.")
        wide = {name: _by_patient(table, name, measure) for name, table in errors.items()}
        horizons = sorted({horizon for table in wide.values() for horizon in table.columns})
        patients = list(dict.fromkeys(name for table in wide.values() for name in table.index))
        patients.remove(POOLED)
        return cls(
            np.array(horizons, dtype=float),
            np.array([table.reindex(columns=horizons).loc[POOLED] for table in wide.values()]),
            np.array(
                [table.reindex(index=patients, columns=horizons) for table in wide.values()],
                dtype=float,
            ),
            methods=list(errors),
            patients=patients,
            measure=measure,
        ).plot(ax)

    def plot(self, ax=None):
        """Plot the errors.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        HorizonErrorDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(ax, self, (6.8, 4.4))
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        marks = self._find_worst()
        self.lines_ = {
            name: self._draw_method(ax, index, marks[index])
            for index, name in enumerate(self.methods)
        }
        self._decorate(ax)
        self._name_worst(ax, marks)
        return self

    def _more_is_better(self):
        return self.measure == "coverage" or self.measure.startswith("within_")

    def _find_worst(self):
        """Measure of the worst patient (n_methods, n_horizons); its name goes to `worst_`."""
        size = -self.by_patient if self._more_is_better() else self.by_patient
        size = np.where(np.isnan(size), -np.inf, size)
        self.worst_ = np.full(self.pooled.shape, None, dtype=object)
        marks = np.full(self.pooled.shape, np.nan)
        for method, horizon in np.ndindex(*self.pooled.shape):
            each = size[method, :, horizon]
            if each.size and np.isfinite(each.max()):
                self.worst_[method, horizon] = self.patients[each.argmax()]
                marks[method, horizon] = self.by_patient[method, each.argmax(), horizon]
        return marks

    def _positions(self, method):
        """Where the bars of a method stand: beside those of the others."""
        n = len(self.methods)
        nearest = np.diff(self.horizons).min() if len(self.horizons) > 1 else 1.0
        width = min(0.6 * nearest / n, 0.02 * max(np.ptp(self.horizons), nearest))
        return self.horizons + width * (method - (n - 1) / 2)

    def _draw_method(self, ax, method, marks):
        colours = palette()
        colour = colours[method % len(colours)]
        x, values = self._positions(method), self.by_patient[method]
        some = np.isfinite(marks)
        filled = values[:, some]
        if some.any():
            low, high = np.nanmin(filled, axis=0), np.nanmax(filled, axis=0)
            ax.vlines(x[some], low, high, colors=[(*_rgb(colour), 0.45)], linewidth=1.4, zorder=2)
        ax.scatter(
            np.broadcast_to(x, values.shape).ravel(),
            values.ravel(),
            s=12,
            color=colour,
            alpha=0.6,
            linewidth=0,
            zorder=2,
        )
        ax.scatter(
            x, marks, s=38, marker="D", facecolor=ink(ax, 0.0), edgecolor=colour, lw=1.4, zorder=3
        )
        (line,) = ax.plot(
            x,
            self.pooled[method],
            color=colour,
            linestyle=LINE_STYLES[method % len(LINE_STYLES)],
            linewidth=1.9,
            marker="o",
            markersize=5.5,
            label=shorten(self.methods[method]),
            zorder=4,
        )
        return line

    def _decorate(self, ax):
        from matplotlib.lines import Line2D
        from matplotlib.ticker import PercentFormatter

        plain(ax)
        ax.set_xticks(self.horizons, [f"{horizon:g}" for horizon in self.horizons])
        ax.set_xlabel("Horizon (s)")
        within = self.measure.removeprefix("within_").removesuffix("mm")
        default = f"Part of the time within {within} mm"
        ax.set_ylabel(_LABELS.get(self.measure, default))
        if self._more_is_better():
            ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        else:
            ax.set_ylim(bottom=0)
        grey = {"color": ink(ax, 0.6), "linestyle": "none"}
        handles = [line for name, line in self.lines_.items() if name]
        handles += [
            Line2D([], [], marker="o", markersize=3, label="one patient", **grey),
            Line2D(
                [], [], marker="D", markersize=5, fillstyle="none", label="worst patient", **grey
            ),
        ]
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "frameon": False}  # covers no data
        n_columns = len(handles) if len(handles) < 5 else -(-len(handles) // 2)
        legend = ax.legend(handles=handles, fontsize="small", ncols=n_columns, **above)
        for text in legend.get_texts():
            text.set_parse_math(False)

    def _name_worst(self, ax, marks):
        """Write the worst patients beyond the last horizon, moved apart."""
        size = 0.85 * font_points("ytick.labelsize")
        shown = np.flatnonzero(np.isfinite(marks[:, -1]))
        low, high = ax.get_ylim()
        height = ax.get_window_extent().height * 72 / self.figure_.dpi
        gap = min(1.5 * size / height * (high - low), (high - low) / max(shown.size, 1))
        places = spread(marks[shown, -1], gap, low, high)
        colours = palette()
        self.labels_ = []
        for method, place in zip(shown, places, strict=True):
            label = ax.annotate(
                shorten(self.worst_[method, -1], 14),
                xy=(1.01, place),
                xycoords=ax.get_yaxis_transform(),
                fontsize=size,
                va="center",
                color=colours[method % len(colours)],
                annotation_clip=False,
            )
            label.set_parse_math(False)
            self.labels_.append(label)
        ax.set_ylim(low, high)


def _by_patient(table, method, measure):
    """A table's measure: patients in rows, with "all", and horizons in columns."""
    where = f"errors[{method!r}]" if method else "errors"
    missing = [name for name in ("horizon", "patient", measure) if name not in table]
    if missing:
        raise ValueError(f"{where} lacks the columns {missing}; pass a table of forecast_errors.")
    rows = table[[name != WORST for name in table["patient"]]]
    if rows.duplicated(["horizon", "patient"]).any():
        raise ValueError(f"{where} has two rows for one patient and horizon; pass one method each.")
    if not (rows["patient"] == POOLED).any():
        raise ValueError(f'{where} has no rows of patient "all"; pass a table of forecast_errors.')
    order = list(dict.fromkeys(rows["patient"]))
    return rows.pivot(index="patient", columns="horizon", values=measure).reindex(order)


def _rgb(colour):
    from matplotlib.colors import to_rgb

    return to_rgb(colour)
