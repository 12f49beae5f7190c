"""Trials of one scenario each, decided by rules that are handed in as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from selfinterp_stats import Decisions, Scenarios, make_scenarios

Rule = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def make_trials(
    rules: Sequence[Rule], n_trials: int, n_attributes: int, seed: int, low: float = 0.0, high: float = 1.0
) -> tuple[Decisions, Scenarios]:
    """Decisions in as many scenarios as there are rules; a rule gives P(A) from positions of A and B, (T, K) each."""
    rng = np.random.default_rng(seed)
    keys = [(f"s{i:03d}", f"a{k}", low, high) for i in range(len(rules)) for k in range(n_attributes)]
    tables = []
    for i, rule in enumerate(rules):
        a, b = rng.random((2, n_trials, n_attributes))
        chose_a = rng.random(n_trials) < rule(a, b, rng)
        values = {
            f"{side}_{k + 1}": low + x[:, k] * (high - low) for side, x in (("a", a), ("b", b)) for k in range(n_attributes)
        }
        labels = {"base_model": "m", "preferences": "native", "model": "m", "scenario": f"s{i:03d}"}
        trial = np.arange(n_trials).astype(str)
        chosen = np.where(chose_a, "A", "B")
        tables.append(pd.DataFrame({**labels, "trial": trial, "chosen": chosen, "p_a": np.nan, **values}))
    frame = pd.DataFrame(keys, columns=["scenario", "attribute", "low", "high"])
    return Decisions(pd.concat(tables, ignore_index=True)), make_scenarios(frame)


def by_decider(decider) -> Rule:
    """A decider of the package with weights drawn uniformly."""

    def rule(a, b, rng):
        return decider.probability_of_a(a, b, rng.uniform(-100.0, 100.0, a.shape[1]))

    return rule


def toss(a, b, rng):
    """A coin."""
    return np.full(len(a), 0.5)


def name_first(a, b, rng):
    """A, nearly always."""
    return np.full(len(a), 0.97)


def combine(a, b, rng):
    """Attributes that change what others are worth."""
    weights = rng.normal(0.0, 5.0, (a.shape[1], a.shape[1]))

    def value(x):
        centred = x - 0.5
        return centred @ np.diag(weights) + 4.0 * np.einsum("ti,ij,tj->t", centred, np.triu(weights, 1), centred)

    return 1.0 / (1.0 + np.exp(value(b) - value(a)))
