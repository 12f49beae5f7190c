"""Used weights put beside what they are compared with, the way the paper does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from selfinterp_stats.choice import ChoiceFit
from selfinterp_stats.correlation.exclusion import count_excluded, split_excluded
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.tables import Reports, Targets

__all__ = ["Pairs", "pair_reports", "pair_targets"]


_ALL = "_all"  # a key that every row shares, so that joins need no special case where there is no other


@dataclass(frozen=True)
class Pairs:
    """Points of all correlations.

    Attributes
    ----------
    keys : tuple of str
        Columns whose values tell the correlations apart.
    points : pandas.DataFrame
        One row for each scenario and attribute that has both: the keys, ``model`` (that reported; empty for targets),
        ``scenario, slot, attribute, used`` and ``other`` (-100..100), ``used_z, other_z``.
    kept : pandas.DataFrame
        One row for each correlation, also those without points: the keys and ``reports_kept``.
    left_out : pandas.DataFrame
        What entered no correlation: the keys, ``scenario, reason, unit, count``.
    """

    keys: tuple[str, ...]
    points: pd.DataFrame
    kept: pd.DataFrame
    left_out: pd.DataFrame


def pair_reports(fit: ChoiceFit, reports: Reports, by: Sequence[str], excluded: pd.DataFrame) -> Pairs:
    """Join used weights and mean reports.

    Reports are averaged over the valid replies of a reporting model and z-scored over all that this model reported in a
    group, then joined; used weights are z-scored over all of a group before joining. What is excluded enters none of this.
    """
    _check_columns(by, reports.frame, reports.conditions)
    frame = reports.frame.assign(**{_ALL: 0})
    used, used_out = _used_weights(fit, excluded)
    used, used_out = used.assign(**{_ALL: 0}), used_out.assign(**{_ALL: 0})
    shared = [_ALL, *(column for column in fit.spec.by if column in frame.columns)]
    group = list(dict.fromkeys([*shared, *by]))
    keys = list(dict.fromkeys([*fit.spec.by, *by]))
    identity = list(dict.fromkeys([*group, "model", *reports.conditions, "scenario", "reply"]))
    replies = frame.drop_duplicates(identity)
    called = pd.concat([used, used_out])[list(dict.fromkeys([*shared, *fit.spec.by]))].drop_duplicates()
    called = called.merge(replies[group].drop_duplicates(), on=shared, how="inner")[[_ALL, *keys]]
    replies, replies_out = split_excluded(replies, excluded)
    mean = _mean_reports(split_excluded(frame[frame["status"] == "valid"], excluded)[0], group)
    joined = used.merge(mean, on=[*shared, "scenario", "slot"], how="inner")
    points = joined.dropna(subset=["used_z", "other_z"]).reset_index(drop=True)
    return Pairs(
        tuple(keys),
        points[[*keys, "model", "scenario", "slot", "attribute", "used", "other", "used_z", "other_z"]],
        _count_kept(called, replies, points, group, keys),
        pd.concat(
            [
                _count_left_out(used, called, replies, joined, group, keys),
                count_excluded(used_out, replies_out, called, list(dict.fromkeys([*shared, *fit.spec.by, *by])), keys),
            ],
            ignore_index=True,
        ),
    )


def pair_targets(fit: ChoiceFit, targets: Targets, excluded: pd.DataFrame) -> Pairs:
    """Join used and target weights, both z-scored over what they have in common."""
    keys = fit.spec.by
    used, used_out = _used_weights(fit, excluded)
    other = targets.frame.rename(columns={"target": "other"})[["scenario", "slot", "other"]]
    points = used.merge(other, on=["scenario", "slot"], how="inner").assign(model="")
    points["other_z"] = _standardise(points, "other", list(keys))
    kept = (
        pd.concat([used, used_out])
        .assign(**{_ALL: 0})[[_ALL, *keys]]
        .drop_duplicates()
        .assign(reports_kept=0)[[*keys, "reports_kept"]]
    )
    kept = kept.iloc[: len(kept) if len(other) else 0]
    rest = used.merge(points[[*keys, "scenario", "slot"]], how="left", indicator=True)
    rest = rest[rest["_merge"] == "left_only"]
    rest = pd.concat([rest.assign(reason="no target"), used_out], ignore_index=True)
    left_out = rest.groupby([*keys, "scenario", "reason"], as_index=False).size().rename(columns={"size": "count"})
    left_out = left_out.assign(unit="weights")
    columns = [*keys, "scenario", "reason", "unit", "count"]
    return Pairs(keys, points.dropna(subset=["used_z", "other_z"]).reset_index(drop=True), kept, left_out[columns])


def _check_columns(by: Sequence[str], frame: pd.DataFrame, conditions: Sequence[str]) -> None:
    allowed = ["base_model", "preferences", "reporter", "model", *conditions]
    unknown = [column for column in by if column not in allowed or column not in frame.columns]
    if unknown:
        raise ArgumentError(
            "by",
            expected=f"columns of the reports ({', '.join(allowed)})",
            got=", ".join(map(repr, unknown)),
            remedy="leave it out or add the column to the reports",
        )


def _used_weights(fit: ChoiceFit, excluded: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Used weights with z-scores, and those that are excluded."""
    used, out = split_excluded(fit.plug_in().rename(columns={"plug_in": "used"}), excluded)
    return used.assign(used_z=_standardise(used, "used", list(fit.spec.by))), out


