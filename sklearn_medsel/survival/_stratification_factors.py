"""The factor table of a stratification report: what the risk groups look like.

Nothing in it can be traced to a patient: groups under five patients and shares of fewer than five
are left out.
"""

import numpy as np
import pandas as pd
from scipy import stats

from sklearn_medsel._html import number, tag
from sklearn_medsel.survival._adjustment import as_numbers, find_model

FEWEST = 5
MOST = 20
_N_UNSELECTED = 12  # rows where the model selected nothing
_MOST_LEVELS = 4
_HIDDEN = "–"
# long names break anywhere rather than push the numbers off the screen, but not into single letters
_NAME = "display:inline-block;min-width:9rem;overflow-wrap:anywhere"
_OTHER_LEVELS = {"missing", "nan", "None", "infrequent_sklearn"}


def factor_rows(stratifier, X):
    """Describe the groups by the factors that matter most.

    Parameters
    ----------
    stratifier : RiskStratifier
        Fitted.
    X : DataFrame of shape (n_patients, n_columns)
        The patients it was fitted on.

    Returns
    -------
    rows : list of list of str or Markup
        Name of the factor, then one cell per group, then how much it matters.
    source : {"importance", "unselected", "association"}
        Whether the factors are those that the estimator finds important, the same where it selected
        none of them, or the numeric columns that go most with the groups.
    n_elsewhere : int
        Number of selected factors that no number per patient describes, such as words, image
        regions, or a column of many levels.
    """
    factors, n_elsewhere = _important(stratifier.estimator_, X)
    source = "unselected" if selected_nothing(stratifier.estimator_) else "importance"
    if not factors:
        factors, source = _associated(X, stratifier.group_), "association"
    masks = [stratifier.group_ == place for place in range(len(stratifier.group_names_))]
    rows = []
    for column, strength in factors:
        described = _describe(str(column), as_numbers(X[column]), masks)
        written = number(strength, 2)
        if not described and source == "importance":
            n_elsewhere += 1
        for name, cells in described:
            rows.append([tag("span", name, style=_NAME), *cells, written])
            written = ""
    return rows, source, n_elsewhere


def selected_nothing(estimator):
    """Tell whether a model says which features it selected, and selected none."""
    model = find_model(estimator, "feature_importances_")
    table = None if model is None else model.feature_importances_
    return isinstance(table, pd.DataFrame) and "selected" in table and not table["selected"].any()


def _important(estimator, X):
    """Columns of X by importance, and how many selected factors are no column."""
    model = find_model(estimator, "feature_importances_")
    table = None if model is None else model.feature_importances_
    if table is not None and not isinstance(table, pd.DataFrame):
        table = _as_table(np.asarray(table), estimator, model, X)
    if table is None:
        return [], 0
    unselected = selected_nothing(estimator)
    table = table.assign(origin=_origins(model, table))
    if "selected" in table and not unselected:
        table = table[table["selected"].to_numpy(bool)]
    table = table[table["importance"] > 0].sort_values("importance", ascending=False, kind="stable")
    strongest, n_elsewhere = {}, 0
    for origin, importance in zip(table["origin"], table["importance"], strict=True):
        column = None if origin is None else _column_of(origin, X)
        if column is None:
            n_elsewhere += 1
        else:  # the levels of a category are one factor, as strong as the strongest of them
            strongest.setdefault(column, float(importance))
    factors = list(strongest.items())
    return (factors[:_N_UNSELECTED], 0) if unselected else (factors[:MOST], n_elsewhere)


def _as_table(importances, estimator, model, X):
    from sklearn_medsel.inspection._plotting import find_names, find_step

    if importances.ndim != 1:
        return None
    if importances.size == X.shape[1]:
        names = X.columns
    else:
        _, before = find_step(estimator, "feature_importances_")
        names = find_names(model, before, importances.size)
    return pd.DataFrame({"feature": names, "importance": importances})


