"""Spectra of DESI, many a file: coadd-*.fits, and the redrock-*.fits beside it.

The cameras B, R and Z each have wavelengths (L,) in vacuum, flux and ivar (N, L) in 1e-17 erg/s/cm2/Angstrom, a mask
and a resolution matrix (N, D, L) by its diagonals; FIBERMAP has a row a target. Where two cameras overlap their pixels
coincide, on steps of 0.8 Angstrom, and are averaged by ivar, as desispec's coadd_cameras does (Guy et al. 2023, AJ 165,
144); but a pixel that is masked in every camera has no data here, where desispec then takes it all the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from astropy.io import fits

from galprism.data.spectrum_files.spectrum import Spectrum, spectrum
from galprism.data.tables.base import readable
from galprism.errors import RequestError

CAMERAS = ("B", "R", "Z")
ALIGNED = 1e-4
"""Angstrom: pixels of two cameras nearer than this are one, as in desispec."""


def is_desi(file: fits.HDUList) -> bool:
    """There are wavelengths of a camera of DESI."""
    return any(f"{camera}_WAVELENGTH" in file for camera in CAMERAS)


def read_desi(path: str | os.PathLike[str], redshifts: str | os.PathLike[str] | None = None) -> list[Spectrum]:
    """The spectra in a coadd file of DESI, a row of FIBERMAP each; ids are TARGETIDs.

    redshifts : the file of redrock; None takes redrock-*.fits beside coadd-*.fits, where there is one

    Raises RequestError where a file cannot be read or lacks an HDU, shapes do not fit, or cameras are not aligned.
    """
    path = Path(path)
    found = redrock_beside(path) if redshifts is None else Path(redshifts)
    with readable(path), fits.open(path, memmap=False) as file:
        cameras = [camera for camera in CAMERAS if f"{camera}_WAVELENGTH" in file]
        if not cameras:
            raise RequestError(f"{path}: has no wavelengths of a camera; is it a coadd of DESI?")
        fibermap = _hdu(path, file, "FIBERMAP").data
        missing = [name for name in ("TARGETID", "TARGET_RA", "TARGET_DEC") if name not in fibermap.names]
        if missing:
            raise RequestError(f"{path}: FIBERMAP lacks {', '.join(missing)}")
        wave = _common_wave(path, [_array(path, file, f"{camera}_WAVELENGTH") for camera in cameras])
        n = len(fibermap)
        flux, ivar, variance, weight = np.zeros((4, n, len(wave)))
        for camera in cameras:
            _add_camera(path, file, camera, wave, flux, ivar, variance, weight)
        targets, ra, dec = (np.array(fibermap[name]) for name in ("TARGETID", "TARGET_RA", "TARGET_DEC"))
    flux = np.divide(flux, ivar, out=np.zeros(flux.shape), where=ivar > 0)
    sigma = np.sqrt(np.divide(variance, weight, out=np.full(flux.shape, np.nan), where=weight > 0))
    said = {} if found is None else _redrock(found)
    return [
        spectrum(
            f"{path}[{i}]",
            str(targets[i]),
            wave,
            flux[i],
            ivar[i],
            sigma[i],
            ra=float(ra[i]),
            dec=float(dec[i]),
            **said.get(int(targets[i]), {}),
        )
        for i in range(n)
    ]


def redrock_beside(path: Path) -> Path | None:
    """redrock-X beside coadd-X; None where there is none."""
    if not path.name.startswith("coadd-"):
        return None
    beside = path.with_name("redrock-" + path.name.removeprefix("coadd-"))
    return beside if beside.exists() else None


def _hdu(path: Path, file: fits.HDUList, name: str):
    if name not in file:
        raise RequestError(f"{path}: has no HDU {name}; it has {', '.join(hdu.name for hdu in file)}")
    return file[name]


def _array(path: Path, file: fits.HDUList, name: str) -> np.ndarray:
    return np.asarray(_hdu(path, file, name).data)


def _common_wave(path: Path, waves: list[np.ndarray]) -> np.ndarray:
    """(L,): the cameras' wavelengths end to end, what they share taken once."""
    wave = np.asarray(waves[0], np.float64)
    for more in waves[1:]:
        wave = np.concatenate([wave, more[more > wave[-1] + ALIGNED]])
    for more in waves:
        at = int(np.argmin(np.abs(wave - more[0])))
        if at + len(more) > len(wave) or np.abs(wave[at : at + len(more)] - more).max() > ALIGNED:
            raise RequestError(f"{path}: the cameras' wavelengths do not coincide where they overlap; accepted: coadds")
    return wave


