"""Posteriors of redshifts as an HDF5 file that qp reads (`qp.read`): histograms over the cells of the nodes.

The layout is qp's: `meta` says the kind (hist) and the edges of the bins, `data/pdfs` has a row for each source, and
`ancil/id` says which it is. A row without a posterior is NaN.
"""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np

from galprism.data.tables import check_writable
from galprism.errors import RequestError

COLUMN = "redshift_pdf"
"""Its name among the further columns of predictions, until it is written here."""
SUFFIXES = (".hdf5", ".h5")


def check_redshift_file(path: str | os.PathLike[str], reads: list[str | os.PathLike[str]]) -> Path:
    """The path, when such a file may be written there. Raises RequestError where not."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise RequestError(f"{path}: posteriors of redshifts are written as HDF5; accepted: {', '.join(SUFFIXES)}")
    return check_writable(path, reads=reads)


class RedshiftWriter:
    """Writes posteriors batch by batch; the file is there whole or not at all."""

    def __init__(self, path: Path, redshift: np.ndarray, edges: np.ndarray) -> None:
        """redshift : (Z,), the nodes; edges : (Z + 1,), of their cells."""
        self.path = path
        self.redshift, self.edges = redshift, edges
        self._part = path.with_name(f".{path.name}.part")

    def __enter__(self) -> RedshiftWriter:
        self._file = h5py.File(self._part, "w")
        meta = self._file.create_group("meta")
        meta["pdf_name"] = np.array([b"hist"])
        meta["pdf_version"] = np.array([0])
        meta["bins"] = self.edges[None]
        z = len(self.redshift)
        self._pdfs = self._file.create_dataset(
            "data/pdfs",
            (0, z),
            np.float32,
            maxshape=(None, z),
            chunks=(1024, z),
            compression="gzip",
            compression_opts=1,
        )
        self._ids: list[np.ndarray] = []
        return self

    def write(self, ids: np.ndarray, probability: np.ndarray) -> None:
        """ids : (N,); probability : (N, Z), of the cells; rows that sum to 0 have no posterior."""
        with np.errstate(invalid="ignore", divide="ignore"):
            pdf = probability / probability.sum(axis=1, keepdims=True) / np.diff(self.edges)
        start = self._pdfs.shape[0]
        self._pdfs.resize(start + len(pdf), axis=0)
        self._pdfs[start:] = pdf
        self._ids.append(np.asarray(ids))

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is None:
            ids = np.concatenate(self._ids) if self._ids else np.zeros(0, np.int64)
            self._file["ancil/id"] = np.char.encode(ids.astype(str), "utf-8") if ids.dtype.kind in "UO" else ids
        self._file.close()
        if kind is None:
            os.replace(self._part, self.path)
        else:
            self._part.unlink(missing_ok=True)
