"""Draws of a hierarchy whose variables come in correlated pairs.

As in ``pooled``, the proposals of a unit are shared by all values of the hyperparameters, and means of their weights are
marginal likelihoods. With three hyperparameters for each kind of pair there are too many for a table, so their posterior,
which is smooth and has known derivatives, is sampled by importance itself; a unit's draw given each of them is one of its
proposals, picked by its weight there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.engines.checks import TABLE_NOISE, Checks, check_unit, collect_checks, find_check_points
from selfinterp_stats.engines.covariances import LearnedCovariances, PairedDensity
from selfinterp_stats.engines.diagnostics import effective_size, pareto_k_limit
from selfinterp_stats.engines.known import KnownDraws, sample_known
from selfinterp_stats.engines.newton import find_modes
from selfinterp_stats.engines.pooled import PooledDraws
from selfinterp_stats.engines.protocol import Floats
from selfinterp_stats.engines.shared import (
    UnitProposals,
    adapt_unit,
    normalise_weights,
    propagate_noise,
    propose,
    weigh_unit,
)
from selfinterp_stats.engines.slice import ESS_NEEDED
from selfinterp_stats.engines.threads import open_threads
from selfinterp_stats.engines.weighing import marginalise, pick_by_weight

__all__ = ["MarginalPosterior", "sample_joint"]

_FEWEST_PROPOSALS = 2_000
_TOTAL_NOISE = 0.25  # what the sum over units of 1/ESS may come to
_MANY_UNITS = 1_000
_EFFICIENCY = 0.5  # effective draws a proposal that can be counted on
_MOMENT_STEPS = 12  # of the first look at the hyperparameters
_PILOTS = 8
_PILOT_PROPOSALS = 600
_PILOT_UNITS = 200
_PILOT_DRAWS = 400
_CLOSE = 0.5  # posterior sds that the anchors' ends may move between the last two pilots
_OUTER = 0.002  # posterior probability beyond the anchors, each way
_SPACING = 1.6  # of the anchors on one axis, where there is one pair of variables
_MOST_RUNGS = 12
_AMPLE = 2.0  # times the effective size needed: with so much, a place gets no further proposals
_DRAWS_A_VARIABLE = 5.0  # with fewer effective draws, curvatures say more about the shape than weighted moments
_VOLUME = 2.0  # of proposals, relative to the posterior at their anchor
_ADAPTATIONS = 10
_DOUBLINGS = 2  # of the proposals for a place, round by round
_SERVED = 20  # draws of the hyperparameters, besides anchors and what is checked, that proposals are to serve
_FEW_DRAWS = 1_000  # of the hyperparameters, as long as proposals are still being made
_REFERENCES = 16  # hyperparameters that Monte-Carlo errors are found for

Store = Callable[[int, int, Floats], None]
MakeRng = Callable[[str, int, int], np.random.Generator]
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class MarginalPosterior:
    """Posterior of the hyperparameters with all units integrated out, as one problem of H variables.

    Attributes
    ----------
    units : sequence of UnitProposals
    prior : LearnedCovariances
    threads : ThreadPoolExecutor
    """

    units: Sequence[UnitProposals]
    prior: LearnedCovariances
    threads: ThreadPoolExecutor

    @property
    def shape(self) -> tuple[int, int]:
        """One problem, H variables."""
        return 1, self.prior.n_hyper

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, at (1, H): moments of the statistics under the weights."""
        phi = theta[0]
        gradient, hessian = self.prior.prior_derivatives(phi)
        value = float(self.prior.log_prior(phi))

        def work(unit: UnitProposals) -> tuple[float, Floats, Floats]:
            natural = self.prior.differentiate(phi, unit.sizes)
            log_weights = unit.base + natural.constant + unit.statistics @ natural.value
            top = log_weights.max()
            weights = np.exp(log_weights - top)
            total = weights.sum()
            weights /= total
            mean = weights @ unit.statistics
            centred = unit.statistics - mean
            spread = (weights[:, None] * centred).T @ centred
            slope = natural.constant_gradient + mean @ natural.gradient
            bend = natural.constant_hessian + np.tensordot(mean, natural.hessian, axes=1)
            bend = bend + natural.gradient.T @ spread @ natural.gradient
            return float(top + np.log(total / len(weights))), slope, bend

        for own, slope, bend in self.threads.map(work, self.units):
            value, gradient, hessian = value + own, gradient + slope, hessian + bend
        return np.array([value]), gradient[None], -hessian[None]

    def evaluate(self, theta: Floats) -> Floats:
        """Log densities, (1, S, H) to (1, S)."""
        phi = theta[0]
        parts = self.threads.map(lambda unit: self._marginalise(unit, phi), self.units)
        return np.asarray(self.prior.log_prior(phi) + sum(parts))[None]

    def _marginalise(self, unit: UnitProposals, phi: Floats) -> Floats:
        constants, natural = self.prior.natural_parameters(phi, unit.sizes)
        found: Floats = marginalise(unit.base, np.ascontiguousarray(unit.statistics.T), constants, natural)
        return found

    def select(self, _problems: Sequence[int]) -> MarginalPosterior:
        """Itself: there is one problem."""
        return self


