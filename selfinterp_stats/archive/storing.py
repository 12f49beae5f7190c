"""Write tables as an archive of our own, read them back, and only then give the folder its name."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from selfinterp_stats.archive.contents import Contents
from selfinterp_stats.archive.manifest import TABLES, TableEntry, file_of, write_manifest
from selfinterp_stats.archive.parquet import pyarrow_version, write_columns
from selfinterp_stats.archive.stored import read_stored
from selfinterp_stats.archive.stored_tables import columns_of
from selfinterp_stats.errors import ArgumentError
from selfinterp_stats.tables.problems import Problems

__all__ = ["write_stored"]


def write_stored(contents: Contents, path: str | Path) -> Path:
    """Write tables to a new folder; :meth:`Archive.write` says how."""
    target = Path(os.path.abspath(path))  # "../mine" from within mine has no name of its own
    _check_free(target)
    with _beside(target) as folder:
        entries = {table: _write_table(folder, table, contents) for table in TABLES}
        write_manifest(folder, entries, {"pyarrow": pyarrow_version()})
        _check_read_back(folder, contents)
    return target


def _check_free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise ArgumentError(
            "path",
            expected="a folder that does not exist yet",
            got=f"{target}, which does",
            remedy="choose another name; nothing is ever replaced",
        )


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder next to `target` that takes its name if all goes well and is removed if not."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
        try:
            yield folder
            folder.chmod(0o755)  # mkdtemp makes it private
            _check_free(target)  # again: it may have come into being meanwhile
            folder.rename(target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise ArgumentError(
            "path", expected="a place that can be written to", got=str(error), remedy="choose another folder"
        ) from error


def _write_table(folder: Path, table: str, contents: Contents) -> TableEntry:
    frame = contents.frames[table]
    conditions = contents.conditions.get(table, ())
    kinds = columns_of(table, contents.scenarios.n_slots)
    expected = [*kinds, *conditions]
    if list(frame.columns) != expected:
        raise _refusal(
            table, f"the columns {', '.join(expected)}", ", ".join(map(str, frame.columns)), f"make it with make_{table}"
        )
    path = folder / file_of(table)
    try:
        write_columns(path, {name: frame[name] for name in expected}, kinds)
    except ValueError as error:
        raise _refusal(
            table, "columns of text, numbers, booleans or times", str(error), "turn the column into one of these"
        ) from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return TableEntry(path.name, len(frame), digest, tuple(conditions))


def _check_read_back(folder: Path, contents: Contents) -> None:
    problems = Problems()
    found = read_stored(folder, problems)
    Problems(problems.errors).raise_errors()
    for table, frame in contents.frames.items():
        read = found.frames[table]
        if list(read.columns) != list(frame.columns):
            raise _refusal(
                table,
                "names of conditions that the package does not use itself",
                f"conditions that are read as {', '.join(read.columns) or 'nothing'}",
                "rename the condition",
            )
        for name in frame.columns:
            before, after = frame[name].reset_index(drop=True), read[name]
            # an empty table has no types worth keeping: those of tables without a file are all object
            if len(before) == len(after) and (frame.empty or (before.dtype == after.dtype and before.equals(after))):
                continue
            raise _refusal(
                table,
                "columns that can be read back as they are",
                f"the column {name!r} of type {before.dtype}, which is read as {_difference(before, after)}",
                f"make the table with make_{table}, and conditions of text, numbers, booleans or times",
            )


def _difference(before: pd.Series, after: pd.Series) -> str:
    if before.dtype != after.dtype:
        return f"{after.dtype}"
    if len(before) != len(after):
        return f"{len(after)} rows, not {len(before)}"
    same = (before == after) | (before.isna() & after.isna())
    place = int((~same.astype(bool)).to_numpy().argmax())
    return f"{after.iloc[place]!r} and not {before.iloc[place]!r} in row {place}"


def _refusal(table: str, expected: str, got: str, remedy: str) -> ArgumentError:
    return ArgumentError(table, expected=expected, got=got, remedy=remedy)
