"""The light of stars in any passbands: of dwarfs and giants by r, g-i and [Fe/H], of white dwarfs by temperature."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from galprism.errors import RequestError
from galprism.passbands import Passband, band_matrix, get
from galprism.sps.star_colours import (
    BANDS,
    bluest_reddest,
    dwarf_colours,
    giant_colours,
    magnitudes,
    white_dwarfs,
)
from galprism.sps.star_spectra import WAVE, StarSpectra, smooth_spectra
from galprism.units import abmag_from_njy, njy_from_abmag

STEP = 0.04
"""mag of g-i between rows of the tables of fluxes; between rows, ln(flux) is linear."""
FEH = np.arange(-2.5, 0.01, 0.25)
"""[Fe/H] of the tables' columns; colours beyond them are those at the ends, as the published ones are."""


class StarModel:
    """Fluxes of stars in B passbands.

    Without `spectra`, a star's spectrum is the smooth one that has its published colours (galprism.sps.star_colours,
    galprism.sps.star_spectra); with them, that of the template nearest in SDSS g-i, whatever its luminosity and
    metallicity. White dwarfs are the smooth ones either way. Raises RequestError where the spectra do not cover a
    passband, or SDSS g, r and i.
    """

    def __init__(self, passbands: Sequence[Passband], spectra: StarSpectra | None = None):
        self.passbands = tuple(passbands)
        matrix = band_matrix(self.passbands, WAVE)
        self._white = {}
        for atmosphere in ("DA", "DB"):
            absolute = np.log(_spectra(atmosphere) @ matrix)
            self._white[atmosphere] = (np.log(white_dwarfs(atmosphere).teff[::-1]), absolute[::-1])
        self._templates = None if spectra is None else _templates(self.passbands, spectra)
        if spectra is None:
            self._g_i = _rows()
            self._log_flux = {name: np.log(_spectra(name) @ matrix) for name in ("dwarfs", "giants")}

    def dwarfs(self, r, g_i, feh) -> np.ndarray:
        """(N, B), nJy: dwarfs of SDSS r [AB mag], g-i and [Fe/H], each (N,).

        Raises RequestError where g-i is not on the locus, 0.1 to 4.34.
        """
        return self._of("dwarfs", r, g_i, feh)

    def giants(self, r, g_i, feh) -> np.ndarray:
        """(N, B), nJy: red giants; as `dwarfs`."""
        return self._of("giants", r, g_i, feh)

    def white_dwarfs(self, modulus, teff, atmosphere: str = "DA") -> np.ndarray:
        """(N, B), nJy: white dwarfs of log g = 8 at distance moduli [mag] and effective temperatures [K], each (N,);
        with an atmosphere of hydrogen, "DA", or helium, "DB". ln(flux) is linear in ln(Teff) between the models.

        Raises RequestError where Teff is not that of any model, 3250 to 150 000 K.
        """
        if atmosphere not in self._white:
            raise RequestError(f"atmosphere {atmosphere!r}; accepted: {', '.join(self._white)}")
        log_teff, log_flux = self._white[atmosphere]
        modulus, teff = np.broadcast_arrays(np.asarray(modulus, float), np.asarray(teff, float))
        at = np.log(teff)
        if at.size and not (at.min() >= log_teff[0] and at.max() <= log_teff[-1]):
            low, high = np.exp(log_teff[[0, -1]])
            raise RequestError(f"Teff from {teff.min():g} to {teff.max():g} K; accepted: {low:.0f} to {high:.0f}")
        row, share = _between(log_teff, at)
        absolute = log_flux[row] + share[:, None] * (log_flux[row + 1] - log_flux[row])
        return np.exp(absolute) * 10 ** (-0.4 * modulus)[:, None]

    def _of(self, kind: str, r, g_i, feh) -> np.ndarray:
        r, g_i, feh = np.broadcast_arrays(*(np.asarray(x, float) for x in (r, g_i, feh)))
        scale = 10 ** (-0.4 * r)[:, None]
        if self._templates is not None:
            own, flux = self._templates
            return flux[np.searchsorted(0.5 * (own[1:] + own[:-1]), g_i)] * scale
        low, high = self._g_i[0], self._g_i[-1]
        if g_i.size and not (g_i.min() >= low and g_i.max() <= high):
            raise RequestError(f"g-i from {g_i.min():.3g} to {g_i.max():.3g}; accepted: {low:g} to {high:g}")
        table = self._log_flux[kind]
        row, x = _between(self._g_i, g_i)
        column, y = _between(FEH, np.clip(feh, FEH[0], FEH[-1]))
        x, y = x[:, None], y[:, None]
        lower = (1 - y) * table[row, column] + y * table[row, column + 1]
        upper = (1 - y) * table[row + 1, column] + y * table[row + 1, column + 1]
        return np.exp((1 - x) * lower + x * upper) * scale


def _rows() -> np.ndarray:
    """g-i of the tables' rows."""
    low, high = bluest_reddest()
    return np.linspace(low, high, 1 + round((high - low) / STEP))


@lru_cache(maxsize=4)
def _spectra(kind: str) -> np.ndarray:
    """f_lambda at WAVE when r = 0 of "dwarfs" or "giants" (rows, FEH, W), or at 10 pc of "DA" or "DB" (T, W)."""
    known = [get(name) for name in BANDS]
    if kind in ("DA", "DB"):
        return smooth_spectra(known, white_dwarfs(kind).absolute)
    g_i, feh = np.meshgrid(_rows(), FEH, indexing="ij")
    colours = {"dwarfs": dwarf_colours, "giants": giant_colours}[kind](g_i.ravel(), feh.ravel())
    return smooth_spectra(known, magnitudes(colours)).reshape(*g_i.shape, -1)


def _between(grid: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The grid's point below each value, and the share of the way to the next."""
    row = np.clip(np.searchsorted(grid, value, side="right") - 1, 0, len(grid) - 2)
    return row, (value - grid[row]) / (grid[row + 1] - grid[row])


def _templates(passbands: tuple[Passband, ...], spectra: StarSpectra) -> tuple[np.ndarray, np.ndarray]:
    """g-i (T,) of templates from blue to red, and their fluxes (T, B) in nJy when r = 0."""
    g, r, i = (spectra.through(get(f"SLOAN/SDSS.{band}")) for band in "gri")
    g_i = abmag_from_njy(g) - abmag_from_njy(i)
    if not np.isfinite(g_i).all():
        name = spectra.names[int(np.flatnonzero(~np.isfinite(g_i))[0])]
        raise RequestError(f"star spectrum {name} has no light in SDSS g or i; expected some in both")
    order = np.argsort(g_i, kind="stable")
    flux = np.stack([spectra.through(passband) for passband in passbands], axis=1)
    return g_i[order], (flux / r[:, None] * njy_from_abmag(0.0))[order]