@dataclass(frozen=True)
class _Hierarchy:
    densities: Sequence[PairedDensity]
    prior: LearnedCovariances
    make_rng: MakeRng
    threads: ThreadPoolExecutor

    @property
    def places(self) -> list[tuple[int, int]]:
        return [(i, b) for i, density in enumerate(self.densities) for b in range(density.shape[0])]

    @property
    def largest(self) -> int:
        """Pairs of variables that share their hyperparameters within a unit, at most."""
        return max(max(self.prior.sizes(density)) for density in self.densities)

    def propose(self, anchors: Floats, count: int) -> list[UnitProposals]:
        def work(place: tuple[int, int]) -> UnitProposals:
            i, b = place
            rngs = [self.make_rng("propose", i, b)]
            density = self.densities[i].select([b])
            return propose(density, self.prior, anchors, count, rngs, _inflate(density))[0]

        return list(self.threads.map(work, self.places))

    def marginalise(self, units: Sequence[UnitProposals]) -> MarginalPosterior:
        return MarginalPosterior(units, self.prior, self.threads)

    def renew(
        self, units: list[UnitProposals], which: NDArray[np.bool_], task: Callable[[int, int, UnitProposals], UnitProposals]
    ) -> list[UnitProposals]:
        """Other proposals for some units."""

        def work(item: tuple[tuple[int, int], UnitProposals, np.bool_]) -> UnitProposals:
            (i, b), unit, wanted = item
            return task(i, b, unit) if wanted else unit

        return list(self.threads.map(work, zip(self.places, units, which, strict=True)))


def sample_joint(
    densities: Sequence[PairedDensity], prior: LearnedCovariances, draws: int, make_rng: MakeRng, store: Store
) -> PooledDraws:
    """Draw from a hierarchy of pairs.

    Parameters
    ----------
    densities : sequence of PairedDensity
        Units, in batches with one number of variables each; all share the hyperparameters.
    prior : LearnedCovariances
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
        Draws of the hyperparameters and diagnostics; units pass as in ``sample_pooled``, and what does not pass after ten
        rounds of further proposals is left to the caller, there being no exact sampler here. Hyperparameters are settled if
        the noise of their marginal likelihood is at most 0.04 and their own importance weights pass as well.
    """
    with open_threads() as threads:
        return _sample(_Hierarchy(densities, prior, make_rng, threads), draws, store)


