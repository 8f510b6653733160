"""The report: one HTML file that needs nothing else, and the tables and pictures beside it."""

import platform
from importlib import metadata

import numpy as np

from sklearn_medsel import __version__
from sklearn_medsel._cli import _gene_sections as gene_sections
from sklearn_medsel._cli import _sections as sections
from sklearn_medsel._cli._figures import draw_all
from sklearn_medsel._cli._job import OURS
from sklearn_medsel._cli._words import headline, verdict
from sklearn_medsel._page import document

_PACKAGES = ("scikit-learn", "torch", "numpy", "pandas", "scipy", "matplotlib")
_DISCLAIMER = (
    "This report is for research. It is not a medical device and must not guide the treatment of "
    "a patient."
)


def write_results(results, folder):
    """Write the tables as CSV, the pictures as PNG, and report.html.

    Parameters
    ----------
    results : Results
    folder : Path
        An existing, empty folder.
    """
    pictures = draw_all(results)
    tables = {"genes": results.genes, "interactions": results.selector.interactions_}
    if results.comparison is not None:
        tables["comparison"] = results.comparison
    if results.prognosis is not None:
        tables["prognostic"] = results.prognosis.genes
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
    for picture in pictures.values():
        (folder / f"{picture.name}.png").write_bytes(picture.light)
    (folder / "report.html").write_text(render(results, pictures), encoding="utf-8")


def render(results, pictures):
    """Write the report.

    Parameters
    ----------
    results : Results
    pictures : dict of str to Picture

    Returns
    -------
    str
        A whole HTML document without scripts and without external resources.
    """
    parts = [
        gene_sections.genes_section(results, pictures),
        gene_sections.groups_section(results, pictures),
        sections.comparison_section(results, pictures),
        sections.survival_section(results, pictures),
        gene_sections.reading_help(),
        sections.method_section(results, versions()),
    ]
    links = [
        ("genes", "Genes"),
        ("together", "Clusters and pairs"),
        ("comparison", "Comparison"),
        *([("survival", "Survival")] if results.signature is not None else []),
        ("reading", "How to read this"),
        ("method", "Notes and settings"),
    ]
    return document(
        f"Genes for {results.samples.outcome}",
        kicker=f"Gene selection · {results.settings.table}",
        overview=gene_sections.overview(results),
        links=links,
        sections=parts,
        footer=_DISCLAIMER,
    )


def summary(results):
    """Write what the terminal shows: the answer, the best genes and the comparison.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
    """
    lines = [headline(results)]
    best = results.genes[results.genes["selected"]]["gene"].head(12)
    if len(best):
        lines.append(
            "Best first: "
            + ", ".join(map(str, best))
            + (
                f" and {results.n_selected - len(best)} more"
                if results.n_selected > len(best)
                else ""
            )
        )
    if results.comparison is not None:
        lines += ["", comparison_text(results), "", verdict(results)]
    return "\n".join(lines)


def comparison_text(results):
    """Write the comparison as plain text, the best first; an arrow marks the selector."""
    shown = results.comparison.sort_values("score_mean", ascending=False)
    columns = {
        "method": [("> " if name.startswith(OURS) else "  ") + name for name in shown["selector"]],
        sections.score_name(results): [
            f"{mean:.3f} ± {std:.3f}"
            for mean, std in zip(shown["score_mean"], shown["score_std"], strict=True)
        ],
        "genes": [f"{n:,.0f}" for n in shown["n_features_mean"]],
        "stability": [
            f"{round(value, 2) + 0.0:.2f}" if np.isfinite(value) else "-"
            for value in shown["stability"]
        ],
        "p": [f"{value:.3f}" if np.isfinite(value) else "-" for value in shown["p_value"]],
        "seconds": [f"{value:.1f}" for value in shown["seconds_mean"]],
    }
    widths = {name: max(map(len, [name, *cells])) for name, cells in columns.items()}
    lines = []
    for cells in [list(columns), *map(list, zip(*columns.values(), strict=True))]:
        first, *others = zip(cells, widths.values(), strict=True)
        lines.append("  ".join([first[0].ljust(first[1]), *[c.rjust(w) for c, w in others]]))
    return "\n".join(lines)


def versions():
    """Return the versions of the packages that took part."""
    found = {"sklearn_medsel": __version__, "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
