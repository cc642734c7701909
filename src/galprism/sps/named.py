"""Stellar populations by name or path, as a recipe or a command line gives them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from galprism.errors import RequestError
from galprism.sps.bc03 import STARS, load_bc03_miles
from galprism.sps.fsps import IMF_TYPES, load_fsps
from galprism.sps.galaxev import load_galaxev
from galprism.sps.miles import load_miles
from galprism.sps.ppxf import load_ppxf
from galprism.sps.ssp import SSPLibrary
from galprism.sps.xsl import load_xsl

ACCEPTED = (
    f"bc03-miles, fsps-{', fsps-'.join(IMF_TYPES)}, a folder of MILES, E-MILES, XSL or CB19 spectra, a folder that "
    f"holds {STARS}, or a pPXF 9 file spectra_….npz"
)


@lru_cache(maxsize=4)
def load_library(name: str) -> SSPLibrary:
    """The library of a name or a path: bc03-miles, fsps-<imf>, or files of the user's, whose kind is seen from them.

    Raises RequestError where nothing of that name is known or stands there.
    """
    if name == "bc03-miles":
        return load_bc03_miles()
    if name.startswith("fsps-"):
        return load_fsps(name.removeprefix("fsps-"))
    path = Path(name).expanduser()
    if path.is_dir():
        if (path / STARS).exists():
            return load_bc03_miles(path)
        kinds = {"XSL_SSP_*.fits": load_xsl, "cb*_ssp.fits": load_galaxev}
        return next((load for name, load in kinds.items() if any(path.glob(name))), load_miles)(path)
    if path.suffix == ".npz" and path.exists():
        return load_ppxf(path)
    raise RequestError(f"library = {name!r}; accepted: {ACCEPTED}")
