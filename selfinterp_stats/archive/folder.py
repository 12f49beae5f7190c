"""A folder of the published layout: its files told by their names, read, and joined."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from selfinterp_stats.archive.contents import Contents, list_files, warn_unrecognised
from selfinterp_stats.archive.layout import FileRole, recognise
from selfinterp_stats.archive.published import (
    read_decisions,
    read_reports,
    read_scenarios,
    read_targets,
    read_units,
)
from selfinterp_stats.tables.decisions import Decisions, build_decisions
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import RawTable, read_csv_table
from selfinterp_stats.tables.reports import Reports, build_reports
from selfinterp_stats.tables.scenarios import Scenarios, build_scenarios
from selfinterp_stats.tables.targets import build_targets

__all__ = ["read_published"]

_CSV_CONTENTS = ("scenarios", "targets", "decisions", "reports")
_READ_CONTENTS = (*_CSV_CONTENTS, "units")


def read_published(folder: Path, problems: Problems) -> Contents:
    """Read every file of a folder in the published layout; findings go to `problems`."""
    roles = _roles(folder, problems)
    tables = {role.name: read_csv_table(folder / role.name, problems) for role in roles if role.content in _CSV_CONTENTS}
    scenarios, spoiled = _scenarios(folder, roles, tables, problems)
    targets = build_targets(pd.DataFrame(), scenarios, "instilled_weights.csv", problems)
    decisions: list[Decisions] = []
    reports: list[Reports] = []
    for role in roles:
        raw = tables.get(role.name)
        if raw is None or (scenarios.n_slots == 0 and not spoiled):
            continue
        if role.content == "targets":
            targets = read_targets(raw, scenarios, spoiled, problems)
        elif role.content == "decisions":
            decisions.append(read_decisions(raw, role, scenarios, spoiled, problems))
        elif role.content == "reports":
            reports.append(read_reports(raw, role, scenarios, spoiled, problems))
    return Contents(
        scenarios=scenarios,
        decisions=_join_decisions(decisions, scenarios, problems),
        reports=_join_reports(reports, scenarios, problems),
        targets=targets,
        files=tuple(
            (role, _sha256(folder / role.name))
            for role in roles
            if role.content in _READ_CONTENTS and ("unreadable-file", role.name) not in {(p.kind, p.file) for p in problems}
        ),
    )


def _roles(folder: Path, problems: Problems) -> list[FileRole]:
    expected = "scenarios.csv, instilled_weights.csv, <model>_..._selections.csv, <model>_..._weight_reports.csv"
    roles = []
    for path in list_files(folder):
        printable = path.name.encode("utf-8", "replace").decode("utf-8")
        role = recognise(path.name) if path.is_file() and printable == path.name else FileRole(printable, "unknown")
        if role.content == "unknown":
            warn_unrecognised(path, problems, expected=expected)
        roles.append(role)
    return roles


def _scenarios(
    folder: Path, roles: Sequence[FileRole], tables: dict[str, RawTable | None], problems: Problems
) -> tuple[Scenarios, set[str]]:
    names = {role.name for role in roles if role.content != "unknown"}
    if "scenarios.csv" not in names:
        problems.error(
            "missing-file",
            "scenarios.csv",
            found=f"no such file in {folder.name}",
            expected="the file that declares the scenarios, their attributes and ranges",
            remedy="point to the folder that holds it, or copy it there",
        )
    units_file = "candidate_scenarios.json"
    units = read_units(folder / units_file, problems) if units_file in names else {}
    raw = tables.get("scenarios.csv")
    if raw is None:
        return build_scenarios(pd.DataFrame(), "scenarios.csv", problems)
    return read_scenarios(raw, units, problems)


def _join_decisions(parts: Sequence[Decisions], scenarios: Scenarios, problems: Problems) -> Decisions:
    filled = [part for part in parts if len(part)]
    if not filled:
        return build_decisions(pd.DataFrame(), [], scenarios, "", problems)
    conditions = tuple(dict.fromkeys(name for part in filled for name in part.conditions))
    return Decisions(pd.concat([part.frame for part in filled], ignore_index=True), conditions)


def _join_reports(parts: Sequence[Reports], scenarios: Scenarios, problems: Problems) -> Reports:
    filled = [part for part in parts if len(part)]
    if not filled:
        return build_reports(pd.DataFrame(), [], scenarios, "", problems)
    conditions = tuple(dict.fromkeys(name for part in filled for name in part.conditions))
    return Reports(pd.concat([part.frame for part in filled], ignore_index=True), conditions)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
