"""Pictures of what was selected, how sure it is, what it means for survival; marked reports."""

from sklearn_medsel.inspection._importance import FeatureImportanceDisplay
from sklearn_medsel.inspection._kaplan_meier import KaplanMeierDisplay
from sklearn_medsel.inspection._path import SelectionPathDisplay
from sklearn_medsel.inspection._report_attention import ReportAttentionDisplay
from sklearn_medsel.inspection._stability import SelectionStabilityDisplay

__all__ = [
    "FeatureImportanceDisplay",
    "KaplanMeierDisplay",
    "ReportAttentionDisplay",
    "SelectionPathDisplay",
    "SelectionStabilityDisplay",
]
