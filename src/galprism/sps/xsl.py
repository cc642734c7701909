"""XSL: one FITS file an SSP, of X-shooter's spectral library (Verro et al. 2022, A&A 661, A50)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from galprism.sps.files import full_grid, masses, named_files, pixels, read_array
from galprism.sps.imf import IMFS
from galprism.sps.ssp import SSPLibrary

NAME = re.compile(
    r"XSL_SSP_(?:logT(?P<log_age>\d+\.\d+)_MH(?P<metal>[+-]?\d+\.\d+)|T(?P<age>\d\.\d+e[+-]?\d+)_Z(?P<z_met>\d*\.\d+))"
    r"_(?P<imf>Kroupa|Salpeter)_(?P<isochrones>PC|P00)\.fits"
)
ISOCHRONES = {"PC": ("PARSEC/COLIBRI", 0.0152), "P00": ("Padova 2000", 0.019)}
"""Isochrones, and the solar metallicity that their [M/H] counts from."""
PER_MSUN = {"Kroupa": 5567946.09, "Salpeter": 9799552.50}
"""Lsun/A per Msun formed in one unit of the files' flux, as the library's page gives it."""


def load_xsl(folder: str | Path) -> SSPLibrary:
    """SSPs of one folder, named as the library's page does: XSL_SSP_logT8.5_MH-0.2_Kroupa_PC.fits or
    XSL_SSP_T5.01e+07_Z0.019_Kroupa_P00.fits. Wavelengths are log10 nm in air, 350 to 2480 nm.

    All files must be of one IMF and one set of isochrones, and make a full grid of ages and metallicities. Masses
    follow from the IMF and the stars' lifetimes; the files do not say. Raises RequestError where the folder is not such
    a set, or a flux is not finite.
    """
    folder = Path(folder)
    files = named_files(folder, NAME, ("imf", "isochrones"), "XSL_SSP_logT8.5_MH-0.2_Kroupa_PC.fits")
    first = next(iter(files.values()))
    isochrones, z_sun = ISOCHRONES[first["isochrones"]]
    factor = PER_MSUN[first["imf"]]

    def place(match: re.Match[str]) -> tuple[float, float]:
        if match["log_age"]:
            return float(match["metal"]) + 0.0, 10.0 ** (float(match["log_age"]) - 9.0)
        return float(np.log10(float(match["z_met"]) / z_sun)), float(match["age"]) / 1e9

    def spectrum(path: Path) -> tuple[np.ndarray, np.ndarray]:
        header, flux = read_array(path)
        return 10.0 ** (pixels(header, len(flux)) + 1.0), flux * factor

    grid = full_grid(folder, {place(match): path for path, match in files.items()}, spectrum)
    z_met = z_sun * 10.0**grid.metals
    imf = IMFS[first["imf"].lower()]
    living, surviving = masses(grid.ages, z_met, imf)
    return SSPLibrary(
        name=f"xsl-{first['imf'].lower()}-{first['isochrones'].lower()}",
        wave=grid.wave,
        medium="air",
        age=grid.ages,
        z_met=z_met,
        flux=grid.flux,
        living=living,
        surviving=surviving,
        imf=imf.name,
        isochrones=isochrones,
        provenance={
            "stars": f"XSL SSPs (Verro et al. 2022), {len(files)} files of {folder.name}",
            "flux": f"Lsun/A per Msun formed: {factor} x the files'",
            "z_met": f"{z_sun} x 10^[M/H], the Sun of these isochrones",
            "living": "from the IMF and the lifetimes of Raiteri et al. (1996); the files do not say",
        },
    )
