"""Parts of pictures of forecasts: axes in a row or column, lines with gaps, events."""

from itertools import pairwise

import numpy as np
import pandas as pd

from sklearn_medsel.forecasting._alignment import TOLERANCE
from sklearn_medsel.inspection._plotting import font_points, ink, palette

HOLD = "HOLD"
LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))


def list_events(events, patient=None):
    """Return events as a list of (start, stop, kind), in order of their start.

    Parameters
    ----------
    events : DataFrame, iterable of tuple, or None
        A table has columns ``start``, ``stop`` (s) and ``kind``; with a column ``patient``, only
        the rows of that patient count. A tuple is (start, stop, kind).
    patient : object, default=None
        The patient shown.

    Returns
    -------
    list of tuple

    Raises
    ------
    ValueError
        If a column is missing, or an event ends before it starts.
    """
    if events is None:
        return []
    if isinstance(events, pd.DataFrame):
        missing = [name for name in ("start", "stop", "kind") if name not in events]
        if missing:
            raise ValueError(f"events lacks the columns {missing}; start and stop are in s.")
        if "patient" in events and patient is not None:
            events = events[events["patient"] == patient]
        events = events[["start", "stop", "kind"]].itertuples(index=False, name=None)
    listed = sorted((float(start), float(stop), str(kind)) for start, stop, kind in events)
    for index, (start, stop, _) in enumerate(listed):
        if not stop >= start:
            raise ValueError(f"events: number {index} by start ends before it starts.")
    return listed


def with_gaps(t, *series):
    """Put a NaN into each gap of time, so that no line is drawn across it.

    Parameters
    ----------
    t : ndarray of shape (n_steps,)
        Times in order.
    *series : ndarray of shape (n_steps,) or (n_steps, n_columns)

    Returns
    -------
    list of ndarray
        The times and the series, longer by one for each gap.
    """
    steps = np.diff(t)
    gaps = np.flatnonzero(steps > 3 * np.median(steps) + TOLERANCE) + 1 if steps.size else []
    return [np.insert(np.asarray(each, dtype=float), gaps, np.nan, axis=0) for each in (t, *series)]


def fit_ylim(ax, *values, smallest):
    """Show all finite values, and at least ``smallest`` units of the y axis."""
    values = np.concatenate([np.ravel(each) for each in values])
    values = values[np.isfinite(values)]
    if values.size:
        middle = (values.max() + values.min()) / 2
        half = 0.53 * max(values.max() - values.min(), smallest)
        ax.set_ylim(middle - half, middle + half)


def split_axes(ax, sizes, *, rows, main=0):
    """Divide ``ax`` into several axes of the given relative sizes, which share their long side.

    Parameters
    ----------
    ax : matplotlib Axes
        Placed by a grid or by hand.
    sizes : sequence of float
        Relative heights, or widths.
    rows : bool
        Whether they stand below each other; else side by side.
    main : int, default=0
        Which of the parts ``ax`` becomes.

    Returns
    -------
    list of matplotlib Axes
    """
    figure, spec = ax.get_figure(), ax.get_subplotspec()
    shared = {"sharex" if rows else "sharey": ax}
    others = [index for index in range(len(sizes)) if index != main]
    parts = {main: ax}
    if spec is not None:
        if rows:
            grid = spec.subgridspec(len(sizes), 1, height_ratios=sizes)
        else:
            grid = spec.subgridspec(1, len(sizes), width_ratios=sizes)
        ax.set_subplotspec(grid[main])
        parts.update({index: figure.add_subplot(grid[index], **shared) for index in others})
    else:  # placed by hand
        left, bottom, width, height = ax.get_position().bounds
        ends = np.cumsum([0, *sizes]) / np.sum(sizes)
        boxes = [
            (left, bottom + (1 - stop) * height, width, 0.9 * (stop - start) * height)
            if rows
            else (left + start * width, bottom, 0.9 * (stop - start) * width, height)
            for start, stop in pairwise(ends)
        ]
        ax.set_position(boxes[main])
        parts.update({index: figure.add_axes(boxes[index], **shared) for index in others})
    return [parts[index] for index in range(len(sizes))]


def event_colours(events):
    """Colours of the kinds of event, in order of first appearance; HOLD always has the second."""
    colours = palette()
    kinds = list(dict.fromkeys(kind for _, _, kind in events))
    others = [colours[index % len(colours)] for index in (5, 3, 2, 4)]
    found = {}
    for kind in kinds:
        is_hold = kind.upper().startswith(HOLD)
        found[kind] = colours[1 % len(colours)] if is_hold else others[len(found) % len(others)]
    return found


def draw_event_rows(ax, events):
    """Draw one row of bars per kind of event, named at the left."""
    colours = event_colours(events)
    for row, (kind, colour) in enumerate(colours.items()):
        spans = [(start, stop - start) for start, stop, name in events if name == kind]
        ax.broken_barh(spans, (row - 0.34, 0.68), facecolor=colour, edgecolor=colour, linewidth=1.2)
    size = 0.9 * font_points("ytick.labelsize")
    ax.set_yticks(np.arange(len(colours)), list(colours), fontsize=size)
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    ax.set_ylim(len(colours) - 0.4, -0.6)
    ax.tick_params(axis="both", length=0, labelbottom=False)
    ax.spines[:].set_visible(False)


def shade_events(ax, events):
    """Shade the times of events; those without a duration become a line."""
    colours = event_colours(events)
    for start, stop, kind in events:
        line = 1.0 if stop == start else 0.0
        ax.axvspan(start, stop, color=colours[kind], alpha=0.2, linewidth=line, zorder=0)


def plain(ax, *, grid="y"):
    """Take off the frame's top and right, and put a faint grid behind."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(axis=grid, color=ink(ax, 0.12), linewidth=0.8)
