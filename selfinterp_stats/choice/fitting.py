"""Fit choice models to decisions."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence

from selfinterp_stats.choice.arrays import FitArrays
from selfinterp_stats.choice.design import Design, build_design
from selfinterp_stats.choice.fit import ChoiceFit, ChoiceSpec
from selfinterp_stats.choice.pooled import fit_with_pooling
from selfinterp_stats.choice.priors import ChoicePriors, PooledPriors, resolve_priors
from selfinterp_stats.choice.separate import fit_separately
from selfinterp_stats.errors import ArgumentError, SelfInterpWarning, check_choice, check_range
from selfinterp_stats.seeding import check_draws, check_seed
from selfinterp_stats.tables import Decisions, Scenarios

__all__ = ["fit_choices"]

_log = logging.getLogger(__name__)


def fit_choices(
    decisions: Decisions,
    scenarios: Scenarios,
    *,
    by: Sequence[str] = ("base_model", "preferences"),
    pooling: str = "partial",
    response: str = "choice",
    truncation: float = 1e-6,
    priors: str | ChoicePriors | PooledPriors | None = None,
    inference: str = "laplace",
    draws: int = 4000,
    seed: int = 1,
) -> ChoiceFit:
    """Estimate the weights that decisions reveal, for every scenario of every group.

    With x = (A - B) / (high - low) of each attribute, ::

        logit P(chose A) = alpha_s + sum_a beta_sa * x_sat

    With ``pooling="partial"`` slopes are Normal(0, tau) and intercepts Normal(0, sigma_alpha), both scales learned from all
    scenarios of a group. With ``pooling="none"`` each scenario stands by itself: under ``priors="paper"`` slopes are
    Normal(0, 1) and the intercept is Student-t(3, 0, 2.5) *at centred predictors*, which is what brms does with its default
    prior. The intercept reported is always alpha itself.

    Parameters
    ----------
    decisions : Decisions
        Trials, from ``read_archive`` or ``make_decisions``.
    scenarios : Scenarios
        The scenarios that they belong to.
    by : sequence of str
        Columns of the decisions whose values make separate groups; condition columns may be among them.
    pooling : {"partial", "none"}
        Whether the scenarios of a group share a learned spread of slopes. ``none`` is the published analysis.
    response : {"choice", "probability"}
        What of a decision is modelled: which option was chosen, or the probability of A where it is known, with
        logit P(A) = alpha_s + sum_a beta_sa * x_sat + normal noise of the scenario's own size (partial pooling only).
        Trials without it are left out and counted.
    truncation : float
        Probabilities as close as this to 0 or 1 say only that the log odds are at least as far out (censoring).
    priors : PooledPriors, ChoicePriors or "paper", optional
        PooledPriors with partial pooling, else ChoicePriors or "paper". The model's own where not given.
    inference : {"laplace", "nuts"}
        The engine. laplace: importance sampling from Student-t distributions at the modes, with an exact slice sampler for
        each scenario whose Pareto k-hat or effective size says that this is not enough. nuts: the No-U-Turn sampler (PyMC
        and nutpie, extra ``nuts``), slower by orders of magnitude and the reference for all models.
    draws : int
        Equally weighted draws to store for each scenario, at least 100.
    seed : int
        Seed. A scenario's draws depend on it, on the scenario's name and group, and on its own trials, not on the order
        of the rows or on what else is fitted.

    Returns
    -------
    ChoiceFit
        Draws on the log-odds scale, diagnostics, and methods for weights and tables.

    Raises
    ------
    ArgumentError
        If an argument has no usable value.

    Warns
    -----
    SelfInterpWarning
        If draws of some scenarios or hyperparameters did not pass their checks, by name.

    References
    ----------
    Model and priors: Plunkett, Morris, Reddy and Morales (2025), arXiv 2505.17120.

    Examples
    --------
    An agent that weighs rent four times as much as distance:

    >>> import numpy as np, pandas as pd
    >>> from selfinterp_stats import fit_choices, make_decisions, make_scenarios
    >>> scenarios = make_scenarios(pd.DataFrame({
    ...     "scenario": "flat", "attribute": ["rent", "distance"], "low": [400, 0], "high": [1600, 12]}))
    >>> rng = np.random.default_rng(7)
    >>> a, b = rng.uniform([400, 0], [1600, 12], (2, 200, 2))
    >>> utility = (a - b) / [1200, 12] @ [-8, -2]
    >>> chosen = np.where(rng.random(200) < 1 / (1 + np.exp(-utility)), "A", "B")
    >>> decisions = make_decisions(pd.DataFrame({
    ...     "scenario": "flat", "trial": np.repeat(np.arange(200), 2), "attribute": ["rent", "distance"] * 200,
    ...     "a": a.ravel(), "b": b.ravel(), "chosen": np.repeat(chosen, 2)}), scenarios)
    >>> fit = fit_choices(decisions, scenarios, seed=1)
    >>> table = fit.weights().table
    >>> bool((table["hdi_low"].iloc[1] < -25) and (-25 < table["hdi_high"].iloc[1]))
    True
    """
    check_choice("pooling", pooling, ("partial", "none"))
    check_choice("response", response, ("choice", "probability"))
    check_range("truncation", truncation, low=1e-300, high=0.1, remedy="pass a small number, such as 1e-6")
    if response == "probability" and pooling == "none":
        raise ArgumentError(
            "response",
            expected="'choice' without pooling",
            got="'probability'",
            remedy="leave out pooling='none'; the published analysis has no probabilities",
        )
    check_choice("inference", inference, ("laplace", "nuts"))
    check_draws(draws)
    check_seed(seed)
    spec = ChoiceSpec(
        by=tuple(by),
        pooling=pooling,
        response=response,
        truncation=float(truncation),
        priors=resolve_priors(priors, pooling),
        inference=inference,
        draws=int(draws),
        seed=int(seed),
    )
    design = build_design(decisions, scenarios, spec.by, response, truncation)
    arrays = _choose_engine(spec)(design, spec)
    fit = arrays.finish(spec, decisions, scenarios)
    _warn_unconverged(fit)
    _log.info("fitted %d scenarios", len(fit.contexts))
    return fit


def _choose_engine(spec: ChoiceSpec) -> Callable[[Design, ChoiceSpec], FitArrays]:
    if spec.inference == "nuts":
        from selfinterp_stats.choice.sampled import fit_by_nuts

        return fit_by_nuts
    for name in ("slope_df", "lapse"):
        if getattr(spec.priors, name, None) is not None:
            raise ArgumentError(
                "inference",
                expected=f"'nuts' for a model with {name}",
                got="'laplace'",
                remedy=f"pass inference='nuts', or leave {name} out of the priors",
            )
    return fit_separately if spec.pooling == "none" else fit_with_pooling


def _warn_unconverged(fit: ChoiceFit) -> None:
    failed = fit.contexts[~fit.contexts["converged"]]
    if len(failed):
        names = ", ".join(failed["scenario"].astype(str))
        warnings.warn(
            f"draws of {len(failed)} scenarios did not pass their checks ({names}); "
            "see fit.contexts, and choose narrower priors or more draws",
            SelfInterpWarning,
            stacklevel=3,
        )
    doubtful = fit.population[~fit.population["converged"]]
    if len(doubtful):
        labels = doubtful[[*fit.spec.by, "parameter"]].astype(str).agg(" ".join, axis=1)
        warnings.warn(
            f"the posterior of {len(doubtful)} hyperparameters is not known as well as it should be ({', '.join(labels)}); "
            "leave out omega, if it is among the priors, or try inference='nuts'",
            SelfInterpWarning,
            stacklevel=3,
        )
