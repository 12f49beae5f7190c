"""The choice model as batches of log densities, one for each scenario of a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.choice.kernels import log_likelihood, log_likelihood_derivatives
from selfinterp_stats.choice.priors import ChoicePriors, LogNormal
from selfinterp_stats.choice.probability_kernels import normal_log_likelihood, normal_log_likelihood_derivatives

__all__ = ["SMALLEST_NOISE", "ChoiceDensity", "ChoiceLikelihood", "ProbabilityLikelihood"]

Floats = NDArray[np.float64]

# Log odds are never taken to be more accurate than this: without a floor, probabilities that follow the weights exactly
# would let the likelihood grow without bound.
SMALLEST_NOISE = 1e-3


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
        rows, first = _select_rows(self.first, problems)
        return ChoiceLikelihood(self.x[rows], self.s[rows], first)


@dataclass(frozen=True)
class ProbabilityLikelihood:
    """Log-likelihoods of contexts whose trials carry the probability of A.

    logit P(A) is normal around intercept + x'slopes, with a standard deviation of each context's own. The variables are the
    intercept, the K slopes and the logarithm of that standard deviation, whose prior is part of this.

    Attributes
    ----------
    x : numpy.ndarray
        Predictors of all trials, shape (N, K).
    y : numpy.ndarray
        Logits of the probabilities, or where they were truncated, shape (N,).
    side : numpy.ndarray
        0 where y is known, +1 where it is a lower bound, -1 where it is an upper one, shape (N,).
    first : numpy.ndarray of int
        Context b has the trials first[b] .. first[b + 1] - 1; shape (B + 1,).
    noise : LogNormal
        Prior of the standard deviation.
    """

    x: Floats
    y: Floats
    side: Floats
    first: NDArray[np.int64]
    noise: LogNormal

    @property
    def shape(self) -> tuple[int, int]:
        """Number of contexts and of variables."""
        return len(self.first) - 1, self.x.shape[1] + 2

    @property
    def blocks(self) -> tuple[slice, slice]:
        """The intercept, and the slopes."""
        return slice(0, 1), slice(1, self.x.shape[1] + 1)

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, at (B, K + 2)."""
        value, gradient, curvature = normal_log_likelihood_derivatives(
            theta, self.x, self.y, self.side, self.first, SMALLEST_NOISE
        )
        centred = theta[:, -1] - np.log(self.noise.median)
        value -= 0.5 * np.square(centred / self.noise.sd)
        gradient[:, -1] -= centred / self.noise.sd**2
        curvature[:, -1, -1] += 1.0 / self.noise.sd**2
        return value, gradient, curvature

    def evaluate(self, theta: Floats) -> Floats:
        """Log-likelihoods, (B, S, K + 2) to (B, S)."""
        arguments = (self.x, self.y, self.side, self.first, SMALLEST_NOISE)
        value: Floats = normal_log_likelihood(np.ascontiguousarray(theta), *arguments)
        value -= 0.5 * np.square((theta[:, :, -1] - np.log(self.noise.median)) / self.noise.sd)
        return value

    def select(self, problems: Sequence[int]) -> ProbabilityLikelihood:
        """The same, some contexts only."""
        rows, first = _select_rows(self.first, problems)
        return ProbabilityLikelihood(self.x[rows], self.y[rows], self.side[rows], first, self.noise)


def _select_rows(first: NDArray[np.int64], problems: Sequence[int]) -> tuple[slice | NDArray[np.int64], NDArray[np.int64]]:
    """Trials of some contexts, and where each of them begins among these."""
    if isinstance(problems, range) and problems.step == 1:  # neighbours need no copy
        start, stop = int(first[problems.start]), int(first[problems.stop])
        return slice(start, stop), first[problems.start : problems.stop + 1] - start
    parts = [np.arange(first[b], first[b + 1]) for b in problems]
    rows = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    return rows, np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)


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
