"""The main job on a checked table: select genes, compare with other methods, check for survival."""

import warnings
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from sklearn_medsel._cli._progress import FitProgress

OURS = "DeepFeatureSelector"
BEST = "DeepFeatureSelector, best 20"
_N_BEST = 20
_N_SHOWN_IF_NONE = 10
_STEPS = {
    "reading the table": 1,
    "selecting genes": 3,
    "comparing with other selectors": 14,
    "risk groups out of fold": 5,
    "checking against random genes": 1,
    "drawing the report": 3,
}


@dataclass(frozen=True)
class Settings:
    """What the user asked for; the report lists it, with the `command` that repeats it."""

    table: str
    target: str | None = None
    time: str | None = None
    event: str | None = None
    groups: str | None = None
    drop: tuple = ()
    task: str = "auto"
    fdr: float = 0.1
    n_features: int | str | None = None
    cv: int = 5
    repeats: int = 2
    compare: bool = True
    seed: int = 0
    jobs: int | None = None
    command: str = ""

    @property
    def folds(self):
        """Folds that each class or event must be able to fill."""
        return self.cv if self.compare or self.time is not None else 2


def plan_steps(*, compare, survival):
    """Return the steps of a job and the share of time each takes, for `Progress`."""
    absent = [] if compare else ["comparing with other selectors"]
    absent += [] if survival else ["risk groups out of fold", "checking against random genes"]
    return {name: share for name, share in _STEPS.items() if name not in absent}


@dataclass
class Results:
    """Everything that the report tells.

    Attributes
    ----------
    settings : Settings
    samples : Samples
    selector : fitted selector
    genes : DataFrame
        One row per gene, the best first.
    comparison : DataFrame or None
    signature : Signature or None
        Only with survival data.
    prognosis : PrognosticCheck or None
        Only with survival data.
    warnings : list of str
        Warnings that other libraries gave, each once.
    digest : str
        SHA-256 of the table, so that a report can be matched with its data.
    created : datetime
    """

    settings: Settings
    samples: object
    selector: object
    genes: pd.DataFrame
    comparison: pd.DataFrame | None = None
    signature: object = None
    prognosis: object = None
    warnings: list = field(default_factory=list)
    digest: str = ""
    created: datetime = field(default_factory=datetime.now)

    @property
    def n_selected(self):
        """Number of selected genes."""
        return int(np.sum(self.selector.support_))


def analyse(samples, settings, *, progress, selector=None, compare=None):
    """Select, compare and check.

    Parameters
    ----------
    samples : Samples
    settings : Settings
    progress : Progress
    selector : estimator or None, default=None
        None makes the `DeepFeatureSelector` that the settings describe.
    compare : callable or None, default=None
        Called with (samples, settings, selector); None means `compare_with_baselines`.

    Returns
    -------
    Results
    """
    compare = compare_with_baselines if compare is None else compare
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        with progress.step("selecting genes"):
            selector = make_selector(samples, settings) if selector is None else selector
            fitted = _fit(selector, samples, progress)
        results = Results(settings, samples, fitted, gene_table(fitted, samples.X))
        if settings.compare:
            with progress.step("comparing with other selectors"), warnings.catch_warnings():
                if settings.jobs not in (None, 1):  # workers would write them into the progress
                    warnings.simplefilter("ignore")
                results.comparison = compare(samples, settings, selector, progress)
        if samples.survival is not None:
            from sklearn_medsel._cli._signature import out_of_fold_risk

            with progress.step("risk groups out of fold"):
                results.signature = out_of_fold_risk(
                    selector,
                    samples,
                    cv=settings.cv,
                    random_state=settings.seed,
                    n_jobs=settings.jobs,
                    on_fold=progress.update,
                )
            with progress.step("checking against random genes"):
                results.prognosis = _check_prognosis(samples, settings, results.genes)
    results.warnings = _unique_messages(caught)
    return results


def make_selector(samples, settings):
    """Make the selector that the settings describe."""
    from sklearn_medsel import DeepFeatureSelector

    return DeepFeatureSelector(
        settings.n_features,
        task=samples.task,
        fdr=settings.fdr,
        random_state=settings.seed,
    )


