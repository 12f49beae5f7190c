"""Engines: from a log density to draws. They know nothing of choices, scenarios or weights."""

from selfinterp_stats.engines.laplace import sample_laplace
from selfinterp_stats.engines.protocol import EngineDraws, LogDensity

__all__ = ["EngineDraws", "LogDensity", "sample_laplace"]
