"""The preparation of the MLP-GaP paper (Guo et al. 2024, Sect. 2.3): redshift, magnitudes and their errors as they are.

A magnitude needs a positive flux and a known error: a source without them in every band cannot be prepared.
"""

from __future__ import annotations

import numpy as np

from galprism.data import Photometry
from galprism.prep.inputs import Inputs
from galprism.units import abmag_from_njy, mag_err_from_flux_err


def names(bands: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the values and of the indicators."""
    return ("redshift", *[f"mag_{band}" for band in bands], *[f"mag_err_{band}" for band in bands]), ()


def measure(photometry: Photometry, redshift: np.ndarray) -> Inputs:
    """The 1 + 2B inputs of N sources; `broken` where a band is missing, not positive, a limit, or without an error."""
    used = photometry.observed if photometry.limit is None else photometry.observed & ~photometry.limit
    with np.errstate(all="ignore"):
        mag = abmag_from_njy(photometry.flux)
        mag_err = mag_err_from_flux_err(photometry.flux, photometry.flux_err)
        values = np.concatenate([redshift[:, None], mag, mag_err], axis=1).astype(np.float32)
    finite = np.isfinite(values)
    broken = np.any(~finite, axis=1) | np.any(~used, axis=1)
    return Inputs(
        values=np.where(finite, values, np.float32(0)),
        there=np.ones(values.shape, bool),
        indicators=np.zeros((len(values), 0), np.float32),
        anchor=np.zeros(len(values)),
        broken=broken,
        n_bands=used.sum(axis=1).astype(np.int16),
    )
