"""Images of the sky in FITS files, of which a part is read at a time: a tile of 20,000 pixels a side needs no memory.

An image is named as FILE, or as FILE:HDU where HDU is a number (0 the primary one) or a name; without it the first HDU
with a two-dimensional image is taken, tile-compressed ones included. Pixels are counted from 0, x along the last axis,
and whole numbers are the middles of pixels, as in numpy and astropy, not as in SExtractor and DS9, which count from 1.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from galprism.data.sky_position import to_pixels
from galprism.data.tables.base import readable
from galprism.errors import RequestError
from galprism.units import njy_from_abmag, njy_per

ZEROPOINT_KEYS = ("MAGZERO", "MAGZPT", "MAGZP", "PHOTZP", "ZP")
"""Keys of a header under which the AB magnitude of one count stands."""
WEIGHT_KINDS = ("ivar", "variance", "rms", "relative")
"""What the pixels of a weight map are: counts^-2, counts^2, counts, or proportional to counts^-2 (SWarp's weights)."""
SCALE_TOLERANCE = 0.01
"""By this part two pixel scales may differ and still be called one."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One two-dimensional array of a FITS file; made by `open_plane`."""

    path: Path
    hdu: int
    shape: tuple[int, int]
    """(H, W), pixels."""
    header: fits.Header
    primary: fits.Header
    """What is said there of the whole file."""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}:{self.hdu}"

    def said(self, key: str) -> object:
        """What the header of the HDU says under a key, else the primary one; None where neither does."""
        return self.header.get(key, self.primary.get(key))

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """The pixels of a section, scaled as the header says, in the type that they then have. No more is read."""
        with readable(self.path), fits.open(self.path, memmap=False) as file:
            return file[self.hdu].section[rows, columns]


def open_plane(name: str | os.PathLike[str]) -> Plane:
    """The image FILE or FILE:HDU.

    Raises RequestError where there is no such file or HDU, it holds no two-dimensional image, or it is not FITS.
    """
    path, part = _parts(str(name))
    if path.is_dir():
        raise RequestError(f"{path}: is a directory; an image must be one file")
    with readable(path), fits.open(path, memmap=False) as file:
        images = [i for i, hdu in enumerate(file) if hdu.is_image and len(hdu.shape) == 2]
        listed = ", ".join(f"{path}:{i}" + f" ({file[i].name})" * bool(file[i].name) for i in images)
        notes: tuple[str, ...] = ()
        if part is None:
            if not images:
                raise RequestError(f"{path}: has no two-dimensional image; its shapes are {_shapes(file)}")
            number = images[0]
            if len(images) > 1:
                notes = (f"{path}: has {len(images)} images, {listed}; the first was taken",)
        else:
            number = _numbered(file, part)
            if number not in images:
                raise RequestError(f"{name}: is no two-dimensional image; accepted: {listed or 'none of this file'}")
        return Plane(path, number, tuple(file[number].shape), file[number].header, file[0].header, notes)


def _parts(name: str) -> tuple[Path, str | None]:
    head, colon, tail = name.rpartition(":")
    if colon and tail and not Path(name).exists():
        return Path(head), tail
    return Path(name), None


def _numbered(file: fits.HDUList, part: str) -> int:
    names = [hdu.name for hdu in file]
    if part.isdigit() and int(part) < len(file):
        return int(part)
    if part.upper() in names:
        return names.index(part.upper())
    known = ", ".join(f"{i} ({name})" if name else str(i) for i, name in enumerate(names))
    raise RequestError(f"{file.filename()}: has no HDU {part!r}; it has {known}")


def _shapes(file: fits.HDUList) -> str:
    return ", ".join(str(hdu.shape) if hdu.is_image else "a table" for hdu in file)


