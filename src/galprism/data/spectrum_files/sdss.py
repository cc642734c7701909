"""Spectra of SDSS and BOSS, one a file: spec-PLATE-MJD-FIBER.fits, full or lite, of DR8 and later.

HDU 1 (COADD) has a row a pixel: flux in 1e-17 erg/s/cm2/Angstrom, loglam, log10 of the vacuum wavelength in Angstrom,
ivar, and_mask, and wdisp, standard deviation of the line-spread function in pixels. HDU 2 (SPECOBJ or SPALL) has a row
of what the pipeline found. All pixels of SDSS are at loglam = 1e-4 k for whole k, so that spectra go on one grid as
they are. See https://data.sdss.org/datamodel/files/BOSS_SPECTRO_REDUX/RUN2D/spectra/PLATE4/spec.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from galprism.data.spectrum_files.spectrum import Spectrum, spectrum
from galprism.data.tables.base import cut_off, readable
from galprism.errors import RequestError

DEX_PER_PIXEL = 1e-4
OFF_GRID = 0.02
"""Pixels: what rounding to float32 makes of loglam is a tenth of it."""
BRIGHTSKY = 1 << 23
"""Of and_mask: the sky outshines the source by far in all exposures. The survey's own redshifts leave these out."""
NEEDED = ("flux", "loglam", "ivar")


def is_sdss(file: fits.HDUList) -> bool:
    """The second HDU is a table with what a spectrum of SDSS has."""
    return len(file) > 1 and isinstance(file[1], fits.BinTableHDU) and "loglam" in _names(file[1])


def read_sdss(path: str | os.PathLike[str], *, mask: int = BRIGHTSKY) -> Spectrum:
    """The spectrum in a file of SDSS; its id is PLATE-MJD-FIBER, as in the names of files.

    mask : bits of and_mask that leave a pixel without data; 0 for none but those with ivar = 0

    Raises RequestError where the file cannot be read, lacks a column, is not in vacuum or not on SDSS's grid.
    """
    path = Path(path)
    with readable(path), fits.open(path, memmap=False) as file:
        if not is_sdss(file):
            raise RequestError(f"{path}: its HDU 1 has no column loglam; is it a spectrum of SDSS?{cut_off(path)}")
        header, pixels, names = file[0].header, file[1].data, _names(file[1])
        if not len(pixels):
            raise RequestError(f"{path}: its HDU 1 has no rows; expected a row a pixel")
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise RequestError(f"{path}: lacks {', '.join(missing)}; it has {', '.join(sorted(names))}")
        if header.get("VACUUM") is False:
            raise RequestError(f"{path}: VACUUM = F in its header; accepted: wavelengths in vacuum")
        place = grid_pixels(str(path), np.asarray(pixels["loglam"], np.float64))
        wave = wave_of(place)
        ivar = np.asarray(pixels["ivar"], np.float64)
        notes: tuple[str, ...] = ()
        if mask and "and_mask" in names:
            masked = (np.asarray(pixels["and_mask"]) & mask != 0) & (ivar > 0)
            ivar = np.where(masked, 0.0, ivar)
            notes = (f"{path}: {masked.sum()} of {len(wave)} pixels are masked by and_mask",) if masked.any() else ()
        sigma = None
        if "wdisp" in names:
            sigma = np.asarray(pixels["wdisp"], np.float64) * DEX_PER_PIXEL * np.log(10) * wave
        flux = np.asarray(pixels["flux"], np.float64)
        lacking = place[-1] - place[0] + 1 - len(place)
        if lacking > 0 and np.all(np.diff(place) > 0):
            notes += (f"{path}: {lacking} pixels between its first and last are not in it, and are without data",)
            wave = wave_of(np.arange(place[0], place[-1] + 1))
            flux, ivar = _spread(flux, place, 0.0), _spread(ivar, place, 0.0)
            sigma = None if sigma is None else _spread(sigma, place, np.nan)
        said = _said(file[2]) if len(file) > 2 and isinstance(file[2], fits.BinTableHDU) else {}
        if ends := cut_off(path):
            notes += (f"{path}{ends}: its redshift and class, which stand last, may be missing",)
        ident = _ident(said, header) or path.name.split(".")[0]
        return spectrum(
            str(path),
            ident,
            wave,
            flux,
            ivar,
            sigma,
            ra=_number(said, "PLUG_RA", "FIBER_RA", "RACAT"),
            dec=_number(said, "PLUG_DEC", "FIBER_DEC", "DECCAT"),
            redshift=_number(said, "Z"),
            own_redshift="Z" in said,
            zwarning=int(said["ZWARNING"]) if "ZWARNING" in said else None,
            spectral_class=str(said.get("CLASS", "")).strip(),
            sn=_number(said, "SN_MEDIAN_ALL") if "SN_MEDIAN_ALL" in said else _number(said, "SN_MEDIAN"),
            notes=notes,
        )


