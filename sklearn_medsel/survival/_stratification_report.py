"""One HTML page about risk groups: curves, scores, hazard ratios, factors, modalities.

The page loads nothing and holds no patient's row; all markup comes from `tag`, which escapes.
"""

import os

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel._html import figures, number, p_value, section, tag
from sklearn_medsel.survival._same_patients import check_same
from sklearn_medsel.survival._stratification_pictures import draw_pictures
from sklearn_medsel.survival._stratification_sections import (
    DISCLAIMER,
    base_words,
    factor_section,
    fold_table,
    interval_words,
    method_section,
    modality_section,
    ratio_table,
    ratio_words,
)
from sklearn_medsel.survival._stratifier import RiskStratifier


def stratification_report(
    stratifier, X, y, path=None, *, title="Risk stratification", time_unit="months"
):
    """Write what a `RiskStratifier` found as one self-contained HTML page.

    All numbers are those of held-out patients. The page holds Kaplan-Meier curves with numbers at
    risk, the time-dependent AUC, hazard ratios, scores per fold, a table of the most important
    factors per group, and, if the estimator has them, the shares of the modalities. It shows no
    patient's row, no identifiers, and no group below five patients in the table of factors.

    Parameters
    ----------
    stratifier : RiskStratifier
        Fitted.
    X : DataFrame or array-like of shape (n_patients, n_features)
        The patients it was fitted on, in the same order; the table of factors is made from it.
    y : structured array of shape (n_patients,) or DataFrame of shape (n_patients, 2)
        Their events and times.
    path : str, path-like or None, default=None
        File to write to as well, all of it or nothing; its folder must exist.
    title : str, default="Risk stratification"
        Heading of the page.
    time_unit : str, default="months"
        Unit of the times in `y`.

    Returns
    -------
    str
        The page, without scripts and without external resources, in light and in dark.

    Raises
    ------
    TypeError
        If `stratifier` is no `RiskStratifier`.
    NotFittedError
        If it is not fitted.
    ValueError
        If `X` and `y` are not what the stratifier was fitted on: other columns, outcomes or, by
        the risks of some of them, other patients or another order. Also if two columns of `X` have
        one name.
    FileNotFoundError, IsADirectoryError
        If the folder of `path` does not exist, or `path` is a folder itself.
    ImportError
        If matplotlib is not installed.

    See Also
    --------
    RiskStratifier : What the page is about.
    KaplanMeierDisplay : The curves alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel import DeepFeatureCox
    >>> from sklearn_medsel.survival import (
    ...     RiskStratifier, make_survival_y, stratification_report
    ... )
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((90, 5))
    >>> y = make_survival_y(rng.random(90) < 0.7, rng.exponential(np.exp(-X[:, 0])))
    >>> model = DeepFeatureCox(max_epochs=10, random_state=0)
    >>> stratifier = RiskStratifier(model, cv=3, random_state=0).fit(X, y)
    >>> page = stratification_report(stratifier, X, y, title="Simulated patients")
    >>> page.startswith("<!DOCTYPE html>")
    True
    """
    from sklearn_medsel._page import document

    if not isinstance(stratifier, RiskStratifier):
        raise TypeError(
            f"stratifier must be a RiskStratifier, found {type(stratifier).__name__}; put the "
            "model into one and fit that."
        )
    check_is_fitted(stratifier, "cut_points_")
    if path is not None:
        _check_path(path)
    check_same(stratifier, X, y)
    patients = _as_table(X)
    pictures = draw_pictures(stratifier, str(time_unit))
    modalities = modality_section(stratifier)
    curves = figures(pictures, "kaplan_meier", "auc")
    parts = [
        section("groups", "Risk groups", curves, _auc_words(pictures), ratio_table(stratifier)),
        section("scores", "How well the risk predicts", fold_table(stratifier)),
        factor_section(stratifier, patients),
        modalities,
        method_section(stratifier, str(time_unit)),
    ]
    links = [("groups", "Risk groups"), ("scores", "Scores"), ("factors", "Factors")]
    links += [("modalities", "Modalities")] if modalities else []
    page = document(
        title,
        kicker="Risk stratification · held-out patients",
        overview=[tag("p", _headline(stratifier), class_="lead"), _cards(stratifier)],
        links=[*links, ("method", "Method")],
        sections=[part for part in parts if part is not None],
        footer=DISCLAIMER,
    )
    if path is not None:
        from sklearn_medsel._persistence_archive import replace_file

        replace_file(os.fspath(path), page.encode("utf-8"))
    return page


def _check_path(path):
    """Find out before the long work whether there will be a place for the page."""
    target = os.path.realpath(path)
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(
            f"path={os.fspath(path)!r}: there is no such folder; make it first, or choose another."
        )
    if os.path.isdir(target):
        raise IsADirectoryError(f"path={os.fspath(path)!r} is a folder; add the name of a file.")


def _as_table(X):
    """Columns with names."""
    if isinstance(X, pd.DataFrame):
        repeated = X.columns[X.columns.duplicated()]
        if len(repeated):
            raise ValueError(
                f"X has more than one column {repeated[0]!r}, which the table of factors cannot "
                "tell apart; rename or drop one before fit."
            )
        return X
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    return pd.DataFrame(X, columns=[f"x{place}" for place in range(X.shape[1])])


def _auc_words(pictures):
    """Say why a picture is not there."""
    if "auc" in pictures:
        return None
    words = (
        "There is no AUC over time: in no fold is there a time by which some of the held-out "
        "patients have had the event while others are still followed."
    )
    return tag("p", words, class_="muted")


def _headline(stratifier):
    row = stratifier.hazard_ratios_.iloc[-1]
    lowest = stratifier.group_names_[0]
    differ = "differs" if stratifier.logrank_.pvalue < 0.05 else "does not differ clearly"
    words = (
        f"Survival of the {len(stratifier.group_names_)} groups {differ} in patients that neither "
        "the model nor the cut points had seen (log-rank p "
        f"{p_value(stratifier.logrank_.pvalue)}). The hazard of the group “{row['group']}” is "
        f"{ratio_words(row, lowest)}"
    )
    if not stratifier.base_columns_:
        return f"{words}."
    adjusted = ratio_words(row, lowest, "adjusted_")
    return f"{words}; adjusted for {base_words(stratifier)}, it is {adjusted}."


def _cards(stratifier):
    scores, row = stratifier.scores_, stratifier.hazard_ratios_.iloc[-1]
    adjusted = "adjusted_" if stratifier.base_columns_ else ""
    brier, reference = (
        stratifier.integrated_brier_score_,
        stratifier.integrated_brier_score_reference_,
    )
    cards = [
        ("Patients", f"{scores['n_patients'].sum():,}", f"{scores['n_events'].sum():,} events"),
        (
            "Concordance",
            number(stratifier.concordance_),
            f"± {number(scores['concordance'].std(), 2)} over {len(scores)} folds; 0.5 is chance",
        ),
        ("Log-rank p", p_value(stratifier.logrank_.pvalue), "between the held-out groups"),
        (
            "Hazard ratio",
            number(row[f"{adjusted}hazard_ratio"]),
            f"{'adjusted' if adjusted else 'unadjusted'}; {interval_words(row, adjusted)}",
        ),
        ("Integrated Brier", number(brier), f"Kaplan-Meier of all: {number(reference)}"),
    ]
    return tag(
        "dl",
        [
            tag("div", tag("dt", name), tag("dd", value, tag("small", detail)))
            for name, value, detail in cards
        ],
        class_="cards",
    )
