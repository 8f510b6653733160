"""Samples that are not independent, such as several of one patient, in the variance of a test.

What each sample adds to an estimate is summed over its cluster first: the sandwich of Lin and Wei,
J Am Stat Assoc 1989;84:1074.
"""

import numpy as np
import pandas as pd

from sklearn_medsel._validation import check_labels


def check_clusters(clusters, n_samples):
    """Number the clusters.

    Parameters
    ----------
    clusters : array-like of shape (n_samples,) or None
        Labels; samples of one cluster depend on each other.
    n_samples : int
        Expected length.

    Returns
    -------
    ndarray of shape (n_samples,), int, or None
        None if no two samples share a cluster.

    Raises
    ------
    ValueError
        If the length is another, or a label is missing.
    """
    if clusters is None:
        return None
    remedy = "give every sample without one a cluster of its own"
    series = check_labels(clusters, n_samples, "clusters", remedy)
    code, labels = pd.factorize(series)
    return None if len(labels) == n_samples else code


def sum_clusters(values, clusters):
    """Sum values (n_samples, n) over clusters (n_samples,), int: (n_clusters, n)."""
    total = np.zeros((clusters.max() + 1, values.shape[1]))
    np.add.at(total, clusters, values)
    return total
