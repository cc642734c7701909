"""Samples of sources whose class is as good as certain without spectra of ours: Gaia's stars and GAMA's galaxies."""

from __future__ import annotations

import numpy as np

LEAST_SIGNIFICANCE = 5.0
LEAST_QUALITY = 2
"""GAMA's redshift quality nQ must be above it."""
GALAXY_REDSHIFTS = (0.04, 1.0)
"""Of GAMA's sources those nearer are in part stars, those further away are likely quasars."""


def moves_or_is_near(parallax, parallax_err, pm_ra, pm_ra_err, pm_dec, pm_dec_err) -> np.ndarray:
    """(N,), bool: a star by Gaia, whose parallax or proper motion is measured to 5 sigma (Feng et al. 2025, eqs. 1 and
    2, after Yang & Shen 2023). Arguments (N,), in Gaia's mas and mas/yr; what is not measured, NaN, tells nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        near = np.abs(parallax) / parallax_err >= LEAST_SIGNIFICANCE
        squared = np.square(pm_ra) + np.square(pm_dec)
        error = np.hypot(np.multiply(pm_ra, pm_ra_err), np.multiply(pm_dec, pm_dec_err))
        moves = squared / error >= LEAST_SIGNIFICANCE
    return near | moves


def gama_galaxy(redshift, quality) -> np.ndarray:
    """(N,), bool: a galaxy by GAMA's redshift and its quality nQ (Feng et al. 2025, Sects. 2.4 and 4.2)."""
    low, high = GALAXY_REDSHIFTS
    redshift = np.asarray(redshift)
    return (np.asarray(quality) > LEAST_QUALITY) & (redshift >= low) & (redshift <= high)
