"""Spectra as a spectrograph measures them: noise of the sky and of the source, and errors that nobody states.

The stated variance of a pixel is that of SDSS's spectra: of the sky in the fibre and of the source's own photons, by
wavelength, for the exposure that the galaxy has. What is true of real spectra but not stated comes on top: scatter at
the lines of the sky beyond the stated errors, and a smooth error of the flux calibration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.data import Spectra
from galprism.data.spectrum_noise import SDSS_R
from galprism.errors import RequestError
from galprism.mocks.population import source_rng
from galprism.mocks.spectra.config import SpectrumConfig
from galprism.mocks.spectra.instrument import FIBRE, instrument
from galprism.mocks.spectra.model import SimulatedSpectra

STREAM = 43
"""Sets the random numbers of noise apart from others of the same seed and id."""
KNOTS = 2
"""Of the calibration's error, for each of its scales."""
BATCH = 1024
"""Spectra at a time."""


@dataclass(frozen=True, eq=False)
class Exposures:
    """What N spectra are worth, apart from their fluxes: noise is drawn from it as often as wanted."""

    error: np.ndarray
    """(N, L), float32, 1e-17 erg/s/cm2/A, the stated standard deviation."""
    excess: np.ndarray
    """(L,), float32, the true standard deviation over the stated."""
    bend: np.ndarray
    """(L, K), float32: by standard normal numbers (K,) it gives the error of the calibration, of 1."""

    def drawn(self, flux: np.ndarray, rng: np.random.Generator, rows=slice(None)) -> np.ndarray:
        """(n, L), float32: fluxes (n, L) without noise as they would be measured, of `rows` of the exposures."""
        error = self.error[rows]
        noise = rng.standard_normal(error.shape, dtype=np.float32)
        bend = rng.standard_normal((len(error), self.bend.shape[1]), dtype=np.float32)
        return self._added(flux, error, noise, bend)

    def _added(self, flux: np.ndarray, error: np.ndarray, noise: np.ndarray, bend: np.ndarray) -> np.ndarray:
        noise *= error
        noise *= self.excess
        measured = bend @ self.bend.T
        measured += 1.0
        measured *= flux
        measured += noise
        return measured


def exposures(simulated: SimulatedSpectra, config: SpectrumConfig, *, seed: int) -> Exposures:
    """How long each spectrum is exposed and what its errors then are; what is drawn follows from `seed` and its id.

    Raises RequestError where the spectra do not reach into r, by which signal to noise goes.
    """
    return _exposures(simulated, config, [source_rng(seed, int(one), STREAM) for one in simulated.id])


def observe_spectra(simulated: SimulatedSpectra, config: SpectrumConfig, *, seed: int) -> Spectra:
    """The spectra with noise. It follows from `seed` and a source's id, however many are observed at once.

    Raises RequestError as `exposures`.
    """
    parts = []
    for start in range(0, len(simulated), BATCH):
        part = simulated.take(slice(start, start + BATCH))
        rngs = [source_rng(seed, int(one), STREAM) for one in part.id]
        exposed = _exposures(part, config, rngs)
        noise = np.empty_like(part.flux)
        bend = np.empty((len(part), exposed.bend.shape[1]), np.float32)
        for rng, normal, knots in zip(rngs, noise, bend, strict=True):
            rng.standard_normal(dtype=np.float32, out=normal)
            rng.standard_normal(dtype=np.float32, out=knots)
        flux = exposed._added(part.flux, exposed.error, noise, bend)
        parts.append((flux, 1.0 / exposed.error**2))
    if not parts:
        parts.append((simulated.flux, simulated.flux))
    flux, ivar = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Spectra(flux, ivar, simulated.wave, simulated.lsf_sigma)


def _exposures(simulated: SimulatedSpectra, config: SpectrumConfig, rngs: list[np.random.Generator]) -> Exposures:
    pixels = instrument(config)
    wave = simulated.wave
    if not np.array_equal(wave, pixels.wave):
        raise RequestError(
            f"spectra of {len(wave)} pixels from {wave[0]:.6g} A are not of spectra.wave_range = "
            f"{list(config.wave_range)}"
        )
    inside = (wave >= SDSS_R[0]) & (wave <= SDSS_R[1])
    if not inside.any():
        raise RequestError(
            f"spectra.wave_range = {list(config.wave_range)} has nothing of r, {SDSS_R[0]:g} to {SDSS_R[1]:g} A; "
            "accepted: wavelengths that signal to noise can be told from"
        )
    sky = (pixels.sky**2 * (config.fibre / FIBRE) ** 2).astype(np.float32)
    variance = np.maximum(simulated.flux, np.float32(0.0))
    variance *= pixels.photons.astype(np.float32)
    variance += sky
    in_r = simulated.flux[:, inside] / np.sqrt(variance[:, inside] * pixels.width[inside].astype(np.float32))
    ratio = np.maximum(np.median(in_r, axis=1), 1e-30)
    normal, uniform = np.array([(rng.standard_normal(), rng.random()) for rng in rngs]).reshape(-1, 2).T
    low, high = np.log10(config.sn)
    if config.sn_from == "range":
        wanted = low + (high - low) * uniform
    else:
        usual = np.log10(ratio) + 0.5 * (np.log10(config.depth) + config.depth_scatter * normal)
        wanted = np.minimum(np.maximum(usual, low), high)
    shrunk = ratio / 10.0**wanted  # what errors are multiplied by
    error = np.sqrt(variance, out=variance)
    error *= shrunk.astype(np.float32)[:, None]
    return Exposures(error, excess_of(config), bend_of(wave, config))


def excess_of(config: SpectrumConfig) -> np.ndarray:
    """(L,), float32: the true standard deviation of the noise over the stated."""
    return np.sqrt(1.0 + config.sky_residual**2 * (instrument(config).excess ** 2 - 1.0)).astype(np.float32)


def bend_of(wave: np.ndarray, config: SpectrumConfig) -> np.ndarray:
    """(L, K), float32: smooth functions of wavelength whose sum, each times a standard normal number, has the standard
    deviation of the calibration's error at every wavelength."""
    step = config.calibration_scale / KNOTS
    knots = np.arange(wave[0] - 2 * config.calibration_scale, wave[-1] + 2 * config.calibration_scale, step)
    shape = np.exp(-0.5 * ((wave[:, None] - knots) / (0.5 * config.calibration_scale)) ** 2)
    return (config.calibration * shape / np.sqrt((shape**2).sum(axis=1, keepdims=True))).astype(np.float32)
