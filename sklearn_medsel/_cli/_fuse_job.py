"""The job of the subcommand ``fuse``: fuse, cross-validate beside less, stratify."""

import warnings
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from sklearn_medsel._cli._fuse_folds import compare_methods, draw_folds, held_out
from sklearn_medsel._cli._job import _fit, _unique_messages

_STEPS = {
    "reading the table": 1,
    "fusing, on all patients and by folds": 10,
    "comparing with simpler models": 4,
    "writing the page": 4,
}
_ON_THE_DATA = (  # how warnings begin that are remarks
    "block ",
    "whether a patient has the block ",
    "hazard ratios are not adjusted",
)
METRICS = {
    "auroc": "AUROC",
    "balanced_accuracy": "balanced accuracy",
    "r2": "R²",
    "concordance": "concordance",
}


@dataclass(frozen=True)
class FuseSettings:
    """What the user asked for; the page lists it, with the `command` that repeats it."""

    table: str
    blocks: str
    target: str | None = None
    time: str | None = None
    event: str | None = None
    groups: str | None = None
    id: str | None = None
    task: str = "auto"
    base: str | None = None
    fusion: str = "residual"
    n_features: int | None = None
    n_groups: int = 2
    cut: str = "quantile"
    cv: int = 5
    model: bool = True
    seed: int = 0
    jobs: int | None = None
    command: str = ""

    @property
    def folds(self):
        """Folds that each class or event must be able to fill."""
        return self.cv


@dataclass
class FuseResults:
    """Everything that the page tells.

    Attributes
    ----------
    settings : FuseSettings
    patients : Patients
    model : MultimodalClassifier, MultimodalRegressor or MultimodalCox
        Fitted on all patients.
    comparison : DataFrame
        As from `compare_methods`.
    by_fold : DataFrame
        The same, fold by fold.
    scores : DataFrame
        One row per patient: row, id, fold, what was predicted by a model that had not seen them.
    stratifier : RiskStratifier or None
        Only with survival data.
    remarks : list of str
        What the user should know, beside those on the table.
    warnings : list of str
        Warnings of the package and of others, each once.
    digest : str
        SHA-256 of the table.
    created : datetime
    """

    settings: FuseSettings
    patients: object
    model: object
    comparison: pd.DataFrame
    by_fold: pd.DataFrame
    scores: pd.DataFrame
    stratifier: object = None
    remarks: list = field(default_factory=list)
    warnings: list = field(default_factory=list)
    digest: str = ""
    created: datetime = field(default_factory=datetime.now)

    @property
    def ours(self):
        """What the fusion is called in tables."""
        return name_of(self.model)

    @property
    def measure(self):
        """Column of the score that decides."""
        return next(name for name in METRICS if name in self.comparison)

    @property
    def metric(self):
        """Name of the score that decides."""
        return METRICS[self.measure]

    @property
    def selected(self):
        """The selected features, the most important first."""
        table = self.model.feature_importances_
        return table[table["selected"]].sort_values("importance", ascending=False, kind="stable")

    @property
    def table(self):
        """Comparison by the score that decides: model, score, sd, difference and p_value."""
        new = {"": "score", "_sd": "sd", "_difference": "difference", "_p_value": "p_value"}
        names = {self.measure + end: name for end, name in new.items()}
        return self.comparison[["model", *names]].rename(columns=names)

    def judged(self, model):
        """Row of `table` of a method, or None."""
        rows = self.table[self.table["model"] == model]
        return rows.iloc[0] if len(rows) else None


def plan_steps():
    """Return the steps of the job and the share of time each takes, for `Progress`."""
    return dict(_STEPS)


