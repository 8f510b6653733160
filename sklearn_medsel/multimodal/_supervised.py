"""Encoders of the user's own that learn from the outcome of the very patients they then describe.

A fusion believes a block by how well it does for patients left out. Their features must not know
their outcome, or noise does best of all.
"""

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin, VarianceThreshold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags


def steps_that_leak(encoder):
    """Name the steps of an encoder that learn from `y` and are not cross-fitted.

    Parameters
    ----------
    encoder : transformer
        Fitted or not; perhaps a Pipeline, FeatureUnion or ColumnTransformer.

    Returns
    -------
    list of str
        Names of their classes. Steps with a ``fit_transform`` of their own, such as `ImageEncoder`
        and scikit-learn's ``TargetEncoder``, are taken to cross-fit there.
    """
    if isinstance(encoder, Pipeline):
        steps = [step for _, step in encoder.steps]
    elif isinstance(encoder, FeatureUnion):
        steps = [step for _, step in encoder.transformer_list]
    elif isinstance(encoder, ColumnTransformer):
        steps = [step for _, step, _ in encoder.transformers]
    else:
        return [type(encoder).__name__] if _leaks(encoder) else []
    return [name for step in steps for name in steps_that_leak(step)]


def _leaks(step):
    """Whether ``fit_transform`` is a fit on `y`, and then a description of the same patients."""
    if getattr(type(step), "fit_transform", None) is not TransformerMixin.fit_transform:
        return False
    # scikit-learn's selectors by a score look at y, but their tags do not say so
    selects = isinstance(step, SelectorMixin) and not isinstance(step, VarianceThreshold)
    return selects or (isinstance(step, BaseEstimator) and get_tags(step).target_tags.required)
