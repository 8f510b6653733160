"""Labels as columns of zeros and ones, whatever their kind, and their weights."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from sklearn_medsel._validation import list_rows

_KINDS = {
    "binary": "binary",
    "multiclass": "multiclass",
    "multilabel-indicator": "multilabel",
}


class Target(NamedTuple):
    """Encoded labels, a named tuple.

    Attributes
    ----------
    kind : {"binary", "multiclass", "multilabel"}
    classes : ndarray
        Sorted labels; for several labels the names of the columns.
    columns : ndarray of shape (n, n_outputs), float64
        One column for two classes (1 = the second), else one per class.
    strata : ndarray of shape (n,), int
        What a split should keep in proportion.
    """

    kind: str
    classes: np.ndarray
    columns: np.ndarray
    strata: np.ndarray


def encode_target(y):
    """Encode labels.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_labels)
        Classes, or an indicator matrix of several labels.

    Returns
    -------
    Target

    Raises
    ------
    ValueError
        If there is only one class, a label is missing, or these are no classes or indicators.
    """
    values = np.asarray(y.toarray() if sparse.issparse(y) else y)
    if y is None or values.ndim == 0 or not len(values):
        found = "empty" if values.ndim else f"a {type(y).__name__}" if y is not None else "None"
        raise ValueError(f"y is {found}: the classifier needs a label for each report.")
    missing = pd.isna(values).any(axis=tuple(range(1, values.ndim)))
    if missing.any():
        raise ValueError(f"y is missing at {list_rows(missing)}; remove these reports first.")
    if values.dtype == object:
        values = np.array(values.tolist())
    found = type_of_target(values, input_name="y")
    if found not in _KINDS:
        raise ValueError(
            f"y must hold classes or be an indicator matrix of labels, got {found}. "
            "Unknown label type: turn numbers into classes first."
        )
    if found == "multilabel-indicator":
        return _several_labels(y, values)
    classes, codes = np.unique(column_or_1d(values, warn=True), return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only, in {len(codes)} reports: the classifier needs at least two."
        )
    if len(classes) == 2:
        return Target("binary", classes, codes[:, None].astype(float), codes)
    return Target("multiclass", classes, np.eye(len(classes))[codes], codes)


def _several_labels(y, values):
    names = y.columns.to_numpy() if isinstance(y, pd.DataFrame) else np.arange(values.shape[1])
    columns = values.astype(float)
    if not np.isin(columns, (0, 1)).all():
        raise ValueError("y has several columns and values other than 0 and 1: make it 0 and 1.")
    if (columns == columns[0]).all():
        raise ValueError("no label in y differs between the reports: there is nothing to learn.")
    # a split can keep one thing in proportion: whether a report has any label
    return Target("multilabel", names, columns, (columns.sum(1) > 0).astype(int))


def check_classes_left(target, used):
    """Raise ValueError if the reports that are used do not have all classes."""
    if target.kind != "multilabel" and len(np.unique(target.strata[used])) < len(target.classes):
        raise ValueError(
            f"y has {len(target.classes)} classes, but not among the {len(used)} reports with a "
            "sentence and a weight above zero. Leave out the others, and their classes, yourself."
        )


def balanced_weight(target, weight):
    """Weigh zeros and ones of each output alike: (n, n_outputs), mean about 1."""
    result = np.empty(target.shape)
    for k, column in enumerate(target.T):
        for value in (0, 1):
            rows = column == value
            total = weight[rows].sum()
            result[rows, k] = weight[rows] * (weight.sum() / (2 * total) if total else 1)
    return result


def class_weights(class_weight, target, weight):
    """Weights (n, n_outputs) of the reports times those of their classes.

    Raises
    ------
    ValueError
        If `class_weight` names no class of `y`, or is a dict with several labels.
    """
    if class_weight is None:
        return np.repeat(weight[:, None], target.columns.shape[1], axis=1)
    if isinstance(class_weight, str):
        return balanced_weight(target.columns, weight)
    if target.kind == "multilabel":
        raise ValueError("class_weight as a dict is for one label per report; use 'balanced'.")
    unknown = [label for label in class_weight if label not in target.classes.tolist()]
    if unknown:
        raise ValueError(f"class_weight names {unknown[0]!r}, which is no class of y.")
    factor = compute_sample_weight(class_weight, target.classes[target.strata])
    return np.repeat((weight * factor)[:, None], target.columns.shape[1], axis=1)
