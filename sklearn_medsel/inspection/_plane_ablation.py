"""What each further imaging plane brings: the same patients with some planes and with all."""

import numpy as np

from sklearn_medsel.forecasting._measures import POOLED, WORST
from sklearn_medsel.inspection._forecast_drawing import plain, split_axes
from sklearn_medsel.inspection._forecast_rows import find_horizon
from sklearn_medsel.inspection._plotting import font_points, ink, new_axes, palette, shorten


class PlaneAblationDisplay:
    """Error of each patient with some planes and with all, joined by lines, and the mean.

    One panel per horizon. Above each stand the mean difference between the last and the first
    set of planes, and for how many patients the last is better. Create it with `from_table`;
    constructor arguments are stored as attributes.

    Parameters
    ----------
    planes : sequence of str
        Names of the sets of planes, from left to right.
    patients : sequence of object
        Names of the patients.
    horizons : ndarray of shape (n_horizons,), float
        Horizons in s.
    rmse : ndarray of shape (n_sets, n_patients, n_horizons), float
        RMSE in mm; NaN where a patient was not measured.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel; after `plot`.
    axes_ : list of matplotlib Axes
        One panel per horizon.
    figure_ : matplotlib Figure
        The figure around them.
    means_ : ndarray of shape (n_sets, n_horizons), float
        Means over the patients measured with every set of planes, which are the ones drawn.
    differences_ : ndarray of shape (n_patients, n_horizons), float
        RMSE with the last set minus that with the first, in mm.

    See Also
    --------
    HorizonErrorDisplay : Several methods at all horizons.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_medsel.inspection import PlaneAblationDisplay
    >>> table = pd.DataFrame(
    ...     {
    ...         "planes": ["coronal", "coronal", "all", "all"],
    ...         "patient": ["a", "b", "a", "b"],
    ...         "horizon": 0.4,
    ...         "rmse": [2.0, 3.0, 1.5, 2.0],
    ...     }
    ... )
    >>> display = PlaneAblationDisplay.from_table(table)
    >>> print(display.axes_[0].get_title())
    0.4 s ahead
    all: −0.75 mm, better for 2 of 2
    """

    def __init__(self, planes, patients, horizons, rmse):
        self.planes = planes
        self.patients = patients
        self.horizons = horizons
        self.rmse = rmse

    @classmethod
    def from_table(cls, table, *, horizon=None, ax=None):
        """Plot a table of errors.

        Parameters
        ----------
        table : DataFrame
            Columns ``planes``, ``patient``, ``horizon`` (s) and ``rmse`` (mm), such as tables of
            `forecast_errors` put below each other; rows of the patients "all" and "worst" are
            left out. Sets of planes are drawn in their order here; a tuple of names is joined.
        horizon : float or None, default=None
            The horizon to show; None shows all.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure. Given axes are divided.

        Returns
        -------
        PlaneAblationDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If a column is missing, `horizon` is not there, there are two rows for the same planes,
            patient and horizon, or no patient was measured with every set of planes.
        ImportError
            If matplotlib is not installed.
        """
        keys = ["planes", "patient", "horizon"]
        missing = [name for name in (*keys, "rmse") if name not in table]
        if missing:
            raise ValueError(f"table lacks the columns {missing}.")
        rows = table[[name not in (POOLED, WORST) for name in table["patient"]]]
        rows = rows.assign(planes=[_join(each) for each in rows["planes"]])
        if rows.duplicated(keys).any():
            raise ValueError(
                "table has two rows for the same planes, patient and horizon; pass one method."
            )
        horizons = np.sort(rows["horizon"].unique().astype(float))
        if horizon is not None:
            horizons = horizons[[find_horizon(horizons, horizon)]]
        planes, patients = (list(dict.fromkeys(rows[name])) for name in keys[:2])
        wide = rows.set_index(keys)["rmse"].unstack("horizon").reindex(columns=horizons)
        rmse = [wide.loc[name].reindex(patients).to_numpy(dtype=float) for name in planes]
        return cls(planes, patients, horizons, np.array(rmse)).plot(ax)

    def plot(self, ax=None):
        """Plot the errors.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure. Given axes are divided.

        Returns
        -------
        PlaneAblationDisplay
            This display, with `axes_` and `figure_`.

        Raises
        ------
        ValueError
            If no patient was measured with every set of planes.
        ImportError
            If matplotlib is not installed.
        """
        paired = np.isfinite(self.rmse).all(axis=0)
        if not paired.any(axis=0).all():
            raise ValueError(
                "a horizon has no patient that was measured with every set of planes, so there is "
                "nothing to compare."
            )
        rmse = np.where(paired, self.rmse, np.nan)
        self.means_ = np.nanmean(rmse, axis=1)
        self.differences_ = rmse[-1] - rmse[0]
        n_panels, n_sets = len(self.horizons), len(self.planes)
        ax = new_axes(ax, self, (1.2 + n_panels * (0.75 + 0.6 * n_sets), 4.0))
        self.axes_ = split_axes(ax, [1.0] * n_panels, rows=False)
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        for index, panel in enumerate(self.axes_):
            self._draw_panel(panel, rmse[:, paired[:, index], index], self.means_[:, index])
            self._decorate(panel, index)
        ax.set_ylabel("RMSE (mm)")
        ax.set_ylim(bottom=0)
        return self

    def _draw_panel(self, ax, rmse, means):
        colour, places = palette()[0], np.arange(len(self.planes))
        ax.plot(places, rmse, color=ink(ax, 0.3), linewidth=0.9, zorder=2)
        ax.scatter(
            np.repeat(places, rmse.shape[1]),
            rmse.ravel(),
            s=26,
            color=colour,
            edgecolor=ink(ax, 0.0),
            linewidth=0.6,
            zorder=3,
        )
        strong = palette()[1 % len(palette())]
        ax.hlines(means, places - 0.26, places + 0.26, colors=[strong], linewidth=2.6, zorder=4)
        for place, mean in zip(places, means, strict=True):
            ax.annotate(
                f"{mean:.2f}",
                xy=(place + 0.26, mean),
                xytext=(2, 0),
                textcoords="offset points",
                va="center",
                fontsize=0.85 * font_points("ytick.labelsize"),
                bbox={"facecolor": ink(ax, 0.0), "alpha": 0.75, "linewidth": 0, "pad": 0.6},
                zorder=5,
            )

    def _decorate(self, ax, index):
        plain(ax)
        size = 0.9 * font_points("xtick.labelsize")
        names = [shorten(name.replace("+", " +\n"), 40) for name in self.planes]
        names = [name.replace(" + ", " +\n") for name in names]
        ax.set_xticks(np.arange(len(names)), names, fontsize=size)
        ax.set_xlim(-0.5, len(names) - 0.25)
        ax.tick_params(axis="x", length=0)
        ax.tick_params(axis="y", labelleft=index == 0)
        title = f"{self.horizons[index]:g} s ahead"
        if len(names) > 1:
            change = self.differences_[:, index]
            change = change[np.isfinite(change)]
            sign = "−" if change.mean() < 0 else "+"
            title += f"\n{shorten(self.planes[-1])}: {sign}{abs(change.mean()):.2f} mm, "
            title += f"better for {(change < 0).sum()} of {change.size}"
        ax.set_title(title, fontsize=font_points("axes.labelsize"))


def _join(planes):
    """Name of a set of planes."""
    return planes if isinstance(planes, str) else "+".join(str(plane) for plane in planes)
