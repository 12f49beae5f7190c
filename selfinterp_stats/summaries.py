"""Summaries of draws, along the last axis.

Intervals carry their kind in their name. The highest-density interval is ArviZ's ``hdi`` on the draws themselves: the
shortest interval between two draws that holds the probability. Its summary tables are not used, since version 0.8 prints
equal-tailed bounds under the name HDI.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.errors import check_range

__all__ = [
    "check_probability",
    "find_hdi",
    "find_probability_of_direction",
    "find_weighted_correlation",
    "find_weighted_slope",
    "summarise_rows",
]

Floats = NDArray[np.float64]

_BLOCK_VALUES = 2**22  # draws summarised at a time


def check_probability(prob: float) -> None:
    """Raise ArgumentError unless `prob` can be the probability of an interval."""
    check_range("prob", prob, low=0.01, high=0.999, remedy="pass prob=0.95, for example")


def find_hdi(draws: Floats, prob: float = 0.95) -> tuple[Floats, Floats]:
    """Highest-density interval.

    Parameters
    ----------
    draws : numpy.ndarray
        Shape (..., S).
    prob : float
        Probability of the interval.

    Returns
    -------
    low, high : numpy.ndarray
        Shape (...); on the scale of the draws.

    Raises
    ------
    ArgumentError
        If `prob` lies outside 0.01 to 0.999.

    Examples
    --------
    >>> low, high = find_hdi(np.random.default_rng(1).standard_exponential(100_000), prob=0.9)
    >>> bool(low < 0.01), round(float(high), 1)  # the equal-tailed interval would be 0.05 to 3.0
    (True, 2.3)
    """
    from arviz_stats.base import array_stats

    check_probability(prob)
    interval = array_stats.hdi(np.asarray(draws, dtype=np.float64), prob, axis=-1)
    return np.asarray(interval[..., 0]), np.asarray(interval[..., 1])


def summarise_rows(draws: Floats, prob: float) -> dict[str, Floats]:
    """Mean, sd, median and highest-density interval of each row of draws, (W, S) to (W,) each.

    Row by row in blocks, since each of these copies what it is given.
    """
    names = ("mean", "sd", "median", "hdi_low", "hdi_high")
    table = {name: np.empty(len(draws)) for name in names}
    step = max(1, _BLOCK_VALUES // max(draws.shape[1], 1))
    for start in range(0, len(draws), step):
        rows = slice(start, start + step)
        block = draws[rows]
        found = (block.mean(axis=1), block.std(axis=1, ddof=1), np.median(block, axis=1), *find_hdi(block, prob))
        for name, values in zip(names, found, strict=True):
            table[name][rows] = values
    return table


def find_probability_of_direction(draws: Floats) -> Floats:
    """Probability of direction: the larger of the shares of draws above and below zero, (..., S) to (...).

    Source: Makowski, Ben-Shachar, Chen and Lüdecke (2019), "Indices of effect existence and significance in the Bayesian
    framework", Frontiers in Psychology 10.
    """
    return np.asarray(np.maximum((draws > 0).mean(axis=-1), (draws < 0).mean(axis=-1)))


def find_weighted_correlation(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Pearson's correlation with each of many sets of weights.

    Parameters
    ----------
    x, y : numpy.ndarray
        Shape (N,).
    weights : numpy.ndarray
        Non-negative, shape (S, N); they need not sum to 1.

    Returns
    -------
    numpy.ndarray
        Shape (S,); NaN where x or y does not vary.
    """
    xx, xy, yy = _weighted_products(x, y, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((xx > 0) & (yy > 0), np.clip(xy / np.sqrt(xx * yy), -1.0, 1.0), np.nan)


def find_weighted_slope(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Least squares slope of y on x, (N,) each, with each of many sets of weights (S, N): (S,), NaN where x is constant."""
    xx, xy, _ = _weighted_products(x, y, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(xx > 0, xy / xx, np.nan)


def _weighted_products(x: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Weighted sums of squares and products around the weighted means, (S,) each; zero where rounding is all there is."""
    total = weights.sum(axis=1)
    centred_x = x - np.einsum("sn,n->s", weights, x)[:, None] / total[:, None]
    centred_y = y - np.einsum("sn,n->s", weights, y)[:, None] / total[:, None]
    weighted_x = weights * centred_x
    xx = np.einsum("sn,sn->s", weighted_x, centred_x)
    xy = np.einsum("sn,sn->s", weighted_x, centred_y)
    yy = np.einsum("sn,sn,sn->s", weights, centred_y, centred_y)
    # below rounding a variable counts as constant
    xx, yy = (
        np.where(part > 1e-24 * total * np.square(values).max(initial=0.0), part, 0.0)
        for part, values in ((xx, x), (yy, y))
    )
    return xx, xy, yy
