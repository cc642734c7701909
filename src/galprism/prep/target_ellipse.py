"""Which part of a picture is the source in its middle: a threshold, the contour there, and the ellipse fitted to it.

This is the masking of MMLforGalAM (2025; its Sect. 2.2.2, after Zhong et al. 2024): levels are made grey, a threshold
is refined until it stands, and of what is brighter the outline at the middle is fitted by an ellipse. The fit is
scikit-image's: `pip install galprism[images]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects, label

from galprism.errors import RequestError

GREY = (0.299, 0.587, 0.114)
"""Of red, green and blue in the luma of Rec. ITU-R BT.601, which OpenCV's grey is."""
LEVELS = 256
EIGHT = np.ones((3, 3), bool)
"""Pixels that touch at a corner are together, as for OpenCV's contours."""


@dataclass(frozen=True)
class Ellipse:
    """In pixels of its picture; the first pixel's middle is (0, 0)."""

    x: float
    """Along the rows."""
    y: float
    """Down the columns: the first row of a picture is its top."""
    major: float
    """Half the longest diameter."""
    minor: float
    """Half the shortest."""
    angle: float
    """radian, 0 to pi, of the longest diameter, from x towards y."""

    def half_sides(self) -> tuple[float, float]:
        """Of the box around it: half its extent in x, and in y."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return float(np.hypot(self.major * cos, self.minor * sin)), float(np.hypot(self.major * sin, self.minor * cos))

    def mask(self, height: int, width: int) -> np.ndarray:
        """(height, width), bool: pixels whose middles are inside."""
        return self.holds(np.arange(width), np.arange(height)[:, None])

    def holds(self, x, y):
        """Bool, of the shape that x and y have together: the places that are inside."""
        dx, dy = x - self.x, y - self.y
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return ((dx * cos + dy * sin) / self.major) ** 2 + ((dy * cos - dx * sin) / self.minor) ** 2 <= 1.0

    def is_within(self, height: int, width: int) -> bool:
        """No part of it is beyond the picture's edges."""
        half_x, half_y = self.half_sides()
        return min(self.x, width - 1 - self.x) + 0.5 >= half_x and min(self.y, height - 1 - self.y) + 0.5 >= half_y


def grey_of(pictures: np.ndarray) -> np.ndarray:
    """(N, H, W), uint8: pictures (N, H, W, 3) as grey, each from its darkest level, 0, to its brightest, 255. Pictures
    of one level throughout are black."""
    low, high = level_range(pictures)
    stretch = 255.0 / np.maximum(high - low, 1)
    grey = np.empty(pictures.shape[:3], np.uint8)
    for i, picture in enumerate(pictures):
        grey[i] = (luma(picture) - np.float32(low[i])) * np.float32(stretch[i]) + np.float32(0.5)
    return grey


def luma(picture: np.ndarray) -> np.ndarray:
    """(H, W), float32: grey levels, 0 to 255, of a picture (H, W, 3), uint8."""
    red, green, blue = (picture[..., channel] * np.float32(share) for channel, share in enumerate(GREY))
    return red + green + blue


def level_range(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,), (N,), float: each picture's lowest and highest level in any of its channels."""
    flat = pictures.reshape(len(pictures), -1)
    return flat.min(axis=1).astype(float), flat.max(axis=1).astype(float)


def isodata_threshold(grey: np.ndarray) -> np.ndarray:
    """(N,): the level of each of N grey images (N, H, W), uint8, that lies in the middle between the mean of what is
    above it and the mean of the rest (Ridler & Calvard 1978, IEEE Trans. SMC 8, 630), found from the middle between
    darkest and brightest on. NaN where an image is of one level.
    """
    n = len(grey)
    flat = grey.reshape(n, -1)
    counts = np.array([np.bincount(each, minlength=LEVELS) for each in flat]).reshape(n, LEVELS)
    below = np.cumsum(counts, axis=1)
    light = np.cumsum(counts * np.arange(LEVELS), axis=1)
    low, high = (flat.min(axis=1).astype(float), flat.max(axis=1).astype(float)) if n else (np.zeros(0), np.zeros(0))
    threshold = (low + high) / 2
    rows = np.arange(n)
    for _ in range(LEVELS):
        cut = np.clip(np.floor(threshold).astype(int), 0, LEVELS - 1)
        dark, dark_light = below[rows, cut], light[rows, cut]
        bright, bright_light = below[:, -1] - dark, light[:, -1] - dark_light
        refined = (dark_light / np.maximum(dark, 1) + bright_light / np.maximum(bright, 1)) / 2
        if np.array_equal(refined, threshold):
            break
        threshold = refined
    return np.where(high > low, threshold, np.nan)


def target_part(bright: np.ndarray, reach: float) -> np.ndarray | None:
    """(H, W), bool: of the connected parts of an image (H, W), bool, the one that comes nearest to its middle; None
    where none comes within `reach` pixels."""
    height, width = bright.shape
    y, x = (height - 1) / 2, (width - 1) / 2
    top, left = (max(int(np.ceil(at - reach)), 0) for at in (y, x))
    rows, columns = np.nonzero(bright[top : int(y + reach) + 1, left : int(x + reach) + 1])
    away = np.hypot(rows + top - y, columns + left - x)
    if not len(away) or away.min() > reach:
        return None
    nearest = np.argmin(away)
    parts, _ = label(bright, EIGHT)
    return parts == parts[rows[nearest] + top, columns[nearest] + left]


def fitted_ellipse(part: np.ndarray) -> Ellipse | None:
    """The ellipse through the outline of a connected part (H, W), bool: least squares (Halir & Flusser 1998). None
    where no ellipse fits, as to a line or a few pixels.

    Raises RequestError where scikit-image is not installed.
    """
    try:
        from skimage.measure import EllipseModel
    except ImportError as error:
        raise RequestError("scikit-image is not installed; pip install galprism[images]") from error
    outline = outline_of(part)
    if len(outline) < 6:
        return None
    middle = outline.mean(axis=0)
    with np.errstate(all="ignore"):  # of what is no ellipse: its axes are not finite then
        model = EllipseModel.from_estimate(outline - middle)
    if not model:
        return None
    (x, y), (first, second), angle = model.center + middle, model.axis_lengths, float(model.theta)
    if not (np.isfinite([x, y, first, second, angle]).all() and min(first, second) > 0.5):
        return None
    if second > first:
        first, second, angle = second, first, angle + np.pi / 2
    return Ellipse(float(x), float(y), float(first), float(second), angle % np.pi)


def outline_of(part: np.ndarray) -> np.ndarray:
    """(K, 2), x and y in pixels: the outer contour of a connected part (H, W), bool, in no order: the places halfway
    between its pixels and neighbours that are around it. What it encloses is of it."""
    (box,) = find_objects(part.astype(np.int8))
    outside, _ = label(~np.pad(part[box], 1))
    filled = outside != outside[0, 0]
    rows, columns = np.nonzero(filled[:, 1:] != filled[:, :-1])
    across = np.column_stack([columns + 0.5, rows])
    rows, columns = np.nonzero(filled[1:] != filled[:-1])
    along = np.column_stack([columns, rows + 0.5])
    corner = np.array([box[1].start - 1, box[0].start - 1])
    return np.concatenate([across, along]) + corner
