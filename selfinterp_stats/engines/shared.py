"""Proposals for the units of a hierarchy that serve all values of its hyperparameters.

A unit's variables are proposed from an equal mixture of Student-t distributions around its modes at a few values of the
hyperparameters (the anchors). With the log-likelihood at hand, and the few statistics that the prior depends on, a
proposal's importance weight at any hyperparameters costs one exponential: means of weights are marginal likelihoods, all of
them smooth in the hyperparameters since the proposals stay the same, and proposals drawn by their weights are draws from
the unit's posterior given them.

Units whose weights do not pass their checks get further mixture components with the weighted moments of what was found, all
proposals being kept and weighted by the mixture of everything that they came from (Cornuet, Marin, Mira and Robert, 2012,
"Adaptive multiple importance sampling", Scandinavian Journal of Statistics 39).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selfinterp_stats.engines.newton import find_modes
from selfinterp_stats.engines.protocol import Floats, LearnedPrior, PooledDensity
from selfinterp_stats.engines.slice import Chains

__all__ = ["BridgedChains", "UnitProposals", "adapt_unit", "normalise_weights", "propagate_noise", "propose", "weigh_unit"]

_DF = 8.0
_INFLATION = 1.15  # of the standard deviations: one anchor serves scales somewhat larger and smaller than its own
_DF_ADAPTED = 5.0
_INFLATION_ADAPTED = 1.2
_PRIOR_SIZE = 20.0


@dataclass(frozen=True)
class BridgedChains:
    """What is known of proposals that are chains at J values of the hyperparameters (``bridge``).

    Attributes
    ----------
    references : numpy.ndarray
        The hyperparameters, (J, H).
    runs : tuple of Chains
        The chains at each.
    constants : numpy.ndarray
        Logarithms of their normalising constants, the first being 0, (J,).
    membership : numpy.ndarray
        Probability that a proposal comes from each of the chains, (J, P).
    independent : float
        Effective number of draws in each draw of the chains.
    r_hat : float
        The largest of all chains; infinite where it is not known, or the constants are not.
    """

    references: Floats
    runs: tuple[Chains, ...]
    constants: Floats
    membership: Floats
    independent: float
    r_hat: float


@dataclass(frozen=True)
class UnitProposals:
    """Proposals of one unit of D variables.

    Attributes
    ----------
    points : numpy.ndarray
        Shape (P, D).
    base : numpy.ndarray
        Log-likelihood less the log density of the proposals, (P,): with the log prior, the log weight.
    statistics : numpy.ndarray
        What the prior depends on, (P, T): for two blocks with scales of their own, the sums of squares of each.
    sizes : tuple of int
        Numbers of variables in the two blocks.
    log_likelihood : numpy.ndarray
        Shape (P,).
    locations, factors : numpy.ndarray
        Components of the mixture, (J, D) and (J, D, D), A with A @ A.T the squared scale.
    dfs, counts : numpy.ndarray
        Degrees of freedom and number of proposals of each component, (J,).
    chains : BridgedChains, optional
        Where the proposals are draws of an exact sampler; `counts` are then those of each chain.
    """

    points: Floats
    base: Floats
    statistics: Floats
    sizes: tuple[int, int]
    log_likelihood: Floats
    locations: Floats
    factors: Floats
    dfs: Floats
    counts: Floats
    chains: BridgedChains | None = None

    @property
    def independent(self) -> float:
        """Effective number of independent draws in each proposal."""
        return 1.0 if self.chains is None else self.chains.independent


def propose(
    density: PooledDensity,
    prior: LearnedPrior,
    anchors: Floats,
    count: int,
    rngs: Sequence[np.random.Generator],
    inflation: float = _INFLATION,
) -> list[UnitProposals]:
    """Propose from the mixture around the modes at each anchor.

    Parameters
    ----------
    density : PooledDensity
        B units of D variables.
    prior : LearnedPrior
    anchors : numpy.ndarray
        Hyperparameters, one row each.
    count : int
        Proposals for each unit.
    rngs : sequence of numpy.random.Generator
        One for each unit.
    inflation : float
        Of the standard deviations of each variable.
    """
    n_units, n_variables = density.shape
    locations = np.empty((len(anchors), n_units, n_variables))
    factors = np.empty((len(anchors), n_units, n_variables, n_variables))
    start = np.zeros((n_units, n_variables))
    for j, anchor in enumerate(anchors):
        modes = find_modes(prior.condition(density, anchor), start=start, decrement=1e-10)
        locations[j], factors[j], start = modes.location, inflation * modes.factor, modes.location
    counts = np.full(len(anchors), count // len(anchors))
    counts[: count % len(anchors)] += 1
    component = np.repeat(np.arange(len(anchors)), counts)
    points = np.empty((n_units, count, n_variables))
    for b, rng in enumerate(rngs):
        standard = _student(rng, count, n_variables, _DF)
        for j in range(len(anchors)):
            rows = component == j
            points[b, rows] = locations[j, b] + standard[rows] @ factors[j, b].T
    log_likelihood = density.evaluate(points)
    statistics = prior.statistics(density, points)
    dfs, sizes = np.full(len(anchors), _DF), prior.sizes(density)
    units = []
    for b in range(n_units):
        log_proposal = _log_mixture(points[b], locations[:, b], factors[:, b], dfs, counts)
        units.append(
            UnitProposals(
                points[b],
                log_likelihood[b] - log_proposal,
                statistics[b],
                sizes,
                log_likelihood[b],
                locations[:, b],
                factors[:, b],
                dfs,
                counts,
            )
        )
    return units


def weigh_unit(unit: UnitProposals, prior: LearnedPrior, phi: Floats) -> Floats:
    """Log weights of a unit's proposals at hyperparameters phi, (n, H) to (n, P)."""
    return np.asarray(unit.base + prior.log_density(phi, unit.statistics, unit.sizes))


