"""Are an estimator's intervals right? Simulation-based calibration with agents drawn from a prior.

If parameters come from the prior that a posterior was computed with, the rank of the truth among posterior draws is
uniform and intervals hold it with their probability (Talts, Betancourt, Simpson, Vehtari and Gelman, 2018, arXiv
1804.06788).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.agents import LogitDecider
from selfinterp_stats.errors import ArgumentError, check_range, check_sequence
from selfinterp_stats.scenarios import draw_option_pairs
from selfinterp_stats.seeding import check_seed, make_generator
from selfinterp_stats.tables import Scenarios, make_scenarios
from selfinterp_stats.testing.estimators import Draws, Estimator, decide, normalise, take_draws

__all__ = ["Calibration", "Prior", "assert_calibrated", "normal_prior"]

Floats = NDArray[np.float64]

# From the differences of a scenario's trials, shape (trials, attributes) in shares of the ranges, and a source of
# randomness to an intercept and slopes on the log-odds scale.
Prior = Callable[[Floats, np.random.Generator], tuple[float, Floats]]

_BINS = 20


@dataclass(frozen=True)
class Calibration:
    """Outcome of a calibration.

    Attributes
    ----------
    checks : pandas.DataFrame
        One row for each check: ``quantity`` (slope or weight), ``check``, ``observed``, ``expected``, ``p_value``. Checks
        are ``coverage of <prob> intervals`` (equal-tailed; slopes alone, as a weight at ±100 has no such interval),
        ``ranks`` (chi-squared in 20 bins; observed is the fullest bin over its expectation) and ``spread of ranks``
        (variance over that of uniform ranks: above 1 intervals are too narrow, below 1 too wide).
    ranks : pandas.DataFrame
        One row for each scenario: ``scenario, slope, weight``, randomised ranks between 0 and 1.
    shift : float
        Mean of (truth - posterior mean) over posterior sd for slopes.
    scale : float
        Root mean square of the same: how many times too narrow the posterior is.
    pull : float
        Slope of the truth on posterior means: above 1 estimates are pulled towards zero too much, below 1 too little.
    """

    checks: pd.DataFrame
    ranks: pd.DataFrame
    shift: float
    scale: float
    pull: float


def normal_prior(slope_sd: float = 1.0, intercept_sd: float = 1.0) -> Prior:
    """Independent normal slopes and intercept, centred at zero.

    Parameters
    ----------
    slope_sd, intercept_sd : float
        Standard deviations, log odds.

    Examples
    --------
    >>> intercept, slopes = normal_prior(2.0)(np.zeros((10, 3)), np.random.default_rng(1))
    >>> slopes.shape
    (3,)
    """
    check_range("slope_sd", slope_sd, low=1e-6, high=1e6)
    check_range("intercept_sd", intercept_sd, low=0.0, high=1e6)

    def draw(differences: Floats, rng: np.random.Generator) -> tuple[float, Floats]:
        slopes = np.asarray(slope_sd * rng.standard_normal(differences.shape[1]))
        return float(intercept_sd * rng.standard_normal()), slopes

    return draw


def assert_calibrated(
    estimator: Estimator,
    *,
    prior: Prior,
    n_scenarios: int = 1000,
    n_trials: int = 50,
    n_attributes: int = 4,
    probs: Sequence[float] = (0.5, 0.9),
    p_value: float = 1e-4,
    seed: int = 1,
) -> Calibration:
    """Assert that posterior draws are calibrated for logit agents whose coefficients come from a prior.

    Every scenario is a replication of its own, with its own seed: coefficients, options and choices are drawn, the
    estimator is called once with all of them, and one slope and one normalised weight of each scenario, picked at random,
    are ranked among their draws; ties (weights at ±100) are broken at random.

    Parameters
    ----------
    estimator : callable
        From ``Decisions`` and ``Scenarios`` to draws of the slopes; see ``assert_recovers``. It has to take scenarios one
        by one: an estimator that pools them changes its prior with the data and is not judged by this.
    prior : callable
        From the trials' differences and a random generator to intercept and slopes: the prior that the estimator assumes.
        ``normal_prior(1.0)``, for example.
    n_scenarios, n_trials, n_attributes : int
        Replications, and the size of each.
    probs : sequence of float
        Probabilities of the intervals whose coverage is checked.
    p_value : float
        A check fails below this.
    seed : int
        Seed.

    Returns
    -------
    Calibration
        What was found, if it passes.

    Raises
    ------
    AssertionError
        If a check fails, with what was off by how much.
    ArgumentError
        If the estimator returns something else than draws, or an argument has no usable value.

    Examples
    --------
    Draws from the prior itself know nothing of the data and are calibrated all the same:

    >>> def ignorant(decisions, scenarios):
    ...     rng = np.random.default_rng(1)
    ...     return {name: rng.standard_normal((200, k)) for name, k in scenarios.n_attributes.items()}
    >>> calibration = assert_calibrated(ignorant, prior=normal_prior(1.0), n_scenarios=300, n_trials=5)
    >>> calibration.checks["check"].tolist()
    ['coverage of 50% intervals', 'coverage of 90% intervals', 'ranks', 'spread of ranks', 'ranks', 'spread of ranks']
    """
    check_seed(seed)
    check_range("n_scenarios", n_scenarios, low=100, high=1_000_000, whole=True, remedy="fewer say nothing")
    check_range("n_attributes", n_attributes, low=2, high=20, whole=True)
    check_range("p_value", p_value, low=1e-12, high=0.5)
    check_sequence("probs", probs, "probabilities")
    for prob in probs:
        check_range("probs", prob, low=0.01, high=0.99)
    scenarios = _make_scenarios(n_scenarios, n_attributes)
    pairs = draw_option_pairs(scenarios, n_trials=n_trials, purpose="calibration", seed=seed)
    a, b = pairs.positions()
    rngs = [make_generator(seed, "calibration", scenario=name) for name in pairs.names]
    intercepts, slopes = [], []
    for i, rng in enumerate(rngs):
        intercept, own = prior(a[i] - b[i], rng)
        own = np.asarray(own, dtype=np.float64)
        if own.shape != (n_attributes,) or not np.isfinite([intercept, *own]).all():
            raise ArgumentError(
                "prior",
                expected=f"an intercept and {n_attributes} slopes, all finite",
                got=f"{intercept!r} and {own!r}",
                remedy="return (intercept, slopes)",
            )
        intercepts.append(float(intercept))
        slopes.append(own)
    # a logit decider with these coefficients
    deciders = [
        LogitDecider(float(np.abs(own).max()), intercept) for intercept, own in zip(intercepts, slopes, strict=True)
    ]
    decisions = decide(pairs, deciders, [normalise(own) for own in slopes], rngs)
    draws = take_draws(estimator(decisions, scenarios), scenarios)
    calibration = _judge(draws, dict(zip(pairs.names, slopes, strict=True)), probs, seed)
    failed = calibration.checks[calibration.checks["p_value"] < p_value]
    if len(failed):
        what = f"{n_scenarios} scenarios of {n_attributes} attributes with {n_trials} trials each"
        raise AssertionError(f"the estimator is not calibrated ({what}):\n" + _describe(calibration, failed))
    return calibration


def _make_scenarios(count: int, n_attributes: int) -> Scenarios:
    names = [f"replication {i + 1:07d}" for i in range(count)]  # in order wherever names are sorted
    return make_scenarios(
        pd.DataFrame(
            {
                "scenario": np.repeat(names, n_attributes),
                "attribute": np.tile([f"attribute {j + 1}" for j in range(n_attributes)], count),
                "low": 0,
                "high": 1000,
            }
        )
    )


def _judge(draws: Draws, truth: dict[str, Floats], probs: Sequence[float], seed: int) -> Calibration:
    rng = make_generator(seed, "judging")
    rows, values = [], []
    for name, own in truth.items():
        j, k = rng.integers(0, len(own), 2)
        slope = draws[name][:, j]
        weight_rank = _rank(normalise(draws[name])[:, k], float(normalise(own)[k]), rng)
        rows.append((name, _rank(slope, float(own[j]), rng), weight_rank))
        values.append((own[j], slope.mean(), slope.std(ddof=1)))
    ranks = pd.DataFrame(rows, columns=["scenario", "slope", "weight"])
    true, mean, sd = np.array(values).T
    z = (true - mean) / np.where(sd > 0, sd, np.nan)
    centred = mean - mean.mean()
    checks = [_check_coverage(ranks["slope"].to_numpy(), prob) for prob in probs]
    for quantity in ("slope", "weight"):
        checks += _check_ranks(quantity, ranks[quantity].to_numpy())
    return Calibration(
        pd.DataFrame(checks),
        ranks,
        shift=float(np.nanmean(z)),
        scale=float(np.sqrt(np.nanmean(np.square(z)))),
        pull=float((true @ centred) / (centred @ centred)) if centred @ centred > 0 else float("nan"),
    )


def _rank(draws: Floats, truth: float, rng: np.random.Generator) -> float:
    """Uniform on (0, 1) for a calibrated posterior, ties and all."""
    below, equal = int((draws < truth).sum()), int((draws == truth).sum())
    return (below + rng.random() * (equal + 1)) / (len(draws) + 1)


def _check_coverage(ranks: Floats, prob: float) -> dict[str, object]:
    """Equal-tailed intervals, through the ranks: exact for any number of draws, unlike quantiles of them."""
    from scipy import stats

    held = np.abs(ranks - 0.5) <= prob / 2
    p = stats.binomtest(int(held.sum()), len(held), prob).pvalue
    return {
        "quantity": "slope",
        "check": f"coverage of {prob:.0%} intervals",
        "observed": float(held.mean()),
        "expected": prob,
        "p_value": float(p),
    }


def _check_ranks(quantity: str, ranks: Floats) -> list[dict[str, object]]:
    from scipy import stats

    counts = np.histogram(ranks, bins=_BINS, range=(0.0, 1.0))[0]
    spread = np.square(ranks - 0.5).mean() * 12.0
    # the variance of 12 (u - 1/2)² is 4/5 for uniform u
    z = (spread - 1.0) / np.sqrt(0.8 / len(ranks))
    return [
        {
            "quantity": quantity,
            "check": "ranks",
            "observed": float(counts.max() * _BINS / len(ranks)),
            "expected": 1.0,
            "p_value": float(stats.chisquare(counts).pvalue),
        },
        {
            "quantity": quantity,
            "check": "spread of ranks",
            "observed": float(spread),
            "expected": 1.0,
            "p_value": float(2 * stats.norm.sf(abs(z))),
        },
    ]


def _describe(calibration: Calibration, failed: pd.DataFrame) -> str:
    lines = []
    for row in failed.itertuples(index=False):
        shown = "{:.1%}" if str(row.check).startswith("coverage") else "{:.2f}"
        lines.append(
            f"- {row.quantity}: {row.check}: {shown.format(row.observed)}, expected {shown.format(row.expected)} "
            f"(p = {row.p_value:.1g})"
        )
    if calibration.scale > 1.05:
        lines.append(f"- posterior sds of slopes are too small by a factor of about {calibration.scale:.2f}")
    elif calibration.scale < 0.95:
        lines.append(f"- posterior sds of slopes are too large by a factor of about {1 / calibration.scale:.2f}")
    if calibration.pull > 1.05:
        lines.append(
            f"- slopes are pulled towards zero: the truth is about {calibration.pull:.2f} times the posterior mean"
        )
    elif calibration.pull < 0.95:
        lines.append(f"- slopes are too large: the truth is about {calibration.pull:.2f} times the posterior mean")
    if abs(calibration.shift) > 0.1:
        lines.append(f"- the truth lies {calibration.shift:+.2f} posterior sds from the mean on average")
    return "\n".join(lines)
