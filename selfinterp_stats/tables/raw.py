"""Columns of a file or data frame before anything is known of their meaning.

Cells of a CSV file are kept as text, so that a message can say what stands there, and keep the row that a spreadsheet
would show. Reading never raises for what a file holds: findings go to the caller's :class:`Problems`.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.tables.problems import Problems

__all__ = ["RawTable", "TableSource", "load_table", "read_csv_table", "show_cell", "table_from_frame"]

TableSource = pd.DataFrame | str | Path

_LONGEST_CELL = 2**31 - 1  # a whole prompt with its conversation may stand in a cell; csv's own limit is 128 KiB
_LONGEST_SHOWN = 40
_LARGEST = 1e50  # squares and quotients of anything smaller stay finite


@dataclass(frozen=True)
class RawTable:
    """Columns of one file, by name.

    Attributes
    ----------
    file : str
        Name for messages.
    columns : dict of str to numpy.ndarray
        Cells of each column, shape (rows,): text (object) for files, the frame's own values for data frames.
    rows : numpy.ndarray of int
        Row number of each record for messages, shape (rows,); the header is row 1.
    set_aside : tuple of list of str
        Records that do not fit the header; they have been reported.
    """

    file: str
    columns: dict[str, NDArray[Any]]
    rows: NDArray[np.int64]
    set_aside: tuple[list[str], ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def require(self, names: Iterable[str], problems: Problems, *, remedy: str) -> bool:
        """Report each of `names` that is no column; whether all are there."""
        missing = [name for name in names if name not in self.columns]
        for name in missing:
            have = ", ".join(self.columns) or "no columns"
            problems.error(
                "missing-column",
                self.file,
                row=1,
                column=name,
                found=f"the columns {have}",
                expected=f"a column named {name}",
                remedy=remedy,
            )
        return not missing

    def text(self, name: str) -> NDArray[Any]:
        """Cells of a column as text without surrounding blanks; missing values are empty."""
        return np.array([_as_text(cell) for cell in self.columns[name]], dtype=object)

    def numbers(
        self,
        name: str,
        problems: Problems,
        *,
        needed: NDArray[np.bool_] | None = None,
        expected: str = "a number",
        remedy: str = "correct the cell or remove the row",
    ) -> NDArray[np.float64]:
        """Cells of a column as numbers, each cell that is none reported.

        Parameters
        ----------
        name : str
            The column.
        problems : Problems
            Where findings go.
        needed : numpy.ndarray of bool, optional
            Rows that must have a value, shape (rows,); elsewhere an empty cell is in order. All, where not given.

        Returns
        -------
        numpy.ndarray
            Shape (rows,); NaN where there is no usable number.
        """
        cells = self.columns[name]
        values = _to_numbers(cells)
        required = np.ones(len(values), dtype=bool) if needed is None else needed
        for i in np.flatnonzero(np.isnan(values)):
            cell = _as_text(cells[i])
            if cell == "" and not required[i]:
                continue
            problems.error(
                "missing-value" if cell == "" else "not-a-number",
                self.file,
                row=int(self.rows[i]),
                column=name,
                found="an empty cell" if cell == "" else show_cell(cell),
                expected=expected,
                remedy=remedy,
            )
        return values


def load_table(source: TableSource, problems: Problems, *, name: str) -> RawTable | None:
    """Read a CSV file or take a data frame; None where nothing can be read (which is then among the problems)."""
    if isinstance(source, pd.DataFrame):
        return table_from_frame(source, problems, name=name)
    if isinstance(source, (str, Path)):
        path = Path(source)
        if not path.is_file():
            raise ArgumentError(
                name,
                expected="a data frame or the path of a CSV file",
                got=f"{str(source)!r}, which is no file",
                remedy="check the path",
            )
        return read_csv_table(path, problems)
    raise ArgumentError(
        name,
        expected="a data frame or the path of a CSV file",
        got=type(source).__name__,
        remedy="build a pandas.DataFrame first",
    )


def table_from_frame(frame: pd.DataFrame, problems: Problems, *, name: str) -> RawTable:
    """Columns of a data frame, which is not changed."""
    names = [str(column) for column in frame.columns]
    _report_doubled(names, name, problems)
    columns = {label: frame.iloc[:, i].to_numpy() for i, label in enumerate(names)}
    return RawTable(name, columns, np.arange(2, len(frame) + 2, dtype=np.int64))


def read_csv_table(path: Path, problems: Problems) -> RawTable | None:
    """Read one CSV file (UTF-8, with or without a byte-order mark).

    Returns
    -------
    RawTable or None
        None for a file that cannot be read or is empty: the reason is then among the problems, an error for the first
        (``unreadable-file``) and a warning for the second (``empty-file``). A header without rows gives a table of
        length 0 and the same warning.
    """
    records = _read_records(path, problems)
    if records is None:
        return None
    # blank lines, such as the one many editors leave at the end, are no rows but count in the numbering
    numbered = [(n, record) for n, record in enumerate(records, start=1) if len(record) > 1 or "".join(record).strip()]
    if not numbered:
        _warn_empty(path.name, "no line at all", problems)
        return None
    header = [cell.strip() for cell in numbered[0][1]]
    if not _report_doubled(header, path.name, problems):
        return None
    kept: list[list[str]] = []
    ragged: list[list[str]] = []
    rows: list[int] = []
    for number, record in numbered[1:]:
        if len(record) != len(header):
            problems.error(
                "ragged-row",
                path.name,
                row=number,
                found=f"{len(record)} cells",
                expected=f"{len(header)}, one for each column of the header",
                remedy="complete the row, or quote the cell with a comma in it",
            )
            ragged.append(record)
            continue
        kept.append(record)
        rows.append(number)
    if len(numbered) == 1:
        _warn_empty(path.name, "a header and no rows", problems)
    cells = np.array(kept, dtype=object).reshape(len(kept), len(header))
    columns = {name: cells[:, j] for j, name in enumerate(header)}
    return RawTable(path.name, columns, np.array(rows, dtype=np.int64), tuple(ragged))


def _read_records(path: Path, problems: Problems) -> list[list[str]] | None:
    previous = csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
        if "\x00" in text:
            reason = "zero bytes, as in a binary file"
        else:
            return list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except UnicodeDecodeError as error:
        reason = f"a byte that is no UTF-8 text at position {error.start}"
    except csv.Error as error:
        reason = f"a file that is no CSV ({error})"
    except OSError as error:
        reason = f"a file that does not open ({error.strerror})"
    finally:
        csv.field_size_limit(previous)
    problems.error(
        "unreadable-file",
        path.name,
        found=reason,
        expected="a CSV file in UTF-8",
        remedy="save it again as CSV (UTF-8) or remove it",
    )
    return None


def _report_doubled(names: Sequence[str], file: str, problems: Problems) -> bool:
    doubled = [name for name, times in Counter(names).items() if times > 1]
    for name in doubled:
        problems.error(
            "doubled-column",
            file,
            row=1,
            column=name or "(no name)",
            found=f"{Counter(names)[name]} columns of that name",
            expected="one",
            remedy="rename or remove the others",
        )
    return not doubled


def _warn_empty(file: str, found: str, problems: Problems) -> None:
    problems.warn(
        "empty-file",
        file,
        found=found,
        expected="a header and at least one row",
        remedy="nothing that needs this file is reported; add the rows or remove the file",
    )


def show_cell(cell: object) -> str:
    """A cell as a message shows it: quoted, and cut where it is long."""
    text = str(cell)
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "...")


def _as_text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, (float, np.floating)) and math.isnan(cell)):
        return ""
    return str(cell)


def _to_numbers(cells: NDArray[Any]) -> NDArray[np.float64]:
    if cells.dtype.kind in "iuf":  # numbers already, cell by cell would be slow
        values = cells.astype(np.float64)
        return np.where(np.abs(values) <= _LARGEST, values, math.nan)
    return np.array([_as_number(cell) for cell in cells], dtype=np.float64)


def _as_number(cell: Any) -> float:
    if isinstance(cell, str) and "_" in cell:  # float() would read 1_000
        return math.nan
    if isinstance(cell, (bool, np.bool_, complex, np.complexfloating)):
        return math.nan
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return value if abs(value) <= _LARGEST else math.nan
