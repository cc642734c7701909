"""Spectra of sources, all on one grid of wavelengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from galprism.data.blocks import check_shape, readonly
from galprism.errors import RequestError

UNIT = "1e-17 erg / (s cm2 Angstrom)"
"""Of the fluxes of spectra, in the spelling of astropy."""
GAP = 1.5
"""Neighbouring pixels further apart than so many times either of their own spacings have a gap between them."""


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra of N sources in L pixels.

    Negative fluxes are legal, and a pixel without data is told by ivar = 0 alone, never by a magic number. A pixel
    reaches halfway to its neighbours, and its flux density is the mean over it.
    """

    flux: np.ndarray
    """(N, L), 1e-17 erg/s/cm2/Angstrom, float32 or float64; finite everywhere, 0 where ivar = 0."""
    ivar: np.ndarray
    """(N, L), the inverse square of that unit; 0 where there are no data, else finite and positive."""
    wave: np.ndarray
    """(L,), Angstrom, middles of the pixels, in vacuum and in the observed frame, strictly ascending."""
    lsf_sigma: np.ndarray | None = None
    """(N, L), or (L,) where all share it: Angstrom, standard deviation of the line-spread function; NaN: not known."""

    def __post_init__(self) -> None:
        flux, ivar = np.asarray(self.flux), np.asarray(self.ivar)
        wave = check_wave("Spectra.wave", self.wave)
        if flux.ndim != 2 or flux.shape[1] != len(wave):
            raise RequestError(f"Spectra.flux has shape {flux.shape}; expected (N, {len(wave)}) for its wavelengths")
        check_shape("Spectra", "ivar", ivar, flux.shape)
        if flux.dtype not in (np.float32, np.float64) or ivar.dtype not in (np.float32, np.float64):
            raise RequestError(f"Spectra.flux is {flux.dtype} and ivar {ivar.dtype}; accepted: float32, float64")
        if not np.isfinite(flux).all():
            raise RequestError("Spectra.flux is not finite somewhere; a pixel without data has ivar = 0, and flux = 0")
        if not (np.isfinite(ivar).all() and np.all(ivar >= 0)):
            raise RequestError(
                "Spectra.ivar is negative or not finite somewhere; accepted: 0 where there are no data, else positive"
            )
        if np.any(flux[ivar == 0]):
            raise RequestError("Spectra.flux is not 0 somewhere where ivar = 0; a pixel without data has flux = 0")
        object.__setattr__(self, "flux", readonly(flux))
        object.__setattr__(self, "ivar", readonly(ivar))
        object.__setattr__(self, "wave", readonly(wave))
        if self.lsf_sigma is not None:
            sigma = np.asarray(self.lsf_sigma, dtype=np.float32)
            if sigma.shape not in (flux.shape, wave.shape):
                raise RequestError(
                    f"Spectra.lsf_sigma has shape {sigma.shape}; expected {flux.shape}, or {wave.shape} for all alike"
                )
            if np.any(sigma <= 0) or np.isinf(sigma).any():
                raise RequestError("Spectra.lsf_sigma is not positive or infinite somewhere; accepted: positive, NaN")
            object.__setattr__(self, "lsf_sigma", readonly(sigma))

    def __len__(self) -> int:
        return len(self.flux)

    @property
    def observed(self) -> np.ndarray:
        """(N, L), bool: the pixel has data."""
        return self.ivar > 0

    @property
    def edges(self) -> np.ndarray:
        """(L + 1,), Angstrom, where pixels end: halfway between neighbours."""
        return pixel_edges(self.wave)

    def lsf_of_each(self) -> np.ndarray:
        """(N, L), Angstrom, float32: `lsf_sigma` of every source; NaN where it is not known."""
        known = np.float32(np.nan) if self.lsf_sigma is None else self.lsf_sigma
        return np.broadcast_to(known, self.flux.shape)

    def take(self, index) -> Spectra:
        """The rows of `index` (a slice, a mask or integers)."""
        sigma = self.lsf_sigma
        if sigma is not None and sigma.ndim == 2:
            sigma = sigma[index]
        return replace(self, flux=self.flux[index], ivar=self.ivar[index], lsf_sigma=sigma)

    @classmethod
    def joined(cls, parts: Sequence[Spectra]) -> Spectra:
        """All of them, one after the other; a line-spread function that some have not is NaN there.

        Raises RequestError where there are none, or where their wavelengths differ.
        """
        if not parts:
            raise RequestError("no spectra to join")
        first = parts[0]
        for part in parts:
            if not np.array_equal(part.wave, first.wave):
                raise RequestError(
                    f"spectra of {part.described()} cannot be joined to those of {first.described()}; accepted: the "
                    "same wavelengths (galprism.data.resampling brings spectra to others)"
                )
        sigma = first.lsf_sigma
        if not all(part._has_lsf(sigma) for part in parts):
            sigma = np.concatenate([part.lsf_of_each() for part in parts])
        return replace(
            first,
            flux=np.concatenate([part.flux for part in parts]),
            ivar=np.concatenate([part.ivar for part in parts]),
            lsf_sigma=sigma,
        )

    def _has_lsf(self, shared: np.ndarray | None) -> bool:
        """All sources have the one line-spread function (L,) of `shared`, or none has any."""
        own = self.lsf_sigma
        if own is None or shared is None:
            return own is shared
        return own.ndim == shared.ndim == 1 and np.array_equal(own, shared, equal_nan=True)

    def described(self) -> str:
        """Pixels and range in words."""
        return f"{len(self.wave)} pixels from {self.wave[0]:.6g} to {self.wave[-1]:.6g} Angstrom"


def check_wave(name: str, wave: np.ndarray) -> np.ndarray:
    """(L,), float64. Raises RequestError where wavelengths are fewer than two, not positive or not ascending."""
    wave = np.asarray(wave, np.float64)
    if wave.ndim != 1 or len(wave) < 2:
        raise RequestError(f"{name} has shape {wave.shape}; expected (L,), two pixels or more")
    if not (np.isfinite(wave).all() and wave[0] > 0):
        raise RequestError(f"{name} is not positive and finite somewhere; expected Angstrom")
    falls = np.flatnonzero(np.diff(wave) <= 0)
    if len(falls):
        i = falls[0]
        raise RequestError(f"{name} does not ascend: {wave[i]:.8g} and then {wave[i + 1]:.8g} at pixels {i}, {i + 1}")
    return wave


def pixel_edges(wave: np.ndarray) -> np.ndarray:
    """(L + 1,), Angstrom: halfway between neighbours; the first and last pixel are as wide beyond as towards them."""
    middle = (wave[1:] + wave[:-1]) / 2
    return np.concatenate([[1.5 * wave[0] - 0.5 * wave[1]], middle, [1.5 * wave[-1] - 0.5 * wave[-2]]])


def gaps(wave: np.ndarray) -> np.ndarray:
    """The pixels i for which there is a gap between i and i + 1, by GAP."""
    step = np.diff(wave)
    if len(step) < 3:
        return np.zeros(0, np.int64)
    around = np.maximum(np.r_[step[1], step[:-1]], np.r_[step[1:], step[-2]])
    return np.flatnonzero(step > GAP * around)
