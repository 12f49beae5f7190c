"""Normalised weights with everything that a table of them shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import check_choice
from selfinterp_stats.summaries import check_probability, find_probability_of_direction, summarise_rows
from selfinterp_stats.weights.normalise import SCALES, find_largest, normalise_draws

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Weights", "label_draws", "make_weights"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """Normalised used weights.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each scenario and attribute of each group: the grouping columns, ``scenario, slot, attribute, mean,
        median, hdi_low, hdi_high, p_direction, p_largest, k_hat``. Weights run from -100 to 100.
    prob : float
        Probability of the interval ``hdi_low`` to ``hdi_high``.
    scale : {"max", "l2"}
        What the slopes were divided by.
    values : numpy.ndarray
        The draws behind the table, shape (rows, draws).
    """

    table: pd.DataFrame
    prob: float
    scale: str
    values: Floats

    @property
    def draws(self) -> xr.DataArray:
        """The draws with labels: dimensions chain (one), draw and weight."""
        index = self.table.drop(columns=[c for c in _SUMMARIES if c in self.table.columns])
        return label_draws(self.values, index, "weight", "weight")

    def summary(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def __str__(self) -> str:
        size = "largest absolute weight" if self.scale == "max" else "Euclidean length"
        title = f"Used weights, normalised per draw by the {size} (-100..100), {self.prob:.0%} HDI"
        return f"{title}\n{self.table.round(2).to_string(index=False, max_rows=30)}"


_SUMMARIES = ("mean", "median", "hdi_low", "hdi_high", "p_direction", "p_largest", "k_hat")


def make_weights(
    slopes: Floats,
    index: pd.DataFrame,
    *,
    k_hat: Floats | None = None,
    scale: str = "max",
    prob: float = 0.95,
) -> Weights:
    """Normalise draws of slopes, wherever they come from, and summarise them.

    Parameters
    ----------
    slopes : numpy.ndarray
        Draws of the slopes, shape (W, S), in log odds for a difference of the whole range.
    index : pandas.DataFrame
        W rows that say what each slope is: grouping columns, ``scenario, slot, attribute``, and ``context``, a number
        that is the same for the slopes to be normalised together, which stand together.
    k_hat : numpy.ndarray, optional
        Pareto k-hat for the table, shape (W,).
    scale : {"max", "l2"}
        See :func:`normalise_draws`.
    prob : float
        Probability of the highest-density interval.

    Returns
    -------
    Weights

    Raises
    ------
    ArgumentError
        If `scale` or `prob` has no usable value.
    """
    check_choice("scale", scale, SCALES)
    check_probability(prob)
    context = index["context"].to_numpy()
    values = normalise_draws(slopes, context, scale)
    table = index.drop(columns="context").reset_index(drop=True)
    found = summarise_rows(values, prob)
    for name in ("mean", "median", "hdi_low", "hdi_high"):
        table[name] = found[name]
    table["p_direction"] = find_probability_of_direction(values)
    table["p_largest"] = find_largest(slopes, context)
    table["k_hat"] = np.nan if k_hat is None else k_hat
    table.attrs["prob"] = prob
    return Weights(table, prob, scale, values)


def label_draws(values: Floats, index: pd.DataFrame, dimension: str, name: str) -> xr.DataArray:
    """Draws of shape (rows, S) as a labelled array (chain, draw, `dimension`), the index columns as coordinates."""
    import xarray as xr

    coordinates = {
        column: (dimension, index[column].to_numpy(dtype=object if index[column].dtype.kind in "OUT" else None))
        for column in index.columns
    }
    return xr.DataArray(
        values.T[None],
        dims=("chain", "draw", dimension),
        coords={"chain": [0], "draw": np.arange(values.shape[1]), **coordinates},
        name=name,
    )
