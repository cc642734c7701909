"""Three-colour pictures of fluxes, as SDSS's SkyServer shows them: i, r and g as red, green and blue.

The mapping is that of Lupton et al. (2004, PASP 116, 133): the bands, each times a scale of its own, are brought from
their mean I to f(I) / I of themselves, f(I) = asinh(Q I) / Q. So a source has one hue however bright it is, and where a
channel would be beyond white all three are lowered together. Scales and softening are the defaults of idlutils'
nw_rgb_make, SDSS's own tool (N. Wherry, D. Hogg, M. Blanton): 4.9, 5.7 and 7.8 times i, r and g in nanomaggies a pixel,
and a nonlinearity of 3 in their sum, which is Q = 9 in their mean. SkyServer's converter follows the same paper "with
some modifications" that are not published in numbers; it turns pictures to the north by interpolation and keeps them as
JPEG, both of which take off noise, and so does `smoothing`.

Held against four of SkyServer's pictures of galaxies of known fluxes, as MMLforGalAM (2025) prepared them: their hues
ask for scales as 1 : 1.26 : 1.72 (these are as 1 : 1.16 : 1.59), the light within SDSS's fibres asks for levels of
0.93 and 1.03 times these in the two bright ones (1.34 and 1.64 in the two faint ones, which the paper stretched to
white), and noise between neighbouring pixels is 1.3 to 2.9 levels of grey at level 66, as it is here (2.2; 8.8
unsmoothed).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from galprism.data.cutouts import EIGHT_BIT, Cutouts
from galprism.data.pictures import levels_of
from galprism.errors import RequestError
from galprism.units import AB_ZEROPOINT_NJY

NANOMAGGY = 10 ** (0.4 * (AB_ZEROPOINT_NJY - 22.5))
"""nJy."""
SDSS_PIXEL = 0.396
"""arcsec: what the scales are of; fluxes of other pixels are taken by the area."""
LEAST_WEIGHT = 0.05
"""Of a Gaussian that must lie on pixels with data."""
BATCH_PIXELS = 2**17
"""That are mapped at a time: they stay in a core's cache."""


@dataclass(frozen=True)
class ColourMapping:
    """Which bands become red, green and blue, and how; the defaults are SDSS's."""

    bands: tuple[str, str, str] = ("i", "r", "g")
    """Red, green, blue."""
    scales: tuple[float, float, float] = (4.9, 5.7, 7.8)
    """Of the bands, each, per nanomaggy in a pixel of SDSS_PIXEL."""
    softening: float = 9.0
    """Q: levels are linear to a mean of 1 / Q, and logarithmic beyond."""
    smoothing: float = 0.65
    """px of SDSS_PIXEL, the standard deviation of a Gaussian that fluxes are smoothed with; 0 for none."""

    def __post_init__(self) -> None:
        if not (len(self.bands) == len(self.scales) == 3 and len(set(self.bands)) == 3):
            raise RequestError(
                f"mapping of bands {self.bands} by scales {self.scales}; accepted: three of each, no band twice"
            )
        if not (all(0 < value < np.inf for value in (*self.scales, self.softening)) and 0 <= self.smoothing < np.inf):
            raise RequestError(
                f"mapping with scales {self.scales}, softening {self.softening}, smoothing {self.smoothing}; accepted: "
                "numbers above zero, a smoothing from 0 on"
            )


def pictures_of(cutouts: Cutouts, mapping: ColourMapping | None = None) -> np.ndarray:
    """(N, H, W, 3), uint8: red, green and blue from 0 to 255, the first row at the top, as in files of pictures.

    Fluxes are mapped; a pixel without data has its neighbours' light where they are smoothed together, and is black
    where there are none. What are levels already (galprism.data.pictures) stays as it is.

    Raises RequestError where a band is missing.
    """
    mapping = mapping or ColourMapping()
    if cutouts.unit == EIGHT_BIT:
        return levels_of(cutouts)
    missing = [band for band in mapping.bands if band not in cutouts.bands]
    if missing:
        raise RequestError(
            f"a three-colour picture needs cutouts in {', '.join(mapping.bands)}; these are in "
            f"{', '.join(cutouts.bands)} and lack {', '.join(missing)}"
        )
    columns = [cutouts.bands.index(band) for band in mapping.bands]
    area = (SDSS_PIXEL / cutouts.pixel_scale) ** 2
    scales = (np.array(mapping.scales) * area / NANOMAGGY).astype(np.float32)
    height, width = cutouts.shape
    levels = np.empty((len(cutouts), height, width, 3), np.uint8)
    step = max(1, BATCH_PIXELS // (height * width))
    for rows in (slice(start, start + step) for start in range(0, len(cutouts), step)):
        there = cutouts.ivar[rows][:, columns] > 0
        flux = np.where(there, cutouts.flux[rows][:, columns], 0).astype(np.float32)
        flux = _smoothed(flux, there, mapping.smoothing * SDSS_PIXEL / cutouts.pixel_scale)
        mapped = mapped_to_unity(flux * scales[:, None, None], mapping.softening)
        levels[rows] = np.moveaxis(np.rint(mapped * np.float32(255)), 1, -1)[:, ::-1]
    return levels


def _smoothed(flux: np.ndarray, there: np.ndarray, sigma: float) -> np.ndarray:
    """(N, 3, H, W): means by a Gaussian of `sigma` pixels of what is there; a pixel near to none of it is 0 in all."""
    widths = (0, 0, sigma, sigma)
    if there.all():
        return gaussian_filter(flux, widths)
    weight = gaussian_filter(there.astype(np.float32), widths)
    known = (weight > LEAST_WEIGHT).all(axis=1, keepdims=True)
    return np.where(known, gaussian_filter(flux, widths) / np.maximum(weight, LEAST_WEIGHT), np.float32(0))


def mapped_to_unity(scaled: np.ndarray, softening: float) -> np.ndarray:
    """(N, 3, H, W): scaled fluxes brought to 0 to 1 by their mean I, times asinh(Q I) / (Q I); black where I <= 0."""
    mean = scaled.mean(axis=1, keepdims=True)
    stretched = np.maximum(mean * softening, np.finfo(np.float32).tiny)
    mapped = scaled * (np.arcsinh(stretched) / stretched * (mean > 0))
    np.maximum(mapped, 0, out=mapped)
    return mapped / np.maximum(mapped.max(axis=1, keepdims=True), 1)
