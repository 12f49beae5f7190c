"""The choice model of two conditions at once: every slope has a partner, and the spread of both is learned together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice.density import ChoiceLikelihood
from selfinterp_stats.choice.design import Design
from selfinterp_stats.choice.priors import PooledPriors
from selfinterp_stats.choice.separate import select_likelihood
from selfinterp_stats.engines import LearnedCovariances, sample_joint
from selfinterp_stats.seeding import make_generator

__all__ = ["PARAMETERS", "PairedArrays", "PairedLikelihood", "fit_pair"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PARAMETERS = ("tau_a", "tau_b", "rho", "sigma_alpha_a", "sigma_alpha_b", "rho_alpha")


@dataclass(frozen=True)
class PairedLikelihood:
    """Log-likelihoods of contexts of two conditions, the b-th of one with the b-th of the other.

    The variables are intercept and slopes of the first condition, then those of the second.

    Attributes
    ----------
    first, second : ChoiceLikelihood
        B contexts each, of K attributes.
    """

    first: ChoiceLikelihood
    second: ChoiceLikelihood

    @property
    def half(self) -> int:
        """Variables of one condition."""
        return self.first.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of pairs of contexts and of variables."""
        return self.first.shape[0], 2 * self.half

    @property
    def blocks(self) -> tuple[slice, slice]:
        """The two conditions."""
        return slice(0, self.half), slice(self.half, 2 * self.half)

    @property
    def pairs(self) -> tuple[tuple[slice, slice], ...]:
        """Intercepts, and slopes, of both conditions."""
        half = self.half
        return (slice(0, 1), slice(half, half + 1)), (slice(1, half), slice(half + 1, 2 * half))

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, at (B, 2K + 2)."""
        n_pairs, n_variables = self.shape
        value, gradient = np.zeros(n_pairs), np.empty((n_pairs, n_variables))
        curvature = np.zeros((n_pairs, n_variables, n_variables))
        for likelihood, part in zip((self.first, self.second), self.blocks, strict=True):
            own, gradient[:, part], curvature[:, part, part] = likelihood.derivatives(np.ascontiguousarray(theta[:, part]))
            value += own
        return value, gradient, curvature

    def evaluate(self, theta: Floats) -> Floats:
        """Log-likelihoods, (B, S, 2K + 2) to (B, S)."""
        left, right = self.blocks
        return np.asarray(self.first.evaluate(theta[..., left]) + self.second.evaluate(theta[..., right]))

    def select(self, problems: Sequence[int]) -> PairedLikelihood:
        """The same, some contexts only."""
        return PairedLikelihood(self.first.select(problems), self.second.select(problems))


@dataclass(frozen=True)
class PairedArrays:
    """Draws of a joint model of two conditions, N scenarios and W slopes in each.

    Attributes
    ----------
    slopes : numpy.ndarray
        Shape (2, W, S), scenarios in order; log odds for a difference of the whole range.
    intercepts : numpy.ndarray
        Shape (2, N, S).
    population : numpy.ndarray
        Draws of ``PARAMETERS``, (6, S).
    scenarios : pandas.DataFrame
        Diagnostics, N rows: ``sampler, k_hat, ess, r_hat, mcse, converged``.
    settled : bool
        Whether the hyperparameters are known as well as they should be.
    """

    slopes: Floats
    intercepts: Floats
    population: Floats
    scenarios: pd.DataFrame
    settled: bool


def fit_pair(
    design: Design, members: tuple[Ints, Ints], priors: PooledPriors, draws: int, seed: int, label: dict[str, Any]
) -> PairedArrays:
    """Draw from the joint model with the laplace engine.

    Parameters
    ----------
    design : Design
    members : tuple of numpy.ndarray
        Contexts of the first and of the second condition, the same scenarios in the same order, (N,) each.
    priors : PooledPriors
        Of tau and sigma_alpha, for both conditions; correlations are uniform in -1..1.
    draws, seed : int
    label : dict
        What makes the random numbers its own.
    """
    sizes = design.contexts["n_attributes"].to_numpy()[members[0]]
    names = design.contexts["scenario"].to_numpy(dtype=object)[members[0]]
    batches = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
    densities = [
        PairedLikelihood(*(select_likelihood(design, side[batch], int(sizes[batch[0]])) for side in members))
        for batch in batches
    ]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    slopes, intercepts = np.empty((2, starts[-1], draws)), np.empty((2, len(sizes), draws))

    def make_rng(purpose: str, i: int, b: int) -> np.random.Generator:
        own = {"scenario": names[batches[i][b]]} if i >= 0 else {}
        return make_generator(seed, f"paired {purpose}", **label, **own)

    def store(i: int, b: int, values: Floats) -> None:
        place = batches[i][b]
        for side, part in enumerate(densities[i].blocks):
            intercepts[side, place] = values[:, part.start]
            slopes[side, starts[place] : starts[place + 1]] = values[:, part.start + 1 : part.stop].T

    result = sample_joint(densities, _learned_covariances(priors), draws, make_rng, store)
    order = np.argsort(np.concatenate(batches))
    found = {name: getattr(result, name)[order] for name in ("sampler", "k_hat", "ess", "r_hat", "mcse", "converged")}
    return PairedArrays(slopes, intercepts, _describe_population(result.phi), pd.DataFrame(found), result.settled)


def _learned_covariances(priors: PooledPriors) -> LearnedCovariances:
    scales = (priors.sigma_alpha, priors.tau)
    return LearnedCovariances(
        np.log([[scale.median] * 2 for scale in scales]), np.array([[scale.sd] * 2 for scale in scales])
    )


def _describe_population(phi: Floats) -> Floats:
    """Draws of the hyperparameters on their own scales, in the order of ``PARAMETERS``."""
    intercepts, slopes = phi[:, :3], phi[:, 3:]
    columns = [np.column_stack([np.exp(part[:, :2]), np.tanh(part[:, 2])]) for part in (slopes, intercepts)]
    return np.concatenate(columns, axis=1).T
