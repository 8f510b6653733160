"""Which modalities act together, and through which pairs of features."""

import numpy as np
import pandas as pd

from sklearn_medsel.inspection._interaction_drawing import (
    draw_matrix,
    draw_pairs,
    matrix_cells,
    split_right,
)
from sklearn_medsel.inspection._plotting import check_count, find_step, new_axes

_COLUMNS = ("block_a", "block_b", "strength", "pvalue")
_FEATURES = ("feature_a", "feature_b", "pair_strength")


class InteractionDisplay:
    """Strength and p-value of the interaction of each pair of modalities, and the best features.

    On the left, one cell for each pair of modalities. The area of the circle is the strength, which
    is also written beneath with its p-value; a filled circle is significant, a hollow one is not,
    and a strength below zero has none. On the right, the strongest pairs of features, those of
    significant pairs of modalities first. Create it with `from_estimator` or `from_table`;
    constructor arguments are stored as attributes.

    Parameters
    ----------
    interactions : DataFrame of shape (n_pairs, n_columns)
        One row per pair of modalities with the columns ``block_a``, ``block_b``, ``strength`` and
        ``pvalue``, and where known ``top_pairs``: a list of ``(feature_a, feature_b, strength)``
        for each. A row may have the same block twice.
    alpha : float, default=0.05
        Level up to which a p-value is significant.
    correction : {"holm", None}, default="holm"
        Whether p-values are compared with `alpha` after Holm's correction for the number of pairs.
        Those written are never corrected. The smallest p-value of a test with n permutations is
        1 / (n + 1); more than ``alpha * (n + 1)`` pairs leave nothing significant.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the matrix is; after `plot`.
    ax_pairs_ : matplotlib Axes or None
        Where the pairs of features are; None if there are none.
    figure_ : matplotlib Figure
        The figure around them.
    significant_ : ndarray of shape (n_pairs,), bool
        Which rows of `interactions` are significant.
    shown_ : list of tuple
        Feature pairs shown, from top to bottom, as ``(feature_a, feature_b, strength)``.

    See Also
    --------
    ModalityImportanceDisplay : What each modality adds by itself.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_medsel.inspection import InteractionDisplay
    >>> table = pd.DataFrame(
    ...     {
    ...         "block_a": ["clinical", "clinical", "genes"],
    ...         "block_b": ["genes", "image", "image"],
    ...         "strength": [0.03, -0.02, 0.24],
    ...         "pvalue": [0.31, 0.62, 0.005],
    ...         "top_pairs": [[], [], [("TP53", "lesion", 0.21), ("EGFR", "lesion", 0.08)]],
    ...     }
    ... )
    >>> display = InteractionDisplay.from_table(table)
    >>> display.significant_
    array([False, False,  True])
    >>> display.shown_[0]
    ('TP53', 'lesion', 0.21)
    """

    def __init__(self, interactions, *, alpha=0.05, correction="holm"):
        self.interactions = interactions
        self.alpha = alpha
        self.correction = correction

    @classmethod
    def from_estimator(cls, estimator, *, alpha=0.05, correction="holm", n_pairs=8, ax=None):
        """Plot the interactions of a fitted multimodal estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``interactions_``, such as `MultimodalClassifier`. Of a Pipeline, the last
            step that has them is shown; of a search, its best estimator.
        alpha : float, default=0.05
            Level up to which a p-value is significant.
        correction : {"holm", None}, default="holm"
            Whether p-values are corrected for the number of pairs.
        n_pairs : int, default=8
            Number of feature pairs to show, at most.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        InteractionDisplay
            The plotted display.

        Raises
        ------
        NotFittedError
            If `estimator` is not fitted.
        TypeError
            If it has no ``interactions_``.
        ValueError
            If `alpha`, `correction` or `n_pairs` is out of range, or there is no pair to show.
        ImportError
            If matplotlib is not installed.
        """
        step, _ = find_step(estimator, "interactions_")
        display = cls(step.interactions_, alpha=alpha, correction=correction)
        return display.plot(ax, n_pairs=n_pairs)

    @classmethod
    def from_table(cls, interactions, *, alpha=0.05, correction="holm", n_pairs=8, ax=None):
        """Plot interactions from a table, such as one saved with an earlier model.

        Parameters
        ----------
        interactions : DataFrame of shape (n_pairs, n_columns)
            One row per pair of modalities with the columns ``block_a``, ``block_b``, ``strength``
            and ``pvalue``, and where known ``top_pairs``. Or one row per pair of features, as
            ``interactions.csv`` of the command `fuse` has them: with ``feature_a``, ``feature_b``
            and ``pair_strength`` beside those of their modalities, instead of ``top_pairs``.
        alpha : float, default=0.05
            Level up to which a p-value is significant.
        correction : {"holm", None}, default="holm"
            Whether p-values are corrected for the number of pairs.
        n_pairs : int, default=8
            Number of feature pairs to show, at most.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        InteractionDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If a column is missing, a pair stands twice, `alpha`, `correction` or `n_pairs` is
            out of range, or there is no pair to show.
        ImportError
            If matplotlib is not installed.
        """
        if set(_FEATURES) <= set(interactions):
            interactions = _gathered(interactions)
        display = cls(interactions, alpha=alpha, correction=correction)
        return display.plot(ax, n_pairs=n_pairs)

    def plot(self, ax=None, *, n_pairs=8):
        """Plot the interactions.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure. The list of features is cut off its right.
        n_pairs : int, default=8
            Number of feature pairs to show, at most.

        Returns
        -------
        InteractionDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ValueError
            If a column is missing, a pair stands twice, `alpha`, `correction` or `n_pairs` is
            out of range, or there is no pair to show.
        ImportError
            If matplotlib is not installed.
        """
        check_count(n_pairs, "n_pairs")
        self._check()
        self.significant_ = self._significance()
        blocks, places = matrix_cells(self.interactions)
        pairs = self._best_pairs(n_pairs)
        self.shown_ = [pair for pair, _ in pairs]
        side = max(places.max() + 1, 2)
        ax = new_axes(ax, self, ((7.2 if pairs else 3.4) + 0.6 * side, 1.8 + 0.8 * side))
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        self.ax_pairs_ = split_right(ax) if pairs else None
        draw_matrix(ax, self.interactions, self.significant_, blocks, places)
        rule = f"p ≤ {self.alpha:g}" + (" after Holm's correction" if self.correction else "")
        title = f"filled: {rule}" if self.significant_.any() else f"no pair has {rule}"
        ax.set_title(title, fontsize="small", loc="left")
        if pairs:
            draw_pairs(self.ax_pairs_, pairs)
        return self

    def _check(self):
        missing = [name for name in _COLUMNS if name not in self.interactions]
        if missing:
            raise ValueError(
                f"interactions must have the columns {', '.join(_COLUMNS)}; "
                f"{' and '.join(missing)} is missing."
            )
        if not len(self.interactions):
            raise ValueError("interactions has no pair of blocks to show; at least two are needed.")
        both = [frozenset(pair) for pair in zip(*self._blocks(), strict=True)]
        if len(set(both)) < len(both):
            raise ValueError(
                "interactions must have one row for each pair of blocks, in one order."
            )
        if "top_pairs" in self.interactions:
            _check_pairs(self.interactions["top_pairs"])
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must be between 0 and 1, found {self.alpha!r}.")
        if self.correction not in ("holm", None):
            raise ValueError(f"correction must be 'holm' or None, found {self.correction!r}.")

    def _blocks(self):
        return self.interactions["block_a"], self.interactions["block_b"]

    def _significance(self):
        """Say which p-values are significant; one that is missing is not, and not counted."""
        p = np.asarray(self.interactions["pvalue"], dtype=float)
        if self.correction is None:
            return p <= self.alpha
        order = np.argsort(p, kind="stable")  # NaN last
        tested = int(np.isfinite(p).sum())
        passed = np.zeros(p.size, dtype=bool)
        steps = tested - np.arange(tested)
        passed[order[:tested]] = np.logical_and.accumulate(p[order[:tested]] * steps <= self.alpha)
        return passed

    def _best_pairs(self, n_pairs):
        """Feature pairs with whether their blocks are significant, best first."""
        if "top_pairs" not in self.interactions:
            return []
        pairs = [
            ((a, b, float(strength)), bool(passed))
            for found, passed in zip(self.interactions["top_pairs"], self.significant_, strict=True)
            if np.iterable(found)  # else missing, as where no feature was looked at
            for a, b, strength in found
        ]
        return sorted(pairs, key=lambda pair: (not pair[1], -abs(pair[0][2])))[:n_pairs]


def _gathered(table):
    """One row per pair of modalities, with its pairs of features in a list."""
    columns = [name for name in _COLUMNS if name in table]
    rows = []
    for _, part in table.groupby(["block_a", "block_b"], sort=False):
        known = part.dropna(subset=list(_FEATURES))
        pairs = list(known[list(_FEATURES)].itertuples(index=False, name=None))
        rows.append({**part.iloc[0][columns], "top_pairs": pairs})
    return pd.DataFrame(rows, columns=[*columns, "top_pairs"])


def _check_pairs(top_pairs):
    """Refuse pairs of features that were written as text, as a CSV file holds them."""
    for row, found in enumerate(top_pairs):
        pairs = found if np.iterable(found) else []
        if isinstance(found, str) or any(isinstance(p, str) or np.size(p) != 3 for p in pairs):
            raise ValueError(
                f"top_pairs must hold lists of (feature_a, feature_b, strength), but row {row} "
                f"holds something else ({type(found).__name__}). Drop the column, or store the "
                "table in a format that keeps lists, such as JSON."
            )
