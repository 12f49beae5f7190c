"""How probable a scenario's answers are under a rule, as a function of how firmly the rule is followed."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from selfinterp_stats.diagnostics.rule_likelihoods import RuleTrials, list_likelihoods
from selfinterp_stats.engines import PooledDensity, weigh_points
from selfinterp_stats.engines.scales import Conditioned
from selfinterp_stats.engines.threads import open_threads
from selfinterp_stats.seeding import make_generator

__all__ = ["RuleEvidence", "find_evidence", "join_evidence"]

Floats = NDArray[np.float64]

_LOW, _HIGH = -2.7, 3.0  # prior standard deviations of log tau that the settings span: tau from 0.2 to 60 by default
_N_NODES, _N_FINE = 15, 85  # where the evidence is computed, and where it is interpolated
_POINTS, _POINTS_A_VARIABLE = 150, 30
_POOR, _MORE = 0.3, 5  # Monte-Carlo error from which so many times as many points are taken
_CHUNK = 25  # contexts that a thread takes at a time


@dataclass(frozen=True)
class RuleEvidence:
    """Log marginal likelihoods of the answers of S contexts under one rule.

    Attributes
    ----------
    values : numpy.ndarray
        At G settings of what all contexts share, (S, G): log tau, and for lapses their rate.
    log_prior : numpy.ndarray
        Log prior probability of the settings, (G,).
    error : numpy.ndarray
        Monte-Carlo standard error of the values, (S, G).
    """

    values: Floats
    log_prior: Floats
    error: Floats


def find_evidence(
    rule: str, trials: RuleTrials, log_sigma: float, labels: list[dict[str, str]], seed: int, prior: tuple[float, float]
) -> RuleEvidence:
    """Integrate over intercepts and slopes, setting by setting.

    Parameters
    ----------
    rule : str
    trials : RuleTrials
        Of S contexts.
    log_sigma : float
        Log standard deviation of the intercepts' prior.
    labels : list of dict
        What each context's random numbers are keyed by.
    seed : int
    prior : tuple of float
        Location and standard deviation of the normal prior of log tau.
    """
    tables, errors, log_priors = [], [], []
    nodes, fine = (prior[0] + prior[1] * np.linspace(_LOW, _HIGH, count) for count in (_N_NODES, _N_FINE))
    density = -0.5 * np.square((fine - prior[0]) / prior[1])
    density -= np.log(np.exp(density).sum())
    for variant, share in list_likelihoods(rule, trials):
        logs, noise = [], []
        for number, alternative in enumerate(variant):
            rngs = [make_generator(seed, f"evidence {rule} {number}", **label) for label in labels]
            found = _integrate(alternative, log_sigma, nodes, rngs)
            logs.append(found[0])
            noise.append(found[1])
        mean = np.logaddexp.reduce(logs) - log(len(logs))
        tables.append(CubicSpline(nodes, mean, axis=1)(fine))
        errors.append(np.stack([np.interp(fine, nodes, row) for row in np.max(noise, axis=0)]))
        log_priors.append(density + log(share))
    return RuleEvidence(np.concatenate(tables, axis=1), np.concatenate(log_priors), np.concatenate(errors, axis=1))


def join_evidence(parts: list[tuple[NDArray[np.int64], RuleEvidence]]) -> RuleEvidence:
    """One table of what was found for contexts here and there; their places are given with each part."""
    total = sum(len(members) for members, _ in parts)
    values = np.empty((total, len(parts[0][1].log_prior)))
    error = np.empty(values.shape)
    for members, part in parts:
        values[members], error[members] = part.values, part.error
    return RuleEvidence(values, parts[0][1].log_prior, error)


def _integrate(
    density: PooledDensity, log_sigma: float, nodes: Floats, rngs: list[np.random.Generator]
) -> tuple[Floats, Floats]:
    """Log marginal likelihoods at all nodes, (B, nodes), and their errors."""
    with open_threads() as threads:
        chunks = [range(j, min(j + _CHUNK, len(rngs))) for j in range(0, len(rngs), _CHUNK)]
        parts = list(
            threads.map(
                lambda members: _integrate_some(
                    density.select(members), log_sigma, nodes, rngs[members.start : members.stop]
                ),
                chunks,
            )
        )
    return np.concatenate([found for found, _ in parts]), np.concatenate([error for _, error in parts])


def _integrate_some(
    density: PooledDensity, log_sigma: float, nodes: Floats, rngs: list[np.random.Generator]
) -> tuple[Floats, Floats]:
    """The same of some contexts. Every node has the same random numbers, so that what error there is is smooth."""
    n_contexts, n_variables = density.shape
    found, error = np.empty((n_contexts, len(nodes))), np.empty((n_contexts, len(nodes)))
    n_points = _POINTS + _POINTS_A_VARIABLE * n_variables
    states = [rng.bit_generator.state for rng in rngs]
    start = np.zeros(density.shape)
    for i, log_tau in enumerate(nodes):
        for rng, state in zip(rngs, states, strict=True):
            rng.bit_generator.state = state
        conditioned = Conditioned(density, np.array([log_sigma, log_tau]))
        weighted = weigh_points(conditioned, n_points, rngs, start)
        constant = -log_sigma - (n_variables - 1) * log_tau - 0.5 * n_variables * log(2.0 * pi)
        found[:, i], error[:, i] = weighted.log_evidence + constant, weighted.log_evidence_error
        start = weighted.modes
        poor = np.flatnonzero(error[:, i] > _POOR)
        if len(poor):  # posteriors with more than one mode, or a long tail
            again = [rngs[b] for b in poor.tolist()]
            weighted = weigh_points(conditioned.select(poor.tolist()), _MORE * n_points, again, start[poor])
            found[poor, i], error[poor, i] = weighted.log_evidence + constant, weighted.log_evidence_error
    return found, error
