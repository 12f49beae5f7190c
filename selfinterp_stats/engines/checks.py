"""Whether the proposals of a hierarchy's units serve the hyperparameters that were sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.engines.diagnostics import effective_size, pareto_k
from selfinterp_stats.engines.protocol import Floats, LearnedPrior
from selfinterp_stats.engines.shared import UnitProposals, normalise_weights, propagate_noise, weigh_unit

__all__ = ["TABLE_NOISE", "Checks", "check_unit", "collect_checks", "find_check_points"]

TABLE_NOISE = 0.04  # of the log marginal likelihood, its differences over two posterior sds: means are then off by 0.1 sd
_FAR_OUT = (0.025, 0.975)


@dataclass(frozen=True)
class Checks:
    """What was found for B units at n hyperparameters.

    Attributes
    ----------
    k_hat, ess : numpy.ndarray
        Worst Pareto k-hat and effective size, (B,).
    noise : numpy.ndarray
        Monte-Carlo variance of the differences of a unit's log marginal likelihood to that at the first, (B, n).
    """

    k_hat: Floats
    ess: Floats
    noise: Floats

    def fail(self, k_limit: float, needed: float) -> NDArray[np.bool_]:
        """Units beyond the limit of k-hat, or with a smaller effective size than needed, (B,)."""
        return np.asarray(~((self.k_hat < k_limit) & (self.ess >= needed)))

    @property
    def table_noise(self) -> float:
        """The largest variance of a difference of the sum over units."""
        return float(self.noise.sum(axis=0).max())

    @property
    def noisy(self) -> NDArray[np.bool_]:
        """Units with more than their share, if it is too much altogether."""
        return np.asarray((self.table_noise > TABLE_NOISE) & (self.noise.max(axis=1) > TABLE_NOISE / len(self.noise)))


def find_check_points(phi: Floats) -> Floats:
    """The draw nearest to the median, and those nearest to it but for one hyperparameter far out on either side."""
    spread = phi.std(axis=0)
    middle = np.median(phi, axis=0)
    wanted = [middle]
    for i in range(phi.shape[1]):
        for level in _FAR_OUT:
            point = middle.copy()
            point[i] = np.quantile(phi[:, i], level)
            wanted.append(point)
    nearest = [np.argmin(np.square((phi - point) / spread).sum(axis=1)) for point in wanted]
    return phi[nearest]


def check_unit(unit: UnitProposals, prior: LearnedPrior, points: Floats) -> tuple[float, float, Floats]:
    """Worst k-hat and effective size of a unit at hyperparameters (n, H), and the noise of differences, (n,)."""
    log_weights = weigh_unit(unit, prior, points)
    weights = normalise_weights(log_weights)
    noise = propagate_noise(unit, (weights - weights[0]).T)
    ess = float(effective_size(weights).min()) * unit.independent
    return max(pareto_k(row) for row in log_weights), ess, noise


def collect_checks(found: Sequence[tuple[float, float, Floats]]) -> Checks:
    """What was found unit by unit, put together."""
    return Checks(
        np.array([k_hat for k_hat, _, _ in found]),
        np.array([ess for _, ess, _ in found]),
        np.array([noise for _, _, noise in found]),
    )
