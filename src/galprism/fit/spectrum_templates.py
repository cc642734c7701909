"""Spectra of simple populations as a full-spectrum fit takes them: in vacuum, on a log grid, normalised at 5500 A."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from galprism.data.spectra import pixel_edges
from galprism.errors import RequestError
from galprism.wavegrid import integral

if TYPE_CHECKING:
    from galprism.sps.ssp import SSPLibrary

STEP = 1e-4 * np.log(10.0)
"""In ln wavelength: SDSS's pixels, 69 km/s."""
MILES_FWHM = 2.51
"""Angstrom, of the stars of MILES and so of the libraries made of them (Falcon-Barroso et al. 2011)."""
MILES_RANGE = (3541.0, 7409.0)
"""Angstrom in vacuum, in which libraries made of MILES have that resolution."""
WINDOW = (5450.0, 5550.0)
"""Angstrom in vacuum: over its mean flux here each template is divided, so that weights are shares of the light."""
NEAR = 0.02
"""In dex: an age or a metallicity that is asked for and one that the library has are the same within this."""
PAPER_AGES = (0.06, 0.12, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Gyr, of the templates of MMLforGalAM (2025), Sect. 2.1.1, MILES's of Vazdekis et al. (2010) ..."""
PAPER_LOGZSOL = (-1.71, -0.71, 0.0, 0.22)
"""... and their [M/H]: 36 in all."""
FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
"""Of a Gaussian, in standard deviations."""


@dataclass(frozen=True, eq=False)
class SpectrumTemplates:
    """Spectra of M metallicities and T ages in W pixels, even in ln wavelength."""

    name: str
    log_wave: np.ndarray
    """(W,), ln of Angstrom, at rest and in vacuum."""
    flux: np.ndarray
    """(M, T, W), of mean 1 over WINDOW."""
    light: np.ndarray
    """(M, T), the mean over WINDOW that it was divided by, Lsun/Angstrom per Msun formed."""
    age: np.ndarray
    """(T,), Gyr ascending."""
    logzsol: np.ndarray
    """(M,), log10(Z / 0.02), ascending."""
    lsf_sigma: np.ndarray
    """(W,), Angstrom, standard deviation of the library's line-spread function."""

    @property
    def step(self) -> float:
        """Of ln wavelength, from one pixel to the next."""
        return float(self.log_wave[1] - self.log_wave[0])


def spectrum_templates(
    library: SSPLibrary,
    *,
    ages: Sequence[float] | None = None,
    logzsol: Sequence[float] | None = None,
    fwhm: float | np.ndarray = MILES_FWHM,
    wave_range: tuple[float, float] = MILES_RANGE,
    step: float = STEP,
) -> SpectrumTemplates:
    """Templates of a library, rebinned to pixels of `step` in ln wavelength with their flux conserved.

    The integral of a spectrum over wavelength goes through a cubic spline, so that new pixels narrower than the old
    ones do not add the old ones' width a second time.

    ages, logzsol : Gyr, and log10(Z / 0.02), those of the library to take; None takes all, but an age of 0,
        whose logarithm has no part in a mean
    fwhm : Angstrom, of the library's line-spread function: one, or (W,) at the library's wavelengths. Libraries do not
        say theirs; the default is that of MILES, E-MILES and BC03-MILES within the default `wave_range`.
    wave_range : Angstrom in vacuum. What the library lacks of it is left out.
    step : that of the galaxies' pixels, of which SDSS's is the default

    Raises RequestError where the library has no such age or metallicity, or no flux about 5500 Angstrom.
    """
    from galprism.sps.ssp import Z_SUN

    aged = np.flatnonzero(library.age > 0)
    columns = aged[_chosen(library.name, "age", library.age[aged], ages, np.log10)]
    own = np.log10(library.z_met / Z_SUN)
    rows = _chosen(library.name, "logzsol", own, logzsol, np.asarray)
    wave = library.to_vacuum(library.wave)
    fwhm = np.asarray(fwhm, np.float64)
    if fwhm.shape not in ((), wave.shape) or not np.all(fwhm > 0):
        raise RequestError(f"fwhm has shape {fwhm.shape}; accepted: positive, one or {wave.shape} of {library.name}")
    inside = slice(*np.searchsorted(wave, wave_range))
    part = wave[inside]
    if len(part) < 10 or part[0] > WINDOW[0] or part[-1] < WINDOW[1]:
        raise RequestError(
            f"{library.name} from {wave[0]:.6g} to {wave[-1]:.6g} A, of which wave_range {wave_range} is taken, lacks "
            f"{WINDOW[0]:g} to {WINDOW[1]:g} A, where light is weighed"
        )
    edges = pixel_edges(part)
    n = int(np.floor(np.log(edges[-1] / edges[0]) / step))
    log_edges = np.log(edges[0]) + step * np.arange(n + 1)
    total = integral(edges, library.flux[np.ix_(rows, columns)][..., inside])
    new = np.exp(log_edges)
    flux = np.diff(total(new), axis=-1) / np.diff(new)
    light = (total(WINDOW[1]) - total(WINDOW[0])) / (WINDOW[1] - WINDOW[0])
    if not np.all(light > 0):
        raise RequestError(f"{library.name}: a spectrum has no light from {WINDOW[0]:g} to {WINDOW[1]:g} A")
    log_wave = (log_edges[1:] + log_edges[:-1]) / 2
    sigma = np.interp(np.exp(log_wave), wave, np.broadcast_to(fwhm, wave.shape)) / FWHM
    return SpectrumTemplates(
        library.name, log_wave, flux / light[..., None], light, library.age[columns], own[rows], sigma
    )


def paper_grid(library: SSPLibrary) -> tuple[list[float], list[float]]:
    """The ages, Gyr, and log10(Z / 0.02) of a library that are nearest to PAPER_AGES, in their logarithm, and to
    PAPER_LOGZSOL; where one is the nearest to two it stands once."""
    from galprism.sps.ssp import Z_SUN

    ages, logzsol = library.age[library.age > 0], np.log10(library.z_met / Z_SUN)
    at = {int(np.abs(np.log10(ages / age)).argmin()) for age in PAPER_AGES}
    of = {int(np.abs(logzsol - z).argmin()) for z in PAPER_LOGZSOL}
    return ages[sorted(at)].tolist(), logzsol[sorted(of)].tolist()


def _chosen(
    library: str, name: str, have: np.ndarray, asked: Sequence[float] | None, scale: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Places in `have` of what is asked for, each once and ascending."""
    if asked is None:
        return np.arange(len(have))
    off = np.abs(scale(np.asarray(asked, np.float64))[:, None] - scale(have))
    missing = [value for value, far in zip(asked, off.min(axis=1) > NEAR, strict=True) if far]
    if missing or not len(off):
        said = ", ".join(f"{value:.4g}" for value in have)
        lacking = ", ".join(f"{value:g}" for value in missing) or "asked for"
        raise RequestError(f"{library} has no {name} {lacking}; it has {said}")
    return np.unique(off.argmin(axis=1))