def grid_pixels(origin: str, loglam: np.ndarray) -> np.ndarray:
    """Whole numbers k with loglam = 1e-4 k. Raises RequestError, naming `origin`, where a pixel is off SDSS's grid."""
    place = loglam / DEX_PER_PIXEL
    if not np.isfinite(place).all():
        raise RequestError(f"{origin}: loglam is not finite somewhere")
    off = np.abs(place - np.rint(place))
    if off.max(initial=0.0) > OFF_GRID:
        worst = loglam[np.argmax(off)]
        raise RequestError(
            f"{origin}: loglam = {worst:.7f} is off the grid of SDSS by {off.max():.2f} pixels; accepted: multiples of "
            f"{DEX_PER_PIXEL:g} (a table is read on any wavelengths, and resampled)"
        )
    return np.rint(place).astype(np.int64)


def _spread(array: np.ndarray, place: np.ndarray, empty: float) -> np.ndarray:
    """What stands at pixels `place` of the grid, on all pixels from the first to the last."""
    whole = np.full(place[-1] - place[0] + 1, empty)
    whole[place - place[0]] = array
    return whole


def wave_of(pixel: np.ndarray) -> np.ndarray:
    """Angstrom of the grid's pixels k: 10^(1e-4 k)."""
    return 10.0 ** (DEX_PER_PIXEL * np.asarray(pixel, np.float64))


def start_of(wave: np.ndarray) -> int | None:
    """The first k of wavelengths that are whole pixels of the grid, one after the other; None where they are not."""
    place = np.log10(wave) / DEX_PER_PIXEL
    pixel = np.rint(place)
    off = np.abs(place - pixel).max() > OFF_GRID or np.any(np.diff(pixel) != 1)
    return None if off else int(pixel[0])


def pixels_within(low: float, high: float) -> np.ndarray:
    """Those k of the grid whose wavelengths lie from `low` to `high` Angstrom."""
    return np.arange(np.ceil(np.log10(low) / DEX_PER_PIXEL), np.floor(np.log10(high) / DEX_PER_PIXEL) + 1)


def _names(table: fits.BinTableHDU) -> set[str]:
    return {name.lower() for name in table.columns.names}


def _said(table: fits.BinTableHDU) -> dict[str, Any]:
    row = table.data[0] if len(table.data) else ()
    return {name.upper(): row[name] for name in table.columns.names} if len(row) else {}


def _ident(said: dict[str, Any], header: fits.Header) -> str:
    values = [said.get(name, header.get(name)) for name in ("PLATE", "MJD", "FIBERID")]
    values[0] = header.get("PLATEID") if values[0] is None else values[0]
    if any(value is None for value in values):
        return ""
    plate, mjd, fiber = (int(str(value)) for value in values)
    return f"{plate:04d}-{mjd}-{fiber:04d}"


def _number(said: dict[str, Any], *names: str) -> float:
    for name in names:
        if name in said and np.size(said[name]) == 1:
            return float(np.asarray(said[name]).item())
    return np.nan
