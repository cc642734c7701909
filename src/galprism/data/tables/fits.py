"""FITS binary tables (FITS Standard 4.0, section 7.3), plain or gzipped.

astropy reads the header; rows are read as contiguous blocks of records and each column is taken out, put into native
byte order and unscaled. Units, UCDs and descriptions stand in TUNITn, TUCDn and TCOMMn, as TOPCAT reads and writes
them (FITS has no unit for logarithms: dex(Msun) is written as that, and astropy keeps it as text with a warning);
what galprism says of the table as a whole is JSON in the keyword GALPRISM. Text beyond ASCII, which the standard
does not know, is written and read as UTF-8.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from astropy.io import fits

from galprism.data.tables.base import META_KEY, Batch, TableReader, TableSink, one_of, readable
from galprism.data.tables.columns import ColumnInfo, as_text, nulls_to_nan, spelt
from galprism.data.tables.records import RecordFile
from galprism.errors import RequestError

BLOCK = 2880
CHUNK_BYTES = 1 << 20
"""Records are taken apart in pieces that stay in a core's cache."""

_TYPES = {"L": "i1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}
_UNSIGNED: dict[tuple[str, float], str] = {
    ("B", -128): "i1",
    ("I", 2**15): "u2",
    ("J", 2**31): "u4",
    ("K", 2**63): "u8",
}
"""Integers of the other sign are stored with an offset: (TFORM code, TZERO) and the type meant."""


@dataclass(frozen=True)
class _Field:
    """How one column is stored in a record."""

    stored: np.dtype
    """With the row's shape, as in the file."""
    code: str
    scale: float = 1.0
    zero: int | float = 0
    null: int | None = None
    bits: int = 0

    @property
    def info(self) -> tuple[np.dtype, tuple[int, ...]]:
        """The type and row shape that a reader sees."""
        base, shape = self.stored.subdtype or (self.stored, ())
        if self.code in "PQ":
            return np.dtype(object), ()
        if self.code == "X":
            return np.dtype(bool), (self.bits,)
        if self.code == "L":
            return np.dtype(bool), shape
        if self.code == "A":
            return np.dtype(f"U{base.itemsize}"), shape
        if (self.code, self.zero) in _UNSIGNED and self.scale == 1:
            return np.dtype(_UNSIGNED[self.code, self.zero]), shape
        if base.kind in "iu" and (self.scale != 1 or self.zero != 0):
            return np.dtype(np.float64), shape
        return base.newbyteorder("="), shape

    def decode(self, raw: np.ndarray) -> np.ndarray:
        """Values as stored, (n, …), in the type of `info`."""
        dtype, _ = self.info
        if self.code == "A":
            return as_text(np.char.rstrip(raw, b" "))
        if self.code == "L":
            return raw == ord("T")
        if self.code == "X":
            return np.unpackbits(raw.reshape(len(raw), -1), axis=1)[:, : self.bits].astype(bool)
        if (self.code, self.zero) in _UNSIGNED and self.scale == 1:
            return _flip_sign(raw.astype(raw.dtype.newbyteorder("="))).view(dtype)
        values = raw.astype(dtype)
        return values if self.scale == 1 and self.zero == 0 else values * self.scale + self.zero


def _flip_sign(values: np.ndarray) -> np.ndarray:
    """Integers with the top bit turned over: what TZERO = 2^(bits - 1) does to them."""
    bits = values.view(f"u{values.dtype.itemsize}")
    return bits ^ np.array(1 << (8 * values.dtype.itemsize - 1), bits.dtype)


def _field(header: fits.Header, i: int) -> _Field:
    """Column i (from 1) of a binary table."""
    form = str(header[f"TFORM{i}"]).strip()
    match = re.match(r"(\d*)([LXBIJKAEDCMPQ])(\d*)", form)
    if match is None:
        raise ValueError(f"TFORM{i} = {form!r} is not a type of a binary table")
    repeat, code, width = int(match[1] or 1), match[2], match[3]
    if code in "PQ":
        return _Field(np.dtype((np.uint8, ((8 if code == "P" else 16) * repeat,))), code)
    if code == "X":
        return _Field(np.dtype((np.uint8, ((repeat + 7) // 8,))), code, bits=repeat)
    shape = tuple(int(n) for n in re.findall(r"\d+", str(header.get(f"TDIM{i}", ""))))[::-1]
    if code == "A":
        length = shape[-1] if shape else int(width or repeat)
        shape = shape[:-1] or ((repeat // length,) if width and length and repeat > length else ())
        stored = np.dtype((f"S{length}", shape)) if length else np.dtype(("S1", (0,)))
        if stored.itemsize != repeat:
            stored = np.dtype(f"S{repeat}")
        return _Field(stored, code)
    if not shape or int(np.prod(shape)) != repeat:
        shape = () if repeat == 1 else (repeat,)
    null = header.get(f"TNULL{i}") if code in "BIJK" else None
    return _Field(
        np.dtype((_TYPES[code], shape)),
        code,
        float(header.get(f"TSCAL{i}", 1)),
        header.get(f"TZERO{i}", 0),
        None if null is None else int(null),
    )


class FITSReader(TableReader):
    """Read record block by record block; memory stays at one batch."""

    def __init__(self, path: Path, part: str | None) -> None:
        self.path = path
        with readable(path):
            header, self._offset = _table_header(path, part)
        self._fields: dict[str, _Field] = {}
        columns = []
        with readable(path):
            for i in range(1, header["TFIELDS"] + 1):
                name = str(header.get(f"TTYPE{i}", f"col{i}")).strip()
                if name in self._fields:
                    raise RequestError(f"{path}: two columns are called {name!r}")
                self._fields[name] = _field(header, i)
                dtype, shape = self._fields[name].info
                texts = [str(header.get(f"{key}{i}", "")).strip() for key in ("TUNIT", "TCOMM", "TUCD")]
                columns.append(ColumnInfo(name, texts[0] or None, dtype, texts[1], texts[2], shape))
            self._hold(columns)
            offsets = np.cumsum([0] + [field.stored.itemsize for field in self._fields.values()])
            self.n_rows = int(header["NAXIS2"])
            self.meta = json.loads(header.get(META_KEY.upper(), "{}"))
            self._record = np.dtype(
                {
                    "names": list(self._fields),
                    "formats": [field.stored for field in self._fields.values()],
                    "offsets": offsets[:-1].tolist(),
                    "itemsize": int(header["NAXIS1"]),
                }
            )
        if not _zipped(path) and path.stat().st_size < self._offset + self.n_rows * self._record.itemsize:
            missing = self._offset + self.n_rows * self._record.itemsize - path.stat().st_size
            raise RequestError(f"{path}: the file is truncated: {missing} bytes of {self.n_rows} rows are missing")

    def _batches(self, columns: list[ColumnInfo], size: int, start: int, stop: int) -> Iterator[Batch]:
        with _open(self.path) as file:
            nullable = self._with_nulls(file, columns)
            file.seek(self._offset + start * self._record.itemsize)
            for at in range(start, stop, size):
                yield self._batch(file, columns, nullable, min(size, stop - at))

    def _batch(self, file: BinaryIO, columns: list[ColumnInfo], nullable: set[str], n_rows: int) -> Batch:
        pieces: dict[str, list[np.ndarray]] = {column.name: [] for column in columns}
        for records in self._records(file, n_rows):
            for name, values in pieces.items():
                field, raw = self._fields[name], records[name]
                decoded = field.decode(raw)
                if name in nullable:
                    decoded = nulls_to_nan(self.path, name, decoded, raw == field.null)
                elif field.null is not None and decoded.dtype.kind == "f":
                    decoded[raw == field.null] = np.nan
                values.append(decoded)
        return {name: values[0] if len(values) == 1 else np.concatenate(values) for name, values in pieces.items()}

    def _records(self, file: BinaryIO, n_rows: int) -> Iterator[np.ndarray]:
        """The next rows as records, in pieces of about CHUNK_BYTES."""
        width = self._record.itemsize
        step = max(1, CHUNK_BYTES // max(width, 1))
        for at in range(0, n_rows, step):
            n = min(step, n_rows - at)
            block = file.read(n * width)
            if len(block) < n * width:
                raise RequestError(f"{self.path}: the file is truncated: it ends within its {self.n_rows} rows")
            yield np.frombuffer(block, self._record, count=n)

    def _with_nulls(self, file: BinaryIO, columns: list[ColumnInfo]) -> set[str]:
        """The integer columns in which the null that TNULL announces does occur somewhere."""
        asked = {column.name for column in columns if self._fields[column.name].null is not None}
        asked = {name for name in asked if self.columns[name].dtype.kind in "iu"}
        found: set[str] = set()
        if asked:
            file.seek(self._offset)
            for records in self._records(file, self.n_rows):
                found |= {name for name in asked - found if np.any(records[name] == self._fields[name].null)}
                if found == asked:
                    break
        return found


def _zipped(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _open(path: Path, mode: str = "rb") -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, mode, compresslevel=4) if _zipped(path) else open(path, mode))


def _table_header(path: Path, part: str | None) -> tuple[fits.Header, int]:
    """The header of the file's binary table, and where its rows begin."""
    with fits.open(path, memmap=not _zipped(path), lazy_load_hdus=True) as hdus:
        tables = [
            (i, hdu)
            for i, hdu in enumerate(hdus)
            if hdu.header.get("XTENSION", "").strip() in ("BINTABLE", "A3DTABLE") and not hdu.header.get("ZIMAGE")
        ]
        if part is not None and part.upper() in {hdu.name for _, hdu in tables}:
            part = next(str(i) for i, hdu in tables if hdu.name == part.upper())
        i, hdu = tables[one_of(path, [str(i) for i, _ in tables], part)]
        if hdu.header.get("ZTABLE"):
            raise RequestError(f"{path}: HDU {i} is a table compressed by tiles; uncompress it first (funpack)")
        return hdu.header.copy(), hdu.fileinfo()["datLoc"]


_CODES = {"b1": "L", "u1": "B", "i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D"}
_OFFSET_CODES = {dtype: (code, zero) for (code, zero), dtype in _UNSIGNED.items()}


class FITSSink(TableSink):
    """Header, records, padding. Text columns of unknown width are made wider when a longer text comes."""

    def __init__(self, path: Path, columns: Sequence[ColumnInfo], n_rows: int, meta: str) -> None:
        for column in columns:
            if not column.name.isascii() or "'" in column.name:
                raise RequestError(
                    f"{path.name}: column {column.name!r} has no name that FITS can hold; accepted: ASCII, no quote"
                )
        self._path, self._columns, self._n_rows, self._meta = path, columns, n_rows, meta
        self._rows = RecordFile(path.with_name("rows"), columns, ">")

    def append(self, batch: Batch, n_rows: int) -> None:
        self._rows.append({name: _stored(values) for name, values in batch.items()}, n_rows)

    def finish(self) -> None:
        self._rows.close()
        with _open(self._path, "wb") as file, open(self._rows.path, "rb") as rows:
            file.write(self._header().encode("ascii"))
            shutil.copyfileobj(rows, file, CHUNK_BYTES)
            file.write(b"\0" * (-self._n_rows * self._rows.dtype.itemsize % BLOCK))

    def abort(self) -> None:
        self._rows.close()

    def _header(self) -> str:
        cards = [
            *_card("XTENSION", "BINTABLE"),
            *_card("BITPIX", 8),
            *_card("NAXIS", 2),
            *_card("NAXIS1", self._rows.dtype.itemsize),
            *_card("NAXIS2", self._n_rows),
            *_card("PCOUNT", 0),
            *_card("GCOUNT", 1),
            *_card("TFIELDS", len(self._columns)),
        ]
        for i, column in enumerate(self._columns, 1):
            code, zero = _OFFSET_CODES.get(column.dtype.str[1:], (_CODES.get(column.dtype.str[1:], "A"), 0))
            repeat = self._rows.widths[column.name] if code == "A" else column.shape[0] if column.shape else 1
            cards += _card(f"TTYPE{i}", column.name) + _card(f"TFORM{i}", f"{repeat}{code}")
            cards += _card(f"TDIM{i}", "(1)") if column.shape == (1,) else []
            cards += _card(f"TZERO{i}", zero) if zero else []
            texts = {"TUNIT": spelt(column.unit, "fits"), "TUCD": column.ucd, "TCOMM": column.description}
            for key, text in texts.items():
                cards += _card(f"{key}{i}", _ascii(text)) if text else []
        primary = [("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)]
        first = [card for key, value in primary for card in _card(key, value)]
        return _padded(first) + _padded(cards + _card(META_KEY.upper(), self._meta))


def _card(key: str, value: str | float) -> list[str]:
    """A keyword in cards of 80 characters; a long text goes on in CONTINUE cards (FITS Standard 4.0, 4.2.1.2)."""
    if isinstance(value, bool):
        return [f"{key:<8}= {'T' if value else 'F':>20}"]
    if not isinstance(value, str):
        return [f"{key:<8}= {value:>20}"]
    start, left, cards = f"{key:<8}= ", value, []
    while len(left) > 68 or left.endswith("&"):
        cards.append(f"{start}'{left[:67]}&'")
        start, left = "CONTINUE  ", left[67:]
    return [*cards, f"{start}'{left:<8}'"]


def _ascii(text: str) -> str:
    """A text for a header: ASCII, on one line, and ` for ', which astropy misreads before a blank or a slash."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode().replace("'", "`")


def _padded(cards: list[str]) -> str:
    text = "".join(f"{card:<80}" for card in [*cards, "END"])
    return text + " " * (-len(text) % BLOCK)


def _stored(values: np.ndarray) -> np.ndarray:
    """Values as a FITS record holds them, but for the byte order."""
    if values.dtype.kind == "b":
        return np.where(values, ord("T"), ord("F")).astype(np.uint8)
    if values.dtype.str[1:] in _OFFSET_CODES:
        return _flip_sign(values)
    return values
