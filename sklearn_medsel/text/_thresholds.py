"""From which probability on a report is flagged: the best F1, or a promise on recall.

The promise: scores of important reports that the model has not seen are a sample of those to come.
If the true recall at a threshold were below the target, so few misses as were seen would be
unlikely: an exact binomial bound (Clopper and Pearson, Biometrika 1934;26:404), one-sided.
"""

import numpy as np
from scipy.stats import binom

_ROUNDING = 1e-9  # relative: 0.9 squared is 1 - 0.19


def tolerated_misses(n_positive, target, confidence):
    """Give the largest number of misses among ``n_positive`` that keeps the promise, or -1.

    Parameters
    ----------
    n_positive : int
        Number of important reports.
    target : float
        Recall to be reached, in (0, 1).
    confidence : float
        Probability, in (0, 1), that the promise holds.

    Returns
    -------
    int
        The largest k with P(misses <= k | recall = target) <= 1 - confidence; -1 if not even none
        missed is enough.

    Examples
    --------
    >>> from sklearn_medsel.text._thresholds import tolerated_misses
    >>> tolerated_misses(44, 0.95, 0.9), tolerated_misses(45, 0.95, 0.9)
    (-1, 0)
    """
    chances = binom.cdf(np.arange(n_positive + 1), n_positive, 1 - target)
    allowed = (1 - confidence) * (1 + _ROUNDING)
    return int(np.searchsorted(chances, allowed, side="right")) - 1


def fewest_positives(target, confidence):
    """Give the number of important reports from which a promise can be made, with none missed."""
    return int(np.ceil(np.log(1 - confidence) / np.log(target) - _ROUNDING))


def recall_threshold(scores, target, confidence, *, name="y"):
    """Choose the highest threshold that keeps the promise.

    Parameters
    ----------
    scores : ndarray of shape (n_positive,)
        Out-of-fold probabilities of the important reports; a report is flagged from the
        threshold on.
    target, confidence : float
        As in `tolerated_misses`.
    name : str, default="y"
        What the error message calls the target.

    Returns
    -------
    float
        The threshold: one of the scores.

    Raises
    ------
    ValueError
        If there are too few important reports for any promise, or a score is NaN.
    """
    if np.isnan(scores).any():
        raise ValueError(
            f"recall_target needs out-of-fold scores, and {name} has a class whose reports are all "
            "of one group or of the same text, so that there are no folds. Add reports."
        )
    misses = tolerated_misses(len(scores), target, confidence)
    if misses < 0:
        needed = fewest_positives(target, confidence)
        raise ValueError(
            f"recall_target={target} at recall_confidence={confidence} needs at least {needed} "
            f"positive reports with none missed, and {name} has {len(scores)}. Add reports, or "
            "lower recall_target or recall_confidence."
        )
    return float(np.sort(scores)[misses])


def f1_threshold(scores, weight):
    """Choose the threshold with the largest expected F1, from calibrated probabilities.

    With probabilities p, flagging the k most probable reports has an expected F1 of about
    ``2 * (p_1 + ... + p_k) / (k + p_1 + ... + p_n)``. No label enters, so the threshold varies
    little between samples (Ye, Chai, Lee, Chieu, "Optimizing F-measure: a tale of two
    approaches", ICML 2012). Where the scores tell little, the best F1 would flag everything; the
    threshold is therefore not below the mean score, or 0.5.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Out-of-fold probabilities.
    weight : ndarray of shape (n,)
        Weights of the reports.

    Returns
    -------
    float
        Midway between the last score that is flagged and the next, unless that is too low.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_medsel.text._thresholds import f1_threshold
    >>> f1_threshold(np.array([0.9, 0.8, 0.1, 0.1, 0.1]), np.ones(5))
    0.45
    """
    order = np.argsort(-scores, kind="stable")
    scores, weight = scores[order], weight[order]
    found = np.cumsum(weight * scores)
    best = int(np.argmax(2 * found / (np.cumsum(weight) + found[-1])))
    floor = min(0.5, found[-1] / weight.sum(), scores[0])  # a mean may round above its values
    return float(max(floor, np.mean(scores[best : best + 2])))


def check_enough_positives(target, recall, confidence):
    """Raise the ValueError of `recall_threshold` if any output has too few ones."""
    for k, column in enumerate(target.T):
        recall_threshold(column[column == 1], recall, confidence, name=_output_name(target, k))


def choose_thresholds(positive, target, weight, *, rule, recall, confidence):
    """Choose a threshold for each output, (n_outputs,).

    Parameters
    ----------
    positive : ndarray of shape (n, n_outputs)
        Out-of-fold probabilities; NaN if there were no folds.
    target : ndarray of shape (n, n_outputs)
        Zero or one.
    weight : ndarray of shape (n,)
        Weights of the reports.
    rule : "f1" or float
        Taken where nothing is promised; 0.5 stands in for ``"f1"`` without folds.
    recall, confidence : float
        The promise; ``recall=None`` for none.
    """
    if recall is None and rule != "f1":
        return np.full(positive.shape[1], float(rule))
    thresholds = []
    for k, (scores, labels) in enumerate(zip(positive.T, target.T, strict=True)):
        if recall is not None:
            name = _output_name(target, k)
            thresholds.append(recall_threshold(scores[labels == 1], recall, confidence, name=name))
        else:
            thresholds.append(0.5 if np.isnan(scores).any() else f1_threshold(scores, weight))
    return np.array(thresholds)


def _output_name(target, k):
    return "y" if target.shape[1] == 1 else f"label {k} of y"
