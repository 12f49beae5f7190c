"""Engines: from a log density to draws. They know nothing of choices, scenarios or weights."""

from selfinterp_stats.engines.laplace import sample_laplace
from selfinterp_stats.engines.pooled import PooledDraws, sample_pooled
from selfinterp_stats.engines.protocol import EngineDraws, LogDensity, PooledDensity
from selfinterp_stats.engines.scales import LearnedScales

__all__ = [
    "EngineDraws",
    "LearnedScales",
    "LogDensity",
    "PooledDensity",
    "PooledDraws",
    "sample_laplace",
    "sample_pooled",
]
