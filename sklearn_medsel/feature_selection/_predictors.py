"""The predictors that share the selection network, one file each."""

from ._classifier import DeepFeatureClassifier
from ._cox import DeepFeatureCox
from ._regressor import DeepFeatureRegressor

__all__ = ["DeepFeatureClassifier", "DeepFeatureCox", "DeepFeatureRegressor"]
