"""Which sentences of a report speak for a finding, and what has changed since the one before."""

from sklearn_medsel.inspection._plotting import check_count, new_axes
from sklearn_medsel.inspection._report_drawing import (
    decorate,
    draw_bars,
    name_sentences,
    writable,
    write_title,
)
from sklearn_medsel.inspection._report_html import render
from sklearn_medsel.inspection._report_predictions import Predictions
from sklearn_medsel.inspection._report_rows import (
    KINDS,
    check_changes,
    check_sentences,
    check_texts,
    grade_rows,
)
from sklearn_medsel.inspection._report_source import ask_estimator


class ReportAttentionDisplay:
    """Reports with their sentences marked by what a classifier made of them.

    A notebook shows a page: each report in full with its line breaks, its predicted probability,
    and its sentences shaded, underlined and numbered by their values; pairs of reports also show
    what is new, kept, changed and gone. `plot` draws one report as bars. All texts are escaped, the
    page loads nothing and runs no script, fits light and dark notebooks, and can be read without
    colour. It holds the reports in full: treat it as you treat them.

    Create it with `from_estimator`; constructor arguments are stored as attributes.

    Parameters
    ----------
    sentences : DataFrame
        One row per sentence with columns report (number of its report), sentence (its position),
        start and end (offsets into the report, in characters) and value; and class, where there
        are more than two or several at a time.
    texts : sequence of str or Series of str
        The reports to show. The index of a Series holds the report numbers; otherwise they are
        positions.
    probabilities : array-like of shape (n_reports,) or (n_reports, n_classes) or None, default=None
        Predicted for each of `texts`: of the positive class, or of every class.
    threshold : float or array-like of shape (n_classes,) or None, default=None
        Probability from which a report is flagged; None flags none.
    value_name : {"evidence", "attention", "contribution"}, default="evidence"
        What the values are: from 0 to 1, parts of 1, or signed changes of the log-odds.
    changes : DataFrame or None, default=None
        Comparison with previous reports: columns report, status ("new", "kept" or "gone"),
        sentence, text, match_text, and changed (bool: kept in other words or numbers). A report
        without rows has no previous one.
    labels : sequence of str or None, default=None
        Names of the classes, in the order of `probabilities`; of two, the second is the positive
        one.
    n_left_out : int, default=0
        How many more reports there are; said at the end of the page.

    Attributes
    ----------
    rows_ : DataFrame
        `sentences` with what is shown of them: grade (-5 to 5), rank (1 to 3, else 0), status and
        was (the matching sentence of the previous report).
    ax_ : matplotlib Axes
        Where the picture is; after `plot`.
    figure_ : matplotlib Figure
        The figure around it.
    bars_ : matplotlib BarContainer
        The bars, one per sentence shown.
    shown_ : DataFrame
        The rows of `rows_` that the bars stand for, from top to bottom.

    Raises
    ------
    ValueError
        If tables and texts do not fit together: an unknown report, offsets outside a report,
        sentences that overlap, a value that is not finite. No message shows a report's text.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_medsel.inspection import ReportAttentionDisplay
    >>> report = "Heart size is normal. New 9 mm nodule in the right upper lobe."
    >>> sentences = pd.DataFrame(
    ...     {
    ...         "report": [0, 0],
    ...         "sentence": [0, 1],
    ...         "start": [0, 22],
    ...         "end": [21, 62],
    ...         "value": [0.02, 0.93],
    ...     }
    ... )
    >>> display = ReportAttentionDisplay(
    ...     sentences, [report], probabilities=[0.88], threshold=0.4, labels=["normal", "important"]
    ... )
    >>> page = display.to_html(full_page=True)
    >>> "▲ flagged" in page
    True
    >>> display.plot().ax_.get_title(loc="left")
    'Report 0: important 0.88, flagged (threshold 0.40)'
    """

    def __init__(
        self,
        sentences,
        texts,
        *,
        probabilities=None,
        threshold=None,
        value_name="evidence",
        changes=None,
        labels=None,
        n_left_out=0,
    ):
        if value_name not in KINDS:
            raise ValueError(f"value_name must be one of {', '.join(KINDS)}.")
        self.sentences = sentences
        self.texts = texts
        self.probabilities = probabilities
        self.threshold = threshold
        self.value_name = value_name
        self.changes = changes
        self.labels = labels
        self.n_left_out = n_left_out
        self._texts = check_texts(texts)
        self._changes = None if changes is None else check_changes(changes, self._texts)
        checked = check_sentences(sentences, self._texts)
        self.rows_ = grade_rows(checked, value_name, self._changes)
        self._predictions = Predictions(
            probabilities, threshold, labels, self._texts.index, classes=_classes(sentences)
        )

    @classmethod
    def from_estimator(
        cls, estimator, X, *, kind="evidence", reports=None, max_reports=20, ax=None
    ):
        """Show reports with what a fitted classifier of reports says of their sentences.

        Parameters
        ----------
        estimator : estimator
            Fitted `ReportAttentionClassifier`; also as the last step of a Pipeline, in a search, or
            in a `TunedThresholdClassifierCV`, whose threshold is then shown.
        X : sequence of str, or DataFrame with columns previous and current
            Reports, or pairs of them.
        kind : {"evidence", "attention", "contribution"}, default="evidence"
            What to show of each sentence. Attention says where the model looked, and not why.
        reports : sequence of int or None, default=None
            Positions in `X` of the reports to show, in this order; None shows them from the first.
        max_reports : int, default=20
            Number of reports to show, at most; the page says how many were left out.
        ax : matplotlib Axes or None, default=None
            Where to plot the first report; None plots nothing until `plot` is called.

        Returns
        -------
        ReportAttentionDisplay
            Shown as a page by a notebook.

        Raises
        ------
        NotFittedError
            If `estimator` is not fitted.
        TypeError
            If it has no method for `kind`, such as ``sentence_evidence``.
        ValueError
            If `kind`, `reports` or `max_reports` is not as described.
        """
        display = cls(
            **ask_estimator(estimator, X, kind=kind, reports=reports, max_reports=max_reports)
        )
        return display if ax is None else display.plot(ax=ax)

    def plot(self, report=None, *, ax=None, max_sentences=20, label=None):
        """Plot the sentences of one report as bars, in the order of the report.

        The strongest is hatched. Sentences in Chinese or Japanese are written in an installed font
        that has their characters; where matplotlib finds none, bars are named by position, such as
        "sentence 3" (the first is 0).

        Parameters
        ----------
        report : int or None, default=None
            Number of the report; None plots the first.
        ax : matplotlib Axes or None, default=None
            Where to plot; None makes a new figure.
        max_sentences : int, default=20
            Number of sentences to show, at most: the strongest.
        label : str or None, default=None
            Class to show, where there are several; None shows the most probable.

        Returns
        -------
        ReportAttentionDisplay
            This display, with `ax_`, `figure_`, `bars_` and `shown_`.

        Raises
        ------
        ValueError
            If there is no such report or class, or `max_sentences` is not at least 1.
        ImportError
            If matplotlib is not installed.
        """
        check_count(max_sentences, "max_sentences")
        report, label = self._find(report, label)
        rows = self._rows_of(report, label)
        strongest = rows["value"].abs().sort_values(ascending=False, kind="stable").index
        self.shown_ = rows = rows.loc[strongest[:max_sentences].sort_values()]
        ax = new_axes(ax, self, (8.6, 1.5 + 0.42 * max(len(rows), 2)))
        self.ax_, self.figure_ = ax, ax.get_figure(root=True)
        self.bars_ = draw_bars(ax, rows, self.value_name)
        name_sentences(ax, rows, self._texts[report])
        name = writable(self._predictions.name if label is None else label, "the class")
        decorate(ax, rows, self.value_name, name)
        write_title(ax, self._predictions.title(report, label, name))
        return self

    def to_html(self, *, full_page=False):
        """Write the page.

        Parameters
        ----------
        full_page : bool, default=False
            Whether to write a document of its own, to be saved as a file in UTF-8, or an element
            that a notebook can show.

        Returns
        -------
        str
            HTML without scripts and without anything to be loaded.
        """
        return render(
            [self._card(report) for report in self._texts.index],
            kind=self.value_name,
            name="the class" if "class" in self.rows_ else self._predictions.name,
            n_left_out=self.n_left_out,
            full_page=full_page,
        )

    def _repr_html_(self):
        return self.to_html()

    def _card(self, report):
        changes = self._changes
        return {
            "number": report,
            "text": self._texts[report],
            "verdicts": self._predictions.verdicts(report),
            "panels": [
                (label, self._rows_of(report, label))
                for label in self._predictions.classes_to_show(report)
            ],
            "changes": None if changes is None else changes[changes["report"] == report],
        }

    def _rows_of(self, report, label):
        rows = self.rows_[self.rows_["report"] == report]
        return rows if label is None else rows[rows["class"] == label]

    def _find(self, report, label):
        """Check the report and class to plot, or choose the first and the most probable."""
        if report is None and len(self._texts):
            report = self._texts.index[0]
        if report not in self._texts.index:
            raise ValueError(
                f"report must be the number of one of the {len(self._texts)} reports shown, found "
                f"{report!r}."
            )
        classes = self._predictions.classes
        if label is None:
            label = self._predictions.classes_to_show(report)[0]
        elif str(label) not in (classes or ()):
            raise ValueError(
                f"label must be one of the classes of sentences ({', '.join(classes or ())}), "
                f"found {label!r}."
            )
        return report, label if label is None else str(label)


def _classes(sentences):
    """List the classes in their own order, where there are several."""
    return list(dict.fromkeys(map(str, sentences["class"]))) if "class" in sentences else None
