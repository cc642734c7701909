"""Photometry of cutouts in circular apertures, matched across bands.

The flux is the sum of the pixels, each with the part of it that lies in the circle; its error is that of the pixels,
taken as independent (stacks of resampled exposures are not: hold it against the scatter of empty apertures). A pixel
without data is replaced by its mirror image through the source, and a band with too little left is not observed.

Where the full widths of the point-spread functions are given, every band is brought to the widest of its source, as if
convolved with the Gaussian that makes up the difference. The convolution is done on the aperture, which gives the same
sum, exact errors, and costs nothing at masked pixels.

Exact overlaps of circles and pixels are photutils': `pip install galprism[images]`.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import fourier_gaussian

from galprism.data.background import clipped
from galprism.data.blocks import check_shape
from galprism.data.cutouts import Cutouts
from galprism.data.sources import Photometry
from galprism.errors import RequestError
from galprism.flags import Flag

FWHM_PER_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))
NOTICED, LOST = 0.001, 0.02
"""Parts of an aperture: so much of it replaced is flagged, so much of it without data leaves the band unobserved."""
FEWEST = 16
"""Pixels of an annulus from which a background is told."""


def aperture_photometry(
    cutouts: Cutouts,
    offset: np.ndarray | None = None,
    *,
    diameter: float = 2.0,
    annulus: tuple[float, float] | None = None,
    match_psf: bool = False,
) -> tuple[Photometry, np.ndarray]:
    """Fluxes (N, B) in nJy within circles of one diameter on the sky, and flags (N,): MASKED.

    offset : (N, B, 2), pixels, x and y of the sources from the middles of their cutouts; NaN, or None, is no offset
    diameter : arcsec; nothing is added for the light beyond it
    annulus : inner and outer radius in arcsec of a ring whose clipped median is taken off; None where the background
        is off already, as galprism.data.cutting takes it
    match_psf : bring every band to the widest of the cutouts' `psf_fwhm` of its source

    Raises RequestError where the cutouts are pictures, the circle or ring does not fit into them, a width is not known,
    or photutils is not installed.
    """
    cutouts.calibrated("aperture photometry")
    try:
        from photutils.aperture import CircularAperture
    except ImportError as error:
        raise RequestError("photutils is not installed; pip install galprism[images]") from error
    offset = np.zeros((*cutouts.flux.shape[:2], 2)) if offset is None else np.nan_to_num(offset, nan=0.0)
    check_shape("aperture_photometry", "offset", offset, (*cutouts.flux.shape[:2], 2))
    _check_sizes(cutouts, diameter, annulus)
    sigma = _widths(cutouts) if match_psf else np.zeros(cutouts.flux.shape[:2])
    middle = (np.array(cutouts.shape[::-1]) - 1) / 2
    y, x = np.indices(cutouts.shape)
    flux, ivar = np.zeros((2, *cutouts.flux.shape[:2]))
    flags = np.zeros(len(cutouts), np.uint32)
    observed = cutouts.observed
    for row, band in np.argwhere(observed.any(axis=(2, 3))):
        centre = middle + offset[row, band]
        circle = CircularAperture(centre, diameter / 2 / cutouts.pixel_scale).to_mask(method="exact")
        weight = circle.to_image(cutouts.shape)
        if sigma[row, band]:
            weight = np.fft.ifft2(fourier_gaussian(np.fft.fft2(weight), sigma[row, band])).real
        pixels, variance = _mirrored(cutouts.flux[row, band], cutouts.ivar[row, band], centre)
        share = np.abs(weight) / np.abs(weight).sum()
        if share[~observed[row, band]].sum() > NOTICED:
            flags[row] |= np.uint32(Flag.MASKED)
        good = variance > 0
        if share[~good].sum() > LOST:
            continue
        level, level_variance = 0.0, 0.0
        if annulus is not None:
            radius = np.hypot(x - centre[0], y - centre[1]) * cutouts.pixel_scale
            ring = (radius >= annulus[0]) & (radius <= annulus[1]) & observed[row, band]
            if ring.sum() < FEWEST:
                continue
            sky = clipped(cutouts.flux[row, band][ring].astype(np.float64))
            level = float(np.median(sky))
            level_variance = np.pi / 2 * np.mean(1 / cutouts.ivar[row, band][ring]) / len(sky)
        flux[row, band] = np.sum(weight[good] * (pixels[good] - level))
        ivar[row, band] = 1 / (np.sum(weight[good] ** 2 * variance[good]) + weight[good].sum() ** 2 * level_variance)
    return Photometry(flux.astype(np.float32), ivar.astype(np.float32), cutouts.bands), flags


def _check_sizes(cutouts: Cutouts, diameter: float, annulus: tuple[float, float] | None) -> None:
    reach = (min(cutouts.shape) - 1) / 2 * cutouts.pixel_scale
    if not 0 < diameter / 2 <= reach:
        raise RequestError(f"aperture of {diameter:g} arcsec; accepted in these cutouts: up to {2 * reach:g}, above 0")
    if annulus is not None and not 0 <= annulus[0] < annulus[1] <= reach:
        raise RequestError(
            f"annulus {annulus[0]:g} to {annulus[1]:g} arcsec; accepted in these cutouts: an inner and a larger outer "
            f"radius up to {reach:g}"
        )


def _widths(cutouts: Cutouts) -> np.ndarray:
    """(N, B), pixels, sigma of the Gaussian that brings a band to the widest of its source."""
    fwhm = cutouts.psf_fwhm
    if fwhm is None or np.isnan(fwhm).any():
        lacking = [b for i, b in enumerate(cutouts.bands) if fwhm is None or np.isnan(fwhm[:, i]).any()]
        raise RequestError(
            f"the PSF's FWHM is not known in {', '.join(lacking)}; bands are matched where all are known"
        )
    wide = fwhm.max(axis=1, keepdims=True).astype(np.float64)
    return np.sqrt(wide**2 - fwhm.astype(np.float64) ** 2) / FWHM_PER_SIGMA / cutouts.pixel_scale


def _mirrored(flux: np.ndarray, ivar: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flux and variance (H, W), float64, of pixels without data those of their mirror images; variance 0 where none."""
    pixels = flux.astype(np.float64)
    variance = np.divide(1.0, ivar, out=np.zeros(ivar.shape), where=ivar > 0)
    bad = np.argwhere(ivar <= 0)
    if len(bad):
        there = np.rint(2 * centre[::-1] - bad).astype(int)
        known = np.all((there >= 0) & (there < ivar.shape), axis=1)
        bad, there = bad[known].T, there[known].T
        pixels[tuple(bad)] = flux[tuple(there)]
        variance[tuple(bad)] = np.divide(1.0, ivar, out=np.zeros(ivar.shape), where=ivar > 0)[tuple(there)]
    return pixels, variance
