"""VOTable, and the VOTable without data that Parquet files carry.

astropy reads it, whole: a VOTable takes the memory of its table, and minutes for a million rows. For large catalogues
use Parquet or FITS.
"""

from __future__ import annotations

import base64
import io
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import votable
from astropy.io.votable.tree import Field, Param, Resource, TableElement, VOTableFile
from astropy.utils.exceptions import AstropyWarning

from galprism.data.tables.base import META_KEY, Batch, TableReader, TableSink, one_of, readable
from galprism.data.tables.columns import ColumnInfo, as_text, masked, spelt
from galprism.data.tables.records import RecordFile
from galprism.errors import RequestError

LINE_BYTES = 57
"""A whole number of base64's groups of three."""

VERSION = "1.3"
"""The last version whose units follow the CDS standard, which can write log10 of a quantity: [solMass]."""

_DATATYPES = {
    "b1": ("boolean", "b1"),
    "u1": ("unsignedByte", "u1"),
    "i1": ("short", "i2"),
    "i2": ("short", "i2"),
    "u2": ("int", "i4"),
    "i4": ("int", "i4"),
    "u4": ("long", "i8"),
    "i8": ("long", "i8"),
    "u8": ("long", "i8"),
    "f4": ("float", "f4"),
    "f8": ("double", "f8"),
}
"""VOTable's name of each type, and the type it stores: it has no signed bytes and no unsigned integers."""


def _code(column: ColumnInfo) -> str:
    return column.dtype.str[1:]


def vo_tree(columns: Sequence[ColumnInfo], meta: str, widths: Mapping[str, int] | None = None) -> VOTableFile:
    """A VOTable of these columns, without data; `meta` (JSON) is its PARAM `galprism`.

    `widths` says how many bytes of UTF-16 each text column takes; without it texts are of any length.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        tree = VOTableFile(version=VERSION)
        resource = Resource(type="results")
        tree.resources.append(resource)
        table = TableElement(tree)
        resource.tables.append(table)
        table.params.append(Param(tree, name=META_KEY, datatype="unicodeChar", arraysize="*", value=meta))
        for column, ident in zip(columns, _xml_ids([column.name for column in columns]), strict=True):
            text = column.dtype.kind == "U"
            size = str(column.shape[0]) if column.shape else None
            if text:
                size = str(widths[column.name] // 2) if widths else "*"
            field = Field(
                tree,
                ID=ident,
                name=column.name,
                datatype="unicodeChar" if text else _DATATYPES[_code(column)][0],
                arraysize=size,
                unit=spelt(column.unit, "cds"),
                ucd=column.ucd or None,
            )
            field.description = column.description or None
            table.fields.append(field)
    return tree


def _xml_ids(names: Sequence[str]) -> list[str]:
    """The names as XML identifiers, each once: by these astropy's Table.read calls the columns."""
    ids: list[str] = []
    for name in names:
        ident = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        ident = ident if re.match(r"[A-Za-z_]", ident) else "_" + ident
        while ident in ids:
            ident += "_"
        ids.append(ident)
    return ids


def described(table: TableElement) -> dict[str, ColumnInfo]:
    """The columns of a parsed VOTable by name, with units, UCDs and descriptions."""
    columns = {}
    dtypes = table.array.dtype if table.array is not None and table.array.dtype.names else {}
    for field in table.fields:
        stored = dtypes[field.ID] if field.ID in (getattr(dtypes, "names", None) or ()) else np.dtype("O")
        base, shape = stored.subdtype or (stored, ())
        text = field.datatype in ("char", "unicodeChar")
        columns[field.name] = ColumnInfo(
            field.name,
            None if field.unit is None else str(field.unit),
            np.dtype("U") if text and not shape else base,
            " ".join((field.description or "").split()),  # astropy breaks long lines
            field.ucd or "",
            shape,
        )
    return columns


def meta_of(table: TableElement) -> dict:
    """What vo_tree put beside the columns."""
    for param in table.params:
        if param.name == META_KEY:
            return json.loads(str(param.value))
    return {}


def parse(source: Path | BinaryIO) -> VOTableFile:
    """A parsed VOTable, deviations from the standard overlooked."""
    return votable.parse(source, verify="ignore")


class VOTableReader(TableReader):
    """The table is parsed when it is opened, and held."""

    def __init__(self, path: Path, part: str | None) -> None:
        self.path = path
        with readable(path):
            tables = list(parse(path).iter_tables())
            names = [table.name or table.ID or str(i + 1) for i, table in enumerate(tables)]
            self._table = tables[one_of(path, names, part)]
        self._hold(described(self._table).values())
        self.meta = meta_of(self._table)
        self.n_rows = len(self._table.array)
        self._ids = {field.name: field.ID for field in self._table.fields}

    def _batches(self, columns: list[ColumnInfo], size: int, start: int, stop: int) -> Iterator[Batch]:
        whole = {column.name: self._column(column) for column in columns}
        for at in range(start, stop, size):
            yield {name: values[at : min(at + size, stop)] for name, values in whole.items()}

    def _column(self, column: ColumnInfo) -> np.ndarray:
        stored = self._table.array[self._ids[column.name]]
        values, null = np.asarray(stored.data), np.ma.getmaskarray(stored)
        if column.dtype.kind == "U":
            return as_text(np.where(null, "", values))
        values = values.astype(column.dtype, copy=False)
        return masked(self.path, column.name, values, null) if null.any() else values


class VOTableSink(TableSink):
    """Written row by row in BINARY: records of fixed width, as base64."""

    def __init__(self, path: Path, columns: Sequence[ColumnInfo], n_rows: int, meta: str) -> None:
        self._path, self._columns, self._meta = path, columns, meta
        stored = [c if c.dtype.kind in "bU" else replace(c, dtype=np.dtype(_DATATYPES[_code(c)][1])) for c in columns]
        self._rows = RecordFile(path.with_name("rows"), stored, ">", "utf-16-be")

    def append(self, batch: Batch, n_rows: int) -> None:
        for name, values in batch.items():
            if values.dtype == np.uint64 and values.max() > np.iinfo(np.int64).max:
                raise RequestError(f"{self._path.name}: column {name!r} has integers beyond 2^63, which VOTable lacks")
        letters = {n: np.where(v, ord("T"), ord("F")) for n, v in batch.items() if v.dtype.kind == "b"}
        self._rows.append(batch | letters, n_rows)

    def finish(self) -> None:
        self._rows.close()
        head = io.BytesIO()
        vo_tree(self._columns, self._meta, self._rows.widths).to_xml(head)
        before, after = head.getvalue().split(b"</TABLE>")
        with open(self._path, "wb") as file, open(self._rows.path, "rb") as rows:
            file.write(before + b'<DATA><BINARY><STREAM encoding="base64">\n')
            while block := rows.read(LINE_BYTES * 4096):
                file.write(base64.b64encode(block) + b"\n")
            file.write(b"</STREAM></BINARY></DATA></TABLE>" + after)

    def abort(self) -> None:
        self._rows.close()
