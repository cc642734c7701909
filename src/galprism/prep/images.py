"""Cutouts as a network sees them: one plane a band, and whether there is any image at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from galprism.data import Cutouts
from galprism.errors import RequestError

LINEAR_FROM = 3.0
"""Standard deviations of the sky: fainter pixels are kept as they are, brighter ones by their logarithm."""


@dataclass(frozen=True)
class ImageInputConfig:
    """Which cutouts go in, and how their pixels are scaled."""

    bands: tuple[str, ...] = ()
    """None for a network without images."""
    size: int = 41
    """px; larger cutouts are cropped to the middle."""
    pixel_scale: float = 0.2
    """arcsec."""
    scale: Literal["asinh", "flux", "peak"] = "asinh"
    """asinh of the signal-to-noise, in which a profile has the same shape however bright it is; the flux over that of
    the sky's noise, linear; or the flux over the brightest pixel's, from which no flux can be had."""

    def __post_init__(self) -> None:
        if self.size < 1 or not self.pixel_scale > 0:
            raise RequestError(
                f"classes.image.size = {self.size}, pixel_scale = {self.pixel_scale}; accepted: pixels from 1 on, "
                "arcsec above zero"
            )


def check_cutouts(cutouts: Cutouts, config: ImageInputConfig, what: str) -> None:
    """Raises RequestError, for `what`, where cutouts lack a band, are too small, in no flux, or of other pixels."""
    cutouts.calibrated(what)
    missing = [band for band in config.bands if band not in cutouts.bands]
    if missing:
        raise RequestError(
            f"{what} needs cutouts in {', '.join(config.bands)}; these are in {', '.join(cutouts.bands)} and lack "
            f"{', '.join(missing)}"
        )
    if abs(cutouts.pixel_scale / config.pixel_scale - 1.0) > 0.01:
        raise RequestError(
            f"{what} needs cutouts with pixels of {config.pixel_scale:g} arcsec; these have {cutouts.pixel_scale:g}: "
            "cut them out of images with those pixels"
        )
    if min(cutouts.shape) < config.size or any((side - config.size) % 2 for side in cutouts.shape):
        height, width = cutouts.shape
        raise RequestError(
            f"{what} needs cutouts of {config.size} x {config.size} pixels; these have {height} x {width}: accepted: "
            "as many, or larger by an even number"
        )


def image_inputs(cutouts: Cutouts, config: ImageInputConfig) -> tuple[np.ndarray, np.ndarray]:
    """(N, B, H, W), float32, and (N,), bool: the planes, pixels without data 0, and where all bands have an image.

    A band has none where half of its middle, or more, is without data: what is cut off by an edge a little is one.
    Cutouts are taken to be `check_cutouts`'s.
    """
    columns = [cutouts.bands.index(band) for band in config.bands]
    top, left = ((side - config.size) // 2 for side in cutouts.shape)
    part = (slice(None), columns, slice(top, top + config.size), slice(left, left + config.size))
    flux, ivar = (np.asarray(pixels[part], np.float32) for pixels in (cutouts.flux, cutouts.ivar))
    seen = ivar > 0
    middle = slice(config.size // 4, config.size - config.size // 4)
    there = (seen[:, :, middle, middle].mean(axis=(2, 3)) > 0.5).all(axis=1)
    if config.scale == "peak":
        peak = np.where(seen, flux, 0).max(axis=(2, 3), keepdims=True)
        planes = flux / np.where(peak > 0, peak, 1)
    else:
        count = np.maximum(seen.sum(axis=(2, 3), keepdims=True), 1)
        sigma = np.sqrt(count / np.maximum(ivar.sum(axis=(2, 3), keepdims=True), np.finfo(np.float32).tiny))
        planes = flux / sigma.astype(np.float32)
        if config.scale == "asinh":
            planes = np.arcsinh(planes / np.float32(LINEAR_FROM))
    return np.where(seen & there[:, None, None, None], planes, np.float32(0)).astype(np.float32, copy=False), there
