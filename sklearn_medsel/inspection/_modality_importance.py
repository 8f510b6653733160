"""What each modality adds to the held-out score, over all patients and for each of them."""

import numpy as np

from sklearn_medsel.inspection._modality_tables import (
    block_style,
    checked_importances,
    fitting_contributions,
    write_share,
)
from sklearn_medsel.inspection._plotting import (
    find_step,
    font_points,
    ink,
    new_axes,
    shorten,
)

_KINDS = ("bar", "patients")
_FEW_PATIENTS = 20  # up to here, patients are named under their bars


class ModalityImportanceDisplay:
    """Share of each modality in the held-out score, or in the score of each patient.

    With ``kind="bar"``, one bar per modality: its Shapley value, which is what it adds to the
    held-out score above chance, averaged over all sets of other modalities it could be added to.
    The values of all modalities add up to the score of the whole. The thin line is the standard
    deviation over the held-out folds; beside the name stands which part of the patients has the
    modality. With ``kind="patients"``, one column per patient: what each modality adds to that
    patient's score upwards or downwards, and a line for the sum, by which patients are sorted.
    Create it with `from_estimator` or `from_table`; constructor arguments are stored as attributes.

    Parameters
    ----------
    modality_importances : DataFrame of shape (n_blocks, n_columns)
        One row per modality with the columns ``block`` and ``importance``, and where known
        ``spread`` (standard deviation over folds) and ``available`` (part of the patients).
    contributions : DataFrame of shape (n_patients, n_blocks) or None, default=None
        Contribution of each modality to the score of each patient, one column per block; what is
        missing counts as 0. Needed for ``kind="patients"``.
    base : str or None, default=None
        Name of the block that was fitted first, which its label says.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture is; after `plot`.
    figure_ : matplotlib Figure
        The figure around it.
    bars_ : list of matplotlib BarContainer
        For ``"bar"`` one, with the bars from top to bottom; for ``"patients"`` one per block, in
        the order of `shown_`.
    shown_ : list of str
        Blocks from top to bottom (``"bar"``) or in the order of the legend (``"patients"``).
    order_ : ndarray of shape (n_patients,), int, or None
        Patients from left to right, as rows of `contributions`; None for ``"bar"``.

    See Also
    --------
    InteractionDisplay : Which modalities act together.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_medsel.inspection import ModalityImportanceDisplay
    >>> table = pd.DataFrame(
    ...     {
    ...         "block": ["clinical", "genes", "image"],
    ...         "importance": [0.12, 0.15, 0.06],
    ...         "spread": [0.02, 0.04, 0.03],
    ...         "available": [1.0, 0.9, 0.75],
    ...     }
    ... )
    >>> display = ModalityImportanceDisplay.from_table(table)
    >>> display.shown_
    ['genes', 'clinical', 'image']
    >>> display.ax_.get_title(loc="left")
    'together +0.330'
    """

    def __init__(self, modality_importances, *, contributions=None, base=None):
        self.modality_importances = modality_importances
        self.contributions = contributions
        self.base = base

    @classmethod
    def from_estimator(cls, estimator, X=None, *, kind="bar", ax=None):
        """Plot the modalities of a fitted multimodal estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``modality_importances_``, such as `MultimodalClassifier`. Of a Pipeline,
            the last step that has them is shown; of a search, its best estimator.
        X : DataFrame of shape (n_patients, n_columns) or None, default=None
            Patients to explain with ``kind="patients"``; a Pipeline's earlier steps are applied
            to them. None takes the training patients, each by models that never saw them. Not used
            by ``kind="bar"``.
        kind : {"bar", "patients"}, default="bar"
            One bar per modality, or one column per patient.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        ModalityImportanceDisplay
            The plotted display.

        Raises
        ------
        NotFittedError
            If `estimator` is not fitted.
        TypeError
            If it has no ``modality_importances_``.
        ValueError
            If `kind` is neither, or the tables do not fit each other.
        ImportError
            If matplotlib is not installed.
        """
        step, before = find_step(estimator, "modality_importances_")
        if X is None or kind == "bar":
            contributions = getattr(step, "modality_contributions_", None)
        else:
            contributions = step.explain_modalities(X if before is None else before.transform(X))
        # the other rules of fusion fit no block before the others
        in_stages = getattr(step, "fusion", "residual") == "residual"
        display = cls(
            step.modality_importances_,
            contributions=contributions,
            base=getattr(step, "base_", None) if in_stages else None,
        )
        return display.plot(ax, kind=kind)

    @classmethod
    def from_table(
        cls, modality_importances, contributions=None, *, base=None, kind="bar", ax=None
    ):
        """Plot modalities from tables, such as those saved with an earlier model.

        Parameters
        ----------
        modality_importances : DataFrame of shape (n_blocks, n_columns)
            One row per modality with the columns ``block`` and ``importance``, and where known
            ``spread`` and ``available``.
        contributions : DataFrame of shape (n_patients, n_blocks) or None, default=None
            Contribution of each modality to the score of each patient, for ``kind="patients"``.
        base : str or None, default=None
            Name of the block that was fitted first.
        kind : {"bar", "patients"}, default="bar"
            One bar per modality, or one column per patient.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        ModalityImportanceDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If `kind` is neither, a column is missing, or the tables do not fit each other.
        ImportError
            If matplotlib is not installed.
        """
        display = cls(modality_importances, contributions=contributions, base=base)
        return display.plot(ax, kind=kind)

    def plot(self, ax=None, *, kind="bar"):
        """Plot the modalities.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        kind : {"bar", "patients"}, default="bar"
            One bar per modality, or one column per patient.

        Returns
        -------
        ModalityImportanceDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ValueError
            If `kind` is neither, a column is missing, or the tables do not fit each other.
        ImportError
            If matplotlib is not installed.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be 'bar' or 'patients', found {kind!r}.")
        table = checked_importances(self.modality_importances)
        contributions = fitting_contributions(self.contributions, table, needed=kind == "patients")
        height = max(1.9, 1.0 + 0.5 * len(table)) if kind == "bar" else 3.6
        ax = new_axes(ax, self, (6.4, height))
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        if kind == "bar":
            self._plot_bars(ax, table)
        else:
            self._plot_patients(ax, contributions)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_axisbelow(True)
        return self

    def _plot_bars(self, ax, table):
        from matplotlib.ticker import MaxNLocator

        place = np.argsort(-table["importance"].to_numpy(), kind="stable")
        rows = np.arange(place.size)
        values = table["importance"].to_numpy()[place]
        spread = np.nan_to_num(table["spread"].to_numpy()[place])
        self.shown_, self.order_ = [str(table["block"].iloc[i]) for i in place], None
        bars = ax.barh(rows, values, height=0.6, color=[block_style(i)["color"] for i in place])
        self.bars_ = [bars]
        for bar, index in zip(bars, place, strict=True):
            bar.set(hatch=block_style(index)["hatch"], edgecolor=ink(ax, 0.0), linewidth=0)
        ax.errorbar(values, rows, xerr=spread, fmt="none", ecolor=ink(ax, 0.75), elinewidth=1.2)
        size = 0.9 * font_points("ytick.labelsize")
        # beside the bar and its spread, on the right also where the bar goes left
        for row, end in enumerate(np.maximum(values + spread, 0)):
            ax.annotate(
                f"{values[row]:z.3f}",
                xy=(end, row),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=size,
            )
        low, high = min(0.0, (values - spread).min()), max(0.0, (values + spread).max())
        if high - low < 5e-4:  # all are written as 0.000
            low, high = 0.0, 0.1
        room = high - low
        ax.set_xlim(low - (0.04 * room if low < 0 else 0), high + 0.16 * room)
        ax.set_ylim(rows.size - 0.4, -0.6)
        ax.set_yticks(rows, [self._label(table.iloc[i]) for i in place], fontsize=size)
        for label in ax.get_yticklabels():
            label.set_parse_math(False)  # a name may hold a dollar sign
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.axvline(0, color=ink(ax, 0.6), linewidth=0.8)
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_xlabel("Held-out score above chance (Shapley share)")
        ax.set_title(f"together {values.sum():+z.3f}", fontsize="medium", loc="left")
        ax.grid(axis="x", color=ink(ax, 0.12), linewidth=0.8)

    def _label(self, row):
        notes = []
        if self.base is not None and row["block"] == self.base:
            notes.append("fitted first")
        if np.isfinite(row["available"]):
            notes.append(f"{write_share(row['available'])} of patients")
        name = shorten(row["block"])
        return f"{name}\n{', '.join(notes)}" if notes else name

    def _plot_patients(self, ax, contributions):
        from matplotlib.ticker import MaxNLocator

        values = contributions.to_numpy()
        total = values.sum(axis=1)
        self.order_ = np.argsort(total, kind="stable")
        self.shown_ = [str(name) for name in contributions.columns]
        values, total = values[self.order_], total[self.order_]
        across = np.arange(total.size)
        # stacked from zero upwards and downwards, each block on those before it
        up, down = np.maximum(values, 0), np.minimum(values, 0)
        bottoms = np.where(values >= 0, up.cumsum(axis=1) - up, down.cumsum(axis=1) - down)
        self.bars_ = []
        for index, name in enumerate(self.shown_):
            style = block_style(index)
            bars = ax.bar(
                across,
                values[:, index],
                width=1.0 if total.size > _FEW_PATIENTS else 0.8,
                bottom=bottoms[:, index],
                color=style["color"],
                hatch=style["hatch"],
                edgecolor=ink(ax, 0.0),
                linewidth=0,
                label=shorten(name),
            )
            self.bars_.append(bars)
        ax.axhline(0, color=ink(ax, 0.6), linewidth=0.8)
        # on a seam of paper, so that the line stands out from every colour
        edges = np.append(across - 0.5, total.size - 0.5)
        for colour, width, label in ((ink(ax, 0.0), 3.2, None), (ink(ax), 1.5, "sum")):
            ax.stairs(total, edges, baseline=None, color=colour, linewidth=width, label=label)
        ax.set_xlim(-0.7, total.size - 0.3)
        if total.size <= _FEW_PATIENTS:
            names = [shorten(name, 14) for name in contributions.index[self.order_]]
            ax.set_xticks(across, names, rotation=90, fontsize="small")
            for label in ax.get_xticklabels():
                label.set_parse_math(False)
        else:
            ax.set_xticks([])
        ax.yaxis.set_major_locator(MaxNLocator(5))
        ax.set_ylabel("Contribution to the score")
        ax.set_xlabel(f"{total.size:,} patients, from the lowest to the highest score")
        ax.grid(axis="y", color=ink(ax, 0.12), linewidth=0.8)
        legend = ax.legend(
            loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize="small"
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
