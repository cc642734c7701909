"""The noise of a survey on the fluxes of a simulated sky."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from galprism.data import Photometry
from galprism.errors import RequestError
from galprism.surveys import Survey
from galprism.units import FRACTIONAL_ERROR_PER_MAG, abmag_from_njy, flux_err_from_mag_err


@dataclass(frozen=True)
class NoiseConfig:
    """How the stated errors come about, and whether the fluxes are perturbed by them."""

    perturb: bool = True
    """Perturb the fluxes by their errors; false leaves them exact with the errors still stated, as in the paper."""
    errors: Literal["depth", "catalogue"] = "depth"
    """From the survey's 5-sigma depths, or sampled from a catalogue's own errors at the same magnitude."""
    catalogue: str = ""
    """The table that the errors are sampled from."""
    depth_scatter: float = 0.15
    """mag, rms scatter of the depth from source to source, each band by itself."""
    shallower: tuple[float, float] = (0.0, 0.0)
    """mag; each source's depth is worse than the survey's by a number from this range, the same in all its bands."""
    aperture_slope: float = 0.0
    """mag of depth that a source loses for every magnitude by which it is brighter than `aperture_mag`: bright galaxies
    are large, and are measured in larger apertures than the survey's depth is of. With 0.375, S/N falls by 10^-0.25
    for each magnitude, and not by 10^-0.4."""
    aperture_mag: float = 23.0
    """AB magnitude, in `aperture_band`."""
    aperture_band: str = ""
    """Needed where `aperture_slope` is not 0."""
    calibration: bool = True
    """Perturb each band by the survey's zero-point error as well; it is not part of the stated error."""
    model_error: tuple[float, ...] = ()
    """mag, of each of the survey's bands in their order: how far simulated light may be from that of real galaxies, rms
    from source to source, the same in photometry and images. It is not part of the stated error."""

    def __post_init__(self) -> None:
        if self.errors == "catalogue" and not self.catalogue:
            raise RequestError("noise.errors = 'catalogue' needs noise.catalogue, the path of a table with errors")
        if self.depth_scatter < 0:
            raise RequestError(f"noise.depth_scatter = {self.depth_scatter}; accepted: zero or more, in mag")
        if self.aperture_slope < 0 or (self.aperture_slope > 0) != bool(self.aperture_band):
            raise RequestError(
                f"noise.aperture_slope = {self.aperture_slope}, noise.aperture_band = {self.aperture_band!r}: give "
                "both, a slope above zero and a band, or neither"
            )
        if any(error < 0 for error in self.model_error):
            raise RequestError(f"noise.model_error = {list(self.model_error)}; accepted: zero or more, in mag")
        if self.shallower[0] > self.shallower[1]:
            raise RequestError(f"noise.shallower = {list(self.shallower)}; accepted: [least, most], in mag")


def observe(
    flux: np.ndarray,
    survey: Survey,
    config: NoiseConfig,
    rng: np.random.Generator,
    reference: ErrorSample | None = None,
    factor: np.ndarray | None = None,
) -> Photometry:
    """Photometry of true fluxes (N, B) in nJy as the survey would measure it.

    factor : (N, B), by which the light is other than simulated, where images of it are as well; drawn where not given.

    The stated error never depends on the true flux other than through what a catalogue shows at that magnitude: an
    error computed from the exact flux would tell a network what no observer knows.
    """
    flux = np.asarray(flux, dtype=np.float32)
    if factor is None and config.model_error:
        factor = light_factor(len(flux), survey, config, rng)
    if factor is not None:
        flux = flux * factor
    if config.errors == "catalogue":
        if reference is None:
            raise RequestError("noise.errors = 'catalogue' needs a sample of errors")
        sigma = reference.draw(flux, rng)
    else:
        shallower = np.float32(config.depth_scatter) * rng.standard_normal(flux.shape, dtype=np.float32)
        shallower += rng.uniform(*config.shallower, (len(flux), 1)).astype(np.float32)
        if config.aperture_slope:
            shallower += lost_to_apertures(flux, survey, config)[:, None]
        sigma = survey.sky_err().astype(np.float32) * np.exp(np.float32(FRACTIONAL_ERROR_PER_MAG) * shallower)
    measured = flux
    if config.perturb:
        variance = sigma**2
        if config.calibration:
            variance = variance + (calibration_error(survey) * flux) ** 2
        measured = flux + np.sqrt(variance) * rng.standard_normal(flux.shape, dtype=np.float32)
    return Photometry(flux=measured, ivar=1.0 / sigma**2, bands=survey.band_names)


