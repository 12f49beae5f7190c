"""The choice models with the nuts engine: the reference, for every option."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice.arrays import FitArrays
from selfinterp_stats.choice.design import Design
from selfinterp_stats.choice.fit import ChoiceSpec
from selfinterp_stats.choice.models import specify_model
from selfinterp_stats.choice.pooled import list_groups
from selfinterp_stats.choice.separate import centre_predictors, select_likelihood
from selfinterp_stats.engines import ESS_NEEDED, ChainAccuracy, NutsDraws, sample_nuts
from selfinterp_stats.errors import SelfInterpWarning
from selfinterp_stats.seeding import make_generator

__all__ = ["fit_by_nuts"]

Floats = NDArray[np.float64]
_Sample = partial[NutsDraws]

_CHAINS = 4
_R_HAT_LIMIT = 1.01
_POPULATION = ("tau", "sigma_alpha", "omega", "slope_df", "lapse")


def fit_by_nuts(design: Design, spec: ChoiceSpec) -> FitArrays:
    """Fit each context, or the contexts of each group together, by the No-U-Turn sampler."""
    build, parameters = specify_model(spec.priors, response=spec.response)
    arrays = FitArrays(design, spec.draws)
    sample = partial(sample_nuts, build, draws=-(-spec.draws // _CHAINS), chains=_CHAINS)
    divergences = 0
    for label, members in list_groups(design, spec):
        if spec.pooling == "none":
            for context in members.tolist():
                data, centre = _centred_trials(design, context)
                seed = _seed(spec, {**label, "scenario": design.contexts.loc[context, "scenario"]})
                found = sample({**data, **parameters}, seed=seed, keep=["slope", "intercept"])
                divergences += found.divergences
                _store(arrays, np.array([context]), found, centre)
        else:
            names = [name for name in _POPULATION if _is_learned(spec, name)]
            data = _trials(design, members, spec.response)
            found = sample({**data, **parameters}, seed=_seed(spec, label), keep=["slope", "intercept", *names])
            divergences += found.divergences
            _store(arrays, members, found, None)
            _store_population(arrays, label, names, found, len(members))
    if divergences:
        warnings.warn(
            f"{divergences} divergent transitions: some region of the posterior was not reached; see fit.contexts",
            SelfInterpWarning,
            stacklevel=3,
        )
    return arrays


def _is_learned(spec: ChoiceSpec, name: str) -> bool:
    return getattr(spec.priors, name, None) is not None


def _seed(spec: ChoiceSpec, label: dict[str, Any]) -> int:
    return int(make_generator(spec.seed, "nuts", **label).integers(2**62))


def _trials(design: Design, members: NDArray[np.int64], response: str) -> dict[str, Floats | NDArray[np.int64]]:
    """Data of the models for the given contexts."""
    rows = np.concatenate([np.arange(design.first[c], design.first[c + 1]) for c in members])
    sizes = design.contexts["n_attributes"].to_numpy()[members]
    width = int(sizes.max())
    counts = np.diff(design.first)[members]
    data: dict[str, Floats | NDArray[np.int64]] = {
        "x": np.ascontiguousarray(design.x[rows, :width]),
        "context": np.repeat(np.arange(len(members)), counts),
        "used": (np.arange(width) < sizes[:, None]).astype(np.int64),
    }
    if response == "choice":
        return {**data, "s": design.s[rows]}
    return {**data, "y": design.s[rows], "censored": design.side[rows].astype(np.int64)}


def _centred_trials(design: Design, context: int) -> tuple[dict[str, Floats | NDArray[np.int64]], Floats]:
    members = np.array([context])
    size = int(design.contexts["n_attributes"].to_numpy()[context])
    likelihood, centre = centre_predictors(select_likelihood(design, members, size))
    return {**_trials(design, members, "choice"), "x": likelihood.x}, centre[0]


def _store(arrays: FitArrays, members: NDArray[np.int64], found: NutsDraws, centre: Floats | None) -> None:
    """Keep draws and diagnostics; an intercept at centred predictors is moved to equal options."""
    n_draws = arrays.slope_draws.shape[1]
    slope, intercept = found.values["slope"], found.values["intercept"]
    if centre is not None:
        intercept = intercept - (slope @ centre)
    for b, context in enumerate(members.tolist()):
        size = arrays.slopes(context).stop - arrays.slopes(context).start
        own = np.concatenate([intercept[:, :, b, None], slope[:, :, b, :size]], axis=2)
        accuracy = NutsDraws({"theta": own}, 0).accuracy()["theta"]
        flat = _flatten(own, n_draws)
        # more effective draws than draws is no mistake: neighbours of a chain often lie on opposite sides of the mean
        errors = own.reshape(-1, size + 1).std(axis=0) / np.sqrt(accuracy.ess_mean)
        arrays.store(context, flat[:, 0], flat[:, 1:])
        arrays.store_errors(context, float(errors[0]), errors[1:])
        ess = np.minimum(accuracy.ess_bulk, accuracy.ess_tail).min()
        arrays.numbers["ess"][context], arrays.numbers["r_hat"][context] = ess, accuracy.r_hat.max()
        arrays.numbers["mcse"][context] = (errors / flat.std(axis=0)).max()
        arrays.converged[context] = _passes(accuracy)
    arrays.sampler[members] = "nuts"


def _store_population(
    arrays: FitArrays, label: dict[str, Any], names: list[str], found: NutsDraws, n_scenarios: int
) -> None:
    n_draws = arrays.slope_draws.shape[1]
    accuracy = found.accuracy()
    draws = np.array([_flatten(found.values[name][:, :, None], n_draws)[:, 0] for name in names])
    ess = np.array([float(accuracy[name].ess_mean) for name in names])
    table = pd.DataFrame({"parameter": names, "n_scenarios": n_scenarios, "mcse": draws.std(axis=1) / np.sqrt(ess)})
    table["converged"] = [_passes(accuracy[name]) for name in names]
    arrays.add_population(label, table, draws)


def _passes(accuracy: ChainAccuracy) -> bool:
    ess = np.minimum(accuracy.ess_bulk, accuracy.ess_tail).min()
    return bool(accuracy.r_hat.max() < _R_HAT_LIMIT and ess >= ESS_NEEDED)


def _flatten(values: Floats, draws: int) -> Floats:
    """(chains, draws, D) to (draws, D), all chains in equal shares."""
    return values.transpose(1, 0, 2).reshape(-1, values.shape[2])[:draws]
