"""Parquet, with units, UCDs and descriptions in an embedded VOTable.

The convention is VOParquet 1.0 (IVOA Note "Parquet in the VO", 2025): a VOTable without data under the file's key
`IVOA.VOTable-Parquet.content`, which TOPCAT reads. The same is said in astropy's own way, so that Table.read(path) has
units and descriptions, and in the fields' metadata (`unit`, `ucd`, `description`) for whoever has pyarrow alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from galprism.data.tables.base import META_KEY, Batch, TableReader, TableSink, one_of, readable, rebatch
from galprism.data.tables.columns import ColumnInfo, as_text, nulls_to_nan
from galprism.data.tables.votable import described, parse, vo_tree
from galprism.data.tables.yaml_header import YamlHeader, read_header, write_header

CONTENT_KEY = b"IVOA.VOTable-Parquet.content"
VERSION_KEY = b"IVOA.VOTable-Parquet.version"
YAML_KEY = b"table_meta_yaml"
"""astropy's."""
ROW_GROUP_ROWS = 131_072
READ_BUFFER_BYTES = 1 << 20
ZSTD_LEVEL = 1


class ParquetReader(TableReader):
    """Read in batches: memory stays at some pages of each column asked for."""

    def __init__(self, path: Path, part: str | None) -> None:
        self.path = path
        one_of(path, ["1"], part)
        with readable(path), pq.ParquetFile(path) as file:
            self.n_rows = file.metadata.num_rows
            keys = file.schema_arrow.metadata or {}
            self.meta = json.loads(keys.get(META_KEY.encode(), b"{}"))
            known = described(parse(io.BytesIO(keys[CONTENT_KEY])).get_first_table()) if CONTENT_KEY in keys else {}
            yaml = keys.get(YAML_KEY, b"").decode()
            header = read_header(yaml.splitlines()) if yaml else YamlHeader({}, {})
            known |= header.columns
            self.meta = header.meta | self.meta
            self._hold((_info(field, known.get(field.name)) for field in file.schema_arrow), header.masks)

    def _batches(self, columns: list[ColumnInfo], size: int, start: int, stop: int) -> Iterator[Batch]:
        with pq.ParquetFile(self.path, buffer_size=READ_BUFFER_BYTES, pre_buffer=False) as file:
            nullable = {
                column.name for column in columns if column.dtype.kind in "iub" and _has_null(file, column.name)
            }
            groups, skip = _groups(file, start, stop)
            parts = file.iter_batches(size, row_groups=groups, columns=[column.name for column in columns])
            yield from rebatch(self._converted(parts, columns, nullable, skip, stop - start), size)

    def _converted(
        self, parts: Iterator[pa.RecordBatch], columns: list[ColumnInfo], nullable: set[str], skip: int, n_rows: int
    ) -> Iterator[Batch]:
        for part in parts:
            before = min(skip, part.num_rows)
            piece = part.slice(before, n_rows)
            skip -= before
            n_rows -= piece.num_rows
            if piece.num_rows:
                yield {c.name: to_numpy(self.path, c, piece.column(c.name), c.name in nullable) for c in columns}


def _groups(file: pq.ParquetFile, start: int, stop: int) -> tuple[list[int], int]:
    """The row groups that hold rows start to stop, and how many rows of the first come before `start`."""
    groups: list[int] = []
    skip = row = 0
    for i in range(file.metadata.num_row_groups):
        n = file.metadata.row_group(i).num_rows
        if row < stop and row + n > start:
            skip = skip if groups else start - row
            groups.append(i)
        row += n
    return groups, skip


def _has_null(file: pq.ParquetFile, name: str) -> bool:
    """From the file's statistics, or from the column itself where it has none."""
    schema = file.metadata.schema
    paths = [schema.column(i).path for i in range(file.metadata.num_columns)]
    leaf = paths.index(name) if name in paths else next(i for i, p in enumerate(paths) if p.startswith(name + "."))
    known = True
    for i in range(file.metadata.num_row_groups):
        statistics = file.metadata.row_group(i).column(leaf).statistics
        if statistics is None or not statistics.has_null_count:
            known = False
        elif statistics.null_count:
            return True
    return not known and any(_null_count(batch.column(0)) for batch in file.iter_batches(columns=[name]))


def _null_count(values: pa.Array) -> int:
    inner = values.flatten().null_count if pa.types.is_fixed_size_list(values.type) else 0
    return values.null_count + inner


