"""What is used on reports today, ready to be compared with: TF-IDF and a plain classifier."""

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel.text._encoders import _MOSTLY_CJK
from sklearn_medsel.text._reports import check_reports
from sklearn_medsel.text._script import cjk_share

_SCRIPTS = ("auto", "word", "char")
_TERMS = {
    "word": {"ngram_range": (1, 2)},
    # Chinese and Japanese write no spaces between words
    "char": {"ngram_range": (1, 3), "analyzer": "char"},
}
_SAMPLE = 200  # reports that tell the script
_N_TREES = 300
_MAX_ITER = 2000


def baseline_report_classifiers(*, script="auto", random_state=None):
    """Classifiers of reports to compare with: TF-IDF, and a linear model or a forest.

    - ``"TF-IDF + logistic regression"``: C = 10, classes balanced.
    - ``"TF-IDF + linear SVM"``: C = 1, classes balanced. It gives no probabilities.
    - ``"TF-IDF + random forest"``: 300 trees, classes balanced.

    Terms occur in at least two reports, and their counts enter by their logarithm. Current and
    previous report have terms of their own.

    Parameters
    ----------
    script : {"auto", "word", "char"}, default="auto"
        ``"word"``: words and pairs of words. ``"char"``: one to three characters, for Chinese
        and Japanese. ``"auto"``: what most letters of the training reports ask for.
    random_state : int, RandomState instance or None, default=None
        Seed of the forest and the SVM.

    Returns
    -------
    dict of str to Pipeline
        They take what `ReportAttentionClassifier` takes.

    Raises
    ------
    ValueError
        If `script` is not one of the three.

    Examples
    --------
    >>> from sklearn_medsel.datasets import make_reports
    >>> from sklearn_medsel.text import baseline_report_classifiers
    >>> data = make_reports(60, random_state=0)
    >>> classifiers = baseline_report_classifiers(random_state=0)
    >>> list(classifiers)
    ['TF-IDF + logistic regression', 'TF-IDF + linear SVM', 'TF-IDF + random forest']
    >>> model = classifiers["TF-IDF + logistic regression"].fit(data.X, data.y)
    >>> model.predict_proba(data.X).shape
    (60, 2)
    """
    if script not in _SCRIPTS:
        raise ValueError(f"script must be one of {', '.join(map(repr, _SCRIPTS))}; got {script!r}.")
    models = {
        "logistic regression": LogisticRegression(
            C=10, class_weight="balanced", max_iter=_MAX_ITER
        ),
        "linear SVM": LinearSVC(C=1, class_weight="balanced", random_state=random_state),
        "random forest": RandomForestClassifier(
            _N_TREES, class_weight="balanced", random_state=random_state
        ),
    }
    return {
        f"TF-IDF + {name}": make_pipeline(ReportTfidf(script), model)
        for name, model in models.items()
    }


class ReportTfidf(TransformerMixin, BaseEstimator):
    """TF-IDF of reports, with terms of their own for the previous report and the claim.

    Parameters
    ----------
    script : {"auto", "word", "char"}, default="auto"
        As in `baseline_report_classifiers`.
    """

    def __init__(self, script="auto"):
        self.script = script

    def fit(self, X, y=None):
        """Learn terms and their weights.

        Parameters
        ----------
        X : array-like of str, or DataFrame
            Reports, as `ReportAttentionClassifier` takes them.
        y : None
            Ignored.

        Returns
        -------
        ReportTfidf
            Fitted, with ``vectorizers_`` by column and ``script_``.
        """
        reports = check_reports(X)
        is_cjk = cjk_share(" ".join(reports.current[:_SAMPLE])) >= _MOSTLY_CJK
        self.script_ = self.script if self.script != "auto" else "char" if is_cjk else "word"
        fitted = {
            column: self._vectorizer(texts)
            for column, texts in _columns(reports).items()
            if texts is not None
        }
        self.vectorizers_ = {name: one for name, one in fitted.items() if one is not None}
        if "current" not in self.vectorizers_:
            raise ValueError("X: no term occurs in two reports, so there is nothing to learn from.")
        return self

    def transform(self, X):
        """Weigh the terms of each report.

        Parameters
        ----------
        X : array-like of str, or DataFrame
            Reports with the columns of ``fit``.

        Returns
        -------
        sparse array of shape (n_reports, n_terms), float64
            Current report first.
        """
        check_is_fitted(self)
        columns = _columns(check_reports(X))
        missing = [name for name in self.vectorizers_ if columns[name] is None]
        if missing:
            raise ValueError(f"X has no column {missing[0]!r}, which it had at fit.")
        blocks = [one.transform(columns[name]) for name, one in self.vectorizers_.items()]
        return sparse.hstack(blocks, format="csr")

    def _vectorizer(self, texts):
        """Fit a vectorizer, or return None where no term occurs twice."""
        vectorizer = TfidfVectorizer(
            min_df=2, sublinear_tf=True, dtype=np.float64, **_TERMS[self.script_]
        )
        try:
            return vectorizer.fit(texts)
        except ValueError:  # no terms at all, or none that is left
            return None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags


def _columns(reports):
    previous = reports.previous
    return {
        "current": reports.current,
        "previous": None if previous is None else [text or "" for text in previous],
        "claim": reports.claims,
    }
