"""Deciders: rules by which a synthetic agent chooses between two options.

Options are given as positions within their attributes' ranges (0 the low end, 1 the high end), weights on the scale from
-100 to 100. Anything with a method ``probability_of_a`` is a decider, a user's own included.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.agents.projection import find_used_weights
from selfinterp_stats.errors import ArgumentError, check_range

__all__ = [
    "Decider",
    "DeterministicDecider",
    "IdealPointDecider",
    "LapsingDecider",
    "LexicographicDecider",
    "LogitDecider",
    "OneAttributeDecider",
    "ask_decider",
]

Floats = NDArray[np.float64]


@runtime_checkable
class Decider(Protocol):
    """What a decider has to offer.

    A decider whose used weights are known in closed form also has ``used_weights(weights)``, from shape (..., attributes)
    to the same, on any scale; ``find_used_weights`` looks for the best additive description of all others.
    """

    def probability_of_a(self, a: Floats, b: Floats, weights: Floats) -> Floats:
        """Probability of choosing A in each trial.

        Parameters
        ----------
        a, b : numpy.ndarray
            Positions of the options' values within the ranges, shape (trials, attributes), 0 to 1.
        weights : numpy.ndarray
            Weights of the scenario, shape (attributes,), -100 to 100.

        Returns
        -------
        numpy.ndarray
            Shape (trials,).
        """
        ...


@dataclass(frozen=True)
class LogitDecider:
    """Chooses the better option more often the better it is: log odds proportional to the weighted difference.

    Parameters
    ----------
    consistency : float
        Log odds of choosing the option that is ahead by the whole range of an attribute of weight 100. Small values
        choose almost at random; from about 20 on hardly any choice goes against the weights.
    position_bias : float
        Log odds of choosing A between equal options.

    Examples
    --------
    >>> decider = LogitDecider(consistency=2.0)
    >>> decider.probability_of_a(np.array([[1.0, 0.5]]), np.array([[0.0, 0.5]]), np.array([100.0, -40.0])).round(3)
    array([0.881])
    """

    consistency: float = 6.0
    position_bias: float = 0.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("consistency", self.consistency, low=0.0, high=1e6)
        check_range("position_bias", self.position_bias, low=-1e6, high=1e6)

    def probability_of_a(self, a: Floats, b: Floats, weights: Floats) -> Floats:
        """Probability of choosing A; see :class:`Decider`."""
        return _logistic(self.position_bias + self.consistency * _advantage(a, b, weights))

    def used_weights(self, weights: Floats) -> Floats:
        """Its own weights, the largest absolute one at 100."""
        return _to_scale(weights)


@dataclass(frozen=True)
class DeterministicDecider:
    """Always chooses the option with the larger weighted sum; between equals it tosses a coin."""

    def probability_of_a(self, a: Floats, b: Floats, weights: Floats) -> Floats:
        """Probability of choosing A; see :class:`Decider`."""
        return 0.5 + 0.5 * np.sign(_clean(_advantage(a, b, weights)))

    def used_weights(self, weights: Floats) -> Floats:
        """Its own weights, the largest absolute one at 100."""
        return _to_scale(weights)


@dataclass(frozen=True)
class LapsingDecider:
    """Decides as another decider does, but in some trials answers without looking.

    Parameters
    ----------
    decider : Decider
        How it decides when it looks.
    rate : float
        Share of trials without looking, 0 to 1.
    share_of_a : float
        Probability of answering A in those: 0.5 is a coin, 1 is "always the first".
    """

    decider: Decider = field(default_factory=LogitDecider)
    rate: float = 0.1
    share_of_a: float = 0.5

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("rate", self.rate, low=0.0, high=1.0)
        check_range("share_of_a", self.share_of_a, low=0.0, high=1.0)

    def probability_of_a(self, a: Floats, b: Floats, weights: Floats) -> Floats:
        """Probability of choosing A; see :class:`Decider`."""
        return (1.0 - self.rate) * self.decider.probability_of_a(a, b, weights) + self.rate * self.share_of_a

    def used_weights(self, weights: Floats) -> Floats:
        """Weights that it goes by when it looks."""
        return find_used_weights(self.decider, weights)


@dataclass(frozen=True)
class OneAttributeDecider:
    """Looks at the attribute with the largest absolute weight alone, and at that as a logit decider.

    Parameters
    ----------
    consistency : float
        Log odds of choosing the option that is ahead by the attribute's whole range.
    """

    consistency: float = 6.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("consistency", self.consistency, low=0.0, high=1e6)

    def probability_of_a(self, a: Floats, b: Floats, weights: Floats) -> Floats:
        """Probability of choosing A; see :class:`Decider`."""
        return _logistic(self.consistency * _advantage(a, b, self.used_weights(weights)))

    def used_weights(self, weights: Floats) -> Floats:
        """The largest at 100 or -100, all others 0; the first of several largest."""
        scaled = _to_scale(weights)
        largest = np.abs(scaled).argmax(axis=-1)[..., None] == np.arange(scaled.shape[-1])
        return np.asarray(np.where(largest, scaled, 0.0))


@dataclass(frozen=True)
class IdealPointDecider:
    """Has an ideal value of every attribute and prefers what is nearer to it, weighted by the attribute's importance.

    Parameters
    ----------
    consistency : float
        Log odds for an advantage of the whole range of an attribute of weight 100.
    ideal : float
        Position of the ideal within the range for attributes of positive weight, 0 to 1, mirrored for negative ones. At 1
        this is a logit decider; at 0.5 more and less are equally bad and no additive weight describes it.
    """

    consistency: float = 12.0
    ideal: float = 0.7

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("consistency", self.consistency, low=0.0, high=1e6)
        check_range("ideal", self.ideal, low=0.0, high=1.0)

    def probability_of_a(self, a: Floats, b: Floats, weights: Floats) -> Floats:
        """Probability of choosing A; see :class:`Decider`."""
        target = np.where(weights >= 0, self.ideal, 1.0 - self.ideal)
        nearer = np.abs(b - target) - np.abs(a - target)
        return _logistic(self.consistency * (nearer @ np.abs(weights)) / 100.0)


@dataclass(frozen=True)
class LexicographicDecider:
    """Goes through the attributes from the most important on and takes the first clear difference.

    Parameters
    ----------
    tolerance : float
        Differences up to this share of the range are no clear difference. If none is clear, it tosses a coin.
    """

    tolerance: float = 0.1

    def __post_init__(self) -> None:
        """Check the parameter."""
        check_range("tolerance", self.tolerance, low=0.0, high=1.0)

    def probability_of_a(self, a: Floats, b: Floats, weights: Floats) -> Floats:
        """Probability of choosing A; see :class:`Decider`."""
        probability = np.full(len(a), 0.5)
        open_trials = np.ones(len(a), dtype=bool)
        for k in np.argsort(-np.abs(weights), kind="stable"):
            if weights[k] == 0:
                break
            difference = (a[:, k] - b[:, k]) * np.sign(weights[k])
            clear = open_trials & (np.abs(difference) > self.tolerance + 1e-12)
            probability[clear] = (difference[clear] > 0).astype(np.float64)
            open_trials &= ~clear
        return probability


def ask_decider(decider: Decider, a: Floats, b: Floats, weights: Floats) -> Floats:
    """Probabilities of choosing A, checked: a decider may be a user's own.

    Raises
    ------
    ArgumentError
        If they are not one for each trial, between 0 and 1.
    """
    found = np.asarray(decider.probability_of_a(a, b, weights), dtype=np.float64)
    if found.shape != (len(a),) or not ((found >= 0) & (found <= 1)).all():
        got = f"shape {found.shape}" if found.shape != (len(a),) else f"{found.min()} to {found.max()}"
        raise ArgumentError(
            "decider",
            expected=f"{len(a)} probabilities from probability_of_a, between 0 and 1",
            got=f"{got} from {type(decider).__name__}",
            remedy="return an array with one probability for each trial",
        )
    return found


def _advantage(a: Floats, b: Floats, weights: Floats) -> Floats:
    return np.asarray((a - b) @ weights / 100.0)


def _clean(advantage: Floats) -> Floats:
    # differences of rounded values cancel up to rounding error, and equal options have to count as equal
    return np.where(np.abs(advantage) < 1e-12, 0.0, advantage)


def _logistic(log_odds: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))  # does not overflow


def _to_scale(weights: Floats) -> Floats:
    size = np.abs(weights).max(axis=-1, keepdims=True)
    return np.asarray(100.0 * (weights / np.where(size > 0, size, 1.0)))
