"""Priors of the choice models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError, check_range

__all__ = [
    "PAPER_PRIORS",
    "Beta",
    "ChoicePriors",
    "Gamma",
    "LogNormal",
    "Normal",
    "PooledPriors",
    "StudentT",
    "resolve_priors",
]

Floats = NDArray[np.float64]


def _check_positive(argument: str, value: float) -> None:
    check_range(argument, value, low=math.ulp(0.0), high=math.inf, remedy="pass a positive number")
    if math.isinf(value):
        raise ArgumentError(argument, expected="a finite number", got="inf", remedy="pass a large number instead")


@dataclass(frozen=True)
class Normal:
    """Normal prior.

    Parameters
    ----------
    mean, sd : float
        On the log-odds scale of the coefficient.
    """

    mean: float = 0.0
    sd: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("Normal(mean)", self.mean, low=-math.inf, high=math.inf)
        _check_positive("Normal(sd)", self.sd)

    def __str__(self) -> str:
        return f"normal({self.mean:g}, {self.sd:g})"

    def log_density(self, x: Floats) -> Floats:
        """Log density up to a constant, elementwise."""
        return np.asarray(-0.5 * np.square((x - self.mean) / self.sd))

    def score(self, x: Floats) -> Floats:
        """First derivative of the log density."""
        return np.asarray((self.mean - x) / self.sd**2)

    def curvature(self, x: Floats) -> Floats:
        """Negative second derivative of the log density."""
        return np.full_like(x, 1.0 / self.sd**2)


@dataclass(frozen=True)
class StudentT:
    """Student-t prior.

    Parameters
    ----------
    df : float
        Degrees of freedom.
    location, scale : float
        On the log-odds scale of the coefficient.
    """

    df: float = 3.0
    location: float = 0.0
    scale: float = 2.5

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_positive("StudentT(df)", self.df)
        check_range("StudentT(location)", self.location, low=-math.inf, high=math.inf)
        _check_positive("StudentT(scale)", self.scale)

    def __str__(self) -> str:
        return f"student_t({self.df:g}, {self.location:g}, {self.scale:g})"

    def log_density(self, x: Floats) -> Floats:
        """Log density up to a constant, elementwise."""
        return np.asarray(-0.5 * (self.df + 1) * np.log1p(np.square((x - self.location) / self.scale) / self.df))

    def score(self, x: Floats) -> Floats:
        """First derivative of the log density."""
        centred = x - self.location
        return np.asarray(-(self.df + 1) * centred / (self.df * self.scale**2 + centred**2))

    def curvature(self, x: Floats) -> Floats:
        """Negative second derivative of the log density; negative in the tails."""
        squared = np.square(x - self.location)
        spread = self.df * self.scale**2
        return np.asarray((self.df + 1) * (spread - squared) / (spread + squared) ** 2)


@dataclass(frozen=True)
class ChoicePriors:
    """Priors of a choice model without pooling.

    Parameters
    ----------
    slopes : Normal or StudentT
        Prior of every slope, independently: log odds for a difference of the whole range of an attribute.
    intercept : Normal or StudentT
        Prior of the intercept *at centred predictors*, as brms has it: log odds of A in the average trial.
    """

    slopes: Normal | StudentT = Normal(0.0, 1.0)
    intercept: Normal | StudentT = StudentT(3.0, 0.0, 2.5)

    def __str__(self) -> str:
        return f"slopes ~ {self.slopes}; intercept (at centred predictors) ~ {self.intercept}"


@dataclass(frozen=True)
class LogNormal:
    """Log-normal prior of a scale.

    Parameters
    ----------
    median : float
        On the log-odds scale.
    sd : float
        Of the logarithm.
    """

    median: float
    sd: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_positive("LogNormal(median)", self.median)
        _check_positive("LogNormal(sd)", self.sd)

    def __str__(self) -> str:
        return f"lognormal(log {self.median:g}, {self.sd:g})"


@dataclass(frozen=True)
class Beta:
    """Beta prior of a rate.

    Parameters
    ----------
    a, b : float
        Its mean is a / (a + b).
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_positive("Beta(a)", self.a)
        _check_positive("Beta(b)", self.b)

    def __str__(self) -> str:
        return f"beta({self.a:g}, {self.b:g})"


@dataclass(frozen=True)
class Gamma:
    """Gamma prior of degrees of freedom.

    Parameters
    ----------
    shape, rate : float
        Its mean is shape / rate.
    """

    shape: float
    rate: float

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_positive("Gamma(shape)", self.shape)
        _check_positive("Gamma(rate)", self.rate)

    def __str__(self) -> str:
        return f"gamma({self.shape:g}, {self.rate:g})"


@dataclass(frozen=True)
class PooledPriors:
    """Priors of the hierarchical choice model: of the scales that all scenarios of a group share.

    Slopes are Normal(0, tau), intercepts (log odds of A between equal options) Normal(0, sigma_alpha). What is None is not
    part of the model.

    Parameters
    ----------
    tau : LogNormal
        Standard deviation of the slopes. The default holds all that is plausible, from choices near chance to nearly
        deterministic ones: 95% of it lie between 0.4 and 21.
    sigma_alpha : LogNormal
        Standard deviation of the intercepts. The default, 0.07 to 3.5, runs from no position bias worth the name to
        answers by place in most trials.
    noise : LogNormal
        Standard deviation of the log odds around what the weights imply, scenario by scenario; for probabilities only.
    omega : LogNormal, optional
        Each scenario's own spread of slopes, tau * exp(omega * z) with z standard normal: prior of omega.
    slope_df : Gamma, optional
        Slopes are Student-t with these degrees of freedom instead of normal; nuts only.
    lapse : Beta, optional
        Share of trials, common to all scenarios, that are answered by a coin toss; nuts only.
    """

    tau: LogNormal = LogNormal(3.0, 1.0)
    sigma_alpha: LogNormal = LogNormal(0.5, 1.0)
    noise: LogNormal = LogNormal(0.5, 1.0)
    omega: LogNormal | None = None
    slope_df: Gamma | None = None
    lapse: Beta | None = None

    def __str__(self) -> str:
        parts = ["slopes ~ normal(0, tau)", f"tau ~ {self.tau}", f"sigma_alpha ~ {self.sigma_alpha}"]
        for name in ("omega", "slope_df", "lapse"):
            prior = getattr(self, name)
            if prior is not None:
                parts.append(f"{name} ~ {prior}")
        if self.slope_df is not None:
            parts[0] = "slopes ~ student_t(slope_df, 0, tau)"
        parts.insert(1, "intercepts ~ normal(0, sigma_alpha)")
        return "; ".join(parts)


PAPER_PRIORS = ChoicePriors()

Priors = ChoicePriors | PooledPriors


def resolve_priors(priors: str | Priors | None, pooling: str) -> Priors:
    """Priors by name or as given; without any, those of the model."""
    if priors is None:
        return PAPER_PRIORS if pooling == "none" else PooledPriors()
    if pooling == "none":
        if priors == "paper":
            return PAPER_PRIORS
        if isinstance(priors, ChoicePriors):
            return priors
        expected, remedy = "'paper' or a ChoicePriors", "pass ChoicePriors(slopes=Normal(0, 2)), for example"
    else:
        if isinstance(priors, PooledPriors):
            return priors
        expected = "a PooledPriors, since the spread of slopes is learned"
        remedy = "pass PooledPriors(tau=LogNormal(3, 1)), for example, or pooling='none'"
    raise ArgumentError(
        "priors", expected=expected, got=str(priors) if isinstance(priors, Priors) else repr(priors), remedy=remedy
    )
