"""Read an archive of our own: the tables that its manifest lists, through the checks that every table passes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pandas as pd

from selfinterp_stats.archive.contents import Contents, list_files, warn_unrecognised
from selfinterp_stats.archive.layout import FileRole
from selfinterp_stats.archive.manifest import MANIFEST, TABLES, TableEntry, file_of, is_ours, read_manifest
from selfinterp_stats.archive.parquet import Column, read_columns
from selfinterp_stats.archive.stored_tables import (
    REMEDY,
    StoredTable,
    entries_to_decisions,
    entries_to_reports,
    entries_to_scenarios,
    entries_to_targets,
    take_columns,
)
from selfinterp_stats.tables.decisions import build_decisions
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.reports import build_reports
from selfinterp_stats.tables.scenarios import Scenarios, build_scenarios
from selfinterp_stats.tables.targets import build_targets

__all__ = ["is_stored", "read_stored"]

T = TypeVar("T")

_Loaded = Mapping[str, tuple[TableEntry, list[Column]]]


def is_stored(folder: Path) -> bool:
    """Whether the folder is to be read as an archive of our own.

    A manifest of our format decides. Without one, ``scenarios.csv`` tells the published layout, beside which a manifest
    of somebody else's may lie.
    """
    try:
        if is_ours(folder):
            return True
        ours = (folder / MANIFEST).is_file() or (folder / file_of("scenarios")).is_file()
        return ours and not (folder / "scenarios.csv").is_file()
    except OSError:  # no leave to look; listing the folder says so
        return False


def read_stored(folder: Path, problems: Problems) -> Contents:
    """Read an archive of our own; findings go to `problems`."""
    paths = list_files(folder)
    entries = read_manifest(folder, problems)
    if entries is None:
        return _tables({}, (), problems)
    listed = {MANIFEST, *(entry.file for entry in entries.values())}
    for path in paths:
        if path.name not in listed:
            warn_unrecognised(path, problems, expected="manifest.json and the tables that it lists")
    if "scenarios" not in entries:
        _report_missing(file_of("scenarios"), f"no such table in {MANIFEST}", problems)
    files = [(FileRole(MANIFEST, "other"), hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest())]
    loaded = {}
    for name in TABLES:
        content = _read(folder, entries[name], problems) if name in entries else None
        if content is None:
            continue
        columns, digest = content
        loaded[name] = (entries[name], columns)
        files.append((_role(name), digest))
    return _tables(loaded, tuple(sorted(files, key=lambda file: file[0].name)), problems)


def _role(table: str) -> FileRole:
    match table:
        case "scenarios" | "decisions" | "reports" | "targets":
            return FileRole(file_of(table), table)
    raise ValueError(table)


def _read(folder: Path, entry: TableEntry, problems: Problems) -> tuple[list[Column], str] | None:
    """Columns of a table's file and its digest."""
    path = folder / entry.file
    if not path.is_file():
        _report_missing(entry.file, f"no such file in {folder.name}", problems)
        return None
    try:
        content = path.read_bytes()  # once, so that the digest is that of what is read
        columns = read_columns(content)
    except (OSError, ValueError) as error:
        problems.error(
            "unreadable-file",
            entry.file,
            found=f"a file that is no Parquet, or a damaged one ({error})",
            expected="a Parquet file",
            remedy=f"restore the file, or {REMEDY}",
        )
        return None
    digest = hashlib.sha256(content).hexdigest()
    rows = len(columns[0].cells) if columns else 0
    if digest != entry.sha256:
        _report_changed(entry.file, f"a file with the SHA-256 {digest[:12]}...", f"{entry.sha256[:12]}...", problems)
    elif rows != entry.rows:
        _report_changed(entry.file, f"{rows} rows", f"{entry.rows} rows", problems)
    return columns, digest


def _report_missing(file: str, found: str, problems: Problems) -> None:
    problems.error(
        "missing-file",
        file,
        found=found,
        expected=f"the tables that {MANIFEST} lists, the scenarios among them",
        remedy=f"copy the file there, or {REMEDY}",
    )


def _report_changed(file: str, found: str, expected: str, problems: Problems) -> None:
    problems.error(
        "changed-file",
        file,
        found=found,
        expected=f"{expected} as in {MANIFEST}: the file as it was written",
        remedy=f"restore the file; if the change is meant, make the tables anew and {REMEDY}",
    )


def _tables(loaded: _Loaded, files: tuple[tuple[FileRole, str], ...], problems: Problems) -> Contents:
    nothing = pd.DataFrame()
    table = _take(loaded, "scenarios", 0, problems)
    if table is None:
        scenarios, spoiled = build_scenarios(nothing, file_of("scenarios"), problems)
    else:
        scenarios, spoiled = entries_to_scenarios(table, problems)
        if len(table.raw) == 0:
            problems.warn(
                "empty-file",
                table.raw.file,
                found="a table without rows",
                expected="the scenarios, their attributes and ranges",
                remedy="nothing is reported; add the scenarios",
            )

    def build(name: str, convert: Callable[[StoredTable, Scenarios, set[str], Problems], T], empty: T) -> T:
        # without any scenario every row would be called unknown, for a reason that was given already
        if scenarios.n_slots == 0 and not spoiled:
            return empty
        table = _take(loaded, name, scenarios.n_slots, problems)
        return empty if table is None else convert(table, scenarios, spoiled, problems)

    none_decided = build_decisions(nothing, [], scenarios, file_of("decisions"), problems)
    none_reported = build_reports(nothing, [], scenarios, file_of("reports"), problems)
    no_targets = build_targets(nothing, scenarios, file_of("targets"), problems)
    return Contents(
        scenarios=scenarios,
        decisions=build("decisions", entries_to_decisions, none_decided),
        reports=build("reports", entries_to_reports, none_reported),
        targets=build("targets", entries_to_targets, no_targets),
        files=files,
    )


def _take(loaded: _Loaded, name: str, n_slots: int, problems: Problems) -> StoredTable | None:
    if name not in loaded:
        return None
    entry, columns = loaded[name]
    return take_columns(columns, name, n_slots, entry.conditions, entry.file, problems)
