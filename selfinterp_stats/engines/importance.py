"""Weighted points of many small problems at once, and the integrals of their densities.

Student-t proposals around each mode with the inverse curvature as scale, weighted by the density: means of weights are the
integral (the evidence, where the density is likelihood times prior with all constants), weighted means are expectations.
Unlike ``sample_laplace`` nothing is resampled or handed on; the effective size says what an average is worth.
Source: Gelman and Meng (1998), "Simulating normalizing constants", Statistical Science 13, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma, log, pi

import numpy as np

from selfinterp_stats.engines.newton import find_modes
from selfinterp_stats.engines.protocol import Floats, LogDensity

__all__ = ["WeightedPoints", "weigh_points"]

_DF = 8.0  # of proposals of up to so many variables; heavier tails cost more, the more variables there are


@dataclass(frozen=True)
class WeightedPoints:
    """Proposals of B problems of D variables, with their log weights.

    Attributes
    ----------
    points : numpy.ndarray
        Shape (B, P, D).
    log_weights : numpy.ndarray
        Log density less that of the proposals, shape (B, P).
    modes : numpy.ndarray
        Shape (B, D).
    """

    points: Floats
    log_weights: Floats
    modes: Floats

    @property
    def weights(self) -> Floats:
        """Weights that sum to one for each problem, (B, P)."""
        weights = np.exp(self.log_weights - self.log_weights.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    @property
    def ess(self) -> Floats:
        """Effective number of points, (B,)."""
        return np.asarray(1.0 / np.square(self.weights).sum(axis=1))

    @property
    def log_evidence(self) -> Floats:
        """Logarithm of the integral of each density, (B,)."""
        top = self.log_weights.max(axis=1)
        return np.asarray(top + np.log(np.exp(self.log_weights - top[:, None]).mean(axis=1)))

    @property
    def log_evidence_error(self) -> Floats:
        """Monte-Carlo standard error of that, (B,)."""
        n_points = self.log_weights.shape[1]
        return np.asarray(np.sqrt(np.maximum(1.0 / self.ess - 1.0 / n_points, 0.0)))


def weigh_points(
    density: LogDensity, count: int, rngs: Sequence[np.random.Generator], start: Floats | None = None
) -> WeightedPoints:
    """Propose around the mode of every problem and weigh.

    Parameters
    ----------
    density : LogDensity
        B problems of D variables.
    count : int
        Proposals for each.
    rngs : sequence of numpy.random.Generator
        One for each problem.
    start : numpy.ndarray, optional
        Where to begin to climb, (B, D).
    """
    n_dimensions = density.shape[1]
    modes = find_modes(density, start=start, decrement=1e-8)
    df = max(_DF, n_dimensions)
    standard = np.empty((len(rngs), count, n_dimensions))
    for b, rng in enumerate(rngs):
        standard[b] = rng.standard_normal((count, n_dimensions)) * np.sqrt(df / rng.chisquare(df, (count, 1)))
    points = modes.location[:, None] + standard @ modes.factor.transpose(0, 2, 1)
    radius = np.square(standard).sum(axis=2)
    constant = lgamma(0.5 * (df + n_dimensions)) - lgamma(0.5 * df) - 0.5 * n_dimensions * log(df * pi)
    log_scale = np.linalg.slogdet(modes.factor)[1]
    log_proposal = constant - log_scale[:, None] - 0.5 * (df + n_dimensions) * np.log1p(radius / df)
    return WeightedPoints(points, density.evaluate(points) - log_proposal, modes.location)
