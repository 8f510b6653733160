"""Groups of rows, such as those of one patient, on their way into the fit of any estimator."""

import inspect

from sklearn import get_config
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object


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
