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
    old = np.concatenate([before, spectra.wave, after])

    def mean(values: np.ndarray) -> np.ndarray:
        return spectres(wave, old, _padded(values, len(before), len(after)), verbose=False)

    there = spectra.observed
    covered = mean(there.astype(np.float64))
    sigma = np.divide(1.0, np.sqrt(spectra.ivar, dtype=np.float64), out=np.zeros(there.shape), where=there)
    padded = (_padded(values, len(before), len(after)) for values in (spectra.flux, sigma))
    flux, sigma = spectres(wave, old, *padded, verbose=False)
    kept = covered >= LEAST_COVERED - 1e-9  # half of a pixel, whatever rounding makes of it
    ivar = np.divide(covered, sigma, out=np.zeros(kept.shape), where=kept) ** 2
    return Spectra(
        np.divide(flux, covered, out=np.zeros(kept.shape), where=kept).astype(spectra.flux.dtype),
        ivar.astype(spectra.ivar.dtype),
        wave,
        None if spectra.lsf_sigma is None else _sigma(spectra.lsf_sigma, mean),
    )


def _sigma(sigma: np.ndarray, mean) -> np.ndarray:
    known = np.isfinite(sigma)
    weight = mean(known.astype(np.float64))
    variance = mean(np.where(known, sigma, 0.0).astype(np.float64) ** 2)
    return np.sqrt(np.divide(variance, weight, out=np.full(weight.shape, np.nan), where=weight >= LEAST_COVERED))


def _pads(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths to put before and after the old ones, so that their pixels reach beyond the new ones."""
    edges = pixel_edges(new)
    first, last = old[1] - old[0], old[-1] - old[-2]
    n_before = max(0, int(np.ceil((old[0] - edges[0]) / first))) + 1
    n_after = max(0, int(np.ceil((edges[-1] - old[-1]) / last))) + 1
    return old[0] - first * np.arange(n_before, 0, -1), old[-1] + last * np.arange(1, n_after + 1)


def _padded(values: np.ndarray, n_before: int, n_after: int) -> np.ndarray:
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(n_before, n_after)])
