"""Importance sampling around the modes, checked problem by problem, with an exact sampler as the last resort.

Proposals are multivariate Student-t at the mode with the inverse curvature as scale: their tails are heavier than those
of a posterior with normal priors, so that its importance weights are bounded. Pareto k-hat and the effective size judge the
weights (Vehtari, Simpson, Gelman, Yao and Gabry, 2024, "Pareto smoothed importance sampling", JMLR 25).

Proposals are shifted so that their mean is exactly the mode. That is a control variate with the linear part of the
integrand: it takes most of the Monte-Carlo error out of posterior means, at a bias of order 1/P (Barraquand, 1995,
"Numerical valuation of high dimensional multivariate European securities", Management Science 41, section on quadratic
resampling). Stored draws are equally weighted: systematic resampling, then shuffled, since neighbours would be copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.engines.adaptive import Adapted, FirstRound, adapt
from selfinterp_stats.engines.diagnostics import effective_size, pareto_k, pareto_k_limit
from selfinterp_stats.engines.newton import Modes, find_modes
from selfinterp_stats.engines.protocol import EngineDraws, Floats, LogDensity
from selfinterp_stats.engines.slice import ESS_NEEDED, sample_slice
from selfinterp_stats.engines.threads import open_threads

__all__ = ["sample_laplace"]

# Against a normal posterior of six dimensions ten degrees of freedom keep nine tenths of the effective size; heavier
# proposals cost accuracy everywhere for the sake of a few problems that the exact sampler does better.
_PROPOSAL_DF = 10.0
_FEWEST_PROPOSALS = 2_000
# Estimates of k-hat scatter around their limit, and runs that pass by luck are those that missed the tail: with answers on
# one side only their upper bounds for the intercept were short by two posterior sds. So a k-hat well above that of a normal
# posterior (which is below 0.1) is not trusted, either, if the effective size is under half of a normal's.
_FEWEST_SHARE = 0.5
_DOUBTFUL_K = 0.3
# Adapted proposals that fit have a k-hat around zero and keep half of their number or more; others may have missed a tail.
_ADAPTED_SHARE = 0.4
_BATCH_VALUES = 2**18  # proposals held at a time, about what fits a processor's cache


@dataclass(frozen=True)
class _Weighted:
    """Proposals of a batch and their normalised weights."""

    modes: Modes
    standard: Floats  # (B, P, D), the proposals in coordinates where the scale matrix is the identity
    radius: Floats  # (B, P), their squared length
    points: Floats  # (B, P, D)
    weights: Floats  # (B, P)
    k_hat: Floats  # (B,)
    ess: Floats  # (B,)


def sample_laplace(density: LogDensity, draws: int, rngs: Sequence[np.random.Generator]) -> EngineDraws:
    """Draw from every problem of a batch.

    Parameters
    ----------
    density : LogDensity
        B problems of D dimensions.
    draws : int
        Draws to return for each problem.
    rngs : sequence of numpy.random.Generator
        One for each problem, so that its draws do not depend on what else is in the batch.

    Returns
    -------
    EngineDraws
        Draws and diagnostics. A problem whose k-hat reaches min(1 - 1/log10(P), 0.7) for P proposals, or whose effective
        size is under 400, is sampled again with adapted proposals; so is one whose k-hat is at least 0.3 while its
        effective size is under half of what a normal posterior would give. If these have a k-hat of 0.3 or more, or an
        effective size under 400 or under 0.4 P, the problem goes to the exact sampler.
    """
    n_problems, n_dimensions = density.shape
    size = max(1, _BATCH_VALUES // (max(draws, _FEWEST_PROPOSALS) * n_dimensions))

    def sample(start: int) -> EngineDraws:
        members = range(start, min(start + size, n_problems))
        return _sample_batch(density.select(members), draws, rngs[start : start + size])

    with open_threads() as pool:
        parts = list(pool.map(sample, range(0, n_problems, size)))
    return EngineDraws(
        draws=np.concatenate([part.draws for part in parts]),
        k_hat=np.concatenate([part.k_hat for part in parts]),
        ess=np.concatenate([part.ess for part in parts]),
        mcse=np.concatenate([part.mcse for part in parts]),
        exact=np.concatenate([part.exact for part in parts]),
        r_hat=np.concatenate([part.r_hat for part in parts]),
        converged=np.concatenate([part.converged for part in parts]),
    )


def _sample_batch(density: LogDensity, draws: int, rngs: Sequence[np.random.Generator]) -> EngineDraws:
    proposals = max(draws, _FEWEST_PROPOSALS)
    weighted = _weigh(density, proposals, rngs)
    stored = np.stack([weighted.points[b, _choose(weighted.weights[b], draws, rng)] for b, rng in enumerate(rngs)])
    mcse = _standard_errors(weighted, stored)
    ess = weighted.ess.copy()
    r_hat = np.full(len(rngs), np.nan)
    exact = ~(weighted.k_hat < pareto_k_limit(proposals))
    share = weighted.ess / (normal_efficiency(density.shape[1]) * proposals)
    exact |= (weighted.ess < ESS_NEEDED) | ((share < _FEWEST_SHARE) & (weighted.k_hat >= _DOUBTFUL_K))
    k_hat = weighted.k_hat.copy()
    converged = np.ones(len(rngs), dtype=bool)
    for b in np.flatnonzero(exact).tolist():
        problem = density.select([b])
        adapted = _adapt(problem, weighted, b, proposals, rngs[b])
        k_hat[b], ess[b] = adapted.k_hat, adapted.ess
        exact[b] = not (adapted.k_hat < _DOUBTFUL_K and adapted.ess >= max(ESS_NEEDED, _ADAPTED_SHARE * proposals))
        stored[b] = adapted.points[_choose(adapted.weights, draws, rngs[b])]
        mcse[b] = _plain_standard_errors(adapted, stored[b])
        if exact[b]:
            chains = sample_slice(problem, stored[b], draws, rngs[b])
            stored[b], mcse[b] = chains.draws, chains.mcse
            ess[b], r_hat[b], converged[b] = chains.ess, chains.r_hat, chains.converged
    return EngineDraws(stored, k_hat, ess, mcse, exact, r_hat, converged)


def _adapt(problem: LogDensity, weighted: _Weighted, b: int, proposals: int, rng: np.random.Generator) -> Adapted:
    start = FirstRound(
        weighted.modes.location[b], weighted.modes.factor[b], weighted.standard[b], weighted.weights[b], _PROPOSAL_DF
    )
    return adapt(problem, start, proposals, rng)


def _plain_standard_errors(adapted: Adapted, stored: Floats) -> Floats:
    """Monte-Carlo standard errors of the stored draws' means, (D,), for proposals that were not shifted."""
    centred = adapted.points - adapted.weights @ adapted.points
    importance = np.square(adapted.weights[:, None] * centred).sum(axis=0)
    return np.asarray(np.sqrt(importance + 0.25 * stored.var(axis=0) / len(stored)))


