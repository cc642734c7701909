"""Spectra on other wavelengths, their flux conserved and their noise propagated.

A new pixel's flux density is the mean of the old ones that it overlaps, weighted by the overlap, and its variance that
of this mean (Carnall 2017, arXiv:1705.05165, Eqs. 2 and 3), by his SpectRes: `pip install galprism[spectra]`. Old
pixels without data have no part in the mean, and a new pixel of which they leave less than half has no data.

New pixels are treated as independent. Where they are narrower than the old ones, neighbours share an old pixel and its
error, and sums over them have larger errors than their ivar say.
"""

from __future__ import annotations

import numpy as np

from galprism.data.spectra import Spectra, check_wave, pixel_edges
from galprism.errors import RequestError

LEAST_COVERED = 0.5
"""Of a new pixel's width: with less of it covered by data it has none."""
ROUNDING = 1e-9
"""What half of a pixel may lack and be half of it."""


def resample(spectra: Spectra, wave: np.ndarray) -> Spectra:
    """The spectra on `wave` (L,), Angstrom, ascending; ivar = 0 beyond the old ones, and where less than half of a new
    pixel is covered by old pixels with data. A flux keeps its type.

    The line-spread function's variance is averaged as flux is, over the pixels where it is known; the width that new
    pixels add by themselves is left out, as surveys leave theirs.

    Raises RequestError where wavelengths do not ascend, or SpectRes is not installed.
    """
    try:
        from spectres import spectres
    except ImportError as error:
        raise RequestError("spectres is not installed; pip install galprism[spectra]") from error
    wave = check_wave("resample: wave", wave)
    before, after = _pads(spectra.wave, wave)
    there = spectra.observed
    sigma = np.divide(1.0, np.sqrt(spectra.ivar, dtype=np.float64), out=np.zeros(there.shape), where=there)
    parts = [spectra.flux, there]
    if spectra.lsf_sigma is not None:
        lsf = np.atleast_2d(spectra.lsf_sigma).astype(np.float64)
        parts += [np.isfinite(lsf), np.nan_to_num(lsf) ** 2]
    values = np.concatenate(parts, dtype=np.float64)
    errors = np.zeros(values.shape)
    errors[: len(spectra)] = sigma
    pad = [(0, 0), (len(before), len(after))]
    grids = wave, np.concatenate([before, spectra.wave, after])
    means, errors = spectres(*grids, np.pad(values, pad), np.pad(errors, pad), verbose=False)
    flux, covered, *lsf_parts = np.split(means, np.cumsum([len(part) for part in parts[:-1]]))
    kept = covered >= LEAST_COVERED - ROUNDING
    return Spectra(
        _over(flux, covered, kept).astype(spectra.flux.dtype),
        (_over(covered, errors[: len(spectra)], kept) ** 2).astype(spectra.ivar.dtype),
        wave,
        None if spectra.lsf_sigma is None else _sigma(lsf_parts[0], lsf_parts[1], spectra.lsf_sigma.ndim),
    )


def _over(values: np.ndarray, by: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.divide(values, by, out=np.zeros(values.shape), where=where)


def _sigma(known: np.ndarray, variance: np.ndarray, ndim: int) -> np.ndarray:
    """(N, L), or (L,) where `ndim` is 1: from the part of each pixel where it is known, and the mean of its variance,
    taken as 0 where it is not."""
    there = known >= LEAST_COVERED - ROUNDING
    sigma = np.where(there, np.sqrt(_over(variance, known, there)), np.nan)
    return sigma[0] if ndim == 1 else sigma


def _pads(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths to put before and after the old ones, so that their pixels reach beyond the new ones: a pixel that
    leaves the old ones their width, and one as wide as it has to be, however far the new ones are."""
    edges = pixel_edges(new)
    first, last = old[1] - old[0], old[-1] - old[-2]
    before, after = old[0] - first, old[-1] + last
    return np.array([min(before - first, edges[0]), before]), np.array([after, max(after + last, edges[-1])])
