"""How coefficients enter and grow as the penalty falls."""

import numpy as np

from sklearn_medsel.inspection._plotting import (
    check_count,
    find_names,
    find_step,
    font_points,
    ink,
    new_axes,
    palette,
    shorten,
)

_LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
_MAX_OTHERS = 1_000


class SelectionPathDisplay:
    """Coefficients along a path of falling penalties.

    The selected features are in colour, with their names at the ends of their lines; all others
    are grey. Create it with `from_estimator`; constructor arguments are stored as attributes.

    Parameters
    ----------
    path : DataFrame of shape (n_penalties, n_entered)
        Coefficients: one row per penalty, as a fraction of the largest; one column per feature
        that ever entered.
    selected : sequence of str
        Names of the selected features.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture is; after `plot`.
    figure_ : matplotlib Figure
        The figure around it.
    lines_ : dict of str to matplotlib Line2D
        The line of each feature in colour.
    others_ : matplotlib LineCollection
        The grey lines; of very many, the thousand with the largest coefficients.
    labels_ : list of matplotlib Annotation
        The names.

    See Also
    --------
    SelectionStabilityDisplay : How often each feature was selected.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_medsel.inspection import SelectionPathDisplay
    >>> path = pd.DataFrame(
    ...     {"TP53": [0.0, 0.4, 0.7], "KRAS": [0.0, 0.0, -0.2]},
    ...     index=pd.Index([1.0, 0.5, 0.1], name="penalty"),
    ... )
    >>> display = SelectionPathDisplay(path, selected=["TP53"]).plot()
    >>> list(display.lines_)
    ['TP53']
    """

    def __init__(self, path, *, selected):
        self.path = path
        self.selected = selected

    @classmethod
    def from_estimator(cls, estimator, *, n_labels=20, feature_names=None, ax=None):
        """Plot the path of a fitted selector.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``path_`` and ``support_``, such as `DeepFeatureSelector`. Of a
            Pipeline, the last step that has them is shown; of a search, its best estimator.
        n_labels : int, default=20
            Number of selected features in colour, at most; those with the largest coefficients
            at the end of the path come first.
        feature_names : array-like of shape (n_features_in,), str, or None, default=None
            Names, as the columns of ``path_`` have them; None takes those the estimator has
            seen, else ``x0``, ``x1``, ...
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        SelectionPathDisplay
            The plotted display.

        Raises
        ------
        NotFittedError
            If `estimator` is not fitted.
        TypeError
            If it has no ``path_``.
        ValueError
            If the path is empty, `feature_names` does not fit, or `n_labels` is not at least 1.
        ImportError
            If matplotlib is not installed.
        """
        step, before = find_step(estimator, "path_")
        support = np.asarray(step.support_, dtype=bool)
        names = find_names(step, before, support.size, feature_names)
        display = cls(step.path_, selected=[str(name) for name in names[support]])
        return display.plot(ax, n_labels=n_labels)

    def plot(self, ax=None, *, n_labels=20):
        """Plot the path.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        n_labels : int, default=20
            Number of selected features in colour, at most.

        Returns
        -------
        SelectionPathDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ValueError
            If the path is empty or `n_labels` is not at least 1.
        ImportError
            If matplotlib is not installed.
        """
        check_count(n_labels, "n_labels")
        penalties = self.path.index.to_numpy(dtype=float)
        values = np.nan_to_num(self.path.to_numpy(dtype=float))[penalties > 0]
        penalties = penalties[penalties > 0]
        if values.size == 0:
            raise ValueError(
                "The path is empty: no feature entered at any penalty, so there is nothing to plot."
            )
        order = np.argsort(-penalties)
        penalties, values = penalties[order], values[order]
        ax = new_axes(ax, self, (6.8, 4.4))
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        highlighted, others = self._split(values, n_labels)
        self._draw_others(ax, penalties, values[:, others])
        self._draw_highlighted(ax, penalties, values, highlighted)
        self._decorate(ax, penalties, values)
        self._label(ax, penalties[-1], values[-1], highlighted)
        return self

    def _split(self, values, n_labels):
        """Columns in colour, the largest final coefficient first, and columns in grey."""
        is_selected = np.isin(self.path.columns.astype(str), list(self.selected))
        candidates = np.flatnonzero(is_selected & values.any(axis=0))
        size = np.abs(values[-1])
        candidates = candidates[np.argsort(-size[candidates], kind="stable")]
        highlighted = candidates[:n_labels]
        grey = np.setdiff1d(np.arange(values.shape[1]), highlighted)
        if grey.size > _MAX_OTHERS:
            largest = np.abs(values[:, grey]).max(axis=0)
            grey = grey[np.argsort(-largest, kind="stable")[:_MAX_OTHERS]]
        return highlighted, grey

    def _draw_others(self, ax, penalties, values):
        from matplotlib.collections import LineCollection

        segments = np.empty((values.shape[1], penalties.size, 2))
        segments[..., 0] = penalties
        segments[..., 1] = values.T
        self.others_ = LineCollection(segments, colors=[ink(ax, 0.28)], linewidths=0.8, zorder=1)
        ax.add_collection(self.others_, autolim=False)

    def _draw_highlighted(self, ax, penalties, values, highlighted):
        colours = palette()
        self.lines_ = {}
        for rank, column in enumerate(highlighted):
            (line,) = ax.plot(
                penalties,
                values[:, column],
                color=colours[rank % len(colours)],
                linestyle=_LINE_STYLES[(rank // len(colours)) % len(_LINE_STYLES)],
                linewidth=1.8,
                zorder=3,
            )
            self.lines_[str(self.path.columns[column])] = line

    def _decorate(self, ax, penalties, values):
        from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

        ax.set_xscale("log")
        few_decades = penalties[0] / penalties[-1] < 50
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few_decades else (1,)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_locator(NullLocator())
        end = penalties[-1] if penalties.size > 1 else penalties[0] / 2
        ax.set_xlim(penalties[0], end)
        low, high = min(values.min(), 0), max(values.max(), 0)
        margin = 0.05 * (high - low) or 1.0
        ax.set_ylim(low - margin, high + margin)
        ax.yaxis.set_major_locator(MaxNLocator(6))
        ax.axhline(0, color=ink(ax, 0.5), linewidth=0.8, zorder=2)
        ax.set_xlabel("Penalty, as a fraction of the largest")
        ax.set_ylabel("Coefficient")
        ax.spines[["top", "right"]].set_visible(False)

    def _label(self, ax, x, values, highlighted):
        """Write names beside the axes, moved apart, each with a line to its curve."""
        size = 0.9 * font_points("ytick.labelsize")
        height = ax.get_window_extent().height * 72 / self.figure_.dpi
        low, high = ax.get_ylim()
        # the layout may make the axes lower than they are now
        gap = 1.45 * size / height * (high - low)
        n_fitting = max(1, int((high - low) // gap))
        labelled = highlighted[:n_fitting]
        wanted = values[labelled]
        self.labels_ = []
        for column, at, to in zip(labelled, wanted, spread(wanted, gap, low, high), strict=True):
            label = ax.annotate(
                shorten(self.path.columns[column]),
                xy=(x, at),
                xytext=(1.045, to),
                textcoords=ax.get_yaxis_transform(),
                fontsize=size,
                va="center",
                annotation_clip=False,
                arrowprops={
                    "arrowstyle": "-",
                    "color": self.lines_[str(self.path.columns[column])].get_color(),
                    "linewidth": 0.8,
                    "shrinkA": 1,
                    "shrinkB": 0,
                    "relpos": (0, 0.5),
                },
            )
            label.set_parse_math(False)
            self.labels_.append(label)
        n_selected = len(set(self.selected))
        if n_selected == 0:
            ax.set_title("none selected", fontsize="medium")
        elif n_selected > len(labelled):
            ax.set_title(f"{n_selected:,} selected, {len(labelled):,} named", fontsize="medium")


def spread(positions, gap, low, high):
    """Move positions apart so that neighbours are at least ``gap`` from each other.

    Parameters
    ----------
    positions : array-like of shape (n,)
        Where each would best be.
    gap : float
        Smallest distance between neighbours; at most ``(high - low) / n``.
    low, high : float
        Limits that each keeps half a gap from.

    Returns
    -------
    ndarray of shape (n,)
        Positions in the same order, close to the wanted ones in the least-squares sense.

    Examples
    --------
    >>> from sklearn_medsel.inspection._path import spread
    >>> spread([0.0, 0.1, 5.0], 1.0, -10, 10)
    array([-0.45,  0.55,  5.  ])
    """
    from sklearn.isotonic import isotonic_regression

    positions = np.asarray(positions, dtype=float)
    if positions.size == 0:
        return positions
    order = np.argsort(positions, kind="stable")
    steps = gap * np.arange(order.size)
    # with the steps taken off, "apart by a gap" is "not decreasing"
    moved = isotonic_regression(positions[order] - steps)
    moved = np.clip(moved, low + gap / 2, high - gap / 2 - steps[-1])
    result = np.empty_like(positions)
    result[order] = moved + steps
    return result
