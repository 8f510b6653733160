"""Several modalities of one patient, fused: images, genes, text and clinical data."""

from sklearn_medsel.multimodal._classifier import MultimodalClassifier
from sklearn_medsel.multimodal._compare import compare_fusions
from sklearn_medsel.multimodal._cox import MultimodalCox
from sklearn_medsel.multimodal._regressor import MultimodalRegressor
from sklearn_medsel.multimodal._stress import stress_missing_modalities
from sklearn_medsel.multimodal._subtypes import SubtypeClusterer

__all__ = [
    "MultimodalClassifier",
    "MultimodalCox",
    "MultimodalRegressor",
    "SubtypeClusterer",
    "compare_fusions",
    "stress_missing_modalities",
]
