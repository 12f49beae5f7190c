"""The effect of introspection training on how well reports match what was used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.correlation.bootstrap import draw_scenario_weights
from selfinterp_stats.correlation.correlate import Correlations
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.regression import estimate_trends, fit_regression
from selfinterp_stats.seeding import check_draws, check_seed, make_generator
from selfinterp_stats.summaries import (
    check_probability,
    find_hdi,
    find_probability_of_direction,
    find_weighted_correlation,
    find_weighted_slope,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["TrainingEffects", "estimate_training_effects"]

Floats = NDArray[np.float64]

_BEFORE, _AFTER = "preference-trained", "introspection-trained"
_FEWEST_SCENARIOS = 2
_KNOWN = (
    "base_model",
    "preferences",
    "reporter",
    "model",
    "scenario",
    "slot",
    "attribute",
    "used",
    "other",
    "used_z",
    "other_z",
)
_INDEX = ["preferences", "method", "contrast"]


@dataclass(frozen=True)
class TrainingEffects:
    """Slopes of used on reported weights after introspection training less those before.

    Attributes
    ----------
    table : pandas.DataFrame
        ``preferences, method, contrast, estimate_median, hdi_low, hdi_high, p_direction``; NaN where the data do not
        identify a contrast.
    values : numpy.ndarray
        Draws, (rows, S).
    prob : float
        Probability of the intervals.
    notes : tuple of str
        What was left out of a model, and why.
    """

    table: pd.DataFrame
    values: Floats
    prob: float
    notes: tuple[str, ...]

    @property
    def draws(self) -> xr.DataArray:
        """Draws with labels: dimensions chain (one), draw and contrast."""
        from selfinterp_stats.weights import label_draws

        index = self.table[_INDEX].rename(columns={"contrast": "levels"})
        return label_draws(self.values, index, "contrast", "effect")

    def summary(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def __str__(self) -> str:
        lines = [
            "Effect of introspection training on the slope of used on reported weights (z-scores)",
            self.table.round(3).to_string(index=False),
            f"{self.prob:.0%} HDI; clustered: common scenarios, resampled (Bayesian bootstrap); clustered_r: Pearson's r",
            *self.notes,
        ]
        return "\n".join(lines)

    __repr__ = __str__


def estimate_training_effects(
    correlations: Correlations, *, prob: float = 0.95, draws: int = 4000, seed: int = 1
) -> TrainingEffects:
    """Compare reports of introspection-trained models with those of the same models before that training.

    Method ``paper`` is the published one: the regression ``used_z ~ reported_z * trained * base_model`` under brms' default
    priors, slopes averaged over base models with equal weights. Every used weight stands in it twice, once beside
    each report, as if these were independent; their residuals are not. Method ``clustered`` is the same difference of
    slopes over the scenarios that both models reported on, under a Bayesian bootstrap over scenarios, in which all rows
    of a scenario have one weight; ``clustered_r`` is the difference of Pearson's r in the same draws.

    Parameters
    ----------
    correlations : Correlations
        Of used with reported weights, from ``correlate``, with the reporters apart.
    prob : float
        Probability of the intervals.
    draws, seed : int
        Draws to make, and what makes them repeatable.

    Returns
    -------
    TrainingEffects
        One contrast for each kind of preferences and method, and, where a base model has several introspection-trained
        models, as one for each half of the scenarios, one for each of these.

    Raises
    ------
    ArgumentError
        If the correlations are not by reporter, or an argument has no usable value.
    """
    check_probability(prob)
    check_draws(draws)
    check_seed(seed)
    points = _check_points(correlations)
    points = points.astype({key: "str" for key in ("base_model", "preferences") if key in points})
    points = points.assign(**{key: "" for key in ("base_model", "preferences") if key not in points})
    kept = points[points["reporter"].isin([_BEFORE, _AFTER])]
    rows: list[dict[str, object]] = []
    values: list[Floats] = []
    notes: list[str] = []
    for preferences in sorted(kept["preferences"].unique(), key=str):
        group = kept[kept["preferences"] == preferences]
        for contrast, part in _find_comparisons(group):
            rng = make_generator(seed, "training", preferences=preferences, contrast=contrast)
            number = int(rng.integers(2**31))
            found = {"paper": _estimate_as_published(part, draws, number), **_resample(part, draws, rng)}
            rows += [{"preferences": preferences, "method": method, "contrast": contrast} for method in found]
            values += found.values()
        models = _find_comparable(group)
        if len(models) == 1:
            notes.append(f"{preferences}: one base model ({models[0]}), so the factor base_model is left out")
    return _summarise(rows, np.array(values) if values else np.empty((0, draws)), prob, tuple(notes))


def _check_points(correlations: Correlations) -> pd.DataFrame:
    if not isinstance(correlations, Correlations):
        raise ArgumentError(
            "correlations",
            expected="Correlations",
            got=type(correlations).__name__,
            remedy="pass correlate(fit, reports)",
        )
    points = correlations.points
    others = [name for name in points.columns if name not in _KNOWN]
    if "reporter" not in points or others:
        raise ArgumentError(
            "correlations",
            expected="correlations by base model, preferences and reporter",
            got=f"those by {', '.join(others)}" if others else "those of all reporters together",
            remedy="pass correlate(fit, reports), of one condition at a time",
        )
    return points


def _find_comparable(group: pd.DataFrame) -> list[str]:
    """Base models with reports both before and after."""
    return [str(name) for name, part in group.groupby("base_model") if part["reporter"].nunique() == 2]


def _find_comparisons(group: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Contrasts and the points that they are about; none where one side has no points."""
    both = _find_comparable(group)
    if not both:
        return []
    group = group[group["base_model"].isin(both)]
    after, before = group["reporter"] == _AFTER, group["reporter"] == _BEFORE
    comparisons = [(f"{_AFTER} - {_BEFORE}", group)]
    for base_model in both:
        own = group["base_model"] == base_model
        models = sorted(group.loc[own & after, "model"].unique(), key=str)
        if len(models) > 1:
            for model in models:
                part = group[own & (before | (group["model"] == model))]
                comparisons.append((f"{_AFTER} ({model}) - {_BEFORE}", part))
    return comparisons


