"""Damage to single cells of a file, for tests of what readers say about it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path


def copy_archive(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def read_cells(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def write_cells(path: Path, cells: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(cells)


def set_cell(path: Path, row: int, column: str, value: str) -> None:
    """Change a cell; the header is row 1. Row 1 renames the column."""
    cells = read_cells(path)
    cells[row - 1][cells[0].index(column)] = value
    write_cells(path, cells)


def drop_column(path: Path, column: str) -> None:
    cells = read_cells(path)
    place = cells[0].index(column)
    write_cells(path, [[c for i, c in enumerate(row) if i != place] for row in cells])


def add_column(path: Path, column: str, values: list[str]) -> None:
    """Add a column; values are repeated as often as needed."""
    header, *rows = read_cells(path)
    write_cells(path, [[*header, column], *([*row, values[i % len(values)]] for i, row in enumerate(rows))])


def keep_rows(path: Path, keep) -> None:
    """Keep the rows (as dictionaries) for which `keep` is true."""
    header, *rows = read_cells(path)
    write_cells(path, [header, *(row for row in rows if keep(dict(zip(header, row, strict=True))))])
