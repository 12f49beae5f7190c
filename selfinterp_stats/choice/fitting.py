"""Fit choice models to decisions."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.choice.density import ChoiceDensity
from selfinterp_stats.choice.design import Design, build_design
from selfinterp_stats.choice.fit import ChoiceFit, ChoiceSpec
from selfinterp_stats.choice.priors import ChoicePriors, resolve_priors
from selfinterp_stats.engines import sample_laplace
from selfinterp_stats.errors import SelfInterpWarning, check_choice
from selfinterp_stats.seeding import check_draws, check_seed, make_generator
from selfinterp_stats.tables import Decisions, Scenarios

__all__ = ["fit_choices"]

_log = logging.getLogger(__name__)

Floats = NDArray[np.float64]


def fit_choices(
    decisions: Decisions,
    scenarios: Scenarios,
    *,
    by: Sequence[str] = ("base_model", "preferences"),
    pooling: str = "none",
    priors: str | ChoicePriors = "paper",
    inference: str = "laplace",
    draws: int = 4000,
    seed: int = 1,
) -> ChoiceFit:
    """Estimate the weights that decisions reveal, for every scenario of every group.

    With x = (A - B) / (high - low) of each attribute, ::

        logit P(chose A) = alpha_s + sum_a beta_sa * x_sat

    each scenario by itself. Under ``priors="paper"`` slopes are Normal(0, 1) and the intercept is Student-t(3, 0, 2.5)
    *at centred predictors*, which is what brms does with its default prior; the intercept reported is alpha itself.

    Parameters
    ----------
    decisions : Decisions
        Trials, from ``read_archive`` or ``make_decisions``.
    scenarios : Scenarios
        The scenarios that they belong to.
    by : sequence of str
        Columns of the decisions whose values make separate groups; condition columns may be among them.
    pooling : {"none"}
        Whether scenarios share a spread of slopes; so far they do not.
    priors : "paper" or ChoicePriors
        Priors.
    inference : {"laplace"}
        The engine: importance sampling from a Student-t at the mode, with an exact slice sampler for each scenario whose
        Pareto k-hat or effective size says that this is not enough.
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
        If the exact sampler did not converge for some scenarios, by name.

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
    check_choice("pooling", pooling, ("none",))
    check_choice("inference", inference, ("laplace",))
    check_draws(draws)
    check_seed(seed)
    spec = ChoiceSpec(tuple(by), pooling, resolve_priors(priors), inference, int(draws), int(seed))
    design = build_design(decisions, scenarios, spec.by)
    fit = _fit_without_pooling(design, spec, decisions, scenarios)
    _warn_unconverged(fit)
    _log.info("fitted %d scenarios", len(fit.contexts))
    return fit


def _fit_without_pooling(design: Design, spec: ChoiceSpec, decisions: Decisions, scenarios: Scenarios) -> ChoiceFit:
    contexts = design.contexts.copy()
    n_contexts, n_slopes = len(contexts), len(design.slopes)
    slope_draws = np.empty((n_slopes, spec.draws))
    intercept_draws = np.empty((n_contexts, spec.draws))
    slope_mcse = np.empty(n_slopes)
    found = {name: np.empty(n_contexts) for name in ("k_hat", "ess", "r_hat", "mcse", "intercept_mcse")}
    exact, converged = np.empty(n_contexts, dtype=bool), np.empty(n_contexts, dtype=bool)
    slope_context = design.slopes["context"].to_numpy()
    for size in np.unique(contexts["n_attributes"]):  # a batch has one number of dimensions
        members = np.flatnonzero(contexts["n_attributes"] == size)
        density, centres = _density(design, members, int(size), spec.priors)
        labels = contexts.loc[members, [*spec.by, "scenario"]].to_dict("records")
        rngs = [make_generator(spec.seed, "fit", **{str(k): v for k, v in label.items()}) for label in labels]
        result = sample_laplace(density, spec.draws, rngs)
        rows = np.flatnonzero(np.isin(slope_context, members))
        slopes = result.draws[:, :, 1:]
        slope_draws[rows] = slopes.transpose(0, 2, 1).reshape(len(rows), spec.draws)
        intercept_draws[members] = result.draws[:, :, 0] - np.einsum("bk,bsk->bs", centres, slopes)
        spread = result.draws.std(axis=1)
        slope_mcse[rows] = result.mcse[:, 1:].ravel()
        found["mcse"][members] = (result.mcse / spread).max(axis=1)
        # relative accuracy carries over from the intercept at centred predictors
        found["intercept_mcse"][members] = found["mcse"][members] * intercept_draws[members].std(axis=1)
        found["k_hat"][members], found["ess"][members], found["r_hat"][members] = result.k_hat, result.ess, result.r_hat
        exact[members], converged[members] = result.exact, result.converged
    contexts["sampler"] = np.where(exact, "slice", "importance")
    contexts = contexts.assign(**{name: found[name] for name in ("k_hat", "ess", "r_hat", "mcse")})
    contexts["converged"] = converged
    contexts["intercept_mcse"] = found["intercept_mcse"]
    slopes_index = design.slopes.assign(mcse=slope_mcse)
    return ChoiceFit(spec, decisions, scenarios, contexts, slopes_index, slope_draws, intercept_draws, design.left_out)


def _density(design: Design, members: NDArray[np.int64], size: int, priors: ChoicePriors) -> tuple[ChoiceDensity, Floats]:
    """Density of the given contexts, and the means that their predictors were centred at, shape (B, K)."""
    everything = ChoiceDensity(design.x[:, :size], design.s, design.first, priors)
    density = everything.select(members.tolist())
    counts = np.diff(density.first)
    centres = np.add.reduceat(density.x, density.first[:-1], axis=0) / counts[:, None]
    centred = np.ascontiguousarray(density.x - np.repeat(centres, counts, axis=0))
    return ChoiceDensity(centred, density.s, density.first, priors), centres


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
