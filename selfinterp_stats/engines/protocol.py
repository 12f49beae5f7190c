"""What an engine is given and what it gives back.

An engine knows nothing of choices: it is handed a batch of unrelated log densities of one dimension and returns draws of
each. Problems of a batch never influence one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["EngineDraws", "LearnedPrior", "LogDensity", "PointDensity", "PooledDensity"]

Floats = NDArray[np.float64]


class LogDensity(Protocol):
    """A batch of B unnormalised log densities of D real variables each."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of problems B and of dimensions D."""

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian at one point for each problem.

        Parameters
        ----------
        theta : numpy.ndarray
            Shape (B, D).

        Returns
        -------
        value, gradient, curvature : numpy.ndarray
            Shapes (B,), (B, D) and (B, D, D).
        """

    def evaluate(self, theta: Floats) -> Floats:
        """Log densities at S points for each problem: (B, S, D) to (B, S)."""

    def select(self, problems: Sequence[int]) -> LogDensity:
        """The same densities, some problems only."""


class PointDensity(Protocol):
    """What the exact sampler needs of a batch of log densities: their values."""

    def evaluate(self, theta: Floats) -> Floats:
        """Log densities at S points for each problem: (B, S, D) to (B, S)."""


class PooledDensity(Protocol):
    """A batch of B units of a hierarchy: log-likelihoods of D real variables each.

    The variables of ``blocks`` have zero-mean normal priors whose standard deviations all units share and which are to be
    learned; the prior of any others is part of the log-likelihood.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Number of units B and of dimensions D."""

    @property
    def blocks(self) -> tuple[slice, slice]:
        """Places of the variables that share the first scale, and of those that share the second."""

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, as for :class:`LogDensity`."""

    def evaluate(self, theta: Floats) -> Floats:
        """Log-likelihoods, (B, S, D) to (B, S)."""

    def select(self, problems: Sequence[int]) -> PooledDensity:
        """The same, some units only."""


class LearnedPrior(Protocol):
    """Prior of a unit's variables given hyperparameters phi: an exponential family in a few statistics of them."""

    def sizes(self, density: Any) -> tuple[int, int]:
        """Numbers that say how many variables share which hyperparameters."""

    def statistics(self, density: Any, points: Floats) -> Floats:
        """What the prior depends on, (..., D) to (..., T)."""

    def log_density(self, phi: Floats, statistics: Floats, sizes: tuple[int, int]) -> Floats:
        """Log prior at phi (n, H) for statistics (P, T): (n, P)."""

    def condition(self, density: Any, phi: Floats) -> LogDensity:
        """Units at one value of the hyperparameters: unrelated problems."""

    def find_widest(self, phi: Floats) -> Floats:
        """Hyperparameters under which the prior is at least as wide as under any of these, (n, H) to (H,)."""


@dataclass(frozen=True)
class EngineDraws:
    """Equally weighted draws of B problems, with what is known of their accuracy.

    Attributes
    ----------
    draws : numpy.ndarray
        Shape (B, S, D).
    k_hat : numpy.ndarray
        Pareto k-hat of the importance weights, shape (B,).
    ess : numpy.ndarray
        Effective sample size, shape (B,): of the importance weights, or the smallest of the chains' where the exact
        sampler was used.
    mcse : numpy.ndarray
        Monte-Carlo standard error of each mean, shape (B, D).
    exact : numpy.ndarray of bool
        Problems that were handed to the exact sampler, shape (B,).
    r_hat : numpy.ndarray
        Largest R-hat of such a problem, shape (B,); NaN elsewhere.
    converged : numpy.ndarray of bool
        False where neither way gave draws that pass their checks, shape (B,).
    """

    draws: Floats
    k_hat: Floats
    ess: Floats
    mcse: Floats
    exact: NDArray[np.bool_]
    r_hat: Floats
    converged: NDArray[np.bool_]
