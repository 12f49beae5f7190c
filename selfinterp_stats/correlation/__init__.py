"""How well used weights agree with reported or target weights."""

from selfinterp_stats.correlation.correlate import Correlations, correlate

__all__ = ["Correlations", "correlate"]
