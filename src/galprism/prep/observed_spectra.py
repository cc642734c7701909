"""Observed spectra as a network takes them: chosen, on one grid, between 0 and 1.

The preparation is that of MMLforGalAM (2025; its Sect. 2): galaxies of 0.002 <= z <= 0.3 with zwarning = 0 and S/N >= 5
in r, resampled to 1 Angstrom from 3830 to 8000 in the observed frame, 4171 points, those that do not reach over it left
out, and brought to 0 to 1 by each one's least and greatest value. Every step says what it leaves out, and why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galprism.data import Spectra
from galprism.data.blocks import check_shape
from galprism.data.resampling import resample
from galprism.data.spectra import check_wave
from galprism.data.spectrum_noise import signal_to_noise
from galprism.errors import RequestError

WAVE = np.arange(3830.0, 8000.5)
"""(4171,), Angstrom."""
NO_REDSHIFT = "no redshift"
REDSHIFT = "redshift out of range"
WARNING = "redshift with a warning"
NOISE = "signal to noise too low or not known"
RANGE = "does not reach over the wavelengths"
CONSTANT = "one value throughout"
ONE_VALUE = 1e-6
"""By this part of the flux values may differ by rounding, and still be one."""
REASONS = (NO_REDSHIFT, REDSHIFT, WARNING, NOISE, RANGE, CONSTANT)


@dataclass(frozen=True)
class SelectionConfig:
    """Which spectra are used."""

    redshift: tuple[float, float] = (0.002, 0.3)
    """Least and greatest, both of which count."""
    least_sn: float = 5.0
    """Of a pixel in r, the median: SDSS's snMedian_r."""


@dataclass(frozen=True, eq=False)
class PreparedSpectra:
    """What is left of N spectra."""

    index: np.ndarray
    """(K,), int64, ascending: the rows that are left."""
    values: np.ndarray
    """(K, L), float32, 0 to 1."""
    filled: np.ndarray
    """(K, L), bool: no data there; the value lies on a straight line between its neighbours."""
    wave: np.ndarray
    """(L,), Angstrom."""
    reason: np.ndarray
    """(N,), text: a member of REASONS, the first that applies; empty where a row is left."""

    def dropped(self) -> dict[str, int]:
        """How many were left out for each reason, reasons without any left out."""
        return {reason: n for reason in REASONS if (n := int(np.count_nonzero(self.reason == reason)))}


def selection(
    redshift: np.ndarray, zwarning: np.ndarray, sn: np.ndarray, config: SelectionConfig | None = None
) -> np.ndarray:
    """(N,), text: why each source is left out, a member of REASONS; empty where it is not.

    zwarning : (N,), 0 for none; NaN, not known, counts as a warning; sn : (N,), of a pixel in r
    """
    config = config or SelectionConfig()
    redshift, zwarning, sn = (np.asarray(array, np.float64) for array in (redshift, zwarning, sn))
    for name, array in (("zwarning", zwarning), ("sn", sn)):
        check_shape("selection", name, array, redshift.shape)
    low, high = config.redshift
    tests = (
        (NO_REDSHIFT, ~np.isfinite(redshift)),
        (REDSHIFT, (redshift < low) | (redshift > high)),
        (WARNING, zwarning != 0),
        (NOISE, ~(sn >= config.least_sn)),
    )
    return _first(len(redshift), tests)


def within_reach(spectra: Spectra, wave: np.ndarray = WAVE) -> np.ndarray:
    """(N,), bool: a spectrum has data at or beyond both ends of `wave`, Angstrom."""
    wave = check_wave("within_reach: wave", wave)
    there = spectra.observed
    ends = (spectra.wave <= wave[0], spectra.wave >= wave[-1])
    return np.all([there[:, end].any(axis=1) for end in ends], axis=0)


def min_max(spectra: Spectra) -> tuple[np.ndarray, np.ndarray]:
    """(N, L), float32: (x - min) / (max - min) of each spectrum's pixels with data, and on straight lines between them
    where there are none; and (N,), bool, whether all of them are one value, or there are none: such are 0 throughout.
    """
    flux, there = spectra.flux.astype(np.float64), spectra.observed
    low = np.where(there, flux, np.inf).min(axis=1, keepdims=True)
    high = np.where(there, flux, -np.inf).max(axis=1, keepdims=True)
    constant = ~(high - low > ONE_VALUE * np.maximum(np.abs(low), np.abs(high)))[:, 0]
    values = np.zeros(flux.shape, np.float32)
    for row in np.flatnonzero(~constant):
        known = there[row]
        filled = np.interp(spectra.wave, spectra.wave[known], flux[row, known])
        values[row] = (filled - low[row]) / (high[row] - low[row])
    return values, constant


def prepare(
    spectra: Spectra,
    redshift: np.ndarray,
    zwarning: np.ndarray,
    sn: np.ndarray | None = None,
    *,
    wave: np.ndarray = WAVE,
    config: SelectionConfig | None = None,
) -> PreparedSpectra:
    """The spectra of N sources as a network takes them.

    redshift, zwarning : (N,); sn : (N,), of a pixel in r; None measures it

    Raises RequestError where shapes differ, or SpectRes is not installed.
    """
    if np.shape(redshift) != (len(spectra),):
        raise RequestError(f"prepare: redshift has shape {np.shape(redshift)}; expected ({len(spectra)},)")
    sn = signal_to_noise(spectra, per="pixel") if sn is None else sn
    reason = selection(redshift, zwarning, sn, config)
    reason = np.where((reason == "") & ~within_reach(spectra, wave), RANGE, reason)
    index = np.flatnonzero(reason == "")
    resampled = resample(spectra.take(index), wave)
    values, constant = min_max(resampled)
    reason[index[constant]] = CONSTANT
    left = ~constant
    return PreparedSpectra(index[left], values[left], ~resampled.observed[left], resampled.wave, reason)


def _first(n: int, tests) -> np.ndarray:
    """(N,): the first of (reason, (N,) bool) that is true; empty where none is."""
    result = np.full(n, "", dtype=f"U{max(map(len, REASONS))}")
    for reason, fails in reversed(tests):
        result[fails] = reason
    return result
