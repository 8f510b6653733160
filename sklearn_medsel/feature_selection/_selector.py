"""DeepFeatureSelector: which genes matter, how sure that is, and whether they come out again."""

from dataclasses import asdict
from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ..base import draw_seeds, one_thread, progress, until_stopped
from ._clusters import correlated_clusters
from ._inputs import read_problem
from ._outcome import TASKS
from ._pairs import MAX_FEATURES, MIN_SAMPLES
from ._path_method import adjust, feature_pvalues, select_by_path
from ._repeats import Repeats, run_repeats, split_blocks
from ._selection import best_of_each
from ._selector_mori import N_DECOY_SETS, select_by_repeats
from ._stability import Stability, nogueira_stability

_MIN_SAMPLES_FOR_PVALUES = 8
_DEFAULT_TOP = 10


class DeepFeatureSelector(SelectorMixin, CallbackSupportMixin, BaseEstimator):
    """Select features by a learned one-to-one layer, with error control.

    A selection layer has one weight per input. Mori et al. [1]_ trained it in front of a dense
    network, again and again, and kept the genes that came out most often; ``method="mori"`` is
    that idea. With 100 patients and 10,000 genes the dense network ranks little better than
    chance, so ``method="path"`` makes the same layer select: an L1 path over the layer and the
    linear part of the network, decoys for p-values, a conditional test against genes that are only
    correlated with a true one, a screen of all pairs, and the dense part only where it predicts
    left-out samples better.

    Parameters
    ----------
    n_features_to_select : int, "auto" or None, default=None
        None: every feature that passes `fdr`, possibly none. An int: that many, best first.
        ``"auto"``: the fewest, of any of three rankings, whose out-of-bag score is within one
        standard error of the best.
    task : {"auto", "classification", "regression", "survival"}, default="auto"
        What `y` is; ``"auto"`` reads it off `y`. Whole numbers are classes unless
        ``task="regression"``.
    method : {"path", "mori"}, default="path"
        See above.
    fdr : float, default=0.1
        Tolerated false discovery rate, and family-wise error rate of pairs.
    hidden_layer_sizes : tuple of int, default=(16,)
        Widths of the dense network's hidden layers. Empty: ``method="path"`` stays linear.
    n_repeats : int, default=20
        Number of repeats: decoy sets and random weights (path), trained networks (mori).
    interactions : bool or "auto", default="auto"
        Whether all pairs are screened (``method="path"``). ``"auto"``: with at least 250 samples,
        where a pair can be found at all, and at most 20,000 features.
    device : str, default="auto"
        ``"auto"``: CUDA if there is one, else the CPU.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision of the computations. ``"auto"``: that of `X`, and float32 for more than
        200,000 values.
    top_k : int or None, default=None
        How many features of each repeat count as selected in `selection_frequencies_` and
        `stability_`. None: as many as are selected, or 10 where the number follows from the
        frequencies or none is selected.
    max_epochs : int, default=100
        Training steps of each network (``method="mori"``).
    learning_rate : float, default=0.1
        Step size of the networks (``method="mori"``).
    n_jobs : int or None, default=None
        Blocks of 20 repeats that run at the same time, through joblib; results do not depend on
        it. ``joblib.parallel_config(backend="dask")`` spreads them over machines.
    warm_start : bool, default=False
        Keep the repeats of the last ``fit`` on the same data and add those that a larger
        `n_repeats` asks for (``method="path"``).
    random_state : int, RandomState instance or None, default=None
        Seed. An int gives the same result in every call, on any joblib backend.
    verbose : int, default=0
        Unused; progress is shown by scikit-learn's callbacks, ``set_callbacks(ProgressBar())``.

    Attributes
    ----------
    support_ : ndarray of shape (n_features,), bool
        Selected features.
    ranking_ : ndarray of shape (n_features,), int64
        1 for the most important feature; all different.
    feature_importances_ : ndarray of shape (n_features,), float64
        Not negative; comparable within one fit only.
    pvalues_, qvalues_ : ndarray of shape (n_features,), float64
        p-values and their Benjamini-Hochberg adjustment over all features; NaN below 8 samples.
    selection_frequencies_ : ndarray of shape (n_features,), float64
        In what part of the repeats the feature was among the best `top_k`.
    decoy_frequencies_ : ndarray of shape (n_decoys,), float64
        The same for the decoys.
    decoy_importances_ : ndarray of shape (n_all_decoys,), float64
        Importances of all decoys of all repeats beside the features' own: the p-values' null.
    frequency_threshold_ : float
        Smallest frequency of a selected feature; NaN if none is selected.
    effects_ : ndarray of shape (n_features,) or (n_features, n_outputs), float64
        Signed effect of one standard deviation: on the log-odds of the second class, on each
        class's score, on the target in its standard deviations, or on the log hazard. Shrunken,
        and zero for features that never entered the path, if `ranked_by_` is ``"path"``; that of
        the feature by itself if it is ``"association"`` or ``"elimination"``.
    stability_ : Stability
        Nogueira's stability of the best `top_k` over the repeats: estimate, low and high.
    ranked_by_ : {"path", "association", "elimination", "mori"}
        What the importances are, see above.
    nonlinear_used_ : bool
        Whether the dense network predicted left-out samples better and shares in the ranking.
    n_iter_ : int
        Iterations of the solver.
    task_ : str
        Task that was found.
    classes_ : ndarray of shape (n_classes,)
        Class labels, for classification.
    missing_counts_ : ndarray of shape (n_features,), int64
        Missing values per feature; the fit put the feature's mean in their place.
    notes_ : list of str
        What the user should know about this fit.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features,), object
        Names of the features, where `X` had names.

    References
    ----------
    .. [1] Mori et al., Scientific Reports 11 (2021) 16521. Known to us by its abstract; layer
       sizes, optimiser, repeats and thresholds are ours.
    .. [2] Y. Benjamini, Y. Hochberg. Controlling the false discovery rate. JRSS B 57 (1995).

    Examples
    --------
    >>> from sklearn_medsel import DeepFeatureSelector
    >>> from sklearn_medsel.datasets import make_gene_expression
    >>> data = make_gene_expression(150, 400, n_informative=4, effect_size=2.5, random_state=0)
    >>> selector = DeepFeatureSelector(4, random_state=0).fit(data.X, data.y)
    >>> list(selector.get_feature_names_out())
    ['gene_000', 'gene_097', 'gene_194', 'gene_291']
    >>> bool((selector.qvalues_[selector.get_support()] <= 0.1).all())
    True
    """

    _parameter_constraints: dict = {
        "n_features_to_select": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
            None,
        ],
        "task": [StrOptions({"auto", *TASKS})],
        "method": [StrOptions({"path", "mori"})],
        "fdr": [Interval(Real, 0, 1, closed="neither")],
        "hidden_layer_sizes": ["array-like"],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "interactions": ["boolean", StrOptions({"auto"})],
        "device": [str],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "top_k": [Interval(Integral, 1, None, closed="left"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "n_jobs": [Integral, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_features_to_select=None,
        *,
        task="auto",
        method="path",
        fdr=0.1,
        hidden_layer_sizes=(16,),
        n_repeats=20,
        interactions="auto",
        device="auto",
        dtype="auto",
        top_k=None,
        max_epochs=100,
        learning_rate=0.1,
        n_jobs=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.n_features_to_select = n_features_to_select
        self.task = task
        self.method = method
        self.fdr = fdr
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_repeats = n_repeats
        self.interactions = interactions
        self.device = device
        self.dtype = dtype
        self.top_k = top_k
        self.max_epochs = max_epochs
        self.learning_rate = learning_rate
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Rank and select features.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Features; scaled and imputed inside. NaN is missing.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or survival target
            Labels, numbers, or event and time as a structured array or a DataFrame with these two
            columns.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative; samples of weight zero are left out. Small whole numbers are
            counts: a sample of weight 2 is two samples. Others are relative.
        groups : array-like of shape (n_samples,), default=None
            Patient, pair or study of each sample. Where `y` differs inside groups, decoys are
            permuted within them and features centred in them; otherwise whole groups change
            places.

        Returns
        -------
        DeepFeatureSelector
            Fitted.

        Raises
        ------
        ValueError
            If the table holds text, infinities or duplicate names, `y` has one class, a class with
            one sample, no events or bad times, a group splits a pair, p-values are asked of fewer
            than 8 samples, or more features are asked for than there are.
        """
        seeds = draw_seeds(self.random_state, self.n_repeats)
        problem = read_problem(self, X, y, sample_weight, groups, seeds)
        self._check_request(problem)
        with progress(self, X, y, n_steps=self._count_steps(problem)) as step:
            step = until_stopped(step)
            found = self._run(problem, step)
            self._keep(problem, found)
            self._choose(problem, found)
        return self

    def _check_request(self, problem):
        n_samples, n_features = problem.table.X.shape
        wanted = self.n_features_to_select
        if wanted is None and n_samples < _MIN_SAMPLES_FOR_PVALUES:
            raise ValueError(
                f"n_features_to_select=None asks for p-values, which need at least "
                f"{_MIN_SAMPLES_FOR_PVALUES} samples; found n_samples={n_samples}. Pass "
                "n_features_to_select=k to take the best k features without p-values."
            )
        if isinstance(wanted, Integral) and wanted > n_features:
            raise ValueError(
                f"n_features_to_select={wanted} is more than the {n_features} features of X."
            )

    def _screens_pairs(self, problem):
        n_samples, n_features = problem.table.X.shape
        if self.method != "path" or n_features < 2:
            return False
        if self.interactions == "auto":
            return n_samples >= MIN_SAMPLES and n_features <= MAX_FEATURES
        return self.interactions

    def _count_steps(self, problem):
        n_auto = self.n_features_to_select == "auto"
        if self.method == "mori":
            return min(N_DECOY_SETS, self.n_repeats) + n_auto
        return 3 + len(split_blocks(problem.seeds)) + self._screens_pairs(problem) + n_auto

    def _run(self, problem, step):
        if self.method == "mori":
            return select_by_repeats(
                problem,
                wanted=self.n_features_to_select,
                n_best=self._n_best(None),
                hidden_layer_sizes=tuple(self.hidden_layer_sizes),
                max_epochs=self.max_epochs,
                learning_rate=self.learning_rate,
                n_jobs=self.n_jobs,
                step=step,
            )
        kept = self._read_warm_repeats(problem)
        found, repeats = select_by_path(
            problem,
            wanted=self.n_features_to_select,
            fdr=self.fdr,
            interactions=self._screens_pairs(problem),
            hidden_layer_sizes=tuple(self.hidden_layer_sizes),
            n_jobs=self.n_jobs,
            kept=kept,
            step=step,
        )
        self._warm_repeats = asdict(repeats) if self.warm_start else None
        return found

    def _read_warm_repeats(self, problem):
        """Repeats of the last fit, where a warm start may use them."""
        kept = getattr(self, "_warm_repeats", None) if self.warm_start else None
        if kept is None:
            return None
        kept = Repeats(**kept)
        n_kept, n_features = kept.statistic.shape
        if n_features != problem.table.X.shape[1]:
            raise ValueError(
                f"warm_start=True continues a fit on {n_features} features, but X has "
                f"{problem.table.X.shape[1]}. Fit a clone, or set warm_start=False."
            )
        if n_kept > self.n_repeats:
            raise ValueError(
                f"warm_start=True cannot go back from {n_kept} repeats to "
                f"n_repeats={self.n_repeats}. Fit a clone, or set warm_start=False."
            )
        return kept

    def _n_best(self, n_selected):
        """How many features of a repeat count as selected."""
        if self.top_k is not None:
            return self.top_k
        if isinstance(self.n_features_to_select, Integral):
            return self.n_features_to_select
        return n_selected or _DEFAULT_TOP

    def _keep(self, problem, found):
        """Set the attributes that do not depend on how many features are selected."""
        table, outcome = problem.table, problem.outcome
        self.task_, self.n_iter_ = outcome.task, found.n_iter
        self.__dict__.pop("classes_", None)
        if outcome.task == "classification":
            self.classes_ = outcome.classes
        self.feature_importances_ = np.where(table.constant, 0.0, found.importance)
        order = np.argsort(-self.feature_importances_, kind="stable")
        self.ranking_ = np.empty(len(order), dtype=np.int64)
        self.ranking_[order] = np.arange(1, len(order) + 1)
        self.effects_ = found.effects[:, 0] if found.effects.shape[1] == 1 else found.effects
        self.pvalues_ = np.where(table.constant, 1.0, found.pvalues)
        self.qvalues_ = false_discovery_control(self.pvalues_)
        if len(table.X) < _MIN_SAMPLES_FOR_PVALUES:
            self.pvalues_ = np.full(len(order), np.nan)
            self.qvalues_ = self.pvalues_.copy()
        self.decoy_importances_ = found.decoy_importances.astype(np.float64)
        self.ranked_by_ = found.ranked_by
        self.nonlinear_used_, self.missing_counts_ = found.nonlinear_used, table.missing
        ever = np.flatnonzero(found.history.any(axis=(0, 2))) if found.history.size else []
        self._path = (found.fractions, np.asarray(ever, dtype=np.int64), found.history[:, ever])
        screen = found.screen
        self._pairs = None if screen is None else (screen.pairs, screen.statistics, screen.pvalues)
        self.notes_ = self._write_notes(problem)

    def _choose(self, problem, found):
        """Decide how many features are selected, and what follows from that."""
        best_first = np.argsort(self.ranking_)
        wanted = self.n_features_to_select
        self._choice = None
        if wanted == "auto":
            wanted, self._choice = found.choice.size, asdict(found.choice)
        if wanted is None:
            self.support_ = self.qvalues_ <= self.fdr
        else:
            usable = best_first[~problem.table.constant[best_first]][:wanted]
            self.support_ = np.zeros(len(best_first), dtype=bool)
            self.support_[usable] = True
        chosen, fake = best_of_each(
            found.repeats, found.decoy_repeats, self._n_best(int(self.support_.sum()))
        )
        self.selection_frequencies_ = chosen.mean(axis=0)
        self.decoy_frequencies_ = fake.mean(axis=0)
        smallest = self.selection_frequencies_[self.support_].min(initial=np.inf)
        self.frequency_threshold_ = float(smallest) if self.support_.any() else np.nan
        self.stability_ = (
            nogueira_stability(chosen) if len(chosen) > 1 else Stability(np.nan, np.nan, np.nan)
        )
        selected = best_first[self.support_[best_first]]
        self._clusters = correlated_clusters(problem.table.X, problem.weight, selected)

    def _write_notes(self, problem):
        table, notes = problem.table, []
        n_samples, n_features = table.X.shape
        if table.missing.any():
            notes.append(
                f"{table.missing.sum()} missing values in {(table.missing > 0).sum()} features "
                "were replaced by the mean of the feature."
            )
        if table.constant.any():
            notes.append(f"{table.constant.sum()} features are constant and cannot be selected.")
        if n_samples < _MIN_SAMPLES_FOR_PVALUES:
            notes.append(f"{n_samples} samples are too few for p-values; they are NaN.")
        if self.method == "path" and not self._screens_pairs(problem) and self.interactions:
            if n_samples < MIN_SAMPLES:
                notes.append(
                    f"Pairs were not screened: with {n_samples} samples, below {MIN_SAMPLES}, "
                    "hardly any pair stands out from the best of all pairs by chance."
                )
            elif n_features > MAX_FEATURES:
                notes.append(
                    f"Pairs were not screened: {n_features} features make "
                    f"{n_features * (n_features - 1) // 2:.1e} pairs. Set interactions=True to "
                    "screen them, or reduce the features first."
                )
        elif self._screens_pairs(problem) and n_samples < MIN_SAMPLES:
            notes.append(
                f"With {n_samples} samples, below {MIN_SAMPLES}, the screen of pairs has hardly "
                "any power: no hit says nothing."
            )
        if self.ranked_by_ == "association":
            notes.append(
                "So many features are associated with the outcome that a sparse path would take "
                "one of many stand-ins by chance: they are ranked by their own association."
            )
        return notes

    @property
    def path_(self):
        """Coefficients along the path: rows are penalties, as fractions of the largest."""
        check_is_fitted(self)
        fractions, features, history = self._path
        single = history.shape[2] == 1
        values = history[:, :, 0] if single else np.linalg.norm(history, axis=2)
        index = pd.Index(fractions, name="penalty")
        return pd.DataFrame(values, index=index, columns=self._names()[features])

    @property
    def clusters_(self):
        """Selected features and what correlates with them: one row per member of a cluster."""
        check_is_fitted(self)
        members, representatives, correlation = self._clusters
        names = self._names()
        first_seen = pd.unique(representatives)
        number = {column: place for place, column in enumerate(first_seen, start=1)}
        return pd.DataFrame(
            {
                "feature": names[members],
                "cluster": np.array([number[c] for c in representatives], dtype=np.int64),
                "representative": names[representatives],
                "correlation": correlation,
            }
        )

    @property
    def interactions_(self):
        """Strongest pairs with their family-wise p-values; empty where pairs were not screened."""
        check_is_fitted(self)
        empty = (np.empty((0, 2), dtype=np.int64), np.empty(0), np.empty(0))
        pairs, statistics, pvalues = empty if self._pairs is None else self._pairs
        names = self._names()
        return pd.DataFrame(
            {
                "feature_1": names[pairs[:, 0]],
                "feature_2": names[pairs[:, 1]],
                "statistic": statistics,
                "pvalue": pvalues,
                "selected": pvalues <= self.fdr,
            }
        )

    @property
    def oob_scores_(self):
        """Out-of-bag score of each ranking and number of features, for ``"auto"``."""
        check_is_fitted(self)
        if self._choice is None:
            raise AttributeError("oob_scores_ exists for n_features_to_select='auto' only.")
        tables = [
            pd.DataFrame(
                {
                    "ranking": name,
                    "n_features": self._choice["sizes"],
                    "score": mean,
                    "standard_error": self._choice["standard_error"][name],
                }
            )
            for name, mean in self._choice["mean"].items()
        ]
        return pd.concat(tables, ignore_index=True)

    def _names(self):
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = np.array([f"x{i}" for i in range(self.n_features_in_)], dtype=object)
        return names

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.support_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def passing_features(X, y, *, task, fdr, groups, seeds):
    """Which features pass `fdr`, and nothing else of a fit.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : array-like
        Target.
    task : {"classification", "regression", "survival"}
    fdr : float
        Tolerated false discovery rate.
    groups : ndarray of shape (n_samples,) or None
    seeds : list of int
        One per set of decoys.

    Returns
    -------
    ndarray of shape (n_features,), bool
    """
    problem = read_problem(DeepFeatureSelector(task=task), X, y, None, groups, seeds)
    with one_thread():
        pvalues = feature_pvalues(problem, run_repeats(problem), fdr=fdr, with_pairs=False)
    return adjust(np.where(problem.table.constant, 1.0, pvalues)) <= fdr
