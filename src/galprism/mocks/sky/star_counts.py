"""How many stars of which kind there are near the Sun: luminosity functions, masses, companions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from galprism.sps.published import read_table
from galprism.sps.star_colours import (
    AB_FROM_VEGA,
    absolute_r,
    bluest_reddest,
    dwarf_colours,
    giant_g_i,
    magnitudes,
)

LEAST_MASS = 0.075
"""Solar masses; a companion below it gives no light."""
COMPANIONS = ((0.3, 1.0, 3.0), (0.26, 0.44, 0.50))
"""Masses of primaries [solar] and the share of them with a companion: M, solar-type, and A stars (Duchene & Kraus 2013,
ARA&A 51, 269; of solar-type stars Raghavan et al. 2010, ApJS 190, 1); in between, linear in ln(mass)."""


@lru_cache(maxsize=1)
def _dwarfs() -> dict[str, np.ndarray]:
    return read_table("galprism.mocks.sky", "luminosity_function.csv")


def dwarf_range() -> tuple[float, float]:
    """Absolute SDSS r of the brightest and the faintest primary."""
    m_r = _dwarfs()["M_r"]
    return float(m_r[0]), float(m_r[-1])


def dwarf_density(m_r) -> np.ndarray:
    """pc^-3 mag^-1 of main-sequence systems of the thin disc at the Sun, by the absolute SDSS r of the primary."""
    table = _dwarfs()
    return np.interp(m_r, table["M_r"], table["phi"], left=0.0, right=0.0)


def dwarf_g_i(m_r, feh) -> np.ndarray:
    """(N,), g-i of dwarfs of absolute SDSS r and [Fe/H]; NaN where the locus does not reach."""
    grid = np.arange(*bluest_reddest(), 0.01)
    without = np.asarray(m_r, float) - absolute_r(0.0, feh) + absolute_r(0.0, 0.0)
    return np.interp(without, absolute_r(grid, 0.0), grid, left=np.nan, right=np.nan)


@lru_cache(maxsize=1)
def _mass_locus() -> tuple[np.ndarray, np.ndarray]:
    """g-i and masses along the main sequence of solar metallicity, by M_Ks."""
    table = read_table("galprism.mocks.sky", "mass_luminosity.csv")
    grid = np.arange(*bluest_reddest(), 0.01)
    m_ks = absolute_r(grid, 0.0) + magnitudes(dwarf_colours(grid, 0.0))[:, 7] - AB_FROM_VEGA["Ks"]
    return grid, np.exp(np.interp(m_ks, table["M_Ks"], np.log(table["mass"])))


def dwarf_mass(g_i) -> np.ndarray:
    """(N,), solar masses of dwarfs of g-i, as if of solar metallicity."""
    grid, mass = _mass_locus()
    return np.interp(g_i, grid, mass)


def g_i_of_mass(mass) -> np.ndarray:
    """(N,), its inverse."""
    grid, masses = _mass_locus()
    return np.interp(-np.asarray(mass, float), -masses, grid)


def companion_share(mass, solar: float) -> np.ndarray:
    """(N,), the share of primaries of a mass that have a companion, when that of 1 solar mass is `solar`."""
    at, share = COMPANIONS
    return solar / share[1] * np.interp(np.log(mass), np.log(at), share)


@lru_cache(maxsize=64)
def giant_density(feh: float) -> tuple[np.ndarray, np.ndarray]:
    """Absolute SDSS r of stars off the main sequence of [Fe/H], and their density at the Sun [pc^-3 mag^-1].

    The density is known against M_Ks; r - Ks is that of the red giant branch's g-i. The branch is taken from
    M_r = -1.5 to the turn-off at 3.8, somewhat beyond where its colours were measured (-1 to 2.5).
    """
    table = read_table("galprism.mocks.sky", "giants.csv")
    m_r = np.arange(-1.5, 3.81, 0.05)
    m_ks = m_r + magnitudes(dwarf_colours(giant_g_i(m_r, feh), feh))[:, 7] - AB_FROM_VEGA["Ks"]
    return m_r, np.interp(m_ks, table["M_Ks"], table["phi"]) * np.gradient(m_ks, m_r)
