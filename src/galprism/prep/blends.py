"""Whether what looks like one source is several that overlap: saddles between peaks, by photutils' deblending.

A part of an image is cut at levels from its edge to its peak; where it falls into pieces that each hold enough pixels
and enough of its light, there are as many sources (the method of SExtractor; Bertin & Arnouts 1996). MMLforGalAM
(2025) leaves out what holds more than one. Needs photutils and scikit-image: `pip install galprism[images]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects, gaussian_filter, maximum_filter

from galprism.errors import RequestError


@dataclass(frozen=True)
class BlendConfig:
    """What counts as a source of its own; benchmarks/blends.py tells what the defaults find and what they miss."""

    contrast: float = 0.005
    """The least part of the light that a source has, above the level where it parts from the rest."""
    pixels: int = 8
    """The fewest that a source has there."""
    smoothing: float = 1.0
    """px, the standard deviation of a Gaussian that takes off noise first; 0 for none."""

    def __post_init__(self) -> None:
        if not (0 <= self.contrast <= 1 and self.pixels >= 1 and 0 <= self.smoothing < np.inf):
            raise RequestError(
                f"blends by contrast = {self.contrast}, pixels = {self.pixels}, smoothing = {self.smoothing}; accepted: "
                "contrast of 0 to 1, pixels from 1 on, smoothing from 0 on"
            )


def sources_within(image: np.ndarray, part: np.ndarray, config: BlendConfig | None = None) -> np.ndarray:
    """(H, W), int: 1, 2, … on the sources into which a part (H, W), bool, of an image (H, W) falls, and 0 around it.

    Raises RequestError where photutils or scikit-image is not installed.
    """
    config = config or BlendConfig()
    try:
        import skimage  # noqa: F401  photutils' watershed
        from photutils.segmentation import SegmentationImage, deblend_sources
    except ImportError as error:
        raise RequestError(f"{error.name} is not installed; pip install galprism[images]") from error
    found = np.zeros(part.shape, int)
    if not part.any():
        return found
    (box,) = find_objects(part.astype(np.int8))
    smooth = gaussian_filter(np.asarray(image, np.float32), config.smoothing)[box]
    own = part[box]
    if np.count_nonzero(own & (smooth == maximum_filter(np.where(own, smooth, -1), 3))) < 2:  # one peak, no saddle
        found[box] = own
        return found
    apart = deblend_sources(
        smooth, SegmentationImage(own.astype(int)), config.pixels, contrast=config.contrast, progress_bar=False
    )
    found[box] = apart.data
    return found
