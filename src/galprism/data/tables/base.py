"""The one interface behind which every format of table stands."""

from __future__ import annotations

import csv
import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.utils.exceptions import AstropyWarning

from galprism.data.tables.columns import ColumnInfo, masked, pick_columns
from galprism.errors import RequestError

BATCH_ROWS = 65_536

META_KEY = "galprism"
"""Under this name every format carries what galprism says of the table as a whole, as one JSON text."""
FITS_BLOCK = 2880
"""bytes, of which a FITS file has whole ones (FITS standard 4.0, Sect. 3.1)."""
PASSBANDS = "passbands"
"""In the metadata of a table: which passband each band is, by its name in a library or in the SVO."""

Batch = dict[str, np.ndarray]
"""Column name to (n,) or (n, k) array, native byte order."""


class TableReader(ABC):
    """A table on disk: what it holds, and its rows in batches.

    It keeps no file open between calls: every pass over the rows opens the file afresh, so several may run at once.
    """

    path: Path
    columns: dict[str, ColumnInfo]
    """By name, in the file's order and case."""
    n_rows: int
    meta: dict[str, Any]
    """What galprism wrote beside the columns; empty in other people's files."""
    _masks: dict[str, ColumnInfo]
    """By column, another that is true where it has no value: how astropy stores masked columns. Not in `columns`."""

    def batches(
        self, columns: Iterable[str] | None = None, size: int = BATCH_ROWS, *, start: int = 0, stop: int | None = None
    ) -> Iterator[Batch]:
        """The rows from `start` up to `stop`, in order, in batches of `size` rows (the last may be shorter).

        Missing values are NaN in float columns; an integer or boolean column that has a null anywhere is float64
        with NaN in every batch; a null text is empty. An empty table gives no batch. Arrays may be read-only.

        Raises RequestError for a column that is not here, or where the file turns out to be damaged.
        """
        picked = pick_columns(self.path, self.columns, columns)
        if size < 1:
            raise RequestError(f"batch size {size} is not accepted; it must be at least 1")
        stop = self.n_rows if stop is None else min(stop, self.n_rows)
        return self._guarded(picked, size, max(start, 0), stop)

    def read(self, columns: Iterable[str] | None = None) -> Batch:
        """The whole of the columns, in memory."""
        picked = pick_columns(self.path, self.columns, columns)
        parts = list(self.batches([column.name for column in picked]))
        if not parts:
            return {column.name: np.empty((0, *column.shape), column.dtype) for column in picked}
        if len(parts) == 1:
            return parts[0]
        return {column.name: np.concatenate([part[column.name] for part in parts]) for column in picked}

    def _hold(self, columns: Iterable[ColumnInfo], masks: Mapping[str, str] | None = None) -> None:
        """Set `columns`, and aside from them those that are masks (column to mask, by name)."""
        held = {column.name: column for column in columns}
        self._masks = {name: held.pop(mask) for name, mask in (masks or {}).items()}
        self.columns = held

    def _guarded(self, columns: list[ColumnInfo], size: int, start: int, stop: int) -> Iterator[Batch]:
        if start >= stop:
            return
        masks = {column.name: self._masks[column.name] for column in columns if column.name in self._masks}
        rows = self._batches([*columns, *masks.values()], size, start, stop)
        done = start
        while True:
            with readable(self.path):
                batch = next(rows, None)
            if batch is None:
                break
            for name, mask in masks.items():
                batch[name] = masked(self.path, name, batch[name], batch.pop(mask.name))
            done += len(batch[columns[0].name])
            yield batch
        if done < stop:
            raise RequestError(f"{self.path}: the file ends after {done} of {stop} rows; is it truncated?")

    @abstractmethod
    def _batches(self, columns: list[ColumnInfo], size: int, start: int, stop: int) -> Iterator[Batch]:
        """Batches of exactly `size` rows but for the last; start < stop <= n_rows."""

    def __enter__(self) -> TableReader:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


class TableSink(ABC):
    """Where a TableWriter puts rows that it has checked; one a format."""

    @abstractmethod
    def append(self, batch: Batch, n_rows: int) -> None:
        """Add rows: arrays in the columns' order, types and shapes."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the file and close it."""

    @abstractmethod
    def abort(self) -> None:
        """Close what is open; the files are removed by the caller."""


@contextmanager
def readable(path: object) -> Iterator[None]:
    """Turn what the libraries raise on a missing, unreadable or damaged file into a RequestError of one line.

    Their warnings (odd units, keywords outside a standard) are not the user's business; damage is found by checks.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        try:
            yield
        except RequestError:
            raise
        except FileNotFoundError as error:
            raise RequestError(f"{path}: no such file") from error
        except IsADirectoryError as error:
            raise RequestError(f"{path}: is a directory; accepted: one file") from error
        except (
            OSError,
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            EOFError,
            SyntaxError,
            csv.Error,
            pa.ArrowException,
        ) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise RequestError(f"{path}: cannot be read as {kind_of(path)}: {lines[0]}{cut_off(path)}") from error


def cut_off(path: object) -> str:
    """What to say of a FITS file that ends in the middle of a block; nothing of others."""
    if not os.path.isfile(str(path)) or not str(path).lower().endswith((".fits", ".fit")):
        return ""
    size = os.path.getsize(str(path))
    return f"; it is truncated, its {size:,} bytes are not whole blocks of {FITS_BLOCK:,}" if size % FITS_BLOCK else ""


def one_of(path: object, names: Sequence[str], part: str | None) -> int:
    """Which of a file's tables is meant: the only one, or the one that `part` names (or counts, from 1).

    Raises RequestError where there is none, where several could be meant, or where `part` is not among them.
    """
    if not names:
        raise RequestError(f"{path}: there is no table in this file{cut_off(path)}")
    if part is None:
        if len(names) > 1:
            raise RequestError(f"{path}: has {len(names)} tables; say which: {', '.join(f'{path}#{n}' for n in names)}")
        return 0
    if part in names:
        return list(names).index(part)
    raise RequestError(f"{path}: has no table {part!r}; it has {', '.join(names)}")


def kind_of(path: object) -> str:
    """What a file calls itself: its suffix."""
    name = Path(str(path)).name
    return name[name.find(".") :] if "." in name else name


def rebatch(parts: Iterable[Batch], size: int) -> Iterator[Batch]:
    """The same rows in batches of exactly `size`, the last excepted."""
    held: list[Batch] = []
    n_held = 0
    for part in parts:
        n_part = len(next(iter(part.values()), ()))
        at = 0
        while n_held + n_part - at >= size:
            take = size - n_held
            held.append({name: values[at : at + take] for name, values in part.items()})
            yield joined(held)
            held, n_held, at = [], 0, at + take
        if at < n_part:
            held.append({name: values[at:] for name, values in part.items()} if at else part)
            n_held += n_part - at
    if held:
        yield joined(held)


def joined(parts: list[Batch]) -> Batch:
    """Batches end to end."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
