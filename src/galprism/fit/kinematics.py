"""Templates moved and broadened on a grid that is even in ln wavelength, where a velocity is a shift.

Convolutions with Gaussians are products of Fourier transforms, of which the Gaussian's is known without sampling it, so
that shifts and widths below a pixel are exact (Cappellari 2017, MNRAS 466, 798, Sect. 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

LIGHT_SPEED = 299792.458
"""km/s."""
PAD = 200
"""Pixels, at least, over which the end of a spectrum goes over into its beginning, since transforms are periodic."""
LEVELS = 0.15
"""Pixels of standard deviation, between widths that are convolved with; between them spectra are interpolated."""


@dataclass(frozen=True, eq=False)
class Movable:
    """Spectra (K, W) as Fourier transforms."""

    transform: np.ndarray
    """(K, F)"""
    n: int
    """W"""
    padded: int
    """Pixels that were transformed."""

    @classmethod
    def of(cls, flux: np.ndarray) -> Movable:
        """Of spectra (K, W)."""
        n = flux.shape[-1]
        padded = next_fast_len(n + PAD, real=True)
        fade = 0.5 * (1 - np.cos(np.pi * (np.arange(padded - n) + 1) / (padded - n + 1)))
        bridge = flux[:, -1:] * (1 - fade) + flux[:, :1] * fade
        return cls(rfft(np.concatenate([flux, bridge], axis=1)), n, padded)

    @property
    def frequency(self) -> np.ndarray:
        """(F,), radians a pixel."""
        return 2 * np.pi * np.arange(self.transform.shape[1]) / self.padded

    def at(self, shift: float, sigma: float) -> np.ndarray:
        """(K, W): spectra moved by `shift` pixels to the red, and broadened by `sigma` pixels."""
        return self._back(self.transform * self._kernel(shift, sigma))

    def slopes(self, weights: np.ndarray, shift: float, sigma: float) -> np.ndarray:
        """(2, W): how the sum of the spectra by `weights` (K,) changes with shift, and with sigma."""
        w = self.frequency
        moved = (weights @ self.transform) * self._kernel(shift, sigma)
        return self._back(np.stack([-1j * w * moved, -sigma * w**2 * moved]))

    def _kernel(self, shift: float, sigma: float) -> np.ndarray:
        w = self.frequency
        return np.exp(-0.5 * (sigma * w) ** 2 - 1j * w * shift)

    def _back(self, transform: np.ndarray) -> np.ndarray:
        return irfft(transform, self.padded, axis=1)[:, : self.n]


def blurred(flux: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """(K, W): spectra (K, W) broadened by Gaussians whose `variance` (W,), pixels squared, changes along them.

    Spectra at widths in steps of LEVELS are interpolated in variance, which errs by less than 0.3 % of a feature that
    is 6 pixels long.
    """
    most = float(variance.max())
    if most <= 0:
        return flux
    levels = (LEVELS * np.arange(int(np.ceil(np.sqrt(most) / LEVELS)) + 1)) ** 2
    movable = Movable.of(flux)
    place = np.clip(np.searchsorted(levels, variance, side="right") - 1, 0, len(levels) - 2)
    part = (variance - levels[place]) / (levels[place + 1] - levels[place])
    made = np.zeros(flux.shape)
    for k, level in enumerate(levels):
        share = np.where(place == k, 1 - part, np.where(place + 1 == k, part, 0.0))
        some = share > 0
        if some.any():
            made[:, some] += share[some] * movable.at(0.0, np.sqrt(level))[:, some]
    return made
