"""Spectra as a few coefficients: what each says of a basis of rest-frame spectra, in closed form.

A galaxy's spectrum at rest is its level times the mean of a population's plus K spectra with coefficients that over the
population have mean 0 and variance 1. Pixels of log10 wavelength = 1e-4 k, which SDSS's are, are at rest those of
another k, so that a redshift is a shift by whole pixels and nothing is resampled (an error of at most 35 km/s, the same
for all lines). Given the noise of the pixels, the coefficients' Gaussian posterior is a solve of K + 1 equations: what
masks, gaps and noise leave of a spectrum is in its errors.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from galprism.data import Spectra
from galprism.data.resampling import resample
from galprism.data.spectrum_files.sdss import DEX_PER_PIXEL, pixels_within, start_of, wave_of
from galprism.errors import RequestError

LEAST_PIXELS = 200
"""With data and within the basis: fewer say too little."""
LEVEL_PRECISION = 1e-4
"""Of the prior of the level, relative to its first guess: hardly any."""
BLOCK = 512
"""Sources whose equations are solved at a time."""


@dataclass(frozen=True, eq=False)
class Coefficients:
    """What N spectra say of K coefficients; meaningless where `there` is false."""

    mean: np.ndarray
    """(N, K), float32, of the coefficients over the level."""
    ln_err: np.ndarray
    """(N, K), ln of their standard deviations; 0 where a spectrum says nothing."""
    ln_level: np.ndarray
    """(N,), of the level, in the spectra's unit."""
    ln_sn: np.ndarray
    """(N,), of the rms signal-to-noise of a pixel with data."""
    ln_chi2: np.ndarray
    """(N,), of chi2 over the pixels used: noise and what the basis lacks."""
    share: np.ndarray
    """(N,), of the basis' pixels that the spectrum has data in."""
    there: np.ndarray
    """(N,), bool: enough pixels, and light in them."""