def _origins(model, table):
    """Name by which each feature is looked up among the columns; None for words and image regions.

    A fusion knows the column that each feature of a table comes from. A word of a report may be
    called as a column of a table is, and has nothing to do with it.
    """
    names = table["feature"].to_list()
    if "block" not in table or not hasattr(model, "blocks_"):
        return pd.Series(names, table.index, dtype=object)
    if hasattr(model, "_encoding"):
        names = [column for block in model._encoding.origin_ for column in block]
    tables = {name for name, modality, _ in model.blocks_ if modality == "table"}
    found = [
        name if block in tables else None for block, name in zip(table["block"], names, strict=True)
    ]
    return pd.Series(found, table.index, dtype=object)


def _column_of(feature, X):
    """Column that a feature comes from, its own name or one that transformers made of it."""
    if feature in X.columns:
        return feature
    name = str(feature)
    for candidate in (name, name.split("__", 1)[-1]):
        if candidate in X.columns:
            return candidate
        origins = [column for column in X.columns if _is_level(candidate, column, X)]
        if origins:
            return max(origins, key=lambda column: len(str(column)))
    return None


def _is_level(feature, column, X):
    """Tell whether a feature is named by a column and one of its values, or that it is missing.

    That a name begins like a column is not enough: "age_group_x" says nothing of the column "age".
    """
    for joint in ("_", "=", " = "):
        level = feature.removeprefix(f"{column}{joint}")
        if level != feature:
            return level in _OTHER_LEVELS or level in set(X[column].astype("str"))
    return False


def _associated(X, group):
    """Numeric columns by the absolute rank correlation with the group."""
    numeric = X.select_dtypes(["number", "bool"])
    strengths = []
    for column in numeric.columns:
        values = numeric[column].to_numpy(np.float64, na_value=np.nan)
        known = np.isfinite(values)
        if known.sum() < 2 * FEWEST or np.ptp(values[known]) == 0 or np.ptp(group[known]) == 0:
            continue
        ranks = stats.rankdata(values[known])
        strengths.append((column, abs(float(np.corrcoef(ranks, group[known])[0, 1]))))
    return sorted(strengths, key=lambda pair: -pair[1])[:_N_UNSELECTED]


def _describe(name, values, masks):
    """Rows of one factor: a name and a cell per group; categories take one row per level."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        array = values.to_numpy(np.float64, na_value=np.nan)
        levels = np.unique(array[~np.isnan(array)])
        if levels.size == 2 and list(levels) == [0, 1]:
            return [(name, [_share(array[mask] == 1, ~np.isnan(array[mask])) for mask in masks])]
        decimals = _decimals(array)
        return [(name, [_median(array[mask], decimals) for mask in masks])]
    if not all(isinstance(value, str | bool) for value in values.dropna()):
        return []  # images, lists and the like cannot be described by a number
    text, known = values.astype("str").to_numpy(object), values.notna().to_numpy()
    counts = pd.Series(text[known]).value_counts()
    if len(counts) > max(_MOST_LEVELS, known.sum() // 10):
        return []  # free text
    return [
        (f"{name}: {level}", [_share(text[mask] == level, known[mask]) for mask in masks])
        for level in counts.index[:_MOST_LEVELS]
        if counts[level] >= FEWEST
    ]


def _decimals(values):
    """Decimals that show two digits of the distance between the quartiles."""
    values = values[np.isfinite(values)]
    spread = np.subtract(*np.quantile(values, [0.75, 0.25])) if values.size else 0.0
    return int(np.clip(1 - np.floor(np.log10(spread)), 0, 6)) if spread > 0 else 2


def _median(values, decimals):
    values = values[np.isfinite(values)]
    if values.size < FEWEST:
        return _HIDDEN
    # adding zero turns -0.0 into 0.0
    rounded = np.round(np.quantile(values, [0.25, 0.5, 0.75]), decimals) + 0.0
    low, middle, high = (f"{value:,.{decimals}f}".replace("-", "−") for value in rounded)
    return f"{middle} [{low}, {high}]"


def _share(has, known):
    n_known, n_has = int(known.sum()), int((has & known).sum())
    if n_known < FEWEST:
        return _HIDDEN
    if 0 < n_has < FEWEST:
        return f"under {FEWEST} patients"
    if 0 < n_known - n_has < FEWEST:
        return f"all but under {FEWEST}"
    return f"{n_has / n_known:.0%}"
