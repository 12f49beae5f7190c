"""Pairs of options to choose between, drawn over the attributes' ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError, check_range
from selfinterp_stats.seeding import check_seed, make_generator
from selfinterp_stats.tables import Scenarios

__all__ = ["OptionPairs", "draw_option_pairs", "draw_values", "find_decimals"]

Floats = NDArray[np.float64]

_FEWEST_STEPS = 3  # a range is shown with enough decimals for at least so many steps
_MOST_DECIMALS = 60  # the narrowest range is 1e-50 wide


@dataclass(frozen=True)
class OptionPairs:
    """Options A and B of every trial of an experiment.

    Attributes
    ----------
    scenarios : Scenarios
        Where they belong.
    names : tuple of str
        Scenarios in the order of the arrays.
    a, b : numpy.ndarray
        Values in the attributes' units, shape (scenarios, trials, slots); NaN beyond a scenario's last attribute.
    """

    scenarios: Scenarios
    names: tuple[str, ...]
    a: Floats
    b: Floats

    @property
    def n_trials(self) -> int:
        """Number of trials of each scenario."""
        return int(self.a.shape[1])

    def positions(self) -> tuple[Floats, Floats]:
        """Both options as positions within the ranges, 0 at the low end and 1 at the high end; shapes as above."""
        low, high = (end[:, None, :] for end in self.scenarios.ranges(self.names))
        return (self.a - low) / (high - low), (self.b - low) / (high - low)

    def frame(self) -> pd.DataFrame:
        """One row for each trial: ``scenario, trial, a_1 ..., b_1 ...``; trials count from 1."""
        n_scenarios, n_trials, n_slots = self.a.shape
        frame = pd.DataFrame(
            {
                "scenario": np.repeat(np.array(self.names, dtype=object), n_trials),
                "trial": np.tile(np.arange(1, n_trials + 1), n_scenarios),
            }
        )
        values = {
            f"{side}_{slot + 1}": array[:, :, slot].ravel()
            for side, array in (("a", self.a), ("b", self.b))
            for slot in range(n_slots)
        }
        return pd.concat([frame, pd.DataFrame(values)], axis=1)


def draw_option_pairs(
    scenarios: Scenarios, *, n_trials: int = 50, counterbalanced: bool = False, purpose: str = "decisions", seed: int = 1
) -> OptionPairs:
    """Draw options uniformly and independently over every attribute's range, as the published study did.

    Values are whole numbers where both ends of a range are, and have as many decimals as its ends otherwise; a range with
    fewer than three steps gets further decimals. Options that agree in every attribute are drawn again.

    Parameters
    ----------
    scenarios : Scenarios
        The scenarios.
    n_trials : int
        Trials of each scenario.
    counterbalanced : bool
        Whether every pair is shown twice, the second time with A and B in each other's place; takes an even number of
        trials.
    purpose : str
        What the pairs are for; another purpose gives other pairs under the same seed.
    seed : int
        Seed; a scenario's options depend on it, on the purpose, on the scenario's name and on its ranges, not on its
        neighbours.

    Returns
    -------
    OptionPairs

    Raises
    ------
    ArgumentError
        If an argument has no usable value.

    Examples
    --------
    >>> from selfinterp_stats import load_scenarios
    >>> pairs = draw_option_pairs(load_scenarios(), n_trials=10)
    >>> pairs.a.shape == (len(pairs.names), 10, 10)
    True
    """
    check_range("n_trials", n_trials, low=1, high=10_000_000, whole=True)
    check_seed(seed)
    if counterbalanced and n_trials % 2:
        raise ArgumentError(
            "n_trials",
            expected="an even number, for pairs that are shown twice",
            got=str(n_trials),
            remedy="add a trial or pass counterbalanced=False",
        )
    names = tuple(scenarios.names)
    low, high = scenarios.ranges(names)
    drawn = n_trials // 2 if counterbalanced else n_trials
    shape = (len(names), drawn, scenarios.n_slots)
    a, b = np.full(shape, np.nan), np.full(shape, np.nan)
    for i, name in enumerate(names):
        rng = make_generator(seed, "options", purpose=purpose, scenario=name)
        k = int((~np.isnan(low[i])).sum())
        a[i, :, :k], b[i, :, :k] = _draw_pairs(low[i, :k], high[i, :k], drawn, rng)
    if counterbalanced:
        a, b = np.concatenate([a, b], axis=1), np.concatenate([b, a], axis=1)
    return OptionPairs(scenarios, names, a, b)


def _draw_pairs(low: Floats, high: Floats, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    a, b = draw_values(low, high, count, rng), draw_values(low, high, count, rng)
    while (same := (a == b).all(axis=1)).any():  # every range has two values or more
        b[same] = draw_values(low, high, int(same.sum()), rng)
    return a, b


def draw_values(low: Floats, high: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Values on the grid of each attribute, shape (count, attributes), each grid point as likely as any other."""
    decimals = np.array([find_decimals(lo, hi) for lo, hi in zip(low, high, strict=True)])
    unit = 10.0**decimals
    steps = np.floor((high - low) * unit + 1e-9)
    drawn = low + np.floor(rng.random((count, len(low))) * (steps + 1)) / unit
    rounded = [np.round(column, int(d)) for column, d in zip(drawn.T, decimals, strict=True)]
    return np.asarray(np.clip(np.stack(rounded, axis=1), low, high))


def find_decimals(low: float, high: float) -> int:
    """Decimals with which values between two ends are shown.

    Examples
    --------
    >>> find_decimals(1, 7), find_decimals(0.5, 12), find_decimals(0, 1), find_decimals(-0.004, 0.004)
    (0, 1, 1, 3)
    """
    decimals = 0
    for end in (low, high):
        text = np.format_float_positional(end, trim="-")
        decimals = max(decimals, len(text.partition(".")[2]))
    while (high - low) * 10**decimals < _FEWEST_STEPS - 1e-9 and decimals < _MOST_DECIMALS:
        decimals += 1
    return min(decimals, _MOST_DECIMALS)
