"""The check whether genes are prognostic, and more often so than genes picked at random."""

import html
import numbers

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt, validate_params

from sklearn_medsel._validation import check_survival_y
from sklearn_medsel.survival._cox import cox_univariate
from sklearn_medsel.survival._features import resolve_features
from sklearn_medsel.survival._gene_table import GeneTable
from sklearn_medsel.survival._nonparametric import logrank_splits


class PrognosticCheck:
    """Result of `prognostic_check`.

    Parameters
    ----------
    genes : DataFrame
        One row per tested gene, in the order given: feature, n_samples (those with a value),
        logrank_statistic, logrank_pvalue, logrank_qvalue, hazard_ratio (per standard deviation),
        ci_low, ci_high, cox_pvalue, cox_qvalue. The q-values are adjusted for the number of tested
        genes (Benjamini-Hochberg).
    random_rate : float
        Share of all other genes of the table whose log-rank p-value is below `alpha`: what genes
        picked at random give.
    enrichment_pvalue : float
        How often a random set of as many genes has at least as many hits.
    n_random : int
        Number of random sets behind that p-value, which cannot be below 1 / (n_random + 1).
    n_candidates : int
        Number of genes that the random sets were drawn from.
    alpha : float
        Threshold of the log-rank p-values, not adjusted.

    Attributes
    ----------
    rate : float
        Share of the tested genes whose log-rank p-value is below `alpha`.
    enrichment : float
        `rate` / `random_rate`; 1 means no better than random genes. NaN if both rates are 0.
    """

    def __init__(self, genes, *, random_rate, enrichment_pvalue, n_random, n_candidates, alpha):
        self.genes = genes
        self.rate = float((genes["logrank_pvalue"] < alpha).mean())
        self.random_rate = random_rate
        self.enrichment = _ratio(self.rate, random_rate)
        self.enrichment_pvalue = enrichment_pvalue
        self.n_random = n_random
        self.n_candidates = n_candidates
        self.alpha = alpha

    def _summary(self):
        return (
            f"{(self.genes['logrank_pvalue'] < self.alpha).sum()} of {len(self.genes)} genes "
            f"({self.rate:.0%}) separate survival at p < {self.alpha:g} (median split, log-rank); "
            f"so do {self.random_rate:.0%} of the {self.n_candidates} other genes. "
            f"Enrichment {self.enrichment:.2f}, p = {self.enrichment_pvalue:.2g} "
            f"({self.n_random} random sets)."
        )

    def __repr__(self):
        """Summary and the table."""
        return (
            f"{self._summary()}\n{self.genes.to_string(index=False, float_format='{:.3g}'.format)}"
        )

    def _repr_html_(self):
        table = self.genes.to_html(index=False, float_format="{:.3g}".format, border=0)
        return f"<p>{html.escape(self._summary())}</p>{table}"


