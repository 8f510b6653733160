"""Groups of rows, such as those of one patient: joined, and on their way into any estimator."""

import inspect

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn import get_config
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object

from sklearn_medsel._validation import list_rows


def joint_groups(groups, keys):
    """Join groups that have rows of one key: no key is in two of them then.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        As given by the user.
    keys : array-like of shape (n_samples,)
        What must not be parted either, such as the content of a report, or a patient.

    Returns
    -------
    ndarray of shape (n_samples,), int

    Raises
    ------
    ValueError
        If a group is missing.
    """
    codes = pd.factorize(pd.Series(np.asarray(groups)))[0]
    if (codes < 0).any():
        raise ValueError(
            f"groups is missing at {list_rows(codes < 0)}; give these rows a group of their own."
        )
    n_rows = len(codes)
    # each row is linked to the first one of its group, and to the first one of its key
    firsts = []
    for values in (codes, np.asarray(keys)):
        _, first, place = np.unique(values, return_index=True, return_inverse=True)
        firsts.append(first[place])
    links = (np.ones(2 * n_rows), (np.tile(np.arange(n_rows), 2), np.concatenate(firsts)))
    return connected_components(sparse.csr_array(links, shape=(n_rows, n_rows)), directed=False)[1]


def pass_groups(estimator, groups, method="fit"):
    """Give the arguments by which an estimator takes groups; none if it does not.

    Parameters
    ----------
    estimator : estimator
        If it is a Pipeline, groups are for the steps that take them; if a search, for its splitter.
        Where scikit-learn's metadata routing is on, they go where they are asked for.
    groups : ndarray of shape (n_samples,) or None
        Of the samples that it is fitted on.
    method : {"fit", "fit_transform"}, default="fit"
        What they are for.

    Returns
    -------
    dict of str to ndarray
    """
    return {} if groups is None else dict.fromkeys(_names(estimator, method), groups)


def _names(estimator, method):
    if "groups" in inspect.signature(getattr(estimator, method)).parameters:
        return ["groups"]
    if get_config()["enable_metadata_routing"]:
        asked = get_routing_for_object(estimator).consumes(method, {"groups"})
        return ["groups"] if asked else []
    if isinstance(estimator, Pipeline):
        # a step may be "passthrough" or None
        steps = [(name, step) for name, step in estimator.steps if hasattr(step, method)]
        return [f"{name}__{own}" for name, step in steps for own in _names(step, method)]
    if isinstance(estimator, BaseSearchCV) and _splits_groups(estimator.cv):
        return ["groups"]
    return []


def _splits_groups(cv):
    """Tell whether a splitter looks at groups; scikit-learn's say so, others are taken to."""
    if not hasattr(cv, "split"):  # a number, or folds that are split already
        return False
    request = getattr(cv, "get_metadata_routing", None)
    return request is None or bool(request().consumes("split", {"groups"}))
