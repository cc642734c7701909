"""The spectrographs of SDSS: resolution and noise of real spectra, by wavelength."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from galprism.data.apertures import FWHM_PER_SIGMA
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL, wave_of
from galprism.errors import RequestError
from galprism.mocks.spectra.config import SpectrumConfig

TABLE = Path(__file__).parent / "tables" / "sdss_noise.csv"
FIRST = 35526
"""The first pixel of the table: log10 of its wavelength is 1e-4 times this."""
FIBRE = 2.0
"""arcsec, the diameter of the fibres of the spectra that the table was made of."""
STEP = DEX_PER_PIXEL * np.log(10.0)
"""In ln wavelength, from one pixel to the next."""


@dataclass(frozen=True, eq=False)
class Instrument:
    """What L pixels have of resolution and of noise, in an exposure of SDSS."""

    wave: np.ndarray
    """(L,), Angstrom, middles of the pixels, in vacuum."""
    sky: np.ndarray
    """(L,), 1e-17 erg/s/cm2/A, standard deviation of a pixel without a source, in a fibre of FIBRE."""
    photons: np.ndarray
    """(L,), 1e-17 erg/s/cm2/A, variance that each unit of the source's flux adds."""
    excess: np.ndarray
    """(L,), scatter of real residuals over their stated errors, 1 or more."""
    lsf: np.ndarray
    """(L,), pixels, standard deviation of the line-spread function."""

    @property
    def lsf_sigma(self) -> np.ndarray:
        """(L,), Angstrom."""
        return self.lsf * STEP * self.wave

    @property
    def width(self) -> np.ndarray:
        """(L,), Angstrom, of the pixels."""
        return pixel_widths(self.wave)


def pixel_widths(wave: np.ndarray) -> np.ndarray:
    """Angstrom, of SDSS's pixels at wavelengths."""
    return 2.0 * np.sinh(0.5 * STEP) * wave


@cache
def sdss() -> Instrument:
    """All of SDSS's range."""
    columns = np.loadtxt(TABLE, delimiter=",", skiprows=_head()).T
    return Instrument(wave_of(FIRST + np.arange(columns.shape[1])), *columns)


def instrument(config: SpectrumConfig) -> Instrument:
    """The pixels and the resolution of `config`. Raises RequestError for wavelengths beyond SDSS's."""
    whole = sdss()
    low, high = config.wave_range
    inside = (whole.wave >= low) & (whole.wave <= high)
    ends = whole.wave[0] * np.exp(-STEP), whole.wave[-1] * np.exp(STEP)
    if low < ends[0] or high > ends[1] or inside.sum() < 2:
        raise RequestError(
            f"spectra.wave_range = [{low:g}, {high:g}]; accepted: two wavelengths from {ends[0]:.0f} to {ends[1]:.0f} "
            "Angstrom, with pixels between them"
        )
    wave, sky, photons, excess, lsf = (
        getattr(whole, name)[inside] for name in ("wave", "sky", "photons", "excess", "lsf")
    )
    if config.resolution:
        lsf = np.full(len(wave), 1.0 / (config.resolution * FWHM_PER_SIGMA * STEP))
    return Instrument(wave, sky, photons, excess, lsf)


def _head() -> int:
    with open(TABLE) as file:
        return next(number for number, text in enumerate(file, 1) if not text.startswith("#"))
