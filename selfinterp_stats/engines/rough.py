"""A first idea of a hierarchy's scales: the maximum of the marginal likelihood in Laplace's approximation.

Only the place and the width of the region to look at are taken from here; what is sampled there is exact up to Monte-Carlo
error that is diagnosed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selfinterp_stats.engines.newton import find_modes
from selfinterp_stats.engines.protocol import Floats, PooledDensity
from selfinterp_stats.engines.scales import Conditioned, LearnedScales, block_sizes, sum_squares

__all__ = ["Region", "find_region"]

_STEPS = 20
_LONGEST = 0.7  # step in a log scale
_DIFFERENCE = 0.05  # in a log scale, for derivatives of the gradient
_CLOSE = 0.1  # posterior standard deviations
_FIRST_LOOK = 0.45  # of the prior standard deviation, for a hyperparameter that nothing is known of yet
_MODE_ACCURACY = 1e-8  # squared Newton decrement


@dataclass(frozen=True)
class Region:
    """Where the hyperparameters are.

    Attributes
    ----------
    centre, sd : numpy.ndarray
        Shape (H,).
    """

    centre: Floats
    sd: Floats


def find_region(densities: Sequence[PooledDensity], scales: LearnedScales) -> Region:
    """Climb to the maximum of the approximate marginal posterior of the scales.

    By Fisher's identity its gradient is the expectation, over the units' posteriors, of the gradient of the log prior, for
    which the modes and curvatures are enough here. A scale that varies between units is left at its prior.
    """
    modes = [np.zeros(density.shape) for density in densities]
    location, precision = scales.location[:2], 1.0 / np.square(scales.sd[:2])
    centre = location.copy()
    gradient, modes = _gradient(densities, centre, modes, location, precision)
    hessian = np.diag(-precision)
    for _ in range(_STEPS):
        columns = []
        for i in range(2):
            moved = centre + _DIFFERENCE * np.eye(2)[i]
            columns.append((_gradient(densities, moved, modes, location, precision)[0] - gradient) / _DIFFERENCE)
        hessian = 0.5 * (np.array(columns) + np.array(columns).T)
        eigenvalues, vectors = np.linalg.eigh(-hessian)
        # the marginal posterior of a scale is never wider than its prior by much, whatever the approximation says
        eigenvalues = np.maximum(np.abs(eigenvalues), 0.5 * precision.min())
        step = vectors @ ((vectors.T @ gradient) / eigenvalues)
        small = float(gradient @ step) < _CLOSE**2
        step *= min(1.0, _LONGEST / np.abs(step).max()) if step.any() else 1.0
        centre = centre + step
        gradient, modes = _gradient(densities, centre, modes, location, precision)
        if small:
            break
    covariance = vectors @ np.diag(1.0 / eigenvalues) @ vectors.T
    sd = np.sqrt(np.diagonal(covariance))
    return Region(np.concatenate([centre, scales.location[2:]]), np.concatenate([sd, _FIRST_LOOK * scales.sd[2:]]))


def _gradient(
    densities: Sequence[PooledDensity],
    log_scales: Floats,
    starts: Sequence[Floats],
    location: Floats,
    precision: Floats,
) -> tuple[Floats, list[Floats]]:
    gradient = -precision * (log_scales - location)
    modes = []
    for density, start in zip(densities, starts, strict=True):
        found = find_modes(Conditioned(density, log_scales), start=start, decrement=_MODE_ACCURACY)
        squares = sum_squares(density, found.location).sum(axis=0)
        spread = np.square(found.factor).sum(axis=(0, 2))  # diagonal of the covariance, summed over units
        expected = squares + np.array([spread[block].sum() for block in density.blocks])
        gradient += expected * np.exp(-2.0 * log_scales) - density.shape[0] * np.array(block_sizes(density))
        modes.append(found.location)
    return gradient, modes
