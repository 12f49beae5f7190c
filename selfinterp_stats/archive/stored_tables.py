"""Tables of an archive of our own, as they stand in its files, mapped to the entries that the tables check."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.archive.parquet import Column, Kind
from selfinterp_stats.tables.decisions import PREFERENCES, Decisions, build_decisions, option_columns
from selfinterp_stats.tables.long import LongLayout, fold_long, name_conditions, report_unknown_scenarios
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import RawTable
from selfinterp_stats.tables.reports import Reports, build_reports
from selfinterp_stats.tables.scenarios import Scenarios, build_scenarios
from selfinterp_stats.tables.targets import Targets, build_targets

__all__ = [
    "REMEDY",
    "StoredTable",
    "columns_of",
    "entries_to_decisions",
    "entries_to_reports",
    "entries_to_scenarios",
    "entries_to_targets",
    "take_columns",
]

REMEDY = "write the archive again with Archive.write"

_COLUMNS: dict[str, dict[str, Kind]] = {
    "scenarios": {
        "scenario": "text",
        "question": "text",
        "slot": "whole",
        "attribute": "text",
        "unit": "text",
        "low": "number",
        "high": "number",
    },
    "decisions": {
        "base_model": "text",
        "preferences": "text",
        "model": "text",
        "scenario": "text",
        "trial": "text",
        "chosen": "text",
        "p_a": "number",
    },
    "reports": {
        "base_model": "text",
        "preferences": "text",
        "reporter": "text",
        "model": "text",
        "scenario": "text",
        "reply": "text",
        "slot": "whole",
        "attribute": "text",
        "report": "number",
        "status": "text",
        "a": "number",
        "b": "number",
    },
    "targets": {"scenario": "text", "slot": "whole", "attribute": "text", "target": "number"},
}
_ACCEPTED: dict[Kind, tuple[Kind, ...]] = {
    "text": ("text", "empty"),
    "whole": ("whole", "empty"),
    "number": ("number", "whole", "empty"),
}
_WORDS: dict[Kind, str] = {"text": "text", "whole": "whole numbers", "number": "numbers"}
_OPTION = re.compile(r"[ab]_([1-9][0-9]{0,2})")
_FOLDED = "given"  # stands for all conditions of a reply while its rows are put together
_FIRST_ROW = 2  # as in a spreadsheet, where the header is row 1
_REPLIES = LongLayout(
    argument="reports",
    needed=("scenario", "reply", "attribute", "report"),
    optional=("base_model", "preferences", "reporter", "model", "status", "a", "b"),
    unit="reply",
    values=("report", "a", "b"),
    constant=("status",),
    labels=("reporter",),
)


@dataclass(frozen=True)
class StoredTable:
    """Columns of one file.

    Attributes
    ----------
    raw : RawTable
        The columns of ours.
    conditions : pandas.DataFrame
        The condition columns under the names that they get, a row for each of the file.
    """

    raw: RawTable
    conditions: pd.DataFrame


def columns_of(table: str, n_slots: int) -> dict[str, Kind]:
    """Columns of a table before its conditions, in order, and what they hold."""
    options: dict[str, Kind] = dict.fromkeys(option_columns(n_slots), "number") if table == "decisions" else {}
    return {**_COLUMNS[table], **options}


def take_columns(
    columns: Sequence[Column], table: str, n_slots: int, conditions: Sequence[str], file: str, problems: Problems
) -> StoredTable | None:
    """Columns with a meaning and conditions; None where one is missing, doubled or of another type.

    Rows are numbered as those of a data frame are: the first is 2.
    """
    before = len(problems.errors)
    doubled = {name: times for name, times in Counter(column.name for column in columns).items() if times > 1}
    for name, times in doubled.items():
        problems.error(
            "doubled-column",
            file,
            row=1,
            column=name or "(no name)",
            found=f"{times} columns of that name",
            expected="one",
            remedy=REMEDY,
        )
    by_name = {column.name: column for column in columns}
    rows = np.arange(len(columns[0].cells) if columns else 0, dtype=np.int64) + _FIRST_ROW
    raw = RawTable(file, {name: column.cells for name, column in by_name.items()}, rows)
    wanted = columns_of(table, n_slots)
    raw.require([*wanted, *(name for name in conditions if name not in wanted)], problems, remedy=REMEDY)
    if table == "decisions":  # for attributes beyond those of any scenario, where there should be no value
        wanted |= dict.fromkeys((name for name in by_name if _OPTION.fullmatch(name)), "number")
    _report_types(by_name, wanted, conditions, file, problems)
    if len(problems.errors) > before:
        return None
    for name in by_name:
        if name not in wanted and name not in conditions:
            problems.warn(
                "unused-column",
                file,
                row=1,
                column=name,
                found="a column that is neither of the format nor among the conditions of the manifest",
                expected="only columns of the format, and conditions that the manifest lists",
                remedy="it is not read; make the table with this column and write it with Archive.write",
            )
    named = _names(raw, conditions, problems)
    frame = pd.DataFrame({named[name]: _condition(by_name[name]) for name in conditions}, index=range(len(raw)))
    return StoredTable(RawTable(file, {name: raw.columns[name] for name in wanted}, rows), frame)


def _report_types(
    columns: Mapping[str, Column], wanted: Mapping[str, Kind], conditions: Sequence[str], file: str, problems: Problems
) -> None:
    wrong = {
        name: _WORDS[kind] for name, kind in wanted.items() if name in columns and columns[name].kind not in _ACCEPTED[kind]
    }
    for name in conditions:
        if name in columns and columns[name].kind == "other":
            wrong[name] = "text, numbers, booleans or times"
    for name, expected in wrong.items():
        problems.error(
            "wrong-type",
            file,
            row=1,
            column=name,
            found=f"cells of type {columns[name].type[:80]}",
            expected=expected,
            remedy="convert the column and write the archive again with Archive.write",
        )


def _names(raw: RawTable, conditions: Sequence[str], problems: Problems) -> dict[str, str]:
    """Names that conditions get; those that were given on an earlier reading stay."""
    fresh = [name for name in conditions if not re.fullmatch(r"condition_[^/\x00]*", name)]
    changed = name_conditions(raw, tuple(name for name in raw.columns if name not in fresh), problems)
    return {name: changed.get(name, name) for name in conditions}


def _condition(column: Column) -> pd.Series:
    if column.kind in ("text", "empty"):
        cells = np.array([np.nan if cell is None else cell for cell in column.cells], dtype=object)
        return pd.Series(cells, dtype=pd.Series(["text"]).dtype)  # pandas' own type for text differs between versions
    if column.kind == "flag" and column.cells.dtype == object:
        return pd.Series(np.array([np.nan if cell is None else cell for cell in column.cells], dtype=object), dtype=object)
    return pd.Series(column.cells)


def entries_to_scenarios(table: StoredTable, problems: Problems) -> tuple[Scenarios, set[str]]:
    """Scenarios, and the names of those with a finding."""
    raw = table.raw
    entries = pd.DataFrame(
        {
            "scenario": raw.text("scenario"),
            "question": raw.text("question"),
            "attribute": raw.text("attribute"),
            # units may have blanks around them, as those of the published layout may
            "unit": np.array(["" if unit is None else unit for unit in raw.columns["unit"]], dtype=object),
            "low": raw.numbers("low", problems),
            "high": raw.numbers("high", problems),
            "row": raw.rows,
            "attribute_column": "attribute",
            "high_column": "high",
        }
    )
    entries.insert(2, "slot", entries.groupby("scenario", sort=False).cumcount() + 1)
    _report_slots(raw, entries["slot"].to_numpy(dtype=np.float64), problems)
    return build_scenarios(entries, raw.file, problems)


def entries_to_targets(table: StoredTable, scenarios: Scenarios, spoiled: set[str], problems: Problems) -> Targets:
    """Target weights."""
    raw = table.raw
    entries = pd.DataFrame(
        {
            "scenario": raw.text("scenario"),
            "attribute": raw.text("attribute"),
            "target": raw.numbers("target", problems),
            "row": raw.rows,
            "column": "attribute",
        }
    )
    known = ~report_unknown_scenarios(entries, scenarios, spoiled, raw.file, problems)
    entries["slot"] = _expected_slots(raw, scenarios)
    _report_slots(raw, entries["slot"].to_numpy(), problems)
    return build_targets(entries[known], scenarios, raw.file, problems)


def entries_to_decisions(table: StoredTable, scenarios: Scenarios, spoiled: set[str], problems: Problems) -> Decisions:
    """Decisions, in the order of the file."""
    raw = table.raw
    names = raw.text("scenario")
    labels = {name: raw.text(name) for name in ("base_model", "preferences", "model", "trial", "chosen")}
    frame = pd.DataFrame({"scenario": names, "row": raw.rows})
    known = ~report_unknown_scenarios(frame, scenarios, spoiled, raw.file, problems).to_numpy(dtype=bool)
    _report_preferences(raw, labels["preferences"], problems)
    sizes = scenarios.n_attributes
    count = np.array([sizes.get(name, 0) for name in names], dtype=np.int64)
    values = {name: _option_values(raw, name, count, known, problems) for name in raw.columns if _OPTION.fullmatch(name)}
    p_a = raw.numbers("p_a", problems, needed=np.zeros(len(raw), dtype=bool))
    ours = pd.DataFrame({**labels, "scenario": names, "p_a": p_a, **values, "row": raw.rows})
    conditions = table.conditions
    entries = pd.concat([ours, conditions], axis=1)
    return build_decisions(
        entries, list(conditions.columns), scenarios, raw.file, problems, lambda side, slot: f"{side}_{slot}"
    )


def entries_to_reports(table: StoredTable, scenarios: Scenarios, spoiled: set[str], problems: Problems) -> Reports:
    """Replies, in the order of the file."""
    raw, conditions = table.raw, table.conditions
    names = list(conditions.columns)
    _report_slots(raw, _expected_slots(raw, scenarios), problems)
    # Replies are put together by the code that takes a user's long table. It would turn conditions to text, so that a
    # number for each combination goes in their place.
    given = conditions.groupby(names, sort=False, dropna=False).ngroup() if names else pd.Series(0, index=conditions.index)
    keep = ~np.isin(raw.text("scenario"), sorted(spoiled))
    columns = {name: cells[keep] for name, cells in raw.columns.items() if name != "slot"}
    long = RawTable(raw.file, {**columns, _FOLDED: given.to_numpy()[keep]}, raw.rows[keep])
    entries, _ = fold_long(long, scenarios, problems, _REPLIES, {})
    if entries.empty:
        return build_reports(entries, names, scenarios, raw.file, problems)
    first = conditions.iloc[entries["row"].to_numpy() - _FIRST_ROW].reset_index(drop=True)
    entries = pd.concat([entries.drop(columns=_FOLDED), first], axis=1)
    return build_reports(entries, names, scenarios, raw.file, problems)


def _option_values(
    raw: RawTable, column: str, count: NDArray[np.int64], known: NDArray[np.bool_], problems: Problems
) -> NDArray[np.float64]:
    """Values of one attribute; a value for an attribute that the scenario does not have is an error."""
    slot = int(column[2:])
    values = raw.numbers(column, problems, needed=known & (count >= slot))
    for i in np.flatnonzero(known & (count < slot) & ~np.isnan(values)):
        name = str(raw.columns["scenario"][i])
        problems.error(
            "wrong-attribute",
            raw.file,
            row=int(raw.rows[i]),
            column=column,
            found=f"{values[i]:g} for attribute {slot}",
            expected=f"an empty cell: {name!r} has {count[i]} attributes",
            remedy="empty the cell or declare the attribute",
            scenario=name,
        )
    return values


def _expected_slots(raw: RawTable, scenarios: Scenarios) -> NDArray[np.float64]:
    """The slot of each row's attribute in its scenario; NaN where there is none."""
    pairs = pd.DataFrame({"scenario": raw.text("scenario"), "attribute": raw.text("attribute")})
    known = scenarios.frame[["scenario", "attribute", "slot"]]
    slots: NDArray[np.float64] = pairs.merge(known, how="left")["slot"].to_numpy(dtype=np.float64)
    return slots


