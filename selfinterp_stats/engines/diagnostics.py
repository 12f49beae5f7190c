"""How far draws can be trusted: Pareto k-hat, effective size, R-hat.

R-hat and effective sizes of chains are ArviZ's own. Its k-hat takes a millisecond, which is most of what a scenario costs;
ours is the same estimate, compiled, and held against ArviZ's in the tests.
"""

from __future__ import annotations

import math

import numpy as np

from selfinterp_stats.engines.kernels import fit_generalised_pareto
from selfinterp_stats.engines.protocol import Floats

__all__ = ["chain_diagnostics", "effective_size", "pareto_k", "pareto_k_limit"]


_SAME = 1e-9  # log weights that differ by less are rounding


def pareto_k(log_weights: Floats) -> float:
    """Shape of the generalised Pareto tail of importance weights, shape (P,); larger is worse.

    Infinite where fewer than five weights make the tail: that is a failure, not a light tail. Zero where the largest
    weights are all the same, as those of draws from the distribution itself.
    """
    n_proposals = len(log_weights)
    length = math.floor(min(n_proposals / 5, 3 * math.sqrt(n_proposals)))
    # the tail, and the largest weight below it
    largest = np.sort(np.partition(log_weights, n_proposals - length - 1)[n_proposals - length - 1 :])
    relative = largest - largest[-1]
    if relative[0] > -_SAME:
        return 0.0
    cutoff = max(relative[0], math.log(np.finfo(np.float64).tiny))
    tail = relative[relative > cutoff]
    if len(tail) <= 4:
        return math.inf
    return float(fit_generalised_pareto(np.exp(tail) - math.exp(cutoff)))


def pareto_k_limit(proposals: int) -> float:
    """Value of k-hat from which so many proposals are too few.

    Examples
    --------
    >>> pareto_k_limit(4000), round(pareto_k_limit(1000), 3)
    (0.7, 0.667)
    """
    return float(min(1.0 - 1.0 / np.log10(proposals), 0.7))


def effective_size(weights: Floats) -> Floats:
    """Effective number of draws behind normalised importance weights, (..., P) to (...)."""
    return np.asarray(1.0 / np.square(weights).sum(axis=-1))


def chain_diagnostics(chains: Floats, groups: int) -> tuple[Floats, Floats, Floats]:
    """R-hat (rank-normalised, split), effective size (the smaller of bulk and tail) and that of the mean.

    Many short chains never pass a plain R-hat, which wants every single chain to have seen the whole posterior. As in
    Margossian, Hoffman, Sountsov, Riou-Durand, Vehtari and Gelman (2024, "Nested R-hat", Bayesian Analysis), chains are
    put together in groups and the groups compared.

    Parameters
    ----------
    chains : numpy.ndarray
        Shape (C, T, D): chains, draws, dimensions.
    groups : int
        Number of groups, a divisor of C.

    Returns
    -------
    r_hat, ess, ess_mean : numpy.ndarray
        Shape (D,) each.
    """
    from arviz_stats.base import array_stats

    moved = np.moveaxis(chains, -1, 0)
    n_chains, n_draws, n_dimensions = chains.shape
    # within a group draws stand in the order of time, so that splitting still compares early with late ones
    grouped = chains.reshape(groups, n_chains // groups, n_draws, n_dimensions).transpose(3, 0, 2, 1)
    r_hat = array_stats.rhat(grouped.reshape(n_dimensions, groups, -1), chain_axis=1, draw_axis=2)
    bulk = array_stats.ess(moved, chain_axis=1, draw_axis=2, method="bulk")
    tail = array_stats.ess(moved, chain_axis=1, draw_axis=2, method="tail", prob=(0.05, 0.95))
    mean = array_stats.ess(moved, chain_axis=1, draw_axis=2, method="mean")
    return np.asarray(r_hat), np.minimum(bulk, tail), np.asarray(mean)
