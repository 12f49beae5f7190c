"""Compiled loops of the engines."""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["fit_generalised_pareto", "pick_proposals"]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fit_generalised_pareto(tail):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Shape of the generalised Pareto distribution of exceedances, ascending, (M,); regularised for small M.

    The estimate of Zhang and Stephens (2009, "A new and efficient estimation method for the generalized Pareto
    distribution", Technometrics 51): a profile-likelihood average over a grid, with the weakly informative prior for the
    shape of Vehtari and others (2024).
    """
    n = len(tail)
    n_grid = 30 + int(math.sqrt(n))
    quartile = tail[int(n / 4 + 0.5) - 1]
    inverse_scale = np.empty(n_grid)
    log_profile = np.empty(n_grid)
    for i in range(n_grid):
        b = (1.0 - math.sqrt(n_grid / (i + 0.5))) / (3.0 * quartile) + 1.0 / tail[n - 1]
        shape = 0.0
        for value in tail:
            shape += math.log1p(-b * value)
        shape /= n
        inverse_scale[i] = b
        log_profile[i] = n * (math.log(-(b / shape)) - shape - 1.0)
    weights = np.exp(log_profile - log_profile.max())
    weights /= weights.sum()
    # grid points without weight are left out, as in the reference implementations
    mean, total = 0.0, 0.0
    for i in range(n_grid):
        if weights[i] >= 10.0 * np.finfo(np.float64).eps:
            mean += inverse_scale[i] * weights[i]
            total += weights[i]
    mean /= total
    shape = 0.0
    for value in tail:
        shape += math.log1p(-mean * value)
    shape /= n
    return (n * shape + 5.0) / (n + 10.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pick_proposals(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    squares,
    cumulative,
    bins,
    positions,
    excess,
    rng,
):
    """Pick a proposal for each draw by its bin's weights and keep it by the ratio of its own prior to the bin's.

    Parameters
    ----------
    squares : numpy.ndarray
        Sums of squares of the proposals, (P, 2).
    cumulative : numpy.ndarray
        Cumulative weights of the proposals in each bin, (J, P).
    bins : numpy.ndarray of int
        Bin of each draw, (S,).
    positions : numpy.ndarray
        Where in 0..1 the first pick of each draw falls, (S,).
    excess : numpy.ndarray
        Precision of each block's prior at the draw's own hyperparameters less that at its bin's, not negative, (S, 2).
    rng : numpy.random.Generator

    Returns
    -------
    picked : numpy.ndarray of int
        Shape (S,).
    kept : float
        Share of draws that kept their first pick.
    """
    n_draws, n_proposals = len(bins), cumulative.shape[1]
    picked = np.empty(n_draws, dtype=np.int64)
    kept = 0
    for m in range(n_draws):
        row = cumulative[bins[m]]
        position = positions[m]
        tries = 0
        while True:
            p = min(np.searchsorted(row, position * row[n_proposals - 1]), n_proposals - 1)
            # the bin's priors are the wider, so that the ratio of the two is largest at zero
            if math.log(rng.random()) < -0.5 * (excess[m, 0] * squares[p, 0] + excess[m, 1] * squares[p, 1]):
                break
            tries += 1
            position = rng.random()
        picked[m] = p
        kept += tries == 0
    return picked, kept / n_draws
