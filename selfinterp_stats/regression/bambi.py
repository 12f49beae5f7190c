"""The path to Bambi: group-specific terms, other families and priors, sampled by nutpie."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.choice import Gamma, Normal, StudentT
from selfinterp_stats.errors import SelfInterpError
from selfinterp_stats.regression.fit import RegressionFit
from selfinterp_stats.regression.formula import Design
from selfinterp_stats.regression.priors import Flat, RegressionPriors
from selfinterp_stats.seeding import make_generator

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["fit_with_bambi"]

Floats = NDArray[np.float64]

_CHAINS, _TUNE = 4, 1_000
_FAMILIES = {"gaussian": "gaussian", "student": "t", "bernoulli": "bernoulli"}
_MEANS = {"gaussian": "mu", "student": "mu", "bernoulli": "p"}
_CLOSEST = 1e-15  # to zero and one; beyond, a probability has no log odds


def fit_with_bambi(
    design: Design, family: str, priors: RegressionPriors, *, prob: float, draws: int, seed: int
) -> RegressionFit:
    """Sample a model that has no closed form.

    Parameters
    ----------
    design : Design
    family : {"gaussian", "student", "bernoulli"}
    priors : RegressionPriors
    prob : float
    draws, seed : int
        Draws of all four chains together.

    Raises
    ------
    SelfInterpError
        If Bambi or nutpie is not installed.
    """
    bambi = _import_bambi()
    number = int(make_generator(seed, "bambi", formula=design.formula).integers(2**31))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Bambi meets deprecations of pandas and PyTensor at every step
        model = bambi.Model(design.formula, design.data, family=_FAMILIES[family], priors=_translate(bambi, design, priors))
        result = model.fit(
            draws=-(-draws // _CHAINS),
            tune=_TUNE,
            chains=_CHAINS,
            inference_method="nutpie",
            random_seed=number,
            progressbar=False,
        )
        offsets = _find_offsets(model, result, design, family) if design.groups else np.empty((0, draws))
    return _collect(result, offsets, design, family, priors, prob)


def _import_bambi() -> Any:
    try:
        import bambi
        import nutpie  # noqa: F401 - Bambi asks for it much later
    except ImportError as error:
        raise SelfInterpError(
            "this regression has no closed form and needs Bambi and nutpie: pip install 'selfinterp-stats[nuts]'"
        ) from error
    return bambi


def _translate(bambi: Any, design: Design, priors: RegressionPriors) -> dict[str, Any]:
    """Priors in Bambi's terms; a term of several coefficients shares one."""

    def translate(prior: Flat | Normal | StudentT) -> Any:
        if isinstance(prior, Flat):
            return bambi.Prior("Flat")
        if isinstance(prior, Normal):
            return bambi.Prior("Normal", mu=prior.mean, sigma=prior.sd)
        return bambi.Prior("StudentT", nu=prior.df, mu=prior.location, sigma=prior.scale)

    def half(prior: StudentT) -> Any:
        return bambi.Prior("HalfStudentT", nu=prior.df, sigma=prior.scale)

    translated: dict[str, Any] = {}
    for name, term in design.matrices.common.terms.items():
        own = [priors.coefficients[label] for label in term.labels if label in priors.coefficients]
        if own:
            translated[name] = _merge(bambi, own, translate)
    if priors.intercept is not None:
        translated["Intercept"] = translate(priors.intercept)
    if priors.sigma is not None:
        translated["sigma"] = half(priors.sigma)
    if isinstance(priors.nu, Gamma):
        translated["nu"] = bambi.Prior("Gamma", alpha=priors.nu.shape, beta=priors.nu.rate)
    if priors.sd is not None:
        for name in design.groups:
            translated[name] = bambi.Prior("Normal", mu=0.0, sigma=half(priors.sd))
    return translated


def _merge(bambi: Any, own: list[Any], translate: Any) -> Any:
    """One prior of a term; coefficients with different ones get an array of parameters."""
    if len(set(own)) == 1:
        return translate(own[0])
    kinds = {type(prior) for prior in own}
    if kinds == {Normal}:
        return bambi.Prior("Normal", mu=np.array([p.mean for p in own]), sigma=np.array([p.sd for p in own]))
    raise SelfInterpError(
        "coefficients of one factor have priors of different kinds, which Bambi cannot express; give them one kind"
    )


def _find_offsets(model: Any, result: Any, design: Design, family: str) -> Floats:
    """What group-specific terms add to each row's linear predictor."""
    model.predict(result, kind="response_params")
    mean = _flatten(result.posterior[_MEANS[family]])
    if family == "bernoulli":
        inside = np.clip(mean, _CLOSEST, 1.0 - _CLOSEST)
        mean = np.log(inside) - np.log1p(-inside)
    coefficients = np.concatenate([_flatten(result.posterior[name]) for name in design.matrices.common.terms])
    return np.asarray(mean - design.X @ coefficients)


def _flatten(values: xr.DataArray) -> Floats:
    """(chain, draw, ...) to (rows, chains * draws)."""
    array = values.to_numpy()
    return np.asarray(array.reshape(array.shape[0] * array.shape[1], -1).T, dtype=np.float64)


def _collect(
    result: Any, offsets: Floats, design: Design, family: str, priors: RegressionPriors, prob: float
) -> RegressionFit:
    from arviz_stats.base import array_stats

    posterior = result.posterior
    parts, names = [], list(design.names)
    for term in design.matrices.common.terms:
        values = posterior[term].to_numpy()
        parts.append(values.reshape(*values.shape[:2], -1))
    for name in [*(f"{group}_sigma" for group in design.groups), "sigma", "nu"]:
        if name in posterior:
            values = posterior[name].to_numpy().reshape(*posterior[name].shape[:2], -1)
            parts.append(values)
            names += [name] if values.shape[2] == 1 else [f"{name}[{k}]" for k in range(values.shape[2])]
    stacked = np.moveaxis(np.concatenate(parts, axis=2), 2, 0)
    diagnostics = pd.DataFrame(
        {
            "r_hat": [float(array_stats.rhat(chains, chain_axis=0, draw_axis=1)) for chains in stacked],
            "ess_bulk": [float(array_stats.ess(chains, chain_axis=0, draw_axis=1, method="bulk")) for chains in stacked],
            "ess_tail": [
                float(array_stats.ess(chains, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95)))
                for chains in stacked
            ],
        },
        index=names,
    )
    return RegressionFit(
        formula=design.formula,
        family=family,
        priors=priors,
        inference="nuts",
        design=design,
        names=tuple(names),
        values=stacked,
        offsets=offsets,
        prob=prob,
        diagnostics=diagnostics,
        divergences=int(result.sample_stats["diverging"].to_numpy().sum()),
    )
