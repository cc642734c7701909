"""Sources of registered images without a catalogue: found in one band with photutils, and the PSF measured on stars."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources, make_2dgaussian_kernel
from scipy.ndimage import binary_dilation, median_filter
from scipy.optimize import curve_fit
from scipy.signal import fftconvolve
from scipy.spatial import KDTree

from galprism.data.images import Image, open_image
from galprism.units import abmag_from_njy, njy_from_abmag

BANDS = ("u", "g", "r", "i", "Z", "Y", "J", "H", "Ks")
PIXEL = 0.2
"""arcsec."""
ZEROPOINT = dict(zip(BANDS, (0.0,) * 4 + (30.0,) * 5, strict=True))
SATURATION = {"g": 3.4e5, "r": 1.95e5, "i": 4.2e5}
"""nJy in a pixel: 5 to 10 % below the level at which the brightest stars' profiles are cut off flat."""
BLOCK = 325
"""px, rows in which each column of the sky is measured by itself: where single exposures end, its level and its noise
jump from column to column."""
KERNEL, THRESHOLD, LEAST_PIXELS, CONTRAST = 3.0, 3.0, 8, 0.005
"""FWHM of the Gaussian that the image is smoothed with, px; standard deviations of the smoothed sky; pixels; share of a
blend's light that a part must have."""
STAMP = 12
"""px, half the side of the stamps that the PSF is fitted to."""


