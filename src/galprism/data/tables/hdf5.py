"""HDF5: a table as astropy writes it, or a group of columns.

Read: a one-dimensional dataset of records, with astropy's `<name>.__table_column_meta__` beside it where there is one;
or a group whose datasets all have the same length, each a column, with `unit`, `description` and `ucd` in its
attributes. Written: the first, so that astropy's Table.read(path) gives units and descriptions back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from galprism.data.tables.base import Batch, TableReader, TableSink, one_of, readable
from galprism.data.tables.columns import ColumnInfo, as_text
from galprism.data.tables.records import CHUNK_ROWS, RecordFile
from galprism.data.tables.yaml_header import YamlHeader, read_header, write_header

META_SUFFIX = ".__table_column_meta__"
NAME = "table"


class HDF5Reader(TableReader):
    """Read slice by slice; memory stays at one batch."""

    def __init__(self, path: Path, part: str | None) -> None:
        self.path = path
        self.meta = {}
        with readable(path), h5py.File(path, "r") as file:
            tables = _tables(file)
            wanted = part if part is None or part == "/" else part.strip("/")
            self._place = tables[one_of(path, tables, wanted)]
            table = file[self._place]
            if isinstance(table, h5py.Dataset):
                self._describe_records(table, file.get(self._place + META_SUFFIX))
            else:
                names = _column_names(table)
                self._hold(_described(name, table[name]) for name in names)
                self.n_rows = len(table[names[0]])

    def _describe_records(self, table: h5py.Dataset, yaml: h5py.Dataset | None) -> None:
        header = YamlHeader({}, {}) if yaml is None else read_header(line.decode() for line in yaml[:])
        self.meta = header.meta
        self.n_rows = len(table)
        columns = []
        for name in table.dtype.names:
            dtype, shape = _dtype(table.dtype[name])
            known = header.columns.get(name, ColumnInfo(name))
            columns.append(ColumnInfo(name, known.unit, dtype, known.description, known.ucd, shape))
        self._hold(columns, header.masks)

    def _batches(self, columns: list[ColumnInfo], size: int, start: int, stop: int) -> Iterator[Batch]:
        names = [column.name for column in columns]
        with h5py.File(self.path, "r") as file:
            table = file[self._place]
            for at in range(start, stop, size):
                rows = slice(at, min(at + size, stop))
                if isinstance(table, h5py.Dataset):
                    raw = table.fields(names)[rows]
                else:
                    raw = {name: table[name][rows] for name in names}
                yield {column.name: _native(column, raw[column.name]) for column in columns}


def _native(column: ColumnInfo, raw: np.ndarray) -> np.ndarray:
    return as_text(raw) if column.dtype.kind == "U" else np.ascontiguousarray(raw, column.dtype)


def _tables(file: h5py.File) -> list[str]:
    """Where the tables of a file are: datasets of records, and groups of columns of one length."""
    found: list[str] = []

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Group):
            if _column_names(item):
                found.append(name)
        elif item.dtype.names and item.ndim == 1:
            found.append(name)

    visit("/", file)
    file.visititems(visit)
    return found


def _column_names(group: h5py.Group) -> list[str]:
    """The datasets of a group that are columns of one table, or none."""
    arrays = {
        name: item
        for name, item in group.items()
        if isinstance(item, h5py.Dataset) and not item.dtype.names and not name.endswith(META_SUFFIX)
    }
    same = len({item.shape[:1] for item in arrays.values()}) == 1
    return list(arrays) if same and all(item.ndim for item in arrays.values()) else []


def _described(name: str, item: h5py.Dataset) -> ColumnInfo:
    texts = [str(item.attrs.get(key, "")) for key in ("unit", "units", "description", "ucd")]
    dtype, shape = _dtype(np.dtype((item.dtype, item.shape[1:])))
    return ColumnInfo(name, texts[0] or texts[1] or None, dtype, texts[2], texts[3], shape)


def _dtype(stored: np.dtype) -> tuple[np.dtype, tuple[int, ...]]:
    base, shape = stored.subdtype or (stored, ())
    if base.kind == "S" or h5py.check_string_dtype(base) is not None:
        return np.dtype(f"U{base.itemsize}" if base.kind == "S" else "U"), shape
    return base, shape


class HDF5Sink(TableSink):
    """Rows go to a file of records first: the width of text columns is known only when all have come."""

    def __init__(self, path: Path, columns: Sequence[ColumnInfo], n_rows: int, meta: str) -> None:
        self._path, self._columns, self._n_rows = path, columns, n_rows
        self._header = write_header(columns, meta)
        self._rows = RecordFile(path.with_name("rows"), columns, "<")

    def append(self, batch: Batch, n_rows: int) -> None:
        self._rows.append(batch, n_rows)

    def finish(self) -> None:
        self._rows.close()
        stored = self._rows.dtype
        booleans = {column.name for column in self._columns if column.dtype.kind == "b"}
        seen = np.dtype(
            [
                (name, *(("?", stored[name].shape) if name in booleans else (stored[name],)))
                for name in stored.names or ()
            ]
        )
        with h5py.File(self._path, "w") as file, open(self._rows.path, "rb") as rows:
            table = file.create_dataset(NAME, shape=(self._n_rows,), dtype=seen)
            file[NAME + META_SUFFIX] = np.array([line.encode() for line in self._header])
            at = 0
            while block := rows.read(CHUNK_ROWS * stored.itemsize):
                records = np.frombuffer(block, seen)
                table[at : at + len(records)] = records
                at += len(records)

    def abort(self) -> None:
        self._rows.close()
