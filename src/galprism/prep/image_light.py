"""Whether a cutout shows a source where one should be, as bright as its catalogue says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from galprism.data import Cutouts, Photometry
from galprism.prep.images import ImageInputConfig

RADIUS = 1.0
"""arcsec, around the middle, of what is looked at."""
TAIL = 1e-3
"""Share of a training set that lies beyond each end."""
ROOM = 1.25
"""By which ends are widened."""
LEAST_SN = 5.0
"""Of a flux, with which that of the image is held against it."""


@dataclass(frozen=True)
class ImageLight:
    """The ends of a training set, in its first band of images."""

    least_sn: float
    """Signal over the sky's noise within RADIUS."""
    share: tuple[float, float]
    """Flux within RADIUS over the catalogue's, least and most."""

    @classmethod
    def fit(cls, cutouts: Cutouts, photometry: Photometry | None, config: ImageInputConfig) -> ImageLight:
        """Of a training set; without photometry any share will do."""
        sn, share = _seen(cutouts, photometry, config)
        low, high = 0.0, np.inf
        if np.isfinite(share).any():
            low, high = np.quantile(share[np.isfinite(share)], [TAIL, 1 - TAIL])
        return cls(float(np.quantile(sn[np.isfinite(sn)], TAIL) / ROOM), (float(low / ROOM), float(high * ROOM)))

    def odd(self, cutouts: Cutouts, photometry: Photometry | None, config: ImageInputConfig) -> np.ndarray:
        """(N,), bool: nothing is seen at the middle, or something much brighter or fainter than the catalogue's flux,
        or all pixels of a band are the same, which no image of a sky has. Not judged are images that lack pixels in the
        middle, and fluxes within their noise."""
        sn, share = _seen(cutouts, photometry, config)
        low, high = self.share
        return (sn < self.least_sn) | (share < low) | (share > high) | _constant(cutouts, config)

    def to_plain(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return {"least_sn": self.least_sn, "share": list(self.share)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ImageLight:
        """The inverse of `to_plain`."""
        low, high = plain["share"]
        return cls(float(plain["least_sn"]), (float(low), float(high)))


def _seen(cutouts: Cutouts, photometry: Photometry | None, config: ImageInputConfig) -> tuple[np.ndarray, np.ndarray]:
    """(N,) each: signal to noise of the flux within RADIUS, and that flux over the catalogue's; NaN where not told."""
    band = config.bands[0]
    place, (height, width) = cutouts.bands.index(band), cutouts.shape
    y, x = np.mgrid[:height, :width]
    near = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2) * cutouts.pixel_scale <= RADIUS
    flux, ivar = (np.asarray(pixels[:, place][:, near], np.float64) for pixels in (cutouts.flux, cutouts.ivar))
    whole = (ivar > 0).all(axis=1)
    total = np.where(whole, flux.sum(axis=1), np.nan)
    sn = total / np.sqrt((1 / np.where(ivar > 0, ivar, 1.0)).sum(axis=1))
    share = np.full(len(sn), np.nan)
    if photometry is not None and band in photometry.bands:
        column = photometry.bands.index(band)
        known = np.asarray(photometry.flux[:, column] * np.sqrt(photometry.ivar[:, column]) > LEAST_SN)
        share[known] = total[known] / photometry.flux[known, column]
    return sn, share


def _constant(cutouts: Cutouts, config: ImageInputConfig) -> np.ndarray:
    """(N,), bool: of a band, all pixels with data hold the same number."""
    columns = [cutouts.bands.index(band) for band in config.bands]
    flux, seen = cutouts.flux[:, columns], cutouts.ivar[:, columns] > 0
    high = np.where(seen, flux, -np.inf).max(axis=(2, 3))
    low = np.where(seen, flux, np.inf).min(axis=(2, 3))
    return (high == low).any(axis=1)
