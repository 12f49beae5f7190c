"""From decisions to the arrays of the choice model: one context for each scenario of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.tables import Decisions, Scenarios

__all__ = ["Design", "build_design"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Trials of every context, in an order that does not depend on the order of the rows.

    Attributes
    ----------
    contexts : pandas.DataFrame
        One row for each context: the grouping columns, ``scenario``, ``n_trials``, ``n_attributes``, ``share_a``.
    slopes : pandas.DataFrame
        One row for each context and attribute, contexts in order: the grouping columns, ``scenario, slot, attribute``
        and ``context`` (row of `contexts`).
    x : numpy.ndarray
        Attribute differences (A - B) / (high - low), shape (N, largest K); 0 beyond a scenario's last attribute.
    s : numpy.ndarray
        The response, shape (N,): +1 where A was chosen and -1 where B was, or the logit of the probability of A, no farther
        out than where it was truncated.
    side : numpy.ndarray
        0 where the logit is known, +1 where it is a lower bound and -1 where it is an upper one, shape (N,); 0 for choices.
    first : numpy.ndarray of int
        Context c has the trials first[c] .. first[c + 1] - 1.
    rows : numpy.ndarray of int
        Place of each trial in the table of decisions, shape (N,).
    left_out : pandas.DataFrame
        Trials that enter no context, counted: the grouping columns, ``scenario, reason, count``.
    """

    contexts: pd.DataFrame
    slopes: pd.DataFrame
    x: Floats
    s: Floats
    side: Floats
    first: NDArray[np.int64]
    rows: NDArray[np.int64]
    left_out: pd.DataFrame


def build_design(
    decisions: Decisions,
    scenarios: Scenarios,
    by: Sequence[str],
    response: str = "choice",
    truncation: float = 1e-6,
) -> Design:
    """Sort trials into contexts.

    Parameters
    ----------
    decisions : Decisions
    scenarios : Scenarios
    by : sequence of str
        Columns of the decisions whose values make the groups.
    response : {"choice", "probability"}
        What of a trial is taken. Trials without it are left out and counted.
    truncation : float
        Probabilities as close as this to 0 or 1 are bounds.
    """
    by = list(by)
    frame = decisions.frame
    unknown = [column for column in by if column not in frame.columns]
    if unknown or "scenario" in by:
        allowed = ["base_model", "preferences", "model", *decisions.conditions]
        raise ArgumentError(
            "by",
            expected=f"columns of the decisions ({', '.join(allowed)})",
            got=", ".join(map(repr, unknown)) or "'scenario', which is always apart",
            remedy="leave it out or add the column to the decisions",
        )
    if frame.empty:
        raise ArgumentError(
            "decisions", expected="at least one trial", got="a table without rows", remedy="check what was read"
        )
    undeclared = set(frame["scenario"]) - set(scenarios.names)
    if undeclared:
        raise ArgumentError(
            "scenarios",
            expected="every scenario of the decisions",
            got=f"none called {sorted(undeclared)[0]!r}",
            remedy="pass the scenarios that the decisions were made with",
        )
    without = frame[by].isna().any(axis=1) if by else pd.Series(False, index=frame.index)
    mute = ~frame["chosen"].isin(["A", "B"]) if response == "choice" else frame["p_a"].isna()
    left_out = pd.concat(
        [
            _count_left_out(frame[without], by, "no value to group by"),
            _count_left_out(frame[mute & ~without], by, f"no {response}"),
        ],
        ignore_index=True,
    )
    places = np.flatnonzero(~without & ~mute)
    if len(places) < len(frame):  # a copy only where it is needed
        frame = frame.iloc[places]
    frame = frame.reset_index(drop=True)
    if frame.empty and mute.any():
        raise ArgumentError(
            "response",
            expected=f"decisions with a {response}",
            got="a table without any",
            remedy="pass response='probability'" if response == "choice" else "pass response='choice'",
        )
    return _arrange(frame, places, scenarios, by, left_out, None if response == "choice" else truncation)


