"""Spectra of planted redshifts and classes, and photometry of galaxies at two redshifts."""

from functools import lru_cache

import numpy as np

from galprism import bundle
from galprism.data import Photometry, Sources, Spectra
from galprism.data.spectrum_files.sdss import wave_of
from galprism.infer import RedshiftPredictor
from galprism.prep.redshift_basis import BIN, BINS, FIRST
from galprism.units import njy_from_abmag

WAVE = wave_of(FIRST + np.arange(BINS * BIN))
BANDS = tuple("ugriz")
NEAR, FAR = 0.1, 0.442
"""Redshifts of two galaxies, a red and a blue one."""
MAGNITUDES = {NEAR: (19.44, 17.79, 16.81, 16.43, 16.11), FAR: (21.39, 21.10, 20.36, 19.97, 19.79)}
ERRORS = {NEAR: (7000.0, 3000.0, 4000.0, 7000.0, 30000.0), FAR: (2300.0, 950.0, 1600.0, 2100.0, 10500.0)}
"""nJy."""


@lru_cache(maxsize=1)
def predictor() -> RedshiftPredictor:
    return RedshiftPredictor(bundle.load("galaxy-redshift"))


def planted(name, n, sn, seed=0):
    """Spectra of a class at any of its redshifts, on a continuous scale, of its own basis; noise as stated."""
    rng = np.random.default_rng(seed)
    basis = predictor().bundle.spectroscopic.basis.of(name)
    low, high = basis.shifts
    shift = rng.uniform(low + 20, high - 20, n) if name != "star" else rng.normal(0, 3.0, n)
    grid = basis.first + np.arange(basis.spectra.shape[1])
    flux = np.empty((n, len(WAVE)))
    moved = next(scan.moved for scan in predictor()._of_spectra._finder.scans if scan.moved.name == name)
    for i, s in enumerate(shift):
        coefficients = np.concatenate([[1.0], 0.7 * rng.standard_normal(len(basis.spectra) - 1)])
        rest = coefficients @ basis.spectra
        flux[i] = np.interp(FIRST + np.arange(len(WAVE)) - s, grid, rest)
        if name == "qso":
            _, through = moved.at(np.array([round(s)]))
            flux[i] *= np.repeat(through[0], BIN)
    flux *= sn / np.maximum(flux, 0.0).mean(axis=1, keepdims=True)
    flux += rng.standard_normal(flux.shape)
    return sources_of(flux.astype(np.float32)), 10 ** (1e-4 * shift) - 1


def sources_of(flux, ivar=None, wave=WAVE, **more):
    ivar = np.ones_like(flux) if ivar is None else ivar
    return Sources(id=np.arange(len(flux)), spectra=Spectra(flux, ivar, wave), **more)


def photometry_of(*redshifts):
    """Of the galaxies, in this order; None of one that has none."""
    flux, ivar = np.zeros((2, len(redshifts), len(BANDS)))
    for i, redshift in enumerate(redshifts):
        if redshift is not None:
            flux[i] = njy_from_abmag(np.array(MAGNITUDES[redshift]))
            ivar[i] = np.array(ERRORS[redshift]) ** -2.0
    return Photometry(flux, ivar, BANDS)
