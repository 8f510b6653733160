"""What the report and the terminal say in words about the numbers."""

import math

from sklearn_medsel._cli._job import OURS, judged_row
from sklearn_medsel._html import number, p_value


def headline(results):
    """Say in one or two sentences what came out.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
    """
    settings, n_genes = results.settings, results.samples.X.shape[1]
    k = results.n_selected
    if settings.n_features is None and k == 0:
        return (
            f"None of {n_genes:,} genes passes the false discovery rate of {settings.fdr:g}. The "
            "table does not hold enough evidence for any single gene; that is not evidence that "
            "no gene matters. (--n-features 20 takes the best 20, --n-features auto the fewest "
            "that predict well, both without that guarantee.)"
        )
    if settings.n_features is None:
        return (
            f"{_genes(k)} of {n_genes:,} pass{'es' if k == 1 else ''} the false discovery rate of "
            f"{settings.fdr:g}: on average at most {settings.fdr:.0%} of such finds are chance."
        )
    n_sure = int((results.genes.loc[results.genes["selected"], "q_value"] <= settings.fdr).sum())
    sure = f"{n_sure or 'None'} of them would pass the false discovery rate of {settings.fdr:g}."
    if settings.n_features == "auto":
        return (
            f"{_genes(k)} of {n_genes:,} {'is' if k == 1 else 'are'} enough: the fewest whose "
            f"out-of-bag score is within one standard error of the best. {sure}"
        )
    return f"The {_genes(k)} ranked best of {n_genes:,}, as many as asked for. {sure}"


def stability_words(stability):
    """Grade Nogueira's stability as its authors do (2018): below .40 poor, above .75 excellent."""
    estimate = stability[0]
    if math.isnan(estimate):
        return "not defined: nothing was selected, or everything"
    if estimate < 0.4:
        return "poor: much of the list would change"
    return "intermediate to good" if estimate <= 0.75 else "excellent"


def verdict(results):
    """Say which method scored best and whether a baseline beats the selector.

    Parameters
    ----------
    results : Results
        With `comparison`.

    Returns
    -------
    str
    """
    table, name = results.comparison.set_index("selector"), judged_row(results.comparison)
    ours, baselines = table.loc[name], table[~table.index.str.startswith(OURS)]
    if math.isnan(ours["score_mean"]):
        return f"{name} has no score. {ours['error']}"
    rival = baselines["score_mean"].idxmax()
    mean, rival_mean = ours["score_mean"], baselines.loc[rival, "score_mean"]
    if mean >= rival_mean:
        words = (
            f"{name} has the highest mean score, {mean:.3f}; next is {rival} with {rival_mean:.3f}"
        )
    else:
        words = f"A baseline wins: {rival} scores {rival_mean:.3f}, {name} {mean:.3f}"
    p = baselines.loc[rival, "p_value_ours"]
    clear = "a clear difference" if p < 0.05 else "no clear difference"
    words += f" ({clear}, corrected p {p_value(p)})." if not math.isnan(p) else "."
    n_empty, n_scores = int(table.loc[OURS, "n_empty"]), int(table.loc[OURS, "n_scores"])
    if n_empty:
        words += (
            f" In {n_empty} of {n_scores} folds nothing passed the false discovery rate of "
            f"{results.settings.fdr:g}; the row {OURS} then predicts the same for everyone."
        )
    return words


def prognosis_words(check):
    """Compare the rate of prognostic genes with that of random ones."""
    words = (
        f"{_rate(check.rate)} of these genes separate survival (median split, log-rank "
        f"p < {check.alpha:g}), against {_rate(check.random_rate)} of the "
        f"{check.n_candidates:,} other genes of the table"
    )
    if math.isfinite(check.enrichment):
        words += f": {number(check.enrichment, 2)} times as many"
    return f"{words} (p {p_value(check.enrichment_pvalue)} against random sets of genes)."


def _rate(value):
    return "–" if math.isnan(value) else f"{value:.0%}"


def _genes(k):
    return f"{k:,} gene" + ("" if k == 1 else "s")
