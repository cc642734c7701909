"""What libraries of one file an SSP have in common: a full grid, one kind in a folder, the masses that files lack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from galprism.errors import RequestError
from galprism.sps.imf import IMF, living_fraction, surviving_fraction


@dataclass(frozen=True, eq=False)
class Grid:
    """Spectra of every age at every metallicity."""

    metals: np.ndarray
    """(M,), [M/H], ascending."""
    ages: np.ndarray
    """(T,), Gyr, ascending."""
    wave: np.ndarray
    """(W,), Angstrom."""
    flux: np.ndarray
    """(M, T, W), float32."""


def named_files(
    folder: Path, pattern: re.Pattern[str], alike: Iterable[str], example: str
) -> dict[Path, re.Match[str]]:
    """The SSPs of a folder by what their names say.

    alike : groups of the pattern that a library has one of; example : such a name, for people. Raises RequestError
    where there is none, and where they differ in what is to be alike.
    """
    files = {path: match for path in sorted(folder.glob("*.fits")) if (match := pattern.fullmatch(path.name))}
    if not files:
        raise RequestError(f"{folder}: no SSPs here; expected names such as {example}")
    for group in alike:
        different = sorted({str(match[group]) for match in files.values()})
        if len(different) > 1:
            found = ", ".join(different)
            raise RequestError(f"{folder}: SSPs of more than one {group}: {found}; expected one in a folder")
    return files


def full_grid(
    folder: Path,
    by_place: Mapping[tuple[float, float], Path],
    spectrum: Callable[[Path], tuple[np.ndarray, np.ndarray]],
) -> Grid:
    """All files of a folder, by ([M/H], age in Gyr); spectrum : reads wavelengths and flux of one.

    Raises RequestError where one is missing, or its wavelengths are not those of the others.
    """
    metals = sorted({metal for metal, _ in by_place})
    ages = sorted({age for _, age in by_place})
    missing = [(m, t) for m in metals for t in ages if (m, t) not in by_place]
    if missing:
        raise RequestError(
            f"{folder}: {len(missing)} SSPs are missing from the grid of {len(metals)} metallicities and {len(ages)} "
            f"ages, the first [M/H] = {missing[0][0]:+.2f}, {missing[0][1]:g} Gyr"
        )
    wave, _ = spectrum(by_place[metals[0], ages[0]])
    flux = np.empty((len(metals), len(ages), len(wave)), np.float32)
    for i, metal in enumerate(metals):
        for j, age in enumerate(ages):
            path = by_place[metal, age]
            own_wave, own_flux = spectrum(path)
            if len(own_flux) != len(wave):
                raise RequestError(f"{path}: {len(own_flux)} wavelengths, others have {len(wave)}")
            if own_wave[0] != wave[0] or own_wave[-1] != wave[-1]:
                raise RequestError(f"{path}: its wavelengths are not those of the other SSPs")
            if not np.isfinite(own_flux).all():
                raise RequestError(f"{path}: the flux is not finite at {wave[~np.isfinite(own_flux)][0]:.1f} A")
            flux[i, j] = own_flux
    return Grid(np.array(metals), np.array(ages), wave, flux)


def read_array(path: Path) -> tuple[Any, np.ndarray]:
    """Header and flux of a FITS file with one spectrum. Raises RequestError when it is not one."""
    try:
        with fits.open(path, memmap=False) as hdus:
            header, flux = hdus[0].header, np.asarray(hdus[0].data, float)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read as FITS ({error})") from error
    if "CRVAL1" not in header or "CDELT1" not in header or flux.ndim != 1:
        raise RequestError(f"{path}: not a spectrum; expected one axis with CRVAL1 and CDELT1")
    return header, flux


def pixels(header: Any, n: int) -> np.ndarray:
    """(n,), CRVAL1 + CDELT1 (pixel - CRPIX1), pixels counted from 1."""
    return header["CRVAL1"] + header["CDELT1"] * (np.arange(n) + 1.0 - header.get("CRPIX1", 1.0))


def masses(ages: np.ndarray, z_met: np.ndarray, imf: IMF | None) -> tuple[np.ndarray, np.ndarray]:
    """Living and surviving fractions (M, T) by the IMF and the stars' lifetimes; NaN where the IMF is none of ours."""
    if imf is None:
        nothing = np.full((len(z_met), len(ages)), np.nan)
        return nothing, nothing
    living = np.stack([living_fraction(ages.tolist(), z, imf) for z in z_met])
    return living, surviving_fraction(living, imf)
