"""The reports of patients one after the other; what is important in them and what changed."""

import numpy as np
import pandas as pd

from sklearn_medsel.datasets._report_layout import lay_out
from sklearn_medsel.datasets._report_phrases import EXAM_FRACTIONS, GROUPS
from sklearn_medsel.datasets._report_planting import draw_n_evidence, plan_first, plan_next
from sklearn_medsel.datasets._report_sentences import Writer

_URGENCY = ["routine", "follow-up", "urgent"]
_ROWS_PER_PATIENT = 1.6
_EARLIER = (0.2, 0.4, 0.3, 0.1)  # chance of 0 to 3 important findings before a patient's first row


class ReportMaker:
    """Plans and writes reports of one language, drawing from one generator."""

    def __init__(self, rng, phrases, n_sentences, headings, hard_wrap):
        self.rng = rng
        self.phrases = phrases
        self.n_sentences = n_sentences
        self.headings = headings
        self.hard_wrap = hard_wrap

    def first(self, important):
        """Make a report of a patient without earlier ones."""
        n = self._length()
        return self._first(n, draw_n_evidence(self.rng, n) if important else 0)

    def following(self, previous, important):
        """Make the report after `previous`, of the same patient."""
        n = self._length()
        n_evidence = draw_n_evidence(self.rng, n) if important else 0
        return self._write(
            previous.exam,
            plan_next(
                self.rng, self.phrases.sites, previous.exam, previous.statements, n, n_evidence
            ),
        )

    def series(self, important, first_examination_fraction):
        """Make a series of reports per patient; each row has the one before it as its previous.

        Returns
        -------
        groups : ndarray of shape (n_rows,), int64
            Patient of each row.
        previous : list of Report or None
            None for first examinations.
        current : list of Report
            The reports themselves.
        """
        n_rows = len(important)
        n_first = round(first_examination_fraction * n_rows)
        n_patients = max(n_first, int(np.ceil(n_rows / _ROWS_PER_PATIENT)))
        more = self.rng.integers(n_patients, size=n_rows - n_patients)
        groups = np.sort(np.concatenate([np.arange(n_patients), more])).astype(np.int64)
        begin_here = set(self.rng.permutation(n_patients)[:n_first].tolist())
        previous, current = [], []
        for row, patient in enumerate(groups):
            if row and groups[row - 1] == patient:
                before = current[-1]
            else:
                before = None if int(patient) in begin_here else self._earlier()
            previous.append(before)
            flag = important[row]
            current.append(self.first(flag) if before is None else self.following(before, flag))
        return groups, previous, current

    def _earlier(self):
        n = self._length()
        return self._first(n, min(n, int(self.rng.choice(len(_EARLIER), p=_EARLIER))))

    def _first(self, n, n_important):
        exam = str(self.rng.choice(list(EXAM_FRACTIONS), p=list(EXAM_FRACTIONS.values())))
        return self._write(exam, plan_first(self.rng, self.phrases.sites, exam, n, n_important))

    def _length(self):
        shortest, longest = self.n_sentences
        return int(self.rng.integers(shortest, longest + 1))

    def _write(self, exam, statements):
        return lay_out(
            statements,
            Writer(self.phrases, self.rng, exam),
            headings=bool(self.rng.random() < self.headings),
            hard_wrap=bool(self.rng.random() < self.hard_wrap),
        )


def outcome(rng, reports, task, label_noise):
    """Label each report after its evidence; with the names of classes or columns.

    Returns
    -------
    y : ndarray of shape (n_reports,) or (n_reports, n_groups)
        int64, or strings for ``task="multiclass"``.
    names : list of str
        Classes, or columns of `y`.
    """
    found = [[s.kinds[0] for s in report.statements if s.is_evidence] for report in reports]
    if task == "multilabel":
        names = list(GROUPS)
        y = np.array([[any(k.group == g for k in kinds) for g in names] for kinds in found])
        return (y ^ (rng.random(y.shape) < label_noise)).astype(np.int64), names
    if task == "binary":
        names = ["unimportant", "important"]
        y = np.array([len(kinds) > 0 for kinds in found], dtype=np.int64)
    else:
        names = list(_URGENCY)
        y = np.array([max((1 + k.urgent for k in kinds), default=0) for kinds in found])
    wrong = rng.random(len(y)) < label_noise
    y = np.where(wrong, (y + rng.integers(1, len(names), size=len(y))) % len(names), y)
    return (y.astype(np.int64) if task == "binary" else np.array(names)[y]), names


def changes_table(previous, current):
    """List the sentences that are new, kept and gone in each pair of reports."""
    rows = []
    for number, (before, after) in enumerate(zip(previous, current, strict=True)):
        earlier = [] if before is None else before.statements
        place = {id(statement): position for position, statement in enumerate(earlier)}
        for position, statement in enumerate(after.statements):
            match = place.pop(id(statement.before), -1)
            status = "new" if match < 0 else "kept"
            rows.append((number, status, position, after.sentences[position], match, statement))
        for position in place.values():
            gone = earlier[position]
            rows.append((number, "gone", position, before.sentences[position], -1, gone))
    columns = ["report", "status", "sentence", "text", "match"]
    table = pd.DataFrame([row[:-1] for row in rows], columns=columns)
    stated = [row[-1] for row in rows]
    kept = table["status"].to_numpy() == "kept"
    table["worse"] = kept & np.array([s.grew for s in stated], dtype=bool)
    table["finding"] = np.array([s.is_finding for s in stated], dtype=bool)
    table["important"] = np.array([s.is_important for s in stated], dtype=bool)
    return table
