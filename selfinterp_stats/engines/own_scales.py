"""Units whose second block has a scale of its own around the common one.

Given that scale and the first, the prior is normal again: a draw of the hyperparameters is completed by one of the unit's
own scale, in proportion to the weight of its node of the quadrature and the marginal likelihood there, and what is left to
do is what is done without such a spread.
"""

from __future__ import annotations

import numpy as np

from selfinterp_stats.engines.hyper import tabulate_scales
from selfinterp_stats.engines.protocol import Floats
from selfinterp_stats.engines.resample import Resampled, find_standard_errors, make_bins, resample_unit
from selfinterp_stats.engines.scales import LearnedScales
from selfinterp_stats.engines.shared import UnitProposals, normalise_weights, weigh_unit

__all__ = ["draw_own_scales", "find_ladder", "resample_with_own_scale"]

_FIRST_NODES, _OWN_NODES = 25, 161  # of the table that is interpolated in
_REFERENCES = 16  # hyperparameters that Monte-Carlo errors are found for
_RUNG = 0.7  # between log scales that are to be served
_MOST_RUNGS, _FINEST = 24, 80
_NEGLIGIBLE = -16.0  # log posterior of an own scale, relative to the largest


def draw_own_scales(unit: UnitProposals, scales: LearnedScales, phi: Floats, rng: np.random.Generator) -> Floats:
    """(Log scale of the first block, the unit's own of the second) for draws of the hyperparameters, (S, 3) to (S, 2)."""
    own = scales.own_scales(phi[:, 1:])
    log_weights = np.log(scales.quadrature[1]) + _interpolate(unit, scales, phi[:, 0], own)
    noise = rng.gumbel(size=log_weights.shape)  # the largest sum falls on each node as often as its weight says
    chosen = np.argmax(log_weights + noise, axis=1)
    return np.stack([phi[:, 0], own[np.arange(len(phi)), chosen]], axis=1)


def _interpolate(unit: UnitProposals, scales: LearnedScales, first: Floats, own: Floats) -> Floats:
    """Log marginal likelihood at log scales of the first block (S,) and own ones (S, Q): (S, Q)."""
    from scipy.interpolate import RegularGridInterpolator

    axes = _make_nodes(first, _FIRST_NODES), _make_nodes(own, _OWN_NODES)
    table = RegularGridInterpolator(axes, tabulate_scales(unit, scales, *axes))
    places = np.stack([np.broadcast_to(first[:, None], own.shape), own], axis=-1)
    return np.asarray(table(places))


def _make_nodes(values: Floats, count: int) -> Floats:
    low, high = float(values.min()), float(values.max())
    return np.linspace(low, max(high, low + 1e-6), count)


def resample_with_own_scale(
    unit: UnitProposals, scales: LearnedScales, phi: Floats, rng: np.random.Generator
) -> tuple[Resampled, Floats]:
    """Draw a unit's variables for every draw of the hyperparameters, and the Monte-Carlo errors of their means, (D,)."""
    result = resample_unit(unit, scales.plain, make_bins(draw_own_scales(unit, scales, phi, rng), unit.sizes), rng)
    # errors are those of the mixture over own scales: which of them are drawn hangs on the proposals, too
    some = phi[:: max(1, len(phi) // _REFERENCES)]
    weights = normalise_weights(weigh_unit(unit, scales, some))
    return result, find_standard_errors(unit, result, weights, np.full(len(some), 1.0 / len(some)))


def find_ladder(unit: UnitProposals, scales: LearnedScales, phi: Floats) -> Floats:
    """Log scales of both blocks that together cover where a unit's own scale may be at some phi (n, 3): (m, 2)."""
    own = scales.own_scales(phi[:, 1:])
    steps = int(np.clip(np.ceil((own.max() - own.min()) / _RUNG), 1, _FINEST))
    grid = np.linspace(own.min(), own.max(), steps + 1)
    z = (grid - phi[:, 1:2]) / np.exp(phi[:, 2:])
    log_posterior = _interpolate(unit, scales, phi[:, 0], np.tile(grid, (len(phi), 1))) - 0.5 * np.square(z)
    likely = (log_posterior > log_posterior.max(axis=1, keepdims=True) + _NEGLIGIBLE).any(axis=0)
    rungs = grid[likely][:: -(-int(likely.sum()) // _MOST_RUNGS)]
    return np.stack([np.resize(phi[:, 0], len(rungs)), rungs], axis=1)
