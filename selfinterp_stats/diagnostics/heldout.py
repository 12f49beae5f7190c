"""Choices predicted for trials that the prediction has not seen, all scenarios of a fit at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from selfinterp_stats.choice import ChoiceFit, ChoicePriors, PooledPriors
from selfinterp_stats.choice.density import ChoiceDensity, ChoiceLikelihood
from selfinterp_stats.choice.design import Design
from selfinterp_stats.choice.separate import centre_predictors
from selfinterp_stats.engines import LogDensity, sample_laplace, weigh_points
from selfinterp_stats.engines.scales import Conditioned
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.seeding import make_generator

__all__ = [
    "Coefficients",
    "HeldOut",
    "check_normal",
    "draw_conditionally",
    "find_scales",
    "hold_out",
    "predict_choices",
    "predict_fitted",
    "spread_draws",
]

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

_BLOCK_VALUES = 2**22  # probabilities computed at a time
_FEWEST_EFFECTIVE = 64.0  # points behind an average: its error is an eighth of a posterior standard deviation
_MORE = 10  # times as many points where these are fewer
_CERTAIN = 1e-12  # so that no answer is impossible


@dataclass(frozen=True)
class Coefficients:
    """Weighted points of the posterior of B contexts.

    Attributes
    ----------
    points : numpy.ndarray
        Intercepts and slopes, (B, P, K + 1).
    weights : numpy.ndarray
        Summing to one for each context, (B, P).
    """

    points: Floats
    weights: Floats


@dataclass(frozen=True)
class HeldOut:
    """Predictions for the trials of a design by models that were given the other folds.

    Attributes
    ----------
    chance : numpy.ndarray
        Probability of A, shape (N,).
    share : numpy.ndarray
        Share of A that the other folds alone lead to expect, from a uniform prior: (chosen + 1) / (trials + 2). Shape (N,).
    """

    chance: Floats
    share: Floats


def check_normal(fit: ChoiceFit) -> None:
    """Raise ArgumentError unless a fit is one of choices with plain normal priors, whose scenarios can be fitted again."""
    priors, found = fit.spec.priors, []
    if fit.spec.response != "choice":
        found.append("probabilities as the response")
    if isinstance(priors, PooledPriors):
        found += [name for name in ("omega", "slope_df", "lapse") if getattr(priors, name) is not None]
    if found:
        raise ArgumentError(
            "fit",
            expected="a fit of choices without further options",
            got=f"one with {', '.join(found)}",
            remedy="pass fit_choices(decisions, scenarios)",
        )


def find_scales(fit: ChoiceFit) -> Floats:
    """Posterior means of the log scales of intercepts and slopes for each context, (contexts, 2)."""
    logs = np.log(fit.population_draws).mean(axis=1)
    table = fit.population.assign(log=logs)[[*fit.spec.by, "parameter", "log"]]
    contexts = fit.contexts[[*fit.spec.by]].assign(_row=np.arange(len(fit.contexts)))
    columns = []
    for parameter in ("sigma_alpha", "tau"):
        own = table[table["parameter"] == parameter].drop(columns="parameter")
        joined = contexts.merge(own, on=list(fit.spec.by), how="left") if fit.spec.by else contexts.merge(own, how="cross")
        columns.append(joined.sort_values("_row")["log"].to_numpy(dtype=np.float64))
    return np.stack(columns, axis=1)


def draw_conditionally(
    x: Floats, s: Floats, first: Whole, log_scales: Floats, draws: int, rngs: Sequence[np.random.Generator]
) -> Coefficients:
    """Intercepts and slopes of B contexts with normal priors of known scales.

    Parameters
    ----------
    x, s, first : numpy.ndarray
        As in :class:`ChoiceLikelihood`.
    log_scales : numpy.ndarray
        Of intercepts and slopes, shape (2,).
    draws : int
    rngs : sequence of numpy.random.Generator
        One for each context.
    """
    return _weigh(Conditioned(ChoiceLikelihood(x, s, first), log_scales), draws, rngs)


def _weigh(density: LogDensity, draws: int, rngs: Sequence[np.random.Generator]) -> Coefficients:
    """Weighted points, or where few of them count, draws that were checked."""
    found = weigh_points(density, draws, rngs)
    points, weights = found.points, found.weights
    poor = np.flatnonzero(found.ess < _FEWEST_EFFECTIVE).tolist()
    if poor:
        points, weights = points.copy(), weights.copy()
        again = weigh_points(density.select(poor), _MORE * draws, [rngs[b] for b in poor])
        for place, b in enumerate(poor):
            if again.ess[place] >= _FEWEST_EFFECTIVE:
                chosen = _pick(again.weights[place], draws, rngs[b])
                points[b], weights[b] = again.points[place, chosen], 1.0 / draws
            else:
                points[b] = sample_laplace(density.select([b]), draws, [rngs[b]]).draws[0]
                weights[b] = 1.0 / draws
    return Coefficients(points, weights)


def _pick(weights: Floats, count: int, rng: np.random.Generator) -> Whole:
    """So many points in proportion to their weights, by systematic resampling."""
    places = (rng.random() + np.arange(count)) / count
    return np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)


def predict_choices(x: Floats, coefficients: Floats, weights: Floats) -> Floats:
    """Mean probability of A of each trial (N, K) over weighted intercepts and slopes, (P, K + 1) and (P,): (N,)."""
    found = np.empty(len(x))
    step = max(1, _BLOCK_VALUES // len(coefficients))
    for start in range(0, len(x), step):
        part = x[start : start + step]
        found[start : start + step] = expit(part @ coefficients[:, 1:].T + coefficients[:, 0]) @ weights
    return np.clip(found, _CERTAIN, 1.0 - _CERTAIN)


def spread_draws(fit: ChoiceFit, count: int) -> Whole:
    """Numbers of so many of a fit's draws, evenly spread; of all, if there are fewer."""
    return np.linspace(0, fit.spec.draws - 1, min(count, fit.spec.draws)).astype(np.int64)


