"""Rank features by leaving out, again and again, those that a ridge model needs least.

The recursive feature elimination of Guyon et al. [1]_ with ridge regression in place of the support
vector machine. It finds sets that predict well together, where an association cannot see that two
features say the same, and a sparse path takes in many before it has shrunk the first ones enough.

References
----------
.. [1] I. Guyon, J. Weston, S. Barnhill, V. Vapnik. Gene selection for cancer classification using
   support vector machines. Machine Learning 46 (2002).
"""

import numpy as np

from ._association import null_residuals

# Part of the features that each round keeps.
_KEPT = 0.8


def rank_by_elimination(X, family, weight):
    """Importance by the round in which a feature is left out.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
    family : one of the classes of `_families`
    weight : Tensor of shape (n_replicates, n_samples)
        Each row sums to one.

    Returns
    -------
    ndarray of shape (n_replicates, n_features)
        Between 0 and 1.
    """
    target = null_residuals(family, weight).double().cpu().numpy()
    table = X.cpu().numpy()
    return np.array(
        [
            _eliminate(table, response, share)
            for response, share in zip(target, weight.double().cpu().numpy(), strict=True)
        ]
    )


def _eliminate(table, response, weight):
    """Rounds of one replicate; `response` is multiplied by the weights."""
    rows = weight > 0
    root = np.sqrt(weight[rows])[:, None].astype(table.dtype)
    part = table[rows]
    part = (part - (weight[rows] @ part).astype(table.dtype)) * root
    size = np.linalg.norm(part, axis=0)
    part /= np.where(size > 1e-5, size, np.inf).astype(table.dtype)
    target = response[rows] / root
    n_features = part.shape[1]
    importance = np.zeros(n_features)
    active = np.arange(n_features)
    while len(active):
        strength = _ridge_strength(part, target)
        # features that leave in one round are told apart by their strength in it
        largest = max(strength.max(), 1e-30)
        importance[active] = 1 / len(active) * (1 + 0.1 * strength / largest)
        keep = np.argsort(-strength, kind="stable")[: int(_KEPT * len(active))]
        active, part = active[keep], part[:, keep]
    return importance / importance.max()


def _ridge_strength(part, target):
    """Size of each feature's ridge coefficients.

    The penalty is the mean of the eigenvalues, so that the fit is as strong with 10,000 features
    as with ten.
    """
    kernel = (part @ part.T).astype(np.float64)
    kernel[np.diag_indices_from(kernel)] += max(np.trace(kernel) / len(kernel), 1e-30)
    return np.linalg.norm(part.T @ np.linalg.solve(kernel, target), axis=1)
