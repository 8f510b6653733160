"""scikit-learn estimators for medical data, on torch: genes, reports, tumour motion, and all fused.

Public names are listed here and imported on first use: ``import sklearn_medsel`` is quick.
"""

import importlib

__version__ = "0.1.0"

_HOME = {
    "DeepFeatureClassifier": "feature_selection",
    "DeepFeatureCox": "feature_selection",
    "DeepFeatureRegressor": "feature_selection",
    "DeepFeatureSelector": "feature_selection",
    "baseline_selectors": "feature_selection",
    "compare_selectors": "feature_selection",
    "nogueira_stability": "feature_selection",
    "RiskStratifier": "survival",
    "concordance_index": "survival",
    "cox_regression": "survival",
    "cox_univariate": "survival",
    "kaplan_meier": "survival",
    "logrank_test": "survival",
    "make_survival_y": "survival",
    "prognostic_check": "survival",
    "stratification_report": "survival",
    "CineSequence": "forecasting",
    "TumourPositionForecaster": "forecasting",
    "baseline_forecasters": "forecasting",
    "forecast_errors": "forecasting",
    "FeatureImportanceDisplay": "inspection",
    "HorizonErrorDisplay": "inspection",
    "InteractionDisplay": "inspection",
    "KaplanMeierDisplay": "inspection",
    "ModalityImportanceDisplay": "inspection",
    "PlaneAblationDisplay": "inspection",
    "SelectionPathDisplay": "inspection",
    "SelectionStabilityDisplay": "inspection",
    "TrajectoryDisplay": "inspection",
    "animate_cine": "inspection",
    "ReportAttentionDisplay": "inspection",
    "make_breathing": "datasets",
    "make_cine_phantom": "datasets",
    "make_gene_expression": "datasets",
    "make_patients": "datasets",
    "make_reports": "datasets",
    "ImageEncoder": "image",
    "MultimodalClassifier": "multimodal",
    "MultimodalCox": "multimodal",
    "MultimodalRegressor": "multimodal",
    "SubtypeClusterer": "multimodal",
    "compare_fusions": "multimodal",
    "stress_missing_modalities": "multimodal",
    "HashingSentenceEncoder": "text",
    "ReportAttentionClassifier": "text",
    "ReportEncoder": "text",
    "SentenceCache": "text",
    "baseline_report_classifiers": "text",
    "compare_report_classifiers": "text",
    "split_sentences": "text",
}
_PACKAGES = (
    "datasets",
    "feature_selection",
    "forecasting",
    "image",
    "inspection",
    "multimodal",
    "persistence",
    "survival",
    "text",
)

__all__ = [*sorted(_HOME), *_PACKAGES]


def __getattr__(name):
    if name in _PACKAGES:
        return importlib.import_module(f".{name}", __name__)
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
