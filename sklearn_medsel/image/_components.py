"""From what is said about images to the columns of patients: scores, pooling and components."""

import numpy as np

_NOTHING = 1e-12


def components(features, n_components, *, standardise=False):
    """Learn principal components.

    Parameters
    ----------
    features : ndarray of shape (n, d)
    n_components : int or None
    standardise : bool, default=False
        Whether features count alike, whatever their unit.

    Returns
    -------
    mean : ndarray of shape (d,)
    rotation : ndarray of shape (d, k) or None
        From centred features to components, of which the first has a standard deviation of 1.
        None: features are kept as they are.
    """
    mean = features.mean(0)
    if n_components is None:
        return mean, None
    centred = features - mean
    spread = centred.std(0) if standardise else np.ones(centred.shape[1])
    spread = np.where(spread > _NOTHING, spread, 1.0)
    _, sizes, directions = np.linalg.svd(centred / spread, full_matrices=False)
    directions = directions[:n_components]
    # the largest weight of a direction is positive, whatever LAPACK chose
    largest = np.abs(directions).argmax(1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    unit = sizes[0] / np.sqrt(len(features))
    return mean, (directions / spread).T / (unit if unit > _NOTHING else 1.0)


def turn(table, n_scores, frame, unit=1.0):
    """Learn how scores and features of one network become columns that suit those of another.

    Networks of different folds are not alike by themselves. All start from the same weights, and
    each is turned, by orthogonal Procrustes on its own training patients, towards the components of
    the untrained network. To turn one network towards another that was trained would not do: that
    one has learnt by heart the labels of the patients left out, and a regression finds them.

    Parameters
    ----------
    table : ndarray of shape (n, n_scores + d)
        Scores and features of a network for its training patients.
    n_scores : int
    frame : ndarray of shape (n, k) or None
        Components of the same patients, from the untrained network. None: features are kept.
    unit : float, default=1.0
        Size of a component that becomes 1.

    Returns
    -------
    mean : ndarray of shape (n_scores + d,)
    rotation : ndarray of shape (n_scores + d, n_scores + k) or None
        Scores are centred only.

    References
    ----------
    P. H. Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika
    31 (1966) 1-10.
    """
    mean = table.mean(0)
    if frame is None:
        return mean, None
    centred = table[:, n_scores:] - mean[n_scores:]
    left, _, right = np.linalg.svd(centred.T @ (frame - frame.mean(0)), full_matrices=False)
    rotation = np.zeros((table.shape[1], n_scores + frame.shape[1]))
    rotation[:n_scores, :n_scores] = np.eye(n_scores)
    rotation[n_scores:, n_scores:] = left @ right / unit
    return mean, rotation


def columns(table, mean, rotation):
    """Centre scores and features (n, m), and rotate them if there is a rotation (m, n_columns)."""
    return table - mean if rotation is None else (table - mean) @ rotation


def scores(outputs, task):
    """Scores of a head's outputs: of two classes the log-odds, of more each one's share of it."""
    if task != "classification":
        return outputs
    if outputs.shape[1] == 2:
        return outputs[:, 1:] - outputs[:, :1]
    return outputs - outputs.mean(1, keepdims=True)


def pool(described, counts, how):
    """Pool rows (n_images, d) over each patient's images: (n_patients, d), zero without any."""
    pooled = np.zeros((len(counts), described.shape[1]))
    has = np.flatnonzero(counts)
    starts = np.cumsum(counts)[has] - counts[has]
    if how == "max":
        pooled[has] = np.maximum.reduceat(described, starts, axis=0)
    else:
        pooled[has] = np.add.reduceat(described, starts, axis=0) / counts[has, None]
    return pooled


def take_images(images, counts, rows):
    """Images of some patients, and whose each one is."""
    owner = np.repeat(np.arange(len(counts)), counts)
    wanted = np.zeros(len(counts), bool)
    wanted[rows] = True
    chosen = wanted[owner]
    return images[chosen], owner[chosen]
