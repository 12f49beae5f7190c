"""Reporters: what a synthetic agent says of its weights, with a report accuracy that is set and not hoped for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError, check_choice, check_range

__all__ = ["GaussianNoise", "Noise", "Reporter", "StudentNoise", "draw_noise_free_reports"]

Floats = NDArray[np.float64]

TRUTHS = ("finite", "population")


class Noise(Protocol):
    """How replies to the same question differ."""

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Independent errors in points, centred at 0."""
        ...


@dataclass(frozen=True)
class GaussianNoise:
    """Normal noise.

    Parameters
    ----------
    sd : float
        Standard deviation in points.
    """

    sd: float = 12.0

    def __post_init__(self) -> None:
        """Check the parameter."""
        check_range("sd", self.sd, low=0.0, high=1e6)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Independent errors in points."""
        return np.asarray(self.sd * rng.standard_normal(shape))


@dataclass(frozen=True)
class StudentNoise:
    """Heavy-tailed noise: most replies agree and a few are far off.

    Parameters
    ----------
    scale : float
        Scale in points.
    df : float
        Degrees of freedom, above 1.
    """

    scale: float = 8.0
    df: float = 2.5

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("scale", self.scale, low=0.0, high=1e6)
        check_range("df", self.df, low=1.0001, high=1e6, remedy="pass df=2.5, for example; at 1 there is no mean")

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Independent errors in points."""
        return np.asarray(self.scale * rng.standard_t(self.df, shape))


@dataclass(frozen=True)
class Reporter:
    """How an agent reports.

    Noise-free reports are ``m = bias + spread * (association * z + sqrt(1 - association**2) * e)`` with z the standardised
    used weights and e errors that have nothing to do with them. A reply is m, moved by noise and by what is on the screen,
    then clipped, turned to shares and rounded, in that order.

    Parameters
    ----------
    association : float
        Pearson's r of used weights and noise-free reports, -1 to 1.
    spread : float
        Standard deviation of noise-free reports over scenario-attributes, in points.
    bias : float
        Their mean, in points.
    noise : Noise
        How replies scatter around them.
    shown_effect : float
        Points by which a displayed difference (A - B) of an attribute's whole range moves its report.
    rounding : float
        Replies are multiples of this many points; 10 for tens, 0 for none.
    clipped : bool
        Whether replies are kept within -100..100.
    shares : bool
        Whether replies are absolute values that share out 100 points, as models do that take the scale for percentages.
    refusal_rate, unusable_rate : float
        Share of replies that are refused, or that nobody can read; 0 to 1 and together at most 1.
    missing_rate : float
        Share of scenarios without any reply.
    """

    association: float = 0.7
    spread: float = 45.0
    bias: float = 0.0
    noise: Noise = field(default_factory=GaussianNoise)
    shown_effect: float = 0.0
    rounding: float = 1.0
    clipped: bool = True
    shares: bool = False
    refusal_rate: float = 0.0
    unusable_rate: float = 0.0
    missing_rate: float = 0.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("association", self.association, low=-1.0, high=1.0)
        check_range("spread", self.spread, low=0.0, high=1e6)
        if not hasattr(self.noise, "draw"):
            raise ArgumentError(
                "noise", expected="a noise", got=repr(self.noise), remedy="pass noise=GaussianNoise(12.0), for example"
            )
        check_range("bias", self.bias, low=-1e6, high=1e6)
        check_range("shown_effect", self.shown_effect, low=-1e6, high=1e6)
        check_range("rounding", self.rounding, low=0.0, high=100.0)
        for name in ("refusal_rate", "unusable_rate", "missing_rate"):
            check_range(name, getattr(self, name), low=0.0, high=1.0)
        if self.refusal_rate + self.unusable_rate > 1:
            raise ArgumentError(
                "refusal_rate",
                expected="refusals and unusable replies of at most 1 together",
                got=f"{self.refusal_rate:g} and {self.unusable_rate:g}",
                remedy="lower one of them",
            )

    def emit(self, noise_free: Floats, shown: Floats, count: int, rng: np.random.Generator) -> Floats:
        """Values of `count` replies in every scenario, before any is refused.

        Parameters
        ----------
        noise_free : numpy.ndarray
            Noise-free reports, shape (scenarios, slots); NaN beyond a scenario's last attribute.
        shown : numpy.ndarray
            Displayed differences (A - B) in shares of the range; a shape that broadcasts against (count, scenarios, slots).
        count : int
            Replies for each scenario.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        numpy.ndarray
            Shape (count, scenarios, slots).
        """
        values = noise_free + self.noise.draw((count, *noise_free.shape), rng)
        if self.shown_effect:
            values = values + self.shown_effect * shown
        if self.clipped:
            values = np.clip(values, -100.0, 100.0)
        if self.shares:
            size = np.abs(values)
            total = np.nansum(size, axis=-1, keepdims=True)
            values = 100.0 * size / np.where(total > 0, total, 1.0)
        if self.rounding:
            values = np.round(values / self.rounding) * self.rounding
        if self.rounding and self.clipped:  # rounding to fifteens would take 100 to 105
            limit = np.floor(100.0 / self.rounding) * self.rounding
            values = np.clip(values, -limit, limit)
        return np.asarray(values + 0.0)  # no minus zero