def analyse_patients(patients, settings, *, progress):
    """Fuse, cross-validate beside simple models, and stratify survival.

    Parameters
    ----------
    patients : Patients
    settings : FuseSettings
    progress : Progress

    Returns
    -------
    FuseResults
    """
    folds = draw_folds(patients, settings)
    estimator = make_estimator(patients, settings)
    stratifier, remarks = None, []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        with progress.step("fusing, on all patients and by folds"):
            if patients.task == "survival":
                stratifier = _stratify(estimator, folds, patients, settings, progress, remarks)
            if stratifier is None:
                model = _fit(estimator, patients, _Half(progress, 0.0))
                half = _Half(progress, 0.5)
                found = held_out(estimator, folds, patients, settings.jobs, half.update)
            else:
                model = stratifier.estimator_
                found = pd.DataFrame({"score": stratifier.risk_}, index=patients.X.index)
        with progress.step("comparing with simpler models"):
            comparison, by_fold = compare_methods(
                name_of(model), found, folds, patients, settings, progress
            )
    of_data = [warning for warning in caught if str(warning.message).startswith(_ON_THE_DATA)]
    remarks += _as_remarks(of_data)
    scores = _scores(found, folds, model, patients, stratifier)
    return FuseResults(
        settings,
        patients,
        model,
        comparison,
        by_fold,
        scores,
        stratifier,
        remarks,
        _unique_messages([warning for warning in caught if warning not in of_data]),
    )


def _as_remarks(warned):
    """Give each warning once; of those that differ in their numbers only, that of all patients."""
    alike = {}
    for warning in warned:  # all patients are fitted first, and then the folds
        alike.setdefault(str(warning.message).partition(" (")[0], []).append(warning)
    messages = _unique_messages([own[0] for own in alike.values() for _ in own])
    return [words.split(": ", 1)[1] for words in messages]


class _Half:
    """Half of a step of the progress."""

    def __init__(self, progress, begin):
        self._progress, self._begin = progress, begin

    def update(self, fraction):
        """Say which fraction of the half is done."""
        self._progress.update(self._begin + fraction / 2)


def name_of(model):
    """Name a fusion in tables."""
    return f"{type(model).__name__}, {model.fusion}"


def make_estimator(patients, settings):
    """Make the estimator that the settings describe."""
    from sklearn_medsel import multimodal

    kind = {
        "classification": multimodal.MultimodalClassifier,
        "regression": multimodal.MultimodalRegressor,
        "survival": multimodal.MultimodalCox,
    }[patients.task]
    return kind(
        patients.blocks,
        base=patients.base,
        fusion=settings.fusion,
        n_features_to_select=settings.n_features,
        image_root=patients.image_root,
        random_state=settings.seed,
    )


def _stratify(estimator, folds, patients, settings, progress, remarks):
    """Risk groups of held-out patients; None, with a remark, where risks cannot be cut."""
    from sklearn_medsel.survival._stratifier import RiskStratifier

    stratifier = RiskStratifier(
        estimator,
        settings.n_groups,
        cut=settings.cut,
        cv=folds,
        n_jobs=settings.jobs,
        random_state=settings.seed,
    )
    try:
        return _fit(stratifier, patients, progress)
    except ValueError as error:
        # risks that cannot be cut; what is wrong with the patients is said by the next fit again
        remarks.append(f"There are no risk groups: {' '.join(str(error).split())}")
        return None


def _scores(found, folds, model, patients, stratifier):
    """Put together what was predicted for each patient by the model that had not seen them."""
    table = {"row": patients.X.index.to_numpy()}
    if patients.ids is not None:
        table["id"] = patients.ids.to_numpy()
    fold = np.empty(len(patients.y), dtype=int)
    for number, (_, test) in enumerate(folds, start=1):
        fold[test] = number
    table["fold"] = fold
    if patients.task == "survival":
        table["risk"] = found["score"]
        if stratifier is not None:
            table["group"] = np.array(stratifier.group_names_)[stratifier.group_]
    elif patients.task == "regression":
        table["prediction"] = found["score"]
    else:
        classes = model.classes_
        for label in classes[1:] if len(classes) == 2 else classes:
            table[f"probability[{label}]"] = found[label]
        table["predicted"] = found.idxmax(axis=1)
    return pd.DataFrame(table)
