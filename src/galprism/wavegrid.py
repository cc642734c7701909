"""Log-uniform wavelength bins, and averages of spectra over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.sparse import csr_matrix

from galprism.errors import RequestError


@dataclass(frozen=True)
class LogGrid:
    """Bins of equal width in ln(wavelength); bin j covers exp(start + (j -+ 1/2) step) in Angstrom."""

    start: float
    """ln(wavelength / Angstrom) at the centre of bin 0."""
    step: float
    """Width of a bin in ln(wavelength)."""
    size: int

    @classmethod
    def covering(cls, low: float, high: float, step: float) -> LogGrid:
        """The shortest grid whose centres are multiples of `step` and that covers [low, high] in Angstrom."""
        first = int(np.floor(np.log(low) / step))
        last = int(np.ceil(np.log(high) / step))
        return cls(first * step, step, last - first + 1)

    @property
    def wave(self) -> np.ndarray:
        """(W,), bin centres in Angstrom."""
        return np.exp(self.start + self.step * np.arange(self.size))

    @property
    def edges(self) -> np.ndarray:
        """(W + 1,), bin edges in Angstrom."""
        return np.exp(self.start + self.step * (np.arange(self.size + 1) - 0.5))

    def index(self, wave: float) -> int:
        """The bin that `wave` [Angstrom] falls into."""
        return round((np.log(wave) - self.start) / self.step)


def averaging_matrix(wave: np.ndarray, edges: np.ndarray) -> csr_matrix:
    """The (len(edges) - 1, len(wave)) matrix that turns samples into bin averages, keeping their integral.

    A spectrum is taken as straight lines between its samples at `wave` (ascending), and integrated exactly over each
    bin. Raises RequestError where the bins reach beyond the samples.
    """
    wave, edges = np.asarray(wave, float), np.asarray(edges, float)
    if edges[0] < wave[0] or edges[-1] > wave[-1]:
        raise RequestError(
            f"bins from {edges[0]:.4g} to {edges[-1]:.4g} A exceed the spectrum's {wave[0]:.4g} to {wave[-1]:.4g} A"
        )
    # Between neighbouring knots (samples and edges together) the spectrum is one straight line: a trapezium each.
    knots = np.union1d(wave, edges)
    knots = knots[(knots >= edges[0]) & (knots <= edges[-1])]
    left = np.clip(np.searchsorted(wave, knots, side="right") - 1, 0, len(wave) - 2)
    weight = (knots - wave[left]) / (wave[left + 1] - wave[left])
    width = np.diff(knots)
    owner = np.searchsorted(edges, 0.5 * (knots[1:] + knots[:-1]), side="right") - 1
    half = 0.5 * width / np.diff(edges)[owner]
    rows, columns, values = [], [], []
    for end in (slice(None, -1), slice(1, None)):
        rows += [owner, owner]
        columns += [left[end], left[end] + 1]
        values += [half * (1.0 - weight[end]), half * weight[end]]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return csr_matrix(entries, shape=(len(edges) - 1, len(wave)))


def rebin(wave: np.ndarray, flux: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Averages of spectra `flux` (..., len(wave)) per unit wavelength over bins: (..., len(edges) - 1)."""
    flux = np.asarray(flux)
    flat = flux.reshape(-1, flux.shape[-1])
    return (averaging_matrix(wave, edges) @ flat.T).T.reshape(*flux.shape[:-1], -1)


def integral(edges: np.ndarray, flux: np.ndarray) -> CubicSpline:
    """The integral over wavelength from the first edge on, (...) at any wavelength, of spectra (..., W) of pixels that
    end at `edges` (W + 1,).

    Means over new pixels are its differences. New pixels narrower than the old ones so do not add the old ones' width a
    second time, as they would if spectra were straight lines between pixels.
    """
    total = np.cumsum(np.asarray(flux, np.float64) * np.diff(edges), axis=-1)
    return CubicSpline(edges, np.concatenate([np.zeros((*total.shape[:-1], 1)), total], axis=-1), axis=-1)
