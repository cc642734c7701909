"""The table of what was asked of SDSS and what was got: a row for each object of the list, in its order.

Its photometry stands in columns that `galprism.surveys.read(…, "sdss")` reads, and its ids are those of the spectra
and cutouts, so that it is the catalogue to which they are put.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from galprism.archives.mpa_jhu import APERTURES, STATISTICS
from galprism.archives.sdss import Got
from galprism.archives.sdss_objects import BANDS, BY_BAND, Found
from galprism.data.tables import TableWriter
from galprism.data.tables.columns import ColumnInfo

NUMBERS: dict[str, tuple[str, Callable[[Found], float], str]] = {
    "ra": ("deg", lambda found: found.ra, "ICRS, of the fibre, else of the source in the images"),
    "dec": ("deg", lambda found: found.dec, "ICRS"),
    "separation": ("arcsec", lambda found: found.separation, "from where it was asked for"),
    "redshift": ("", lambda found: found.redshift, "of the spectrum, by SDSS's pipeline"),
    "redshift_err": ("", lambda found: found.redshift_err, "its 1 sigma error; negative where the fit failed"),
    "zwarning": ("", lambda found: found.zwarning, "bits of what is wrong with the redshift; 0 for nothing"),
}
TEXTS: dict[str, tuple[Callable[[Found], str], str]] = {
    "class": (lambda found: found.spectral_class, "GALAXY, QSO or STAR, by the spectrum"),
    "specobj_id": (lambda found: found.specobj_id, "SDSS's id of the spectrum"),
    "run2d": (lambda found: found.run2d, "version of the spectrum's reduction"),
    "photoobj_id": (lambda found: found.photoobj_id, "SDSS's id of the source in the images (objID)"),
}
UNITS = {"modelFlux": "nanomaggy", "modelFluxIvar": "1/nanomaggy^2", "extinction": "mag", "psfWidth": "arcsec"}
OF_FLUXES = {
    "modelFlux": "model flux as observed",
    "modelFluxIvar": "its inverse variance",
    "extinction": "Galactic extinction",
    "psfWidth": "FWHM of the field's point-spread function",
}
OF_RATES = "of the distribution of log SFR (M_sun/yr) by MPA-JHU, {}; Kroupa IMF"
RATES = "star-formation rates"
"""Under this word the metadata say which of SOURCES they are from."""
SOURCES = {"mpa-jhu": "MPA-JHU, SDSS DR7 v5.2", "skyserver": "galSpecExtra of SkyServer, SDSS DR8"}
APERTURE = {"tot": "of the whole galaxy", "fib": "within the fibre"}


def columns_of(got: Sequence[Got], kinds: Collection[str]) -> tuple[dict[str, np.ndarray], list[ColumnInfo]]:
    """The columns, (N,) each, and how each is described; `kinds` : of galprism.archives.sdss.KINDS."""
    arrays: dict[str, np.ndarray] = {}
    infos: list[ColumnInfo] = []

    def add(name: str, values: Any, dtype: Any, description: str, unit: str = "") -> None:
        arrays[name] = np.array(values, dtype)
        infos.append(ColumnInfo(name, unit or None, np.dtype(dtype), description))

    found = [one.found for one in got]
    ids = [_asked_id(each) if each.found is None else each.found.id for each in got]
    add("id", ids, str, "PLATE-MJD-FIBER, else objID, else as asked")
    add("asked", [one.asked.by for one in got], str, "what it was asked for by")
    add("asked_id", [one.asked.id for one in got], str, "its id in the list")
    for name, (unit, value, text) in NUMBERS.items():
        add(name, [np.nan if one is None else value(one) for one in found], np.float64, text, unit)
    for name, (spelt, text) in TEXTS.items():
        add(name, ["" if one is None else spelt(one) for one in found], str, text)
    if "photometry" in kinds:
        unknown = np.full(len(BANDS), np.nan)
        for name in BY_BAND:
            by_band = [unknown if one is None else one.photometry[name] for one in found]
            values = np.array(by_band).reshape(-1, len(BANDS))
            for k, band in enumerate(BANDS):
                add(f"{name}_{band}", values[:, k], np.float64, f"{OF_FLUXES[name]}, {band}", UNITS[name])
    if "sfr" in kinds:
        for aperture in APERTURES:
            for name in STATISTICS:
                rates = [one.rates.get(aperture, {}).get(name, np.nan) for one in got]
                text = f"{name} {OF_RATES.format(APERTURE[aperture])}"
                add(f"sfr_{aperture}_{name.lower()}", rates, np.float64, text)
    if "spectra" in kinds:
        add("spectrum", [one.spectrum for one in got], bool, "there is a file of its spectrum")
    if "cutouts" in kinds:
        add("cutouts", [one.cutouts for one in got], str, "bands in which there are cutouts of it")
    add("missing", ["; ".join(one.missing) for one in got], str, "what is not there or was not taken, and why")
    return arrays, infos


def write_objects(path: str | os.PathLike[str], got: Sequence[Got], kinds: Collection[str], sfr: str) -> None:
    """Write the table, whole or not at all; `sfr` : where its rates are from, one of galprism.archives.sdss.SFR."""
    arrays, infos = columns_of(got, kinds)
    about = {"archive": "SDSS DR17"} | ({RATES: SOURCES[sfr]} if "sfr" in kinds else {})
    with TableWriter(path, infos, len(got), about) as writer:
        writer.write(arrays)


def _asked_id(got: Got) -> str:
    return got.asked.id or got.asked.by
