"""The choice model as batches of log densities, one for each scenario of a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.choice.kernels import log_likelihood, log_likelihood_derivatives
from selfinterp_stats.choice.priors import ChoicePriors

__all__ = ["ChoiceDensity", "ChoiceLikelihood"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChoiceLikelihood:
    """Log-likelihoods of contexts with the same number K of attributes.

    The variables are the intercept and the K slopes; the intercept's prior and that of the slopes each have a scale of
    their own.

    Attributes
    ----------
    x : numpy.ndarray
        Predictors of all trials, shape (N, K).
    s : numpy.ndarray
        +1 where A was chosen, -1 where B was, shape (N,).
    first : numpy.ndarray of int
        Context b has the trials first[b] .. first[b + 1] - 1; shape (B + 1,).
    """

    x: Floats
    s: Floats
    first: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of contexts and of variables."""
        return len(self.first) - 1, self.x.shape[1] + 1

    @property
    def blocks(self) -> tuple[slice, slice]:
        """The intercept, and the slopes."""
        return slice(0, 1), slice(1, self.x.shape[1] + 1)

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, at (B, K + 1)."""
        value, gradient, curvature = log_likelihood_derivatives(theta, self.x, self.s, self.first)
        return value, gradient, curvature

    def evaluate(self, theta: Floats) -> Floats:
        """Log-likelihoods, (B, S, K + 1) to (B, S)."""
        value: Floats = log_likelihood(np.ascontiguousarray(theta), self.x, self.s, self.first)
        return value

    def select(self, problems: Sequence[int]) -> ChoiceLikelihood:
        """The same, some contexts only."""
        if isinstance(problems, range) and problems.step == 1:  # neighbours need no copy
            start, stop = self.first[problems.start], self.first[problems.stop]
            return ChoiceLikelihood(
                self.x[start:stop], self.s[start:stop], self.first[problems.start : problems.stop + 1] - start
            )
        parts = [np.arange(self.first[b], self.first[b + 1]) for b in problems]
        rows = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        first = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
        return ChoiceLikelihood(self.x[rows], self.s[rows], first)


@dataclass(frozen=True)
class ChoiceDensity:
    """Posterior log densities of contexts without pooling: likelihood and priors.

    The variables are the intercept at centred predictors and the slopes.

    Attributes
    ----------
    likelihood : ChoiceLikelihood
        With centred predictors.
    priors : ChoicePriors
        Priors in force.
    """

    likelihood: ChoiceLikelihood
    priors: ChoicePriors

    @property
    def shape(self) -> tuple[int, int]:
        """Number of contexts and of variables."""
        return self.likelihood.shape

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, at (B, K + 1)."""
        value, gradient, curvature = self.likelihood.derivatives(theta)
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
        value = self.likelihood.evaluate(theta)
        value += self.priors.intercept.log_density(theta[:, :, 0])
        for k in range(1, theta.shape[2]):
            value += self.priors.slopes.log_density(theta[:, :, k])
        return value

    def select(self, problems: Sequence[int]) -> ChoiceDensity:
        """The same densities, some contexts only."""
        return ChoiceDensity(self.likelihood.select(problems), self.priors)
