"""The choice model without pooling: every scenario by itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.choice.arrays import FitArrays
from selfinterp_stats.choice.density import ChoiceDensity, ChoiceLikelihood
from selfinterp_stats.choice.design import Design
from selfinterp_stats.choice.fit import ChoiceSpec
from selfinterp_stats.choice.priors import ChoicePriors
from selfinterp_stats.engines import sample_laplace
from selfinterp_stats.seeding import make_generator

__all__ = ["centre_predictors", "fit_separately", "select_likelihood"]

Floats = NDArray[np.float64]

_BATCH_VALUES = 2**25  # draws of a batch, a quarter of a gigabyte


def fit_separately(design: Design, spec: ChoiceSpec) -> FitArrays:
    """Fit every context by itself with the laplace engine."""
    assert isinstance(spec.priors, ChoicePriors)
    contexts = design.contexts
    arrays = FitArrays(design, spec.draws)
    for size, members in _batches(contexts["n_attributes"].to_numpy(), spec.draws):
        likelihood, centres = centre_predictors(select_likelihood(design, members, size))
        labels = contexts.loc[members, [*spec.by, "scenario"]].to_dict("records")
        rngs = [make_generator(spec.seed, "fit", **{str(k): v for k, v in label.items()}) for label in labels]
        result = sample_laplace(ChoiceDensity(likelihood, spec.priors), spec.draws, rngs)
        relative = (result.mcse / result.draws.std(axis=1)).max(axis=1)
        for b, context in enumerate(members.tolist()):
            slopes = result.draws[b, :, 1:]
            intercept = result.draws[b, :, 0] - slopes @ centres[b]
            arrays.store(context, intercept, slopes)
            # relative accuracy carries over from the intercept at centred predictors
            arrays.store_errors(context, float(relative[b] * intercept.std()), result.mcse[b, 1:])
        for name, values in (("k_hat", result.k_hat), ("ess", result.ess), ("r_hat", result.r_hat), ("mcse", relative)):
            arrays.numbers[name][members] = values
        arrays.sampler[members] = np.where(result.exact, "slice", "importance")
        arrays.converged[members] = result.converged
    return arrays


def _batches(sizes: NDArray[np.int64], draws: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Contexts with one number of attributes each, no more at a time than memory has room for twice."""
    for size in np.unique(sizes).tolist():
        members = np.flatnonzero(sizes == size)
        step = max(1, _BATCH_VALUES // (draws * (size + 1)))
        for start in range(0, len(members), step):
            yield size, members[start : start + step]


def select_likelihood(design: Design, members: NDArray[np.int64], size: int) -> ChoiceLikelihood:
    """Likelihood of the given contexts, all of `size` attributes, as a batch."""
    chosen = ChoiceLikelihood(design.x[:, :size], design.s, design.first).select(members.tolist())
    return ChoiceLikelihood(np.ascontiguousarray(chosen.x), chosen.s, chosen.first)


def centre_predictors(likelihood: ChoiceLikelihood) -> tuple[ChoiceLikelihood, Floats]:
    """The likelihood with predictors centred in each context, and the means that were subtracted, shape (B, K)."""
    counts = np.diff(likelihood.first)
    centres = np.add.reduceat(likelihood.x, likelihood.first[:-1], axis=0) / counts[:, None]
    centred = np.ascontiguousarray(likelihood.x - np.repeat(centres, counts, axis=0))
    return ChoiceLikelihood(centred, likelihood.s, likelihood.first), centres
