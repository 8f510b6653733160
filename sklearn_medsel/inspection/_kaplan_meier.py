"""Kaplan-Meier curves of groups of samples, with the numbers at risk beneath."""

import numpy as np
import pandas as pd
from sklearn.utils import check_array, check_consistent_length

from sklearn_medsel._validation import check_survival_y
from sklearn_medsel.inspection._plotting import new_axes, palette, shorten
from sklearn_medsel.inspection._survival_drawing import (
    curve_style,
    draw_curve,
    format_p,
    time_ticks,
    write_at_risk,
)
from sklearn_medsel.survival import kaplan_meier, logrank_test
from sklearn_medsel.survival._adjustment import find_model
from sklearn_medsel.survival._nonparametric import check_group


class KaplanMeierDisplay:
    """Kaplan-Meier curves with confidence bands, censoring marks and numbers at risk.

    Create it with `from_survival` for groups that are known, or with `from_estimator` for groups
    of predicted risk. Constructor arguments are stored as attributes.

    Parameters
    ----------
    curves : dict of str to DataFrame
        Curve of each group by the group's label, each as from `kaplan_meier`.
    logrank : LogrankResult or None, default=None
        Test between the groups, shown above the legend.
    time_unit : str or None, default=None
        Unit of the times, such as ``"months"``, for the label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the curves are; after `plot`.
    figure_ : matplotlib Figure
        The figure around it.
    lines_ : list of matplotlib Line2D
        One curve per group.
    at_risk_ : DataFrame
        The numbers beneath: one row per group, one column per tick of the time axis.

    See Also
    --------
    kaplan_meier : The numbers behind one curve.
    logrank_test : The test between the groups.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.inspection import KaplanMeierDisplay
    >>> from sklearn_medsel.survival import make_survival_y
    >>> rng = np.random.default_rng(0)
    >>> stage = np.repeat(["I", "III"], 40)
    >>> months = rng.exponential(np.where(stage == "I", 30, 12))
    >>> y = make_survival_y(rng.random(80) < 0.8, months)
    >>> display = KaplanMeierDisplay.from_survival(y, stage, time_unit="months")
    >>> display.at_risk_[[0, 24, 48]]
    time  0   24  48
    I     40  21  10
    III   40   6   1
    """

    def __init__(self, curves, *, logrank=None, time_unit=None):
        self.curves = curves
        self.logrank = logrank
        self.time_unit = time_unit

    @classmethod
    def from_survival(
        cls,
        y,
        group=None,
        *,
        time_unit=None,
        confidence=0.95,
        ax=None,
        show_ci=True,
        show_censored=True,
        show_at_risk=True,
    ):
        """Plot the curves of samples whose groups are known.

        Parameters
        ----------
        y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
            Event and time of each sample, see `make_survival_y`.
        group : array-like of shape (n_samples,) or None, default=None
            Group of each sample: strings, numbers, Booleans or categories (their order is kept).
            None plots all samples as one curve.
        time_unit : str or None, default=None
            Unit of the times, such as ``"months"``, for the label of the axis.
        confidence : float, default=0.95
            Level of the bands, between 0 and 1.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        show_ci, show_censored, show_at_risk : bool, default=True
            Whether to draw the bands, the marks of censored samples, and the numbers at risk.

        Returns
        -------
        KaplanMeierDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If `y` is not a valid survival target, or a group is missing.
        ImportError
            If matplotlib is not installed.
        """
        event, time = check_survival_y(y, require_events=False)
        code, labels = _encode(group, time.size)
        samples = pd.DataFrame({"event": event, "time": time})
        curves = {
            label: kaplan_meier(samples[code == index], confidence=confidence)
            for index, label in enumerate(labels)
        }
        testable = len(labels) > 1 and event.any()
        logrank = logrank_test(samples, code) if testable else None
        display = cls(curves, logrank=logrank, time_unit=time_unit)
        return display.plot(
            ax, show_ci=show_ci, show_censored=show_censored, show_at_risk=show_at_risk
        )

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_groups=2,
        time_unit=None,
        confidence=0.95,
        ax=None,
        show_ci=True,
        show_censored=True,
        show_at_risk=True,
    ):
        """Plot the curves of groups of predicted risk.

        Groups are cut at the quantiles of the predictions for `X`; those of a `RiskStratifier` are
        the ones that it predicts. Use samples that the estimator was not fitted on: on its training
        samples, the curves part even if it learnt only noise.

        Parameters
        ----------
        estimator : estimator
            Fitted; its ``predict`` gives a risk per sample, higher for an earlier event. Or a
            `RiskStratifier`, also as the last step of a Pipeline.
        X : array-like of shape (n_samples, n_features)
            Samples to predict.
        y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
            Event and time of each sample, see `make_survival_y`.
        n_groups : int, default=2
            Number of groups, as equal in size as ties allow. Not used for a `RiskStratifier`, which
            has groups of its own.
        time_unit : str or None, default=None
            Unit of the times, such as ``"months"``, for the label of the axis.
        confidence : float, default=0.95
            Level of the bands, between 0 and 1.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        show_ci, show_censored, show_at_risk : bool, default=True
            Whether to draw the bands, the marks of censored samples, and the numbers at risk.

        Returns
        -------
        KaplanMeierDisplay
            The plotted display.

        Raises
        ------
        TypeError
            If `estimator` has no ``predict``.
        ValueError
            If `y` is not a valid survival target, or the predictions are not one finite number per
            sample or have too few different values for `n_groups`.
        ImportError
            If matplotlib is not installed.
        """
        if not hasattr(estimator, "predict"):
            raise TypeError(
                f"estimator must have a predict method that gives a risk, but "
                f"{type(estimator).__name__} has none."
            )
        stratifier = find_model(estimator, "group_names_")
        if stratifier is None:
            group = _risk_groups(estimator.predict(X), n_groups)
        else:  # quantiles of the numbers of groups would be none
            names = stratifier.group_names_
            group = pd.Categorical.from_codes(estimator.predict(X), names, ordered=True)
        _, time = check_survival_y(y, require_events=False)
        check_consistent_length(group, time)
        return cls.from_survival(
            y,
            group,
            time_unit=time_unit,
            confidence=confidence,
            ax=ax,
            show_ci=show_ci,
            show_censored=show_censored,
            show_at_risk=show_at_risk,
        )

    def plot(self, ax=None, *, show_ci=True, show_censored=True, show_at_risk=True):
        """Plot the curves.

        The colours are those of the matplotlib style in force if it sets a colour cycle of its own,
        and otherwise colours that colour-blind readers can tell apart.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure. A figure of your own needs
            ``layout="constrained"`` to leave room for the numbers at risk.
        show_ci, show_censored, show_at_risk : bool, default=True
            Whether to draw the bands, the marks of censored samples, and the numbers at risk.

        Returns
        -------
        KaplanMeierDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        # each group takes a line of the numbers at risk
        ax = new_axes(ax, self, (6.4, 4.2 + 0.2 * max(len(self.curves), 2)))
        self.ax_, self.figure_ = ax, ax.figure
        colours = palette()
        self.lines_ = [
            draw_curve(
                ax,
                curve,
                label=f"{shorten(label)} (n = {curve['at_risk'].iloc[0]})",
                colour=colours[index % len(colours)],
                line_style=curve_style(index),
                show_ci=show_ci,
                show_censored=show_censored,
            )
            for index, (label, curve) in enumerate(self.curves.items())
        ]
        self._decorate(ax)
        ticks = ax.get_xticks()
        self.at_risk_ = pd.DataFrame(
            [_count_at_risk(curve, ticks) for curve in self.curves.values()],
            index=list(self.curves),
            columns=pd.Index(_tidy(ticks), name="time"),
        )
        if show_at_risk:
            write_at_risk(ax, self.at_risk_)
        return self

    def _decorate(self, ax):
        """Set axes, ticks and legend."""
        end = max(curve["time"].iloc[-1] for curve in self.curves.values())
        end = end if end > 0 else 1.0
        ax.set_xlim(0, end * 1.03)
        ax.set_xticks(time_ticks(end, self.time_unit))
        ax.set_ylim(0, 1.03)
        ax.set_xlabel("Time" if self.time_unit is None else f"Time ({self.time_unit})")
        ax.set_ylabel("Survival probability")
        ax.spines[["top", "right"]].set_visible(False)
        if len(self.curves) > 1:
            title = None if self.logrank is None else f"log-rank {format_p(self.logrank.pvalue)}"
            names = [line.get_label() for line in self.lines_]
            legend = ax.legend(self.lines_, names, title=title, handlelength=3, alignment="left")
            legend.set_frame_on(True)  # so that a curve behind it does not run through the words
            legend.get_frame().set(alpha=0.75, linewidth=0)
            legend.get_title().set_fontsize(legend.get_texts()[0].get_fontsize())
            for text in legend.get_texts():
                text.set_parse_math(False)  # a name may hold a dollar sign


def _encode(group, n_samples):
    if group is None:
        return np.zeros(n_samples, np.intp), ["all samples"]
    code, labels = check_group(group, n_samples)
    return code, [str(label) for label in labels]


def _risk_groups(risk, n_groups):
    """Cut predicted risks at their quantiles into labelled groups, lowest first."""
    risk = check_array(risk, ensure_2d=False, dtype=np.float64, input_name="predictions")
    if risk.ndim != 1:
        raise ValueError(
            f"The estimator must predict one risk per sample, got the shape {risk.shape}."
        )
    if n_groups < 2:
        raise ValueError(f"n_groups must be at least 2, got {n_groups}.")
    edges = np.quantile(risk, np.arange(1, n_groups) / n_groups)
    code = (risk[:, None] > edges).sum(axis=1)
    if np.unique(code).size < n_groups:
        raise ValueError(
            f"The predictions have too many equal values ({np.unique(risk).size} different ones in "
            f"{risk.size} samples) to be cut into n_groups={n_groups} groups; use fewer groups."
        )
    known = {2: ["low risk", "high risk"], 3: ["low risk", "medium risk", "high risk"]}
    labels = known.get(n_groups, [f"risk group {i} of {n_groups}" for i in range(1, n_groups + 1)])
    return pd.Categorical.from_codes(code, labels, ordered=True)


def _tidy(ticks):
    """Whole numbers as int, so that a table's columns can be picked by them."""
    return ticks.astype(int) if np.all(ticks == np.round(ticks)) else ticks


def _count_at_risk(curve, ticks):
    position = np.searchsorted(curve["time"], ticks, side="left")
    return np.append(curve["at_risk"], 0)[position]
