"""How good spectra are: signal to noise, as the field's definitions differ."""

from __future__ import annotations

import numpy as np

from galprism.data.spectra import Spectra
from galprism.errors import RequestError

SDSS_R = (5600.0, 6760.0)
"""Angstrom: a plain window in place of SDSS's r, about where its response (Doi et al. 2010, AJ 139, 1628) is above half
its peak."""
PER = ("Angstrom", "pixel")


def signal_to_noise(
    spectra: Spectra, band: tuple[float, float] | None = SDSS_R, *, per: str = "Angstrom"
) -> np.ndarray:
    """(N,): the median of flux / error over the pixels of a band that have data; NaN where none has.

    band : Angstrom, observed frame; None for all pixels
    per : "pixel" is the median of flux sqrt(ivar), SDSS's SN_MEDIAN in u, g, r, i, z and SN_MEDIAN_ALL (Bolton et al.
        2012, AJ 144, 144), negative pixels as they are; "Angstrom" divides each by sqrt(width / 1 Angstrom), as if
        pixels were independent and 1 Angstrom wide, so that surveys of other pixels compare

    Raises RequestError where the spectra do not reach into the band, or `per` is neither.
    """
    if per not in PER:
        raise RequestError(f"signal to noise per {per!r}; accepted: {', '.join(PER)}")
    low, high = (spectra.wave[0], spectra.wave[-1]) if band is None else band
    inside = (spectra.wave >= low) & (spectra.wave <= high)
    if not inside.any():
        raise RequestError(f"band {low:g} to {high:g} Angstrom: there is no pixel in it of {spectra.described()}")
    ratio = spectra.flux[:, inside] * np.sqrt(spectra.ivar[:, inside], dtype=np.float64)
    if per == "Angstrom":
        ratio /= np.sqrt(np.diff(spectra.edges)[inside])
    there = spectra.observed[:, inside]
    result = np.full(len(spectra), np.nan)
    known = there.any(axis=1)
    result[known] = np.nanmedian(np.where(there[known], ratio[known], np.nan), axis=1)
    return result
