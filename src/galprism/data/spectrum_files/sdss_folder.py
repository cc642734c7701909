"""Writing spectra as SDSS keeps them, a file each in one folder: what every tool for SDSS's spectra reads."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from galprism.data.blocks import check_shape
from galprism.data.spectra import Spectra
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL, start_of
from galprism.data.tables.writing import check_place, to_disk, work_folder
from galprism.errors import RequestError


class SdssFolderWriter:
    """A new folder of files ID.fits in the layout of galprism.data.spectrum_files.sdss, written batch by batch.

    A context manager. The folder appears under its name when the block ends without an exception; otherwise nothing is
    left. `provenance` is anything that JSON holds, and stands in every file. Ids are the names of files, and so those
    of the spectra once they are read.

    Raises RequestError before any work where the folder stands already and is not empty, or cannot be made.
    """

    def __init__(self, path: str | os.PathLike[str], provenance: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        if not self.path.exists():
            check_place(self.path)
        elif not self.path.is_dir() or any(self.path.iterdir()):
            raise RequestError(f"{self.path}: is there already, and not empty; accepted: a new folder for the spectra")
        self._provenance = json.dumps(dict(provenance or {}))
        self._folder: Path | None = None

    def __enter__(self) -> SdssFolderWriter:
        self._folder = work_folder(self.path)
        return self

    def write(
        self,
        ids: np.ndarray,
        spectra: Spectra,
        redshift: np.ndarray,
        *,
        ra: np.ndarray | None = None,
        dec: np.ndarray | None = None,
    ) -> None:
        """Add the spectra of galaxies `ids` (N,) of redshifts (N,), and where they are, deg.

        Raises RequestError where they are not as many, an id came before, or pixels are not SDSS's.
        """
        if self._folder is None:
            raise RequestError(f"{self.path}: the folder is not open; use `with SdssFolderWriter(...) as writer`")
        n, first = len(spectra), start_of(spectra.wave)
        if first is None:
            raise RequestError(f"spectra of {spectra.described()}; accepted: SDSS's pixels, 1e-4 apart in log10")
        unknown = np.full(n, np.nan)
        said = {"Z": redshift, "PLUG_RA": unknown if ra is None else ra, "PLUG_DEC": unknown if dec is None else dec}
        for name, column in {"ids": ids, **said}.items():
            check_shape("spectra", name, np.asarray(column), (n,))
        loglam = (DEX_PER_PIXEL * (first + np.arange(len(spectra.wave)))).astype(np.float32)
        wdisp = spectra.lsf_of_each() / (DEX_PER_PIXEL * np.log(10.0) * spectra.wave)
        for row, ident in enumerate(np.asarray(ids).tolist()):
            path = self._folder / f"{ident}.fits"
            if path.exists():
                raise RequestError(f"{self.path}: id {ident} was given more than once")
            pixels = {
                "flux": spectra.flux[row],
                "loglam": loglam,
                "ivar": spectra.ivar[row],
                "and_mask": np.zeros(len(loglam), np.int32),
                "wdisp": wdisp[row].astype(np.float32),
            }
            found = {name: float(column[row]) for name, column in said.items()}
            _file(pixels, found, self._provenance).writeto(path)

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        folder, self._folder = self._folder, None
        assert folder is not None
        if kind is not None:
            shutil.rmtree(folder)
            return
        to_disk(folder)
        os.replace(folder, self.path)
        to_disk(self.path.parent)


def _file(pixels: dict[str, np.ndarray], found: dict[str, float], provenance: str) -> fits.HDUList:
    """Spectra without data have a median S/N of 0."""
    primary = fits.PrimaryHDU()
    primary.header["VACUUM"] = True
    primary.header.add_history(provenance)
    there = pixels["ivar"] > 0
    sn = float(np.median((pixels["flux"] * np.sqrt(pixels["ivar"]))[there])) if there.any() else 0.0
    columns = [
        fits.Column(name, "J" if array.dtype.kind == "i" else "E", array=array) for name, array in pixels.items()
    ]
    row = [fits.Column(name, "D", array=[value]) for name, value in (found | {"SN_MEDIAN_ALL": sn}).items()]
    row += [fits.Column("ZWARNING", "J", array=[0]), fits.Column("CLASS", "6A", array=["GALAXY"])]
    return fits.HDUList(
        [
            primary,
            fits.BinTableHDU.from_columns(columns, name="COADD"),
            fits.BinTableHDU.from_columns(row, name="SPECOBJ"),
        ]
    )
