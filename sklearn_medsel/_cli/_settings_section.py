"""The last section of a page: notes, warnings, settings and versions."""

from sklearn_medsel._cli._report import versions
from sklearn_medsel._html import section, table, tag


def notes_and_settings(results, notes, listed, *, warned="Warnings of other libraries"):
    """List what a reader needs to make the page again.

    Parameters
    ----------
    results : ReportResults, ForecastResults or FuseResults
        With `warnings` and `created`.
    notes : list of str
        What was done to the table, one sentence each.
    listed : list of tuple of (str, object)
        Names and values of settings; those with an empty text are left out.
    warned : str, default="Warnings of other libraries"
        Heading of the warnings.

    Returns
    -------
    Markup
    """
    listed = [
        *listed,
        ("made", f"{results.created:%Y-%m-%d %H:%M}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions().items())),
    ]
    return section(
        "settings",
        "Notes, settings and versions",
        _bullets(notes) if notes else None,
        [tag("h3", warned), _bullets(results.warnings)] if results.warnings else None,
        table(
            ["setting", "value"],
            [[name, value] for name, value in listed if value != ""],
            caption="Settings and versions",
            wrapped={1},
        ),
    )


def _bullets(lines):
    return tag("ul", [tag("li", line) for line in lines])