@validate_params(
    {
        "n_random": [Interval(numbers.Integral, 1, None, closed="left")],
        "alpha": [Interval(RealNotInt, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def prognostic_check(X, y_survival, features, *, n_random=1000, alpha=0.05, random_state=None):
    """Test genes as prognostic factors, and say what random genes would have given.

    Each gene is tested twice: a log-rank test between the samples above its median and the others,
    and a Cox model of its value. Both are what a study reports. What it often leaves out is that
    the share of genes with p < .05 means little by itself: survival goes with proliferation, tumour
    purity or stage, and so do thousands of genes. In pancreatic cancer 9 to 27 % of randomly picked
    genes pass, depending on the cohort, not 5 %. So the same share is computed for all other
    genes of the same table, and the number of hits is compared with that of random gene *sets* of
    the same size.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        Gene expression; numeric columns, genes only (clinical columns would be drawn as random
        genes). Ideally other patients than those the genes were selected on.
    y_survival : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of each sample, see `make_survival_y`.
    features : array-like of str, array-like of int or array-like of bool of shape (n_features,)
        The genes to test: column names, positions, or a mask such as ``selector.get_support()``.
    n_random : int, default=1000
        Number of random gene sets.
    alpha : float, default=0.05
        What counts as a hit: a log-rank p-value, not adjusted, below this.
    random_state : int, RandomState instance or None, default=None
        Seed of the random sets.

    Returns
    -------
    PrognosticCheck
        With the attributes ``genes`` (a DataFrame), ``rate``, ``random_rate``, ``enrichment`` and
        ``enrichment_pvalue``.

    Raises
    ------
    ValueError
        If `y_survival` is not a valid survival target, the lengths differ, features are empty,
        unknown, out of range or named twice, a column is not numeric, holds an infinity or shares
        its name with another, or there are fewer other genes than tested ones.

    See Also
    --------
    cox_univariate : The Cox models alone.
    KaplanMeierDisplay : Plot the curves above and below the median of a gene.

    Notes
    -----
    Where a gene has missing values, its tests use the other samples (``n_samples`` tells how many).
    The upper group has the values above the median; if there are none, since more than half of the
    samples share the largest value, it has that value. A constant gene has NaN for all tests and
    counts as no hit; constant genes are not drawn at random.

    The p-value is (1 + number of random sets with at least as many hits) / (1 + `n_random`) [1]_,
    and so never 0. Random sets are drawn without the tested genes and without replacement.

    What it cannot know: genes of one pathway hit or miss together, so a set of correlated genes has
    fewer independent chances than a random one, and its p-value is too small. And genes selected on
    the same patients *by* survival are enriched by construction: test them on other patients.

    References
    ----------
    .. [1] Phipson B, Smyth GK. Permutation p-values should never be zero. Stat Appl Genet Mol Biol
       2010;9:39.
    .. [2] Venet D, Dumont JE, Detours V. Most random gene expression signatures are significantly
       associated with breast cancer outcome. PLoS Comput Biol 2011;7:e1002240.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.survival import make_survival_y, prognostic_check
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(150, 300))
    >>> y = make_survival_y(np.ones(150), rng.exponential(np.exp(-X[:, 0] - X[:, 1])))
    >>> check = prognostic_check(X, y, [0, 1, 2], random_state=0)
    >>> check.genes[["feature", "hazard_ratio"]].round(1)
      feature  hazard_ratio
    0      x0           1.6
    1      x1           1.9
    2      x2           1.0
    >>> round(check.rate, 2), check.random_rate < 0.1, check.enrichment_pvalue < 0.05
    (0.67, True, True)
    """
    event, time = check_survival_y(y_survival, name="y_survival")
    table = GeneTable(X, time.size)
    tested = resolve_features(features, table)
    statistic, pvalue, n_present = _median_splits(table, event, time)

    cox = cox_univariate(pd.DataFrame(table.block(tested)), y_survival, per="sd")
    genes = pd.DataFrame(
        {
            "feature": pd.Series(table.names[tested], dtype="str"),
            "n_samples": n_present[tested],
            "logrank_statistic": statistic[tested],
            "logrank_pvalue": pvalue[tested],
            "logrank_qvalue": _adjusted(pvalue[tested]),
            **cox[["hazard_ratio", "ci_low", "ci_high"]],
            "cox_pvalue": cox["pvalue"],
            "cox_qvalue": _adjusted(cox["pvalue"].to_numpy()),
        }
    )
    others = np.delete(pvalue, tested)
    others = others[~np.isnan(others)]
    if others.size < tested.size:
        raise ValueError(
            f"X has only {others.size} other genes that vary, too few to draw random sets of "
            f"{tested.size}; pass the whole expression table."
        )
    n_hits_random = _hits_of_random_sets(others < alpha, tested.size, n_random, random_state)
    n_as_many = int((n_hits_random >= (pvalue[tested] < alpha).sum()).sum())
    return PrognosticCheck(
        genes,
        random_rate=float((others < alpha).mean()),
        enrichment_pvalue=(1 + n_as_many) / (1 + n_random),
        n_random=n_random,
        n_candidates=int(others.size),
        alpha=alpha,
    )


def _hits_of_random_sets(is_hit, size, n_sets, random_state):
    """Count the hits in random sets of genes drawn without replacement.

    The tests of all genes are known, so a set's number of hits is hypergeometric and can be drawn
    directly: exactly as if the set had been.
    """
    n_hits = int(is_hit.sum())
    rng = check_random_state(random_state)
    return rng.hypergeometric(n_hits, is_hit.size - n_hits, size, size=n_sets)


def _median_splits(table, event, time):
    """Log-rank test between the samples above the median and the others, for each column."""
    statistic, pvalue = np.empty((2, table.n_features))
    n_present = np.empty(table.n_features, np.int64)
    for place, values in table.blocks():
        present = ~np.isnan(values)
        n_present[place] = present.sum(axis=0)
        split = above_median(values)
        everywhere = present.all()
        statistic[place], pvalue[place] = logrank_splits(
            split, event, time, present=None if everywhere else present
        )
    return statistic, pvalue, n_present


def above_median(values):
    """Split each column at its median.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns), float64
        NaN is missing.

    Returns
    -------
    ndarray of shape (n_samples, n_columns), bool
        Whether a value is above the median of its column or, in a column where none is, equal to
        it. False where missing.
    """
    known = np.where(np.isnan(values), np.inf, values)
    n_known = np.isfinite(known).sum(axis=0)
    ordered = np.sort(known, axis=0)
    columns = np.arange(values.shape[1])
    # medians by hand: numpy's nanmedian warns of columns that are missing altogether
    middle = [ordered[np.maximum(n_known - offset, 0) // 2, columns] for offset in (0, 1)]
    with np.errstate(invalid="ignore"):
        median = (middle[0] + middle[1]) / 2
        above = values > median
        return np.where(above.any(axis=0), above, values >= median)


def _adjusted(pvalue):
    """Benjamini-Hochberg q-values; NaN stays NaN and is not counted."""
    qvalue = np.full(pvalue.size, np.nan)
    known = ~np.isnan(pvalue)
    if known.any():
        qvalue[known] = stats.false_discovery_control(pvalue[known])
    return qvalue


def _ratio(rate, random_rate):
    if random_rate == 0:
        return np.nan if rate == 0 else np.inf
    return rate / random_rate
