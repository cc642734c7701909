"""Cutting the same sources out of the images of several bands.

A cutout has the pixels of its image, north up where the image has it so: nothing is resampled, and the source lies in
the middle to within half a pixel along each axis; where exactly is kept. Of several tiles of a band the one is taken
that has the source furthest from an edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from galprism.data.background import BOX, Background, measure_background
from galprism.data.cutouts import Cutouts
from galprism.data.images import Image, same_grid
from galprism.errors import RequestError
from galprism.flags import Flag

STRIP_ROWS = 512
"""Of an image, so many rows and those of one cutout are in memory at most."""
CORE = 1
"""Pixels around the one at the source, of which none should be masked."""


@dataclass(frozen=True, eq=False)
class Cut:
    """Sources cut out, row for row as their positions were given."""

    cutouts: Cutouts
    """Of N sources; ivar = 0 throughout a band on whose images the source is not."""
    offset: np.ndarray
    """(N, B, 2), pixels, x and y of the source from the middle of its cutout, within half a pixel; NaN where off."""
    flags: np.ndarray
    """(N,), uint32: OFF_IMAGE, MASKED."""


class Cutter:
    """Cuts sources out of images, of each band one or several tiles.

    size : pixels, the side of a cutout
    subtract : the background (galprism.data.background, boxes of `box` pixels) is taken off
    fwhm : arcsec by band, of the point-spread function, where known and one for all sources

    A pixel has ivar = 0 and flux 0 beyond the edge and where its image has no data; elsewhere the weight map says its
    noise, or, without one, the scatter of the sky around it, with the photons of the source where a gain is known.

    Raises RequestError where bands, pixel scales or orientations do not fit together.
    """

    def __init__(
        self,
        images: Mapping[str, Image | Sequence[Image]],
        size: int = 41,
        *,
        subtract: bool = True,
        box: int = BOX,
        fwhm: Mapping[str, float] | None = None,
    ) -> None:
        self.images = {band: (i,) if isinstance(i, Image) else tuple(i) for band, i in images.items()}
        every = [image for tiles in self.images.values() for image in tiles]
        if not every or not all(self.images.values()):
            raise RequestError(
                "no image was given" + f" of band {', '.join(b for b, i in self.images.items() if not i)}"
            )
        if size < 3:
            raise RequestError(f"size = {size}; accepted: 3 pixels or more")
        strangers = set(fwhm or {}) - set(self.images)
        if strangers:
            raise RequestError(
                f"fwhm of band {', '.join(sorted(strangers))}; the images are of {', '.join(self.images)}"
            )
        same_grid(every)
        self.size, self.box, self.subtract = size, box, subtract
        self.fwhm = None if not fwhm else np.array([fwhm.get(band, np.nan) for band in self.images], np.float32)
        self._skies: dict[int, Background] = {}

    @property
    def bands(self) -> tuple[str, ...]:
        """B names, as given."""
        return tuple(self.images)

    @property
    def pixel_scale(self) -> float:
        """arcsec, of the first image."""
        return next(iter(self.images.values()))[0].pixel_scale

    def at_sky(self, ra: np.ndarray, dec: np.ndarray, fwhm: Mapping[str, np.ndarray] | None = None) -> Cut:
        """Cut out at positions (N,) in deg ICRS; fwhm, (N,) arcsec by band, is that at each source, where it varies.

        Raises RequestError where an image has no WCS.
        """
        ra, dec = np.atleast_1d(ra), np.atleast_1d(dec)
        at = {b: np.array([image.pixels(ra, dec) for image in tiles]) for b, tiles in self.images.items()}
        return self._cut(at, len(ra), fwhm or {})

    def at_pixels(self, x: np.ndarray, y: np.ndarray, fwhm: Mapping[str, np.ndarray] | None = None) -> Cut:
        """Cut out at pixels (N,), counted from 0, the same in every band; fwhm as in `at_sky`.

        Raises RequestError where a band has several tiles, or the bands' images differ in shape: they are not
        registered then.
        """
        every = [image for tiles in self.images.values() for image in tiles]
        for band, tiles in self.images.items():
            if len(tiles) > 1:
                raise RequestError(
                    f"band {band} has {len(tiles)} images, so that pixels name no position; accepted: ra and dec"
                )
        for image in every[1:]:
            if image.shape != every[0].shape:
                raise RequestError(
                    f"{image.plane}: has shape {image.shape}, {every[0].plane} has {every[0].shape}; positions in "
                    "pixels need images that are registered, or give ra and dec and images with a WCS"
                )
        at = np.array([[np.atleast_1d(x), np.atleast_1d(y)]], np.float64)
        return self._cut({band: at for band in self.images}, at.shape[2], fwhm or {})

    def described(self) -> dict[str, Any]:
        """What was done to the pixels, for people: JSON of plain words."""
        return {
            "size": self.size,
            "pixel_scale": self.pixel_scale,
            "background": f"subtracted, by boxes of {self.box} pixels" if self.subtract else "left as it is",
            "bands": {
                band: [
                    {
                        "image": f"{image.plane.path.name}:{image.plane.hdu}",
                        "njy_per_count": image.njy_per_count,
                        "noise": self._noise_source(image),
                        "notes": [note.replace(f"{image.plane.path.parent}/", "") for note in image.notes],
                    }
                    for image in tiles
                ]
                for band, tiles in self.images.items()
            },
        }

    def _noise_source(self, image: Image) -> str:
        if image.weight is not None:
            scaled = ", scaled to the scatter of the sky" if image.weight_kind == "relative" else ""
            return f"weight map {image.weight.path.name}:{image.weight.hdu} ({image.weight_kind}){scaled}"
        photons = "" if image.gain is None else f", and the photons of sources at {image.gain:g} electrons a count"
        return f"the clipped scatter of the sky in boxes of {self.box} pixels{photons}; neighbours taken as independent"

    def _cut(self, at: Mapping[str, np.ndarray], n: int, varying: Mapping[str, np.ndarray]) -> Cut:
        """at : by band, (T, 2, N), x and y on each of its tiles; varying : by band, (N,), the FWHM."""
        shape = (n, len(self.images), self.size, self.size)
        flux, ivar = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        offset, flags = np.full((n, len(self.images), 2), np.nan), np.zeros(n, np.uint32)
        half = (self.size - 1) / 2
        for k, (band, tiles) in enumerate(self.images.items()):
            depth = np.array([_inside(xy, image.shape) for xy, image in zip(at[band], tiles, strict=True)])
            best = np.argmax(depth, axis=0)
            on = depth[best, np.arange(n)] > 0
            flags[~on] |= np.uint32(Flag.OFF_IMAGE)
            for t, image in enumerate(tiles):
                rows = np.flatnonzero(on & (best == t))
                corner = np.floor(at[band][t][:, rows] - half + 0.5).astype(int)
                offset[rows, k] = (at[band][t][:, rows] - corner - half).T
                for row, f, i in self._sections(image, rows, *corner):
                    flux[row, k], ivar[row, k] = f, i
            near = slice(self.size // 2 - CORE, (self.size + 1) // 2 + CORE)
            flags[on & (ivar[:, k, near, near] == 0).any(axis=(1, 2))] |= np.uint32(Flag.MASKED)
        fwhm = None
        if self.fwhm is not None or varying:
            fwhm = np.full(shape[:2], np.nan if self.fwhm is None else self.fwhm, np.float32)
            for band, each in varying.items():
                fwhm[:, self.bands.index(band)] = each
        return Cut(Cutouts(flux, ivar, self.bands, self.pixel_scale, fwhm), offset, flags)

    def _sections(
        self, image: Image, rows: np.ndarray, x: np.ndarray, y: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Row, flux and ivar (size, size) of sources whose cutouts begin at pixel x, y (n,); strip by strip."""
        height, width = image.shape
        for group in strips(y, self.size):
            low, high = max(0, y[group].min()), min(height, y[group].max() + self.size)
            left, right = max(0, x[group].min()), min(width, x[group].max() + self.size)
            counts, weight = image.read(slice(low, high), slice(left, right))
            for k in group:
                inner = (
                    slice(max(y[k], 0), min(y[k] + self.size, height)),
                    slice(max(x[k], 0), min(x[k] + self.size, width)),
                )
                part = tuple(slice(s.start - o, s.stop - o) for s, o in zip(inner, (low, left), strict=True))
                place = tuple(slice(s.start - o, s.stop - o) for s, o in zip(inner, (y[k], x[k]), strict=True))
                flux, ivar = np.zeros((2, self.size, self.size), np.float32)
                flux[place], ivar[place] = self._njy(
                    image, *inner, counts[part], None if weight is None else weight[part]
                )
                yield rows[k], flux, ivar

    def _njy(
        self, image: Image, rows: slice, columns: slice, counts: np.ndarray, weight: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Flux in nJy and ivar in nJy^-2 of a section, both 0 where there are no data."""
        level = noise = None
        if self.subtract or weight is None or image.weight_kind == "relative":
            sky = self._sky(image)
            level, noise = sky.at(rows, columns)
            if weight is not None and image.weight_kind == "relative":
                weight = weight * sky.weight_scale
        with np.errstate(invalid="ignore", divide="ignore"):
            if weight is None:
                assert level is not None
                assert noise is not None
                photons = 0.0 if image.gain is None else np.where(counts > level, counts - level, 0.0) / image.gain
                weight = 1 / (noise**2 + photons)
            flux = (counts - level if self.subtract else counts) * image.njy_per_count
            ivar = (weight / image.njy_per_count**2).astype(np.float32)
        good = np.isfinite(flux) & np.isfinite(ivar) & (ivar > 0)
        return np.where(good, flux, 0.0), np.where(good, ivar, 0.0)

    def _sky(self, image: Image) -> Background:
        """Of an image, measured the first time that it is needed."""
        if id(image) not in self._skies:
            self._skies[id(image)] = measure_background(image, self.box)
        return self._skies[id(image)]


def _inside(at: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(N,), pixels from positions (2, N) to the nearest edge; negative beyond it, and where a position is not known."""
    x, y = at
    height, width = shape
    depth = np.min([x + 0.5, width - 0.5 - x, y + 0.5, height - 0.5 - y], axis=0)
    return np.where(np.isfinite(depth), depth, -np.inf)


def strips(first: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Indices of cutouts whose rows, `size` from `first` (n,) on, overlap, in groups that fit into a strip."""
    order = np.argsort(first, kind="stable")
    start = 0
    for k in range(1, len(order) + 1):
        apart = k == len(order) or (
            first[order[k]] > first[order[k - 1]] + size or first[order[k]] > first[order[start]] + STRIP_ROWS
        )
        if apart:
            yield order[start:k]
            start = k
