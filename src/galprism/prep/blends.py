"""Whether what looks like one source is several that overlap: saddles between peaks, by photutils' deblending.

A part of an image is cut at levels from its edge to its peak; where it falls into pieces that each hold enough of its
light, there are as many sources (the method of SExtractor; Bertin & Arnouts 1996). MMLforGalAM (2025) leaves out what
holds more than one. A picture's levels are first brought back to light, in which the noise of the sky is the same
everywhere, and peaks that rise above their saddle by less than a few of its standard deviations are taken off.
Needs photutils and scikit-image: `pip install galprism[images]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects, gaussian_filter, label

from galprism.data.three_colour import ColourMapping
from galprism.errors import RequestError
from galprism.prep.target_ellipse import EIGHT, luma

MAD = 1.4826
"""Standard deviation of a Gaussian over the median of its deviations."""
FEW = 4
"""Every so many pixels of the sky tell its noise."""


@dataclass(frozen=True)
class BlendConfig:
    """What counts as a source of its own; benchmarks/blends.py tells what the defaults find and what they miss."""

    contrast: float = 0.005
    """The least share of the part's light that a source has."""
    rise: float = 5.0
    """Standard deviations of the sky that a peak rises above its saddle, at the least."""
    smoothing: float = 0.5
    """px, the standard deviation of a Gaussian that takes off noise first; 0 for none."""
    softening: float = ColourMapping.softening
    """Q of the pictures' mapping (galprism.data.three_colour)."""

    def __post_init__(self) -> None:
        if not (0 <= self.contrast <= 1 and 0 <= self.rise < np.inf and 0 <= self.smoothing < np.inf):
            raise RequestError(
                f"blends by contrast = {self.contrast}, rise = {self.rise}, smoothing = {self.smoothing}; accepted: "
                "contrast of 0 to 1, the others from 0 on"
            )
        if not 0 < self.softening < np.inf:
            raise RequestError(f"blends with softening = {self.softening}; accepted: above zero")


def sources_within(picture: np.ndarray, part: np.ndarray, config: BlendConfig | None = None) -> np.ndarray:
    """(H, W), int: 1, 2, … on the sources into which a part (H, W), bool, of a picture (H, W, 3), uint8, falls, and 0
    around it.

    Raises RequestError where photutils or scikit-image is not installed.
    """
    config = config or BlendConfig()
    try:
        from photutils.segmentation import SegmentationImage, deblend_sources
        from skimage.morphology import local_maxima, reconstruction
    except ImportError as error:
        raise RequestError("photutils or scikit-image is not installed; pip install galprism[images]") from error
    found = np.zeros(part.shape, int)
    if not part.any():
        return found
    light = gaussian_filter(np.sinh(luma(picture) * np.float32(config.softening / 255)), config.smoothing)
    (box,) = find_objects(part.astype(np.int8))
    own = part[box]
    inside = np.where(own, light[box], light[box][own].min())
    inside = reconstruction(inside - config.rise * _noise(light[~part][::FEW], config), inside)
    _, peaks = label(local_maxima(inside), EIGHT)
    if peaks == 1:  # there is no saddle
        found[box] = own
        return found
    apart = deblend_sources(inside, SegmentationImage(own.astype(int)), 1, contrast=config.contrast, progress_bar=False)
    found[box] = apart.data
    return found


def _noise(sky: np.ndarray, config: BlendConfig) -> float:
    """Standard deviation of light that is mostly sky, at the least that of one level of a picture."""
    level = config.softening / 255
    return max(MAD * float(np.median(np.abs(sky - np.median(sky)))), level) if len(sky) else level
