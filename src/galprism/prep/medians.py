"""The preparation of the J-PAS paper (A&A 705, A219, 2026, Sects. 3 and 5.3): fluxes over their median, nothing else.

Errors, redshift and brightness are not seen. A band that is missing has the flux between those of its neighbours.
"""

from __future__ import annotations

import numpy as np

from galprism.data import Photometry
from galprism.prep.inputs import Inputs


def names(bands: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the values and of the (no) indicators."""
    return tuple(f"flux_{band}" for band in bands), ()


def measure(photometry: Photometry) -> Inputs:
    """The B inputs of N sources; `broken` where the median is not positive or fewer than two bands are there.

    Missing bands are interpolated linearly between the nearest that are there, in the order of the bands, which is
    that of wavelength; beyond the first and the last they have the flux of that one. Upper limits count as missing.
    """
    used = photometry.observed if photometry.limit is None else photometry.observed & ~photometry.limit
    flux = interpolated(photometry.flux.astype(np.float64), used)
    with np.errstate(all="ignore"):
        median = _median(flux, used)
        values = (flux / median[:, None]).astype(np.float32)
    broken = ~(median > 0) | (used.sum(axis=1) < 2) | ~np.isfinite(values).all(axis=1)
    return Inputs(
        values=np.where(broken[:, None], np.float32(0), values),
        there=np.ones(values.shape, bool),
        indicators=np.zeros((len(values), 0), np.float32),
        anchor=np.zeros(len(values)),
        broken=broken,
        n_bands=used.sum(axis=1).astype(np.int16),
    )


def _median(flux: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(N,), of the bands that are there; nan where none is."""
    ordered, n, rows = np.sort(np.where(used, flux, np.inf), axis=1), used.sum(axis=1), np.arange(len(flux))
    middle = 0.5 * (ordered[rows, np.maximum(n - 1, 0) // 2] + ordered[rows, np.minimum(n // 2, flux.shape[1] - 1)])
    return np.where(n > 0, middle, np.nan)


def interpolated(flux: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(N, B): fluxes, those of bands that are not `used` being interpolated; 0 where no band is."""
    place = np.arange(flux.shape[1])
    below = np.maximum.accumulate(np.where(used, place, -1), axis=1)
    above = np.minimum.accumulate(np.where(used, place, flux.shape[1])[:, ::-1], axis=1)[:, ::-1]
    low, high = np.where(below < 0, above, below), np.where(above == flux.shape[1], below, above)
    rows, last = np.arange(len(flux))[:, None], flux.shape[1] - 1
    at_low, at_high = flux[rows, np.clip(low, 0, last)], flux[rows, np.clip(high, 0, last)]
    share = np.where(high > low, (place - low) / np.maximum(high - low, 1), 0.0)
    return np.where(used.any(axis=1, keepdims=True), at_low + share * (at_high - at_low), 0.0)
