"""Small files of spectra in the layouts of SDSS and DESI, and spectra with lines."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

FIRST = 35600
"""loglam = 1e-4 FIRST: 3631 Angstrom."""
LIGHT_SPEED = 299792.458
LINES = {
    "emission": ((3728.48, 30), (4862.683, 20), (4960.295, 15), (5008.240, 45), (6564.614, 60), (6585.268, 20)),
    "absorption": ((3934.777, -6), (4341.684, -3), (4862.683, -4), (5891.583, -3), (5897.558, -3), (8544.44, -4)),
}
"""Vacuum wavelengths at rest, and fluxes at the middle in 1e-17 erg/s/cm2/Angstrom beside a continuum of 10."""


def line_spectrum(wave, redshift=0.0, kind="emission", sigma=120.0):
    """A continuum of 10 and lines of `sigma` km/s, at `wave` in vacuum."""
    flux = 10 + 2e-4 * (wave - 6000)
    for rest, height in LINES[kind]:
        centre = rest * (1 + redshift)
        flux = flux + height * np.exp(-(((wave / centre - 1) * LIGHT_SPEED / sigma) ** 2) / 2)
    return flux


def write_sdss(path, *, first=FIRST, n=200, name="SPALL", drop=(), header=(), **said) -> Path:
    """A file of one spectrum: flux = pixel's k - FIRST, ivar 4, wdisp 1."""
    pixel = first + np.arange(n)
    columns = {
        "flux": (pixel - FIRST).astype("f4"),
        "loglam": (1e-4 * pixel).astype("f4"),
        "ivar": np.full(n, 4, "f4"),
        "and_mask": np.zeros(n, "i4"),
        "wdisp": np.ones(n, "f4"),
    }
    columns |= {key: said.pop(key) for key in list(said) if key in columns}
    found = {
        "PLATE": 266, "MJD": 51602, "FIBERID": 13, "PLUG_RA": 146.9, "PLUG_DEC": -0.7, "CLASS": "GALAXY", "Z": 0.1,
        "ZWARNING": 0, "SN_MEDIAN_ALL": 17.7,
    }  # fmt: skip
    found = {key: [value] for key, value in {**found, **said}.items() if value is not None}
    pixels = fits.BinTableHDU(Table({key: value for key, value in columns.items() if key not in drop}), name="COADD")
    primary = fits.PrimaryHDU()
    primary.header.update({"VACUUM": True} | dict(header))
    fits.HDUList([primary, pixels, fits.BinTableHDU(Table(found), name=name)]).writeto(path, overwrite=True)
    return Path(path)


DESI_WAVE = {"B": 3600 + 0.8 * np.arange(200), "R": 3740 + 0.8 * np.arange(200), "Z": 3880 + 0.8 * np.arange(100)}
"""Short cameras: B and R share 25 pixels, R and Z as many."""


def desi_arrays(n=3, sigma_pixels=1.3, seed=0) -> dict[str, np.ndarray]:
    """HDUs of n targets: noise about 5 + target, and Gaussian resolution matrices."""
    rng = np.random.default_rng(seed)
    arrays = {}
    offset = np.arange(5, -6, -1.0)
    kernel = np.exp(-(offset**2) / 2 / sigma_pixels**2)
    for camera, wave in DESI_WAVE.items():
        ivar = rng.uniform(1, 3, (n, len(wave)))
        arrays[f"{camera}_WAVELENGTH"] = wave
        arrays[f"{camera}_FLUX"] = rng.normal(5 + np.arange(n)[:, None], ivar**-0.5)
        arrays[f"{camera}_IVAR"] = ivar
        arrays[f"{camera}_MASK"] = np.zeros(ivar.shape, np.int32)
        arrays[f"{camera}_RESOLUTION"] = np.tile((kernel / kernel.sum())[:, None], (n, 1, len(wave)))
    return arrays


def write_desi(path, arrays, redshifts=None) -> Path:
    n = len(arrays["B_FLUX"])
    target = 39627000000000000 + np.arange(n)
    fibermap = Table({"TARGETID": target, "TARGET_RA": 10.0 + np.arange(n), "TARGET_DEC": -np.arange(n, dtype=float)})
    images = [fits.ImageHDU(array, name=name) for name, array in arrays.items()]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(fibermap, name="FIBERMAP"), *images]).writeto(path)
    if redshifts is not None:
        rows = Table({"TARGETID": target, "Z": redshifts, "ZWARN": np.zeros(n, int), "SPECTYPE": ["GALAXY"] * n})
        beside = Path(path).with_name(Path(path).name.replace("coadd", "redrock"))
        fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(rows[::-1], name="REDSHIFTS")]).writeto(beside)
    return Path(path)
