"""Used weights under two conditions: how alike they are, and which of them change their sign."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice.design import Design, build_design
from selfinterp_stats.choice.paired import PARAMETERS, PairedArrays, fit_pair
from selfinterp_stats.choice.priors import PooledPriors, resolve_priors
from selfinterp_stats.correlation.bootstrap import draw_scenario_weights
from selfinterp_stats.errors import ArgumentError, SelfInterpWarning, check_choice
from selfinterp_stats.seeding import check_draws, check_seed, make_generator
from selfinterp_stats.summaries import check_probability, summarise_rows
from selfinterp_stats.tables import Decisions, Scenarios
from selfinterp_stats.weights import label_draws, normalise_draws

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ConditionComparison", "compare_conditions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FEWEST_SCENARIOS = 2
_MEASURES = ("r", "cosine")
_RANGES = ("resampled", "these")


@dataclass(frozen=True)
class ConditionComparison:
    """Weights of each pair of conditions, from one joint model for each pair.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each pair of conditions: the grouping columns, ``condition_a, condition_b, n_weights, r_median,
        r_hdi_low, r_hdi_high, cosine_median, cosine_hdi_low, cosine_hdi_high, sign_flips_expected``; intervals are for
        scenarios like these. NaN where there are fewer than two scenarios.
    flips : pandas.DataFrame
        One row for each pair and weight: the grouping columns, ``condition_a, condition_b, scenario, slot, attribute,
        median_a, median_b`` (-100..100) and ``p_flip``, the probability that the signs differ.
    population : pandas.DataFrame
        Hyperparameters of each pair: the grouping columns, ``condition_a, condition_b, parameter, n_scenarios, mean, sd,
        median, hdi_low, hdi_high, converged``. ``rho`` is the correlation of slopes (log odds) in the population that the
        scenarios come from.
    contexts : pandas.DataFrame
        Diagnostics: the grouping columns, ``condition_a, condition_b, scenario, sampler, k_hat, ess, r_hat, mcse,
        converged``.
    left_out : pandas.DataFrame
        Trials that entered no comparison: the grouping columns, the condition, ``scenario, reason, count``.
    condition : str
        Name of the condition's column.
    prob : float
        Probability of the intervals.
    values : dict of str to numpy.ndarray
        Draws, (pairs, S) each: ``r`` and ``cosine`` for scenarios like these, ``r_these`` and ``cosine_these`` for these.
    """

    table: pd.DataFrame
    flips: pd.DataFrame
    population: pd.DataFrame
    contexts: pd.DataFrame
    left_out: pd.DataFrame
    condition: str
    prob: float
    values: dict[str, Floats]

    @property
    def draws(self) -> xr.Dataset:
        """Draws with labels, each variable of ``values`` (chain, draw, pair)."""
        import xarray as xr

        keys = list(self.table.columns[: self.table.columns.get_loc("n_weights")])
        return xr.Dataset({name: label_draws(draws, self.table[keys], "pair", name) for name, draws in self.values.items()})

    def summary(self, *, scenarios: str = "resampled") -> pd.DataFrame:
        """The table.

        Parameters
        ----------
        scenarios : {"resampled", "these"}
            ``resampled``: intervals for scenarios like these (Bayesian bootstrap). ``these``: for the very scenarios.

        Raises
        ------
        ArgumentError
            If `scenarios` is neither.
        """
        check_choice("scenarios", scenarios, _RANGES)
        if scenarios == "resampled":
            return self.table
        return _fill(self.table, {name: self.values[f"{name}_these"] for name in _MEASURES}, self.prob)

    def __str__(self) -> str:
        lines = [
            f"Used weights compared between values of {self.condition}: one joint model for each pair",
            f"  r, cosine: median and {self.prob:.0%} HDI, scenarios resampled; for these: summary(scenarios='these')",
            "  sign_flips_expected: sum over the weights of the probability that their signs differ; see .flips",
            self.table.round(3).to_string(index=False),
        ]
        unsure = int((~self.contexts["converged"]).sum())
        if unsure or not self.population["converged"].all():
            lines.append(f"  not converged: {unsure} scenarios; see .contexts and .population")
        if len(self.left_out):
            counts = self.left_out.groupby("reason")["count"].sum()
            listed = ", ".join(f"{count} trials ({reason})" for reason, count in counts.items())
            lines.append(f"  left out: {listed}; see .left_out")
        return "\n".join(lines)

    __repr__ = __str__


def compare_conditions(
    decisions: Decisions,
    scenarios: Scenarios,
    condition: str,
    *,
    by: Sequence[str] = ("base_model", "preferences"),
    priors: PooledPriors | None = None,
    inference: str = "laplace",
    prob: float = 0.95,
    draws: int = 4000,
    seed: int = 1,
) -> ConditionComparison:
    """Compare the weights that decisions reveal under different conditions.

    For each pair of conditions the scenarios that both have are fitted together. An attribute's slopes under the two are
    bivariate normal with mean zero, standard deviations tau_a and tau_b and correlation rho, all learned; intercepts
    likewise. ::

        (beta_sa, beta_sb) ~ Normal(0, [tau_a^2, rho tau_a tau_b; rho tau_a tau_b, tau_b^2])

    Weights are normalised in every draw, and r and the cosine computed from the two sides of the same draw. Correlating
    draws of two independent fits would put the noise of both into it and pull r towards zero.

    Parameters
    ----------
    decisions : Decisions
    scenarios : Scenarios
        The scenarios that they belong to.
    condition : str
        Column of the decisions whose values are compared, such as a trigger in the prompt or a temperature.
    by : sequence of str
        Columns whose values make separate comparisons.
    priors : PooledPriors, optional
        Of tau and sigma_alpha, for both conditions. Correlations are uniform in -1..1, which is LKJ(1).
    inference : {"laplace", "nuts"}
        Engine.
    prob : float
        Probability of the highest-density intervals.
    draws, seed : int
        Draws for each pair, and what makes them repeatable.

    Returns
    -------
    ConditionComparison
        Table, flips, population, diagnostics, draws, and what was left out.

    Raises
    ------
    ArgumentError
        If an argument has no usable value, or nowhere two conditions share a scenario.

    Warns
    -----
    SelfInterpWarning
        If draws of some scenarios or hyperparameters did not pass their checks.

    Examples
    --------
    >>> from selfinterp_stats import read_archive
    >>> archive = read_archive("trigger-study")  # doctest: +SKIP
    >>> print(compare_conditions(archive.decisions, archive.scenarios, "trigger"))  # doctest: +SKIP
    """
    check_choice("inference", inference, ("laplace", "nuts"))
    check_probability(prob)
    check_draws(draws)
    check_seed(seed)
    known = _check_priors(priors)
    _check_condition(decisions, condition, by)
    design = build_design(decisions, scenarios, [*by, condition])
    fit = _choose_engine(inference)
    parts: list[_Part] = []
    for label, sides in _list_pairs(design, list(by), condition):
        arrays = fit(design, sides.members, known, draws, seed, label)
        rng = make_generator(seed, "conditions", **label)
        parts.append(_compare(design, label, sides, arrays, rng, prob))
    if not parts:
        raise ArgumentError(
            "condition",
            expected="a column with two values or more that share a scenario",
            got=f"{condition!r}, with {_list_values(design.contexts[condition])}",
            remedy="choose another column, or other groups with by=",
        )
    result = _assemble(parts, condition, _count_left_out(design, list(by), condition), prob)
    _warn_unconverged(result)
    return result


@dataclass(frozen=True)
class _Sides:
    """Two conditions of a group, and their contexts of the same scenarios in the same order."""

    values: tuple[Any, Any]
    members: tuple[Ints, Ints]


@dataclass(frozen=True)
class _Part:
    label: dict[str, Any]
    n_weights: int
    flips: pd.DataFrame
    population: pd.DataFrame
    contexts: pd.DataFrame
    values: dict[str, Floats]


def _check_priors(priors: PooledPriors | None) -> PooledPriors:
    found = resolve_priors(priors, "partial")
    assert isinstance(found, PooledPriors)
    for name in ("omega", "slope_df", "lapse"):
        if getattr(found, name) is not None:
            raise ArgumentError(
                "priors", expected=f"priors without {name}", got=str(found), remedy=f"leave {name} out of the priors"
            )
    return found


def _check_condition(decisions: Decisions, condition: str, by: Sequence[str]) -> None:
    allowed = [name for name in ("base_model", "preferences", "model", *decisions.conditions) if name not in by]
    allowed = [name for name in allowed if name in decisions.frame.columns]
    if condition not in allowed:
        raise ArgumentError(
            "condition",
            expected=f"a column of the decisions ({', '.join(allowed) or 'which have none to compare'})",
            got=f"{condition!r}, which makes the groups" if condition in by else repr(condition),
            remedy="add the column to the decisions, or choose one of these",
        )


def _choose_engine(
    inference: str,
) -> Callable[[Design, tuple[Ints, Ints], PooledPriors, int, int, dict[str, Any]], PairedArrays]:
    if inference == "nuts":
        from selfinterp_stats.choice.sampled import fit_pair_by_nuts

        return fit_pair_by_nuts
    return fit_pair


def _list_pairs(design: Design, by: list[str], condition: str) -> list[tuple[dict[str, Any], _Sides]]:
    """Labels and contexts of each pair of conditions that share a scenario, group by group."""
    contexts = design.contexts
    groups: Iterable[tuple[Any, pd.DataFrame]] = contexts.groupby(by, sort=True) if by else [((), contexts)]
    found = []
    for key, group in groups:
        values = dict(zip(by, key, strict=True))
        rows = {value: part.reset_index().set_index("scenario")["index"] for value, part in group.groupby(condition)}
        for a, b in combinations(rows, 2):  # sorted, by groupby
            common = rows[a].index.intersection(rows[b].index).sort_values()
            if len(common):
                members = rows[a].loc[common].to_numpy(), rows[b].loc[common].to_numpy()
                found.append(({**values, "condition_a": a, "condition_b": b}, _Sides((a, b), members)))
    return found


def _compare(
    design: Design, label: dict[str, Any], sides: _Sides, arrays: PairedArrays, rng: np.random.Generator, prob: float
) -> _Part:
    first = sides.members[0]
    index = design.slopes[design.slopes["context"].isin(first)]
    # contexts of a condition are numbered in the order of their scenarios, and so are the slopes of both sides
    place = np.searchsorted(first, index["context"].to_numpy())
    left, right = (normalise_draws(slopes, place) for slopes in arrays.slopes)
    flips = index[["scenario", "slot", "attribute"]].reset_index(drop=True)
    flips["median_a"], flips["median_b"] = np.median(left, axis=1), np.median(right, axis=1)
    flips["p_flip"] = (np.sign(arrays.slopes[0]) != np.sign(arrays.slopes[1])).mean(axis=1)
    population = pd.DataFrame({"parameter": PARAMETERS, "n_scenarios": len(first)})
    population = population.assign(**summarise_rows(arrays.population, prob), converged=arrays.settled)
    names = design.contexts["scenario"].to_numpy(dtype=object)[first]
    contexts = arrays.scenarios.assign(scenario=names)[["scenario", *arrays.scenarios.columns]]
    counts = draw_scenario_weights(len(first), arrays.slopes.shape[2], rng).T[place]
    n_draws, enough = arrays.slopes.shape[2], len(first) >= _FEWEST_SCENARIOS
    values = {}
    for name, scenario_weights in (("", counts), ("_these", np.ones_like(counts))):
        for measure in _MEASURES:
            found = _associate(left, right, scenario_weights, centred=measure == "r")
            values[measure + name] = found if enough else np.full(n_draws, np.nan)
    return _Part(label, len(index), flips, population, contexts, values)


def _associate(x: Floats, y: Floats, weights: Floats, *, centred: bool) -> Floats:
    """Weighted correlation, or cosine, of two sides in each draw, (W, S) each to (S,)."""
    if centred:
        total = weights.sum(axis=0)
        x = x - (weights * x).sum(axis=0) / total
        y = y - (weights * y).sum(axis=0) / total
    size = np.sqrt((weights * x**2).sum(axis=0) * (weights * y**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.clip((weights * x * y).sum(axis=0) / size, -1.0, 1.0))


def _assemble(parts: list[_Part], condition: str, left_out: pd.DataFrame, prob: float) -> ConditionComparison:
    def join(name: str) -> pd.DataFrame:
        frames = []
        for part in parts:
            frame: pd.DataFrame = getattr(part, name)
            frames.append(frame.assign(**part.label)[[*part.label, *frame.columns]])
        return pd.concat(frames, ignore_index=True)

    values = {name: np.array([part.values[name] for part in parts]) for name in parts[0].values}
    table = pd.DataFrame([{**part.label, "n_weights": part.n_weights} for part in parts])
    table = _fill(table, {name: values[name] for name in _MEASURES}, prob)
    table["sign_flips_expected"] = [part.flips["p_flip"].sum() for part in parts]
    return ConditionComparison(
        table, join("flips"), join("population"), join("contexts"), left_out, condition, prob, values
    )


def _fill(table: pd.DataFrame, values: dict[str, Floats], prob: float) -> pd.DataFrame:
    """The table with medians and intervals of these draws."""
    table = table.copy()
    for measure, draws in values.items():
        known = ~np.isnan(draws).any(axis=1)
        found = summarise_rows(draws[known], prob)
        for name in ("median", "hdi_low", "hdi_high"):
            column = np.full(len(table), np.nan)
            column[known] = found[name]
            table[f"{measure}_{name}"] = column
    table.attrs["prob"] = prob
    return table


def _count_left_out(design: Design, by: list[str], condition: str) -> pd.DataFrame:
    """What the design leaves out, and scenarios of a group that only one condition has."""
    contexts = design.contexts
    conditions = contexts.groupby([*by, "scenario"])[condition].transform("size")
    lonely = contexts[conditions < 2].rename(columns={"n_trials": "count"})
    lonely = lonely.assign(reason="under one condition only")
    columns = [*by, condition, "scenario", "reason", "count"]
    parts = [frame[columns] for frame in (design.left_out, lonely) if len(frame)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _list_values(column: pd.Series) -> str:
    values = [str(value) for value in column.unique()]
    return ", ".join(values[:5]) + (" ..." if len(values) > 5 else "")


def _warn_unconverged(result: ConditionComparison) -> None:
    failed = result.contexts[~result.contexts["converged"]]
    doubtful = not result.population["converged"].all()
    if len(failed) or doubtful:
        names = ", ".join(failed["scenario"].astype(str).unique()) or "the hyperparameters"
        warnings.warn(
            f"draws of the joint models did not all pass their checks ({names}); see .contexts and .population, "
            "and try more draws or inference='nuts'",
            SelfInterpWarning,
            stacklevel=3,
        )
