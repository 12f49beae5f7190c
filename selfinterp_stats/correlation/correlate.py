"""Correlate used weights with reported or target weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice import ChoiceFit
from selfinterp_stats.correlation.bootstrap import draw_correlations
from selfinterp_stats.correlation.exclusion import read_exclusions
from selfinterp_stats.correlation.gaussian import find_slope_posterior
from selfinterp_stats.correlation.pairing import Pairs, pair_reports, pair_targets
from selfinterp_stats.errors import ArgumentError, check_choice
from selfinterp_stats.seeding import check_draws, check_seed, make_generator
from selfinterp_stats.summaries import check_probability, find_hdi
from selfinterp_stats.tables import PREFERENCES, REPORTERS, Reports, Targets
from selfinterp_stats.weights import label_draws

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Correlations", "correlate"]

Floats = NDArray[np.float64]

_METHODS = ("paper",)
_ESTIMATES = (
    "pearson_r",
    "slope_median",
    "slope_hdi_low",
    "slope_hdi_high",
    "cluster_r_low",
    "cluster_r_high",
)


@dataclass(frozen=True)
class Correlations:
    """Correlations of used weights with something else.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each correlation and method: the keys, ``method, reports_kept`` (valid replies behind it),
        ``scenarios_kept, n_weights, pearson_r, slope_median, slope_hdi_low, slope_hdi_high, cluster_r_low,
        cluster_r_high``. NaN where a quantity is not identified.
    points : pandas.DataFrame
        The scenario-attributes behind them: the keys, ``model, scenario, slot, attribute, used, other`` (-100..100) and
        ``used_z, other_z`` (standard deviations).
    left_out : pandas.DataFrame
        What entered no correlation: the keys, ``scenario, reason, unit`` ("replies" or "weights") and ``count``.
    prob : float
        Probability of all intervals.
    slope_draws, cluster_draws : numpy.ndarray
        Draws of the slope and of the bootstrapped r, shape (rows of the table, draws).
    """

    table: pd.DataFrame
    points: pd.DataFrame
    left_out: pd.DataFrame
    prob: float
    slope_draws: Floats
    cluster_draws: Floats

    @property
    def draws(self) -> xr.Dataset:
        """Draws with labels: ``slope`` and ``cluster_r``, each (chain, draw, correlation)."""
        import xarray as xr

        index = self.table.drop(columns=["reports_kept", "scenarios_kept", "n_weights", *_ESTIMATES])
        return xr.Dataset(
            {
                "slope": label_draws(self.slope_draws, index, "correlation", "slope"),
                "cluster_r": label_draws(self.cluster_draws, index, "correlation", "cluster_r"),
            }
        )

    def summary(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def select(self, **values: str) -> Correlations:
        """Some of the correlations, by the values of their keys, such as ``preferences="native"``.

        Raises
        ------
        ArgumentError
            If a name is no column of the table.
        """
        unknown = sorted(set(values) - set(self.table.columns))
        if unknown:
            raise ArgumentError(
                unknown[0],
                expected=f"a column of the table ({', '.join(self.table.columns)})",
                got="none",
                remedy="see .table",
            )
        rows = _matches(self.table, values)
        return replace(
            self,
            table=self.table[rows].reset_index(drop=True),
            points=self.points[_matches(self.points, values)].reset_index(drop=True),
            left_out=self.left_out[_matches(self.left_out, values)].reset_index(drop=True),
            slope_draws=self.slope_draws[rows],
            cluster_draws=self.cluster_draws[rows],
        )

    def __str__(self) -> str:
        lines = [
            "Correlation of used weights with reported or target weights",
            f"  slope: Gaussian regression of used on reported z-scores, brms' default priors; median, {self.prob:.0%} HDI",
            f"  cluster: Pearson's r under a Bayesian bootstrap over scenarios, {self.prob:.0%} HDI",
            self.table.round(3).to_string(index=False),
        ]
        if len(self.left_out):
            counts = self.left_out.groupby(["reason", "unit"])["count"].sum().reset_index()
            listed = ", ".join(f"{count} {unit} ({reason})" for reason, unit, count in counts.itertuples(index=False))
            lines.append(f"  left out: {listed}; see .left_out")
        return "\n".join(lines)

    __repr__ = __str__


def correlate(
    fit: ChoiceFit,
    reports_or_targets: Reports | Targets,
    *,
    by: Sequence[str] = ("reporter",),
    method: Sequence[str] = ("paper",),
    exclude: pd.DataFrame | Sequence[str] | None = None,
    prob: float = 0.95,
    draws: int = 4000,
    seed: int = 1,
) -> Correlations:
    """Correlate the weights that decisions reveal with weights that were reported, or that were aimed at.

    Method ``paper`` follows Plunkett, Morris, Reddy and Morales (2025, arXiv 2505.17120): posterior means of the slopes,
    normalised and rounded (``fit.plug_in()``), are z-scored within each group of the fit; valid reports are averaged for
    each reporting model, scenario and attribute and z-scored for each reporting model and group; the two are joined on
    what both have and the used weights regressed on the reports under brms' default priors. That regression takes all
    attributes as independent and both sides as free of error. Beside it stands Pearson's r under a Bayesian bootstrap
    over scenarios, which does not need the first; neither method removes the second, which pulls both towards zero.

    Parameters
    ----------
    fit : ChoiceFit
        Used weights, from ``fit_choices``.
    reports_or_targets : Reports or Targets
        What to compare them with.
    by : sequence of str
        Columns of the reports that make separate correlations, besides the groups of the fit; ``("reporter",)`` puts all
        models of a reporter together, as the two halves of an introspection-trained model. Not used for targets.
    method : sequence of {"paper"}
        Estimators, one row of the table each.
    exclude : pandas.DataFrame or sequence of str, optional
        Scenarios to leave out, by name or as a table with ``scenario``, any of the fit's grouping columns and, as a
        reason, ``verdict``: what ``check_decisions(fit).select("position-locked")`` gives. They enter no average and no
        z-score, and are counted in ``left_out``.
    prob : float
        Probability of the intervals.
    draws, seed : int
        Draws to make, and what makes them repeatable.

    Returns
    -------
    Correlations
        Table, points, draws, and what was left out.

    Raises
    ------
    ArgumentError
        If an argument has no usable value.

    Notes
    -----
    The slope's posterior is a mixture of normals that is symmetric around least squares, so its median is the least
    squares slope and its interval is computed by quadrature; the draws are independent draws of the same posterior.
    """
    check_probability(prob)
    check_draws(draws)
    check_seed(seed)
    for name in method:
        check_choice("method", name, _METHODS)
    excluded = read_exclusions(fit, exclude)
    if isinstance(reports_or_targets, Reports):
        pairs = pair_reports(fit, reports_or_targets, by, excluded)
    elif isinstance(reports_or_targets, Targets):
        pairs = pair_targets(fit, reports_or_targets, excluded)
    else:
        raise ArgumentError(
            "reports_or_targets",
            expected="Reports or Targets",
            got=type(reports_or_targets).__name__,
            remedy="make them with make_reports or make_targets",
        )
    return _estimate(pairs, prob, draws, seed)


def _estimate(pairs: Pairs, prob: float, draws: int, seed: int) -> Correlations:
    keys = list(pairs.keys)
    rows: list[dict[str, object]] = []
    slopes: list[Floats] = []
    clusters: list[Floats] = []
    for _, entry in _in_order(pairs.kept, keys).iterrows():
        points = pairs.points[_matches(pairs.points, {key: entry[key] for key in keys})]
        points = points.sort_values(["scenario", "slot", "model"], ignore_index=True)
        rng = make_generator(seed, "correlate", **{key: entry[key] for key in keys})
        x, y = points["other_z"].to_numpy(dtype=np.float64), points["used_z"].to_numpy(dtype=np.float64)
        posterior = find_slope_posterior(x, y)
        low, high = posterior.find_interval(prob)
        slopes.append(posterior.sample(draws, rng))
        clusters.append(draw_correlations(points, draws, rng))
        cluster_low, cluster_high = _find_interval(clusters[-1], prob)
        estimates = (_pearson(x, y), posterior.mean, low, high, cluster_low, cluster_high)
        rows.append(
            {
                **{key: entry[key] for key in keys},
                "method": "paper",
                "reports_kept": int(entry["reports_kept"]),
                "scenarios_kept": int(points["scenario"].nunique()),
                "n_weights": len(points),
                **dict(zip(_ESTIMATES, estimates, strict=True)),
            }
        )
    columns = [*keys, "method", "reports_kept", "scenarios_kept", "n_weights", *_ESTIMATES]
    table = pd.DataFrame(rows, columns=columns)
    table.attrs["prob"] = prob
    empty = np.empty((0, draws))
    return Correlations(
        table=table,
        points=pairs.points,
        left_out=pairs.left_out,
        prob=prob,
        slope_draws=np.stack(slopes) if slopes else empty,
        cluster_draws=np.stack(clusters) if clusters else empty,
    )


def _in_order(kept: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Rows sorted by their keys, preferences and reporters in the order of the study."""
    ranks = {name: i for i, name in enumerate((*PREFERENCES, *REPORTERS))}

    def rank(column: pd.Series) -> pd.Series:
        return column.map(lambda value: (ranks.get(value, len(ranks)), str(value)))

    return kept.sort_values(keys, key=rank, ignore_index=True) if keys else kept


def _matches(frame: pd.DataFrame, values: Mapping[str, object]) -> NDArray[np.bool_]:
    """Rows that have the given values, as far as the frame has such columns."""
    inside = np.ones(len(frame), dtype=bool)
    for column in set(values) & set(frame.columns):
        inside &= (frame[column] == values[column]).to_numpy()
    return inside


def _pearson(x: Floats, y: Floats) -> float:
    dx, dy = (x - x.mean(), y - y.mean()) if len(x) else (x, y)
    size = float(np.sqrt(np.sum(dx**2) * np.sum(dy**2)))
    return float(np.clip(np.sum(dx * dy) / size, -1.0, 1.0)) if size > 0 else float("nan")


def _find_interval(draws: Floats, prob: float) -> tuple[float, float]:
    if np.isnan(draws).any():
        return float("nan"), float("nan")
    low, high = find_hdi(draws, prob)
    return float(low), float(high)
