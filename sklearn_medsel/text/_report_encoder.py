"""ReportEncoder: reports as columns of numbers, for a ColumnTransformer."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_medsel._plain import paths_as_text
from sklearn_medsel.base import progress
from sklearn_medsel.text._bags import sum_by_report
from sklearn_medsel.text._polarity import MARK
from sklearn_medsel.text._reading import (
    Reader,
    choose_encoder,
    in_steps,
    kept_fingerprint,
    same_encoder,
)
from sklearn_medsel.text._reports import read_column
from sklearn_medsel.text._vectors import fit_components, take_components

_POOLINGS = ("mean", "max")
_STEPS = 10


class ReportEncoder(TransformerMixin, CallbackSupportMixin, BaseEstimator):
    """Turn a column of reports into features: sentence vectors, reduced and pooled.

    A report is split into sentences, each is encoded, principal components of the training
    sentences are taken, and each component is pooled over the sentences of a report. Labels are
    not used, so nothing of them can leak.

    Parameters
    ----------
    encoder : str, path or object, default="auto"
        As in `ReportAttentionClassifier`.
    splitter : "auto", "lines" or callable, default="auto"
        As there.
    pooling : tuple of {"mean", "max"}, default=("mean", "max")
        How a component is pooled: its mean over the sentences says what the report is about, its
        maximum whether any sentence stands out.
    n_components : int or None, default=32
        Principal components of the sentence vectors. None: the vectors as they are.
    cache : None, False, path or SentenceCache, default=None
        As there: vectors of sentences are shared over folds and grid points.
    device : str, default="auto"
        ``"auto"``: CUDA if there is one, else the CPU.

    Attributes
    ----------
    encoder_name_ : str
        The encoder that was used.
    n_features_out_ : int
        Number of columns.

    See Also
    --------
    ReportAttentionClassifier : Classify reports directly.

    Notes
    -----
    A missing or empty report has no sentence: its pooled components are 0, the mean over the
    training sentences, and ``n_sentences`` is 0.

    Examples
    --------
    >>> from sklearn.compose import make_column_transformer
    >>> import pandas as pd
    >>> from sklearn_medsel import ReportEncoder
    >>> X = pd.DataFrame({"report": ["No effusion. Heart normal.", "Large mass."], "age": [61, 70]})
    >>> encoder = ReportEncoder("hashing", n_components=1)
    >>> columns = make_column_transformer((encoder, "report"), ("passthrough", ["age"]))
    >>> columns.set_output(transform="pandas").fit_transform(X).columns.tolist()[:3]
    ['reportencoder__mean0', 'reportencoder__max0', 'reportencoder__n_sentences']
    """

    _parameter_constraints: dict = {
        "encoder": "no_validation",
        "splitter": [str, callable],
        "pooling": [tuple, list],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "cache": "no_validation",
        "device": [str],
    }

    def __init__(
        self,
        encoder="auto",
        *,
        splitter="auto",
        pooling=_POOLINGS,
        n_components=32,
        cache=None,
        device="auto",
    ):
        self.encoder = encoder
        self.splitter = splitter
        self.pooling = pooling
        self.n_components = n_components
        self.cache = cache
        self.device = device

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Choose the encoder and learn the components.

        Parameters
        ----------
        X : array-like of str of shape (n,), or DataFrame with one column
            Reports; missing ones are allowed.
        y : None
            Not used.

        Returns
        -------
        self
            Fitted.
        """
        unknown = [name for name in self.pooling if name not in _POOLINGS]
        if unknown or not len(self.pooling):
            raise ValueError(f"pooling must name some of {_POOLINGS}, got {tuple(self.pooling)!r}.")
        reports = read_column(X)
        encoder = choose_encoder(self.encoder, reports, device=self.device)
        self.encoder_name_, self._fingerprint = encoder.name, kept_fingerprint(encoder)
        with progress(self, X, y, n_steps=_STEPS) as step:
            reader = Reader(self.splitter, encoder, self.cache)
            vectors = reader.read(reports, in_steps(step, _STEPS)).vectors
        if not len(vectors):
            raise ValueError("X has no report with a sentence: there is nothing to encode.")
        self._pca = None
        if self.n_components is not None:
            self._pca = fit_components(vectors, self.n_components)
        n_pooled = vectors.shape[1] if self._pca is None else self._pca.n_components_
        self.n_features_out_ = len(self.pooling) * n_pooled + 2
        return self

    def transform(self, X):
        """Encode reports.

        Parameters
        ----------
        X : array-like of str of shape (n,), or DataFrame with one column
            Reports; missing ones are allowed.

        Returns
        -------
        ndarray of shape (n, n_columns), float64
            Pooled components, then the number of sentences and the share of them with a denial.
        """
        check_is_fitted(self)
        reports = read_column(X)
        encoder = same_encoder(
            self.encoder, self.encoder_name_, self._fingerprint, device=self.device
        )
        bags = Reader(self.splitter, encoder, self.cache).read(reports)
        vectors = bags.vectors
        if self._pca is not None:
            vectors = take_components(self._pca, vectors)
        pooled = [_pool(vectors.astype(float), bags.sizes, how) for how in self.pooling]
        denies = np.array([any(term.startswith(MARK) for term in found) for found in bags.terms])
        n_sentences = np.maximum(bags.sizes, 1)
        denied = sum_by_report(denies.astype(float), bags.sizes) / n_sentences
        return np.column_stack([*pooled, bags.sizes, denied])

    def get_feature_names_out(self, input_features=None):
        """Name the columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Not used.

        Returns
        -------
        ndarray of str
            Such as ``mean0``, ``max0``, ``n_sentences`` and ``share_denied``.
        """
        check_is_fitted(self)
        n_pooled = (self.n_features_out_ - 2) // len(self.pooling)
        names = [f"{how}{k}" for how in self.pooling for k in range(n_pooled)]
        return np.array([*names, "n_sentences", "share_denied"], dtype=object)

    def __getstate__(self):
        """Keep paths as text: that can be stored without pickle."""
        return paths_as_text(super().__getstate__())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        return tags


def _pool(vectors, sizes, how):
    """Pool vectors (n_sentences, d) over each report; zero where there are no sentences."""
    if how == "mean":
        return sum_by_report(vectors, sizes) / np.maximum(sizes, 1)[:, None]
    return sum_by_report(vectors, sizes, np.maximum)
