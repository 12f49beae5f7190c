"""The posterior of a few hyperparameters, sampled from a table.

The log marginal likelihood is computed at the nodes of a Chebyshev grid over a box, interpolated by the polynomial through
them (Trefethen, 2019, "Approximation theory and approximation practice", chapters 2 to 8), normalised on a fine grid of
cells and sampled from it. A box that cuts off some of the posterior, or whose polynomial has not settled, is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from selfinterp_stats.engines.protocol import Floats
from selfinterp_stats.engines.rough import Region
from selfinterp_stats.engines.scales import LearnedScales
from selfinterp_stats.engines.shared import UnitProposals

__all__ = ["Box", "HyperPosterior", "make_box", "tabulate_posterior", "tabulate_scales", "tabulate_unit"]

_NODES = {2: 17, 3: 11}
_FINER = 1.6  # times as many nodes where the polynomial has not settled
_MOST_NODES = {2: 45, 3: 29}
_CELLS = {2: 240, 3: 72}
_REACH = 5.5  # half-width of a box in standard deviations
_MARGIN = 0.02  # share of the cells at each end of an axis that has to be as good as empty
_CUT_OFF = 1e-4  # posterior mass allowed there
_SETTLED = 0.03  # of the log density: what the highest coefficients may contribute
_RELEVANCE = 0.25  # power of the density that such an error counts by: four sds out, an eighth
_OWN_NODES = 81  # along a unit's own log scale
_OWN_REACH = 5.0  # beyond the box: factors of 150 either way
_DEEP = 8.0  # below the maximum by so much, the density does not count
_GAIN = 0.9  # a box is worth another table if it is narrower than this share of the last


@dataclass(frozen=True)
class Box:
    """A region of hyperparameters.

    Attributes
    ----------
    low, high : numpy.ndarray
        Shape (H,).
    n_nodes : int
        Points on each axis.
    """

    low: Floats
    high: Floats
    n_nodes: int

    @property
    def axes(self) -> list[Floats]:
        """Chebyshev points on each axis, ascending, ends included."""
        points = chebyshev.chebpts2(self.n_nodes)
        return [lo + 0.5 * (points + 1.0) * (hi - lo) for lo, hi in zip(self.low, self.high, strict=True)]


@dataclass(frozen=True)
class HyperPosterior:
    """Posterior of the hyperparameters on a grid of cells.

    Attributes
    ----------
    box : Box
    edges : list of numpy.ndarray
        Limits of the cells on each axis.
    probability : numpy.ndarray
        Of each cell, one axis for each hyperparameter.
    smooth : bool
        Whether the interpolation is good wherever the density counts; if not, a better box is looked for.
    settled : bool
        Whether it is good enough: the less probable a place, the larger an error may be.
    """

    box: Box
    edges: list[Floats]
    probability: Floats
    smooth: bool
    settled: bool

    def marginal(self, axis: int) -> Floats:
        """Probability of the cells along one axis."""
        others = tuple(i for i in range(self.probability.ndim) if i != axis)
        return np.asarray(self.probability.sum(axis=others))

    @property
    def mean(self) -> Floats:
        """Posterior means, (H,)."""
        return np.array([self.marginal(i) @ _centres(edges) for i, edges in enumerate(self.edges)])

    @property
    def sd(self) -> Floats:
        """Posterior standard deviations, (H,)."""
        second = [self.marginal(i) @ np.square(_centres(edges)) for i, edges in enumerate(self.edges)]
        return np.asarray(np.sqrt(np.maximum(np.array(second) - np.square(self.mean), 1e-12)))

    def quantile(self, level: float) -> Floats:
        """Quantile of each hyperparameter, (H,)."""
        return np.array(
            [np.interp(level, np.r_[0.0, np.cumsum(self.marginal(i))], edges) for i, edges in enumerate(self.edges)]
        )

    @property
    def cut_off(self) -> NDArray[np.bool_]:
        """Whether the box cuts off some of the posterior below and above, (H, 2)."""
        ends = []
        for i in range(len(self.edges)):
            marginal = self.marginal(i)
            margin = max(1, round(_MARGIN * len(marginal)))
            ends.append([marginal[:margin].sum() > _CUT_OFF, marginal[-margin:].sum() > _CUT_OFF])
        return np.array(ends)

    def next_box(self) -> Box | None:
        """A better box, or None if there is none to be had."""
        low, high = self.box.low.copy(), self.box.high.copy()
        width = high - low
        inner_low, inner_high = self.quantile(1e-6), self.quantile(1.0 - 1e-6)
        spare = 0.1 * (inner_high - inner_low) + 0.01 * width
        below, above = self.cut_off.T
        low[below] -= 0.4 * width[below]
        high[above] += 0.4 * width[above]
        if not self.smooth:  # take in what is empty
            low[~below] = np.maximum(low, inner_low - spare)[~below]
            high[~above] = np.minimum(high, inner_high + spare)[~above]
        if self.cut_off.any() or (high - low < _GAIN * width).any():
            return Box(low, high, self.box.n_nodes)
        finer = round(_FINER * self.box.n_nodes)
        if not self.smooth and finer <= _MOST_NODES[len(low)]:
            return Box(self.box.low, self.box.high, finer)
        return None

    def sample(self, draws: int, rng: np.random.Generator) -> Floats:
        """Equally weighted draws, (draws, H): systematic over the cells, uniform within, shuffled."""
        flat = self.probability.ravel()
        positions = (rng.random() + np.arange(draws)) / draws
        cell = np.minimum(np.searchsorted(np.cumsum(flat), positions * flat.sum()), len(flat) - 1)
        places = np.unravel_index(rng.permutation(cell), self.probability.shape)
        columns = [
            edges[place] + rng.random(draws) * (edges[1] - edges[0])
            for edges, place in zip(self.edges, places, strict=True)
        ]
        return np.stack(columns, axis=1)


def make_box(region: Region) -> Box:
    """Box around a region."""
    return Box(region.centre - _REACH * region.sd, region.centre + _REACH * region.sd, _NODES[len(region.centre)])


def tabulate_unit(unit: UnitProposals, scales: LearnedScales, box: Box) -> Floats:
    """Log marginal likelihood of one unit at the nodes of a box, one axis for each hyperparameter.

    Weights at all nodes are products of a factor for each block, so that sums over proposals are one matrix product.
    """
    second_nodes, mix = _scale_nodes(scales, box) if scales.varies else (box.axes[1], None)
    logs = tabulate_scales(unit, scales, box.axes[0], second_nodes)
    return logs if mix is None else mix(logs)


def tabulate_scales(unit: UnitProposals, scales: LearnedScales, first_nodes: Floats, second_nodes: Floats) -> Floats:
    """Log marginal likelihood of one unit at ascending log scales of the two blocks, (n,) and (m,) to (n, m)."""
    first = scales.first(first_nodes, unit.sizes[0]).log_density(unit.statistics[:, 0])
    second = scales.first(second_nodes, unit.sizes[1]).log_density(unit.statistics[:, 1])
    # relative to the largest scales, so that no factor grows without bound
    reference = unit.base + first[-1] + second[-1]
    top = reference.max()
    factor = np.exp(reference - top) * np.exp(first - first[-1])
    total = factor @ np.exp(second - second[-1]).T
    return np.asarray(top + np.log(np.maximum(total, 1e-300)) - np.log(len(unit.base)))


def _scale_nodes(scales: LearnedScales, box: Box) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Where to know a unit's marginal likelihood as a function of its own scale, and how to average it over scales.

    The unit's own log scale is log tau + omega * z. Its log marginal likelihood is interpolated along that one axis, piece
    by piece, since it falls steeply where no proposal reaches, and the mean over z is taken by quadrature.
    """
    from scipy.interpolate import PchipInterpolator

    _, log_tau, log_omega = box.axes
    nodes, weights = scales.quadrature
    places = log_tau[:, None, None] + np.exp(log_omega)[None, :, None] * nodes
    low, high = log_tau[0] - _OWN_REACH, log_tau[-1] + _OWN_REACH
    own = np.linspace(low, high, _OWN_NODES)

    def mix(logs: Floats) -> Floats:
        values = PchipInterpolator(own, logs, axis=1)(np.clip(places, low, high))
        top = values.max(axis=-1, keepdims=True)
        return np.asarray(top[..., 0] + np.log(np.exp(values - top) @ weights))

    return own, mix


