"""Engines: from a log density to draws. They know nothing of choices, scenarios or weights."""

from selfinterp_stats.engines.covariances import LearnedCovariances, PairedDensity
from selfinterp_stats.engines.importance import WeightedPoints, weigh_points
from selfinterp_stats.engines.joint import sample_joint
from selfinterp_stats.engines.laplace import sample_laplace
from selfinterp_stats.engines.nuts import ChainAccuracy, NutsDraws, load_pymc, sample_nuts
from selfinterp_stats.engines.pooled import PooledDraws, sample_pooled
from selfinterp_stats.engines.protocol import EngineDraws, LogDensity, PooledDensity
from selfinterp_stats.engines.scales import LearnedScales
from selfinterp_stats.engines.slice import ESS_NEEDED

__all__ = [
    "ESS_NEEDED",
    "ChainAccuracy",
    "EngineDraws",
    "LearnedCovariances",
    "LearnedScales",
    "LogDensity",
    "NutsDraws",
    "PairedDensity",
    "PooledDensity",
    "PooledDraws",
    "WeightedPoints",
    "load_pymc",
    "sample_joint",
    "sample_laplace",
    "sample_nuts",
    "sample_pooled",
    "weigh_points",
]
