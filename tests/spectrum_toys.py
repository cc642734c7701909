"""A toy library whose lines and continua are known, and galaxies made of it without the code that fits them."""

import numpy as np

from galprism.data import Sources, Spectra
from galprism.fit.spectrum_templates import FWHM, STEP, spectrum_templates
from galprism.sps.ssp import SSPLibrary

AGE = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 14.0])
Z_MET = 0.02 * 10 ** np.array([-1.6, -0.8, 0.0, 0.4])
LIBRARY_SIGMA = 1.1
"""Angstrom: of every line of the library, whose stars have none of their own."""
C = 299792.458
RNG = np.random.default_rng(3)
YOUNG, OLD, METAL = (np.sort(RNG.uniform(3650, 7250, n)) for n in (40, 40, 80))


PARTS = (np.arange(7) + 0.5) / 7 - 0.5
"""Of a pixel, where its light is taken."""


def pixel_means(fine):
    return fine.reshape(-1, len(PARTS)).mean(axis=1)


def depths(age, z_met):
    """Of YOUNG, OLD and METAL lines: they fade with age, grow with it, and grow with metallicity."""
    t, z = np.log10(age), np.log10(z_met / 0.02)
    young, old, metal = 0.35 - 0.25 * t, 0.15 + 0.15 * t**2, 0.4 + 0.2 * z
    return np.concatenate([np.full(len(YOUNG), young), np.full(len(OLD), old), np.full(len(METAL), metal)])


def star_light(wave, age, z_met, sigma):
    """Per mass at `wave` at rest, with lines of standard deviation `sigma` (Angstrom) at each wavelength."""
    lines = np.concatenate([YOUNG, OLD, METAL])
    widths = np.interp(lines, wave, np.broadcast_to(sigma, wave.shape))
    made = np.ones(len(wave))
    for line, width, depth in zip(lines, widths, depths(age, z_met), strict=True):
        near = slice(*np.searchsorted(wave, (line - 8 * width, line + 8 * width)))
        # an area that broadening does not change
        made[near] -= depth * LIBRARY_SIGMA / width * np.exp(-0.5 * ((wave[near] - line) / width) ** 2)
    slope = -1.5 + 1.2 * np.log10(age / 0.5) + 0.3 * np.log10(z_met / 0.02)
    return age**-0.7 * (wave / 5500.0) ** slope * made


def library() -> SSPLibrary:
    wave = np.arange(3600.0, 7300.0, 0.9)
    fine = (wave[:, None] + 0.9 * PARTS).ravel()
    flux = np.array([[pixel_means(star_light(fine, age, z, LIBRARY_SIGMA)) for age in AGE] for z in Z_MET])
    nothing = np.full(flux.shape[:2], np.nan)
    return SSPLibrary("toy", wave, "vacuum", AGE, Z_MET, flux, nothing, nothing, "toy", "toy")


TEMPLATES = spectrum_templates(library(), fwhm=LIBRARY_SIGMA * FWHM)
WAVE = np.exp(np.log(3700.0) + STEP * np.arange(3000))


def galaxy(light, *, redshift=0.05, velocity=0.0, dispersion=150.0, lsf=1.3, wave=WAVE, factor=None):
    """Flux (L,), median 1, of shares of light (M, T): moved and broadened where it is made, line by line.

    factor : multiplies the light at wavelengths at rest
    """
    fine = np.exp(np.log(wave)[:, None] + STEP * PARTS)
    rest = (fine / (1 + redshift) / np.exp(velocity / C)).ravel()
    sigma = np.hypot(rest * dispersion / C, lsf / (1 + redshift))
    total = np.zeros(len(rest))
    for i, j in zip(*np.nonzero(light), strict=True):
        total += light[i, j] / TEMPLATES.light[i, j] * star_light(rest, AGE[j], Z_MET[i], sigma)
    if factor is not None:
        total *= factor(rest)
    flux = pixel_means(total)
    return flux / np.median(flux)


def sources(flux, snr=100.0, *, redshift=0.05, lsf=1.3, wave=WAVE, noise_seed=None, used=None):
    """Of one flux (L,) or N (N, L); noise is added where there is a seed for it."""
    flux = np.atleast_2d(flux).copy()
    if noise_seed is not None:
        flux += np.random.default_rng(noise_seed).normal(0, 1 / snr, flux.shape)
    ivar = np.full(flux.shape, float(snr) ** 2)
    if used is not None:
        flux, ivar = np.where(used, flux, 0.0), np.where(used, ivar, 0.0)
    redshift = np.broadcast_to(redshift, len(flux))
    sigma = None if lsf is None else np.full(len(wave), lsf)
    return Sources(np.arange(len(flux)), redshift=redshift, spectra=Spectra(flux, ivar, wave, sigma))


def shares_of(*parts):
    """Shares of light (M, T) of (share, metallicity, age), each by place."""
    light = np.zeros((len(Z_MET), len(AGE)))
    for share, i, j in parts:
        light[i, j] = share
    return light


MIXED = shares_of((0.3, 1, 1), (0.7, 2, 4))
"""30 % of the light from a metal-poor population of 1 Gyr, 70 % from a solar one of 8."""
