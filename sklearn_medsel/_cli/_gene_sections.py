"""The report's sections on the genes: overview, glossary, selected genes, clusters and pairs."""

import numpy as np
import pandas as pd

from sklearn_medsel._cli._words import headline, stability_words
from sklearn_medsel._html import figures, number, p_value, section, table, tag

_N_SHOWN = 50
_N_SHOWN_IF_NONE = 20
_N_MEMBERS = 8
_TERMS = (
    (
        "Rank and importance",
        "How much the model's outcome depends on the gene. It orders the genes; its size says "
        "nothing outside this table.",
    ),
    (
        "Frequency",
        "In how many of the repeated fits the gene was chosen. Near 100 % it hardly depends on the "
        "random weights of the samples.",
    ),
    ("p", "How often a gene without any effect, a shuffled decoy, does as well by chance."),
    (
        "q",
        "p corrected for the number of genes. Taking every gene with q up to 0.1 means that about "
        "one in ten of those taken is expected to be chance.",
    ),
    (
        "Effect",
        "Direction and size per standard deviation of the gene, the other genes of the model held "
        "fixed. The sign is easier to trust than the size.",
    ),
    (
        "Cluster",
        "Genes that rise and fall together cannot be told apart by a model. The one listed stands "
        "for its cluster; a neighbour may be the cause.",
    ),
    (
        "Stability",
        "Whether the same genes come out again, over the repeated fits or, in the comparison, over "
        "the training folds: 0 is chance, 1 is always the same set.",
    ),
    (
        "Association",
        "None of this shows that a gene causes the outcome. A find needs other patients and "
        "another method.",
    ),
)


def overview(results):
    """Give the answer first, then the facts of the data."""
    samples, selector = results.samples, results.selector
    stability = selector.stability_
    n_missing = int(results.genes["missing"].sum())
    plural = "" if n_missing == 1 else "s"
    low, high = (number(limit, 2) for limit in stability[1:3])
    cards = [
        ("Samples", f"{len(samples.X):,}", _composition(samples), None),
        ("Genes", f"{samples.X.shape[1]:,}", f"{n_missing:,} missing value{plural}", None),
        ("Task", samples.task, samples.outcome, "word"),
        ("Selected", f"{results.n_selected:,}", _rule(results.settings), None),
        ("Stability", number(stability[0], 2), f"95 % interval {low} to {high}", None),
    ]
    return [
        tag("p", headline(results), class_="lead"),
        tag(
            "dl",
            [
                tag("div", tag("dt", name), tag("dd", value, tag("small", detail), class_=kind))
                for name, value, detail, kind in cards
            ],
            class_="cards",
        ),
    ]


def reading_help():
    """Explain the columns in plain language."""
    terms = [tag("div", tag("dt", name), tag("dd", meaning)) for name, meaning in _TERMS]
    return section("reading", "How to read this", tag("dl", terms, class_="terms"))


def genes_section(results, pictures):
    """List the selected genes, or the best-ranked ones where none is selected."""
    chosen = results.genes[results.genes["selected"]]
    title, remark, n_in_all = "Selected genes", None, len(chosen)
    if not len(chosen):
        title, n_in_all = "Best-ranked genes", len(results.genes)
        chosen = results.genes.head(_N_SHOWN_IF_NONE)
        remark = tag("p", "None of these genes is selected.", class_="note warn")
    shown = chosen.head(_N_SHOWN)
    caption = f"{title}, {len(shown)} of {n_in_all:,}; all genes are in genes.csv"
    return section(
        "genes",
        title,
        remark,
        tag(
            "p",
            _effect_words(results),
            " The columns are explained under ",
            tag("a", "How to read this", href="#reading"),
            ".",
            class_="muted",
        ),
        _gene_rows(shown, results, caption),
        tag(
            "p",
            "The stability of the selection over the repeats is "
            f"{stability_words(results.selector.stability_)}. "
            f"{_RANKED_BY[results.selector.ranked_by_]} {_nonlinear(results.selector)}",
        ),
        figures(pictures, "importance", "stability"),
    )


def groups_section(results, pictures):
    """Tell which genes stand for others, how they entered and which work in pairs."""
    return section(
        "together",
        "Genes that belong together",
        _clusters(results.selector.clusters_),
        _interactions(results.selector.interactions_),
        figures(pictures, "path"),
    )


