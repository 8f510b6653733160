"""Cox regression: one model of all columns, or one model per column."""

import warnings

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, Real, RealNotInt, StrOptions, validate_params

from sklearn_medsel._validation import check_survival_y
from sklearn_medsel.survival._clusters import check_clusters
from sklearn_medsel.survival._cox_likelihood import CoxLikelihood
from sklearn_medsel.survival._cox_univariate import fit_univariate
from sklearn_medsel.survival._gene_table import GeneTable, name_some, standardise
from sklearn_medsel.survival._risk_sets import RiskSets

_CONFIDENCE = [Interval(RealNotInt, 0, 1, closed="neither")]


@validate_params(
    {
        "ties": [StrOptions({"efron", "breslow"})],
        "per": [StrOptions({"unit", "sd"})],
        "confidence": _CONFIDENCE,
    },
    prefer_skip_nested_validation=True,
)
def cox_univariate(X, y, *, ties="efron", per="unit", confidence=0.95):
    """Fit a Cox model of one column at a time, for all columns.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        Numeric columns. Where a column has missing values, its model uses the other samples.
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of each sample, see `make_survival_y`.
    ties : {"efron", "breslow"}, default="efron"
        Approximation for events at the same time. Efron's is the closer one.
    per : {"unit", "sd"}, default="unit"
        What a hazard ratio compares: values that differ by one unit of the column, or by one of
        its standard deviations (divisor n), which makes columns comparable.
    confidence : float, default=0.95
        Level of the intervals, between 0 and 1.

    Returns
    -------
    DataFrame
        One row per column of `X`, in its order:

        feature : str
            Name of the column; x0, x1, ... if `X` has no names.
        coefficient, hazard_ratio : float64
            Log hazard ratio and hazard ratio. Plus infinity (and infinity) if at each event the
            sample with the highest value of those at risk fails, so that no finite estimate
            exists; minus infinity (and 0) if it is always the lowest.
        ci_low, ci_high : float64
            Wald interval of the hazard ratio; NaN if that is not finite or 0.
        pvalue : float64
            Wald's test; the likelihood-ratio test if the coefficient is infinite.

        All of them are NaN for a column that is constant among the samples at risk.

    Raises
    ------
    ValueError
        If `y` is not a valid survival target, the lengths differ, or a column is not numeric or
        holds an infinity.

    See Also
    --------
    cox_regression : One model of all columns.
    prognostic_check : Test selected genes, and compare them with random ones.

    References
    ----------
    .. [1] Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.
    .. [2] Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc
       1977;72:557-565.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.survival import cox_univariate, make_survival_y
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 2))
    >>> y = make_survival_y(np.ones(100), rng.exponential(np.exp(-X[:, 0])))
    >>> table = cox_univariate(X, y)
    >>> table[["feature", "hazard_ratio"]].round(1)
      feature  hazard_ratio
    0      x0           3.4
    1      x1           1.0
    """
    event, time = check_survival_y(y)
    table = GeneTable(X, time.size)
    coefficient, error, pvalue = np.full((3, table.n_features), np.nan)
    for place, values in table.blocks():
        scaled, present, scale = standardise(values)
        fitted = fit_univariate(scaled, present, event, time, ties)
        unit = np.where(scale > 0, scale, 1) if per == "unit" else 1.0
        coefficient[place], error[place], pvalue[place] = (
            fitted[0] / unit,
            fitted[1] / unit,
            fitted[2],
        )
    return _as_table(table.names, coefficient, error, pvalue, confidence)


