"""Half-light radii of sources on their cutouts, from the growth of their light with radius, many sources at a time.

The centre is the centroid under a Gaussian window that follows it (Bertin & Arnouts 1996 and SExtractor's manual:
XWIN_IMAGE). The light within a radius is the sum of the pixels, of which those that the circle cuts count by how far
their middles are from it; the radius that comes of it is right to 2 % for images wider than three pixels. The half is
that of the light within an aperture, so that the radius of what is larger than the aperture is too small; it tells
points from what is extended all the same.
"""

from __future__ import annotations

import numpy as np

from galprism.data.apertures import FWHM_PER_SIGMA, LOST, NOTICED
from galprism.data.blocks import check_shape
from galprism.data.cutouts import Cutouts
from galprism.errors import RequestError
from galprism.flags import Flag

STEP = 0.25
"""Pixels between radii at which the light is summed; between them it grows linearly."""
WINDOW_STEPS = 6
"""Of the centroid, each of which goes twice as far as the last centroid was off."""
FURTHEST = 2.0
"""Pixels: a centroid further than this from where the source is said to be is not its own, and is not used."""
BATCH = 512
"""Images that are measured together."""


def half_light_radii(
    cutouts: Cutouts, offset: np.ndarray | None = None, *, aperture: float = 3.0
) -> tuple[np.ndarray, np.ndarray]:
    """Radii (N, B) in arcsec that hold half of the light within an aperture, and flags (N,): MASKED.

    offset : (N, B, 2), pixels, x and y of the sources from the middles of their cutouts; NaN, or None, is no offset
    aperture : arcsec, its diameter

    Pixels without data are replaced by their mirror images through the source. A radius is NaN where too much of the
    aperture is without data even so, or holds no light above zero. Raises RequestError where the cutouts are pictures,
    or the aperture does not fit into them.
    """
    cutouts.calibrated("a half-light radius")
    n, b = cutouts.flux.shape[:2]
    offset = np.zeros((n, b, 2)) if offset is None else np.nan_to_num(offset, nan=0.0)
    check_shape("half_light_radii", "offset", offset, (n, b, 2))
    reach = (min(cutouts.shape) - 1) / 2 * cutouts.pixel_scale
    if not 2 * STEP * cutouts.pixel_scale < aperture / 2 <= reach:
        raise RequestError(f"aperture of {aperture:g} arcsec; accepted in these cutouts: above 0, up to {2 * reach:g}")
    scale, shape = cutouts.pixel_scale, (n * b, *cutouts.shape)
    fwhm = np.full((n, b), aperture / 4) if cutouts.psf_fwhm is None else cutouts.psf_fwhm
    sigma = np.where(np.isfinite(fwhm), fwhm, aperture / 4).ravel() / FWHM_PER_SIGMA / scale
    start = ((np.array(cutouts.shape[::-1]) - 1) / 2 + offset).reshape(-1, 2)
    flux, seen = cutouts.flux.reshape(shape), cutouts.observed.reshape(shape)
    radius, masked = np.full(n * b, np.nan), np.zeros(n * b, bool)
    for first in range(0, n * b, BATCH):
        rows = slice(first, first + BATCH)
        radius[rows], masked[rows] = _measured(flux[rows], seen[rows], start[rows], sigma[rows], aperture / 2 / scale)
    flags = np.where(masked.reshape(n, b).any(axis=1), np.uint32(Flag.MASKED), np.uint32(0))
    return (radius * scale).reshape(n, b), flags.astype(np.uint32)


def _measured(
    flux: np.ndarray, seen: np.ndarray, start: np.ndarray, sigma: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Half-light radii in pixels and whether pixels lack, each (n,), of images (n, H, W) with windows of sigma (n,)."""
    pixels, good = _mirrored(flux, seen, start)
    pixels = np.where(good, pixels, 0.0)
    centre = _centroids(pixels, start, sigma)
    distance = np.hypot(*_from(centre, pixels.shape))
    inside = distance <= reach
    share = lambda lost: (lost & inside).sum(axis=(1, 2)) / inside.sum(axis=(1, 2))  # noqa: E731
    radii = np.arange(0.0, reach + STEP, STEP)
    radii[-1] = reach
    growth = np.stack([(pixels * np.clip(r + 0.5 - distance, 0.0, 1.0)).sum(axis=(1, 2)) for r in radii[1:]], axis=1)
    growth = np.concatenate([np.zeros((len(growth), 1)), growth], axis=1)
    half = 0.5 * growth[:, -1:]
    # the first radius at which the half is reached, whatever the noise does further out
    place = np.argmax(growth >= half, axis=1)[:, None]
    below, above = (np.take_along_axis(growth, np.maximum(place - k, 0), axis=1)[:, 0] for k in (1, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (half[:, 0] - below) / (above - below)
    place = place[:, 0]
    radius = radii[place - 1] + part * (radii[place] - radii[place - 1])
    told = (growth[:, -1] > 0) & (share(~good) <= LOST)
    return np.where(told, radius, np.nan), share(~seen) > NOTICED


def _from(centre: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """How far pixels are from centres (n, 2), in x and in y, to be broadcast to `shape` (n, H, W)."""
    y, x = np.arange(shape[1], dtype=float), np.arange(shape[2], dtype=float)
    return x[None, None, :] - centre[:, 0, None, None], y[None, :, None] - centre[:, 1, None, None]


def _centroids(pixels: np.ndarray, start: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """(n, 2), x and y in pixels; `start` where the centroid runs away."""
    centre = start.copy()
    for _ in range(WINDOW_STEPS):
        dx, dy = _from(centre, pixels.shape)
        per = 0.5 / sigma[:, None, None] ** 2
        light = pixels * np.exp(-per * dx**2) * np.exp(-per * dy**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.stack([(light * d).sum(axis=(1, 2)) for d in (dx, dy)], axis=1) / light.sum(axis=(1, 2))[:, None]
        centre = centre + np.clip(2.0 * np.nan_to_num(step, posinf=0.0, neginf=0.0), -1.0, 1.0)
    near = np.hypot(*(centre - start).T) <= FURTHEST
    return np.where(near[:, None], centre, start)


def _mirrored(flux: np.ndarray, seen: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, H, W), float64, with pixels without data from their mirror images through centres (n, 2), and which
    pixels have data then."""
    pixels, good = flux.astype(np.float64), seen.copy()
    image, y, x = np.nonzero(~seen)
    there_x, there_y = (np.rint(2 * centre[image, k] - at).astype(int) for k, at in enumerate((x, y)))
    within = (there_x >= 0) & (there_x < flux.shape[2]) & (there_y >= 0) & (there_y < flux.shape[1])
    image, y, x, there_x, there_y = (one[within] for one in (image, y, x, there_x, there_y))
    pixels[image, y, x] = flux[image, there_y, there_x]
    good[image, y, x] = seen[image, there_y, there_x]
    return pixels, good
