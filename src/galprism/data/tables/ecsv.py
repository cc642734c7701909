"""ECSV 1.0 (astropy APE 6): text with a header that gives types, units, descriptions and metadata.

The rows are read block by block as CSV is. Vectors stand in a cell as JSON lists.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from galprism.data.tables.base import Batch, TableSink, one_of, readable
from galprism.data.tables.columns import ColumnInfo
from galprism.data.tables.delimited import DelimitedReader, Layout
from galprism.data.tables.parquet import arrow_type
from galprism.data.tables.yaml_header import YamlHeader, read_header, write_header
from galprism.errors import RequestError


def _layout(path: Path) -> tuple[Layout, YamlHeader]:
    """Read the head of an ECSV file. Raises RequestError where it has none."""
    lines = []
    with open(path, "rb") as file:
        while (line := file.readline().decode("utf-8")).startswith("#"):
            lines.append(line[1:].strip("\r\n").removeprefix(" "))
        offset = file.tell()
    if not lines or not lines[0].startswith("%ECSV"):
        raise RequestError(f"{path}: does not begin with '# %ECSV'; a table without that header should end in .csv")
    header = read_header(line for line in lines[1:] if line != "---")
    names = next(csv.reader([line.strip("\r\n")], delimiter=header.delimiter), [])
    if names != list(header.columns):
        raise RequestError(f"{path}: its line of names differs from its header: {', '.join(names) or 'nothing'}")
    return Layout(tuple(names), header.delimiter, offset), header


class ECSVReader(DelimitedReader):
    """Types come from the header; a first pass over the rows counts them and finds the columns with missing values."""

    def __init__(self, path: Path, part: str | None) -> None:
        self.path = path
        one_of(path, ["1"], part)
        with readable(path):
            layout, header = _layout(path)
            self.meta = header.meta
            self._hold(header.columns.values(), header.masks)
            self._vectors = {name for name, column in header.columns.items() if column.shape}
            self._scan(layout, {name: _cell_type(column) for name, column in header.columns.items()})

    def _count_nulls(self, name: str, values: pa.ChunkedArray) -> int:
        if name in self._vectors:
            return pc.sum(pc.or_(pc.match_substring(values, "null"), pc.equal(values, ""))).as_py() or 0
        return values.null_count

    def _values(self, column: ColumnInfo, values: pa.Array) -> np.ndarray:
        if not column.shape:
            return super()._values(column, values)
        nothing = json.dumps(np.full(column.shape, None).tolist())
        rows = json.loads("[" + ",".join(cell or nothing for cell in values.to_pylist()) + "]")
        nullable = column.dtype.kind in "iub" and column.name in self._nullable
        return np.array(rows, np.float64 if nullable else column.dtype).reshape(len(values), *column.shape)


def _cell_type(column: ColumnInfo) -> pa.DataType:
    return pa.string() if column.shape or column.dtype.kind in "UOc" else pa.from_numpy_dtype(column.dtype)


class ECSVSink(TableSink):
    """Separated by commas, text in quotes, NaN as nan."""

    def __init__(self, path: Path, columns: Sequence[ColumnInfo], n_rows: int, meta: str) -> None:
        head = ["%ECSV 1.0", "---", "delimiter: ','", *write_header(columns, meta)]
        names = io.StringIO()
        csv.writer(names, lineterminator="\n").writerow([column.name for column in columns])
        self._columns = {column.name: column for column in columns}
        self._file = open(path, "wb")  # noqa: SIM115
        self._file.write("".join(f"# {line}\n" for line in head).encode() + names.getvalue().encode())

    def append(self, batch: Batch, n_rows: int) -> None:
        rows = pa.table({name: _cells(self._columns[name], values) for name, values in batch.items()})
        pacsv.write_csv(rows, self._file, pacsv.WriteOptions(include_header=False))

    def finish(self) -> None:
        self._file.close()

    def abort(self) -> None:
        self._file.close()


def _cells(column: ColumnInfo, values: np.ndarray) -> pa.Array:
    if column.shape:
        return pa.array([json.dumps(row) for row in values.tolist()], pa.string())
    if column.dtype.kind == "b":
        return pa.array(np.where(values, "True", "False"), pa.string())
    return pa.array(values, arrow_type(column))