def _estimate_as_published(points: pd.DataFrame, draws: int, seed: int) -> Floats:
    table = pd.DataFrame(
        {
            "used_z": points["used_z"],
            "reported_z": points["other_z"],
            "trained": points["reporter"] == _AFTER,
            "base_model": points["base_model"].astype(str),
        }
    )
    several = table["base_model"].nunique() > 1
    formula = "used_z ~ reported_z * trained" + (" * base_model" if several else "")
    try:
        fit = fit_regression(formula, table, draws=draws, seed=seed)
    except ArgumentError:  # too few rows, or reports that are all the same in some cell
        return np.full(draws, np.nan)
    trends = estimate_trends(fit, "reported_z", by="trained", over=["base_model"] if several else [])
    return np.asarray(trends.contrast("revpairwise").values[0])


def _resample(points: pd.DataFrame, draws: int, rng: np.random.Generator) -> dict[str, Floats]:
    """Differences of slope and of r over common scenarios, scenarios weighted at random, base models equally."""
    differences: dict[str, list[Floats]] = {"clustered": [], "clustered_r": []}
    names, scenario = np.unique(points["scenario"].to_numpy(dtype=object), return_inverse=True)
    weights = draw_scenario_weights(len(names), draws, rng)
    for _, part in points.assign(number=scenario).groupby("base_model"):
        sides = dict(iter(part.groupby("reporter")))
        common = set(sides[_BEFORE]["number"]) & set(sides[_AFTER]["number"])
        found: dict[str, tuple[Floats, Floats]] = {}
        for side, rows in sides.items():
            rows = rows[rows["number"].isin(common)]
            x, y = rows["other_z"].to_numpy(np.float64), rows["used_z"].to_numpy(np.float64)
            own = weights[:, rows["number"].to_numpy()]
            enough = len(common) >= _FEWEST_SCENARIOS
            estimates = (find_weighted_slope(x, y, own), find_weighted_correlation(x, y, own)) if enough else None
            found[str(side)] = estimates or (np.full(draws, np.nan), np.full(draws, np.nan))
        for place, method in enumerate(differences):
            differences[method].append(found[_AFTER][place] - found[_BEFORE][place])
    return {method: np.mean(parts, axis=0) for method, parts in differences.items()}


def _summarise(rows: list[dict[str, object]], values: Floats, prob: float, notes: tuple[str, ...]) -> TrainingEffects:
    table = pd.DataFrame(rows, columns=_INDEX)
    known = ~np.isnan(values).any(axis=1)
    for name in ("estimate_median", "hdi_low", "hdi_high", "p_direction"):
        table[name] = np.nan
    if known.any():
        low, high = find_hdi(values[known], prob)
        table.loc[known, "estimate_median"] = np.median(values[known], axis=1)
        table.loc[known, "hdi_low"], table.loc[known, "hdi_high"] = low, high
        table.loc[known, "p_direction"] = find_probability_of_direction(values[known])
    table.attrs["prob"] = prob
    return TrainingEffects(table, values, prob, notes)
