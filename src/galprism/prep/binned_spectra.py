"""Observed spectra in bins, with errors that are to be believed: what redshifts are found in.

Stated errors leave out what the sky's lines leave behind when they are taken away, and what no model of a spectrum has
right. Both are added here; pixels that are no part of a spectrum (5577 Angstrom, cosmic rays) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from galprism.data import Spectra
from galprism.data.resampling import resample
from galprism.data.spectrum_files.sdss import start_of, wave_of
from galprism.prep.redshift_basis import BIN, BINS, FIRST

MODEL_ERROR = 0.03
"""Of the flux of a bin: what models of spectra have wrong at best."""
LINE_ERROR = 0.15
"""Of what stands above the flux around it: lines are of other widths and shapes than any model's."""
SKY_LEFT = 0.3
"""Of the noise that lines of the sky add, so much is added once more: it is subtracted with an error."""
AIRGLOW = (5569.0, 5587.0)
"""Angstrom: the brightest line of the sky, where nothing is believed."""
SPIKE, NEIGHBOURS = 7.0, 0.3
"""A pixel that stands so many errors above its neighbours' mean, and of whose height these have less than a share of
it, is no line that a spectrograph has seen: of those the neighbours have 0.6."""
LEAST_BINS = 150
"""With data: fewer say too little."""
DARK = 5.0


@dataclass(frozen=True, eq=False)
class Binned:
    """N spectra in BINS bins (galprism.prep.redshift_basis)."""

    flux: np.ndarray
    """(N, BINS), float32, over `level`; 0 where there are no data."""
    weight: np.ndarray
    """(N, BINS), float32, the inverse variances of these; 0 where there are no data."""
    level: np.ndarray
    """(N,), in the spectra's unit: the root of the mean square of what is not noise."""
    there: np.ndarray
    """(N,), bool: there are bins enough, and they are not all alike."""
    dark: np.ndarray
    """(N,), bool: there is less light than none, by more than DARK errors of the mean."""

    def __len__(self) -> int:
        return len(self.flux)

    def take(self, rows: np.ndarray) -> Binned:
        """The spectra of `rows`."""
        return Binned(self.flux[rows], self.weight[rows], self.level[rows], self.there[rows], self.dark[rows])

    @property
    def n_bins(self) -> np.ndarray:
        """(N,), that have data."""
        return np.count_nonzero(self.weight, axis=1)


def binned(spectra: Spectra) -> Binned:
    """Spectra on any wavelengths in bins; those that are not on SDSS's pixels are resampled to them first."""
    start = start_of(spectra.wave)
    if start is None:
        spectra = resample(spectra, wave_of(FIRST + np.arange(BINS * BIN)))
        start = FIRST
    flux, ivar, unit = _scaled(*(_placed(each, start) for each in (spectra.flux, spectra.ivar)))
    _drop(flux, ivar)
    weight = ivar.reshape(len(flux), BINS, BIN).sum(axis=2)
    total = (flux * ivar).reshape(len(flux), BINS, BIN).sum(axis=2)
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    seen = weight > 0
    variance = np.divide(1.0, weight, out=np.zeros_like(weight), where=seen)
    smooth_variance = _smoothed(variance, seen)
    variance += SKY_LEFT * np.maximum(variance - smooth_variance, 0.0)
    smooth = np.maximum(_smoothed(mean, seen), 0.0)
    variance += (MODEL_ERROR * smooth) ** 2 + (LINE_ERROR * np.maximum(mean - smooth, 0.0)) ** 2
    weight = np.divide(1.0, variance, out=np.zeros_like(variance), where=seen & (variance > 0))
    there = (np.count_nonzero(seen, axis=1) >= LEAST_BINS) & (_spread(mean, seen) > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = weight.sum(axis=1)
        square = (weight * mean**2).sum(axis=1) / sums
        dark = (weight * mean).sum(axis=1) < -DARK * np.sqrt(sums)
        noise = np.count_nonzero(seen, axis=1) / sums
    level = np.sqrt(np.where(there, np.maximum(square - noise, 0.02 * noise), 1.0))
    level = np.where(level > 0, level, 1.0)
    mean, weight = mean / level[:, None], weight * level[:, None] ** 2
    mean[~there], weight[~there] = 0.0, 0.0
    return Binned(mean.astype(np.float32), weight.astype(np.float32), level * unit, there, dark & there)


def _scaled(flux: np.ndarray, ivar: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fluxes over the mean of their sizes in each spectrum, ivar as it then is, and that mean (N,): squares of fluxes
    in any unit would not be within float32's range."""
    unit = np.abs(np.where(ivar > 0, flux, 0)).mean(axis=1, dtype=float)
    unit[unit == 0] = 1.0
    return (flux / unit[:, None]).astype(np.float32), (ivar * unit[:, None] ** 2).astype(np.float32), unit


def _placed(values: np.ndarray, start: int) -> np.ndarray:
    """(N, BINS BIN), float32: pixels from `start` on, in their places; 0 where there are none."""
    out = np.zeros((len(values), BINS * BIN), np.float32)
    low, high = max(start, FIRST), min(start + values.shape[1], FIRST + out.shape[1])
    if high > low:
        out[:, low - FIRST : high - FIRST] = values[:, low - start : high - start]
    return out


def _drop(flux: np.ndarray, ivar: np.ndarray) -> None:
    """Take pixels that are no part of the spectrum out, in place."""
    wave = wave_of(FIRST + np.arange(flux.shape[1]))
    ivar[:, (wave > AIRGLOW[0]) & (wave < AIRGLOW[1])] = 0.0
    around = 0.5 * (flux[:, :-4] + flux[:, 4:])  # beyond the neighbours
    height = np.abs(flux[:, 2:-2] - around)
    beside = np.maximum(np.abs(flux[:, 1:-3] - around), np.abs(flux[:, 3:-1] - around))
    spike = (height**2 * ivar[:, 2:-2] > SPIKE**2) & (beside < NEIGHBOURS * height)
    ivar[:, 2:-2][spike] = 0.0
    flux[ivar == 0] = 0.0


def _smoothed(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N, BINS): medians over 35 bins, of medians of 7; bins without data count as their last one with some."""
    filled = values
    if not seen.all():
        last = np.maximum.accumulate(np.where(seen, np.arange(seen.shape[1]), -1), axis=1)
        first = np.argmax(seen, axis=1)[:, None]
        filled = np.take_along_axis(values, np.where(last < 0, first, last), axis=1)
    coarse = np.median(filled[:, : BINS // 7 * 7].reshape(len(values), BINS // 7, 7), axis=2)
    coarse = median_filter(coarse, size=(1, 5), mode="nearest")
    return np.concatenate([np.repeat(coarse, 7, axis=1), np.repeat(coarse[:, -1:], BINS % 7, axis=1)], axis=1)


def _spread(mean: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N,): the largest less the smallest flux."""
    high = np.where(seen, mean, -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(seen, mean, np.inf).min(axis=1, initial=np.inf)
    return np.where(seen.any(axis=1), high - low, 0.0)
