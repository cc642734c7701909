"""Star-formation rates of MPA-JHU (Brinchmann et al. 2004, MNRAS 351, 1151; Salim et al. 2007 outside the fibre).

The DR7 release is files with a row for each of 927,552 spectra, all in one order: gal_info says whose a row is (plate,
MJD, fibre), gal_totsfr and gal_fibsfr have eight statistics of the distribution of log SFR, M_sun / yr, of the whole
galaxy and of what is in the fibre. SkyServer's table galSpecExtra has six of the eight: neither mean nor mode.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from galprism.archives.client import Client, Unsound, sound
from galprism.archives.skyserver import SkyServer
from galprism.archives.whole_fits import check_whole
from galprism.data.tables import open_table
from galprism.data.tables.writing import to_disk
from galprism.errors import GalprismError, RequestError

STATISTICS = ("AVG", "ENTROPY", "MEDIAN", "MODE", "P16", "P2P5", "P84", "P97P5")
ORDERED = ("P2P5", "P16", "MEDIAN", "P84", "P97P5")
"""Each is at most the next."""
APERTURES = ("tot", "fib")
PATH = "SDSS/DR7/Data/{name}.gz"
FILES = {
    "info": "gal_info_dr7_v5_2.fit",
    "tot": "gal_totsfr_dr7_v5_2.fits",
    "fib": "gal_fibsfr_dr7_v5_2.fits",
}
FIBER = ("PLATEID", "MJD", "FIBERID")
NONE_BELOW = -90.0
"""Of log SFR: -99, -99.9 and -9999 mean that there is no value. The entropy is below zero nowhere near it."""
IN_SKYSERVER = {"ENTROPY": "entropy", "MEDIAN": "p50", "P16": "p16", "P2P5": "p2p5", "P84": "p84", "P97P5": "p97p5"}
"""Columns of galSpecExtra, behind sfr_tot_ and sfr_fib_."""
Rates = dict[str, float]
"""By statistic; NaN where there is none."""


def checked(raw: Mapping[str, Any]) -> tuple[Rates, str]:
    """The eight statistics, and what is wrong with them; empty where nothing is.

    A sign of no value becomes NaN. Where the quantiles are out of order nobody knows which of them is wrong, and all
    eight become NaN.
    """
    values = {name: float(raw.get(name, np.nan)) for name in STATISTICS}
    rates = {name: v if np.isfinite(v) and v > NONE_BELOW else np.nan for name, v in values.items()}
    if all(np.isnan(rates[name]) for name in ORDERED):
        return dict.fromkeys(STATISTICS, np.nan), "MPA-JHU has no rate"
    known = [(name, rates[name]) for name in ORDERED if np.isfinite(rates[name])]
    for (lower, low), (upper, high) in pairwise(known):
        if low > high:
            why = f"statistics out of order, {lower} = {low:.3f} > {upper} = {high:.3f}"
            return dict.fromkeys(STATISTICS, np.nan), why
    without = [name for name in raw if name in STATISTICS and np.isnan(rates[name])]
    return rates, f"MPA-JHU has no {', '.join(without)}" if without else ""


class MpaJhu:
    """The files of the release, fetched when they are first needed into `folder`, and kept there unpacked."""

    def __init__(self, client: Client, url: str, folder: Path) -> None:
        self.client, self.url, self.folder = client, url, folder

    def rates(self, fibers: Sequence[tuple[int, int, int]], aperture: str) -> list[tuple[Rates, str]]:
        """Statistics of spectra (plate, MJD, fibre), of all the galaxy (tot) or of what is in the fibre (fib), and what
        is wrong with them. Raises Unavailable where the files do not come, and GalprismError where they do not fit
        together."""
        info, table = open_table(self._file("info")), open_table(self._file(aperture))
        if info.n_rows != table.n_rows:
            raise GalprismError(f"{table.path}: has {table.n_rows} rows, {info.path} {info.n_rows}; delete both")
        rows = _rows_of(info.read(FIBER), fibers)
        there = {name: next((c for c in table.columns if c.upper() == name), None) for name in STATISTICS}
        lacking = [name for name, column in there.items() if column is None]
        if lacking:
            raise RequestError(f"{table.path}: lacks {', '.join(lacking)}; it has {', '.join(table.columns)}")
        read = table.read([column for column in there.values() if column])
        found = []
        for row in rows:
            if row < 0:
                found.append((dict.fromkeys(STATISTICS, np.nan), "MPA-JHU has no such spectrum"))
            else:
                found.append(checked({name: read[column][row] for name, column in there.items() if column}))
        return found

    def _file(self, key: str) -> Path:
        """The unpacked file, fetched anew where what is there is not the whole of it."""
        path = self.folder / FILES[key]
        if not sound(path, check_whole):
            packed = path.with_name(f"{path.name}.gz")
            self.client.download(f"{self.url}/{PATH.format(name=path.name)}", packed, _check_packed)
            part = path.with_name(f"{path.name}.part")
            with gzip.open(packed) as source, open(part, "wb") as file:
                shutil.copyfileobj(source, file, 2**20)
            to_disk(part)
            os.replace(part, path)
            packed.unlink()
        return path


def rates_of_skyserver(skyserver: SkyServer, specobj_ids: Sequence[str], aperture: str) -> list[tuple[Rates, str]]:
    """What galSpecExtra has of the spectra; mean and mode are NaN. Raises Unavailable where SkyServer fails."""
    columns = ",".join(f"sfr_{aperture}_{name}" for name in IN_SKYSERVER.values())
    rows: dict[str, Mapping[str, Any]] = {}
    unique = list(dict.fromkeys(specobj_ids))
    conditions = [f"specObjID={ident}" for ident in unique]
    for sql, _ in skyserver.batches(f"SELECT specObjID,{columns} FROM galSpecExtra WHERE", conditions):
        rows |= {str(row["specObjID"]): row for row in skyserver.rows(sql)}
    found = []
    for ident in specobj_ids:
        if ident not in rows:
            found.append((dict.fromkeys(STATISTICS, np.nan), "MPA-JHU has no such spectrum"))
        else:
            row = {name: rows[ident].get(f"sfr_{aperture}_{c}") for name, c in IN_SKYSERVER.items()}
            found.append(checked({name: np.nan if value is None else value for name, value in row.items()}))
    return found


def _rows_of(info: Mapping[str, np.ndarray], fibers: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """(N,), the row of each spectrum; -1 where there is none."""
    keys = _key(*(info[name].astype(np.int64) for name in FIBER))
    wanted = _key(*np.array(fibers, np.int64).reshape(-1, 3).T)
    order = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), max(len(keys) - 1, 0))
    rows = order[place]
    return np.where(keys[rows] == wanted, rows, -1)


def _key(plate: np.ndarray, mjd: np.ndarray, fiber: np.ndarray) -> np.ndarray:
    return (plate * 100_000 + mjd) * 10_000 + fiber


def _check_packed(path: Path) -> None:
    """Raises Unsound where a file does not unpack to its end, which its checksum tells."""
    try:
        with gzip.open(path) as file:
            first = file.read(2**20)
            while file.read(2**20):
                pass
    except (OSError, EOFError) as error:
        raise Unsound("is no gzip file, or not the whole of one") from error
    if not first.startswith(b"SIMPLE"):
        raise Unsound("is no FITS file")
