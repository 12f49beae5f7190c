"""Hyperparameters of a hierarchy: the scales that the variables of all its units share.

Two blocks of variables, each with independent zero-mean normal priors of a learned standard deviation; the prior of a
unit then depends on its variables through the two sums of squares alone. By choice the second block's scale varies between
units: it is multiplied by exp(omega * z) with z standard normal, integrated by quadrature, so that its prior is a finite
mixture of normals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from selfinterp_stats.engines.protocol import Floats, PooledDensity

__all__ = ["Conditioned", "LearnedScales", "PriorTerms", "block_sizes", "sum_squares"]

_QUADRATURE = 11  # nodes of Gauss and Hermite; exact for polynomials of degree 21 in z
_TERMS_AT_A_TIME = 2**14
_WIDEST = 25.0  # log scale; with twenty variables its density is still a number


@dataclass(frozen=True)
class PriorTerms:
    """Log prior of one block at n hyperparameter values: log sum_q exp(offset_q - precision_q * square / 2).

    Attributes
    ----------
    offset, precision : numpy.ndarray
        Shape (n, Q); Q is 1 for a normal prior. Constants that no hyperparameter changes are left out.
    """

    offset: Floats
    precision: Floats

    def log_density(self, squares: Floats) -> Floats:
        """Shape (n, P) at sums of squares of shape (P,)."""
        if self.offset.shape[1] == 1:
            return self.offset - 0.5 * self.precision * squares
        total = np.zeros((len(self.offset), len(squares)))
        step = max(1, _TERMS_AT_A_TIME // max(total.size, 1))  # a loop where points are many, none where they are few
        for q in range(0, self.offset.shape[1], step):
            part = slice(q, q + step)
            terms = self.offset[:, part, None] - 0.5 * self.precision[:, part, None] * squares
            total += np.exp(terms).sum(axis=1)
        return np.log(np.maximum(total, np.finfo(np.float64).tiny))


@dataclass(frozen=True)
class LearnedScales:
    """The hyperparameters phi = (log scale of the first block, log scale of the second[, log omega]) and their priors.

    Attributes
    ----------
    location, sd : numpy.ndarray
        Of the independent normal priors of phi, shape (H,); H is 2, or 3 where the second block's scale varies.
    """

    location: Floats
    sd: Floats

    @property
    def varies(self) -> bool:
        """Whether the second block's scale varies between units."""
        return len(self.location) == 3

    @property
    def plain(self) -> LearnedScales:
        """The two scales alone."""
        return LearnedScales(self.location[:2], self.sd[:2])

    @property
    def quadrature(self) -> tuple[Floats, Floats]:
        """Values of a standard normal variable and their weights."""
        return _gauss_hermite()

    def log_prior(self, phi: Floats) -> Floats:
        """Log density up to a constant, (..., H) to (...)."""
        return np.asarray(-0.5 * np.square((phi - self.location) / self.sd).sum(axis=-1))

    def first(self, log_scale: Floats, size: int) -> PriorTerms:
        """Prior of the first block of `size` variables at log scales of shape (n,)."""
        return PriorTerms(-size * log_scale[:, None], np.exp(-2.0 * log_scale)[:, None])

    def second(self, phi: Floats, size: int) -> PriorTerms:
        """Prior of the second block at (log scale[, log omega]), shape (n, H - 1)."""
        if not self.varies:
            return self.first(phi[:, 0], size)
        log_scale = self.own_scales(phi)
        return PriorTerms(np.log(self.quadrature[1]) - size * log_scale, np.exp(-2.0 * log_scale))

    def own_scales(self, phi: Floats) -> Floats:
        """Log scales of a unit's own that the quadrature goes over at (log scale, log omega), (n, 2) to (n, Q)."""
        # the outermost nodes of a very wide spread are beyond what a number holds, and carry no weight
        return np.asarray(np.clip(phi[:, :1] + np.exp(phi[:, 1:]) * self.quadrature[0], -_WIDEST, _WIDEST))

    def log_density(self, phi: Floats, squares: Floats, sizes: tuple[int, int]) -> Floats:
        """Log prior of both blocks, of `sizes` variables, at phi (n, H) for sums of squares (P, 2): (n, P)."""
        first, second = self.priors(phi, sizes)
        return np.asarray(first.log_density(squares[:, 0]) + second.log_density(squares[:, 1]))

    def priors(self, phi: Floats, sizes: tuple[int, int]) -> tuple[PriorTerms, PriorTerms]:
        """Priors of both blocks, of `sizes` variables, at phi (n, H)."""
        return self.first(phi[:, 0], sizes[0]), self.second(phi[:, 1:], sizes[1])

    def sizes(self, density: PooledDensity) -> tuple[int, int]:
        """Number of variables in each block."""
        return block_sizes(density)

    def statistics(self, density: PooledDensity, points: Floats) -> Floats:
        """Sums of squares of the two blocks, (..., D) to (..., 2)."""
        return sum_squares(density, points)

    def condition(self, density: PooledDensity, phi: Floats) -> Conditioned:
        """Units at one value of the two scales."""
        return Conditioned(density, phi[:2])

    def find_widest(self, phi: Floats) -> Floats:
        """The largest of each hyperparameter, (n, H) to (H,)."""
        return np.asarray(phi.max(axis=0))


@cache
def _gauss_hermite() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_QUADRATURE)
    return nodes, weights / weights.sum()


def block_sizes(density: PooledDensity) -> tuple[int, int]:
    """Number of variables in each block."""
    first, second = density.blocks
    return first.stop - first.start, second.stop - second.start


def sum_squares(density: PooledDensity, points: Floats) -> Floats:
    """Sums of squares of the two blocks, (..., D) to (..., 2)."""
    return np.stack([np.square(points[..., block]).sum(axis=-1) for block in density.blocks], axis=-1)


@dataclass(frozen=True)
class Conditioned:
    """Units of a hierarchy at one value of the two scales: unrelated problems again.

    Attributes
    ----------
    density : PooledDensity
    log_scales : numpy.ndarray
        Shape (2,).
    """

    density: PooledDensity
    log_scales: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Number of units and of variables."""
        return self.density.shape

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, at (B, D)."""
        value, gradient, curvature = self.density.derivatives(theta)
        for block, log_scale in zip(self.density.blocks, self.log_scales, strict=True):
            precision = np.exp(-2.0 * log_scale)
            value -= 0.5 * precision * np.square(theta[:, block]).sum(axis=1)
            gradient[:, block] -= precision * theta[:, block]
            place = np.arange(block.start, block.stop)
            curvature[:, place, place] += precision
        return value, gradient, curvature

    def evaluate(self, theta: Floats) -> Floats:
        """Log densities, (B, S, D) to (B, S)."""
        precisions = np.exp(-2.0 * self.log_scales)
        return np.asarray(self.density.evaluate(theta) - 0.5 * sum_squares(self.density, theta) @ precisions)

    def select(self, problems: Sequence[int]) -> Conditioned:
        """Some units only."""
        return Conditioned(self.density.select(problems), self.log_scales)
