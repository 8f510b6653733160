"""Whether a product of two features tells anything that bends of single features do not.

What bends in one feature (both low and high values are bad) looks like its product with another
that is correlated with it, and so does an outcome that varies more in some patients.
"""

import numpy as np
from scipy import linalg
from scipy.stats import norm, t

from sklearn_medsel.multimodal._units import summed

_DEGREE = 3
_MOST = 5  # features whose bends count beside any pair
_UNITS_PER_BEND = 30  # so that few patients are not explained away
_LEVEL = 0.05
_MOST_EXPLAINED = 0.9
_TINY = 1e-12


def clear_bends(features, rest):
    """Powers of the features that bend beyond chance.

    Parameters
    ----------
    features : ndarray of shape (n, p)
        In standard deviations.
    rest : ndarray of shape (n, K)
        What straight main effects leave over.

    Returns
    -------
    ndarray of shape (n, 3 * m)
        Of at most five features, so that their squares, less what is straight, go with `rest` at a
        p-value below .05 over all features.
    """
    n, p = features.shape
    straight, bent, rest = (part - part.mean(axis=0) for part in (features, features**2, rest))
    slope = (straight * bent).sum(axis=0) / np.maximum((straight**2).sum(axis=0), _TINY)
    size = (bent**2).sum(axis=0)
    bent = bent - straight * slope
    left = (bent**2).sum(axis=0)
    bent = bent / np.sqrt(np.maximum(left, _TINY)) * (left > 1e-6 * size)
    clearness = np.abs(bent.T @ rest / np.maximum(np.linalg.norm(rest, axis=0), _TINY))
    clearness = clearness.max(axis=1, initial=0) * np.sqrt(n)
    n_allowed = min(_MOST, n // _UNITS_PER_BEND)
    first = np.argsort(-clearness, kind="stable")[:n_allowed]
    beyond = norm.isf(_LEVEL / 2 / max(1, p * rest.shape[1]))
    return _powers(features[:, first[clearness[first] > beyond]])


def product_beside(pair, bends, rest, units):
    """Test a product beside powers of its two features and those of others.

    Rao's score test. Its variance is summed over units from their own residuals, each raised for
    what it was fitted by, so that neither units nor unequal variances make it look clear (MacKinnon
    and White, J Econom 1985;29:305, HC2).

    Parameters
    ----------
    pair : ndarray of shape (n, 2)
        Two features in standard deviations.
    bends : ndarray of shape (n, m)
    rest : ndarray of shape (n, K)
    units : ndarray of shape (n,), int

    Returns
    -------
    float
        p-value, corrected for the number of outputs.
    """
    known = np.hstack([np.ones((len(pair), 1)), _powers(pair), bends])
    known = linalg.orth(known, rcond=1e-6)
    freedom = len(np.unique(units)) - known.shape[1] - 1
    product = pair.prod(axis=1)
    own = product - known @ (known.T @ product)
    if freedom < 1 or own @ own <= 1e-6 * (product @ product):
        return 1.0
    rest = rest - known @ (known.T @ rest)
    fitted_by = (known**2).sum(axis=1) + own**2 / (own @ own)
    told = own[:, None] * rest
    raised = told / np.sqrt(1 - np.minimum(fitted_by, _MOST_EXPLAINED))[:, None]
    spread = np.sqrt((summed(raised.T, units) ** 2).sum(axis=1))
    statistic = np.abs(told.sum(axis=0)) / np.maximum(spread, _TINY)
    return float(min(1.0, 2 * t.sf(statistic.max(), freedom) * rest.shape[1]))


def _powers(features):
    return np.hstack([features**power for power in range(1, _DEGREE + 1)])