@dataclass(frozen=True, eq=False)
class Image:
    """An image of one band with what is known of its noise and its calibration; made by `open_image`."""

    plane: Plane
    njy_per_count: float
    pixel_scale: float
    """arcsec, the side of a pixel."""
    wcs: WCS | None = None
    """None where the header has none: positions are then pixels."""
    weight: Plane | None = None
    weight_kind: str = "ivar"
    mask: Plane | None = None
    saturation: float = np.inf
    """Counts, at which and above which a pixel has no data."""
    gain: float | None = None
    """Electrons a count: the light of the sources then adds to a noise that is measured on the sky."""
    notes: tuple[str, ...] = field(default=())
    """What was understood of the file, in sentences."""

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W), pixels."""
        return self.plane.shape

    def pixels(self, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y (N,) of positions in deg ICRS; NaN, or a number far off the image, where they are not on it.

        Raises RequestError where the image has no WCS.
        """
        if self.wcs is None:
            raise RequestError(
                f"{self.plane}: has no celestial WCS in its header, so ra and dec cannot be found on it; "
                "accepted: positions in pixels, or an image with a WCS"
            )
        return to_pixels(self.wcs, self.shape, ra, dec)

    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray | None]:
        """Counts (h, w), NaN where there are no data, and what the weight map makes of counts^-2 (h, w), or None.

        There are no data where the file has NaN, the mask is not 0, the counts reach saturation or the weight is not
        positive. Relative weights are given back as they are.
        """
        counts = self.plane.read(rows, columns).astype(np.float64)
        bad = ~np.isfinite(counts) | (counts >= self.saturation)
        if self.mask is not None:
            bad |= self.mask.read(rows, columns) != 0
        ivar = None
        if self.weight is not None:
            given = self.weight.read(rows, columns).astype(np.float64)
            known = np.isfinite(given) & (given > 0)
            given = np.where(known, given, 1.0)
            ivar = {"rms": given**-2, "variance": 1 / given}.get(self.weight_kind, given)
            bad |= ~known
        counts[bad] = np.nan
        return counts, ivar


def open_image(
    name: str | os.PathLike[str],
    *,
    zeropoint: float | None = None,
    pixel_scale: float | None = None,
    weight: str | os.PathLike[str] | None = None,
    weight_kind: str = "ivar",
    mask: str | os.PathLike[str] | None = None,
    saturation: float | None = None,
    gain: float | None = None,
) -> Image:
    """The image FILE or FILE:HDU, its header understood; no pixel is read.

    zeropoint : AB magnitude of one count; else one of ZEROPOINT_KEYS, or a BUNIT that is a flux density
    pixel_scale : arcsec; else from the WCS, with which it must agree
    weight, mask : further images of the same shape; weight_kind : one of WEIGHT_KINDS; masked where not 0
    saturation : counts; else the header's SATURATE
    gain : electrons a count; a header's GAIN is not believed, since it seldom outlives the rescaling of a stack

    Raises RequestError where a file is not an image, shapes differ, or zero point or pixel scale are not to be had.
    """
    plane = open_plane(name)
    if weight_kind not in WEIGHT_KINDS:
        raise RequestError(f"weight_kind {weight_kind!r}; accepted: {', '.join(WEIGHT_KINDS)}")
    if gain is not None and not 0 < gain < np.inf:
        raise RequestError(f"{plane}: gain = {gain}; accepted: above zero, in electrons a count")
    maps = {"weight": weight, "mask": mask}
    opened = {kind: None if other is None else open_plane(other) for kind, other in maps.items()}
    for kind, other in opened.items():
        if other is not None and other.shape != plane.shape:
            raise RequestError(f"{other}: the {kind} map has shape {other.shape}; its image {plane} has {plane.shape}")
    with readable(plane.path):
        wcs = WCS(plane.header, naxis=2)
    njy, calibration = _calibration(plane, zeropoint)
    level, saturated = _saturation(plane, saturation)
    found = wcs if wcs.has_celestial else None
    return Image(
        plane=plane,
        njy_per_count=njy,
        pixel_scale=_pixel_scale(plane, found, pixel_scale),
        wcs=found,
        weight=opened["weight"],
        weight_kind=weight_kind,
        mask=opened["mask"],
        saturation=level,
        gain=gain,
        notes=(*plane.notes, *(n for o in opened.values() if o for n in o.notes), calibration, *saturated),
    )


