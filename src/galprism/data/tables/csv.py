"""CSV: names in the first line, then rows; the separator is found from the first lines.

A CSV file carries no types, units, descriptions or metadata: those given are not written (take ECSV to keep them),
and types are found by reading the whole file once when it is opened. A cell that is empty, NaN, null, NA or -- is
missing. The header may begin with `#`, and may use another separator than the rows do; other lines that begin with
`#` at the top are comments.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from galprism.data.tables.base import Batch, TableReader, TableSink, one_of, readable, rebatch
from galprism.data.tables.columns import ColumnInfo
from galprism.data.tables.parquet import arrow_type, to_numpy
from galprism.errors import RequestError

BLOCK_BYTES = 8 << 20
SEPARATORS = (",", ";", "\t", "|")
NULLS = ["", "nan", "NaN", "NAN", "null", "NULL", "NA", "N/A", "n/a", "--", "None", "none", "masked"]


@dataclass(frozen=True)
class Layout:
    """Where the rows begin, what separates their cells, and the columns' names."""

    names: tuple[str, ...]
    separator: str
    offset: int
    """Bytes before the first row."""


def layout_of(path: Path) -> Layout:
    """Read the top of a CSV file. Raises RequestError where it has no header."""
    comments: list[tuple[str, int]] = []
    plain: list[tuple[str, int]] = []
    with open(path, "rb") as file:
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


def blocks(path: Path, offset: int) -> Iterator[tuple[int, bytes]]:
    """The rows of a text file in blocks of about BLOCK_BYTES that end where a row does, each with its offset.

    A line break between quotes does not end a row.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        held = b""
        while more := file.read(BLOCK_BYTES):
            held += more
            cut = held.rfind(b"\n") + 1
            if held.count(b'"', 0, cut) % 2:
                cut = held.rfind(b"\n", 0, held.rfind(b'"', 0, cut)) + 1
            if cut:
                yield offset, held[:cut]
                offset, held = offset + cut, held[cut:]
        if held.strip():
            yield offset, held


def parsed(block: bytes, layout: Layout, types: dict[str, pa.DataType], wanted: Sequence[str] = ()) -> pa.Table:
    """One block of rows as an arrow table, of all columns or of those wanted."""
    return pacsv.read_csv(
        io.BytesIO(block),
        read_options=pacsv.ReadOptions(column_names=layout.names, block_size=len(block) + 1),
        parse_options=pacsv.ParseOptions(
            delimiter=layout.separator, newlines_in_values=True, ignore_empty_lines=len(layout.names) > 1
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=types,
            include_columns=list(wanted),
            null_values=NULLS,
            strings_can_be_null=False,
            true_values=["true", "True", "TRUE"],
            false_values=["false", "False", "FALSE"],
        ),
    )


class CSVReader(TableReader):
    """Read block by block with pyarrow; memory stays at one block and one batch."""

    def __init__(self, path: Path, part: str | None) -> None:
        self.path = path
        self.meta = {}
        one_of(path, ["1"], part)
        with readable(path):
            self._layout = layout_of(path)
            self._types: dict[str, pa.DataType] = dict.fromkeys(self._layout.names, pa.null())
            self._nullable: set[str] = set()
            self._starts: list[tuple[int, int]] = []
            self.n_rows = 0
            for offset, block in blocks(path, self._layout.offset):
                table = parsed(block, self._layout, {})
                self._starts.append((self.n_rows, offset))
                self.n_rows += table.num_rows
                for name in self._layout.names:
                    column = table.column(name)
                    self._types[name] = _wider(self._types[name], column.type)
                    if column.null_count:
                        self._nullable.add(name)
        self._types = {name: pa.float64() if pa.types.is_null(t) else t for name, t in self._types.items()}
        self.columns = {name: ColumnInfo(name, dtype=_dtype(arrow)) for name, arrow in self._types.items()}

    def _batches(self, columns: list[ColumnInfo], size: int, start: int, stop: int) -> Iterator[Batch]:
        yield from rebatch(self._pieces(columns, start, stop), size)

    def _pieces(self, columns: list[ColumnInfo], start: int, stop: int) -> Iterator[Batch]:
        names = [column.name for column in columns]
        row, offset = max(place for place in self._starts if place[0] <= start)
        for _, block in blocks(self.path, offset):
            table = parsed(block, self._layout, self._types, names)
            piece = table.slice(max(start - row, 0), stop - max(row, start))
            row += table.num_rows
            if piece.num_rows:
                yield {
                    c.name: to_numpy(self.path, c, piece.column(c.name).combine_chunks(), c.name in self._nullable)
                    for c in columns
                }
            if row >= stop:
                return


def _wider(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """The type that holds the values of two blocks: true/false, or integer, else float, else text."""
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b if b in (pa.bool_(), pa.int64(), pa.float64(), pa.binary()) else pa.string()
    if {a, b} == {pa.int64(), pa.float64()}:
        return pa.float64()
    return pa.binary() if pa.binary() in (a, b) else pa.string()


def _dtype(arrow: pa.DataType) -> np.dtype:
    known: dict[pa.DataType, type] = {pa.bool_(): np.bool_, pa.int64(): np.int64, pa.float64(): np.float64}
    return np.dtype(known.get(arrow, str))


class CSVSink(TableSink):
    """Comma, a header, text in quotes, an empty cell for NaN."""

    def __init__(self, path: Path, columns: Sequence[ColumnInfo], n_rows: int, meta: str) -> None:
        for column in columns:
            if column.shape:
                raise RequestError(
                    f"column {column.name!r} is a vector, which CSV cannot hold; accepted: ECSV, Parquet"
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
