"""Read a folder of trials: every file, all problems in one pass."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from selfinterp_stats.archive.layout import FileRole, recognise
from selfinterp_stats.archive.published import (
    read_decisions,
    read_reports,
    read_scenarios,
    read_targets,
    read_units,
)
from selfinterp_stats.errors import ArgumentError, SelfInterpWarning
from selfinterp_stats.tables.decisions import Decisions, build_decisions
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.raw import RawTable, read_csv_table
from selfinterp_stats.tables.reports import Reports, build_reports
from selfinterp_stats.tables.scenarios import Scenarios, build_scenarios
from selfinterp_stats.tables.targets import Targets, build_targets

__all__ = ["Archive", "check_archive", "read_archive"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """A validated folder of trials.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    scenarios : Scenarios
    decisions : Decisions
    reports : Reports
    targets : Targets
        The tables; those without a file are empty.
    problems : Problems
        The warnings found on reading.
    files : tuple of (FileRole, str)
        The files read, with the SHA-256 of each, sorted by name.
    """

    path: Path
    scenarios: Scenarios
    decisions: Decisions
    reports: Reports
    targets: Targets
    problems: Problems
    files: tuple[tuple[FileRole, str], ...]


def read_archive(path: str | Path, *, strict: bool = False) -> Archive:
    """Read the archived trials in a folder.

    The published layout is taken as it is, with extra columns (kept as conditions), with other model names, and with any
    file but ``scenarios.csv`` missing.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder that holds ``scenarios.csv``.
    strict : bool
        Whether warnings are raised to errors.

    Returns
    -------
    Archive
        The tables, and the warnings in ``problems``.

    Raises
    ------
    DataError
        With every problem of every file.
    ArgumentError
        If `path` is no folder.

    Warns
    -----
    SelfInterpWarning
        Once, with a count, if the archive has warnings.

    Examples
    --------
    >>> archive = read_archive("plunkett-2025")  # doctest: +SKIP
    >>> archive.decisions.frame.groupby(["base_model", "preferences"]).size()  # doctest: +SKIP
    """
    archive = _read(path)
    archive.problems.raise_errors(strict=strict)
    if archive.problems.warnings:
        kinds = archive.problems.counts().groupby("kind")["count"].sum()
        listed = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
        warnings.warn(
            f"{archive.path.name}: {int(kinds.sum())} findings ({listed}); see archive.problems",
            SelfInterpWarning,
            stacklevel=2,
        )
    return archive


def check_archive(path: str | Path) -> Problems:
    """Find every problem of an archive without raising for any.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder that holds ``scenarios.csv``.

    Returns
    -------
    Problems
        Errors and warnings of all files.

    Raises
    ------
    ArgumentError
        If `path` is no folder.
    """
    return _read(path).problems


def _read(path: str | Path) -> Archive:
    folder = Path(path)
    if not folder.is_dir():
        got = "a file" if folder.exists() else "nothing of that name"
        raise ArgumentError(
            "archive",
            expected="a folder with scenarios.csv and the trials",
            got=f"{got} ({str(path)!r})",
            remedy="check the path",
        )
    problems = Problems()
    roles = _list_files(folder, problems)
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
    archive = Archive(
        path=folder,
        scenarios=scenarios,
        decisions=_join_decisions(decisions, scenarios, problems),
        reports=_join_reports(reports, scenarios, problems),
        targets=targets,
        problems=problems,
        files=tuple(
            (role, _sha256(folder / role.name))
            for role in roles
            if role.content in _READ_CONTENTS and ("unreadable-file", role.name) not in {(p.kind, p.file) for p in problems}
        ),
    )
    if not problems.errors:
        _warn_gaps(archive)
    _log.info("read %s: %d decisions, %d report rows", folder, len(archive.decisions), len(archive.reports))
    return archive


_CSV_CONTENTS = ("scenarios", "targets", "decisions", "reports")
_READ_CONTENTS = (*_CSV_CONTENTS, "units")


def _list_files(folder: Path, problems: Problems) -> list[FileRole]:
    roles = []
    try:
        paths = sorted(folder.iterdir(), key=lambda p: p.name)
    except OSError as error:
        raise ArgumentError(
            "archive", expected="a folder that can be read", got=str(error), remedy="check its permissions"
        ) from error
    for path in paths:
        if path.name.startswith("."):  # left there by an operating system or editor, not by an experiment
            continue
        printable = path.name.encode("utf-8", "replace").decode("utf-8")
        readable = path.is_file() and printable == path.name
        role = recognise(path.name) if readable else FileRole(printable, "unknown")
        if role.content == "unknown":
            problems.warn(
                "unrecognised-file",
                printable,
                found="a folder" if path.is_dir() else "a name that the layout does not know",
                expected="scenarios.csv, instilled_weights.csv, <model>_..._selections.csv, <model>_..._weight_reports.csv",
                remedy="it is not read; rename it if it holds trials",
            )
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


def _warn_gaps(archive: Archive) -> None:
    """Warn of scenarios without trials, of reports without decisions, and the reverse."""
    problems = archive.problems
    decided = archive.decisions.frame[["base_model", "preferences", "scenario"]].drop_duplicates()
    reported = archive.reports.frame[["base_model", "preferences", "reporter", "scenario"]].drop_duplicates()
    idle = set(archive.scenarios.names) - set(decided["scenario"])
    for name in sorted(idle):
        problems.warn(
            "no-trials",
            "scenarios.csv",
            found=f"{name!r} declared and no trial of it",
            expected="trials of every scenario",
            remedy="nothing is reported for it",
            scenario=name,
        )
    for (model, kind, reporter), block in reported.groupby(["base_model", "preferences", "reporter"]):
        mine = decided[(decided["base_model"] == model) & (decided["preferences"] == kind)]
        label = f"{model}, {kind} preferences"
        for name in sorted(set(block["scenario"]) - set(mine["scenario"])):
            problems.warn(
                "reports-without-decisions",
                f"reports of {reporter} ({label})",
                found=f"reports on {name!r} and no decisions",
                expected="both",
                remedy="these reports enter no correlation",
                scenario=name,
            )
        for name in sorted(set(mine["scenario"]) - set(block["scenario"])):
            problems.warn(
                "decisions-without-reports",
                f"reports of {reporter} ({label})",
                found=f"decisions in {name!r} and no report",
                expected="both",
                remedy="its weights enter no correlation with this reporter",
                scenario=name,
            )
    silent = set(map(tuple, decided[["base_model", "preferences"]].to_numpy())) - set(
        map(tuple, reported[["base_model", "preferences"]].to_numpy())
    )
    for model, kind in sorted(silent):
        problems.warn(
            "decisions-without-reports",
            f"reports ({model}, {kind} preferences)",
            found="decisions and no report at all",
            expected="both",
            remedy="weights are reported, correlations with reports are not",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
