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
def _log_prior(offset, precision, square):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Log of a mixture of zero-mean normals at a sum of squares."""
    if len(offset) == 1:
        return offset[0] - 0.5 * precision[0] * square
    top = -np.inf
    for q in range(len(offset)):
        top = max(top, offset[q] - 0.5 * precision[q] * square)
    total = 0.0
    for q in range(len(offset)):
        total += math.exp(offset[q] - 0.5 * precision[q] * square - top)
    return top + math.log(total)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def pick_proposals(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    squares,
    cumulative,
    bins,
    positions,
    offset_1,
    precision_1,
    reference_offset_1,
    reference_precision_1,
    bound_1,
    offset_2,
    precision_2,
    reference_offset_2,
    reference_precision_2,
    bound_2,
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
    offset_1 .. bound_2 : numpy.ndarray
        For each block: terms of the draw's own prior, (S, Q) each, of the bin's, (S, Q) each, largest log ratio, (S,).
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
            ratio = _log_prior(offset_1[m], precision_1[m], squares[p, 0])
            ratio -= _log_prior(reference_offset_1[m], reference_precision_1[m], squares[p, 0]) + bound_1[m]
            ratio += _log_prior(offset_2[m], precision_2[m], squares[p, 1])
            ratio -= _log_prior(reference_offset_2[m], reference_precision_2[m], squares[p, 1]) + bound_2[m]
            if math.log(rng.random()) < ratio:
                break
            tries += 1
            position = rng.random()
        picked[m] = p
        kept += tries == 0
    return picked, kept / n_draws
