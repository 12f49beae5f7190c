"""Used weights of deciders that are not additive: the direction of the additive logit that describes them best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from selfinterp_stats.agents.deciders import Decider

__all__ = ["find_used_weights"]

Floats = NDArray[np.float64]

_PAIRS = 4000
_STEEPEST = 1e4  # a decider that hardly errs has no steepest logit; its direction settles long before this


def find_used_weights(decider: Decider, weights: Floats, *, seed: int = 1) -> Floats:
    """Normalised used weights of a decider, given the weights that drive it.

    Those it states itself, where it has a method ``used_weights``; otherwise the direction of the additive logit that is
    closest to its choice probabilities (in expected log-likelihood) over pairs of options drawn uniformly.

    Parameters
    ----------
    decider : Decider
        The decider.
    weights : numpy.ndarray
        Weights that drive it, shape (..., attributes), -100 to 100.
    seed : int
        Seed of the option pairs.

    Returns
    -------
    numpy.ndarray
        Same shape; the largest absolute one of each scenario is 100. Where they have to be found and no additive logit
        beats a coin, all are 0; a decider that states its weights has them however little it follows them.

    Examples
    --------
    >>> from selfinterp_stats.agents import IdealPointDecider, LogitDecider
    >>> find_used_weights(LogitDecider(), np.array([30.0, -60.0]))
    array([  50., -100.])
    >>> found = find_used_weights(IdealPointDecider(ideal=0.9), np.array([30.0, -60.0]))
    >>> bool(found[1] == -100 and 30 < found[0] < 70)
    True
    """
    own = getattr(decider, "used_weights", None)
    if own is not None:
        stated = np.asarray(own(weights), dtype=np.float64)
        size = np.abs(stated).max(axis=-1, keepdims=True)
        return np.asarray(100.0 * (stated / np.where(size > 0, size, 1.0)))
    flat = np.atleast_2d(weights).reshape(-1, np.shape(weights)[-1])
    return np.stack([_project(decider, one, seed) for one in flat]).reshape(np.shape(weights))


def _project(decider: Decider, weights: Floats, seed: int) -> Floats:
    from scipy.optimize import minimize

    rng = np.random.default_rng([seed, 20])
    a, b = rng.random((2, _PAIRS, len(weights)))
    # each pair both ways round: a preference for a place is no weight
    x = np.concatenate([a - b, b - a])
    p = np.concatenate([decider.probability_of_a(a, b, weights), decider.probability_of_a(b, a, weights)])

    def loss(beta: Floats) -> tuple[float, Floats]:
        log_odds = x @ beta
        value = np.logaddexp(0.0, log_odds) - p * log_odds
        slope = (0.5 * (1.0 + np.tanh(0.5 * log_odds)) - p) @ x
        return float(value.mean()), slope / len(p)

    found = minimize(
        loss, np.zeros(len(weights)), jac=True, method="L-BFGS-B", bounds=[(-_STEEPEST, _STEEPEST)] * len(weights)
    ).x
    size = np.abs(found).max()
    noise = 4.0 * np.sqrt(12.0 / len(p))  # what a coin gives
    return np.asarray(100.0 * (found / size)) if size > noise else np.zeros(len(weights))
