"""Spectra put to the sources of a catalogue, and redshifts of a catalogue to spectra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from galprism.data.sources import Sources
from galprism.data.spectra import Spectra
from galprism.data.tables.ids import match_each
from galprism.flags import Flag

REDSHIFT_LIMIT = 7.0
"""A redshift beyond it, of either sign, is taken for a sentinel: the optical shows none."""


def with_spectra(sources: Sources, ids: np.ndarray, spectra: Spectra) -> Sources:
    """The sources with the spectra (M, …) of `ids` (M,), put to them by id; where one has none, or one without any
    data, ivar = 0 throughout and it is flagged SPECTRUM_MISSING.

    Raises RequestError where an id of a source has several spectra, or ids and spectra are not as many.
    """
    match = match_each(sources.id, ids, len(spectra), "spectra")
    sigma = spectra.lsf_sigma
    if sigma is not None and sigma.ndim == 2:
        sigma = match.placed(sigma, np.nan)
    block = Spectra(match.placed(spectra.flux, 0.0), match.placed(spectra.ivar, 0.0), spectra.wave, sigma)
    return replace(sources, spectra=block).flagged(Flag.SPECTRUM_MISSING, ~block.observed.any(axis=1))


def with_redshifts(sources: Sources, ids: np.ndarray, redshift: np.ndarray) -> Sources:
    """The sources with the redshifts (M,) of `ids` (M,), put to them by id; the others keep their own.

    A redshift that is none, or beyond 7, is NaN and flagged REDSHIFT_MISSING. Raises RequestError where an id of a
    source has several redshifts.
    """
    redshift = np.asarray(redshift, np.float64)
    match = match_each(sources.id, ids, len(redshift), "redshifts")
    own = np.full(len(sources), np.nan) if sources.redshift is None else sources.redshift
    given = np.where(match.found, match.placed(redshift, np.nan), own)
    none = no_redshift(given)
    assert sources.flags is not None
    flags = np.where(
        none, sources.flags | np.uint32(Flag.REDSHIFT_MISSING), sources.flags & ~np.uint32(Flag.REDSHIFT_MISSING)
    )
    return replace(sources, redshift=np.where(none, np.nan, given), flags=flags)


def no_redshift(redshift: np.ndarray) -> np.ndarray:
    """(N,), bool: NaN, or beyond REDSHIFT_LIMIT."""
    return ~(np.abs(redshift) <= REDSHIFT_LIMIT)
