"""Feature selection: the selector, predictors on the same layer, comparison and stability."""

from ._baselines import baseline_selectors
from ._compare import compare_selectors
from ._predictors import DeepFeatureClassifier, DeepFeatureCox, DeepFeatureRegressor
from ._selector import DeepFeatureSelector
from ._stability import Stability, nogueira_stability

__all__ = [
    "DeepFeatureClassifier",
    "DeepFeatureCox",
    "DeepFeatureRegressor",
    "DeepFeatureSelector",
    "Stability",
    "baseline_selectors",
    "compare_selectors",
    "nogueira_stability",
]
