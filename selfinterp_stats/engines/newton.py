"""Modes of a batch of log densities by Newton's method with a line search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfinterp_stats.engines.protocol import Floats, LogDensity

__all__ = ["Modes", "find_modes"]

_MAX_STEPS = 200
_DECREMENT = 1e-20  # squared Newton decrement: the mode is off by 1e-10 posterior standard deviations
_HALVINGS = 40
_SUFFICIENT = 1e-4
_ROUNDING = 1e-12  # a loss of this share of the value is rounding, not descent
_FLATTEST = 1e-8  # smallest eigenvalue of the curvature, as a share of the largest


@dataclass(frozen=True)
class Modes:
    """Modes and the Gaussian approximation there.

    Attributes
    ----------
    location : numpy.ndarray
        Shape (B, D).
    factor : numpy.ndarray
        A with A @ A.T the inverse curvature, shape (B, D, D).
    """

    location: Floats
    factor: Floats


def find_modes(density: LogDensity, *, start: Floats | None = None, decrement: float = _DECREMENT) -> Modes:
    """Climb from the origin, or from `start` (B, D), to the mode of every problem.

    A curvature that is not positive definite (heavy-tailed priors) is made so by taking the absolute values of its
    eigenvalues, which keeps every step an ascent. A problem stops when its decrement is negligible or when no step
    along its direction climbs any more in floating point; the caller's importance weights judge what was reached.
    """
    n_problems, n_dimensions = density.shape
    theta = np.zeros((n_problems, n_dimensions)) if start is None else start
    value, gradient, curvature = density.derivatives(theta)
    active = np.ones(n_problems, dtype=bool)
    for _ in range(_MAX_STEPS):
        step = _solve(curvature, gradient)
        gain = np.einsum("bd,bd->b", step, gradient)
        active &= gain > decrement
        if not active.any():
            break
        length = active.astype(np.float64)
        slack = _ROUNDING * (1.0 + np.abs(value))
        for _ in range(_HALVINGS):
            trial = theta + length[:, None] * step
            reached = density.derivatives(trial)
            short = active & ~(reached[0] >= value - slack + _SUFFICIENT * length * gain)
            if not short.any():
                break
            length[short] *= 0.5
        climbed = active & (reached[0] >= value - slack)
        active &= climbed
        theta = np.where(climbed[:, None], trial, theta)
        value = np.where(climbed, reached[0], value)
        gradient = np.where(climbed[:, None], reached[1], gradient)
        curvature = np.where(climbed[:, None, None], reached[2], curvature)
    eigenvalues, vectors = _spectrum(curvature)
    return Modes(theta, vectors / np.sqrt(eigenvalues)[:, None, :])


def _solve(curvature: Floats, gradient: Floats) -> Floats:
    eigenvalues, vectors = _spectrum(curvature)
    coordinates = np.einsum("bij,bi->bj", vectors, gradient) / eigenvalues
    return np.asarray(np.einsum("bij,bj->bi", vectors, coordinates))


def _spectrum(curvature: Floats) -> tuple[Floats, Floats]:
    eigenvalues, vectors = np.linalg.eigh(curvature)
    eigenvalues = np.abs(eigenvalues)
    floor = _FLATTEST * eigenvalues.max(axis=1, keepdims=True)
    return np.maximum(eigenvalues, np.maximum(floor, np.finfo(np.float64).tiny)), vectors
