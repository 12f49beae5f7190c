"""Scenarios of a kind beside what a null would give.

With a hundred scenarios some look odd by chance alone; a count says more than a list if the count that chance would give
stands beside it. Three nulls: answers are coin tosses; answers are as the fitted model says; answers go by the options
alone, without a preference for a place. Answers simulated under the first two go through the same cross-validation as those
found: its folds share trials, so that hits are not independent, and no binomial distribution would tell what to expect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import binom

from selfinterp_stats.choice import ChoiceFit
from selfinterp_stats.choice.design import Design
from selfinterp_stats.diagnostics.heldout import HeldOut, predict_fitted, spread_draws
from selfinterp_stats.seeding import make_generator

__all__ = ["count_beside_nulls", "find_kinds"]

Floats = NDArray[np.float64]
Kinds = Mapping[str, NDArray[np.bool_]]

_COINS, _MODEL, _NO_PLACE = "coin tosses", "the fitted model", "no preference of place"
_HITS, _LOSS = "more hits out of sample than 95% of coins", "log loss out of sample beyond its own expectation"
_SHARE = "share of A outside 95% of what the options alone give"
_LEVEL = 0.05
_LIMIT = 1.645  # standard deviations that a sum of log losses exceeds in one of twenty
_SIMULATED = 400  # sets of answers to one scenario


def find_kinds(s: Floats, held_out: HeldOut, owner: NDArray[np.int64], inside: NDArray[np.bool_], n_contexts: int) -> Kinds:
    """Which contexts hit more often than coins, and which lose more than their own predictions lead to expect.

    Parameters
    ----------
    s : numpy.ndarray
        Answers, +1 or -1, shape (N,).
    held_out : HeldOut
    owner : numpy.ndarray of int
        Context of each trial.
    inside : numpy.ndarray of bool
        Trials that were held out at all.
    n_contexts : int
    """

    def add(values: Floats) -> Floats:
        return np.asarray(np.bincount(owner[inside], weights=values[inside], minlength=n_contexts), dtype=np.float64)

    chance, chose_a = held_out.chance, s > 0
    hits, number = add(((chance > 0.5) == chose_a).astype(np.float64)), add(np.ones(len(s)))
    log_odds = np.log(chance) - np.log1p(-chance)
    loss = -np.where(chose_a, np.log(chance), np.log1p(-chance))
    expected = -(chance * np.log(chance) + (1.0 - chance) * np.log1p(-chance))
    spread = np.sqrt(add(chance * (1.0 - chance) * np.square(log_odds)))
    return {_HITS: hits > binom.isf(_LEVEL, number, 0.5), _LOSS: add(loss - expected) > _LIMIT * spread}


def count_beside_nulls(
    fit: ChoiceFit,
    design: Design,
    contexts: pd.DataFrame,
    groups: NDArray[np.int64],
    judge: Callable[[Floats, str], Kinds],
    replications: int,
) -> pd.DataFrame:
    """Found and expected numbers of scenarios, group by group.

    Parameters
    ----------
    fit : ChoiceFit
    design : Design
    contexts : pandas.DataFrame
        Table of ``check_decisions``.
    groups : numpy.ndarray of int
        Group of each context.
    judge : callable
        From answers (N,), and what random numbers are for, to the contexts of each kind.
    replications : int
        Sets of answers that counts are expected from; without any, only the kind that needs no cross-validation is there.
    """
    rows = [(_SHARE, _NO_PLACE, *_prefer_no_place(fit, design))]
    if replications:
        found = judge(design.s, "check")
        coins = [np.full(len(design.s), 0.5)] * replications
        # a draw of the coefficients for each set of answers, since their means would decide less firmly than any of them
        replicated = [predict_fitted(fit, design, draw) for draw in spread_draws(fit, replications)[:, None]]
        for null, chances in ((_COINS, coins), (_MODEL, replicated)):
            expected = _simulate(fit, chances, judge, null)
            for kind in found:
                if (kind, null) not in ((_HITS, _MODEL), (_LOSS, _COINS)):  # not what these are made for
                    rows.append((kind, null, found[kind].astype(np.float64), expected[kind]))
    table = []
    for n in range(groups.max() + 1):
        inside = groups == n
        label = contexts.loc[inside, list(fit.spec.by)].iloc[0].to_dict()
        for kind, null, was, would in rows:
            counted = {"found": int(was[inside].sum()), "expected": float(would[inside].sum())}
            table.append({**label, "kind": kind, "null": null, **counted, "n_scenarios": int(inside.sum())})
    return pd.DataFrame(table)


def _prefer_no_place(fit: ChoiceFit, design: Design) -> tuple[Floats, Floats]:
    """Shares of A in answers by the options alone: whether the share found lies outside 95%, and how often that happens."""
    owner, first = fit.slopes["context"].to_numpy(), design.first
    starts = np.searchsorted(owner, np.arange(len(design.contexts) + 1))
    chosen = spread_draws(fit, _SIMULATED)
    found, expected = np.empty(len(design.contexts)), np.empty(len(design.contexts))
    for context, size in enumerate(design.contexts["n_attributes"]):
        rows = slice(first[context], first[context + 1])
        rng = make_generator(fit.spec.seed, "place null", context=context)
        slopes = fit.slope_draws[starts[context] : starts[context + 1]][:, chosen]
        chance = expit(design.x[rows, :size] @ slopes)
        totals = (rng.random(chance.shape) < chance).sum(axis=0)
        # what lies outside is settled by one half of the simulated answers, how often by the other
        half = len(totals) // 2
        low, high = np.quantile(totals[:half], [_LEVEL / 2, 1.0 - _LEVEL / 2], method="inverted_cdf")
        own = int((design.s[rows] > 0).sum())
        found[context] = own < low or own > high
        expected[context] = ((totals[half:] < low) | (totals[half:] > high)).mean()
    return found, expected


def _simulate(
    fit: ChoiceFit, chances: Sequence[Floats], judge: Callable[[Floats, str], Kinds], null: str
) -> dict[str, Floats]:
    """Share of sets of answers, A with these probabilities, in which each context is of each kind."""
    shares: dict[str, Floats] = {}
    for number, chance in enumerate(chances):
        rng = make_generator(fit.spec.seed, "answers", null=null, number=number)
        kinds = judge(np.where(rng.random(len(chance)) < chance, 1.0, -1.0), f"check {null} {number}")
        for kind, inside in kinds.items():
            shares[kind] = shares.get(kind, np.zeros(len(inside))) + inside / len(chances)
    return shares
