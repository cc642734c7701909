"""The sources that `real_field.py` looks at: those of the real field, and simulated ones beside them."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.ndimage import distance_transform_edt
from scipy.spatial import KDTree

from field_sources import (
    BANDS,
    PIXEL,
    SATURATION,
    ZEROPOINT,
    Detected,
    alone,
    blended,
    detect,
    opened,
    pixels_of,
    psf,
    sky_of,
)
from galprism import surveys
from galprism.cli.main import main
from galprism.data import Photometry, Sources
from galprism.data.apertures import aperture_photometry
from galprism.data.cutout_file import CutoutFile
from galprism.data.cutting import Cutter
from galprism.data.images import open_image
from galprism.data.tables import write_table
from galprism.infer.with_images import attached
from galprism.units import AB_ZEROPOINT_NJY, FRACTIONAL_ERROR_PER_MAG, abmag_from_njy

LIMIT = 22.5
"""AB, of the Kron magnitude in r."""
APERTURE = 2.0
"""arcsec, diameter."""
R = BANDS.index("r")
STARS = (16.0, 20.5)
"""r of the point sources that the PSF and the stellar locus are told by."""
POINT, SHARP = 1.2, 0.8
"""In units of the median half-light radius of bright point sources: others are between the two; what is smaller than
the second is sharper than any star can be, a cosmic ray or a bad pixel."""
EMPTY, FAR = 2000, 8
"""Circles without a source, and how many pixels their middles are from one at least."""
NEAREST = 3
"""Stars that tell the PSF at a source: with so many it is told best of stars that are left out, to 0.013 arcsec."""
LEAST_SN, LEAST_BANDS = 5.0, 3
"""What is not seen at so much in so many bands is taken for no source."""


@dataclass(frozen=True, eq=False)
class Empty:
    """Circles where no source is, by band (B,), nJy."""

    median: np.ndarray
    scatter: np.ndarray
    """1.4826 times the median absolute deviation."""
    stated: np.ndarray
    """The median of the errors that are stated for them."""


@dataclass(frozen=True, eq=False)
class RealField:
    """N sources to LIMIT."""

    area: float
    """deg^2."""
    found: Detected
    sources: Sources
    """Photometry as the verb measures it, its errors scaled to the scatter of empty circles; cutouts in all bands."""
    stated: Sources
    """The same with the errors as they are stated."""
    boxes: Sources
    """The same under galprism's own background, in boxes, in place of that of `sky_of`."""
    psf: np.ndarray
    """(B, 2), median FWHM in arcsec and beta of Moffat profiles of the stars."""
    fwhm_range: np.ndarray
    """(B, 2), arcsec, 16th and 84th percentiles of the stars."""
    fwhm: np.ndarray
    """(N,), arcsec, in r: the median of the NEAREST stars."""
    pixel_noise: np.ndarray
    """(B,), nJy."""
    empty: Empty
    empty_boxes: Empty
    stars: np.ndarray
    """(N,), bool: point sources by themselves between STARS, whatever the network says of them."""
    blended: np.ndarray
    """(N,), bool: in one isophote with a source 3 mag brighter."""
    unreal: int
    """Detections to LIMIT that are not seen in other bands, and are left out."""
    command: str

    @property
    def edge(self) -> np.ndarray:
        """(N,), bool: cut off by an edge."""
        assert self.sources.cutouts is not None
        return ~self.sources.cutouts.observed[:, R, [0, -1]][:, :, [0, -1]].all(axis=(1, 2))


def work_real(folder: Path, work: Path) -> RealField:
    """The real field, from the images in `folder`; what is made on the way stays in `work`."""
    work.mkdir(parents=True, exist_ok=True)
    pixels = pixels_of(opened(folder, "r"))
    found, covered = detect(pixels)
    some = (found.mag > STARS[0]) & (found.mag < STARS[1]) & alone(found, 4.0) & (found.peak < SATURATION["r"])
    size = float(np.median(found.half_light[some & (found.half_light < 0.5)]))
    some &= (found.half_light > SHARP * size) & (found.half_light < POINT * size)
    fitted, noise = _prepare(folder, work, covered, found.x[some], found.y[some])
    shape = np.nanmedian(fitted, axis=1)
    rows = np.flatnonzero(found.mag < LIMIT)
    write_table(work / "sources.parquet", {"id": rows, "x": found.x[rows], "y": found.y[rows]})
    words = _words(shape)
    with chdir(work):
        if main(words):
            raise RuntimeError("galprism cutouts failed")
        stated = attached(surveys.read("fluxes.parquet", "kids"), CutoutFile("cutouts.h5"))
    fwhm = dict(zip(BANDS, shape[:, 0], strict=True))
    prepared = {band: open_image(f"{work / band}.fits:LIGHT", **_prepared(work, band)) for band in BANDS}
    ours = Cutter(prepared, subtract=False, fwhm=fwhm)
    own = Cutter({band: opened(folder, band) for band in BANDS}, fwhm=fwhm)
    at = _nowhere(covered)
    empty, empty_boxes = (_empty(cutter, *at) for cutter in (ours, own))
    boxes = _scaled(_measured(own, stated.id, found.x[rows], found.y[rows]), empty_boxes)
    sources = _scaled(stated, empty)
    assert sources.photometry is not None
    seen = sources.photometry.flux * np.sqrt(sources.photometry.ivar) > LEAST_SN
    real = (seen.sum(axis=1) >= LEAST_BANDS) & ~(found.half_light[rows] < SHARP * size)
    kept = rows[real]
    return RealField(
        area=pixels.size * (PIXEL / 3600.0) ** 2,
        found=found.take(kept),
        sources=sources.take(real),
        stated=stated.take(real),
        boxes=boxes.take(real),
        psf=shape,
        fwhm_range=np.nanpercentile(fitted[:, :, 0], [16, 84], axis=1).T,
        fwhm=_by_neighbours(found, some, fitted[R, :, 0])[kept],
        pixel_noise=noise,
        empty=empty,
        empty_boxes=empty_boxes,
        stars=some[kept],
        blended=blended(found)[kept],
        unreal=int((~real).sum()),
        command="galprism " + " ".join(words),
    )


