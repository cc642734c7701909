"""Three-colour pictures of galaxies as a network takes them: other sources black, blends told, the galaxy filling it.

The preparation is that of MMLforGalAM (2025; its Sect. 2.2.2): the ellipse of the source in the middle
(prep/target_ellipse.py), all outside of it black, galaxies that overlap found (prep/blends.py), and the square around
the ellipse brought to one size by the nearest pixel. Every picture keeps its row, and says why where it could not
be prepared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from galprism.errors import RequestError
from galprism.prep.blends import BlendConfig, sources_within
from galprism.prep.target_ellipse import (
    Ellipse,
    fitted_ellipse,
    grey_of,
    isodata_threshold,
    level_range,
    target_part,
)

BLANK = "one level throughout"
NO_SOURCE = "nothing bright in the middle"
NO_ELLIPSE = "no ellipse fits"
ELSEWHERE = "the ellipse does not hold the middle"
EDGE = "the ellipse reaches beyond the picture"
BLENDED = "blended"
BATCH = 256
"""Pictures whose thresholds are found at a time."""
REASONS = (BLANK, NO_SOURCE, NO_ELLIPSE, ELSEWHERE, EDGE, BLENDED)


@dataclass(frozen=True)
class PictureConfig:
    """How pictures are prepared; the defaults are the paper's."""

    size: int = 128
    """px, of the pictures that come out."""
    reach: float = 5.0
    """px: a source further than this from the middle is not its. 2 arcsec on SDSS's pictures."""
    own_range: bool = True
    """Levels go from a picture's own lowest to its own highest, as the paper's do; False keeps how bright it is."""
    blends: BlendConfig | None = field(default_factory=BlendConfig)
    """None does not look for blends."""

    def __post_init__(self) -> None:
        if self.size < 1 or not self.reach >= 1:
            raise RequestError(f"size = {self.size}, reach = {self.reach:g}; accepted: pixels, from 1 on")


@dataclass(frozen=True, eq=False)
class PreparedPictures:
    """What N pictures have become, row by row."""

    values: np.ndarray
    """(N, 3, size, size), uint8: red, green and blue, the first row at the top. Black throughout where there is no
    ellipse in the picture; blended galaxies are there, together."""
    reason: np.ndarray
    """(N,), text: a member of REASONS; empty where all is well."""
    ellipse: np.ndarray
    """(N, 5), pixels and radian: x, y, major, minor and angle of galprism.prep.target_ellipse.Ellipse; NaN for none."""

    @property
    def good(self) -> np.ndarray:
        """(N,), bool: rows that a network learns from."""
        return self.reason == ""

    def dropped(self) -> dict[str, int]:
        """How many rows are not good for each reason, reasons without any left out."""
        return {reason: n for reason in REASONS if (n := int(np.count_nonzero(self.reason == reason)))}


@dataclass(frozen=True, eq=False)
class Stages:
    """One picture on its way; what comes after a step that failed is None."""

    picture: np.ndarray
    """(H, W, 3), uint8, as it came."""
    grey: np.ndarray
    """(H, W), uint8."""
    threshold: float
    """Grey level; NaN where there is one level alone."""
    part: np.ndarray | None
    """(H, W), bool: what is above the threshold and at the middle."""
    ellipse: Ellipse | None
    sources: np.ndarray | None
    """(H, W), int: 1, 2, … on the sources that the part falls into."""
    prepared: np.ndarray | None
    """(3, size, size), uint8."""
    reason: str
    """A member of REASONS; empty where all is well."""

    @property
    def masked(self) -> np.ndarray | None:
        """(H, W, 3), uint8: the picture, black outside of the ellipse."""
        if self.ellipse is None:
            return None
        return self.picture * self.ellipse.mask(*self.grey.shape)[..., None]


