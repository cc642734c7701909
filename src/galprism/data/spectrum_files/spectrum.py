"""One spectrum with what its file says of it: what every reader gives."""

from __future__ import annotations

from dataclasses import dataclass

import astropy.units as u
import numpy as np

from galprism.data.blocks import check_shape, readonly
from galprism.data.spectra import UNIT, check_wave, gaps
from galprism.errors import RequestError

MOST_FILLED = 1_000_000
"""Pixels without data that are put into a gap."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A spectrum in L pixels. Made by `spectrum`, which checks and cleans what a file holds."""

    id: str
    """As the file has it, else the file's name."""
    wave: np.ndarray
    """(L,), Angstrom, vacuum, observed frame, ascending."""
    flux: np.ndarray
    """(L,), 1e-17 erg/s/cm2/Angstrom; 0 where ivar = 0."""
    ivar: np.ndarray
    """(L,), the inverse square of that unit; 0 where there are no data."""
    lsf_sigma: np.ndarray | None = None
    """(L,), Angstrom; NaN where not known."""
    ra: float = np.nan
    """deg ICRS; NaN where not known."""
    dec: float = np.nan
    redshift: float = np.nan
    """As the file says, whatever its warnings; NaN where it says none."""
    own_redshift: bool = False
    """It was measured on these very wavelengths, as those in files of surveys are, and not told by somebody else."""
    zwarning: int | None = None
    """Bits of what is wrong with the redshift, 0 for nothing; None where the file does not say."""
    spectral_class: str = ""
    """As the file spells it: GALAXY, QSO, STAR; empty where it does not say."""
    sn: float = np.nan
    """Median S/N of a pixel, as the file says."""
    origin: str = ""
    """The file, and the row where it has several."""
    notes: tuple[str, ...] = ()
    """What was done to it, in sentences."""

    def __len__(self) -> int:
        return len(self.wave)


def spectrum(
    origin: str, ident: str, wave: np.ndarray, flux: np.ndarray, ivar: np.ndarray, lsf_sigma=None, **said
) -> Spectrum:
    """A spectrum of arrays (L,) of one file, `said` being the other fields of Spectrum.

    Pixels whose flux or ivar is not finite, or whose ivar is negative, become pixels without data, and a gap between
    wavelengths is filled with such; the notes say so. Raises RequestError, naming `origin`, where wavelengths do not
    ascend, a gap is too wide, or shapes differ.
    """
    wave = check_wave(f"{origin}: wave", wave)
    flux, ivar = np.asarray(flux, np.float64), np.asarray(ivar, np.float64)
    sigma = None if lsf_sigma is None else np.asarray(lsf_sigma, np.float64)
    for name, array in (("flux", flux), ("ivar", ivar), ("lsf_sigma", sigma)):
        if array is not None:
            check_shape(origin, name, array, wave.shape)
    notes = tuple(said.pop("notes", ()))
    broken = ~(np.isfinite(flux) & np.isfinite(ivar))
    negative = ~broken & (ivar < 0)
    for bad, what in (
        (broken, "whose flux or error is not finite,"),
        (negative, "whose ivar is negative or error not positive,"),
    ):
        if bad.any():
            notes += (f"{origin}: {bad.sum()} of {len(wave)} pixels, {what} are without data",)
    there = ~broken & (ivar > 0)
    flux, ivar = np.where(there, flux, 0.0), np.where(there, ivar, 0.0)
    if sigma is not None:
        sigma = np.where(np.isfinite(sigma) & (sigma > 0), sigma, np.nan)
    holes = gaps(wave)
    if len(holes):
        wave, flux, ivar, sigma, added = _filled(origin, wave, holes, flux, ivar, sigma)
        places = ", ".join(f"{low:.6g} to {high:.6g}" for low, high in added)
        notes += (f"{origin}: no data from {places} Angstrom, between its wavelengths",)
    limit = np.finfo(np.float32)
    least = ivar[ivar > 0].min(initial=1.0)
    if np.abs(flux).max(initial=0.0) > limit.max or ivar.max(initial=0.0) > limit.max or least < limit.tiny:
        raise RequestError(
            f"{origin}: flux up to {np.abs(flux).max():.3g}, ivar from {least:.3g} to {ivar.max():.3g} in {UNIT}; too "
            "large or too small; accepted: what 32 bits hold. Is the unit right?"
        )
    flux, ivar = readonly(flux.astype(np.float32)), readonly(ivar.astype(np.float32))
    sigma = None if sigma is None else readonly(sigma.astype(np.float32))
    return Spectrum(ident, readonly(wave), flux, ivar, sigma, origin=origin, notes=notes, **said)


def _filled(origin, wave, holes, flux, ivar, sigma):
    """Pixels without data in every hole, as wide as the narrower of those around it, and the holes' ends. Raises
    RequestError, naming `origin`, where they would be more than MOST_FILLED."""
    step = np.diff(wave)
    parts, added = [], []
    for hole in holes:
        around = min(step[max(hole - 1, 0)], step[min(hole + 1, len(step) - 1)])
        n = max(1, round(step[hole] / around) - 1)
        if n > MOST_FILLED:
            raise RequestError(
                f"{origin}: its wavelengths {wave[hole]:.6g} and {wave[hole + 1]:.6g} Angstrom stand side by side, and "
                f"{n:,} pixels would fit between them; accepted: gaps of up to {MOST_FILLED:,}. Is one of them wrong?"
            )
        parts.append((hole + 1, np.linspace(wave[hole], wave[hole + 1], n + 2)[1:-1]))
        added.append((wave[hole], wave[hole + 1]))
    places = np.concatenate([np.full(len(new), at) for at, new in parts])
    wave = np.insert(wave, places, np.concatenate([new for _, new in parts]))
    flux, ivar = np.insert(flux, places, 0.0), np.insert(ivar, places, 0.0)
    return wave, flux, ivar, None if sigma is None else np.insert(sigma, places, np.nan), added


def flux_scale(origin: str, unit: str | u.UnitBase | None, wave: np.ndarray) -> np.ndarray:
    """What a flux density in `unit` at `wave`, Angstrom, is multiplied by to be in 1e-17 erg/s/cm2/Angstrom.

    Per frequency it may be too. Raises RequestError, naming `origin`, where there is no unit or it is another quantity.
    """
    accepted = f"accepted: a flux density such as {UNIT} or Jy"
    if unit is None or not str(unit).strip():
        raise RequestError(f"{origin}: the flux has no unit; {accepted}, in the file or given (--unit)")
    try:
        return u.Unit(unit).to(UNIT, np.ones(len(wave)), equivalencies=u.spectral_density(wave * u.AA))
    except (ValueError, TypeError, u.UnitConversionError) as error:
        raise RequestError(f"{origin}: unit {str(unit)!r} of the flux; {accepted}") from error


def angstrom(origin: str, unit: str | u.UnitBase | None, values: np.ndarray, *, width: bool = False) -> np.ndarray:
    """Wavelengths in Angstrom of values in any spectral unit; or widths, in one of length.

    Raises RequestError, naming `origin`, where it is none.
    """
    accepted = "accepted: Angstrom, nm, um, or any spectral unit of astropy"
    if unit is None or not str(unit).strip():
        raise RequestError(f"{origin}: the wavelengths have no unit; {accepted}, in the file or given (--wave-unit)")
    try:
        return u.Quantity(values, u.Unit(unit)).to_value(u.AA, [] if width else u.spectral())
    except (ValueError, TypeError, u.UnitConversionError) as error:
        raise RequestError(f"{origin}: unit {str(unit)!r} of the wavelengths; {accepted}") from error
