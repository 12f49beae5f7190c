"""The association that a reporter has in the population that experiments are drawn from, by Monte Carlo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.agents.deciders import Decider, LapsingDecider
from selfinterp_stats.agents.projection import find_used_weights
from selfinterp_stats.agents.reporters import Reporter, draw_noise_free_reports
from selfinterp_stats.agents.truth import MEASURES, associate_expectations, measure_association
from selfinterp_stats.errors import ArgumentError, check_range, check_sequence
from selfinterp_stats.scenarios import draw_weights
from selfinterp_stats.seeding import check_seed, make_generator

__all__ = ["draw_used_weights", "find_moments", "find_population_truth"]

Floats = NDArray[np.float64]

DRAWS = 1_000_000
_LARGEST_ERROR = 0.02


def find_population_truth(
    reporter: Reporter,
    decider: Decider,
    *,
    n_attributes: Sequence[int] = (5,),
    distribution: str = "uniform",
    instillation_noise: float = 0.0,
    draws: int = DRAWS,
    seed: int = 1,
) -> pd.DataFrame:
    """Association of used weights with reports in the population, known to about 1 / sqrt(draws).

    Parameters
    ----------
    reporter, decider : Reporter, Decider
        The agent. The decider has to know its used weights in closed form.
    n_attributes : sequence of int
        Number of attributes of each scenario of the experiment; the population has them in the same proportions.
    distribution : {"uniform", "gaussian"}
        What weights are drawn from.
    instillation_noise : float
        Standard deviation, in points, of what is added to target weights before they are normalised again.
    draws : int
        Scenario-attributes to draw.
    seed : int
        Seed.

    Returns
    -------
    pandas.DataFrame
        One row for each measure: ``measure, noise_free`` (association with noise-free reports) and ``expected_reply`` (with
        the expectation of an emitted reply; NaN for ranks, and where the noise of a reply is so large that its expectation
        cannot be told within 2%).

    Raises
    ------
    ArgumentError
        If the decider's used weights are not known in closed form.

    Notes
    -----
    The expectation of a reply is never computed: two independent replies have the covariance of their expectations, and
    either has the covariance of its expectation with the used weights. Target weights are not rounded here and displayed
    differences not on a grid.

    Examples
    --------
    >>> from selfinterp_stats.agents import LogitDecider
    >>> table = find_population_truth(Reporter(association=0.6), LogitDecider(), draws=20_000)
    >>> bool(abs(table["noise_free"][0] - 0.6) < 0.03)
    True
    """
    check_seed(seed)
    check_sequence("n_attributes", n_attributes, "numbers of attributes")
    check_range("draws", draws, low=1000, high=100_000_000, whole=True)
    used = draw_used_weights(decider, n_attributes, distribution, instillation_noise, draws, seed)
    rng = make_generator(seed, "population reports")
    reports = draw_noise_free_reports(used, reporter, rng, truth="population", moments=find_moments(used))
    shown = [rng.random(used.shape) - rng.random(used.shape) for _ in range(2)] if reporter.shown_effect else [used, used]
    first, second = (reporter.emit(reports, difference, 1, rng)[0] for difference in shown)
    rows = [
        {
            "measure": measure,
            "noise_free": measure_association(used, reports, measure),
            "expected_reply": _expect(used, first, second, measure),
        }
        for measure in MEASURES
    ]
    return pd.DataFrame(rows)


def draw_used_weights(
    decider: Decider,
    n_attributes: Sequence[int],
    distribution: str,
    instillation_noise: float,
    draws: int,
    seed: int,
) -> Floats:
    """Used weights of many scenarios, shape (scenarios, slots), as one experiment draws those of a few."""
    inner = decider
    while isinstance(inner, LapsingDecider):
        inner = inner.decider
    if not hasattr(inner, "used_weights"):
        raise ArgumentError(
            "truth",
            expected="'finite' for deciders whose used weights have to be found numerically",
            got=f"'population' with a {type(decider).__name__}",
            remedy="pass truth='finite', or give the decider a method used_weights",
        )
    sizes, counts = np.unique(np.asarray(n_attributes, dtype=np.int64), return_counts=True)
    repeats = max(1, round(draws / float(sizes @ counts)))
    blocks = []
    for size, count in zip(sizes, counts, strict=True):
        rng = make_generator(seed, "population weights", n_attributes=int(size))
        drawn = draw_weights(int(size), rng, count=int(count) * repeats, distribution=distribution)
        block = np.full((len(drawn), int(sizes.max())), np.nan)
        block[:, :size] = find_used_weights(decider, instil(drawn, instillation_noise, rng))
        blocks.append(block)
    return np.concatenate(blocks)


def instil(targets: Floats, noise: float, rng: np.random.Generator) -> Floats:
    """Weights that a model learned when it was to learn `targets`: moved by normal noise and normalised again."""
    if noise == 0:
        return targets
    moved = targets + noise * rng.standard_normal(targets.shape)
    return np.asarray(100.0 * (moved / np.nanmax(np.abs(moved), axis=-1, keepdims=True)))


def find_moments(used: Floats) -> tuple[float, float]:
    """Mean and standard deviation of used weights over all scenario-attributes."""
    return float(np.nanmean(used)), float(np.nanstd(used))


def _expect(used: Floats, first: Floats, second: Floats, measure: str) -> float:
    if measure == "rank":  # single replies say nothing of the ranks of their expectations
        return float("nan")
    return associate_expectations(used, first, second, measure, largest_error=_LARGEST_ERROR)
