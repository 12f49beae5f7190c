"""Columns of Parquet files, to and from arrays; the one place that calls pyarrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Column", "Kind", "pyarrow_version", "read_columns", "write_columns"]

Kind = Literal["text", "whole", "number", "flag", "time", "empty", "other"]

_LONGEST_REASON = 160


@dataclass(frozen=True)
class Column:
    """One column of a file.

    Attributes
    ----------
    name : str
        Its name.
    kind : str
        What its cells are: ``text``, ``whole`` (numbers), ``number``, ``flag`` (true or false), ``time``, ``empty`` (no
        cell holds anything) or ``other``.
    type : str
        Its Arrow type, for messages.
    cells : numpy.ndarray
        Shape (rows,); missing cells are None in text and flags, NaN in numbers and NaT in times.
    """

    name: str
    kind: Kind
    type: str
    cells: NDArray[Any]


def pyarrow_version() -> str:
    """Version of the library that writes the files."""
    import pyarrow as pa

    return str(pa.__version__)


def write_columns(path: Path, columns: Mapping[str, pd.Series], kinds: Mapping[str, Kind]) -> None:
    """Write columns of equal length to a Parquet file whose bytes depend on nothing else.

    Columns that `kinds` does not name are conditions and are stored as what they are. ValueError says which column cannot
    be stored. pandas' own writer would add notes on index and versions; these files hold the columns alone.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"text": pa.string(), "whole": pa.int64(), "number": pa.float64()}
    arrays = []
    for name, series in columns.items():
        try:
            kind = kinds[name] if name in kinds else _kind_of_condition(series)
            values = series.to_numpy(dtype=object) if kind == "text" else series.to_numpy()
            arrays.append(pa.array(values, type=types.get(kind), from_pandas=True))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"the column {name!r} of type {series.dtype} ({_reason(error)})") from error
    pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), path, compression="zstd")


def read_columns(content: bytes) -> list[Column]:
    """Columns of a Parquet file, given as bytes; ValueError says why there are none to be had."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read()
        table.validate(full=True)  # text that is no UTF-8, places beyond the end
        return [_column(field.name, field.type, table.column(i)) for i, field in enumerate(table.schema)]
    # What pyarrow raises for a damaged file depends on where the damage is, and no code of ours runs in there but _column.
    except (pa.ArrowException, OSError, ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:
        raise ValueError(_reason(error)) from error


def _column(name: str, arrow_type: Any, cells: Any) -> Column:
    import pyarrow as pa

    kind = _kind(arrow_type)
    if kind in ("empty", "other"):
        values = np.full(len(cells), None, dtype=object)
    else:
        decoded = cells.cast(pa.large_string()) if pa.types.is_dictionary(arrow_type) else cells
        values = np.asarray(decoded.to_numpy())
    return Column(name, kind, str(arrow_type), values)


def _kind(arrow_type: Any) -> Kind:
    from pyarrow import types

    plain = arrow_type.value_type if types.is_dictionary(arrow_type) else arrow_type
    if types.is_string(plain) or types.is_large_string(plain):
        return "text"
    if types.is_integer(arrow_type):
        return "whole"
    if types.is_floating(arrow_type):
        return "number"
    if types.is_boolean(arrow_type):
        return "flag"
    if types.is_duration(arrow_type) or (types.is_timestamp(arrow_type) and arrow_type.tz is None):
        return "time"
    return "empty" if types.is_null(arrow_type) else "other"


def _kind_of_condition(series: pd.Series) -> Kind:
    if isinstance(series.dtype, np.dtype) and series.dtype != object:
        return "other"  # pyarrow knows NumPy's types
    filled = series.dropna()
    # joined tables of which one had no such condition hold booleans and gaps as objects
    flags = len(filled) > 0 and all(isinstance(value, (bool, np.bool_)) for value in filled)
    return "flag" if flags else "text"


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else ""
    first = first if len(first) <= _LONGEST_REASON else first[:_LONGEST_REASON] + "..."
    return f"{type(error).__name__}: {first}".encode("utf-8", "replace").decode("utf-8")
