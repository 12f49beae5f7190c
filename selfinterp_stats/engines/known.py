"""A single log density, dear to evaluate: adaptive importance sampling that throws no proposal away.

The proposals are those of a unit of a hierarchy (``shared``) that has no hyperparameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from selfinterp_stats.engines.diagnostics import effective_size, pareto_k, pareto_k_limit
from selfinterp_stats.engines.protocol import Floats, LogDensity
from selfinterp_stats.engines.shared import adapt_unit, normalise_weights, propose
from selfinterp_stats.engines.slice import ESS_NEEDED

__all__ = ["KnownDraws", "sample_known"]

_FIRST = 0.25  # of the draws wanted: proposals around the mode, and as many around the moments that they give
_NOTHING = np.empty((1, 0))


@dataclass(frozen=True)
class KnownDraws:
    """Equally weighted draws of one problem.

    Attributes
    ----------
    draws : numpy.ndarray
        Shape (S, D).
    k_hat, ess : float
        Pareto k-hat and effective size of the importance weights.
    converged : bool
        Whether the weights passed their checks.
    """

    draws: Floats
    k_hat: float
    ess: float
    converged: bool


class _NoPrior:
    """The prior of variables that have none besides what the density says."""

    def sizes(self, _density: Any) -> tuple[int, int]:
        return 0, 0

    def statistics(self, _density: Any, points: Floats) -> Floats:
        return np.empty((*points.shape[:-1], 0))

    def log_density(self, phi: Floats, statistics: Floats, _sizes: tuple[int, int]) -> Floats:
        return np.zeros((len(phi), len(statistics)))

    def condition(self, density: Any, _phi: Floats) -> LogDensity:
        known: LogDensity = density
        return known

    def find_widest(self, phi: Floats) -> Floats:
        return np.asarray(phi[0])


def sample_known(density: Any, draws: int, rng: np.random.Generator) -> KnownDraws:
    """Draw from a single problem.

    Parameters
    ----------
    density : LogDensity
        One problem of D variables.
    draws : int
        Draws to return.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    KnownDraws
        Converged where k-hat stays below min(1 - 1/log10(P), 0.7) for P proposals and the effective size is at least 400,
        or a tenth of the draws where these are few.
    """
    prior = _NoPrior()
    few = max(200, round(_FIRST * draws))
    unit = propose(density, prior, _NOTHING, few, [rng])[0]
    for count in (few, draws):
        unit = adapt_unit(density, unit, prior, _NOTHING, count, rng)
    weights = normalise_weights(unit.base[None])[0]
    k_hat, ess = pareto_k(unit.base), float(effective_size(weights))
    cumulative = np.cumsum(weights)
    places = (rng.random() + np.arange(draws)) / draws * cumulative[-1]
    chosen = np.minimum(np.searchsorted(cumulative, places, side="right"), len(weights) - 1)
    found = unit.points[rng.permutation(chosen)]
    passed = k_hat < pareto_k_limit(len(weights)) and ess >= min(ESS_NEEDED, 0.1 * draws)
    return KnownDraws(found, k_hat, ess, passed)
