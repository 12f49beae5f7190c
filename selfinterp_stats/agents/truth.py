"""Measures of association between used weights and reports, as they define the truth of an experiment."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import check_choice

__all__ = ["MEASURES", "associate_expectations", "measure_association"]

MEASURES = ("pearson", "within", "cosine", "rank")

Floats = NDArray[np.float64]


def measure_association(used: Floats, reported: Floats, measure: str = "pearson") -> float:
    """Association over the scenario-attributes that have both values.

    Parameters
    ----------
    used, reported : numpy.ndarray
        Shape (scenarios, slots), in points; NaN where there is none.
    measure : {"pearson", "within", "cosine", "rank"}
        ``pearson``: Pearson's r. ``within``: Pearson's r of values centred within their scenario. ``cosine``: not centred
        at all, as a weight of zero means something. ``rank``: Spearman's rho with midranks.

    Returns
    -------
    float
        -1 to 1; NaN where one side does not vary.

    Raises
    ------
    ArgumentError
        If the measure is not known.

    Examples
    --------
    >>> used = np.array([[100.0, -50.0], [20.0, -100.0]])
    >>> measure_association(used, 2 * used, "cosine")
    1.0
    >>> round(measure_association(used, used + [[30.0, 30.0], [-30.0, -30.0]], "within"), 12)
    1.0
    """
    check_choice("measure", measure, MEASURES)
    both = ~(np.isnan(used) | np.isnan(reported))
    w, m = np.where(both, used, np.nan), np.where(both, reported, np.nan)
    if measure == "within":
        w, m = _centre_rows(w), _centre_rows(m)
    w, m = w[both], m[both]
    if measure == "rank":
        w, m = _rank(w), _rank(m)
    if measure in ("pearson", "rank") and len(w):
        w, m = w - w.mean(), m - m.mean()
    return _cosine(w, m)


def associate_expectations(
    used: Floats, first: Floats, second: Floats, measure: str, *, largest_error: float | None = None
) -> float:
    """Association of used weights with the expectation of a reply that is known twice, each time with an error of its own.

    Two such values have the covariance of their expectations, and either has the covariance of its expectation with the
    used weights; so the errors drop out. Ranks have no such way: the mean of both stands for the expectation.

    Parameters
    ----------
    used, first, second : numpy.ndarray
        Shape (scenarios, slots), in points; NaN where there is none.
    measure : str
        See ``measure_association``.
    largest_error : float, optional
        NaN is returned if the covariance of the two is not known to this relative standard error.
    """
    if measure == "rank":
        return measure_association(used, 0.5 * (first + second), measure)
    here = ~np.isnan(used)
    if measure == "within":
        used, first, second = _centre_rows(used), _centre_rows(first), _centre_rows(second)
    w, x, y = used[here], first[here], second[here]
    if measure == "pearson" and len(w):
        w, x, y = w - w.mean(), x - x.mean(), y - y.mean()
    products = x * y
    common = float(products.sum())
    if common <= 1e-20 * len(w) or w @ w == 0:
        return float("nan")
    if largest_error is not None and products.std() * np.sqrt(len(w)) > largest_error * common:
        return float("nan")
    return float(w @ (x + y) / 2.0 / np.sqrt((w @ w) * common))


def _rank(values: Floats) -> Floats:
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)


def _centre_rows(values: Floats) -> Floats:
    count = (~np.isnan(values)).sum(axis=1, keepdims=True)
    return np.asarray(values - np.nansum(values, axis=1, keepdims=True) / np.maximum(count, 1))


def _cosine(x: Floats, y: Floats) -> float:
    if len(x) < 2:
        return float("nan")
    size = float(np.sqrt((x @ x) * (y @ y)))
    tiny = 1e-20 * len(x)  # squared points: what rounding leaves of a constant
    return float("nan") if x @ x <= tiny or y @ y <= tiny else float(np.clip((x @ y) / size, -1.0, 1.0))
