"""What the answers of one scenario can be told from: a coin, a habit of place, or a rule without a single exception."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from selfinterp_stats.diagnostics.heldout import HeldOut

__all__ = ["VERDICTS", "find_log_scores", "give_verdicts", "is_separated"]

Floats = NDArray[np.float64]

VERDICTS = ("identified", "separated", "position-locked", "undecided", "at chance")
_ZERO = 1e-9


def is_separated(x: Floats, s: Floats) -> bool:
    """Whether some intercept and slopes predict every answer, with none on the boundary (complete separation).

    Then likelihood grows without bound along them, and no maximum exists (Albert and Anderson, 1984, "On the existence of
    maximum likelihood estimates in logistic regression models", Biometrika 71). By Gordan's theorem it is so unless the
    signed predictors have a weighted mean of zero, which non-negative least squares finds out.

    Parameters
    ----------
    x : numpy.ndarray
        Predictors, shape (T, K).
    s : numpy.ndarray
        +1 or -1, shape (T,).
    """
    from scipy.optimize import nnls

    signed = (np.column_stack([np.ones(len(x)), x]) * s[:, None]).T
    length = np.abs(signed).max(axis=1, keepdims=True)
    equations = np.vstack([signed / np.where(length > 0, length, 1.0), np.ones(len(x))])
    _, distance = nnls(equations, np.r_[np.zeros(len(signed)), 1.0], maxiter=max(300, 30 * len(x)))
    return bool(distance > _ZERO)


def find_log_scores(s: Floats, held_out: HeldOut, owner: NDArray[np.int64], n_contexts: int) -> dict[str, Floats]:
    """Sums over each context's trials of log P(answer), out of sample: of a coin, of the place alone, and of the options.

    Parameters
    ----------
    s : numpy.ndarray
        Answers, +1 or -1, shape (N,).
    held_out : HeldOut
    owner : numpy.ndarray of int
        Context of each trial, shape (N,).
    n_contexts : int
    """
    chose_a = s > 0
    scores = {
        "coin": np.full(len(s), -np.log(2.0)),
        "place": np.log(np.where(chose_a, held_out.share, 1.0 - held_out.share)),
        "options": np.log(np.where(chose_a, held_out.chance, 1.0 - held_out.chance)),
    }
    known = ~np.isnan(held_out.chance)
    scores = {name: np.where(known, values, np.nan) for name, values in scores.items()}
    return {
        name: np.asarray(np.bincount(owner, weights=values, minlength=n_contexts), dtype=np.float64)
        for name, values in scores.items()
    }


def give_verdicts(scores: dict[str, Floats], separated: NDArray[np.bool_], threshold: float) -> NDArray[np.str_]:
    """A verdict for each context: something has to predict better by `threshold` than all that is simpler."""
    by_options = scores["options"] >= np.maximum(scores["coin"], scores["place"]) + threshold
    by_place = scores["place"] >= scores["coin"] + threshold
    by_either = scores["options"] >= scores["coin"] + threshold  # but not by more than the place
    found = np.select(
        [by_options & separated, by_options, by_place, by_either],
        ["separated", "identified", "position-locked", "undecided"],
        "at chance",
    )
    return np.asarray(found, dtype=np.str_)
