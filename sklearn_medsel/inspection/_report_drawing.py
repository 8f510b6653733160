"""Parts of the plot of a report: its bars, and texts in a font that has their characters."""

import unicodedata

import numpy as np

from sklearn_medsel.inspection._plotting import font_points, ink, palette
from sklearn_medsel.inspection._report_html import SYMBOLS, write_value

# Fonts with Chinese and Japanese characters, by the names that matplotlib may know them under.
_CJK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Source Han Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "Hiragino Sans",
    "Hiragino Kaku Gothic Pro",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
    "TakaoPGothic",
    "TakaoGothic",
    "VL Gothic",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
)
_AXIS_LABELS = {
    "evidence": "Evidence for {name}",
    "attention": "Attention (sums to 1)",
    "contribution": "Contribution to the log-odds of {name}",
}
_HATCHED = "  (hatched: the strongest)"


def draw_bars(ax, rows, kind):
    """Draw one bar per sentence, the first at the top; return the bars.

    The strongest is hatched, and each value stands at its bar's end.
    """
    values, strongest = rows["value"].to_numpy(), rows["rank"].to_numpy() == 1
    colours = palette()
    # warm for, cool against, as on the page; a style with a single colour has that one
    by_sign = np.where(values >= 0, colours[1 % len(colours)], colours[0])
    bars = ax.barh(np.arange(len(rows)), values, height=0.6, color=by_sign, linewidth=0)
    for bar, is_strongest in zip(bars, strongest, strict=True):
        if is_strongest:
            bar.set(hatch="////", edgecolor=_standing_out(ax, bar.get_facecolor()), linewidth=1.2)
    for place, (value, is_strongest) in enumerate(zip(values, strongest, strict=True)):
        ax.annotate(
            write_value(value, kind),
            (value, place),
            xytext=(4 if value >= 0 else -4, 0),
            textcoords="offset points",
            va="center",
            ha="left" if value >= 0 else "right",
            fontsize=font_points("ytick.labelsize"),
            fontweight="bold" if is_strongest else "normal",
        )
    return bars


def _standing_out(ax, colour):
    """Choose the colour of text or of paper, whichever differs more from a colour."""
    brightness = np.array([0.3, 0.59, 0.11])
    return max(
        (ink(ax, 1.0), ink(ax, 0.0)),
        key=lambda candidate: abs((np.array(candidate) - colour[:3]) @ brightness),
    )


def decorate(ax, rows, kind, name):
    """Set limits and grid, and say what the values are."""
    values = rows["value"].to_numpy()
    low, high = min(values.min(initial=0.0), 0.0), max(values.max(initial=0.0), 0.0)
    if kind == "evidence":
        high = 1.0
    room = 0.17 * max(high - low, 1e-12)  # for the figures at the ends of the bars
    ax.set_xlim(low - room if low < 0 else 0, high + room if high > 0 else 0)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.axvline(0, color=ink(ax, 0.6), linewidth=0.8)
    fit_text(ax.xaxis.label, _AXIS_LABELS[kind].format(name=name) + _HATCHED)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.grid(axis="x", color=ink(ax, 0.12), linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)


def name_sentences(ax, rows, text, *, width=46, n_lines=2):
    """Write the sentences beside their bars, shortened, with symbols of what became of them."""
    names = []
    for row in rows.itertuples():
        sentence = wrap(text[row.start : row.end], width, n_lines)
        symbol = f"{SYMBOLS[row.status]} " if row.status else ""
        names.append(symbol + writable(sentence, f"sentence {row.sentence}"))
    ax.set_yticks(np.arange(len(names)), names)
    for label, name in zip(ax.get_yticklabels(), names, strict=True):
        fit_text(label, name)


def fit_text(artist, text):
    """Set a text of matplotlib in a font that has its characters, without mathematics."""
    artist.set(text=text, parse_math=False)
    family = find_family(text)
    if family:
        artist.set_fontfamily(family)


def write_title(ax, text):
    """Write a title over the left end of the axes."""
    fit_text(ax.set_title("", loc="left", fontsize=font_points("axes.labelsize") + 1), text)


def wrap(text, width, n_lines):
    """Break a text into lines no wider than ``width`` Latin letters; the last may end in "…"."""
    # control characters and those that turn the direction of text have no glyph
    shown = "".join(c if c.isprintable() else " " * c.isspace() for c in text)
    left, lines = " ".join(shown.split()), []
    while left and len(lines) < n_lines:
        size = _fitting(left, width)
        if size < len(left) and len(lines) == n_lines - 1:
            lines.append(left[: _fitting(left, width - 1)].rstrip() + "…")
            break
        space = left.rfind(" ", 0, size + 1)
        size = space if size < len(left) and space > size // 2 else size
        lines.append(left[:size])
        left = left[size:].lstrip()
    return "\n".join(lines)


def _fitting(text, width):
    """Count the characters that fit; a Chinese or Japanese one is as wide as two Latin ones."""
    used = 0
    for position, character in enumerate(text):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > width:
            return max(position, 1)
    return len(text)


def find_family(text):
    """Find fonts that have every character of a text.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str or None
        Empty where the fonts in force suffice; else these and one more. None where no installed
        font is known to do, and writing the text would leave boxes.
    """
    from matplotlib import font_manager, rcParams

    in_force = list(rcParams["font.family"])
    wanted = {ord(character) for character in text if not character.isspace()}
    missing = wanted - _characters(tuple(in_force), wanted)
    if not missing:
        return []
    installed = set(font_manager.fontManager.get_font_names())
    for name in _CJK_FONTS:
        if name in installed and not missing - _characters((name,), missing):
            return [*in_force, name]
    return None


def _characters(families, wanted):
    """Tell which characters one of the families has."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    found = set()
    for family in families:
        font = get_font(findfont(FontProperties(family=[family])))
        found |= {character for character in wanted if font.get_char_index(character)}
    return found


def writable(text, otherwise):
    """Return a text that some installed font can write, or what to say instead."""
    return text if find_family(text) is not None else otherwise
