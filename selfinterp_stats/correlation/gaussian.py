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

from selfinterp_stats.regression.gaussian import make_problem, tabulate_sigma
from selfinterp_stats.regression.priors import resolve_regression_priors

__all__ = ["SlopePosterior", "find_slope_posterior"]

Floats = NDArray[np.float64]

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
    priors = resolve_regression_priors("brms", y, ("Intercept", "x"), "gaussian", grouped=False)
    problem = make_problem(x[:, None], y, np.zeros(1), np.zeros(1), *priors.for_gaussian())
    sigma, weights = tabulate_sigma(problem)
    return SlopePosterior(slope, sigma / np.sqrt(sxx), weights)
