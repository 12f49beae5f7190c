"""A unit of a hierarchy by chains at several values of the hyperparameters, weighted together for all others.

What importance sampling cannot handle goes to the exact sampler, which needs one value of the hyperparameters at a time;
and chains at one value serve those nearby only: with many variables, not even scales half as large. So they are run at one
value after another, each time where the weights of those so far are worst, and all draws are weighted by the mixture of
their posteriors. The normalising constants of these follow from the draws themselves (Shirts and Chodera, 2008,
"Statistically optimal analysis of samples from multiple equilibrium states", Journal of Chemical Physics 129).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfinterp_stats.engines.diagnostics import effective_size, pareto_k, pareto_k_limit
from selfinterp_stats.engines.protocol import Floats, LearnedPrior, PooledDensity
from selfinterp_stats.engines.shared import BridgedChains, UnitProposals, normalise_weights, weigh_unit
from selfinterp_stats.engines.slice import Chains, sample_slice

__all__ = ["bridge_unit"]

_MOST_REFERENCES = 16
_STARTS = 64  # distinct points to start from, at least
_FLATTENINGS = 1.5 ** np.arange(20)
_ITERATIONS = 2_000
_ACCURACY = 1e-9  # of the log normalising constants


@dataclass(frozen=True)
class _AtHyperparameters:
    """Log posterior of units at one value of all hyperparameters, for the exact sampler."""

    density: PooledDensity
    prior: LearnedPrior
    phi: Floats

    def evaluate(self, theta: Floats) -> Floats:
        statistics = self.prior.statistics(self.density, theta)
        flat = statistics.reshape(-1, statistics.shape[-1])
        log_prior = self.prior.log_density(self.phi[None], flat, self.prior.sizes(self.density))
        return np.asarray(self.density.evaluate(theta) + log_prior.reshape(theta.shape[:-1]))


def bridge_unit(
    density: PooledDensity,
    unit: UnitProposals,
    prior: LearnedPrior,
    wanted: Floats,
    needed: float,
    count: int,
    rng: np.random.Generator,
) -> UnitProposals:
    """Draws of the exact sampler in place of a unit's proposals, at up to 16 values of the hyperparameters.

    Parameters
    ----------
    density : PooledDensity
        A single unit.
    unit : UnitProposals
        Its proposals, to start chains from; or what an earlier call gave, to be added to.
    prior : LearnedPrior
    wanted : numpy.ndarray
        Hyperparameters that the draws are to serve, (n, H).
    needed : float
        Effective size wanted at each of them.
    count : int
        Draws at each value where chains are run.
    rng : numpy.random.Generator
    """
    if unit.chains is None:
        # wide draws serve narrow posteriors better than the reverse, so the largest scales come first
        known, references, runs = [unit], [prior.find_widest(wanted)], []
    else:
        known, references, runs = [], list(unit.chains.references), list(unit.chains.runs)
    bridged = unit
    while True:
        for phi in references[len(runs) :]:
            start = _choose_starts([*known, bridged], prior, phi, rng)
            runs.append(sample_slice(_AtHyperparameters(density, prior, phi), start, count, rng))
            bridged = _join(density, bridged, prior, np.array(references), runs)
        log_weights = weigh_unit(bridged, prior, wanted)
        ess = effective_size(normalise_weights(log_weights)) * bridged.independent
        limit = pareto_k_limit(log_weights.shape[1])
        k_hat = np.array([pareto_k(row) for row in log_weights])
        failed = (ess < needed) | ~(k_hat < limit)
        if not failed.any() or len(references) >= _MOST_REFERENCES:
            return bridged
        # where fewest draws reach or, if they are enough everywhere, where the weights' tail is heaviest
        badness = k_hat if (ess >= needed).all() else -ess
        references.append(wanted[int(np.argmax(np.where(failed, badness, -np.inf)))])


def _choose_starts(known: list[UnitProposals], prior: LearnedPrior, phi: Floats, rng: np.random.Generator) -> Floats:
    """Rough draws at phi, from whatever has most of them.

    Weights are flattened until enough points share them: from a few copies chains would learn no directions to move along.
    """
    candidates = []
    for unit in known:
        log_weights = weigh_unit(unit, prior, phi[None])[0]
        for flattening in _FLATTENINGS:
            weights = np.exp((log_weights - log_weights.max()) / flattening)
            weights /= weights.sum()
            if effective_size(weights) >= _STARTS:
                break
        candidates.append((float(effective_size(weights)) / flattening, weights, unit.points))
    _, weights, points = max(candidates, key=lambda candidate: candidate[0])
    return np.asarray(points[rng.choice(len(weights), 4 * _STARTS, p=weights)])


def _join(
    density: PooledDensity, unit: UnitProposals, prior: LearnedPrior, references: Floats, runs: list[Chains]
) -> UnitProposals:
    points = np.concatenate([run.draws for run in runs])
    statistics, sizes = prior.statistics(density, points), prior.sizes(density)
    counts = np.array([len(run.draws) for run in runs])
    log_terms = prior.log_density(references, statistics, sizes) + np.log(counts)[:, None]
    constants = np.zeros(len(references))
    if unit.chains is not None:  # all but the last are known already, and that one nearly
        known = len(unit.chains.references)
        before = prior.log_density(references, unit.statistics, sizes) + unit.base
        constants = np.logaddexp.reduce(before, axis=1)
        constants -= constants[0]
        constants[:known] = unit.chains.constants
    settled = len(references) == 1
    for _ in range(_ITERATIONS):
        mixture = np.logaddexp.reduce(log_terms - constants[:, None])
        found = np.logaddexp.reduce(log_terms - mixture, axis=1) - np.log(counts)
        change = np.abs(found - found[0] - constants).max()
        constants = found - found[0]
        settled = bool(change < _ACCURACY)
        if settled:
            break
    mixture = np.logaddexp.reduce(log_terms - constants[:, None])
    membership = np.exp(log_terms - constants[:, None] - mixture)
    independent = float(np.min([1.0, *(run.ess / len(run.draws) for run in runs)]))
    r_hat = float(np.max([run.r_hat for run in runs])) if settled else np.inf
    return UnitProposals(
        points,
        -mixture,  # the likelihood is in the mixture as well
        statistics,
        sizes,
        density.evaluate(points[None])[0],
        unit.locations,
        unit.factors,
        unit.dfs,
        counts,
        BridgedChains(references, tuple(runs), constants, membership, independent, np.inf if np.isnan(r_hat) else r_hat),
    )
