"""Damage to the files of an archive, for tests of whatever reads them."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

from selfinterp_stats.errors import check_choice
from selfinterp_stats.testing.layout import Files

__all__ = ["DAMAGES", "damage_files"]

Cells = list[list[str]]

_ODD = (
    "",
    " ",
    "A",
    "b",
    "C",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1e400",
    "1e60",
    "-1",
    "0",
    "12.5",
    "1,5",
    "1_000",
    "0x10",
    "TRUE",
    "None",
    '"',
    "'",
    "s,t",
    "\n",
    "\u2028",
    "\ufeff",
    "é",
    "x" * 300,
    "=1+1",
    "999999",
)


def damage_files(files: Mapping[str, bytes | None], kind: str, seed: int) -> Files:
    r"""Damage one file of an archive in one way.

    Parameters
    ----------
    files : mapping of str to bytes
        Contents by name, of ``encode_published`` for example; not changed.
    kind : str
        One of ``DAMAGES``.
    seed : int
        Decides on the file and the place in it.

    Returns
    -------
    dict of str to bytes
        The files with the damage; None stands for a folder in a file's place.

    Raises
    ------
    ArgumentError
        If the kind is not known.

    Examples
    --------
    >>> damage_files({"scenarios.csv": b"scenario,attr1\ntea,heat\n"}, "dropped-row", 1)
    {'scenarios.csv': b'scenario,attr1\n'}
    """
    check_choice("kind", kind, DAMAGES)
    damaged: Files = dict(files)
    rng = random.Random(f"{kind} {seed}")
    DAMAGES[kind](damaged, rng.choice(sorted(files)), rng)
    return damaged


def _in_cells(change: Callable[[Cells, random.Random], None]) -> Callable[[Files, str, random.Random], None]:
    def damage(files: Files, name: str, rng: random.Random) -> None:
        content = files[name] or b""
        try:
            cells = [row for row in csv.reader(io.StringIO(content.decode(), newline="")) if row]
        except (UnicodeDecodeError, csv.Error):  # damaged before
            cells = []
        if not cells:
            files[name] = _flipped_bytes(content, rng)
            return
        change(cells, rng)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(cells)
        files[name] = text.getvalue().encode()

    return damage


def _in_bytes(change: Callable[[bytes, random.Random], bytes]) -> Callable[[Files, str, random.Random], None]:
    def damage(files: Files, name: str, rng: random.Random) -> None:
        files[name] = change(files[name] or b"", rng)

    return damage


def _place(cells: Cells, rng: random.Random, first: int = 0) -> tuple[int, int]:
    row = rng.randrange(min(first, len(cells) - 1), len(cells))
    return row, rng.randrange(len(cells[row]) or 1)


def _odd_cell(cells: Cells, rng: random.Random) -> None:
    row, column = _place(cells, rng, first=1)
    cells[row][column : column + 1] = [rng.choice(_ODD)]


def _other_cell(cells: Cells, rng: random.Random) -> None:
    row, column = _place(cells, rng, first=1)
    other, place = _place(cells, rng)
    cells[row][column : column + 1] = cells[other][place : place + 1]


def _odd_header(cells: Cells, rng: random.Random) -> None:
    cells[0][rng.randrange(len(cells[0]))] = rng.choice(_ODD)


def _short_row(cells: Cells, rng: random.Random) -> None:
    row, column = _place(cells, rng)
    del cells[row][column:]


def _long_row(cells: Cells, rng: random.Random) -> None:
    cells[rng.randrange(len(cells))].extend([rng.choice(_ODD)] * rng.randint(1, 3))


def _dropped_row(cells: Cells, rng: random.Random) -> None:
    del cells[rng.randrange(min(1, len(cells) - 1), len(cells))]


def _doubled_row(cells: Cells, rng: random.Random) -> None:
    row = rng.randrange(len(cells))
    cells.insert(row, list(cells[row]))


def _dropped_column(cells: Cells, rng: random.Random) -> None:
    column = rng.randrange(len(cells[0]))
    for row in cells:
        del row[column : column + 1]


def _doubled_column(cells: Cells, rng: random.Random) -> None:
    column = rng.randrange(len(cells[0]))
    for row in cells:
        row.extend(row[column : column + 1])


def _swapped_columns(cells: Cells, rng: random.Random) -> None:
    i, j = rng.randrange(len(cells[0])), rng.randrange(len(cells[0]))
    for row in cells[1:]:
        if max(i, j) < len(row):
            row[i], row[j] = row[j], row[i]


def _emptied_column(cells: Cells, rng: random.Random) -> None:
    column = rng.randrange(len(cells[0]))
    for row in cells[1:]:
        row[column : column + 1] = [""]


def _extra_column(cells: Cells, rng: random.Random) -> None:
    cells[0].append(rng.choice(["temperature", "count", "a_1", "row", "trial", "trial_id", "", "x/y", "attr99", "p_a"]))
    for row in cells[1:]:
        row.append(rng.choice(["1", "0.5", "warm", ""]))


def _flipped_bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _inserted_bytes(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice([b"\x00", b"\xff", b'"', b"\r", b"\n\n", b",,", b";", b"\x1a"]) + content[place:]


def _swap_files(files: Files, name: str, rng: random.Random) -> None:
    other = rng.choice(sorted(files))
    files[name], files[other] = files[other], files[name]


def _rename_file(files: Files, name: str, rng: random.Random) -> None:
    new = rng.choice(["copy of {}", "{}.bak", "other_{}", "{}_weight_reports.csv", "x_instilled_selections.csv"])
    files[new.format(name)] = files.pop(name)


def _remove(files: Files, name: str, _rng: random.Random) -> None:
    del files[name]


def _put_folder(files: Files, name: str, _rng: random.Random) -> None:
    files[name] = None


DAMAGES: Mapping[str, Callable[[Files, str, random.Random], None]] = MappingProxyType(
    {
        "odd-cell": _in_cells(_odd_cell),
        "other-cell": _in_cells(_other_cell),
        "odd-header": _in_cells(_odd_header),
        "short-row": _in_cells(_short_row),
        "long-row": _in_cells(_long_row),
        "dropped-row": _in_cells(_dropped_row),
        "doubled-row": _in_cells(_doubled_row),
        "dropped-column": _in_cells(_dropped_column),
        "doubled-column": _in_cells(_doubled_column),
        "swapped-columns": _in_cells(_swapped_columns),
        "emptied-column": _in_cells(_emptied_column),
        "extra-column": _in_cells(_extra_column),
        "flipped-bytes": _in_bytes(_flipped_bytes),
        "inserted-bytes": _in_bytes(_inserted_bytes),
        "cut": _in_bytes(lambda content, rng: content[: rng.randrange(len(content) + 1)]),
        "emptied": _in_bytes(lambda _content, rng: rng.choice([b"", b"\n", b"   \n\n", b"\xef\xbb\xbf"])),
        "header-alone": _in_bytes(lambda content, _rng: content.partition(b"\n")[0]),
        "utf-16": _in_bytes(lambda content, _rng: content.decode(errors="replace").encode("utf-16")),
        "latin-1": _in_bytes(lambda content, _rng: content.replace(b"a", b"\xe9", 1)),
        "byte-order-mark": _in_bytes(lambda content, _rng: b"\xef\xbb\xbf" + content),
        "carriage-returns": _in_bytes(lambda content, rng: content.replace(b"\n", rng.choice([b"\r", b"\r\n"]))),
        "semicolons": _in_bytes(lambda content, _rng: content.replace(b",", b";")),
        "swapped-files": _swap_files,
        "renamed-file": _rename_file,
        "missing-file": _remove,
        "folder-for-file": _put_folder,
    }
)
