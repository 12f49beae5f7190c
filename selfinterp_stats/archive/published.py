"""Files of the published layout, one row for each trial or reply, mapped to the entries that the tables check."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.archive.layout import FileRole
from selfinterp_stats.tables.decisions import Decisions, build_decisions
from selfinterp_stats.tables.long import name_conditions, report_unknown_scenarios
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import RawTable
from selfinterp_stats.tables.reports import Reports, build_reports
from selfinterp_stats.tables.scenarios import Scenarios, build_scenarios
from selfinterp_stats.tables.targets import Targets, build_targets

__all__ = ["read_decisions", "read_reports", "read_scenarios", "read_targets", "read_units"]

_REMEDY = "name the columns as in the published layout; the docs list them"


def read_units(path: Path, problems: Problems) -> dict[tuple[str, str], str]:
    """Units by scenario and attribute from the list of candidate scenarios."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if not text.strip():
            problems.warn(
                "empty-file",
                path.name,
                found="nothing",
                expected="a JSON list of scenarios",
                remedy="units stay unknown; fill or remove the file",
            )
            return {}
        candidates = json.loads(text)
        return {
            (str(candidate["short_name"]), str(attribute["name"])): _printable(str(attribute["units"]))
            for candidate in candidates
            for attribute in candidate["attributes"]
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:  # ValueError: no JSON, no UTF-8
        problems.error(
            "unreadable-file",
            path.name,
            found=f"a file that is no list of scenarios ({type(error).__name__}: {error})",
            expected="a JSON list of objects with short_name and attributes, each with name and units",
            remedy="correct the file, or remove it: only units come from it",
        )
        return {}


def read_scenarios(raw: RawTable, units: dict[tuple[str, str], str], problems: Problems) -> tuple[Scenarios, set[str]]:
    """Scenarios of ``scenarios.csv`` and the names of those with a finding."""
    n_slots = _highest(raw, r"attr([1-9]\d?)(?:_min|_max)?")
    wanted = ["scenario", *(f"attr{j}{end}" for j in range(1, max(n_slots, 1) + 1) for end in ("", "_min", "_max"))]
    if not raw.require(wanted, problems, remedy=_REMEDY):
        return build_scenarios(pd.DataFrame(), raw.file, problems)
    _warn_unused(raw, ["question", *wanted], problems)
    names = raw.text("scenario")
    fresh = _report_doubled_scenarios(raw, names, problems)
    attributes = np.column_stack([raw.text(f"attr{j}") for j in range(1, n_slots + 1)])
    ends = {end: [raw.text(f"attr{j}_{end}") != "" for j in range(1, n_slots + 1)] for end in ("min", "max")}
    filled = (attributes != "") | np.column_stack(ends["min"]) | np.column_stack(ends["max"])
    # A scenario's attributes end with the last slot that holds anything; a gap before it is a missing attribute.
    count = np.where(filled.any(axis=1), n_slots - np.argmax(filled[:, ::-1], axis=1), 1)
    question = raw.text("question") if "question" in raw.columns else np.full(len(raw), "", dtype=object)
    used = count[:, None] >= np.arange(1, n_slots + 1)
    limits = np.empty((2, len(raw), n_slots))
    for j in range(n_slots):
        for i, end in enumerate(("min", "max")):
            limits[i, :, j] = raw.numbers(f"attr{j + 1}_{end}", problems, needed=used[:, j])
    record, place = np.nonzero(used & fresh[:, None])
    attribute = attributes[record, place]
    entries = pd.DataFrame(
        {
            "scenario": names[record],
            "question": question[record],
            "slot": place + 1,
            "attribute": attribute,
            "unit": [units.get(pair, "") for pair in zip(names[record], attribute, strict=True)],
            "low": limits[0, record, place],
            "high": limits[1, record, place],
            "row": raw.rows[record],
            "attribute_column": [f"attr{j + 1}" for j in place],
            "high_column": [f"attr{j + 1}_max" for j in place],
        }
    )
    scenarios, spoiled = build_scenarios(entries, raw.file, problems)
    column = list(raw.columns).index("scenario")
    return scenarios, spoiled | {cells[column].strip() for cells in raw.set_aside if len(cells) > column}


def read_targets(raw: RawTable, scenarios: Scenarios, spoiled: set[str], problems: Problems) -> Targets:
    """Target weights of ``instilled_weights.csv``."""
    if not raw.require(["scenario"], problems, remedy=_REMEDY):
        return build_targets(pd.DataFrame(), scenarios, raw.file, problems)
    names, count, known = _scenario_column(raw, scenarios, spoiled, problems)
    columns = [f"attr{j}" for j in range(1, int(count.max(initial=1)) + 1)]
    if not raw.require(columns, problems, remedy=_REMEDY):
        return build_targets(pd.DataFrame(), scenarios, raw.file, problems)
    _warn_unused(raw, ["scenario", *columns], problems)
    weights = [_slot_numbers(raw, name, j, names, count, known, problems) for j, name in enumerate(columns, start=1)]
    place, record = np.nonzero(known & (count > np.arange(len(columns))[:, None]))  # slot by slot
    entries = pd.DataFrame(
        {
            "scenario": names[record],
            "slot": place + 1,
            "attribute": [scenarios.attributes[names[i]][j] for i, j in zip(record, place, strict=True)],
            "target": np.array(weights)[place, record],
            "row": raw.rows[record],
            "column": [columns[j] for j in place],
        }
    )
    return build_targets(entries, scenarios, raw.file, problems)


def read_decisions(raw: RawTable, role: FileRole, scenarios: Scenarios, spoiled: set[str], problems: Problems) -> Decisions:
    """Decisions of one ``..._selections.csv``."""
    nothing = pd.DataFrame()
    raw.require(["model", "scenario", "selection"], problems, remedy=_REMEDY)
    if "scenario" not in raw.columns:  # whatever else is missing, the columns that are there are checked
        return build_decisions(nothing, [], scenarios, raw.file, problems)
    names, count, known = _scenario_column(raw, scenarios, spoiled, problems)
    columns = [f"{side}_attribute_{j}" for j in range(1, int(count.max(initial=1)) + 1) for side in "AB"]
    raw.require(columns, problems, remedy=_REMEDY)
    _report_empty(raw, "model", problems)
    trial = next((name for name in ("trial", "trial_id") if name in raw.columns), None)
    if trial:
        _report_empty(raw, trial, problems)
    options = _option_columns(raw)
    known_columns = ("model", "scenario", "selection", "p_a", *([trial] if trial else []), *options)
    conditions = name_conditions(raw, known_columns, problems)
    frame = {
        "base_model": role.base_model,
        "preferences": role.preferences,
        "model": raw.text("model") if "model" in raw.columns else "",
        "scenario": names,
        "trial": raw.text(trial) if trial else "",
        "chosen": raw.text("selection") if "selection" in raw.columns else None,
        "p_a": raw.numbers("p_a", problems, needed=~known & known) if "p_a" in raw.columns else np.nan,
        "row": raw.rows,
    }
    values = {_internal(name): _slot_numbers(raw, name, _slot(name), names, count, known, problems) for name in options}
    entries = _with_conditions(raw, _padded({**frame, **values}, "ab", scenarios.n_slots), conditions)
    # Trials are put in an order of their own, by what they are, so that nothing depends on that of the file.
    content = [name for name in entries.columns if name not in ("base_model", "preferences", "scenario", "row")]
    entries = entries.sort_values(["scenario", *content, "row"], kind="stable", ignore_index=True)
    if not trial:
        entries["trial"] = (entries.groupby("scenario").cumcount() + 1).astype(str)
    return build_decisions(
        entries,
        list(conditions.values()),
        scenarios,
        raw.file,
        problems,
        lambda side, slot: f"{side.upper()}_attribute_{slot}",
        choice_column="selection",
        choice_needed=True,  # it is what this layout is for; probabilities come beside it
    )


def read_reports(raw: RawTable, role: FileRole, scenarios: Scenarios, spoiled: set[str], problems: Problems) -> Reports:
    """Replies of one ``..._weight_reports.csv``."""
    nothing = pd.DataFrame()
    raw.require(["explaining_model", "scenario"], problems, remedy=_REMEDY)
    if "scenario" not in raw.columns:
        return build_reports(nothing, [], scenarios, raw.file, problems)
    names, count, known = _scenario_column(raw, scenarios, spoiled, problems)
    columns = [f"report_attr{j}" for j in range(1, int(count.max(initial=1)) + 1)]
    raw.require(columns, problems, remedy=_REMEDY)
    _report_empty(raw, "explaining_model", problems)
    options = _option_columns(raw)
    columns = [name for name in raw.columns if re.fullmatch(r"report_attr[1-9]\d*", name)]
    conditions = name_conditions(raw, ("explaining_model", "scenario", *columns, *options), problems)
    frame = {
        "base_model": role.base_model,
        "preferences": role.preferences,
        "reporter": role.reporter,
        "model": raw.text("explaining_model") if "explaining_model" in raw.columns else "",
        "scenario": names,
        # with the file's name: two files may hold replies of one model in one scenario
        "reply": np.array([f"{raw.file}:{row}" for row in raw.rows], dtype=object),
        "status": "valid",
        "row": raw.rows,
    }
    values = {
        f"report_{_slot(name)}": _slot_numbers(raw, name, _slot(name), names, count, known, problems) for name in columns
    }
    shown = {
        _internal(name): _slot_numbers(raw, name, _slot(name), names, count, known, problems, needed=False)
        for name in options
    }
    padded = _padded({**frame, **values, **shown}, ("report", "a", "b"), scenarios.n_slots)
    entries = _with_conditions(raw, padded, conditions)
    return build_reports(entries, list(conditions.values()), scenarios, raw.file, problems)


def _scenario_column(
    raw: RawTable, scenarios: Scenarios, spoiled: set[str], problems: Problems
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_]]:
    """Names of the rows' scenarios, their numbers of attributes (0: unknown), and which rows can be used."""
    names = raw.text("scenario")
    frame = pd.DataFrame({"scenario": names, "row": raw.rows})
    known = ~report_unknown_scenarios(frame, scenarios, spoiled, raw.file, problems).to_numpy(dtype=bool)
    sizes = scenarios.n_attributes
    count = np.array([sizes.get(name, 0) for name in names], dtype=np.int64)
    return names, count, known


