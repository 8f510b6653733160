"""Hazard ratios of risk groups, alone and adjusted for what was known before."""

import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from sklearn_medsel._validation import list_rows, name_columns
from sklearn_medsel.survival._cox import cox_regression

_MANY_NUMBERS = 20  # so many different ones are no categories, although they are written as text
_FEWEST = 5  # patients of a category; rarer ones are joined
_OTHER = "other categories"
_PENALTY = 1.0  # slight, so that a category without an event keeps a finite risk
_NUMBERS = ["hazard_ratio", "ci_low", "ci_high", "pvalue"]


def hazard_ratios(y, group, names, base=None, clusters=None):
    """Cox models of the groups, against the lowest one.

    Parameters
    ----------
    y : structured array of shape (n_samples,)
        Event and time.
    group : ndarray of shape (n_samples,), int
        Positions in `names`.
    names : list of str
        Names of the groups, the lowest risk first.
    base : ndarray of shape (n_samples,) or None
        Risk to adjust for, by models that did not see the samples, see `base_risk`.
    clusters : ndarray of shape (n_samples,) or None
        Samples of one cluster, such as a patient, need not be independent.

    Returns
    -------
    DataFrame
        One row per group but the lowest: group, n_patients, n_events, hazard_ratio, ci_low,
        ci_high, pvalue, and the last four adjusted.
    """
    member = pd.DataFrame(
        {name: (group == place).astype(np.float64) for place, name in enumerate(names[1:], start=1)}
    )
    table = pd.DataFrame(
        {
            "group": pd.Series(names[1:], dtype="str"),
            "n_patients": member.sum().to_numpy().astype(np.int64),
            "n_events": member[y["event"]].sum().to_numpy().astype(np.int64),
        }
    )
    table[_NUMBERS] = _fit(member, y, clusters)[_NUMBERS].to_numpy()
    adjusted = np.full((len(table), len(_NUMBERS)), np.nan)
    if base is not None:
        # the groups come last: what the base already says is taken from them, not the other way
        joined = member.copy()
        joined.insert(0, "base", base)
        adjusted = _fit(joined, y, clusters)[_NUMBERS].to_numpy()[-len(table) :]
    table[[f"adjusted_{name}" for name in _NUMBERS]] = adjusted
    return table


def base_risk(base, y, folds):
    """Risk of each sample by Cox models of the base that did not see it.

    The groups are judged on samples that their model did not see, and so must be what they are
    compared with: columns weighed on the very samples that are judged win even if all is noise,
    and the groups then seem to protect.

    Parameters
    ----------
    base : DataFrame of shape (n_samples, n_columns)
        Encoded columns, see `encode_base`.
    y : structured array of shape (n_samples,)
        Event and time.
    folds : list of tuple of two ndarrays of int
        Training and held-out rows.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    risk = np.empty(len(base))
    for train, test in folds:
        found = cox_regression(base.iloc[train], y[train], penalty=_PENALTY)
        coef = found["coefficient"].fillna(0.0).to_numpy()  # of columns constant in the fold
        risk[test] = (base.iloc[test] - base.iloc[train].mean()).to_numpy() @ coef
    return risk


def _fit(columns, y, clusters):
    """Cox model; an infinite ratio of a group shows in the table, one of the base does no harm."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return cox_regression(columns, y, clusters=clusters)


def find_base(base, estimator, X):
    """Columns to adjust for: those named, those of a block, or the base block of the estimator.

    Parameters
    ----------
    base : str, list of str or None
        As given by the user.
    estimator : estimator
        Fitted; may have ``base_`` and ``blocks_``.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Patients.

    Returns
    -------
    DataFrame or None
        Columns of `X`. None if there are none to adjust for: the base block of the estimator is no
        table, or its columns are made by earlier steps of a Pipeline.

    Raises
    ------
    TypeError
        If `X` has no columns to choose from.
    ValueError
        If a column or block is not there, a column is there or named more than once, or a block
        holds images or reports.
    """
    model = find_model(estimator, "blocks_")
    blocks = {} if model is None else {name: block for name, *block in model.blocks_}
    wanted = base if base is not None else getattr(model, "base_", None)
    if wanted is None:
        return None
    columns = [wanted] if isinstance(wanted, str) else wanted
    if isinstance(wanted, str) and wanted in blocks:
        modality, columns = blocks[wanted]
        if modality != "table":
            if base is None:
                return None
            raise ValueError(
                f"base={base!r} is a block of the modality {modality!r}, which hazard ratios "
                "cannot be adjusted for; name a table block, or columns of numbers or categories."
            )
        takes_X = getattr(estimator, "best_estimator_", estimator) is model
        if takes_X and not isinstance(X, pd.DataFrame):
            X = name_columns(X.toarray() if hasattr(X, "toarray") else np.asarray(X))
    if base is None and not (isinstance(X, pd.DataFrame) and set(columns) <= set(X.columns)):
        return None
    if not isinstance(X, pd.DataFrame):
        raise TypeError(f"base={base!r} names columns, so X must be a DataFrame, found {type(X)}.")
    unknown = [column for column in columns if column not in X.columns]
    if unknown or not len(columns):
        known = f", and the estimator has the blocks {', '.join(blocks)}" if blocks else ""
        named = ", ".join(repr(column) for column in unknown[:5]) or "nothing"
        raise ValueError(f"base names {named}, but X has {len(X.columns)} other columns{known}.")
    _check_once(columns, X)
    return X[list(columns)]


