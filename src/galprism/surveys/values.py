"""From the raw values of one band to nJy, weights and flags. Every value is accounted for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from galprism.flags import Flag
from galprism.units import AB_ZEROPOINT_NJY, FRACTIONAL_ERROR_PER_MAG, njy_from_abmag

FLUX_SENTINELS = (-99.0, -999.0, -9999.0, -99999.0)
MAG_SENTINELS = (0.0,)
"""Values that surveys write for "missing". Where no preset gives them that meaning they are still not read as light."""
BRIGHTEST_MAG, FAINTEST_MAG = -5.0, 40.0
"""Magnitudes outside are not magnitudes."""
LARGE_MAG_ERROR = 10.0
"""A larger error of a magnitude may be a sentinel; it is looked at."""
ROW_MARGIN = 4.0
"""mag; a single source may be this much brighter than the brightest plausible median."""
NEGATIVE_SIGMAS = 20.0
"""A flux below minus this many of its errors, and below minus 100 times the survey's sky noise, is no measurement."""


@dataclass(frozen=True)
class Meaning:
    """What the values of one band mean."""

    kind: Literal["flux", "mag"]
    error_kind: Literal["err", "ivar"]
    scale: float
    """nJy in one unit of the fluxes; 1 for magnitudes."""
    error_scale: float
    not_observed: tuple[float, ...]
    not_detected: tuple[float, ...]
    negative_error: Literal["fault", "limit"]
    missing_error_below: float | None
    softening: float | None
    sky_err: float
    """nJy."""
    brightest: float
    """nJy; more is implausible."""
    sentinels: tuple[float, ...] = field(init=False)
    """Suspicious values that the format gives no meaning."""

    def __post_init__(self) -> None:
        known = {*self.not_observed, *self.not_detected}
        listed = FLUX_SENTINELS if self.kind == "flux" else MAG_SENTINELS
        object.__setattr__(self, "sentinels", tuple(value for value in listed if value not in known))


def understand(
    meaning: Meaning, value: np.ndarray, error: np.ndarray | None, flags: np.ndarray, out: np.ndarray
) -> np.ndarray | None:
    """One band of n rows.

    value : (n,), raw; error : (n,), raw, or None where there is none
    flags : (n,), uint32, bits are added in place
    out : (2, n), float32, receives flux [nJy] and ivar [nJy^-2] (0 not observed, NaN error unknown)
    Returns (n,) bool, where the flux is an upper limit, or None when nowhere.

    Ordinary rows take one formula; what it does not cover is gathered and looked at state by state.
    """
    with np.errstate(all="ignore"):
        odd = np.flatnonzero(~_ordinary(meaning, value, error, out))
        if not len(odd):
            return None
        # Most of them are simply not there.
        nan = np.isnan(value[odd])
        empty, odd = odd[nan], odd[~nan]
        out[:, empty] = 0.0
        flags[empty] |= np.uint32(Flag.BAND_MISSING)
        odd_flags = flags[odd]
        flux, ivar, odd_limit = _state_by_state(
            meaning, value[odd].astype(np.float64), None if error is None else error[odd].astype(np.float64), odd_flags
        )
    out[0, odd], out[1, odd], flags[odd] = flux, ivar, odd_flags
    if not odd_limit.any():
        return None
    limit = np.zeros(len(value), bool)
    limit[odd] = odd_limit
    return limit


def _ordinary(meaning: Meaning, value: np.ndarray, error: np.ndarray | None, out: np.ndarray) -> np.ndarray:
    """Writes flux and ivar as if every row were a plain measurement; returns (n,) bool, where that is true."""
    if error is None:
        return np.zeros(len(value), bool)
    flux, ivar = out
    value, error = value.astype(np.float32, copy=False), error.astype(np.float32, copy=False)
    if meaning.kind == "flux":
        np.multiply(value, np.float32(meaning.scale), out=flux)
        if meaning.error_kind == "ivar":
            np.multiply(error, np.float32(meaning.error_scale**-2), out=ivar)
        else:
            np.multiply(error, np.float32(meaning.error_scale), out=ivar)
            _inverse_square(ivar)
        # Sentinels are whole numbers; looking at every negative flux would look at half of a faint band.
        fine = (value > max(FLUX_SENTINELS)) | (value != np.rint(value))
        fine &= flux > -100 * meaning.sky_err
    else:
        slope = _flux_of_magnitude(meaning, value, flux)
        np.multiply(slope, error, out=ivar)
        _inverse_square(ivar)
        fine = (value > max(MAG_SENTINELS)) & (value < FAINTEST_MAG) & (error < LARGE_MAG_ERROR)
    fine &= (flux < meaning.brightest) & (error > 0) & (ivar > 0) & (ivar < np.inf)
    for known in (*meaning.not_observed, *meaning.not_detected):
        if known > 0 or meaning.kind == "mag":
            fine &= value != np.float32(known)
    return fine


