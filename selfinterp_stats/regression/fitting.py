"""Fit a regression that is written as a formula."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice import Normal
from selfinterp_stats.errors import ArgumentError, check_choice
from selfinterp_stats.regression.fit import RegressionFit
from selfinterp_stats.regression.formula import Design, make_design
from selfinterp_stats.regression.gaussian import make_problem, sample_linear
from selfinterp_stats.regression.priors import Flat, RegressionPriors, resolve_regression_priors
from selfinterp_stats.seeding import check_draws, check_seed, make_generator
from selfinterp_stats.summaries import check_probability

__all__ = ["fit_regression"]

Floats = NDArray[np.float64]

_FAMILIES = ("gaussian", "student", "bernoulli")


def fit_regression(
    formula: str,
    data: pd.DataFrame,
    *,
    family: str = "gaussian",
    priors: str | Mapping[str, object] = "brms",
    inference: str = "auto",
    prob: float = 0.95,
    draws: int = 4000,
    seed: int = 1,
) -> RegressionFit:
    """Bayesian regression in the language of brms and Bambi.

    Parameters
    ----------
    formula : str
        As in lme4 and brms: ``"used_z ~ reported_z * trained"``, group-specific terms as ``(reported_z | scenario)``.
        Text, category and logical columns are factors with treatment contrasts; the first level, in the order of the
        categories or of the alphabet, is the reference.
    data : pandas.DataFrame
        One row for each observation; no value may be missing.
    family : {"gaussian", "student", "bernoulli"}
        Distribution of the response.
    priors : {"brms"} or mapping
        What brms sets by itself: flat coefficients, Student-t(3, m, s) on the intercept at centred predictors and half
        Student-t(3, 0, s) on standard deviations, m the median of the response and s the larger of 2.5 and its scaled
        median absolute deviation. Or a mapping that replaces some of them: names of coefficients, ``"b"`` for all of
        these, ``"Intercept"``, ``"sigma"``, ``"sd"`` (group-specific terms) and ``"nu"``.
    inference : {"auto", "exact", "nuts"}
        ``exact`` draws independently from the closed form of a Gaussian model with fixed terms; ``nuts`` hands the model to
        Bambi, sampled by nutpie; ``auto`` takes the first where it can.
    prob : float
        Probability of the intervals.
    draws, seed : int
        Draws (with nuts the sum over four chains), and what makes them repeatable.

    Returns
    -------
    RegressionFit

    Raises
    ------
    ArgumentError
        If the formula names what the data do not have, a column is constant or follows from others, a group has one row, a
        value is missing or infinite, a prior does not fit the model, or the closed form is asked for where there is none.

    Notes
    -----
    Group-specific terms of one group are independent here, as Bambi has them; brms gives them a correlation.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"reported": rng.standard_normal(200)})
    >>> table["used"] = 0.5 * table["reported"] + rng.standard_normal(200)
    >>> fit = fit_regression("used ~ reported", table)
    >>> bool(abs(fit.take("reported").mean() - 0.5) < 0.2)
    True
    """
    check_choice("family", family, _FAMILIES)
    check_choice("inference", inference, ("auto", "exact", "nuts"))
    check_probability(prob)
    check_draws(draws)
    check_seed(seed)
    design = make_design(formula, data, binary=family == "bernoulli")
    resolved = resolve_regression_priors(priors, design.y, design.names, family, bool(design.groups))
    obstacle = _find_obstacle(design, family, resolved)
    if inference == "exact" and obstacle:
        raise ArgumentError(
            "inference",
            expected="a Gaussian model with fixed terms, flat or normal coefficients",
            got=obstacle,
            remedy="pass inference='nuts'",
        )
    if inference == "nuts" or obstacle:
        from selfinterp_stats.regression.bambi import fit_with_bambi

        return fit_with_bambi(design, family, resolved, prob=prob, draws=draws, seed=seed)
    return _fit_exactly(design, resolved, prob, draws, seed)


def _find_obstacle(design: Design, family: str, priors: RegressionPriors) -> str:
    """What keeps a model from having a closed form; empty if nothing does."""
    if family != "gaussian":
        return f"family={family!r}"
    if design.groups:
        return f"group-specific terms ({', '.join(design.groups)})"
    others = [name for name, prior in priors.coefficients.items() if not isinstance(prior, (Flat, Normal))]
    return f"{priors.coefficients[others[0]]} on {others[0]}" if others else ""


def _fit_exactly(design: Design, priors: RegressionPriors, prob: float, draws: int, seed: int) -> RegressionFit:
    slopes = [name for name in design.names if name in priors.coefficients]
    normals = [priors.coefficients[name] for name in slopes]
    X = design.X[:, [design.names.index(name) for name in slopes]]
    prior_mean = np.array([prior.mean if isinstance(prior, Normal) else 0.0 for prior in normals])
    precision = np.array([prior.sd**-2 if isinstance(prior, Normal) else 0.0 for prior in normals])
    problem = make_problem(X, design.y, prior_mean, precision, *priors.for_gaussian())
    if problem.rss == 0 or len(design.y) <= len(design.names):
        raise ArgumentError(
            "formula",
            expected="more rows than coefficients, and a response that they do not give exactly",
            got=f"{len(design.y)} rows, {len(design.names)} coefficients, residual sum of squares {problem.rss:g}",
            remedy="leave terms out or check how the table was made",
        )
    rng = make_generator(seed, "regression", formula=design.formula)
    coefficients, intercepts, sigma = sample_linear(problem, draws, rng)
    rows = [*coefficients, sigma]
    if design.has_intercept:
        rows.insert(0, intercepts - X.mean(axis=0) @ coefficients)
    names = (*(["Intercept"] if design.has_intercept else []), *slopes, "sigma")
    diagnostics = pd.DataFrame({"r_hat": 1.0, "ess_bulk": float(draws), "ess_tail": float(draws)}, index=list(names))
    return RegressionFit(
        formula=design.formula,
        family="gaussian",
        priors=priors,
        inference="exact",
        design=design,
        names=names,
        values=np.array(rows)[:, None, :],
        offsets=np.empty((0, draws)),
        prob=prob,
        diagnostics=diagnostics,
        divergences=0,
    )
