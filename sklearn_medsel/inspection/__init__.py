"""Pictures of selected genes, survival, marked reports, forecasts of motion, and modalities."""

from sklearn_medsel.inspection._cine_animation import animate_cine
from sklearn_medsel.inspection._horizon_error import HorizonErrorDisplay
from sklearn_medsel.inspection._importance import FeatureImportanceDisplay
from sklearn_medsel.inspection._interaction import InteractionDisplay
from sklearn_medsel.inspection._kaplan_meier import KaplanMeierDisplay
from sklearn_medsel.inspection._modality_importance import ModalityImportanceDisplay
from sklearn_medsel.inspection._path import SelectionPathDisplay
from sklearn_medsel.inspection._plane_ablation import PlaneAblationDisplay
from sklearn_medsel.inspection._report_attention import ReportAttentionDisplay
from sklearn_medsel.inspection._stability import SelectionStabilityDisplay
from sklearn_medsel.inspection._trajectory import TrajectoryDisplay

__all__ = [
    "FeatureImportanceDisplay",
    "HorizonErrorDisplay",
    "InteractionDisplay",
    "KaplanMeierDisplay",
    "ModalityImportanceDisplay",
    "PlaneAblationDisplay",
    "ReportAttentionDisplay",
    "SelectionPathDisplay",
    "SelectionStabilityDisplay",
    "TrajectoryDisplay",
    "animate_cine",
]
