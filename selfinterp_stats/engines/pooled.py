"""Draws of a hierarchy: hyperparameters from a table of their posterior, all units given them.

The proposals of a unit are shared by all values of the hyperparameters (``shared``); means of their weights give the
marginal likelihood, whose product over units, times the hyperprior, is sampled (``hyper``); units are resampled given each
draw (``resample``). All of it is diagnosed unit by unit at hyperparameters that were sampled; units that fail get proposals
that have seen the posterior, and in the end an exact sampler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.engines.bridge import bridge_unit
from selfinterp_stats.engines.checks import TABLE_NOISE, Checks, check_unit, collect_checks, find_check_points
from selfinterp_stats.engines.diagnostics import pareto_k_limit
from selfinterp_stats.engines.hyper import Box, HyperPosterior, make_box, tabulate_posterior, tabulate_unit
from selfinterp_stats.engines.own_scales import find_ladder, resample_with_own_scale
from selfinterp_stats.engines.protocol import Floats, PooledDensity
from selfinterp_stats.engines.resample import find_standard_errors, make_bins, resample_unit
from selfinterp_stats.engines.rough import Region, find_region
from selfinterp_stats.engines.scales import LearnedScales, block_sizes
from selfinterp_stats.engines.shared import UnitProposals, adapt_unit, propose
from selfinterp_stats.engines.slice import ESS_NEEDED
from selfinterp_stats.engines.threads import open_threads

__all__ = ["PooledDraws", "sample_pooled"]

_FEWEST_PROPOSALS = 2_000
_TOTAL_NOISE = 0.25  # what the sum over units of 1/ESS may come to
_MANY_UNITS = 1_000  # with more, that sum says too little: what counts is the noise of differences
_EFFICIENCY = 0.5  # effective draws a proposal that can be counted on
_SPACING = 0.8  # of the anchors, in log scales
_MOST_ANCHORS = 5  # on one axis
_PILOTS = 12
_PILOT_PROPOSALS = 500
_PILOT_UNITS = 300
_LONGEST_SHIFT = 1.0  # of the region, in log scales
_ADAPTATIONS = 4
_ADAPTATIONS_OF_OWN = 8  # where units have scales of their own, from tiny to huge, which no chain travels in time
_MARGIN = 0.6
_FEW_UNITS = 10
_BRIDGES = 3  # rounds of the exact sampler: its draws may show that the hyperparameters are elsewhere
_SERVED = 16  # hyperparameters, besides those that are checked, that draws of the exact sampler are to serve
_TABLES = 8  # of the marginal posterior, until one holds all of it
_BATCH_VALUES = 2**18  # proposals computed at a time, about what fits a processor's cache
_KEPT_VALUES = 2**27  # proposals held in memory (a gigabyte); with more, they are computed again

Store = Callable[[int, int, Floats], None]
MakeRng = Callable[[str, int, int], np.random.Generator]
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class PooledDraws:
    """Equally weighted joint draws of a hierarchy of B units, and what is known of their accuracy.

    Attributes
    ----------
    phi : numpy.ndarray
        Hyperparameters, (S, H). The units' draws went to `store`.
    k_hat, ess : numpy.ndarray
        Worst Pareto k-hat and effective size over hyperparameters that were sampled, (B,).
    mcse : numpy.ndarray
        Monte-Carlo standard error of a mean in units of its variable's standard deviation, the largest of a unit, (B,).
    mean_errors : list of numpy.ndarray
        Monte-Carlo standard errors of the means, one array (B', D) for each density given.
    sampler : numpy.ndarray of str
        "importance", "adapted" or "slice", (B,).
    r_hat : numpy.ndarray
        Of the exact sampler, NaN elsewhere, (B,).
    converged : numpy.ndarray of bool
        Whether a unit passed its checks, (B,).
    total_noise : float
        Sum over units of 1/ESS: the Monte-Carlo variance of the log marginal likelihood.
    table_noise : float
        The same for its differences between hyperparameters that were sampled, which is what their posterior hangs on.
    settled : bool
        Whether the table that the hyperparameters were drawn from holds all of their posterior, smoothly and with little
        noise: up to 0.04.
    """

    phi: Floats
    k_hat: Floats
    ess: Floats
    mcse: Floats
    mean_errors: list[Floats]
    sampler: NDArray[np.str_]
    r_hat: Floats
    converged: NDArray[np.bool_]
    total_noise: float
    table_noise: float
    settled: bool


@dataclass(frozen=True)
class _Hierarchy:
    densities: Sequence[PooledDensity]
    scales: LearnedScales
    make_rng: MakeRng
    threads: ThreadPoolExecutor


class _Units:
    """The proposals of all units, kept or computed again each time, by chunks that threads share out."""

    def __init__(self, hierarchy: _Hierarchy, anchors: Floats, count: int) -> None:
        self.densities, self.scales, self.make_rng = hierarchy.densities, hierarchy.scales, hierarchy.make_rng
        self.anchors, self.count, self._threads = anchors, count, hierarchy.threads
        densities = hierarchy.densities
        self.replaced: dict[tuple[int, int], UnitProposals] = {}
        self.chunks: list[tuple[int, range]] = []
        for i, density in enumerate(densities):
            n_units, n_variables = density.shape
            size = max(1, _BATCH_VALUES // (count * n_variables))
            self.chunks += [(i, range(j, min(j + size, n_units))) for j in range(0, n_units, size)]
        values = sum(density.shape[0] * (density.shape[1] + 4) * count for density in densities)
        self._kept: dict[tuple[int, int], list[UnitProposals]] | None = {} if values <= _KEPT_VALUES else None

    def _get(self, chunk: tuple[int, range]) -> list[UnitProposals]:
        i, members = chunk
        key = (i, members.start)
        if self._kept is not None and key in self._kept:
            units = self._kept[key]
        else:
            rngs = [self.make_rng("propose", i, b) for b in members]
            units = propose(self.densities[i].select(members), self.scales, self.anchors, self.count, rngs)
            if self._kept is not None:
                self._kept[key] = units
        return [self.replaced.get((i, b), unit) for b, unit in zip(members, units, strict=True)]

    def map(self, task: Callable[[int, int, UnitProposals], _Result]) -> Iterator[_Result]:
        """Results for every unit, in order; `task` gets its density, its place there and its proposals."""

        def work(chunk: tuple[int, range]) -> list[_Result]:
            units = self._get(chunk)
            return [task(chunk[0], b, unit) for b, unit in zip(chunk[1], units, strict=True)]

        for results in self._threads.map(work, self.chunks):
            yield from results

    def replace(self, which: NDArray[np.int64], task: Callable[[int, int, UnitProposals], UnitProposals]) -> None:
        """Other proposals for some units, which are numbered through all batches."""
        wanted = set(which.tolist())
        places = [(i, b) for i, density in enumerate(self.densities) for b in range(density.shape[0])]
        number = {place: n for n, place in enumerate(places)}

        def work(i: int, b: int, unit: UnitProposals) -> UnitProposals | None:
            return task(i, b, unit) if number[i, b] in wanted else None

        for place, unit in zip(places, self.map(work), strict=True):
            if unit is not None:
                self.replaced[place] = unit


def sample_pooled(
    densities: Sequence[PooledDensity], scales: LearnedScales, draws: int, make_rng: MakeRng, store: Store
) -> PooledDraws:
    """Draw from a hierarchy.

    Parameters
    ----------
    densities : sequence of PooledDensity
        Units, in batches with one number of variables each; all share the hyperparameters.
    scales : LearnedScales
        The hyperparameters and their priors.
    draws : int
        Draws to return.
    make_rng : callable
        From (purpose, place of the batch, place of the unit in it) to a generator of random numbers, the same each time.
    store : callable
        Called with (place of the batch, place of the unit in it, draws (S, D)) once for each unit, from several threads.

    Returns
    -------
    PooledDraws
        Draws of the hyperparameters and diagnostics. A unit passes if at hyperparameters that were sampled its k-hat stays
        below min(1 - 1/log10(P), 0.7) for P proposals and its effective size is at least 400, and, up to 1,000 units, at
        least four times the number of units, so that the sum of 1/ESS is at most 0.25. Units that make the hyperparameters'
        posterior noisy are given more proposals, too.
    """
    with open_threads() as threads:
        return _sample(_Hierarchy(densities, scales, make_rng, threads), draws, store)


def _sample(hierarchy: _Hierarchy, draws: int, store: Store) -> PooledDraws:
    n_units = sum(density.shape[0] for density in hierarchy.densities)
    needed = max(ESS_NEEDED, n_units / _TOTAL_NOISE) if n_units <= _MANY_UNITS else ESS_NEEDED
    count = max(draws, _FEWEST_PROPOSALS, round(needed / _EFFICIENCY))
    units, posterior = _explore(hierarchy, count)
    hyper_rng = hierarchy.make_rng("hyper", -1, -1)
    own = hierarchy.scales.varies
    adaptations, bridges = (_ADAPTATIONS_OF_OWN, 0) if own else (_ADAPTATIONS, _BRIDGES)
    for attempt in range(adaptations + bridges + 1):
        phi = posterior.sample(draws, hyper_rng)
        points = find_check_points(phi)
        checks = _check(units, points)
        failed = checks.fail(pareto_k_limit(count), needed)
        # of few units, where no proposal reaches, the table has kinks that no polynomial follows
        rough = not posterior.settled and n_units <= _FEW_UNITS and attempt < adaptations
        if not (rough or (failed | checks.noisy).any()) or attempt == adaptations + bridges:
            break
        if attempt < adaptations:
            # with own scales other points are checked each time that lie far apart: what barely passes fails the next time
            poor = failed | checks.noisy | (own & checks.fail(_MARGIN * pareto_k_limit(count), needed / _MARGIN))
            if rough or (own and attempt == 0):
                poor[:] = True  # anchors around the common scale serve own ones far from it by chance only
            _adapt(units, np.flatnonzero(poor), points, count * 2 ** min(attempt, _ADAPTATIONS - 1))
        elif not failed.any():
            break
        else:
            _bridge(units, np.flatnonzero(failed), np.concatenate([points, phi[:: -(-draws // _SERVED)]]), needed)
        posterior = _find_posterior(units, posterior.box)
    return _finish(units, phi, checks, ~failed, posterior, store)


def _explore(hierarchy: _Hierarchy, count: int) -> tuple[_Units, HyperPosterior]:
    """Proposals around anchors in the region of the posterior, and the posterior.

    Laplace's approximation is far off for scales where posteriors are skewed, so a few proposals of some units are used to
    find the place first.
    """
    some = replace(hierarchy, densities=_take_some(hierarchy.densities))
    region = find_region(some.densities, some.scales)
    for _ in range(_PILOTS):
        few = _Units(some, _place_anchors(region), _PILOT_PROPOSALS)
        pilot = _find_posterior(few, make_box(region), tables=2)
        shift = np.clip(pilot.mean - region.centre, -_LONGEST_SHIFT, _LONGEST_SHIFT)
        region = Region(region.centre + shift, pilot.sd)
        if (np.abs(shift) < np.maximum(0.5 * pilot.sd, 0.05)).all():
            break
    units = _Units(hierarchy, _place_anchors(region), count)
    return units, _find_posterior(units, make_box(region))


def _take_some(densities: Sequence[PooledDensity]) -> list[PooledDensity]:
    """At most so many units as a pilot needs, evenly from all batches."""
    total = sum(density.shape[0] for density in densities)
    if total <= _PILOT_UNITS:
        return list(densities)
    shares = [max(1, density.shape[0] * _PILOT_UNITS // total) for density in densities]
    return [
        density.select(np.linspace(0, density.shape[0] - 1, share).astype(int).tolist())
        for density, share in zip(densities, shares, strict=True)
    ]


def _place_anchors(region: Region) -> Floats:
    """Log scales whose modes proposals are made around: a grid over two standard deviations each way."""
    axes = []
    spread = region.sd[:2].copy()
    if len(region.centre) == 3:  # units' own scales lie around the common one
        spread[1] = np.hypot(spread[1], np.exp(region.centre[2]))
    for centre, sd in zip(region.centre[:2], spread, strict=True):
        number = int(np.clip(np.ceil(4.0 * sd / _SPACING), 1, _MOST_ANCHORS))
        reach = 2.0 * sd * (number - 1) / number
        axes.append(np.linspace(centre - reach, centre + reach, number) if number > 1 else np.array([centre]))
    return np.array([[first, second] for first in axes[0] for second in axes[1]])


def _find_posterior(units: _Units, box: Box, tables: int = _TABLES) -> HyperPosterior:
    for _ in range(tables):
        total = sum(units.map(partial(_tabulate, units.scales, box)))
        posterior = tabulate_posterior(np.asarray(total), units.scales, box)
        better = posterior.next_box()
        if better is None:
            break
        box = better
    return posterior


def _tabulate(scales: LearnedScales, box: Box, _i: int, _b: int, unit: UnitProposals) -> Floats:
    return tabulate_unit(unit, scales, box)


def _check(units: _Units, points: Floats) -> Checks:
    return collect_checks(list(units.map(lambda _i, _b, unit: check_unit(unit, units.scales, points))))


def _adapt(units: _Units, failed: NDArray[np.int64], points: Floats, count: int) -> None:
    """Give failed units so many more proposals."""

    def adapt(i: int, b: int, unit: UnitProposals) -> UnitProposals:
        log_scales = find_ladder(unit, units.scales, points) if units.scales.varies else points[:, :2]
        density = units.densities[i].select([b])
        rng = units.make_rng(f"adapt {len(unit.counts)}", i, b)
        return adapt_unit(density, unit, units.scales.plain, log_scales, count, rng, by_modes=units.scales.varies)

    units.replace(failed, adapt)


def _bridge(units: _Units, failed: NDArray[np.int64], wanted: Floats, needed: float) -> None:
    """Give failed units draws of the exact sampler."""

    def bridge(i: int, b: int, unit: UnitProposals) -> UnitProposals:
        known = 0 if unit.chains is None else len(unit.chains.references)
        rng = units.make_rng(f"slice {known}", i, b)
        return bridge_unit(units.densities[i].select([b]), unit, units.scales, wanted, needed, units.count, rng)

    units.replace(failed, bridge)


def _finish(
    units: _Units, phi: Floats, checks: Checks, passed: NDArray[np.bool_], posterior: HyperPosterior, store: Store
) -> PooledDraws:
    sizes = [block_sizes(density) for density in units.densities]
    largest = max(first for first, _ in sizes), max(second for _, second in sizes)
    bins = None if units.scales.varies else make_bins(phi, largest)

    def resample(i: int, b: int, unit: UnitProposals) -> tuple[Floats, Floats]:
        rng = units.make_rng("resample", i, b)
        if bins is None:
            result, mcse = resample_with_own_scale(unit, units.scales, phi, rng)
        else:
            result = resample_unit(unit, units.scales, bins, rng)
            mcse = find_standard_errors(unit, result, result.weights, np.diff(bins.first) / len(phi))
        return result.draws, mcse

    def finish(i: int, b: int, unit: UnitProposals) -> tuple[Floats, float, str, float]:
        draws, mcse = resample(i, b, unit)
        store(i, b, draws)
        relative = float((mcse / draws.std(axis=0)).max())
        if unit.chains is not None:
            return mcse, relative, "slice", unit.chains.r_hat
        return mcse, relative, "adapted" if (i, b) in units.replaced else "importance", np.nan

    found = list(units.map(finish))
    starts = np.cumsum([0, *(density.shape[0] for density in units.densities)])
    mean_errors = [np.array([error for error, _, _, _ in found[start:stop]]) for start, stop in pairwise(starts)]
    exact_r_hat = np.array([r_hat for _, _, _, r_hat in found])
    return PooledDraws(
        phi=phi,
        k_hat=checks.k_hat,
        ess=checks.ess,
        mcse=np.array([relative for _, relative, _, _ in found]),
        mean_errors=mean_errors,
        sampler=np.array([sampler for _, _, sampler, _ in found]),
        r_hat=exact_r_hat,
        converged=passed & ~(exact_r_hat >= 1.01),
        total_noise=float((1.0 / checks.ess).sum()),
        table_noise=checks.table_noise,
        settled=posterior.settled and not posterior.cut_off.any() and checks.table_noise <= TABLE_NOISE,
    )
