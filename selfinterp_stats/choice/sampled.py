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
from selfinterp_stats.choice.models import build_paired, specify_model
from selfinterp_stats.choice.paired import PairedArrays
from selfinterp_stats.choice.pooled import list_groups
from selfinterp_stats.choice.priors import PooledPriors
from selfinterp_stats.choice.separate import centre_predictors, select_likelihood
from selfinterp_stats.engines import ESS_NEEDED, ChainAccuracy, NutsDraws, sample_nuts
from selfinterp_stats.errors import SelfInterpWarning
from selfinterp_stats.seeding import make_generator

__all__ = ["fit_by_nuts", "fit_pair_by_nuts"]

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


def fit_pair_by_nuts(
    design: Design,
    members: tuple[NDArray[np.int64], NDArray[np.int64]],
    priors: PooledPriors,
    draws: int,
    seed: int,
    label: dict[str, Any],
) -> PairedArrays:
    """Draw from the joint model of two conditions; arguments are those of ``paired.fit_pair``."""
    parameters: dict[str, Floats] = {}
    for name, scale in (("log_tau", priors.tau), ("log_sigma_alpha", priors.sigma_alpha)):
        parameters |= {f"{name}_location": np.asarray(np.log(scale.median)), f"{name}_sd": np.asarray(scale.sd)}
    data = _trials(design, np.concatenate(members), "choice")
    names = ["slope", "intercept", "tau", "sigma_alpha", "rho", "rho_alpha"]
    own_seed = int(make_generator(seed, "paired nuts", **label).integers(2**62))
    count = -(-draws // _CHAINS)
    found = sample_nuts(build_paired, {**data, **parameters}, draws=count, chains=_CHAINS, seed=own_seed, keep=names)
    accuracy = found.accuracy()
    used = data["used"].astype(bool)
    n = len(members[0])
    flat = {name: _flatten(values.reshape(*values.shape[:2], -1), draws).T for name, values in found.values.items()}
    slopes = flat["slope"].reshape(2 * n, -1, draws)[used].reshape(2, -1, draws)
    population = np.concatenate([flat["tau"], flat["rho"], flat["sigma_alpha"], flat["rho_alpha"]])
    table = _describe_pairs(accuracy, used, n)
    settled = all(_passes(accuracy[name]) for name in ("tau", "sigma_alpha", "rho", "rho_alpha"))
    return PairedArrays(slopes, flat["intercept"].reshape(2, n, draws), population, table, settled)


def _describe_pairs(accuracy: dict[str, ChainAccuracy], used: NDArray[np.bool_], n: int) -> pd.DataFrame:
    """Diagnostics of each scenario, the worst of both conditions."""
    slope, intercept = accuracy["slope"], accuracy["intercept"]
    ess = np.minimum(np.where(used, slope.ess_bulk, np.inf), np.where(used, slope.ess_tail, np.inf)).min(axis=1)
    ess = np.minimum(ess, np.minimum(intercept.ess_bulk, intercept.ess_tail))
    r_hat = np.maximum(np.where(used, slope.r_hat, -np.inf).max(axis=1), intercept.r_hat)
    size = np.minimum(np.where(used, slope.ess_mean, np.inf).min(axis=1), intercept.ess_mean)
    ess, r_hat, mcse = (
        ess.reshape(2, n).min(axis=0),
        r_hat.reshape(2, n).max(axis=0),
        size.reshape(2, n).min(axis=0) ** -0.5,
    )
    passed = (r_hat < _R_HAT_LIMIT) & (ess >= ESS_NEEDED)
    table = {"sampler": "nuts", "k_hat": np.nan, "ess": ess, "r_hat": r_hat, "mcse": mcse, "converged": passed}
    return pd.DataFrame(table)


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