def prepare_pictures(pictures: np.ndarray, config: PictureConfig | None = None) -> PreparedPictures:
    """N pictures (N, H, W, 3), uint8, such as galprism.data.three_colour.pictures_of gives, as a network takes them.

    Raises RequestError for arrays that are no pictures, and where scikit-image or photutils is not installed.
    """
    config = config or PictureConfig()
    check_pictures(pictures)
    n = len(pictures)
    values = np.zeros((n, 3, config.size, config.size), np.uint8)
    reason = np.zeros(n, f"U{max(map(len, REASONS))}")
    ellipse = np.full((n, len(fields(Ellipse))), np.nan)
    for start in range(0, n, BATCH):
        rows = slice(start, start + BATCH)
        grey = grey_of(pictures[rows])
        for i, stages in enumerate(map(_stages, pictures[rows], grey, isodata_threshold(grey), [config] * BATCH)):
            reason[start + i] = stages.reason
            if stages.ellipse is not None:
                ellipse[start + i] = [getattr(stages.ellipse, each.name) for each in fields(Ellipse)]
            if stages.prepared is not None:
                values[start + i] = stages.prepared
    return PreparedPictures(values, reason, ellipse)


def stages_of(picture: np.ndarray, config: PictureConfig | None = None) -> Stages:
    """Every step of `prepare_pictures` for one picture (H, W, 3), uint8. Raises RequestError as it does."""
    check_pictures(np.asarray(picture)[None])
    grey = grey_of(picture[None])
    return _stages(picture, grey[0], isodata_threshold(grey)[0], config or PictureConfig())


def check_pictures(pictures: np.ndarray) -> None:
    """Raises RequestError where an array is not (N, H, W, 3), uint8, with some pixels."""
    if pictures.ndim != 4 or pictures.shape[3] != 3 or pictures.dtype != np.uint8 or min(pictures.shape[1:3]) < 1:
        raise RequestError(
            f"pictures have shape {pictures.shape} and are {pictures.dtype}; accepted: (N, H, W, 3), uint8, red, green "
            "and blue"
        )


def _stages(picture: np.ndarray, grey: np.ndarray, threshold: float, config: PictureConfig) -> Stages:
    part = target_part(grey > threshold, config.reach) if np.isfinite(threshold) else None
    ellipse = None if part is None else fitted_ellipse(part)
    reason = _failure(threshold, part, ellipse, grey.shape)
    if reason or part is None or ellipse is None:
        return Stages(picture, grey, float(threshold), part, ellipse, None, None, reason)
    sources = None if config.blends is None else sources_within(picture, part, config.blends)
    if sources is not None and sources.max() > 1:
        reason = BLENDED
    prepared = cropped(picture, ellipse, config.size, *(_ends(picture) if config.own_range else ()))
    return Stages(picture, grey, float(threshold), part, ellipse, sources, prepared, reason)


def _failure(threshold: float, part: np.ndarray | None, ellipse: Ellipse | None, shape: tuple[int, int]) -> str:
    if np.isnan(threshold):
        return BLANK
    if part is None:
        return NO_SOURCE
    if ellipse is None:
        return NO_ELLIPSE
    height, width = shape
    if not ellipse.holds((width - 1) / 2, (height - 1) / 2):
        return ELSEWHERE
    return "" if ellipse.is_within(height, width) else EDGE


def _ends(picture: np.ndarray) -> tuple[float, float]:
    (low,), (high,) = level_range(picture[None])
    return low, high


def cropped(picture: np.ndarray, ellipse: Ellipse, size: int, low: float = 0.0, high: float = 255.0) -> np.ndarray:
    """(3, size, size), uint8: the square around an ellipse in a picture (H, W, 3), black outside of the ellipse, each
    pixel the nearest one's; levels from `low` to `high` become 0 to 255."""
    half = max(*ellipse.half_sides(), 0.5)
    at = ((np.arange(size) + 0.5) * 2 / size - 1) * half
    rows, columns = (np.rint(middle + at).astype(int) for middle in (ellipse.y, ellipse.x))
    height, width = picture.shape[:2]
    top, left = max(rows[0], 0), max(columns[0], 0)
    window = picture[top : rows[-1] + 1, left : columns[-1] + 1]
    y, x = np.arange(top, top + window.shape[0]), np.arange(left, left + window.shape[1])
    stretch = np.rint((np.clip(np.arange(256.0), low, high) - low) * (255.0 / (high - low))).astype(np.uint8)
    levels = stretch[np.ascontiguousarray(np.moveaxis(window, -1, 0))] * ellipse.holds(x, y[:, None])
    there = [(rows >= 0) & (rows < height), (columns >= 0) & (columns < width)]
    levels = levels.take(np.clip(rows - top, 0, len(y) - 1), 1).take(np.clip(columns - left, 0, len(x) - 1), 2)
    return levels if all(each.all() for each in there) else levels * (there[0][:, None] & there[1])
