"""The arrays of a fit while it is being made, whichever way: filled context by context, then frozen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice.design import Design
from selfinterp_stats.choice.fit import ChoiceFit, ChoiceSpec
from selfinterp_stats.tables import Decisions, Scenarios

__all__ = ["FitArrays"]

Floats = NDArray[np.float64]

_NUMBERS = ("k_hat", "ess", "r_hat", "mcse", "intercept_mcse")


class FitArrays:
    """Draws and diagnostics of all contexts of a design.

    Parameters
    ----------
    design : Design
    draws : int

    Attributes
    ----------
    slope_draws, intercept_draws : numpy.ndarray
        Shapes (slopes, draws) and (contexts, draws).
    slope_mcse : numpy.ndarray
        Shape (slopes,).
    numbers : dict of str to numpy.ndarray
        Diagnostics by name, (contexts,) each.
    sampler, converged : numpy.ndarray
        Shape (contexts,).
    """

    def __init__(self, design: Design, draws: int) -> None:
        n_contexts = len(design.contexts)
        self.design = design
        self.slope_draws = np.empty((len(design.slopes), draws))
        self.intercept_draws = np.empty((n_contexts, draws))
        self.slope_mcse = np.empty(len(design.slopes))
        self.numbers = {name: np.full(n_contexts, np.nan) for name in _NUMBERS}
        self.sampler = np.full(n_contexts, "", dtype=object)
        self.converged = np.ones(n_contexts, dtype=bool)
        self._first = np.searchsorted(design.slopes["context"].to_numpy(), np.arange(n_contexts + 1))
        self._population: list[pd.DataFrame] = []
        self._population_draws: list[Floats] = []

    def slopes(self, context: int) -> slice:
        """Rows of a context's slopes."""
        return slice(int(self._first[context]), int(self._first[context + 1]))

    def store(self, context: int, intercept: Floats, slopes: Floats) -> None:
        """Keep a context's draws, (S,) and (S, K)."""
        self.intercept_draws[context] = intercept
        self.slope_draws[self.slopes(context)] = slopes.T

    def store_errors(self, context: int, intercept: float, slopes: Floats) -> None:
        """Keep the Monte-Carlo errors of a context's means, the slopes' (K,)."""
        self.numbers["intercept_mcse"][context] = intercept
        self.slope_mcse[self.slopes(context)] = slopes

    def add_population(self, label: dict[str, Any], table: pd.DataFrame, draws: Floats) -> None:
        """Keep a group's hyperparameters: ``parameter, n_scenarios, mcse, converged``, and their draws."""
        self._population.append(table.assign(**label)[[*label, *table.columns]])
        self._population_draws.append(draws)

    def finish(self, spec: ChoiceSpec, decisions: Decisions, scenarios: Scenarios) -> ChoiceFit:
        """The fit."""
        contexts = self.design.contexts.copy()
        contexts["sampler"] = self.sampler.astype(str)
        contexts = contexts.assign(**{name: self.numbers[name] for name in ("k_hat", "ess", "r_hat", "mcse")})
        contexts["converged"], contexts["intercept_mcse"] = self.converged, self.numbers["intercept_mcse"]
        population = pd.concat(self._population, ignore_index=True) if self._population else _no_population(spec)
        return ChoiceFit(
            spec=spec,
            decisions=decisions,
            scenarios=scenarios,
            contexts=contexts,
            slopes=self.design.slopes.assign(mcse=self.slope_mcse),
            slope_draws=self.slope_draws,
            intercept_draws=self.intercept_draws,
            left_out=self.design.left_out,
            population=population,
            population_draws=np.concatenate([np.empty((0, spec.draws)), *self._population_draws]),
        )


def _no_population(spec: ChoiceSpec) -> pd.DataFrame:
    labels = {name: pd.Series(dtype="str") for name in (*spec.by, "parameter")}
    return pd.DataFrame(
        {
            **labels,
            "n_scenarios": pd.Series(dtype="int64"),
            "mcse": pd.Series(dtype="float64"),
            "converged": pd.Series(dtype=bool),
        }
    )
