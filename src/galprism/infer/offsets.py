"""How far each band of a catalogue is from what the other bands say: zero points, curves and units that are off.

One source says little; the median over many is a zero-point offset, where the model's galaxies are like the
catalogue's. A band that is off pulls its neighbours the other way: the largest in sigma is to be looked at first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.bundle import Bundle
from galprism.data import Sources
from galprism.errors import RequestError

CHUNK_ROWS = 8192
LEAST_SN = 10.0
"""Bands measured worse than this have no say in their own offset."""
FEWEST = 20
"""Sources below which nothing is said of a band."""


@dataclass(frozen=True)
class BandOffset:
    """Of one band."""

    band: str
    n: int
    """Sources with S/N enough in it."""
    offset: float
    """mag, the median of measured minus expected: positive where the band is too faint; NaN from too few sources."""
    error: float
    """mag, of the median, from the scatter."""


def band_offsets(bundle: Bundle, sources: Sources) -> list[BandOffset]:
    """The offset of each band, by a model of any bands that is bound to the sources' survey.

    Raises RequestError for a model of fixed bands, and where the sources have no photometry or redshifts.
    """
    if not bundle.any_bands:
        raise RequestError(f"bundle {bundle.name} has bands of its own; offsets are by a model of any bands")
    parts = [sources.take(slice(start, start + CHUNK_ROWS)) for start in range(0, len(sources), CHUNK_ROWS)]
    expected = np.concatenate(
        [bundle.of_parameters.expected(part) for part in parts] or [np.zeros((0, len(bundle.bands)))]
    )
    photometry = sources.photometry
    assert photometry is not None
    photometry = photometry.select(bundle.bands)
    told = []
    for j, band in enumerate(bundle.bands):
        flux, ivar = photometry.flux[:, j].astype(float), photometry.ivar[:, j]
        ivar = np.where(np.isnan(ivar), np.inf, ivar)  # an unknown error is no reason to leave a band out
        good = (flux * np.sqrt(ivar) > LEAST_SN) & (flux > 0) & (expected[:, j] > 0)
        off = -2.5 * np.log10(flux[good] / expected[good, j])
        if len(off) < FEWEST:
            told.append(BandOffset(band, len(off), np.nan, np.nan))
            continue
        median = float(np.median(off))
        spread = 1.4826 * float(np.median(np.abs(off - median)))
        told.append(BandOffset(band, len(off), median, 1.2533 * spread / np.sqrt(len(off))))
    return told
