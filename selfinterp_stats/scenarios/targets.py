"""Weights drawn for an experiment: what a model is to be fine-tuned to, or what an agent uses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError, check_choice
from selfinterp_stats.seeding import check_seed, make_generator
from selfinterp_stats.tables import Problems, Scenarios, Targets
from selfinterp_stats.tables.targets import build_targets

__all__ = ["draw_targets", "draw_weights"]

Floats = NDArray[np.float64]

_SHAPES = ("uniform", "gaussian")


def draw_weights(n_attributes: int, rng: np.random.Generator, *, count: int = 1, distribution: str = "uniform") -> Floats:
    """Weights of `count` scenarios with the same number of attributes, the largest absolute one of each at 100.

    Parameters
    ----------
    n_attributes : int
        Attributes of each scenario.
    rng : numpy.random.Generator
        Source of randomness.
    count : int
        Number of scenarios.
    distribution : {"uniform", "gaussian"}
        What the weights are drawn from before they are divided by the largest; uniform on (-1, 1) is the published way.

    Returns
    -------
    numpy.ndarray
        Shape (count, n_attributes), -100 to 100.

    Raises
    ------
    ArgumentError
        If the distribution is neither.

    Examples
    --------
    >>> float(np.abs(draw_weights(5, np.random.default_rng(1), count=3)).max(axis=1).min())
    100.0
    """
    check_choice("distribution", distribution, _SHAPES)
    shape = (count, n_attributes)
    raw = rng.uniform(-1.0, 1.0, shape) if distribution == "uniform" else rng.standard_normal(shape)
    return np.asarray(100.0 * (raw / np.abs(raw).max(axis=1, keepdims=True)))


def draw_targets(
    scenarios: Scenarios, *, only: Sequence[str] | None = None, distribution: str = "uniform", seed: int = 1
) -> Targets:
    """Draw target weights: uniform on (-1, 1), divided by the largest absolute one of the scenario, times 100, rounded.

    Parameters
    ----------
    scenarios : Scenarios
        The scenarios.
    only : sequence of str, optional
        Names of those to draw for; all, where not given.
    distribution : {"uniform", "gaussian"}
        See ``draw_weights``.
    seed : int
        Seed; a scenario's targets depend on it and on the scenario's name alone.

    Returns
    -------
    Targets
        Whole numbers from -100 to 100, the largest absolute one of each scenario being 100.

    Raises
    ------
    ArgumentError
        If an argument has no usable value.

    References
    ----------
    Plunkett, Morris, Reddy and Morales (2025), arXiv 2505.17120.

    Examples
    --------
    >>> from selfinterp_stats import load_scenarios
    >>> targets = draw_targets(load_scenarios(), seed=3)
    >>> targets.frame.groupby("scenario")["target"].agg(lambda t: t.abs().max()).eq(100).all()
    np.True_
    """
    check_seed(seed)
    check_choice("distribution", distribution, _SHAPES)
    wanted = None if only is None else set(only)
    unknown = sorted((wanted or set()) - set(scenarios.names))
    if unknown:
        raise ArgumentError(
            "only", expected="names of the scenarios", got=", ".join(map(repr, unknown[:5])), remedy="see scenarios.names"
        )
    parts = []
    for name, attributes in scenarios.frame.groupby("scenario", sort=False):
        if wanted is not None and name not in wanted:
            continue
        rng = make_generator(seed, "targets", scenario=name)
        drawn = draw_weights(len(attributes), rng, distribution=distribution)[0]
        parts.append(attributes[["scenario", "slot", "attribute"]].assign(target=np.round(drawn)))
    if not parts:
        return build_targets(pd.DataFrame(), scenarios, "targets", Problems())
    return Targets(pd.concat(parts, ignore_index=True))
