"""Used weights normalised draw by draw, scenario by scenario."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.errors import check_choice

__all__ = ["SCALES", "find_largest", "normalise_draws"]

SCALES = ("max", "l2")

Floats = NDArray[np.float64]


def normalise_draws(slopes: Floats, context: NDArray[np.int64], scale: str = "max") -> Floats:
    """Divide the slopes of each scenario by their size, in every draw.

    For scale ``max`` the size is the largest absolute slope, w_sa = 100 * beta_sa / max_a abs(beta_sa), so that one
    attribute stands at 100 or -100 in every draw; for scale ``l2`` it is the Euclidean length of the slopes.

    Parameters
    ----------
    slopes : numpy.ndarray
        Draws of the slopes, shape (W, S).
    context : numpy.ndarray of int
        Scenario of each row, shape (W,); rows of a scenario stand together.
    scale : {"max", "l2"}
        Which size.

    Returns
    -------
    numpy.ndarray
        Shape (W, S), -100 to 100.

    Raises
    ------
    ArgumentError
        If `scale` is neither.

    Examples
    --------
    >>> normalise_draws(np.array([[2.0, -1.0], [-4.0, 0.5]]), np.array([0, 0]))
    array([[  50., -100.],
           [-100.,   50.]])
    """
    check_choice("scale", scale, SCALES)
    values = np.empty(slopes.shape)
    for rows in _scenarios(context):  # one at a time: a scenario's draws fit the processor's cache, all of them do not
        block = slopes[rows]
        size = np.abs(block).max(axis=0) if scale == "max" else np.sqrt(np.square(block).sum(axis=0))
        size[size == 0] = 1.0  # a draw of exactly zero everywhere has no direction; it stays zero
        # the quotient first: 100 * x / x is not always 100 in floating point
        np.divide(block, size, out=values[rows])
    values *= 100.0
    return values


def find_largest(slopes: Floats, context: NDArray[np.int64]) -> Floats:
    """Probability of each attribute to be its scenario's largest in absolute value, (W, S) to (W,).

    Where two share the first place in a draw, the draw counts half for each.
    """
    probability = np.empty(len(slopes))
    for rows in _scenarios(context):
        magnitude = np.abs(slopes[rows])
        top = magnitude == magnitude.max(axis=0)
        probability[rows] = (top / top.sum(axis=0)).mean(axis=1)
    return probability


def _scenarios(context: NDArray[np.int64]) -> Iterator[slice]:
    starts = np.flatnonzero(np.concatenate([[True], context[1:] != context[:-1]])) if len(context) else np.empty(0, int)
    for start, stop in pairwise([*starts.tolist(), len(context)]):
        yield slice(start, stop)
