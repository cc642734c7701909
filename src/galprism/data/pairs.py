"""Whether what was put to sources by their ids lies where they are: the spectrum and the image of one galaxy."""

from __future__ import annotations

import numpy as np

from galprism.data.blocks import check_shape
from galprism.data.sources import Sources
from galprism.data.tables.ids import match_each
from galprism.errors import RequestError
from galprism.flags import Flag

FARTHEST = 2.0
"""Arcsec: a fibre of SDSS is 3 across, and positions of one galaxy in two surveys differ by some tenths."""


def separation(ra: np.ndarray, dec: np.ndarray, other_ra: np.ndarray, other_dec: np.ndarray) -> np.ndarray:
    """(N,), arcsec on the sphere between positions (N,) in deg; NaN where one is not known.

    By half angles (Sinnott 1984, Sky & Telescope 68, 158), which keep their digits at small separations.
    """
    ra, dec, other_ra, other_dec = (np.radians(np.asarray(a, np.float64)) for a in (ra, dec, other_ra, other_dec))
    across = np.cos(dec) * np.cos(other_dec) * np.sin((ra - other_ra) / 2) ** 2
    half = np.sqrt(np.sin((dec - other_dec) / 2) ** 2 + across)
    return np.degrees(2 * np.arcsin(np.minimum(half, 1.0))) * 3600


def on_sky(ra: np.ndarray | float, dec: np.ndarray | float) -> np.ndarray:
    """(N,), bool: ra from 0, or -180 where it is counted both ways, to below 360, and dec from -90 to 90, deg; false
    where one is not known."""
    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    return (ra >= -180) & (ra < 360) & (np.abs(dec) <= 90)


def with_pairs_checked(
    sources: Sources, ids: np.ndarray, ra: np.ndarray, dec: np.ndarray, *, farthest: float = FARTHEST
) -> tuple[Sources, np.ndarray]:
    """All the sources, flagged POSITION_MISMATCH where what has their id lies more than `farthest` arcsec away; and the
    separations (N,), arcsec, NaN where the other has no such id or a position is not known, which flags none.

    ids, ra, dec : (M,), of what is put to them: images, spectra, rows of a catalogue; deg ICRS

    Raises RequestError where the sources have no positions, several others have the id of one, or `farthest` is not
    above 0.
    """
    if sources.ra is None or sources.dec is None:
        raise RequestError("the sources have no positions, by which pairs are checked")
    if not farthest > 0:
        raise RequestError(f"farthest = {farthest}; accepted: arcsec, above 0")
    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    check_shape("with_pairs_checked", "dec", dec, ra.shape)
    match = match_each(sources.id, ids, len(ra), "positions")
    apart = separation(sources.ra, sources.dec, match.placed(ra, np.nan), match.placed(dec, np.nan))
    return sources.flagged(Flag.POSITION_MISMATCH, apart > farthest), apart
