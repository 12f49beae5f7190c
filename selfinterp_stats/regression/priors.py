"""Priors of regressions: those that brms sets by itself, or by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.choice import Gamma, Normal, StudentT
from selfinterp_stats.errors import ArgumentError

__all__ = ["Flat", "RegressionPriors", "resolve_regression_priors"]

Floats = NDArray[np.float64]

_MAD_FACTOR = 1.4826  # R's mad(): consistent for the normal
_LEAST_SCALE = 2.5
_INTERCEPT, _ALL = "Intercept", "b"
_SCALES = ("sigma", "sd")


@dataclass(frozen=True)
class Flat:
    """Improper prior, the same everywhere."""

    def __str__(self) -> str:
        return "flat"


Prior = Flat | Normal | StudentT


@dataclass(frozen=True)
class RegressionPriors:
    """Priors of a regression.

    Parameters
    ----------
    coefficients : mapping of str to Flat, Normal or StudentT
        One for each coefficient but the intercept, on the scale of the response (log odds for Bernoulli).
    intercept : Normal or StudentT
        At centred predictors, as brms has it.
    sigma : StudentT, optional
        Residual standard deviation, half of a Student-t around zero; None where the family has none.
    sd : StudentT, optional
        Standard deviations of group-specific terms, likewise; None without such terms.
    nu : Gamma, optional
        Degrees of freedom of the Student-t family.
    """

    coefficients: Mapping[str, Prior] = field(default_factory=dict)
    intercept: Prior | None = None
    sigma: StudentT | None = None
    sd: StudentT | None = None
    nu: Gamma | None = None

    @property
    def proper(self) -> bool:
        """Whether every prior is a probability distribution."""
        return not any(isinstance(prior, Flat) for prior in (*self.coefficients.values(), self.intercept))

    def for_gaussian(self) -> tuple[Normal | StudentT | None, StudentT]:
        """Priors of intercept and residual standard deviation of a Gaussian model."""
        assert self.sigma is not None  # resolved for that family
        assert not isinstance(self.intercept, Flat)
        return self.intercept, self.sigma

    def __str__(self) -> str:
        parts = []
        for prior in dict.fromkeys(map(str, self.coefficients.values())):
            names = [name for name, own in self.coefficients.items() if str(own) == prior]
            everyone = len(names) == len(self.coefficients)
            parts.append(f"{'coefficients' if everyone else ', '.join(names)} ~ {prior}")
        if self.intercept is not None:
            parts.append(f"Intercept (at centred predictors) ~ {self.intercept}")
        parts += [f"{name} ~ half of {getattr(self, name)}" for name in _SCALES if getattr(self, name) is not None]
        if self.nu is not None:
            parts.append(f"nu ~ {self.nu}")
        return "; ".join(parts)


def resolve_regression_priors(
    priors: str | Mapping[str, object], y: Floats, names: tuple[str, ...], family: str, grouped: bool
) -> RegressionPriors:
    """Priors of every parameter.

    Parameters
    ----------
    priors : {"brms"} or mapping
        Or priors for some parameters: the name of a coefficient, "b" for all but the intercept, "Intercept", "sigma", "sd"
        and "nu"; the others are brms' own.
    y : numpy.ndarray
        The response, which brms' scales come from.
    names : tuple of str
        Coefficients.
    family : {"gaussian", "student", "bernoulli"}
    grouped : bool
        Whether there are group-specific terms.

    Raises
    ------
    ArgumentError
        If a name is no parameter of the model, or a prior does not fit it.
    """
    if priors == "brms":
        return _brms_priors(y, names, family, grouped)
    if not isinstance(priors, Mapping):
        raise ArgumentError(
            "priors",
            expected="'brms' or a mapping of parameters to priors",
            got=repr(priors),
            remedy="pass priors={'b': Normal(0, 1)}, for example",
        )
    empty = [str(name) for name, prior in priors.items() if prior is None]
    if empty:
        raise ArgumentError(
            f"priors[{empty[0]!r}]", expected="a prior", got="None", remedy="leave it out for brms' own, or pass Flat()"
        )
    default = _brms_priors(y, names, family, grouped)
    _check_names(priors, default, family)
    coefficients = {name: priors.get(name, priors.get(_ALL, own)) for name, own in default.coefficients.items()}
    others = {name: priors[name] for name in (*_SCALES, "nu") if name in priors}
    intercept = priors.get(_INTERCEPT, default.intercept)
    resolved = replace(default, coefficients=coefficients, intercept=intercept, **others)  # type: ignore[arg-type]
    _check_types(resolved)
    return resolved


def _brms_priors(y: Floats, names: tuple[str, ...], family: str, grouped: bool) -> RegressionPriors:
    """What brms sets: flat slopes, Student-t(3) around the median with the scaled median absolute deviation or 2.5."""
    location, scale = 0.0, _LEAST_SCALE
    if family != "bernoulli":
        median = float(np.median(y))
        spread = float(np.median(np.abs(y - median))) * _MAD_FACTOR
        location, scale = round(median, 1), max(_LEAST_SCALE, round(spread, 1))
    half = StudentT(3.0, 0.0, scale)
    return RegressionPriors(
        coefficients={name: Flat() for name in names if name != _INTERCEPT},
        intercept=StudentT(3.0, location, scale) if _INTERCEPT in names else None,
        sigma=None if family == "bernoulli" else half,
        sd=half if grouped else None,
        nu=Gamma(2.0, 0.1) if family == "student" else None,
    )


def _check_names(priors: Mapping[str, object], default: RegressionPriors, family: str) -> None:
    known = [_ALL, *default.coefficients]
    known += [name for name in ("intercept", *_SCALES, "nu") if getattr(default, name) is not None]
    known = [_INTERCEPT if name == "intercept" else name for name in known]
    unknown = [name for name in priors if name not in known]
    if unknown:
        raise ArgumentError(
            "priors",
            expected=f"parameters of this {family} model ({', '.join(known)})",
            got=", ".join(map(str, unknown)),
            remedy="leave them out",
        )


def _check_types(priors: RegressionPriors) -> None:
    wanted: list[tuple[str, object, tuple[type, ...]]] = [
        (name, prior, (Flat, Normal, StudentT)) for name, prior in priors.coefficients.items()
    ]
    if priors.intercept is not None:
        wanted.append((_INTERCEPT, priors.intercept, (Normal, StudentT)))
    wanted += [(name, getattr(priors, name), (StudentT,)) for name in _SCALES if getattr(priors, name) is not None]
    if priors.nu is not None:
        wanted.append(("nu", priors.nu, (Gamma,)))
    for name, prior, kinds in wanted:
        if not isinstance(prior, kinds):
            raise ArgumentError(
                f"priors[{name!r}]",
                expected=" or ".join(kind.__name__ for kind in kinds),
                got=str(prior) if isinstance(prior, (Normal, StudentT, Gamma, Flat)) else repr(prior),
                remedy=f"pass {kinds[-1].__name__}(...) for it",
            )
    for name in _SCALES:
        prior = getattr(priors, name)
        if prior is not None and prior.location != 0:
            raise ArgumentError(
                f"priors[{name!r}]",
                expected="a Student-t around zero, of which the positive half is used",
                got=str(prior),
                remedy=f"pass StudentT({prior.df:g}, 0, {prior.scale:g})",
            )
