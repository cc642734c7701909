"""The light of the sky in an image, and its noise, measured on a mesh of boxes.

In every box pixels are clipped at 3 sigma around their median until none is left to clip. The level is SExtractor's
estimate of the mode, 2.5 median - 1.5 mean, or the median where they are far apart and the field is crowded (Bertin &
Arnouts 1996); the noise is the standard deviation of what is left, to which a sky that changes within a box adds. Both
meshes are smoothed by a median of 3 x 3 boxes and are linear between the middles of boxes. One row of boxes at a time
is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, median_filter

from galprism.data.images import Image
from galprism.errors import RequestError

BOX = 128
"""Pixels, the side of a box: large against galaxies, small against what is left of flat fields."""
CLIP = 3.0
LEFT_BY_CLIPPING = 0.98658
"""Standard deviation of a Gaussian that is cut at 3 sigma."""
GROSS = 7.5
"""Median absolute deviations: 5 sigma; those of integers are too coarse for more."""
ROUNDS = 20
CROWDED = 0.3
FEWEST = 0.1
"""Part of a box that must have data."""


@dataclass(frozen=True, eq=False)
class Background:
    """Level and noise of the sky in an image, by box."""

    level: np.ndarray
    """(my, mx), counts."""
    noise: np.ndarray
    """(my, mx), counts, standard deviation of a pixel; NaN where nothing is known of it."""
    constant: np.ndarray
    """(my, mx), bool: every pixel of the box is the same, so that it holds no data: padding."""
    shape: tuple[int, int]
    """(H, W), pixels of the image."""
    weight_scale: float = 1.0
    """What relative weights are to be multiplied with to be counts^-2."""

    def at(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Level and noise (h, w) of a section, counts; noise is NaN where there are no data."""
        y, x = (
            (np.arange(part.start, part.stop) + 0.5) / side * n
            for part, side, n in zip((rows, columns), self.shape, self.level.shape, strict=True)
        )
        level, noise = (_lerp(_lerp(mesh, y - 0.5).T, x - 0.5).T for mesh in (self.level, self.noise))
        boxes = (np.minimum(np.floor(at).astype(int), n - 1) for at, n in zip((y, x), self.level.shape, strict=True))
        return level, np.where(self.constant[np.ix_(*boxes)], np.nan, noise)


def measure_background(image: Image, box: int = BOX) -> Background:
    """The sky of an image in boxes of about `box` pixels a side, as many as fit.

    Raises RequestError where box is less than 8 pixels.
    """
    if box < 8:
        raise RequestError(f"{image.plane}: boxes of {box} pixels for the background; accepted: 8 or more")
    edges = [np.rint(np.linspace(0, side, max(1, round(side / box)) + 1)).astype(int) for side in image.shape]
    mesh = np.full((3, len(edges[0]) - 1, len(edges[1]) - 1), np.nan)
    for i, (low, high) in enumerate(zip(edges[0][:-1], edges[0][1:], strict=True)):
        counts, weight = image.read(slice(low, high), slice(0, image.shape[1]))
        for j, (left, right) in enumerate(zip(edges[1][:-1], edges[1][1:], strict=True)):
            part = counts[:, left:right]
            good = np.isfinite(part)
            if good.mean() < FEWEST:
                continue
            mesh[:2, i, j] = clipped_sky(part[good])
            mesh[2, i, j] = 1.0 if weight is None else np.median(weight[:, left:right][good])
    constant = mesh[1] == 0
    mesh[:, constant] = np.nan
    level, noise, weight_level = mesh
    pull = noise**2 * weight_level
    scale = float(1 / np.nanmedian(pull)) if np.isfinite(pull).any() else np.nan
    return Background(_smooth(level, 0.0), _smooth(noise, np.nan), constant, image.shape, scale)


def clipped(values: np.ndarray) -> np.ndarray:
    """Those of `values` (n,) within 3 sigma of their median, in rounds and in ascending order.

    What is gross goes before sigma is taken.
    """
    values = np.sort(values)
    values = _within(values, GROSS * float(np.median(np.abs(values - _middle(values)))) or np.inf)
    for _ in range(ROUNDS):
        kept = _within(values, CLIP * float(np.std(values)))
        if len(kept) == len(values):
            break
        values = kept
    return values


def _within(ordered: np.ndarray, reach: float) -> np.ndarray:
    """Those of values that ascend which are no further than `reach` from their median."""
    middle = _middle(ordered)
    low, high = np.searchsorted(ordered, middle - reach), np.searchsorted(ordered, middle + reach, side="right")
    return ordered[low:high]


def _middle(ordered: np.ndarray) -> float:
    """The median of values that ascend."""
    n = len(ordered)
    return 0.5 * float(ordered[(n - 1) // 2] + ordered[n // 2])


def clipped_sky(values: np.ndarray) -> tuple[float, float]:
    """Level and noise of pixels (n,) of which most are sky."""
    if np.ptp(values) == 0:
        return float(values[0]), 0.0
    values = clipped(values)
    mean, median, spread = float(np.mean(values)), _middle(values), float(np.std(values))
    level = 2.5 * median - 1.5 * mean if abs(mean - median) < CROWDED * spread else median
    return level, spread / LEFT_BY_CLIPPING


def _smooth(mesh: np.ndarray, nothing: float) -> np.ndarray:
    """Holes filled from the nearest box, then medians of 3 x 3; `nothing` where every box is a hole."""
    holes = np.isnan(mesh)
    if holes.all():
        return np.full_like(mesh, nothing)
    nearest = distance_transform_edt(holes, return_distances=False, return_indices=True)
    return median_filter(mesh[tuple(nearest)], size=3, mode="nearest")


def _lerp(mesh: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Rows (n, m) between those of a mesh (k, m), at (n,) in rows; beyond the last row, that row."""
    at = np.clip(at, 0, len(mesh) - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(mesh) - 1)
    part = (at - low)[:, None]
    return (1 - part) * mesh[low] + part * mesh[high]