def light_factor(n: int, survey: Survey, config: NoiseConfig, rng: np.random.Generator) -> np.ndarray:
    """(n, B), float32: the light of n sources over what is simulated, by `model_error`.

    Raises RequestError where that is of another number of bands than the survey's.
    """
    off = rng.standard_normal((n, len(survey.bands)), dtype=np.float32)
    return np.exp(np.float32(FRACTIONAL_ERROR_PER_MAG) * _model_error(survey, config) * off)


def unstated_error(survey: Survey, config: NoiseConfig) -> np.ndarray:
    """(B,), fractions of the flux by which it may be off beyond the stated errors: zero points and `model_error`."""
    known = calibration_error(survey) if config.calibration else np.zeros(len(survey.bands), np.float32)
    return np.hypot(known, FRACTIONAL_ERROR_PER_MAG * _model_error(survey, config)).astype(np.float32)


def _model_error(survey: Survey, config: NoiseConfig) -> np.ndarray:
    """(B,), float32, mag."""
    if len(config.model_error) not in (0, len(survey.bands)):
        raise RequestError(
            f"noise.model_error = {list(config.model_error)}; accepted: a number for each of {survey.name}'s bands, "
            f"{', '.join(survey.band_names)}"
        )
    return np.array(config.model_error or (0.0,) * len(survey.bands), np.float32)


def lost_to_apertures(flux: np.ndarray, survey: Survey, config: NoiseConfig) -> np.ndarray:
    """(N,), mag of depth that sources of fluxes (N, B) lose to the apertures that they need.

    Raises RequestError where the survey lacks the band whose magnitude says so.
    """
    if config.aperture_band not in survey.band_names:
        raise RequestError(
            f"noise.aperture_band = {config.aperture_band!r}; accepted: a band of {survey.name}, "
            f"{', '.join(survey.band_names)}"
        )
    with np.errstate(divide="ignore"):
        magnitude = abmag_from_njy(flux[:, survey.band_names.index(config.aperture_band)])
    return (config.aperture_slope * np.maximum(config.aperture_mag - magnitude, 0.0)).astype(np.float32)


def calibration_error(survey: Survey) -> np.ndarray:
    """(B,), the fractional flux error that the survey's zero-point errors amount to."""
    zeropoint_error = np.array([band.zeropoint_error for band in survey.bands])
    return (FRACTIONAL_ERROR_PER_MAG * zeropoint_error).astype(np.float32)


class ErrorSample:
    """Errors as a catalogue states them, to be sampled at a magnitude (Guo et al. 2024, Sect. 2.2).

    For each band the error of a galaxy of magnitude m is that of a random row within 0.01 mag of m; where there is
    none, the range widens until there is one.
    """

    def __init__(self, photometry: Photometry):
        self._mag, self._mag_err = [], []
        for band in range(len(photometry.bands)):
            good = photometry.error_known[:, band] & (photometry.flux[:, band] > 0)
            if not good.any():
                raise RequestError(f"noise.catalogue has no good flux and error in band {photometry.bands[band]}")
            flux, err = photometry.flux[good, band], photometry.flux_err[good, band]
            order = np.argsort(-flux, kind="stable")
            self._mag.append(abmag_from_njy(flux[order]))
            self._mag_err.append((err / flux / FRACTIONAL_ERROR_PER_MAG)[order])

    def draw(self, flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(N, B), flux errors in nJy for true fluxes (N, B) in nJy."""
        sigma = np.empty_like(flux)
        for band, (mag, mag_err) in enumerate(zip(self._mag, self._mag_err, strict=True)):
            at = abmag_from_njy(flux[:, band])
            half = np.full(len(at), 0.01)
            first, last = np.searchsorted(mag, at - half), np.searchsorted(mag, at + half, side="right")
            while (empty := first == last).any():
                half[empty] *= 2
                first[empty] = np.searchsorted(mag, at[empty] - half[empty])
                last[empty] = np.searchsorted(mag, at[empty] + half[empty], side="right")
            rows = first + (rng.random(len(at)) * (last - first)).astype(int)
            sigma[:, band] = flux_err_from_mag_err(flux[:, band], mag_err[rows])
        return sigma