def _gene_rows(genes, results, caption):
    effects = [name for name in genes.columns if name.startswith("effect")]
    largest = float(genes["importance"].max()) or 1.0
    sizes = results.genes["cluster"].value_counts()
    any_missing = bool(results.genes["missing"].any())
    header = ["rank", "gene", "importance", "frequency", "p", "q", *effects, "cluster"]
    body = [
        [
            row["rank"],
            tag("strong", row["gene"]),
            [_bar(row["importance"] / largest), number(row["importance"])],
            [_bar(row["frequency"]), f"{row['frequency']:.0%}"],
            p_value(row["p_value"]),
            p_value(row["q_value"]),
            *[number(row[name], 2) for name in effects],
            _cluster_cell(row["cluster"], sizes),
            *([row["missing"]] if any_missing else []),
        ]
        for _, row in genes.iterrows()
    ]
    header += ["missing"] if any_missing else []
    numeric = {0, *range(4, len(header))}
    return table(header, body, caption=caption, numeric=numeric)


def _cluster_cell(cluster, sizes):
    if pd.isna(cluster):
        return "–"
    others = int(sizes[cluster]) - 1
    return [str(cluster), tag("small", f" +{others}", class_="muted") if others else None]


def _bar(fraction):
    width = 0 if fraction != fraction else round(100 * min(max(fraction, 0), 1))
    return tag("span", tag("i", style=f"width:{width}%"), class_="bar", aria_hidden="true")


def _clusters(clusters):
    body = []
    for _, members in clusters.groupby("cluster", sort=False):
        name = members["representative"].iloc[0]
        others = members[members["feature"] != name]
        if len(others):
            body.append([tag("strong", name), _members(others)])
    if not body:
        return tag("p", "No other gene is so close to a selected one that it could replace it.")
    return table(
        ["gene", "could be replaced by (correlation)"],
        body,
        caption="Clusters of correlated genes",
        wrapped={1},
    )


def _members(others):
    written = [
        f"{feature} ({number(correlation, 2)})"
        for feature, correlation in zip(others["feature"], others["correlation"], strict=True)
    ]
    rest = len(written) - _N_MEMBERS
    return ", ".join(written[:_N_MEMBERS]) + (f" and {rest} more" if rest > 0 else "")


def _interactions(pairs):
    if not len(pairs):
        return tag("p", "Pairs of genes were not screened.")
    found = pairs[pairs["selected"].astype(bool)]
    if not len(found):
        return tag("p", "No pair of genes was found that works only together.")
    body = [
        [
            f"{row['feature_1']} × {row['feature_2']}",
            number(row["statistic"]),
            p_value(row["pvalue"]),
        ]
        for _, row in found.head(_N_SHOWN).iterrows()
    ]
    return table(
        ["pair", "statistic", "p (of all pairs)"],
        body,
        caption="Pairs of genes that work together",
        numeric={1, 2},
    )


def _composition(samples):
    if samples.task == "classification":
        labels, counts = np.unique(samples.y.astype(str), return_counts=True)
        return ", ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True))
    if samples.survival is not None and samples.task == "survival":
        return f"{int(samples.survival['event'].sum())} events"
    return ""


def _rule(settings):
    if settings.n_features is None:
        return f"false discovery rate {settings.fdr:g}"
    return "fewest that do" if settings.n_features == "auto" else "as many as asked for"


def _effect_words(results):
    classes = getattr(results.selector, "classes_", None)
    if results.samples.task == "survival":
        meaning = "higher risk"
    elif classes is not None and len(classes) == 2:
        meaning = f"that class {str(classes[1])!r} is likelier"
    elif classes is not None:
        meaning = "that the class is likelier"
    else:
        meaning = f"a higher {results.samples.outcome}"
    return f"A positive effect means {meaning} where the gene is high."


_RANKED_BY = {
    "path": "Genes are ranked by a sparse path.",
    "association": "Genes are ranked each by its own association with the outcome, since so many "
    "are associated that a sparse path would take one of many stand-ins by chance.",
    "elimination": "Genes are ranked by recursive elimination, which predicted best out of bag.",
    "mori": "Genes are ranked by how often they are among the best of a trained network.",
}


def _nonlinear(selector):
    if selector.nonlinear_used_:
        return (
            "The nonlinear part of the network shares in it, since it predicted better out of bag."
        )
    return "The nonlinear part of the network did not predict better out of bag and was left out."
