"""The frame of a page: head, title, navigation and footer around its sections."""

from sklearn_medsel._html import Markup, tag
from sklearn_medsel._page_style import CSS

# Even if a text slipped through unescaped, the browser would run and load nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title, *, kicker, overview, links, sections, footer):
    """Write a whole HTML document without scripts and without external resources.

    Parameters
    ----------
    title, kicker : str
        Heading, and the line above it.
    overview : list of Markup
        What stands under the heading.
    links : list of tuple of str
        Identifier and name of the sections, for navigation.
    sections : list of Markup
    footer : str

    Returns
    -------
    str
    """
    navigation = tag(
        "nav",
        [tag("a", name, href=f"#{identifier}") for identifier, name in links],
        aria_label="Sections",
    )
    header = tag(
        "header",
        tag("div", tag("p", kicker, class_="kicker"), tag("h1", title), overview, navigation),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(CSS)),
    )
    body = tag("body", header, tag("main", sections), tag("footer", tag("p", footer)))
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'
