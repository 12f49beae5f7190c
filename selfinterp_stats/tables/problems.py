"""What is wrong with a data file: one record per finding, all findings together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from selfinterp_stats.errors import SelfInterpError

__all__ = ["ERROR_KINDS", "WARNING_KINDS", "DataError", "Problem", "Problems"]

_log = logging.getLogger(__name__)

Severity = Literal["error", "warning"]

# What a finding can be; the docs explain each.
ERROR_KINDS = (
    "attribute-count",
    "bad-choice",
    "bad-preferences",
    "bad-probability",
    "bad-range",
    "changed-file",
    "contradiction",
    "doubled-attribute",
    "doubled-column",
    "doubled-reply",
    "doubled-scenario",
    "doubled-trial",
    "missing-attribute",
    "missing-column",
    "missing-file",
    "missing-value",
    "newer-version",
    "not-a-number",
    "ragged-row",
    "unknown-format",
    "unknown-scenario",
    "unreadable-file",
    "wrong-attribute",
    "wrong-type",
)
WARNING_KINDS = (
    "all-equal",
    "decisions-without-reports",
    "empty-file",
    "few-trials",
    "no-trials",
    "off-scale",
    "one-sided",
    "renamed-column",
    "reports-without-decisions",
    "shares",
    "unrecognised-file",
    "unused-column",
    "value-outside-range",
)


@dataclass(frozen=True)
class Problem:
    """One finding about the data.

    Attributes
    ----------
    severity : {"error", "warning"}
        Errors stop an analysis; warnings are shown and counted.
    kind : str
        Short name of the kind of finding, such as ``"value-outside-range"``; the docs list them all.
    file : str
        Name of the file, or of the argument that the table came from.
    row : int or None
        Row as a spreadsheet numbers it: the header is row 1. For a data frame: the position counted from 2, likewise.
    column : str or None
        Name of the column.
    found, expected, remedy : str
        What is there, what should be, and what to do.
    scenario : str or None
        Scenario that the finding is about, where it is about one.
    count : int
        How many rows or values the finding stands for.
    """

    severity: Severity
    kind: str
    file: str
    found: str
    expected: str
    remedy: str
    row: int | None = None
    column: str | None = None
    scenario: str | None = None
    count: int = 1

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.column is not None:
            place += f", column {self.column}"
        return f"{self.severity}: {place}: {self.kind}: found {self.found}; expected {self.expected}; {self.remedy}"


@dataclass
class Problems:
    """All findings of one reading, in the order found.

    Examples
    --------
    >>> problems = Problems()
    >>> problems.error("not-a-number", "a.csv", row=3, column="low", found="'x'", expected="a number", remedy="mend it")
    >>> print(problems.describe())
    error: a.csv, row 3, column low: not-a-number: found 'x'; expected a number; mend it
    """

    found: list[Problem] = field(default_factory=list)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    @property
    def errors(self) -> list[Problem]:
        """The findings that stop an analysis."""
        return [p for p in self.found if p.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """The findings that are shown and counted, and stop nothing."""
        return [p for p in self.found if p.severity == "warning"]

    def error(
        self,
        kind: str,
        file: str,
        *,
        found: str,
        expected: str,
        remedy: str,
        row: int | None = None,
        column: str | None = None,
        scenario: str | None = None,
    ) -> None:
        """Add an error."""
        self.found.append(Problem("error", kind, file, found, expected, remedy, row, column, scenario))

    def warn(
        self,
        kind: str,
        file: str,
        *,
        found: str,
        expected: str,
        remedy: str,
        row: int | None = None,
        column: str | None = None,
        scenario: str | None = None,
        count: int = 1,
    ) -> None:
        """Add a warning."""
        self.found.append(Problem("warning", kind, file, found, expected, remedy, row, column, scenario, count))

    def counts(self) -> pd.DataFrame:
        """Findings counted by severity, file, kind and scenario.

        Returns
        -------
        pandas.DataFrame
            Columns ``severity, file, kind, scenario, count``, sorted; scenario is empty where a finding is about none.
        """
        frame = pd.DataFrame(
            [(p.severity, p.file, p.kind, p.scenario or "", p.count) for p in self.found],
            columns=["severity", "file", "kind", "scenario", "count"],
        )
        if frame.empty:
            return frame.astype({"count": "int64"})
        keys = ["severity", "file", "kind", "scenario"]
        return frame.groupby(keys, sort=True)["count"].sum().reset_index()

    def describe(self, *, per_kind: int | None = None) -> str:
        """All findings as text, one line each.

        Parameters
        ----------
        per_kind : int, optional
            Show at most so many lines for one kind in one file and say how many more there are.
        """
        groups: dict[tuple[str, str], list[Problem]] = {}
        for problem in self.found:
            groups.setdefault((problem.file, problem.kind), []).append(problem)
        lines: list[str] = []
        for (file, kind), members in groups.items():
            members = sorted(members, key=lambda problem: problem.row or 0)
            shown = members if per_kind is None else members[:per_kind]
            lines += [str(p) for p in shown]
            if len(members) > len(shown):
                hidden = sum(p.count for p in members[len(shown) :])
                lines.append(f"{members[0].severity}: {file}: {kind}: and {hidden} more")
        return "\n".join(lines)

    def raise_errors(self, *, strict: bool = False) -> None:
        """Raise :class:`DataError` with all findings if one of them is an error (or, when strict, if there is any)."""
        worst = self.found if strict else self.errors
        if worst:
            _log.debug("raising for %d problems", len(worst))
            raise DataError(worst)


class DataError(SelfInterpError, ValueError):
    """The data cannot be analysed as they are.

    Attributes
    ----------
    problems : Problems
        Every finding, in the order found.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = Problems(list(problems))
        super().__init__(_message(self.problems.found))


def _message(found: Sequence[Problem]) -> str:
    title = f"{len(found)} problem{'s' if len(found) != 1 else ''} in the data"
    return f"{title}\n{Problems(list(found)).describe(per_kind=20)}"