def _add_camera(path, file, camera, wave, flux, ivar, variance, weight) -> None:
    """Add a camera's pixels to sums over cameras, weighted by ivar: of flux, of ivar, and of the LSF's variance."""
    own = _array(path, file, f"{camera}_WAVELENGTH")
    at = int(np.argmin(np.abs(wave - own[0])))
    place = slice(at, at + len(own))
    shape = (len(flux), len(own))
    pixels = {}
    for name in ("FLUX", "IVAR", "MASK"):
        if name == "MASK" and f"{camera}_MASK" not in file:
            continue
        pixels[name] = _array(path, file, f"{camera}_{name}")
        if pixels[name].shape != shape:
            raise RequestError(f"{path}: {camera}_{name} has shape {pixels[name].shape}; expected {shape}")
    own_flux, own_ivar = np.asarray(pixels["FLUX"], np.float64), np.asarray(pixels["IVAR"], np.float64)
    good = np.isfinite(own_flux) & np.isfinite(own_ivar) & (own_ivar > 0)
    if "MASK" in pixels:
        good &= pixels["MASK"] == 0
    own_ivar = np.where(good, own_ivar, 0.0)
    ivar[:, place] += own_ivar
    flux[:, place] += own_ivar * np.where(good, own_flux, 0.0)
    if f"{camera}_RESOLUTION" in file:
        diagonals = _array(path, file, f"{camera}_RESOLUTION")
        if diagonals.ndim != 3 or (len(diagonals), diagonals.shape[2]) != shape:
            raise RequestError(f"{path}: {camera}_RESOLUTION has shape {diagonals.shape}; expected (N, D, L)")
        own_variance = _variance(diagonals) * np.gradient(own) ** 2
        known = np.isfinite(own_variance) & good
        weight[:, place] += np.where(known, own_ivar, 0.0)
        variance[:, place] += np.where(known, own_ivar * own_variance, 0.0)


def _variance(diagonals: np.ndarray) -> np.ndarray:
    """(N, L), pixels^2: second moment about the mean of where a line at each pixel goes; NaN where nothing does.

    diagonals : (N, D, L), of the resolution matrix by columns, offsets from D // 2 down to -D // 2
    """
    offset = np.arange(diagonals.shape[1] // 2, -(diagonals.shape[1] // 2) - 1, -1.0)[:, None]
    total = diagonals.sum(axis=1, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (diagonals * offset).sum(axis=1) / total
        second = (diagonals * offset**2).sum(axis=1) / total - mean**2
    return np.where((total > 0) & (second > 0), second, np.nan)


def _redrock(path: Path) -> dict[int, dict[str, object]]:
    """By TARGETID: redshift, its warnings, and class."""
    with readable(path), fits.open(path, memmap=False) as file:
        rows = _hdu(path, file, "REDSHIFTS").data
        columns = [np.array(rows[name]) for name in ("TARGETID", "Z", "ZWARN", "SPECTYPE")]
    return {
        int(target): {
            "redshift": float(z),
            "own_redshift": True,
            "zwarning": int(warning),
            "spectral_class": str(kind).strip(),
        }
        for target, z, warning, kind in zip(*columns, strict=True)
    }
