"""Slopes at the levels of a factor, and their differences: emtrends and contrast of emmeans, on draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError, check_choice
from selfinterp_stats.regression.fit import RegressionFit
from selfinterp_stats.regression.formula import Design
from selfinterp_stats.summaries import find_probability_of_direction, summarise_rows

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Contrasts", "Trends", "estimate_trends"]

Floats = NDArray[np.float64]

_STEP = 1e-3  # of the variable's range, around its mean, as emmeans takes it


@dataclass(frozen=True)
class _Rows:
    """Labelled rows of draws with one summary; what trends and contrasts share."""

    index: pd.DataFrame
    values: Floats
    prob: float

    @property
    def draws(self) -> xr.DataArray:
        """Draws with labels: dimensions chain (one), draw and row."""
        from selfinterp_stats.weights import label_draws

        return label_draws(self.values, self.index, "row", "estimate")

    def summary(self) -> pd.DataFrame:
        """The labels and ``median, hdi_low, hdi_high, p_direction``."""
        found = summarise_rows(self.values, self.prob)
        columns = {name: found[name] for name in ("median", "hdi_low", "hdi_high")}
        table = self.index.assign(**columns, p_direction=find_probability_of_direction(self.values))
        table.attrs["prob"] = self.prob
        return table

    def _write(self, title: str) -> str:
        return f"{title}\n{self.summary().round(3).to_string(index=False)}\n{self.prob:.0%} HDI"


@dataclass(frozen=True, repr=False)
class Contrasts(_Rows):
    """Differences of trends.

    Attributes
    ----------
    index : pandas.DataFrame
        Column ``contrast``, such as ``"True - False"``.
    values : numpy.ndarray
        Draws, (rows, S).
    prob : float
        Probability of the intervals.
    """

    def __str__(self) -> str:
        return self._write("Contrasts")

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Trends(_Rows):
    """Slopes of a variable.

    Attributes
    ----------
    index : pandas.DataFrame
        The levels that each slope is for, one column for each factor of ``by``.
    values : numpy.ndarray
        Draws, (rows, S), in units of the response (log odds for Bernoulli) for one unit of the variable.
    prob : float
        Probability of the intervals.
    variable : str
    note : str
        What was averaged over, and how.
    """

    variable: str
    note: str

    def contrast(self, method: str = "revpairwise", *, between: Sequence[object] | None = None) -> Contrasts:
        """Differences between the slopes, draw by draw.

        Parameters
        ----------
        method : {"revpairwise", "pairwise"}
            ``revpairwise``: later level minus earlier one; ``pairwise``: the reverse.
        between : sequence of two, optional
            Two levels, the first less the second, in place of all pairs; for a single factor.

        Raises
        ------
        ArgumentError
            If a level is not there, or there is a single slope.
        """
        check_choice("method", method, ("revpairwise", "pairwise"))
        labels = [" ".join(map(str, row)) for row in self.index.itertuples(index=False)]
        if between is not None and len(between) != 2:
            raise ArgumentError(
                "between", expected="two levels", got=repr(between), remedy="pass between=(True, False), for example"
            )
        if between is not None:
            pairs = [tuple(_find_level(level, labels) for level in between)]
        else:
            pairs = [(j, i) if method == "revpairwise" else (i, j) for i, j in combinations(range(len(labels)), 2)]
        if not pairs:
            raise ArgumentError(
                "method",
                expected="at least two slopes to contrast",
                got=f"one ({labels[0] or 'no factor'})",
                remedy="estimate the trends by a factor: by='trained', for example",
            )
        index = pd.DataFrame({"contrast": [f"{labels[i]} - {labels[j]}" for i, j in pairs]})
        values = np.array([self.values[i] - self.values[j] for i, j in pairs])
        return Contrasts(index, values, self.prob)

    def __str__(self) -> str:
        return self._write(f"Slopes of {self.variable}{self.note}")

    __repr__ = __str__


def _find_level(level: object, labels: Sequence[str]) -> int:
    if str(level) not in labels:
        raise ArgumentError(
            "between",
            expected=f"two of the levels {', '.join(labels)}",
            got=repr(level),
            remedy="see .index",
        )
    return labels.index(str(level))


def estimate_trends(
    fit: RegressionFit,
    variable: str,
    *,
    by: str | Sequence[str] = (),
    over: str | Sequence[str] = (),
    weights: str = "equal",
) -> Trends:
    """Slope of a variable at each level of some factors, averaged over others.

    What emmeans::emtrends computes, from the draws: the derivative of the linear predictor, by a difference of a thousandth
    of the variable's range around its mean, other numeric variables at their means and group-specific terms left out.

    Parameters
    ----------
    fit : RegressionFit
    variable : str
        A numeric column.
    by : str or sequence of str
        Factors with a slope for each combination of their levels.
    over : str or sequence of str
        Factors to average over. Factors of the model that are named in neither are averaged over as well.
    weights : {"equal", "proportional"}
        Every combination of the levels of ``over`` counts the same, or as often as it occurs.

    Returns
    -------
    Trends

    Raises
    ------
    ArgumentError
        If a name is no variable of the model, or not of the kind that is needed.

    Notes
    -----
    Columns of numbers are numeric here whatever their values; emmeans takes those with two values as factors.

    Source: Lenth (2024), "emmeans: Estimated Marginal Means, aka Least-Squares Means", R package.
    """
    check_choice("weights", weights, ("equal", "proportional"))
    by = (by,) if isinstance(by, str) else tuple(by)
    over = (over,) if isinstance(over, str) else tuple(over)
    design = fit.design
    factors = _check_names(design, variable, by, over)
    levels = {name: list(design.data[name].cat.categories) for name in factors}
    step = _STEP * float(np.ptp(design.data[variable]))
    cells = pd.DataFrame(list(product(*levels.values())), columns=list(levels)) if levels else pd.DataFrame(index=[0])
    slopes = _slope_functional(design, variable, cells, step) @ fit.coefficient_draws
    shares = _find_shares(design, cells, by, weights)
    if by:
        groups = cells.groupby(list(by), observed=False, sort=False).indices
        index = pd.DataFrame([key if isinstance(key, tuple) else (key,) for key in groups], columns=list(by))
        rows = list(groups.values())
    else:
        index, rows = pd.DataFrame({"trend": [variable]}), [np.arange(len(cells))]
    values = np.array([shares[row] @ slopes[row] / shares[row].sum() for row in rows])
    rest = [name for name in factors if name not in by]
    note = f", averaged over {', '.join(rest)} ({weights} weights)" if rest else ""
    return Trends(index, values, fit.prob, variable, note)


def _check_names(design: Design, variable: str, by: Sequence[str], over: Sequence[str]) -> list[str]:
    """Factors of the model, by first; every name is there and of the right kind."""
    known = design.variables
    numeric = [name for name in known if not isinstance(design.data[name].dtype, pd.CategoricalDtype)]
    factors = [name for name in known if name not in numeric]
    for argument, names, allowed, kind in (
        ("variable", [variable], numeric, "a numeric variable"),
        ("by", by, factors, "factors"),
        ("over", over, [name for name in factors if name not in by], "other factors"),
    ):
        wrong = [name for name in names if name not in allowed]
        if wrong:
            raise ArgumentError(
                argument,
                expected=f"{kind} of the model ({', '.join(allowed) or 'it has none'})",
                got=", ".join(map(repr, wrong)),
                remedy="see the formula",
            )
    return [*by, *(name for name in factors if name not in by)]


def _slope_functional(design: Design, variable: str, cells: pd.DataFrame, step: float) -> Floats:
    """Rows that turn coefficients into slopes, (cells, P)."""
    grid = pd.DataFrame(index=range(len(cells)))
    for name in design.data.columns:
        column = design.data[name]
        if name in cells:
            grid[name] = pd.Categorical(cells[name], categories=column.cat.categories)
        elif not isinstance(column.dtype, pd.CategoricalDtype):
            grid[name] = float(column.mean())
        else:  # of group-specific terms alone: any level will do
            grid[name] = pd.Categorical([column.cat.categories[0]] * len(cells), categories=column.cat.categories)
    centre = grid[variable].to_numpy()
    try:
        ends = [design.evaluate(grid.assign(**{variable: centre + side * step / 2})) for side in (-1.0, 1.0)]
    except Exception as error:  # a term such as C(k), whose levels are those of a numeric column
        raise ArgumentError(
            "fit",
            expected="factors that are category, text or logical columns",
            got=f"a term that has no value at the mean of a column ({error})",
            remedy="make it a category in the table: astype('category')",
        ) from error
    return np.asarray((ends[1] - ends[0]) / step)


def _find_shares(design: Design, cells: pd.DataFrame, by: Sequence[str], weights: str) -> Floats:
    """Weight of each cell; proportional ones are those of the cells of all factors that are averaged over."""
    rest = [name for name in cells.columns if name not in by]
    if weights == "equal" or not rest:
        return np.ones(len(cells))
    counts = design.data.groupby(rest, observed=False).size()
    keys = cells[rest].itertuples(index=False, name=None)
    return np.array([float(counts[key if len(rest) > 1 else key[0]]) for key in keys])
