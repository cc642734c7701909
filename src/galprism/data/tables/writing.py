"""Writing a table: whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from galprism.data.tables.base import TableSink
from galprism.data.tables.columns import ColumnInfo, check_writable_columns, checked_batch
from galprism.data.tables.formats import format_of
from galprism.errors import RequestError


def check_writable(path: str | os.PathLike[str], reads: Iterable[str | os.PathLike[str]] = ()) -> Path:
    """The path, when a table can be written there; asked before any work is done.

    reads : files that the table is made from; it must not take the place of one of them.

    Raises RequestError for an unknown suffix, and as `check_place` does.
    """
    format_of(Path(path))
    return check_place(path, reads)


def check_place(path: str | os.PathLike[str], reads: Iterable[str | os.PathLike[str]] = ()) -> Path:
    """The path, when a file of any kind can be written there.

    Raises RequestError for a directory, a folder that is missing or does not take files, and as `check_apart` does.
    """
    path = Path(path)
    try:
        check_apart(path, reads)
        if path.is_dir():
            raise RequestError(f"{path}: is a directory; the output must be a file")
        if not path.parent.is_dir():
            raise RequestError(f"{path}: there is no folder {path.parent}; make it first")
        work_folder(path).rmdir()
    except OSError as error:
        raise RequestError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def check_apart(path: str | os.PathLike[str], reads: Iterable[str | os.PathLike[str]]) -> None:
    """Raises RequestError where writing `path` would replace, or add to, one of the files and folders in `reads`: it is
    one of them, lies in one or is a file of one, or is a folder with one in it; through links too."""
    path = Path(path)
    for other in map(Path, reads):
        if not other.exists():
            continue
        if path.exists() and path.samefile(other):
            raise RequestError(f"{path}: is what is read; the output must be another file")
        if other.is_dir() and (_is_in(path, other) or _is_a_file_of(other, path)):
            raise RequestError(f"{path}: lies in {other}, all of which is read; the output must be elsewhere")
        if path.is_dir() and any(above.samefile(path) for above in other.absolute().parents):
            raise RequestError(f"{path}: holds {other}, which is read; the output must be elsewhere")


def _is_in(path: Path, folder: Path) -> bool:
    return path.parent.is_dir() and path.parent.samefile(folder)


def _is_a_file_of(folder: Path, path: Path) -> bool:
    if not path.is_file():
        return False
    with os.scandir(folder) as entries:
        return any(entry.is_file() and path.samefile(entry.path) for entry in entries)


def work_folder(path: Path) -> Path:
    """A new hidden folder beside `path`, hence on the same disk, for what is not complete yet."""
    folder = path.parent / f".{path.name[:40]}.{secrets.token_hex(4)}.part"
    folder.mkdir()
    return folder


def write_whole(path: Path, content: bytes) -> None:
    """A file of these bytes, whole or not at all. Raises OSError where the disk does not take them."""
    folder = work_folder(path)
    try:
        part = folder / path.name
        part.write_bytes(content)
        to_disk(part)
        os.replace(part, path)
        to_disk(path.parent)
    finally:
        shutil.rmtree(folder)


class TableWriter:
    """A table of `n_rows` rows written batch by batch, in the format of the path's suffix.

    A context manager. The file appears under its name when the block ends without an exception and every row came;
    otherwise nothing is left, and a file that stood there before is untouched. NaN is written as NaN in every format
    but CSV, where the cell is empty. `meta` is anything that JSON holds and is read back by open_table.

    Raises RequestError before any work where the path or the columns cannot be written (see check_writable).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        columns: Sequence[ColumnInfo],
        n_rows: int,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = check_writable(path)
        self.columns = list(columns)
        self.n_rows = int(n_rows)
        check_writable_columns(self.path, self.columns)
        self._meta = _json(dict(meta or {}))
        self._sink: TableSink | None = None
        self._done = 0

    def __enter__(self) -> TableWriter:
        self._folder = work_folder(self.path)
        self._file = self._folder / self.path.name
        with ExitStack() as undone:
            undone.callback(shutil.rmtree, self._folder)
            self._sink = format_of(self.path).sink(self._file, self.columns, self.n_rows, self._meta)
            undone.pop_all()
        return self

    def write(self, batch: Mapping[str, np.ndarray]) -> None:
        """Add rows. Raises RequestError where they do not fit the columns or are more than `n_rows`."""
        if self._sink is None:
            raise RequestError(f"{self.path}: the table is not open; use `with TableWriter(...) as writer`")
        n, checked = checked_batch(self.path, self.columns, batch)
        if self._done + n > self.n_rows:
            raise RequestError(f"{self.path}: {self._done + n} rows were given; {self.n_rows} were announced")
        if n:
            self._sink.append(checked, n)
        self._done += n

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        sink, self._sink = self._sink, None
        assert sink is not None
        try:
            if kind is not None:
                sink.abort()
                return
            if self._done != self.n_rows:
                sink.abort()
                raise RequestError(f"{self.path}: {self._done} rows were given; {self.n_rows} were announced")
            sink.finish()
            to_disk(self._file)
            os.replace(self._file, self.path)
            to_disk(self.path.parent)
        finally:
            shutil.rmtree(self._folder)


def _json(meta: dict[str, Any]) -> str:
    """JSON in plain letters alone: astropy trips over quotes in a FITS card and escapes the rest twice in a VOTable."""
    text = json.dumps(meta)
    for character in "'&<>":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def to_disk(path: Path) -> None:
    """Wait until a file, or the list of files of a folder, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_table(
    path: str | os.PathLike[str],
    columns: Mapping[str, np.ndarray],
    *,
    infos: Mapping[str, ColumnInfo] | None = None,
    units: Mapping[str, str] | None = None,
    descriptions: Mapping[str, str] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write arrays, (N,) or (N, k) each, as one table; `infos`, or units and descriptions by column, describe them."""
    infos, units, descriptions = infos or {}, units or {}, descriptions or {}
    arrays = {name: np.asanyarray(values) for name, values in columns.items()}
    described = [
        infos.get(name)
        or ColumnInfo(
            name,
            units.get(name),
            _writable_dtype(values),
            descriptions.get(name, ""),
            shape=values.shape[1:],
        )
        for name, values in arrays.items()
    ]
    n_rows = len(next(iter(arrays.values()), ()))
    with TableWriter(path, described, n_rows, meta) as writer:
        writer.write(arrays)


def _writable_dtype(values: np.ndarray) -> np.dtype:
    if np.ma.is_masked(values) and values.dtype.kind in "iub":
        return np.dtype(np.float64)
    if values.dtype == np.float16:
        return np.dtype(np.float32)
    return np.dtype(str) if values.dtype.kind in "SO" else values.dtype
