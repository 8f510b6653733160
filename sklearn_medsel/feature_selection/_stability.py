"""How alike are feature sets selected from perturbed data: Nogueira's stability."""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm


class Stability(NamedTuple):
    """Stability of a selection and its confidence interval.

    Attributes
    ----------
    estimate : float
        1 for identical sets, about 0 for sets drawn at random; NaN where undefined.
    low, high : float
        Confidence limits; NaN where undefined.
    """

    estimate: float
    low: float
    high: float


def nogueira_stability(support_matrix, *, confidence=0.95):
    """Stability of feature selection over several data samples.

    The measure of Nogueira, Sechidis and Brown compares how much the selection of each feature
    varies with how much it would vary if sets of the same sizes were drawn at random. Unlike
    plain overlap it is corrected for chance, so runs that select many features do not look
    more stable for that alone.

    Parameters
    ----------
    support_matrix : array-like of shape (n_sets, n_features), bool
        Row i says which features were selected from sample i; at least two rows.
    confidence : float, default=0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    Stability
        Named tuple of `estimate`, `low` and `high`. The estimate lies between
        ``-1 / (n_sets - 1)`` and 1, and the limits are kept within that. All three are NaN
        where every set is empty or every set holds all features: such sets say nothing about
        which features are preferred.

    Raises
    ------
    ValueError
        If there are fewer than two sets, no features, or values other than true and false.

    Notes
    -----
    The interval is asymptotic in the number of sets and takes them as independent. Sets from
    overlapping resamples of one table, as in cross-validation, are not, so the interval then
    speaks about the resampling and not about new patients.

    References
    ----------
    S. Nogueira, K. Sechidis, G. Brown. On the stability of feature selection algorithms.
    Journal of Machine Learning Research 18(174), 2018.

    Examples
    --------
    >>> from sklearn_medsel.feature_selection import nogueira_stability
    >>> sets = [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 0, 0]]
    >>> round(nogueira_stability(sets).estimate, 3)
    0.444
    """
    sets = _check_sets(support_matrix)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, found {confidence}.")
    n_sets, n_features = sets.shape
    sizes = sets.sum(axis=1) / n_features
    density = sizes.mean()
    chance = density * (1 - density)
    if chance == 0:
        return Stability(np.nan, np.nan, np.nan)

    frequency = sets.mean(axis=0)
    observed = np.mean(frequency * (1 - frequency)) * n_sets / (n_sets - 1)
    estimate = 1 - observed / chance

    # Influence of each set on the estimate; its spread gives the variance (their theorem 7).
    agreement = sets @ frequency / n_features
    size_term = 2 * sizes * density - sizes - density + 1
    influence = (agreement - sizes * density + estimate / 2 * size_term) / chance
    variance = 4 * np.var(influence) / n_sets
    margin = norm.ppf((1 + confidence) / 2) * np.sqrt(variance)
    lowest = -1 / (n_sets - 1)
    return Stability(
        float(estimate),
        float(max(estimate - margin, lowest)),
        float(min(estimate + margin, 1.0)),
    )


def _check_sets(support_matrix):
    sets = np.asarray(support_matrix)
    if sets.ndim != 2 or sets.shape[0] < 2 or sets.shape[1] < 1:
        raise ValueError(
            "support_matrix must have one row per set, at least two rows, and one column per "
            f"feature; found shape {sets.shape}."
        )
    if sets.dtype != bool and not np.isin(sets, (0, 1)).all():
        raise ValueError(
            "support_matrix must hold true and false (or 1 and 0); for scores or ranks, first "
            "decide what is selected."
        )
    return sets.astype(np.float64)
