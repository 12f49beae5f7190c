"""How well used weights agree with reported or target weights, and with those under other conditions."""

from selfinterp_stats.correlation.conditions import ConditionComparison, compare_conditions
from selfinterp_stats.correlation.correlate import Correlations, correlate
from selfinterp_stats.correlation.training import TrainingEffects, estimate_training_effects

__all__ = [
    "ConditionComparison",
    "Correlations",
    "TrainingEffects",
    "compare_conditions",
    "correlate",
    "estimate_training_effects",
]
