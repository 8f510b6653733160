"""Asks a fitted classifier of reports for what a picture of them needs."""

import numpy as np
import pandas as pd
from sklearn.model_selection import FixedThresholdClassifier

from sklearn_medsel.inspection._plotting import check_count, find_step
from sklearn_medsel.inspection._report_rows import KINDS


def ask_estimator(estimator, X, *, kind, reports, max_reports):
    """Return the arguments of a `ReportAttentionDisplay`; see its ``from_estimator``."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}.")
    check_count(max_reports, "max_reports")
    is_wrapped = hasattr(estimator, "best_threshold_") or isinstance(
        estimator, FixedThresholdClassifier
    )
    inner = getattr(estimator, "estimator_", estimator) if is_wrapped else estimator
    step, before = find_step(inner, f"sentence_{kind}")
    positions = _positions(reports, len(X))
    shown = positions[:max_reports]
    X = _take(X, shown)
    X = X if before is None else before.transform(X)
    is_pair = hasattr(X, "columns")
    sentences = getattr(step, f"sentence_{kind}")(X)
    probabilities = np.asarray(step.predict_proba(X), dtype=float)
    return {
        "sentences": _renumber(sentences, shown),
        "texts": pd.Series(list(X["current"] if is_pair else X), index=shown, dtype=object),
        "probabilities": probabilities if "class" in sentences else probabilities[:, 1],
        "threshold": _threshold(estimator, step),
        "value_name": kind,
        "changes": _renumber(_compare(step, X), shown) if is_pair else None,
        "labels": [str(label) for label in step.classes_],
        "n_left_out": len(positions) - len(shown),
    }


def _threshold(estimator, step):
    """Find the probability from which a report is flagged; a wrapper's own goes first."""
    if isinstance(estimator, FixedThresholdClassifier):
        return 0.5 if estimator.threshold == "auto" else estimator.threshold
    return getattr(estimator, "best_threshold_", getattr(step, "threshold_", None))


def _positions(reports, n_reports):
    """Check positions of reports; None stands for all of them."""
    if reports is None:
        return np.arange(n_reports)
    positions = np.asarray(reports)
    if positions.ndim != 1 or not np.issubdtype(positions.dtype, np.integer):
        raise ValueError(
            f"reports must hold positions in X as integers, found shape {positions.shape} and "
            f"dtype {positions.dtype}; use numpy.flatnonzero for a mask."
        )
    if positions.size and not (positions.min() >= 0 and positions.max() < n_reports):
        raise ValueError(
            f"reports must lie from 0 to {n_reports - 1}, as X has {n_reports} rows; found "
            f"{positions.min()} to {positions.max()}."
        )
    return pd.unique(positions)


def _take(X, positions):
    """Take rows of a table, Series, array or list."""
    if hasattr(X, "iloc"):
        return X.iloc[positions]
    return [X[position] for position in positions]


def _compare(step, X):
    """Compare pairs; what has no previous report is no news, and is left out."""
    changes = step.compare(X)
    has_previous = [isinstance(text, str) and bool(text.strip()) for text in X["previous"]]
    return changes[np.asarray(has_previous, dtype=bool)[changes["report"].to_numpy(dtype=int)]]


def _renumber(frame, positions):
    """Let a table count reports as X does, of which it has seen only some."""
    return frame.assign(report=positions[frame["report"].to_numpy(dtype=int)])
