"""Rows of text with a separator, read block by block: what CSV and ECSV share."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from galprism.data.tables.base import Batch, TableReader, rebatch
from galprism.data.tables.columns import ColumnInfo
from galprism.data.tables.parquet import to_numpy

BLOCK_BYTES = 8 << 20
NULLS = ["", "nan", "NaN", "NAN", "null", "NULL", "NA", "N/A", "n/a", "--", "None", "none", "masked"]


@dataclass(frozen=True)
class Layout:
    """Where the rows begin, what separates their cells, and the columns' names."""

    names: tuple[str, ...]
    separator: str
    offset: int
    """Bytes before the first row."""


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


def parsed(block: bytes, layout: Layout, types: Mapping[str, pa.DataType], wanted: Sequence[str] = ()) -> pa.Table:
    """One block of rows as an arrow table, of all columns or of those wanted."""
    return pacsv.read_csv(
        io.BytesIO(block),
        read_options=pacsv.ReadOptions(column_names=layout.names, block_size=len(block) + 1),
        parse_options=pacsv.ParseOptions(
            delimiter=layout.separator, newlines_in_values=True, ignore_empty_lines=len(layout.names) > 1
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict(types),
            include_columns=list(wanted),
            null_values=NULLS,
            strings_can_be_null=False,
            true_values=["true", "True", "TRUE"],
            false_values=["false", "False", "FALSE"],
        ),
    )


class DelimitedReader(TableReader):
    """Memory stays at one block and one batch."""

    _layout: Layout

    def _scan(self, layout: Layout, types: Mapping[str, pa.DataType]) -> None:
        """Pass over all rows once: count them, find the types not given, and which columns have missing values."""
        self._layout = layout
        self._types: dict[str, pa.DataType] = dict.fromkeys(layout.names, pa.null()) | dict(types)
        self._nullable: set[str] = set()
        self._starts: list[tuple[int, int]] = []
        self.n_rows = 0
        for offset, block in blocks(self.path, layout.offset):
            table = parsed(block, layout, types)
            self._starts.append((self.n_rows, offset))
            self.n_rows += table.num_rows
            for name in layout.names:
                column = table.column(name)
                self._types[name] = _wider(self._types[name], column.type)
                if self._count_nulls(name, column):
                    self._nullable.add(name)
        self._types = {name: pa.float64() if pa.types.is_null(t) else t for name, t in self._types.items()}

    def _count_nulls(self, name: str, values: pa.ChunkedArray) -> int:
        return values.null_count

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
                yield {c.name: self._values(c, piece.column(c.name).combine_chunks()) for c in columns}
            if row >= stop:
                return

    def _values(self, column: ColumnInfo, values: pa.Array) -> np.ndarray:
        return to_numpy(self.path, column, values, column.name in self._nullable)


def _wider(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """The type that holds the values of two blocks: true/false, or integer, else float, else text."""
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b if b in (pa.bool_(), pa.int64(), pa.float64(), pa.binary()) else pa.string()
    if {a, b} == {pa.int64(), pa.float64()}:
        return pa.float64()
    return pa.binary() if pa.binary() in (a, b) else pa.string()


def numpy_dtype(arrow: pa.DataType) -> np.dtype:
    known: dict[pa.DataType, type] = {pa.bool_(): np.bool_, pa.int64(): np.int64, pa.float64(): np.float64}
    return np.dtype(known.get(arrow, str))
