"""Posterior predictive checks: do replicated responses look like those that were observed?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import check_choice, check_sequence
from selfinterp_stats.regression import RegressionFit
from selfinterp_stats.seeding import check_seed
from selfinterp_stats.summaries import summarise_rows

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PredictiveCheck", "check_posterior_predictive"]

Floats = NDArray[np.float64]

_STATISTICS: Mapping[str, Callable[[Floats], Floats]] = {
    "mean": lambda y: y.mean(axis=0),
    "sd": lambda y: y.std(axis=0, ddof=1),
    "min": lambda y: y.min(axis=0),
    "max": lambda y: y.max(axis=0),
    "skewness": lambda y: _standardise(y, 3),
    "kurtosis": lambda y: _standardise(y, 4),
}


@dataclass(frozen=True)
class PredictiveCheck:
    """Statistics of the response, observed and replicated.

    Attributes
    ----------
    names : tuple of str
        The statistics.
    observed : numpy.ndarray
        Shape (statistics,), in units of the response.
    values : numpy.ndarray
        Those of replicated responses, (statistics, S).
    prob : float
        Probability of the intervals.
    """

    names: tuple[str, ...]
    observed: Floats
    values: Floats
    prob: float

    @property
    def draws(self) -> xr.DataArray:
        """Draws with labels: dimensions chain (one), draw and statistic."""
        from selfinterp_stats.weights import label_draws

        return label_draws(self.values, pd.DataFrame({"statistic": self.names}), "statistic", "replicated")

    def summary(self) -> pd.DataFrame:
        """``statistic, observed, median, hdi_low, hdi_high, p_value``: share of larger replications, ties half."""
        found = summarise_rows(self.values, self.prob)
        above = (self.values > self.observed[:, None]).mean(axis=1)
        ties = (self.values == self.observed[:, None]).mean(axis=1)
        table = pd.DataFrame({"statistic": self.names, "observed": self.observed})
        table = table.assign(**{name: found[name] for name in ("median", "hdi_low", "hdi_high")}, p_value=above + ties / 2)
        table.attrs["prob"] = self.prob
        return table

    def __str__(self) -> str:
        table = self.summary().round(3).to_string(index=False)
        return f"Posterior predictive check, {self.prob:.0%} HDI of replicated responses\n{table}"

    __repr__ = __str__


def check_posterior_predictive(
    fit: RegressionFit, *, statistics: Sequence[str] = ("mean", "sd", "min", "max", "skewness"), seed: int = 1
) -> PredictiveCheck:
    """Compare the response with responses that the fitted model generates.

    Parameters
    ----------
    fit : RegressionFit
    statistics : sequence of {"mean", "sd", "min", "max", "skewness", "kurtosis"}
        What is compared. Mean and sd are parameters of a Gaussian model, which therefore cannot fail there; tails can.
    seed : int
        What makes the replications repeatable.

    Returns
    -------
    PredictiveCheck

    Raises
    ------
    ArgumentError
        If a statistic is not known.

    Notes
    -----
    Source: Gelman, Meng and Stern (1996), "Posterior predictive assessment of model fitness via realized discrepancies",
    Statistica Sinica 6. Its p-values are not uniform under the model: they crowd around one half.
    """
    check_sequence("statistics", statistics, "names")
    for name in statistics:
        check_choice("statistics", name, _STATISTICS)
    check_seed(seed)
    replicated, y = fit.predict(seed), fit.design.y[:, None]
    values = np.array([_STATISTICS[name](replicated) for name in statistics])
    observed = np.array([float(_STATISTICS[name](y)[0]) for name in statistics])
    return PredictiveCheck(tuple(statistics), observed, values, fit.prob)


def _standardise(y: Floats, power: int) -> Floats:
    """Standardised central moment along rows; zero where nothing varies."""
    centred = y - y.mean(axis=0)
    spread = np.square(centred).mean(axis=0) ** (power / 2)
    return np.where(spread > 0, (centred**power).mean(axis=0) / np.where(spread > 0, spread, 1.0), 0.0)
