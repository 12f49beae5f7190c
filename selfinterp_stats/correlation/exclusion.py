"""Scenarios that an analysis is told to leave out: read, applied and counted."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from selfinterp_stats.choice import ChoiceFit
from selfinterp_stats.errors import ArgumentError

__all__ = ["count_excluded", "read_exclusions", "split_excluded"]

_REASON = "left out by request"


def read_exclusions(fit: ChoiceFit, exclude: pd.DataFrame | Sequence[str] | None) -> pd.DataFrame:
    """Contexts of a fit to leave out: its grouping columns, ``scenario`` and ``reason``.

    Parameters
    ----------
    fit : ChoiceFit
    exclude : pandas.DataFrame or sequence of str, optional
        Names of scenarios, or a table with ``scenario``, any of the grouping columns, and if need be ``verdict``.

    Raises
    ------
    ArgumentError
        If it is neither, names a scenario that the fit does not have, or has other columns.
    """
    by = list(fit.spec.by)
    if exclude is None:
        return fit.contexts.iloc[:0][[*by, "scenario"]].assign(reason=pd.Series(dtype="str"))
    if isinstance(exclude, str) or not isinstance(exclude, (pd.DataFrame, Sequence)):
        raise ArgumentError(
            "exclude",
            expected="a table or a sequence of names",
            got=repr(exclude),
            remedy="pass checks.select('position-locked'), or the scenarios' names in a list",
        )
    table = (
        exclude if isinstance(exclude, pd.DataFrame) else pd.DataFrame({"scenario": pd.Series(list(exclude), dtype="str")})
    )
    unknown = [column for column in table.columns if column not in (*by, "scenario", "verdict")]
    if "scenario" not in table.columns or unknown:
        raise ArgumentError(
            "exclude",
            expected=f"the columns scenario and any of {', '.join([*by, 'verdict'])}",
            got=", ".join(map(str, table.columns)) or "no columns",
            remedy="choose these columns",
        )
    keys = [column for column in by if column in table.columns] + ["scenario"]
    contexts = fit.contexts[[*by, "scenario"]].drop_duplicates()
    try:
        found = table.merge(contexts, on=keys, how="left", indicator=True)
    except ValueError as error:
        raise ArgumentError(
            "exclude", expected="values of the fit's grouping columns", got=f"others ({error})", remedy="see fit.contexts"
        ) from error
    missing = found[found["_merge"] == "left_only"]
    if len(missing):
        raise ArgumentError(
            "exclude",
            expected="scenarios of the fit",
            got=", ".join(map(repr, missing[keys].astype(str).agg(" ".join, axis=1).head(3))),
            remedy="see fit.contexts",
        )
    reason = (
        _REASON if "verdict" not in found else found["verdict"].astype("object").where(found["verdict"].notna(), _REASON)
    )
    return found.assign(reason=reason)[[*by, "scenario", "reason"]].drop_duplicates([*by, "scenario"], ignore_index=True)


def split_excluded(frame: pd.DataFrame, excluded: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows that stay, and rows of excluded scenarios with their ``reason``.

    Raises
    ------
    ArgumentError
        If the frame lacks one of the grouping columns: its rows would belong to groups that leave a scenario out and to
        others that do not.
    """
    keys = [column for column in excluded.columns if column != "reason"]
    if excluded.empty:
        return frame, frame.iloc[:0].assign(reason=pd.Series(dtype="str"))
    missing = [key for key in keys if key not in frame.columns]
    if missing:
        raise ArgumentError(
            "exclude",
            expected="reports with the fit's grouping columns",
            got=f"reports without {', '.join(missing)}",
            remedy="fit without that column in `by`, or take the scenarios out of the tables before",
        )
    marked = frame.merge(excluded, on=keys, how="left")
    marked.index = frame.index
    out = marked["reason"].notna()
    return frame[~out], marked[out]


def count_excluded(
    weights: pd.DataFrame, replies: pd.DataFrame, called: pd.DataFrame, on: Sequence[str], keys: Sequence[str]
) -> pd.DataFrame:
    """Excluded weights and replies, by correlation: the keys, ``scenario, reason, unit, count``."""
    columns = [*keys, "scenario", "reason", "unit", "count"]
    tallies = []
    for part, unit in ((weights, "weights"), (replies, "replies")):
        shared = [column for column in on if column in part.columns and column in called.columns]
        joined = part.merge(called, on=shared, how="inner")
        counts = joined.groupby([*keys, "scenario", "reason"], as_index=False, dropna=False).size()
        tallies.append(counts.rename(columns={"size": "count"}).assign(unit=unit)[columns])
    return pd.concat(tallies, ignore_index=True)