def _count_left_out(frame: pd.DataFrame, by: Sequence[str], reason: str) -> pd.DataFrame:
    counts = frame.groupby([*by, "scenario"], as_index=False, dropna=False).size().rename(columns={"size": "count"})
    counts.insert(len(by) + 1, "reason", reason)
    return counts


def _arrange(
    frame: pd.DataFrame,
    places: NDArray[np.int64],
    scenarios: Scenarios,
    by: list[str],
    left_out: pd.DataFrame,
    truncation: float | None,
) -> Design:
    x = _differences(frame, scenarios)
    if truncation is None:
        s = np.where(frame["chosen"].to_numpy() == "A", 1.0, -1.0)
        side, chose_a = np.zeros(len(s)), s > 0
    else:
        chose_a = frame["p_a"].to_numpy(dtype=np.float64)
        s = logit(np.clip(chose_a, truncation, 1.0 - truncation))
        side = np.where(chose_a >= 1.0 - truncation, 1.0, np.where(chose_a <= truncation, -1.0, 0.0))
    group = frame.groupby([*by, "scenario"], sort=True, dropna=False)
    context = group.ngroup().to_numpy()
    # Within a context trials are sorted by what they are, so that sums do not depend on the order of the file.
    order = np.lexsort([s, *x.T[::-1], context])
    x, s, side, context, chose_a = x[order], s[order], side[order], context[order], chose_a[order]
    n_trials = np.bincount(context)
    contexts = group.size().reset_index(name="n_trials")
    sizes = scenarios.n_attributes
    contexts["n_attributes"] = [sizes[name] for name in contexts["scenario"]]
    contexts["share_a"] = np.bincount(context, weights=chose_a) / n_trials
    first = np.concatenate([[0], np.cumsum(n_trials)]).astype(np.int64)
    return Design(contexts, _slope_index(contexts, scenarios, by), x, s, side, first, places[order], left_out)


def _differences(frame: pd.DataFrame, scenarios: Scenarios) -> Floats:
    """Predictors of all trials, attribute by attribute: with millions of trials whole tables would fill the memory."""
    number, names = pd.factorize(frame["scenario"])
    low, high = scenarios.ranges(list(names))
    x = np.zeros((len(frame), scenarios.n_slots))
    beyond = [c for c in frame.columns if _is_beyond(c, scenarios.n_slots)]
    fits = not frame[beyond].notna().any(axis=None)
    for j in range(scenarios.n_slots):
        difference = _read_column(frame, f"a_{j + 1}") - _read_column(frame, f"b_{j + 1}")
        declared = ~np.isnan(low[:, j])[number]
        fits &= bool((np.isnan(difference) != declared).all())
        width = np.where(np.isnan(low[:, j]), 1.0, high[:, j] - low[:, j])[number]
        np.divide(difference, width, out=x[:, j], where=declared)
    if not fits:
        raise ArgumentError(
            "scenarios",
            expected="the scenarios that the decisions were validated with",
            got="scenarios with other numbers of attributes",
            remedy="pass the same table to make_decisions and here",
        )
    return x


def _is_beyond(column: str, n_slots: int) -> bool:
    side, _, slot = column.partition("_")
    return side in ("a", "b") and slot.isdecimal() and int(slot) > n_slots


def _read_column(frame: pd.DataFrame, name: str) -> Floats:
    return frame[name].to_numpy(dtype=np.float64) if name in frame.columns else np.full(len(frame), np.nan)


def _slope_index(contexts: pd.DataFrame, scenarios: Scenarios, by: list[str]) -> pd.DataFrame:
    numbered = contexts[[*by, "scenario"]].assign(context=np.arange(len(contexts)))
    index = numbered.merge(scenarios.frame[["scenario", "slot", "attribute"]], on="scenario", how="left")
    index = index.sort_values(["context", "slot"], kind="stable", ignore_index=True)
    return index[[*by, "scenario", "slot", "attribute", "context"]]