def _report_slots(raw: RawTable, expected: NDArray[np.float64], problems: Problems) -> None:
    slots = raw.numbers("slot", problems, expected="the attribute's place in its scenario")
    for i in np.flatnonzero((slots != expected) & ~np.isnan(slots) & ~np.isnan(expected)):
        scenario, attribute = str(raw.columns["scenario"][i]), str(raw.columns["attribute"][i])
        problems.error(
            "wrong-attribute",
            raw.file,
            row=int(raw.rows[i]),
            column="slot",
            found=f"slot {slots[i]:g} for {attribute!r}",
            expected=f"slot {expected[i]:g}, its place among the attributes of {scenario!r}",
            remedy="correct the cell; slots count from 1 in the order of the scenario's rows",
            scenario=scenario,
        )


def _report_preferences(raw: RawTable, preferences: NDArray[np.object_], problems: Problems) -> None:
    frame = pd.DataFrame({"preferences": preferences, "row": raw.rows})
    wrong = frame[~frame["preferences"].isin(PREFERENCES)].drop_duplicates("preferences")
    for row, value in wrong[["row", "preferences"]].itertuples(index=False):
        problems.error(
            "bad-preferences",
            raw.file,
            row=int(row),
            column="preferences",
            found=repr(value),
            expected="'instilled' or 'native'",
            remedy="write instilled for scenarios that the model was fine-tuned on, native for others",
        )
