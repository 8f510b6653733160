"""What the reader of a report sees: which sentence carries the finding, and what has changed."""

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.metrics import average_precision_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel.base import resolve_device
from sklearn_medsel.text._comparison import comparison_table
from sklearn_medsel.text._reports import check_reports
from sklearn_medsel.text._sentence_labels import check_sentence_y


def _pays_attention(classifier):
    if classifier.mode in ("hybrid", "attention"):
        return True
    raise AttributeError(
        f"mode={classifier.mode!r} has no attention: use sentence_evidence, or fit with "
        "mode='hybrid' or 'attention'."
    )


class ReportExplanations:
    """Sentence by sentence: the part of `ReportAttentionClassifier` that explains.

    Works on the fitted attributes of the classifier.
    """

    @available_if(_pays_attention)
    def sentence_attention(self, X):
        """Say how much attention each sentence gets.

        Attention says where the network looked. It is not evidence: use `sentence_evidence` to
        find the sentence that carries the finding.

        Parameters
        ----------
        X : array-like of str, or DataFrame
            Reports, as in ``fit``.

        Returns
        -------
        DataFrame
            Columns report (position in `X`), sentence (position in the report), text, start, end
            (offsets: ``text == report[start:end]``), class where there are more than two or
            several labels, and value: 0 to 1, of sum 1 over a report.
        """
        reports, bags = self._read(X)
        device = resolve_device(self.device)
        return self._table(reports, bags, self._channels.sentence_attention(bags, device=device))

    def sentence_evidence(self, X):
        """Say of each sentence how likely it carries the finding.

        Parameters
        ----------
        X : array-like of str, or DataFrame
            Reports, as in ``fit``.

        Returns
        -------
        DataFrame
            As from `sentence_attention`; value is a probability, by the balanced evidence head
            (``mode="hybrid"`` and ``"evidence"``) or what the lexical model says of the sentence
            by itself. With ``mode="attention"`` it is the attention, for want of anything better.
        """
        reports, bags = self._read(X)
        return self._table(reports, bags, self._evidence(bags))

    def sentence_contribution(self, X):
        """Say how much the report's log-odds would change without each sentence.

        The whole model is asked again without the sentence, so this costs as many predictions as
        there are sentences.

        Parameters
        ----------
        X : array-like of str, or DataFrame
            Reports, as in ``fit``.

        Returns
        -------
        DataFrame
            As from `sentence_attention`; value is the log-odds of the class (the second of two)
            minus those without the sentence: positive if it speaks for the class.
        """
        reports, bags = self._read(X)
        without = self._log_odds(bags.without_each()) if len(bags.sentences) else 0
        return self._table(reports, bags, self._log_odds(bags)[bags.owner] - without)

    def evidence_score(self, X, sentence_y):
        """Measure `sentence_evidence` against sentences that someone marked.

        Reports with at least one marked sentence and more than one sentence count.

        Parameters
        ----------
        X : array-like of str, or DataFrame
            Reports, as in ``fit``.
        sentence_y : sequence of (sequence of int, sequence of pairs, or None)
            As in ``fit``.

        Returns
        -------
        dict of str to float
            ``"hit@1"``: how often the sentence with the most evidence is a marked one.
            ``"average_precision"``: of the ranking of a report's sentences, averaged over the
            reports. ``"n_reports"``: how many counted. With more than two classes, the evidence
            for the predicted class counts; with several labels, the largest.

        Raises
        ------
        ValueError
            If `sentence_y` does not fit the sentences, or no report counts.
        """
        _, bags = self._read(X)
        marks = check_sentence_y(sentence_y, bags, required=True)
        value = self._evidence_of_prediction(bags)
        hits, precisions = [], []
        for start, size in zip(bags.starts, bags.sizes, strict=True):
            here = slice(start, start + size)
            if size < 2 or np.isnan(marks[here]).any() or not marks[here].any():
                continue
            hits.append(marks[here][np.argmax(value[here])])
            precisions.append(average_precision_score(marks[here], value[here]))
        if not hits:
            raise ValueError(
                "sentence_y marks no sentence in a report of more than one: nothing to score."
            )
        return {
            "hit@1": float(np.mean(hits)),
            "average_precision": float(np.mean(precisions)),
            "n_reports": len(hits),
        }

    def compare(self, X):
        """List what is new, kept and gone since the previous report.

        Parameters
        ----------
        X : DataFrame
            Columns previous (missing for a first examination, all of which is new) and current.

        Returns
        -------
        DataFrame
            Columns report, status ("new", "kept" or "gone"), sentence (position in the current
            report; of gone ones in the previous), text, start, end, match (position of its match
            in the other report, -1 without), match_text, similarity (0 to 1), and changed: kept,
            but a number, a size or a word of change differs.

        Raises
        ------
        ValueError
            If `X` has no column ``previous``.
        """
        check_is_fitted(self)
        reports = check_reports(X)
        if reports.previous is None:
            raise ValueError("X has no column 'previous': compare needs pairs of reports.")
        return comparison_table(*self._reader().pairs(reports))

    def _evidence_of_prediction(self, bags):
        """Evidence of each sentence for what its report is predicted to be, (n_sentences,)."""
        evidence = self._evidence(bags)
        if self._kind != "multiclass":
            return evidence.max(1)
        predicted = self._log_odds(bags).argmax(1)
        return evidence[np.arange(len(evidence)), predicted[bags.owner]]

    def _evidence(self, bags):
        """Evidence of each sentence, (n_sentences, n_outputs)."""
        if self.mode == "attention":
            return self._channels.sentence_attention(bags, device=resolve_device(self.device))
        return expit(self._channels.sentence_log_odds(bags))

    def _table(self, reports, bags, values):
        """Put values (n_sentences, n_outputs) into a tidy table."""
        owner = bags.owner
        texts = [
            reports.current[report][sentence.start : sentence.end]
            for report, sentence in zip(owner, bags.sentences, strict=True)
        ]
        table = pd.DataFrame(
            {
                "report": owner,
                "sentence": bags.place,
                "text": pd.Series(texts, dtype=object),
                "start": np.array([sentence.start for sentence in bags.sentences], int),
                "end": np.array([sentence.end for sentence in bags.sentences], int),
            }
        )
        if values.shape[1] == 1:
            return table.assign(value=values[:, 0])
        parts = [
            table.assign(**{"class": label, "value": column})
            for label, column in zip(self.classes_, values.T, strict=True)
        ]
        return pd.concat(parts).sort_values(
            ["report", "sentence"], kind="stable", ignore_index=True
        )
