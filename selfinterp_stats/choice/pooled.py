"""The hierarchical choice model with the laplace engine: scenarios of a group share the spread of slopes and intercepts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice.arrays import FitArrays
from selfinterp_stats.choice.density import ProbabilityLikelihood
from selfinterp_stats.choice.design import Design
from selfinterp_stats.choice.fit import ChoiceSpec
from selfinterp_stats.choice.priors import LogNormal, PooledPriors
from selfinterp_stats.choice.separate import select_likelihood
from selfinterp_stats.engines import LearnedScales, PooledDensity, PooledDraws, sample_pooled
from selfinterp_stats.seeding import make_generator

__all__ = ["fit_with_pooling", "list_groups"]

Floats = NDArray[np.float64]
Label = dict[str, Any]


def fit_with_pooling(design: Design, spec: ChoiceSpec) -> FitArrays:
    """Fit the scenarios of each group together."""
    arrays = FitArrays(design, spec.draws)
    for label, members in list_groups(design, spec):
        _fit_group(design, spec, label, members, arrays)
    return arrays


def list_groups(design: Design, spec: ChoiceSpec) -> list[tuple[Label, NDArray[np.int64]]]:
    """Labels and contexts of each group; groups share no parameter."""
    contexts = design.contexts
    if not spec.by:
        return [({}, np.arange(len(contexts)))]
    number = contexts.groupby(list(spec.by), sort=True, dropna=False).ngroup().to_numpy()
    groups = [np.flatnonzero(number == n) for n in range(number.max() + 1)]
    return [({name: contexts.loc[members[0], name] for name in spec.by}, members) for members in groups]


def _fit_group(design: Design, spec: ChoiceSpec, label: Label, members: NDArray[np.int64], arrays: FitArrays) -> None:
    assert isinstance(spec.priors, PooledPriors)
    sizes = design.contexts.loc[members, "n_attributes"].to_numpy()
    batches = [members[sizes == size] for size in np.unique(sizes)]
    names = [design.contexts.loc[batch, "scenario"].tolist() for batch in batches]

    def make_rng(purpose: str, i: int, b: int) -> np.random.Generator:
        own = {"scenario": names[i][b]} if i >= 0 else {}
        return make_generator(spec.seed, f"pooled {purpose}", **label, **own)

    densities = [_likelihood(design, spec, batch, int(size)) for batch, size in zip(batches, np.unique(sizes), strict=True)]

    def store(i: int, b: int, draws: Floats) -> None:
        arrays.store(int(batches[i][b]), draws[:, 0], draws[:, densities[i].blocks[1]])

    result = sample_pooled(densities, _learned_scales(spec.priors), spec.draws, make_rng, store)
    order = np.concatenate(batches)
    for name in ("k_hat", "ess", "r_hat", "mcse"):
        arrays.numbers[name][order] = getattr(result, name)
    arrays.sampler[order], arrays.converged[order] = result.sampler, result.converged
    for density, batch, errors in zip(densities, batches, result.mean_errors, strict=True):
        for context, row in zip(batch.tolist(), errors, strict=True):
            arrays.store_errors(context, float(row[0]), row[density.blocks[1]])
    arrays.add_population(label, *_describe(result, len(members)))


def _likelihood(design: Design, spec: ChoiceSpec, members: NDArray[np.int64], size: int) -> PooledDensity:
    if spec.response == "choice":
        return select_likelihood(design, members, size)
    assert isinstance(spec.priors, PooledPriors)
    everything = ProbabilityLikelihood(design.x[:, :size], design.s, design.side, design.first, spec.priors.noise)
    chosen = everything.select(members.tolist())
    return replace(chosen, x=np.ascontiguousarray(chosen.x))


def _learned_scales(priors: PooledPriors) -> LearnedScales:
    learned: list[LogNormal] = [priors.sigma_alpha, priors.tau]
    if priors.omega is not None:
        learned.append(priors.omega)
    return LearnedScales(np.log([prior.median for prior in learned]), np.array([prior.sd for prior in learned]))


def _describe(result: PooledDraws, n_scenarios: int) -> tuple[pd.DataFrame, Floats]:
    """Rows of the population table, and draws on the scales themselves."""
    values = np.exp(result.phi.T)
    names = ["sigma_alpha", "tau", "omega"][: len(values)]
    order = [names.index(name) for name in ("tau", "sigma_alpha", "omega") if name in names]
    # an error of the log density that differs by d over two standard deviations moves the mean by d / 2 of them
    relative = np.sqrt(0.25 * result.table_noise + 0.25 / values.shape[1])
    table = pd.DataFrame({"parameter": names, "n_scenarios": n_scenarios, "mcse": relative * values.std(axis=1)})
    table["converged"] = result.settled
    return table.iloc[order].reset_index(drop=True), values[order]
