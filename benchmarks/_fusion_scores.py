"""Tables of the comparison of fusions: scores, and paired differences from one of the models."""

import numpy as np
import pandas as pd

from sklearn_medsel.feature_selection._compare_fold import corrected_paired_ttest

SPREAD = "standard deviation over folds"


def method_table(records, score, reference, *, others=()):
    """Scores of the methods, and their differences from a reference on the same folds.

    Parameters
    ----------
    records : DataFrame
        ``method``, ``fold``, the score, ``fit_s``, ``n_train`` and ``n_test``.
    score : str
        Column that counts.
    reference : str
        Method that the others are compared with.
    others : sequence of str, default=()
        Columns of which only the mean is shown.

    Returns
    -------
    DataFrame
        One row per method.
    """
    folds = records.pivot(index="fold", columns="method", values=score)
    ratio = float((records["n_test"] / records["n_train"]).mean())
    rows = []
    for method, part in records.groupby("method", sort=False):
        row = {"method": method, "runs": len(part)}
        row |= {score: part[score].mean(), f"{score}_sd": part[score].std()}
        if reference in folds:
            gain = (folds[method] - folds[reference]).dropna().to_numpy()
            compared = method != reference and len(gain) > 0
            mean, p_value = corrected_paired_ttest(gain, ratio) if compared else (np.nan, np.nan)
            row |= {
                f"minus {reference}": mean,
                "p": p_value,
                "worst fold": gain.min() if compared else np.nan,
            }
        row |= {name: part[name].mean() for name in others}
        row["fit, CPU-s"] = part["fit_s"].mean()
        rows.append(row)
    return pd.DataFrame(rows)


def by(records, keys, make):
    """Give one table per group of measurements: (caption, DataFrame) from `make(group)`.

    Parameters
    ----------
    records : list of dict
    keys : list of str
        What parts the groups, and is written in the caption.
    make : callable
        From the measurements of a group (a DataFrame) to a table.

    Returns
    -------
    list of (str, DataFrame)
    """
    tables = []
    for names, part in pd.DataFrame(records).groupby(keys, sort=False, dropna=False):
        size = part[["n_train", "n_test"]].mean().round().astype(int)
        caption = ", ".join(str(name) for name in names if name != "")
        caption += f" ({size['n_train']} patients to fit, {size['n_test']} to test)"
        tables.append((caption, make(part)))
    return tables
