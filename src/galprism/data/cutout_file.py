"""One file of cutouts: HDF5 through h5py.

One file holds as many sources as there are, in chunks, so that it is appended to while they are made and read back a
batch, or a few sources by their ids, at a time; every language of the field reads it, and h5py is needed for tables
already. Its datasets:

    id          (N,)           integers or text
    flux, ivar  (N, B, H, W)   float32, `unit` a pixel and unit^-2, in chunks of about half a MiB
    bands       (B,)           text
    psf_fwhm    (N, B)         float32, arcsec; NaN where not known
    pixel_scale ()             arcsec
    flags       (N,)           uint32, the bits of galprism.flags; a file may lack it

and its attributes `format`, `version`, `unit` (nJy where it is lacking) and `provenance`, JSON of whatever the writer
wants kept. Pixels are compressed
by gzip at its lightest after shuffling their bytes: of 41 x 41 pixels of sky noise and their weights 0.44 of the bytes
remain, written at 8,000 and read at 55,000 cutouts a second on one core. LZF is read three times as fast, but its files
are larger by a sixth and are read by h5py alone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from galprism.data.blocks import check_shape
from galprism.data.cutouts import NJY, Cutouts, fault
from galprism.data.sources import Sources
from galprism.data.tables.base import readable
from galprism.data.tables.ids import comparable, match_each, match_ids
from galprism.data.tables.writing import check_writable, to_disk, work_folder
from galprism.errors import RequestError

FORMAT = "galprism cutouts"
VERSION = 1
SUFFIXES = (".h5", ".hdf5")
CHUNK_BYTES = 2**19
BATCH = 1024
"""Cutouts that are read at a time."""
PIXELS = ("flux", "ivar")
DATASETS = ("id", *PIXELS, "bands", "psf_fwhm", "pixel_scale")


class CutoutWriter:
    """A file of cutouts written batch by batch; bands, size and pixel scale are those of the first batch.

    A context manager. The file appears under its name when the block ends without an exception; otherwise nothing is
    left, and a file that stood there before is untouched. `provenance` is anything that JSON holds.

    Raises RequestError before any work where the path cannot be written; at the end where an id came twice, or none.
    """

    def __init__(self, path: str | os.PathLike[str], provenance: Mapping[str, Any] | None = None) -> None:
        if Path(path).suffix.lower() not in SUFFIXES:
            raise RequestError(f"{path}: a file of cutouts ends in {' or '.join(SUFFIXES)}")
        self.path = check_writable(path)
        self._provenance = json.dumps(dict(provenance or {}))
        self._ids: list[np.ndarray] = []
        self._flags: list[np.ndarray] = []
        self._first: Cutouts | None = None
        self._file: h5py.File | None = None

    def __enter__(self) -> CutoutWriter:
        self._folder = work_folder(self.path)
        self._part = self._folder / self.path.name
        self._file = h5py.File(self._part, "w")
        return self

    def write(self, ids: np.ndarray, cutouts: Cutouts, flags: np.ndarray | None = None) -> None:
        """Add cutouts of the sources `ids` (N,), and what is to be said of them: flags (N,), none where not given.

        Raises RequestError where they are not as many, or differ from the first in bands, size, pixel scale or unit.
        """
        if self._file is None:
            raise RequestError(f"{self.path}: the file is not open; use `with CutoutWriter(...) as writer`")
        ids = np.asarray(ids)
        if ids.shape != (len(cutouts),):
            raise RequestError(f"{self.path}: ids have shape {ids.shape}; expected ({len(cutouts)},), one a cutout")
        flags = np.zeros(ids.shape, np.uint32) if flags is None else np.asarray(flags, np.uint32)
        check_shape("cutouts", "flags", flags, ids.shape)
        if self._first is None:
            self._first = cutouts.take(slice(0, 0))
            _create(self._file, self._first)
        Cutouts.joined([self._first, cutouts.take(slice(0, 0))])  # raises where they differ
        self._ids.append(comparable(ids))
        self._flags.append(flags)
        unknown = np.full(cutouts.flux.shape[:2], np.nan, np.float32)
        fwhm = unknown if cutouts.psf_fwhm is None else cutouts.psf_fwhm
        for name, rows in (("flux", cutouts.flux), ("ivar", cutouts.ivar), ("psf_fwhm", fwhm)):
            dataset = self._file[name]
            dataset.resize(len(dataset) + len(rows), axis=0)
            dataset[len(dataset) - len(rows) :] = rows

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        file, self._file = self._file, None
        assert file is not None
        try:
            with file:
                if kind is None:
                    self._finish(file)
            if kind is None:
                to_disk(self._part)
                os.replace(self._part, self.path)
                to_disk(self.path.parent)
        finally:
            shutil.rmtree(self._folder)

    def _finish(self, file: h5py.File) -> None:
        if not self._ids:
            raise RequestError(f"{self.path}: no cutouts were given")
        ids = np.concatenate(self._ids)
        values, counts = np.unique(ids, return_counts=True)
        if np.any(counts > 1):
            raise RequestError(f"{self.path}: id {values[counts > 1][0]} was given more than once")
        text = ids.dtype.kind == "U"
        file.create_dataset("id", data=ids.astype(object) if text else ids, dtype=h5py.string_dtype() if text else None)
        file.create_dataset("flags", data=np.concatenate(self._flags))
        file.attrs["format"], file.attrs["version"], file.attrs["provenance"] = FORMAT, VERSION, self._provenance


def _create(file: h5py.File, like: Cutouts) -> None:
    shape = like.flux.shape[1:]
    rows = max(1, CHUNK_BYTES // (4 * int(np.prod(shape)) or 1))
    for name in PIXELS:
        file.create_dataset(
            name,
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(rows, *shape),
            dtype=np.float32,
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
    file.create_dataset("psf_fwhm", shape=(0, shape[0]), maxshape=(None, shape[0]), chunks=True, dtype=np.float32)
    file.create_dataset("bands", data=np.array(like.bands, dtype=object), dtype=h5py.string_dtype())
    file.create_dataset("pixel_scale", data=like.pixel_scale)
    file.attrs["unit"] = like.unit


class CutoutFile:
    """A file of cutouts, of which a part is read at a time.

    Raises RequestError where there is no such file, or it is not one of cutouts, lacks a dataset or has one of another
    shape than the others.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.is_file() and not h5py.is_hdf5(self.path):
            raise RequestError(
                f"{self.path}: is not HDF5; accepted: a file of cutouts, as `galprism cutouts` writes it"
            )
        with readable(self.path), h5py.File(self.path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise RequestError(f"{self.path}: is not a file of cutouts; its `format` would be {FORMAT!r}")
            if file.attrs.get("version") != VERSION:
                raise RequestError(f"{self.path}: is of version {file.attrs.get('version')}; accepted: {VERSION}")
            missing = [name for name in DATASETS if name not in file]
            if missing:
                raise RequestError(f"{self.path}: lacks {', '.join(missing)}; it has {', '.join(file) or 'nothing'}")
            self.bands: tuple[str, ...] = tuple(file["bands"].asstr()[:])
            """B names."""
            self.pixel_scale = float(file["pixel_scale"][()])
            """arcsec."""
            ids = file["id"]
            self.id: np.ndarray = ids.asstr()[:].astype(str) if h5py.check_string_dtype(ids.dtype) else ids[:]
            """(N,), integers or text."""
            self.unit = str(file.attrs.get("unit", NJY))
            """A key of galprism.data.cutouts.UNITS."""
            flags = file["flags"][:] if "flags" in file else np.zeros(len(ids), np.uint32)
            self.flags: np.ndarray = flags
            """(N,), uint32, the bits of galprism.flags; zeros where the file has none."""
            self.provenance: dict[str, Any] = json.loads(file.attrs.get("provenance", "{}"))
            for name in (*PIXELS, "psf_fwhm"):
                self._check(name, file[name].shape)
            check_shape(str(self.path), "flags", self.flags, self.id.shape)
            if file["flux"].shape != file["ivar"].shape:
                raise RequestError(f"{self.path}: flux has shape {file['flux'].shape}, ivar {file['ivar'].shape}")
            self.shape: tuple[int, int] = file["flux"].shape[2:]
            """(H, W), pixels."""

    def _check(self, name: str, shape: tuple[int, ...]) -> None:
        expected = (len(self.id), len(self.bands))
        if shape[:2] != expected or len(shape) != (4 if name in PIXELS else 2):
            rest = ", H, W" if name in PIXELS else ""
            raise RequestError(f"{self.path}: {name} has shape {shape}; expected ({expected[0]}, {expected[1]}{rest})")

    def __len__(self) -> int:
        return len(self.id)

    def index(self, ids: np.ndarray | Sequence[Any] | None = None, rows: Any = None) -> np.ndarray:
        """Which rows of the file `ids`, or `rows` (a slice, a mask or integers), are, in the order asked for; or all.

        Raises RequestError where both are given, an id or a row is not in the file, or an id is asked for twice.
        """
        if ids is not None and rows is not None:
            raise RequestError(f"{self.path}: give ids or rows, not both")
        if ids is not None:
            return self._index_of(np.asarray(ids))
        try:
            return np.atleast_1d(np.arange(len(self))[slice(None) if rows is None else rows])
        except IndexError as error:
            raise RequestError(f"{self.path}: has {len(self)} cutouts, not rows {rows!r}") from error

    def read(self, ids: np.ndarray | Sequence[Any] | None = None, rows: Any = None) -> Cutouts:
        """The cutouts of `ids`, or of `rows`, in the order asked for; or all. Raises RequestError as `index` does, and
        for a value that cannot be, naming the source."""
        index = self.index(ids, rows)
        with readable(self.path), h5py.File(self.path, "r") as file:
            flux, ivar, fwhm = (_rows(file[name], index) for name in (*PIXELS, "psf_fwhm"))
        known = None if np.isnan(fwhm).all() else fwhm
        try:
            return Cutouts(flux, ivar, self.bands, self.pixel_scale, known, self.unit)
        except RequestError as error:
            wrong = fault(flux, ivar, known, self.bands)
            said = str(error) if wrong is None else f"id {self.id[index[wrong[0]]]} (row {index[wrong[0]]}): {wrong[1]}"
            raise RequestError(f"{self.path}: {said}") from error

    def batches(self, size: int = BATCH) -> Iterator[tuple[np.ndarray, Cutouts]]:
        """Ids and cutouts from the first to the last, `size` at a time."""
        for start in range(0, len(self), size):
            rows = slice(start, start + size)
            yield self.id[rows], self.read(rows=rows)

    def _index_of(self, ids: np.ndarray) -> np.ndarray:
        match = match_ids(ids, self.id)
        if not match.found.all():
            strangers = ids[~match.found]
            raise RequestError(f"{self.path}: has no cutout of id {strangers[0]} ({len(strangers)} of {len(ids)} ids)")
        if match.repeated.any():
            raise RequestError(f"{self.path}: has several cutouts of id {ids[match.repeated][0]}")
        if len(np.unique(match.index)) != len(ids):
            values, counts = np.unique(ids, return_counts=True)
            raise RequestError(f"{self.path}: id {values[np.argmax(counts)]} was asked for more than once")
        return match.index


def _rows(dataset: h5py.Dataset, index: np.ndarray) -> np.ndarray:
    """Rows in any order. Whole chunks are read, each once, since HDF5 would unpack them for every row alike."""
    first = index[0] if len(index) else 0
    if np.array_equal(index, np.arange(first, first + len(index))):
        return dataset[first : first + len(index)]
    values = np.empty((len(index), *dataset.shape[1:]), dataset.dtype)
    chunk = dataset.chunks[0] if dataset.chunks else BATCH
    order = np.argsort(index, kind="stable")
    numbers, starts = np.unique(index[order] // chunk, return_index=True)
    for number, wanted in zip(numbers, np.split(order, starts[1:]), strict=True):
        block = dataset[number * chunk : (number + 1) * chunk]
        values[wanted] = block[index[wanted] - number * chunk]
    return values


def read_cutouts(
    path: str | os.PathLike[str], ids: np.ndarray | Sequence[Any] | None = None, rows: Any = None
) -> tuple[np.ndarray, Cutouts]:
    """(N,) ids as the file has them and their cutouts: all, or those of `ids` or `rows`, in the order asked for.

    Raises RequestError as CutoutFile and its `index` do.
    """
    file = CutoutFile(path)
    index = file.index(ids, rows)
    return file.id[index], file.read(rows=index)


def with_cutouts(sources: Sources, ids: np.ndarray, cutouts: Cutouts) -> Sources:
    """The sources with the cutouts (M, …) of `ids` (M,), put to them by id; ivar = 0 throughout where one has none.

    Raises RequestError where an id of a source has several cutouts, or ids and cutouts are not as many.
    """
    match = match_each(sources.id, ids, len(cutouts), "cutouts")
    flux, ivar = match.placed(cutouts.flux, 0.0), match.placed(cutouts.ivar, 0.0)
    fwhm = None if cutouts.psf_fwhm is None else match.placed(cutouts.psf_fwhm, np.nan)
    return replace(sources, cutouts=replace(cutouts, flux=flux, ivar=ivar, psf_fwhm=fwhm))
