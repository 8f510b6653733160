"""A tiny HTML builder: text is escaped by construction, only this module makes markup."""

import base64
import html
import math
import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_VOID = {"img", "meta", "source", "br", "hr"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value):
    """Escape a value, without control characters and those that turn the direction of text."""
    return value if isinstance(value, Markup) else Markup(html.escape(_CONTROL.sub("", str(value))))


def tag(name, *children, **attributes):
    """Make an element; ``class_`` stands for ``class`` and ``data_x`` for ``data-x``.

    Parameters
    ----------
    name : str
    *children : object
        Markup, text to be escaped, or a list of these; None is left out.
    **attributes : object
        None is left out.

    Returns
    -------
    Markup
    """
    inside = "".join(text(child) for child in _flat(children))
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>" + ("" if name in _VOID else f"{inside}</{name}>"))


def table(header, body, *, caption, numeric=(), wrapped=(), row_class=None):
    """Make a table that scrolls sideways on narrow screens.

    Parameters
    ----------
    header : list of str or Markup
    body : list of list
    caption : str
        For screen readers and above the table.
    numeric : container of int
        Positions of the columns to align right.
    wrapped : container of int
        Positions of the columns whose cells may take several lines.
    row_class : callable or None
        Gives the class of a row from its position.
    """
    head = tag(
        "tr",
        [
            tag("th", name, scope="col", class_=_kind(i, numeric, wrapped))
            for i, name in enumerate(header)
        ],
    )
    lines = [
        tag(
            "tr",
            tag("th", cells[0], scope="row", class_=_kind(0, numeric, wrapped)),
            [
                tag("td", cell, class_=_kind(i, numeric, wrapped))
                for i, cell in enumerate(cells[1:], start=1)
            ],
            class_=row_class(position) if row_class else None,
        )
        for position, cells in enumerate(body)
    ]
    element = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", lines))
    return tag("div", element, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _kind(position, numeric, wrapped):
    return "num" if position in numeric else "wrap" if position in wrapped else None


def _flat(children):
    for child in children:
        if isinstance(child, (list, tuple)):
            yield from _flat(child)
        elif child is not None:
            yield child


def section(identifier, title, *children):
    """Make a section with a heading that navigation can point to."""
    heading = tag("h2", title, id=f"{identifier}-title")
    return tag("section", heading, *children, id=identifier, aria_labelledby=f"{identifier}-title")


def picture_element(picture):
    """Embed a picture in both colour schemes."""
    dark, light = (
        "data:image/png;base64," + base64.b64encode(image).decode("ascii")
        for image in (picture.dark, picture.light)
    )
    return tag(
        "figure",
        tag(
            "picture",
            tag("source", srcset=dark, media="screen and (prefers-color-scheme: dark)"),
            tag("img", src=light, alt=picture.alt),
        ),
        tag("figcaption", tag("strong", picture.title), ". ", picture.caption),
    )


def figures(pictures, *names):
    """Lay out the pictures that exist side by side."""
    drawn = [picture_element(pictures[name]) for name in names if name in pictures]
    kind = "figures one" if len(drawn) == 1 else "figures"
    return tag("div", drawn, class_=kind) if drawn else None


def number(value, digits=3):
    """Write a number with some significant digits; missing ones as a dash."""
    if value is None or value != value:
        return "–"
    if value == 0:
        return "0"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    # Trailing zeros stay, so that the numbers of a column look alike.
    is_large = abs(value) >= 10**digits
    written = f"{value:,.0f}" if is_large else f"{value:#.{digits}g}".rstrip(".")
    return written.replace("-", "−")


def p_value(value):
    """Write a p- or q-value as journals do."""
    if value is None or value != value:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"