def _sample(hierarchy: _Hierarchy, draws: int, store: Store) -> PooledDraws:
    n_units = len(hierarchy.places)
    needed = max(ESS_NEEDED, n_units / _TOTAL_NOISE) if n_units <= _MANY_UNITS else ESS_NEEDED
    count = max(draws, _FEWEST_PROPOSALS, round(needed / _EFFICIENCY))
    units = hierarchy.propose(_find_anchors(hierarchy), count)
    sampler = np.full(n_units, "importance", dtype="<U10")
    few = min(draws, _FEW_DRAWS)
    for attempt in range(_ADAPTATIONS + 1):
        phi = _sample_hyper(hierarchy, units, few, f"hyper {attempt}").draws
        points = find_check_points(phi)
        checks = _check(hierarchy, units, points)
        failed = checks.fail(pareto_k_limit(count), needed)
        poor = failed | checks.noisy
        if not poor.any() or attempt == _ADAPTATIONS:
            break
        places = np.concatenate([points, _spread_anchors(phi, hierarchy.largest), phi[:: -(-few // _SERVED)]])
        units = _adapt(hierarchy, units, poor, places, needed, min(attempt, _DOUBLINGS))
        sampler[poor] = "adapted"
    hyper = _sample_hyper(hierarchy, units, draws, "hyper")
    return _finish(hierarchy, units, hyper, checks, ~failed, sampler, store)


def _sample_hyper(hierarchy: _Hierarchy, units: Sequence[UnitProposals], draws: int, purpose: str) -> KnownDraws:
    return sample_known(hierarchy.marginalise(units), draws, hierarchy.make_rng(purpose, -1, -1))


def _find_anchors(hierarchy: _Hierarchy) -> Floats:
    """Hyperparameters that proposals are made around, over all of their posterior.

    Proposals of some units give a better idea of it each time, until it stays.
    """
    some = replace(hierarchy, densities=_take_some(hierarchy.densities))
    anchors, size = _look_first(some)[None], hierarchy.largest
    for attempt in range(_PILOTS):
        posterior = some.marginalise(some.propose(anchors, _PILOT_PROPOSALS))
        rng = hierarchy.make_rng(f"pilot {attempt}", -1, -1)
        phi = sample_known(posterior, _PILOT_DRAWS, rng).draws
        before, anchors = anchors, _spread_anchors(phi, size)
        reach = np.maximum(_CLOSE * phi.std(axis=0), _SPACING / np.sqrt(size))
        ends = [np.abs(bound(anchors, axis=0) - bound(before, axis=0)) for bound in (np.min, np.max)]
        if (np.maximum(*ends) < reach).all():
            break
    return anchors


def _spread_anchors(phi: Floats, size: int) -> Floats:
    """The median of draws (S, H), and rungs along each hyperparameter as far as the draws go.

    Under a correlation near one the differences of `size` pairs are narrow, by a factor for each step of its transform that
    no proposals serve far beyond.
    """
    middle = np.median(phi, axis=0)
    anchors = [middle]
    for i, (low, high) in enumerate(np.quantile(phi, (_OUTER, 1.0 - _OUTER), axis=0).T):
        steps = int(np.clip(np.ceil((high - low) / (_SPACING / np.sqrt(size))), 2, _MOST_RUNGS))
        for rung in np.linspace(low, high, 2 * steps + 1)[1::2]:  # middles of so many parts
            anchor = middle.copy()
            anchor[i] = rung
            anchors.append(anchor)
    return np.array(anchors)


def _inflate(density: PairedDensity) -> float:
    """Factor for each standard deviation of proposals, so that their volume grows by the same for any number of them."""
    return float(_VOLUME ** (1.0 / density.shape[1]))


def _take_some(densities: Sequence[PairedDensity]) -> list[PairedDensity]:
    total = sum(density.shape[0] for density in densities)
    step = -(-total // _PILOT_UNITS)
    return [density.select(list(range(0, density.shape[0], step))) for density in densities]


def _look_first(hierarchy: _Hierarchy) -> Floats:
    """Moments of the units' approximate posteriors, found again and again under the hyperparameters that they imply."""
    prior = hierarchy.prior
    phi = np.concatenate([prior.location, np.zeros((len(prior.location), 1))], axis=1).ravel()
    starts = [np.zeros(density.shape) for density in hierarchy.densities]
    for _ in range(_MOMENT_STEPS):
        statistics, count = np.zeros(prior.n_hyper), np.zeros(len(prior.location))
        for place, density in enumerate(hierarchy.densities):
            modes = find_modes(prior.condition(density, phi), start=starts[place], decrement=1e-6)
            starts[place] = modes.location
            covariance = modes.factor @ modes.factor.transpose(0, 2, 1)
            own = prior.statistics(density, modes.location).sum(axis=0)
            for k, (left, right) in enumerate(density.pairs):
                a, b = np.arange(left.start, left.stop), np.arange(right.start, right.stop)
                total = covariance.sum(axis=0)
                own[3 * k : 3 * k + 3] += total[a, a].sum(), total[b, b].sum(), total[a, b].sum()
            statistics += own
            count += density.shape[0] * np.array(prior.sizes(density))
        phi = _match_moments(statistics.reshape(-1, 3), count, prior)
    return phi


def _match_moments(statistics: Floats, count: Floats, prior: LearnedCovariances) -> Floats:
    """Hyperparameters with these moments, a few pairs with those of the prior added."""
    weak = 2.0
    scales = np.exp(2.0 * prior.location)
    squares = (statistics[:, :2] + weak * scales) / (count[:, None] + weak)
    product = statistics[:, 2] / (count + weak)
    r = product / np.sqrt(squares.prod(axis=1))
    z = np.arctanh(np.clip(r, -0.999, 0.999))
    return np.concatenate([0.5 * np.log(squares), z[:, None]], axis=1).ravel()


def _check(hierarchy: _Hierarchy, units: list[UnitProposals], points: Floats) -> Checks:
    return collect_checks(list(hierarchy.threads.map(lambda unit: check_unit(unit, hierarchy.prior, points), units)))


def _adapt(
    hierarchy: _Hierarchy,
    units: list[UnitProposals],
    poor: NDArray[np.bool_],
    places: Floats,
    needed: float,
    doublings: int,
) -> list[UnitProposals]:
    """Further proposals for some units, around those places that the ones so far serve least."""

    def adapt(i: int, b: int, unit: UnitProposals) -> UnitProposals:
        density = hierarchy.densities[i].select([b])
        ess = effective_size(normalise_weights(weigh_unit(unit, hierarchy.prior, places)))
        chosen = places[ess < _AMPLE * needed] if (ess < _AMPLE * needed).any() else places
        count = round(needed * 2**doublings) * len(chosen)
        return adapt_unit(
            density,
            unit,
            hierarchy.prior,
            chosen,
            count,
            hierarchy.make_rng(f"adapt {len(unit.counts)}", i, b),
            by_modes=True,
            inflation=_inflate(density),
            prior_size=_DRAWS_A_VARIABLE * density.shape[1],
        )

    return hierarchy.renew(units, poor, adapt)


def _finish(
    hierarchy: _Hierarchy,
    units: list[UnitProposals],
    hyper: KnownDraws,
    checks: Checks,
    passed: NDArray[np.bool_],
    sampler: NDArray[np.str_],
    store: Store,
) -> PooledDraws:
    phi = hyper.draws

    def finish(item: tuple[tuple[int, int], UnitProposals]) -> tuple[Floats, float]:
        (i, b), unit = item
        draws = unit.points[_pick(unit, hierarchy.prior, phi, hierarchy.make_rng("resample", i, b))]
        store(i, b, draws)
        errors = _find_errors(unit, hierarchy.prior, phi, draws)
        return errors, float((errors / draws.std(axis=0)).max())

    found = list(hierarchy.threads.map(finish, zip(hierarchy.places, units, strict=True)))
    sizes = [density.shape[0] for density in hierarchy.densities]
    errors = iter(error for error, _ in found)
    return PooledDraws(
        phi=phi,
        k_hat=checks.k_hat,
        ess=checks.ess,
        mcse=np.array([relative for _, relative in found]),
        mean_errors=[np.array([next(errors) for _ in range(size)]) for size in sizes],
        sampler=sampler,
        r_hat=np.full(len(found), np.nan),
        converged=passed,
        total_noise=float((1.0 / checks.ess).sum()),
        table_noise=checks.table_noise,
        settled=hyper.converged and checks.table_noise <= TABLE_NOISE,
    )


def _pick(unit: UnitProposals, prior: LearnedCovariances, phi: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """One proposal for each draw of the hyperparameters, by its weight there."""
    _, natural = prior.natural_parameters(phi, unit.sizes)
    statistics = np.ascontiguousarray(unit.statistics.T)
    picked: NDArray[np.int64] = pick_by_weight(unit.base, statistics, natural, rng.random(len(phi)))
    return picked


def _find_errors(unit: UnitProposals, prior: LearnedCovariances, phi: Floats, draws: Floats) -> Floats:
    """Monte-Carlo standard errors of the draws' means, (D,): of the proposals, and of picking among them."""
    some = phi[:: max(1, len(phi) // _REFERENCES)]
    weights = normalise_weights(weigh_unit(unit, prior, some))
    means = weights @ unit.points
    influence = (weights.mean(axis=0)[:, None] * unit.points) - weights.T @ means / len(some)
    return np.asarray(np.sqrt(propagate_noise(unit, influence) + draws.var(axis=0) / len(draws)))
