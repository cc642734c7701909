"""SSPs computed by FSPS through python-fsps (Conroy, Gunn & White 2009; Conroy & Gunn 2010)."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

import numpy as np

from galprism.errors import RequestError
from galprism.sps.ssp import SSPLibrary
from galprism.units import LIGHT_SPEED_ANGSTROM_PER_S

IMF_TYPES = {"salpeter": (0, "Salpeter (1955)"), "chabrier": (1, "Chabrier (2003)"), "kroupa": (2, "Kroupa (2001)")}
FSPS_LSUN = 3.839e33
"""erg/s, as FSPS has it."""


def load_fsps(imf: str = "chabrier", **parameters) -> SSPLibrary:
    """SSPs of every metallicity and age of the installed FSPS, in vacuum, from 0.08 to 120 Msun.

    `parameters` go to fsps.StellarPopulation as they are (for example `tpagb_norm_type`). Masses are living stars and
    remnants. Raises RequestError where python-fsps or SPS_HOME is missing.
    """
    if imf not in IMF_TYPES:
        raise RequestError(f"imf = {imf!r}; accepted: {', '.join(IMF_TYPES)}")
    population = _population(imf_type=IMF_TYPES[imf][0], **parameters)
    metals = np.asarray(population.zlegend, float)
    spectra, masses = [], []
    for index in range(1, len(metals) + 1):
        wave, flux = population.get_spectrum(zmet=index, tage=0.0)
        spectra.append(flux * LIGHT_SPEED_ANGSTROM_PER_S / wave**2)
        masses.append(population.stellar_mass)
    isochrones, library = (str(name, "utf-8") if isinstance(name, bytes) else name for name in population.libraries[:2])
    return SSPLibrary(
        name=f"fsps-{imf}",
        wave=np.asarray(wave, float),
        medium="vacuum",
        age=10.0 ** np.asarray(population.log_age, float) / 1e9,
        z_met=metals,
        flux=np.stack(spectra).astype(np.float32),
        living=np.full((len(metals), len(masses[0])), np.nan),
        surviving=np.stack(masses),
        imf=f"{IMF_TYPES[imf][1]}, 0.08-120 Msun",
        isochrones=isochrones,
        lsun=FSPS_LSUN,
        provenance={
            "stars": f"FSPS (Conroy, Gunn & White 2009; Conroy & Gunn 2010), {library}",
            "flux": "Lsun/A per Msun formed, Lsun = 3.839e33 erg/s",
            "surviving": "living stars and remnants after Renzini & Ciotti (1993), as FSPS gives them",
            **{name: str(value) for name, value in parameters.items()},
        },
    )


def _population(**parameters) -> Any:
    if importlib.util.find_spec("fsps") is None:
        raise RequestError("python-fsps is not installed; see https://dfm.io/python-fsps, or take bc03-miles")
    if not os.environ.get("SPS_HOME"):
        raise RequestError("SPS_HOME is not set; FSPS needs it to name the folder of its data")
    fsps = importlib.import_module("fsps")
    return fsps.StellarPopulation(
        zcontinuous=0, sfh=0, add_neb_emission=False, add_dust_emission=False, dust_type=0, **parameters
    )
