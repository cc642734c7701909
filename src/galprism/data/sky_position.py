"""Where positions on the sky fall on an image."""

from __future__ import annotations

import numpy as np
from astropy.coordinates import ICRS, SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import wcs_to_celestial_frame

MARGIN = 1.0
"""Within so many sides of the image around it the distortions of the optics are solved for; nothing beyond is cut."""


def to_pixels(wcs: WCS, shape: tuple[int, int], ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y (N,), from 0, of positions (N,) in deg ICRS on an image of `shape` (H, W), in whatever frame its WCS is.

    NaN, or numbers far off the image, where a position is not on it; NaN where it is not known.
    """
    lon, lat = np.array(ra, np.float64), np.array(dec, np.float64)
    known = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90)
    lon, lat = np.where(known, lon, 0.0), np.where(known, lat, 0.0)
    frame = wcs_to_celestial_frame(wcs)
    if not isinstance(frame, ICRS):
        seen = SkyCoord(lon, lat, unit="deg", frame="icrs").transform_to(frame)
        lon, lat = seen.spherical.lon.deg, seen.spherical.lat.deg
    sky = (lon, lat) if wcs.wcs.lng == 0 else (lat, lon)
    x, y = wcs.wcs_world2pix(*sky, 0)
    x, y = np.where(known, x, np.nan), np.where(known, y, np.nan)
    height, width = shape
    with np.errstate(invalid="ignore"):
        near = (np.abs(x - width / 2) < (0.5 + MARGIN) * width) & (np.abs(y - height / 2) < (0.5 + MARGIN) * height)
    if wcs.has_distortion and near.any():
        x[near], y[near] = wcs.all_world2pix(sky[0][near], sky[1][near], 0, quiet=True)
    return x, y
