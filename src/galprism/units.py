"""Flux densities and AB magnitudes. Inside galprism every flux density is in nJy."""

from __future__ import annotations

import numpy as np

from galprism.errors import RequestError

AB_ZEROPOINT_NJY = 31.4
"""AB magnitude of 1 nJy: m_AB = -2.5 log10(f_nu / erg s-1 cm-2 Hz-1) - 48.6 (Oke & Gunn 1983)."""

MAG_PER_DEX = 2.5
FRACTIONAL_ERROR_PER_MAG = np.log(10.0) / MAG_PER_DEX
"""d ln f = 0.921 dm."""

LIGHT_SPEED_ANGSTROM_PER_S = 2.99792458e18

NJY_PER_UNIT = {
    "njy": 1.0,
    "ujy": 1e3,
    "microjy": 1e3,
    "mjy": 1e6,
    "jy": 1e9,
    "maggy": 10 ** (0.4 * AB_ZEROPOINT_NJY),
    "maggies": 10 ** (0.4 * AB_ZEROPOINT_NJY),
    "mgy": 10 ** (0.4 * AB_ZEROPOINT_NJY),
    "nanomaggy": 10 ** (0.4 * AB_ZEROPOINT_NJY - 9),
    "nanomaggies": 10 ** (0.4 * AB_ZEROPOINT_NJY - 9),
    "nmgy": 10 ** (0.4 * AB_ZEROPOINT_NJY - 9),
}
"""nJy in one of each unit that surveys write; others go through astropy.units."""


def njy_per(unit: str) -> float:
    """How many nJy one `unit` of flux density is.

    Raises RequestError when `unit` is not a flux density per unit frequency.
    """
    text = unit.strip()
    # "MJy" is mega to astropy and "mJy" milli: only spellings without that trap go through the table.
    if text.lower() in NJY_PER_UNIT and not text.startswith("MJ"):
        return NJY_PER_UNIT[text.lower()]
    import astropy.units as u

    try:
        return float(u.Unit(text).to(u.nJy))
    except (ValueError, TypeError, u.UnitConversionError) as error:
        raise RequestError(
            f"unit {unit!r} is not a flux density; accepted: nJy, uJy, mJy, Jy, nanomaggy, maggy, "
            "mag(AB), or any astropy unit of f_nu such as erg s-1 cm-2 Hz-1"
        ) from error


def njy_from_abmag(mag):
    """Flux density in nJy of AB magnitudes."""
    return 10.0 ** (0.4 * (AB_ZEROPOINT_NJY - np.asarray(mag)))


def abmag_from_njy(flux):
    """AB magnitude of flux densities in nJy; NaN where the flux is not positive."""
    flux = np.asarray(flux)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(flux > 0, AB_ZEROPOINT_NJY - MAG_PER_DEX * np.log10(flux), np.nan)


def flux_err_from_mag_err(flux, mag_err):
    """Flux error of a small magnitude error, to first order: sigma_f = 0.921 f sigma_m."""
    return np.abs(flux) * FRACTIONAL_ERROR_PER_MAG * np.asarray(mag_err)


def mag_err_from_flux_err(flux, flux_err):
    """Magnitude error of a flux error, to first order; NaN where the flux is not positive."""
    flux = np.asarray(flux)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(flux > 0, np.asarray(flux_err) / (FRACTIONAL_ERROR_PER_MAG * flux), np.nan)
