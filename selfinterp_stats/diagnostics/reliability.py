"""Are predicted probabilities right? Isotonic regression of answers on them, and the Brier score taken apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Reliability", "find_reliability"]

Floats = NDArray[np.float64]

_REPLICATIONS = 100
_GRID = np.linspace(0.0, 1.0, 51)


@dataclass(frozen=True)
class Reliability:
    """Predictions of one group against what happened.

    Attributes
    ----------
    curve : pandas.DataFrame
        ``predicted, share, band_low, band_high``, over the range of the predictions.
    parts : dict of str to float
        ``brier_out, miscalibration, discrimination, uncertainty``.
    """

    curve: pd.DataFrame
    parts: dict[str, float]


def find_reliability(predicted: Floats, happened: NDArray[np.bool_], prob: float, rng: np.random.Generator) -> Reliability:
    """Calibrate by the pool-adjacent-violators algorithm.

    Parameters
    ----------
    predicted : numpy.ndarray
        Probabilities, shape (N,).
    happened : numpy.ndarray of bool
        Shape (N,).
    prob : float
        Of the pointwise bands: what the curve would be if the predictions were right.
    rng : numpy.random.Generator
    """
    names = ("brier_out", "miscalibration", "discrimination", "uncertainty")
    if not len(predicted):
        empty = pd.DataFrame({name: np.empty(0) for name in ("predicted", "share", "band_low", "band_high")})
        return Reliability(empty, dict.fromkeys(names, float("nan")))
    truth = happened.astype(np.float64)
    calibrated = _regress(predicted, truth, predicted)
    brier, best = float(np.square(predicted - truth).mean()), float(np.square(calibrated - truth).mean())
    uncertainty = float(truth.mean() * (1.0 - truth.mean()))
    grid = _GRID[(predicted.min() <= _GRID) & (predicted.max() >= _GRID)]
    simulated = np.empty((_REPLICATIONS, len(grid)))
    for i in range(_REPLICATIONS):
        simulated[i] = _regress(predicted, (rng.random(len(predicted)) < predicted).astype(np.float64), grid)
    low, high = np.quantile(simulated, [(1.0 - prob) / 2.0, (1.0 + prob) / 2.0], axis=0)
    share = _regress(predicted, truth, grid)
    curve = pd.DataFrame({"predicted": grid, "share": share, "band_low": low, "band_high": high})
    return Reliability(curve, dict(zip(names, (brier, brier - best, uncertainty - best, uncertainty), strict=True)))


def _regress(x: Floats, y: Floats, places: Floats) -> Floats:
    from sklearn.isotonic import IsotonicRegression

    if not len(places):
        return np.empty(0)
    return np.asarray(IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(x, y).predict(places))
