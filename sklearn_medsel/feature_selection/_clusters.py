"""Which features could stand in for a selected one."""

import numpy as np
import torch

# Correlation from which a feature belongs to a selected one's cluster.
THRESHOLD = 0.6


def correlated_clusters(X, weight, selected, *, threshold=THRESHOLD):
    """Assign every feature that correlates with a selected one to the closest of these.

    Parameters
    ----------
    X : Tensor of shape (n_samples, n_features)
        Standardised.
    weight : ndarray of shape (n_samples,)
        Sums to one.
    selected : ndarray of int
        Selected columns, best first.

    Returns
    -------
    features, representatives : ndarray of shape (n_members,), int64
        Columns; the selected ones are members of their own cluster. By cluster, closest first.
    correlation : ndarray of shape (n_members,)
        With the representative, signed.
    """
    if len(selected) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    columns = X[:, torch.as_tensor(selected, device=X.device)]
    columns = columns * torch.as_tensor(weight).to(X)[:, None]
    correlation = (X.T @ columns).double().cpu().numpy()
    closest = np.abs(correlation).argmax(axis=1)
    closest[selected] = np.arange(len(selected))
    value = correlation[np.arange(len(correlation)), closest]
    value[selected] = 1.0
    members = np.flatnonzero(np.abs(value) >= threshold)
    members = members[np.lexsort((members, -np.abs(value[members]), closest[members]))]
    return members, selected[closest[members]], np.clip(value[members], -1, 1)