def _slot_numbers(
    raw: RawTable,
    column: str,
    slot: int,
    names: NDArray[Any],
    count: NDArray[np.int64],
    known: NDArray[np.bool_],
    problems: Problems,
    *,
    needed: bool = True,
) -> NDArray[np.float64]:
    """Numbers of one attribute's column; a number for an attribute that the scenario does not have is an error."""
    values = raw.numbers(column, problems, needed=known & (count >= slot) & needed)
    for i in np.flatnonzero(known & (count < slot) & ~np.isnan(values)):
        problems.error(
            "wrong-attribute",
            raw.file,
            row=int(raw.rows[i]),
            column=column,
            found=f"{values[i]:g} for attribute {slot}",
            expected=f"an empty cell: {names[i]!r} has {count[i]} attributes",
            remedy="empty the cell or declare the attribute",
            scenario=str(names[i]),
        )
    return values


def _option_columns(raw: RawTable) -> list[str]:
    return [name for name in raw.columns if re.fullmatch(r"[AB]_attribute_[1-9]\d*", name)]


def _slot(column: str) -> int:
    match = re.search(r"\d+$", column)
    return int(match[0]) if match else 0


def _internal(column: str) -> str:
    return f"{column[0].lower()}_{_slot(column)}"


def _highest(raw: RawTable, pattern: str) -> int:
    matches = (re.fullmatch(pattern, name) for name in raw.columns)
    return max((int(match[1]) for match in matches if match), default=0)


