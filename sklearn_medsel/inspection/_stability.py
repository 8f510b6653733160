"""How often each feature was selected, beside what chance selects."""

import numpy as np

from sklearn_medsel.inspection._plotting import (
    check_count,
    find_names,
    find_step,
    font_points,
    ink,
    name_rows,
    new_axes,
    palette,
    row_font_size,
)

# Bars of the distribution: centred on multiples of 0.05, where 20 repeats put their frequencies.
_EDGES = np.arange(-0.025, 1.03, 0.05)


class SelectionStabilityDisplay:
    """Selection frequency of the best features, with the distribution of the decoys.

    Decoys are features whose samples were shuffled: how often they are selected is chance.
    Above, one row per feature, filled if it was selected; below, how the frequencies of all
    features and of all decoys are distributed, on a logarithmic scale. Create it with
    `from_estimator`; constructor arguments are stored as attributes.

    Parameters
    ----------
    frequencies : ndarray of shape (n_features,), float
        Selection frequency of each feature, between 0 and 1.
    feature_names : ndarray of shape (n_features,), object
        Their names.
    selected : ndarray of shape (n_features,), bool
        Which features were selected.
    decoy_frequencies : ndarray of shape (n_decoys,) or None, default=None
        Selection frequency of each decoy.
    threshold : float, default=nan
        Smallest frequency among the selected features, drawn as a line; NaN if none was selected.
    stability : tuple of float or None, default=None
        Estimate, lower and upper limit of the stability of the selection.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the features are; after `plot`.
    ax_decoys_ : matplotlib Axes or None
        Where the distributions are; None without decoys.
    figure_ : matplotlib Figure
        The figure around them.
    threshold_lines_ : list of matplotlib Line2D
        The threshold, in each of the axes; empty if there is none.
    shown_ : ndarray of int
        Indices of the features shown, from top to bottom.

    See Also
    --------
    FeatureImportanceDisplay : Importances and signs.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.inspection import SelectionStabilityDisplay
    >>> display = SelectionStabilityDisplay(
    ...     np.array([0.05, 0.95, 0.0]),
    ...     feature_names=np.array(["KRAS", "TP53", "ACTB"]),
    ...     selected=np.array([False, True, False]),
    ...     decoy_frequencies=np.array([0.0, 0.1, 0.0]),
    ...     threshold=0.95,
    ... ).plot()
    >>> [str(name) for name in display.feature_names[display.shown_]]
    ['TP53', 'KRAS']
    """

    def __init__(
        self,
        frequencies,
        *,
        feature_names,
        selected,
        decoy_frequencies=None,
        threshold=float("nan"),
        stability=None,
    ):
        self.frequencies = frequencies
        self.feature_names = feature_names
        self.selected = selected
        self.decoy_frequencies = decoy_frequencies
        self.threshold = threshold
        self.stability = stability

    @classmethod
    def from_estimator(cls, estimator, *, n_features=20, feature_names=None, ax=None):
        """Plot the selection frequencies of a fitted selector.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``selection_frequencies_``, such as `DeepFeatureSelector`. Of a
            Pipeline, the last step that has them is shown; of a search, its best estimator.
        n_features : int, default=20
            Number of features to show, at most: the selected ones, then those of the highest
            frequencies. Features of frequency 0 are left out unless they are selected.
        feature_names : array-like of shape (n_features_in,), str, or None, default=None
            Names; None takes those the estimator has seen, else ``x0``, ``x1``, ...
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        SelectionStabilityDisplay
            The plotted display.

        Raises
        ------
        NotFittedError
            If `estimator` is not fitted.
        TypeError
            If it has no ``selection_frequencies_``.
        ValueError
            If `feature_names` does not fit, or `n_features` is not at least 1.
        ImportError
            If matplotlib is not installed.
        """
        step, before = find_step(estimator, "selection_frequencies_")
        frequencies = np.asarray(step.selection_frequencies_, dtype=float)
        decoys = getattr(step, "decoy_frequencies_", None)
        display = cls(
            frequencies,
            feature_names=find_names(step, before, frequencies.size, feature_names),
            selected=np.asarray(step.support_, dtype=bool),
            decoy_frequencies=decoys if np.size(decoys) and decoys is not None else None,
            threshold=getattr(step, "frequency_threshold_", float("nan")),
            stability=getattr(step, "stability_", None),
        )
        return display.plot(ax, n_features=n_features)

    def plot(self, ax=None, *, n_features=20):
        """Plot the frequencies.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure. The lower part is cut off it.
        n_features : int, default=20
            Number of features to show, at most.

        Returns
        -------
        SelectionStabilityDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ValueError
            If `n_features` is not at least 1.
        ImportError
            If matplotlib is not installed.
        """
        check_count(n_features, "n_features")
        self.shown_ = self._best(n_features)
        n_rows = self.shown_.size
        ax = new_axes(ax, self, (6.4, max(3.2, 2.0 + 0.23 * n_rows)))
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        self.ax_decoys_ = None if self.decoy_frequencies is None else _split(ax)
        size = row_font_size(ax, n_rows)
        self._draw_features(ax, size)
        name_rows(ax, self.feature_names[self.shown_], size)
        if self.ax_decoys_ is not None:
            self._draw_distributions(self.ax_decoys_)
        self._draw_threshold()
        self._decorate(ax)
        return self

    def _best(self, n_features):
        """Find what to show: the selected first, but in the order of their frequencies."""
        order = np.lexsort((~self.selected, -self.frequencies))
        order = order[(self.frequencies[order] > 0) | self.selected[order]]
        places = np.argsort(~self.selected[order], kind="stable")[:n_features]
        return order[np.sort(places)]

    def _draw_features(self, ax, size):
        rows, values = np.arange(self.shown_.size), self.frequencies[self.shown_]
        chosen = self.selected[self.shown_]
        colour, other = palette()[0], ink(ax, 0.5)
        ax.hlines(rows, 0, values, colors=ink(ax, 0.2), linewidths=1.0, zorder=1)
        area = (0.9 * size) ** 2 * 0.7
        ax.scatter(values[chosen], rows[chosen], s=area, color=colour, zorder=3)
        if not chosen.all():
            ax.scatter(
                values[~chosen],
                rows[~chosen],
                s=area,
                facecolor=ink(ax, 0.0),
                edgecolor=other,
                linewidth=1.2,
                zorder=3,
            )

    def _draw_distributions(self, ax):
        from matplotlib.ticker import FuncFormatter, NullLocator

        colours = palette()
        groups = [
            ("features", self.frequencies, colours[0], {"linewidth": 1.8}),
            ("decoys", self.decoy_frequencies, ink(ax, 0.55), {"hatch": "/////", "linewidth": 1.2}),
        ]
        for name, values, colour, style in groups:
            counts, _ = np.histogram(values, _EDGES)
            ax.stairs(
                counts / np.size(values),
                _EDGES,
                baseline=0,
                color=colour,
                label=f"{np.size(values):,} {name}",
                **style,
            )
        smallest = 1 / max(self.frequencies.size, np.size(self.decoy_frequencies))
        ax.set_yscale("log")
        ax.set_ylim(0.5 * smallest, 2)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.set_ylabel("Share")
        legend = ax.legend(fontsize="small", loc="upper right", framealpha=0.9)
        legend.get_frame().set(facecolor=ink(ax, 0.0), linewidth=0)
        legend.set_in_layout(False)  # in narrow axes it would push the others aside

    def _draw_threshold(self):
        self.threshold_lines_ = []
        if not np.isfinite(self.threshold):
            return
        for ax in (self.ax_, self.ax_decoys_):
            if ax is not None:
                line = ax.axvline(
                    self.threshold,
                    color=palette()[1 % len(palette())],
                    linestyle=(0, (5, 2)),
                    linewidth=1.4,
                    zorder=2,
                )
                self.threshold_lines_.append(line)

    def _decorate(self, ax):
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        lowest = ax if self.ax_decoys_ is None else self.ax_decoys_
        for each in {ax, lowest}:
            each.set_xlim(-0.035, 1.035)
            each.spines[["top", "right"]].set_visible(False)
            each.set_axisbelow(True)
            each.grid(axis="x", color=ink(ax, 0.12), linewidth=0.8)
        lowest.xaxis.set_major_locator(MaxNLocator(5))
        lowest.xaxis.set_major_formatter(PercentFormatter(1.0))
        lowest.set_xlabel("Selected in … of the repeats")
        ax.spines["left"].set_visible(False)
        size = 0.9 * font_points("axes.labelsize")
        ax.set_title(self._title(), fontsize=size * 1.1, pad=6 + 1.6 * size)
        if self.threshold_lines_:
            ax.annotate(
                f"lowest selected: {self.threshold:.0%}",
                xy=(self.threshold, 1),
                xycoords=ax.get_xaxis_transform(),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=size,
            )

    def _title(self):
        n_selected, n_shown = int(self.selected.sum()), int(self.selected[self.shown_].sum())
        parts = [f"{n_selected:,} selected (filled)" if n_selected else "none selected"]
        if n_shown < n_selected:
            parts.append(f"{n_shown:,} shown")
        if self.stability is not None and np.isfinite(self.stability[0]):
            estimate, low, high = self.stability
            parts.append(f"stability {estimate:.2f} ({low:.2f} to {high:.2f})")
        return ", ".join(parts)


def _split(ax):
    """Cut axes for the distributions off the lower part of ``ax``."""
    spec = ax.get_subplotspec()
    if spec is None:  # placed by hand
        from mpl_toolkits.axes_grid1 import make_axes_locatable

        lower = make_axes_locatable(ax).append_axes("bottom", size="35%", pad=0.12, sharex=ax)
    else:  # two rows in place of one, which every layout knows how to treat
        upper_row, lower_row = spec.subgridspec(2, 1, height_ratios=(3, 1), hspace=0.04)
        ax.set_subplotspec(upper_row)
        lower = ax.get_figure().add_subplot(lower_row, sharex=ax)
    ax.tick_params(axis="x", labelbottom=False, length=0)
    return lower
