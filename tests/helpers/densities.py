"""Log densities whose moments are known, to try engines on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class Gaussians:
    """Normal densities with given means and covariances."""

    def __init__(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        self.mean, self.covariance = mean, covariance
        self.precision = np.linalg.inv(covariance)

    @property
    def shape(self) -> tuple[int, int]:
        return self.mean.shape

    def derivatives(self, theta):
        centred = theta - self.mean
        pull = np.einsum("bij,bj->bi", self.precision, centred)
        return -0.5 * np.einsum("bi,bi->b", centred, pull), -pull, self.precision.copy()

    def evaluate(self, theta):
        centred = theta - self.mean[:, None]
        return -0.5 * np.einsum("bsi,bij,bsj->bs", centred, self.precision, centred)

    def select(self, problems: Sequence[int]):
        index = list(problems)
        return Gaussians(self.mean[index], self.covariance[index])


class HeavyTails:
    """Independent Student-t variables with few degrees of freedom: beyond what the proposals can cover."""

    def __init__(self, n_problems: int, n_dimensions: int, df: float) -> None:
        self.n_problems, self.n_dimensions, self.df = n_problems, n_dimensions, df

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_problems, self.n_dimensions

    def derivatives(self, theta):
        spread = self.df + theta**2
        value = -0.5 * (self.df + 1) * np.log(spread).sum(axis=1)
        curvature = np.zeros((*theta.shape, theta.shape[1]))
        diagonal = np.arange(theta.shape[1])
        curvature[:, diagonal, diagonal] = (self.df + 1) * (self.df - theta**2) / spread**2
        return value, -(self.df + 1) * theta / spread, curvature

    def evaluate(self, theta):
        return -0.5 * (self.df + 1) * np.log(self.df + theta**2).sum(axis=-1)

    def select(self, problems: Sequence[int]):
        return HeavyTails(len(list(problems)), self.n_dimensions, self.df)


class Skewed:
    """Logarithms of gamma variables: x - exp(x) per dimension times the shape, strictly log-concave and skewed."""

    def __init__(self, n_problems: int, n_dimensions: int, shape_parameter: float) -> None:
        self.n_problems, self.n_dimensions, self.a = n_problems, n_dimensions, shape_parameter

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_problems, self.n_dimensions

    def derivatives(self, theta):
        exponential = np.exp(theta)
        curvature = np.zeros((*theta.shape, theta.shape[1]))
        diagonal = np.arange(theta.shape[1])
        curvature[:, diagonal, diagonal] = exponential
        return self.evaluate(theta), self.a - exponential, curvature

    def evaluate(self, theta):
        return (self.a * theta - np.exp(theta)).sum(axis=-1)

    def select(self, problems: Sequence[int]):
        return Skewed(len(list(problems)), self.n_dimensions, self.a)


def random_gaussians(n_problems: int, n_dimensions: int, seed: int) -> Gaussians:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n_problems, n_dimensions, n_dimensions)) + 2 * np.eye(n_dimensions)
    covariance = np.einsum("bij,bkj->bik", factor, factor)
    return Gaussians(rng.normal(0, 5, (n_problems, n_dimensions)), covariance)


@dataclass(frozen=True)
class NormalMeans:
    """Means y of units with known noise, so that all posteriors are closed forms: y_bd ~ Normal(theta_bd, 1)."""

    y: np.ndarray
    noise: float = 1.0

    @property
    def shape(self):
        return self.y.shape

    @property
    def blocks(self):
        return slice(0, 1), slice(1, self.y.shape[1])

    def derivatives(self, theta):
        difference = (self.y - theta) / self.noise
        curvature = np.broadcast_to(np.eye(self.shape[1]) / self.noise**2, (*self.shape, self.shape[1])).copy()
        return -0.5 * np.square(difference).sum(axis=1), difference / self.noise, curvature

    def evaluate(self, theta):
        return -0.5 * np.square((self.y[:, None] - theta) / self.noise).sum(axis=2)

    def select(self, problems):
        return NormalMeans(self.y[list(problems)], self.noise)


@dataclass(frozen=True)
class PairedMeans(NormalMeans):
    """Normal means in pairs: the first and the second half of the variables belong together, first of each half apart."""

    @property
    def half(self):
        return self.y.shape[1] // 2

    @property
    def pairs(self):
        half = self.half
        return (slice(0, 1), slice(half, half + 1)), (slice(1, half), slice(half + 1, 2 * half))

    def select(self, problems):
        return PairedMeans(self.y[list(problems)], self.noise)
