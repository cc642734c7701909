"""Which format a file is in: its suffix says."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from galprism.data.tables.base import TableReader, TableSink, readable
from galprism.data.tables.columns import ColumnInfo
from galprism.data.tables.csv import CSVReader, CSVSink
from galprism.data.tables.ecsv import ECSVReader, ECSVSink
from galprism.data.tables.fits import FITSReader, FITSSink
from galprism.data.tables.hdf5 import HDF5Reader, HDF5Sink
from galprism.data.tables.parquet import ParquetReader, ParquetSink
from galprism.data.tables.votable import VOTableReader, VOTableSink
from galprism.errors import RequestError


@dataclass(frozen=True)
class Format:
    """A format: its name, its suffixes, and who reads and writes it."""

    name: str
    suffixes: tuple[str, ...]
    reader: Callable[[Path, str | None], TableReader]
    sink: Callable[[Path, Sequence[ColumnInfo], int, str], TableSink]


PICTURES = (".jpg", ".jpeg", ".png")
FORMATS = (
    Format("FITS", (".fits", ".fits.gz", ".fit", ".fit.gz"), FITSReader, FITSSink),
    Format("Parquet", (".parquet", ".parq"), ParquetReader, ParquetSink),
    Format("VOTable", (".vot", ".votable", ".xml"), VOTableReader, VOTableSink),
    Format("ECSV", (".ecsv",), ECSVReader, ECSVSink),
    Format("CSV", (".csv",), CSVReader, CSVSink),
    Format("HDF5", (".hdf5", ".h5", ".hdf"), HDF5Reader, HDF5Sink),
)


def format_of(path: Path) -> Format:
    """The format of a path. Raises RequestError, naming the suffixes, where its suffix is not one."""
    name = path.name.lower()
    for candidate in FORMATS:
        if name.endswith(candidate.suffixes):
            return candidate
    known = ", ".join(suffix for candidate in FORMATS for suffix in candidate.suffixes)
    if name.endswith(PICTURES):
        raise RequestError(
            f"{path}: a picture is no table; accepted: {known}. Pictures go into a file of cutouts first "
            "(galprism.data.pictures.read_jpegs and galprism.data.cutout_file.CutoutWriter), and hold no fluxes: "
            "only the published networks of pictures take them"
        )
    raise RequestError(f"{path}: no table format ends like this; accepted: {known}")


def open_table(path: str | os.PathLike[str]) -> TableReader:
    """A reader of the table in a file, in the format of its suffix.

    A file with several tables is refused unless one is named behind a `#`: `catalogue.fits#2`, `run.hdf5#group/table`.

    Raises RequestError where the file is missing, is a directory, has an unknown suffix or cannot be read.
    """
    path, part = Path(path), None
    with readable(path):
        if "#" in str(path) and not path.exists():
            name, _, part = str(path).partition("#")
            path = Path(name)
        if path.is_dir():
            raise RequestError(f"{path}: is a directory; a table must be one file")
        if not path.exists():
            raise RequestError(f"{path}: no such file")
    return format_of(path).reader(path, part)