def draw_noise_free_reports(
    used: Floats,
    reporter: Reporter,
    rng: np.random.Generator,
    *,
    truth: str = "finite",
    moments: tuple[float, float] | None = None,
) -> Floats:
    """Noise-free reports with the reporter's association with the used weights.

    Parameters
    ----------
    used : numpy.ndarray
        Normalised used weights, shape (scenarios, slots), NaN beyond a scenario's last attribute.
    reporter : Reporter
        Association, spread and bias.
    rng : numpy.random.Generator
        Source of randomness.
    truth : {"finite", "population"}
        ``finite``: errors are residualised on the used weights and scaled, so that Pearson's r over all
        scenario-attributes is the association to rounding error. ``population``: errors are independent, so that r varies
        around the association as it does from one experiment to the next.
    moments : tuple of float, optional
        For ``population``: mean and standard deviation of used weights in the population.

    Returns
    -------
    numpy.ndarray
        Shape of `used`, in points.

    Raises
    ------
    ArgumentError
        If the truth is neither, or the used weights do not vary or are too few to set a correlation with.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> used = rng.uniform(-100, 100, (40, 5))
    >>> m = draw_noise_free_reports(used, Reporter(association=0.6), rng)
    >>> round(float(np.corrcoef(used.ravel(), m.ravel())[0, 1]), 12)
    0.6
    """
    check_choice("truth", truth, TRUTHS)
    here = ~np.isnan(used)
    w = used[here]
    r = reporter.association
    if truth == "finite":
        if len(w) < 3 or np.ptp(w) == 0:
            raise ArgumentError(
                "used",
                expected="at least three used weights that are not all the same",
                got=f"{len(w)} of {len(np.unique(w))} different values",
                remedy="add scenarios, or pass truth='population'",
            )
        z = _standardise(w)
        error = _standardise(_residualise(rng.standard_normal(len(w)), z))
    else:
        if moments is None or moments[1] <= 0:
            raise ArgumentError(
                "moments",
                expected="mean and positive standard deviation of used weights in the population",
                got=repr(moments),
                remedy="simulate_experiment finds them by Monte Carlo",
            )
        z = (w - moments[0]) / moments[1]
        error = rng.standard_normal(len(w))
    reports = np.full(used.shape, np.nan)
    reports[here] = reporter.bias + reporter.spread * (r * z + np.sqrt(1.0 - r**2) * error)
    return reports


def _standardise(values: Floats) -> Floats:
    centred = values - values.mean()
    centred = centred - centred.mean()  # once more: what rounding left
    return np.asarray(centred / np.sqrt(np.square(centred).mean()))


def _residualise(values: Floats, on: Floats) -> Floats:
    for _ in range(2):  # the second pass takes out what rounding left of the first
        values = values - values.mean()
        values = values - on * (values @ on) / (on @ on)
    return values
