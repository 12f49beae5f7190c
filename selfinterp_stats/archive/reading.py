"""Read a folder of trials: every file, all problems in one pass."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

from selfinterp_stats.archive.contents import Contents
from selfinterp_stats.archive.folder import read_published
from selfinterp_stats.archive.layout import FileRole
from selfinterp_stats.archive.stored import is_stored, read_stored
from selfinterp_stats.archive.storing import write_stored
from selfinterp_stats.errors import ArgumentError, SelfInterpWarning
from selfinterp_stats.tables.decisions import Decisions
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.reports import Reports
from selfinterp_stats.tables.scenarios import Scenarios
from selfinterp_stats.tables.targets import Targets

__all__ = ["Archive", "check_archive", "read_archive", "warn_gaps"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """Validated trials: the tables of a folder, or tables made in memory.

    Attributes
    ----------
    path : pathlib.Path or None
        The folder; None for an archive that was made in memory.
    scenarios : Scenarios
    decisions : Decisions
    reports : Reports
    targets : Targets
        The tables; those without a file are empty.
    problems : Problems
        The warnings found on reading.
    files : tuple of (FileRole, str)
        The files read, with the SHA-256 of each, sorted by name; none for an archive that was made in memory.
    """

    path: Path | None
    scenarios: Scenarios
    decisions: Decisions
    reports: Reports
    targets: Targets
    problems: Problems
    files: tuple[tuple[FileRole, str], ...] = ()

    def write(self, path: str | Path) -> Path:
        """Write the tables to a new folder that ``read_archive`` reads back exactly as they are.

        The folder holds a Parquet file for each table and a ``manifest.json``; the same tables give the same bytes.
        Everything is written to a folder beside `path`, read back and compared, and takes its name at the end, so that
        `path` is never half written. The findings in ``problems`` are not written: reading finds them again.

        Parameters
        ----------
        path : str or pathlib.Path
            Folder to make.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        ArgumentError
            If `path` exists or cannot be written, or if a table would not be read back as it is: with other columns than
            it should have, or a condition that is neither text nor whole numbers, floats, booleans or times.
        DataError
            If the tables would not pass the checks of ``read_archive``.

        Examples
        --------
        >>> import tempfile
        >>> import pandas as pd
        >>> from selfinterp_stats import Problems, make_decisions, make_reports, make_scenarios, make_targets
        >>> flat = {"scenario": "flat", "attribute": ["rent", "distance"]}
        >>> scenarios = make_scenarios(pd.DataFrame({**flat, "low": [400, 0], "high": [1600, 12]}))
        >>> archive = Archive(
        ...     path=None,
        ...     scenarios=scenarios,
        ...     decisions=make_decisions(
        ...         pd.DataFrame({**flat, "trial": 1, "a": [900, 3], "b": [650, 9], "chosen": "B"}), scenarios),
        ...     reports=make_reports(pd.DataFrame({**flat, "reply": 1, "report": [-100, -35]}), scenarios),
        ...     targets=make_targets(pd.DataFrame({**flat, "target": [-100, -40]}), scenarios),
        ...     problems=Problems(),
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(file.name for file in archive.write(f"{folder}/flat").iterdir())
        ['decisions.parquet', 'manifest.json', 'reports.parquet', 'scenarios.parquet', 'targets.parquet']
        """
        return write_stored(Contents(self.scenarios, self.decisions, self.reports, self.targets), path)


def read_archive(path: str | Path, *, strict: bool = False) -> Archive:
    """Read the archived trials in a folder.

    The published layout is taken as it is, with extra columns (kept as conditions), with other model names, and with any
    file but ``scenarios.csv`` missing. A folder that ``Archive.write`` made is told by its ``manifest.json``.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder that holds ``scenarios.csv``, or that ``Archive.write`` made.
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
            f"{Path(path).name}: {int(kinds.sum())} findings ({listed}); see archive.problems",
            SelfInterpWarning,
            stacklevel=2,
        )
    return archive


def check_archive(path: str | Path) -> Problems:
    """Find every problem of an archive without raising for any.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder that holds ``scenarios.csv``, or that ``Archive.write`` made.

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
    contents = read_stored(folder, problems) if is_stored(folder) else read_published(folder, problems)
    archive = Archive(
        path=folder,
        scenarios=contents.scenarios,
        decisions=contents.decisions,
        reports=contents.reports,
        targets=contents.targets,
        problems=problems,
        files=contents.files,
    )
    if not problems.errors:
        warn_gaps(archive)
    _log.info("read %s: %d decisions, %d report rows", folder, len(archive.decisions), len(archive.reports))
    return archive


def warn_gaps(archive: Archive) -> None:
    """Warn of scenarios without trials, of reports without decisions, and the reverse."""
    problems = archive.problems
    declaring = next((role.name for role, _ in archive.files if role.content == "scenarios"), "scenarios.csv")
    decided = archive.decisions.frame[["base_model", "preferences", "scenario"]].drop_duplicates()
    reported = archive.reports.frame[["base_model", "preferences", "reporter", "scenario"]].drop_duplicates()
    idle = set(archive.scenarios.names) - set(decided["scenario"])
    for name in sorted(idle):
        problems.warn(
            "no-trials",
            declaring,
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
