"""Long tables (one row for each unit and attribute) folded to one row for each unit.

A unit is a trial or a reply. Decisions and reports given as a user's own data frame pass through here; the published
archive layout is wide already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import RawTable, show_cell
from selfinterp_stats.tables.scenarios import Scenarios

__all__ = ["LongLayout", "fold_long", "name_conditions", "report_unknown_scenarios"]

_PREFERENCES = ("instilled", "native")

# Columns of any table of the package; a condition of the same name would take the place of one of them.
RESERVED = frozenset(
    [
        "_all",
        "_merge",
        "a",
        "alpha",
        "attribute",
        "b",
        "band_high",
        "band_low",
        "base_model",
        "brier_out",
        "chain",
        "chosen",
        "cluster_r",
        "cluster_r_high",
        "cluster_r_low",
        "consistency_pull",
        "context",
        "converged",
        "correlation",
        "count",
        "decided",
        "discrimination",
        "draw",
        "elpd",
        "elpd_coin",
        "elpd_options",
        "elpd_place",
        "ess",
        "exact",
        "expected",
        "file",
        "found",
        "hdi_high",
        "hdi_low",
        "high",
        "hit_rate",
        "hit_rate_out",
        "intercept",
        "intercept_mcse",
        "k_hat",
        "kind",
        "log",
        "log_loss",
        "log_loss_out",
        "low",
        "mcse",
        "mean",
        "median",
        "method",
        "miscalibration",
        "model",
        "n_attributes",
        "n_scenarios",
        "n_trials",
        "n_weights",
        "null",
        "other",
        "other_z",
        "p_a",
        "p_direction",
        "p_largest",
        "parameter",
        "pearson_r",
        "plug_in",
        "predicted",
        "preferences",
        "purpose",
        "question",
        "r_hat",
        "reason",
        "record",
        "reply",
        "reply_order",
        "report",
        "reported",
        "reporter",
        "reports_kept",
        "row",
        "rule",
        "sampler",
        "scenario",
        "scenarios_kept",
        "sd",
        "seed",
        "separated",
        "share",
        "share_a",
        "size",
        "slope",
        "slope_hdi_high",
        "slope_hdi_low",
        "slope_median",
        "slot",
        "stage",
        "standing",
        "status",
        "target",
        "target_agreement",
        "trial",
        "uncertainty",
        "unit",
        "unit_number",
        "used",
        "used_z",
        "verdict",
        "weight",
        "weight_width",
        "width_pull",
    ]
)


@dataclass(frozen=True)
class LongLayout:
    """Which columns a long table has.

    Attributes
    ----------
    argument : str
        What the table is called in messages.
    needed, optional : tuple of str
        Columns with a meaning; whatever else is there is a condition.
    unit : str
        Column that numbers the units within a scenario.
    values : tuple of str
        Columns with a number for each attribute; they become ``<name>_<slot>``.
    constant : tuple of str
        Columns that have to be the same on every row of a unit.
    labels : tuple of str
        Further columns that tell units apart; where one is not there, all rows have its default.
    """

    argument: str
    needed: tuple[str, ...]
    optional: tuple[str, ...]
    unit: str
    values: tuple[str, ...]
    constant: tuple[str, ...]
    labels: tuple[str, ...] = ()


def fold_long(
    raw: RawTable | None, scenarios: Scenarios, problems: Problems, layout: LongLayout, defaults: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """Check a long table and fold it.

    Returns
    -------
    entries : pandas.DataFrame
        One row for each unit: ``base_model, preferences, model, scenario``, the unit, the constant columns, a column for
        each value and slot, the conditions, and ``row`` (the first row of the unit). Empty where columns are missing.
    conditions : list of str
        Names of the condition columns.
    """
    remedy = f"name the columns {', '.join(layout.needed)}"
    if raw is None or not raw.require(layout.needed, problems, remedy=remedy):
        return pd.DataFrame(), []
    named = name_conditions(raw, (*layout.needed, *layout.optional), problems)
    conditions = list(named.values())
    frame = pd.DataFrame({name: _plain(raw, column) for column, name in named.items()}, index=range(len(raw)))
    for name in ("scenario", layout.unit, "attribute"):
        frame[name] = raw.text(name)
    frame["model"] = raw.text("model") if "model" in raw.columns else defaults["model"]
    frame["base_model"] = raw.text("base_model") if "base_model" in raw.columns else frame["model"]
    frame["preferences"] = raw.text("preferences") if "preferences" in raw.columns else defaults["preferences"]
    for name in layout.constant:
        frame[name] = _constant(raw, name, problems)
    for name in layout.labels:
        frame[name] = raw.text(name) if name in raw.columns else defaults[name]
    # A reply that was refused has a status and no numbers; everything else must have them.
    replies = "status" in layout.constant
    answered = (frame["status"] == "valid").to_numpy() if replies else np.ones(len(raw), dtype=bool)
    for name in layout.values:
        needed = answered if name in layout.needed else np.zeros(len(raw), dtype=bool)
        frame[name] = raw.numbers(name, problems, needed=needed) if name in raw.columns else np.nan
    frame["row"] = raw.rows
    _report_preferences(frame, raw.file, problems)
    frame = frame[~report_unknown_scenarios(frame, scenarios, set(), raw.file, problems)]
    frame = _with_slots(frame, scenarios, raw.file, problems)
    return _pivot(frame, conditions, scenarios, layout, raw.file, problems), conditions


def name_conditions(raw: RawTable, known: tuple[str, ...], problems: Problems) -> dict[str, str]:
    """Columns without a meaning of their own, in the order of the file, with the names they get.

    A name that tables of the package use themselves, or that a netCDF file cannot hold, is changed and the change
    announced, so that no column of a user ever stands in for one of ours.
    """
    named: dict[str, str] = {}
    for column in raw.columns:
        if column in known:
            continue
        name = column.replace("/", "_").replace("\x00", "_") or "unnamed"
        if name in RESERVED or re.fullmatch(r"(a|b|report|context|condition)_.*|column_\d+", name):
            name = f"condition_{name}"
        while name in named.values() or (name != column and name in raw.columns):
            name += "_"
        named[column] = name
        if name != column:
            problems.warn(
                "renamed-column",
                raw.file,
                row=1,
                column=column,
                found="a name that the package uses itself or cannot store",
                expected="another name for a condition",
                remedy=f"it is kept as {name}",
            )
    return named


def report_unknown_scenarios(
    frame: pd.DataFrame, scenarios: Scenarios, spoiled: set[str], file: str, problems: Problems
) -> pd.Series:
    """Report the first row of every scenario that is not declared; a mask of the rows to set aside."""
    outside: pd.Series = ~frame["scenario"].isin(scenarios.names)
    if not outside.any():
        return outside
    for _, entry in frame[outside & ~frame["scenario"].isin(spoiled)].drop_duplicates("scenario").iterrows():
        name = entry["scenario"]
        times = int((frame["scenario"] == name).sum())
        problems.error(
            "unknown-scenario" if name else "missing-value",
            file,
            row=int(entry["row"]),
            column="scenario",
            found=f"{show_cell(name) if name else 'an empty cell'} in {times} row{'s' if times != 1 else ''}",
            expected="a scenario of the table of scenarios",
            remedy="correct the name or declare the scenario",
            scenario=name,
        )
    return outside


def _plain(raw: RawTable, name: str) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    column = raw.columns[name]
    return raw.text(name) if column.dtype == object else column


def _constant(raw: RawTable, name: str, problems: Problems) -> Any:
    if name == "p_a":
        absent = np.zeros(len(raw), dtype=bool)
        return raw.numbers(name, problems, needed=absent) if name in raw.columns else np.nan
    if name not in raw.columns:  # nothing was refused; or a probability stands in for the choice
        return "valid" if name == "status" else ""
    return raw.text(name)


def _report_preferences(frame: pd.DataFrame, file: str, problems: Problems) -> None:
    wrong = frame[~frame["preferences"].isin(_PREFERENCES)].drop_duplicates("preferences")
    for row, value in wrong[["row", "preferences"]].itertuples(index=False):
        problems.error(
            "bad-preferences",
            file,
            row=int(row),
            column="preferences",
            found=repr(value),
            expected="'instilled' or 'native'",
            remedy="write instilled for scenarios that the model was fine-tuned on, native for others",
        )


def _with_slots(frame: pd.DataFrame, scenarios: Scenarios, file: str, problems: Problems) -> pd.DataFrame:
    slots = scenarios.frame.set_index(["scenario", "attribute"])["slot"]
    index = pd.MultiIndex.from_frame(frame[["scenario", "attribute"]])
    slot = slots.reindex(index).to_numpy()
    unknown = np.isnan(slot.astype(np.float64))
    for _, entry in frame[unknown].drop_duplicates(["scenario", "attribute"]).iterrows():
        have = scenarios.frame.loc[scenarios.frame["scenario"] == entry["scenario"], "attribute"]
        problems.error(
            "wrong-attribute",
            file,
            row=int(entry["row"]),
            column="attribute",
            found=repr(entry["attribute"]),
            expected=f"one of {', '.join(have)}, the attributes of {entry['scenario']!r}",
            remedy="correct the attribute's name",
            scenario=entry["scenario"],
        )
    return frame[~unknown].assign(slot=slot[~unknown].astype(np.int64))


def _pivot(
    frame: pd.DataFrame,
    conditions: list[str],
    scenarios: Scenarios,
    layout: LongLayout,
    file: str,
    problems: Problems,
) -> pd.DataFrame:
    if frame.empty:
        return pd.DataFrame()
    keys = ["base_model", "preferences", "model", *layout.labels, *conditions, "scenario", layout.unit]
    unit = frame.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    frame = frame.assign(unit_number=unit)
    doubled = frame.duplicated(["unit_number", "slot"])
    for row, scenario, attribute, name in frame.loc[doubled, ["row", "scenario", "attribute", layout.unit]].itertuples(
        index=False
    ):
        problems.error(
            f"doubled-{layout.unit}",
            file,
            row=int(row),
            column="attribute",
            found=f"{attribute!r} of {layout.unit} {name} of {scenario!r} again",
            expected=f"each attribute once in a {layout.unit}",
            remedy=f"give each {layout.unit} an id of its own or remove the copy",
            scenario=scenario,
        )
    frame = frame[~doubled]
    _report_varying(frame, layout, file, problems)
    first = frame.drop_duplicates("unit_number").set_index("unit_number")
    entries = first[[*keys, *layout.constant, "row"]].copy()
    needed = scenarios.n_attributes
    counts = frame.groupby("unit_number").size()
    short = counts < entries["scenario"].map(needed)
    for row, scenario, name in entries.loc[short, ["row", "scenario", layout.unit]].itertuples(index=False):
        problems.error(
            "missing-attribute",
            file,
            row=int(row),
            column="attribute",
            found=f"{layout.unit} {name} of {scenario!r} without one of its {needed[scenario]} attributes",
            expected="a row for each attribute",
            remedy=f"add the missing rows or remove the {layout.unit}",
            scenario=scenario,
        )
    for value in layout.values:
        table = frame.pivot(index="unit_number", columns="slot", values=value)
        for slot in range(1, scenarios.n_slots + 1):
            entries[f"{value}_{slot}"] = table[slot] if slot in table.columns else np.nan
    return entries.reset_index(drop=True)


def _report_varying(frame: pd.DataFrame, layout: LongLayout, file: str, problems: Problems) -> None:
    for column in layout.constant:
        varying = frame.groupby("unit_number")[column].nunique(dropna=False)
        for number in varying.index[varying > 1]:
            members = frame[frame["unit_number"] == number]
            problems.error(
                "contradiction",
                file,
                row=int(members["row"].iloc[0]),
                column=column,
                found=" and ".join(show_cell(v) for v in members[column].unique()[:3]),
                expected=f"one value in all rows of {layout.unit} {members[layout.unit].iloc[0]}",
                remedy="correct the rows",
                scenario=members["scenario"].iloc[0],
            )
