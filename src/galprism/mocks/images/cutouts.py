"""Cutouts of a simulated sky as a survey's camera would give them: PSF, neighbours, noise and masks.

Each cutout is centred on one source of a patch of sky to within a pixel and holds whatever else is there. The noise of
the sky comes from the survey's 5-sigma depths. The stated ivar is of the sky alone, as in a survey's weight maps; the
photons of the sources themselves add noise that it does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from galprism.data import Cutouts
from galprism.errors import RequestError
from galprism.mocks.images.rendering import FWHM_PIXELS, PSF, render
from galprism.mocks.population import source_rng
from galprism.mocks.sky.members import Members
from galprism.mocks.sky.patch import Patch
from galprism.surveys import Survey
from galprism.units import AB_ZEROPOINT_NJY

STREAM = 41
"""Sets the random numbers of images apart from others of the same seed and id."""
WITHIN = 3.0
"""Standard deviations: a PSF that is further from the median does not occur."""
BETA_STEP = 0.05
"""Of beta where it scatters, so that there are few kinds of PSF."""
BATCH = 512
"""Sources that are rendered at a time."""
MOST_NOISES = 6e4
"""Of a pixel that is kept in units of the noise of the sky; brighter ones are as bright as that."""


@dataclass(frozen=True)
class ImageConfig:
    """How the images are taken; the defaults are of KiDS's r band."""

    bands: tuple[str, ...] = ("r",)
    """Names of the survey's bands."""
    size: int = 41
    """px, along each side."""
    pixel_scale: float = 0.2
    """arcsec; KiDS's coadds (Kuijken et al. 2019, A&A 625, A2)."""
    fwhm: tuple[float, ...] = (0.70,)
    """arcsec, the median FWHM of the PSF, one a band; KiDS's average in r (Kuijken et al. 2019, abstract)."""
    fwhm_scatter: float = 0.1
    """Standard deviation of ln FWHM from source to source and band to band, normal as far as WITHIN of them."""
    beta: float = 3.0
    """Of the Moffat PSF, the median. Turbulence alone gives 4.765 (Trujillo et al. 2001, MNRAS 328, 977); what
    telescopes deliver has stronger wings, with beta of 2 to 4.5."""
    beta_scatter: float = 0.0
    """Standard deviation of ln beta from source to source and band to band, normal as far as WITHIN of them. Beta goes
    in steps of BETA_STEP."""
    ellipticity: float = 0.02
    """Standard deviation of g1 and of g2 of the PSF from source to source and band to band, normal as far as WITHIN."""
    offset: float = 0.5
    """px, how far at most the source is from the image's middle along each axis; the same in all its bands."""
    aperture: float = 2.0
    """arcsec, the diameter of the aperture that the survey's depths are of, as KiDS's are; no light is taken to fall
    outside of it."""
    electrons_per_njy: tuple[float, ...] = (9.0,)
    """Photo-electrons that 1 nJy gives in the whole exposure, one a band (see `electrons_per_njy`); infinity for no
    noise of the sources. The default: 5 sigma at 25.02 in 2 arcsec under a sky of 21.0 mag arcsec^-2, whose photons are
    all the noise; that is 1800 s at a zero point of 25.64."""
    bad_pixels: float = 1e-3
    """The probability of a pixel to be bad."""
    saturation: tuple[float, ...] = ()
    """nJy per pixel, one a band: pixels above are masked; empty when none saturate."""
    reach: float = 10.0
    """arcsec; sources up to this far from an image's corners are seen in it if their light gets there."""
    faintest: float = 1e-3
    """In units of the sky's noise in a pixel: Gaussians that no pixel of an image has more of are left out. At 60
    sources a square arcmin that takes less than 0.02 of the noise from a pixel and makes images three times as fast."""

    def __post_init__(self) -> None:
        self._one_a_band("fwhm", self.fwhm)
        self._one_a_band("electrons_per_njy", self.electrons_per_njy)
        if self.saturation:
            self._one_a_band("saturation", self.saturation)
        if not self.bands or len(set(self.bands)) != len(self.bands):
            raise RequestError(f"images.bands = {list(self.bands)}; accepted: one or more, each once")
        for name in ("pixel_scale", "aperture"):
            if not 0 < getattr(self, name) < np.inf:
                raise RequestError(f"images.{name} = {getattr(self, name)}; accepted: above zero, in arcsec")
        for name, most in (
            ("fwhm_scatter", 0.5),
            ("beta_scatter", 0.5),
            ("ellipticity", 0.1),
            ("offset", 0.5),
            ("bad_pixels", 0.9),
            ("reach", np.inf),
            ("faintest", 1.0),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise RequestError(f"images.{name} = {getattr(self, name)}; accepted: 0 to {most:g}")
        strongest = self.beta * np.exp(-WITHIN * self.beta_scatter)
        if not (strongest >= 2.0 and self.beta < np.inf):
            raise RequestError(
                f"images.beta = {self.beta} with images.beta_scatter = {self.beta_scatter} is {strongest:.2f} at the "
                "least; accepted: 2 or more"
            )
        if self.size < 1:
            raise RequestError(f"images.size = {self.size}; accepted: 1 or more, in pixels")
        narrowest = min(self.fwhm) * np.exp(-WITHIN * self.fwhm_scatter)
        if narrowest < FWHM_PIXELS * self.pixel_scale:
            raise RequestError(
                f"images.fwhm = {list(self.fwhm)} with images.fwhm_scatter = {self.fwhm_scatter} are as narrow as "
                f"{narrowest:.2f} arcsec; accepted: {FWHM_PIXELS:g} pixels of {self.pixel_scale:g} arcsec or more"
            )

    def _one_a_band(self, name: str, values: tuple[float, ...]) -> None:
        if len(values) != len(self.bands) or not all(value > 0 for value in values):
            raise RequestError(
                f"images.{name} = {list(values)}; accepted: numbers above zero, one for each of {', '.join(self.bands)}"
            )


def electrons_per_njy(zeropoint: float, exposure: float) -> float:
    """Photo-electrons that 1 nJy gives in `exposure` s; `zeropoint` is the AB magnitude that gives one a second."""
    return exposure * 10 ** (0.4 * (zeropoint - AB_ZEROPOINT_NJY))


def sky_sigma(survey: Survey, config: ImageConfig) -> np.ndarray:
    """(B,), nJy: the noise of the sky in one pixel.

    A circle of diameter D has pi (D / 2)^2 / s^2 pixels of side s, whose independent noise adds in quadrature to a
    fifth of the flux at the depth: sigma_pixel = sigma_aperture s / (sqrt(pi) D / 2).

    Raises RequestError for a band that the survey does not have.
    """
    return survey.sky_err()[_columns(survey, config)] * config.pixel_scale / (np.sqrt(np.pi) * config.aperture / 2)


def in_noise(flux: np.ndarray, observed: np.ndarray, sky: np.ndarray) -> np.ndarray:
    """Images (n, b, H, W) in units of the noise of the sky, (b,), as they are kept: float16, which ends at 65,504, and
    NaN where they are not observed."""
    scaled = np.clip(flux / sky[:, None, None], -MOST_NOISES, MOST_NOISES)
    return np.where(observed, scaled, np.nan).astype(np.float16)


def from_noise(kept: np.ndarray, fwhm: np.ndarray, sky: np.ndarray, config: ImageConfig) -> Cutouts:
    """What `in_noise` kept, as cutouts in nJy; fwhm : (n, b), arcsec."""
    pixels, sky = np.asarray(kept, np.float32), sky[:, None, None].astype(np.float32)
    masked = np.isnan(pixels)
    flux, ivar = (np.where(masked, np.float32(0), value) for value in (pixels * sky, 1 / sky**2))
    return Cutouts(flux, ivar, config.bands, config.pixel_scale, fwhm)


def take_images(
    patch: Patch, survey: Survey, config: ImageConfig, *, seed: int, rows: np.ndarray | slice | None = None
) -> Cutouts:
    """Cutouts of the sources of a patch, or of `rows` of it, whose members have the bands of `survey`.

    A source's PSF, noise and masks follow from `seed` and its id; to float32's rounding its images are the same however
    many are taken at once.

    Raises RequestError for a band that the survey does not have, and for members of other bands than the survey's.
    """
    columns = _columns(survey, config)
    if patch.members.point.shape[1] != len(survey.bands):
        raise RequestError(
            f"the members have {patch.members.point.shape[1]} bands; {survey.name} has {len(survey.bands)}"
        )
    index = np.arange(len(patch))[slice(None) if rows is None else rows]
    rngs = [source_rng(seed, int(ident), STREAM) for ident in patch.id[index]]
    psf, offset = _circumstances(rngs, config)
    sky = sky_sigma(survey, config)
    corner = config.size * config.pixel_scale / np.sqrt(2)
    image, source, dx, dy = patch.seen_from(index, corner + config.reach)
    light = render(
        _in_bands(patch.members.take(source), columns),
        psf,
        offset[image, 0] + dx,
        offset[image, 1] + dy,
        size=config.size,
        pixel_scale=config.pixel_scale,
        image=image,
        faintest=config.faintest * sky,
    )
    return _exposed(light, psf, sky, rngs, config)


def image_batches(
    patch: Patch, survey: Survey, config: ImageConfig, *, seed: int, n: int | None = None, size: int = BATCH
) -> Iterator[tuple[np.ndarray, Cutouts]]:
    """Ids and cutouts of the first n sources of a patch, or of all, `size` at a time, as `take_images` gives them."""
    n = len(patch) if n is None else n
    for start in range(0, n, size):
        rows = slice(start, min(start + size, n))
        yield patch.id[rows], take_images(patch, survey, config, seed=seed, rows=rows)


def _columns(survey: Survey, config: ImageConfig) -> list[int]:
    missing = [band for band in config.bands if band not in survey.band_names]
    if missing:
        raise RequestError(
            f"images.bands: {survey.name} has no band {', '.join(missing)}; it has {', '.join(survey.band_names)}"
        )
    return [survey.band_names.index(band) for band in config.bands]


def _in_bands(members: Members, columns: list[int]) -> Members:
    point, bulge, disc = (part[:, columns] for part in (members.point, members.bulge, members.disc))
    return Members(members.redshift, point, bulge, disc, members.shapes)


def _circumstances(rngs: list[np.random.Generator], config: ImageConfig) -> tuple[PSF, np.ndarray]:
    """The PSF of each image and where in it the source is, (N, 2) arcsec from the middle."""
    n_bands = len(config.bands)
    chance = np.array([rng.random((3, n_bands)) for rng in rngs]).reshape(-1, 3, n_bands)
    normal = _normal(chance)
    uniform = np.array([rng.uniform(-1.0, 1.0, 2) for rng in rngs]).reshape(-1, 2)
    fwhm = np.array(config.fwhm) * np.exp(config.fwhm_scatter * normal[:, 0])
    beta = np.full(fwhm.shape, config.beta)
    if config.beta_scatter:
        drawn = np.array([rng.random(n_bands) for rng in rngs]).reshape(-1, n_bands)
        beta *= np.exp(config.beta_scatter * _normal(drawn))
        beta = np.maximum(BETA_STEP * np.round(beta / BETA_STEP), 2.0)
    psf = PSF(fwhm, config.ellipticity * normal[:, 1], config.ellipticity * normal[:, 2], beta)
    return psf, config.offset * config.pixel_scale * uniform


def _normal(chance: np.ndarray) -> np.ndarray:
    """Standard normal numbers, of which none is beyond WITHIN."""
    return ndtri(ndtr(-WITHIN) + chance * (ndtr(WITHIN) - ndtr(-WITHIN)))


def _exposed(
    light: np.ndarray, psf: PSF, sky: np.ndarray, rngs: list[np.random.Generator], config: ImageConfig
) -> Cutouts:
    """With the noise of the sky and of the sources, and masks.

    A pixel collects thousands of electrons from the sky, so that the Poisson noise of a source on it is as good as
    normal, of variance (flux in electrons).
    """
    shape = light.shape[1:]
    each = (len(config.bands), 1, 1)
    noise, chance = np.empty_like(light), np.empty_like(light)
    for rng, normal, uniform in zip(rngs, noise, chance, strict=True):
        rng.standard_normal(shape, dtype=np.float32, out=normal)
        rng.random(shape, dtype=np.float32, out=uniform)
    variance = (sky**2).astype(np.float32).reshape(each)
    electrons = np.array(config.electrons_per_njy, np.float32).reshape(each)
    noise *= np.sqrt(variance + light / electrons)
    flux = light + noise
    masked = chance < config.bad_pixels
    if config.saturation:
        masked |= flux > np.array(config.saturation, np.float32).reshape(each)
    flux[masked] = 0.0
    ivar = np.where(masked, np.float32(0), 1 / variance)
    return Cutouts(flux, ivar, config.bands, config.pixel_scale, psf.fwhm)
