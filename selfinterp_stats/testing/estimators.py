"""What an estimator under test is given, and what it may give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.agents import Decider
from selfinterp_stats.agents.deciders import ask_decider
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.scenarios import OptionPairs
from selfinterp_stats.tables import Decisions, Problems, Scenarios
from selfinterp_stats.tables.decisions import build_decisions

__all__ = ["Estimator", "decide", "normalise", "take_draws"]

Floats = NDArray[np.float64]
Draws = dict[str, Floats]

# From decisions and scenarios to draws of the slopes; see take_draws.
Estimator = Callable[[Decisions, Scenarios], Any]


def decide(
    pairs: OptionPairs, deciders: Sequence[Decider], weights: Sequence[Floats], rngs: Sequence[np.random.Generator]
) -> Decisions:
    """Decisions in every scenario, each by a decider of its own."""
    a, b = pairs.positions()
    chosen = []
    for i, (decider, own, rng) in enumerate(zip(deciders, weights, rngs, strict=True)):
        probability = ask_decider(decider, a[i, :, : len(own)], b[i, :, : len(own)], own)
        chosen.append(np.where(rng.random(pairs.n_trials) < probability, "A", "B"))
    frame = pairs.frame()
    entries = frame.assign(
        base_model="agent",
        preferences="native",
        model="agent",
        trial=frame["trial"].astype(str),
        chosen=np.concatenate(chosen),
        p_a=np.nan,
        row=np.arange(2, len(frame) + 2),
    )
    return build_decisions(entries, [], pairs.scenarios, "decisions", Problems())


def take_draws(result: Any, scenarios: Scenarios) -> Draws:
    """Draws of the slopes of every scenario, whichever way an estimator gives them.

    Parameters
    ----------
    result : mapping or xarray.DataArray
        From each scenario's name to an array of shape (draws, attributes), attributes in the order of the scenario; or an
        array with coordinates ``scenario`` and ``attribute`` along one dimension, all other dimensions being draws, such
        as ``fit.draws["slope"]``.
    scenarios : Scenarios
        The scenarios that have to be there.

    Returns
    -------
    dict of str to numpy.ndarray
        Shape (draws, attributes) for each scenario.

    Raises
    ------
    ArgumentError
        If it is neither, if a scenario is missing, or if shapes or values are not usable.
    """
    draws = (
        dict(result) if isinstance(result, Mapping) and not hasattr(result, "coords") else _split_array(result, scenarios)
    )
    sizes = scenarios.n_attributes
    for name, size in sizes.items():
        if name not in draws:
            raise _wrong(f"draws for all {len(sizes)} scenarios", f"none for {name!r}")
        try:
            values = np.asarray(draws[name], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise _wrong("numbers", f"{error} for {name!r}") from error
        if values.ndim != 2 or values.shape[1] != size or len(values) < 2:
            raise _wrong(f"shape (draws, {size}) for {name!r}, with two draws or more", f"shape {values.shape}")
        if not np.isfinite(values).all():
            raise _wrong("finite draws", f"{int((~np.isfinite(values)).sum())} that are not, for {name!r}")
        draws[name] = values
    return {name: draws[name] for name in sizes}


def _split_array(result: Any, scenarios: Scenarios) -> Draws:
    coordinates = getattr(result, "coords", None)
    if coordinates is None or "scenario" not in coordinates or "attribute" not in coordinates:
        raise _wrong(
            "a mapping from scenario names to arrays (draws, attributes), or an xarray.DataArray with coordinates scenario "
            "and attribute",
            type(result).__name__,
        )
    if result["scenario"].dims != result["attribute"].dims or len(result["scenario"].dims) != 1:
        raise _wrong(
            "coordinates scenario and attribute along one dimension, as in fit.draws",
            f"{result['scenario'].dims} and {result['attribute'].dims}",
        )
    (along,) = result["scenario"].dims
    others = [dim for dim in result.dims if dim != along]
    values = result.transpose(along, *others).to_numpy().reshape(result.sizes[along], -1)
    labels = zip(result["scenario"].to_numpy().tolist(), result["attribute"].to_numpy().tolist(), strict=True)
    place = {label: i for i, label in enumerate(labels)}
    wanted = scenarios.frame[["scenario", "attribute"]].itertuples(index=False, name=None)
    rows = {label: place.get(label) for label in wanted}
    absent = [label for label, row in rows.items() if row is None]
    if absent:
        raise _wrong("draws for every attribute of every scenario", f"none for {absent[0][1]!r} of {absent[0][0]!r}")
    groups = pd.DataFrame({"scenario": [name for name, _ in rows], "row": list(rows.values())}).groupby("scenario")["row"]
    return {str(name): values[group.to_numpy(dtype=np.int64)].T for name, group in groups}


def normalise(slopes: Floats) -> Floats:
    """Slopes over the largest absolute one, times 100, in every draw; shape (..., attributes)."""
    size = np.abs(slopes).max(axis=-1, keepdims=True)
    return np.asarray(100.0 * (slopes / np.where(size > 0, size, 1.0)))


def _wrong(expected: str, got: str) -> ArgumentError:
    return ArgumentError("estimator", expected=expected, got=got, remedy="let it return draws of the slopes, log odds")
