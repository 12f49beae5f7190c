"""Tables made in memory, for tests of single functions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from selfinterp_stats import Decisions, Scenarios, make_decisions, make_scenarios


def unit_scenarios(sizes: list[int], prefix: str = "s") -> Scenarios:
    """Scenarios whose attributes all run from 0 to 1, so that differences are predictors."""
    rows = [(f"{prefix}{i:04d}", f"attribute {j + 1}", 0.0, 1.0) for i, k in enumerate(sizes) for j in range(k)]
    return make_scenarios(pd.DataFrame(rows, columns=["scenario", "attribute", "low", "high"]))


def unit_decisions(scenarios: Scenarios, x: list[np.ndarray], chosen_a: list[np.ndarray], **columns: object) -> Decisions:
    """Decisions with the given differences (trials, attributes) between -1 and 1, scenario by scenario."""
    frames = []
    for name, differences, answers in zip(scenarios.names, x, chosen_a, strict=True):
        n, k = differences.shape
        attributes = scenarios.frame.loc[scenarios.frame["scenario"] == name, "attribute"].tolist()
        frames.append(
            pd.DataFrame(
                {
                    "scenario": name,
                    "trial": np.repeat(np.arange(n), k),
                    "attribute": attributes * n,
                    "a": np.maximum(differences, 0).ravel(),
                    "b": np.maximum(-differences, 0).ravel(),
                    "chosen": np.repeat(np.where(answers, "A", "B"), k),
                    **columns,
                }
            )
        )
    return make_decisions(pd.concat(frames, ignore_index=True), scenarios)