def compare_with_baselines(samples, settings, selector, progress):
    """Cross-validate the selector beside LASSO, random forest, univariate tests and ridge.

    A selection by false discovery rate may be empty, which says nothing of the ranking; a second
    row then takes the best 20.

    Parameters
    ----------
    samples : Samples
    settings : Settings
    selector : estimator
    progress : Progress

    Returns
    -------
    DataFrame
        As from `compare_selectors`, with two more columns: ``difference_ours`` and
        ``p_value_ours``, each row minus `judged_row`, by the same corrected test.
    """
    from sklearn.base import clone

    from sklearn_medsel import baseline_selectors, compare_selectors
    from sklearn_medsel.feature_selection._compare_fold import corrected_paired_ttest

    ours = {OURS: selector}
    if settings.n_features is None and samples.X.shape[1] > _N_BEST:
        ours[BEST] = clone(selector).set_params(n_features_to_select=_N_BEST)
    table, folds = compare_selectors(
        samples.X,
        samples.y,
        {**ours, **baseline_selectors(samples.task, random_state=settings.seed)},
        task=samples.task,
        cv=settings.cv,
        n_repeats=settings.repeats,
        groups=samples.groups,
        n_jobs=settings.jobs,
        random_state=settings.seed,
        return_folds=True,
        progress=lambda done, total, _: progress.update(done / total),
    )
    scores = folds.pivot(index="fold", columns="selector", values="score")
    judged = judged_row(table)
    tests = [
        corrected_paired_ttest((scores[name] - scores[judged]).to_numpy(), 1 / (settings.cv - 1))
        for name in table["selector"]
    ]
    table["difference_ours"], table["p_value_ours"] = zip(*tests, strict=True)
    table.loc[table["selector"] == judged, ["difference_ours", "p_value_ours"]] = np.nan
    return table


def judged_row(comparison):
    """Name the row of the selector that the baselines are measured against."""
    return BEST if (comparison["selector"] == BEST).any() else OURS


def gene_table(selector, X):
    """Describe every gene in one row, the best first.

    Parameters
    ----------
    selector : fitted selector
    X : DataFrame
        The genes it was fitted on.

    Returns
    -------
    DataFrame
        Columns rank, gene, selected, importance, frequency, p_value, q_value, effect (one per class
        or output where there are several), cluster, representative, missing.
    """
    n_genes = X.shape[1]
    table = pd.DataFrame(
        {
            "rank": selector.ranking_,
            "gene": X.columns,
            "selected": selector.support_,
            "importance": selector.feature_importances_,
            "frequency": selector.selection_frequencies_,
            "p_value": selector.pvalues_,
            "q_value": selector.qvalues_,
        }
    )
    effects = np.asarray(selector.effects_).reshape(n_genes, -1)
    for name, column in zip(effect_names(selector, effects.shape[1]), effects.T, strict=True):
        table[name] = column
    clusters = selector.clusters_.drop_duplicates("feature").set_index("feature")
    for name in ("cluster", "representative"):
        table[name] = table["gene"].map(clusters[name])
    table["cluster"] = table["cluster"].astype("Int64")
    table["missing"] = X.isna().sum().to_numpy()
    return table.sort_values("rank", ignore_index=True)


def effect_names(selector, n_outputs):
    """Name the columns of effects: one, or one for each class."""
    classes = getattr(selector, "classes_", None)
    if n_outputs == 1:
        return ["effect"]
    if classes is not None and len(classes) == n_outputs:
        return [f"effect[{label}]" for label in classes]
    return [f"effect[{output}]" for output in range(n_outputs)]


def _fit(selector, samples, progress):
    from sklearn.base import clone

    fitted = clone(selector)
    if hasattr(fitted, "set_callbacks"):
        fitted.set_callbacks(FitProgress(progress.update))
    arguments = {} if samples.groups is None else {"groups": samples.groups}
    fitted.fit(samples.X, samples.y, **arguments)
    if hasattr(fitted, "set_callbacks"):
        fitted.set_callbacks()
    return fitted


def _check_prognosis(samples, settings, genes):
    from sklearn_medsel import prognostic_check

    chosen = genes.loc[genes["selected"], "gene"]
    if not len(chosen):
        chosen = genes["gene"].head(_N_SHOWN_IF_NONE)
    chosen = chosen.head(max(1, len(genes) // 3))  # random sets need other genes to draw from
    return prognostic_check(samples.X, samples.survival, list(chosen), random_state=settings.seed)


def _unique_messages(caught):
    """Return each warning's first sentence once, with how often it came."""
    messages = [f"{w.category.__name__}: {str(w.message).strip().splitlines()[0]}" for w in caught]
    counts = pd.Series(messages, dtype=object).value_counts(sort=False)
    return [
        f"{message} ({count} times)" if count > 1 else message for message, count in counts.items()
    ]
