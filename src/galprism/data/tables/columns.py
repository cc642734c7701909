"""What a column is, and the checks that hold for every format."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from galprism.errors import RequestError

EXACT_IN_FLOAT64 = 2**53
"""Integers up to this survive float64; beyond it a null cannot be told apart without losing digits."""


@dataclass(frozen=True)
class ColumnInfo:
    """A column of a table."""

    name: str
    unit: str | None = None
    """As the file spells it, or as astropy does; None when there is none."""
    dtype: np.dtype = np.dtype(np.float64)  # noqa: RUF009
    """Of one element, native byte order, as stored; `U` for text (with a width where the format fixes one),
    `O` for values that are not read (lists of varying length, structures)."""
    description: str = ""
    ucd: str = ""
    shape: tuple[int, ...] = ()
    """Of one row: () for a scalar, (k,) for a vector."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", np.dtype(self.dtype).newbyteorder("="))
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))


def spelt(unit: str | None, standard: str) -> str | None:
    """A unit in the spelling of a standard that astropy knows (cds, fits), or as given where that has none for it."""
    if not unit:
        return None
    try:
        return u.Unit(unit).to_string(standard)
    except (ValueError, TypeError):
        return unit


def pick_columns(path: object, columns: Mapping[str, ColumnInfo], names: Iterable[str] | None) -> list[ColumnInfo]:
    """The columns of `names`, or all of them. Raises RequestError, naming those that come close, for one not here."""
    if names is None:
        return list(columns.values())
    picked = []
    for name in names:
        if name not in columns:
            near = [c for c in columns if c.lower() == name.lower()] or difflib.get_close_matches(name, columns, n=3)
            listed = list(columns)[:30]
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {', '.join(listed) or 'none'}"
            more = f" and {len(columns) - len(listed)} more" if not near and len(columns) > len(listed) else ""
            raise RequestError(f"{path}: no column {name!r}; {hint}{more}")
        if columns[name].dtype.kind == "O":
            raise RequestError(
                f"{path}: column {name!r} holds lists of varying length or structures; "
                "accepted: numbers, text, true/false, and vectors of one length"
            )
        picked.append(columns[name])
    if not picked:
        raise RequestError(f"{path}: no column was asked for")
    return picked


def check_writable_columns(path: object, columns: Sequence[ColumnInfo]) -> None:
    """Raises RequestError for columns that not every format can hold."""
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RequestError(f"{path}: column {', '.join(map(repr, twice))} is given twice")
    if not names:
        raise RequestError(f"{path}: a table needs at least one column")
    for column in columns:
        if not column.name or column.name != column.name.strip() or not column.name.isprintable():
            raise RequestError(f"{path}: {column.name!r} cannot name a column; accepted: printable text")
        if column.dtype.kind not in "biufU" or column.dtype in (np.float16, np.longdouble):
            raise RequestError(
                f"{path}: column {column.name!r} has type {column.dtype}; "
                "accepted: bool, integers, float32, float64, text"
            )
        if len(column.shape) > 1 or (column.shape and column.dtype.kind == "U"):
            raise RequestError(
                f"{path}: column {column.name!r} has rows of shape {column.shape} and type {column.dtype}; "
                "accepted: scalars, and vectors of numbers"
            )


def as_text(values: np.ndarray) -> np.ndarray:
    """(N,) of str or bytes (UTF-8, else Latin-1), None counting as empty, as a native `U` array."""
    values = np.asarray(values)
    if values.dtype.kind == "U":
        return values
    if values.dtype.kind == "S":
        try:
            return values.astype(str)  # ASCII
        except UnicodeDecodeError:
            pass
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            return np.char.decode(values, "latin-1")
    text = [v.decode("utf-8", "replace") if isinstance(v, bytes) else "" if v is None else str(v) for v in values.flat]
    return np.array(text, dtype=str).reshape(values.shape)


def nulls_to_nan(path: object, name: str, values: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Integers or booleans as float64 with NaN where `null`.

    Raises RequestError where that would change an integer: beyond 2^53 float64 has gaps.
    """
    if values.dtype.kind in "iu":
        known = values[~null]
        if known.size and (int(known.max()) > EXACT_IN_FLOAT64 or int(known.min()) < -EXACT_IN_FLOAT64):
            raise RequestError(
                f"{path}: column {name!r} has nulls among integers beyond 2^53, which no float can hold beside NaN; "
                "accepted: the same column without nulls, or as text"
            )
    result = values.astype(np.float64)
    result[null] = np.nan
    return result


def masked(path: object, name: str, values: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Values with what is missing as NaN, or as empty text."""
    if values.dtype.kind == "U":
        return np.where(null, "", values)
    if values.dtype.kind in "iub":
        return nulls_to_nan(path, name, values, null)
    return np.where(null, np.nan, values).astype(values.dtype)


def checked_batch(
    path: object, columns: Sequence[ColumnInfo], batch: Mapping[str, np.ndarray]
) -> tuple[int, dict[str, np.ndarray]]:
    """The number of rows, and the batch in the columns' own order, types and shapes.

    Raises RequestError for a column too many or too few, rows that differ in number, a type that would lose values.
    """
    expected = [column.name for column in columns]
    if set(batch) != set(expected):
        odd = sorted(set(batch) ^ set(expected))
        raise RequestError(f"{path}: the batch and the table's columns differ in {', '.join(map(repr, odd))}")
    n_rows = len(batch[expected[0]])
    checked = {}
    for column in columns:
        values = batch[column.name]
        if isinstance(values, np.ma.MaskedArray):
            values = np.ma.filled(values.astype(np.float64), np.nan) if np.ma.is_masked(values) else values.data
        values = as_text(values) if column.dtype.kind == "U" else np.asarray(values)
        if values.shape != (n_rows, *column.shape):
            raise RequestError(
                f"{path}: column {column.name!r} has shape {values.shape}; expected {(n_rows, *column.shape)}"
            )
        if column.dtype.kind != "U":
            if not np.can_cast(values.dtype, column.dtype, casting="same_kind"):
                raise RequestError(
                    f"{path}: column {column.name!r} is {values.dtype} in this batch; the table holds {column.dtype}"
                )
            values = values.astype(column.dtype, copy=False)
        checked[column.name] = values
    return n_rows, checked
