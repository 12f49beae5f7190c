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
from selfinterp_stats.engines.scales import LearnedScales, PriorTerms
from selfinterp_stats.engines.shared import UnitProposals, propagate_noise, weigh_unit

__all__ = ["HyperBins", "PriorRatios", "Resampled", "compare_priors", "find_span", "make_bins", "resample_unit"]

_BIN_COSTS = (0.4, 0.8, 1.6)  # a bin is so wide that its draws' log priors differ by about so much
_DRAWS_A_BIN = 32
_GRID = 400  # sums of squares at which the ratio of two mixtures is bounded
_SLACK = 1e-3
_NO_WEIGHT = -16.0  # log weight of a proposal relative to the largest, from which on it is as good as never picked


_Terms = tuple[Floats, Floats, Floats, Floats, Floats]


@dataclass(frozen=True)
class HyperBins:
    """Draws of the hyperparameters in bins.

    Attributes
    ----------
    phi : numpy.ndarray
        The draws, (S, H).
    order : numpy.ndarray of int
        Draws bin by bin, (S,).
    first : numpy.ndarray of int
        Bin j has the draws order[first[j]] .. order[first[j + 1] - 1], (J + 1,).
    references : numpy.ndarray
        Hyperparameters that the bins' weights are computed at, (J, H).
    """

    phi: Floats
    order: NDArray[np.int64]
    first: NDArray[np.int64]
    references: Floats


@dataclass(frozen=True)
class PriorRatios:
    """Priors of both blocks at each draw and at its bin's reference; the same for all units with blocks of one size.

    Attributes
    ----------
    own_bin : numpy.ndarray of int
        Bin of each draw, bin by bin, (S,).
    first, second : tuple of numpy.ndarray
        What the kernel takes for each block: terms of the draws' own priors, of their bins', and the largest log ratio of
        the two.
    """

    own_bin: NDArray[np.int64]
    first: _Terms
    second: _Terms


@dataclass(frozen=True)
class Resampled:
    """Draws of one unit.

    Attributes
    ----------
    draws : numpy.ndarray
        Shape (S, D).
    mcse : numpy.ndarray
        Monte-Carlo standard errors of their means, (D,).
    """

    draws: Floats
    mcse: Floats


def make_bins(phi: Floats, largest: tuple[int, int]) -> HyperBins:
    """Sort draws (S, H) into bins that suit units with blocks of up to `largest` variables.

    Weights of all proposals are computed for each bin. Where hyperparameters are spread so widely that few draws share one,
    bins are wider and more picks are refused instead.
    """
    for cost in _BIN_COSTS if phi.shape[1] == 2 else _BIN_COSTS[:1]:  # ratios of mixtures are larger as it is
        widths = [cost / largest[0], cost / largest[1], 0.375 * cost][: phi.shape[1]]
        keys = np.floor((phi - phi.min(axis=0)) / widths).astype(np.int64)
        order = np.lexsort(keys.T[::-1])
        changes = np.flatnonzero((np.diff(keys[order], axis=0) != 0).any(axis=1)) + 1
        if len(changes) < len(phi) / _DRAWS_A_BIN:
            break
    first = np.concatenate([[0], changes, [len(phi)]])
    # the largest scales of a bin bound the density of all others up to a factor
    references = np.stack([phi[order[i:j]].max(axis=0) for i, j in pairwise(first)])
    return HyperBins(phi, order, first, references)


def find_span(unit: UnitProposals, scales: LearnedScales, phi: Floats) -> Floats:
    """Smallest and largest sum of squares, by block, of the proposals that carry weight at some phi (n, H): (2, 2)."""
    log_weights = weigh_unit(unit, scales, phi)
    carries = (log_weights > log_weights.max(axis=1, keepdims=True) + _NO_WEIGHT).any(axis=0)
    squares = unit.squares[carries]
    return np.stack([squares.min(axis=0), squares.max(axis=0)], axis=1)


def compare_priors(bins: HyperBins, scales: LearnedScales, sizes: tuple[int, int], spans: Floats) -> PriorRatios:
    """How the priors of blocks of so many variables at each draw compare with those at its bin's reference.

    A ratio of mixtures is bounded over `spans`, the sums of squares that occur, (2, 2): between the outermost components,
    where no proposal carries weight, it can be any number, and next to nothing would be accepted.
    """
    sorted_phi, own_bin = bins.phi[bins.order], np.repeat(np.arange(len(bins.references)), np.diff(bins.first))
    first = scales.first(sorted_phi[:, 0], sizes[0]), scales.first(bins.references[:, 0], sizes[0]).take(own_bin)
    second = scales.second(sorted_phi[:, 1:], sizes[1]), scales.second(bins.references[:, 1:], sizes[1]).take(own_bin)
    return PriorRatios(own_bin, _compare(*first, spans[0]), _compare(*second, spans[1]))


def resample_unit(
    unit: UnitProposals, scales: LearnedScales, bins: HyperBins, ratios: PriorRatios, rng: np.random.Generator
) -> Resampled:
    """Draw a unit's variables for every draw of the hyperparameters."""
    log_weights = weigh_unit(unit, scales, bins.references)
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    cumulative = np.cumsum(weights, axis=1)
    sizes = np.diff(bins.first)
    # systematic within a bin: hardly any noise is added by picking
    offset = rng.random(len(sizes))
    place = np.concatenate([rng.permutation(size) for size in sizes])
    positions = (place + np.repeat(offset, sizes)) / np.repeat(sizes, sizes)
    picked, kept = pick_proposals(unit.squares, cumulative, ratios.own_bin, positions, *ratios.first, *ratios.second, rng)
    draws = np.empty((len(picked), unit.points.shape[1]))
    draws[bins.order] = unit.points[picked]
    return Resampled(draws, _standard_errors(unit, weights, sizes / sizes.sum(), draws, kept))


def _compare(own: PriorTerms, reference: PriorTerms, span: Floats) -> _Terms:
    return own.offset, own.precision, reference.offset, reference.precision, _bound(own, reference, span)


def _bound(own: PriorTerms, reference: PriorTerms, span: Floats) -> Floats:
    """Largest log ratio of two priors over the sums of squares of a span, row by row."""
    if own.offset.shape[1] == 1:  # normal, the reference being the wider: largest at zero
        return np.asarray(own.offset[:, 0] - reference.offset[:, 0])
    ratio = np.full(len(own.offset), -np.inf)
    for at in np.geomspace(max(span[0], np.finfo(np.float64).tiny), span[1], _GRID):
        own_log = np.logaddexp.reduce(own.offset - 0.5 * own.precision * at, axis=1)
        reference_log = np.logaddexp.reduce(reference.offset - 0.5 * reference.precision * at, axis=1)
        ratio = np.maximum(ratio, own_log - reference_log)
    return ratio + _SLACK


def _standard_errors(unit: UnitProposals, weights: Floats, shares: Floats, draws: Floats, kept: float) -> Floats:
    """Monte-Carlo standard errors of the draws' means: of the proposals, and of picking among them.

    Picks that are kept at the first try are a thinned systematic sample, the others independent.
    """
    means = weights @ unit.points
    influence = (shares @ weights)[:, None] * unit.points - (shares[:, None] * weights).T @ means
    picking = (1.0 - kept**2) + 0.25 * kept**2
    return np.asarray(np.sqrt(propagate_noise(unit, influence) + picking * draws.var(axis=0) / len(draws)))