def to_numpy(path: object, column: ColumnInfo, values: Any, nullable: bool) -> np.ndarray:
    """An arrow array as numpy, by the rules of TableReader.batches."""
    if column.shape:
        (k,) = column.shape
        flat = values.values.slice(values.offset * k, len(values) * k)
        if values.null_count:
            absent = np.repeat(values.is_null().to_numpy(zero_copy_only=False), k)
            flat = pc.if_else(pa.array(absent), pa.scalar(None, flat.type), flat)
        return to_numpy(path, ColumnInfo(column.name, dtype=column.dtype), flat, nullable).reshape(-1, k)
    if column.dtype.kind == "U":
        if pa.types.is_binary(values.type):
            return as_text(values.to_numpy(zero_copy_only=False))
        return values.cast(pa.large_string()).fill_null("").to_numpy(zero_copy_only=False).astype(str)
    wanted = pa.from_numpy_dtype(column.dtype)
    values = values if values.type == wanted else values.cast(wanted)
    if column.dtype.kind == "f" or not nullable:
        return values.to_numpy(zero_copy_only=False)
    null = values.is_null().to_numpy(zero_copy_only=False)
    filled = values.fill_null(False if column.dtype.kind == "b" else 0)
    return nulls_to_nan(path, column.name, filled.to_numpy(zero_copy_only=False), null)


def _info(field: pa.Field, votable: ColumnInfo | None) -> ColumnInfo:
    dtype, shape = _dtype(field.type)
    own = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    other = votable or ColumnInfo(field.name)
    return ColumnInfo(
        field.name,
        own.get("unit") or other.unit,
        dtype,
        own.get("description") or other.description,
        own.get("ucd") or other.ucd,
        shape,
    )


def _dtype(arrow: pa.DataType) -> tuple[np.dtype, tuple[int, ...]]:
    """The numpy type that an arrow type is read as, object where it is not read."""
    types = pa.types
    if types.is_fixed_size_list(arrow):
        inner, shape = _dtype(arrow.value_type)
        return (inner, (arrow.list_size,)) if inner.kind in "iubf" and not shape else (np.dtype(object), ())
    if types.is_float16(arrow):
        return np.dtype(np.float32), ()
    if types.is_boolean(arrow) or types.is_integer(arrow) or types.is_floating(arrow):
        return np.dtype(arrow.to_pandas_dtype()), ()
    if types.is_decimal(arrow) or types.is_null(arrow):
        return np.dtype(np.float64), ()
    if types.is_dictionary(arrow):
        return _dtype(arrow.value_type)
    if types.is_nested(arrow):
        return np.dtype(object), ()
    return np.dtype(str), ()


class ParquetSink(TableSink):
    """zstd in row groups of 131,072 rows; dictionaries for text alone (of floats they would grow the file), and no
    statistics of float32 columns, which take a tenth of the time and which nobody searches by."""

    def __init__(self, path: Path, columns: Sequence[ColumnInfo], n_rows: int, meta: str) -> None:
        content = io.BytesIO()
        vo_tree(columns, meta).to_xml(content)
        fields = [pa.field(c.name, arrow_type(c), metadata=_field_metadata(c)) for c in columns]
        keys = {CONTENT_KEY: content.getvalue(), VERSION_KEY: b"1.0", META_KEY.encode(): meta.encode()}
        keys[YAML_KEY] = "\n".join(write_header(columns, meta)).encode()
        self._schema = pa.schema(fields, metadata=keys)
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=[c.name for c in columns if c.dtype.kind == "U"],
            write_statistics=[c.name for c in columns if c.dtype != np.float32 and not c.shape],
        )
        self._held: list[pa.RecordBatch] = []
        self._n_held = 0

    def append(self, batch: Batch, n_rows: int) -> None:
        arrays = [_to_arrow(values, field.type) for values, field in zip(batch.values(), self._schema, strict=True)]
        self._held.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._n_held += n_rows
        if self._n_held >= ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._n_held:
            self._writer.write_table(pa.Table.from_batches(self._held), row_group_size=2 * ROW_GROUP_ROWS)
        self._held, self._n_held = [], 0

    def finish(self) -> None:
        self._flush()
        self._writer.close()

    def abort(self) -> None:
        self._writer.close()


def arrow_type(column: ColumnInfo) -> pa.DataType:
    scalar = pa.string() if column.dtype.kind == "U" else pa.from_numpy_dtype(column.dtype)
    return pa.list_(scalar, column.shape[0]) if column.shape else scalar


def _field_metadata(column: ColumnInfo) -> dict[str, str]:
    texts = {"unit": column.unit, "ucd": column.ucd, "description": column.description}
    return {key: text for key, text in texts.items() if text}


def _to_arrow(values: np.ndarray, arrow: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_list(arrow):
        flat = pa.array(np.ascontiguousarray(values).reshape(-1), type=arrow.value_type)
        return pa.FixedSizeListArray.from_arrays(flat, type=arrow)
    return pa.array(np.ascontiguousarray(values), type=arrow)
