"""CSV: names in the first line, then rows; the separator is found from the first lines.

A CSV file carries no types, units, descriptions or metadata: those given are not written (take ECSV to keep them),
and types are found by reading the whole file once when it is opened. A cell that is empty, NaN, null, NA or -- is
missing. The header may begin with `#`, and may use another separator than the rows do; other lines that begin with
`#` at the top are comments.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from galprism.data.tables.base import Batch, TableSink, one_of, readable
from galprism.data.tables.columns import ColumnInfo
from galprism.data.tables.delimited import DelimitedReader, Layout, numpy_dtype
from galprism.data.tables.parquet import arrow_type
from galprism.errors import RequestError

SEPARATORS = (",", ";", "\t", "|")


def layout_of(path: Path) -> Layout:
    """Read the top of a CSV file. Raises RequestError where it has no header."""
    comments: list[tuple[str, int]] = []
    plain: list[tuple[str, int]] = []
    with open(path, "rb") as file:
        if b"\0" in file.read(4096):
            raise RequestError(f"{path}: holds binary data, not text; is it of another format than its name says?")
        file.seek(0)
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)
        while len(plain) < 2 and (line := file.readline()):
            text = line.decode("utf-8", "replace").strip("\r\n")
            if not plain and text.startswith("#"):
                comments.append((text.lstrip("#").strip(), file.tell()))
            elif text.strip():
                plain.append((text, file.tell()))
    if not plain and not comments:
        raise RequestError(f"{path}: is empty; expected a line of column names")
    commented = _cells(comments[-1][0]) if comments else []
    first, second = (_cells(line) for line, _ in (*plain, ("", 0), ("", 0))[:2])
    first_is_row = not plain or any(map(_is_number, first)) or not any(map(_is_number, second))
    if commented and first_is_row and (not plain or len(commented) == len(first)):
        names, offset, sample = commented, comments[-1][1], plain[0][0] if plain else comments[-1][0]
    else:
        names, offset, sample = first, plain[0][1], plain[-1][0]
    if len(set(names)) < len(names) or not all(names):
        raise RequestError(f"{path}: the header has an empty name or one twice: {', '.join(names)}")
    if all(map(_is_number, names)):
        raise RequestError(f"{path}: the first line holds numbers; expected a line of column names")
    return Layout(tuple(names), _separator(sample), offset)


def _separator(line: str) -> str:
    """What stands most often in a line, outside quotes, of comma, semicolon, tab and bar; a comma where none does."""
    bare = "".join(line.split('"')[::2])
    return max(SEPARATORS, key=bare.count)


def _cells(line: str) -> list[str]:
    return [cell.strip() for row in csv.reader([line], delimiter=_separator(line)) for cell in row]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


class CSVReader(DelimitedReader):
    """The types of the columns are found in a first pass over the file."""

    def __init__(self, path: Path, part: str | None) -> None:
        self.path = path
        self.meta = {}
        one_of(path, ["1"], part)
        with readable(path):
            self._scan(layout_of(path), {})
        self._hold(ColumnInfo(name, dtype=numpy_dtype(arrow)) for name, arrow in self._types.items())


NOT_CSV = "FITS, Parquet, VOTable, ECSV, HDF5"
"""The formats that can hold vectors."""


class CSVSink(TableSink):
    """Comma, a header, text in quotes, an empty cell for NaN."""

    def __init__(self, path: Path, columns: Sequence[ColumnInfo], n_rows: int, meta: str) -> None:
        for column in columns:
            if column.shape:
                raise RequestError(
                    f"{path.name}: column {column.name!r} is a vector, which CSV cannot hold; accepted: {NOT_CSV}"
                )
        self._schema = pa.schema([pa.field(column.name, arrow_type(column)) for column in columns])
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow([column.name for column in columns])
        self._file = open(path, "wb")  # noqa: SIM115
        self._file.write(header.getvalue().encode())

    def append(self, batch: Batch, n_rows: int) -> None:
        arrays = [
            pa.array(values, field.type, from_pandas=True)
            for values, field in zip(batch.values(), self._schema, strict=True)
        ]
        rows = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        pacsv.write_csv(rows, self._file, pacsv.WriteOptions(include_header=False))

    def finish(self) -> None:
        self._file.close()

    def abort(self) -> None:
        self._file.close()
