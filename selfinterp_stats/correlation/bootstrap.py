"""The Bayesian bootstrap over scenarios."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.summaries import find_weighted_correlation

__all__ = ["draw_correlations", "draw_scenario_weights"]

Floats = NDArray[np.float64]

_FEWEST_SCENARIOS = 2
_BLOCK_VALUES = 2**20


def draw_scenario_weights(scenarios: int, draws: int, rng: np.random.Generator) -> Floats:
    """Dirichlet(1, ..., 1) weights up to their sum, which cancels in what they are used for, (draws, scenarios)."""
    return rng.standard_exponential((draws, scenarios))


def draw_correlations(points: pd.DataFrame, draws: int, rng: np.random.Generator) -> Floats:
    """Posterior draws of Pearson's r for scenarios like these.

    Every draw gives the scenarios Dirichlet(1, ..., 1) weights (Rubin, 1981, "The Bayesian bootstrap", Annals of
    Statistics 9); all attributes of a scenario share its weight, since they share a normalisation and a context.

    Parameters
    ----------
    points : pandas.DataFrame
        Columns ``scenario, used_z, other_z``.
    draws : int
        Number of draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    numpy.ndarray
        Shape (draws,); NaN with fewer than two scenarios.
    """
    names, scenario = np.unique(points["scenario"].to_numpy(dtype=object), return_inverse=True)
    if len(names) < _FEWEST_SCENARIOS:
        return np.full(draws, np.nan)
    x = points["used_z"].to_numpy(dtype=np.float64)
    y = points["other_z"].to_numpy(dtype=np.float64)
    weights = draw_scenario_weights(len(names), draws, rng)
    size = max(1, _BLOCK_VALUES // len(x))
    parts = [find_weighted_correlation(x, y, weights[start : start + size][:, scenario]) for start in range(0, draws, size)]
    return np.concatenate(parts)
