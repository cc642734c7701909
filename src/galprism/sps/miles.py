"""MILES and E-MILES: one FITS file an SSP, everything about it in the file's name (Vazdekis et al. 2010, 2016)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from galprism.sps.files import full_grid, masses, named_files, pixels, read_array
from galprism.sps.imf import IMFS, power_law
from galprism.sps.ssp import SSPLibrary

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
    files = named_files(
        folder, NAME, ("library", "imf", "slope", "isochrones", "alpha"), "Eku1.30Zp0.06T01.0000_iTp0.00_baseFe.fits"
    )
    first = next(iter(files.values()))
    isochrones, z_sun = ISOCHRONES[first["isochrones"]]

    def place(match: re.Match[str]) -> tuple[float, float]:
        metal = float(match["metal"]) * (-1.0 if match["sign"] == "m" else 1.0)
        return metal, float(match["age"])

    grid = full_grid(folder, {place(match): path for path, match in files.items()}, _spectrum)
    z_met = z_sun * 10.0**grid.metals
    imf = {"ku": IMFS["kroupa"], "ch": IMFS["chabrier"], "un": power_law(1.0 + float(first["slope"]))}.get(first["imf"])
    living, surviving = masses(grid.ages, z_met, imf)
    return SSPLibrary(
        name=f"{LIBRARIES[first['library']].lower()}-{first['imf']}{first['slope']}",
        wave=grid.wave,
        medium="air",
        age=grid.ages,
        z_met=z_met,
        flux=grid.flux,
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


def _spectrum(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths and flux of one file, linearly sampled."""
    header, flux = read_array(path)
    return pixels(header, len(flux)), flux