@validate_params(
    {
        "ties": [StrOptions({"efron", "breslow"})],
        "penalty": [Interval(Real, 0, None, closed="left")],
        "confidence": _CONFIDENCE,
    },
    prefer_skip_nested_validation=True,
)
def cox_regression(X, y, *, ties="efron", penalty=0.0, confidence=0.95, clusters=None):
    """Fit one Cox model of all columns.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        Numeric columns without missing values.
    y : structured array of shape (n_samples,) or DataFrame of shape (n_samples, 2)
        Event and time of each sample, see `make_survival_y`.
    ties : {"efron", "breslow"}, default="efron"
        Approximation for events at the same time. Efron's is the closer one.
    penalty : float, default=0.0
        Ridge penalty: half of it times the sum of the squared coefficients is subtracted from the
        log partial likelihood. Scale the columns first, since it depends on their units.
    confidence : float, default=0.95
        Level of the intervals, between 0 and 1.
    clusters : array-like of shape (n_samples,) or None, default=None
        Labels; samples that share one, such as those of one patient or hospital, need not be
        independent. Intervals and p-values are then those of the robust variance [3]_, which is
        too small for less than some thirty clusters.

    Returns
    -------
    DataFrame
        One row per column of `X`, in its order, with feature, coefficient, hazard_ratio, ci_low,
        ci_high and pvalue, as from `cox_univariate`, each per unit of the column and adjusted for
        all other columns. All NaN for a column that is constant or a linear combination of the
        columns before it: such a column is left out of the model.

    Raises
    ------
    ValueError
        If `y` is not a valid survival target, the lengths differ, a column is not numeric or holds
        a missing or infinite value, a cluster is missing, or there are more columns than events and
        no penalty.

    Warns
    -----
    ConvergenceWarning
        If the columns together order the events perfectly, so that some estimates are infinite.
        The warning names them; their p-values are those of likelihood-ratio tests.

    See Also
    --------
    cox_univariate : One model per column, for thousands of columns.

    Notes
    -----
    With a penalty the intervals and p-values are approximate: they take the penalised curvature for
    the information and ignore that the estimates are shrunk.

    References
    ----------
    .. [1] Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187-220.
    .. [2] Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc
       1977;72:557-565.
    .. [3] Lin DY, Wei LJ. The robust inference for the Cox proportional hazards model. J Am Stat
       Assoc 1989;84:1074-1078.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_medsel.survival import cox_regression, make_survival_y
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"age": rng.normal(60, 10, 100), "grade": rng.integers(1, 4, 100)})
    >>> y = make_survival_y(np.ones(100), rng.exponential(np.exp(-X["grade"])))
    >>> table = cox_regression(X, y)
    >>> table[["feature", "hazard_ratio", "pvalue"]].round(2)
      feature  hazard_ratio  pvalue
    0     age          1.00    0.67
    1   grade          4.26    0.00
    """
    event, time = check_survival_y(y)
    clusters = check_clusters(clusters, time.size)
    table = GeneTable(X, time.size)
    values = table.block(slice(0, table.n_features))
    _check_complete(values, table.names)
    scaled, _, scale = standardise(values)
    sets = RiskSets(event, time)
    kept = _independent_columns(scaled[sets.order][sets.starts[0] :], scale, penalty)
    if penalty == 0 and kept.size > sets.rows.size:
        raise ValueError(
            f"X has {kept.size} columns but y only {sets.rows.size} events, so the model has no "
            "unique solution. Use fewer columns, penalty > 0, or cox_univariate."
        )
    coefficient, error, pvalue = np.full((3, table.n_features), np.nan)
    if kept.size:
        model = CoxLikelihood(scaled[:, kept], sets, ties, penalty / scale[kept] ** 2)
        estimate, error[kept], pvalue[kept], infinite = model.fit(clusters)
        coefficient[kept] = estimate
        if infinite.any():
            warnings.warn(
                "These columns of X together order the events perfectly, so their coefficients "
                f"are infinite: {name_some(table.names[kept][infinite])}. Drop some of them or use "
                "penalty > 0.",
                ConvergenceWarning,
                stacklevel=2,
            )
    unit = np.where(scale > 0, scale, 1)
    return _as_table(table.names, coefficient / unit, error / unit, pvalue, confidence)


def _check_complete(values, names):
    missing = np.isnan(values)
    if missing.any():
        raise ValueError(
            f"X has missing values in {missing.any(axis=1).sum()} rows, in the columns "
            f"{name_some(names[missing.any(axis=0)])}. Drop these rows or impute them "
            "(sklearn.impute)."
        )


def _independent_columns(scaled, scale, penalty):
    """Positions of the columns that are not linear combinations of those before them.

    Only samples that were ever at risk count: the others have no say in the model.
    """
    varying = np.flatnonzero(scale > 0)
    if penalty > 0 or varying.size == 0:
        return varying
    centred = scaled[:, varying] - scaled[:, varying].mean(axis=0)
    independent = []
    basis = np.empty((len(centred), 0))
    for column in range(varying.size):
        rest = centred[:, column]
        for _ in range(2):  # twice, since once leaves rounding errors behind
            rest = rest - basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        if length > 1e-7 * np.sqrt(len(rest)):
            basis = np.column_stack([basis, rest / length])
            independent.append(column)
    return varying[independent]


def _as_table(names, coefficient, error, pvalue, confidence):
    """Tabulate estimates with Wald intervals; where there is no standard error, NaN."""
    reach = stats.norm.isf((1 - confidence) / 2) * error
    with np.errstate(over="ignore", invalid="ignore"):
        ratio, low, high = (np.exp(coefficient + shift) for shift in (0, -reach, reach))
    return pd.DataFrame(
        {
            "feature": pd.Series(names, dtype="str"),
            "coefficient": coefficient,
            "hazard_ratio": ratio,
            "ci_low": low,
            "ci_high": high,
            "pvalue": pvalue,
        }
    )
