"""The target of a network: what it must hold among the patients who have an image."""

import numpy as np
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from sklearn_medsel._validation import is_survival_y
from sklearn_medsel.feature_selection._outcome import read_outcome


def read_target(y, present):
    """Check and encode a target; of classes, messages give the number and no label.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_outputs)
        Labels, numbers or a survival target, as `read_outcome` takes them.
    present : ndarray of shape (n,), bool
        Who has an image.

    Returns
    -------
    Outcome
    """
    if not is_survival_y(y):
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if not kind.startswith("continuous"):
            _check_classes(column_or_1d(y), present)
    return read_outcome(y)


def _check_classes(labels, present):
    """Refuse what no network can tell apart, before `read_outcome` names labels."""
    classes, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(np.unique(codes[present])) < 2:
        raise ValueError(
            f"y has one class only among the {int(present.sum())} patients with an image, so that "
            "a network has nothing to learn. Check y, or use network='texture', which needs none."
        )
    n_rare = int((sizes < 2).sum())
    if n_rare:
        raise ValueError(
            f"y has one patient only in {n_rare} of its {len(classes)} classes, among the "
            f"{len(labels)} given to ImageEncoder ({int(present.sum())} with an image); at least 2 "
            "are needed. Merge rare classes with others, or leave these patients out."
        )
