"""The target of a selection: which task it is, and how the path solver sees it."""

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from .._validation import check_survival_y, is_survival_y
from ._families import CoxFamily, LogisticFamily, MultinomialFamily, SquaredFamily

TASKS = ("classification", "regression", "survival")


class Outcome:
    """A checked and encoded target.

    Parameters
    ----------
    task : {"classification", "regression", "survival"}
    values : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Class codes, standardised numbers, or the columns event and time.
    classes : ndarray or None
        Class labels, for classification.
    """

    def __init__(self, task, values, classes=None):
        self.task, self.values, self.classes = task, values, classes

    def __len__(self):
        return len(self.values)

    def take(self, rows):
        """The outcome of some of the samples."""
        return Outcome(self.task, self.values[rows], self.classes)

    def family(self, like):
        """Family of the path solver, in the dtype and on the device of the tensor `like`."""
        if self.task == "survival":
            return CoxFamily(self.values[:, 0].astype(bool), self.values[:, 1], like)
        if self.task == "regression":
            return SquaredFamily(torch.as_tensor(self.values).to(like))
        if len(self.classes) == 2:
            return LogisticFamily(torch.as_tensor(self.values).to(like))
        one_hot = np.eye(len(self.classes))[self.values]
        return MultinomialFamily(torch.as_tensor(one_hot).to(like))

    @property
    def strata(self):
        """Labels by which resamples are balanced, of shape (n_samples,), int."""
        if self.task == "classification":
            return self.values
        if self.task == "survival":
            return self.values[:, 0].astype(int)
        return np.zeros(len(self.values), dtype=int)

    def varies_within(self, groups):
        """For each group, in the order of ``np.unique``, whether the outcome differs inside it."""
        _, codes = np.unique(groups, return_inverse=True)
        rows = self.values.reshape(len(self.values), -1)
        return np.array([(rows[codes == g] != rows[codes == g][0]).any() for g in np.unique(codes)])


def read_outcome(y, task="auto"):
    """Check and encode a target.

    Parameters
    ----------
    y : array-like
        Labels, numbers, or a survival target (see `check_survival_y`).
    task : {"auto", "classification", "regression", "survival"}
        ``"auto"`` reads it off `y`.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If `y` is missing, does not fit the task, has one class, a class with one sample, or does
        not vary.
    """
    if y is None:
        raise ValueError(
            "This selector requires y to be passed, but the target y is None: give the labels, "
            "numbers or survival times of the samples."
        )
    if task == "survival" or (task == "auto" and is_survival_y(y)):
        event, time = check_survival_y(y)
        return Outcome("survival", np.column_stack([event, time]).astype(np.float64))
    if is_survival_y(y):
        raise ValueError(
            f"y holds an event and a time, but task={task!r}. Use task='survival' or task='auto'."
        )
    if task == "auto":
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        task = "regression" if kind.startswith("continuous") else "classification"
    return _read_numbers(y) if task == "regression" else _read_labels(y)


def _read_labels(y):
    labels = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            "Classification needs samples of at least two classes, but y has one class only. "
            "Check the target column, or pass task='regression' or a survival target."
        )
    if counts.min() < 2:
        rare = classes[counts < 2][:5]
        raise ValueError(
            f"Too few samples: {'class' if len(rare) == 1 else 'classes'} "
            f"{', '.join(repr(label) for label in rare.tolist())} of y "
            f"{'has' if len(rare) == 1 else 'have'} one sample. Add samples of it, merge it with "
            "another class, or leave it out."
        )
    return Outcome("classification", codes, classes)


def _read_numbers(y):
    values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    values = values.reshape(len(values), -1)
    spread = values.std(axis=0)
    if not spread.any():
        raise ValueError("y has the same value in all samples: there is nothing to explain.")
    spread = np.where(spread > 0, spread, 1.0)
    return Outcome("regression", (values - values.mean(axis=0)) / spread)
