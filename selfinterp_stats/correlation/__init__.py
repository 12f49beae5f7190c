"""How well used weights agree with reported or target weights."""

from selfinterp_stats.correlation.correlate import Correlations, correlate
from selfinterp_stats.correlation.training import TrainingEffects, estimate_training_effects

__all__ = ["Correlations", "TrainingEffects", "correlate", "estimate_training_effects"]
