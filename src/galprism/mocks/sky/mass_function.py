"""How many galaxies of which stellar mass there are at which redshift, star-forming and quiescent."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from galprism.cosmology import comoving_volume_per_deg2
from galprism.sps.published import read_table

POPULATIONS = ("star-forming", "quiescent")
Z_STEP = 0.005
"""In ln(1 + z): of the cells in which galaxies are drawn."""
M_STEP = 0.05
"""dex, of the cells."""
HEAVIEST = 12.2
"""log10 Msun: galaxies of more have never been found in numbers."""


@lru_cache(maxsize=2)
def _table(population: str) -> dict[str, np.ndarray]:
    """The rows of one population."""
    table = read_table("galprism.mocks.sky", "mass_functions.csv")
    return {name: column[table["population"] == population] for name, column in table.items()}


def schechter(logm, logm_star, phi, alpha) -> np.ndarray:
    """Mpc^-3 dex^-1 (Schechter 1976), of masses log10 M."""
    x = 10.0 ** (np.asarray(logm) - logm_star)
    return np.log(10.0) * phi * x ** (alpha + 1.0) * np.exp(-x)


def density(population: str, logm: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """(…), Mpc^-3 dex^-1: galaxies of POPULATIONS with log10 M [Msun, Chabrier IMF] at redshifts; arguments broadcast.

    All galaxies together are those of Leja et al. (2020) from z = 0.2 to 3, whose masses go with the star-forming
    sequence that they found in the same way (Leja et al. 2022); how many of them are quiescent is that of Davidzon et
    al. (2017), and so is the evolution beyond 3. Down to z = 0.03 it goes over into Baldry et al. (2012). There are
    none beyond z = 5.5 (4, quiescent). Slopes go on to masses below those that were measured.
    """
    logm, redshift = np.broadcast_arrays(np.asarray(logm, float), np.asarray(redshift, float))
    near = np.minimum(np.maximum(redshift, CONTINUITY_Z[0]), CONTINUITY_Z[-1])
    with np.errstate(divide="ignore"):
        more = np.log(continuity(logm, near) / sum(binned(each, logm, near) for each in POPULATIONS))
    reached = np.minimum(np.maximum((redshift - LOCAL_Z) / (CONTINUITY_Z[0] - LOCAL_Z), 0.0), 1.0)
    return binned(population, logm, redshift) * np.exp(reached * more)


def binned(population: str, logm: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """(…), Mpc^-3 dex^-1, of Baldry et al. (2012) and Davidzon et al. (2017): between the middles of their redshift
    bins the logarithm of the density is linear in redshift; before the first and beyond the last it stays what it is
    there, and beyond the end of the last there is none."""
    table = _table(population)
    middle = 0.5 * (table["z_low"] + table["z_high"])
    known = np.stack(
        [
            sum(schechter(logm, *(table[f"{name}{k}"][row] for name in ("logm", "phi", "alpha"))) for k in (1, 2))
            for row in range(len(middle))
        ]
    )
    at = np.interp(redshift, middle, np.arange(len(middle)))
    below = np.minimum(at.astype(int), len(middle) - 2)
    low, high = (np.take_along_axis(known, (below + k)[None], axis=0)[0] for k in (0, 1))
    tiny = np.finfo(float).tiny
    value = np.exp((1.0 - (at - below)) * np.log(low + tiny) + (at - below) * np.log(high + tiny))
    return np.where(redshift <= table["z_high"][-1], value, 0.0)


CONTINUITY_Z = (0.2, 1.6, 3.0)
CONTINUITY = {"phi1": (-2.44, -3.08, -4.14), "phi2": (-2.89, -3.29, -3.51), "logm": (10.79, 10.88, 10.84)}
"""log10 of densities [Mpc^-3 dex^-1] and of masses at these redshifts, between which they are parabolas."""
CONTINUITY_SLOPES = (-0.28, -1.48)
LOCAL_Z = 0.031


def continuity(logm: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """(…), Mpc^-3 dex^-1, all galaxies, 0.2 <= z <= 3 (Leja et al. 2020, ApJ 893, 111, eqs. 14 to 17 and Table 1)."""
    at = {
        name: np.polynomial.polynomial.polyval(redshift, np.polynomial.polynomial.polyfit(CONTINUITY_Z, values, 2))
        for name, values in CONTINUITY.items()
    }
    first, second = CONTINUITY_SLOPES
    return schechter(logm, at["logm"], 10.0 ** at["phi1"], first) + schechter(
        logm, at["logm"], 10.0 ** at["phi2"], second
    )


class MassFunction:
    """Galaxies of a population in a range of redshifts, above a mass that may depend on redshift: how many there are
    in a square degree, and draws of them."""

    def __init__(self, population: str, redshift: tuple[float, float], lightest):
        """population : of POPULATIONS; lightest : a function of redshifts (Z,) that gives log10 masses (Z,)."""
        n = max(int(np.ceil(np.log((1.0 + redshift[1]) / (1.0 + redshift[0])) / Z_STEP)), 1)
        self.z_edges = np.exp(np.linspace(np.log1p(redshift[0]), np.log1p(redshift[1]), n + 1)) - 1.0
        middle = 0.5 * (self.z_edges[1:] + self.z_edges[:-1])
        self.floor = np.minimum(np.asarray(lightest(middle), float), HEAVIEST - M_STEP)
        m_edges = np.arange(np.floor(self.floor.min() / M_STEP) * M_STEP, HEAVIEST, M_STEP)
        self.m_low = m_edges
        inside = np.clip((m_edges + M_STEP - self.floor[:, None]) / M_STEP, 0.0, 1.0)  # of a cell, above the floor
        per_volume = density(population, m_edges + 0.5 * M_STEP, middle[:, None]) * M_STEP * inside
        number = per_volume * (comoving_volume_per_deg2(middle) * np.diff(self.z_edges))[:, None]
        self.per_redshift = number / np.diff(self.z_edges)[:, None]
        """(Z, M), galaxies in a square degree and a unit of redshift, of the cells."""
        self.total = float(number.sum())
        """Galaxies in a square degree."""
        self.cumulative = np.cumsum(number.ravel()) / self.total

    def draw(self, area: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Redshifts and log10 masses (N,) of the galaxies of `area` square degrees, N being Poisson."""
        n = rng.poisson(self.total * area)
        cell = np.minimum(np.searchsorted(self.cumulative, rng.random(n), side="right"), len(self.cumulative) - 1)
        z_cell, m_cell = np.divmod(cell, len(self.m_low))
        low, high = self.z_edges[z_cell] ** 3, self.z_edges[z_cell + 1] ** 3
        redshift = np.cbrt(low + rng.random(n) * (high - low))  # evenly in volume where space is flat
        lowest = np.maximum(self.m_low[m_cell], self.floor[z_cell])
        return redshift, lowest + rng.random(n) * (self.m_low[m_cell] + M_STEP - lowest)

    def cells_at(self, redshift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(M,) each, of one redshift: lower and upper ends of the cells of log10 mass, within each of which masses are
        drawn evenly, and galaxies in them per square degree and unit of redshift."""
        row = min(max(int(np.searchsorted(self.z_edges, redshift, side="right")) - 1, 0), len(self.z_edges) - 2)
        low = np.maximum(self.m_low, self.floor[row])
        return low, np.maximum(self.m_low + M_STEP, low), self.per_redshift[row]
