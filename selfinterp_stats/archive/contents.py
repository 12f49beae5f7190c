"""What a folder of trials holds, whichever layout it has, and the files that lie in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from selfinterp_stats.archive.layout import FileRole
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.tables.decisions import Decisions
from selfinterp_stats.tables.problems import Problems
from selfinterp_stats.tables.reports import Reports
from selfinterp_stats.tables.scenarios import Scenarios
from selfinterp_stats.tables.targets import Targets

__all__ = ["Contents", "list_files", "warn_unrecognised"]


@dataclass(frozen=True)
class Contents:
    """The tables of a folder.

    Attributes
    ----------
    scenarios : Scenarios
    decisions : Decisions
    reports : Reports
    targets : Targets
        The tables; those without a file are empty.
    files : tuple of (FileRole, str)
        The files read, with the SHA-256 of each, sorted by name.
    """

    scenarios: Scenarios
    decisions: Decisions
    reports: Reports
    targets: Targets
    files: tuple[tuple[FileRole, str], ...] = ()

    @property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """The tables' frames by name."""
        return {
            "scenarios": self.scenarios.frame,
            "decisions": self.decisions.frame,
            "reports": self.reports.frame,
            "targets": self.targets.frame,
        }

    @property
    def conditions(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the condition columns, for the tables that can have some."""
        return {"decisions": self.decisions.conditions, "reports": self.reports.conditions}


def list_files(folder: Path) -> list[Path]:
    """What lies in a folder, sorted by name; names that begin with a dot are passed over."""
    try:
        paths = sorted(folder.iterdir(), key=lambda p: p.name)
    except OSError as error:
        raise ArgumentError(
            "archive", expected="a folder that can be read", got=str(error), remedy="check its permissions"
        ) from error
    # a dot: left there by an operating system or editor, not by an experiment
    return [path for path in paths if not path.name.startswith(".")]


def warn_unrecognised(path: Path, problems: Problems, *, expected: str) -> str:
    """Warn of a file that is not read; its name as text that can be written anywhere."""
    printable = path.name.encode("utf-8", "replace").decode("utf-8")
    problems.warn(
        "unrecognised-file",
        printable,
        found="a folder" if path.is_dir() else "a name that the layout does not know",
        expected=expected,
        remedy="it is not read; rename it if it holds trials",
    )
    return printable
