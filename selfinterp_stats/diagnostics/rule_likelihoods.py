"""Rules that may be behind the same choices, as likelihoods with one normal scale each.

Positions within the ranges are counted from their middle, u = (value - low) / (high - low) - 1/2; x is the difference of
the options and m the mean of both, so that u_A^2 - u_B^2 = 2 x m. Predictors are scaled so that those of options drawn
uniformly vary about as much as x does, and one prior fits all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.choice.density import ChoiceLikelihood
from selfinterp_stats.choice.lapse_kernels import lapsing_log_likelihood, lapsing_log_likelihood_derivatives
from selfinterp_stats.engines import PooledDensity

__all__ = ["LAPSES", "RULES", "LapsingLikelihood", "RuleTrials", "list_likelihoods"]

Floats = NDArray[np.float64]

RULES = ("additive", "ideal points", "interactions", "largest attribute", "lapse")
LAPSES = (0.05, 0.1, 0.2, 0.4)
_STRETCH = 4.0


@dataclass(frozen=True)
class RuleTrials:
    """Trials of B contexts with K attributes each.

    Attributes
    ----------
    x, m : numpy.ndarray
        Differences of the options' positions, and their means from the middle of the range, shape (N, K).
    s : numpy.ndarray
        +1 where A was chosen, -1 where B was, shape (N,).
    first : numpy.ndarray of int
        Context b has the trials first[b] .. first[b + 1] - 1.
    """

    x: Floats
    m: Floats
    s: Floats
    first: NDArray[np.int64]


@dataclass(frozen=True)
class LapsingLikelihood:
    """Log-likelihoods of contexts in which a known share of the choices is coin tosses.

    Attributes
    ----------
    x, s, first : numpy.ndarray
        As in :class:`ChoiceLikelihood`.
    lapse : float
        The share.
    """

    x: Floats
    s: Floats
    first: NDArray[np.int64]
    lapse: float

    @property
    def shape(self) -> tuple[int, int]:
        """Number of contexts and of variables."""
        return len(self.first) - 1, self.x.shape[1] + 1

    @property
    def blocks(self) -> tuple[slice, slice]:
        """The intercept, and the slopes."""
        return slice(0, 1), slice(1, self.x.shape[1] + 1)

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Value, gradient and negative Hessian, at (B, K + 1)."""
        found = lapsing_log_likelihood_derivatives(theta, self.x, self.s, self.first, self.lapse)
        value, gradient, curvature = found
        return value, gradient, curvature

    def evaluate(self, theta: Floats) -> Floats:
        """Log-likelihoods, (B, S, K + 1) to (B, S)."""
        points = np.ascontiguousarray(theta)
        value: Floats = lapsing_log_likelihood(points, self.x, self.s, self.first, self.lapse)
        return value

    def select(self, problems: Sequence[int]) -> LapsingLikelihood:
        """The same, some contexts only."""
        chosen = ChoiceLikelihood(self.x, self.s, self.first).select(problems)
        return LapsingLikelihood(chosen.x, chosen.s, chosen.first, self.lapse)


def list_likelihoods(rule: str, trials: RuleTrials) -> list[tuple[tuple[PooledDensity, ...], float]]:
    """Likelihoods of a rule: variants that all contexts share, as the rate of lapses, with the prior probability of each.

    A variant is a tuple of alternatives that are equally probable in each context, as the attribute that counts.
    """
    x, s, first = trials.x, trials.s, trials.first
    if rule == "lapse":
        return [((LapsingLikelihood(x, s, first, lapse),), 1.0 / len(LAPSES)) for lapse in LAPSES]
    if rule == "largest attribute":
        columns = [np.ascontiguousarray(x[:, k : k + 1]) for k in range(x.shape[1])]
        return [(tuple(ChoiceLikelihood(column, s, first) for column in columns), 1.0)]
    return [((ChoiceLikelihood(_shorten(_find_predictors(rule, trials), first), s, first),), 1.0)]


def _find_predictors(rule: str, trials: RuleTrials) -> Floats:
    x, m = trials.x, trials.m
    if rule == "ideal points":
        return np.hstack([x, 2.0 * _STRETCH * x * m])
    if rule == "interactions":
        pairs = [x[:, k] * m[:, j] + x[:, j] * m[:, k] for k, j in combinations(range(x.shape[1]), 2)]
        return np.column_stack([x, *(_STRETCH * pair for pair in pairs)])
    return x


def _shorten(predictors: Floats, first: NDArray[np.int64]) -> Floats:
    """Fewer predictors with the same prior of all log odds, where there are more of them than trials.

    Slopes that are independent with equal variances may be turned: of Z = U S V', U S is left, and has no more columns than
    Z has rows.
    """
    longest = int(np.diff(first).max())
    if predictors.shape[1] <= longest:
        return predictors
    short = np.zeros((len(predictors), longest))
    for start, stop in pairwise(first.tolist()):
        left, values, _ = np.linalg.svd(predictors[start:stop], full_matrices=False)
        short[start:stop, : len(values)] = left * values
    return short
