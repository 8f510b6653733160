"""The most important features, the direction of their effect, and their q-values."""

import numpy as np
import pandas as pd

from sklearn_medsel.inspection._plotting import (
    check_count,
    find_names,
    find_step,
    ink,
    name_rows,
    new_axes,
    palette,
    row_font_size,
)


class FeatureImportanceDisplay:
    """Importance of the best features, with the direction of each effect.

    Upward triangles are positive effects, downward ones negative, circles are features without
    a known direction; colour says the same again. Hollow marks are features that were not
    selected. Create it with `from_estimator`; constructor arguments are stored as attributes.

    Parameters
    ----------
    importances : ndarray of shape (n_features,), float
        Importance of each feature, not negative.
    feature_names : ndarray of shape (n_features,), object
        Their names.
    effects : ndarray of shape (n_features,) or None, default=None
        Signed effects; only the signs are shown. NaN or 0 where there is no single direction.
    qvalues : ndarray of shape (n_features,) or None, default=None
        Written beside, as q-values; NaN where there is none.
    selected : ndarray of shape (n_features,), bool, or None, default=None
        Which features were selected.
    ranking : ndarray of shape (n_features,), int, or None, default=None
        Order of the rows, 1 first; None orders by importance.
    directions : tuple of str, default=("negative effect", "positive effect")
        What the signs mean, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture is; after `plot`.
    figure_ : matplotlib Figure
        The figure around it.
    stems_ : matplotlib LineCollection
        The lines from zero, the first feature first.
    shown_ : ndarray of int
        Indices of the features shown, from top to bottom.

    See Also
    --------
    SelectionStabilityDisplay : How often each feature was selected.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_medsel.inspection import FeatureImportanceDisplay
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> display = FeatureImportanceDisplay.from_estimator(model, n_features=3)
    >>> [str(name) for name in display.feature_names[display.shown_]]
    ['worst texture', 'radius error', 'worst radius']
    """

    def __init__(
        self,
        importances,
        *,
        feature_names,
        effects=None,
        qvalues=None,
        selected=None,
        ranking=None,
        directions=("negative effect", "positive effect"),
    ):
        self.importances = importances
        self.feature_names = feature_names
        self.effects = effects
        self.qvalues = qvalues
        self.selected = selected
        self.ranking = ranking
        self.directions = directions

    @classmethod
    def from_estimator(cls, estimator, *, n_features=20, feature_names=None, ax=None):
        """Plot the importances of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``feature_importances_`` (numbers, or a table as of
            `MultimodalClassifier`) or ``coef_``. Of a Pipeline, the last step that has one of them
            is shown; of a search, its best estimator.
        n_features : int, default=20
            Number of features to show, at most. Features of importance 0 are left out.
        feature_names : array-like of shape (n_features_in,), str, or None, default=None
            Names; None takes those the estimator has seen, else ``x0``, ``x1``, ...
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        FeatureImportanceDisplay
            The plotted display.

        Raises
        ------
        NotFittedError
            If `estimator` is not fitted.
        TypeError
            If it has neither ``feature_importances_`` nor ``coef_``.
        ValueError
            If `feature_names` does not fit, or `n_features` is not at least 1.
        ImportError
            If matplotlib is not installed.
        """
        step, before = find_step(estimator, "feature_importances_", "coef_")
        table = getattr(step, "feature_importances_", None)
        if isinstance(table, pd.DataFrame):
            return _of_table(cls, table, step, feature_names).plot(ax, n_features=n_features)
        importances, effects = _importances(step)
        display = cls(
            importances,
            feature_names=find_names(step, before, importances.size, feature_names),
            effects=effects,
            qvalues=_one_per_feature(step, "qvalues_", importances.size),
            selected=_one_per_feature(step, "support_", importances.size),
            ranking=_one_per_feature(step, "ranking_", importances.size),
            directions=_directions(step),
        )
        return display.plot(ax, n_features=n_features)

    def plot(self, ax=None, *, n_features=20):
        """Plot the importances.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        n_features : int, default=20
            Number of features to show, at most.

        Returns
        -------
        FeatureImportanceDisplay
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
        ax = new_axes(ax, self, (6.4, max(2.2, 1.1 + 0.23 * n_rows)))
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        size = row_font_size(ax, n_rows)
        self._draw(ax, size)
        name_rows(ax, self.feature_names[self.shown_], size)
        self._decorate(ax, size)
        return self

    def _best(self, n_features):
        key = -self.importances if self.ranking is None else self.ranking
        order = np.argsort(key, kind="stable")
        order = order[self.importances[order] > 0]
        return order[:n_features]

    def _signs(self):
        if self.effects is None:
            return np.zeros(self.shown_.size)
        return np.nan_to_num(np.sign(self.effects[self.shown_]))

    def _draw(self, ax, size):
        rows, signs = np.arange(self.shown_.size), self._signs()
        values = self.importances[self.shown_]
        colours = palette()
        # indexed by the sign: 0 unknown, 1 positive, -1 (the last) negative
        by_sign = [ink(ax, 0.6), colours[1 % len(colours)], colours[0]]
        is_selected = (
            np.ones(rows.size, bool) if self.selected is None else self.selected[self.shown_]
        )
        self.stems_ = ax.hlines(
            rows,
            0,
            values,
            colors=[by_sign[int(sign)] for sign in signs],
            linewidths=np.where(is_selected, 2.2, 1.0),
        )
        names = {1: self.directions[1], -1: self.directions[0], 0: "no single direction"}
        for sign, marker in ((1, "^"), (-1, "v"), (0, "o")):
            for chosen in (True, False):
                mask = (signs == sign) & (is_selected == chosen)
                ax.scatter(
                    values[mask],
                    rows[mask],
                    marker=marker,
                    s=(0.95 * size) ** 2 * 0.75,
                    facecolor=by_sign[sign] if chosen else ink(ax, 0.0),
                    edgecolor=by_sign[sign],
                    linewidth=1.2,
                    zorder=3,
                )
            if (signs == sign).any() and (sign or self.effects is not None):
                # an empty one for the legend, so that a hollow mark never stands for a sign
                ax.scatter([], [], marker=marker, color=by_sign[sign], label=names[sign])
        if not is_selected.all():
            ax.scatter(
                [], [], marker="o", facecolor="none", edgecolor=ink(ax, 0.6), label="not selected"
            )

    def _decorate(self, ax, size):
        from matplotlib.ticker import MaxNLocator

        ax.set_xlim(0, 1.06 * self.importances[self.shown_].max(initial=1e-12))
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_xlabel("Importance")
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.grid(axis="x", color=ink(ax, 0.12), linewidth=0.8)
        ax.set_axisbelow(True)
        if ax.get_legend_handles_labels()[0]:
            legend = ax.legend(loc="lower right", frameon=True, framealpha=0.85)
            legend.get_frame().set(facecolor=ink(ax, 0.0), linewidth=0)
            for text in legend.get_texts():
                text.set_parse_math(False)
        if self.qvalues is not None and np.isfinite(self.qvalues[self.shown_]).any():
            _write_qvalues(ax, self.qvalues[self.shown_], size)


def _of_table(cls, table, step, feature_names):
    """Make the display of a tidy table of features."""
    names = table["feature"].to_numpy(dtype=object)
    if feature_names is not None:
        names = find_names(step, None, len(table), feature_names)
    directions, classes = _directions(step), getattr(step, "classes_", ())
    if len(classes) > 2:
        directions = f"away from {classes[-1]}", f"towards {classes[-1]}"
    return cls(
        table["importance"].to_numpy(dtype=float),
        feature_names=names,
        effects=table["direction"].to_numpy(dtype=float),
        selected=table["selected"].to_numpy(dtype=bool),
        directions=directions,
    )


def _importances(step):
    """Importances and signed effects of a fitted step, one per feature."""
    if hasattr(step, "feature_importances_"):
        importances = np.asarray(step.feature_importances_, dtype=float)
        effects = getattr(step, "effects_", None)
    else:
        # a fold of classes or outputs counts by its mean absolute coefficient
        coef = step.coef_
        effects = coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef, dtype=float)
        effects = np.atleast_2d(effects).T
        importances = np.abs(effects).mean(axis=1)
    return importances, _one_direction(effects)


def _one_direction(effects):
    """Reduce effects on several outputs to a sign, where the outputs agree on it."""
    if effects is None:
        return None
    effects = np.asarray(effects, dtype=float)
    if effects.ndim == 1:
        return effects
    low, high = effects.min(axis=1), effects.max(axis=1)
    return np.where(low >= 0, high, np.where(high <= 0, low, np.nan))


def _one_per_feature(step, name, n_features):
    values = getattr(step, name, None)
    return np.asarray(values) if np.shape(values) == (n_features,) else None


def _directions(step):
    """Say what a negative and a positive effect mean for this step."""
    classes = getattr(step, "classes_", ())
    task = getattr(step, "task_", None)
    if task == "survival":
        return "lower risk", "higher risk"
    if len(classes) == 2:
        return f"towards {classes[0]}", f"towards {classes[1]}"
    if task == "regression":
        return "lowers the prediction", "raises the prediction"
    return "negative effect", "positive effect"


def _write_qvalues(ax, qvalues, size):
    """Write q-values in a column beside the axes."""
    beside = ax.get_yaxis_transform()
    ax.text(1.02, -0.75, "q-value", transform=beside, fontsize=size, va="bottom", ha="left")
    for row, qvalue in enumerate(qvalues):
        ax.text(1.02, row, format_p(qvalue), transform=beside, fontsize=size, va="center")


def format_p(value):
    """Write a p-value or q-value in few characters."""
    if not np.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
