"""Rows as records of fixed width, in a file: what FITS tables and the binary data of VOTables are made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from galprism.data.tables.base import Batch
from galprism.data.tables.columns import ColumnInfo

CHUNK_ROWS = 8192

Order = Literal["<", ">"]


def record_dtype(columns: Sequence[ColumnInfo], widths: dict[str, int], order: Order) -> np.dtype:
    """One packed record: text as bytes of the given widths, booleans as one byte, numbers in byte order `order`."""
    fields: list[Any] = []
    for column in columns:
        if column.dtype.kind == "U":
            fields.append((column.name, f"S{widths[column.name]}"))
        else:
            stored = np.dtype(np.uint8) if column.dtype.kind == "b" else column.dtype.newbyteorder(order)
            fields.append((column.name, stored, column.shape))
    return np.dtype(fields)


class RecordFile:
    """Records appended to a file; all are rewritten where a text comes that is longer than its column is wide."""

    def __init__(self, path: Path, columns: Sequence[ColumnInfo], order: Order, encoding: str = "utf-8") -> None:
        self.path, self._columns, self._order, self._encoding = path, list(columns), order, encoding
        self._unit = len("a".encode(encoding))
        self.widths = {c.name: self._unit * max(1, c.dtype.itemsize // 4) for c in columns if c.dtype.kind == "U"}
        self.dtype = record_dtype(self._columns, self.widths, order)
        self._file = open(path, "wb")  # noqa: SIM115

    def append(self, batch: Batch, n_rows: int) -> None:
        texts = {name: np.char.encode(batch[name], self._encoding) for name in self.widths}
        longer = {name: text.dtype.itemsize for name, text in texts.items() if text.dtype.itemsize > self.widths[name]}
        if longer:
            self._widen(longer)
        for at in range(0, n_rows, CHUNK_ROWS):
            rows = slice(at, min(at + CHUNK_ROWS, n_rows))
            records = np.empty(rows.stop - at, self.dtype)
            for column in self._columns:
                records[column.name] = texts.get(column.name, batch[column.name])[rows]
            self._file.write(records.data)

    def _widen(self, longer: dict[str, int]) -> None:
        self._file.close()
        narrow, old = self.dtype, self.path.with_name(self.path.name + ".narrow")
        self.path.replace(old)
        self.widths |= longer
        self.dtype = record_dtype(self._columns, self.widths, self._order)
        self._file = open(self.path, "wb")  # noqa: SIM115
        with open(old, "rb") as file:
            while block := file.read(CHUNK_ROWS * narrow.itemsize):
                records = np.frombuffer(block, narrow)
                wide = np.empty(len(records), self.dtype)
                for name in narrow.names or ():
                    wide[name] = records[name]
                self._file.write(wide.data)
        old.unlink()

    def close(self) -> None:
        self._file.close()
