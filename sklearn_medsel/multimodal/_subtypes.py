"""Subtypes of a disease: clusters of patients that hold when patients are left out."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_array, check_consistent_length, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .._plain import plain_columns
from .._refit import unchanged_if_it_fails
from .._validation import check_survival_y, is_survival_y
from ..base import CallbackSupportMixin, draw_seeds, one_blas_thread, progress
from ..survival import logrank_test
from ._blocks import name_rows
from ._consensus import consensus_labels, draw_subsamples
from ._subtype_evidence import N_KINDS, compare_with_null, describe_finding, measure_stability

_FEWEST_PER_CLUSTER = 4
_LEVEL = 0.05


class SubtypeClusterer(CallbackSupportMixin, ClusterMixin, BaseEstimator):
    """Consensus clustering of patients, with a test whether there are clusters at all.

    k-means is run on many subsamples of the patients. Two patients belong together if they are
    in one cluster whenever both are drawn; the final labels come from that consensus. Where there
    are clusters, most pairs are always or never together. k-means finds clusters in anything, so
    the share of ambiguous pairs, and how tight the clusters are, are compared with two kinds of
    data without clusters: flat with the covariance of `X`, and skewed like its columns. Unless
    fewer pairs are ambiguous, and one of the two is clearly lower, `n_clusters_` is 1 and
    `finding_` says so.

    Parameters
    ----------
    n_clusters : int or "auto", default="auto"
        Number of clusters. ``"auto"`` takes the one whose share of ambiguous pairs falls most below
        that of data without clusters.
    representation : estimator or None, default=None
        Clusters are looked for in what its ``transform`` makes of `X`, such as a fitted
        `MultimodalCox`. An unfitted one is cloned and fitted on `X` without `y`. None takes `X`.
    n_resamples : int, default=100
        Number of subsamples.
    max_clusters : int, default=8
        Largest number that ``"auto"`` tries; no more than one cluster per four patients.
    subsample : float, default=0.8
        Share of the patients in a subsample.
    n_references : int, default=20
        Number of data sets without clusters to compare with, of each of the two kinds.
    random_state : int, RandomState instance or None, default=None
        Seed of subsamples, first centres and references.

    Attributes
    ----------
    labels_ : ndarray of shape (n_patients,), int64
        Cluster of each patient, 0 for the largest. Made without `y`.
    n_clusters_ : int
        Number of clusters; 1 if ``"auto"`` found none.
    structured_ : bool
        Whether the clusters are clearer than in data without any, at a corrected p below 0.05.
    pvalue_ : float
        That p-value, corrected for the numbers of clusters that were tried.
    finding_ : str
        The same in words.
    pac_ : DataFrame
        One row per number of clusters tried: n_clusters, pac (proportion of ambiguous clustering:
        pairs with a consensus between 0.1 and 0.9), reference (that of data without clusters), gain
        (logarithm of reference over pac), dispersion (sum of squares within clusters over that of
        all), reference_dispersion, and pvalue (not corrected for the number of rows; 1 where the
        pairs are no less ambiguous than the reference). The reference is the kind of data without
        clusters that gives the larger p-value.
    consensus_ : ndarray of shape (n_patients, n_patients), float32
        How often two patients were in one cluster, of the times both were drawn; all one if
        there is one cluster.
    stability_ : DataFrame
        One row per cluster: cluster, n_patients, within and between (mean consensus of its pairs
        of patients, and with patients of other clusters).
    patient_stability_ : ndarray of shape (n_patients,), float64
        Mean consensus of each patient with the others of the cluster.
    cluster_centers_ : ndarray of shape (n_clusters, n_features), float64
        Means of the clusters, in the representation.
    logrank_ : LogrankResult or None
        Test whether survival differs between the clusters, if `y` was a survival target with an
        event and there is more than one cluster.
    representation_ : estimator or None
        The fitted representation.
    n_features_in_ : int
        Number of columns, without a representation.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if `X` had any and there is no representation.

    See Also
    --------
    RiskStratifier : Groups made by the risk, not by likeness.

    Notes
    -----
    k-means weighs columns by their variance: scale them before, such as by a Pipeline given as
    representation. References of the one kind are uniform, with the principal variances of the
    data; of all symmetric shapes with one peak, that is the one most easily taken for clusters
    [4]_. Those of the other kind are bent normal scores with the rank correlations and the skews of
    the columns [5]_, as skewed columns that go together, such as concentrations, have a dense end
    and a thin one. What counts is the kind that is the harder to tell from the data. Concentrations
    are still best brought to logarithms before: the clusters they have are clearer then. Clouds
    along a curve are still taken for clusters. Two clusters far
    apart look, to the consensus, like one long cloud cut in half; the sum of squares within
    clusters tells them apart. So both are tested, by how far they lie below the references in
    standard deviations (Student's distribution). Both sides use 25 subsamples, as few subsamples
    blur a consensus.

    A representation that was itself trained on survival, on the same patients, knows it: then the
    log-rank test says little. Use cross-fitted or unsupervised representations for that test.

    References
    ----------
    .. [1] Monti S, Tamayo P, Mesirov J, Golub T. Consensus clustering. Mach Learn 2003;52:91-118.
    .. [2] Senbabaoglu Y, Michailidis G, Li JZ. Critical limitations of consensus clustering in
       class discovery. Sci Rep 2014;4:6207.
    .. [3] John CR, Watson D, Russ D, et al. M3C: Monte Carlo reference-based consensus clustering.
       Sci Rep 2020;10:1816.
    .. [4] Tibshirani R, Walther G, Hastie T. Estimating the number of clusters in a data set via
       the gap statistic. J R Stat Soc B 2001;63:411-423.
    .. [5] Hoaglin DC. Summarizing shape numerically: the g-and-h distributions. In: Exploring Data
       Tables, Trends, and Shapes. Wiley, 1985, 461-513.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.multimodal import SubtypeClusterer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(90, 5)) + 4 * np.eye(5)[np.repeat([0, 1, 2], 30)]
    >>> clusterer = SubtypeClusterer(random_state=0).fit(X)
    >>> clusterer.n_clusters_, clusterer.structured_
    (3, True)
    >>> noise = SubtypeClusterer(random_state=0).fit(rng.normal(size=(90, 5)))
    >>> noise.n_clusters_, noise.structured_
    (1, False)
    """

    _parameter_constraints: dict = {
        "n_clusters": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "representation": [HasMethods(["fit", "transform"]), None],
        "n_resamples": [Interval(Integral, 2, None, closed="left")],
        "max_clusters": [Interval(Integral, 2, None, closed="left")],
        "subsample": [Interval(RealNotInt, 0, 1, closed="neither")],
        "n_references": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_clusters="auto",
        *,
        representation=None,
        n_resamples=100,
        max_clusters=8,
        subsample=0.8,
        n_references=20,
        random_state=None,
    ):
        self.n_clusters = n_clusters
        self.representation = representation
        self.n_resamples = n_resamples
        self.max_clusters = max_clusters
        self.subsample = subsample
        self.n_references = n_references
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Cluster the patients.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Numeric columns without missing values, or what the representation takes.
        y : structured array of shape (n_patients,), DataFrame or None, default=None
            Event and time, see `make_survival_y`, for the log-rank test alone; labels are made
            without it. Any other target is not used.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        ValueError
            If values are missing or not numeric, there are too few patients (or too few that
            differ) for `n_clusters`, `y` is a survival target that is not valid or of another
            length, or the representation needs `y` and is not fitted.
        """
        with unchanged_if_it_fails(self):
            return self._fit(X, y)

    def _fit(self, X, y):
        n_events = 0
        if is_survival_y(y):
            event, _ = check_survival_y(y, require_events=False)
            check_consistent_length(X, y)
            n_events = event.sum()
        self.representation_ = _fitted(self.representation, X)
        values = self._represent(X, reset=True)
        tried = self._numbers_to_try(len(values), len(np.unique(values, axis=0)))
        rng = np.random.default_rng(draw_seeds(self.random_state, 1)[0])
        n_steps = 1 + N_KINDS * self.n_references
        with (
            progress(self, X, y, n_steps=n_steps, task_name="data set") as step,
            one_blas_thread(),
        ):
            member = draw_subsamples(len(values), self.n_resamples, self.subsample, rng)
            consensus, pac = compare_with_null(
                values - values.mean(axis=0), tried, member, self.n_references, rng, step
            )
        # columns of plain arrays, which every format can store; the properties make tables of them
        self._tables = {"pac": plain_columns(pac)}
        self._choose(consensus, len(values))
        self.finding_ = describe_finding(self)
        self.patient_stability_, stability = measure_stability(self.consensus_, self.labels_)
        self._tables["stability"] = plain_columns(stability)
        self.cluster_centers_ = np.array(
            [values[self.labels_ == cluster].mean(axis=0) for cluster in range(self.n_clusters_)]
        )
        testable = n_events and self.n_clusters_ > 1
        self.logrank_ = logrank_test(y, self.labels_) if testable else None
        return self

    def _represent(self, X, reset):
        if self.representation_ is None:
            _check_columns(X)
            fewest = 2 if reset else 1
            return validate_data(self, X, dtype=np.float64, ensure_min_samples=fewest, reset=reset)
        values = self.representation_.transform(X)
        if hasattr(values, "toarray"):
            values = values.toarray()
        return check_array(values, dtype=np.float64, input_name="the representation of X")

    def _numbers_to_try(self, n_patients, n_different):
        if self.n_clusters == "auto":
            most = min(self.max_clusters, n_patients // _FEWEST_PER_CLUSTER, n_different)
            return range(2, most + 1)
        if self.n_clusters == 1:
            return []
        if self.n_clusters > n_different:
            raise ValueError(
                f"n_clusters={self.n_clusters} is more than the {n_different} different patients: "
                "the others are copies of them. Lower it."
            )
        if self.n_clusters >= round(self.subsample * n_patients):
            raise ValueError(
                f"n_clusters={self.n_clusters} is too many for subsamples of "
                f"{round(self.subsample * n_patients)} of n_samples={n_patients} patients; lower "
                "it."
            )
        return [self.n_clusters]

    def _choose(self, consensus, n_patients):
        """Number of clusters and labels."""
        table = self.pac_
        corrected = np.minimum(table["pvalue"] * len(table), 1.0)
        clear = table[corrected < _LEVEL]
        self.structured_ = bool(len(clear))
        self.pvalue_ = float(corrected.min()) if len(table) else 1.0
        if len(table) and (self.structured_ or self.n_clusters != "auto"):
            best = (clear if self.structured_ else table)["gain"].idxmax()
            self.n_clusters_ = int(table["n_clusters"][best])
            self.pvalue_ = float(corrected[best])
            self.consensus_ = consensus[self.n_clusters_]
            self.labels_ = consensus_labels(self.consensus_, self.n_clusters_)
        else:
            self.n_clusters_ = 1
            self.consensus_ = np.ones((n_patients, n_patients), np.float32)
            self.labels_ = np.zeros(n_patients, np.int64)

    @property
    def pac_(self):
        """Ambiguity and tightness for every number of clusters tried."""
        return self._table("pac")

    @property
    def stability_(self):
        """Consensus within and between clusters."""
        return self._table("stability")

    def _table(self, name):
        tables = getattr(self, "_tables", {})
        if name not in tables:
            raise AttributeError(f"{type(self).__name__} is not fitted yet.")
        return pd.DataFrame(tables[name])

    def predict(self, X):
        """Put patients into the cluster with the nearest centre.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Patients, as in `fit`.

        Returns
        -------
        ndarray of shape (n_patients,), int64
            Clusters. For the patients of `fit` they can differ from `labels_`, which come from the
            consensus.
        """
        check_is_fitted(self, "cluster_centers_")
        values = self._represent(X, reset=False)
        centres = self.cluster_centers_
        scores = np.einsum("ij,ij->i", centres, centres) - 2 * values @ centres.T
        return scores.argmin(axis=1).astype(np.int64)


def _fitted(representation, X):
    """The representation as it is if it is fitted, else a clone fitted without a target."""
    if representation is None:
        return None
    try:
        check_is_fitted(representation)
    except NotFittedError:
        if get_tags(representation).target_tags.required:
            raise ValueError(
                f"representation={type(representation).__name__} needs a target to be fitted, and "
                "clusters are made without one: pass it fitted, best on other patients."
            ) from None
        return clone(representation).fit(X)
    return representation


def _check_columns(X):
    """Name the columns that hold no numbers, or not for all patients."""
    if not isinstance(X, pd.DataFrame):
        return
    for name, column in X.items():
        try:
            missing = np.isnan(column.to_numpy(dtype=np.float64, na_value=np.nan))
        except (TypeError, ValueError):
            raise ValueError(
                f"column {name!r} of X is not numeric (dtype {column.dtype}); encode it, leave it "
                "out, or pass a representation that takes it."
            ) from None
        if missing.any():
            raise ValueError(
                f"column {name!r} of X holds NaN at {name_rows(missing, X.index)}; impute, or pass "
                "a representation that does."
            )
