"""Synthetic agents: deciders and reporters whose true weights, and whose true report accuracy, are known.

Nothing here imports a model or an engine, so that a mistake in one of them cannot hide in the data that it is tried on.
"""

from selfinterp_stats.agents.agent import Agent
from selfinterp_stats.agents.deciders import (
    Decider,
    DeterministicDecider,
    IdealPointDecider,
    LapsingDecider,
    LexicographicDecider,
    LogitDecider,
    OneAttributeDecider,
)
from selfinterp_stats.agents.experiment import Experiment, simulate_experiment
from selfinterp_stats.agents.population import find_population_truth
from selfinterp_stats.agents.projection import find_used_weights
from selfinterp_stats.agents.reporters import GaussianNoise, Noise, Reporter, StudentNoise, draw_noise_free_reports
from selfinterp_stats.agents.truth import MEASURES, measure_association

__all__ = [
    "MEASURES",
    "Agent",
    "Decider",
    "DeterministicDecider",
    "Experiment",
    "GaussianNoise",
    "IdealPointDecider",
    "LapsingDecider",
    "LexicographicDecider",
    "LogitDecider",
    "Noise",
    "OneAttributeDecider",
    "Reporter",
    "StudentNoise",
    "draw_noise_free_reports",
    "find_population_truth",
    "find_used_weights",
    "measure_association",
    "simulate_experiment",
]
