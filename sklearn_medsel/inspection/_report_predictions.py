"""What was predicted for each report, in the form in which pictures of reports say it."""

import numpy as np
import pandas as pd


class Predictions:
    """Probabilities of reports by class, and the thresholds from which reports are flagged.

    Parameters
    ----------
    probabilities : array-like of shape (n_reports,) or (n_reports, n_classes) or None
        As of `ReportAttentionDisplay`, and so are the others.
    threshold : float or array-like of shape (n_classes,) or None
    labels : sequence of str or None
    numbers : Index
        Numbers of the reports.
    classes : list of str or None
        Classes that the sentences speak for, where there are several.
    """

    def __init__(self, probabilities, threshold, labels, numbers, classes=None):
        labels = None if labels is None else [str(label) for label in labels]
        self.classes = classes
        # what a single value per sentence speaks for
        self.name = labels[-1] if labels else "the positive class"
        self.table = self.thresholds = None
        if probabilities is None:
            return
        array = _check(probabilities, len(numbers))
        if array.shape[1] == 2 and classes is None:
            array = array[:, 1:]
        several = array.shape[1] > 1
        names = (labels or classes or []) if several else [self.name]
        if len(names) != array.shape[1] or set(classes or ()) - set(names):
            raise ValueError(
                f"labels must name the {array.shape[1]} classes of probabilities, among them those "
                f"of sentences; found {len(names)} names."
            )
        self.table = pd.DataFrame(array, index=numbers, columns=pd.Index(names, dtype=object))
        if threshold is not None:
            self.thresholds = np.broadcast_to(np.asarray(threshold, dtype=float), len(names))

    def verdicts(self, report):
        """Give class, probability and threshold (or None) of each class for one report."""
        if self.table is None:
            return []
        limits = [None] * self.table.shape[1] if self.thresholds is None else self.thresholds
        return [
            {"label": label, "probability": float(probability), "threshold": limit}
            for (label, probability), limit in zip(
                self.table.loc[report].items(), limits, strict=True
            )
        ]

    def classes_to_show(self, report):
        """Find the classes whose sentences matter: those predicted, else the most probable one."""
        if self.classes is None:
            return [None]
        verdicts = [each for each in self.verdicts(report) if each["label"] in self.classes]
        if not verdicts:
            return self.classes
        verdicts.sort(key=lambda each: -each["probability"])
        predicted = [
            each["label"]
            for each in verdicts
            if each["probability"] >= (0.5 if each["threshold"] is None else each["threshold"])
        ]
        return predicted or [verdicts[0]["label"]]

    def title(self, report, label, name):
        """Write a title: the report, and the probability of one class with its consequence."""
        for verdict in self.verdicts(report):
            if label in (None, verdict["label"]):
                probability, limit = verdict["probability"], verdict["threshold"]
                title = f"Report {report}: {name} {probability:.2f}"
                if limit is None:
                    return title
                word = "flagged" if probability >= limit else "not flagged"
                return f"{title}, {word} (threshold {limit:.2f})"
        return f"Report {report}" if label is None else f"Report {report}: {name}"


def _check(probabilities, n_reports):
    array = np.asarray(probabilities, dtype=float)
    if array.ndim not in (1, 2) or len(array) != n_reports:
        raise ValueError(
            f"probabilities must have one row for each of the {n_reports} reports, found shape "
            f"{array.shape}."
        )
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError("probabilities must lie between 0 and 1; a score is no probability.")
    return array.reshape(n_reports, -1)
