"""Shares of a population that follow each of several rules, from the evidence of every scenario for each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from selfinterp_stats.diagnostics.evidence import RuleEvidence

__all__ = ["LEAST_ESS", "R_HAT_LIMIT", "SharesPosterior", "predict_scenarios", "sample_shares"]

Floats = NDArray[np.float64]

_CHAINS = 8
_WARM_UP = 500
_THINNING, _LONGEST = 5, 8
R_HAT_LIMIT, LEAST_ESS = 1.015, 400.0


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
    Two rules that fit alike trade scenarios slowly: chains are made longer until they agree, up to eight times as long.

    Parameters
    ----------
    evidence : list of RuleEvidence
        Of R rules for the same S scenarios.
    draws : int
        Draws to return; some more, if it is no multiple of the number of chains.
    rng : numpy.random.Generator
    """
    from arviz_stats.base import array_stats

    chains = _Chains(evidence, rng)
    chains.run(_WARM_UP)
    length = -(-draws // _CHAINS)
    chains.forget()
    for _ in range(_LONGEST):
        chains.run(_THINNING * length)
        shares = np.stack(chains.shares[_THINNING - 1 :: _THINNING], axis=2)  # (chains, R, kept)
        found = [(float(array_stats.rhat(values)), float(array_stats.ess(values))) for values in shares.transpose(1, 0, 2)]
        r_hat, ess = max(value for value, _ in found), min(value for _, value in found)
        if r_hat < R_HAT_LIMIT and ess >= LEAST_ESS:
            break
    shares = shares[:, :, :: shares.shape[2] // length].transpose(1, 0, 2)
    return SharesPosterior(
        shares=shares.reshape(len(evidence), -1),
        membership=chains.membership.T / (_CHAINS * len(chains.shares)),
        settings=[count / count.sum() for count in chains.visits],
        r_hat=r_hat,
        ess=ess,
    )


class _Chains:
    """Chains that begin far apart, each with a random composition, and what they passed through."""

    def __init__(self, evidence: list[RuleEvidence], rng: np.random.Generator) -> None:
        self.rng = rng
        self.tables = [np.ascontiguousarray(part.values.T) for part in evidence]
        self.log_priors = [part.log_prior for part in evidence]
        self.state = rng.dirichlet(np.full(len(evidence), 0.5), size=_CHAINS)
        self.settings = np.stack([_pick(np.tile(prior, (_CHAINS, 1)), rng) for prior in self.log_priors])
        self.forget()

    def forget(self) -> None:
        """Begin to count anew."""
        self.shares: list[Floats] = []
        self.membership = np.zeros((len(self.tables), self.tables[0].shape[1]))
        self.visits = [np.zeros(len(table)) for table in self.tables]

    def run(self, sweeps: int) -> None:
        """Go on from where they are."""
        rules = np.arange(len(self.tables))[:, None, None]
        for _ in range(sweeps):
            logs = np.stack([table[at] for table, at in zip(self.tables, self.settings, strict=True)])
            chance = np.exp(logs - logs.max(axis=0)) * self.state.T[:, :, None]
            chance /= chance.sum(axis=0)
            rule = (self.rng.random(chance.shape[1:]) > np.cumsum(chance, axis=0)[:-1]).sum(axis=0)
            follows = (rule == rules).astype(np.float64)
            raised = self.rng.standard_gamma(1.0 + follows.sum(axis=2).T)
            self.state = raised / raised.sum(axis=1, keepdims=True)
            for r, (table, log_prior) in enumerate(zip(self.tables, self.log_priors, strict=True)):
                self.settings[r] = _pick(follows[r] @ table.T + log_prior, self.rng)
                np.add.at(self.visits[r], self.settings[r], 1.0)
            self.shares.append(self.state)
            self.membership += chance.sum(axis=1)


def _pick(logs: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """An index for each row, with probability in proportion to the exponential: (C, G) to (C,)."""
    total = np.cumsum(np.exp(logs - logs.max(axis=1, keepdims=True)), axis=1)
    return np.asarray((rng.random((len(logs), 1)) * total[:, -1:] >= total).sum(axis=1).clip(max=logs.shape[1] - 1))


def predict_scenarios(evidence: RuleEvidence) -> Floats:
    """Log predictive density of each scenario's answers if all follow the rule, settings learned from all others, (S,)."""
    total = evidence.values.sum(axis=0) + evidence.log_prior
    others = total - evidence.values
    return np.asarray(logsumexp(total) - logsumexp(others, axis=1))
