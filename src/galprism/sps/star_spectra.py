"""Spectra of stars: smooth ones that have given magnitudes, and templates of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from galprism.errors import GalprismError, RequestError
from galprism.passbands import Passband, abflux, band_matrix
from galprism.units import AB_ZEROPOINT_NJY, FRACTIONAL_ERROR_PER_MAG, LIGHT_SPEED_ANGSTROM_PER_S, abmag_from_njy

WAVE = np.exp(np.arange(np.log(900.0), np.log(3e5), 4e-3))
"""(W,), Angstrom in vacuum: where smooth spectra are given."""
TOLERANCE = 1e-3
"""mag, to which synthetic photometry of a smooth spectrum gives back its magnitudes."""
ROUNDS = 40
NOISE = 0.01
"""Share of a template's peak down to which negative flux is noise, and is taken as it is."""


def smooth_spectra(bands: Sequence[Passband], magnitudes) -> np.ndarray:
    """(N, W), erg s-1 cm-2 A-1 at WAVE: spectra that have AB magnitudes (N, K) in K passbands of ascending wavelength.

    ln f_nu is a monotone piecewise cubic (Fritsch & Carlson 1980) of ln(lambda) through one value at each band's
    effective wavelength; the values are changed until photometry of the spectrum gives the magnitudes to TOLERANCE.
    Bluewards of the first value f_nu goes on as the power of the wavelength that joins the first two; redwards of the
    last it falls as lambda^-2, the Rayleigh–Jeans law. There is no line, and no edge, that the bands do not see.
    Raises RequestError for magnitudes that are not finite, GalprismError where no such spectrum is found.
    """
    magnitudes = np.asarray(magnitudes, float)
    if magnitudes.ndim != 2 or magnitudes.shape[1] != len(bands) or not np.isfinite(magnitudes).all():
        raise RequestError(f"magnitudes of shape {magnitudes.shape}; expected (N, {len(bands)}), all of them finite")
    at = np.log([band.effective_wavelength for band in bands])
    matrix = band_matrix(bands, WAVE)
    values = -FRACTIONAL_ERROR_PER_MAG * (magnitudes - AB_ZEROPOINT_NJY)
    for _ in range(ROUNDS):
        spectra = _through(at, values)
        wrong = abmag_from_njy(spectra @ matrix) - magnitudes
        if np.all(np.abs(wrong) < TOLERANCE):
            return spectra
        values = values + FRACTIONAL_ERROR_PER_MAG * wrong
    worst = np.unravel_index(np.abs(wrong).argmax(), wrong.shape)
    raise GalprismError(
        f"no smooth spectrum has the magnitudes {np.round(magnitudes[worst[0]], 3).tolist()}: after {ROUNDS} rounds "
        f"{bands[worst[1]].name} is off by {wrong[worst]:+.3f} mag"
    )


def _through(at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(N, W), f_lambda of spectra whose ln f_nu [nJy] is `values` (N, K) at ln(wavelength) `at`."""
    x = np.log(WAVE)
    inside = np.clip(x, at[0], at[-1])
    log_fnu = PchipInterpolator(at, values, axis=1)(inside)
    blue = (values[:, 1] - values[:, 0]) / (at[1] - at[0])
    log_fnu += blue[:, None] * np.minimum(x - at[0], 0.0) - 2.0 * np.maximum(x - at[-1], 0.0)
    return np.exp(log_fnu) * LIGHT_SPEED_ANGSTROM_PER_S / WAVE**2 / 1e32


@dataclass(frozen=True, eq=False)
class StarSpectra:
    """Templates of stars on one grid of wavelengths."""

    names: tuple[str, ...]
    wave: np.ndarray
    """(W,), Angstrom, ascending."""
    flux: np.ndarray
    """(T, W), f_lambda in any unit; 0 where a template has no measurement."""

    def __post_init__(self) -> None:
        if self.flux.shape != (len(self.names), len(self.wave)):
            raise RequestError(
                f"star spectra: flux {self.flux.shape}; expected {len(self.names)} names x {len(self.wave)} wavelengths"
            )

    def through(self, passband: Passband) -> np.ndarray:
        """(T,), nJy, of every template. Raises RequestError where the templates do not cover the passband."""
        return abflux(passband, self.wave, self.flux)


def load_star_spectra(folder: str | Path) -> StarSpectra:
    """Templates from a folder of text files, one a star: wavelength [Angstrom, vacuum], f_lambda [any unit]; `#` begins
    a comment. The atlas of Pickles (1998, PASP 110, 863) comes so. All are brought, by straight lines, to the
    wavelengths of the first between where the last of them begins and the first of them ends.

    Raises RequestError, naming the file and the line, for what is not two numbers, wavelengths that do not ascend, flux
    that is negative beyond NOISE or nowhere above zero; and where there is no file, or nowhere that all files cover.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RequestError(f"{folder}: no such folder; expected one with a text file for each star")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise RequestError(f"{folder}: no files here; expected a text file of two columns for each star")
    read = [_read_template(path) for path in paths]
    low, high = max(wave[0] for wave, _ in read), min(wave[-1] for wave, _ in read)
    first = read[0][0]
    wave = first[(first >= low) & (first <= high)]
    if len(wave) < 2:
        raise RequestError(f"{folder}: the spectra have no wavelengths in common")
    return StarSpectra(tuple(path.stem for path in paths), wave, np.stack([np.interp(wave, *one) for one in read]))


def _read_template(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: not text; expected two columns, Angstrom and f_lambda") from error
    rows: list[tuple[float, float]] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            wave, flux = (float(word) for word in words[:2])
        except ValueError as error:
            raise RequestError(f"{path}, line {number}: {line.strip()!r}; expected two numbers") from error
        if not (np.isfinite(wave) and np.isfinite(flux)):
            raise RequestError(f"{path}, line {number}: {line.strip()!r}; expected finite numbers")
        if rows and wave <= rows[-1][0]:
            raise RequestError(f"{path}, line {number}: {wave:g} Angstrom after {rows[-1][0]:g}; expected to ascend")
        rows.append((wave, flux))
        numbers.append(number)
    if len(rows) < 2 or not any(flux > 0 for _, flux in rows):
        raise RequestError(f"{path}: {len(rows)} points of a spectrum; expected two or more, with flux above zero")
    wave_of, flux_of = np.array(rows).T
    if flux_of.min() < -NOISE * flux_of.max():
        number = numbers[int(flux_of.argmin())]
        raise RequestError(
            f"{path}, line {number}: flux {flux_of.min():g}; expected none below {-NOISE * flux_of.max():g}, noise"
        )
    return wave_of, flux_of
