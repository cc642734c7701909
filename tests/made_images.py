"""Images of the sky that tests make: Gaussian sources on noise, in FITS files with a TAN WCS or without."""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from scipy.special import erf

SCALE = 0.2
"""arcsec a pixel."""
ZEROPOINT = 27.0
NJY = 10 ** (0.4 * (31.4 - ZEROPOINT))
"""nJy in one count."""


def tan(shape, ra=150.0, dec=2.0, scale=SCALE, x=None, y=None) -> WCS:
    """North up, east to the left; ra and dec in the middle of the image, or at pixel x, y from 0."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = ra, dec
    wcs.wcs.crpix = (shape[1] + 1) / 2 if x is None else x + 1, (shape[0] + 1) / 2 if y is None else y + 1
    wcs.wcs.cdelt = -scale / 3600, scale / 3600
    return wcs


def stars(shape, x, y, flux, sigma=2.0) -> np.ndarray:
    """Round Gaussians, integrated over pixels."""
    image = np.zeros(shape)

    def part(n, at):
        edges = np.arange(n + 1) - 0.5
        return np.diff(erf((edges - at) / (np.sqrt(2) * sigma))) / 2

    for at_x, at_y, light in np.broadcast(x, y, flux):
        image += light * np.outer(part(shape[0], at_y), part(shape[1], at_x))
    return image


def write_fits(path, data, wcs=None, *, compressed=False, extra=(), **keys):
    """One image in the primary HDU, or tile-compressed in HDU 1 without loss, then `extra` arrays by name."""
    header = fits.Header() if wcs is None else wcs.to_header()
    header.update({key: value for key, value in keys.items()})
    data = np.asarray(data)
    if data.dtype == np.float64:
        data = data.astype(np.float32)
    if compressed:
        hdus = [fits.PrimaryHDU(), fits.CompImageHDU(data, header, compression_type="GZIP_1", quantize_level=0)]
    else:
        hdus = [fits.PrimaryHDU(data, header)]
    hdus += [fits.ImageHDU(np.asarray(more), name=name) for name, more in extra]
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path
