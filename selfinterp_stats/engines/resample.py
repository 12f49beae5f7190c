"""Draws of a unit's variables given draws of the hyperparameters.

Draws of the hyperparameters are sorted into small bins. In each bin proposals are picked by their weights at one reference
value and kept with probability proportional to the ratio of their prior densities at the draw's own hyperparameters and at
the reference (rejection sampling), so that every draw has exactly the weights of its own hyperparameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.engines.kernels import pick_proposals
from selfinterp_stats.engines.protocol import Floats
from selfinterp_stats.engines.scales import LearnedScales
from selfinterp_stats.engines.shared import UnitProposals, normalise_weights, propagate_noise, weigh_unit

__all__ = ["HyperBins", "Resampled", "find_standard_errors", "make_bins", "resample_unit"]

_BIN_COSTS = (0.4, 0.8, 1.6)  # a bin is so wide that its draws' log priors differ by about so much
_DRAWS_A_BIN = 32


@dataclass(frozen=True)
class HyperBins:
    """Draws of the hyperparameters in bins.

    Attributes
    ----------
    phi : numpy.ndarray
        The draws, two log scales each, (S, 2).
    order : numpy.ndarray of int
        Draws bin by bin, (S,).
    first : numpy.ndarray of int
        Bin j has the draws order[first[j]] .. order[first[j + 1] - 1], (J + 1,).
    references : numpy.ndarray
        Hyperparameters that the bins' weights are computed at, (J, 2).
    own_bin : numpy.ndarray of int
        Bin of each draw, bin by bin, (S,).
    excess : numpy.ndarray
        Precision of each block's prior at each draw less that at its bin's reference, bin by bin, (S, 2).
    """

    phi: Floats
    order: NDArray[np.int64]
    first: NDArray[np.int64]
    references: Floats
    own_bin: NDArray[np.int64]
    excess: Floats


@dataclass(frozen=True)
class Resampled:
    """Draws of one unit.

    Attributes
    ----------
    draws : numpy.ndarray
        Shape (S, D).
    kept : float
        Share of draws that kept what was picked first.
    weights : numpy.ndarray
        Of the proposals at each bin's reference, rows summing to one, (J, P).
    """

    draws: Floats
    kept: float
    weights: Floats


def make_bins(phi: Floats, largest: tuple[int, int]) -> HyperBins:
    """Sort draws (S, 2) into bins that suit units with blocks of up to `largest` variables.

    Weights of all proposals are computed for each bin. Where hyperparameters are spread so widely that few draws share one,
    bins are wider and more picks are refused instead.
    """
    for cost in _BIN_COSTS:
        keys = np.floor((phi - phi.min(axis=0)) * largest / cost).astype(np.int64)
        order = np.lexsort(keys.T[::-1])
        changes = np.flatnonzero((np.diff(keys[order], axis=0) != 0).any(axis=1)) + 1
        if len(changes) < len(phi) / _DRAWS_A_BIN:
            break
    first = np.concatenate([[0], changes, [len(phi)]])
    # the largest scales of a bin bound the density of all others up to a factor
    references = np.stack([phi[order[i:j]].max(axis=0) for i, j in pairwise(first)])
    own_bin = np.repeat(np.arange(len(references)), np.diff(first))
    excess = np.exp(-2.0 * phi[order]) - np.exp(-2.0 * references[own_bin])
    return HyperBins(phi, order, first, references, own_bin, excess)


def resample_unit(unit: UnitProposals, scales: LearnedScales, bins: HyperBins, rng: np.random.Generator) -> Resampled:
    """Draw a unit's variables for every draw of the hyperparameters."""
    weights = normalise_weights(weigh_unit(unit, scales, bins.references))
    cumulative = np.cumsum(weights, axis=1)
    sizes = np.diff(bins.first)
    # systematic within a bin: hardly any noise is added by picking
    offset = rng.random(len(sizes))
    place = np.concatenate([rng.permutation(size) for size in sizes])
    positions = (place + np.repeat(offset, sizes)) / np.repeat(sizes, sizes)
    picked, kept = pick_proposals(unit.statistics, cumulative, bins.own_bin, positions, bins.excess, rng)
    draws = np.empty((len(picked), unit.points.shape[1]))
    draws[bins.order] = unit.points[picked]
    return Resampled(draws, kept, weights)


def find_standard_errors(unit: UnitProposals, result: Resampled, weights: Floats, shares: Floats) -> Floats:
    """Monte-Carlo standard errors of the draws' means, (D,): of the proposals, and of picking among them.

    Parameters
    ----------
    unit : UnitProposals
    result : Resampled
        Picks that were kept at the first try are a thinned systematic sample, the others independent.
    weights : numpy.ndarray
        Of the proposals at some hyperparameters, rows summing to one, (J, P).
    shares : numpy.ndarray
        What these count in the posterior, (J,).
    """
    means = weights @ unit.points
    influence = (shares @ weights)[:, None] * unit.points - (shares[:, None] * weights).T @ means
    picking = (1.0 - result.kept**2) + 0.25 * result.kept**2
    variance = result.draws.var(axis=0) / len(result.draws)
    return np.asarray(np.sqrt(propagate_noise(unit, influence) + picking * variance))