@cache
def normal_efficiency(n_dimensions: int) -> float:
    """Effective size for a normal posterior as a share of the proposals: 1 / E[p / q] under the normal p.

    Examples
    --------
    >>> [round(normal_efficiency(d), 2) for d in (3, 6, 21)]
    [0.95, 0.91, 0.73]
    """
    from scipy.special import gammaln

    radius = np.linspace(0.0, np.sqrt(n_dimensions) + 12.0, 4_001)[1:]
    half = 0.5 * n_dimensions
    log_radius_density = (n_dimensions - 1) * np.log(radius) - 0.5 * radius**2 - (half - 1) * np.log(2) - gammaln(half)
    log_normal = -0.5 * radius**2 - half * np.log(2 * np.pi)
    shape = 0.5 * (_PROPOSAL_DF + n_dimensions)
    log_student = gammaln(shape) - gammaln(0.5 * _PROPOSAL_DF) - half * np.log(_PROPOSAL_DF * np.pi)
    log_student = log_student - shape * np.log1p(radius**2 / _PROPOSAL_DF)
    ratio = np.exp(log_radius_density + log_normal - log_student).sum() * (radius[1] - radius[0])
    return float(1.0 / ratio)


def _weigh(density: LogDensity, proposals: int, rngs: Sequence[np.random.Generator]) -> _Weighted:
    modes = find_modes(density)
    n_dimensions = density.shape[1]
    normal = np.stack([rng.standard_normal((proposals, n_dimensions)) for rng in rngs])
    stretch = np.stack([np.sqrt(_PROPOSAL_DF / rng.chisquare(_PROPOSAL_DF, proposals)) for rng in rngs])
    standard = normal * stretch[:, :, None]
    standard -= standard.mean(axis=1, keepdims=True)
    radius = np.einsum("bpd,bpd->bp", standard, standard)
    points = modes.location[:, None, :] + standard @ modes.factor.transpose(0, 2, 1)
    log_proposal = -0.5 * (_PROPOSAL_DF + n_dimensions) * np.log1p(radius / _PROPOSAL_DF)
    log_weights = density.evaluate(points) - log_proposal
    log_weights -= log_weights.max(axis=1, keepdims=True)
    weights = np.exp(log_weights)
    weights /= weights.sum(axis=1, keepdims=True)
    k_hat = np.array([pareto_k(row) for row in log_weights])
    return _Weighted(modes, standard, radius, points, weights, k_hat, effective_size(weights))


def _choose(weights: Floats, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Proposals to store, by systematic resampling; shuffled."""
    edges = np.cumsum(weights)
    positions = (rng.random() + np.arange(draws)) / draws * edges[-1]
    chosen = np.searchsorted(edges, positions, side="right")
    return rng.permutation(np.minimum(chosen, len(edges) - 1))


def _standard_errors(weighted: _Weighted, stored: Floats) -> Floats:
    """Monte-Carlo standard errors of the stored draws' means, (B, D).

    The influence of a proposal is that of self-normalised importance sampling less what the shift takes out: a shift by
    the mean of the standardised proposals moves the estimate by E[h * score] of it. Systematic resampling adds at most a
    quarter of the noise of independent draws, since the count of each proposal is rounded up or down.
    """
    n_dimensions = weighted.points.shape[2]
    weights = weighted.weights[:, :, None]
    centred = weighted.points - weighted.weights[:, None, :] @ weighted.points
    score = weighted.standard * ((_PROPOSAL_DF + n_dimensions) / (_PROPOSAL_DF + weighted.radius))[:, :, None]
    influence = weights * centred
    slope = influence.transpose(0, 2, 1) @ score
    influence -= weighted.standard @ slope.transpose(0, 2, 1) / weights.shape[1]
    importance = np.einsum("bpd,bpd->bd", influence, influence)
    return np.asarray(np.sqrt(importance + 0.25 * stored.var(axis=1) / stored.shape[1]))
