"""Who has which block, and whether that alone predicts the target."""

import numpy as np
from scipy import stats
from sklearn.utils.validation import column_or_1d

from sklearn_medsel.multimodal._blocks import name_rows
from sklearn_medsel.multimodal._cells import has_values
from sklearn_medsel.survival import concordance_index, logrank_test
from sklearn_medsel.text._reports import is_missing

_ALPHA = 0.001
_NOTABLE = 0.6


def has_block(block, X):
    """Tell which patients have a block."""
    if block.modality == "table":
        return has_values(X[list(block.columns)])
    cells = X.loc[:, block.columns[0]]
    if block.modality == "image":
        from sklearn_medsel.image._column import check_column

        try:
            return ~check_column(cells).missing()
        except ValueError as error:
            raise ValueError(f"block {block.name!r}: {error}") from error
    wrong = np.array([not isinstance(cell, str) and not is_missing(cell) for cell in cells])
    if wrong.any():
        kind = type(cells.iloc[int(np.flatnonzero(wrong)[0])]).__name__
        raise ValueError(
            f"block {block.name!r}, column {block.columns[0]!r} must hold text, found {kind} at "
            f"{name_rows(wrong, X.index)}. Convert it."
        )
    return np.array([isinstance(cell, str) and bool(cell.strip()) for cell in cells])


def check_availability(present, names, y_kind, y):
    """Look for blocks of which the mere availability predicts the target.

    Parameters
    ----------
    present : ndarray of shape (n_patients, n_blocks), bool
        Who has which block.
    names : sequence of str
        Names of the blocks.
    y_kind : {"classification", "regression", "survival"}
        What `y` is.
    y : array-like of shape (n_patients,) or (n_patients, 1)
        Labels, numbers or a survival target.

    Returns
    -------
    list of str
        A warning for each block of which availability is related to `y` (p < .001 after
        Bonferroni; chi-squared, Mann-Whitney or log-rank test) and tells patients apart with an
        AUC or concordance above .6. Empty if there is none.
    """
    present = np.asarray(present, dtype=bool)
    y = y if y_kind == "survival" else column_or_1d(y)
    messages = []
    for name, here in zip(names, present.T, strict=True):
        if here.all() or not here.any():
            continue
        pvalue, score, what = _AVAILABILITY[y_kind](here, y)
        if pvalue * present.shape[1] < _ALPHA and score > _NOTABLE:
            messages.append(
                f"whether a patient has the block {name!r} predicts y by itself ({what} "
                f"{score:.2f}, {here.mean():.0%} have it). The model can learn who was examined, "
                "not what was found; compare with the patients who have all blocks."
            )
    return messages


def _classes_and_availability(here, y):
    """Chi-squared test, and the best AUC of one class against the others."""
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        return 1.0, 0.5, "AUC"
    table = np.zeros((2, len(classes)))
    np.add.at(table, (here.astype(int), codes), 1)
    have = table[1] / table.sum(axis=0)  # share who have the block, of each class
    others = (table[1].sum() - table[1]) / (table.sum() - table.sum(axis=0))
    score = 0.5 + 0.5 * np.abs(have - others).max()
    return stats.chi2_contingency(table).pvalue, score, "AUC"


def _numbers_and_availability(here, y):
    """Mann-Whitney test, and the share of pairs that availability puts in order."""
    y = np.asarray(y, dtype=np.float64)
    result = stats.mannwhitneyu(y[here], y[~here])
    share = result.statistic / (here.sum() * (~here).sum())
    return result.pvalue, max(share, 1 - share), "concordance"


def _survival_and_availability(here, y):
    """Log-rank test, and the concordance index."""
    pvalue = logrank_test(y, here).pvalue
    if pvalue >= _ALPHA:  # also where there may be no comparable pair
        return pvalue, 0.5, "concordance"
    share = concordance_index(y, here.astype(float))
    return pvalue, max(share, 1 - share), "concordance"


_AVAILABILITY = {
    "classification": _classes_and_availability,
    "regression": _numbers_and_availability,
    "survival": _survival_and_availability,
}