def normalise_weights(log_weights: Floats) -> Floats:
    """Weights that sum to one in each row."""
    weights = np.exp(log_weights - log_weights.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def propagate_noise(unit: UnitProposals, influence: Floats) -> Floats:
    """Monte-Carlo variance of an estimate, given what each proposal contributes to it: (P, ...) to (...).

    Proposals are drawn component by component, so that the spread between components does not count. The constants that
    weigh chains together are estimates too; their own influence follows from the equations that they solve.
    """
    if unit.chains is not None:
        membership = unit.chains.membership
        equations = np.diag(membership.sum(axis=1)) - membership @ membership.T
        influence = influence + membership.T @ np.linalg.pinv(equations, hermitian=True) @ (membership @ influence)
    variance = np.square(influence).sum(axis=0)
    stops = np.cumsum(unit.counts)
    for start, stop in zip(stops - unit.counts, stops, strict=True):
        variance = variance - np.square(influence[start:stop].sum(axis=0)) / max(stop - start, 1)
    return np.asarray(variance / unit.independent)


def adapt_unit(
    density: PooledDensity,
    unit: UnitProposals,
    prior: LearnedPrior,
    phi: Floats,
    count: int,
    rng: np.random.Generator,
    by_modes: bool = False,
    inflation: float = _INFLATION_ADAPTED,
    prior_size: float = _PRIOR_SIZE,
) -> UnitProposals:
    """Add components with the moments that the weights at each of some hyperparameters give, and proposals of them.

    Parameters
    ----------
    density : PooledDensity
        A single unit.
    unit : UnitProposals
        What is known of it.
    prior : LearnedPrior
    phi : numpy.ndarray
        Hyperparameters, one row each.
    count : int
        Further proposals.
    rng : numpy.random.Generator
    by_modes : bool
        Whether what few proposals reach is completed by mode and curvature there, which know more where scales
        lie orders of magnitude apart, and not by the mean shape of the components so far, which is wider.
    inflation : float
        Of the standard deviations of each variable.
    prior_size : float
        Effective draws that modes and curvatures, or mean shapes, are worth beside weighted moments.
    """
    weights = normalise_weights(weigh_unit(unit, prior, phi))
    locations, factors = [], []
    shape = (unit.factors @ unit.factors.transpose(0, 2, 1)).mean(axis=0)
    start = np.zeros((1, density.shape[1]))
    for row, at in zip(weights, phi, strict=True):
        mean = row @ unit.points
        centred = unit.points - mean
        size = 1.0 / np.square(row).sum()
        known = size / (size + prior_size)
        location = mean
        if by_modes:
            mode = find_modes(prior.condition(density, at), start=start, decrement=1e-10)
            start, shape = mode.location, mode.factor[0] @ mode.factor[0].T
            location = known * mean + (1.0 - known) * mode.location[0]
        covariance = known * (row[:, None] * centred).T @ centred + (1.0 - known) * shape
        locations.append(location)
        factors.append(inflation * np.linalg.cholesky(covariance))
    counts = np.full(len(phi), count // len(phi))
    fresh = [
        location + _student(rng, n, len(location), _DF_ADAPTED) @ factor.T
        for location, factor, n in zip(locations, factors, counts, strict=True)
    ]
    points = np.concatenate([unit.points, *fresh])
    all_locations = np.concatenate([unit.locations, locations])
    all_factors = np.concatenate([unit.factors, factors])
    dfs = np.concatenate([unit.dfs, np.full(len(phi), _DF_ADAPTED)])
    all_counts = np.concatenate([unit.counts, counts])
    found = density.evaluate(np.concatenate(fresh)[None])[0]
    log_likelihood = np.concatenate([unit.log_likelihood, found])
    return UnitProposals(
        points,
        log_likelihood - _log_mixture(points, all_locations, all_factors, dfs, all_counts),
        prior.statistics(density, points),
        unit.sizes,
        log_likelihood,
        all_locations,
        all_factors,
        dfs,
        all_counts,
    )


def _student(rng: np.random.Generator, count: int, n_variables: int, df: float) -> Floats:
    stretch = np.sqrt(df / rng.chisquare(df, count))
    return np.asarray(rng.standard_normal((count, n_variables)) * stretch[:, None])


def _log_mixture(points: Floats, locations: Floats, factors: Floats, dfs: Floats, counts: Floats) -> Floats:
    """Log density of the mixture of Student-t components with weights in proportion to `counts`, (P, D) to (P,)."""
    from math import lgamma

    n_variables = points.shape[1]
    inverses = np.linalg.inv(factors)
    logs = np.log(np.abs(np.linalg.det(inverses))) + np.log(counts / counts.sum())
    terms = []
    for location, inverse, log, df in zip(locations, inverses, logs, dfs, strict=True):
        radius = np.square((points - location) @ inverse.T).sum(axis=1)
        constant = lgamma(0.5 * (df + n_variables)) - lgamma(0.5 * df) - 0.5 * n_variables * np.log(df)
        terms.append(log + constant - 0.5 * (df + n_variables) * np.log1p(radius / df))
    return terms[0] if len(terms) == 1 else np.asarray(np.logaddexp.reduce(terms))