def _check_once(base, X):
    """Refuse columns named twice, and names that two columns of X have."""
    named = pd.Index(base)
    if named.has_duplicates:
        twice = named[named.duplicated()][0]
        raise ValueError(f"base names the column {twice!r} more than once; name it once.")
    shared = named.intersection(X.columns[X.columns.duplicated()])
    if len(shared):
        raise ValueError(
            f"base names {shared[0]!r}, but X has several columns of that name; rename them."
        )


def encode_base(table, n_events, n_groups):
    """Encode columns as numbers for a Cox model.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_columns)
        Numbers, Booleans, strings or categories; missing values allowed. Numbers, also many that
        are written as text, become standard scores, missing ones the median, with an indicator of
        their own. Categories become indicators against the most frequent one, which missing ones
        join; those of fewer than five patients are taken together.
    n_events : int
        Events among the patients.
    n_groups : int
        Risk groups that are to be fitted beside them.

    Returns
    -------
    encoded : DataFrame of shape (n_samples, n_encoded), float64
    used : list
        Columns that something is left of; the others tell no samples apart.

    Raises
    ------
    ValueError
        If a column holds dates or infinite values, or there are too many for the number of events.
    """
    parts, used = {}, []
    for column in table.columns:
        values, n_before = _read(table[column], column), len(parts)
        missing = values.isna().to_numpy()
        if pd.api.types.is_numeric_dtype(values.dtype):
            parts |= _numeric(column, values.to_numpy(np.float64, na_value=np.nan), missing)
        else:
            parts |= _categories(column, values.map(str).to_numpy(object), missing)
        if _FEWEST <= missing.sum() <= missing.size - _FEWEST:
            parts[f"{column} is missing"] = missing.astype(np.float64)
        if len(parts) > n_before:
            used.append(column)
    encoded = pd.DataFrame(parts, index=range(len(table)))
    if encoded.shape[1] + n_groups - 1 > n_events:
        raise ValueError(
            f"base has {encoded.shape[1]} columns once encoded, too many to adjust for with "
            f"{n_events} events; name fewer columns in base."
        )
    return encoded, used


def as_numbers(values):
    """Give a column of many numbers that are written as text as numbers, any other as it is."""
    if pd.api.types.is_string_dtype(values.dtype):
        # by str itself: pandas would decode the bytes of an image
        numbers = pd.to_numeric(values.map(str).where(values.notna()), errors="coerce")
        if numbers.nunique() > _MANY_NUMBERS and numbers.notna().equals(values.notna()):
            return numbers
    return values


def _read(values, column):
    """As `as_numbers`; dates and infinities are refused."""
    if isinstance(values.dtype, pd.PeriodDtype) or values.dtype.kind in "mM":
        raise ValueError(
            f"base: column {column!r} holds dates or durations ({values.dtype}). Convert them to "
            "numbers, such as days or years."
        )
    values = as_numbers(values)
    if pd.api.types.is_numeric_dtype(values.dtype):
        infinite = np.isinf(values.to_numpy(np.float64, na_value=np.nan))
        if infinite.any():
            raise ValueError(
                f"base: column {column!r} is infinite at {list_rows(infinite)}. Replace it, or "
                "make it missing."
            )
    return values


def find_model(estimator, attribute):
    """Find the estimator that has an attribute: itself, or the last step of a Pipeline."""
    while True:
        if hasattr(estimator, attribute):
            return estimator
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return None


def _numeric(column, values, missing):
    if missing.all():
        return {}
    values = np.where(missing, np.median(values[~missing]), values)
    spread = values.std()
    return {str(column): (values - values.mean()) / spread} if spread > 0 else {}


def _categories(column, values, missing):
    """Indicators of the categories; the most frequent one is what they are compared with."""
    labels, counts = np.unique(values[~missing].astype(str), return_counts=True)
    if not labels.size:
        return {}
    values = np.where(missing, labels[counts.argmax()], values).astype(str)
    rare = np.isin(values, labels[counts < _FEWEST])
    values = np.where(rare, _OTHER, values)
    labels, counts = np.unique(values, return_counts=True)
    reference = labels[counts.argmax()]
    return {
        f"{column} = {label}": (values == label).astype(np.float64)
        for label in labels
        if label != reference
    }