def _prepare(
    folder: Path, work: Path, covered: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Writes BAND.fits with its light and its noise, in counts; gives FWHM and beta (B, n, 2) of the n stars at pixels
    x, y, and the noise of a pixel (B,) in nJy."""
    fitted, noise = [], []
    for band in BANDS:
        image = opened(folder, band)
        pixels = pixels_of(image)
        sky = sky_of(pixels, covered)
        fitted.append(psf(pixels - sky.level, x, y))
        noise.append(float(np.median(sky.noise)))
        planes = {"LIGHT": pixels - sky.level, "NOISE": sky.noise}
        hdus = [fits.ImageHDU((plane / image.njy_per_count).astype("f4"), name=n) for n, plane in planes.items()]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(work / f"{band}.fits", overwrite=True)
    return np.array(fitted), np.array(noise)


def _by_neighbours(found: Detected, stars: np.ndarray, fwhm: np.ndarray) -> np.ndarray:
    """The FWHM at each source, of those of the stars (n,)."""
    good = np.isfinite(fwhm)
    points = np.column_stack([found.x, found.y])
    _, near = KDTree(points[stars][good]).query(points, k=NEAREST)
    return np.median(fwhm[good][near], axis=1)


def _counts(band: str) -> float:
    """The saturation of a band in counts."""
    return SATURATION[band] / float(10 ** (0.4 * (AB_ZEROPOINT_NJY - ZEROPOINT[band])))


def _prepared(work: Path, band: str) -> dict:
    """What `open_image` is told of a prepared image."""
    beside = {"weight": f"{work / band}.fits:NOISE", "weight_kind": "rms"}
    level = _counts(band) if band in SATURATION else np.inf
    return {"zeropoint": ZEROPOINT[band], "pixel_scale": PIXEL, "saturation": level, **beside}


def _words(shape: np.ndarray) -> list[str]:
    """The command that cuts out and measures."""
    words = ["cutouts", "sources.parquet", "--x", "x", "--y", "y", "--pixel-scale", f"{PIXEL:g}"]
    words += ["--background", "keep", "--weight-kind", "rms"]
    for band, (fwhm, _) in zip(BANDS, shape, strict=True):
        words += ["--image", f"{band}={band}.fits:LIGHT", "--weight", f"{band}={band}.fits:NOISE"]
        words += ["--zeropoint", f"{band}={ZEROPOINT[band]:g}", "--fwhm", f"{band}={fwhm:.3f}"]
        if band in SATURATION:
            words += ["--saturation", f"{band}={_counts(band):.3g}"]
    return [*words, "--photometry", "--aperture", f"{APERTURE:g}", "--catalogue", "fluxes.parquet", "-o", "cutouts.h5"]


def _nowhere(covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels x, y of EMPTY places without a source, none of them near an edge."""
    height, width = covered.shape
    rng = np.random.default_rng(1)
    y, x = (rng.integers(25, side - 25, 40 * EMPTY) for side in (height, width))
    free = np.flatnonzero(distance_transform_edt(~covered)[y, x] > FAR)[:EMPTY]
    return x[free].astype(float), y[free].astype(float)


def _empty(cutter: Cutter, x: np.ndarray, y: np.ndarray) -> Empty:
    photometry = _measured(cutter, np.arange(len(x)), x, y).photometry
    assert photometry is not None
    median = np.median(photometry.flux, axis=0)
    scatter = 1.4826 * np.median(np.abs(photometry.flux - median), axis=0)
    return Empty(median, scatter, np.median(photometry.flux_err, axis=0))


def _measured(cutter: Cutter, ident: np.ndarray, x: np.ndarray, y: np.ndarray) -> Sources:
    cut = cutter.at_pixels(x, y)
    fluxes, flags = aperture_photometry(cut.cutouts, cut.offset, diameter=APERTURE, match_psf=True)
    return Sources(ident, photometry=fluxes, cutouts=cut.cutouts, flags=cut.flags | flags)


def _scaled(sources: Sources, empty: Empty) -> Sources:
    """With errors as large as the scatter of empty circles."""
    photometry = sources.photometry
    assert photometry is not None
    ivar = photometry.ivar * (empty.stated / empty.scatter) ** 2
    return replace(sources, photometry=replace(photometry, ivar=ivar.astype(np.float32)))


def with_fluxes(sources: Sources, factor: np.ndarray) -> Sources:
    """With fluxes and errors multiplied by a factor (N, B) or (B,)."""
    held = sources.photometry
    assert held is not None
    factor = np.broadcast_to(factor, held.flux.shape)
    return replace(sources, photometry=Photometry(held.flux * factor, held.ivar / factor**2, held.bands))


def star_magnitudes(real: RealField) -> tuple[np.ndarray, np.ndarray]:
    """(n, B) each, AB: the stars of the locus and their errors, NaN where one is not seen well."""
    photometry = real.sources.take(real.stars).photometry
    assert photometry is not None
    good = photometry.flux * np.sqrt(photometry.ivar) > LEAST_SN
    flux = np.where(good, photometry.flux, np.nan).astype(float)
    return abmag_from_njy(flux), photometry.flux_err / flux / FRACTIONAL_ERROR_PER_MAG
