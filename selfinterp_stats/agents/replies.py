"""Replies of a reporter: what each says, whether it can be used, and what is to be expected of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.agents.reporters import Reporter
from selfinterp_stats.scenarios.options import draw_values
from selfinterp_stats.tables import Scenarios

__all__ = ["build_replies", "expect_replies"]

Floats = NDArray[np.float64]

_EXPECTATION_DRAWS = 4000  # in two halves


def expect_replies(
    noise_free: Floats, scenarios: Scenarios, reporter: Reporter, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Expectation of an emitted reply for every scenario-attribute, over noise and displayed options, by Monte Carlo.

    Twice, from independent draws, so that the error of either can be kept out of associations.
    """
    shown = _show(scenarios, _EXPECTATION_DRAWS, rng)[2] if reporter.shown_effect else np.zeros(1)
    replies = reporter.emit(noise_free, shown, _EXPECTATION_DRAWS, rng)
    half = _EXPECTATION_DRAWS // 2
    return replies[:half].mean(axis=0), replies[half:].mean(axis=0)


def build_replies(
    noise_free: Floats, scenarios: Scenarios, reporter: Reporter, n_replies: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, Floats]:
    """Replies in every scenario.

    Returns
    -------
    entries : pandas.DataFrame
        One row for each reply: ``scenario, reply, status`` ("valid", "refused" or "unparsed"), ``report_1 ..., a_1 ...,
        b_1 ...``; reports of replies that are not valid are empty.
    mean : numpy.ndarray
        Mean of the valid replies, shape (scenarios, slots); NaN where there is none.
    """
    names = scenarios.names
    a, b, shown = _show(scenarios, n_replies, rng)
    values = reporter.emit(noise_free, shown, n_replies, rng)
    fate = rng.random((n_replies, len(names)))
    status = np.full(fate.shape, "valid", dtype=object)
    status[fate < reporter.refusal_rate + reporter.unusable_rate] = "unparsed"
    status[fate < reporter.refusal_rate] = "refused"
    silent = rng.permutation(len(names))[: round(reporter.missing_rate * len(names))]
    asked = np.ones(len(names), dtype=bool)
    asked[silent] = False
    values = np.where((status == "valid")[:, :, None] & asked[:, None], values, np.nan)
    count = (~np.isnan(values)).sum(axis=0)
    total = np.nansum(values, axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    # scenario by scenario, as an experiment asks
    entries = pd.DataFrame(
        {
            "scenario": np.repeat(np.array(names, dtype=object), n_replies),
            "reply": np.tile([str(i) for i in range(1, n_replies + 1)], len(names)),
            "status": status.T.ravel(),
        }
    )
    columns = {
        f"{name}_{slot + 1}": array[:, :, slot].T.ravel()
        for name, array in (("report", values), ("a", a), ("b", b))
        for slot in range(scenarios.n_slots)
    }
    entries = pd.concat([entries, pd.DataFrame(columns)], axis=1)
    return entries[np.repeat(asked, n_replies)].reset_index(drop=True), mean


def _show(scenarios: Scenarios, count: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Options on the screen and their standardised differences, each of shape (count, scenarios, slots)."""
    low, high = scenarios.ranges(scenarios.names)
    here = ~np.isnan(low)
    a, b = np.full((2, count, *low.shape), np.nan)
    a[:, here] = draw_values(low[here], high[here], count, rng)
    b[:, here] = draw_values(low[here], high[here], count, rng)
    return a, b, (a - b) / (high - low)
