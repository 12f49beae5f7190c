"""A fitted choice model: draws, diagnostics, the data it came from, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice.priors import ChoicePriors, PooledPriors
from selfinterp_stats.containers import make_inference_data
from selfinterp_stats.summaries import check_probability, summarise_rows
from selfinterp_stats.tables import Decisions, Scenarios
from selfinterp_stats.weights import Weights, label_draws, make_weights

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ChoiceFit", "ChoiceSpec"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChoiceSpec:
    """What was fitted and how.

    Attributes
    ----------
    by : tuple of str
        Columns whose values make the groups.
    pooling : str
        ``none``: every scenario by itself; ``partial``: the scenarios of a group share a learned spread of slopes.
    response : str
        ``choice``, or ``probability`` where the probabilities of A were taken.
    truncation : float
        How close to 0 or 1 a probability is a bound.
    priors : ChoicePriors or PooledPriors
        Priors in force.
    inference : str
        The engine.
    draws, seed : int
        Draws for each scenario, and the seed that makes them repeatable.
    """

    by: tuple[str, ...]
    pooling: str
    response: str
    truncation: float
    priors: ChoicePriors | PooledPriors
    inference: str
    draws: int
    seed: int


@dataclass(frozen=True)
class ChoiceFit:
    """Posterior of a choice model.

    A *context* is a scenario in a group; slopes are log odds of choosing A for a difference (A - B) of the attribute's
    whole range, intercepts are log odds of choosing A between equal options.

    Attributes
    ----------
    spec : ChoiceSpec
        The model.
    decisions : Decisions
    scenarios : Scenarios
        The data.
    contexts : pandas.DataFrame
        One row for each context: the grouping columns, ``scenario, n_trials, n_attributes, share_a, sampler``
        ("importance", "adapted", "slice" or "nuts"), ``k_hat, ess, r_hat, mcse, converged, intercept_mcse``. ``ess`` is
        that of the importance weights, or the smallest of the chains' bulk and tail sizes; ``mcse`` the largest
        Monte-Carlo standard error of a mean in units of that parameter's posterior sd.
    slopes : pandas.DataFrame
        One row for each slope: the grouping columns, ``scenario, slot, attribute, context`` and ``mcse`` (of the mean,
        in log odds).
    slope_draws : numpy.ndarray
        Shape (slopes, draws).
    intercept_draws : numpy.ndarray
        Shape (contexts, draws).
    left_out : pandas.DataFrame
        Trials that entered no context: the grouping columns, ``scenario, reason, count``.
    population : pandas.DataFrame
        Under partial pooling one row for each group and hyperparameter: the grouping columns, ``parameter`` ("tau",
        "sigma_alpha", ...), ``n_scenarios``, ``mcse`` (of the mean) and ``converged``.
    population_draws : numpy.ndarray
        Draws of the hyperparameters, on their own scale, joint with all others; shape (rows of `population`, draws).
    """

    spec: ChoiceSpec
    decisions: Decisions
    scenarios: Scenarios
    contexts: pd.DataFrame
    slopes: pd.DataFrame
    slope_draws: Floats
    intercept_draws: Floats
    left_out: pd.DataFrame
    population: pd.DataFrame
    population_draws: Floats

    @property
    def draws(self) -> xr.Dataset:
        """Equally weighted draws.

        ``slope`` (chain, draw, weight), ``intercept`` (chain, draw, context) and, under partial pooling, ``population``
        (chain, draw, hyperparameter).
        """
        import xarray as xr

        names = [*self.spec.by, "scenario"]
        slope_index = self.slopes[[*names, "slot", "attribute"]]
        # the two index tables share column names, so those of the contexts carry a prefix
        context_index = self.contexts[names].add_prefix("context_")
        variables = {
            "slope": label_draws(self.slope_draws, slope_index, "weight", "slope"),
            "intercept": label_draws(self.intercept_draws, context_index, "context", "intercept"),
        }
        if len(self.population):
            index = self.population[[*self.spec.by, "parameter"]].add_prefix("population_")
            variables["population"] = label_draws(self.population_draws, index, "hyperparameter", "population")
        return xr.Dataset(variables)

    def weights(self, *, scale: str = "max", prob: float = 0.95) -> Weights:
        """Used weights, normalised in every draw and then summarised.

        Parameters
        ----------
        scale : {"max", "l2"}
            ``max``: over the largest absolute slope of the scenario, times 100. ``l2``: over the Euclidean length.
        prob : float
            Probability of the highest-density interval.

        Returns
        -------
        Weights
            Table and draws, -100 to 100.

        Raises
        ------
        ArgumentError
            If an argument has no usable value.
        """
        k_hat = self.contexts["k_hat"].to_numpy()[self.slopes["context"].to_numpy()]
        index = self.slopes.drop(columns="mcse")
        return make_weights(self.slope_draws, index, k_hat=k_hat, scale=scale, prob=prob)

    def plug_in(self) -> pd.DataFrame:
        """The paper's point estimates: posterior means, over the largest absolute one of the scenario, times 100, rounded.

        They are not posterior means of the normalised weights and carry no uncertainty; ``weights()`` does both properly.

        Returns
        -------
        pandas.DataFrame
            The grouping columns, ``scenario, slot, attribute, plug_in`` (whole numbers, -100 to 100).
        """
        table = self.slopes.drop(columns=["context", "mcse"]).copy()
        mean = pd.Series(self.slope_draws.mean(axis=1))
        size = mean.abs().groupby(self.slopes["context"].to_numpy()).transform("max")
        table["plug_in"] = np.round(100.0 * (mean / size.where(size > 0, 1.0)).to_numpy()).astype(np.int64)
        return table

    def summary(self, *, prob: float = 0.95) -> pd.DataFrame:
        """Posterior of intercepts and slopes on the log-odds scale.

        Parameters
        ----------
        prob : float
            Probability of the highest-density interval.

        Returns
        -------
        pandas.DataFrame
            One row for each coefficient, the intercept of a context (slot 0) before its slopes: the grouping columns,
            ``scenario, slot, attribute, mean, sd, median, hdi_low, hdi_high, mcse, ess, k_hat``.
        """
        check_probability(prob)
        names = [*self.spec.by, "scenario"]
        intercepts = self.contexts[names].assign(slot=0, attribute="(intercept)", mcse=self.contexts["intercept_mcse"])
        intercepts["context"] = np.arange(len(intercepts))
        table = pd.concat([intercepts, self.slopes], ignore_index=True)
        parts = [summarise_rows(values, prob) for values in (self.intercept_draws, self.slope_draws)]
        table = table.assign(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        for column in ("ess", "k_hat"):
            table[column] = self.contexts[column].to_numpy()[table["context"]]
        table = table.sort_values(["context", "slot"], kind="stable", ignore_index=True)
        table.attrs["prob"] = prob
        summaries = ["mean", "sd", "median", "hdi_low", "hdi_high", "mcse", "ess", "k_hat"]
        return table[[*names, "slot", "attribute", *summaries]]

    def describe_population(self, *, prob: float = 0.95) -> pd.DataFrame:
        """Posterior of the hyperparameters.

        Parameters
        ----------
        prob : float
            Probability of the highest-density interval.

        Returns
        -------
        pandas.DataFrame
            The grouping columns, ``parameter, n_scenarios, mean, sd, median, hdi_low, hdi_high, mcse``; scales are log odds
            for a difference of an attribute's whole range. No rows without pooling.
        """
        check_probability(prob)
        table = self.population.assign(**summarise_rows(self.population_draws, prob))
        table.attrs["prob"] = prob
        summaries = ["mean", "sd", "median", "hdi_low", "hdi_high", "mcse"]
        return table[[*self.spec.by, "parameter", "n_scenarios", *summaries]]

    def describe_consistency(self, *, prob: float = 0.95) -> pd.DataFrame:
        """Posterior of each context's consistency, the largest absolute slope: log odds that a whole range is worth.

        Parameters
        ----------
        prob : float
            Probability of the highest-density interval.

        Returns
        -------
        pandas.DataFrame
            One row for each context: the grouping columns, ``scenario, mean, median, hdi_low, hdi_high``.
        """
        check_probability(prob)
        starts = np.flatnonzero(np.r_[True, np.diff(self.slopes["context"].to_numpy()) != 0])
        values = np.maximum.reduceat(np.abs(self.slope_draws), starts, axis=0)
        found = summarise_rows(values, prob)
        del found["sd"]
        table = self.contexts[[*self.spec.by, "scenario"]].assign(**found)
        table.attrs["prob"] = prob
        return table

    def to_netcdf(self, path: str | Path, *, dtype: str = "float64") -> None:
        """Write the fit with its data to a netCDF file; ``read_fit`` gives it back, ArviZ reads its posterior.

        Parameters
        ----------
        path : str or pathlib.Path
            A file that does not exist yet.
        dtype : {"float64", "float32"}
            Precision of the stored draws.

        Raises
        ------
        ArgumentError
            If the file exists or `dtype` is neither.
        """
        from selfinterp_stats.choice.storage import write_fit  # it needs this class

        write_fit(self, path, dtype=dtype)

    def to_inference_data(self) -> Any:
        """ArviZ InferenceData with the posterior."""
        return make_inference_data({"posterior": self.draws})

    def __str__(self) -> str:
        spec, contexts = self.spec, self.contexts
        n_groups = len(contexts.drop_duplicates(list(spec.by))) if spec.by else 1
        exact = contexts[contexts["sampler"] == "slice"]
        lines = [
            "Choice model: logit P(chose A) = alpha_s + sum_a beta_sa x_sat",
            f"  Groups by:   {', '.join(spec.by) or 'nothing'} ({n_groups})",
            f"  Data:        {len(contexts):,} scenarios, {int(contexts['n_trials'].sum()):,} trials, "
            f"{len(self.slopes):,} slopes",
            f"  Pooling:     {spec.pooling}",
            f"  Priors:      {spec.priors}",
            f"  Inference:   {spec.inference}, {spec.draws:,} draws a scenario, seed {spec.seed}",
            f"  Diagnostics: {self._worst()}, ESS from {contexts['ess'].min():,.0f}, "
            f"MCSE up to {contexts['mcse'].max():.3f} sd",
            f"  Slice sampler took over in {len(exact)} scenarios"
            + (f": {', '.join(exact['scenario'].astype(str)[:5])}{' ...' if len(exact) > 5 else ''}" if len(exact) else ""),
            f"  Not converged: {int((~contexts['converged']).sum())} scenarios"
            + ("" if self.population["converged"].all() else "; nor hyperparameters"),
            f"  Left out:    {int(self.left_out['count'].sum()):,} trials",
        ]
        if len(self.population):
            lines += ["", "Population (95% HDI):", self.describe_population().round(2).to_string(index=False)]
        lines += ["", "Coefficients (log odds; 95% HDI):", self.summary().round(2).to_string(index=False, max_rows=16)]
        return "\n".join(lines)

    def _worst(self) -> str:
        found = []
        for column, name in (("k_hat", "Pareto k-hat"), ("r_hat", "R-hat")):
            if self.contexts[column].notna().any():
                found.append(f"{name} up to {self.contexts[column].max():.2f}")
        return ", ".join(found)

    __repr__ = __str__
