"""Parts of `InteractionDisplay`: the matrix of pairs of blocks, and the list of feature pairs."""

import numpy as np

from sklearn_medsel.inspection._importance import format_p
from sklearn_medsel.inspection._plotting import font_points, ink, palette, shorten

_LARGEST = 0.33  # radius of the largest circle, in cells
_LEAST_SCALE = 0.1  # a strength below this never gets the largest circle, however weak the others


def draw_matrix(ax, interactions, significant, blocks, places):
    """Draw one cell for each pair of blocks: a circle, its strength and its p-value."""
    from matplotlib.patches import Circle, Rectangle

    strengths = np.asarray(interactions["strength"], dtype=float)
    scale = max(np.nan_to_num(strengths).max(), _LEAST_SCALE)
    rows, columns = places.max(axis=0) + 1
    # a single cell does not fill the axes, and stands at their bottom, by its name
    ax.set_xlim(-0.52, max(columns, 1.35) - 0.48)
    ax.set_ylim(rows - 0.48, rows - max(rows, 1.35) - 0.52)
    ax.set_aspect("equal", anchor="N")  # at the top, so that a layout leaves room for the title
    name_cells(ax, *blocks)
    ax.spines[:].set_visible(False)
    for (row, column), strength, p, passed in zip(
        places, strengths, interactions["pvalue"], significant, strict=True
    ):
        corner = (column - 0.5, row - 0.5)
        ax.add_patch(Rectangle(corner, 1, 1, facecolor="none", edgecolor=ink(ax, 0.2)))
        if strength > 0:
            ax.add_patch(
                Circle(
                    (column, row - 0.13),
                    _LARGEST * np.sqrt(strength / scale),
                    facecolor=palette()[0] if passed else "none",
                    edgecolor=palette()[0] if passed else ink(ax, 0.5),
                    linewidth=1.3,
                )
            )
        ax.text(
            column,
            row + 0.47,
            write_cell(strength, p, short=columns > 4),
            ha="center",
            va="bottom",
            fontsize=(0.72 if columns > 4 else 0.8) * font_points("ytick.labelsize"),
            fontweight="bold" if passed else "normal",
            color=ink(ax, 1.0 if passed else 0.7),
        )


def draw_pairs(ax, pairs):
    """Draw one bar for each feature pair, under its names."""
    from matplotlib.ticker import MaxNLocator

    size = 0.85 * font_points("ytick.labelsize")
    room = _letters(ax, size)
    for row, ((a, b, strength), passed) in enumerate(pairs):
        colour = palette()[0] if passed else ink(ax, 0.5)
        ax.barh(
            row + 0.18,
            strength,
            height=0.3,
            facecolor=colour if passed else "none",
            edgecolor=colour,
            linewidth=1.2,
        )
        ax.text(
            0,
            row - 0.02,
            name_pair(a, b, room),
            fontsize=size,
            va="bottom",
            color=ink(ax, 1.0 if passed else 0.7),
            parse_math=False,
            transform=ax.get_yaxis_transform(),
        )
    rows = np.arange(len(pairs))
    ax.vlines(np.zeros(rows.size), rows - 0.02, rows + 0.38, color=ink(ax, 0.6), linewidth=0.8)
    values = [strength for (_, _, strength), _ in pairs]
    low, high = min(0.0, *values), max(0.0, *values)
    margin = 0.05 * (high - low) + 1e-9
    ax.set_xlim(low - margin * (low < 0), high + margin)
    ax.set_ylim(max(len(pairs), 4) - 0.4, -0.6)  # a few pairs are not spread over the height
    ax.set_yticks([])
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel("Strength of the feature pair")
    ax.spines[["top", "right", "left"]].set_visible(False)


def name_pair(a, b, room):
    """Write both names; where they are longer than there is room, each gets its half."""
    a, b = shorten(a, 22), shorten(b, 22)
    if len(a) + len(b) > room:
        half = room // 2
        a, b = shorten(a, max(half, room - len(b))), shorten(b, max(half, room - len(a)))
    return f"{a} × {b}"


def _letters(ax, size):
    """Letters of two names that fit beside the matrix, without what stands between them."""
    width = 72 * 0.42 * (ax.get_figure(root=True).get_size_inches()[0] - 1.5)
    return max(int(width / (0.5 * size)) - 3, 16)


def matrix_cells(interactions):
    """Names of the rows and columns of the matrix, and the cell of each pair below the diagonal."""
    first, second = list(interactions["block_a"]), list(interactions["block_b"])
    blocks = list(dict.fromkeys(name for pair in zip(first, second, strict=True) for name in pair))
    place = {name: index for index, name in enumerate(blocks)}
    cells = np.array(
        [
            (max(place[a], place[b]), min(place[a], place[b]))
            for a, b in zip(first, second, strict=True)
        ]
    )
    if (cells[:, 0] > cells[:, 1]).all():  # no block with itself: the diagonal is left out
        return (blocks[1:], blocks[:-1]), cells - [1, 0]
    return (blocks, blocks), cells


def name_cells(ax, rows, columns):
    """Name the rows and columns of the matrix; long names of columns are turned."""
    size = 0.85 * font_points("ytick.labelsize")
    long = max(len(str(name)) for name in columns) > 9
    turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
    ax.set_yticks(range(len(rows)), [shorten(name, 22) for name in rows], fontsize=size)
    ax.set_xticks(
        range(len(columns)), [shorten(name, 22) for name in columns], fontsize=size, **turned
    )
    for label in [*ax.get_xticklabels(), *ax.get_yticklabels()]:
        label.set_parse_math(False)
    ax.tick_params(length=0)


def write_cell(strength, p, short):
    """Write strength and p-value of a pair; only the p-value where there is little room."""
    p = format_p(p).replace("< ", "<")
    p = f"p {p}" if p.startswith(("<", "–")) else f"p = {p}"
    return p if short else f"{strength:.2f}, {p}"


def split_right(ax):
    """Cut axes for the feature pairs off the right of ``ax``."""
    spec = ax.get_subplotspec()
    if spec is None:  # placed by hand
        box = ax.get_position()
        ax.set_position([box.x0, box.y0, 0.52 * box.width, box.height])
        return ax.figure.add_axes([box.x0 + 0.6 * box.width, box.y0, 0.4 * box.width, box.height])
    left, right = spec.subgridspec(1, 2, width_ratios=(1.25, 1), wspace=0.08)
    ax.set_subplotspec(left)
    return ax.get_figure().add_subplot(right)
