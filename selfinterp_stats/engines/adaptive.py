"""Further rounds of importance sampling, for a posterior with one long direction.

With answers on one side only the data bound the intercept on one side, and on the other its prior alone does: the posterior
has a tail along one direction that proposals with the curvature of the mode miss. What they did find tells the direction.
Proposals of a further round are an equal mixture of those of the first and of a product: a heavy-tailed Student-t along
the direction in which the posterior reaches farthest, and a lighter one across it. One Student-t for all directions would
not do: far out along one of them, it spreads in all others as well (Cappé, Douc, Guillin, Marin and Robert, 2008, "Adaptive
importance sampling in general mixture classes", Statistics and Computing 18).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log, pi

import numpy as np

from selfinterp_stats.engines.diagnostics import effective_size, pareto_k
from selfinterp_stats.engines.protocol import Floats, LogDensity

__all__ = ["Adapted", "FirstRound", "adapt"]

_ROUNDS = 3
_DF_ALONG = 2.0  # heavier than the prior of the intercept, so that weights stay bounded
_DF_ACROSS = 10.0
_INFLATION = 1.3  # of the spread found, which is rather too narrow than too wide
_TAIL = 0.16  # a scale is taken from quantiles that leave so much on either side: a variance would hang on single draws


@dataclass(frozen=True)
class FirstRound:
    """What the first proposals of one problem of D dimensions found.

    Attributes
    ----------
    mode, factor : numpy.ndarray
        The mode, (D,), and A with A @ A.T the inverse curvature there, (D, D).
    standard, weights : numpy.ndarray
        The proposals as coordinates with respect to mode and factor, (P, D), and their normalised weights, (P,).
    df : float
        Degrees of freedom of the Student-t that they came from.
    """

    mode: Floats
    factor: Floats
    standard: Floats
    weights: Floats
    df: float


@dataclass(frozen=True)
class Adapted:
    """Proposals of the last round and their normalised weights.

    Attributes
    ----------
    points : numpy.ndarray
        Shape (P, D).
    weights : numpy.ndarray
        Shape (P,).
    k_hat, ess : float
        Pareto k-hat and effective size.
    """

    points: Floats
    weights: Floats
    k_hat: float
    ess: float


@dataclass(frozen=True)
class _Product:
    """Student-t along a direction times Student-t across it, in coordinates where the curvature of the mode is one."""

    axes: Floats  # (D, D), the direction first
    centre: Floats  # (D,), in these axes
    scale: float  # along the direction
    across: Floats  # (D - 1, D - 1), lower triangular

    def sample(self, count: int, rng: np.random.Generator) -> Floats:
        n_across = len(self.across)
        normal = rng.standard_normal((count, n_across))
        stretch = np.sqrt(_DF_ACROSS / rng.chisquare(_DF_ACROSS, count))
        along = self.scale * rng.standard_t(_DF_ALONG, count)
        moved = np.column_stack([along, stretch[:, None] * (normal @ self.across.T)])
        return np.asarray((self.centre + moved) @ self.axes.T)

    def log_density(self, points: Floats) -> Floats:
        moved = points @ self.axes - self.centre
        log_along = _log_student((moved[:, 0] / self.scale) ** 2, 1, _DF_ALONG) - np.log(self.scale)
        standard = np.linalg.solve(self.across, moved[:, 1:].T)
        log_across = _log_student(np.square(standard).sum(axis=0), len(self.across), _DF_ACROSS)
        return np.asarray(log_along + log_across - np.log(np.diagonal(self.across)).sum())


def adapt(density: LogDensity, start: FirstRound, count: int, rng: np.random.Generator) -> Adapted:
    """Sample one problem again, three times, each time from what the round before found.

    Parameters
    ----------
    density : LogDensity
        A single problem of D dimensions, at least two.
    start : FirstRound
        What is known of it.
    count : int
        Proposals of each further round.
    rng : numpy.random.Generator
        Source of randomness.
    """
    standard = start.standard
    found = Adapted(standard, start.weights, np.inf, 0.0)
    for _ in range(_ROUNDS):
        standard, found = _sample(density, start, _follow(standard, found.weights), count, rng)
    return found


def _sample(
    density: LogDensity, start: FirstRound, product: _Product, count: int, rng: np.random.Generator
) -> tuple[Floats, Adapted]:
    n_dimensions, half = len(start.mode), count // 2
    stretch = np.sqrt(start.df / rng.chisquare(start.df, half))
    first = rng.standard_normal((half, n_dimensions)) * stretch[:, None]
    standard = np.concatenate([first, product.sample(count - half, rng)])
    log_first = _log_student(np.square(standard).sum(axis=1), n_dimensions, start.df)
    points = start.mode + standard @ start.factor.T
    log_weights = density.evaluate(points[None])[0] - np.logaddexp(log_first, product.log_density(standard))
    log_weights -= log_weights.max()
    weights = np.exp(log_weights)
    weights /= weights.sum()
    return standard, Adapted(points, weights, pareto_k(log_weights), float(effective_size(weights)))


def _follow(standard: Floats, weights: Floats) -> _Product:
    """Product with the moments of weighted proposals."""
    centre = weights @ standard
    centred = standard - centre
    covariance = (weights[:, None] * centred).T @ centred
    # all weight on one proposal would leave nothing
    covariance += (1e-6 + 1e-3 * np.trace(covariance) / len(centre)) * np.eye(len(centre))
    direction = np.linalg.eigh(covariance)[1][:, -1]
    axes = np.linalg.qr(np.column_stack([direction, np.eye(len(centre))]))[0]
    along = standard @ axes[:, 0]
    low, middle, high = _quantiles(along, weights, (_TAIL, 0.5, 1 - _TAIL))
    turned = axes.T @ covariance @ axes
    place = axes.T @ centre
    place[0] = middle
    return _Product(
        axes=axes,
        centre=place,
        scale=max(_INFLATION * 0.5 * (high - low), 1e-3),
        across=np.linalg.cholesky(_INFLATION * turned[1:, 1:]),
    )


def _quantiles(values: Floats, weights: Floats, levels: tuple[float, ...]) -> list[float]:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return [float(values[order][min(np.searchsorted(reached, level * reached[-1]), len(values) - 1)]) for level in levels]


def _log_student(radius: Floats, n_dimensions: int, df: float) -> Floats:
    """Log density of a standard Student-t at squared length `radius`."""
    shape = 0.5 * (df + n_dimensions)
    constant = lgamma(shape) - lgamma(0.5 * df) - 0.5 * n_dimensions * log(df * pi)
    return np.asarray(constant - shape * np.log1p(radius / df))
