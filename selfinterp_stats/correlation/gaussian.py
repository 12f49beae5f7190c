"""Simple Gaussian regression under brms' default priors, solved by quadrature.

The model is y_i ~ N(a + b (x_i - mean(x)), sigma^2) with a flat prior on b, Student-t(3, m, s) on a and
half-Student-t(3, 0, s) on sigma, where m is the median of y and s the larger of 2.5 and its scaled median absolute
deviation, both rounded to one decimal: what brms sets by itself. Given sigma, b is normal around least squares whatever the
intercept, so that its posterior is a mixture of normals over one dimension and needs no Markov chain. The mixture is
symmetric around least squares with a single mode: median and mean coincide and the HDI is the central interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["SlopePosterior", "find_slope_posterior"]

Floats = NDArray[np.float64]

_PRIOR_DF = 3.0
_PRIOR_SCALE = 2.5
_MAD_FACTOR = 1.4826  # R's mad(): consistent for the normal
_GRID = 2_001
_DEPTH = 40.0  # the grid reaches where the density is e**-40 of its peak
_HERMITE = 20
_FEWEST = 3
_EXACT_FIT = 1e-20  # residuals below this share of the total are rounding


@dataclass(frozen=True)
class SlopePosterior:
    """Posterior of the slope: normals with mean `mean` and standard deviations `sd`, mixed with weights `weights`."""

    mean: float
    sd: Floats
    weights: Floats

    def find_interval(self, prob: float) -> tuple[float, float]:
        """Highest-density interval; NaN where the slope is not identified."""
        from scipy.optimize import brentq
        from scipy.special import ndtr

        if np.isnan(self.mean) or self.sd[-1] == 0:
            return self.mean, self.mean

        def miss(half: float) -> float:
            return float(np.dot(self.weights, 2.0 * ndtr(half / self.sd) - 1.0)) - prob

        half = brentq(miss, 0.0, 1e3 * float(self.sd[-1]), xtol=1e-12, rtol=1e-12)
        return self.mean - half, self.mean + half

    def sample(self, draws: int, rng: np.random.Generator) -> Floats:
        """Independent draws of the slope, shape (draws,)."""
        if np.isnan(self.mean):
            return np.full(draws, np.nan)
        sd = rng.choice(self.sd, size=draws, p=self.weights)
        return np.asarray(self.mean + sd * rng.standard_normal(draws))


def find_slope_posterior(x: Floats, y: Floats) -> SlopePosterior:
    """Posterior of the slope of y on x.

    Parameters
    ----------
    x, y : numpy.ndarray
        Shape (N,).

    Returns
    -------
    SlopePosterior
        With NaN as its mean for fewer than 3 points or a constant x.
    """
    centred = x - x.mean() if len(x) else x
    sxx = float(np.sum(centred**2))
    if len(x) < _FEWEST or not sxx > _EXACT_FIT * float(np.sum(x**2)):
        return SlopePosterior(np.nan, np.zeros(1), np.ones(1))
    slope = float(np.sum(centred * y)) / sxx
    residuals = y - y.mean() - slope * centred
    rss = float(np.sum(residuals**2))
    if rss <= _EXACT_FIT * float(np.sum(y**2)):
        return SlopePosterior(slope, np.zeros(1), np.ones(1))
    sigma, weights = _sigma_grid(y, rss)
    return SlopePosterior(slope, sigma / np.sqrt(sxx), weights)


def _sigma_grid(y: Floats, rss: float) -> tuple[Floats, Floats]:
    """Values of sigma and their posterior probabilities, on a grid fine where the density lives."""
    median = float(np.median(y))
    spread = float(np.median(np.abs(y - median))) * _MAD_FACTOR
    location, scale = round(median, 1), max(_PRIOR_SCALE, round(spread, 1))
    centre = 0.5 * np.log(rss / len(y))
    wide = np.linspace(centre - 30.0, centre + 30.0, 6_001)
    density = _log_density(wide, y, rss, location, scale)
    inside = np.flatnonzero(density > density.max() - _DEPTH)
    first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, len(wide) - 1)
    log_sigma = np.linspace(wide[first], wide[last], _GRID)
    density = _log_density(log_sigma, y, rss, location, scale)
    weights = np.exp(density - density.max())
    return np.exp(log_sigma), weights / weights.sum()


def _log_density(log_sigma: Floats, y: Floats, rss: float, location: float, scale: float) -> Floats:
    """Log posterior density of log sigma, slope and intercept integrated out."""
    sigma = np.exp(log_sigma)
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(_HERMITE)
    intercept = y.mean() + sigma[:, None] / np.sqrt(len(y)) * nodes
    standard = (intercept - location) / scale
    prior = np.einsum("gn,n->g", (1.0 + standard**2 / _PRIOR_DF) ** (-0.5 * (_PRIOR_DF + 1)), node_weights)
    log_prior = np.log(prior) - 0.5 * (_PRIOR_DF + 1) * np.log1p((sigma / scale) ** 2 / _PRIOR_DF)
    # sigma**-n of the likelihood, sigma each from slope and intercept, and one more for the density of the logarithm
    return np.asarray(log_prior + (3.0 - len(y)) * log_sigma - 0.5 * rss / sigma**2)
