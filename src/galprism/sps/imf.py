"""Initial mass functions, and what is left of the stars that have died.

Masses are in Msun.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class IMF:
    """Number of stars per unit mass, xi(m), from `low` to `high` Msun, as a function of m; any normalisation."""

    name: str
    xi: Callable[[np.ndarray], np.ndarray]
    low: float = 0.1
    high: float = 100.0

    def mass_grid(self, n: int = 20001) -> np.ndarray:
        """(n,), masses from `low` to `high`, equally spaced in ln m: fine enough to integrate on (1e-7)."""
        return np.geomspace(self.low, self.high, n)

    def integral(self, weight: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Masses m (n,) and the integral of weight(m) xi(m) dm from `low` to each of them (n,), trapezia in ln m."""
        m = self.mass_grid()
        integrand = weight(m) * self.xi(m) * m
        steps = 0.5 * (integrand[1:] + integrand[:-1]) * np.diff(np.log(m))
        return m, np.concatenate([[0.0], np.cumsum(steps)])

    def mass_fraction_below(self, mass) -> np.ndarray:
        """Fraction of the mass formed that is in stars below `mass` at birth."""
        m, cumulative = self.integral(lambda m: m)
        return np.interp(mass, m, cumulative / cumulative[-1])


def _kroupa(m: np.ndarray) -> np.ndarray:
    """Kroupa (2001, eq. 2): slopes 0.3 below 0.08, 1.3 below 0.5, 2.3 above, joined."""
    return np.where(m < 0.08, 0.08**-1.0 * m**-0.3, np.where(m < 0.5, m**-1.3, 0.5 * m**-2.3))


def _chabrier(m: np.ndarray) -> np.ndarray:
    """Chabrier (2003, table 1, the disc's single stars): log-normal below 1 Msun (0.079, 0.69), slope 2.3 above."""
    lognormal = np.exp(-(np.log10(np.minimum(m, 1.0) / 0.079) ** 2) / (2.0 * 0.69**2))
    return np.where(m < 1.0, lognormal / m, lognormal * m**-2.3)


def _salpeter(m: np.ndarray) -> np.ndarray:
    """Salpeter (1955): slope 2.35."""
    return m**-2.35


def power_law(slope: float) -> IMF:
    """xi ~ m^-slope from 0.1 to 100 Msun."""
    return IMF(f"power law, slope {slope:g}, 0.1-100 Msun", lambda m: m**-slope)


IMFS = {
    "kroupa": IMF("Kroupa (2001), 0.1-100 Msun", _kroupa),
    "chabrier": IMF("Chabrier (2003), 0.1-100 Msun", _chabrier),
    "salpeter": IMF("Salpeter (1955), 0.1-100 Msun", _salpeter),
}


def remnant_mass(mass) -> np.ndarray:
    """Mass of what is left of a dead star [Msun] of initial mass `mass` (Renzini & Ciotti 1993).

    White dwarfs 0.077 M + 0.48 below 8.5 Msun, neutron stars of 1.4 Msun below 40, black holes of M / 2 above: the
    relation that FSPS uses (Conroy, Gunn & White 2009, section 2.1).
    """
    mass = np.asarray(mass, float)
    return np.where(mass < 8.5, 0.077 * mass + 0.48, np.where(mass < 40.0, 1.4, 0.5 * mass))


def lifetime_gyr(mass, z_met: float) -> np.ndarray:
    """Lifetime [Gyr] of stars of initial mass `mass` [Msun], Padova tracks (Raiteri, Villata & Navarro 1996, eq. 3).

    The fit holds from 0.6 to 120 Msun and for Z from 7e-5 to 0.03; Z is held at these ends.
    """
    z = np.log10(np.clip(z_met, 7e-5, 0.03))
    log_mass = np.log10(mass)
    a0 = 10.13 + 0.07547 * z - 0.008084 * z**2
    a1 = -4.424 - 0.7939 * z - 0.1187 * z**2
    a2 = 1.262 + 0.3385 * z + 0.05417 * z**2
    return 10.0 ** (a0 + a1 * log_mass + a2 * log_mass**2) / 1e9


def living_fraction(age, z_met: float, imf: IMF) -> np.ndarray:
    """Fraction of the mass formed in stars that live at `age` [Gyr], mass loss before death neglected."""
    m, cumulative = imf.integral(lambda m: m)
    born = np.geomspace(0.6, imf.high, 1000)
    dying = np.interp(-np.asarray(age, float), -lifetime_gyr(born, z_met), born)
    return np.interp(dying, m, cumulative / cumulative[-1])


def turn_off_mass(living, imf: IMF) -> np.ndarray:
    """Initial mass [Msun] of the stars now dying, from the fraction of the mass formed that still lives."""
    m, cumulative = imf.integral(lambda m: m)
    return np.interp(living, cumulative / cumulative[-1], m)


def surviving_fraction(living, imf: IMF) -> np.ndarray:
    """Living stars and remnants, as a fraction of the mass formed; `living` is the fraction in living stars."""
    m, total = imf.integral(lambda m: m)
    _, remnants = imf.integral(remnant_mass)
    dead = np.interp(turn_off_mass(living, imf), m, remnants)
    return living + (remnants[-1] - dead) / total[-1]
