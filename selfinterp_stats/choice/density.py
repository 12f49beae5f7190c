"""The choice model without pooling as a batch of log densities, one for each scenario of a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.choice.kernels import log_likelihood, log_likelihood_derivatives
from selfinterp_stats.choice.priors import ChoicePriors

__all__ = ["ChoiceDensity"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChoiceDensity:
    """Posterior log densities of contexts with the same number K of attributes.

    The variables are the intercept at centred predictors and the K slopes.

    Attributes
    ----------
    x : numpy.ndarray
        Centred predictors of all trials, shape (N, K).
    s : numpy.ndarray
        +1 where A was chosen, -1 where B was, shape (N,).
    first : numpy.ndarray of int
        Context b has the trials first[b] .. first[b + 1] - 1; shape (B + 1,).
    priors : ChoicePriors
        Priors in force.
    """

    x: Floats
    s: Floats
    first: NDArray[np.int64]
    priors: ChoicePriors

    @property
    def shape(self) -> tuple[int, int]:
        """Number of contexts and of variables."""
        return len(self.first) - 1, self.x.shape[1] + 1

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, at (B, K + 1)."""
        value, gradient, curvature = log_likelihood_derivatives(theta, self.x, self.s, self.first)
        intercept, slopes = self.priors.intercept, self.priors.slopes
        value += intercept.log_density(theta[:, 0]) + slopes.log_density(theta[:, 1:]).sum(axis=1)
        gradient[:, 0] += intercept.score(theta[:, 0])
        gradient[:, 1:] += slopes.score(theta[:, 1:])
        diagonal = np.arange(theta.shape[1])
        curvature[:, 0, 0] += intercept.curvature(theta[:, 0])
        curvature[:, diagonal[1:], diagonal[1:]] += slopes.curvature(theta[:, 1:])
        return value, gradient, curvature

    def evaluate(self, theta: Floats) -> Floats:
        """Log densities, (B, S, K + 1) to (B, S)."""
        value: Floats = log_likelihood(np.ascontiguousarray(theta), self.x, self.s, self.first)
        value += self.priors.intercept.log_density(theta[:, :, 0])
        for k in range(1, theta.shape[2]):
            value += self.priors.slopes.log_density(theta[:, :, k])
        return value

    def select(self, problems: Sequence[int]) -> ChoiceDensity:
        """The same densities, some contexts only."""
        parts = [np.arange(self.first[b], self.first[b + 1]) for b in problems]
        rows = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        first = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        return ChoiceDensity(self.x[rows], self.s[rows], first, self.priors)
