"""Three-colour pictures of sources, as JPEG or PNG: grey levels, not fluxes.

A picture's colours went through an arcsinh or the like, were clipped and rounded to 8 bits, and no flux can be had back
from them. Its cutouts say so (`unit` is "8-bit"), and what was trained on fluxes refuses them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from galprism.data.cutouts import EIGHT_BIT, Cutouts
from galprism.data.tables.base import readable
from galprism.errors import RequestError

GRI = ("g", "r", "i")
"""Blue, green and red of SDSS's pictures and most others (Lupton et al. 2004)."""


def read_jpegs(
    paths: Sequence[str | os.PathLike[str]],
    pixel_scale: float,
    bands: tuple[str, str, str] = GRI,
    size: int | None = None,
) -> Cutouts:
    """The pictures of N sources, (N, 3, H, W) grey levels from 0 to 255, float32, north up as in cutouts of images.

    pixel_scale : arcsec, which no picture says; bands : those that are blue, green and red, in this order
    size : pixels that each side must have; None takes those of the first picture

    Raises RequestError where a file is not a three-colour picture of 8 bits, or is of another size.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise RequestError("pillow is not installed; pip install galprism[images]") from error
    if not paths or len(bands) != 3:
        raise RequestError(f"{len(paths)} pictures in bands {bands}; accepted: one picture or more, three bands")
    levels = []
    for path in paths:
        with readable(path):
            try:
                with Image.open(path, formats=("JPEG", "PNG")) as picture:
                    if picture.mode != "RGB":
                        raise RequestError(f"{path}: its colours are {picture.mode}; accepted: RGB of 8 bits each")
                    levels.append(np.asarray(picture))
            except UnidentifiedImageError as error:
                raise RequestError(f"{path}: is not a picture; accepted: JPEG, PNG") from error
        h, w = levels[-1].shape[:2]
        if size is not None and (h, w) != (size, size):
            raise RequestError(f"{path}: has {h} x {w} pixels; accepted: {size} x {size}")
        if levels[-1].shape != levels[0].shape:
            first_h, first_w = levels[0].shape[:2]
            raise RequestError(
                f"{path}: has {h} x {w} pixels, {paths[0]} has {first_h} x {first_w}; accepted: one size"
            )
    flux = np.moveaxis(np.array(levels)[:, ::-1, :, ::-1], -1, 1).astype(np.float32)
    return Cutouts(np.ascontiguousarray(flux), np.ones_like(flux), bands, pixel_scale, unit=EIGHT_BIT)


def levels_of(cutouts: Cutouts) -> np.ndarray:
    """(N, H, W, 3), uint8: red, green and blue, the first row at the top, of what `read_jpegs` read.

    Raises RequestError for cutouts that are not of pictures, or not of three bands.
    """
    if cutouts.unit != EIGHT_BIT or len(cutouts.bands) != 3:
        raise RequestError(f"levels of a picture from {cutouts.described()}; accepted: three bands in {EIGHT_BIT}")
    return np.ascontiguousarray(np.moveaxis(cutouts.flux[:, ::-1, ::-1], 1, -1).astype(np.uint8))