@dataclass(frozen=True, eq=False)
class Detected:
    """N sources of the band that they were found in."""

    x: np.ndarray
    """(N,), px, counted from 0."""
    y: np.ndarray
    mag: np.ndarray
    """AB, in photutils's Kron ellipse (2.5 Kron radii), neighbours replaced by their mirror image."""
    half_light: np.ndarray
    """arcsec, of the circle that holds half of that flux."""
    peak: np.ndarray
    """nJy, of the brightest pixel."""
    parent: np.ndarray
    """Number of the isophote, at the threshold of detection, that it is in, with others where they blend."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: np.ndarray) -> Detected:
        return Detected(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Sky:
    """What is under the sources of an image."""

    level: np.ndarray
    """(H, W), nJy."""
    noise: np.ndarray
    """(H, W), nJy, standard deviation of a pixel."""


def opened(folder: Path, band: str) -> Image:
    """The image of one band; its zero point and saturation are not in its header."""
    counts = SATURATION.get(band, np.inf) / njy_from_abmag(ZEROPOINT[band])
    return open_image(folder / f"{band}.fits", zeropoint=ZEROPOINT[band], pixel_scale=PIXEL, saturation=float(counts))


def pixels_of(image: Image) -> np.ndarray:
    """(H, W), nJy, saturated ones too."""
    return image.plane.read(*(slice(0, side) for side in image.shape)).astype(float) * image.njy_per_count


def covered_by(segments: np.ndarray) -> np.ndarray:
    """(H, W), bool: on sources or near."""
    return binary_dilation(segments > 0, iterations=6)


def sky_of(pixels: np.ndarray, covered: np.ndarray | None = None) -> Sky:
    """The sky between the pixels that sources cover (H, W): medians of each column in blocks of rows, of three
    neighbouring columns the middle one, and linear between blocks."""
    height = len(pixels)
    bare = pixels if covered is None else np.where(covered, np.nan, pixels)
    edges = np.linspace(0, height, round(height / BLOCK) + 1).astype(int)
    blocks = [bare[low:high] for low, high in pairwise(edges)]
    level = np.array([np.nanmedian(block, axis=0) for block in blocks])
    noise = 1.4826 * np.array([np.nanmedian(np.abs(b - m), axis=0) for b, m in zip(blocks, level, strict=True)])
    at = np.interp(np.arange(height), 0.5 * (edges[1:] + edges[:-1] - 1), np.arange(len(blocks)))
    low = np.minimum(at.astype(int), len(blocks) - 2)
    part = (at - low)[:, None]
    return Sky(*((1 - part) * m[low] + part * m[low + 1] for m in (median_filter(m, (1, 3)) for m in (level, noise))))


def detect(pixels: np.ndarray) -> tuple[Detected, np.ndarray]:
    """The sources of an image (H, W) in nJy, and which of its pixels they cover: found twice, the second time above a
    sky that is measured where the first one found nothing."""
    _, segments = _segments(pixels, sky_of(pixels))
    sky = sky_of(pixels, covered_by(segments.data))
    smooth, segments = _segments(pixels, sky)
    parts = deblend_sources(smooth, segments, n_pixels=LEAST_PIXELS, n_levels=32, contrast=CONTRAST, progress_bar=False)
    found = SourceCatalog(pixels - sky.level, parts, convolved_data=smooth)
    flux, half = np.asarray(found.kron_flux), found.flux_radius(0.5)
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = np.where(flux > 0, abmag_from_njy(flux), np.nan)
    half = PIXEL * np.asarray(getattr(half, "value", half))
    at = np.asarray(found.x_centroid), np.asarray(found.y_centroid)
    _, first = np.unique(parts.data, return_index=True)
    parent = segments.data.ravel()[first[1:]]
    return Detected(*at, mag, half, np.asarray(found.max_value), parent), covered_by(segments.data)


def _segments(pixels: np.ndarray, sky: Sky):
    """The smoothed image in units of the noise, and what is brighter than the threshold."""
    kernel = make_2dgaussian_kernel(KERNEL, size=11).array
    smooth = fftconvolve((pixels - sky.level) / sky.noise, kernel, mode="same")
    noise = 1.4826 * np.median(np.abs(smooth - np.median(smooth)))
    return smooth, detect_sources(smooth, THRESHOLD * noise, n_pixels=LEAST_PIXELS)


def psf(pixels: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(N, 2), FWHM in arcsec and beta of Moffat profiles fitted to stars at pixels x, y; NaN where none fits."""
    found = np.full((len(x), 2), np.nan)
    rows, columns = np.mgrid[-STAMP : STAMP + 1, -STAMP : STAMP + 1]

    def moffat(_, peak: float, fwhm: float, beta: float, level: float, dx: float, dy: float) -> np.ndarray:
        alpha = 0.5 * fwhm / np.sqrt(2 ** (1 / beta) - 1)
        return (level + peak * (1 + ((columns - dx) ** 2 + (rows - dy) ** 2) / alpha**2) ** -beta).ravel()

    bounds = [0, 1, 1.2, -np.inf, -3, -3], [np.inf, 15, 15, np.inf, 3, 3]
    for k, (a, b) in enumerate(zip(np.rint(x).astype(int), np.rint(y).astype(int), strict=True)):
        stamp = pixels[max(b - STAMP, 0) : b + STAMP + 1, max(a - STAMP, 0) : a + STAMP + 1]
        if stamp.shape == rows.shape:
            first = stamp.max(), 3.5, 3.0, 0.0, 0.0, 0.0
            best, _ = curve_fit(moffat, None, stamp.ravel(), first, bounds=bounds, max_nfev=10_000)
            found[k] = PIXEL * best[1], best[2]
    return found


def alone(found: Detected, radius: float, fainter: float = 2.5) -> np.ndarray:
    """(N,), bool: nothing brighter than `fainter` mag more than a source's own is within `radius` arcsec of it."""
    points = np.column_stack([found.x, found.y])
    near = KDTree(points).query_ball_point(points, radius / PIXEL)
    return np.array(
        [not any(j != k and found.mag[j] < found.mag[k] + fainter for j in some) for k, some in enumerate(near)]
    )


def blended(found: Detected, brighter: float = 3.0) -> np.ndarray:
    """(N,), bool: in one isophote with a source `brighter` mag brighter, as pieces of a large galaxy are."""
    brightest = np.full(found.parent.max() + 1, np.inf)
    np.fmin.at(brightest, found.parent, found.mag)
    return brightest[found.parent] < found.mag - brighter
