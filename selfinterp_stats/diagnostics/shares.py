"""Shares of a population that follow each of several rules, from the evidence of every scenario for each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from selfinterp_stats.diagnostics.evidence import RuleEvidence

__all__ = ["SharesPosterior", "predict_scenarios", "sample_shares"]

Floats = NDArray[np.float64]

_CHAINS = 8
_WARM_UP = 500
_THINNING = 10  # two rules that fit alike trade scenarios slowly


@dataclass(frozen=True)
class SharesPosterior:
    """Draws of the shares of R rules among S scenarios.

    Attributes
    ----------
    shares : numpy.ndarray
        (R, draws), chains one after another.
    membership : numpy.ndarray
        Posterior probability that a scenario follows a rule, (S, R).
    settings : list of numpy.ndarray
        Posterior probability of each rule's settings, (G,) each.
    r_hat : float
        Largest of the shares.
    ess : float
        Smallest bulk effective size of the shares.
    """

    shares: Floats
    membership: Floats
    settings: list[Floats]
    r_hat: float
    ess: float


def sample_shares(evidence: list[RuleEvidence], draws: int, rng: np.random.Generator) -> SharesPosterior:
    """Gibbs sampling of rules of scenarios, shares, and each rule's settings.

    Every scenario follows one rule; shares have a uniform prior, Dirichlet(1, ..., 1). Given the scenarios' rules, settings
    of a rule are drawn from their grid by the evidence of its scenarios; a rule without scenarios has them from the prior.

    Parameters
    ----------
    evidence : list of RuleEvidence
        Of R rules for the same S scenarios.
    draws : int
        Draws to return, at least; a multiple of the number of chains.
    rng : numpy.random.Generator
    """
    from arviz_stats.base import array_stats

    n_rules, n_scenarios = len(evidence), len(evidence[0].values)
    length = -(-draws // _CHAINS)
    tables = [np.ascontiguousarray(part.values.T) for part in evidence]
    # chains begin far apart, each with a random composition
    shares = rng.dirichlet(np.full(n_rules, 0.5), size=_CHAINS)
    settings = np.stack([_pick(np.tile(part.log_prior, (_CHAINS, 1)), rng) for part in evidence])
    kept, membership = np.empty((n_rules, _CHAINS, length)), np.zeros((n_rules, n_scenarios))
    visits = [np.zeros(len(table)) for table in tables]
    for sweep in range(-_WARM_UP, length * _THINNING):
        logs = np.stack([table[at] for table, at in zip(tables, settings, strict=True)])
        chance = np.exp(logs - logs.max(axis=0)) * shares.T[:, :, None]
        chance /= chance.sum(axis=0)
        rule = (rng.random(chance.shape[1:]) > np.cumsum(chance, axis=0)[:-1]).sum(axis=0)
        follows = (rule == np.arange(n_rules)[:, None, None]).astype(np.float64)
        raised = rng.standard_gamma(1.0 + follows.sum(axis=2).T)
        shares = raised / raised.sum(axis=1, keepdims=True)
        for r, (table, part) in enumerate(zip(tables, evidence, strict=True)):
            settings[r] = _pick(follows[r] @ table.T + part.log_prior, rng)
        if sweep >= 0:
            kept[:, :, sweep // _THINNING] = shares.T
            membership += chance.sum(axis=1)
            for count, at in zip(visits, settings, strict=True):
                np.add.at(count, at, 1.0)
    diagnostics = [(float(array_stats.rhat(values)), float(array_stats.ess(values))) for values in kept]
    return SharesPosterior(
        shares=kept.reshape(n_rules, -1),
        membership=membership.T / (_CHAINS * length * _THINNING),
        settings=[count / count.sum() for count in visits],
        r_hat=max(r_hat for r_hat, _ in diagnostics),
        ess=min(ess for _, ess in diagnostics),
    )


def _pick(logs: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """An index for each row, with probability in proportion to the exponential: (C, G) to (C,)."""
    total = np.cumsum(np.exp(logs - logs.max(axis=1, keepdims=True)), axis=1)
    return np.asarray((rng.random((len(logs), 1)) * total[:, -1:] >= total).sum(axis=1).clip(max=logs.shape[1] - 1))


def predict_scenarios(evidence: RuleEvidence) -> Floats:
    """Log predictive density of each scenario's answers if all follow the rule, settings learned from all others, (S,)."""
    total = evidence.values.sum(axis=0) + evidence.log_prior
    others = total - evidence.values
    return np.asarray(logsumexp(total) - logsumexp(others, axis=1))