def predict_fitted(fit: ChoiceFit, design: Design, chosen: Whole) -> Floats:
    """Probability of A of every trial of a design under the fit that has seen it, the mean over chosen draws, (N,)."""
    owner, found = fit.slopes["context"].to_numpy(), np.empty(len(design.s))
    starts = np.searchsorted(owner, np.arange(len(fit.contexts) + 1))
    for context, size in enumerate(design.contexts["n_attributes"]):
        rows = slice(design.first[context], design.first[context + 1])
        slopes = fit.slope_draws[starts[context] : starts[context + 1]][:, chosen]
        coefficients = np.column_stack([fit.intercept_draws[context, chosen], slopes.T])
        found[rows] = predict_choices(design.x[rows, :size], coefficients, np.full(len(chosen), 1.0 / len(chosen)))
    return found


def hold_out(fit: ChoiceFit, design: Design, s: Floats, folds: Whole, draws: int, purpose: str) -> HeldOut:
    """Predict each fold of every context from its other folds.

    What all scenarios share is taken from the fit: with partial pooling tau and sigma_alpha are those of all trials, which
    a single trial hardly moves.

    Parameters
    ----------
    fit : ChoiceFit
        Whose model it is.
    design : Design
        Its trials.
    s : numpy.ndarray
        The answers to predict, +1 and -1, shape (N,): those of the design, or simulated ones.
    folds : numpy.ndarray of int
        Fold of each trial, shape (N,); -1 where it is not held out, for which predictions are NaN.
    draws : int
        Posterior draws that predictions are averaged over.
    purpose : str
        What the random numbers are for.
    """
    chance, share = np.full(len(s), np.nan), np.full(len(s), np.nan)
    scales = find_scales(fit) if fit.spec.pooling == "partial" else None
    owner = np.repeat(np.arange(len(design.contexts)), np.diff(design.first))
    sizes = design.contexts["n_attributes"].to_numpy()

    def predict(fold: int, members: Whole, log_scales: Floats | None) -> None:
        size = int(sizes[members[0]])
        spans = [np.arange(design.first[c], design.first[c + 1]) for c in members]
        trains = [span[(folds[span] != fold) & (folds[span] >= 0)] for span in spans]
        train = np.concatenate(trains)
        first = np.concatenate([[0], np.cumsum([len(part) for part in trains])]).astype(np.int64)
        rngs = [make_generator(fit.spec.seed, purpose, fold=fold, context=int(c)) for c in members]
        x = np.ascontiguousarray(design.x[train, :size])
        coefficients = _draw(fit, x, s[train], first, log_scales, draws, rngs)
        for b, span in enumerate(spans):
            test = span[folds[span] == fold]
            points, weights = coefficients.points[b], coefficients.weights[b]
            chance[test] = predict_choices(design.x[test, :size], points, weights)

    for fold in np.unique(folds[folds >= 0]).tolist():
        inside = folds == fold
        others = ~inside & (folds >= 0)
        counts = np.bincount(owner[others], minlength=len(sizes))
        chosen = np.bincount(owner[others], weights=s[others] > 0, minlength=len(sizes))
        share[inside] = ((chosen + 1.0) / (counts + 2.0))[owner[inside]]
        for everyone, log_scales in _group(sizes, scales):
            members = everyone[counts[everyone] > 0]
            if len(members):
                predict(fold, members, log_scales)
    return HeldOut(chance, share)


def _group(sizes: Whole, scales: Floats | None) -> Iterable[tuple[Whole, Floats | None]]:
    """Contexts that can be drawn together: of one number of attributes, and of one group where scales are shared."""
    keys = np.column_stack([sizes, np.zeros((len(sizes), 2)) if scales is None else scales])
    _, number = np.unique(keys, axis=0, return_inverse=True)
    for n in range(number.max() + 1):
        members = np.flatnonzero(number.ravel() == n)
        yield members, None if scales is None else scales[members[0]]


def _draw(
    fit: ChoiceFit,
    x: Floats,
    s: Floats,
    first: Whole,
    log_scales: Floats | None,
    draws: int,
    rngs: Sequence[np.random.Generator],
) -> Coefficients:
    if log_scales is not None:
        return draw_conditionally(x, s, first, log_scales, draws, rngs)
    assert isinstance(fit.spec.priors, ChoicePriors)
    likelihood, centres = centre_predictors(ChoiceLikelihood(x, s, first))
    found = _weigh(ChoiceDensity(likelihood, fit.spec.priors), draws, rngs)
    points = found.points.copy()
    points[:, :, 0] -= np.einsum("bsk,bk->bs", points[:, :, 1:], centres)
    return Coefficients(points, found.weights)
