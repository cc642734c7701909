"""How spectra are taken: one record of settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from galprism.errors import RequestError


@dataclass(frozen=True)
class SpectrumConfig:
    """How spectra are taken; the defaults are of SDSS's first two spectrographs."""

    wave_range: tuple[float, float] = (3800.0, 9200.0)
    """Angstrom in vacuum, observed: pixels are those of SDSS, 1e-4 in log10, whose middles are within."""
    resolution: float = 0.0
    """Wavelength over the FWHM of the line-spread function, the same everywhere; 0 for that of SDSS's spectra, which
    goes from 1,450 in the blue to 2,350 in the red."""
    fibre: float = 3.0
    """arcsec, the diameter of its end on the sky; BOSS's is 2 (Smee et al. 2013, AJ 146, 32)."""
    seeing: float = 1.5
    """arcsec, FWHM of the Moffat PSF at the fibre, one for all wavelengths."""
    beta: float = 3.0
    """Of the Moffat PSF."""
    farthest: float = 0.6
    """Redshift up to which spectra can be asked for."""
    dispersion_scatter: float = 0.08
    """dex, of velocity dispersions of bulges about the relation with mass."""
    rotation_scatter: float = 0.036
    """dex, of rotation velocities about the relation with mass (Reyes et al. 2011, abstract)."""
    disc_dispersion: float = 35.0
    """km/s, of the stars of a disc, without rotation."""
    gas_dispersion: float = 25.0
    """km/s, of its gas, without rotation."""
    sn_from: Literal["magnitude", "range"] = "magnitude"
    """The signal to noise of a galaxy follows from its light in the fibre, as in an exposure of SDSS, or its logarithm
    is drawn evenly from `sn`."""
    sn: tuple[float, float] = (5.0, 50.0)
    """Least and most signal to noise per Angstrom in r, as galprism.data.spectrum_noise has it: what would have less is
    exposed longer, and what would have more less long."""
    depth: float = 1.0
    """Exposure in units of SDSS's, where `sn_from` is "magnitude"."""
    depth_scatter: float = 0.2
    """dex, of the exposure from one galaxy to the next, likewise: the stated errors of real spectra scatter by 0.1 dex
    about what their fluxes give (benchmarks/spectrum_noise.py)."""
    calibration: float = 0.04
    """Standard deviation, of 1, of a smooth error of the flux calibration that changes with wavelength over
    `calibration_scale`: SDSS's spectra of stars give their photometry to 0.04 mag (Fukugita et al. 2011, AJ 141, 47,
    abstract)."""
    calibration_scale: float = 1500.0
    """Angstrom."""
    sky_residual: float = 1.0
    """How much of what real spectra scatter beyond their stated errors, at the lines of the sky above all, is added to
    the noise but not to the stated errors; 0 for none: the ivar is the truth."""

    def __post_init__(self) -> None:
        low, high = self.wave_range
        if not 0 < low < high < np.inf:
            raise RequestError(f"spectra.wave_range = {list(self.wave_range)}; accepted: two wavelengths, rising")
        for name in ("fibre", "seeing", "farthest", "depth", "calibration_scale"):
            if not 0 < getattr(self, name) < np.inf:
                raise RequestError(f"spectra.{name} = {getattr(self, name)}; accepted: above zero")
        for name, most in (
            ("resolution", np.inf),
            ("dispersion_scatter", 1.0),
            ("rotation_scatter", 1.0),
            ("disc_dispersion", 500.0),
            ("gas_dispersion", 500.0),
            ("depth_scatter", 2.0),
            ("calibration", 0.5),
            ("sky_residual", 10.0),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise RequestError(f"spectra.{name} = {getattr(self, name)}; accepted: 0 to {most:g}")
        if not 2.0 <= self.beta < np.inf:
            raise RequestError(f"spectra.beta = {self.beta}; accepted: 2 or more")
        if self.sn_from not in ("magnitude", "range"):
            raise RequestError(f"spectra.sn_from = {self.sn_from!r}; accepted: magnitude, range")
        if not 0 < self.sn[0] <= self.sn[1] < np.inf:
            raise RequestError(f"spectra.sn = {list(self.sn)}; accepted: [least, most], above zero")
