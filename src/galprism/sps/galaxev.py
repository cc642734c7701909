"""CB19: GALAXEV's FITS tables, one for each metallicity (Bruzual & Charlot 2003, 2019 version; Plat et al. 2019)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from astropy.io import fits

from galprism.errors import RequestError
from galprism.sps.files import named_files
from galprism.sps.imf import IMFS
from galprism.sps.ssp import SSPLibrary

NAME = re.compile(
    r"cb(?P<version>\d{4})_z(?P<metal>\d+)_(?P<imf>chab|kroup|salp)(?P<top>_MU\d+)?_(?P<stars>\w+)_ssp\.fits"
)
IMF_NAMES = {"chab": IMFS["chabrier"].name, "kroup": IMFS["kroupa"].name, "salp": IMFS["salpeter"].name}
SPECTRA, PROPERTIES, AGES = 1, 2, 5
"""The tables (HDUs) that are read."""
COLUMNS = ("logage_yr", "M*_liv", "M_remnants")
"""Of PROPERTIES."""


def load_galaxev(folder: str | Path) -> SSPLibrary:
    """SSPs of one folder, named as GALAXEV does: cb2019_z017_chab_hr_xmilesi_ssp.fits, of Z = 0.017.

    All files must be of one version, IMF, upper mass and stellar library. Their first age is zero. Raises RequestError
    where the folder is not such a set, or the files are not of one grid of ages and wavelengths.
    """
    folder = Path(folder)
    files = named_files(folder, NAME, ("version", "imf", "top", "stars"), "cb2019_z017_chab_hr_xmilesi_ssp.fits")
    by_metal = {float("0." + match["metal"]): path for path, match in files.items()}
    z_met = np.array(sorted(by_metal))
    parts = [_read(by_metal[z]) for z in z_met]
    wave, age = parts[0][0], parts[0][1]
    for z, part in zip(z_met, parts, strict=True):
        if len(part[0]) != len(wave) or (part[0] != wave).any() or len(part[1]) != len(age) or (part[1] != age).any():
            raise RequestError(f"{by_metal[z]}: its ages or wavelengths are not those of {by_metal[z_met[0]].name}")
    first = next(iter(files.values()))
    return SSPLibrary(
        name=f"cb{first['version']}-{first['imf']}{(first['top'] or '').lower().replace('_', '-')}",
        wave=wave,
        medium="air",
        age=age,
        z_met=z_met,
        flux=np.stack([part[2] for part in parts]),
        living=np.stack([part[3] for part in parts]),
        surviving=np.stack([part[4] for part in parts]),
        imf=IMF_NAMES[first["imf"]],
        isochrones="PARSEC",
        provenance={
            "stars": f"Charlot & Bruzual ({first['version']}), {first['stars']}, {len(files)} files of {folder.name}",
            "flux": "Lsun/A per Msun formed, Lsun = 3.826e33 erg/s",
            "living": "M*_liv of the files",
            "surviving": "M*_liv + M_remnants of the files",
        },
    )


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Wavelengths (W,), ages (T,) in Gyr, flux (T, W), living and surviving fractions (T,) of one file."""
    try:
        with fits.open(path, memmap=False) as hdus:
            spectra, properties, ages = (hdus[k].data for k in (SPECTRA, PROPERTIES, AGES))
            missing = [name for name in COLUMNS if name not in properties.names]
            missing += [name for name, of in (("Wavelength", spectra), ("age-yr", ages)) if name not in of.names]
            if missing:
                raise RequestError(f"{path}: no column {', '.join(missing)}; expected a table of GALAXEV 2019")
            wave, age = np.array(spectra["Wavelength"], float), np.array(ages["age-yr"], float)
            columns = [name for name in spectra.names if name != "Wavelength"]
            if len(columns) != len(age):
                raise RequestError(f"{path}: {len(columns)} spectra of {len(age)} ages")
            flux = np.stack([np.asarray(spectra[name], np.float32) for name in columns])
            log_age, living, remnants = (np.array(properties[name], float) for name in COLUMNS)
    except (OSError, IndexError, AttributeError) as error:
        raise RequestError(f"{path}: cannot be read as a table of GALAXEV 2019 ({error})") from error
    if not np.isfinite(flux).all():
        raise RequestError(f"{path}: the flux is not finite at {wave[~np.isfinite(flux).all(axis=0)][0]:.1f} A")
    with np.errstate(divide="ignore"):  # all stars live at age zero, as at the first age of the table
        at = np.log10(age)
    known = np.isfinite(log_age)
    alive, left = (np.interp(at, log_age[known], column[known]) for column in (living, living + remnants))
    return wave, age / 1e9, flux, alive, left