def _mean_reports(valid: pd.DataFrame, group: list[str]) -> pd.DataFrame:
    columns = list(dict.fromkeys([*group, "model", "scenario", "slot"]))
    # sorted, so that sums do not depend on the order of the rows
    ordered = valid.rename(columns={"report": "other"}).sort_values("other")
    mean = ordered.groupby(columns, sort=True)["other"].mean().reset_index()
    mean["other_z"] = _standardise(mean, "other", list(dict.fromkeys([*group, "model"])))
    return mean


def _standardise(frame: pd.DataFrame, column: str, keys: list[str]) -> pd.Series:
    """Z-scores within groups, with n - 1 as R has it; NaN where a group does not vary."""
    values = frame[column].astype("float64")
    if not keys:
        return _z_scores(values)
    standard: pd.Series = values.groupby([frame[key] for key in keys]).transform(_z_scores)
    return standard


def _z_scores(values: pd.Series) -> pd.Series:
    spread = values.std(ddof=1)
    return (values - values.mean()) / (spread if spread > 0 else np.nan)


def _count_kept(
    called: pd.DataFrame, replies: pd.DataFrame, points: pd.DataFrame, group: list[str], keys: list[str]
) -> pd.DataFrame:
    """Correlations that the data call for, and how many valid replies stand behind each."""
    on = list(dict.fromkeys([*group, "model", "scenario"]))
    inside = points.assign(**{_ALL: 0})[list(dict.fromkeys([*keys, *on]))].drop_duplicates()
    valid = replies[replies["status"] == "valid"]
    counts = inside.merge(valid[[*on, "reply"]], on=on, how="inner").groupby([_ALL, *keys], as_index=False).size()
    kept = called.merge(counts, on=[_ALL, *keys], how="left").rename(columns={"size": "reports_kept"})
    return kept.assign(reports_kept=kept["reports_kept"].fillna(0).astype("int64"))[[*keys, "reports_kept"]]


def _count_left_out(
    used: pd.DataFrame,
    called: pd.DataFrame,
    replies: pd.DataFrame,
    joined: pd.DataFrame,
    group: list[str],
    keys: list[str],
) -> pd.DataFrame:
    fit_keys = [column for column in used.columns if column in [_ALL, *keys]]
    asked = replies.merge(called, on=group, how="left")
    valid = asked[asked["status"] == "valid"]
    decided = used[[*fit_keys, "scenario"]].drop_duplicates().assign(decided=True)
    undecided = valid.merge(decided, on=[*fit_keys, "scenario"], how="left")
    weights = used.merge(called, on=fit_keys, how="inner")
    reported = joined[[*keys, "scenario", "slot"]].drop_duplicates().assign(reported=True)
    unreported = weights.merge(reported, on=[*keys, "scenario", "slot"], how="left")
    constant = joined[joined["used_z"].isna() | joined["other_z"].isna()]
    parts = (
        (asked[asked["status"] != "valid"], "reply not valid", "replies"),
        (undecided[undecided["decided"].isna()], "no decisions", "replies"),
        (unreported[unreported["reported"].isna()], "no valid report", "weights"),
        (constant, "all weights or all reports equal", "weights"),
    )
    columns = [*keys, "scenario", "reason", "unit", "count"]
    tallies = [
        part.groupby([*keys, "scenario"], as_index=False, dropna=False)
        .size()
        .rename(columns={"size": "count"})
        .assign(reason=reason, unit=unit)[columns]
        for part, reason, unit in parts
    ]
    return pd.concat(tallies, ignore_index=True)
