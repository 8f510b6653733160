"""Data without clusters that look otherwise like the patients, to compare clusters with.

k-means finds clusters in anything. How clear they are depends on the shape of the cloud, so two
kinds of clouds are drawn: one flat, one as skewed as the columns.
"""

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

_Z90 = ndtri(0.9)
_LEAST_SHARE = 0.05  # of the middle of a column, on either side of its median
_STRAIGHT = 1e-6


def rotated(X):
    """Centred samples in their principal coordinates: the same distances, no more columns."""
    if X.shape[1] <= len(X):
        return X
    left, singular, _ = np.linalg.svd(X, full_matrices=False)
    return left * singular


class FlatReference:
    """Uniform, with the covariance of the data in its principal coordinates.

    Of all symmetric shapes with one peak, the flat one most looks as if it had clusters.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Centred.
    """

    def __init__(self, X):
        self.n_samples = len(X)
        self.spread = np.linalg.svd(X, compute_uv=False) / np.sqrt(max(len(X) - 1, 1))

    def draw(self, rng):
        """Draw centred samples, in principal coordinates."""
        null = rng.uniform(-1, 1, size=(self.n_samples, self.spread.size))
        null -= null.mean(axis=0)
        # exactly the variances of X: their chance variation would drown the comparison
        return null * (self.spread / null.std(axis=0, ddof=1))


class SkewedReference:
    """Normal scores with the correlations of the data, bent until columns are as skewed as theirs.

    Columns that are skewed together, such as concentrations, have a dense end and a thin one, and
    k-means cuts these apart. A column is Tukey's g-distribution of its score, a log-normal that
    may be shifted and turned round, through the column's median and its tenth and ninetieth
    percentiles (Hoaglin, 1985); it has one peak, whatever the column has.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Centred.
    """

    def __init__(self, X):
        low, median, high = np.percentile(X, [10, 50, 90], axis=0)
        above, below = high - median, median - low
        least = _LEAST_SHARE * (above + below) + np.finfo(float).tiny
        ratio = np.maximum(above, least) / np.maximum(below, least)
        self.skew = np.log(ratio) / _Z90
        self.skew[np.abs(self.skew) < _STRAIGHT] = _STRAIGHT
        self.spread = X.std(axis=0)
        scores = ndtri((rankdata(X, axis=0) - 0.5) / len(X))
        scores -= scores.mean(axis=0)
        self.scores = scores / np.maximum(np.linalg.norm(scores, axis=0), _STRAIGHT)

    def draw(self, rng):
        """Draw centred samples, with no more columns than samples."""
        n_samples = len(self.scores)
        # normal, with the covariance of the scores, however many columns there are
        latent = rng.standard_normal((n_samples, n_samples)) @ self.scores
        null = np.expm1(self.skew * latent) / self.skew
        null -= null.mean(axis=0)
        # exactly the variances of X: their chance variation would drown the comparison
        null *= self.spread / np.maximum(null.std(axis=0), _STRAIGHT)
        return rotated(null)