def _state_by_state(
    meaning: Meaning, value: np.ndarray, error: np.ndarray | None, flags: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(flux, ivar, is an upper limit) of rows that may be anything, each (m,); bits are added to `flags`."""
    absent = _is_any(value, meaning.not_observed) | np.isnan(value)
    undetected = _is_any(value, meaning.not_detected)
    if error is None:
        error = np.full(len(value), np.nan)
    elif meaning.missing_error_below is not None:
        absent |= error < meaning.missing_error_below
    if meaning.error_kind == "ivar":
        absent |= error == 0
    if meaning.kind == "mag":
        impossible = ~absent & ~undetected & np.isfinite(value) & ((value < BRIGHTEST_MAG) | (value > FAINTEST_MAG))
        _mark(flags, impossible, Flag.FLUX_IMPLAUSIBLE)
        absent |= impossible
        error = np.where(_is_any(error, (*meaning.not_observed, *meaning.not_detected)), np.nan, error)

    told = ~absent & ~undetected
    limit = told & (error < 0) & (meaning.negative_error == "limit")
    negative, zero = told & (error < 0) & ~limit, told & (error == 0) & np.isfinite(value)
    _mark(flags, negative, Flag.NEGATIVE_ERROR)
    _mark(flags, zero, Flag.ZERO_ERROR)
    absent |= negative | zero

    flux = np.empty(len(value))
    if meaning.kind == "mag":
        sigma = _flux_of_magnitude(meaning, value, flux) * np.abs(error)
    else:
        np.multiply(value, meaning.scale, out=flux)
        # An infinite weight is told as an infinite number, not as a certainty.
        weighted = np.where(np.isinf(error), np.inf, meaning.error_scale / np.sqrt(np.abs(error)))
        sigma = weighted if meaning.error_kind == "ivar" else np.abs(error) * meaning.error_scale
    flux[undetected], sigma[undetected] = 0.0, meaning.sky_err
    infinite = np.isinf(value) | ~np.isfinite(flux.astype(np.float32)) | np.isinf(sigma.astype(np.float32))
    infinite &= ~absent
    _mark(flags, infinite, Flag.NONFINITE)
    absent |= infinite

    # Where the error is unknown the survey's own noise judges.
    noise = np.where(sigma > 0, sigma, meaning.sky_err)
    suspect = _is_any(value, meaning.sentinels) | (flux < -np.maximum(NEGATIVE_SIGMAS * noise, 100 * meaning.sky_err))
    suspect &= ~absent
    _mark(flags, ~absent & (suspect | (flux > meaning.brightest)), Flag.FLUX_IMPLAUSIBLE)
    absent |= suspect

    ivar = sigma**-2.0
    # An error so small that its weight overflows is none.
    endless = ~absent & np.isinf(ivar.astype(np.float32))
    _mark(flags, endless, Flag.ZERO_ERROR)
    absent |= endless
    # And one so large that nothing is left of its weight measures nothing.
    absent |= ivar.astype(np.float32) == 0
    limit &= ~absent
    _mark(flags, limit | (undetected & ~absent), Flag.UPPER_LIMIT)
    _mark(flags, ~absent & np.isnan(ivar), Flag.ERROR_UNKNOWN)
    _mark(flags, absent, Flag.BAND_MISSING)
    flux[absent], ivar[absent] = 0.0, 0.0
    return flux, ivar, limit


def _flux_of_magnitude(meaning: Meaning, magnitude: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Writes the flux [nJy] of magnitudes and returns |dflux / dmag|, in the type of `flux`.

    asinh magnitudes: f / f0 = 2 b sinh(-0.4 ln(10) m - ln b) (Lupton, Gunn & Szalay 1999, Eq. 3, inverted).
    """
    per_mag = flux.dtype.type(FRACTIONAL_ERROR_PER_MAG)
    if meaning.softening is None:
        np.multiply(flux.dtype.type(AB_ZEROPOINT_NJY) - magnitude, per_mag, out=flux)
        np.exp(flux, out=flux)
        return flux * per_mag
    rising = np.exp(-per_mag * magnitude - flux.dtype.type(np.log(meaning.softening)))
    scale = flux.dtype.type(meaning.softening * njy_from_abmag(0.0))
    np.multiply(rising - 1 / rising, scale, out=flux)
    return (rising + 1 / rising) * (scale * per_mag)


def _inverse_square(sigma: np.ndarray) -> None:
    np.multiply(sigma, sigma, out=sigma)
    np.divide(sigma.dtype.type(1.0), sigma, out=sigma)


def _is_any(value: np.ndarray, known: tuple[float, ...]) -> np.ndarray:
    """Equal to one of `known`, at the precision of the float32 columns that surveys write."""
    found = np.zeros(len(value), bool)
    for one in known:
        found |= np.abs(value - one) <= 1e-6 * abs(one)
    return found


def _mark(flags: np.ndarray, where: np.ndarray, flag: Flag) -> None:
    flags[where] |= np.uint32(flag)


def brightest_flux(mag_bright: float) -> float:
    """nJy; a single source beyond is implausible."""
    return 10 ** (0.4 * (AB_ZEROPOINT_NJY - (mag_bright - ROW_MARGIN)))
