"""The target of a network: what it must hold among the patients who have an image."""

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from sklearn_medsel._validation import is_survival_y, list_rows
from sklearn_medsel.feature_selection._outcome import read_outcome
from sklearn_medsel.image._folds import what_lacks


def read_target(y, present, task="auto"):
    """Check and encode a target; of classes, messages give the number and no label.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
        Labels, numbers or a survival target, as `read_outcome` takes them.
    present : ndarray of shape (n,), bool
        Who has an image.
    task : {"auto", "classification", "regression", "survival"}, default="auto"
        ``"auto"`` reads it off `y`.

    Returns
    -------
    Outcome
    """
    if task != "survival" and not is_survival_y(y):
        _check_known(y)
        if task == "auto":
            kind = type_of_target(y, input_name="y")
            task = "regression" if kind.startswith("continuous") else "classification"
        if task == "classification":
            _check_classes(column_or_1d(y), present)
    outcome = read_outcome(y, task)
    if lacks := what_lacks(outcome, present):
        raise ValueError(
            f"there is not {lacks} among the {int(present.sum())} patients with an image, so that "
            "a network has nothing to learn. Check y, or use network='texture', which needs none."
        )
    return outcome


def _check_known(y):
    """Refuse missing and infinite values, before scikit-learn warns of them or quotes them."""
    values = np.asarray(y, dtype=object).reshape(len(y), -1)
    missing = pd.isna(values).any(axis=1)
    if missing.any():
        raise ValueError(f"y is missing at {list_rows(missing)}. Leave these patients out.")
    infinite = ((values == np.inf) | (values == -np.inf)).any(axis=1)
    if infinite.any():
        raise ValueError(f"y is infinite at {list_rows(infinite)}. Leave these patients out.")


def _check_classes(labels, present):
    """Refuse what no network can tell apart, before `read_outcome` names labels."""
    if labels.dtype == object and len({type(label) for label in labels}) > 1:
        types = sorted({type(label).__name__ for label in labels})
        raise ValueError(
            f"y holds values of the types {', '.join(types)}. Convert them to one, such as by "
            "y.astype(str)."
        )
    classes, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(np.unique(codes[present])) < 2:
        raise ValueError(
            f"y has one class only among the {int(present.sum())} patients with an image, so that "
            "a network has nothing to learn. Check y, or use network='texture', which needs none."
        )
    n_rare = int((sizes < 2).sum())
    if n_rare:
        numbers = " If y holds numbers and no classes, pass task='regression'."
        raise ValueError(
            f"y has one patient only in {n_rare} of its {len(classes)} classes, among the "
            f"{len(labels)} given to ImageEncoder ({int(present.sum())} with an image); at least 2 "
            "are needed. Merge rare classes with others, or leave these patients out."
            + (numbers if labels.dtype.kind in "iuf" else "")
        )
