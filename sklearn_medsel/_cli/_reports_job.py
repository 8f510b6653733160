"""The job of the subcommand ``reports``: train, cross-validate, compare, explain."""

import warnings
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from sklearn_medsel._cli._job import _fit, _unique_messages
from sklearn_medsel._cli._tables import InputError

OURS = "ReportAttentionClassifier"
CONFIDENCE = 0.9  # of the promise on recall
_MAX_SHOWN = 50
_STEPS = {
    "reading the table": 1,
    "training on all reports": 4,
    "cross-validating": 14,
    "writing the page": 2,
}


@dataclass(frozen=True)
class ReportSettings:
    """What the user asked for; the page lists it, with the `command` that repeats it."""

    table: str
    text: str
    target: str
    positive: str | None = None
    previous: str | None = None
    groups: str | None = None
    mode: str = "hybrid"
    encoder: str = "auto"
    recall_target: float | None = None
    cv: int = 5
    repeats: int = 1
    compare: bool = True
    model: bool = True
    seed: int = 0
    jobs: int | None = None
    command: str = ""

    @property
    def judged_by(self):
        """The score that decides: F1, unless the threshold gives it up for recall."""
        return "f1" if self.recall_target is None else "auroc"


@dataclass
class ReportResults:
    """Everything that the page tells.

    Attributes
    ----------
    settings : ReportSettings
    table : ReportTable
    model : ReportAttentionClassifier
        Fitted on all reports.
    comparison : DataFrame
        As from `compare_report_classifiers`.
    predictions : DataFrame
        One row per report: row, label, important, probability, flagged, threshold and fold; what
        was predicted comes from a model that never saw the report.
    cards : dict of str to list of dict
        What the page shows of single reports: of those "flagged", and those "missed".
    warnings : list of str
        Warnings that other libraries gave, each once.
    digest : str
        SHA-256 of the table.
    created : datetime
    """

    settings: ReportSettings
    table: object
    model: object
    comparison: pd.DataFrame
    predictions: pd.DataFrame
    cards: dict
    warnings: list = field(default_factory=list)
    digest: str = ""
    created: datetime = field(default_factory=datetime.now)

    def flagged(self, *, important):
        """Count the flagged reports that are important, or are not."""
        found = self.predictions
        return int((found["flagged"] & (found["important"] == important)).sum())

    @property
    def n_missed(self):
        """Number of important reports that were not flagged."""
        return int((self.predictions["important"] & ~self.predictions["flagged"]).sum())


def plan_steps():
    """Return the steps of the job and the share of time each takes, for `Progress`."""
    return dict(_STEPS)


def analyse_reports(table, settings, *, progress):
    """Train on all reports, cross-validate, and explain the reports that were flagged or missed.

    Parameters
    ----------
    table : ReportTable
    settings : ReportSettings
    progress : Progress

    Returns
    -------
    ReportResults
    """
    from sklearn_medsel.text import ReportAttentionClassifier

    classifier = ReportAttentionClassifier(
        settings.encoder,
        mode=settings.mode,
        recall_target=settings.recall_target,
        recall_confidence=CONFIDENCE,
        random_state=settings.seed,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        folds = _folds(table, settings)
        with progress.step("training on all reports"):
            model = _fit(classifier, table, progress)
        with progress.step("cross-validating"), warnings.catch_warnings():
            if settings.jobs not in (None, 1):  # workers would write them into the progress
                warnings.simplefilter("ignore")
            comparison, records = _compare(classifier, table, folds, settings, progress)
        predictions = _predictions(records, table)
        cards = _cards(records, predictions, table)
    return ReportResults(
        settings, table, model, comparison, predictions, cards, _unique_messages(caught)
    )


def _folds(table, settings):
    """Draw the folds, and refuse a promise on recall that no fold can make."""
    from sklearn_medsel.text._classifier_folds import draw_folds, group_reports
    from sklearn_medsel.text._reports import check_reports
    from sklearn_medsel.text._thresholds import fewest_positives

    together = group_reports(check_reports(table.X), table.groups)
    folds = draw_folds(table.y, together, settings.cv, settings.repeats, settings.seed)
    if settings.recall_target is None:
        return folds
    has_text = table.texts.str.strip().ne("").to_numpy()
    found = min(int(np.sum(table.y[train] * has_text[train])) for train, _ in folds)
    needed = fewest_positives(settings.recall_target, CONFIDENCE)
    if found < needed:
        raise InputError(
            f"--recall-target {settings.recall_target:g} needs {needed} important reports in each "
            f"training part of the folds, and one has {found} of the table's {table.y.sum()}; "
            "lower it, or add reports"
        )
    return folds


def _compare(classifier, table, folds, settings, progress):
    from sklearn_medsel.text._baselines import baseline_report_classifiers
    from sklearn_medsel.text._classifier_folds import Setting, run_folds, summarise

    classifiers = {OURS: classifier}
    if settings.compare:
        classifiers |= baseline_report_classifiers(random_state=settings.seed)
    setting = Setting(table.X, table.y, np.array([0, 1]), 1, table.groups, keep=(OURS,))
    records = run_folds(
        classifiers,
        folds,
        setting,
        n_jobs=settings.jobs,
        progress=lambda done, total, _: progress.update(done / total),
    )
    first_draw = (records["classifier"] == OURS) & (records["fold"] < settings.cv)
    return summarise(records, folds), records[first_draw]


def _predictions(records, table):
    """Put together what was predicted for each report by the model that had not seen it."""
    parts = [
        pd.DataFrame(
            {
                "position": record.rows,
                "probability": record.score[:, 1],
                "flagged": record.predicted == 1,
                "threshold": record.estimator.threshold_,
                "fold": record.fold + 1,
            }
        )
        for record in records.itertuples()
    ]
    found = pd.concat(parts).set_index("position").sort_index()
    found.insert(0, "row", table.rows)
    found.insert(1, "label", table.labels)
    found.insert(2, "important", table.y == 1)
    return found


def _cards(records, predictions, table):
    """Explain flagged and missed reports, the most probable first, each by its own fold's model."""
    chosen = _choose(predictions)
    models = dict(zip(records["fold"] + 1, records["estimator"], strict=True))
    shown = predictions.loc[np.concatenate(list(chosen.values())).astype(int)]
    cards = {}
    for fold, part in shown.groupby("fold"):
        cards |= _explain(models[fold], table, part.index.to_numpy())
    for position, card in cards.items():
        row, label = predictions.loc[position, ["row", "label"]]
        card["number"] = f"in row {row}, labelled {label}"
    return {kind: [cards[position] for position in found] for kind, found in chosen.items()}


def _choose(predictions):
    """Choose which reports to show: at most 50, half of the places for missed ones if needed."""
    ordered = predictions.sort_values("probability", ascending=False, kind="stable")
    flagged = ordered.index[ordered["flagged"]]
    missed = ordered.index[ordered["important"] & ~ordered["flagged"]]
    flagged = flagged[: _MAX_SHOWN - min(len(missed), _MAX_SHOWN // 2)]
    return {"flagged": flagged, "missed": missed[: _MAX_SHOWN - len(flagged)]}


def _explain(model, table, positions):
    """Return the cards of some reports by position."""
    from sklearn_medsel.inspection._report_attention import ReportAttentionDisplay
    from sklearn_medsel.inspection._report_source import ask_estimator

    kind = "attention" if model.mode == "attention" else "evidence"
    found = ask_estimator(model, table.X, kind=kind, reports=positions, max_reports=len(positions))
    display = ReportAttentionDisplay(**{**found, "labels": table.names})
    return {int(position): display._card(position) for position in positions}
