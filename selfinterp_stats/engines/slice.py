"""An exact sampler for a single problem: many slice-sampling chains side by side.

Every chain moves along straight lines by Neal's (2003, "Slice sampling", Annals of Statistics 31) stepping-out and
shrinkage, in coordinates whitened by the chains' own covariance. It needs no gradient, no tuning of step sizes and no
normal-like shape, which is what is wanted of the few problems that importance sampling cannot handle: one-sided answers
under a heavy-tailed intercept, separation under a wide prior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.engines.diagnostics import chain_diagnostics
from selfinterp_stats.engines.protocol import Floats, PointDensity

__all__ = ["ESS_NEEDED", "Chains", "sample_slice"]

ESS_NEEDED = 400.0
_R_HAT_LIMIT = 1.01
_CHAINS = 64
_GROUPS = 8
_WARMUP_SWEEPS = 40
_WARMUP_ROUNDS = 3
_DOUBLINGS = 5
_FEWEST_SWEEPS = 50  # in shorter chains autocorrelation cannot be seen, nor chains that never leave where they began
_WIDTH = 3.0  # of the first interval, in standard deviations
_MAX_STEPS_OUT = 10_000

_Height = Callable[[NDArray[np.int64], Floats], Floats]


@dataclass(frozen=True)
class Chains:
    """Draws of one problem and what is known of them."""

    draws: Floats  # (S, D)
    mcse: Floats  # (D,)
    ess: float
    r_hat: float
    converged: bool


def sample_slice(density: PointDensity, start: Floats, draws: int, rng: np.random.Generator) -> Chains:
    """Draw from a single problem.

    Parameters
    ----------
    density : PointDensity
        One problem of D dimensions.
    start : numpy.ndarray
        Rough draws to start from, shape (S, D).
    draws : int
        Draws to return, spread evenly over the chains.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Chains
        The draws; ``converged`` is False if R-hat stays above 1.01 or the effective size under 400.
    """
    state = start[rng.choice(len(start), _CHAINS, replace=len(start) < _CHAINS)]
    factor = np.eye(state.shape[1])
    for _ in range(_WARMUP_ROUNDS):
        factor = _whitening(state, fallback=factor)
        path = _run(density, state, factor, _WARMUP_SWEEPS, rng)
        state = path[:, -1]
        factor = _whitening(path[:, _WARMUP_SWEEPS // 2 :].reshape(-1, path.shape[2]), fallback=factor)
    sweeps = max(-(-draws // _CHAINS), _FEWEST_SWEEPS)
    path = np.empty((_CHAINS, 0, state.shape[1]))
    converged = False
    for _ in range(_DOUBLINGS + 1):
        path = np.concatenate([path, _run(density, state, factor, max(sweeps, path.shape[1]), rng)], axis=1)
        state = path[:, -1]
        r_hat, ess, ess_mean = chain_diagnostics(path, groups=_GROUPS)
        converged = bool((r_hat < _R_HAT_LIMIT).all() and (ess >= ESS_NEEDED).all())
        if converged:
            break
    pooled = path.reshape(-1, path.shape[2])
    kept = pooled[np.linspace(0, len(pooled) - 1, draws).round().astype(np.int64)]
    error = pooled.std(axis=0) / np.sqrt(np.minimum(ess_mean, draws))
    return Chains(rng.permutation(kept), error, float(ess.min()), float(r_hat.max()), converged)


def _whitening(points: Floats, fallback: Floats) -> Floats:
    centred = points - points.mean(axis=0)
    covariance = np.einsum("si,sj->ij", centred, centred) / len(points)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    if not eigenvalues[-1] > 0:  # all starting points are one
        return fallback
    return np.asarray(vectors * np.sqrt(np.maximum(eigenvalues, 1e-12 * eigenvalues[-1])))


def _run(density: PointDensity, state: Floats, factor: Floats, sweeps: int, rng: np.random.Generator) -> Floats:
    """Chains of `sweeps` sweeps: (C, D) to (C, sweeps, D).

    A sweep moves along each principal axis, which is how a long tail is travelled, and once along a random direction,
    different for every chain, which no arrangement of ridges can defeat.
    """
    n_chains, n_dimensions = state.shape
    path = np.empty((n_chains, sweeps, n_dimensions))
    value = density.evaluate(state[None])[0]
    for t in range(sweeps):
        for axis in range(n_dimensions):
            state, value = _update(density, state, value, np.tile(factor[:, axis], (n_chains, 1)), rng)
        unit = rng.standard_normal((n_chains, n_dimensions))
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        state, value = _update(density, state, value, np.einsum("ij,cj->ci", factor, unit), rng)
        path[:, t] = state
    return path


def _update(
    density: PointDensity, state: Floats, value: Floats, direction: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Move every chain along its direction; `value` is the log density at `state`, and so are those returned."""

    def height(chains: NDArray[np.int64], distance: Floats) -> Floats:
        points = state[chains] + distance[:, None] * direction[chains]
        return np.asarray(density.evaluate(points[None])[0])

    n_chains = len(state)
    level = value - rng.standard_exponential(n_chains)
    left = -_WIDTH * rng.random(n_chains)
    ends = np.concatenate([left, left + _WIDTH])
    _step_out(height, ends, level)
    left, right = ends[:n_chains], ends[n_chains:]
    distance, reached = np.zeros(n_chains), value.copy()
    searching = np.arange(n_chains)
    while len(searching):
        proposal = left[searching] + rng.random(len(searching)) * (right - left)[searching]
        found = height(searching, proposal)
        inside = found >= level[searching]
        distance[searching[inside]], reached[searching[inside]] = proposal[inside], found[inside]
        searching, proposal = searching[~inside], proposal[~inside]
        below = proposal < 0
        left[searching[below]] = proposal[below]
        right[searching[~below]] = proposal[~below]
    return state + distance[:, None] * direction, reached


def _step_out(height: _Height, ends: Floats, level: Floats) -> None:
    """Move the ends of the intervals, all left ones before all right ones, until they lie outside the slices."""
    n_chains = len(level)
    growing = np.arange(2 * n_chains)
    for _ in range(_MAX_STEPS_OUT):
        chains = growing % n_chains
        growing = growing[height(chains, ends[growing]) >= level[chains]]
        if not len(growing):
            break
        ends[growing] += np.where(growing < n_chains, -_WIDTH, _WIDTH)
