"""Wavelengths at rest and as observed. Both are in vacuum: in air neither is a multiple of the other."""

from __future__ import annotations

import numpy as np

from galprism.errors import RequestError


def rest_from_observed(wave, redshift) -> np.ndarray:
    """Wavelengths at rest of observed ones: (L,) of one redshift, (N, L) of N; NaN where a redshift is NaN.

    Raises RequestError where a redshift is -1 or less.
    """
    return np.asarray(wave, np.float64) / _stretch(redshift)


def observed_from_rest(wave, redshift) -> np.ndarray:
    """Observed wavelengths of those at rest; shapes and errors as of rest_from_observed."""
    return np.asarray(wave, np.float64) * _stretch(redshift)


def _stretch(redshift) -> np.ndarray:
    stretch = 1.0 + np.asarray(redshift, np.float64)
    if np.any(stretch <= 0):
        raise RequestError(f"redshift {np.nanmin(stretch) - 1:g}; accepted: above -1")
    return stretch[..., None] if stretch.ndim else stretch
