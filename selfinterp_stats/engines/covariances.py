"""Hyperparameters of a hierarchy whose variables come in pairs: two scales and a correlation for each kind of pair.

A pair of blocks holds as many variables on one side as on the other; the i-th of both are bivariate normal with mean zero,
independent of all other pairs. The prior of a unit depends on its variables through two sums of squares and a sum of
products for each pair of blocks: log density = constant(phi) + natural(phi) . statistics, an exponential family, so that
the marginal likelihood's derivatives are moments of the statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from selfinterp_stats.engines.protocol import Floats, PooledDensity

__all__ = ["ConditionedPairs", "LearnedCovariances", "Natural", "PairedDensity"]

_WIDEST = 25.0  # log scale
_FARTHEST = 12.0  # Fisher-transformed correlation: 1 - r is 1e-10 there, and rounding still small


class PairedDensity(PooledDensity, Protocol):
    """A batch of units whose variables come in pairs."""

    @property
    def pairs(self) -> tuple[tuple[slice, slice], ...]:
        """Places of the variables of each pair of blocks; the i-th of both slices belong together."""

    def select(self, problems: Sequence[int]) -> PairedDensity:
        """The same, some units only."""


@dataclass(frozen=True)
class Natural:
    """Natural parameters of the prior at one phi of H numbers, and their derivatives.

    Attributes
    ----------
    constant : float
        Log density where all statistics are zero, up to what no hyperparameter changes.
    value : numpy.ndarray
        Shape (T,).
    constant_gradient, constant_hessian : numpy.ndarray
        Shapes (H,) and (H, H).
    gradient, hessian : numpy.ndarray
        Shapes (T, H) and (T, H, H).
    """

    constant: float
    value: Floats
    constant_gradient: Floats
    constant_hessian: Floats
    gradient: Floats
    hessian: Floats


@dataclass(frozen=True)
class LearnedCovariances:
    """The hyperparameters phi = (log scale, log scale, Fisher-transformed correlation) of each pair, and their priors.

    Attributes
    ----------
    location, sd : numpy.ndarray
        Of the independent normal priors of the log scales, shape (pairs, 2). Correlations are uniform in -1..1, which is
        LKJ(1) for two variables (Lewandowski, Kurowicka and Joe, 2009, "Generating random correlation matrices based on
        vines and extended onion method", Journal of Multivariate Analysis 100).
    """

    location: Floats
    sd: Floats

    @property
    def n_hyper(self) -> int:
        """Number of hyperparameters."""
        return 3 * len(self.location)

    def log_prior(self, phi: Floats) -> Floats:
        """Log density of phi up to a constant, (..., H) to (...)."""
        split = phi.reshape(*phi.shape[:-1], -1, 3)
        scales = -0.5 * np.square((split[..., :2] - self.location) / self.sd).sum(axis=(-2, -1))
        return np.asarray(scales - 2.0 * _log_cosh(split[..., 2]).sum(axis=-1))

    def prior_derivatives(self, phi: Floats) -> tuple[Floats, Floats]:
        """Gradient and Hessian of the log prior at one phi, (H,) and (H, H)."""
        split = phi.reshape(-1, 3)
        gradient, second = np.empty(split.shape), np.empty(split.shape)
        gradient[:, :2] = -(split[:, :2] - self.location) / np.square(self.sd)
        second[:, :2] = -1.0 / np.square(self.sd)
        gradient[:, 2] = -2.0 * np.tanh(split[:, 2])
        second[:, 2] = -2.0 * (1.0 - np.square(np.tanh(split[:, 2])))
        return gradient.ravel(), np.diag(second.ravel())

    def sizes(self, density: PairedDensity) -> tuple[int, int]:
        """Number of variables on one side of the first pair of blocks, and of the second."""
        first, second = (left.stop - left.start for left, _ in density.pairs)
        return first, second

    def statistics(self, density: PairedDensity, points: Floats) -> Floats:
        """Sum of squares of one side, of the other, and sum of products, for each pair: (..., D) to (..., T)."""
        parts = []
        for left, right in density.pairs:
            a, b = points[..., left], points[..., right]
            parts += [np.square(a).sum(axis=-1), np.square(b).sum(axis=-1), (a * b).sum(axis=-1)]
        return np.stack(parts, axis=-1)

    def log_density(self, phi: Floats, statistics: Floats, sizes: tuple[int, int]) -> Floats:
        """Log prior of units with pairs of `sizes` at phi (n, H) for statistics (P, T): (n, P)."""
        constant, natural = self.natural_parameters(phi, sizes)
        return np.asarray(constant[:, None] + natural @ statistics.T)

    def natural_parameters(self, phi: Floats, sizes: tuple[int, int]) -> tuple[Floats, Floats]:
        """Constant and natural parameters at phi (n, H), shapes (n,) and (n, T)."""
        split = phi.reshape(len(phi), -1, 3)
        # proposals of the hyperparameters themselves may lie anywhere; the prior of phi leaves such draws no weight
        first, second = np.clip(split[..., 0], -_WIDEST, _WIDEST), np.clip(split[..., 1], -_WIDEST, _WIDEST)
        z = np.clip(split[..., 2], -_FARTHEST, _FARTHEST)
        wide = np.square(np.cosh(z))
        natural = np.stack(
            [
                -0.5 * np.exp(-2.0 * first) * wide,
                -0.5 * np.exp(-2.0 * second) * wide,
                0.5 * np.exp(-first - second) * np.sinh(2.0 * z),
            ],
            axis=-1,
        )
        constant = -(np.array(sizes) * (first + second - _log_cosh(z))).sum(axis=-1)
        return np.asarray(constant), natural.reshape(len(phi), -1)

    def differentiate(self, phi: Floats, sizes: tuple[int, int]) -> Natural:
        """Natural parameters at one phi with their derivatives."""
        constant, value = self.natural_parameters(phi[None], sizes)
        n_hyper = self.n_hyper
        constant_gradient, constant_hessian = np.zeros(n_hyper), np.zeros((n_hyper, n_hyper))
        gradient, hessian = np.zeros((n_hyper, n_hyper)), np.zeros((n_hyper, n_hyper, n_hyper))
        limits = np.array([_WIDEST, _WIDEST, _FARTHEST])
        for k, (first, second, z) in enumerate(np.clip(phi.reshape(-1, 3), -limits, limits)):
            at = slice(3 * k, 3 * k + 3)
            size = sizes[k]
            constant_gradient[at] = [-size, -size, size * np.tanh(z)]
            constant_hessian[3 * k + 2, 3 * k + 2] = size / np.cosh(z) ** 2
            wide, slope, bend = np.cosh(z) ** 2, np.sinh(2.0 * z), 2.0 * np.cosh(2.0 * z)
            for i, scale in enumerate((first, second)):
                precision = -0.5 * np.exp(-2.0 * scale)
                row = 3 * k + i
                gradient[row, row], gradient[row, 3 * k + 2] = -2.0 * precision * wide, precision * slope
                hessian[row, row, row], hessian[row, 3 * k + 2, 3 * k + 2] = 4.0 * precision * wide, precision * bend
                hessian[row, row, 3 * k + 2] = hessian[row, 3 * k + 2, row] = -2.0 * precision * slope
            product = 0.5 * np.exp(-first - second)
            value_z, slope_z, bend_z = (product * part for part in (slope, bend, 4.0 * slope))
            gradient[3 * k + 2, at] = [-value_z, -value_z, slope_z]
            hessian[3 * k + 2, at, at] = [
                [value_z, value_z, -slope_z],
                [value_z, value_z, -slope_z],
                [-slope_z, -slope_z, bend_z],
            ]
        return Natural(float(constant[0]), value[0], constant_gradient, constant_hessian, gradient, hessian)

    def condition(self, density: PairedDensity, phi: Floats) -> ConditionedPairs:
        """Units at one value of the hyperparameters."""
        return ConditionedPairs(density, self, phi)

    def find_widest(self, phi: Floats) -> Floats:
        """The largest scales and the correlations nearest to zero, (n, H) to (H,)."""
        split = phi.reshape(len(phi), -1, 3)
        nearest = np.abs(split[..., 2]).argmin(axis=0)
        z = np.take_along_axis(split[..., 2], nearest[None], axis=0)[0]
        return np.concatenate([split[..., :2].max(axis=0), z[:, None]], axis=1).ravel()


@dataclass(frozen=True)
class ConditionedPairs:
    """Units of such a hierarchy at one value of the hyperparameters: unrelated problems again.

    Attributes
    ----------
    density : PairedDensity
    prior : LearnedCovariances
    phi : numpy.ndarray
        Shape (H,).
    """

    density: PairedDensity
    prior: LearnedCovariances
    phi: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Number of units and of variables."""
        return self.density.shape

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, at (B, D)."""
        value, gradient, curvature = self.density.derivatives(theta)
        precision = self._find_precision()
        pull = theta @ precision
        value -= 0.5 * np.einsum("bd,bd->b", pull, theta)
        gradient -= pull
        curvature += precision
        return value, gradient, curvature

    def evaluate(self, theta: Floats) -> Floats:
        """Log densities, (B, S, D) to (B, S)."""
        pull = theta @ self._find_precision()
        return np.asarray(self.density.evaluate(theta) - 0.5 * np.einsum("bsd,bsd->bs", pull, theta))

    def select(self, problems: Sequence[int]) -> ConditionedPairs:
        """Some units only."""
        return ConditionedPairs(self.density.select(problems), self.prior, self.phi)

    def _find_precision(self) -> Floats:
        _, natural = self.prior.natural_parameters(self.phi[None], self.prior.sizes(self.density))
        precision = np.zeros((self.shape[1], self.shape[1]))
        for (left, right), (first, second, product) in zip(self.density.pairs, natural.reshape(-1, 3), strict=True):
            a, b = np.arange(left.start, left.stop), np.arange(right.start, right.stop)
            precision[a, a], precision[b, b] = -2.0 * first, -2.0 * second
            precision[a, b] = precision[b, a] = -product
        return precision


def _log_cosh(z: Floats) -> Floats:
    size = np.abs(z)
    return np.asarray(size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0))