def _calibration(plane: Plane, zeropoint: float | None) -> tuple[float, str]:
    """nJy in one count, and where that comes from."""
    if zeropoint is not None:
        if not np.isfinite(zeropoint):
            raise RequestError(f"{plane}: zero point {zeropoint}; accepted: the AB magnitude of one count")
        return float(njy_from_abmag(zeropoint)), f"{plane}: zero point {zeropoint:g}, as given"
    found = {key: _number(plane, key) for key in ZEROPOINT_KEYS if plane.said(key) is not None}
    if len(set(found.values())) > 1:
        said = ", ".join(f"{key} = {value:g}" for key, value in found.items())
        raise RequestError(f"{plane}: its header has several zero points, {said}; give the one that is meant")
    if found:
        key, value = next(iter(found.items()))
        return float(njy_from_abmag(value)), f"{plane}: zero point {value:g}, its header's {key}, taken as AB"
    unit = str(plane.said("BUNIT") or "").strip()
    try:
        return njy_per(unit), f"{plane}: in {unit}, its header's BUNIT"
    except RequestError as error:
        also = f", and BUNIT = {unit!r} is not a flux density" if unit else ""
        raise RequestError(
            f"{plane}: its header has no zero point under {', '.join(ZEROPOINT_KEYS)}{also}; "
            "give the AB magnitude of one count"
        ) from error


def _number(plane: Plane, key: str) -> float:
    try:
        value = float(str(plane.said(key)))
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise RequestError(f"{plane}: {key} = {plane.said(key)!r} in its header is not a number; give it instead")
    return value


def _saturation(plane: Plane, given: float | None) -> tuple[float, tuple[str, ...]]:
    if given is not None:
        if np.isnan(given):
            raise RequestError(f"{plane}: saturation = nan; accepted: counts, or inf for none")
        return given, (f"{plane}: saturated at {given:g} counts, as given",)
    if plane.said("SATURATE") is None:
        return np.inf, ()
    level = _number(plane, "SATURATE")
    if level <= 0:
        return np.inf, (f"{plane}: its header's SATURATE = {level:g} is no level and was not used",)
    return level, (f"{plane}: saturated at {level:g} counts, its header's SATURATE",)


def _pixel_scale(plane: Plane, wcs: WCS | None, asked: float | None) -> float:
    if asked is not None and not 0 < asked < np.inf:
        raise RequestError(f"{plane}: pixel scale {asked}; accepted: above zero, in arcsec")
    if wcs is None:
        if asked is None:
            raise RequestError(f"{plane}: has no celestial WCS to tell its pixel scale; give it in arcsec")
        return asked
    x, y = 3600 * proj_plane_pixel_scales(wcs)
    if abs(x / y - 1) > SCALE_TOLERANCE:
        raise RequestError(f"{plane}: has pixels of {x:.4g} by {y:.4g} arcsec; accepted: square ones")
    found = float(np.sqrt(x * y))
    if asked is None:
        return found
    if abs(found / asked - 1) > SCALE_TOLERANCE:
        raise RequestError(f"{plane}: has pixels of {found:.4g} arcsec by its WCS; {asked:g} arcsec was asked for")
    return asked


def same_grid(images: Sequence[Image]) -> None:
    """Raises RequestError, naming both, where two images differ in pixel scale, or one is turned or mirrored."""
    first = images[0]
    for other in images[1:]:
        if abs(other.pixel_scale / first.pixel_scale - 1) > SCALE_TOLERANCE:
            raise RequestError(
                f"{other.plane}: has pixels of {other.pixel_scale:.4g} arcsec, {first.plane} of "
                f"{first.pixel_scale:.4g}; accepted: one pixel scale (nothing is resampled)"
            )
        if first.wcs is None or other.wcs is None:
            continue
        a, b = (3600 * image.wcs.pixel_scale_matrix / image.pixel_scale for image in (first, other) if image.wcs)
        if np.abs(a - b).max() > 2 * SCALE_TOLERANCE:
            raise RequestError(
                f"{other.plane}: its axes are turned or mirrored against those of {first.plane}; accepted: images "
                "on one orientation (nothing is resampled)"
            )