def tabulate_posterior(log_likelihood: Floats, scales: LearnedScales, box: Box) -> HyperPosterior:
    """Posterior on cells from the sum over units of the log marginal likelihoods at the nodes."""
    axes = box.axes
    n_hyper, n_nodes = len(axes), len(axes[0])
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = log_likelihood + scales.log_prior(grid)
    vandermonde = _polynomials(chebyshev.chebpts2(n_nodes), n_nodes)
    coefficients = _apply([np.asarray(np.linalg.inv(vandermonde), dtype=np.float64)] * n_hyper, values)
    places = (np.arange(_CELLS[n_hyper]) + 0.5) / _CELLS[n_hyper] * 2.0 - 1.0
    matrix = _polynomials(places, n_nodes)
    log_density = _apply([matrix] * n_hyper, coefficients)
    tail = coefficients.copy()
    tail[(slice(0, n_nodes - 2),) * n_hyper] = 0.0
    error = np.abs(_apply([matrix] * n_hyper, tail))
    depth = log_density.max() - log_density
    smooth = bool(error[depth < _DEEP].max() < _SETTLED)
    # the less probable a place is, the less does an error there move the posterior
    settled = smooth or bool((error * np.exp(-_RELEVANCE * depth)).max() < _SETTLED)
    probability = np.exp(log_density - log_density.max())
    probability /= probability.sum()
    edges = [np.linspace(lo, hi, _CELLS[n_hyper] + 1) for lo, hi in zip(box.low, box.high, strict=True)]
    return HyperPosterior(box, edges, probability, smooth, settled)


def _polynomials(places: Floats, count: int) -> Floats:
    """Values of the first Chebyshev polynomials at places in -1..1, (n, count)."""
    return np.asarray(chebyshev.chebvander(places, count - 1), dtype=np.float64)


def _apply(matrices: Sequence[Floats], table: Floats) -> Floats:
    """Multiply each axis of a table by a matrix."""
    return reduce(
        lambda values, item: np.moveaxis(np.tensordot(item[1], values, axes=(1, item[0])), 0, item[0]),
        enumerate(matrices),
        table,
    )


def _centres(edges: Floats) -> Floats:
    return np.asarray(0.5 * (edges[1:] + edges[:-1]))
