"""Spectra put to the sources of a catalogue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from galprism.data.sources import Sources
from galprism.data.spectra import Spectra
from galprism.data.tables.ids import match_ids
from galprism.errors import RequestError
from galprism.flags import Flag


def with_spectra(sources: Sources, ids: np.ndarray, spectra: Spectra) -> Sources:
    """The sources with the spectra (M, …) of `ids` (M,), put to them by id; where one has none, or one without any
    data, ivar = 0 throughout and it is flagged SPECTRUM_MISSING.

    Raises RequestError where an id of a source has several spectra, or ids and spectra are not as many.
    """
    if len(ids) != len(spectra):
        raise RequestError(f"{len(ids)} ids were given for {len(spectra)} spectra")
    match = match_ids(sources.id, np.asarray(ids))
    if match.repeated.any():
        raise RequestError(f"there are several spectra of id {sources.id[match.repeated][0]}")
    shape = (len(sources), len(spectra.wave))
    flux, ivar = np.zeros(shape, spectra.flux.dtype), np.zeros(shape, spectra.ivar.dtype)
    rows = match.index[match.found]
    flux[match.found], ivar[match.found] = spectra.flux[rows], spectra.ivar[rows]
    sigma = spectra.lsf_sigma
    if sigma is not None and sigma.ndim == 2:
        own, sigma = sigma, np.full(shape, np.nan, np.float32)
        sigma[match.found] = own[rows]
    block = Spectra(flux, ivar, spectra.wave, sigma)
    return replace(sources, spectra=block).flagged(Flag.SPECTRUM_MISSING, ~block.observed.any(axis=1))