def _padded(columns: dict[str, Any], values: tuple[str, ...] | str, n_slots: int) -> dict[str, Any]:
    for value in values:
        for slot in range(1, n_slots + 1):
            columns.setdefault(f"{value}_{slot}", np.nan)
    return columns


def _with_conditions(raw: RawTable, columns: dict[str, Any], conditions: dict[str, str]) -> pd.DataFrame:
    named = {name: raw.text(column) for column, name in conditions.items()}
    return pd.DataFrame({**columns, **named}, index=range(len(raw)))


def _report_empty(raw: RawTable, column: str, problems: Problems) -> None:
    if column not in raw.columns:
        return
    for i in np.flatnonzero(raw.text(column) == ""):
        problems.error(
            "missing-value",
            raw.file,
            row=int(raw.rows[i]),
            column=column,
            found="an empty cell",
            expected="a name",
            remedy="fill the cell or remove the row",
        )


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _report_doubled_scenarios(raw: RawTable, names: NDArray[Any], problems: Problems) -> NDArray[np.bool_]:
    doubled = pd.Series(names).duplicated().to_numpy() & (names != "")
    for i in np.flatnonzero(doubled):
        problems.error(
            "doubled-scenario",
            raw.file,
            row=int(raw.rows[i]),
            column="scenario",
            found=f"{names[i]!r} again",
            expected="each scenario once",
            remedy="rename or remove one of them",
            scenario=str(names[i]),
        )
    return np.asarray(~doubled)


def _warn_unused(raw: RawTable, used: list[str], problems: Problems) -> None:
    for name in raw.columns:
        if name in used or re.fullmatch(r"attr[1-9]\d*(_min|_max)?", name):
            continue
        problems.warn(
            "unused-column",
            raw.file,
            row=1,
            column=name,
            found="a column that is not of the layout",
            expected="only columns of the layout in this file",
            remedy="it is not read; conditions belong in the decisions and reports",
        )
