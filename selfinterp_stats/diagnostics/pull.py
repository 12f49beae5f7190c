"""What a prior does to the intervals of one scenario."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice import ChoiceFit, ChoicePriors
from selfinterp_stats.choice.design import Design
from selfinterp_stats.summaries import find_hdi

__all__ = ["describe_pull"]

Floats = NDArray[np.float64]


def describe_pull(fit: ChoiceFit, design: Design, prob: float) -> pd.DataFrame:
    """Consistency, width of the weights' intervals, and how both change with the prior; one row for each context."""
    weights = fit.weights(prob=prob)
    owner = fit.slopes["context"].to_numpy()
    width = (weights.table["hdi_high"] - weights.table["hdi_low"]).groupby(owner).mean()
    log_prior = _find_log_prior(fit, design)
    starts = np.searchsorted(owner, np.arange(len(fit.contexts) + 1))
    rows = []
    for context in range(len(fit.contexts)):
        own = slice(starts[context], starts[context + 1])
        consistency = np.abs(fit.slope_draws[own]).max(axis=0)
        low, high = find_hdi(consistency, prob)
        values = weights.values[own]
        centred = np.square(values - values.mean(axis=1, keepdims=True))
        spread = centred.mean(axis=1)
        free = spread > 1e-12
        narrowing = np.log(2.0) * 0.5 * _covary(centred[free], log_prior[context]) / spread[free]
        rows.append(
            {
                "consistency_median": float(np.median(consistency)),
                "consistency_hdi_low": float(low),
                "consistency_hdi_high": float(high),
                "weight_width": float(width.iloc[context]),
                "consistency_pull": float(np.expm1(np.log(2.0) * _covary(np.log(consistency), log_prior[context]))),
                "width_pull": float(np.expm1(narrowing.mean())) if free.any() else 0.0,
            }
        )
    return pd.DataFrame(rows)


def _covary(values: Floats, with_what: Floats) -> Floats:
    """Covariance along the last axis, (..., S) and (S,) to (...)."""
    return np.asarray((values * (with_what - with_what.mean())).mean(axis=-1))


def _find_log_prior(fit: ChoiceFit, design: Design) -> Floats:
    """Log prior of each context's coefficients given what is shared, (contexts, S)."""
    owner = fit.slopes["context"].to_numpy()
    starts = np.searchsorted(owner, np.arange(len(fit.contexts)))
    if isinstance(fit.spec.priors, ChoicePriors):
        slopes = np.add.reduceat(fit.spec.priors.slopes.log_density(fit.slope_draws), starts, axis=0)
        centres = np.add.reduceat(design.x, design.first[:-1], axis=0) / np.diff(design.first)[:, None]
        slots = fit.slopes["slot"].to_numpy() - 1
        shift = np.add.reduceat(fit.slope_draws * centres[owner, slots][:, None], starts, axis=0)
        return np.asarray(slopes + fit.spec.priors.intercept.log_density(fit.intercept_draws + shift))
    scales = {name: _by_context(fit, name) for name in ("tau", "sigma_alpha")}
    squares = np.add.reduceat(np.square(fit.slope_draws), starts, axis=0) / np.square(scales["tau"])
    return np.asarray(-0.5 * (squares + np.square(fit.intercept_draws / scales["sigma_alpha"])))


def _by_context(fit: ChoiceFit, parameter: str) -> Floats:
    """Draws of a hyperparameter for each context, (contexts, S)."""
    rows = fit.population.assign(_row=np.arange(len(fit.population)))[fit.population["parameter"] == parameter]
    contexts, by = fit.contexts.assign(_order=np.arange(len(fit.contexts))), list(fit.spec.by)
    right = rows[[*by, "_row"]]
    joined = contexts.merge(right, on=by, how="left") if by else contexts.merge(right, how="cross")
    return np.asarray(fit.population_draws[joined.sort_values("_order")["_row"].to_numpy(dtype=np.int64)])
