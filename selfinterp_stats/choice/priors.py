"""Priors of the choice models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError, check_range

__all__ = ["PAPER_PRIORS", "ChoicePriors", "Normal", "StudentT", "resolve_priors"]

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


PAPER_PRIORS = ChoicePriors()


def resolve_priors(priors: str | ChoicePriors) -> ChoicePriors:
    """Priors by name or as given."""
    if isinstance(priors, ChoicePriors):
        return priors
    if priors == "paper":
        return PAPER_PRIORS
    raise ArgumentError(
        "priors",
        expected="'paper' or a ChoicePriors",
        got=repr(priors),
        remedy="pass ChoicePriors(slopes=Normal(0, 2)), for example",
    )
