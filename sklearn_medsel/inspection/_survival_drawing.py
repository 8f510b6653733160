"""Parts of a survival plot: curve, time axis, and the numbers at risk beneath it."""

import numpy as np

from sklearn_medsel.inspection._plotting import font_points, shorten

# Line styles differ as well as colours, for readers and prints without colour.
_LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 3)))
_MONTHS_PER_TICK = (1, 2, 3, 6, 12, 24, 36, 48, 60, 120)


def curve_style(index):
    """Style of a curve, one on in each round, so that six colours meet another style each time."""
    return _LINE_STYLES[(index + index // len(_LINE_STYLES)) % len(_LINE_STYLES)]


def draw_curve(ax, curve, *, label, colour, line_style, show_ci, show_censored):
    """Draw one curve with its band and censoring marks; return its line."""
    # the table starts at the first time seen; a curve starts at one, at time zero
    time = np.concatenate([[0.0], curve["time"]])
    survival = np.concatenate([[1.0], curve["survival"]])
    (line,) = ax.step(
        time, survival, where="post", label=label, color=colour, linestyle=line_style, linewidth=1.8
    )
    if show_ci:
        # no interval where survival is 0: the band of the step before ends there
        low, high = (
            np.concatenate([[1.0], curve[column].ffill().fillna(1.0)])
            for column in ("ci_low", "ci_high")
        )
        ax.fill_between(time, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
    if show_censored:
        censored = curve[curve["censored"] > 0]
        ax.plot(
            censored["time"],
            censored["survival"],
            linestyle="none",
            marker="|",
            markersize=7,
            markeredgewidth=1.1,
            color=colour,
        )
    return line


def time_ticks(end, time_unit):
    """Round times; of months, whole years or simple parts of them."""
    from matplotlib.ticker import MaxNLocator

    if str(time_unit).lower() in ("month", "months"):
        for step in _MONTHS_PER_TICK:
            if 3 <= end / step <= 8:
                return np.arange(0, end + 1e-9, step)
    ticks = MaxNLocator(nbins=6).tick_values(0, end)
    return ticks[(ticks >= 0) & (ticks <= end * 1.03)]


def write_at_risk(ax, table):
    """Write the numbers at risk under the axis, below its label, aligned to its ticks."""
    tick_size, label_size = font_points("xtick.labelsize"), font_points("axes.labelsize")
    text_size = 0.9 * tick_size
    line_height = 1.45 * text_size
    # in points, so that it holds for axes of any size: ticks, their labels, the axis label
    top = 12 + 1.2 * (tick_size + label_size)

    def write(text, x, row, **options):
        ax.annotate(
            text,
            xy=(x, 0),
            xycoords=ax.get_xaxis_transform(),
            xytext=(options.pop("shift", 0), -top - row * line_height),
            textcoords="offset points",
            va="top",
            fontsize=text_size,
            annotation_clip=False,
            parse_math=False,
            **options,
        )

    only_one = len(table) == 1
    beside = -(8 + 0.35 * text_size * len(str(table.to_numpy().max())))
    if not only_one:
        write("Number at risk", 0, 0, ha="left", shift=-6)
    for row, (label, counts) in enumerate(table.iterrows(), start=0 if only_one else 1):
        write("At risk" if only_one else shorten(label), 0, row, ha="right", shift=beside)
        for tick, count in counts.items():
            write(str(count), tick, row, ha="center")


def format_p(pvalue):
    """Give a p-value two digits, and very small ones as a bound."""
    return "p < 0.001" if pvalue < 0.001 else f"p = {pvalue:.2g}"
