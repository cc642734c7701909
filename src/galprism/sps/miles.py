"""MILES and E-MILES: one FITS file an SSP, everything about it in the file's name (Vazdekis et al. 2010, 2016)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits

from galprism.errors import RequestError
from galprism.sps.imf import IMFS, living_fraction, power_law, surviving_fraction
from galprism.sps.library import SSPLibrary

NAME = re.compile(
    r"(?P<library>[EM])(?P<imf>un|bi|ku|kb|ch)(?P<slope>\d\.\d\d)Z(?P<sign>[mp])(?P<metal>\d\.\d\d)"
    r"T(?P<age>\d\d\.\d{4})(?:_i(?P<isochrones>[TP])p(?P<alpha>\d\.\d\d)_(?P<abundance>\w+))?\.fits"
)
LIBRARIES = {"E": "E-MILES", "M": "MILES"}
ISOCHRONES = {"T": ("BaSTI", 0.0172), "P": ("Padova 2000", 0.019), None: ("Padova 2000", 0.019)}
"""Isochrones, and the solar metallicity that their [M/H] counts from."""


def load_miles(folder: str | Path) -> SSPLibrary:
    """SSPs of one folder, named as the MILES web pages do: Eku1.30Zp0.06T01.0000_iTp0.00_baseFe.fits and the like.

    All files must be of one IMF and one set of isochrones, and make a full grid of ages and metallicities. Masses are
    not in the files: where the IMF is one of ours (Kroupa universal "ku", unimodal "un", Chabrier "ch") they follow
    from it and the stars' lifetimes, otherwise they are NaN. Raises RequestError where the folder is not such a set.
    """
    folder = Path(folder)
    files = {path: match for path in sorted(folder.glob("*.fits")) if (match := NAME.fullmatch(path.name))}
    if not files:
        raise RequestError(f"{folder}: no SSPs here; expected names such as Eku1.30Zp0.06T01.0000_iTp0.00_baseFe.fits")
    for group in ("library", "imf", "slope", "isochrones", "alpha"):
        _one_of(folder, group, (match[group] for match in files.values()))
    first = next(iter(files.values()))
    isochrones, z_sun = ISOCHRONES[first["isochrones"]]

    def place(match: re.Match[str]) -> tuple[float, float]:
        metal = float(match["metal"]) * (-1.0 if match["sign"] == "m" else 1.0)
        return metal, float(match["age"])

    by_place = {place(match): path for path, match in files.items()}
    metals = sorted({metal for metal, _ in by_place})
    ages = sorted({age for _, age in by_place})
    missing = [(m, t) for m in metals for t in ages if (m, t) not in by_place]
    if missing:
        raise RequestError(
            f"{folder}: {len(missing)} SSPs are missing from the grid of {len(metals)} metallicities and {len(ages)} "
            f"ages, the first [M/H] = {missing[0][0]:+.2f}, {missing[0][1]:g} Gyr"
        )
    wave, _ = _spectrum(by_place[metals[0], ages[0]])
    flux = np.empty((len(metals), len(ages), len(wave)), np.float32)
    for i, metal in enumerate(metals):
        for j, age in enumerate(ages):
            own_wave, flux[i, j] = _spectrum(by_place[metal, age], len(wave))
            if own_wave[0] != wave[0] or own_wave[-1] != wave[-1]:
                raise RequestError(f"{by_place[metal, age]}: its wavelengths are not those of the other SSPs")
    z_met = z_sun * 10.0 ** np.array(metals)
    imf = {"ku": IMFS["kroupa"], "ch": IMFS["chabrier"], "un": power_law(1.0 + float(first["slope"]))}.get(first["imf"])
    if imf is None:
        living = surviving = np.full((len(metals), len(ages)), np.nan)
    else:
        living = np.stack([living_fraction(ages, z, imf) for z in z_met])
        surviving = surviving_fraction(living, imf)
    return SSPLibrary(
        name=f"{LIBRARIES[first['library']].lower()}-{first['imf']}{first['slope']}",
        wave=wave,
        medium="air",
        age=np.array(ages),
        z_met=z_met,
        flux=flux,
        living=living,
        surviving=surviving,
        imf=imf.name if imf else f"{first['imf']} {first['slope']} (Vazdekis et al. 1996)",
        isochrones=isochrones,
        provenance={
            "stars": f"{LIBRARIES[first['library']]} (Vazdekis et al. 2010, 2016), {len(files)} files of {folder.name}",
            "flux": "Lsun/A per Msun formed, Lsun = 3.826e33 erg/s",
            "z_met": f"{z_sun} x 10^[M/H], the Sun of these isochrones",
            "living": "from the IMF and the lifetimes of Raiteri et al. (1996); the files do not say",
        },
    )


def _one_of(folder: Path, group: str, values: Iterable[str | None]) -> None:
    different = sorted({str(value) for value in values})
    if len(different) > 1:
        raise RequestError(f"{folder}: SSPs of more than one {group}: {', '.join(different)}; expected one in a folder")


def _spectrum(path: Path, size: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths and flux of one file, linearly sampled. Raises RequestError when it is not one."""
    try:
        with fits.open(path, memmap=False) as hdus:
            header, flux = hdus[0].header, np.asarray(hdus[0].data, float)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read as FITS ({error})") from error
    if "CRVAL1" not in header or "CDELT1" not in header or flux.ndim != 1:
        raise RequestError(f"{path}: not a spectrum; expected one axis with CRVAL1 and CDELT1")
    if size is not None and len(flux) != size:
        raise RequestError(f"{path}: {len(flux)} wavelengths, others have {size}")
    wave = header["CRVAL1"] + header["CDELT1"] * (np.arange(len(flux)) + 1.0 - header.get("CRPIX1", 1.0))
    return wave, flux