@dataclass(frozen=True, eq=False)
class SpectrumBasis:
    """K + 1 spectra in W pixels at rest: the mean of a population, then what a coefficient of 1 adds."""

    first: int
    """Of the first pixel: log10 of its wavelength [Angstrom, vacuum] over DEX_PER_PIXEL."""
    spectra: np.ndarray
    """(K + 1, W), float32, at a level of 1: the mean of the first over its pixels."""

    def __post_init__(self) -> None:
        if self.spectra.ndim != 2 or len(self.spectra) < 2:
            raise RequestError(f"SpectrumBasis.spectra has shape {self.spectra.shape}; expected (K + 1, W), K >= 1")

    @property
    def size(self) -> int:
        """K."""
        return len(self.spectra) - 1

    @property
    def wave(self) -> np.ndarray:
        """(W,), Angstrom in vacuum, at rest."""
        return wave_of(self.first + np.arange(self.spectra.shape[1]))

    def within(self, low: float, high: float, redshift: np.ndarray) -> np.ndarray:
        """(N,): the share of the pixels that are observed from `low` to `high` Angstrom at redshifts (N,); NaN where
        the redshift is."""
        with np.errstate(invalid="ignore", divide="ignore"):
            shift = np.rint(np.log10(1.0 + np.asarray(redshift, np.float64)) / DEX_PER_PIXEL)
        ends = (np.rint(np.log10(end) / DEX_PER_PIXEL) - self.first - shift for end in (low, high))
        first, last = (np.clip(end, -1, self.spectra.shape[1]) for end in ends)
        return np.maximum(np.minimum(last + 1, self.spectra.shape[1]) - np.maximum(first, 0), 0) / self.spectra.shape[1]

    @classmethod
    def fit(cls, first: int, flux: np.ndarray, size: int) -> SpectrumBasis:
        """The basis of `size` coefficients that leaves least of N spectra without noise, flux (N, W), at rest, in any
        unit, each over its own mean.

        Raises RequestError for fewer spectra than coefficients, and one without light.
        """
        level = flux.mean(axis=1, keepdims=True, dtype=np.float64)
        if len(flux) <= size or not np.all(level > 0):
            raise RequestError(
                f"a basis of {size} coefficients from {len(flux)} spectra, the least bright of mean {level.min():g}; "
                "accepted: more spectra than coefficients, all with light"
            )
        relative = (flux / level).astype(np.float32)
        mean = relative.mean(axis=0, dtype=np.float64)
        off = relative - mean.astype(np.float32)
        values, vectors = np.linalg.eigh((off.T @ off).astype(np.float64) / len(off))
        best = np.argsort(values)[::-1][:size]
        added = vectors[:, best].T * np.sqrt(np.maximum(values[best], 0.0))[:, None]
        added *= np.where(added[np.arange(size), np.abs(added).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]
        return cls(first, np.concatenate([mean[None], added]).astype(np.float32))

    def to_bytes(self) -> bytes:
        """The arrays as NumPy's .npz, nothing pickled."""
        file = io.BytesIO()
        np.savez(file, first=np.int64(self.first), spectra=self.spectra)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> SpectrumBasis:
        """The inverse of `to_bytes`. Raises ValueError or KeyError where it is something else."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls(int(arrays["first"]), arrays["spectra"])

    def encode(self, spectra: Spectra, redshift: np.ndarray, model_error: float) -> Coefficients:
        """What N spectra at redshifts (N,) say of the coefficients; NaN and what puts nothing into the basis is not
        there.

        model_error : of every pixel, what the basis and the calibration leave out, relative to the mean galaxy's flux

        Spectra on other pixels than SDSS's are resampled. Raises RequestError where SpectRes is not there for that.
        """
        start, spectra = on_grid(spectra)
        n, k = len(spectra), len(self.spectra)
        gram, right = np.zeros((n, k, k)), np.zeros((n, k))
        square, level, pixels, signal = np.zeros(n), np.ones(n), np.zeros(n), np.zeros(n)
        with np.errstate(invalid="ignore", divide="ignore"):
            shift = np.rint(np.log10(1.0 + np.asarray(redshift, np.float64)) / DEX_PER_PIXEL)
        for row in np.flatnonzero(np.isfinite(shift)):
            low = start - int(shift[row]) - self.first  # pixel of the basis that the spectrum's first falls on
            own = slice(max(low, 0), max(min(low + spectra.flux.shape[1], self.spectra.shape[1]), 0))
            if own.stop - own.start < LEAST_PIXELS:
                continue
            seen = slice(own.start - low, own.stop - low)
            flux, ivar, basis = spectra.flux[row, seen], spectra.ivar[row, seen], self.spectra[:, own]
            pixels[row] = np.count_nonzero(ivar)
            weight = ivar * basis[0]
            total = float(weight @ basis[0])
            guess = float(weight @ flux) / total if total > 0 else 0.0
            if pixels[row] < LEAST_PIXELS or not guess > 0:
                continue
            level[row] = guess
            signal[row] = total * guess**2
            scaled = ivar * np.float32(guess**2)
            root = np.sqrt(scaled / (1.0 + scaled * (np.float32(model_error) * basis[0]) ** 2))
            flux = flux * (root / np.float32(guess))
            seen_basis = basis * root
            gram[row], right[row] = seen_basis @ seen_basis.T, seen_basis @ flux
            square[row] = flux @ flux
        there = signal > 0
        mean, err, chi2 = np.zeros((n, k)), np.ones((n, k)), np.ones(n)
        prior = np.diag([LEVEL_PRECISION, *np.ones(k - 1)])
        for rows in np.array_split(np.flatnonzero(there), -(-np.count_nonzero(there) // BLOCK) or 1):
            covariance = np.linalg.inv(gram[rows] + prior)
            told = right[rows] + LEVEL_PRECISION * (np.arange(k) == 0)  # the level's prior is about its guess, 1
            solved = np.einsum("nij,nj->ni", covariance, told)
            mean[rows], err[rows] = solved, np.sqrt(np.einsum("nii->ni", covariance))
            left = square[rows] - 2.0 * np.einsum("ni,ni->n", solved, right[rows])
            left += np.einsum("ni,nij,nj->n", solved, gram[rows], solved)
            chi2[rows] = left / pixels[rows]
        positive = there & (mean[:, 0] > 0)
        over = np.where(positive, mean[:, 0], 1.0)
        used = np.where(there, pixels, 1.0)
        return Coefficients(
            mean=np.where(positive[:, None], mean[:, 1:] / over[:, None], 0.0).astype(np.float32),
            ln_err=np.where(positive[:, None], np.log(err[:, 1:] / over[:, None]), 0.0).astype(np.float32),
            ln_level=np.where(positive, np.log(level * over), 0.0).astype(np.float32),
            ln_sn=np.where(positive, 0.5 * np.log(np.where(positive, signal, 1.0) / used), 0.0).astype(np.float32),
            ln_chi2=np.log(np.maximum(np.where(positive, chi2, 1.0), 1e-6)).astype(np.float32),
            share=np.where(positive, pixels / self.spectra.shape[1], 0.0).astype(np.float32),
            there=positive,
        )


def on_grid(spectra: Spectra) -> tuple[int, Spectra]:
    """The spectra on pixels of log10 wavelength = 1e-4 k, as they are where they have those already, and the first k.

    Raises RequestError where they have to be resampled and SpectRes is not there.
    """
    first = start_of(spectra.wave)
    if first is not None:
        return first, spectra
    pixels = pixels_within(spectra.wave[0], spectra.wave[-1])
    if len(pixels) < 2:
        raise RequestError(
            f"spectra of {spectra.described()} have no two pixels of {DEX_PER_PIXEL:g} dex; accepted: more"
        )
    return int(pixels[0]), resample(spectra, wave_of(pixels))
