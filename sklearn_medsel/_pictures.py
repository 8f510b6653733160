"""Pictures of a page, each drawn twice: for a light and for a dark one."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from sklearn_medsel._colours import DARK, LIGHT

_DPI = 170


@dataclass
class Picture:
    """A drawn picture.

    Attributes
    ----------
    name : str
        File name without ending.
    title, alt, caption : str
    light, dark : bytes
        PNG images.
    """

    name: str
    title: str
    alt: str
    caption: str
    light: bytes
    dark: bytes


def _draw(name, title, alt, caption, plot: Callable, size=(5.6, 3.9)):
    import matplotlib as mpl
    from matplotlib.figure import Figure

    images = []
    for colours in (LIGHT, DARK):
        with mpl.rc_context(_theme(colours)):
            # A figure of its own, outside pyplot: no window, no global state.
            figure = Figure(figsize=size, layout="constrained")
            plot(figure.subplots())
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
            images.append(buffer.getvalue())
    return Picture(name, title, alt, caption, *images)


def _theme(colours):
    from cycler import cycler

    ink, muted, paper = colours["ink"], colours["muted"], colours["paper"]
    cycle = [colours["accent"], colours["second"], "#8a63d2", "#5c9e31", "#c2478f", "#8d7c45"]
    return {
        "axes.edgecolor": muted,
        "axes.facecolor": paper,
        "axes.labelcolor": ink,
        "axes.prop_cycle": cycler(color=cycle),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": ink,
        "axes.titlesize": "medium",
        "figure.facecolor": paper,
        "grid.color": colours["line"],
        "legend.frameon": False,
        "legend.fontsize": "small",
        "savefig.facecolor": paper,
        "text.color": ink,
        "text.parse_math": False,
        "xtick.color": muted,
        "xtick.labelcolor": ink,
        "ytick.color": muted,
        "ytick.labelcolor": ink,
    }
