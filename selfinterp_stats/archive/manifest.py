"""Manifest of an archive of our own: which tables it has, and what their files should hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from selfinterp_stats._version import __version__
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import show_cell

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "MANIFEST",
    "TABLES",
    "TableEntry",
    "file_of",
    "is_ours",
    "read_manifest",
    "write_manifest",
]

MANIFEST = "manifest.json"
FORMAT = "selfinterp-archive"
FORMAT_VERSION = 1
TABLES = ("scenarios", "decisions", "reports", "targets")

_WITH_CONDITIONS = ("decisions", "reports")
_REMEDY = "write the archive again with Archive.write"


@dataclass(frozen=True)
class TableEntry:
    """What the manifest says of one table.

    Attributes
    ----------
    file : str
        The file's name.
    rows : int
        Number of its rows.
    sha256 : str
        SHA-256 of the file, in hexadecimal.
    conditions : tuple of str
        Names of the condition columns, for decisions and reports.
    """

    file: str
    rows: int
    sha256: str
    conditions: tuple[str, ...] = ()


def file_of(table: str) -> str:
    """Name of the file with a table."""
    return f"{table}.parquet"


def is_ours(folder: Path) -> bool:
    """Whether the folder's manifest says that this is an archive of our own."""
    try:
        content = _load(folder)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def write_manifest(folder: Path, entries: Mapping[str, TableEntry], software: Mapping[str, str]) -> None:
    """Write the manifest, without anything that differs between two writings of the same tables."""
    tables: dict[str, dict[str, Any]] = {}
    for name, entry in entries.items():
        tables[name] = {"file": entry.file, "rows": entry.rows, "sha256": entry.sha256}
        if name in _WITH_CONDITIONS:
            tables[name]["conditions"] = list(entry.conditions)
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "software": {"selfinterp-stats": __version__, **software},
        "tables": tables,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_bytes(text.encode("utf-8"))  # as bytes: the same line ends on every system


def read_manifest(folder: Path, problems: Problems) -> dict[str, TableEntry] | None:
    """Entries by table; None, with an error among the problems, where the manifest cannot be relied upon."""
    try:
        content = _load(folder)
    except FileNotFoundError:
        problems.error(
            "missing-file",
            MANIFEST,
            found=f"no such file in {folder.name}",
            expected="the file that lists the tables",
            remedy=f"copy it there, or {_REMEDY}",
        )
        return None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, no UTF-8
        _report(problems, f"a file that is no JSON ({type(error).__name__}: {error})", "a manifest in JSON, UTF-8")
        return None
    if not isinstance(content, dict):
        _report(problems, _shown(content), "an object with format, version and tables")
        return None
    if not (_has_format(content, problems) and _has_version(content, problems)):
        return None
    return _entries(content, problems)


def _load(folder: Path) -> Any:
    return json.loads((folder / MANIFEST).read_bytes().decode("utf-8"))


def _has_format(content: dict[str, Any], problems: Problems) -> bool:
    if content.get("format") == FORMAT:
        return True
    problems.error(
        "unknown-format",
        MANIFEST,
        column="format",
        found=_shown(content.get("format")),
        expected=repr(FORMAT),
        remedy="point to a folder that Archive.write made, or to one with scenarios.csv in the published layout",
    )
    return False


def _has_version(content: dict[str, Any], problems: Problems) -> bool:
    version = content.get("version")
    if not _is_whole(version, 1):
        _report(problems, _shown(version), f"a whole number from 1 to {FORMAT_VERSION}", "version")
        return False
    if version > FORMAT_VERSION:
        problems.error(
            "newer-version",
            MANIFEST,
            column="version",
            found=f"version {_shown(version)} of the format",
            expected=f"at most {FORMAT_VERSION}, which this release of selfinterp-stats ({__version__}) reads",
            remedy="upgrade selfinterp-stats",
        )
        return False
    return True


def _entries(content: dict[str, Any], problems: Problems) -> dict[str, TableEntry] | None:
    before = len(problems)
    software = content.get("software", {})
    if not (isinstance(software, dict) and all(isinstance(version, str) for version in software.values())):
        _report(problems, _shown(software), "an object of names and versions", "software")
    tables = content.get("tables")
    if not isinstance(tables, dict):
        _report(problems, _shown(tables), "an object with an entry for each table", "tables")
        return None
    entries = {name: _entry(name, tables[name], problems) for name in TABLES if name in tables}
    whole = {name: entry for name, entry in entries.items() if entry is not None}
    return whole if len(problems) == before else None


def _entry(name: str, given: Any, problems: Problems) -> TableEntry | None:
    place = f"tables.{name}"
    if not isinstance(given, dict):
        _report(problems, _shown(given), "an object with file, rows and sha256", place)
        return None
    file, rows, digest = given.get("file"), given.get("rows"), given.get("sha256")
    conditions = given.get("conditions") if name in _WITH_CONDITIONS else []
    # any other name could lie outside the folder
    if file != file_of(name):
        _report(problems, _shown(file), repr(file_of(name)), f"{place}.file")
    elif not _is_whole(rows, 0):
        _report(problems, _shown(rows), "a whole number of at least 0", f"{place}.rows")
    elif not (isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest)):
        _report(problems, _shown(digest), "64 hexadecimal digits in lower case", f"{place}.sha256")
    elif not (isinstance(conditions, list) and all(isinstance(condition, str) for condition in conditions)):
        _report(problems, _shown(conditions), "a list of names of columns", f"{place}.conditions")
    elif len(set(conditions)) < len(conditions):
        _report(problems, "a name that stands twice", "each condition once", f"{place}.conditions")
    else:
        return TableEntry(file, rows, digest, tuple(conditions))
    return None


def _is_whole(value: object, low: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (list, dict)):  # may be long, or nested deeper than it can be printed
        return "a list" if isinstance(value, list) else "an object"
    return show_cell(value) if isinstance(value, str) else show_cell(value).strip("'")


def _report(problems: Problems, found: str, expected: str, place: str | None = None) -> None:
    problems.error("unreadable-file", MANIFEST, column=place, found=found, expected=expected, remedy=_REMEDY)
